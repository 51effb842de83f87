"""The monitor on a screen that is none: keys pressed by Textual's pilot, gateways that a test controls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import Any, NamedTuple, Self

import anyio
import pytest
from textual.css.query import NoMatches
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, OptionList, Static, Tree

from strowger.cli.serve import watched
from strowger.client import (
    Answered,
    AnswerEvent,
    AnswerEvents,
    Chosen,
    Comparison,
    Event,
    LaunchState,
    Lines,
    MessageHead,
    Page,
    ProviderState,
    Replayed,
    Status,
)
from strowger.errors import GatewayError
from strowger.tui import source
from strowger.tui.app import Monitor

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


@pytest.fixture
def anyio_backend() -> str:
    """The loop that Textual runs on."""
    return "asyncio"


class Where(NamedTuple):
    """A gateway that is found."""

    url: str = "http://gateway.test"
    admin_token: str = "admin"


def call(number: int, **facts: Any) -> dict[str, Any]:
    """A call as the admin API tells it."""
    base: dict[str, Any] = {
        "id": f"flow_{number}",
        "started": 1000.0 + number,
        "path": "/v1/messages",
        "dialect": "anthropic",
        "program": "claude",
        "agent": "claude-cli/2",
        "session": "session-a",
        "agent_id": None,
        "launch": "l1",
        "model": "claude-test",
        "stream": True,
        "route": "r",
        "provider": "up",
        "account": "",
        "upstream_model": f"model-{number}",
        "upstream_dialect": "openai_chat",
        "lane": "translate",
        "outcome": "ok",
        "status": 200,
        "error": None,
        "error_kind": None,
        "finish": "end",
        "tokens": {"input": 1000, "cache_read": 500, "output": 10},
        "billing": "metered",
        "billed_usd": 0.25,
        "attempts": [],
        "losses": [],
        "notes": [],
        "duration_ms": 900.0,
        "sent_ms": 1.0,
        "first_byte_ms": 100.0,
    }
    return base | facts


class Told:
    """What a gateway tells whoever watches it, until it ends."""

    def __init__(self) -> None:
        self._waiting: list[Event] = []
        self._ended = False
        self._news = anyio.Event()

    def say(self, kind: str, data: Any) -> None:
        self._waiting.append(Event(kind, data))
        self._news.set()

    def end(self) -> None:
        self._ended = True
        self._news.set()

    async def heard(self) -> AsyncGenerator[Event, None]:
        while not self._ended:
            while self._waiting:
                yield self._waiting.pop(0)
            await self._news.wait()
            self._news = anyio.Event()


class Gateway:
    """Stands for the admin API of a gateway; one for all tests' clients."""

    def __init__(self, *calls: dict[str, Any]) -> None:
        self.calls = list(calls)
        self.told = Told()
        self.asked: list[tuple[Any, ...]] = []
        self.problem: GatewayError | None = None

    def __call__(self, url: str, token: str) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def page(self, where: str = "", *, limit: int = 50) -> Page:
        return Page(flows=tuple(reversed(self.calls)))

    async def events(self, where: str = "") -> AsyncGenerator[Event, None]:
        async for event in self.told.heard():
            yield event

    async def answer_events(self, id: str, kind: str, *, limit: int) -> AnswerEvents:
        return AnswerEvents((AnswerEvent(12.5, "message_start", '{"a": "[red]"}'),), 0, 1)

    async def compare(self, id: str) -> Comparison:
        return Comparison(("POST /v1/messages", "POST https://up.test"), ("- x: 1",), "different", ("-old", "+new"), 0)

    async def messages(self, id: str) -> tuple[MessageHead, ...]:
        headers = (("authorization", "Bearer ***"), ("x", "it's"), ("content-length", "2"))
        return (MessageHead("client_request", 0, "POST /v1/messages?a=b", headers, 2, 2),)

    async def lines(self, id: str, kind: str, *, limit: int) -> Lines:
        return Lines(("{", '  "model": "[bold]m"', "}"), 0, 3)

    async def body(self, id: str, kind: str) -> bytes:
        return b'{"it\'s":1}'

    async def replay(self, id: str, to: str | None) -> Replayed:
        self.asked.append(("replay", id, to))
        if self.problem:
            raise self.problem
        return Replayed({}, Answered(200, None, "Hello [red]"))

    async def status(self) -> Status:
        return Status(
            launches=(LaunchState("l1", "claude", 7), LaunchState("l2", "pi", 8)),
            providers=(ProviderState("deepseek"), ProviderState("codex")),
        )

    async def switch(self, id: str, to: str) -> Chosen:
        self.asked.append(("switch", id, to))
        return Chosen(via=to)


