"""Whole answers of Gemini to events, and what a stream shares with them: heads, ends, parts.

Whatever an answer holds beside what events say is kept: members of the answer in the extras of its start, those of the
candidate (with what is left of its content) in the extras of its finish, further candidates under `candidates`.
Knows nothing of framing.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.base import DecoderSetup
from strowger.dialects.gemini.calls import Calls
from strowger.dialects.gemini.errors import failure_of, told
from strowger.dialects.gemini.grounding import GROUNDING, Grounds, Said, recited, within
from strowger.dialects.gemini.instants import seconds
from strowger.dialects.gemini.members import Members, starts
from strowger.dialects.gemini.parts import parse_part
from strowger.dialects.gemini.usage import parse_usage
from strowger.dialects.gemini.wire import FAILURES, NAME, NUMBERED, STOP_REASONS, VENDOR
from strowger.dialects.refusals import unstructured
from strowger.errors import ErrorKind, Malformed
from strowger.ir.events import Event, Failure, Finish, Start, StopReason, Usage
from strowger.ir.request import Citation, Extras, Part, ServerToolCall, ServerToolResult, Text, ToolCall
from strowger.ir.response import Response, unfold

CUSTOM = "custom:"
"""Before a name in `Rendered.names`: the client's tool takes free text, not arguments. No tool's name has a colon."""
SERVER_ID = "srvtoolu_"
"""How ids begin that are made for calls of the provider's own tools, which Google often leaves without."""
CITED = "citationMetadata"


class Fresh(Calls):
    """Ids for the calls of an answer: Google's own, else new ones, for they must differ from those of other turns."""

    def __init__(self, setup: DecoderSetup) -> None:
        super().__init__()
        self._new_id = setup.new_id

    def _made(self, name: str) -> str:
        return self._new_id("call_")


class Reader:
    """Parts of one answer, as clients shall see them: with their own tool names, and an id on every call."""

    def __init__(self, setup: DecoderSetup) -> None:
        self._setup = setup
        self._calls = Fresh(setup)
        self._server_id = ""
        self.called = False

    @property
    def origin(self) -> str:
        """Whose signatures these are."""
        return self._setup.origin or VENDOR

    def parts(self, raw: Raw, path: str) -> list[Part]:
        """One part of the wire: itself, and the signature that it bears. Raises Malformed."""
        found = parse_part(raw, path, Malformed, self._calls, model=True, origin=self.origin)
        return [self._whole(part) for part in found]

    def call_id(self, given: str | None, name: str) -> str:
        """The id of a call that is read elsewhere."""
        return self._calls.call(given, name)

    def search_id(self) -> str:
        """An id for a search that is told beside the content."""
        return self._setup.new_id(SERVER_ID)

    def call(self, call: ToolCall) -> ToolCall:
        """A call under the client's own name for its tool."""
        self.called = True
        name = self._setup.names.get(call.name, call.name)
        if name.startswith(CUSTOM):
            return replace(call, name=name.removeprefix(CUSTOM), arguments=_free_text(call.arguments), kind="custom")
        return replace(call, name=name, arguments=compact(call.arguments))

    def _whole(self, part: Part) -> Part:
        match part:
            case ToolCall():
                return self.call(part)
            case ServerToolCall():
                self._server_id = part.id or self._setup.new_id(SERVER_ID)
                return replace(part, id=self._server_id, arguments=compact(part.arguments))
            case ServerToolResult():
                return replace(part, call_id=part.call_id or self._server_id)
            case _:
                return part


def compact(text: str) -> str:
    """JSON text without the blanks between its tokens; other text as it is."""
    try:
        return msgspec.json.format(text, indent=-1)
    except msgspec.MsgspecError:
        return text


def _free_text(arguments: str) -> str:
    """What a tool with free text was given, from the object that stood for it."""
    try:
        given = msgspec.json.decode(arguments)
    except msgspec.MsgspecError:
        return arguments
    text = given.get("input") if isinstance(given, dict) and len(given) == 1 else None
    return text if isinstance(text, str) else arguments


def opened(body: bytes | Raw) -> Members:
    """The members of an answer; those around it, where it comes in the envelope of Code Assist, among them. Raises
    Malformed.
    """
    fields = Members(body, error=Malformed)
    if fields.is_object("response") and "candidates" not in fields.rest:
        inner = fields.members("response")
        if inner is not None:
            inner.path = ""
            inner.rest = {**fields.rest, **inner.rest}
            return inner
    return fields


def start_of(fields: Members) -> Start:
    """The head of an answer; ids and names are empty where there are none. Takes what it tells from the fields."""
    identity, model = fields.filled("responseId"), fields.filled("modelVersion")
    return Start(NAME, identity, model, _created(fields), fields.extras())


def _created(fields: Members) -> int | None:
    raw = fields.look("createTime")
    if raw is None or not starts(raw, b'"'):
        return None
    try:
        return seconds(msgspec.json.decode(raw, type=str))
    except (UnicodeDecodeError, msgspec.MsgspecError):
        return None


def word_of(raw: Raw | None) -> str:
    """A reason as a word, also where the enum was written as a number; empty for none."""
    if raw is None:
        return ""
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return NUMBERED.get(value, str(value))
    return value if isinstance(value, str) else ""


