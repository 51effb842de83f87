"""The demo model's answers, as transcripts: what came in, what must come out."""

from __future__ import annotations

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from strowger.demo import model
from strowger.demo.request import parse

BASH = {
    "type": "function",
    "function": {
        "name": "Bash",
        "parameters": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
    },
}
ID = "chatcmpl-7"


def user(text: str) -> dict[str, Any]:
    """A message of the user."""
    return {"role": "user", "content": text}


def called(*ids: str) -> dict[str, Any]:
    """A message that called Bash, once for each id."""
    calls = [{"id": each, "type": "function", "function": {"name": "Bash", "arguments": "{}"}} for each in ids]
    return {"role": "assistant", "content": "on it", "reasoning_content": "hm", "tool_calls": calls}


def result(id: str, text: str) -> dict[str, Any]:
    """The result of a call."""
    return {"role": "tool", "tool_call_id": id, "content": text}


def answer(*messages: Any, model_name: str = "demo", **fields: Any) -> model.Plan:
    """The model's plan for a conversation."""
    return model.plan(parse({"model": model_name, "messages": list(messages), **fields}))


def deltas(plan: model.Plan) -> list[dict[str, Any]]:
    """The deltas of the streamed plan."""
    return [chunk["choices"][0]["delta"] for chunk in model.chunks(plan, id=ID, created=1)]


def joined(plan: model.Plan, key: str) -> str:
    """The pieces of one kind, joined."""
    return "".join(delta.get(key) or "" for delta in deltas(plan))


def test_a_plain_prompt_is_answered() -> None:
    """It says that it is the demo model, what was said to it, and what reached it."""
    plan = answer({"role": "system", "content": "x" * 1234}, user("hello you"), tools=[BASH], stream=True)
    assert plan.finish == "stop"
    assert not plan.calls
    for part in ("demo model `demo`", "“hello you”", "2 messages", "1,234 characters", "1 tool (`Bash`)", "streamed"):
        assert part in plan.text


def test_a_tool_loop() -> None:
    """Asked to run something it thinks, speaks and calls; given the result it quotes it and stops."""
    prompt = user("run `echo hi` for me")
    first = answer(prompt, tools=[BASH])
    assert (first.finish, [call.arguments for call in first.calls]) == ("tool_calls", ['{"command": "echo hi"}'])
    assert first.thinking
    assert "`Bash`" in first.text
    second = answer(prompt, called("c1"), result("c1", "hi\n"), tools=[BASH])
    assert (second.finish, second.calls) == ("stop", ())
    assert "`Bash` answered:\n\n```\nhi\n```" in second.text


def test_a_loop_of_several_turns() -> None:
    """Several commands take a turn each, and the loop ends after the last."""
    history: list[Any] = [user("run `pwd`, then `ls`")]
    commands = []
    for turn in ("c1", "c2"):
        plan = answer(*history, tools=[BASH])
        commands.append(json.loads(plan.calls[0].arguments)["command"])
        history += [called(turn), result(turn, "ok")]
    assert commands == ["pwd", "ls"]
    assert answer(*history, tools=[BASH]).finish == "stop"


def test_the_next_prompt_starts_anew() -> None:
    """Calls of an earlier prompt do not count against a new one."""
    past = (user("run `pwd`"), called("c1"), result("c1", "/"), {"role": "assistant", "content": "there"})
    assert answer(*past, user("run `ls`"), tools=[BASH]).finish == "tool_calls"


def test_parallel_calls_and_their_results() -> None:
    """Two calls at once have two ids and two indexes; each result is quoted."""
    prompt = user("run `pwd` and `ls` in parallel")
    plan = answer(prompt, tools=[BASH])
    starts = [call for delta in deltas(plan) for call in delta.get("tool_calls", []) if "id" in call]
    assert [(call["index"], call["id"]) for call in starts] == [(0, "call_70"), (1, "call_71")]
    closing = answer(prompt, called("a", "b"), result("b", "two"), result("a", "one"), tools=[BASH])
    assert "```\none\n```" in closing.text
    assert "```\ntwo\n```" in closing.text
    assert len(answer(prompt, tools=[BASH], parallel_tool_calls=False).calls) == 1


