"""How each part of a scripted answer is written in Responses: the item as it opens, its own events, the item done.

Knows neither sequence numbers nor responses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from tests.fakes.refusal import Json
from tests.fakes.responses_ledger import fresh
from tests.fakes.responses_parts import (
    Compact,
    Compute,
    Decline,
    Freeform,
    LocalShell,
    Message,
    NamespacedCall,
    Paint,
    Ponder,
    RemoteCall,
    RemoteTools,
    ToolSearch,
    WebSearch,
)
from tests.fakes.responses_seal import Seal
from tests.fakes.script import Call, Part, Say, Think, pieces


class Manner(Struct, frozen=True):
    """How a request wants its answer, and who writes it.

    `summaries`: reasoning is summed up. `sealed`: it comes encrypted too. `sources`: what a search found is told.
    """

    seal: Seal
    model: str
    summaries: bool
    sealed: bool
    sources: bool
    deltas: int


class Written(Struct):
    """An item: as it opens, the events between (type and members), and as it is in the end."""

    opened: Json
    steps: list[tuple[str, Json]]
    done: Json


def write(parts: list[Part], manner: Manner) -> Written:
    """One item: a message of one or more parts, or whatever else a single part stands for."""
    if isinstance(parts[0], Say | Decline):
        return _message(parts, manner)
    return _WRITERS[type(parts[0])](parts[0], manner)


def grouped(parts: tuple[Part, ...]) -> list[list[Part]]:
    """The parts, those together that stand in one message."""
    groups: list[list[Part]] = []
    for part in parts:
        joins = isinstance(part, Say | Decline) and not isinstance(part, Message)
        if joins and groups and isinstance(groups[-1][0], Say | Decline) and not isinstance(groups[-1][0], Message):
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def _message(parts: list[Part], manner: Manner) -> Written:
    frame: Json = {"id": fresh("msg"), "type": "message", "status": "in_progress", "content": [], "role": "assistant"}
    first = parts[0]
    if isinstance(first, Message) and first.phase is not None:
        frame["phase"] = first.phase
    steps: list[tuple[str, Json]] = []
    content = []
    for index, part in enumerate(parts):
        at: Json = {"content_index": index}
        blank: Json = {"annotations": [], "logprobs": [], "text": ""}
        kind, member, more = "output_text", "text", {"logprobs": list[Json]()}
        if isinstance(part, Decline):
            kind, member, more, blank = "refusal", "refusal", {}, {"refusal": ""}
        text = part.text if isinstance(part, Say | Decline) else ""
        whole: Json = {"type": kind, **blank, member: text}
        steps.append(("response.content_part.added", {**at, "part": {"type": kind, **blank}}))
        steps += [(f"response.{kind}.delta", {**at, "delta": piece, **more}) for piece in pieces(text, manner.deltas)]
        for number, note in enumerate(part.annotations if isinstance(part, Message) else ()):
            whole["annotations"] = [*whole["annotations"], note]
            added = {**at, "annotation_index": number, "annotation": note}
            steps.append(("response.output_text.annotation.added", added))
        steps.append((f"response.{kind}.done", {**at, member: text, **more}))
        steps.append(("response.content_part.done", {**at, "part": whole}))
        content.append(whole)
    return Written(frame, steps, {**frame, "status": "completed", "content": content})


def _think(part: Think, manner: Manner) -> Written:
    identifier = fresh("rs")
    frame: Json = {"id": identifier, "type": "reasoning", "summary": []}
    done = dict(frame)
    if manner.sealed:
        whole = manner.seal.close(manner.model, identifier, part.text)
        # What is sealed at first is not yet all: only the item that is done has what can be sent back.
        frame["encrypted_content"], done["encrypted_content"] = whole[: len(whole) // 2], whole
    summed_up = manner.summaries and not part.redacted and part.text
    steps: list[tuple[str, Json]] = []
    done["summary"] = []
    for index, text in enumerate(part.text.split("\n\n") if summed_up else ()):
        at, whole_part = {"summary_index": index}, {"type": "summary_text", "text": text}
        kind = "response.reasoning_summary"
        steps.append((f"{kind}_part.added", {**at, "part": {"type": "summary_text", "text": ""}}))
        steps += [(f"{kind}_text.delta", {**at, "delta": piece}) for piece in pieces(text, manner.deltas)]
        steps.append((f"{kind}_text.done", {**at, "text": text}))
        steps.append((f"{kind}_part.done", {**at, "part": whole_part}))
        done["summary"].append(whole_part)
    return Written(frame, steps, done)


def _ponder(part: Ponder, manner: Manner) -> Written:
    frame: Json = {"id": fresh("rs"), "type": "reasoning", "summary": [], "content": [], "encrypted_content": None}
    at, whole = {"content_index": 0}, {"type": "reasoning_text", "text": part.text}
    steps: list[tuple[str, Json]] = [
        ("response.content_part.added", {**at, "part": {"type": "reasoning_text", "text": ""}})
    ]
    steps += [("response.reasoning_text.delta", {**at, "delta": piece}) for piece in pieces(part.text, manner.deltas)]
    steps.append(("response.reasoning_text.done", {**at, "text": part.text}))
    steps.append(("response.content_part.done", {**at, "part": whole}))
    return Written(frame, steps, {**frame, "content": [whole]})


def json_text(arguments: dict[str, Any] | str) -> str:
    """Arguments as the dialect has them: JSON text; text stays as it is."""
    return arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()


def _call(part: Call, manner: Manner) -> Written:
    text = json_text(part.arguments)
    frame: Json = {"id": fresh("fc"), "type": "function_call", "status": "in_progress", "arguments": ""}
    frame |= {"call_id": part.id or fresh("call")[:29], "name": part.name}
    if isinstance(part, NamespacedCall) and part.namespace:
        frame["namespace"] = part.namespace
    kind = "response.function_call_arguments"
    steps = [(f"{kind}.delta", {"delta": piece}) for piece in pieces(text, manner.deltas)]
    steps.append((f"{kind}.done", {"arguments": text}))
    return Written(frame, steps, {**frame, "status": "completed", "arguments": text})


def _freeform(part: Freeform, manner: Manner) -> Written:
    frame: Json = {"id": fresh("ctc"), "type": "custom_tool_call", "status": "in_progress", "input": ""}
    frame |= {"call_id": part.id or fresh("call")[:29], "name": part.name}
    if part.namespace:
        frame["namespace"] = part.namespace
    kind = "response.custom_tool_call_input"
    steps = [(f"{kind}.delta", {"delta": piece}) for piece in pieces(part.input, manner.deltas)]
    steps.append((f"{kind}.done", {"input": part.input}))
    return Written(frame, steps, {**frame, "status": "completed", "input": part.input})


def _local_shell(part: LocalShell, manner: Manner) -> Written:
    action: Json = {"type": "exec", "command": list(part.command), "env": {}, "timeout_ms": None, "user": None}
    frame: Json = {"id": fresh("lsh"), "type": "local_shell_call", "status": "in_progress"}
    frame |= {"call_id": part.id or fresh("call")[:29], "action": {**action, "working_directory": None}}
    return Written(frame, [], {**frame, "status": "completed"})


def _tool_search(part: ToolSearch, manner: Manner) -> Written:
    frame: Json = {"id": fresh("tsc"), "type": "tool_search_call", "status": "in_progress", "arguments": {}}
    frame |= {"call_id": part.id or fresh("call")[:29], "execution": "client"}
    return Written(frame, [], {**frame, "status": "completed", "arguments": part.arguments})


def _web_search(part: WebSearch, manner: Manner) -> Written:
    frame: Json = {"id": fresh("ws"), "type": "web_search_call", "status": "in_progress"}
    action: Json = {"type": "search", "query": part.query, "queries": [part.query]}
    if manner.sources:
        action["sources"] = [{"type": "url", "url": url} for url in part.sources]
    steps: list[tuple[str, Json]] = [
        (f"response.web_search_call.{state}", {}) for state in ("in_progress", "searching", "completed")
    ]
    return Written(frame, steps, {**frame, "status": "completed", "action": action})


def _remote_tools(part: RemoteTools, manner: Manner) -> Written:
    frame: Json = {"id": fresh("mcpl"), "type": "mcp_list_tools", "server_label": part.server, "tools": []}
    steps: list[tuple[str, Json]] = [(f"response.mcp_list_tools.{state}", {}) for state in ("in_progress", "completed")]
    return Written(frame, steps, {**frame, "tools": list(part.tools)})


def _remote_call(part: RemoteCall, manner: Manner) -> Written:
    text = json_text(part.arguments)
    frame: Json = {"id": fresh("mcp"), "type": "mcp_call", "status": "in_progress", "approval_request_id": None}
    frame |= {"arguments": "", "error": None, "name": part.name, "output": None, "server_label": part.server}
    state = "failed" if part.error else "completed"
    # All arguments come in one delta.
    steps: list[tuple[str, Json]] = [
        ("response.mcp_call.in_progress", {}),
        ("response.mcp_call_arguments.delta", {"delta": text}),
        ("response.mcp_call_arguments.done", {"arguments": text}),
        (f"response.mcp_call.{state}", {}),
    ]
    error = {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": part.error}]}
    end = {"error": error} if part.error else {"output": part.output}
    return Written(frame, steps, {**frame, "status": state, "arguments": text, **end})


def _compute(part: Compute, manner: Manner) -> Written:
    frame: Json = {"id": fresh("ci"), "type": "code_interpreter_call", "status": "in_progress", "code": ""}
    frame |= {"container_id": fresh("cntr"), "outputs": None}
    kind = "response.code_interpreter_call"
    steps: list[tuple[str, Json]] = [(f"{kind}.in_progress", {})]
    steps += [(f"{kind}_code.delta", {"delta": piece}) for piece in pieces(part.code, manner.deltas)]
    steps += [(f"{kind}_code.done", {"code": part.code}), (f"{kind}.interpreting", {}), (f"{kind}.completed", {})]
    outputs = [{"type": "logs", "logs": part.logs}] if part.logs else None
    return Written(frame, steps, {**frame, "status": "completed", "code": part.code, "outputs": outputs})


def _paint(part: Paint, manner: Manner) -> Written:
    frame: Json = {"id": fresh("ig"), "type": "image_generation_call", "status": "in_progress"}
    look = {"background": "opaque", "output_format": "png", "quality": "low", "size": "1024x1024"}
    kind = "response.image_generation_call"
    steps: list[tuple[str, Json]] = [
        (f"{kind}.in_progress", {}),
        (f"{kind}.generating", {}),
        (f"{kind}.partial_image", {"partial_image_index": 0, "partial_image_b64": part.result, **look}),
        (f"{kind}.completed", {}),
    ]
    done = {**frame, "status": "completed", "result": part.result, "revised_prompt": part.prompt, **look}
    return Written(frame, steps, done)


def compaction(text: str, seal: Seal, model: str) -> Json:
    """A compaction item: what was said, sealed."""
    identifier = fresh("cmp")
    return {"id": identifier, "type": "compaction", "encrypted_content": seal.close(model, identifier, text)}


def _compact(part: Compact, manner: Manner) -> Written:
    item = compaction(part.text, manner.seal, manner.model)
    return Written(item, [("response.compaction.compacting", {})], item)


_WRITERS: dict[type[Part], Callable[[Any, Manner], Written]] = {
    Think: _think,
    Ponder: _ponder,
    Call: _call,
    NamespacedCall: _call,
    Freeform: _freeform,
    LocalShell: _local_shell,
    ToolSearch: _tool_search,
    WebSearch: _web_search,
    RemoteTools: _remote_tools,
    RemoteCall: _remote_call,
    Compute: _compute,
    Paint: _paint,
    Compact: _compact,
}
