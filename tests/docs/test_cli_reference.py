"""The reference of the command line says what the commands say."""

from __future__ import annotations

import subprocess
import sys

from tests.house import tree


def test_the_reference_is_up_to_date() -> None:
    """Whoever changes a command's help writes the page anew: `python scripts/cli_reference.py`."""
    # In a process of its own: click remembers how a command's help was first asked for.
    command = (sys.executable, str(tree.ROOT / "scripts" / "cli_reference.py"), "--check")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
