"""`strowger reload`: what the running gateways say to their configuration as it is now."""

from __future__ import annotations

from tests.integration.cli.conftest import Served, Strowger


def test_nothing_is_running(strowger: Strowger) -> None:
    """Exit code 1, and what to do about it."""
    done = strowger("reload")
    assert (done.returncode, done.stdout) == (1, "")
    assert "hint: `strowger serve`" in done.stderr


def test_every_gateway_is_told(served: Served, strowger: Strowger) -> None:
    """Each says what it has read, and goes on."""
    done = strowger("reload")
    assert (done.returncode, done.stdout) == (0, f"{served.url}  has read the environment\n")
    assert strowger("status").returncode == 0
