"""Tools of Anthropic clients, as a Chat upstream gets them."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import pytest

from strowger.dialects.anthropic import DIALECT as ANTHROPIC
from strowger.dialects.base import Capabilities, Rendered
from strowger.dialects.offers import Offers
from strowger.dialects.openai_chat import DIALECT, tools


def rendered(**members: Any) -> Rendered:
    body = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}], **members}
    request = ANTHROPIC.client.parse_request(json.dumps(body).encode())
    return DIALECT.upstream.render_request(request, "m", Capabilities())


@pytest.mark.parametrize(
    "schema, sent",
    [
        ({"type": "object"}, {"type": "object", "properties": {}}),
        (
            {"type": "object", "additionalProperties": False},
            {"type": "object", "additionalProperties": False, "properties": {}},
        ),
        ({"type": "object", "properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        ({"$ref": "#/$defs/A", "$defs": {}}, {"$ref": "#/$defs/A", "$defs": {}}),
        ([], []),
    ],
)
def test_an_object_schema_has_properties(schema: Any, sent: Any) -> None:
    """OpenAI refuses "object schema missing properties", which Anthropic takes; nothing else of a schema is touched."""
    body = json.loads(rendered(tools=[{"name": "a", "input_schema": schema}]).body)
    assert body["tools"][0]["function"]["parameters"] == sent


def test_deferred_tools_are_one_loss() -> None:
    """A client defers a hundred tools at once: that they wait is said once, for all of them."""
    deferred = [{"name": f"t{i}", "input_schema": {"type": "object"}, "defer_loading": True} for i in range(3)]
    answer = rendered(tools=deferred)
    assert [(loss.path, loss.severity) for loss in answer.losses] == [("tools", "info")]
    assert "tools" not in json.loads(answer.body)


def test_no_call_is_forbidden_where_there_is_nothing_to_call() -> None:
    """ "'tool_choice' is only allowed when 'tools' are specified": compactions forbid calls, tools or none."""
    asked = rendered(tool_choice={"type": "none"})
    assert "tool_choice" not in json.loads(asked.body)
    assert asked.losses == ()


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"tool_choice": {"type": "tool", "name": "b", "disable_parallel_tool_use": True}},
        {"tool_choice": {"type": "any"}},
        {"tool_choice": {"type": "tool", "name": "elsewhere"}},
        {"tool_choice": {"type": "none"}},
    ],
)
@pytest.mark.parametrize(
    "caps",
    [
        Capabilities(),
        Capabilities(parallel_switch=False, tool_choice=False),
        Capabilities(max_tool_name=3),
        Capabilities(tools=False),
        Capabilities(tool_schema="typed"),
    ],
)
def test_tools_that_were_all_written_before(members: dict[str, Any], caps: Capabilities) -> None:
    """A list that was written in an earlier turn comes out as it did, with all that goes beside it."""
    plain = [{"name": name, "description": "d", "input_schema": {"type": "object"}} for name in ("a", "b", "called")]
    body = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}], "tools": plain, **members}
    request = ANTHROPIC.client.parse_request(json.dumps(body).encode())
    first, again = (DIALECT.upstream.render_request(request, "m", caps) for _ in range(2))
    with patch.object(tools, "_OFFERS", Offers()):
        assert first == again == DIALECT.upstream.render_request(request, "m", caps)
