"""What a tool at another provider did, in the blocks that Anthropic's clients know: web searches and their citations,
and code that was run.

The results of such tools are opaque here: clients send them back, and Anthropic reads them again. What another provider
found cannot be read there, so ids and opaque strings are made such that they are known when they come back. Knows no
framing.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.anthropic.blocks import Json
from strowger.dialects.anthropic.wire import FOREIGN_ID, FOREIGN_SEARCH, SERVER_TOOL_ERRORS
from strowger.dialects.base import Loss, NewId
from strowger.dialects.envelope import seal
from strowger.ir.request import Citation, ServerToolCall, ServerToolResult, Signed

_SEARCH, _CODE = "web_search", "code_execution"
_OBJECT = msgspec.json.Decoder(dict[str, Raw])


class Searches:
    """The searches and runs of one answer of another dialect, whose `losses` grow. `count`: how many searches."""

    def __init__(self, new_id: NewId, losses: list[Loss]) -> None:
        self._new_id = new_id
        self._losses = losses
        self._told: set[str] = set()
        self._waiting: dict[str, ServerToolCall] = {}
        self.origin = ""
        self.count = 0

    def _lose(self, path: str, reason: str) -> None:
        loss = Loss(path, reason, "info")
        if loss not in self._losses:
            self._losses.append(loss)

    def call(self, part: ServerToolCall) -> Json | None:
        """The head of the block of a call, without its input; None for a tool that has no block here."""
        if part.name not in SERVER_TOOL_ERRORS:
            self._lose("content", f"{part.name or part.kind} ran at the provider; there is no block for it here")
            return None
        ours = self._new_id(FOREIGN_ID)
        self._told.add(part.id)
        self._waiting[part.id] = replace(part, id=ours)
        self.count += part.name == _SEARCH
        return {"type": "server_tool_use", "id": ours, "name": part.name, "input": {}}

    def result(self, part: ServerToolResult) -> Json | None:
        """The block of a result; None where its call had none, or has been answered."""
        call = self._waiting.pop(part.call_id, None)
        if call is None:
            if part.call_id in self._told:
                self._lose("content", "what a tool gave came too late for its call")
            return None
        if part.error and not part.output:
            known = SERVER_TOOL_ERRORS[call.name]
            code = part.error if part.error in known else "unavailable"
            return _block(call, {"type": f"{call.name}_tool_result_error", "error_code": code})
        return _block(call, self._pages(call, part) if call.name == _SEARCH else _run(part))

    def _pages(self, call: ServerToolCall, part: ServerToolResult) -> list[Json]:
        sealed = seal(Signed(self.origin, FOREIGN_SEARCH, "", call.id))
        return [
            {
                "type": "web_search_result",
                "url": page.url,
                "title": page.title or page.url,
                "encrypted_content": sealed,
                "page_age": page.age or None,
            }
            for page in part.found
        ]

    def unanswered(self) -> list[Json]:
        """Empty results for calls whose provider did not say what they gave: clients rely on the pair."""
        waiting, self._waiting = self._waiting, {}
        return [self._empty(call) for call in waiting.values()]

    @staticmethod
    def _empty(call: ServerToolCall) -> Json:
        return _block(call, [] if call.name == _SEARCH else _run(ServerToolResult(call.id, "", Raw(b"{}"))))

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


def _block(call: ServerToolCall, content: object) -> Json:
    return {"type": f"{call.name}_tool_result", "tool_use_id": call.id, "content": content}


def _run(part: ServerToolResult) -> Json:
    """What code printed: where it failed, as what it complained of."""
    printed, complained = ("", part.output) if part.error else (part.output, "")
    return {
        "type": "code_execution_result",
        "stdout": printed,
        "stderr": complained,
        "return_code": 1 if part.error else 0,
        "content": [],
    }


def whole_input(arguments: str) -> Raw | Json:
    """Arguments as the object that `input` must be; an empty one where they are none."""
    encoded = arguments.encode("utf-8", "replace")
    try:
        _OBJECT.decode(encoded)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}
    return Raw(encoded)