async def until(pilot: Pilot[None], condition: Callable[[], bool], what: str) -> None:
    """Let the screen go on until something is true of it; on a slow machine its parts are not there from the start."""

    def true() -> bool:
        try:
            return condition()
        except NoMatches:
            return False

    with anyio.fail_after(60):
        while not true():
            await pilot.pause(0.01)
    assert true(), what


def text(app: Monitor, name: str) -> str:
    """What a part of the screen says."""
    return str(app.query_one(name, Static).render())


def rows(app: Monitor) -> list[str]:
    """The table, a string for each row."""
    table = app.query_one("#calls", DataTable)
    return [" ".join(str(cell) for cell in table.get_row_at(number)) for number in range(table.row_count)]


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """The one that is there."""
    built = Gateway(call(1), call(2, outcome="failed", status=429, error="too much", session="session-b"))
    monkeypatch.setattr(source, "Admin", built)
    return built


async def test_what_happens_is_shown(gateway: Gateway) -> None:
    """Earlier calls, then those that come; a running one first, and then as it ended."""
    app = Monitor(lambda: [Where()])
    async with app.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: len(rows(app)) == 2, "earlier calls")
        assert "too much" not in rows(app)[0]
        assert "✗" in rows(app)[0]
        gateway.told.say("flow", call(3, outcome="running", provider="", tokens={}, agent_id="agent-1"))
        await until(pilot, lambda: len(rows(app)) == 3, "the call that came")
        assert rows(app)[0].startswith("▶")
        pulse = {"running": 1, "tokens_per_second": 42, "flows": [{"id": "flow_3", "events": 17}]}
        gateway.told.say("pulse", pulse)
        await until(pilot, lambda: "17 ev" in rows(app)[0], "its progress")
        assert "▶ 1 running" in text(app, "#top")
        gateway.told.say("flow", call(3, agent_id="agent-1"))
        await until(pilot, lambda: rows(app)[0].startswith("✓"), "its end")
        labels = [str(node.label) for node in app.query_one("#sessions", Tree).root.children]
        assert len(labels) == 2
        assert labels[0].startswith("claude session-  2")


