"""Parts of an answer as items, for our clients.

What an upstream of this dialect said goes out with all its members; parts of other origin become the items that the
official API has for them. A call takes the form in which the client offered its tool: a function, free text, a member
of a namespace, a search among tools. Knows single items only, not the events that tell them.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from strowger.dialects.base import EncoderSetup, Loss, Severity
from strowger.dialects.envelope import seal
from strowger.dialects.losses import extras_losses
from strowger.dialects.openai_responses.errors import members, string
from strowger.dialects.openai_responses.output import (
    CALL_ITEMS,
    CONTENT_FORM,
    MESSAGE,
    NAMESPACE,
)
from strowger.dialects.openai_responses.parts import Json
from strowger.dialects.openai_responses.wire import (
    CLIENT_CALLS,
    COMPACTION_BLOB,
    NAME,
    PLAIN,
    PREFIXES,
    SUMMARY,
    SUMMARY_ORIGIN,
)
from strowger.ir.request import (
    GROUP_MARK,
    NO_EXTRAS,
    Base64,
    Citation,
    CustomTool,
    Extras,
    FunctionTool,
    HostedTool,
    Image,
    Refusal,
    Request,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Text,
    Thinking,
    ToolCall,
    ToolGroup,
)

FUNCTION, CUSTOM = "function_call", "custom_tool_call"
WEB_ITEM, CODE_ITEM = "web_search_call", "code_interpreter_call"
_EMPTY_LIST = Raw(b"[]")
_EXPECTED: dict[str, Json] = {
    "local_shell_call": {"type": "exec", "env": {}},
    "shell_call": {"timeout_ms": None, "max_output_length": None},
}
"""Members of what to do that clients expect, and a model that was told only the rest does not write."""
_NOBODYS = Signed("", PLAIN, "")
"""What ties thinking to nobody: it comes back as nobody's, where an item without any state would be the vendor's."""


class Voice:
    """How one answer is written: whose it is, and what of it could not be said."""

    def __init__(self, setup: EncoderSetup) -> None:
        self.setup = setup
        self.own = False
        self.origin = ""
        self.losses: list[Loss] = []
        self._forms: dict[str, str] | None = None
        self._groups: dict[str, str] | None = None

    def begin(self, origin: str) -> None:
        """The answer is of an upstream of this dialect."""
        self.own, self.origin = origin == NAME, origin

    def lose(self, path: str, reason: str, severity: Severity = "warning") -> None:
        """Report something that cannot be said; once."""
        loss = Loss(path, reason, severity)
        if loss not in self.losses:
            self.losses.append(loss)

    def extras(self, extras: Extras, path: str) -> Extras:
        """Extras that mean something here; those of another dialect are losses."""
        if self.own or not extras:
            return extras
        for loss in extras_losses(extras, path):
            self.lose(loss.path, loss.reason, "info" if loss.severity == "info" else "warning")
        return NO_EXTRAS

    def new_id(self, kind: str) -> str:
        """An id for an item of that type."""
        return self.setup.new_id(PREFIXES.get(kind, "item_"))

    def form_of(self, call: ToolCall) -> str:
        """The type of item that a call has, by how the client offered the tool."""
        if self._forms is None:
            self._forms = {} if self.setup.request is None else _forms(self.setup.request)
        if self.own and call.form in CALL_ITEMS:
            return call.form
        plain = CUSTOM if call.kind == "custom" else FUNCTION
        return self._forms.get(call.name, plain)

    def named(self, call: ToolCall) -> Json:
        """`name`, and `namespace` where the tool is of one."""
        if call.form.startswith(NAMESPACE):
            length = int(call.form[len(NAMESPACE) :])
            if length == 0:
                return {"name": call.name, "namespace": call.name}
            return {"name": call.name[length + 1 :], "namespace": call.name[:length]}
        if self._groups is None:
            self._groups = {} if self.setup.request is None else _groups(self.setup.request)
        group = self._groups.get(call.name)
        return {"name": call.name} if group is None else {"name": call.name[len(group) + 1 :], "namespace": group}

    def encrypted(self, signed: Signed, words: str) -> str:
        """The blob of an upstream of this dialect as it is; any other state in an envelope that brings it home, with
        the words that it signs: a client may keep it without the summary.
        """
        return signed.blob if self.own and signed.kind.startswith(f"{NAME}:") else seal(signed, words)


def _forms(request: Request) -> dict[str, str]:
    """The item type of each tool's calls, by the tool's name."""
    forms: dict[str, str] = {}
    for tool in request.tools:
        match tool:
            case FunctionTool():
                forms[tool.name] = FUNCTION
            case CustomTool():
                forms[tool.name] = CUSTOM
            case ToolGroup():
                for inner in tool.tools:
                    kind = CUSTOM if isinstance(inner, CustomTool) else FUNCTION
                    forms[f"{tool.name}{GROUP_MARK}{inner.name}"] = kind
            case HostedTool() if tool.type in CLIENT_CALLS and tool.ability is None:
                forms[tool.name or tool.type] = CLIENT_CALLS[tool.type][0]
            case _:
                continue
    return forms


def _groups(request: Request) -> dict[str, str]:
    """The namespace of each tool that has one, by the whole name. Names may have the mark themselves."""
    groups = [tool for tool in request.tools if isinstance(tool, ToolGroup)]
    return {f"{group.name}{GROUP_MARK}{tool.name}": group.name for group in groups for tool in group.tools}


# ---- messages ----


def message_head(voice: Voice, part: Text | Refusal) -> Json:
    """The members of the message that begins with this part, without its content."""
    if voice.own:
        head = members(part.extras.get(MESSAGE))
        if head is not None:
            return {"type": "message", **head}
    return {"id": voice.new_id("message"), "type": "message", "status": "completed", "role": "assistant"}


def content_node(voice: Voice, part: Text | Refusal, text: str, cited: list[Raw]) -> Json:
    """One part of a message."""
    extras = {key: value for key, value in voice.extras(part.extras, "content").items() if key != MESSAGE}
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": text, **extras}
    node: Json = {"type": "output_text", "text": text}
    if not voice.own:
        node |= {"annotations": [], "logprobs": []}
    node |= extras
    if cited:
        node["annotations"] = cited
    return node


def annotation_node(citation: Citation, length: int) -> Raw | None:
    """A foreign citation as an annotation of a text of that length; None for what is no web page."""
    if not citation.url:
        return None
    start = 0 if citation.start is None else citation.start
    end = length if citation.end is None else citation.end
    node = {
        "type": "url_citation",
        "url": citation.url,
        "title": citation.title,
        "start_index": start,
        "end_index": end,
    }
    return Raw(msgspec.json.encode(node))


# ---- thinking ----


def reasoning_node(voice: Voice, part: Thinking, text: str, signed: Signed | None) -> Json:
    """A reasoning item; a compaction where an upstream of this dialect made one."""
    node: Json = dict(voice.extras(part.extras, "content"))
    if signed is not None and signed.kind == COMPACTION_BLOB and voice.own:
        node["type"] = part.form or "compaction"
        return {**node, "encrypted_content": signed.blob} if signed.blob else node
    node["type"] = "reasoning"
    if voice.own and part.form == CONTENT_FORM:
        node.setdefault("content", [{"type": "reasoning_text", "text": text}])
        node.setdefault("summary", _EMPTY_LIST)
    else:
        node.setdefault("summary", [{"type": "summary_text", "text": text}] if text else _EMPTY_LIST)
    if signed is None and not voice.own:
        signed = _NOBODYS
    if signed is not None and (blob := voice.encrypted(signed, text if signed.origin else "")):
        node["encrypted_content"] = blob
    return node


def compaction_node(voice: Voice, text: str) -> Json:
    """A summary that another vendor's model wrote as the item that clients keep instead of their conversation."""
    blob = seal(Signed(SUMMARY_ORIGIN, SUMMARY, text))
    return {"id": voice.new_id("compaction"), "type": "compaction", "encrypted_content": blob}


