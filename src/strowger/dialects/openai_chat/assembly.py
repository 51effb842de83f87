"""Tool calls that come in pieces, put together.

Servers differ in how they tell which call a piece belongs to, in when they say the id and the name, and in whether a
piece is new text or everything so far. The sequencer decides when a call's turn has come.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Raw

from strowger.dialects.base import DecoderSetup
from strowger.dialects.openai_chat.chunks import ABSENT, ChunkCall, ChunkFunction
from strowger.dialects.openai_chat.signatures import signature_in, signing
from strowger.dialects.openai_chat.wire import EXTRA_CONTENT, GOOGLE
from strowger.dialects.sequencer import Sequencer, Slot
from strowger.ir.events import Event
from strowger.ir.request import NO_EXTRAS, Extras, ToolCall

_PROBE = 64
"""Characters by which a fragment is compared with what came before, before it is compared as a whole."""


class _Call:
    """A tool call on its way. `given` is the upstream's own id, `length` how much of the arguments has come."""

    __slots__ = ("beside", "cumulative", "custom", "empty", "given", "head", "held", "identity", "length", "slot")

    def __init__(self, given: str) -> None:
        self.given = given
        self.identity = ""
        self.beside: Raw = ABSENT
        self.slot: Slot | None = None
        self.held = ""
        self.head = ""
        self.length = 0
        self.custom = False
        self.cumulative = False
        self.empty = False


class Assembly:
    """The tool calls of one answer."""

    def __init__(self, setup: DecoderSetup, sequencer: Sequencer) -> None:
        self._setup = setup
        self._sequencer = sequencer
        self._calls: dict[int | str, _Call] = {}
        self._call: _Call | None = None  # the last one

    @property
    def called(self) -> bool:
        """Whether there was any call."""
        return bool(self._calls)

    def finish(self, out: list[Event]) -> None:
        """Nothing more comes: say what was held back."""
        for call in self._calls.values():
            if call.slot is None:
                self._begin(call, "", "function", "", out)
            self._settle(call, out)

    def add(self, piece: ChunkCall, out: list[Event]) -> None:
        """A piece of one of the calls."""
        function, custom = piece.function, piece.custom
        name = (function.name if function else None) or (custom.name if custom else None) or ""
        call = self._found(piece, name)
        if len(piece.extra_content) > 4:
            self._beside(call, piece.extra_content, out)
        if call.slot is None and name:
            self._begin(call, name, "custom" if custom and not function else "function", "", out)
        fragment = (custom.input if custom else None) if function is None else function.arguments
        if fragment:
            self._argue(call, fragment, out)

    def _found(self, piece: ChunkCall, name: str) -> _Call:
        """The call that a piece belongs to, by its index, else by its id, else the last one.

        Some servers number every call 0: a new id together with a name is a new call. Some give no index at all.
        """
        given, key = piece.id or "", piece.index
        if key is None:
            known = self._calls.get(given) if given else None if name else self._call
        else:
            known = self._calls.get(key)
            if known is not None and name and given and known.given and known.given != given:
                known = None
        if known is None:
            known = _Call(given)
            self._calls[given or f"#{len(self._calls)}" if key is None else key] = known
        self._call = known
        return known

    def _begin(self, call: _Call, name: str, kind: Literal["function", "custom"], form: str, out: list[Event]) -> None:
        identity = call.identity = call.given or self._setup.new_id("call_")
        name = self._setup.names.get(name, name)
        for other in self._calls.values():
            self._settle(other, out)
        call.custom = kind == "custom"
        extras: Extras = NO_EXTRAS
        if len(call.beside):
            extras = {EXTRA_CONTENT: call.beside}
            self._sign(call, out)
        call.slot = self._sequencer.begin(ToolCall(identity, name, "", kind, extras=extras, form=form), out)
        held, call.held = call.held, ""
        if held:
            self._argue(call, held, out)

    def _beside(self, call: _Call, content: Raw, out: list[Event]) -> None:
        """What stands beside the function: Google's servers sign calls there."""
        call.beside = content
        if call.slot is not None:
            self._sign(call, out)

    def _sign(self, call: _Call, out: list[Event]) -> None:
        blob = signature_in(call.beside)
        if blob:
            self._sequencer.begin(signing(blob, self._setup.origin or GOOGLE, call.identity), out)

    def _settle(self, call: _Call, out: list[Event]) -> None:
        """Say the empty arguments that were held back."""
        if call.empty and call.slot is not None:
            call.empty = False
            self._sequencer.extend(call.slot, "{}", out)

    def _argue(self, call: _Call, fragment: str | dict[str, Any], out: list[Event]) -> None:
        """Add a fragment of arguments. `{}` alone at the start may be a placeholder for what follows, so it waits."""
        text = fragment if isinstance(fragment, str) else msgspec.json.encode(fragment).decode()
        if call.slot is None:
            call.held += text
            return
        if call.length == 0 and text == "{}" and not call.custom:
            call.empty = True
            return
        call.empty = False
        if call.length and not call.custom and text.startswith("{") and len(text) >= call.length:
            text = self._news(call, text)
        if not call.length:
            call.head = text[:_PROBE]
        call.length += len(text)
        if text:
            self._sequencer.extend(call.slot, text, out)

    def _news(self, call: _Call, text: str) -> str:
        """What is new in a fragment that may repeat all that came before: some servers send snapshots, not deltas.

        Where a value is due, an object that begins like the outer one is more likely to be just that.
        """
        if not text.startswith(call.head) or call.slot is None or call.slot.arguments is None:
            return text
        before = "".join(call.slot.arguments)
        if not text.startswith(before) or (not call.cumulative and before.rstrip()[-1:] in {":", ",", "["}):
            return text
        call.cumulative = True
        return text[len(before) :]

    def add_function_call(self, piece: ChunkFunction, out: list[Event]) -> None:
        """The old single call."""
        call = self._calls.get("function_call")
        if call is None:
            call = self._calls["function_call"] = _Call("")
        self._call = call
        if call.slot is None and piece.name:
            self._begin(call, piece.name, "function", "function_call", out)
        if piece.arguments:
            self._argue(call, piece.arguments, out)
