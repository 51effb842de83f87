"""Each rule of FakeChat, by a request that breaks it and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import completion_create_params

from tests.fakes.chat_rules import MEMBERS, check_headers, check_request
from tests.fakes.flavours import DEEPSEEK, KIMI, LOCAL, OPENAI, OPENROUTER, Flavour
from tests.fakes.refusal import Json, Refusal

PNG = "data:image/png;base64,iVBORw0KGgo="
CLOSED = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


def user(content: Any = "hi", **more: Any) -> Json:
    return {"role": "user", "content": content, **more}


def calls(*ids: str, name: str = "sum", **more: Any) -> Json:
    made = [{"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}} for id in ids]
    return {"role": "assistant", "content": None, "tool_calls": made, **more}


def result(id: str = "call_1", content: Any = "2", **more: Any) -> Json:
    return {"role": "tool", "tool_call_id": id, "content": content, **more}


def body(*messages: Json, **more: Any) -> Json:
    """A small request; `more` are further members, None takes one away."""
    whole = {"model": "gpt-4.1", "messages": list(messages) or [user()], **more}
    return {name: value for name, value in whole.items() if value is not None}


def tool(name: str = "sum", parameters: Any = None, **more: Any) -> Json:
    parameters = {"type": "object", "properties": {"a": {"type": "integer"}}} if parameters is None else parameters
    return {"type": "function", "function": {"name": name, "parameters": parameters, **more}}


def form(schema: Json, **more: Any) -> Json:
    wrapper = {"name": "answer", "schema": schema, "strict": True, **more}
    return {"type": "json_schema", "json_schema": {name: value for name, value in wrapper.items() if value is not None}}


def picture(url: Any) -> Json:
    return user([{"type": "image_url", "image_url": url}])


REFUSED: dict[str, tuple[Any, str, str | None, str | None]] = {
    "unknown member": (body(thinking={}), "Unrecognized request argument supplied: thinking", None, None),
    "unknown members": (
        body(system="a", top_k=1),
        "Unrecognized request arguments supplied: system, top_k",
        None,
        None,
    ),
    "no model": (body(model=None), "you must provide a model parameter", None, None),
    "no messages": (body(messages=None), "Missing required parameter", "messages", "missing_required_parameter"),
    "empty messages": (body(messages=[]), "Invalid 'messages': empty array", "messages", "empty_array"),
    # limits
    "max_tokens of a reasoning model": (
        body(model="gpt-5.5", max_tokens=5),
        "Use 'max_completion_tokens' instead.",
        "max_tokens",
        "unsupported_parameter",
    ),
    "max_tokens twice": (
        body(max_tokens=5, max_completion_tokens=5),
        "at the same time is not supported",
        "max_tokens",
        "invalid_parameter_combination",
    ),
    "no tokens": (body(max_tokens=0), "integer below minimum value", "max_tokens", "integer_below_min_value"),
    "temperature over 2": (body(temperature=99.0), "above maximum value", "temperature", "decimal_above_max_value"),
    "penalty under -2": (
        body(presence_penalty=-3),
        "below minimum value",
        "presence_penalty",
        "decimal_below_min_value",
    ),
    "temperature of a reasoning model": (
        body(model="o3", temperature=0.5),
        "does not support 0.5 with this model",
        "temperature",
        "unsupported_value",
    ),
    "five stops": (body(stop=list("abcde")), "Invalid 'stop': array too long", "stop", "array_above_max_length"),
    "stop of a reasoning model": (
        body(model="gpt-5", stop="a"),
        "'stop' is not supported with this model",
        "stop",
        "unsupported_parameter",
    ),
    "effort of a plain model": (body(reasoning_effort="low"), "argument supplied: reasoning_effort", None, None),
    "effort that is none": (
        body(model="gpt-5", reasoning_effort="extreme"),
        "Invalid value: 'extreme'",
        "reasoning_effort",
        "invalid_value",
    ),
    "options without stream": (
        body(stream_options={"include_usage": True}),
        "only allowed when 'stream' is enabled",
        "stream_options",
        None,
    ),
    "unknown stream option": (
        body(stream=True, stream_options={"usage": True}),
        "Unknown parameter: 'stream_options.usage'.",
        "stream_options.usage",
        "unknown_parameter",
    ),
    # tools
    "empty tools": (body(tools=[]), "Invalid 'tools': empty array", "tools", "empty_array"),
    "129 tools": (body(tools=[tool()] * 129), "array too long", "tools", "array_above_max_length"),
    "choice without tools": (
        body(tool_choice="auto"),
        "is only allowed when 'tools' are specified",
        "tool_choice",
        None,
    ),
    "parallel without tools": (
        body(parallel_tool_calls=False),
        "is only allowed when 'tools' are specified",
        "parallel_tool_calls",
        None,
    ),
    "choice in Anthropic's word": (
        body(tools=[tool()], tool_choice="any"),
        "Invalid value: 'any'",
        "tool_choice",
        "invalid_value",
    ),
    "choice of no tool": (
        body(tools=[tool()], tool_choice={"type": "function", "function": {"name": "b"}}),
        "no function named 'b'",
        "tool_choice",
        None,
    ),
    "tool in Anthropic's form": (
        body(tools=[{"name": "a", "input_schema": {}}]),
        "Invalid value: 'None'",
        "tools[0].type",
        "invalid_value",
    ),
    "name with a dot": (
        body(tools=[tool("a.b")]),
        "string does not match pattern",
        "tools[0].function.name",
        "invalid_value",
    ),
    "name too long": (
        body(tools=[tool("a" * 65)]),
        "maximum length 64, but got a string with length 65",
        "tools[0].function.name",
        "string_above_max_length",
    ),
    "unknown tool member": (
        body(tools=[{**tool(), "cache_control": {}}]),
        "Unknown parameter: 'tools[0].cache_control'.",
        "tools[0].cache_control",
        "unknown_parameter",
    ),
    "unknown function member": (
        body(tools=[tool(defer_loading=True)]),
        "Unknown parameter: 'tools[0].function.defer_loading'.",
        "tools[0].function.defer_loading",
        "unknown_parameter",
    ),
    "schema of no object": (
        body(tools=[tool(parameters={"type": "string"})]),
        "got 'type: \"string\"'",
        "tools[0].function.parameters",
        "invalid_function_parameters",
    ),
    "schema without properties": (
        body(tools=[tool(parameters={"type": "object"})]),
        "object schema missing properties",
        "tools[0].function.parameters",
        "invalid_function_parameters",
    ),
    "strict tool with an open schema": (
        body(tools=[tool(strict=True)]),
        "'additionalProperties' is required to be supplied and to be false",
        "tools[0].function.parameters",
        "invalid_function_parameters",
    ),
    # structured output
    "schema without name": (
        body(response_format=form(CLOSED, name=None)),
        "Missing required parameter",
        "response_format.json_schema.name",
        "missing_required_parameter",
    ),
    "open schema": (
        body(response_format=form({"type": "object", "properties": {}})),
        "In context=(), 'additionalProperties' is required",
        "response_format",
        None,
    ),
    "optional member": (
        body(response_format=form({**CLOSED, "properties": {"a": {}, "b": {}}, "required": ["a"]})),
        "Missing 'b'.",
        "response_format",
        None,
    ),
    "open schema inside": (
        body(response_format=form({**CLOSED, "properties": {"a": {"type": "object"}}, "required": ["a"]})),
        "In context=('properties', 'a'), 'additionalProperties'",
        "response_format",
        None,
    ),
    # messages
    "unknown role": (body({**user(), "role": "model"}), "Invalid value: 'model'", "messages[0].role", "invalid_value"),
    "unknown message member": (
        body(user(cache_control={})),
        "Unknown parameter: 'messages[0].cache_control'.",
        "messages[0].cache_control",
        "unknown_parameter",
    ),
    "reasoning sent back": (
        body(user(), {"role": "assistant", "content": "a", "reasoning_content": "hm"}, user()),
        "Unknown parameter: 'messages[1].reasoning_content'.",
        "messages[1].reasoning_content",
        "unknown_parameter",
    ),
    "no content": (body(user(None)), "expected a string, got null", "messages[0].content", None),
    "empty content": (body(user([])), "empty array", "messages[0].content", "empty_array"),
    "Anthropic's image": (
        body(user([{"type": "image", "source": {}}])),
        "Invalid value: 'image'",
        "messages[0].content[0].type",
        "invalid_value",
    ),
    "unknown part member": (
        body(user([{"type": "text", "text": "a", "cache_control": {}}])),
        "Unknown parameter: 'messages[0].content[0].cache_control'.",
        "messages[0].content[0].cache_control",
        "unknown_parameter",
    ),
    "image as bare string": (
        body(picture(PNG)),
        "expected an object, but got a string",
        "messages[0].content[0].image_url",
        "invalid_type",
    ),
    "image of a wrong type": (
        body(picture({"url": "data:image/bmp;base64,AAAA"})),
        "You uploaded an unsupported image",
        None,
        "invalid_image_format",
    ),
    "image as bare base64": (
        body(picture({"url": "iVBORw0KGgo="})),
        "Expected a base64-encoded data URL",
        "messages[0].content[0].image_url.url",
        "invalid_image_url",
    ),
    "image of a tool": (
        body(user(), calls("call_1"), result(content=[{"type": "image_url", "image_url": {"url": PNG}}])),
        "Image URLs are only allowed for messages with role 'user'",
        "messages[2]",
        "invalid_value",
    ),
    # calls and their results
    "empty calls": (
        body(user(), {"role": "assistant", "content": "a", "tool_calls": []}),
        "empty array",
        "messages[1].tool_calls",
        "empty_array",
    ),
    "call id too long": (
        body(user(), calls("c" * 41), result("c" * 41)),
        "maximum length 40, but got a string with length 41",
        "messages[1].tool_calls[0].id",
        "string_above_max_length",
    ),
    "call name too long": (
        body(user(), calls("call_1", name="a" * 65), result()),
        "maximum length 64",
        "messages[1].tool_calls[0].function.name",
        "string_above_max_length",
    ),
    "arguments as object": (
        body(
            user(),
            {**calls("c"), "tool_calls": [{"id": "c", "type": "function", "function": {"name": "a", "arguments": {}}}]},
            result("c"),
        ),
        "expected a string, but got an object",
        "messages[1].tool_calls[0].function.arguments",
        "invalid_type",
    ),
    "call without result": (
        body(user(), calls("call_1", "call_2"), result(), user()),
        "did not have response messages: call_2",
        "messages.[3].role",
        None,
    ),
    "call at the end": (
        body(user(), calls("call_1")),
        "did not have response messages: call_1",
        "messages.[2].role",
        None,
    ),
    "result without call": (
        body(user(), result()),
        "must be a response to a preceeding message",
        "messages.[1].role",
        None,
    ),
    "result twice": (
        body(user(), calls("call_1"), result(), result()),
        "must be a response to a preceeding message",
        "messages.[3].role",
        None,
    ),
    "result after the user": (
        body(user(), calls("call_1"), user(), result()),
        "did not have response messages: call_1",
        "messages.[2].role",
        None,
    ),
    "result of no call": (
        body(user(), calls("call_1"), {"role": "tool", "content": "2"}),
        "Missing required parameter",
        "messages[2].tool_call_id",
        "missing_required_parameter",
    ),
}


@pytest.mark.parametrize("request_body, words, param, code", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(request_body: Any, words: str, param: str | None, code: str | None) -> None:
    """A request that breaks one rule is refused with 400, the vendor's words, its `param` and its `code`."""
    with pytest.raises(Refusal) as refusal:
        check_request(request_body, OPENAI)
    assert words in refusal.value.message
    assert (refusal.value.status, refusal.value.param, refusal.value.code) == (400, param, code)


