"""The demo model: what it thinks, says and calls in answer to a Chat request, and how that is written down.

A stand-in that runs on this machine and needs no account, so that a client can be tried end to end: it drives a real
tool loop, streams, thinks, obeys limits and counts. It is no language model and says so. Pure and deterministic: no
socket, no clock, no randomness; ids and the time come from the caller. What it understands:

* asked to run, list, read, search or do something while tools are on offer, it calls a fitting one (`tools.py`);
  asked "in parallel", two; several commands in backticks, one after the other;
* given results of tools, it quotes them;
* asked for JSON by `response_format`, it gives the smallest valid instance;
* asked for a title or a summary, as agents do behind their user's back, it gives a short one;
* otherwise it says what it is and what of the request reached it.

Usage is an estimate and the same everywhere: four characters are a token, rounded up per text. An image counts 85.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from msgspec import Struct

from strowger.demo import tools
from strowger.demo.request import ChatRequest, Message, ToolChoice, since_last_answer
from strowger.demo.schema import instance
from strowger.demo.tools import Call

Json = dict[str, Any]
Finish = Literal["stop", "length", "tool_calls"]

CHARACTERS_PER_TOKEN = 4
_IMAGE_TOKENS = 85
_QUOTE = 600
_PIECE = re.compile(r"\s*\S{1,12}|\s+")
_TITLE = re.compile(
    r"title generator|\b(generate|write|create|give)\b[^.\n]{0,60}\btitle\b|naming a coding session", re.IGNORECASE
)
_TEXT_ONLY = re.compile(r"TEXT ONLY|(do not|don't|without) (call|use|using)( any)? tools?", re.IGNORECASE)


class Usage(Struct, frozen=True):
    """Tokens by estimate; `completion` includes `reasoning`."""

    prompt: int
    completion: int
    reasoning: int

    def written(self) -> Json:
        """As OpenAI writes it. Nothing is cached."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }


class Plan(Struct, frozen=True):
    """A whole answer, decided before its first piece is sent."""

    model: str
    thinking: str
    text: str
    calls: tuple[Call, ...]
    finish: Finish
    usage: Usage


class Draft(Struct, frozen=True):
    """An answer before limits."""

    text: str
    thinking: str = ""
    calls: tuple[Call, ...] = ()


def plan(request: ChatRequest) -> Plan:
    """The answer to a request: what is to say, cut by the stop strings and by the limit of tokens."""
    draft = _draft(request)
    thinking = draft.thinking if _thinks(request) else ""
    text, stopped = _cut_at_stop(draft.text, request.stops)
    calls = () if stopped else draft.calls
    return _within_limit(request, thinking, text, calls)


def chunks(answer: Plan, *, id: str, created: int, include_usage: bool = False) -> Iterator[Json]:
    """The answer as stream chunks, in OpenAI's order; `created` in seconds. Calls get ids made from `id`."""

    def chunk(delta: Json, finish: Finish | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        made = _head(answer, id, created, "chat.completion.chunk") | {"choices": [choice]}
        return made | {"usage": None} if include_usage else made

    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces(answer.thinking):
        yield chunk({"reasoning_content": piece})
    for piece in pieces(answer.text):
        yield chunk({"content": piece})
    for index, call in enumerate(answer.calls):
        start = {"name": call.name, "arguments": ""}
        yield chunk({"tool_calls": [{"index": index, "id": call_id(id, index), "type": "function", "function": start}]})
        for piece in pieces(call.arguments):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, answer.finish)
    if include_usage:
        last = _head(answer, id, created, "chat.completion.chunk")
        yield last | {"choices": [], "usage": answer.usage.written()}


def completion(answer: Plan, *, id: str, created: int) -> Json:
    """The answer as one body."""
    message: Json = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if answer.thinking:
        message["reasoning_content"] = answer.thinking
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": call_id(id, index),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for index, call in enumerate(answer.calls)
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish}
    return _head(answer, id, created, "chat.completion") | {"choices": [choice], "usage": answer.usage.written()}


def pieces(text: str) -> list[str]:
    """A text as a model would send it: words, the long ones in parts. Joined they are the text."""
    return _PIECE.findall(text)


def call_id(id: str, index: int) -> str:
    """The id of the answer's call number `index`; as unique as the answer's own."""
    return f"call_{id.removeprefix('chatcmpl-')}{index}"


