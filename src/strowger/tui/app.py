"""The monitor: sessions, their calls, and what was said in each; live, on one screen.

Shows what `State` knows, at most ten times a second, and asks the gateway for what it does not: bodies, events,
differences. Everything that came from outside is text, never markup. Must not know how calls are recorded.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual import events, on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.coordinate import Coordinate
from textual.widgets import DataTable, Footer, Input, Static, Tree
from textual.widgets.tree import TreeNode

from strowger.errors import GatewayError
from strowger.flows.query import parse
from strowger.flows.words import plain
from strowger.tui import words
from strowger.tui.curl import as_curl
from strowger.tui.details import Details
from strowger.tui.dialogs import Help, Replay, Switch
from strowger.tui.source import Find, Source
from strowger.tui.state import Call, Group, Place, State
from strowger.tui.table import Table

_DRAW_SECONDS = 0.1
# Drawing takes no more than this part of the time: keys come first, and the gateway may run on the same machine.
_SHARE = 0.2
_LONGEST_REST = 1.0
# A table with more rows than this takes longer to draw than anybody takes to read it. While its top is looked at, fewer
# are there: whenever a call comes, all of them move.
_ROWS = 300
_STEP = 60
_NARROW = 100
"""Columns of a terminal below which the sessions are not shown beside the calls."""

# What the sign in the first column says, by a colour too; and which columns have it.
_COLOURS = dict(words.SIGNS.values())
_COLOURED = (0, 4)

Filter = Callable[[Call], bool]


class Monitor(App[None]):
    """The screen. `find` gives the gateways that run; `state` may be filled already."""

    TITLE = "strowger"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #top { height: 1; background: $panel; padding: 0 1; }
    #limits { height: auto; max-height: 3; color: $text-muted; padding: 0 1; display: none; }
    #trouble { height: auto; color: $text-warning; padding: 0 1; display: none; }
    #sessions { width: 26%; max-width: 38; border-right: solid $panel; }
    #calls { height: 1fr; }
    #filter { display: none; height: 1; border: none; padding: 0 1; }
    #said { height: 1; color: $text-error; padding: 0 1; display: none; }
    #details { height: 45%; }
    #details Tabs { height: 2; }
    #details TabPane { padding: 0 1; }
    .narrow #sessions { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        # before all others, so that what is typed behind it, however fast, is for the filter
        Binding("slash", "filter", "Filter", key_display="/", priority=True),
        Binding("e", "errors", "Errors"),
        Binding("p", "pause", "Pause"),
        Binding("d", "tab('compare')", "Diff"),
        Binding("r", "replay", "Replay"),
        Binding("s", "switch", "Switch"),
        Binding("c", "copy", "Copy as curl"),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("j", "down", "Down", show=False),
        Binding("k", "up", "Up", show=False),
        Binding("left_square_bracket", "turn(-1)", "Page before", show=False),
        Binding("right_square_bracket", "turn(1)", "Next page", show=False),
        Binding("escape", "clear", "Clear", show=False),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(self, find: Find, state: State | None = None, *, ends: str = "") -> None:
        """`ends` says what comes to an end with the monitor."""
        super().__init__()
        self.state = state or State()
        self.source = Source(find, self.state)
        self._ends = ends
        self._drawn = -1
        self._lines: dict[str, str | Text] = {}
        self._rows: dict[str, tuple[str, ...]] = {}
        self._most = _STEP
        self._detailed = ""
        self._drawn_at = self._rest = 0.0
        self._used: float | None = None
        self._filter: Filter | None = None
        self._errors = False
        self._paused = False
        self._place: Place | None = None
        self._places: list[tuple[Place, str]] = []

    def compose(self) -> ComposeResult:
        """The parts of the screen."""
        yield Static(id="top", markup=False)
        yield Static(id="trouble", markup=False)
        yield Static(id="limits", markup=False)
        with Horizontal():
            yield Tree[Place | None]("all calls", id="sessions")
            with Vertical():
                yield Table(id="calls", cursor_type="row", zebra_stripes=False)
                yield Static(id="said", markup=False)
                yield Input(placeholder="model:gpt-5* status:>=400 session:…", id="filter", compact=True)
                yield Details(id="details")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to listen and to draw."""
        for column in words.COLUMNS:
            self.table.add_column(Text(column, justify="right" if column in words.RIGHT else "left"), width=len(column))
        self.sessions.show_root = True
        self.sessions.root.expand()
        self.table.focus()
        self.set_interval(_DRAW_SECONDS, self.draw)
        self.set_interval(1.0, self._second)
        self.listen()
        self.draw()

    @work(exclusive=True)
    async def listen(self) -> None:
        """Follow the gateways for as long as the monitor is there."""
        await self.source.run()

    @property
    def table(self) -> Table:
        """The calls."""
        return self.query_one("#calls", Table)

    @property
    def sessions(self) -> Tree[Place | None]:
        """The sessions."""
        return self.query_one("#sessions", Tree)

    @property
    def details(self) -> Details:
        """The call that is selected."""
        return self.query_one(Details)

    # ---- drawing ----

    def draw(self) -> None:
        """Show what is new. Nothing is drawn while it is paused, or below a dialog."""
        is_resting = self._is_resting() and self._drawn >= 0
        if is_resting or self._paused or self.state.version == self._drawn or len(self.screen_stack) > 1:
            return
        if not self._is_there():
            return
        self._drawn_at, self._used = time.monotonic(), time.thread_time()
        self._drawn = self.state.version
        self._line("#top", self._top())
        self._draw_limits()
        self._line("#trouble", "\n".join(self.state.troubles()))
        self._draw_tree()
        self._draw_calls()
        selected = self.selected()
        if selected is not None:
            self._detailed = selected["id"]
            self.details.show(selected, self.source.admins.get(self.state.gateway_of(selected["id"])))

    def _is_there(self) -> bool:
        """Whether the screen has its parts: those inside of others come later, and go earlier."""
        return bool(self.query("#calls")) and bool(self.query("#details"))

    def _is_resting(self) -> bool:
        """Whether what was drawn last has taken so much time that others come first. It is painted after `draw`, so
        what it took is known when that is called again.
        """
        if self._used is not None:
            self._rest = min(_LONGEST_REST, (time.thread_time() - self._used) / _SHARE)
            self._used = None
        return time.monotonic() < self._drawn_at + self._rest

    def _second(self) -> None:
        """What changes with the time alone."""
        self.state.tick()
        if not self._is_there():
            return
        self._reach()
        if not self._paused and len(self.screen_stack) == 1:
            self._draw_limits()

    def _draw_limits(self) -> None:
        self._line("#limits", "   ".join(words.windows(self.state.windows(), time.time())))

    def _line(self, name: str, text: str | Text) -> None:
        """A line that is there as long as it says something. To say the same again would lay out the whole screen."""
        if self._lines.get(name) == text:
            return
        self._lines[name] = text
        line = self.query_one(name, Static)
        line.display = bool(text)
        line.update(text, layout=name != "#top")  # which is always a line

    def _top(self) -> Text:
        pulse, whole = self.state.pulse(), self.state.whole()
        gateways = len(self.source.admins)
        if not gateways:
            return Text("no gateway is running: `strowger serve` or `strowger run claude` starts one")
        bars = words.sparkline(list(self.state.rates), min(40, max(0, self.size.width - 80)))
        text = Text.assemble(
            ("strowger ", "bold"),
            f"{gateways} gateway{'s' if gateways > 1 else ''}  ",
            (f"▶ {pulse.running} running  ", "cyan" if pulse.running else "dim"),
            (f"✗ {whole.failed} failed  ", "red" if whole.failed else "dim"),
            f"{whole.calls:,} calls  {words.spent(whole)}  ",
            (bars, "green"),
            f" {pulse.tokens_per_second:,.0f} tokens/s",
        )
        if self._errors:
            text.append("  [errors only]", "yellow")
        return text

    def _draw_tree(self) -> None:
        groups = self.state.groups()
        wanted = [
            (one.place, words.branch(one)) for group in groups for one in (group, *group.agents) if one.place.session
        ]
        if wanted == self._places:
            return
        root = self.sessions.root
        if [place for place, _ in wanted] == [place for place, _ in self._places]:
            nodes = [node for branch in root.children for node in (branch, *branch.children)]
            for node, (_, label) in zip(nodes, wanted, strict=True):
                node.set_label(Text(label))
        else:
            self._plant(root, groups)
        self._places = wanted

    def _plant(self, root: TreeNode[Place | None], groups: list[Group]) -> None:
        chosen = self._place
        root.remove_children()
        for group in groups:
            if not group.place.session:
                continue
            label = Text(words.branch(group))
            branch = root.add(label, group.place, expand=True, allow_expand=bool(group.agents))
            for agent in group.agents:
                branch.add_leaf(Text(words.branch(agent)), agent.place)
        if chosen is not None:
            nodes = (node for branch in root.children for node in (branch, *branch.children))
            if (found := next((node for node in nodes if node.data == chosen), None)) is not None:
                self.sessions.move_cursor(found)

    def shown(self) -> list[Call]:
        """The calls that are listed."""
        found = self.state.calls(self._place, errors=self._errors)
        if self._filter is not None:
            found = [call for call in found if self._filter(call)]
        return found[: self._most]

    def _draw_calls(self) -> None:
        """Rows take what they show from now on, in their places: to lay out a table anew takes a tenth of a second. The
        cursor stays on its call; at the top it stays at the top, where the newest are.
        """
        now, table = time.time(), self.table
        rows = {str(call["id"]): words.cells(call, self.state.progress(call["id"]), now) for call in self.shown()}
        before, old = list(self._rows.items()), table.cursor_row
        at = before[old][0] if 0 < old < len(before) else None
        scroll = table.scroll_y
        if self._widen(rows) or len(rows) < len(before):
            table.clear()
            before = []
        for number, cells in enumerate(rows.values()):
            if number >= len(before):
                table.add_row(*(self._cell(cells, column) for column in range(len(cells))))
                continue
            was = before[number][1]
            for column, (then, new) in enumerate(zip(was, cells, strict=True)):
                if then != new or (column in _COLOURED and was[0] != cells[0]):
                    table.update_cell_at(Coordinate(number, column), self._cell(cells, column))
        self._rows = rows
        if at in rows and (row := list(rows).index(at)) != table.cursor_row:
            table.move_cursor(row=row, animate=False, scroll=False)
            lowest = row - table.size.height + table.header_height + 1  # which leaves it in sight
            table.scroll_to(y=max(scroll + row - old if scroll else 0, lowest), animate=False)

    def _widen(self, rows: dict[str, tuple[str, ...]]) -> bool:
        """Give columns the width of what they hold; whether that is another. Left to itself, the table measures each
        cell with great care.
        """
        changed = False
        held = zip(*rows.values(), strict=True) if rows else ((),) * len(words.COLUMNS)
        for column, title, cells in zip(self.table.ordered_columns, words.COLUMNS, held, strict=True):
            width = max((cell_len(cell) for cell in cells), default=0)
            if (width := max(width, len(title))) != column.width:
                column.width, changed = width, True
        return changed

    def _cell(self, cells: tuple[str, ...], column: int) -> Text:
        colour = _COLOURS.get(cells[0], "") if column in _COLOURED else ""
        right = words.COLUMNS[column] in words.RIGHT
        return Text(cells[column], style=colour, justify="right" if right else "left", no_wrap=True)

    def selected(self) -> Call | None:
        """The call under the cursor."""
        names = list(self._rows)
        row = self.table.cursor_row
        return self.state.call(names[row]) if 0 <= row < len(names) else None

    def redraw(self) -> None:
        """Show it all anew: what is wanted has changed."""
        self._drawn = -1
        self.draw()

    # ---- what the user does ----

    def _fatal_error(self) -> None:
        """Say what broke. Textual would print all variables with it, and so tokens and what was said."""
        if os.environ.get("STROWGER_TRACEBACK"):
            super()._fatal_error()
            return
        told = f"the monitor broke: {plain(self._exception)}; STROWGER_TRACEBACK=1 shows where, with all variables"
        self.panic(Text(told))

    def on_resize(self, event: events.Resize) -> None:
        """In a narrow terminal the calls have it for themselves."""
        # the screen below a dialog is meant too; `self.size` is still what it was
        self.screen_stack[0].set_class(event.size.width < _NARROW, "narrow")
        self._drawn = -1

    @on(DataTable.RowHighlighted)
    def _highlighted(self) -> None:
        if not self._is_there():
            return
        self._reach()
        selected = self.selected()
        if selected is not None and selected["id"] != self._detailed:  # rows that are laid out anew are told of, too
            self._drawn = -1

    def _reach(self) -> None:
        """More rows for who goes down, few again for who is back at the top."""
        table = self.table
        last = max(table.cursor_row, round(table.scroll_y) + table.size.height)
        if last + _STEP // 2 > self._most < _ROWS:
            self._most = min(_ROWS, self._most + 2 * _STEP)
            self._drawn = -1
        elif last <= _STEP // 2 < self._most:
            self._most = max(_STEP, 2 * table.size.height)

    @on(DataTable.RowSelected)
    def _opened(self) -> None:
        self.details.focus_inside()

    @on(Tree.NodeHighlighted)
    def _chosen(self, event: Tree.NodeHighlighted[Place | None]) -> None:
        if event.node.data != self._place and self.sessions.has_focus:
            self._place = event.node.data
            self.redraw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In what is typed, `/` is a sign."""
        is_typed = isinstance(self.focused, Input) or len(self.screen_stack) > 1
        return not (action == "filter" and is_typed)

    def action_filter(self) -> None:
        """Ask for a filter."""
        line = self.query_one("#filter", Input)
        line.display = True
        self.screen.set_focus(line)  # at once: the keys that follow are for it

    @on(Input.Changed, "#filter")
    def _narrowed(self, event: Input.Changed) -> None:
        try:
            wanted = parse(event.value) if event.value.strip() else None
        except GatewayError as error:
            self._line("#said", f"{error.message}" + (f" ({error.hint})" if error.hint else ""))
            return
        self._line("#said", "")
        self._filter = wanted.matches if wanted is not None else None
        self.redraw()

    @on(Input.Submitted, "#filter")
    def _filtered(self, event: Input.Submitted) -> None:
        if not event.value.strip():
            self.query_one("#filter").display = False
        self.table.focus()

    def action_clear(self) -> None:
        """Back to the calls, and to all of them."""
        line = self.query_one("#filter", Input)
        if line.has_focus or line.value:
            line.value = ""
            line.display = False
            self._line("#said", "")
        elif self.table.has_focus and self._place is not None:
            self._place = None
            self.sessions.move_cursor(self.sessions.root)
        self.table.focus()
        self.redraw()

    def action_errors(self) -> None:
        """Only what failed, or everything again."""
        self._errors = not self._errors
        self.redraw()

    def action_pause(self) -> None:
        """Hold the screen still, or go on."""
        self._paused = not self._paused
        if self._paused:
            self._line("#top", Text("paused: p goes on", "reverse"))
        else:
            self.redraw()

    def action_tab(self, name: str) -> None:
        """A part of the call."""
        self.details.active = name

    def action_turn(self, by: int) -> None:
        """The next part of the call, or the one before."""
        self.details.turn(by)

    def action_down(self) -> None:
        """The next row of whatever has the focus."""
        self._move("cursor_down", "scroll_down")

    def action_up(self) -> None:
        """The row before."""
        self._move("cursor_up", "scroll_up")

    def _move(self, *names: str) -> None:
        focused = self.focused
        for name in names:
            move: Callable[[], Any] | None = getattr(focused, f"action_{name}", None)
            if move is not None:
                move()
                return

    @work
    async def action_replay(self) -> None:
        """Ask the same once more, of the same model or another."""
        call = self.selected()
        admin = self.source.admins.get(self.state.gateway_of(call["id"])) if call is not None else None
        if call is None or admin is None:
            self.notify("no call is selected, or its gateway has ended", severity="warning")
            return
        wanted = await self.push_screen_wait(Replay(call))
        if wanted is None:
            return
        self.notify(f"asking {wanted or 'the same model'} …", markup=False)
        try:
            told = await admin.replay(call["id"], wanted or None)
        except GatewayError as error:
            self.notify(error.message, severity="error", markup=False)
            return
        said = told.answer.error or told.answer.text or ", ".join(each["name"] for each in told.answer.calls)
        self.notify(plain(said)[:300], title="replayed", markup=False)

    @work
    async def action_switch(self) -> None:
        """Have the calls of a launch go elsewhere."""
        call = self.selected()
        url = self.state.gateway_of(call["id"]) if call is not None else ""
        admin = self.source.admins.get(url) or next(iter(self.source.admins.values()), None)
        if admin is None:
            self.notify("no gateway answers", severity="warning")
            return
        try:
            status = await admin.status()
            if not status.launches:
                self.notify("only clients that `strowger run` has started can be switched", severity="warning")
                return
            chosen = await self.push_screen_wait(Switch(status, call["launch"] if call is not None else ""))
            if chosen is None:
                return
            launch, to = chosen
            await admin.switch(launch, to)
        except GatewayError as error:
            self.notify(error.message, severity="error", markup=False)
            return
        self.notify(f"its calls now go by {to}", markup=False)

    @work
    async def action_copy(self) -> None:
        """The client's request as a command for a shell, without its key."""
        call = self.selected()
        url = self.state.gateway_of(call["id"]) if call is not None else ""
        admin = self.source.admins.get(url)
        if call is None or admin is None:
            self.notify("no call is selected, or its gateway has ended", severity="warning")
            return
        try:
            heads = await admin.messages(call["id"])
            head = next((one for one in heads if one.kind == "client_request"), None)
            body = await admin.body(call["id"], "client_request") if head is not None else b""
        except GatewayError as error:
            self.notify(error.message, severity="error", markup=False)
            return
        if head is None:
            self.notify("the request is not kept", severity="warning")
            return
        self.copy_to_clipboard(as_curl(url, head, body))
        self.notify("copied as curl, with $TOKEN for the key")

    def action_help(self) -> None:
        """What the keys do."""
        self.push_screen(Help(self._ends))
