"""What the Messages API refuses in `messages` and `system`, in its words: blocks, pairs of calls and results, order."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.fakes.refusal import Json, Refusal, words

TOOL_ID = re.compile(r"^[a-zA-Z0-9_-]+$")
IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"GIF8": "image/gif", b"RIFF": "image/webp"}

# Members of each content block. Blocks of server tools (OTHER_BLOCKS) come back as they were sent, unchecked.
BLOCKS: dict[str, frozenset[str]] = {
    "text": frozenset({"type", "text", "cache_control", "citations"}),
    "image": frozenset({"type", "source", "cache_control", "transformations"}),
    "document": frozenset({"type", "source", "title", "context", "citations", "cache_control"}),
    "search_result": frozenset({"type", "source", "title", "content", "citations", "cache_control"}),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
    "tool_use": frozenset({"type", "id", "name", "input", "cache_control", "caller", "toolset_name"}),
    "tool_result": frozenset({"type", "tool_use_id", "content", "is_error", "cache_control", "toolset_name"}),
    "tool_reference": frozenset({"type", "tool_name", "cache_control"}),
}
REQUIRED = {
    "text": ("text",),
    "image": ("source",),
    "document": ("source",),
    "thinking": ("thinking", "signature"),
    "redacted_thinking": ("data",),
    "tool_use": ("id", "name", "input"),
    "tool_result": ("tool_use_id",),
    "tool_reference": ("tool_name",),
}
OTHER_BLOCKS = words(
    "server_tool_use web_search_tool_result web_fetch_tool_result code_execution_tool_result container_upload"
    " bash_code_execution_tool_result text_editor_code_execution_tool_result mcp_tool_use mcp_tool_result compaction"
    " tool_search_tool_result fallback tool_addition tool_removal browser_state web_fetch"
)

Verify = Callable[[str, str], bool]


def check_messages(body: Json, betas: tuple[str, ...], *, newer: bool, verify: Verify | None) -> None:
    """Refuse messages that break a rule. `newer`: the model takes system messages and no prefill."""
    messages = body["messages"]
    if not isinstance(messages, list):
        raise Refusal("messages: Input should be a valid list")
    if not messages:
        raise Refusal("messages: at least one message is required")
    for index, message in enumerate(messages):
        _check_message(message, f"messages.{index}", betas, newer=newer, verify=verify)
    _check_order(messages, newer=newer)
    _check_pairs(messages)
    _check_references(messages, body.get("tools") or [])
    if (body.get("thinking") or {}).get("type") == "enabled":
        _check_thinking_first(messages)


def check_text_blocks(content: Any, path: str) -> None:
    """Refuse a `system` or a system message that is not text, or is empty text."""
    if isinstance(content, str):
        return
    if not isinstance(content, list | tuple):
        raise Refusal(f"{path}: Input should be a valid list")
    for index, block in enumerate(content):
        if not isinstance(block, dict) or block.get("type") != "text":
            raise Refusal(f"{path}.{index}.type: Input should be 'text'")
        _check_block_shape(block, f"{path}.{index}")
        if not block["text"]:
            raise Refusal(f"{path}: text content blocks must be non-empty")


def count_breakpoints(body: Json) -> int:
    """How many blocks carry `cache_control`, anywhere in the request."""
    found = sum(1 for tool in body.get("tools") or () if tool.get("cache_control"))
    system = body.get("system")
    blocks: list[Any] = list(system) if isinstance(system, list) else []
    for message in body["messages"]:
        blocks += [block for _, block in _blocks(message)]
    while blocks:
        block = blocks.pop()
        found += bool(isinstance(block, dict) and block.get("cache_control"))
        if isinstance(block, dict) and isinstance(block.get("content"), list):
            blocks += block["content"]
    return found


def _blocks(message: Json) -> Iterator[tuple[int, Json]]:
    content = message.get("content")
    if isinstance(content, list):
        yield from enumerate(content)


def _check_message(message: Any, path: str, betas: tuple[str, ...], *, newer: bool, verify: Verify | None) -> None:
    if not isinstance(message, dict):
        raise Refusal("messages: Input does not match the expected shape.")
    role = message.get("role")
    if role not in ("user", "assistant", "system") or (role == "system" and not newer):
        raise Refusal(f"{path}.role: Input should be 'user' or 'assistant'")
    allowed = {"role", "content"}
    if role == "system" and any(b.startswith(("per-turn-control-", "mid-conversation-output-config-")) for b in betas):
        allowed.add("output_config")
    if role == "system" and any(b.startswith("mid-conversation-system-clear-at-") for b in betas):
        allowed.add("clear_at")
    for name in message:
        if name not in allowed:
            raise Refusal(f"{path}.{name}: Extra inputs are not permitted")
    if "content" not in message:
        if message.get("output_config"):
            return
        raise Refusal(f"{path}.content: Field required")
    content = message["content"]
    if isinstance(content, str):
        return
    if role == "system":
        changes = ("tool_addition", "tool_removal")
        check_text_blocks([b for b in content if not isinstance(b, dict) or b.get("type") not in changes], path)
        return
    if not isinstance(content, list):
        raise Refusal(f"{path}.content: Input should be a valid list")
    for index, block in enumerate(content):
        _check_block(block, f"{path}.content.{index}", role, verify)


def _check_block(block: Any, path: str, role: str, verify: Verify | None) -> None:
    _check_block_shape(block, path)
    kind = block["type"]
    if kind == "text" and not block["text"]:
        raise Refusal("messages: text content blocks must be non-empty")
    if kind == "image":
        _check_image(block["source"], f"{path}.image.source")
    if kind in ("tool_use", "thinking", "redacted_thinking") and role != "assistant":
        raise Refusal(f"{path}: `{kind}` blocks can only be in `assistant` messages")
    if kind in ("tool_result", "image") and role != "user":
        raise Refusal(f"{path}: `{kind}` blocks can only be in `user` messages")
    if kind in ("thinking", "redacted_thinking") and verify is not None:
        text, field = (block["thinking"], "signature") if kind == "thinking" else ("", "data")
        if not verify(text, block[field]):
            raise Refusal(f"{path}: Invalid `{field}` in `{kind}` block")
    if kind == "tool_use":
        if not isinstance(block["id"], str) or not TOOL_ID.match(block["id"]):
            raise Refusal(f"{path}.tool_use.id: String should match pattern '{TOOL_ID.pattern}'")
        if not isinstance(block["input"], dict):
            raise Refusal(f"{path}.tool_use.input: Input should be a valid dictionary")
        if not isinstance(block["name"], str) or not 1 <= len(block["name"]) <= 200:
            raise Refusal(f"{path}.tool_use.name: String should have at least 1 character")
    if kind == "tool_result":
        _check_result(block, path)


def _check_block_shape(block: Any, path: str) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind in OTHER_BLOCKS:
        return
    if kind not in BLOCKS:
        known = ", ".join(f"'{name}'" for name in BLOCKS)
        tag = f"Input tag '{kind}' found using 'type' does not match any of the expected tags: {known}"
        raise Refusal(f"{path}: {tag}")
    for name in REQUIRED.get(kind, ()):
        if name not in block:
            raise Refusal(f"{path}.{kind}.{name}: Field required")
    for name in block:
        if name not in BLOCKS[kind]:
            raise Refusal(f"{path}.{kind}.{name}: Extra inputs are not permitted")
    if kind == "text" and not isinstance(block["text"], str):
        raise Refusal(f"{path}.text.text: Input should be a valid string")
    if kind == "text" and block.get("cache_control") and not block["text"]:
        raise Refusal(f"{path}.text: cache_control cannot be set for empty text blocks")
    _check_cache_control(block.get("cache_control"), f"{path}.{kind}.cache_control")


def _check_cache_control(mark: Any, path: str) -> None:
    if mark is None:
        return
    if not isinstance(mark, dict) or mark.get("type") != "ephemeral":
        raise Refusal(f"{path}.type: Input should be 'ephemeral'")
    if mark.get("ttl", "5m") not in ("5m", "1h"):
        raise Refusal(f"{path}.ephemeral.ttl: Input should be '5m' or '1h'")
    for name in mark:
        if name not in ("type", "ttl", "scope"):
            raise Refusal(f"{path}.ephemeral.{name}: Extra inputs are not permitted")


def _check_image(source: Any, path: str) -> None:
    kind = source.get("type") if isinstance(source, dict) else None
    if kind == "url":
        if not str(source.get("url", "")).startswith("https://"):
            raise Refusal("Only HTTPS URLs are supported.")
        return
    if kind == "file":
        return
    if kind != "base64":
        raise Refusal(f"{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags")
    if source.get("media_type") not in IMAGE_TYPES:
        expected = "'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
        raise Refusal(f"{path}.base64.media_type: Input should be {expected}")
    try:
        data = base64.b64decode(source.get("data", ""), validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise Refusal(f"{path}.base64.data: Invalid base64 data") from None
    real = next((media for magic, media in _MAGIC.items() if data.startswith(magic)), None)
    if real is None:
        raise Refusal("Could not process image")
    if real != source["media_type"]:
        stated = f"The image was specified using the {source['media_type']} media type"
        raise Refusal(f"{path}.base64: {stated}, but the image appears to be a {real} image")


def _check_result(block: Json, path: str) -> None:
    content = block.get("content", "")
    if block.get("is_error") and not content:
        raise Refusal(f"{path}.tool_result: content cannot be empty if `is_error` is true")
    if not isinstance(block.get("is_error", False), bool):
        raise Refusal(f"{path}.tool_result.is_error: Input should be a valid boolean")
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise Refusal(f"{path}.tool_result.content: Input should be a valid list")
    for index, part in enumerate(content):
        where = f"{path}.tool_result.content.{index}"
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in ("text", "image", "document", "search_result", "tool_reference", "browser_state"):
            tag = f"Input tag '{kind}' found using 'type' does not match any of the expected tags"
            raise Refusal(f"{where}: {tag}")
        _check_block(part, where, "user", None)


def _check_order(messages: list[Json], *, newer: bool) -> None:
    if messages[0]["role"] == "system":
        raise Refusal("messages.0.role: a `system` message cannot be the first message")
    if messages[0]["role"] != "user":
        raise Refusal('messages: first message must use the "user" role')
    last = len(messages) - 1
    for index, message in enumerate(messages):
        if message["role"] == "system":
            if messages[index - 1]["role"] == "assistant":
                raise Refusal(f"messages.{index}: a `system` message must follow a `user` message")
            if index != last and messages[index + 1]["role"] == "user":
                raise Refusal(
                    f"messages.{index}: a `system` message must be last or followed by an `assistant` message"
                )
        elif not message["content"] and not (index == last and message["role"] == "assistant"):
            raise Refusal(
                f"messages.{index}: all messages must have non-empty content except for the optional final assistant"
                " message"
            )
    if messages[last]["role"] != "assistant":
        return
    content = messages[last]["content"]
    text = content if isinstance(content, str) else content[-1].get("text", "") if content else ""
    if text != text.rstrip():
        raise Refusal("messages: final assistant content cannot end with trailing whitespace")
    resumable = isinstance(content, list) and content and content[-1]["type"] in OTHER_BLOCKS | {"tool_use"}
    if newer and not resumable:
        raise Refusal(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )


def _check_pairs(messages: list[Json]) -> None:
    waiting: list[str] = []
    for index, message in enumerate(messages):
        path = f"messages.{index}"
        blocks = list(_blocks(message))
        leading = _leading_results(blocks)
        missing = [call for call in waiting if call not in leading]
        if waiting and missing:
            raise _unanswered(index - 1, missing)
        results: set[str] = set()
        for position, block in blocks:
            if block["type"] != "tool_result":
                continue
            call = block["tool_use_id"]
            if call not in waiting:
                raise Refusal(
                    f"{path}.content.{position}: unexpected `tool_use_id` found in `tool_result` blocks: {call}. Each"
                    " `tool_result` block must have a corresponding `tool_use` block in the previous message."
                )
            if call in results:
                raise Refusal(
                    f"{path}.content.{position}: each tool_use must have a single result. Found multiple `tool_result`"
                    f" blocks with id: {call}"
                )
            results.add(call)
        waiting = [block["id"] for _, block in blocks if block["type"] == "tool_use"]
        if len(set(waiting)) != len(waiting):
            raise Refusal(f"{path}: `tool_use` ids must be unique")
    if waiting:
        raise _unanswered(len(messages) - 1, waiting)


def _unanswered(index: int, calls: list[str]) -> Refusal:
    return Refusal(
        f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after:"
        f" {', '.join(calls)}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def _leading_results(blocks: list[tuple[int, Json]]) -> set[str]:
    leading: set[str] = set()
    for _, block in blocks:
        if block["type"] != "tool_result":
            break
        leading.add(block["tool_use_id"])
    return leading


def _check_references(messages: list[Json], tools: list[Json]) -> None:
    names = {tool.get("name") for tool in tools}
    for index, message in enumerate(messages):
        for position, block in _blocks(message):
            content = block.get("content") if block["type"] == "tool_result" else None
            for part in content if isinstance(content, list) else ():
                if part["type"] == "tool_reference" and part["tool_name"] not in names:
                    raise Refusal(
                        f"messages.{index}.content.{position}: Tool reference '{part['tool_name']}' not found in"
                        " available tools"
                    )


def _check_thinking_first(messages: list[Json]) -> None:
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        kinds = [block["type"] for _, block in _blocks(message)]
        if message["role"] == "user" and "tool_result" not in kinds:
            return
        if message["role"] == "assistant":
            if kinds and kinds[0] not in ("thinking", "redacted_thinking") and "tool_use" in kinds:
                raise Refusal(
                    f"messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but found"
                    f" `{kinds[0]}`. When `thinking` is enabled, a final `assistant` message must start with a thinking"
                    " block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). We recommend you"
                    " include thinking blocks from previous turns. To avoid this requirement, disable `thinking`."
                )
            return
