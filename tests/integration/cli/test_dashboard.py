"""`strowger dashboard`: the address of the page, and what lets a browser in."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.integration.cli.conftest import Served, Strowger


def test_nothing_is_running(strowger: Strowger) -> None:
    """Exit code 1, and what to do about it."""
    done = strowger("dashboard")
    assert (done.returncode, done.stdout) == (1, "")
    assert "hint: `strowger serve`" in done.stderr
    assert strowger("dashboard", "--pid", "1").returncode == 1


@pytest.mark.skipif(sys.platform == "win32", reason="the browser is a shell script")
def test_the_address_lets_a_browser_in_once(
    served: Served, strowger: Strowger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no token in it, as others can see what a browser is started with; that of --print has, and stays good."""
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n', "utf-8")
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    done = strowger("dashboard")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "opened").read_text("utf-8") == done.stdout
    page, _, ticket = done.stdout.strip().partition("#ticket=")
    assert page == f"{served.url}/_strowger/"
    order = Request(f"{page}token", data=json.dumps({"ticket": ticket}).encode(), method="POST")
    with urlopen(order) as answer:
        token = json.load(answer)["token"]
    assert strowger("dashboard", "--print").stdout == f"{page}#token={token}\n"
    with urlopen(Request(f"{page}status", headers={"authorization": f"Bearer {token}"})) as answer:
        assert json.load(answer)["pid"]
