"""The tests: one module a room, and what they share (made, strategies)."""
