"""The messages of a request, as an upstream of this dialect is told.

Messages of this dialect go out as they came, but for what the target cannot take. Those of another dialect are
regrouped first: results leave the user's turn and stand right behind the calls they answer, each in a message of its
own; pictures in results move into the user message that follows where the target takes text results only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeGuard

from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.losses import extras_losses
from strowger.dialects.openai_chat.job import Job
from strowger.dialects.openai_chat.parts import (
    Json,
    assistant_members,
    details_blob,
    put_back,
    render_cache,
    render_part,
)
from strowger.dialects.openai_chat.wire import (
    AS_WRITTEN,
    CONTINUE,
    IMAGE_FOLLOWS,
    NAME,
    NO_OUTPUT,
    NO_REASONING,
    NO_RESULT,
    TOOL_ERROR,
)
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
    Text,
    Thinking,
    ToolCall,
    ToolReference,
    ToolResult,
    Url,
)

Placed = tuple[str, Message]
"""A message with the path it has in the client's request."""


def render_messages(job: Job) -> list[Json]:
    """The `messages` list, the system text first."""
    rendered: list[Json] = []
    leading = _system(job)
    if leading is not None:
        rendered.append(leading)
    started = False
    for path, message in regrouped(job):
        started = started or message.role not in {"system", "developer"}
        node = _message(job, path, message, mid=started)
        if node is not None:
            rendered.append(node)
    if rendered and rendered[-1]["role"] == "assistant" and not job.caps.prefill:
        job.lose(f"messages[{len(job.request.messages) - 1}]", "the model does not continue a message of its own")
        rendered.append({"role": "user", "content": CONTINUE})
    _instruct(job, rendered)
    return rendered


def _instruct(job: Job, rendered: list[Json]) -> None:
    """Add instructions of ours to the system text."""
    if not job.instructions:
        return
    text = "\n\n".join(job.instructions)
    first = rendered[0] if rendered else None
    if first is not None and first["role"] in {"system", "developer"} and isinstance(first.get("content"), str):
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
    return "\n\n".join(text.text for text in texts)


# ---- regrouping ----


def regrouped(job: Job) -> list[Placed]:
    """Messages in this dialect's order, results split off and paired with their calls."""
    placed = [(f"messages[{i}]", message) for i, message in enumerate(job.request.messages)]
    if not job.ours:
        placed = _merged_users(placed)
    return _Regrouping(job).run(placed)


def _merged_users(placed: list[Placed]) -> list[Placed]:
    """Neighbouring user messages become one where results are involved: all results must follow the calls at once."""
    merged: list[Placed] = []
    for path, message in placed:
        before = merged[-1][1] if merged else None
        if (
            before is not None
            and before.role == message.role == "user"
            and any(isinstance(part, ToolResult) for part in (*before.parts, *message.parts))
        ):
            merged[-1] = (merged[-1][0], replace(before, parts=before.parts + message.parts, plain=False))
        else:
            merged.append((path, message))
    return merged


