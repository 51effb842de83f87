"""What Responses refuses inside `input`, in the vendor's words: items, their ids, parts, and what belongs together."""

from __future__ import annotations

import re
from typing import Any

from tests.fakes.chat_words import NAME, check_name, invalid_type, invalid_value, missing, too_long, unknown
from tests.fakes.refusal import Json, Refusal
from tests.fakes.responses_flavours import ResponsesFlavour
from tests.fakes.responses_ledger import Ledger
from tests.fakes.responses_tables import (
    ANSWERS,
    ITEMS,
    PARTS,
    PASSED_OVER,
    RETURNED,
    ROLES,
    SAID,
    SENT,
    SPOKEN,
)
from tests.fakes.responses_tools import check_tools

CALL_ID_LIMIT = 64
ID_LIMIT = 64
_DATA_URL = re.compile(r"^data:image/(png|jpeg|jpg|gif|webp);base64,[A-Za-z0-9+/=\s]+$")
_FILE_URL = re.compile(r"^data:[\w.+-]+/[\w.+-]+(;[\w=.-]+)*;base64,")
_STRINGS = ("call_id", "name", "arguments", "input", "namespace", "encrypted_content")


def check_items(body: Json, flavour: ResponsesFlavour) -> None:
    """Refuse items that are wrong by themselves."""
    items = body.get("input")
    if isinstance(items, str) and flavour.text_input:
        return
    if not isinstance(items, list):
        if flavour.detail:
            raise Refusal("Input must be a list", kind="detail")
        raise invalid_type("input", "one of a string or array of objects", items)
    seen: set[str] = set()
    for index, item in enumerate(items):
        path = f"input[{index}]"
        _check_item(item, path, flavour)
        identifier = item.get("id")
        if identifier in seen:
            cure = "Remove duplicate items from your input and try again."
            raise Refusal(f"Duplicate item found with id {identifier}. {cure}", param="input")
        seen |= {identifier} if identifier else set()


def _check_item(item: Any, path: str, flavour: ResponsesFlavour) -> None:
    if not isinstance(item, dict):
        raise invalid_type(path, "an object", item)
    name = item.get("type", "item_reference" if set(item) == {"id"} else "message")
    kind = ITEMS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise invalid_value(path, name, tuple(sorted(ITEMS)))
    for member in kind.required:
        if member not in item:
            raise missing(f"{path}.{member}")
    for member in item:
        if member not in kind.members and member not in PASSED_OVER:
            raise unknown(f"{path}.{member}")
    _check_id(item.get("id"), kind.prefix, f"{path}.id")
    for member in _STRINGS:
        # A search for tools takes an object, all others JSON text.
        free = (name, member) == ("tool_search_call", "arguments")
        if member in kind.members and not free and not isinstance(item.get(member), str | None):
            raise invalid_type(f"{path}.{member}", "a string", item[member])
    if len(item.get("call_id") or "") > CALL_ID_LIMIT:
        raise too_long(f"{path}.call_id", item["call_id"], CALL_ID_LIMIT)
    if name in ("function_call", "custom_tool_call"):
        check_name(item["name"], f"{path}.name")
    _check_inside(item, name, path, flavour)


def _check_id(identifier: Any, prefix: str, param: str) -> None:
    if identifier is None:
        return
    if not isinstance(identifier, str):
        raise invalid_type(param, "a string", identifier)
    if not NAME.match(identifier):
        words = "Expected an ID that contains letters, numbers, underscores, or dashes, but this value contained"
        message = f"Invalid '{param}': '{identifier}'. {words} additional characters."
        raise Refusal(message, param=param, code="invalid_value")
    if len(identifier) > ID_LIMIT:
        raise too_long(param, identifier, ID_LIMIT)
    if not identifier.startswith(prefix):
        message = f"Invalid '{param}': '{identifier}'. Expected an ID that begins with '{prefix}'."
        raise Refusal(message, param=param, code="invalid_value")