def finish_of(word: str, rest: Extras, *, called: bool) -> Finish | Failure:
    """The end of an answer by its word, with what the candidate says beside. That tools were called counts more: Google
    says STOP then, and calls that it did not expect are calls all the same.
    """
    reason = STOP_REASONS.get(word, StopReason.OTHER) if word else StopReason.END
    if called and reason in {StopReason.END, StopReason.OTHER}:
        return Finish(StopReason.TOOL_USE, word, extras=rest)
    if word in FAILURES:
        return Failure(ErrorKind.UPSTREAM, FAILURES[word], word, raw=Raw(msgspec.json.encode(dict(rest))))
    return Finish(reason, word, extras=rest)


def blocked_by(raw: Raw | None) -> str:
    """The word for why the prompt itself was refused; empty when it was not."""
    if raw is None or not starts(raw, b"{"):
        return ""
    try:
        return word_of(Members(raw, "promptFeedback", Malformed).raw("blockReason"))
    except Malformed:
        return ""


def decode_response(body: bytes, setup: DecoderSetup) -> list[Event]:
    """A whole answer as the events of a stream; an error body, or one that cannot be read, as one Failure."""
    try:
        answer = _response(body.decode("utf-8", "replace").encode(), setup)
    except (Malformed, RecursionError) as wrong:
        failed = told(body)
        if failed is not None:
            return [failure_of(failed)]
        message = f"the upstream's answer cannot be read: {getattr(wrong, 'message', wrong)}"
        if body.lstrip()[:1] not in {b"{", b"["}:
            message = unstructured(200, body)
        return [Failure(ErrorKind.UPSTREAM, message, "malformed")]
    return [answer] if isinstance(answer, Failure) else list(unfold(answer))


def _response(body: bytes, setup: DecoderSetup) -> Response | Failure:
    fields = opened(body)
    if fields.says("error"):
        failed = told(msgspec.json.encode(fields.rest))
        if failed is not None:
            return failure_of(failed)
    candidates = fields.items("candidates")
    if candidates is None and not (fields.says("promptFeedback") or fields.says("usageMetadata")):
        raise Malformed("it has no candidates")
    reader = Reader(setup)
    usage = _usage(fields)
    if not candidates or not Members(candidates[0], "candidates[0]", Malformed).rest:
        return _without_candidate(fields, candidates, usage)
    if len(candidates) > 1:
        fields.rest["candidates"] = Raw(msgspec.json.encode(candidates[1:]))
    candidate = Members(candidates[0], "candidates[0]", Malformed)
    parts = _parts(candidate, reader)
    word = word_of(candidate.look("finishReason"))
    finish = finish_of(word, candidate.extras(), called=reader.called)
    if isinstance(finish, Failure):
        return replace(finish, raw=None)  # it is no error object: clients of this dialect know the answer as it is
    grounding = candidate.look(GROUNDING)
    grounds = None if grounding is None else Grounds(grounding)
    parts = _drawn(parts, candidate, grounds, reader)
    start = start_of(fields)
    return Response(
        origin=NAME,
        id=start.id,
        model=start.model,
        parts=tuple(parts),
        finish=finish,
        usage=searched(usage, grounds),
        created=start.created,
        extras=start.extras,
    )


def _without_candidate(fields: Members, candidates: list[Raw] | None, usage: Usage) -> Response:
    """An answer that says nothing, mostly because the prompt was refused."""
    if candidates is not None:
        fields.rest["candidates"] = Raw(msgspec.json.encode(candidates))
    word = blocked_by(fields.look("promptFeedback"))
    start = start_of(fields)
    finish = Finish(StopReason.REFUSAL if word else StopReason.END, word)
    return Response(NAME, start.id, start.model, (), finish, usage, start.created, extras=start.extras)


def _usage(fields: Members) -> Usage:
    raw = fields.look("usageMetadata")
    usage = None if raw is None else parse_usage(raw)
    if usage is None:
        return Usage()
    fields.raw("usageMetadata")
    return usage


def searched(usage: Usage, grounds: Grounds | None) -> Usage:
    """The counts, with the searches that were run."""
    if grounds is None or not grounds.queries:
        return usage
    return replace(usage, searches=len(grounds.queries))


def _parts(candidate: Members, reader: Reader) -> list[Part]:
    """The parts of the first candidate. What is left of its content stays, if only that there was one."""
    if not candidate.is_object("content"):
        return []
    content = candidate.members("content")
    if content is None:
        return []
    items = content.items("parts")
    if items == []:
        content.rest["parts"] = Raw(b"[]")
    parts = [part for i, raw in enumerate(items or ()) for part in reader.parts(raw, f"{content.path}.parts[{i}]")]
    candidate.keep("content", content, empty=True)
    return parts


def _drawn(parts: list[Part], candidate: Members, grounds: Grounds | None, reader: Reader) -> list[Part]:
    """The parts with what they are drawn from: citations on their texts, and the search behind them."""
    said = Said("".join(part.text for part in parts if isinstance(part, Text)))
    citations: list[Citation] = [] if grounds is None else grounds.citations(said)
    source = candidate.look(CITED)
    if source is not None:
        citations += recited(source, said)
    if citations:
        parts = _cited(parts, citations)
    found = None if grounds is None else grounds.search(reader.search_id())
    return parts if found is None else [*parts, *found]


def _cited(parts: list[Part], citations: list[Citation]) -> list[Part]:
    done: list[Part] = []
    at = 0
    for part in parts:
        if isinstance(part, Text):
            here = within(citations, at, at + len(part.text))
            at += len(part.text)
            if here:
                part = replace(part, citations=tuple(here))
        done.append(part)
    return done
