"""`strowger dashboard`: the address of the page, and what lets a browser in."""

from __future__ import annotations

import json
from urllib.request import Request, urlopen

from tests.integration.cli.conftest import Served, Strowger


def test_nothing_is_running(strowger: Strowger) -> None:
    """Exit code 1, and what to do about it."""
    done = strowger("dashboard")
    assert (done.returncode, done.stdout) == (1, "")
    assert "hint: `strowger serve`" in done.stderr
    assert strowger("dashboard", "--pid", "1").returncode == 1


def test_the_address_lets_a_browser_in_once(served: Served, strowger: Strowger) -> None:
    """It has no token in it, as others can see what a browser is started with; that of --print has, and stays good."""
    done = strowger("dashboard")
    assert done.returncode == 0
    page, _, ticket = done.stdout.strip().partition("#ticket=")
    assert page == f"{served.url}/_strowger/"
    order = Request(f"{page}token", data=json.dumps({"ticket": ticket}).encode(), method="POST")
    with urlopen(order) as answer:
        token = json.load(answer)["token"]
    assert strowger("dashboard", "--print").stdout == f"{page}#token={token}\n"
    with urlopen(Request(f"{page}status", headers={"authorization": f"Bearer {token}"})) as answer:
        assert json.load(answer)["pid"]
