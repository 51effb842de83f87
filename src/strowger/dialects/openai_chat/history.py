"""The messages of a request, as an upstream of this dialect is told.

Messages of this dialect go out as they came, but for what the target cannot take. Those of another dialect are
regrouped first (see `regrouping`).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.losses import thinking_loss
from strowger.dialects.neighbours import place
from strowger.dialects.openai_chat import straight
from strowger.dialects.openai_chat.assistant import add_calls, assistant_members
from strowger.dialects.openai_chat.job import Job
from strowger.dialects.openai_chat.parts import (
    Json,
    put_back,
    render_cache,
    render_part,
)
from strowger.dialects.openai_chat.regrouping import regrouped
from strowger.dialects.openai_chat.signatures import by_call, is_of_call, signed_call
from strowger.dialects.openai_chat.thinking import details_blob
from strowger.dialects.openai_chat.wire import (
    AS_WRITTEN,
    CONTINUE,
    EXTRA_CONTENT,
    NAME,
    NO_OUTPUT,
    NO_REASONING,
    TOOL_ERROR,
)
from strowger.dialects.stretches import Outcome, stretched
from strowger.ir.request import (
    Audio,
    Base64,
    Document,
    FileId,
    Image,
    InlineText,
    Message,
    Opaque,
    Part,
    Refusal,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Text,
    Thinking,
    ToolCall,
    ToolReference,
    ToolResult,
    Url,
)


def render_messages(job: Job) -> list[Json | Raw]:
    """The `messages` list, the system text first. Where its last one is a Raw, it is not the assistant's."""
    rendered: list[Json | Raw] = []
    leading = _system(job)
    if leading is not None:
        rendered.append(leading)
    messages = job.request.messages
    told = stretched(job, job.space(_disabled(job)), messages, 0, partial(_stretch, job), free=job.ours)
    if told is None:
        rendered += _written(job, 0, len(messages))
    else:
        rendered += told.raws
        rendered += told.last.nodes
    final = rendered[-1] if rendered else None
    if isinstance(final, dict) and final["role"] == "assistant" and not job.caps.prefill:
        job.lose(place(job.request.origin, len(messages) - 1), "the model does not continue a message of its own")
        rendered.append({"role": "user", "content": CONTINUE})
    _instruct(job, rendered)
    return rendered


def _stretch(job: Job, start: int, end: int) -> Outcome:
    nodes = _written(job, start, end)
    return Outcome(nodes, begins=True, ends=bool(nodes) and nodes[-1]["role"] != "assistant")


def _written(job: Job, start: int, end: int) -> list[Json]:
    """The messages from one place to another."""
    if not job.ours and straight.is_straight(job, job.request.messages[start:end]):
        return _straight(job, start, end)
    nodes: list[Json] = []
    started = False
    for path, message in regrouped(job, start, end):
        started = started or message.role not in {"system", "developer"}
        node = _message(job, path, message, mid=started)
        if node is not None:
            nodes.append(node)
    return nodes


def _straight(job: Job, start: int, end: int) -> list[Json]:
    """The messages of a straight conversation, the usual ones without a detour."""
    nodes: list[Json] = []
    origin, started = job.request.origin, False
    for i in range(start, end):
        message = job.request.messages[i]
        path = place(origin, i)
        if message.role == "assistant":
            started = True
            node = straight.assistant(job, message) or _assistant(job, path, message)
        elif message.role == "user":
            started = True
            results = [part for part in message.parts if type(part) is ToolResult]
            for part in results:
                nodes.append(straight.result(job, part) or _result(job, path, Message("tool", (part,))))
            if results:
                rest = tuple([part for part in message.parts if type(part) is not ToolResult])
                if not rest:
                    continue
                message = replace(message, parts=rest, plain=False)
            node = straight.user(message) or _user(job, path, message)
        else:
            node = _system_message(job, path, message, mid=started)
        if node is not None:
            nodes.append(node)
    return nodes


