"""Each rule about a Responses request as a whole, by one that breaks only it and by one beside that."""

from __future__ import annotations

import pytest

from tests.fakes.refusal import Json, Refusal
from tests.fakes.responses_flavours import CODEX, OPENAI
from tests.fakes.responses_requests import BAD_ENUM, Rule, body, codex, refusal_in, refusal_of, text, thinking, user
from tests.fakes.responses_rules import check_headers, check_request, check_size

RULES: dict[str, Rule] = {
    "unknown member": (
        body(stop=["a"]),
        body(user="me"),
        "Unknown parameter: 'stop'.",
        "stop",
        "unknown_parameter",
    ),
    "top_k": (body(top_k=5), body(top_p=0.5), "Unknown parameter: 'top_k'.", "top_k", "unknown_parameter"),
    "n": (body(n=2), body(max_tool_calls=2), "Unknown parameter: 'n'.", "n", "unknown_parameter"),
    "messages of Chat": (
        body(messages=[user()]),
        body(),
        "Unknown parameter: 'messages'.",
        "messages",
        "unknown_parameter",
    ),
    "unknown member inside": (
        thinking(reasoning={"max_tokens": 5}),
        thinking(reasoning={"effort": "low", "summary": "auto"}),
        "Unknown parameter: 'reasoning.max_tokens'.",
        "reasoning.max_tokens",
        "unknown_parameter",
    ),
    "usage option of Chat": (
        body(stream=True, stream_options={"include_usage": True}),
        body(stream=True, stream_options={"include_obfuscation": False}),
        "Unknown parameter: 'stream_options.include_usage'.",
        "stream_options.include_usage",
        "unknown_parameter",
    ),
    "no model": (
        body(model=None),
        body(model=None, prompt={"id": "pmpt_1"}),
        "Missing required parameter: 'model'.",
        "model",
        "missing_required_parameter",
    ),
    "no input": (
        body(input=None),
        body(input=None, previous_response_id="resp_1"),
        'One of "input" or "previous_response_id"',
        "input",
        "missing_required_parameter",
    ),
    "input that is an object": (
        body(input={"role": "user"}),
        body(input="hi"),
        "Invalid type for 'input': expected one of a string or array of objects, but got an object instead.",
        "input",
        "invalid_type",
    ),
    "instructions in blocks": (
        body(instructions=[text()]),
        body(instructions="be brief"),
        "Invalid type for 'instructions': expected a string, but got an array instead.",
        "instructions",
        "invalid_type",
    ),
    "stream that is a word": (
        body(stream="yes"),
        body(stream=False),
        "expected a boolean, but got a string",
        "stream",
        "invalid_type",
    ),
    "options without stream": (
        body(stream_options={"include_obfuscation": False}),
        body(stream=True, stream_options={"include_obfuscation": True}),
        "only allowed when 'stream' is enabled",
        "stream_options",
        None,
    ),
    "fifteen tokens": (
        body(max_output_tokens=15),
        body(max_output_tokens=16),
        "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 15 instead.",
        "max_output_tokens",
        "integer_below_min_value",
    ),
    "half a token": (
        body(max_output_tokens=20.5),
        body(max_output_tokens=20),
        "expected an integer, but got a decimal",
        "max_output_tokens",
        "invalid_type",
    ),
    "twenty-one logprobs": (
        body(top_logprobs=21),
        body(top_logprobs=20),
        "Expected a value <= 20",
        "top_logprobs",
        "integer_above_max_value",
    ),
    "long cache key": (
        body(prompt_cache_key="k" * 65),
        body(prompt_cache_key="k" * 64),
        "Invalid 'prompt_cache_key': string too long. Expected a string with maximum length 64",
        "prompt_cache_key",
        "string_above_max_length",
    ),
    "metadata of numbers": (
        body(metadata={"a": 1}),
        body(metadata={"a": "1"}),
        "expected a string, but got an integer",
        "metadata.a",
        "invalid_type",
    ),
    "much metadata": (
        body(metadata={str(n): "" for n in range(17)}),
        body(metadata={str(n): "" for n in range(16)}),
        "at most 16 properties",
        "metadata",
        "object_above_max_properties",
    ),
    "background without store": (
        body(background=True, store=False),
        body(background=True),
        "Background mode requires",
        "background",
        None,
    ),
    "two pasts": (
        body(previous_response_id="resp_1", conversation="conv_1"),
        body(conversation="conv_1"),
        "Mutually exclusive parameters",
        None,
        "mutually_exclusive_parameters",
    ),
    "temperature over 2": (
        body(temperature=2.1),
        body(temperature=2),
        "decimal above maximum value",
        "temperature",
        "decimal_above_max_value",
    ),
    "temperature under 0": (
        body(temperature=-1),
        body(temperature=0),
        "Expected a value >= 0, but got -1 instead.",
        "temperature",
        "decimal_below_min_value",
    ),
    "temperature of a reasoning model": (
        thinking(temperature=0.5),
        thinking(temperature=0.5, reasoning={"effort": "none"}),
        "Unsupported parameter: 'temperature' is not supported with this model.",
        "temperature",
        None,
    ),
    "top_p of a reasoning model": (
        thinking(model="o3", top_p=0.5),
        thinking(model="gpt-5.4", top_p=0.5),
        "Unsupported parameter: 'top_p' is not supported with this model.",
        "top_p",
        None,
    ),
    "effort that the model has not": (
        thinking(reasoning={"effort": "minimal"}),
        thinking(model="gpt-5-mini", reasoning={"effort": "minimal"}),
        "Unsupported value: 'minimal' is not supported with the 'gpt-5.5' model. Supported values are: 'none', 'low',",
        "reasoning.effort",
        "unsupported_value",
    ),
    "most effort of an older model": (
        thinking(reasoning={"effort": "max"}),
        thinking(model="gpt-5.6-sol", reasoning={"effort": "max"}),
        "Unsupported value: 'max'",
        "reasoning.effort",
        "unsupported_value",
    ),
    "effort of a plain model": (
        body(reasoning={"effort": "low"}),
        body(reasoning={"effort": None}),
        "Unsupported parameter: 'reasoning.effort' is not supported with this model.",
        "reasoning.effort",
        "unsupported_parameter",
    ),
    "sealed reasoning of a plain model": (
        body(include=["reasoning.encrypted_content"]),
        thinking(include=["reasoning.encrypted_content"]),
        "Encrypted content is not supported with this model.",
        "include",
        None,
    ),
    "unknown summary": (
        thinking(reasoning={"summary": "long"}),
        thinking(reasoning={"summary": "detailed"}),
        "Invalid value: 'long'.",
        "reasoning.summary",
        BAD_ENUM,
    ),
    "unknown include": (
        thinking(include=["reasoning"]),
        thinking(include=["web_search_call.action.sources"]),
        "Invalid value: 'reasoning'.",
        "include[0]",
        BAD_ENUM,
    ),
    "unknown tier": (
        body(service_tier="fastest"),
        body(service_tier="priority"),
        "Invalid value: 'fastest'.",
        "service_tier",
        BAD_ENUM,
    ),
    "unknown truncation": (
        body(truncation="on"),
        body(truncation="auto"),
        "Invalid value: 'on'.",
        "truncation",
        BAD_ENUM,
    ),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_rule(rule: Rule) -> None:
    """What breaks a rule is refused in the vendor's words, with its `param` and `code`; what is beside it is taken."""
    bad, good, words, param, code = rule
    assert refusal_of(good) is None
    assert refusal_in(words, bad) == (400, param, code)


@pytest.mark.parametrize(
    "bad, words",
    [
        (codex(store=None), "Store must be set to false"),
        (codex(store=True), "Store must be set to false"),
        (codex(stream=None), "Stream must be set to true"),
        (codex(stream=False), "Stream must be set to true"),
        (codex(input="hi"), "Input must be a list"),
        (codex({"role": "system", "content": "be brief"}, user()), "System messages are not allowed"),
        (
            codex(stream_options={"include_obfuscation": False}),
            "Unsupported parameter: stream_options.include_obfuscation",
        ),
        *(
            (codex(**{name: 20}), f"Unsupported parameter: {name}")
            for name in (
                "max_output_tokens temperature top_p top_k previous_response_id generate prompt_cache_retention"
                " safety_identifier user metadata truncation background context_management seed"
            ).split()
        ),
    ],
    ids=str,
)
def test_codex_refuses(bad: Json, words: str) -> None:
    """The Codex backend takes a short list of members, keeps nothing, and says so under `detail`."""
    check_request(codex(service_tier="priority", prompt_cache_key="k", client_metadata={}), CODEX)
    check_request(codex({"role": "developer", "content": "be brief"}, user()), CODEX)
    with pytest.raises(Refusal, match=words) as refusal:
        check_request(bad, CODEX)
    assert (refusal.value.status, refusal.value.kind) == (400, "detail")


def test_codex_refuses_inside_as_the_public_api_does() -> None:
    """Troubles of an item come in the public API's shape from the Codex backend too."""
    with pytest.raises(Refusal, match="Unknown parameter: 'input\\[0\\].metadata'") as refusal:
        check_request(codex(user(metadata={})), CODEX)
    assert refusal.value.kind == "invalid_request_error"


def test_frames_may_have_more() -> None:
    """What asks over a socket may name its type, prewarm and continue; over HTTP the Codex backend takes none of it."""
    frame = codex(type="response.create", generate=False, previous_response_id="resp_1", stream=None)
    check_request(frame, CODEX, frame=True)
    check_request({**body(), "type": "response.create"}, OPENAI, frame=True)
    with pytest.raises(Refusal, match="Unknown parameter: 'type'"):
        check_request({**body(), "type": "response.create"}, OPENAI)


def test_models() -> None:
    """A model that is not there is refused, in the words of each flavour."""
    check_request(body(), OPENAI, models=("gpt-4.1",))
    with pytest.raises(Refusal, match="The requested model 'gpt-4.1' does not exist") as refusal:
        check_request(body(), OPENAI, models=("other",))
    assert (refusal.value.param, refusal.value.code) == ("model", "model_not_found")
    with pytest.raises(Refusal, match="The 'gpt-5.5' model is not supported when using Codex with a ChatGPT account"):
        check_request(codex(), CODEX, models=("other",))


def test_keys() -> None:
    """Only a known bearer token opens, and at the Codex backend only its own account."""
    key = {"authorization": "Bearer key"}
    check_headers(key, ("key",), OPENAI, "org")
    check_headers({**key, "chatgpt-account-id": "org"}, ("key",), CODEX, "org")
    with pytest.raises(Refusal, match="You didn't provide an API key"):
        check_headers({"x-api-key": "key"}, ("key",), OPENAI, "org")
    with pytest.raises(Refusal, match="Incorrect API key provided: wron") as refusal:
        check_headers({"authorization": "Bearer wrong-one"}, ("key",), OPENAI, "org")
    assert (refusal.value.status, refusal.value.code) == (401, "invalid_api_key")
    with pytest.raises(Refusal, match="Unauthorized"):
        check_headers({**key, "chatgpt-account-id": "other"}, ("key",), CODEX, "org")
    with pytest.raises(Refusal, match="token is expired"):
        check_headers({"authorization": "Bearer wrong-one"}, ("key",), CODEX, "org")


def test_window() -> None:
    """What is longer than the context is refused, unless the vendor may cut it."""
    long = body(user("word " * 1000))
    check_size(long, [], 2000)
    check_size(long, [], None)
    check_size({**long, "truncation": "auto"}, [], 1000)
    with pytest.raises(Refusal, match="exceeds the context window") as refusal:
        check_size(long, [], 1000)
    assert refusal.value.code == "context_length_exceeded"
