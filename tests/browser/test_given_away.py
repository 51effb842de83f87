"""The page of calls that is given away, in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from strowger.flows.page import Call, render
from strowger.flows.transcript import Piece, Turn
from tests.browser.driving import DEADLINE, chromium

HOSTILE = "</pre></script><script>document.title='gone'</script><img src=https://evil.example/x onerror=alert(1)>"

pytestmark = pytest.mark.timeout(400)


def test_a_page_shows_everything_and_asks_nobody(tmp_path: Path) -> None:
    """What was said is text; messages open and close; a button copies; there is a dark form."""
    turn = Turn("user", (Piece("text", HOSTILE),))
    answer = Turn("assistant", (Piece("call", "ls", HOSTILE),))
    path = tmp_path / "calls.html"
    path.write_text(
        "".join(render([Call("flow_1", HOSTILE, ((HOSTILE, HOSTILE),), (turn, turn), answer)], title="A call", made=""))
    )
    asked: list[str] = []
    complaints: list[str] = []
    with chromium() as browser:
        page = browser.new_page(color_scheme="dark")
        page.set_default_timeout(DEADLINE)
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(path.as_uri())
        assert page.locator("details[open]").count() == 2
        page.get_by_text("Open all").click()
        assert page.locator("details[open]").count() == 3
        assert page.locator(".user pre").first.inner_text() == HOSTILE
        page.locator(".assistant .box").hover()
        page.locator(".assistant .copy").click()
        page.get_by_text("Copied").wait_for()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
        assert page.title() == "A call"
        assert asked == [path.as_uri()]
        assert complaints == []
