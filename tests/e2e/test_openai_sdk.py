"""OpenAI's own Python SDK through the gateway, on vendors of its dialect and on Anthropic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.e2e.exchange import TOKEN, Exchange
from tests.fakes import anthropic as cloud
from tests.fakes import chat
from tests.fakes.brain import COMMAND, HELLO, SECOND_COMMAND
from tests.fakes.script import Call, Delivery, Reply, Say, ScriptItem, Think, Usage, bad_gateway, say

MODELS = {"cloud": "cloud:claude-opus-5-5", "gpt": "gpt-5.5", "deep": "deep:deepseek-v4-pro"}
HI: Any = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
BASH: Any = {
    "type": "function",
    "function": {
        "name": "bash",
        "parameters": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
    },
}
every_provider = pytest.mark.parametrize("provider", MODELS)


@pytest.fixture
def sdk(exchange: Exchange) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{exchange.base_url}/v1", api_key=TOKEN, max_retries=0) as client:
        yield client


@every_provider
def test_whole_completion(exchange: Exchange, sdk: OpenAI, provider: str) -> None:
    """A completion in one piece has text, finish reason and usage in which the cached tokens are part of the prompt."""
    exchange.vendors[provider].script(say(HELLO, usage=Usage(fresh=30, cached=70, output=9)))
    whole = sdk.chat.completions.create(model=MODELS[provider], messages=HI)
    assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == (HELLO, "stop")
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.usage.total_tokens) == (100, 9, 109)
    assert whole.usage.prompt_tokens_details is not None
    assert whole.usage.prompt_tokens_details.cached_tokens == 70
    assert exchange.upstream(provider)


@every_provider
def test_stream(exchange: Exchange, sdk: OpenAI, provider: str) -> None:
    """The SDK's accumulator makes of the stream what the vendor said: text, parallel calls, usage once at the end."""
    parts = (Think("grüße 思考"), Say("one"), Call("bash", {"command": "ls ☎"}), Call("bash", {"command": "pwd"}))
    hard = Delivery(piece=5, comments=True)
    exchange.vendors[provider].script(
        Reply(parts=parts[provider == "gpt" :], usage=Usage(output=9), delivery=hard, interleave=True, deltas=6)
    )
    with sdk.chat.completions.stream(
        model=MODELS[provider], messages=HI, tools=[BASH], stream_options={"include_usage": True}
    ) as stream:
        whole = stream.get_final_completion()
    message = whole.choices[0].message
    assert message.content == "one"
    assert [json.loads(made.function.arguments) for made in message.tool_calls or ()] == [
        {"command": "ls ☎"},
        {"command": "pwd"},
    ]
    assert whole.choices[0].finish_reason == "tool_calls"
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 9


@every_provider
@pytest.mark.parametrize("streaming", [True, False])
def test_tool_loop(exchange: Exchange, sdk: OpenAI, provider: str, streaming: bool) -> None:
    """Calls, results and reasoning go round: the vendor takes back what it has handed out."""
    turns: Any = [{"role": "user", "content": "RUN_TOOLS"}]
    options: Any = {"model": MODELS[provider], "tools": [BASH], "reasoning_effort": "medium"}
    answer: Any = None
    for _ in range(2):
        if streaming:
            with sdk.chat.completions.stream(messages=turns, **options) as stream:
                message = stream.get_final_completion().choices[0].message
        else:
            message = sdk.chat.completions.create(messages=turns, **options).choices[0].message
        answer = {key: value for key, value in message.model_dump(exclude_none=True).items() if key != "annotations"}
        for made in answer.get("tool_calls", ()):
            made.pop("index", None)
            made["function"].pop("parsed_arguments", None)
        results = [
            {
                "role": "tool",
                "tool_call_id": made["id"],
                "content": f"ran {json.loads(made['function']['arguments'])['command']}",
            }
            for made in answer.get("tool_calls", ())
        ]
        turns = [*turns, answer, *results]
    assert answer["content"] == f"FAKE-DONE: the tool said «ran {COMMAND}» «ran {SECOND_COMMAND}»."
    assert len(exchange.upstream(provider)) == 2


@pytest.mark.parametrize("provider", ["cloud", "gpt"])
def test_structured_output(exchange: Exchange, sdk: OpenAI, provider: str) -> None:
    """A JSON schema for the answer reaches the vendor in its own form."""
    schema: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    schema |= {"additionalProperties": False}
    form: Any = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}
    whole = sdk.chat.completions.create(model=MODELS[provider], messages=HI, response_format=form)
    assert json.loads(whole.choices[0].message.content or "") == {"n": 42}
    assert exchange.upstream(provider)


