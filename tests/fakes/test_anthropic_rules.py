"""Each rule of FakeAnthropic, by a request that breaks it and nothing else."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from anthropic.types import message_create_params
from anthropic.types.beta import message_create_params as beta_message_create_params

from tests.fakes.anthropic_rules import BETA_MEMBERS, MEMBERS, Rules, check_headers, check_request
from tests.fakes.refusal import Json, Refusal

HEADERS = {"anthropic-version": "2023-06-01"}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n....").decode()
TOOL = {"name": "sum", "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "sum", "input": {"a": 1}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "2"}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "good"}
MARK = {"type": "ephemeral"}


def user(*blocks: Any) -> Json:
    return {"role": "user", "content": [{"type": "text", "text": b} if isinstance(b, str) else b for b in blocks]}


def assistant(*blocks: Any) -> Json:
    return {**user(*blocks), "role": "assistant"}


def system(text: str, **more: Any) -> Json:
    return {"role": "system", "content": text, **more}


def body(*messages: Json, **more: Any) -> Json:
    """A small request; `more` are further members, None takes one away."""
    whole = {"model": "claude-sonnet-4-5", "max_tokens": 2048, "messages": list(messages) or [user("hi")], **more}
    return {name: value for name, value in whole.items() if value is not None}


def newer(*messages: Json, **more: Any) -> Json:
    return body(*messages, **{"model": "claude-opus-5-5", **more})


def schema(value: Json) -> Json:
    return {"output_config": {"format": {"type": "json_schema", "schema": value}}}


def image(media_type: str = "image/png", data: str = PNG) -> Json:
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def verify(text: str, signature: str) -> bool:
    return signature == "good" and text in ("hm", "")


def check(request: Any, beta: str = "", version: str = "2023-06-01", **rules: Any) -> None:
    headers = {"anthropic-version": version, "anthropic-beta": beta}
    check_request(request, headers, Rules(verify=verify, **rules))


LOOP = (user("add"), assistant(CALL))
ENABLED = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
FORCED = {"tools": [TOOL], "tool_choice": {"type": "any"}}

REFUSED: dict[str, tuple[Any, str]] = {
    "not an object": ([], "Input does not match the expected shape."),
    "no model": (body(model=None), "model: Field required"),
    "no max_tokens": (body(max_tokens=None), "max_tokens: Field required"),
    "no messages": (body(messages=None), "messages: Field required"),
    "empty messages": (body(messages=[]), "messages: at least one message is required"),
    "model is no string": (body(model=1), "model: Input should be a valid string"),
    "max_tokens is no integer": (body(max_tokens="9"), "max_tokens: Input should be a valid integer"),
    "max_tokens over the model's": (body(max_tokens=64_001), "max_tokens: 64001 > 64000, which is the maximum"),
    "stream is no boolean": (body(stream="yes"), "stream: Input should be a valid boolean"),
    "unknown member": (body(foo=1), "foo: Extra inputs are not permitted"),
    "OpenAI's member": (body(reasoning_effort="low"), "reasoning_effort: Extra inputs are not permitted"),
    "unknown metadata": (body(metadata={"user_id": "a", "team": "b"}), "metadata.team: Extra inputs"),
    "service tier of another": (body(service_tier="flex"), "service_tier: Input should be 'auto'"),
    "blank stop sequence": (body(stop_sequences=["\n"]), "each stop sequence must contain non-whitespace"),
    # pairs of a member and its beta header
    "context_management alone": (body(context_management={"edits": []}), "context_management: Extra inputs"),
    "mcp_servers alone": (body(mcp_servers=[]), "mcp_servers: Extra inputs"),
    "safeguards alone": (body(safeguards=[]), "safeguards: Extra inputs"),
    "task budget alone": (body(output_config={"task_budget": {}}), "output_config.task_budget: Extra inputs"),
    "updates alone": (newer(thinking={"type": "adaptive", "display": "updates"}), "thinking.adaptive.display"),
    "effort of a turn alone": (
        newer(user("a"), system("b", output_config={"effort": "low"})),
        "messages.1.output_config: Extra inputs",
    ),
    # text and blocks
    "empty text": (body(user("")), "messages: text content blocks must be non-empty"),
    "empty system text": (body(system=[{"type": "text", "text": ""}]), "system: text content blocks must be non-empty"),
    "image in system": (body(system=[image()]), "system.0.type: Input should be 'text'"),
    "empty message": (body(user(), user("hi")), "messages.0: all messages must have non-empty content"),
    "unknown block": (body(user({"type": "image_url"})), "Input tag 'image_url' found using 'type'"),
    "unknown block member": (body(user({"type": "text", "text": "a", "id": "1"})), "content.0.text.id: Extra inputs"),
    "block without its member": (body(user({"type": "text"})), "content.0.text.text: Field required"),
    "unknown message member": (body({**user("a"), "name": "bob"}), "messages.0.name: Extra inputs"),
    "role of another dialect": (body({**user("a"), "role": "developer"}), "messages.0.role: Input should be"),
    # order
    "assistant first": (body(assistant("a"), user("b")), 'first message must use the "user" role'),
    "system first": (newer(system("a"), user("b")), "a `system` message cannot be the first message"),
    "system after assistant": (newer(user("a"), assistant("b"), system("c")), "must follow a `user` message"),
    "system before user": (newer(user("a"), system("b"), user("c")), "must be last or followed by an `assistant`"),
    "system for an older model": (body(user("a"), system("b")), "messages.1.role: Input should be 'user' or"),
    "prefill of a newer model": (newer(user("a"), assistant("b")), "does not support assistant message prefill"),
    "prefill that ends in a blank": (body(user("a"), assistant("b ")), "cannot end with trailing whitespace"),
    # tools
    "tool name with a dot": (body(tools=[{**TOOL, "name": "a.b"}]), "tools.0.custom.name: String should match pattern"),
    "tool name too long": (body(tools=[{**TOOL, "name": "a" * 129}]), "tools.0.custom.name: String should match"),
    "tool without schema": (body(tools=[{"name": "a"}]), "tools.0.custom.input_schema: Field required"),
    "schema without type": (body(tools=[{"name": "a", "input_schema": {}}]), "input_schema.type: Field required"),
    "tool in OpenAI's form": (
        body(tools=[{"type": "function", "function": {}}, TOOL, TOOL]),
        "Tool names must be unique",
    ),
    "unknown tool member": (body(tools=[{**TOOL, "parameters": {}}]), "tools.0.custom.parameters: Extra inputs"),
    "all tools deferred": (body(tools=[{**TOOL, "defer_loading": True}]), "At least one tool must have defer_loading"),
    "deferred and cached": (
        body(tools=[{**TOOL, "name": "a"}, {**TOOL, "defer_loading": True, "cache_control": MARK}]),
        "cannot have both defer_loading=true and cache_control",
    ),
    "strict tool with an open schema": (body(tools=[{**TOOL, "strict": True}]), "'additionalProperties' must be"),
    "tool_choice without tools": (body(tool_choice={"type": "auto"}), "may only be specified while providing tools"),
    "tool_choice in OpenAI's form": (body(tools=[TOOL], tool_choice={"type": "required"}), "tool_choice: Input tag"),
    "tool_choice of no tool": (
        body(tools=[TOOL], tool_choice={"type": "tool", "name": "b"}),
        "Tool 'b' not found in provided tools",
    ),
    # calls and their results
    "call id with a colon": (
        body(user("a"), assistant({**CALL, "id": "functions.sum:0"}), user("b")),
        "tool_use.id: String should match pattern",
    ),
    "arguments as text": (body(user("a"), assistant({**CALL, "input": "{}"}), user("b")), "input: Input should be"),
    "call without result": (body(*LOOP, user("never mind")), "without `tool_result` blocks immediately after: toolu_1"),
    "call at the end": (body(*LOOP), "without `tool_result` blocks immediately after: toolu_1"),
    "text before the result": (body(*LOOP, user("so:", RESULT)), "without `tool_result` blocks immediately after"),
    "result too late": (body(*LOOP, user("wait"), user(RESULT)), "without `tool_result` blocks immediately after"),
    "half of the results": (
        body(user("a"), assistant(CALL, {**CALL, "id": "toolu_2"}), user(RESULT)),
        "immediately after: toolu_2",
    ),
    "result without call": (body(user(RESULT)), "unexpected `tool_use_id` found in `tool_result` blocks: toolu_1"),
    "two results": (body(*LOOP, user(RESULT, RESULT)), "each tool_use must have a single result"),
    "the same id twice": (body(user("a"), assistant(CALL, CALL), user(RESULT)), "`tool_use` ids must be unique"),
    "empty error": (body(*LOOP, user({**RESULT, "content": "", "is_error": True})), "content cannot be empty if"),
    "result in an object": (
        body(*LOOP, user({**RESULT, "content": {"a": 1}})),
        "content: Input should be a valid list",
    ),
    "reference to no tool": (
        body(*LOOP, user({**RESULT, "content": [{"type": "tool_reference", "tool_name": "b"}]}), tools=[TOOL]),
        "Tool reference 'b' not found in available tools",
    ),
    "call by the user": (body(user(CALL)), "`tool_use` blocks can only be in `assistant` messages"),
    "result by the assistant": (body(user("a"), assistant(RESULT), user("b")), "can only be in `user` messages"),
    # thinking
    "budget too small": (body(thinking={"type": "enabled", "budget_tokens": 1023}), "greater than or equal to 1024"),
    "budget not under max_tokens": (body(max_tokens=1024, **ENABLED), "`max_tokens` must be greater than"),
    "no budget": (body(thinking={"type": "enabled"}), "thinking.enabled.budget_tokens: Field required"),
    "unknown kind of thinking": (body(thinking={"type": "auto"}), "thinking: Input tag 'auto' found"),
    "budget for adaptive": (
        newer(thinking={"type": "adaptive", "budget_tokens": 2000}),
        "thinking.adaptive.budget_tokens: Extra inputs",
    ),
    "forced tool with thinking": (body(**FORCED, **ENABLED), "Thinking may not be enabled when tool_choice forces"),
    "signature of another": (
        body(user("a"), assistant({**THOUGHT, "signature": "bad"}, "b"), user("c")),
        "messages.1.content.0: Invalid `signature` in `thinking` block",
    ),
    "thought that was changed": (
        body(user("a"), assistant({**THOUGHT, "thinking": "hm!"}, "b"), user("c")),
        "messages.1.content.0: Invalid `signature` in `thinking` block",
    ),
    "blob of another": (
        body(user("a"), assistant({"type": "redacted_thinking", "data": "bad"}, "b"), user("c")),
        "messages.1.content.0: Invalid `data` in `redacted_thinking` block",
    ),
    "no signature": (
        body(user("a"), assistant({"type": "thinking", "thinking": "hm"}, "b"), user("c")),
        "content.0.thinking.signature: Field required",
    ),
    "tool loop without its thought": (
        body(*LOOP, user(RESULT), tools=[TOOL], **ENABLED),
        "Expected `thinking` or `redacted_thinking`, but found `tool_use`",
    ),
    "cached thought": (
        body(user("a"), assistant({**THOUGHT, "cache_control": MARK}, "b"), user("c")),
        "content.0.thinking.cache_control: Extra inputs",
    ),
    # caching
    "five breakpoints": (
        body(user(*({"type": "text", "text": "a", "cache_control": MARK} for _ in range(5)))),
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "unknown ttl": (
        body(user({"type": "text", "text": "a", "cache_control": {**MARK, "ttl": "24h"}})),
        "ttl: Input should be '5m' or '1h'",
    ),
    # sampling
    "temperature over 1": (body(temperature=1.5), "temperature: range: 0..1"),
    "temperature and top_p": (body(temperature=0.5, top_p=0.5), "cannot both be specified for this model"),
    "temperature with thinking": (body(temperature=0.5, **ENABLED), "may only be set to 1 when thinking is enabled"),
    "low top_p with thinking": (body(top_p=0.5, **ENABLED), "`top_p` must be greater than or equal to 0.95"),
    "top_k with thinking": (body(top_k=5, **ENABLED), "`top_k` must be unset when thinking"),
    "temperature of a newer model": (newer(temperature=0.2), "`temperature` is deprecated for this model."),
    # images
    "image of a wrong type": (body(user(image("image/bmp"))), "media_type: Input should be 'image/jpeg'"),
    "image that is none": (body(user(image(data="aGVsbG8="))), "Could not process image"),
    "image of another type": (body(user(image("image/gif"))), "appears to be a image/png image"),
    "image that is not base64": (body(user(image(data="%%%"))), "Invalid base64 data"),
    "image by plain http": (
        body(user({"type": "image", "source": {"type": "url", "url": "http://example.com/a.png"}})),
        "Only HTTPS URLs are supported.",
    ),
    # structured output
    "open schema": (body(**schema({"type": "object", "properties": {}})), "'additionalProperties' must be explicitly"),
    "open schema inside": (
        body(**schema({"type": "array", "items": {"type": "object"}})),
        "'additionalProperties' must be explicitly",
    ),
    "range in a schema": (body(**schema({"type": "integer", "minimum": 1})), "property 'minimum' is not supported"),
    "name of a schema": (
        body(output_config={"format": {"type": "json_schema", "schema": {}, "name": "a"}}),
        "output_config.format.name: Extra inputs",
    ),
    "OpenAI's json_object": (body(output_config={"format": {"type": "json_object"}}), "Input should be 'json_schema'"),
    "effort that is none": (body(output_config={"effort": "minimal"}), "output_config.effort: Input should be 'low'"),
}


@pytest.mark.parametrize("request_body, words", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(request_body: Any, words: str) -> None:
    """A request that breaks one rule is refused with 400 in the vendor's words."""
    with pytest.raises(Refusal) as refusal:
        check(request_body)
    assert words in refusal.value.message
    assert (refusal.value.status, refusal.value.kind) == (400, "invalid_request_error")