def tokens(text: str) -> int:
    """The estimate for a text, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def _head(answer: Plan, id: str, created: int, kind: str) -> Json:
    return {"id": id, "object": kind, "created": created, "model": answer.model, "system_fingerprint": "fp_strowger"}


def _draft(request: ChatRequest) -> Draft:
    prompt = _prompt(request.messages)
    results = [message for message in since_last_answer(request.messages) if message.role == "tool"]
    if found := _choose(request, prompt, answered=bool(results)):
        return _calling(request, found)
    if wanted := _structured(request, prompt):
        return wanted
    if results:
        return _quoting(request, results)
    if not request.functions and (_TITLE.search(request.system) or _TITLE.search(prompt)):
        return Draft(_title(prompt))
    if "<summary>" in prompt or re.search(r"\bsummar(y|i[sz]e)\b", prompt[:400], re.IGNORECASE):
        return _summary(request)
    return _introduction(request, prompt)


def _prompt(messages: list[Message]) -> str:
    """What the user last said in words of their own; reminders and program text do not count."""
    return next((message.said for message in reversed(messages) if message.role == "user" and message.said), "")


def _rounds(messages: list[Message]) -> int:
    """How many turns of calls there have been since the user last spoke."""
    count = 0
    for message in reversed(messages):
        if message.role == "user" and message.said:
            break
        count += bool(message.tool_calls)
    return count


def _choose(request: ChatRequest, prompt: str, *, answered: bool) -> tools.Choice | None:
    offered, choice = request.functions, request.tool_choice
    if not offered or choice == "none":
        return None
    if choice == "required" or isinstance(choice, ToolChoice):
        name = choice.function.name if isinstance(choice, ToolChoice) and choice.function else None
        return tools.force(prompt, offered, system=request.system, name=name)
    if _TEXT_ONLY.search(prompt):
        return None
    many = request.parallel_tool_calls is not False
    step = _rounds(request.messages)
    return None if answered and not step else tools.choose(prompt, offered, system=request.system, many=many, step=step)


def _calling(request: ChatRequest, found: tools.Choice) -> Draft:
    names = [f"`{call.name}`" for call in found.calls]
    listed = " and ".join(names)
    count = len(request.functions)
    thinking = (
        f"The user wants something done, and {count} tool{'s are' if count > 1 else ' is'} on offer. {found.why}"
        f"I call {listed}{' at once' if len(names) > 1 else ''} and wait for what comes back."
    )
    why = f"{found.why}" if found.why else ""
    return Draft(f"{why}I'll use {listed} for that.", thinking, found.calls)


def _structured(request: ChatRequest, prompt: str) -> Draft | None:
    """JSON, when the request wants its answer in that form."""
    wanted = request.response_format
    if wanted is None or wanted.type == "text":
        return None
    thinking = "The answer has to be JSON. I fill in what the schema requires, and nothing else."
    if wanted.type == "json_object" or wanted.json_schema is None or wanted.json_schema.schema is None:
        return Draft(json.dumps({"answer": "This is Strowger's demo model.", "prompt": _bounded(prompt, 80)}), thinking)
    made = instance(
        wanted.json_schema.schema,
        lambda name, schema: _title(prompt) if name == "title" and schema.get("type") == "string" else None,
    )
    return Draft(json.dumps(made, ensure_ascii=False), thinking)


def _quoting(request: ChatRequest, results: list[Message]) -> Draft:
    names = {
        call.id: call.function.name
        for message in request.messages
        for call in message.tool_calls or ()
        if call.function
    }
    parts = []
    for result in results:
        name = names.get(result.tool_call_id or "", "the tool")
        said = result.said or "(nothing)"
        fence = "~~~" if "```" in said else "```"
        parts.append(f"`{name}` answered:\n\n{fence}\n{_bounded(said, _QUOTE)}\n{fence}")
    body = "\n\n".join(parts)
    closing = "That was a real tool loop: I asked, your client ran it, and its answer came back to me."
    many = f"{len(results)} results have" if len(results) > 1 else "The result has"
    return Draft(f"{body}\n\n{closing}", f"{many} come back. I quote what matters and finish.")


def _title(prompt: str) -> str:
    """A title of at most six words, from the first line that has any."""
    words = re.findall(r"[\w'.-]*\w", re.sub(r"<[^>]{0,200}>", " ", prompt))
    text = " ".join(words[:6])
    return text[:1].upper() + text[1:60] if text else "Strowger demo"


def _summary(request: ChatRequest) -> Draft:
    said = [_bounded(message.said, 120) for message in request.messages[:-1] if message.role == "user" and message.said]
    asked = "\n".join(f"- {text}" for text in said[-5:]) or "- nothing yet"
    text = f"The user asked Strowger's demo model for:\n{asked}"
    return Draft(f"<summary>\n{text}\n</summary>", "A summary of the conversation is wanted. I list what was asked.")


def _introduction(request: ChatRequest, prompt: str) -> Draft:
    names = list(request.functions)
    listed = ", ".join(f"`{name}`" for name in names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    offered = f"{len(names)} tool{'s' if len(names) > 1 else ''} ({listed})" if names else "no tools"
    system = f"a system prompt of {len(request.system):,} characters" if request.system else "no system prompt"
    count = len(request.messages)
    images = sum(_images(message) for message in request.messages)
    seen = (
        f" There {'are' if images > 1 else 'is'} {images} image{'s' if images > 1 else ''} too, which I cannot see."
        * bool(images)
    )
    advice = (
        "Ask me to run `echo hello`, and I'll call a tool."
        if names
        else "Offer me a tool and ask me to run something, and I'll call it."
    )
    text = (
        f"Hello! I am the demo model `{request.model}` that Strowger carries with it, not a language model: "
        "I run on this machine, cost nothing and know little. But everything between us is real.\n\n"
        f"You said: “{_bounded(prompt, 160)}”\n\n"
        f"What reached me, in the OpenAI Chat dialect: {count} message{'s' if count > 1 else ''}, {system}, {offered}, "
        f"{'to be streamed' if request.stream else 'not to be streamed'}.{seen} {advice}"
    )
    return Draft(text, "Nothing is to be done here but to answer. I say what I am and what reached me.")


def _thinks(request: ChatRequest) -> bool:
    return request.model != "demo-fast" and request.reasoning_effort != "none"


def _cut_at_stop(text: str, stops: tuple[str, ...]) -> tuple[str, bool]:
    """The text up to the earliest stop string, and whether there was one."""
    found = [at for stop in stops if (at := text.find(stop)) >= 0]
    return (text[: min(found)], True) if found else (text, False)


def _within_limit(request: ChatRequest, thinking: str, text: str, calls: tuple[Call, ...]) -> Plan:
    """The plan cut off where the tokens end, in the midst of a word or of arguments, as a model's answer is."""
    left = request.limit if request.limit is not None else sum(map(tokens, (thinking, text, *_call_texts(calls))))
    finish: Finish = "tool_calls" if calls else "stop"
    spent = 0

    def take(wanted: str) -> str:
        nonlocal left, spent, finish
        given = wanted[: left * CHARACTERS_PER_TOKEN]
        left -= tokens(given)
        spent += tokens(given)
        if len(given) < len(wanted):
            finish = "length"
        return given

    thinking = take(thinking)
    reasoning = spent
    text = take(text)
    kept: list[Call] = []
    for call in calls:
        if tokens(call.name) > left:
            finish = "length"
            break
        kept.append(Call(take(call.name), take(call.arguments)))
    usage = Usage(_prompt_tokens(request), spent, reasoning)
    return Plan(request.model, thinking, text, tuple(kept), finish, usage)


def _call_texts(calls: tuple[Call, ...]) -> Iterator[str]:
    for call in calls:
        yield from (call.name, call.arguments)


def _prompt_tokens(request: ChatRequest) -> int:
    count = 0
    for message in request.messages:
        count += tokens(message.text) + _IMAGE_TOKENS * _images(message)
        for call in message.tool_calls or ():
            if call.function:
                count += tokens(call.function.name) + tokens(call.function.arguments)
    return count + sum(tokens(msgspec.json.encode(tool).decode()) for tool in request.tools or ())


def _images(message: Message) -> int:
    return sum(part.type == "image_url" for part in message.content) if isinstance(message.content, list) else 0


def _bounded(text: str, most: int) -> str:
    """The text, or its beginning with an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
