"""What one rendering of a request carries along: the request, what the target takes, names given, losses met.

Dialects add to it what only they need. It must not know any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

from msgspec.structs import replace

from strowger.dialects.base import Capabilities, Loss, Severity
from strowger.dialects.effects import Effects, space
from strowger.dialects.losses import extras_losses
from strowger.dialects.names import ToolNames
from strowger.ir.request import NO_EXTRAS, Document, Extras, Image, Part, Request, Text

P = TypeVar("P", bound=Part)


class BaseJob:
    """One call of `render_request`. `ours`: the request was written in the target's dialect, so its extras mean
    something there. `clean` makes names of tools as the dialect wants them.
    """

    def __init__(self, request: Request, caps: Capabilities, dialect: str, clean: Callable[[str], str]) -> None:
        self.request = request
        self.caps = caps
        self.ours = request.origin == dialect
        self._dialect = dialect
        self.keeps_cache_hints = self.ours and caps.cache_hints
        self.losses: dict[Loss, None] = {}
        self.instructions: list[str] = []
        """What must be said in words because the target has no member for it."""
        self._told: set[str] = set()
        self._noted: list[tuple[str, Loss]] | None = None
        """The losses since `begin`, each with its reason if that is told once."""
        self._before: tuple[dict[Loss, None], set[str]] = {}, set()
        self._names = ToolNames(request, caps.max_tool_name, clean)
        self.sent_names = self._names.client
        """The client's name of each renamed tool, by the name it is sent under."""

    def lose(self, path: str, reason: str, severity: Severity = "warning") -> None:
        """Report something that cannot be carried."""
        self._lost("", Loss(path, reason, severity))

    def lose_once(self, path: str, reason: str, severity: Severity = "warning") -> None:
        """Report the first of many like it: a long history would repeat the same sentence hundreds of times."""
        if reason not in self._told:
            self._told.add(reason)
            self._lost(reason, Loss(path, reason, severity))

    def lose_extras(self, extras: Extras, path: str) -> None:
        """Report the members of a foreign node that have no field."""
        for loss in extras_losses(extras, path) if extras else ():
            self._lost("", loss)

    def _lost(self, once: str, loss: Loss) -> None:
        self.losses[loss] = None
        if self._noted is not None:
            self._noted.append((once, loss))

    # ---- a part of a request ----

    def space(self, more: Hashable = None) -> int:
        """A number for what decides besides the parts of the request themselves. `more`: what else does here."""
        return space(self._dialect, self.request.origin, self.caps, more)

    def begin(self) -> None:
        """From here on, losses are those of a part, rendered as if it came first."""
        self._before = self.losses, self._told
        self.losses, self._told, self._noted = {}, set(), []
        self._names.begin()

    def end(self) -> Effects:
        """The effects since `begin`, which the request has not had yet."""
        noted, self._noted = self._noted or [], None
        self.losses, self._told = self._before
        return Effects(tuple(noted), self._names.end())

    def mark(self) -> None:
        """Take note of the names that are known, for `undo`."""
        self._names.mark()

    def undo(self) -> None:
        """Forget the names that were asked for since `mark`."""
        self._names.undo()

    def holds(self, effects: Effects) -> bool:
        """Whether the names of tools are in this request what they were."""
        return self._names.hold(effects.names)

    def repeat(self, effects: Effects) -> None:
        """Have the effects of a part."""
        for once, loss in effects.losses:
            if not once:
                self._lost("", loss)
            elif once not in self._told:
                self._told.add(once)
                self._lost(once, loss)

    def own(self, part: P, path: str) -> P:
        """The part without what this target cannot take: foreign extras and citations, cache hints."""
        if isinstance(part, Text) and part.cache is None and not (part.extras or part.citations):
            return part  # most parts are plain text
        if not self.ours:
            part = self._naturalised(part, path)
        if getattr(part, "cache", None) is not None and not self.keeps_cache_hints:
            self.lose_once("cache_control", "prompt cache hints are not taken; the provider caches by itself", "info")
            part = replace(part, cache=None)
        return part

    def _naturalised(self, part: P, path: str) -> P:
        extras = getattr(part, "extras", None)
        if extras:
            self.lose_extras(extras, path)
            part = replace(part, extras=NO_EXTRAS)
        if isinstance(part, Text):
            if part.citations:
                self.lose_once(f"{path}.citations", "citations are not carried in history", "info")
                part = replace(part, citations=())
        elif isinstance(part, Image | Document) and part.source.extras:
            part = replace(part, source=replace(part.source, extras=NO_EXTRAS))
        return part

    def tool_name(self, name: str) -> str:
        """The name under which a tool is sent: cleaned and shortened where it must be."""
        return self._names.sent(name)
