"""The pattern wing: the geometry of pixel phases."""
