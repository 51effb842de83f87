"""Anthropic's own Python SDK through the gateway, on a vendor of its dialect and on Chat vendors."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic

from tests.e2e.exchange import TOKEN, Exchange
from tests.fakes import anthropic as cloud
from tests.fakes import chat
from tests.fakes.brain import COMMAND, HELLO, SECOND_COMMAND
from tests.fakes.script import Call, Delivery, Reply, Say, ScriptItem, Think, Usage, bad_gateway, say

MODELS = {"cloud": "claude-opus-5-5", "gpt": "gpt:gpt-5.5", "deep": "deep:deepseek-v4-pro"}
HI: Any = [{"role": "user", "content": "hi"}]
BASH: Any = {
    "name": "Bash",
    "description": "Runs a command.",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
}
ADAPTIVE: Any = {"type": "adaptive"}
every_provider = pytest.mark.parametrize("provider", MODELS)


@pytest.fixture
def sdk(exchange: Exchange) -> Iterator[Anthropic]:
    with Anthropic(base_url=exchange.base_url, api_key=TOKEN, max_retries=0) as client:
        yield client


@every_provider
def test_whole_message(exchange: Exchange, sdk: Anthropic, provider: str) -> None:
    """A message in one piece has text, stop reason, usage and the vendor's model."""
    exchange.vendors[provider].script(say(HELLO, usage=Usage(fresh=30, cached=70, output=9)))
    message = sdk.messages.create(model=MODELS[provider], max_tokens=100, messages=HI)
    assert [block.text for block in message.content if block.type == "text"] == [HELLO]
    assert (message.stop_reason, message.role, message.type) == ("end_turn", "assistant", "message")
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (30, 70)
    assert message.usage.output_tokens == 9
    assert exchange.upstream(provider)


@every_provider
def test_stream(exchange: Exchange, sdk: Anthropic, provider: str) -> None:
    """The SDK's accumulator makes of the stream what the vendor said: thinking, text, mixed parallel calls, usage."""
    parts = (Think("grüße 思考"), Say("one"), Call("Bash", {"command": "ls ☎"}), Call("Bash", {"command": "pwd"}))
    if provider == "gpt":
        parts = parts[1:]  # type: ignore[assignment]  # OpenAI keeps its reasoning to itself
    hard = Delivery(piece=5, comments=True)
    reply = Reply(parts=parts, usage=Usage(output=9, reasoning=4), delivery=hard, interleave=True, deltas=6)
    exchange.vendors[provider].script(reply)
    with sdk.messages.stream(
        model=MODELS[provider], max_tokens=100, messages=HI, tools=[BASH], thinking=ADAPTIVE
    ) as stream:
        message = stream.get_final_message()
    kinds = [block.type for block in message.content]
    assert kinds == ["thinking", "text", "tool_use", "tool_use"][-len(parts) :]
    assert [block.thinking for block in message.content if block.type == "thinking"] == ["grüße 思考"][: len(parts) - 3]
    assert [block.input for block in message.content if block.type == "tool_use"] == [
        {"command": "ls ☎"},
        {"command": "pwd"},
    ]
    assert (message.stop_reason, message.usage.output_tokens) == ("tool_use", 9)


