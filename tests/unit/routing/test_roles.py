"""What part a call plays, by its body: in what real clients sent, and in what only looks like it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from strowger.dialects.glance import Glance
from strowger.routing.roles import AUXILIARY, COMPACTION, SUBAGENT, TITLE, Role, is_planning, recognised
from tests.shared import CAPTURES, needs_shared

CLAUDE = "You are Claude Code, Anthropic's official CLI for Claude."


def body(system: str = CLAUDE, *messages: str | tuple[str, str], **more: object) -> Glance:
    """A request of Claude Code: its messages are the user's unless they name a role."""
    listed = [("user", message) if isinstance(message, str) else message for message in messages]
    blocks = [{"type": "text", "text": text} for text in ("x-anthropic-billing-header: cc_version=2;", CLAUDE, system)]
    said = [{"role": role, "content": text} for role, text in listed]
    return Glance(json.dumps({"model": "m", "system": blocks, "messages": said, **more}).encode())


@pytest.mark.parametrize(
    "glance, role",
    [
        (body(CLAUDE, "hello"), None),
        (body("You are naming a coding session so the user can pick it", "x"), Role(TITLE)),
        (body(CLAUDE, "Please write a 5-10 word title for the following conversation:\n\nx"), Role(TITLE)),
        (body(CLAUDE, "hello", "CRITICAL: Respond with TEXT ONLY. Do NOT call"), Role(COMPACTION)),
        (body(CLAUDE, "Web page content:\n---\nx"), Role(AUXILIARY)),
        (body(CLAUDE, "Web page content: x"), None),
        (body("You are a file search specialist for Claude Code", "x"), Role(SUBAGENT, "Explore")),
        (body("You are a file search specialist", "x", "CRITICAL: Respond with TEXT ONLY"), Role(COMPACTION)),
        # who only speaks of it is not it
        (body(CLAUDE, "Why does it say: You are a title generator?"), None),
        (body(CLAUDE, "CRITICAL: Respond with TEXT ONLY", "and now go on"), None),
        (body(CLAUDE, "x-anthropic-billing-header: cc_is_subagent=true;"), None),
    ],
)
def test_by_how_prompts_begin(glance: Glance, role: Role | None) -> None:
    """A prompt is known by how it begins, where it stands; all else is the conversation itself."""
    assert recognised(glance) == role


def test_the_attribution_block_names_a_sub_agent() -> None:
    """Its first block says so in Claude Code, whatever its prompt."""
    system = [{"type": "text", "text": "x-anthropic-billing-header: cc_version=2; cc_is_subagent=true;"}]
    assert recognised(Glance(json.dumps({"system": system}).encode())) == Role(SUBAGENT)


FULL = "Plan mode is active. The user indicated that they do not want you to execute yet -- you MUST NOT"
OVER = ("system", "## Exited Plan Mode\n\nYou have exited plan mode. You can now make edits")


@pytest.mark.parametrize(
    "messages, planning",
    [
        (("hello",), False),
        ((f"<system-reminder>\n{FULL}\n</system-reminder>", "hello"), True),
        ((("system", f"# Environment\n\n{FULL}"), "go on", ("assistant", "ok"), "go on"), True),
        ((("system", FULL), "go on", OVER, "go on"), False),
        (
            (
                ("system", FULL),
                OVER,
                "x",
                ("system", "Plan mode still active (see full instructions earlier in conversation)."),
                "y",
            ),
            True,
        ),
        ((("system", FULL), OVER, "x", ("system", FULL), "y"), True),
        ((("assistant", FULL), "hello"), False),
        ((FULL + "\n\n" + OVER[1],), False),
    ],
)
def test_plan_mode(messages: tuple[str | tuple[str, str], ...], planning: bool) -> None:
    """The last that the client said of it counts, as in sessions of 2.1.197 and 2.1.329 in which it came and went."""
    assert is_planning(body(CLAUDE, *messages)) is planning


def test_plan_mode_in_the_result_of_a_tool() -> None:
    """A file that quotes the words puts nobody into plan mode."""
    result = [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": FULL}]}]
    messages = [{"role": "user", "content": "read it"}, {"role": "user", "content": result}]
    assert not is_planning(Glance(json.dumps({"messages": messages}).encode()))


@pytest.mark.parametrize(
    "name, text",
    [
        ("gemini", {"systemInstruction": {"parts": [{"text": "# Active Approval Mode: Plan\n\nYou are"}]}}),
        ("codex", {"input": [{"role": "developer", "content": "You are in **Plan Mode** until a developer message "
                                                               "explicitly ends it"}]}),
    ],
)  # fmt: skip
def test_plan_mode_of_others(name: str, text: dict[str, Any]) -> None:
    """Gemini CLI says it in its system prompt, Codex in a developer's message."""
    assert is_planning(Glance(json.dumps(text).encode())), name


def exchanges(capture: str) -> list[dict[str, Any]]:
    """The requests of a capture that ask a model for something; texts in it are cut, but not at their beginning."""
    recorded = json.loads((CAPTURES / f"{capture}.json").read_bytes())["exchanges"]
    requests = [exchange["request"] for exchange in recorded]
    asks = [each for each in requests if each["method"] == "POST" and "count_tokens" not in each["path"]]
    return [each for each in asks if isinstance(each["body"], dict)]


@needs_shared
@pytest.mark.parametrize(
    "capture, classes",
    [
        ("claude-2.1.197-sdkstdio-http", "title . . . title ."),
        ("claude-2.1.197-basic", "."),
        ("claude-2.1.197-simple", "."),
        ("claude-2.1.197-nested-subagents", ". g g g ."),
        ("claude-2.1.329-sdkstdio-http", ". . . . ."),
        ("claude-2.1.329-subagents", ". . E . g . g g E g ."),
        ("claude-2.1.329-interactive", ". title . compaction compaction"),
        ("claude-2.1.197-subagents", ". E E . g g . g g ."),
        ("opencode-anth", "title . ."),
        ("opencode-chat", "title . ."),
        ("opencode-resp", "title . ."),
        ("opencode-gem", "title . ."),
        ("gemini-apikey", "auxiliary . ."),
        ("codex-basic", ". ."),
        ("kimi-anthropic", ". ."),
        ("qwen-anth", ". ."),
        ("pi-anth", ". ."),
    ],
)
def test_what_real_clients_sent(capture: str, classes: str) -> None:
    """Every title, chore and sub-agent of the recordings is recognised, and nothing else is taken for one."""
    found = []
    for exchange in exchanges(capture):
        role = recognised(Glance(json.dumps(exchange["body"]).encode()))
        found.append("." if role is None else role.agent[:1] or role.request_class)
    assert " ".join(found) == classes