class _Regrouping:
    """One walk over the messages. `_pending`: calls that still wait for their result, by id; `_lifted`: parts that
    wait for the next user message.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._out: list[Placed] = []
        self._pending: dict[str, ToolCall] = {}
        self._lifted: list[Part] = []

    def run(self, placed: list[Placed]) -> list[Placed]:
        path = ""
        for path, message in placed:
            if any(isinstance(part, ToolResult) for part in message.parts):
                self._results(path, message)
            else:
                self._other(path, message)
        self._settle(path)
        self._release(path)
        return self._out

    def _results(self, path: str, message: Message) -> None:
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        rest: list[Part] = [part for part in message.parts if not isinstance(part, ToolResult)]
        if not self._job.ours:
            results, strays = self._paired(path, results)
            rest = strays + rest
        role = message.role if message.role in {"tool", "function"} else "tool"
        extras = message.extras if role == message.role else {}
        for result in results:
            self._out.append((path, Message(role, (self._without_media(path, result),), extras=extras)))
        if role != message.role:
            self._settle(path)
            rest = self._lifted + rest
            self._lifted = []
            if rest:
                self._out.append((path, replace(message, parts=tuple(rest), plain=False)))

    def _paired(self, path: str, results: list[ToolResult]) -> tuple[list[ToolResult], list[Part]]:
        """Results in the order of their calls; those that answer no call become text."""
        known: dict[str, ToolResult] = {}
        strays: list[Part] = []
        for result in results:
            if result.call_id in self._pending and result.call_id not in known:
                known[result.call_id] = result
                continue
            self._job.lose(path, f"the result {result.call_id!r} answers no call before it; it is sent as text")
            strays += [Text(f"[result of tool call {result.call_id}]"), *result.content]
        ordered = [known[identity] for identity in self._pending if identity in known]
        for result in ordered:
            del self._pending[result.call_id]
        return ordered, strays

    def _other(self, path: str, message: Message) -> None:
        if message.role not in {"system", "developer"}:
            self._settle(path)
        if message.role == "user" and self._lifted:
            message = replace(message, parts=(*self._lifted, *message.parts), plain=False)
            self._lifted = []
        elif message.role == "assistant":
            self._release(path)
            if not self._job.ours:
                self._pending = {part.id: part for part in message.parts if isinstance(part, ToolCall)}
        self._out.append((path, message))

    def _settle(self, path: str) -> None:
        """Give every call that is still without a result one that says so: upstreams refuse a call without."""
        for identity in self._pending:
            self._job.lose(path, f"the tool call {identity!r} has no result; a note is sent in its place")
            self._out.append((path, Message("tool", (ToolResult(identity, (Text(NO_RESULT),)),))))
        self._pending = {}

    def _release(self, path: str) -> None:
        if self._lifted:
            self._out.append((path, Message("user", tuple(self._lifted))))
            self._lifted = []

    def _without_media(self, path: str, result: ToolResult) -> ToolResult:
        """The result with its pictures and files moved to the next user message, where the target wants it so."""
        if self._job.caps.tool_result_images or not any(_is_media(part) for part in result.content):
            return result
        kept: list[Text | Image | Document | Audio | ToolReference | Opaque] = []
        for part in result.content:
            if _is_media(part):
                self._lifted += [Text(f"[from the result of tool call {result.call_id}]"), part]
                kept.append(Text(IMAGE_FOLLOWS))
            else:
                kept.append(part)
        self._job.lose_once(path, "pictures of a tool result are sent in the user message that follows", "info")
        return replace(result, content=tuple(kept), plain=False)


def _is_media(part: Part) -> TypeGuard[Image | Document | Audio]:
    if isinstance(part, Document):
        return not isinstance(part.source, InlineText)
    return isinstance(part, Image | Audio)


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
        job.losses.update(dict.fromkeys(extras_losses(message.extras, path)))
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
    if "content" not in node and not job.ours:
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
        case Opaque(origin=origin, kind=kind) if origin != NAME:
            job.lose(path, f"{kind or 'this part'} means something to its own vendor only")
            return None
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
        if result.plain and len(content) == 1 and isinstance(content[0], Text):
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
        return (TOOL_ERROR if is_error else "") + ("\n\n".join(text for text in texts if text) or NO_OUTPUT)
    if is_error:
        content = [Text(TOOL_ERROR.strip()), *content]
    return [rendered for part in content if (rendered := render_part(part)) is not None]


# ---- assistant ----


def _assistant(job: Job, path: str, message: Message) -> Json | None:
    node = _opened(job, path, message)
    parts: list[Part] = []
    for i, part in enumerate(message.parts):
        if isinstance(part, ToolCall):
            call = job.own(part, f"{path}.content[{i}]")
            parts.append(replace(call, id=job.call_id(call.id), name=job.tool_name(call.name)))
        elif (carried := carry(job, part, f"{path}.content[{i}]")) is not None:
            parts.append(carried)
    thoughts = [part for part in parts if isinstance(part, Thinking)]
    if job.ours:
        assistant_members(node, parts, message.plain)
    else:
        _foreign_members(node, parts)
    _thinking(job, path, node, thoughts)
    if not job.ours and node.get("content") is None and "tool_calls" not in node:
        return None  # nothing but thinking: there is no such message here
    return node


def _foreign_members(node: Json, parts: Iterable[Part]) -> None:
    """Content and calls of another dialect's turn. Its texts are stretches of one text."""
    parts = list(parts)
    spoken = [part for part in parts if isinstance(part, Text | Refusal)]
    calls: list[Part] = [part for part in parts if isinstance(part, ToolCall)]
    assistant_members(node, calls, plain=False)
    if any(isinstance(part, Text) and part.cache for part in spoken):
        node["content"] = [rendered for part in spoken if (rendered := render_part(part)) is not None]
    else:
        node["content"] = "".join(part.text for part in spoken) or None


def _thinking(job: Job, path: str, node: Json, thoughts: list[Thinking]) -> None:
    """Set the member that carries earlier thinking back to its issuer, where the target has one."""
    field, caps = job.caps.thinking_replay, job.caps
    beside = [part for part in thoughts if part.form != "part" or not job.ours]
    if field == AS_WRITTEN:
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
