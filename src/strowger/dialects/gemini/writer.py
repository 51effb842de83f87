"""The parts of an answer as nodes of Gemini's content, with signed state on those that clients send back with it.

Clients return what stands in `thoughtSignature`, best on function calls (some drop thoughts, and some join texts). So
state of another dialect waits, in an envelope, for the next call; without one it goes on the last text. Google's own
goes back on the part that it came with. Knows nothing of framing.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from strowger.dialects.base import Loss, Severity
from strowger.dialects.envelope import wrapped
from strowger.dialects.gemini.calls import NO_ARGS, render_call
from strowger.dialects.gemini.grounding import FETCHED, GROUNDING, Drawn
from strowger.dialects.gemini.members import Json, put
from strowger.dialects.gemini.parts import ALONE, render_part
from strowger.dialects.gemini.response import SERVER_ID
from strowger.dialects.gemini.wire import NAME, ON_CALL, ON_PART, ON_TEXT, SIGNATURE
from strowger.dialects.losses import extras_losses
from strowger.ir.request import (
    NO_EXTRAS,
    Base64,
    Citation,
    Document,
    Extras,
    FileId,
    Image,
    InlineText,
    Opaque,
    Part,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Text,
    Thinking,
    ToolCall,
    Url,
)

Node = Json
SIGNED = "thoughtSignature"

_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_EMPTY = Raw(b"{}")


class _Code(Struct):
    code: str
    language: str = "PYTHON"


class Writer:
    """Gives the nodes of one answer. A node leaves when nothing more can stand on it, so some wait for the next part.

    `thinking`: the client wants to see thoughts.
    """

    def __init__(self, origin: str, *, thinking: bool) -> None:
        self.ours = origin == NAME
        self.losses: list[Loss] = []
        self.called = self.refused = False
        self.drawn = Drawn()
        self._origin = origin
        self._thinking = thinking
        self._held: Node | None = None
        self._waiting: list[str] = []
        self._spoken: list[str] = []

    def lose(self, path: str, reason: str, severity: Severity = "warning") -> None:
        """Note a loss, once."""
        loss = Loss(path, reason, severity)
        if loss not in self.losses:
            self.losses.append(loss)

    def extras(self, extras: Extras, path: str) -> Extras:
        """Extras that mean something here; those of another dialect are losses."""
        if self.ours or not extras:
            return extras
        for loss in extras_losses(extras, path):
            self.lose(loss.path, loss.reason, "info" if loss.severity == "info" else "warning")
        return NO_EXTRAS

    # ---- parts that are whole ----

    def add(self, part: Part) -> list[Node | Raw]:
        """A whole part, and the nodes that leave with it."""
        match part:
            case Text() | Refusal():
                return self._text(part)
            case Thinking():
                return self._thought(part)
            case ToolCall():
                return self._call(part)
            case ServerToolCall() | ServerToolResult():
                return self._server(part)
            case _:
                return self._other(part)

    def end(self) -> list[Node | Raw]:
        """What still waits; state without a call goes on the text before it."""
        text = self._held
        if text is not None and self._waiting and set(text) == {"text"}:
            text[SIGNED] = self._waiting.pop()
        return [*self._release(), *self._unplaced()]

    def _release(self, following: Node | None = None) -> list[Node | Raw]:
        """The node that waited leaves, and another may wait."""
        held, self._held = self._held, following
        return [] if held is None else [held]

    def _text(self, part: Text | Refusal) -> list[Node | Raw]:
        self.refused = self.refused or isinstance(part, Refusal)
        text = Text(part.text, extras=self.extras(part.extras, "content"))
        node = render_part(text)
        if isinstance(part, Text):
            for citation in part.citations:
                self.cited(citation, part.text)
        self.spoke(part.text)
        return self._release(node if isinstance(node, dict) else None)

    def _thought(self, part: Thinking) -> list[Node | Raw]:
        signed = part.signed
        if self.ours and signed is not None and signed.kind == SIGNATURE and not part.text:
            return self._placed(part, signed)
        shown: list[Node | Raw] = []
        node: Node | None = None
        if part.text and self._thinking:
            rendered = render_part(Thinking(part.text, extras=self.extras(part.extras, "content")))
            node = rendered if isinstance(rendered, dict) else None
            shown = self._release()
        if signed is not None:
            # what is bound to the words of the thought has no other place than the thought itself
            if node is not None and (self.ours or not signed.blob):
                put(node, SIGNED, self._blob(signed))
            elif signed.blob and not self.ours:
                shown += self.sealed(signed, part.text)
        return shown if node is None else [*shown, node]

    def _blob(self, signed: Signed, text: str = "") -> str:
        return signed.blob if self.ours and signed.kind == SIGNATURE else wrapped(signed, text)

    def _placed(self, part: Thinking, signed: Signed) -> list[Node | Raw]:
        """Google's own state, back on the part that it stood on."""
        if signed.id.startswith(ON_CALL):
            self._waiting.append(signed.blob)
            return []
        if signed.id in {ON_TEXT, ON_PART} and part.form != ALONE and self._held is not None:
            self._held.update(part.extras)
            put(self._held, SIGNED, signed.blob)
            return self._release()
        node: Node = dict(part.extras)
        if signed.id in {ON_TEXT, ON_PART}:
            if part.form != ALONE:
                node["text"] = ""
        elif not self._thinking:
            return []
        else:
            node["text"], node["thought"] = "", True
        put(node, SIGNED, signed.blob)
        return [*self._release(), node]

    def sealed(self, signed: Signed, text: str = "") -> list[Node | Raw]:
        """State that waits for the next call, with its thought: Google's CLI drops thoughts from its history. What
        waited before it leaves on a part of its own.
        """
        earlier = self._unplaced()
        self._waiting.append(self._blob(signed, text))
        return [*self._release(), *earlier] if earlier else []

    def _unplaced(self) -> list[Node | Raw]:
        """State that found no part to stand on: on an empty text behind a text, as Google does it, else a thought."""
        waiting, self._waiting = self._waiting, []
        if self._spoken:
            return [{"text": "", SIGNED: blob} for blob in waiting]
        return [{"text": "", "thought": True, SIGNED: blob} for blob in waiting]

    def _call(self, call: ToolCall) -> list[Node | Raw]:
        self.called = True
        held = self._release()
        # `form` is a word of the dialect that the call comes from
        written = replace(call, extras=self.extras(call.extras, "content"), form=call.form if self.ours else "")
        node = render_call(written, self._arguments(written))
        if self._waiting:
            put(node, SIGNED, self._waiting.pop())
        return [*held, *self._unplaced(), node]

    def _arguments(self, call: ToolCall) -> Raw:
        if call.kind == "custom":
            return Raw(msgspec.json.encode({"input": call.arguments}))
        if call.arguments.strip() in {"", "null"} or NO_ARGS in call.form:
            return _EMPTY
        try:
            _OBJECT.decode(call.arguments)
        except (msgspec.MsgspecError, RecursionError):
            self.lose("args", "the arguments are not a JSON object; they are given as raw_arguments", "error")
            return Raw(msgspec.json.encode({"raw_arguments": call.arguments}))
        return Raw(call.arguments.encode())

    def _server(self, part: ServerToolCall | ServerToolResult) -> list[Node | Raw]:
        if part.kind in {GROUNDING, FETCHED} and self.ours:
            return []  # it stands beside the content, in the extras of the end
        if self.ours:
            return self._other(replace(part, id="") if _is_made_up(part) else part)
        node = _ran(part)
        if node is not None:
            return self._release(node)
        carried = self.drawn.called(part) if isinstance(part, ServerToolCall) else self.drawn.answered(part)
        if not carried:
            self.lose("content", f"{part.name or part.kind}: a tool of the provider's own has no form here")
        return []

    def _other(self, part: Part) -> list[Node | Raw]:
        node = None if isinstance(part, Opaque) and part.origin != NAME else render_part(self._cleared(part))
        if node is None:
            what = part.kind if isinstance(part, Opaque) else type(part).__name__
            self.lose("content", f"{what} has no form in this dialect")
            return []
        # what is kept whole waits as well: a signature may follow it
        return self._release(node if isinstance(node, dict) else dict(_OBJECT.decode(node)))

    def _cleared(self, part: Part) -> Part:
        """The part without what only its own dialect understands."""
        if self.ours:
            return part
        match part:
            case Image() | Document():
                source = part.source
                if isinstance(source, Base64 | Url | FileId | InlineText):
                    source = replace(source, extras=self.extras(source.extras, "content"))
                return replace(part, source=source, extras=self.extras(part.extras, "content"))
            case _:
                return part

    # ---- parts that are told as they come ----

    def spoke(self, text: str) -> None:
        """Text that has been said."""
        if text:
            self._spoken.append(text)

    def cited(self, citation: Citation, text: str) -> None:
        """A citation of a `text` that is the next to be said."""
        if not self.ours:
            self.drawn.cited(citation, text, "".join(self._spoken))

    def released(self) -> list[Node | Raw]:
        """The node that waited, because something follows that is told as it comes."""
        return self._release()


def _is_made_up(part: ServerToolCall | ServerToolResult) -> bool:
    return isinstance(part, ServerToolCall) and part.id.startswith(SERVER_ID)


def _ran(part: ServerToolCall | ServerToolResult) -> Node | None:
    """Code that another provider ran, or what it gave; None for other tools."""
    if part.name != "code_execution":
        return None
    if isinstance(part, ServerToolResult):
        outcome = "OUTCOME_FAILED" if part.error else "OUTCOME_OK"
        return {"codeExecutionResult": {"outcome": outcome, "output": part.output}}
    try:
        code = msgspec.json.decode(part.arguments, type=_Code)
    except msgspec.MsgspecError:
        return None
    return {"executableCode": {"language": code.language, "code": code.code}}
