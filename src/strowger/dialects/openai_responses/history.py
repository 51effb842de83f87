"""The messages of a request as input items, as an upstream of this dialect is told.

Messages of this dialect go out as the items they came from, but for what the target cannot take. Those of another
dialect become items of this one; `pairing` brings their results behind their calls first.
"""

from __future__ import annotations

from functools import partial

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.losses import thinking_loss
from strowger.dialects.neighbours import leading_system, place
from strowger.dialects.openai_responses.job import Job
from strowger.dialects.openai_responses.pairing import paired
from strowger.dialects.openai_responses.parts import Json, render_part
from strowger.dialects.openai_responses.request import ASKED
from strowger.dialects.openai_responses.wire import (
    ADDITIONAL,
    AGENT,
    CLIENT_CALLS,
    COMPACTION_BLOB,
    CONTINUE,
    CUSTOM_OUTPUT,
    NAME,
    NAMESPACE,
    NO_OUTPUT,
    PLAIN,
    PREFIXES,
    REASONING,
    SEARCH_OUTPUT,
    TOOL_ERROR,
    TRIGGER,
    UNTYPED,
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
    Text,
    Thinking,
    ToolCall,
    ToolReference,
    ToolResult,
    Url,
)

_OBJECT_CALLS = dict(CLIENT_CALLS.values())
_PLAIN_OUTPUTS = frozenset({"", "function_call_output", CUSTOM_OUTPUT})


def render_items(job: Job) -> list[Json | Raw]:
    """The `input` list. System text that leads a foreign conversation is not in it (see `leading_system`)."""
    messages = job.request.messages
    skipped = 0 if job.ours else leading_system(messages)
    told = stretched(job, job.space(job.native), messages, skipped, partial(_stretch, job), free=job.ours)
    if told is None:
        last = _stretch(job, skipped, len(messages))
        items = [*last.nodes]
    else:
        last = told.last
        items = [*told.raws, *last.nodes]
    # of what stands before the last stretch, nothing ends with the model
    if last.nodes and not last.ends and not job.ours and not job.caps.prefill:
        path = place(job.request.origin, len(messages) - 1)
        job.lose(path, "the model does not continue a message of its own")
        items.append(_said("user", [Text(CONTINUE)]))
    return items


def _stretch(job: Job, start: int, end: int) -> Outcome:
    """The items of the messages from one place to another, and whether the model's words are not the last of them."""
    items: list[Json | Raw] = []
    if job.ours:
        for i in range(start, end):
            items += _own(job, job.request.messages[i], f"input[{i}]")
        if not job.whole:
            _drop_strange_ids(items)
        return Outcome(items, begins=True, ends=True)
    history = _History(job, items)
    for path, message in paired(job, start, end):
        history.add(path, message)
    return Outcome(items, begins=True, ends=not history.spoken_last)


def system_texts(job: Job) -> list[str]:
    """The system text that becomes the instructions."""
    texts: list[str] = []
    for i, block in enumerate(job.request.system):
        if isinstance(block, Text):
            texts.append(job.own(block, f"system[{i}]").text)
        else:
            job.lose(f"system[{i}]", f"{block.kind or 'this block'} means something to its own vendor only", "info")
    if not job.ours:
        for i, message in enumerate(job.request.messages[: leading_system(job.request.messages)]):
            path = place(job.request.origin, i)
            _lose_head(job, message, path)
            for j, part in enumerate(message.parts):
                carried = carry(job, part, f"{path}.content[{j}]")
                if isinstance(carried, Text):
                    texts.append(carried.text)
                elif carried is not None:
                    job.lose(f"{path}.content[{j}]", "system text is text only here")
    return [text for text in texts if text]


def _lose_head(job: Job, message: Message, path: str) -> None:
    job.lose_extras(message.extras, path)
    if message.name is not None and message.role not in {"tool", "function"}:
        job.lose(f"{path}.name", "this dialect does not name speakers", "info")