# ---- calls ----


def call_node(voice: Voice, call: ToolCall, kind: str, arguments: str) -> Json:
    """A call in its item. `arguments` are complete, or empty where it begins."""
    extras = voice.extras(call.extras, "content")
    node: Json = {"type": kind, "call_id": call.id}
    if not voice.own:
        node["status"] = "completed"
    if kind in CALL_ITEMS:
        member = CALL_ITEMS[kind][1]
        node[member] = _object(arguments) if voice.own else {**_EXPECTED.get(kind, {}), **_members_of(arguments)}
        if kind == "tool_search_call":
            node["execution"] = "client"
        return {**node, **extras}
    node |= voice.named(call)
    node["input" if kind == CUSTOM else "arguments"] = arguments
    return {**node, **extras}


def free_text(arguments: str) -> str:
    """The text inside the arguments of a function that stands for a tool with free text; else all of it."""
    seen = members(arguments.encode("utf-8", "surrogatepass"))
    given = None if seen is None else string(seen.get("input"))
    return arguments if given is None else given


def _object(arguments: str) -> Raw:
    """Arguments as the object they are meant to be; what is none becomes an empty one."""
    data = arguments.encode("utf-8", "surrogatepass")
    return Raw(data) if members(data) is not None else Raw(b"{}")


