"""The harness that tries to break the writing of files: kills, errors, lost power, full disks.

``python -m tests.crash`` runs all of it and prints the counts; it exits 1 if anything was lost.
"""
