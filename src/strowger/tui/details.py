"""The call that is selected, in tabs: what is known of it, its events, what was asked and answered, and what was made
of the request. What is large is asked for when its tab is looked at.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static, TabbedContent, TabPane

from strowger.client import Admin
from strowger.errors import GatewayError
from strowger.flows.words import overview, plain
from strowger.tui.state import Call

# More of a body than this nobody reads in a terminal.
_LINES = 2000
_EVENTS = 500

_TABS = (
    ("overview", "Call"),
    ("events", "Events"),
    ("compare", "Diff"),
    ("request", "Request"),
    ("answer", "Answer"),
)
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


class Page(VerticalScroll):
    """A tab's content. Moves with the keys that move in tables."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
    ]


class Details(Vertical):
    """The tabs. `show` is called as often as anything has changed."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._call: Call | None = None
        self._admin: Admin | None = None
        # What has been asked for already, and when it was still growing: the tab, the call, how far that had come.
        self._asked: tuple[str, str, object] | None = None
        self._said: dict[str, Text] = {}
        # Of which call each tab says something.
        self._shown: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """A page for each tab."""
        with TabbedContent():
            for name, title in _TABS:
                with TabPane(title, id=name):
                    with Page():
                        yield Static(id=f"{name}-text", markup=False)

    @property
    def active(self) -> str:
        """The tab that is open."""
        return self.query_one(TabbedContent).active

    @active.setter
    def active(self, name: str) -> None:
        self.query_one(TabbedContent).active = name

    def focus_inside(self) -> None:
        """Have the keys for the page that is open."""
        self.query_one(f"#{self.active} Page", Page).focus()

    def turn(self, by: int) -> None:
        """To the next tab, or the one before."""
        names = [name for name, _ in _TABS]
        self.active = names[(names.index(self.active) + by) % len(names)]

    def show(self, call: Call, admin: Admin | None) -> None:
        """This call, as it is now."""
        if self._call is not None and self._call["id"] != call["id"]:
            for page in self.query(Page):
                page.scroll_home(animate=False)
        self._call, self._admin = call, admin
        facts = (("id", str(call["id"])), *overview(call, None))
        lines = [Text.assemble((f"{name:>13}  ", "bold"), plain(text)) for name, text in facts]
        self._write("overview", Text("\n").join(lines))
        self._fill()

    @on(TabbedContent.TabActivated)
    def _turned(self) -> None:
        self._fill()

    def _fill(self) -> None:
        """Ask for what the open tab shows, unless that is there."""
        call, admin, name = self._call, self._admin, self.active
        asks: dict[str, Callable[[Admin, str], Awaitable[Text]]] = {
            "events": _events,
            "compare": _compared,
            "request": _request,
            "answer": _answer,
        }
        if call is None or name not in asks:
            return
        # a call that runs is asked for as it grows; one that is over once
        state = (name, call["id"], call["duration_ms"] if call["outcome"] != "running" else call.get("sent_ms"))
        if state == self._asked:
            return
        self._asked = state
        if admin is None:
            self._write(name, Text("its gateway has ended: `strowger flows show` reads what it has stored"))
            return
        if self._shown.get(name) != call["id"]:  # of another call, or nothing: that would be taken for this one's
            self._write(name, Text("…", style="dim"))
        self._load(name, admin, call["id"], asks[name])

    @work(exclusive=True)
    async def _load(self, name: str, admin: Admin, call: str, ask: Callable[[Admin, str], Awaitable[Text]]) -> None:
        try:
            text = await ask(admin, call)
        except GatewayError as error:
            text = Text(plain(error.message), style="yellow")
        if self._call is not None and self._call["id"] == call:
            self._shown[name] = call
            self._write(name, text)

    def _write(self, name: str, text: Text) -> None:
        if self._said.get(name) != text:
            self._said[name] = text
            self.query_one(f"#{name}-text", Static).update(text)


async def _events(admin: Admin, call: str) -> Text:
    found = await admin.answer_events(call, "upstream_response", limit=_EVENTS)
    text = Text()
    for event in found.events:
        text.append(f"{event.ms:>9,.1f} ms  ", style="dim")
        text.append(f"{plain(event.kind):<22}", style="cyan")
        text.append(plain(event.data) + "\n")
    if found.total > len(found.events):
        text.append(f"… {found.total - len(found.events):,} more", style="dim")
    return text if found.total else Text("no event has come", style="dim")


async def _compared(admin: Admin, call: str) -> Text:
    found = await admin.compare(call)
    text = Text()
    if found.line[0] != found.line[1]:
        text.append(f"- {plain(found.line[0])}\n", style="red")
        text.append(f"+ {plain(found.line[1])}\n", style="green")
    for line in found.headers:
        text.append(plain(line) + "\n", style=_COLOURS.get(line[:1], ""))
    if found.likeness == "identical":
        text.append("\nrequest bodies are identical", style="dim")
    for line in found.body[:_LINES]:
        text.append(plain(line) + "\n", style=_COLOURS.get(line[:1], ""))
    return text


async def _request(admin: Admin, call: str) -> Text:
    return await _body(admin, call, "client_request")


async def _answer(admin: Admin, call: str) -> Text:
    return await _body(admin, call, "client_response")


async def _body(admin: Admin, call: str, kind: str) -> Text:
    heads = await admin.messages(call)
    head = next((one for one in reversed(heads) if one.kind == kind), None)
    if head is None:
        return Text("not there yet, or not kept", style="dim")
    text = Text(plain(head.line) + "\n", style="bold")
    for name, value in head.headers:
        text.append(f"{plain(name)}: ", style="cyan not bold")
        text.append(plain(value) + "\n", style="not bold")
    text.append("\n")
    found = await admin.lines(call, kind, limit=_LINES)
    for line in found.lines:
        text.append(plain(line) + "\n", style="not bold")
    if found.total > len(found.lines):
        text.append(f"… {found.total - len(found.lines):,} more lines", style="dim")
    return text
