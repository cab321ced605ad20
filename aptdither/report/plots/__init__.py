"""Pictures drawn with matplotlib: one module for each kind, and the style that they share."""
