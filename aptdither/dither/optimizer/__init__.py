"""The search for patterns."""
