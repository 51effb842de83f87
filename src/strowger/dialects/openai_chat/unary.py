"""A whole answer, both ways: `decode_response` for upstreams, `render_response` for clients.

For an answer of this dialect the two are inverse. Leftovers of the choice stay in `Finish.extras`, those of its
message under `message` therein, further choices under `choices` in the response's extras.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.base import DecoderSetup, EncoderSetup, Loss
from strowger.dialects.fields import Fields
from strowger.dialects.losses import extras_losses, unique
from strowger.dialects.openai_chat.assistant import assistant_members, take_assistant
from strowger.dialects.openai_chat.chunks import ABSENT, index_of, present
from strowger.dialects.openai_chat.citing import annotation, citation, pages
from strowger.dialects.openai_chat.errors import failure_of, told
from strowger.dialects.openai_chat.parts import (
    EMPTY_LIST,
    Json,
    filled,
    put_back,
)
from strowger.dialects.openai_chat.signatures import told_apart
from strowger.dialects.openai_chat.thinking import details_blob, envelope_detail
from strowger.dialects.openai_chat.thinktags import OPEN, framed, split_whole
from strowger.dialects.openai_chat.usage import parse_usage, render_usage
from strowger.dialects.openai_chat.wire import (
    FAILURES,
    FINISH_REASONS,
    GOOGLE,
    NAME,
    PROVIDERS_TOOL,
    REASONING,
    STOP_REASONS,
)
from strowger.errors import ErrorKind, Malformed
from strowger.ir.events import Event, Failure, Finish, StopReason, Usage
from strowger.ir.request import (
    NO_EXTRAS,
    Part,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Text,
    Thinking,
    ToolCall,
)
from strowger.ir.response import Response, unfold

# ---- reading ----


def decode_response(body: bytes, setup: DecoderSetup) -> list[Event]:
    """A body to the events of a stream; an error body, or one that is no answer, gives one Failure."""
    try:
        response = _response(body.decode("utf-8", "replace").encode(), setup)
    except Malformed as error:
        return [Failure(ErrorKind.UPSTREAM, f"the upstream's answer cannot be read: {error.message}", "malformed")]
    return [response] if isinstance(response, Failure) else list(unfold(response))


def _response(body: bytes, setup: DecoderSetup) -> Response | Failure:
    fields = Fields(body, error=Malformed)
    choices = fields.items("choices")
    if not choices:
        seen = told(body)
        if seen is not None:
            return failure_of(seen)
        raise Malformed("it has no choices")
    if len(choices) > 1:
        fields.rest["choices"] = Raw(msgspec.json.encode(choices[1:]))
    choice = Fields(choices[0], "choices[0]", Malformed)
    written = choice.fields("message")
    message = written or Fields(b"{}", "choices[0].message", Malformed)
    parts = _with_pages(_parts(message, setup), fields)
    finish = _finish(choice, parts)
    if isinstance(finish, Failure):
        return finish
    if written is not None:
        choice.rest["message"] = Raw(msgspec.json.encode(message.rest))
    raw = fields.raw("usage")
    usage = parse_usage(raw) if raw is not None else None
    if raw is not None and usage is None:
        fields.rest["usage"] = raw
    created = fields.number("created")
    identity, model = filled(fields, "id"), filled(fields, "model")
    return Response(
        origin=NAME,
        id=identity or setup.new_id("chatcmpl-"),
        model=model,
        parts=parts,
        finish=replace(finish, extras=choice.extras()),
        usage=usage or Usage(),
        created=None if created is None else int(created),
        extras=fields.extras(),
    )


def _parts(message: Fields, setup: DecoderSetup) -> tuple[Part, ...]:
    taken, plain = take_assistant(message, setup.origin, keep_empty=False)
    parts = list(taken)
    spoken = [part for part in parts if not isinstance(part, Thinking | ToolCall) or _in_content(part)]
    if spoken and not plain and not (len(spoken) == 1 and "content" in message.rest):
        message.rest["content"] = EMPTY_LIST
    if plain:
        parts = _untagged(parts)
    named = told_apart([_named(part, setup) for part in parts], setup.origin or GOOGLE)
    signed = [_claimed(part, setup.origin) for part in named]
    return tuple(_cited(signed, message))


def _with_pages(parts: tuple[Part, ...], fields: Fields) -> tuple[Part, ...]:
    """Pages that stand beside the answer back its last text, unless it says more closely what does."""
    at = max((i for i, part in enumerate(parts) if isinstance(part, Text)), default=None)
    found = pages(fields.rest.get("citations", ABSENT), fields.rest.get("search_results", ABSENT))
    if at is None or not found or any(isinstance(part, Text) and part.citations for part in parts):
        return parts
    return (*parts[:at], replace(parts[at], citations=found), *parts[at + 1 :])


def _in_content(part: Part) -> bool:
    return isinstance(part, Thinking) and part.form == "part"


def _untagged(parts: list[Part]) -> list[Part]:
    """Thinking that stands in the content, as a part of its own; not where the server tells them apart itself."""
    if any(isinstance(part, Thinking) for part in parts):
        return parts
    for i, part in enumerate(parts):
        if isinstance(part, Text) and (split := split_whole(part.text)) is not None:
            thought, frame, text = split
            rest: list[Part] = [Text(text)] if text else []
            return [*parts[:i], Thinking(thought, form=frame), *rest, *parts[i + 1 :]]
    return parts


def _named(part: Part, setup: DecoderSetup) -> Part:
    """Calls get the client's own tool name back, and an id where they have none."""
    if not isinstance(part, ToolCall):
        return part
    name = setup.names.get(part.name, part.name)
    return replace(part, id=part.id or setup.new_id("call_"), name=name)


