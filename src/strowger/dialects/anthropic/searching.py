"""What a tool at another provider did, in the blocks that Anthropic's clients know: web searches and their citations.

The results of such tools are opaque here: clients send them back, and Anthropic reads them again. What another provider
found cannot be read there, so ids and opaque strings are made such that they are known when they come back. Knows no
framing.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw

from strowger.dialects.anthropic.blocks import Json
from strowger.dialects.anthropic.wire import FOREIGN_ID, FOREIGN_SEARCH, SEARCH_ERRORS
from strowger.dialects.base import NewId
from strowger.dialects.envelope import seal
from strowger.ir.request import Citation, ServerToolCall, ServerToolResult, Signed

_SEARCH = "web_search"
_OBJECT = msgspec.json.Decoder(dict[str, Raw])

Lose = Callable[[str, str], None]


class Searches:
    """The searches of one answer of another dialect. `count`: how many there were."""

    def __init__(self, new_id: NewId, lose: Lose) -> None:
        self._new_id = new_id
        self._lose = lose
        self._ids: dict[str, str] = {}
        self._waiting: dict[str, str] = {}
        self.origin = ""
        self.count = 0

    def call(self, part: ServerToolCall) -> Json | None:
        """The head of the block of a call, without its input; None for a tool that has no block here."""
        if part.name != _SEARCH:
            self._lose("content", f"{part.name or part.kind} ran at the provider; there is no block for it here")
            return None
        ours = self._new_id(FOREIGN_ID)
        self._ids[part.id] = self._waiting[part.id] = ours
        self.count += 1
        return {"type": "server_tool_use", "id": ours, "name": _SEARCH, "input": {}}

    def result(self, part: ServerToolResult) -> Json | None:
        """The block of a result; None where its call had none, or has been answered."""
        ours = self._waiting.pop(part.call_id, None)
        if ours is None:
            if part.call_id in self._ids or part.name == _SEARCH:
                self._lose("content", "a search result that came too late for its call")
            return None
        if part.error:
            code = part.error if part.error in SEARCH_ERRORS else "unavailable"
            return self._block(ours, {"type": "web_search_tool_result_error", "error_code": code})
        sealed = seal(Signed(self.origin, FOREIGN_SEARCH, "", ours))
        pages = [
            {
                "type": "web_search_result",
                "url": page.url,
                "title": page.title,
                "encrypted_content": sealed,
                "page_age": page.age or None,
            }
            for page in part.found
        ]
        return self._block(ours, pages)

    def unanswered(self) -> list[Json]:
        """Empty results for calls whose provider did not say what they found: clients rely on the pair."""
        waiting, self._waiting = self._waiting, {}
        return [self._block(ours, []) for ours in waiting.values()]

    def citation(self, citation: Citation) -> Json | None:
        """A citation of a web page; None for one of anything else."""
        if not citation.url:
            self._lose("content.citations", "a citation that is not of a web page")
            return None
        return {
            "type": "web_search_result_location",
            "cited_text": citation.quote,
            "url": citation.url,
            "title": citation.title or None,
            "encrypted_index": seal(Signed(self.origin, FOREIGN_SEARCH, "")),
        }

    @staticmethod
    def _block(ours: str, content: object) -> Json:
        return {"type": "web_search_tool_result", "tool_use_id": ours, "content": content}


def whole_input(arguments: str) -> Raw | Json:
    """Arguments as the object that `input` must be; an empty one where they are none."""
    encoded = arguments.encode("utf-8", "replace")
    try:
        _OBJECT.decode(encoded)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}
    return Raw(encoded)