def _members_of(arguments: str) -> Json:
    return dict(members(arguments.encode("utf-8", "surrogatepass")) or {})


# ---- tools of the provider ----


def server_kind(voice: Voice, call: ServerToolCall) -> str:
    """The type of item for a call of a provider's own tool; empty when there is none."""
    if voice.own:
        return call.kind
    return {"web_search": WEB_ITEM, "web_fetch": WEB_ITEM, "code_execution": CODE_ITEM}.get(call.name, "")


def server_head(identity: str, kind: str, status: str = "in_progress") -> Json:
    """The item as it begins, with the members that typed clients expect."""
    node: Json = {"id": identity, "type": kind, "status": status}
    if kind == WEB_ITEM:
        return {**node, "action": {"type": "search"}}
    return {**node, "code": "", "container_id": "", "outputs": None} if kind == CODE_ITEM else node


def server_node(
    identity: str, kind: str, call: ServerToolCall, arguments: str, result: ServerToolResult | None
) -> Json:
    """The item of a foreign call, with what it gave as far as it is known."""
    given = members(arguments.encode("utf-8", "surrogatepass")) or {}
    failed = result is not None and bool(result.error)
    node: Json = {"id": identity, "type": kind, "status": "failed" if failed else "completed"}
    if kind == CODE_ITEM:
        printed = [{"type": "logs", "logs": result.output}] if result is not None and result.output else None
        return {**node, "code": string(given.get("code")) or "", "container_id": "", "outputs": printed}
    if call.name == "web_fetch":
        node["action"] = {"type": "open_page", "url": string(given.get("url")) or ""}
        return node
    action: Json = {"type": "search", "query": string(given.get("query")) or ""}
    if result is not None and result.found:
        action["sources"] = [{"type": "url", "url": found.url} for found in result.found]
    node["action"] = action
    return node


def image_node(voice: Voice, part: Image) -> Json | None:
    """A picture that the model made; None when it is not given as bytes."""
    if not isinstance(part.source, Base64):
        return None
    node: Json = {
        "id": voice.setup.new_id("ig_"),
        "type": "image_generation_call",
        "status": "completed",
        "result": part.source.data,
    }
    form = part.source.media_type.removeprefix("image/")
    return {**node, "output_format": form} if form in {"png", "jpeg", "webp"} else node