def _check_inside(item: Json, name: str, path: str, flavour: ResponsesFlavour) -> None:
    if name == "message":
        _check_message(item, path, flavour)
    elif name == "reasoning":
        _check_summary(item["summary"], f"{path}.summary")
    elif name in ("function_call_output", "custom_tool_call_output"):
        output = item["output"]
        if not isinstance(output, str):
            _check_parts(output, RETURNED, f"{path}.output", "one of a string or array of objects")
    elif name == "additional_tools":
        if item["role"] != "developer":
            raise invalid_value(f"{path}.role", item["role"], ("developer",))
        check_tools(item["tools"], f"{path}.tools")
    elif name == "tool_search_output":
        check_tools(item["tools"], f"{path}.tools")


def _check_message(item: Json, path: str, flavour: ResponsesFlavour) -> None:
    role = item["role"]
    if role not in ROLES:
        raise invalid_value(f"{path}.role", role, ROLES)
    if role == "system" and not flavour.system:
        raise Refusal("System messages are not allowed", kind="detail")
    if item.get("phase") not in (None, "commentary", "final_answer"):
        raise invalid_value(f"{path}.phase", item["phase"], ("commentary", "final_answer"))
    if not isinstance(item["content"], str):
        allowed = SAID if role == "assistant" else SENT
        _check_parts(item["content"], allowed, f"{path}.content", "one of an array of objects or string")


def _check_summary(summary: Any, path: str) -> None:
    if not isinstance(summary, list):
        raise invalid_type(path, "an array of objects", summary)
    for index, part in enumerate(summary):
        if part.get("type") != "summary_text":
            raise invalid_value(f"{path}[{index}].type", part.get("type"), ("summary_text",))
        if not isinstance(part.get("text"), str):
            raise missing(f"{path}[{index}].text")


def _check_parts(parts: Any, allowed: tuple[str, ...], path: str, expected: str) -> None:
    if not isinstance(parts, list):
        raise invalid_type(path, expected, parts)
    for index, part in enumerate(parts):
        _check_part(part, allowed, f"{path}[{index}]")


def _check_part(part: Any, allowed: tuple[str, ...], path: str) -> None:
    if not isinstance(part, dict):
        raise invalid_type(path, "an object", part)
    kind = part.get("type")
    if kind is None:
        raise missing(f"{path}.type")
    if kind not in allowed:
        raise invalid_value(path, kind, allowed)
    for member in part:
        if member not in PARTS[kind]:
            raise unknown(f"{path}.{member}")
    wanted = {"input_text": "text", "output_text": "text", "refusal": "refusal"}.get(kind)
    if wanted is not None and not isinstance(part.get(wanted), str):
        if wanted not in part:
            raise missing(f"{path}.{wanted}")
        raise invalid_type(f"{path}.{wanted}", "a string", part[wanted])
    if kind == "input_image":
        _check_image(part, path)
    if kind == "input_file":
        _check_file(part, path)


def _check_image(part: Json, path: str) -> None:
    detail = part.get("detail")
    if detail not in (None, "auto", "low", "high", "original"):
        raise invalid_value(f"{path}.detail", detail, ("auto", "low", "high", "original"))
    url = part.get("image_url")
    if url is None:
        if not part.get("file_id"):
            raise missing(f"{path}.image_url")
        return
    param = f"{path}.image_url"
    if not isinstance(url, str):
        # What Chat Completions takes: an object with the URL in it.
        raise invalid_type(param, "an image URL", url)
    if url.startswith(("https://", "http://")):
        return
    if not url.startswith("data:"):
        example = "(e.g. 'data:image/png;base64,aW1nIGJ5dGVzIGhlcmU=')"
        message = f"Invalid '{param}'. Expected a base64-encoded data URL with an image MIME type {example}"
        raise Refusal(f"{message}, but got a value that is neither that nor a URL.", param=param, code="invalid_value")
    if not _DATA_URL.match(url):
        message = "The image data you provided does not represent a valid image. Please check your input and try again"
        types = "with one of the supported image formats: ['image/jpeg', 'image/png', 'image/gif', 'image/webp']."
        raise Refusal(f"{message} {types}", param=param, code="invalid_value")


