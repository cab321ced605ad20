"""The version, in one place: receipts, reports and the package itself say it."""

__version__ = "0.1.0"
