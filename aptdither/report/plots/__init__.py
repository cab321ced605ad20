"""Pictures, drawn with matplotlib: one room for each kind, and the canvas they share."""