def _instruct(job: Job, rendered: list[Json | Raw]) -> None:
    """Add instructions of ours to the system text."""
    if not job.instructions:
        return
    text = "\n\n".join(job.instructions)
    first = rendered[0] if rendered else None
    is_system = isinstance(first, dict) and first["role"] in {"system", "developer"}
    if is_system and isinstance(first, dict) and isinstance(first.get("content"), str):
        first["content"] = f"{first['content']}\n\n{text}"
    else:
        rendered.insert(0, {"role": job.caps.system_role or "system", "content": text})


# ---- system ----


def _system(job: Job) -> Json | None:
    """The system text that stands apart, as one message."""
    texts: list[Text] = []
    for i, part in enumerate(job.request.system):
        if isinstance(part, Text):
            texts.append(job.own(part, f"system[{i}]"))
        else:
            job.lose(f"system[{i}]", f"{part.kind or 'this block'} means something to its own vendor only", "info")
    texts = [text for text in texts if text.text]
    if not texts:
        return None
    return {"role": job.caps.system_role or "system", "content": _joined(texts)}


def _joined(texts: list[Text]) -> str | list[Json | Raw]:
    """Texts as one string, or as parts when one of them carries a cache hint."""
    if any(text.cache for text in texts):
        return [part for text in texts if (part := render_part(text)) is not None]
    return "\n\n".join([text.text for text in texts])


# ---- messages ----


def _message(job: Job, path: str, message: Message, *, mid: bool) -> Json | None:
    match message.role:
        case "system" | "developer":
            return _system_message(job, path, message, mid=mid)
        case "user":
            return _user(job, path, message)
        case "assistant":
            return _assistant(job, path, message)
        case "tool" | "function":
            return _result(job, path, message)


def _opened(job: Job, path: str, message: Message) -> Json:
    """The node of a message with its extras and its name."""
    node = put_back(message.extras) if job.ours else {}
    if not job.ours:
        job.lose_extras(message.extras, path)
    node["role"] = message.role
    if message.name is not None:
        node["name"] = message.name
    return node


def _system_message(job: Job, path: str, message: Message, *, mid: bool) -> Json | None:
    node = _opened(job, path, message)
    wanted = job.caps.system_role
    if wanted and (not job.ours or (message.role == "developer" and wanted == "system")):
        node["role"] = wanted
    _content(job, path, message, node)
    if "content" not in node and not job.ours:
        return None
    if mid and not job.caps.mid_system:
        job.lose_once(path, "system messages in between are sent as notes in a user message", "info")
        texts = "\n\n".join(part.text for part in message.parts if isinstance(part, Text))
        return {"role": "user", "content": f"<system-reminder>\n{texts}\n</system-reminder>"}
    return node


def _user(job: Job, path: str, message: Message) -> Json | None:
    node = _opened(job, path, message)
    _content(job, path, message, node)
    if "content" not in node and not (job.ours and job.caps.empty_text):
        return None  # everything in it was dropped, with its losses
    return node


def _content(job: Job, path: str, message: Message, node: Json) -> None:
    """Set the content: a string where it was one, or where another dialect wrote nothing but text."""
    parts = [
        carried
        for i, part in enumerate(message.parts)
        if (carried := carry(job, part, f"{path}.content[{i}]")) is not None
    ]
    if job.ours and message.plain and len(parts) == 1 and isinstance(parts[0], Text):
        node["content"] = parts[0].text
    elif not job.ours and (texts := [part for part in parts if isinstance(part, Text)]) and len(texts) == len(parts):
        filled = [text for text in texts if text.text]
        node["content"] = _joined(filled) if filled else ""
    elif parts:
        node["content"] = [rendered for part in parts if (rendered := render_part(part)) is not None]


