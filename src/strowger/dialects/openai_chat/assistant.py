"""A whole assistant message, both ways: requests and answers write it alike."""

from __future__ import annotations

from collections.abc import Iterable

from strowger.dialects.fields import Fields
from strowger.dialects.openai_chat.calls import is_function_call, render_call, render_function_call, take_calls
from strowger.dialects.openai_chat.parts import EMPTY_LIST, Json, render_part, take_content
from strowger.dialects.openai_chat.thinking import take_thinking, worth_taking
from strowger.dialects.openai_chat.wire import TEXT_SIGNED
from strowger.ir.request import Part, Refusal, Text, Thinking, ToolCall


def take_assistant(fields: Fields, origin: str = "", *, keep_empty: bool = True) -> tuple[tuple[Part, ...], bool]:
    """What an assistant message says, in the order thinking, refusal, content, calls; and whether the content was a
    bare string.

    A list that begins with a refusal part leaves an empty `content` in the rest: a refusal that comes first is
    otherwise that of the message's own `refusal` member.
    """
    thinking = take_thinking(fields, origin, keep_empty=keep_empty)
    refusal = fields.text("refusal") if worth_taking(fields, "refusal", keep_empty) else None
    content, plain = take_content(fields) if _worth_taking_content(fields, keep_empty) else ((), False)
    if content and isinstance(content[0], Refusal):
        fields.rest["content"] = EMPTY_LIST
    before = [part for part in thinking if not _of_text(part)]
    after = [part for part in thinking if _of_text(part)] if len(before) < len(thinking) else []
    said: list[Part] = [*before, *content, *after]
    if refusal is not None:
        said.insert(len(before), Refusal(refusal))
    return (*said, *take_calls(fields)), plain


def _of_text(part: Thinking) -> bool:
    """Whether it is what signs the text before it, and nothing else."""
    return not part.text and part.signed is not None and part.signed.id == TEXT_SIGNED


def _worth_taking_content(fields: Fields, keep_empty: bool) -> bool:
    return keep_empty or bytes(fields.rest.get("content", b"")) != b'""'


def assistant_members(node: Json, parts: Iterable[Part], plain: bool) -> None:
    """The inverse of `take_assistant`, but for the thinking that stands beside the content: set refusal, content and
    calls on `node`. The calls keep their ids and names.
    """
    content: list[Part] = []
    calls: list[ToolCall] = []
    in_list = bytes(node.get("content", b"")) == b"[]"
    for part in parts:
        if isinstance(part, ToolCall):
            calls.append(part)
        elif isinstance(part, Refusal) and not content and not in_list:
            node["refusal"] = part.text
        elif not isinstance(part, Thinking) or part.form == "part":
            content.append(part)
    if plain:
        texts = [part for part in content if isinstance(part, Text)]
        unquoted = texts[0].extras.get("content") if len(texts) == 1 else None
        node["content"] = unquoted if unquoted is not None else "".join(part.text for part in texts)
    elif content:
        node["content"] = [rendered for part in content if (rendered := render_part(part)) is not None]
    add_calls(node, calls)


def add_calls(node: Json, calls: Iterable[ToolCall]) -> None:
    """Set the calls of a message, which keep their ids and names."""
    for call in calls:
        if is_function_call(call):
            node["function_call"] = render_function_call(call)
        else:
            node.setdefault("tool_calls", []).append(render_call(call))
