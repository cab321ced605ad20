"""Byte-mutation fuzzing: damaged proposals through the whole road, watched for time and memory.

Run with ``python -m tests.fuzz``; ``tests/test_fuzz.py`` runs a small part of it.
"""
