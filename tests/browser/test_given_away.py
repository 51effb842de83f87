"""What is given away of calls, in a browser: the page, and the HAR file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from strowger.flows.har import pieces
from strowger.flows.page import Call, render
from strowger.flows.tape import Message
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


# What Chromium's developer tools read a HAR file with.
READ = """async (text) => {
    const { HARFormat, Importer } = await import('devtools://devtools/bundled/models/har/har.js');
    const requests = Importer.Importer.requestsFromHARLog(new HARFormat.HARRoot(JSON.parse(text)).log);
    return requests.map((each) => [each.url(), each.statusCode, each.requestMethod, Math.round(each.duration * 1000)]);
}"""


def test_developer_tools_read_a_har_file() -> None:
    """Chromium's own reader takes it: two requests for each call, also for one of which nothing was forwarded."""
    flow: dict[str, Any] = {"id": "flow_1", "started": 1_800_000_000.5, "model": "m", "sent_ms": 4.0}
    flow |= {"first_byte_ms": 150.0, "duration_ms": 400.0, "outcome": "ok", "tokens": {}}
    kept = [
        Message("client_request", 0, "POST http://127.0.0.1:4000/v1/messages", (("Host", "a"),), [b"{}"], [0.0], 2),
        Message("forwarded", 0, "POST https://one.example/v1/x", (), [b"{}"], [0.01], 2),
        Message("upstream_response", 0, "200", (), [b"data: 1\n\n", b"\xff"], [0.15, 0.4], 10),
        Message("client_response", 0, "200", (), [HOSTILE.encode()], [0.15], len(HOSTILE)),
    ]
    messages = {"flow_1": kept, "flow_2": kept[:1]}
    text = b"".join(pieces([flow, flow | {"id": "flow_2", "outcome": "failed"}], messages.__getitem__)).decode()
    with chromium() as browser:
        page = browser.new_page()
        page.goto("devtools://devtools/bundled/devtools_app.html")
        read = page.evaluate(READ, text)
    assert ["https://one.example/v1/x", 200, "POST", 390] in read
    assert ["http://127.0.0.1:4000/v1/messages", 200, "POST", 400] in read
    assert len(read) == 4
