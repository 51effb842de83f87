"""The dashboard as people have it: in a browser, while calls go through a gateway."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from strowger.config.schema import Flows
from strowger.flows.store import Store
from tests.browser.driving import DEADLINE, Beside, Seen, beside, chromium, demo
from tests.fakes.flows import answered, begun

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTILE = "<img src=x onerror=alert(1)>"
MESSAGES = "/v1/messages"

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def flows(tmp_path: Path) -> Flows:
    """Stored where nobody else looks."""
    return Flows(file=str(tmp_path / "flows.db"))


@contextmanager
def opened(browser: Browser, gateway: Beside, secret: str = "", **options: object) -> Iterator[tuple[Page, Seen]]:
    """The page, and what it did besides; in the end it has asked nobody else, and complained of nothing."""
    context = browser.new_context(**{"viewport": {"width": 1200, "height": 700}, **options})
    context.set_default_timeout(DEADLINE)
    page = context.new_page()
    seen = Seen(page, gateway.url)
    try:
        page.goto(f"{gateway.url}/_strowger/#{secret or 'token=' + gateway.token}")
        yield page, seen
        assert seen.elsewhere == []
        assert seen.complaints == []
    finally:
        context.close()


def question(model: str = "claude-sonnet-5", text: str = "Explain the exchange.", **more: object) -> dict[str, object]:
    """A Messages request."""
    return {"model": model, "max_tokens": 300, "messages": [{"role": "user", "content": text}], **more}


def wait(page: Page, expression: str) -> None:
    """Until it holds on the page."""
    page.wait_for_function(expression)


def test_calls_are_seen_as_they_happen(browser: Browser, flows: Flows) -> None:
    """A call appears when it begins, shows that it comes along, and its figures when it is over. The token is gone from
    the address at once.
    """
    with beside(demo(flows), demo_pace=0.05) as gateway, opened(browser, gateway) as (page, _):
        page.get_by_text("No calls yet").wait_for()
        assert gateway.token not in page.url
        gateway.begin(MESSAGES, question(stream=True))
        page.locator(".call.running").wait_for()
        page.locator(".call.running", has_text="claude-sonnet-5").get_by_text(re.compile(r"\d+ events")).wait_for()
        wait(page, "() => /[1-9]/.test(document.querySelector('#gauge .figure-in b').textContent)")
        page.locator(".call:not(.running) .dot.ok").wait_for()
        assert page.locator(".call").count() == 1
        assert re.search(r"\d+ *m?s", page.locator(".call .num").last.inner_text())
        page.reload()  # this tab still has the token
        page.locator(".call").wait_for()


def test_a_call_is_opened_by_keys(browser: Browser, flows: Flows) -> None:
    """Filter, choose, open, go through its parts; what a client or a model wrote is text and nothing else."""
    with beside(demo(flows), demo_pace=0) as gateway, opened(browser, gateway) as (page, _):
        sub = {
            "x_claude_code_session_id": "s" * 32,
            "x_claude_code_agent_id": "a1",
            "x_claude_code_agent_type": HOSTILE,
        }
        gateway.ask(MESSAGES, question(HOSTILE, f"Say {HOSTILE}"), user_agent="claude-cli/2.1", **sub)
        for _ in range(3):
            gateway.ask(MESSAGES, question("other"))
        page.locator(".call").nth(3).wait_for()
        page.keyboard.press("/")
        page.keyboard.type("agent_id:a1 model:modell -error:x")
        page.get_by_text("No call fits this filter").wait_for()
        page.keyboard.press("Escape")
        page.locator(".call").nth(3).wait_for()
        page.keyboard.press("/")
        page.keyboard.type("modell:x")
        page.get_by_text("no field `modell`").wait_for()
        page.locator("#where").fill("agent_id:a1")
        wait(page, "() => document.querySelectorAll('.call').length === 1")
        assert "where=agent_id" in page.url
        page.locator("#where").press("Enter")
        page.keyboard.press("Enter")
        page.locator(".panel h2", has_text=HOSTILE).wait_for()
        page.keyboard.press("l")
        page.locator(".turn.user .words", has_text=f"Say {HOSTILE}").wait_for()
        page.locator(".answer .words:not(.dim)").first.wait_for()
        page.keyboard.press("l")
        page.locator(".line", has_text=f"Say {HOSTILE}").wait_for()
        page.keyboard.press("l")
        page.locator(".line.minus", has_text="POST /v1/messages").wait_for()
        page.locator(".line.plus", has_text='"model": "demo"').wait_for()
        page.keyboard.press("Escape")
        wait(page, "() => !document.querySelector('.panel')")
        page.keyboard.press("2")
        page.locator(".session-head").click()
        page.locator(".agent", has_text=HOSTILE).wait_for()
        page.keyboard.press("3")
        page.locator("table th[scope=row]", has_text="demo").first.wait_for()
        assert page.locator("img[src=x]").count() == 0


def test_a_call_is_repeated(browser: Browser, flows: Flows) -> None:
    """To another model, and then that call can be opened."""
    with beside(demo(flows), demo_pace=0) as gateway, opened(browser, gateway) as (page, _):
        gateway.ask(MESSAGES, question())
        page.locator(".call").click()
        page.get_by_label("Model to send it to").fill("demo-fast")
        page.get_by_role("button", name="Replay").click()
        page.locator(".told button.link").click()
        page.locator(".facts", has_text="demo:demo-fast").wait_for()
        assert page.locator(".call").count() == 2


def test_light_and_dark(browser: Browser, flows: Flows) -> None:
    """As the system wants it, until somebody chooses; the choice is kept. Errors have their view, help its key."""
    back = "() => getComputedStyle(document.body).backgroundColor"
    with (
        beside(demo(flows), demo_pace=0) as gateway,
        opened(browser, gateway, color_scheme="dark", viewport={"width": 380, "height": 700}) as (page, _),
    ):
        gateway.ask(MESSAGES, {"model": "m", "messages": HOSTILE})
        page.locator(".call .error-text").wait_for()
        dark = page.evaluate(back)
        page.keyboard.press("t")
        assert page.evaluate(back) != dark
        page.reload()
        page.locator(".call").wait_for()
        assert page.evaluate(back) != dark
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        page.keyboard.press("5")
        page.locator(".group", has_text="bad request").wait_for()
        page.keyboard.press("?")
        page.get_by_role("heading", name="Keys and filters").wait_for()
        page.keyboard.press("Escape")
        page.keyboard.press("4")
        page.get_by_text("Nothing is known of any account yet").wait_for()


def test_only_with_a_token(browser: Browser, flows: Flows) -> None:
    """A wrong one is told, with what to do; without one, it is asked for."""
    with beside(demo(flows)) as gateway:
        with opened(browser, gateway, "token=wrong") as (page, _):
            page.get_by_text("You cannot be let in with this").wait_for()
            page.get_by_text("strowger dashboard").wait_for()
            assert page.locator(".call").count() == 0
            page.get_by_label("Admin token").fill(gateway.token)
            page.keyboard.press("Enter")
            page.get_by_text("No calls yet").wait_for()
        with opened(browser, gateway, "/usage") as (page, _):
            page.get_by_text("A token is needed").wait_for()


@pytest.fixture
def hundred_thousand(flows: Flows) -> Flows:
    """As many calls in the store, made of one."""
    assert flows.file
    store = Store(flows.file, tell=lambda *_: None)
    store.finished(answered(begun()))
    store.close()
    with closing(sqlite3.connect(flows.file)) as base:
        columns = [row[1] for row in base.execute("PRAGMA table_info(flows)")]
        made = {
            "seq": "seq + n",
            "change": "seq + n",
            "id": "printf('flow_%016x', n + 0x10000)",
            "started": "started - 100000 + n",
            "model": "CASE WHEN n % 1000 = 0 THEN 'rare' ELSE 'usual' END",
        }
        values = ", ".join(made.get(name, name) for name in columns)
        base.execute("CREATE TEMP TABLE one AS SELECT * FROM flows")
        base.execute(
            f"INSERT INTO flows ({', '.join(columns)})"
            " WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000)"
            f" SELECT {values} FROM one, numbers"
        )
        base.commit()
    return flows


def test_a_hundred_thousand_calls(browser: Browser, hundred_thousand: Flows) -> None:
    """Are paged as somebody scrolls, with few elements at a time; a filter finds the rare ones among all."""
    with beside(demo(hundred_thousand)) as gateway, opened(browser, gateway) as (page, _):
        page.get_by_text("100,001 calls").wait_for()
        assert page.locator(".call").count() < 60
        height = "() => document.querySelector('.list-inner').offsetHeight"
        before = page.evaluate(height)
        page.keyboard.press("G")
        page.wait_for_function("before => document.querySelector('.list-inner').offsetHeight > before", arg=before)
        assert page.locator(".call").count() < 60
        page.locator("#where").fill("model:rare")
        page.get_by_text("100 calls").wait_for()
        assert page.locator(".call", has_text="rare").count() == page.locator(".call").count()
