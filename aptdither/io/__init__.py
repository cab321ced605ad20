"""The disk, and many files at once."""