async def test_nothing_is_drawn_while_nothing_happens(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """To lay out the screen each second would cost a battery; all of it drawn anew says the same."""
    app = Monitor(lambda: [Where()])
    async with app.run_test(size=(160, 40)) as pilot:
        gateway.told.say("pulse", {"running": 0, "calls": 2})
        await until(pilot, lambda: len(rows(app)) == 2 and "flow_2" in text(app, "#overview-text"), "the calls")
        await until(pilot, lambda: app.state.pulse().calls == 2, "the pulse")
        app.redraw()
        told: list[str] = []
        monkeypatch.setattr(Static, "update", lambda self, *_, **__: told.append(str(self.id)))
        before = app.state.version
        app.state.tick()
        gateway.told.say("pulse", {"running": 0, "calls": 2})
        gateway.told.say("gap", {"missed": 0})
        await until(pilot, lambda: app.state.version == before + 1, "it was heard")
        app.redraw()
        assert told == []
        app.action_pause()
        app.action_pause()
        assert told == ["top", "top"]


async def test_the_table_is_drawn_line_by_line(gateway: Gateway) -> None:
    """Titles stand above their figures, signs have their colours, the cursor is seen, and a click moves it."""
    app = Monitor(lambda: [Where()])
    async with app.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: len(rows(app)) == 2, "earlier calls")
        table = app.table
        header, first, second, below = (table.render_line(y) for y in range(4))
        for title in ("MODEL", "COST"):
            assert title in header.text
        begin, end = (header.text.index(title) for title in ("IN", "CACHED"))
        assert header.text[:end].rstrip()[-2:] == "IN"
        assert first.text[: begin + 2].endswith("1.0k"[-2:])
        assert "✗" in first.text
        assert "✓" in second.text
        assert below.text == " " * table.size.width
        colours = {segment.style.color.name for segment in second if segment.style and segment.style.color}
        assert "green" in colours
        assert next(iter(first)).style != next(iter(second)).style
        assert table.cursor_row == 0
        await pilot.click("#calls", offset=(12, 2))
        await until(pilot, lambda: table.cursor_row == 1, "the click")


async def test_the_cursor_stays_on_its_call(gateway: Gateway) -> None:
    """While others come above it, and when it is filtered out the table is still one."""
    app = Monitor(lambda: [Where()])
    async with app.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: len(rows(app)) == 2, "earlier calls")
        app.table.move_cursor(row=1)
        app.state.take("http://gateway.test", call(3))
        app.redraw()
        assert ["model-3" in rows(app)[0], "model-1" in rows(app)[2]] == [True, True]
        assert app.table.cursor_row == 2
        selected = app.selected()
        assert selected is not None
        assert selected["id"] == "flow_1"
        app.action_errors()
        assert rows(app)[0].startswith("✗")
        assert len(rows(app)) == 1


async def test_drawing_takes_a_part_of_the_time(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """When calls come fast, keys come first: what took long is drawn less often, and at once for who asks."""
    app = Monitor(lambda: [Where()])
    async with app.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: len(rows(app)) == 2, "earlier calls")
        used = iter(range(0, 10**6, 100))
        monkeypatch.setattr("strowger.tui.app.time.thread_time", lambda: next(used))
        monkeypatch.setattr("strowger.tui.app._LONGEST_REST", 1000.0)
        app.redraw()
        app.draw()
        app.state.take("http://gateway.test", call(3, model="a-model-with-a-name-that-is-longer-than-others"))
        app.draw()
        assert len(rows(app)) == 2
        app.redraw()
        assert len(rows(app)) == 3
        _, _, model, *_ = app.table.ordered_columns
        assert model.width == len("a-model-with-a-name-that-is-longer-than-others")


async def test_older_calls_are_there_for_who_goes_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the newest are looked at, few rows have to move when one comes."""
    monkeypatch.setattr(source, "Admin", Gateway(*(call(number) for number in range(200))))
    app = Monitor(lambda: [Where()])
    async with app.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: len(rows(app)) == 60, "the newest")
        app.table.move_cursor(row=59)
        await until(pilot, lambda: len(rows(app)) == 180, "older ones")
        assert app.table.cursor_row == 59
        app.table.move_cursor(row=179)
        await until(pilot, lambda: len(rows(app)) == 200, "all of them")
        app.table.move_cursor(row=0)
        await until(pilot, lambda: app.table.cursor_row == 0 and app.table.scroll_y == 0, "the top")
        app.state.take("http://gateway.test", call(200))
        await until(pilot, lambda: len(rows(app)) == 60, "the newest again")


async def test_a_gateway_that_ends_and_comes_again(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ran there is lost; it is found again by itself."""
    monkeypatch.setattr(source, "LOOK_SECONDS", 0.01)
    app = Monitor(lambda: [Where()])
    async with app.run_test(size=(160, 40)) as pilot:
        gateway.told.say("flow", call(3, outcome="running"))
        await until(pilot, lambda: len(rows(app)) == 3, "the call that came")
        before, gateway.told = gateway.told, Told()
        before.end()
        await until(pilot, lambda: any(row.startswith("?") for row in rows(app)), "the call is lost")
        gateway.told.say("flow", call(4))
        await until(pilot, lambda: len(rows(app)) == 4, "it is followed again")