def _said(role: str, parts: list[Part]) -> Json:
    content = [node for part in parts if (node := render_part(part)) is not None]
    return {"type": "message", "role": role, "content": content}


# ---- messages of this dialect ----


def _own(job: Job, message: Message, path: str) -> list[Json | Raw]:
    match message.form:
        case "item":
            item = _own_item(job, message.parts[0], path) if message.parts else None
            return [] if item is None else [item]
        case "additional_tools":
            return [{**message.extras, "type": ADDITIONAL}]
        case "compaction_trigger" if job.native:
            return [{**message.extras, "type": TRIGGER}]
        case "asked_to_compact" if job.native:
            return []
        case _:
            return [_own_message(job, message, path)]


def _drop_strange_ids(items: list[Json | Raw]) -> None:
    """Leave out ids that another server of this dialect gave: the vendor refuses one that does not begin as its own."""
    for item in items:
        if isinstance(item, dict) and "id" in item:
            prefix = PREFIXES.get(item["type"]) if "type" in item else None
            identity = item["id"] if isinstance(item["id"], str) else bytes(item["id"]).decode().strip('"')
            if prefix is not None and identity != "null" and not identity.startswith(prefix):
                del item["id"]


def _own_message(job: Job, message: Message, path: str) -> Json:
    node: Json = {} if message.form in {TRIGGER, ASKED} else dict(message.extras)
    if message.form == AGENT:
        node["type"] = AGENT
    else:
        if message.form != UNTYPED:
            node["type"] = "message"
        node["role"] = _role(job, message.role)
    spoken = message.role == "assistant"
    _set_content(job, node, "content", message.parts, path, plain=message.plain, spoken=spoken)
    return node


def _role(job: Job, role: str) -> str:
    """Who speaks: where only developers give instructions, the system does it as one."""
    if role == "system" and job.caps.system_role == "developer" and not job.caps.judges_itself:
        return "developer"
    return role


def _set_content(
    job: Job, node: Json, key: str, parts: tuple[Part, ...], path: str, *, plain: bool, spoken: bool = False
) -> None:
    carried = [kept for i, part in enumerate(parts) if (kept := carry(job, part, f"{path}.{key}[{i}]")) is not None]
    if plain and len(carried) == 1 and isinstance(carried[0], Text):
        node[key] = carried[0].text
    elif carried:
        node[key] = [part for kept in carried if (part := render_part(kept, spoken=spoken)) is not None]
    elif parts:
        node[key] = []


def _own_item(job: Job, part: Part, path: str) -> Json | Raw | None:
    match part:
        case Thinking():
            return thinking_item(job, part, path)
        case ToolCall():
            return call_item(job, part)
        case ToolResult():
            return _own_result(job, part, path)
        case ServerToolCall():
            return {**part.extras, "type": part.kind}
        case ServerToolResult() | Opaque():
            return part.raw
        case _:
            return None


def _own_result(job: Job, result: ToolResult, path: str) -> Json:
    kind, _, flag = result.form.partition(" ")
    if (kind not in _PLAIN_OUTPUTS and not job.native) or (kind == CUSTOM_OUTPUT and not job.caps.custom_tools):
        return _plain_result(job, result, path)
    node: Json = dict(result.extras)
    node["type"] = kind or "function_call_output"
    if result.call_id:
        node["id" if flag == "id" else "call_id"] = job.call_id(result.call_id)
    if kind == SEARCH_OUTPUT:
        return node  # its tools are among the extras
    if kind == "shell_call_output":
        if result.content and isinstance(result.content[0], Text):
            node["output"] = Raw(result.content[0].text.encode())
    else:
        _set_content(job, node, "output", result.content, path, plain=result.plain)
    return node


def _plain_result(job: Job, result: ToolResult, path: str) -> Json:
    """A result as that of a function, whatever tool it is of."""
    content = [kept for i, part in enumerate(result.content) if (kept := carry(job, part, f"{path}.content[{i}]"))]
    output = _output(content, is_error=bool(result.is_error))
    return {"type": "function_call_output", "call_id": job.call_id(result.call_id), "output": output}