def _claimed(part: Part, origin: str) -> Part:
    """Thinking remembers whose it is."""
    if isinstance(part, Thinking) and part.signed is None and origin:
        return replace(part, signed=Signed(origin, REASONING, ""))
    return part


def _cited(parts: list[Part], message: Fields) -> list[Part]:
    """Annotations go to the last text."""
    raw = message.rest.get("annotations")
    at = max((i for i, part in enumerate(parts) if isinstance(part, Text)), default=None)
    if raw is None or at is None or not bytes(raw).startswith(b"[{"):
        return parts
    before = sum(len(part.text) for part in parts[:at] if isinstance(part, Text))
    citations = tuple(citation(each, before) for each in message.items("annotations") or ())
    parts[at] = replace(parts[at], citations=citations)
    return parts


def _finish(choice: Fields, parts: tuple[Part, ...]) -> Finish | Failure:
    native = choice.text("finish_reason")
    if native is not None:
        choice.rest["finish_reason"] = Raw(msgspec.json.encode(native))
    if native in FAILURES:
        seen = told(choice.rest.get("error") or b"")
        return failure_of(seen) if seen else Failure(ErrorKind.UPSTREAM, FAILURES[native], native)
    stop = next((value for key in ("stop_reason", "matched_stop") if (value := _string(choice, key))), None)
    return finish_of(native, stop, called=any(isinstance(part, ToolCall) for part in parts))


def _string(fields: Fields, key: str) -> str | None:
    raw = fields.rest.get(key)
    return msgspec.json.decode(raw) if raw is not None and bytes(memoryview(raw)[:1]) == b'"' else None


def finish_of(native: str | None, stop: str | None, *, called: bool) -> Finish:
    """The end of an answer. That tools were called counts more than the word: many servers say `stop` anyway."""
    reason = StopReason.END if native is None else STOP_REASONS.get(native, StopReason.OTHER)
    if called and reason in {StopReason.END, StopReason.OTHER}:
        reason = StopReason.TOOL_USE
    elif reason is StopReason.END and stop:
        return Finish(StopReason.STOP_SEQUENCE, native or "", stop)
    return Finish(reason, native or "")


# ---- writing ----


def render_response(response: Response, setup: EncoderSetup) -> tuple[bytes, list[Loss]]:
    """A whole answer as a non-streaming body."""
    ours = response.origin == NAME
    losses: list[Loss] = []
    body: Json = put_back(response.extras) if ours else {}
    if ours:
        losses += [_unfolded(raw) for raw in response.notes]
    else:
        losses += extras_losses(response.extras, "") + extras_losses(response.finish.extras, "")
    further = body.pop("choices", None)
    if "id" not in body:
        body["id"] = response.id if ours or response.id.startswith("chatcmpl-") else setup.new_id("chatcmpl-")
    if not _whole(response):
        body["object"] = "chat.completion"
    if response.created is not None or not ours:
        body["created"] = response.created if response.created is not None else setup.created
    if "model" not in body and (response.model or not _whole(response)):
        body["model"] = response.model or setup.model
    choice = _choice(response, setup, losses)
    body["choices"] = [choice, *(msgspec.json.decode(further, type=list[Raw]) if further is not None else ())]
    if response.usage != Usage():
        body["usage"] = render_usage(response.usage, ours=ours)
    return msgspec.json.encode(body), list(unique(losses))