async def test_without_a_gateway_it_says_what_to_do() -> None:
    """An empty screen would say nothing."""
    app = Monitor(list)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: "strowger serve" in text(app, "#top"), "the hint")


async def test_troubles_and_limits_have_lines_of_their_own(gateway: Gateway) -> None:
    """What is not stored is said, never left out silently."""
    app = Monitor(lambda: [Where()])
    async with app.run_test(size=(160, 40)) as pilot:
        gateway.told.say("store", {"problem": "the disk is full", "flows_dropped": 3})
        gateway.told.say("gap", {"missed": 7})
        window = {"name": "5h", "used_percent": 81.0, "resets_at": None}
        gateway.told.say("quota", {"accounts": [{"provider": "codex", "windows": [window]}]})
        await until(pilot, lambda: "5h 81% used" in text(app, "#limits"), "the limit")
        await until(pilot, lambda: "7 changes went by" in text(app, "#trouble"), "the gap")
        assert "the disk is full" in text(app, "#trouble")
        assert "3 were dropped" in text(app, "#trouble")


async def test_the_filter_is_that_of_flows(gateway: Gateway) -> None:
    """A mistake in it is told below the table; Escape takes it away."""
    app = Monitor(lambda: [Where()])
    async with app.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: len(rows(app)) == 2, "earlier calls")
        await pilot.press("slash")
        app.query_one("#filter", Input).value = "status:>=400"
        await until(pilot, lambda: len(rows(app)) == 1, "only what failed")
        app.query_one("#filter", Input).value = "statsu:>=400"
        await until(pilot, lambda: "status" in text(app, "#said"), "the near miss")
        await pilot.press("escape")
        await until(pilot, lambda: len(rows(app)) == 2, "all again")
        await pilot.press("slash", *"id:x", "slash", "y")
        assert app.query_one("#filter", Input).value == "id:x/y"
        await pilot.press("escape")
        await until(pilot, lambda: len(rows(app)) == 2, "all again")
        await pilot.press("e")
        await until(pilot, lambda: len(rows(app)) == 1, "only errors")


async def test_the_details_follow_the_cursor(gateway: Gateway) -> None:
    """Each page asks for what it shows; what looks like markup is shown as it is."""
    app = Monitor(lambda: [Where()])
    async with app.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: len(rows(app)) == 2, "earlier calls")
        await until(pilot, lambda: "flow_2" in text(app, "#overview-text"), "the first row's")
        await pilot.press("j")
        await until(pilot, lambda: "flow_1" in text(app, "#overview-text"), "the next row's")
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: '{"a": "[red]"}' in text(app, "#events-text"), "events")
        await pilot.press("d")
        await until(pilot, lambda: "+new" in text(app, "#compare-text"), "the difference")
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: '"[bold]m"' in text(app, "#request-text"), "the request")
        await pilot.press("enter", "escape", "left_square_bracket", "p", "p")
        assert app.details.active == "compare"


async def test_a_call_is_repeated(gateway: Gateway) -> None:
    """At the model that is written down; a refusal is told."""
    app = Monitor(lambda: [Where()])
    async with app.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: len(rows(app)) == 2, "earlier calls")
        await pilot.press("r")
        await until(pilot, lambda: len(app.screen_stack) == 2, "the dialog")
        await pilot.press(*"codex", "enter")
        await until(pilot, lambda: gateway.asked == [("replay", "flow_2", "codex")], "it is asked")
        await pilot.press("r")
        await until(pilot, lambda: len(app.screen_stack) == 2, "the dialog")
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1, "it is closed")
        assert len(gateway.asked) == 1