TAKEN: dict[str, tuple[Json, Flavour]] = {
    "the least": (body(), OPENAI),
    "developer role": (body({**user(), "role": "developer"}, user()), OPENAI),
    "system in the middle": (body(user(), {**user(), "role": "system"}), OPENAI),
    "a whole loop": (body(user(), calls("call_1", "call_2"), result("call_2"), result()), OPENAI),
    "result in parts": (body(user(), calls("c"), result("c", [{"type": "text", "text": "2"}])), OPENAI),
    "images": (body(picture({"url": PNG}), picture({"url": "https://example.com/a", "detail": "low"})), OPENAI),
    "closed schema": (body(response_format=form(CLOSED)), OPENAI),
    "open schema that is not strict": (body(response_format=form({"type": "object"}, strict=False)), OPENAI),
    "reasoning model": (body(model="gpt-5.5", max_completion_tokens=5, reasoning_effort="high"), OPENAI),
    "thinking": (body(thinking={"type": "enabled"}), DEEPSEEK),
    "effort": (body(reasoning_effort="high"), DEEPSEEK),
    "image of a tool": (
        body(user(), calls("c"), result("c", [{"type": "image_url", "image_url": {"url": PNG}}])),
        KIMI,
    ),
    "members of others": (body(user(cache_control={}), top_k=1, foo=1), OPENROUTER),
    "chat template": (body(chat_template_kwargs={"enable_thinking": True}), LOCAL),
}