@every_provider
@pytest.mark.parametrize("streaming", [True, False])
def test_tool_loop(exchange: Exchange, sdk: Anthropic, provider: str, streaming: bool) -> None:
    """Calls, results and thinking go round: the vendor takes back what it has handed out."""
    options: Any = {"model": MODELS[provider], "max_tokens": 4096, "tools": [BASH], "thinking": ADAPTIVE}
    turns: Any = [{"role": "user", "content": "RUN_TOOLS"}]
    answers = []
    for _ in range(2):
        if streaming:
            with sdk.messages.stream(messages=turns, **options) as stream:
                answer = stream.get_final_message()
        else:
            answer = sdk.messages.create(messages=turns, **options)
        answers.append(answer)
        results: Any = [
            {"type": "tool_result", "tool_use_id": block.id, "content": f"ran {block.input['command']}"}
            for block in answer.content
            if block.type == "tool_use"
        ]
        turns = [*turns, {"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    said = [block.text for block in answers[-1].content if block.type == "text"]
    assert said == [f"FAKE-DONE: the tool said «ran {COMMAND}» «ran {SECOND_COMMAND}»."]
    assert len(exchange.upstream(provider)) == 2


@pytest.mark.parametrize("provider", ["cloud", "gpt"])
def test_structured_output(exchange: Exchange, sdk: Anthropic, provider: str) -> None:
    """A JSON schema for the answer reaches the vendor in its own form."""
    schema: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    schema |= {"additionalProperties": False}
    config: Any = {"format": {"type": "json_schema", "schema": schema}}
    message = sdk.messages.create(model=MODELS[provider], max_tokens=100, messages=HI, output_config=config)
    assert json.loads(message.content[-1].text) == {"n": 42}  # type: ignore[union-attr]
    assert exchange.upstream(provider)


@every_provider
def test_forced_tool(exchange: Exchange, sdk: Anthropic, provider: str) -> None:
    """A tool that must be called is called."""
    choice: Any = {"type": "tool", "name": "Bash"}
    message = sdk.messages.create(model=MODELS[provider], max_tokens=100, messages=HI, tools=[BASH], tool_choice=choice)
    assert [block.input for block in message.content if block.type == "tool_use"] == [{"command": "FAKE"}]
    assert exchange.upstream(provider)


@every_provider
def test_stop_reasons(exchange: Exchange, sdk: Anthropic, provider: str) -> None:
    """Too many tokens and a refusal are told as such, not as an end."""
    exchange.vendors[provider].script(say("a", stop="length"), say("b", stop="refusal"))
    reasons = [sdk.messages.create(model=MODELS[provider], max_tokens=100, messages=HI).stop_reason for _ in range(2)]
    assert reasons == ["max_tokens", "refusal"]


@every_provider
def test_count_tokens(exchange: Exchange, sdk: Anthropic, provider: str) -> None:
    """Tokens are counted: by the vendor where it counts, else by an estimate that grows with the text."""
    small = sdk.messages.count_tokens(model=MODELS[provider], messages=HI)
    large = sdk.messages.count_tokens(
        model=MODELS[provider], messages=[{"role": "user", "content": "word " * 500}], tools=[BASH]
    )
    assert 0 < small.input_tokens < 100 < large.input_tokens
    asked = [seen.path for seen in exchange.vendors[provider].requests]
    assert asked == (["/v1/messages/count_tokens"] * 2 if provider == "cloud" else [])


def test_models(exchange: Exchange, sdk: Anthropic) -> None:
    """The models of all vendors are listed, each under a name that leads to it."""
    ids = [model.id for model in sdk.models.list(limit=1000)]
    assert "claude-opus-5-5" in ids
    found = [name for name in ids if "fake-model" in name]
    assert found
    message = sdk.messages.create(model=found[0], max_tokens=100, messages=HI)
    assert message.content[-1].text == HELLO  # type: ignore[union-attr]
    assert sdk.models.retrieve(found[0]).id == found[0]


ERRORS: list[tuple[str, ScriptItem, type[anthropic.APIStatusError], int, str]] = [
    ("cloud", cloud.prompt_too_long(), anthropic.BadRequestError, 400, "prompt is too long: 250000 tokens > 200000"),
    ("cloud", cloud.rate_limited(1), anthropic.RateLimitError, 429, "rate limit"),
    ("cloud", cloud.overloaded(), anthropic.APIStatusError, 529, "Overloaded"),
    ("gpt", chat.rate_limited(1), anthropic.RateLimitError, 429, "Rate limit reached"),
    ("gpt", chat.overloaded(), anthropic.APIStatusError, 529, "overloaded"),
    ("gpt", chat.refuse(400, "invalid_request_error", "bad thing"), anthropic.BadRequestError, 400, "bad thing"),
    (
        "gpt",
        chat.refuse(404, "invalid_request_error", "no such", "model_not_found"),
        anthropic.BadRequestError,  # Claude Code hides the words of a 404
        400,
        "no such",
    ),
    ("gpt", chat.refuse(500, "server_error", "broke"), anthropic.InternalServerError, 502, "broke"),
    ("gpt", bad_gateway(), anthropic.InternalServerError, 502, "502"),
]


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("provider, step, error, status, words", ERRORS, ids=[f"{e[0]}-{e[3]}" for e in ERRORS])
def test_errors(
    exchange: Exchange,
    sdk: Anthropic,
    provider: str,
    step: ScriptItem,
    error: type[anthropic.APIStatusError],
    status: int,
    words: str,
    streaming: bool,
) -> None:
    """A vendor's error before the answer is the SDK's own exception, with status, words and retry-after."""
    exchange.vendors[provider].script(step)
    with pytest.raises(error, match=words) as raised:
        sdk.messages.create(model=MODELS[provider], max_tokens=100, messages=HI, stream=streaming)
    assert raised.value.status_code == status
    assert raised.value.body["type"] == "error"  # type: ignore[index]
    if status == 429:
        assert raised.value.response.headers["retry-after"] == "1"


@pytest.mark.parametrize("provider", ["cloud", "gpt"])
@pytest.mark.parametrize("cut", ["error", "drop", "eof"])
def test_broken_stream(exchange: Exchange, sdk: Anthropic, provider: str, cut: Any) -> None:
    """A stream that breaks ends in an error event, never in silence and never as a whole message."""
    exchange.vendors[provider].script(say("abcdef", delivery=Delivery(cut=cut, cut_after=4)))
    stream = sdk.messages.create(model=MODELS[provider], max_tokens=100, messages=HI, stream=True)
    kinds: list[str] = []
    with pytest.raises(anthropic.APIStatusError):
        kinds.extend(event.type for event in stream)
    assert "message_stop" not in kinds


@pytest.mark.parametrize("provider", ["cloud", "gpt"])
def test_hang_up_reaches_the_vendor(exchange: Exchange, sdk: Anthropic, provider: str) -> None:
    """When the client hangs up, the vendor is hung up on: nobody pays for what nobody reads."""
    exchange.vendors[provider].script(say("abcdef", delivery=Delivery(cut="stall", cut_after=4)))
    stream = sdk.messages.create(model=MODELS[provider], max_tokens=100, messages=HI, stream=True)
    next(iter(stream))
    stream.close()
    (seen,) = exchange.vendors[provider].inferences()
    deadline = time.monotonic() + 30
    while not seen.ended and time.monotonic() < deadline:
        time.sleep(0.01)
    assert seen.ended == "left"


def test_unknown_fields_and_betas_survive(exchange: Exchange, sdk: Anthropic) -> None:
    """On a vendor of the same dialect the gateway adds and takes nothing: the vendor sees what the client has said."""
    with pytest.raises(anthropic.BadRequestError, match="field_of_tomorrow: Extra inputs are not permitted"):
        sdk.messages.create(
            model=MODELS["cloud"],
            max_tokens=100,
            messages=HI,
            extra_body={"field_of_tomorrow": {"a": [1, 2.50, "ü"]}},
            extra_headers={"anthropic-beta": "beta-of-tomorrow-2031-01-01", "anthropic-tomorrow": "yes"},
        )
    seen = exchange.cloud.inferences()[0]
    assert b'"field_of_tomorrow":{"a":[1,2.5,"\xc3\xbc"]}' in seen.raw.replace(b": ", b":").replace(b", ", b",")
    assert seen.header("anthropic-beta") == "beta-of-tomorrow-2031-01-01"
    assert seen.header("anthropic-tomorrow") == "yes"
    assert seen.header("anthropic-version") == "2026-10-21"