def _unfolded(note: Raw) -> Loss:
    """What a stream told beside the first answer's parts: pieces that are not put together here."""
    index = index_of(note)
    if index:
        return Loss(f"choices[{index}]", "a further answer that came in pieces is not put together", "error")
    return Loss("choices[0]", "what has no part (token probabilities, sound) is not put together from pieces")


def _whole(response: Response) -> bool:
    """Whether the response was read from a whole answer of this dialect: then its leftovers say what else there was."""
    return response.origin == NAME and bool(response.finish.extras)


def _choice(response: Response, setup: EncoderSetup, losses: list[Loss]) -> Json:
    finish = response.finish
    whole = _whole(response)
    choice: Json = put_back(finish.extras) if whole else {"index": 0, "finish_reason": FINISH_REASONS[finish.reason]}
    message: Json = {"role": "assistant"}
    written = present(choice.get("message", ABSENT))
    if written:
        message = dict(msgspec.json.decode(choice["message"], type=dict[str, Raw]))
    _fill(message, response, setup, losses)
    if not whole and "content" not in message:
        message["content"] = None if "tool_calls" in message or "refusal" in message else ""
    if not whole or written or response.parts:
        choice["message"] = message
    return choice


def _fill(message: Json, response: Response, setup: EncoderSetup, losses: list[Loss]) -> None:
    ours = response.origin == NAME
    parts = [part for i, part in enumerate(response.parts) if _carried(part, i, ours=ours, losses=losses)]
    if not ours:
        parts = [replace(part, extras=NO_EXTRAS) if isinstance(part, ToolCall) else part for part in parts]
    in_list = bytes(message.get("content", b"")) == b"[]"
    texts = [part for part in parts if isinstance(part, Text)]
    assistant_members(message, parts, plain=bool(texts) and not in_list)
    thoughts = [part for part in parts if isinstance(part, Thinking)]
    tagged = "".join(framed(part.text, part.form) for part in thoughts if OPEN in part.form)
    if tagged:
        message["content"] = tagged + (message.get("content") or "")
    if ours:
        _ours_beside(message, thoughts)
        citations = [each.raw for text in texts for each in text.citations if len(each.raw)]
        if citations:
            message["annotations"] = citations
        return
    annotations = _annotations(texts, losses)
    if annotations:
        message["annotations"] = annotations
    if setup.thinking_wanted:
        _foreign_beside(message, thoughts)


def _annotations(texts: list[Text], losses: list[Loss]) -> list[Json]:
    """Citations of another dialect, on the content that its texts make up together."""
    written: list[Json] = []
    before = 0
    for text in texts:
        for cited in text.citations:
            found = annotation(cited, before, len(text.text))
            if found is None:
                losses.append(Loss("citations", "a citation that is not of a web page", "info"))
            else:
                written.append(found)
        before += len(text.text)
    return written


def _carried(part: Part, index: int, *, ours: bool, losses: list[Loss]) -> bool:
    """Whether this dialect can say the part; its loss if not."""
    if ours:
        return True
    match part:
        case Text() | Thinking() | Refusal() | ToolCall():
            return True
        case ServerToolCall() | ServerToolResult():
            losses.append(Loss("content", PROVIDERS_TOOL, "info"))
            return False
        case _:
            losses.append(Loss(f"content[{index}]", f"{type(part).__name__} has no form in this dialect"))
            return False


def _ours_beside(message: Json, thoughts: list[Thinking]) -> None:
    for part in thoughts:
        if part.form in {"reasoning_content", "reasoning"}:
            before = message.get(part.form)
            message[part.form] = (before if isinstance(before, str) else "") + part.text
    details = details_blob(thoughts)
    if details:
        message["reasoning_details"] = details


def _foreign_beside(message: Json, thoughts: list[Thinking]) -> None:
    text = "".join(part.text for part in thoughts)
    if text:
        message["reasoning_content"] = text
    details = [detail for i, part in enumerate(thoughts) if (detail := envelope_detail(part, i)) is not None]
    if details:
        message["reasoning_details"] = details