TAKEN: dict[str, tuple[Json, str]] = {
    "the least": (body(), ""),
    "text as string": (body({"role": "user", "content": "hi"}, system="be brief"), ""),
    "two user messages": (body(user("a"), user("b")), ""),
    "prefill of an older model": (body(user("a"), assistant("b")), ""),
    "system in the middle": (newer(user("a"), system("b"), assistant("c"), user("d"), system("e")), ""),
    "effort of a turn": (
        newer(user("a"), system("b", output_config={"effort": "low"})),
        "per-turn-control-2026-07-01",
    ),
    "a whole loop": (body(*LOOP, user(RESULT, "go on"), tools=[TOOL]), ""),
    "a loop with its thought": (
        body(user("a"), assistant(THOUGHT, CALL), user(RESULT), tools=[TOOL], **ENABLED),
        "",
    ),
    "adaptive needs no thought": (newer(*LOOP, user(RESULT), tools=[TOOL], thinking={"type": "adaptive"}), ""),
    "forced tool when adaptive": (newer(**FORCED, thinking={"type": "adaptive"}), ""),
    "interleaved budget": (
        body(tools=[TOOL], max_tokens=1024, **ENABLED),
        "interleaved-thinking-2025-05-14",
    ),
    "context_management": (body(context_management={"edits": []}), "x, context-management-2025-06-27"),
    "unknown beta": (body(), "something-nobody-knows-2031-01-01"),
    "four breakpoints": (body(user(*({"type": "text", "text": "a", "cache_control": MARK} for _ in range(4)))), ""),
    "image": (body(user(image())), ""),
    "closed schema": (body(**schema({"type": "object", "properties": {}, "additionalProperties": False})), ""),
    "reference": (
        body(*LOOP, user({**RESULT, "content": [{"type": "tool_reference", "tool_name": "sum"}]}), tools=[TOOL]),
        "",
    ),
}


