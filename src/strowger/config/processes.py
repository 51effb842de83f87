"""Whether a process that left its number somewhere is still there. A number is given out again, a beginning is not."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether there is a process of ours with a number."""
    if sys.platform == "win32":
        return True  # there, asking after a process with signal 0 would end it
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return False  # another user's process has got the number
    return True


def process_start(pid: int) -> str | None:
    """The system's mark of when a process began, or None where it tells none."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return None
    # Field 22, counted from 1; the second is the command's name in brackets and may hold anything, so count behind it.
    fields = status.rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else None


def is_the_same(pid: int, start: str | None) -> bool:
    """Whether the process that had a number when it was written down, with its `process_start`, is there."""
    if not is_running(pid):
        return False
    now = process_start(pid)
    return now is None or start is None or now == start
