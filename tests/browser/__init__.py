"""The report in a real browser: headless Chromium, and axe-core where it is given.

``tests/browser/get-axe FOLDER`` fetches axe-core from the npm registry; name the file that it
prints in the environment variable ``APTDITHER_AXE``. Without Chromium these tests are skipped.
"""
