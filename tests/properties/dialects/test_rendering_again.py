"""What is remembered of earlier turns changes nothing: any request is written as if it were the first."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from msgspec import Raw
from msgspec.structs import asdict, replace

from strowger.dialects import stretches
from strowger.dialects.base import NOWHERE, Capabilities, Spot
from strowger.dialects.lately import Memory
from strowger.dialects.offers import Offers
from strowger.errors import GatewayError
from strowger.ir.request import (
    Base64,
    CacheHint,
    Citation,
    CustomTool,
    Document,
    FunctionTool,
    HostedTool,
    Image,
    InlineText,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Request,
    ServerToolCall,
    Signed,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolGroup,
    ToolReference,
    ToolResult,
    WebSearch,
)
from tests.conformance.lanes import DIALECTS
from tests.conformance.recordings import SPOKEN
from tests.properties.fuzz_requests import SPOTS
from tests.shared import corpus, needs_shared

EACH = pytest.mark.parametrize("target", SPOKEN)
CORPORA = {
    "anthropic": "anthropic_messages",
    "openai_chat": "openai_chat",
    "openai_responses": "openai_responses",
    "gemini": "gemini_generate",
}
LISTS = {"anthropic": "messages", "openai_chat": "messages", "openai_responses": "input", "gemini": "contents"}
_RECORDINGS = 10
_CONVERSATIONS = 8
_MADE = Offers.made

WORDS = ["a", "b\n", "", " ", "\u00a0", 'é\\"', "long " * 9]
NAMES = ["run", "run", "read", "a.b", "a_b", "a b", "x" * 70, "工具"]
IDS = ["1", "2", "3", "call_abc", "toolu:4", "a-long-identity-of-a-call" * 3, "", "5", "6", "7", "8", "9"]
EXTRAS = [{}, {}, {}, {}, {"odd": Raw(b"1")}]
CACHES = [None, None, None, None, None, CacheHint(), CacheHint("1h")]
SIGNED = [
    Signed("up", "anthropic:signature", "s"),
    Signed("up", "openai_responses:reasoning", "s", "rs_1"),
    Signed("up", "gemini:signature", "s", "call:1"),
    Signed("up", "gemini:signature", "s", "text"),
    Signed("other", "anthropic:signature", "s"),
    None,
]
SCHEMA = Raw(b'{"type":"object","properties":{"x":{"type":["string","null"],"format":"odd"}},"required":["x"]}')
TOOLS: list[Tool | ToolGroup] = [
    FunctionTool("run", "Runs.", SCHEMA),
    FunctionTool("read", None, Raw(b'{"type":"object"}'), strict=True),
    FunctionTool("a.b", "odd", None, extras={"odd": Raw(b"1")}),
    FunctionTool("a_b", "late", SCHEMA, deferred=True),
    FunctionTool("x" * 70, "hinted", SCHEMA, cache=CacheHint()),
    CustomTool("free", "Patches.", Raw(b'{"type":"text"}')),
    HostedTool("openai_responses", "web_search", "web_search", Raw(b'{"type":"web_search"}'), ability=WebSearch()),
    HostedTool("gemini", "googleSearch", "web_search", Raw(b'{"googleSearch":{}}'), ability=WebSearch(("a.test",))),
    ToolGroup("group", (FunctionTool("inner", "In.", SCHEMA), CustomTool("free")), "Some."),
]
ALLOWED = Raw(b'{"mode":"auto","tools":[{"type":"function","name":"run"}]}')
CHOICES = [
    None,
    None,
    ToolChoice("auto"),
    ToolChoice("none"),
    ToolChoice("required"),
    ToolChoice("tool", "run"),
    ToolChoice("tool", "web_search"),
    ToolChoice("auto", extras={"allowed_tools": ALLOWED}),
]


@contextmanager
def forgetful() -> Iterator[None]:
    """Nothing has been written before."""
    with (
        patch.object(stretches, "_known", Memory(4096, 1 << 20)),
        patch.object(Offers, "made", lambda self, *given: _MADE(Offers(), *given)),
    ):
        yield


@contextmanager
def in_one_piece() -> Iterator[None]:
    """Conversations are written as a whole."""
    with patch.object(stretches, "_cuts", lambda messages, start: [start]):
        yield


def outcome(target: str, request: Request, caps: Capabilities) -> tuple[object, ...]:
    """What comes of a request: all that is rendered, or how it is refused."""
    try:
        made = DIALECTS[target].upstream.render_request(request, "m", caps)
    except GatewayError as error:
        return type(error), str(error)
    return made.body, made.losses, dict(made.names), made.stop, made.converted


def settled(what: tuple[object, ...]) -> tuple[object, ...]:
    """The same without the order of losses."""
    return tuple([frozenset(part) if isinstance(part, tuple) else part for part in what])


def conversation(chance: random.Random, origin: str) -> tuple[Message, ...]:
    """Turns in the order of a dialect, mostly with the answers to their calls, sometimes not."""
    said: list[Message] = []
    ids = iter(chance.sample(IDS * 2, len(IDS)) if chance.randrange(4) == 0 else chance.sample(IDS, len(IDS)))
    if chance.randrange(3) == 0:
        said.append(message(chance, "developer", [text(chance)]))
    for _ in range(chance.randrange(6)):
        if chance.randrange(3) == 0:
            said.append(message(chance, chance.choice(["user", "user", "system"]), spoken(chance)))
        calls = [call(chance, next(ids, "again")) for _ in range(chance.choice([0, 1, 1, 2]))]
        told: list[Part] = [*thoughts(chance), *spoken(chance, media=False), *calls]
        results: list[Part] = [result(chance, each) for each in calls]
        if chance.randrange(12) == 0:
            chance.shuffle(results)
            results = results[chance.randrange(2) :]
        if origin == "openai_responses":
            said += [message(chance, "assistant", [part]) for part in told]
        else:
            said.append(message(chance, "assistant", told))
        if chance.randrange(15) == 0:
            said.append(message(chance, "system", [Text("in between")]))
        if origin in {"anthropic", "gemini"}:
            more = spoken(chance) if not results or chance.randrange(4) == 0 else []
            said.append(message(chance, "user", [*results, *more]))
        else:
            said += [message(chance, "tool", [each]) for each in results]
            said += [] if results else [message(chance, "user", spoken(chance))]
    return tuple(said)


def message(chance: random.Random, role: Any, parts: list[Part]) -> Message:
    """A message, now and then with a name or something odd."""
    name = chance.choice([None] * 9 + ["ann"])
    plain = len(parts) == 1 and isinstance(parts[0], Text)
    return Message(role, tuple(parts), plain, name, chance.choice(EXTRAS))


def text(chance: random.Random) -> Text:
    """A text, mostly plain."""
    cited = (Citation(Raw(b"{}")),) if chance.randrange(9) == 0 else ()
    return Text(chance.choice(WORDS), chance.choice(CACHES), cited, chance.choice(EXTRAS))


def spoken(chance: random.Random, *, media: bool = True) -> list[Part]:
    """Texts, and now and then something else."""
    parts: list[Part] = [text(chance) for _ in range(chance.choice([0, 1, 1, 2]))]
    if chance.randrange(8) == 0:
        other: list[Part] = [Refusal("no"), ServerToolCall("s", "web_search", "{}"), Opaque("x", "odd", Raw(b"{}"))]
        if media:
            other += [Image(Base64("image/png", "AAAA")), Document(InlineText("words"), "title")]
        parts.append(chance.choice(other))
    return parts


def thoughts(chance: random.Random) -> list[Part]:
    """What was thought, by this provider or another."""
    return [Thinking(chance.choice(["", "hm"]), chance.choice(SIGNED)) for _ in range(chance.choice([0, 0, 1]))]


def call(chance: random.Random, identity: str) -> ToolCall:
    """A call, mostly of a function and with an object."""
    arguments = chance.choice(["{}", '{"x":1}', "", '{"x":', "null"])
    kind: Any = chance.choice(["function"] * 5 + ["custom"])
    return ToolCall(identity, chance.choice(NAMES), arguments, kind, chance.choice(CACHES), chance.choice(EXTRAS))


def result(chance: random.Random, of: ToolCall) -> ToolResult:
    """The answer to a call."""
    content: list[Any] = [text(chance) for _ in range(chance.choice([0, 1, 1, 2]))]
    if chance.randrange(5) == 0:
        content.append(chance.choice([Image(Base64("image/png", "AAAA")), ToolReference("a_b"), ToolReference("a_b")]))
    name = chance.choice([None, of.name])
    failed = chance.choice([None, None, True, False])
    return ToolResult(of.id, tuple(content), failed, False, name, chance.choice(CACHES), chance.choice(EXTRAS))


def capabilities(chance: random.Random) -> Capabilities:
    """Any target at all."""
    usual = Capabilities(origin="up")
    members: dict[str, object] = {
        name: chance.random() < 0.6 for name, value in asdict(usual).items() if isinstance(value, bool)
    }
    members |= {
        "max_tool_id": chance.choice([0, 0, 9]),
        "max_tool_name": chance.choice([0, 64, 128]),
        "thinking_replay": chance.choice(["", "any", "signed", "reasoning_content"]),
        "thinking": chance.choice(["effort", "budget", "adaptive", "none"]),
        "efforts": chance.choice([(), ("low", "high")]),
        "tool_schema": chance.choice(["json_schema", "openapi", "typed"]),
        "web_search": chance.choice(["", "web_search"]),
        "system_role": chance.choice(["system", "developer"]),
        "lite": False,
        "code_assist": False,
    }
    return replace(usual, **members)


def requests(chance: random.Random, origin: str) -> Iterator[Request]:
    """Turns that grow out of each other, and now and then differ in the middle."""
    whole = conversation(chance, origin)
    tools = tuple(chance.sample(TOOLS, chance.randrange(len(TOOLS))))
    for turn in range(4):
        messages = whole[: len(whole) * (turn + 1) // 4]
        if messages and chance.randrange(3) == 0:
            at = chance.randrange(len(messages))
            other = conversation(chance, origin)[:1] if chance.randrange(2) else (replace(messages[at]),)
            messages = (*messages[:at], *other, *messages[at + 1 :])
        if chance.randrange(4) == 0:
            tools = tools[1:]
        reasoning = chance.choice([None, Reasoning("enabled", 2000), Reasoning("disabled")])
        system = (Text("Be brief.", chance.choice(CACHES)),) if chance.randrange(2) else ()
        choice = chance.choice(CHOICES)
        yield Request(origin, "m", messages, system, tools, choice, reasoning=reasoning, max_tokens=9000)


def check(target: str, request: Request, caps: Capabilities) -> None:
    """Bytes, losses in their order, and names: with what is remembered of earlier turns and of other targets, without,
    and where the conversation is written in one piece.
    """
    warm = outcome(target, request, caps), outcome(target, request, caps)
    with forgetful():
        cold = outcome(target, request, caps)
    assert warm == (cold, cold)
    with in_one_piece():
        assert settled(outcome(target, request, caps)) == settled(cold)


@EACH
@pytest.mark.parametrize("origin", SPOKEN)
def test_any_request_is_written_as_if_it_were_the_first(target: str, origin: str) -> None:
    """Conversations as clients may send them, and as they should not, to targets of every kind."""
    chance = random.Random(f"{target} {origin}")
    for _ in range(_CONVERSATIONS):
        several = [capabilities(chance), capabilities(chance)]
        for request in requests(chance, origin):
            for caps in several:
                check(target, request, caps)


@needs_shared
@pytest.mark.parametrize("origin", SPOKEN)
def test_recorded_conversations_are_written_as_if_they_were_the_first(origin: str) -> None:
    """Real requests, shown turn by turn."""
    chance = random.Random(origin)
    for body, spot in recorded(chance, origin):
        whole = DIALECTS[origin].client.parse_request(body, spot)
        for target in SPOKEN:
            caps = capabilities(chance)
            for end in sorted(chance.sample(range(1, len(whole.messages)), 2)):
                check(target, replace(whole, messages=whole.messages[:end]), caps)
            check(target, whole, caps)


def recorded(chance: random.Random, origin: str) -> list[tuple[bytes, Spot]]:
    """Some of the longer requests."""
    found = []
    cases = corpus(CORPORA[origin])
    for case in chance.sample(cases, min(len(cases), 400)):
        request = case.request
        listed = request.body.get(LISTS[origin]) if request is not None and isinstance(request.body, dict) else None
        if request is not None and isinstance(listed, list) and 4 < len(listed) < 60:
            found.append((request.content, SPOTS.get(origin, NOWHERE)))
        if len(found) == _RECORDINGS:
            break
    assert found
    return found
