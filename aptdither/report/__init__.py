"""One plan, many faces."""
