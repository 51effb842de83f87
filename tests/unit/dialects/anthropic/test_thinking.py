"""Whether and how a model shall think."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from strowger.dialects.anthropic import FAITHFUL
from strowger.dialects.base import Capabilities
from strowger.ir.request import Message, Reasoning, Request, Signed, Text, Thinking, ToolCall, ToolResult
from tests.unit.dialects.anthropic.transcripts import USER, parse, paths, render

WORDS = ("low", "medium", "high", "xhigh", "max")
ADAPTIVE = replace(FAITHFUL, thinking="adaptive", efforts=WORDS)
BUDGET = replace(FAITHFUL, thinking="budget", efforts=())
NONE = replace(FAITHFUL, thinking="none", efforts=())


def _asked(
    reasoning: Reasoning | None, caps: Capabilities, max_tokens: int = 64000, **members: Any
) -> tuple[Any, Any, list[str]]:
    """What a Chat client's wish becomes: `thinking`, the effort, and where something was lost."""
    messages = (Message("user", (Text("hi"),)),)
    request = Request(
        "openai_chat", "m", **{"messages": messages, **members}, reasoning=reasoning, max_tokens=max_tokens
    )
    body, losses = render(request, caps)
    return body.get("thinking"), body.get("output_config", {}).get("effort"), paths(losses)


SHOWN = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    "reasoning, thinking, effort",
    [
        (None, None, None),
        (Reasoning(effort="high"), SHOWN, "high"),
        (Reasoning(effort="minimal"), SHOWN, "low"),
        (Reasoning(effort="xhigh"), SHOWN, "xhigh"),
        (Reasoning(effort="none"), {"type": "disabled"}, None),
        (Reasoning(mode="disabled", effort="high"), {"type": "disabled"}, None),
        (Reasoning(budget=8000), SHOWN, "medium"),
        (Reasoning(mode="enabled"), SHOWN, None),
    ],
)
def test_adaptive_models_get_an_effort(reasoning: Reasoning | None, thinking: Any, effort: Any) -> None:
    """And are asked to show their thinking, which the newest do only then: other dialects have no such switch."""
    assert _asked(reasoning, ADAPTIVE)[:2] == (thinking, effort)


@pytest.mark.parametrize(
    "reasoning, budget",
    [
        (Reasoning(effort="minimal"), 1024),
        (Reasoning(effort="medium"), 8192),
        (Reasoning(effort="high"), 24576),
        (Reasoning(effort="max"), 32000),
        (Reasoning(mode="enabled"), 8192),
        (Reasoning(budget=500), 1024),
        (Reasoning(budget=10**6), 48000),
    ],
)
def test_older_models_get_a_budget(reasoning: Reasoning, budget: int) -> None:
    """At least 1,024 tokens, and never so much that nothing is left for the answer."""
    assert _asked(reasoning, BUDGET)[:2] == ({"type": "enabled", "budget_tokens": budget}, None)


def test_no_room_no_thinking() -> None:
    """A budget must be smaller than max_tokens; where that cannot be, the answer comes first."""
    assert _asked(Reasoning(effort="high"), BUDGET, max_tokens=1024) == (None, None, ["thinking"])
    assert _asked(Reasoning(effort="high"), BUDGET, max_tokens=2048)[0]["budget_tokens"] == 1536


def test_models_that_do_not_think() -> None:
    """The wish is a loss, unless it was not to."""
    assert _asked(Reasoning(effort="high"), NONE) == (None, None, ["reasoning"])
    assert _asked(Reasoning(effort="none"), NONE) == (None, None, [])


def test_an_unknown_server_gets_a_budget() -> None:
    """Adaptive thinking is new; budgets are what compatible servers know."""
    thinking, effort, _ = _asked(Reasoning(effort="low"), Capabilities())
    assert (thinking, effort) == ({"type": "enabled", "budget_tokens": 1024}, None)


CALL = Message("assistant", (ToolCall("c1", "ls", "{}"),))
RESULT = Message("tool", (ToolResult("c1", (Text("out"),)),))
GO = Message("user", (Text("go"),))


def test_an_open_tool_loop_without_thinking_switches_it_off() -> None:
    """With a budget the API wants the thinking of the last turn back; nobody has it, so it is not asked for now."""
    thinking, _, losses = _asked(Reasoning(effort="high"), BUDGET, messages=(GO, CALL, RESULT))
    assert thinking == {"type": "disabled"}
    assert losses == ["thinking"]


@pytest.mark.parametrize(
    "messages",
    [
        (GO, CALL, RESULT, Message("assistant", (Text("done"),)), GO),
        (GO, CALL, RESULT, GO, Message("assistant", (Text("done"),)), GO),
    ],
)
def test_a_closed_tool_loop_may_think(messages: Any) -> None:
    """Only the loop that is still open counts."""
    assert _asked(Reasoning(effort="high"), BUDGET, messages=messages)[0]["type"] == "enabled"