@every_provider
def test_forced_tool(exchange: Exchange, sdk: OpenAI, provider: str) -> None:
    """A tool that must be called is called."""
    whole = sdk.chat.completions.create(model=MODELS[provider], messages=HI, tools=[BASH], tool_choice="required")
    made = whole.choices[0].message.tool_calls or []
    assert [json.loads(one.function.arguments) for one in made if one.type == "function"] == [{"command": "FAKE"}]
    assert exchange.upstream(provider)


@every_provider
def test_finish_reasons(exchange: Exchange, sdk: OpenAI, provider: str) -> None:
    """Too many tokens and a refusal are told as such, not as an end."""
    exchange.vendors[provider].script(say("a", stop="length"), say("b", stop="refusal"))
    answers = [sdk.chat.completions.create(model=MODELS[provider], messages=HI) for _ in range(2)]
    assert [whole.choices[0].finish_reason for whole in answers] == ["length", "content_filter"]


def test_models(exchange: Exchange, sdk: OpenAI) -> None:
    """The models of all vendors are listed."""
    ids = [model.id for model in sdk.models.list()]
    assert any("fake-model" in name for name in ids)
    assert any("claude-opus-5-5" in name for name in ids)
    assert sdk.models.retrieve(ids[0]).id == ids[0]


def test_unknown_model(exchange: Exchange, sdk: OpenAI) -> None:
    """A provider that is not there is an error that says what is."""
    with pytest.raises(openai.APIStatusError) as raised:
        sdk.get("/models/no-such-model-anywhere", cast_to=object)
    assert raised.value.status_code == 404


ERRORS: list[tuple[str, ScriptItem, type[openai.APIStatusError], int, str]] = [
    ("gpt", chat.prompt_too_long(), openai.BadRequestError, 400, "maximum context length is 128000"),
    ("gpt", chat.rate_limited(1), openai.RateLimitError, 429, "Rate limit reached"),
    ("gpt", chat.overloaded(), openai.InternalServerError, 503, "overloaded"),
    ("cloud", cloud.prompt_too_long(), openai.BadRequestError, 400, "prompt is too long"),
    ("cloud", cloud.rate_limited(1), openai.RateLimitError, 429, "rate limit"),
    ("cloud", cloud.overloaded(), openai.InternalServerError, 503, "Overloaded"),
    ("cloud", cloud.refuse(404, "not_found_error", "model: nobody"), openai.NotFoundError, 404, "nobody"),
    ("cloud", cloud.refuse(500, "api_error", "broke"), openai.InternalServerError, 502, "broke"),
    ("cloud", bad_gateway(), openai.InternalServerError, 502, "502"),
]


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("provider, step, error, status, words", ERRORS, ids=[f"{e[0]}-{e[3]}" for e in ERRORS])
def test_errors(
    exchange: Exchange,
    sdk: OpenAI,
    provider: str,
    step: ScriptItem,
    error: type[openai.APIStatusError],
    status: int,
    words: str,
    streaming: bool,
) -> None:
    """A vendor's error before the answer is the SDK's own exception, with status, words, code and retry-after."""
    exchange.vendors[provider].script(step)
    with pytest.raises(error, match=words) as raised:
        sdk.chat.completions.create(model=MODELS[provider], messages=HI, stream=streaming)
    assert raised.value.status_code == status
    if "context" in words or "too long" in words:
        assert raised.value.code == "context_length_exceeded"
    if status == 429:
        assert raised.value.response.headers["retry-after"] == "1"


@pytest.mark.parametrize("provider", ["cloud", "gpt"])
@pytest.mark.parametrize("cut", ["error", "drop", "eof"])
def test_broken_stream(exchange: Exchange, sdk: OpenAI, provider: str, cut: Any) -> None:
    """A stream that breaks ends in an error event, never in silence and never with a finish reason."""
    exchange.vendors[provider].script(say("abcdef", delivery=Delivery(cut=cut, cut_after=4)))
    stream = sdk.chat.completions.create(model=MODELS[provider], messages=HI, stream=True)
    reasons: list[str | None] = []
    with pytest.raises(openai.APIError):
        reasons.extend(choice.finish_reason for chunk in stream for choice in chunk.choices)
    assert set(reasons) == {None}


def test_unknown_fields_survive(exchange: Exchange, sdk: OpenAI) -> None:
    """On a vendor of the same dialect the gateway adds and takes nothing: the vendor sees what the client has said."""
    with pytest.raises(openai.BadRequestError, match="Unrecognized request argument supplied: field_of_tomorrow"):
        sdk.chat.completions.create(model=MODELS["gpt"], messages=HI, extra_body={"field_of_tomorrow": [1, "ü"]})
