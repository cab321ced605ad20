"""Where the proposal meets the optics: sets, patterns, pointings, coverage, and what has to change."""