# ---- single items, of whatever origin ----


def thinking_item(job: Job, part: Thinking, path: str) -> Json | None:
    """A reasoning or compaction item, for who issued it; everyone else could not read it."""
    signed = part.signed
    if signed is None or signed.origin != job.caps.origin or not signed.kind.startswith(f"{NAME}:"):
        lost = thinking_loss(part, path)
        job.lose_once(path, lost.reason, lost.severity)
        return None
    node: Json = dict(part.extras) if job.ours else {}
    if signed.id:
        node["id"] = signed.id
    if signed.kind == COMPACTION_BLOB:
        node["type"] = part.form if part.form.endswith("compaction") else "compaction"
        if signed.blob:
            node["encrypted_content"] = signed.blob
        return node
    if signed.kind not in {REASONING, PLAIN}:
        lost = thinking_loss(part, path)
        job.lose_once(path, lost.reason, lost.severity)
        return None
    node["type"] = "reasoning"
    form, _, bare = part.form.partition(" ") if job.ours else ("summary" if part.text else "", "", "")
    if form == "summary":
        node.setdefault("summary", [{"type": "summary_text", "text": part.text}])
    elif form == "content":
        node.setdefault("content", [{"type": "reasoning_text", "text": part.text}])
    if not bare:
        node.setdefault("summary", [])
    if signed.blob:
        node["encrypted_content"] = signed.blob
    return node


def call_item(job: Job, call: ToolCall) -> Json:
    """A call in the item that its kind and form have."""
    form = call.form if job.native else ""
    node: Json = dict(call.extras) if job.ours else {}
    node["call_id"] = job.call_id(call.id)
    member = _OBJECT_CALLS.get(form)
    if member is not None:
        node["type"] = form
        node[member] = Raw(call.arguments.encode())
        return node
    name = call.name
    if form.startswith(NAMESPACE):
        length = int(form[len(NAMESPACE) :])
        node["namespace"], name = (name[:length], name[length + 1 :]) if length else (name, name)
    node["name"] = job.tool_name(name)
    if call.kind == "custom" and job.caps.custom_tools:
        node["type"], node["input"] = "custom_tool_call", call.arguments
        return node
    node["type"] = "function_call"
    if call.kind == "custom":
        node["arguments"] = msgspec.json.encode({"input": call.arguments}).decode()
    else:
        node["arguments"] = call.arguments if job.ours else call.arguments or "{}"
    return node


# ---- messages of other dialects ----


