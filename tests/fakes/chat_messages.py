"""What a Chat Completions vendor refuses inside `messages`, in its words: roles, parts, calls and their answers."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from tests.fakes.chat_words import check_known, check_name, empty_array, invalid_type, invalid_value, missing, too_long
from tests.fakes.flavours import Flavour
from tests.fakes.refusal import Json, Refusal

ROLES = ("system", "assistant", "user", "function", "tool", "developer")
MEMBERS = {
    "system": {"role", "content", "name"},
    "developer": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "assistant": {"role", "content", "name", "refusal", "audio", "tool_calls", "function_call", "annotations"},
    "tool": {"role", "content", "tool_call_id", "name"},
    "function": {"role", "content", "name"},
}
PARTS = {
    "text": {"type", "text"},
    "refusal": {"type", "refusal"},
    "image_url": {"type", "image_url"},
    "input_audio": {"type", "input_audio"},
    "file": {"type", "file"},
}
PARTS_OF = {
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
}
CALL_ID_LIMIT = 40
_IMAGE = re.compile(r"^data:image/(png|jpeg|jpg|gif|webp);base64,[A-Za-z0-9+/=\s]+$")


def check_messages(body: Json, flavour: Flavour, reasoned: Collection[str]) -> None:
    """Refuse messages that break a rule of the vendor. `reasoned`: ids of calls that came with reasoning."""
    messages = body.get("messages")
    if messages is None:
        raise missing("messages")
    if not isinstance(messages, list):
        raise invalid_type("messages", "an array of objects", messages)
    if not messages:
        raise empty_array("messages")
    for index, message in enumerate(messages):
        _check_message(message, f"messages[{index}]", flavour)
    _check_pairs(messages)
    if flavour.replay and (body.get("thinking") or {}).get("type") != "disabled":
        _check_replay(messages, flavour, reasoned)


def _check_message(message: Any, path: str, flavour: Flavour) -> None:
    if not isinstance(message, dict):
        raise invalid_type(path, "an object", message)
    role = message.get("role")
    if role not in ROLES or (role == "developer" and not flavour.developer):
        if flavour.name == "deepseek":
            expected = "expected one of `system`, `user`, `assistant`, `tool`"
            raise _deserialize(f"{path}: unknown variant `{role}`, {expected}")
        raise invalid_value(f"{path}.role", role, ROLES)
    extra = {flavour.reasoning, "reasoning_content"} if flavour.reasoning else set()
    if flavour.reasoning:
        extra.add("reasoning")
    known = MEMBERS[role] | extra if role == "assistant" else MEMBERS[role]
    check_known(message, known, path, flavour)
    _check_content(message, role, path, flavour)
    if role == "assistant":
        _check_calls(message, path, flavour)
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise missing(f"{path}.tool_call_id")


def _deserialize(what: str) -> Refusal:
    message = f"Failed to deserialize the JSON body into the target type: {what} at line 1 column 100"
    return Refusal(message, code="invalid_request_error")


def _check_content(message: Json, role: str, path: str, flavour: Flavour) -> None:
    content = message.get("content")
    param = f"{path}.content"
    if content is None:
        if role == "assistant" and (
            message.get("tool_calls") or message.get("refusal") or message.get("function_call")
        ):
            return
        raise Refusal("Invalid value for 'content': expected a string, got null.", param=param)
    if isinstance(content, str):
        if not flavour.empty_text and not content.strip() and role in ("assistant", "user"):
            raise Refusal("Invalid request: text content is empty")
        return
    if not isinstance(content, list):
        raise invalid_type(param, "one of a string or array of objects", content)
    if not content:
        raise empty_array(param)
    for index, part in enumerate(content):
        _check_part(part, role, f"{param}[{index}]", path, flavour)


def _check_part(part: Any, role: str, param: str, message: str, flavour: Flavour) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "video_url" and flavour.videos and role in ("user", "tool"):
        check_known(part, {"type", "video_url"}, param, flavour)
        return
    if kind not in PARTS:
        raise invalid_value(f"{param}.type", kind, tuple(PARTS))
    allowed = PARTS_OF.get(role, ("text",))
    if flavour.tool_images and role == "tool":
        allowed = ("text", "image_url")
    if kind == "image_url" and not flavour.images:
        raise _deserialize(f"{message}: unknown variant `image_url`, expected `text`")
    if kind not in allowed:
        if kind == "image_url":
            only = "Image URLs are only allowed for messages with role 'user'"
            but = f"but this message with role '{role}' contains an image URL."
            raise Refusal(f"Invalid '{message}'. {only}, {but}", param=message, code="invalid_value")
        raise invalid_value(f"{param}.type", kind, allowed)
    check_known(part, PARTS[kind], param, flavour)
    if kind == "text":
        if not isinstance(part.get("text"), str):
            raise missing(f"{param}.text")
        if not flavour.empty_text and not part["text"].strip():
            raise Refusal("Invalid request: text content is empty")
    if kind == "image_url":
        _check_image(part["image_url"], f"{param}.image_url", flavour)
    if kind == "file":
        _check_file(part["file"], f"{param}.file", flavour)


def _check_image(image: Any, param: str, flavour: Flavour) -> None:
    if not isinstance(image, dict):
        raise invalid_type(param, "an object", image)
    check_known(image, ("url", "detail"), param, flavour)
    if image.get("detail", "auto") not in ("auto", "low", "high", "original"):
        raise Refusal(f"Invalid value: '{image['detail']}'.", param=f"{param}.detail", code="invalid_value")
    url = image.get("url")
    if not isinstance(url, str):
        raise missing(f"{param}.url")
    if url.startswith(("https://", "http://")):
        return
    if not url.startswith("data:"):
        words = "Expected a base64-encoded data URL with an image MIME type, or an HTTP(S) URL."
        raise Refusal(f"Invalid '{param}.url'. {words}", param=f"{param}.url", code="invalid_image_url")
    if not _IMAGE.match(url):
        words = "Please make sure your image has of one the following formats: ['png', 'jpeg', 'gif', 'webp']."
        raise Refusal(f"You uploaded an unsupported image. {words}", code="invalid_image_format")


def _check_file(file: Any, param: str, flavour: Flavour) -> None:
    if not isinstance(file, dict) or not (file.get("file_id") or (file.get("file_data") and file.get("filename"))):
        raise missing(f"{param}.file_id")
    check_known(file, ("file_id", "file_data", "filename"), param, flavour)


def _check_calls(message: Json, path: str, flavour: Flavour) -> None:
    calls = message.get("tool_calls")
    if calls is None:
        return
    if not isinstance(calls, list):
        raise invalid_type(f"{path}.tool_calls", "an array of objects", calls)
    if not calls:
        raise empty_array(f"{path}.tool_calls")
    for index, call in enumerate(calls):
        where = f"{path}.tool_calls[{index}]"
        kind = call.get("type")
        if kind not in ("function", "custom"):
            raise missing(f"{where}.type")
        # Clients that send back what they were streamed leave the index in; only OpenAI minds.
        known = {"id", "type", kind} if flavour.name == "openai" else {"id", "type", kind, "index"}
        check_known(call, known, where, flavour)
        identifier = call.get("id")
        if not isinstance(identifier, str) or not identifier:
            raise missing(f"{where}.id")
        # nobody else is known to mind
        if flavour.name == "openai" and len(identifier) > CALL_ID_LIMIT:
            raise too_long(f"{where}.id", identifier, CALL_ID_LIMIT)
        if kind == "function":
            function = call.get("function") or {}
            check_name(function.get("name"), f"{where}.function.name")
            if not isinstance(function.get("arguments"), str):
                raise invalid_type(f"{where}.function.arguments", "a string", function.get("arguments"))
            check_known(function, ("name", "arguments"), f"{where}.function", flavour)


def _check_pairs(messages: list[Json]) -> None:
    waiting: list[str] = []
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                raise Refusal(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with"
                    " 'tool_calls'.",
                    param=f"messages.[{index}].role",
                )
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            raise _unanswered(waiting, index)
        waiting = [call["id"] for call in message.get("tool_calls") or ()]
    if waiting:
        raise _unanswered(waiting, len(messages))


def _unanswered(waiting: list[str], index: int) -> Refusal:
    return Refusal(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
        f" The following tool_call_ids did not have response messages: {', '.join(waiting)}",
        param=f"messages.[{index}].role",
    )


def _check_replay(messages: list[Json], flavour: Flavour, reasoned: Collection[str]) -> None:
    """In a tool loop (since the last user message) the reasoning that came with a call has to come back with it."""
    start = max((i for i, message in enumerate(messages) if message["role"] == "user"), default=-1)
    for index in range(start + 1, len(messages)):
        message = messages[index]
        owed = any(call["id"] in reasoned for call in message.get("tool_calls") or ())
        if owed and not message.get("reasoning_content"):
            if flavour.name == "kimi":
                reason = "thinking is enabled but reasoning_content is missing in assistant tool call message at index"
                raise Refusal(f"{reason} {index}")
            raise Refusal("The `reasoning_content` in the thinking mode must be passed back to the API.")
