"""``python -m aptdither``."""

from aptdither.cli import run

if __name__ == "__main__":
    run()