def test_results_are_quoted_in_bounds() -> None:
    """A long result is cut, and a fence in it does not end ours."""
    plan = answer(user("run `ls`"), called("c"), result("c", "```" + "y" * 10_000), tools=[BASH])
    assert "~~~\n```yyy" in plan.text
    assert len(plan.text) < 1_000
    assert "(nothing)" in answer(user("run `ls`"), called("c"), result("c", ""), tools=[BASH]).text


def test_text_after_results_does_not_restart_the_loop() -> None:
    """Reminders, notes and lifted images that a client adds behind its results are no new prompt."""
    history = (user("run `ls`"), called("c"), result("c", "a.txt"))
    for note in ("<system-reminder>run it again</system-reminder>", "The image that the tool returned: run"):
        assert "a.txt" in answer(*history, user(note), tools=[BASH]).text


def test_a_choice_of_tools_is_obeyed() -> None:
    """`none` calls nothing, `required` and a named tool call something, whatever the prompt."""
    assert not answer(user("run `ls`"), tools=[BASH], tool_choice="none").calls
    assert answer(user("hello"), tools=[BASH], tool_choice="required").calls
    named = {"type": "function", "function": {"name": "Bash"}}
    assert answer(user("hello"), tools=[BASH], tool_choice=named).finish == "tool_calls"


def test_text_only_is_obeyed() -> None:
    """Claude Code's request for a summary offers the tools and forbids them; what it wants is a summary."""
    text = "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.\nPut it in a <summary> block."
    plan = answer(user("run the tests"), {"role": "assistant", "content": "done"}, user(text), tools=[BASH])
    assert not plan.calls
    assert plan.text.startswith("<summary>")
    assert "- run the tests" in plan.text


@pytest.mark.parametrize(
    "system, prompt, title",
    [
        ("You are a title generator. You output ONLY a thread title.", '"run a tool"', "Run a tool"),
        ("You are naming a coding session.", "please fix the parser of the config files now", None),
        ("", "Generate a title for this conversation:\nfix it", None),
    ],
)
def test_titles_are_short(system: str, prompt: str, title: str | None) -> None:
    """Agents ask for a title behind their user's back; it has one line of at most six words."""
    messages = ([{"role": "system", "content": system}] if system else []) + [user(prompt)]
    text = answer(*messages).text
    assert title in (None, text)
    assert 0 < len(text.split()) <= 6


def test_structured_output_is_valid() -> None:
    """By a schema: an instance of it, with a title where one is wanted. Without: some JSON object."""
    schema = {"type": "object", "properties": {"title": {"type": "string"}, "n": {"type": "integer"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "t", "schema": schema | {"required": ["title", "n"]}}}
    assert json.loads(answer(user("fix the parser"), response_format=wanted).text) == {
        "title": "Fix the parser",
        "n": 1,
    }
    free = answer(user("hi"), response_format={"type": "json_object"})
    assert isinstance(json.loads(free.text), dict)


def test_thinking_can_be_off() -> None:
    """`demo-fast` does not think, nor does `demo` when told not to."""
    assert answer(user("hi")).thinking
    assert not answer(user("hi"), model_name="demo-fast").thinking
    assert answer(user("hi"), reasoning_effort="none").usage.reasoning == 0


def test_the_order_of_a_stream() -> None:
    """Role, thinking, text, calls, finish, usage; a call's first piece has its id and name, the others arguments."""
    plan = answer(user("run `ls`"), tools=[BASH], stream=True, stream_options={"include_usage": True})
    chunks = list(model.chunks(plan, id=ID, created=1, include_usage=True))
    assert {chunk["id"] for chunk in chunks} == {ID}
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == plan.usage.written()
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    keys = [next(iter(chunk["choices"][0]["delta"]), "") for chunk in chunks[1:-1]]
    kinds = ["reasoning_content", "content", "tool_calls", ""]
    assert sorted(keys, key=kinds.index) == keys
    assert set(keys) == set(kinds)
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[-3:-1]] == [None, "tool_calls"]
    calls = [delta["tool_calls"][0] for delta in deltas(plan) if "tool_calls" in delta]
    assert calls[0] == {
        "index": 0,
        "id": "call_70",
        "type": "function",
        "function": {"name": "Bash", "arguments": ""},
    }
    assert all(set(call) == {"index", "function"} for call in calls[1:])
    assert "".join(call["function"]["arguments"] for call in calls) == plan.calls[0].arguments