@pytest.mark.parametrize("request_body, beta", TAKEN.values(), ids=TAKEN.keys())
def test_takes(request_body: Json, beta: str) -> None:
    """What is legal, and near to what is not, is taken."""
    check(request_body, beta)


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_newest_version_has_no_sampling(name: str) -> None:
    """Version 2026-10-21 knows no sampling parameters."""
    check(body(**{name: 1}))
    with pytest.raises(Refusal, match=f"{name}: Extra inputs are not permitted"):
        check(body(**{name: 1}), version="2026-10-21")


@pytest.mark.parametrize(
    "request_body, beta",
    [
        (body(output_config={"effort": "low"}), "effort-2025-11-24"),
        (body(tools=[TOOL, {**TOOL, "name": "b", "defer_loading": True}]), "advanced-tool-use-2025-11-20"),
    ],
)
def test_lagging_deployment_wants_pairs(request_body: Json, beta: str) -> None:
    """A deployment that lags behind refuses what is no longer beta elsewhere, unless its header is there."""
    check(request_body)
    check(request_body, beta, lagging=True)
    with pytest.raises(Refusal, match="Extra inputs are not permitted"):
        check(request_body, lagging=True)


def test_unknown_model_is_404() -> None:
    """A model that is not there is a 404 with its name."""
    with pytest.raises(Refusal, match="model: gpt-5") as refusal:
        check(body(model="gpt-5"))
    assert (refusal.value.status, refusal.value.kind) == (404, "not_found_error")