class _History:
    """Writes foreign messages as items, one part after the other; parts that a message item holds are gathered."""

    def __init__(self, job: Job, items: list[Json | Raw]) -> None:
        self._job = job
        self._items = items
        self._custom: set[str] = set()
        self.spoken_last = False

    def add(self, path: str, message: Message) -> None:
        """Write the next message."""
        job = self._job
        _lose_head(job, message, path)
        role = message.role
        if role in {"system", "developer"}:
            self._system(path, message)
            return
        held: list[Part] = []
        spoken = role == "assistant"
        for i, part in enumerate(message.parts):
            where = f"{path}.content[{i}]"
            item: Json | Raw | None
            match part:
                case Thinking():
                    item = thinking_item(job, part, where)
                case ToolCall():
                    item = self._call(part, where)
                case ToolResult():
                    item = self._result(part, where)
                case _:
                    self._hold(held, part, where, spoken=spoken)
                    continue
            if item is not None:
                self._flush(role, held)
                self._items.append(item)
                self.spoken_last = False
        self._flush(role, held)

    def _hold(self, held: list[Part], part: Part, where: str, *, spoken: bool) -> None:
        carried = carry(self._job, part, where)
        if carried is None or (isinstance(carried, Text | Refusal) and not carried.text):
            return
        if spoken and isinstance(carried, Image | Document | Audio):
            self._job.lose(where, "the model's own messages are text here", "error")
            carried = Text(f"[{type(carried).__name__.lower()} omitted]")
        held.append(carried)

    def _flush(self, role: str, held: list[Part]) -> None:
        if not held:
            return
        if role == "assistant":
            # the list form of the model's own message asks for an id, which only its vendor can give
            self._items += [
                {"type": "message", "role": role, "content": part.text}
                for part in held
                if isinstance(part, Text | Refusal)
            ]
        else:
            self._items.append(_said("user", held))
        self.spoken_last = role == "assistant"
        held.clear()

    def _system(self, path: str, message: Message) -> None:
        texts: list[Part] = []
        for i, part in enumerate(message.parts):
            self._hold(texts, part, f"{path}.content[{i}]", spoken=False)
        if not texts:
            return
        if self._job.caps.mid_system:
            self._items.append(_said("developer", texts))
        else:
            self._job.lose_once(path, "system messages in between are sent as notes in a user message", "info")
            words = "\n\n".join(part.text for part in texts if isinstance(part, Text))
            self._items.append(_said("user", [Text(f"<system-reminder>\n{words}\n</system-reminder>")]))
        self.spoken_last = False

    def _call(self, call: ToolCall, where: str) -> Json:
        self._job.own(call, where)
        item = call_item(self._job, call)
        if item["type"] == "custom_tool_call":
            self._custom.add(call.id)
        return item

    def _result(self, result: ToolResult, where: str) -> Json:
        job = self._job
        job.own(result, where)
        item = _plain_result(job, result, where)
        if result.call_id in self._custom:
            item["type"] = CUSTOM_OUTPUT
        return item


def _output(content: list[Part], *, is_error: bool) -> str | list[Json | Raw]:
    """The output of a foreign result: one string where it is all text. That it is an error is said in words."""
    texts = [part.text for part in content if isinstance(part, Text)]
    if len(texts) == len(content):
        return (TOOL_ERROR if is_error else "") + ("\n\n".join([text for text in texts if text]) or NO_OUTPUT)
    if is_error:
        content = [Text(TOOL_ERROR.strip()), *content]
    content = [part for part in content if not isinstance(part, Text) or part.text]
    return [node for part in content if (node := render_part(part)) is not None]


# ---- single parts ----


def carry(job: Job, part: Part, path: str) -> Part | None:
    """The part as this target can take it: itself, a note in its place, or None with its loss."""
    caps = job.caps
    match part:
        case Text():
            pass
        case Image(source=source):
            if not caps.images:
                return _omitted(job, path, "image", source, "the model takes no pictures")
            if isinstance(source, FileId) and not job.ours:
                return _omitted(job, path, "image", source, "the file is stored at another provider")
            if isinstance(source, Url) and not caps.image_urls:
                return _omitted(job, path, "image", source, "the provider fetches no pictures")
            if part.detail is None and not job.ours:
                part = replace(part, detail="auto")  # required here
        case Document(source=InlineText() as source):
            job.own(part, path)
            titled = f' title="{part.title}"' if part.title else ""
            return Text(f"<document{titled}>\n{source.text}\n</document>")
        case Document(source=source):
            if not caps.documents:
                return _omitted(job, path, "document", source, "the model takes no documents")
            if isinstance(source, FileId) and not job.ours:
                return _omitted(job, path, "document", source, "the file is stored at another provider")
            if isinstance(source, Base64) and part.title is None and not job.ours:
                # inline bytes must have a name here where they need none elsewhere
                part = replace(part, title=f"document.{source.media_type.rpartition('/')[2] or 'pdf'}")
        case Audio() if not (caps.audio and job.ours):
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


def _omitted(job: Job, path: str, what: str, source: object, reason: str) -> Text:
    job.lose(path, reason, "error")
    match source:
        case Base64(media_type=media_type):
            return Text(f"[{what} omitted: {media_type or 'unknown type'}]")
        case Url(url=url):
            return Text(f"[{what} omitted: {url}]")
        case _:
            return Text(f"[{what} omitted]")