def carry(job: Job, part: Part, path: str) -> Part | None:
    """The part as this target can take it: itself, a note in its place, or None with its loss."""
    caps = job.caps
    match part:
        case Text():
            if not caps.empty_text and not part.text.strip():
                return None
        case Image(source=source):
            if not caps.images:
                return _omitted(job, path, "image", source, "the model takes no pictures")
            if isinstance(source, FileId) and not job.ours:
                return _omitted(job, path, "image", source, "the file is stored at another provider")
            if isinstance(source, Url) and not caps.image_urls:
                return _omitted(job, path, "image", source, "the provider fetches no pictures")
        case Document(source=InlineText() as source):
            job.own(part, path)
            return Text(f"<document{_titled(part)}>\n{source.text}\n</document>")
        case Document(source=source):
            if not caps.documents:
                return _omitted(job, path, "document", source, "the model takes no documents")
            if isinstance(source, FileId | Url) and not job.ours:
                return _omitted(job, path, "document", source, "the file cannot be fetched from there")
            if isinstance(source, Base64) and part.title is None and not job.ours:
                # "Missing required parameter": a file needs a name where it needs none elsewhere
                part = replace(part, title=f"document.{source.media_type.rpartition('/')[2] or 'pdf'}")
        case Audio() if not caps.audio:
            job.lose(path, "the model takes no sound", "error")
            return Text(f"[audio omitted: {part.format}]")
        case Opaque(origin=origin, kind=kind, said=said) if origin != NAME:
            job.lose(path, f"{kind or 'this part'} means something to its own vendor only")
            return Text(said) if said else None
        case ServerToolCall() | ServerToolResult():
            job.lose_once(path, "what a vendor's own tool did is not carried to another")
            return None
        case ToolReference(name=name):
            return Text(f"Tool {job.tool_name(name)} is now available.")
        case _:
            pass
    return job.own(part, path)


def _titled(part: Document) -> str:
    return f' title="{part.title}"' if part.title else ""


def _omitted(job: Job, path: str, what: str, source: object, reason: str) -> Text:
    job.lose(path, reason, "error")
    match source:
        case Base64(media_type=media_type):
            return Text(f"[{what} omitted: {media_type or 'unknown type'}]")
        case Url(url=url):
            return Text(f"[{what} omitted: {url}]")
        case _:
            return Text(f"[{what} omitted]")


# ---- results ----


def _result(job: Job, path: str, message: Message) -> Json:
    result = next(part for part in message.parts if isinstance(part, ToolResult))
    node = put_back(message.extras) if job.ours else {}
    node["role"] = message.role
    if message.role == "tool" and (result.call_id or not job.ours):
        node["tool_call_id"] = job.call_id(result.call_id)
    if result.name is not None:
        node["name"] = result.name if message.role == "tool" else job.tool_name(result.name)
    content = [
        carried
        for i, part in enumerate(result.content)
        if (carried := carry(job, part, f"{path}.content[{i}]")) is not None
    ]
    if result.cache is not None and job.caps.cache_hints:
        node["cache_control"] = render_cache(result.cache)
    if job.ours:
        if not content and not job.caps.empty_text:
            node["content"] = NO_OUTPUT
        elif result.plain and len(content) == 1 and isinstance(content[0], Text):
            node["content"] = content[0].text
        elif content:
            node["content"] = [rendered for part in content if (rendered := render_part(part)) is not None]
        return node
    node["content"] = _result_content(content, is_error=bool(result.is_error))
    return node


def _result_content(content: list[Part], *, is_error: bool) -> str | list[Json | Raw]:
    """The content of a foreign result: one string where it is all text. That it is an error is said in words."""
    texts = [part.text for part in content if isinstance(part, Text)]
    if len(texts) == len(content):
        return (TOOL_ERROR if is_error else "") + ("\n\n".join([text for text in texts if text]) or NO_OUTPUT)
    if is_error:
        content = [Text(TOOL_ERROR.strip()), *content]
    return [rendered for part in content if (rendered := render_part(part)) is not None]


# ---- assistant ----


def _assistant(job: Job, path: str, message: Message) -> Json | None:
    node = _opened(job, path, message)
    parts: list[Part] = []
    signatures = by_call(message.parts)
    for i, part in enumerate(message.parts):
        if isinstance(part, ToolCall):
            parts.append(_call(job, part, f"{path}.content[{i}]", signatures.get(part.id)))
        elif is_of_call(part):
            continue
        elif (carried := carry(job, part, f"{path}.content[{i}]")) is not None:
            parts.append(carried)
    thoughts = [part for part in parts if isinstance(part, Thinking)]
    if job.ours:
        assistant_members(node, parts, message.plain)
    else:
        _foreign_members(node, parts)
    _thinking(job, path, node, thoughts)
    if not job.caps.empty_text and not node.get("content"):
        node.pop("content", None)
    if (not job.ours or not job.caps.empty_text) and node.get("content") is None and "tool_calls" not in node:
        return None  # nothing but thinking: there is no such message here
    return node


