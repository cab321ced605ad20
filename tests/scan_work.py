"""What other processes run in the tests: a module of its own, since each of them imports it."""

from __future__ import annotations

import os
import signal
import time


def length(item: str) -> int:
    """Return the length of a name; some names fail, kill the process or take a while."""
    if item.startswith("bad"):
        message = f"no {item}"
        raise ValueError(message)
    if item.startswith("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    if item.startswith("slow"):
        time.sleep(0.05)
    return len(item)


def stall(item: str) -> int:
    """Take longer than any test waits."""
    time.sleep(60)
    return len(item)
