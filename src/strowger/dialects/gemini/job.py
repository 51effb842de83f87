"""What one rendering of a request carries along: the request, what the target takes, names given, losses met."""

from __future__ import annotations

import re
from typing import TypeVar

from msgspec.structs import replace

from strowger.dialects.base import Capabilities, Loss, Severity
from strowger.dialects.gemini.wire import AS_WRITTEN, NAME
from strowger.dialects.losses import extras_losses
from strowger.dialects.names import ToolNames, as_written
from strowger.ir.request import NO_EXTRAS, Document, Extras, Image, Part, Request, Text

P = TypeVar("P", bound=Part)

_ILLEGAL = re.compile(r"[^A-Za-z0-9_.:-]")


class Job:
    """One call of `render_request`. `ours`: the request was written in this dialect, so its extras mean something.
    `as_written`: the target takes whatever the client wrote.
    """

    def __init__(self, request: Request, caps: Capabilities) -> None:
        self.request = request
        self.caps = caps
        self.ours = request.origin == NAME
        self.as_written = self.ours and caps.thinking == AS_WRITTEN
        self.losses: dict[Loss, None] = {}
        self.instructions: list[str] = []
        """What must be said in words because the target has no member for it."""
        self.stop: tuple[str, ...] = ()
        """Stop sequences that the target does not take."""
        self._told: set[str] = set()
        self._names = ToolNames(request, caps.max_tool_name, as_written if self.ours else _cleaned)
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
        """The part without what this dialect cannot say: foreign extras, citations, cache hints."""
        if self.ours:
            return part
        if getattr(part, "cache", None) is not None:
            self.lose_once("cache_control", "prompt cache hints are not taken; the provider caches by itself", "info")
            part = replace(part, cache=None)
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


def _cleaned(name: str) -> str:
    """A name of the letters that Google takes, beginning with a letter or an underscore."""
    clean = _ILLEGAL.sub("_", name)
    return clean if clean[:1].isalpha() or clean.startswith("_") else f"_{clean}"
