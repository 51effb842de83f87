"""What the monitor asks: to which model a call shall be repeated, where a client's calls shall go; and its help."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from strowger.client import Status
from strowger.flows.words import dollars, goal, plain
from strowger.tui import words
from strowger.tui.state import Call

_BOX = """
    align: center middle;
    & > Vertical { width: 72; max-width: 95%; height: auto; max-height: 90%; border: round $primary; padding: 0 1;
        background: $surface; }
    & OptionList { height: auto; max-height: 14; border: none; }
"""

_KEYS = (
    ("j k ↓ ↑", "the next call, the one before"),
    ("Tab", "sessions, calls, details"),
    ("Enter", "into the details"),
    ("[ ]", "the page of the details before, the next"),
    ("/", "a filter, such as model:gpt-5* status:>=400"),
    ("e", "only calls that failed"),
    ("p", "hold the screen still"),
    ("d", "what was made of the client's request"),
    ("r", "ask the same again, of this model or another"),
    ("s", "have a client's calls go elsewhere"),
    ("c", "copy the request as curl"),
    ("Esc", "back, and all calls again"),
    ("q", "quit"),
)


class Replay(ModalScreen[str | None]):
    """To which model. Gives its name, "" for the same, None for not at all."""

    DEFAULT_CSS = f"Replay {{ {_BOX} }}"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, call: Call) -> None:
        super().__init__()
        self._call = call

    def compose(self) -> ComposeResult:
        """A line to write on."""
        cost = dollars(self._call)
        price = f" This one cost {cost}." if cost not in ("-", "free") else ""
        with Vertical():
            yield Static(Text("Ask the same again", style="bold"))
            yield Static(Text(f"It costs what such a call costs.{price} What it calls for is not done."))
            yield Input(placeholder=f"{plain(goal(self._call))}, or another provider:model")

    @on(Input.Submitted)
    def _asked(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())


class Switch(ModalScreen[tuple[str, str] | None]):
    """Which client, and where its calls shall go. Gives its launch and a profile or provider, None for not at all."""

    DEFAULT_CSS = f"Switch {{ {_BOX} }}"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, status: Status, launch: str) -> None:
        """`launch` is the client's that is meant, if one is."""
        super().__init__()
        self._status = status
        known = {one.id for one in status.launches}
        self._launch = launch if launch in known else status.launches[0].id if len(known) == 1 else ""

    def compose(self) -> ComposeResult:
        """The clients, if there is a choice; then the places."""
        with Vertical():
            yield Static(
                Text("Where shall its calls go?" if self._launch else "Which client?", style="bold"), id="what"
            )
            yield OptionList(*(self._places() if self._launch else self._clients()))
            yield Input(placeholder="a profile, a provider, or provider:model", id="other")

    def _clients(self) -> list[Option]:
        return [Option(Text(plain(f"{one.name}, process {one.pid}")), id=one.id) for one in self._status.launches]

    def _places(self) -> list[Option]:
        names = ["default", *(provider.name for provider in self._status.providers)]
        return [Option(Text(plain(name))) for name in names]

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        if self._launch:
            self.dismiss((self._launch, str(event.option.prompt)))
            return
        self._launch = str(event.option.id)
        self.query_one("#what", Static).update(Text("Where shall its calls go?", style="bold"))
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options(self._places())

    @on(Input.Submitted)
    def _written(self, event: Input.Submitted) -> None:
        if self._launch and event.value.strip():
            self.dismiss((self._launch, event.value.strip()))


class Help(ModalScreen[None]):
    """What the keys do."""

    DEFAULT_CSS = f"Help {{ {_BOX} }}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss(None)", "Close"),
    ]

    def __init__(self, ends: str) -> None:
        """`ends` says what comes to an end with the monitor."""
        super().__init__()
        self._ends = ends

    def compose(self) -> ComposeResult:
        """A table."""
        text = Text()
        for keys, what in _KEYS:
            text.append(f"{keys:>8}  ", style="bold")
            text.append(what + (f"; {self._ends}" if keys == "q" and self._ends else "") + "\n")
        signs = "  ".join(f"{sign} {name}" for name, (sign, _) in words.SIGNS.items())
        text.append(f"\n{signs}   ⤷ of a sub-agent   ($…) a plan has paid", style="dim")
        with Vertical():
            yield Static(text)