def _call(job: Job, call: ToolCall, path: str, signed: Signed | None) -> ToolCall:
    """The call under the id and name that the target takes, with its signature if that is the target's own."""
    call = job.own(call, path)
    if signed is not None:
        if signed.origin == job.caps.origin or job.ours:
            call = signed_call(call, signed, "" if job.caps.judges_itself else job.caps.origin)
        if signed.origin != job.caps.origin and EXTRA_CONTENT not in call.extras:
            job.lose_once(path, "the signature of a tool call is for who issued it", "info")
    identity, name = job.call_id(call.id), job.tool_name(call.name)
    return call if (identity, name) == (call.id, call.name) else replace(call, id=identity, name=name)


def _foreign_members(node: Json, parts: Iterable[Part]) -> None:
    """Content and calls of another dialect's turn. Its texts are stretches of one text."""
    spoken: list[Text | Refusal] = []
    calls: list[ToolCall] = []
    cached = False
    for part in parts:
        match part:
            case Text():
                spoken.append(part)
                cached = cached or part.cache is not None
            case Refusal():
                spoken.append(part)
            case ToolCall():
                calls.append(part)
            case _:
                pass
    add_calls(node, calls)
    if cached:
        node["content"] = [rendered for part in spoken if (rendered := render_part(part)) is not None]
    else:
        node["content"] = "".join([part.text for part in spoken]) or None


def _thinking(job: Job, path: str, node: Json, thoughts: list[Thinking]) -> None:
    """Set the member that carries earlier thinking back to its issuer, where the target has one."""
    field, caps = job.caps.thinking_replay, job.caps
    for part in thoughts:
        if part.signed is not None and part.signed.kind.endswith(":compaction"):
            lost = thinking_loss(part, path)
            job.lose_once(path, lost.reason, lost.severity)
    beside = [part for part in thoughts if part.form != "part" or not job.ours] if thoughts else []
    if not beside:
        pass
    elif field == AS_WRITTEN:
        _as_written(node, beside)
    elif not field:
        if any(part.text or part.signed for part in beside):
            job.lose_once(path, "earlier thinking is not sent back to this provider", "info")
    else:
        _replayed(job, path, node, beside, field)
    if caps.thinking_required_in_tool_loops and not _disabled(job):
        member = field if field not in {"", AS_WRITTEN, "reasoning_details"} else "reasoning_content"
        if not node.get(member):
            node[member] = NO_REASONING


def _disabled(job: Job) -> bool:
    reasoning = job.request.reasoning
    return reasoning is not None and (reasoning.mode == "disabled" or reasoning.effort == "none")


def _as_written(node: Json, thoughts: list[Thinking]) -> None:
    for part in thoughts:
        if part.form in {"reasoning_content", "reasoning"}:
            node[part.form] = node.get(part.form, "") + part.text
    details = details_blob(thoughts)
    if details:
        node["reasoning_details"] = details


def _replayed(job: Job, path: str, node: Json, thoughts: list[Thinking], field: str) -> None:
    """Own state goes back exactly; the words of others go as words, without what only they can read."""
    own = [part for part in thoughts if part.signed is None or part.signed.origin in {"", job.caps.origin}]
    foreign = len(thoughts) - len(own)
    if foreign:
        job.lose_once(path, "thinking of another model goes back as plain words, without its signature", "info")
    if field == "reasoning_details":
        details = details_blob(own)
        if details:
            node["reasoning_details"] = details
        field = "reasoning"
    words = [part.text for part in thoughts if part.text]
    stated = any(part.form == field and part.signed is None for part in thoughts)
    if words or stated:
        node[field] = ("\n\n" if foreign else "").join(words)
