"""Sub-pixel dithers for WFC3/IR proposals: from a tag in APT to explicit POS TARGs."""

__version__ = "0.1.0"
