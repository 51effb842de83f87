"""What one rendering of a request carries along: the request, what the target takes, names given, losses met.

Dialects add to it what only they need. It must not know any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from strowger.dialects.base import Capabilities, Loss, Severity
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
        self.keeps_cache_hints = self.ours and caps.cache_hints
        self.losses: dict[Loss, None] = {}
        self.instructions: list[str] = []
        """What must be said in words because the target has no member for it."""
        self._told: set[str] = set()
        self._names = ToolNames(request, caps.max_tool_name, clean)
        self.sent_names = self._names.client
        """The client's name of each renamed tool, by the name it is sent under."""

    def lose(self, path: str, reason: str, severity: Severity = "warning") -> None:
        """Report something that cannot be carried."""
        self.losses[Loss(path, reason, severity)] = None

    def lose_once(self, path: str, reason: str, severity: Severity = "warning") -> None:
        """Report the first of many like it: a long history would repeat the same sentence hundreds of times."""
        if reason not in self._told:
            self._told.add(reason)
            self.lose(path, reason, severity)

    def lose_extras(self, extras: Extras, path: str) -> None:
        """Report the members of a foreign node that have no field."""
        if extras:
            self.losses.update(dict.fromkeys(extras_losses(extras, path)))

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