def test_usage_is_sent_only_when_asked_for() -> None:
    """Without `include_usage` no chunk speaks of usage."""
    assert all("usage" not in chunk for chunk in model.chunks(answer(user("hi")), id=ID, created=1))


def test_the_body_and_the_stream_say_the_same() -> None:
    """One plan, two ways to write it."""
    plan = answer(user("run `ls`"), tools=[BASH])
    body = model.completion(plan, id=ID, created=1)
    message = body["choices"][0]["message"]
    assert message["content"] == joined(plan, "content") == plan.text
    assert message["reasoning_content"] == joined(plan, "reasoning_content") == plan.thinking
    assert message["tool_calls"][0]["id"] == "call_70"
    assert message["tool_calls"][0]["function"] == {"name": "Bash", "arguments": plan.calls[0].arguments}
    assert body["usage"]["total_tokens"] == plan.usage.prompt + plan.usage.completion
    quiet = model.completion(answer(user("hi"), model_name="demo-fast"), id=ID, created=1)["choices"][0]["message"]
    assert "tool_calls" not in quiet
    assert "reasoning_content" not in quiet


def test_stop_strings_end_the_text() -> None:
    """The text ends before the earliest stop string, and what would have come after it does not come."""
    whole = answer(user("run `ls`"), tools=[BASH])
    plan = answer(user("run `ls`"), tools=[BASH], stop=["`Bash`", "that"])
    assert plan.text == whole.text.partition("`Bash`")[0]
    assert (plan.calls, plan.finish) == ((), "stop")


@given(st.integers(1, 120))
def test_the_limit_holds(limit: int) -> None:
    """No answer is longer than `max_tokens`, one that is cut says so, and what is there is a beginning of the whole."""
    whole = answer(user("run `ls`"), tools=[BASH])
    plan = answer(user("run `ls`"), tools=[BASH], max_tokens=limit)
    assert plan.usage.completion <= limit
    assert (plan.finish == "length") == (limit < whole.usage.completion)
    assert whole.thinking.startswith(plan.thinking)
    assert whole.text.startswith(plan.text)
    for cut, full in zip(plan.calls, whole.calls, strict=False):
        assert cut.name == full.name
        assert full.arguments.startswith(cut.arguments)


def test_usage_counts_what_was_read_and_said() -> None:
    """Four characters are a token; the answer's count holds the thinking's; tools and replayed calls are read too."""
    plan = answer(user("x" * 400))
    assert plan.usage.prompt == 100
    assert plan.usage.reasoning == model.tokens(plan.thinking)
    assert plan.usage.completion == plan.usage.reasoning + model.tokens(plan.text)
    assert answer(user("x" * 400), tools=[BASH]).usage.prompt > 120
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:," + "A" * 10_000}}]}
    assert answer(image).usage.prompt == 85
    assert "1 image too" in answer(image).text


@given(st.text())
def test_pieces_join_to_the_text(text: str) -> None:
    """Cutting a text into pieces loses nothing, and no piece is empty."""
    assert "".join(model.pieces(text)) == text
    assert all(model.pieces(text))
