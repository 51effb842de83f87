"""`strowger reload`: what the running gateways say to their configuration as it is now."""

from __future__ import annotations

from tests.integration.cli.conftest import Served, Strowger


def test_nothing_is_running(strowger: Strowger) -> None:
    """Exit code 1, and what to do about it."""
    done = strowger("reload")
    assert (done.returncode, done.stdout) == (1, "")
    assert "hint: `strowger serve`" in done.stderr


def test_what_has_no_file_cannot_be_read_again(served: Served, strowger: Strowger) -> None:
    """The demo says so, and goes on."""
    done = strowger("reload")
    assert done.returncode == 1
    assert f"{served.url}  goes on as it was: this gateway has no configuration" in done.stdout
    assert strowger("status").returncode == 0