def test_only_the_last_turn_of_the_loop_counts() -> None:
    """The API looks at no earlier one."""
    thought = Thinking("hm", Signed("anthropic", "anthropic:signature", "s"))
    last = Message("assistant", (thought, ToolCall("c2", "ls", "{}")))
    again = Message("tool", (ToolResult("c2", (Text("out"),)),))
    assert _asked(Reasoning(effort="high"), BUDGET, messages=(GO, CALL, RESULT, last, again))[0]["type"] == "enabled"


def test_an_adaptive_model_does_not_mind() -> None:
    """It takes up thinking in the middle of a loop."""
    assert _asked(Reasoning(effort="high"), ADAPTIVE, messages=(GO, CALL, RESULT))[0] == SHOWN


# ---- requests of this dialect ----

LOOP: list[dict[str, Any]] = [
    USER,
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "ls", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "out"}]},
]


def _own(caps: Capabilities, **members: Any) -> tuple[dict[str, Any], list[str]]:
    body, losses = render(parse(**{"max_tokens": 64000, **members}), caps)
    return body, paths(losses)


def test_adaptive_becomes_a_budget_for_an_older_model() -> None:
    """Claude Code's background requests may be sent to an older and cheaper model."""
    body, losses = _own(BUDGET, thinking={"type": "adaptive", "display": "omitted"}, output_config={"effort": "high"})
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 24576}
    assert "output_config" not in body
    assert losses == ["effort", "thinking"]


def test_and_is_left_out_in_an_open_tool_loop() -> None:
    """Adaptive thinking may have been silent before the call; a budget would be refused then."""
    assert _own(BUDGET, thinking={"type": "adaptive"}, messages=LOOP)[0]["thinking"] == {"type": "disabled"}


def test_a_budget_becomes_an_effort_for_a_newer_model() -> None:
    """Newer models refuse budgets."""
    body, losses = _own(ADAPTIVE, thinking={"type": "enabled", "budget_tokens": 31999})
    assert (body["thinking"], body["output_config"]) == ({"type": "adaptive"}, {"effort": "xhigh"})
    assert losses == ["thinking.budget_tokens"]


def test_a_model_that_does_not_think_is_not_asked() -> None:
    """Neither to, nor not to: the member itself is refused."""
    assert _own(NONE, thinking={"type": "enabled", "budget_tokens": 2000}) == (_own(NONE)[0], ["thinking"])
    assert _own(NONE, thinking={"type": "disabled"}) == _own(NONE)


def test_thinking_that_stayed_behind_switches_it_off() -> None:
    """After a change of provider the open loop has foreign thinking, which is dropped; the API would miss it."""
    foreign = {"type": "thinking", "thinking": "hm", "signature": "strowger1.broken"}
    messages = [USER, {"role": "assistant", "content": [foreign, *LOOP[1]["content"]]}, LOOP[2]]
    body, _ = _own(
        replace(BUDGET, thinking_replay="signed"),
        thinking={"type": "enabled", "budget_tokens": 2000},
        messages=messages,
    )
    assert [block["type"] for block in body["messages"][1]["content"]] == ["tool_use"]
    assert body["thinking"] == {"type": "disabled"}


def test_what_the_client_itself_left_out_is_the_vendors_matter() -> None:
    """A request of this dialect that we did not change is not ours to repair."""
    thinking = {"type": "enabled", "budget_tokens": 2000}
    assert _own(BUDGET, thinking=thinking, messages=LOOP)[0]["thinking"] == thinking


@pytest.mark.parametrize(
    "effort, efforts, sent",
    [
        ("xhigh", ("low", "medium", "high"), "high"),
        ("max", ("high", "max"), "max"),
        ("medium", ("low", "high"), "high"),
        ("of_next_year", WORDS, "of_next_year"),
        ("high", (), None),
    ],
)
def test_efforts_are_clamped(effort: str, efforts: tuple[str, ...], sent: str | None) -> None:
    """To the nearest that the model takes, the stronger of two; a newer word passes to a vendor that may know it."""
    body, _ = _own(replace(ADAPTIVE, efforts=efforts), output_config={"effort": effort})
    assert body.get("output_config", {}).get("effort") == sent


def test_a_forced_tool_call_switches_thinking_off() -> None:
    """The client relies on the call that it forces; thinking only makes it better. The API refuses both together."""
    tools = {"tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "any"}}
    caps = replace(ADAPTIVE, forced_tool_choice_with_thinking=False)
    body, losses = _own(caps, thinking={"type": "adaptive"}, **tools)
    assert (body["thinking"], body["tool_choice"]) == ({"type": "disabled"}, {"type": "any"})
    assert losses == ["thinking"]
    assert _own(caps, thinking={"type": "adaptive"}, **{**tools, "tool_choice": {"type": "auto"}})[1] == []


def test_signed_thinking_keeps_its_place() -> None:
    """Chat clients that brought an Anthropic signature home get to go on thinking in the loop."""
    signed = parse(
        messages=[{"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}]}]
    )
    thought = signed.messages[0].parts[0]
    assert isinstance(thought, Thinking)
    call = replace(CALL, parts=(thought, *CALL.parts))
    thinking, _, losses = _asked(Reasoning(effort="high"), BUDGET, messages=(GO, call, RESULT))
    assert thinking["type"] == "enabled"
    assert losses == []