def _check_file(part: Json, path: str) -> None:
    if part.get("file_id") or part.get("file_url"):
        return
    data = part.get("file_data")
    if data is None:
        raise missing(f"{path}.file_id")
    if not part.get("filename"):
        raise missing(f"{path}.filename")
    if not _FILE_URL.match(data):
        example = "(e.g. 'data:application/pdf;base64,aW1nIGJ5dGVzIGhlcmU=')"
        message = f"Invalid '{path}.file_data'. Expected a base64-encoded data URL with a MIME type {example}"
        raise Refusal(f"{message}, but got a value without it.", param=f"{path}.file_data", code="invalid_value")


def resolve(body: Json, ledger: Ledger) -> list[Json]:
    """The items with references looked up and encrypted content verified, as this server handed both out."""
    items, storing = body.get("input"), body.get("store") is not False
    resolved: list[Json] = []
    for item in items if isinstance(items, list) else ():
        kind = item.get("type", "item_reference" if set(item) == {"id"} else "message")
        if kind == "item_reference":
            item = ledger.item(item["id"], storing=storing)
        elif kind == "reasoning" and not item.get("encrypted_content"):
            if item.get("id"):
                item = ledger.item(item["id"], storing=storing)
        elif kind in ("reasoning", "compaction", "context_compaction") and item.get("encrypted_content"):
            sealed = ledger.seal.open(item["encrypted_content"], body.get("model") or "", item.get("id"))
            item = {**item, "id": sealed.item}
        resolved.append(item)
    return resolved


def check_pairs(items: list[Json]) -> None:
    """Every call has to have its output after it, and every output its call before it."""
    calls: dict[str, str] = {}
    waiting: dict[str, str] = {}
    answers = {answer: call for call, (answer, _) in ANSWERS.items()}
    for item in items:
        kind = item.get("type")
        identifier = item.get("call_id") or item.get("id")
        if not identifier:
            continue
        if kind in ANSWERS:
            calls[identifier] = waiting[identifier] = kind
        elif kind == "tool_search_call":
            # A function's output is taken as the answer to a search for tools, which needs none.
            calls[identifier] = "function_call"
        elif kind in answers:
            if calls.get(identifier) != answers[kind]:
                words = f"No tool call found for {ANSWERS[answers[kind]][1]} output with call_id {identifier}."
                raise Refusal(words, param="input")
            waiting.pop(identifier, None)
    for identifier, kind in waiting.items():
        raise Refusal(f"No tool output found for {ANSWERS[kind][1]} {identifier}.", param="input")


def check_followers(items: list[Json], *, storing: bool) -> None:
    """Reasoning has to stand before what came of it; where items are stored, before the stored one, told by its id."""
    for index, item in enumerate(items):
        if item.get("type") != "reasoning":
            continue
        after = next((other for other in items[index + 1 :] if other.get("type") != "reasoning"), None)
        lost = storing and item.get("id") and not (after or {}).get("id")
        if after is None or not _spoken(after) or lost:
            words = "was provided without its required following item."
            raise Refusal(f"Item '{item.get('id')}' of type 'reasoning' {words}", param="input")


def check_reasons(items: list[Json], ledger: Ledger) -> None:
    """What came of reasoning may not stand without it."""
    here: set[Any] = set()
    # The tool loop begins after the last thing that a user said.
    loop = max((index for index, item in enumerate(items) if item.get("role") == "user"), default=-1)
    for index, item in enumerate(items):
        here.add(item.get("id"))
        needed = ledger.reason_of(item, in_loop=index > loop)
        if needed is not None and needed not in here:
            which = item.get("id") or item.get("call_id")
            words = f"was provided without its required 'reasoning' item: '{needed}'."
            raise Refusal(f"Item '{which}' of type '{item.get('type', 'message')}' {words}", param="input")


def _spoken(item: Json) -> bool:
    if item.get("type") in SPOKEN or item.get("type") == "item_reference":
        return True
    return item.get("type", "message") == "message" and item.get("role") == "assistant"