@pytest.mark.parametrize("request_body, flavour", TAKEN.values(), ids=TAKEN.keys())
def test_takes(request_body: Json, flavour: Flavour) -> None:
    """What is legal, and near to what is not, is taken."""
    check_request(request_body, flavour)


@pytest.mark.parametrize("flavour, words", [(DEEPSEEK, "must be passed back"), (KIMI, "reasoning_content is missing")])
def test_reasoning_comes_home(flavour: Flavour, words: str) -> None:
    """In a tool loop the reasoning that came with a call has to come back with it; after the loop it may be missing."""
    bare, whole = calls("call_1"), calls("call_1", reasoning_content="hm")
    check_request(body(user(), whole, result()), flavour, reasoned={"call_1"})
    check_request(body(user(), bare, result()), flavour, reasoned={"call_9"})
    check_request(body(user(), bare, result(), user("next")), flavour, reasoned={"call_1"})
    with pytest.raises(Refusal, match=words):
        check_request(body(user(), bare, result()), flavour, reasoned={"call_1"})


@pytest.mark.parametrize(
    "request_body, flavour, words",
    [
        (body({**user(), "role": "developer"}, user()), DEEPSEEK, "unknown variant `developer`"),
        (body(picture({"url": PNG})), DEEPSEEK, "unknown variant `image_url`, expected `text`"),
        (body(user(), {"role": "assistant", "content": ""}, user()), KIMI, "text content is empty"),
        (body(foo=1), KIMI, "Unrecognized request argument supplied: foo"),
    ],
)
def test_flavours_refuse(request_body: Json, flavour: Flavour, words: str) -> None:
    """Other vendors refuse what OpenAI takes."""
    with pytest.raises(Refusal, match=words):
        check_request(request_body, flavour)


def test_unknown_model_is_404() -> None:
    """A model that is not there is a 404 with OpenAI's code."""
    with pytest.raises(Refusal, match="The model `gpt-4.1` does not exist") as refusal:
        check_request(body(), OPENAI, models=("other",))
    assert (refusal.value.status, refusal.value.code) == (404, "model_not_found")


def test_keys() -> None:
    """Only a bearer token that is known opens; an Anthropic-style header is no key here."""
    check_headers({"authorization": "Bearer key"}, ("key",), OPENAI)
    with pytest.raises(Refusal, match="You didn't provide an API key"):
        check_headers({"x-api-key": "key"}, ("key",), OPENAI)
    with pytest.raises(Refusal, match="Incorrect API key provided: wron") as refusal:
        check_headers({"authorization": "Bearer wrong-one"}, ("key",), OPENAI)
    assert (refusal.value.status, refusal.value.code) == (401, "invalid_api_key")


def test_members_are_those_of_the_sdk() -> None:
    """The fake knows every member that the vendor's SDK can send, so that it refuses none that is real."""
    sdk = set(completion_create_params.CompletionCreateParamsBase.__annotations__)
    assert sdk - MEMBERS == set()