@pytest.mark.parametrize("name", ["max_tokens", "stream", "metadata", "temperature"])
def test_counting_knows_fewer_members(name: str) -> None:
    """count_tokens refuses what has no meaning for a count."""
    value: Any = {"max_tokens": 1, "stream": True, "metadata": {}, "temperature": 1}[name]
    check_request(body(max_tokens=None), HEADERS, Rules(), counting=True)
    with pytest.raises(Refusal, match=f"{name}: Extra inputs are not permitted"):
        check_request(body(**{"max_tokens": None, name: value}), HEADERS, Rules(), counting=True)


@pytest.mark.parametrize(
    "headers, status, words",
    [
        ({}, 401, "x-api-key header is required"),
        ({"x-api-key": "other"}, 401, "invalid x-api-key"),
        ({"authorization": "Bearer other"}, 401, "Invalid bearer token"),
        ({"authorization": "Basic key"}, 401, "Invalid bearer token"),
        # One right key does not excuse another that a gateway should not have sent on.
        ({"x-api-key": "key", "authorization": "Bearer of-the-client"}, 401, "Invalid bearer token"),
        ({"x-api-key": "key"}, 400, "anthropic-version: header is required"),
        ({"x-api-key": "key", "anthropic-version": "2020-01-01"}, 400, "is not a valid version"),
    ],
)
def test_headers(headers: dict[str, str], status: int, words: str) -> None:
    """Keys are asked for before the version, and every key that is sent must be right."""
    with pytest.raises(Refusal, match=words) as refusal:
        check_headers(headers, ("key",))
    assert refusal.value.status == status


def test_members_are_those_of_the_sdk() -> None:
    """The fake knows every member that the vendor's SDK can send, so that it refuses none that is real."""
    stable = set(message_create_params.MessageCreateParamsBase.__annotations__)
    beta = set(beta_message_create_params.MessageCreateParamsBase.__annotations__)
    as_headers = {"betas", "user_profile_id", "workspace_id"}
    assert stable - MEMBERS - as_headers == set()
    assert beta - MEMBERS - BETA_MEMBERS.keys() - as_headers == set()