async def test_a_client_is_switched(gateway: Gateway) -> None:
    """The one whose call is selected, to what is picked."""
    app = Monitor(lambda: [Where()])
    async with app.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: len(rows(app)) == 2, "earlier calls")
        await pilot.press("s")
        await until(pilot, lambda: len(app.screen_stack) == 2, "the dialog")
        assert app.screen.query_one(OptionList).option_count == 3
        await pilot.press("down", "enter")
        await until(pilot, lambda: gateway.asked == [("switch", "l1", "deepseek")], "it is switched")


async def test_clients_are_switched_beside_the_call_of_a_gateway_that_has_ended(gateway: Gateway) -> None:
    """Those of a gateway that runs: they are what can be switched."""
    app = Monitor(lambda: [Where()])
    async with app.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: len(rows(app)) == 2, "earlier calls")
        app.state.take("http://gone.test", call(9))
        await until(pilot, lambda: len(rows(app)) == 3 and app.selected() == app.state.call("flow_9"), "one from there")
        await pilot.press("s")
        await until(pilot, lambda: len(app.screen_stack) == 2, "the dialog")


async def test_a_request_is_copied_without_its_key(gateway: Gateway) -> None:
    """A command that works in a shell once the key is there."""
    app = Monitor(lambda: [Where()])
    async with app.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: len(rows(app)) == 2, "earlier calls")
        await pilot.press("c")
        await until(pilot, lambda: "curl" in app.clipboard, "it is copied")
        assert '-H "authorization: Bearer $TOKEN"' in app.clipboard
        assert "content-length" not in app.clipboard


async def test_a_terminal_may_change_its_size(gateway: Gateway) -> None:
    """The sessions are there as soon as there is room for them, and gone as soon as there is none."""
    app = Monitor(lambda: [Where()])
    async with app.run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: bool(app.query_one("#sessions").display), "the sessions")
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: not app.query_one("#sessions").display, "no sessions")
        await pilot.resize_terminal(160, 40)
        await until(pilot, lambda: bool(app.query_one("#sessions").display), "the sessions again")


def test_what_breaks_is_told_without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """They hold tokens and what was said; one sentence names the error."""
    app, said = Monitor(list), list[str]()
    monkeypatch.delenv("STROWGER_TRACEBACK", raising=False)
    monkeypatch.setattr(app, "panic", lambda *texts: said.extend(map(str, texts)))
    token = "a secret"
    try:
        raise RuntimeError("it is " + "closed")
    except RuntimeError as error:
        app._handle_exception(error)
    assert "the monitor broke: it is closed" in said[0]
    assert token not in "".join(said)
    assert app.return_code == 1


@pytest.mark.parametrize("code, goes_on", [(1, True), (0, False)])
async def test_a_gateway_outlives_its_monitor(
    code: int, goes_on: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A monitor that breaks ends nothing but itself, and it is said; one that is left ends the gateway."""
    app, stop, shown = Monitor(list), anyio.Event(), anyio.Event()

    async def shows() -> None:
        app._return_code = code
        shown.set()

    monkeypatch.setattr(app, "run_async", shows)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watched, app, stop)
        await shown.wait()
        await anyio.wait_all_tasks_blocked()
        assert stop.is_set() is not goes_on
        stop.set()
    assert ("the gateway goes on" in capsys.readouterr().err) is goes_on


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
async def test_small_terminals_have_the_calls_alone(gateway: Gateway, size: tuple[int, int]) -> None:
    """And the help is there too."""
    app = Monitor(lambda: [Where()], ends="the gateway ends too")
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: len(rows(app)) == 2, "earlier calls")
        assert not app.query_one("#sessions").display
        await pilot.press("question_mark")
        await until(pilot, lambda: len(app.screen_stack) == 2, "the help")
        await pilot.press("escape")
        await pilot.press("q")
    assert app.return_code == 0
