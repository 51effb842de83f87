"""Whether an entry of `[[routes]]` fits a call."""

from __future__ import annotations

import json

import pytest

from strowger.client import RouteState
from strowger.config.schema import Match, RouteConfig
from strowger.routing.hints import Hints, Noticed
from strowger.routing.rules import Rule, rule


def made(**match: object) -> Rule:
    return rule(3, RouteConfig(match=Match(**match), to="there"))  # type: ignore[arg-type]


FULL = Hints(
    request_class="title",
    agent="Explore",
    subagent=True,
    agent_id="a12",
    session="3fa9-11",
    effort="xhigh",
    thinking=True,
    plan=True,
    prompt=60_001,
    tools=("Bash", "web_search", "web_search_20250305"),
    images=True,
)


@pytest.mark.parametrize(
    "condition, fits_full, fits_empty",
    [
        ({"request_class": "auxil*"}, True, False),
        ({"request_class": ("main", "title")}, True, False),
        ({"request_class": "main"}, False, False),
        ({"agent": "explore"}, True, False),
        ({"subagent": False}, False, True),
        ({"agent_id": "a*"}, True, False),
        ({"session": ("x*", "3fa9*")}, True, False),
        ({"session": "3fa9"}, False, False),
        ({"prompt_over": 60_000}, True, False),
        ({"prompt_over": 60_001}, False, False),
        ({"prompt_under": 60_001}, False, True),
        ({"prompt_over": 1000, "prompt_under": 100_000}, True, False),
        ({"effort": ("xhigh", "max")}, True, False),
        ({"effort": ""}, True, True),
        ({"thinking": True}, True, False),
        ({"thinking": False}, False, True),
        ({"plan": True}, True, False),
        ({"tool": "web_search*"}, True, False),
        ({"images": False}, False, True),
        ({"plan": True, "effort": "low"}, False, False),
        ({}, True, True),
    ],
)
def test_conditions(condition: dict[str, object], fits_full: bool, fits_empty: bool) -> None:
    """All conditions that are given must hold."""
    assert made(**condition).fits(FULL) is fits_full
    assert made(**condition).fits(Hints()) is fits_empty


def test_headers_come_before_bodies() -> None:
    """What a header can settle is not looked for in the body, whatever else the rule asks for."""
    unread = Noticed({"session-id": "s1"}, None)  # type: ignore[arg-type]
    assert not made(session="s2", plan=True, images=True, tool="x", request_class="title").fits(unread)


def test_bodies_that_came_in() -> None:
    """The same questions, asked of a call."""
    body = {"model": "m", "messages": [{"role": "user", "content": "x" * 40_000}], "reasoning_effort": "high"}
    call = Noticed({}, json.dumps(body).encode())
    assert made(prompt_over=9_000, effort="high", thinking=True, subagent=False).fits(call)
    assert not made(prompt_over=11_000).fits(call)


def test_a_rule_with_any_condition_goes_before_names() -> None:
    """A name that says where it goes yields to a rule that looks at more than the model."""
    for condition in ({"session": "x"}, {"prompt_under": 5}, {"plan": False}, {"tool": "x"}, {"thinking": True}):
        assert made(model="*", **condition).beats_names("a:b")
    assert not made(model="*").beats_names("a:b")


def test_described_as_the_client_reads_it() -> None:
    """Every condition of the configuration is told, under its own name, and read by who asks for the status."""
    told = made(model="a", session="s", prompt_over=5, plan=True).described()
    assert {*told} == {*(field for field in RouteState.__struct_encode_fields__)}
    named = {"class" if name == "request_class" else name for name in Match.__struct_fields__}
    assert named <= {*told}
    assert (told["name"], told["session"], told["prompt_over"], told["plan"]) == ("routes[3]", ("s",), 5, True)
