"""What is noticed of a call: from its headers, and from its body where they do not say it and somebody asks."""

from __future__ import annotations

import json

import pytest

from strowger.routing.hints import Hints, Noticed

CLAUDE = {"user-agent": "claude-cli/2.1.197 (external, cli)"}
CODEX_AGENT = {"x-openai-subagent": "collab_spawn", "session-id": "s1", "thread-id": "t1"}
HINTED = {"user-agent": "claude-cli/2.1.329 (external, cli)", "x-claude-code-request-class": "main"}


def called(headers: dict[str, str], system: str = "", last: str = "hello", **more: object) -> Noticed:
    body = {"system": [{"type": "text", "text": system}], "messages": [{"role": "user", "content": last}], **more}
    return Noticed(headers, json.dumps(body).encode())


def unread(headers: dict[str, str]) -> Noticed:
    """One whose body cannot be looked at."""
    return Noticed(headers, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "headers, request_class, agent, subagent, agent_id",
    [
        (HINTED, "main", "", False, ""),
        ({"x-claude-code-agent-id": "a1"}, "subagent", "", True, "a1"),
        (
            {
                "x-claude-code-request-class": "subagent",
                "x-claude-code-agent-type": "Explore",
                "x-claude-code-agent-id": "a1",
            },
            "subagent",
            "Explore",
            True,
            "a1",
        ),
        ({"x-claude-code-request-class": "workflow", "x-claude-code-agent-id": "a2"}, "workflow", "", True, "a2"),
        ({"x-claude-code-request-class": "compaction"}, "compaction", "", False, ""),
        ({"x-claude-code-compaction": "manual"}, "compaction", "", False, ""),
        ({"x-openai-subagent": "collab_spawn", "thread-id": "t1"}, "subagent", "collab_spawn", True, "t1"),
        ({"x-openai-subagent": "compact", "thread-id": "t1"}, "compaction", "compact", False, ""),
        ({"x-codex-turn-metadata": '{"turn_id":"x","request_kind":"turn"}'}, "main", "", False, ""),
        ({"x-codex-turn-metadata": '{"request_kind": "compaction"}'}, "compaction", "", False, ""),
        ({"x-parent-session-id": "s1", "x-session-id": "s2"}, "subagent", "", True, "s2"),
    ],
)
def test_headers_that_say_it(
    headers: dict[str, str], request_class: str, agent: str, subagent: bool, agent_id: str
) -> None:
    """Where the headers of Claude Code, Codex or opencode tell who asks and for what, nobody looks at the body."""
    noticed = unread(headers)
    assert next(noticed.classes()) == request_class
    assert (noticed.subagent, noticed.agent_id) == (subagent, agent_id)
    if agent or not subagent:
        assert noticed.agent == agent
    assert noticed.known_class == request_class


@pytest.mark.parametrize("name", ["x-claude-code-session-id", "session-id", "x-session-id", "session_id"])
def test_a_session_is_named_by_a_header(name: str) -> None:
    """Each client has its own, and what the body says comes after them."""
    assert Noticed({name: "s1"}, b"{}", session="of the body").session == "s1"
    assert Noticed({}, b"{}", session="of the body").session == "of the body"


def framed(kind: str, **said: str) -> Noticed:
    """A call of Codex's on a connection that was opened for something else."""
    opened = {
        "sec-websocket-key": "k",
        "user-agent": "codex_exec/0.169.0",
        "session-id": "s1",
        "thread-id": "of the connection",
        "x-codex-turn-metadata": '{"request_kind":"turn"}',
    }
    metadata = {"thread_id": "t1", "x-codex-turn-metadata": json.dumps({"request_kind": kind}), **said}
    return Noticed(opened, json.dumps({"client_metadata": metadata, "input": "hello"}).encode())


def test_frames_say_it_in_their_own_members() -> None:
    """The headers of a connection hold for none of the calls on it, but for the session."""
    assert list(framed("compaction").classes()) == ["compaction"]
    assert list(framed("prewarm").classes()) == ["main"]
    agent = framed("turn", **{"x-openai-subagent": "collab_spawn"})
    assert (agent.agent_id, agent.known_class, agent.known_agent) == ("t1", "subagent", "collab_spawn")
    assert (agent.session, agent.subagent) == ("s1", True)
    main = framed("turn")
    assert (main.agent_id, main.known_class, main.subagent) == ("", "main", False)


@pytest.mark.parametrize(
    "headers, parent",
    [
        ({"x-claude-code-agent-id": "a2", "x-claude-code-parent-agent-id": "a1"}, "a1"),
        ({"x-claude-code-agent-id": "a1"}, ""),
        ({**CODEX_AGENT, "x-codex-parent-thread-id": "t2"}, "t2"),
        ({**CODEX_AGENT, "x-codex-parent-thread-id": "s1"}, ""),
        ({"x-parent-session-id": "s1", "x-session-id": "s2"}, "s1"),
        ({"session-id": "s1", "thread-id": "s1", "x-codex-parent-thread-id": "t2"}, ""),
    ],
)
def test_who_has_started_a_sub_agent(headers: dict[str, str], parent: str) -> None:
    """Each client has its own word for it; what the main agent has started has no sub-agent above it."""
    assert unread(headers).parent_agent_id == parent


def test_who_has_started_it_in_frames() -> None:
    """On a connection, what its opening said is not asked; the frame says it."""
    spawned = {"x-openai-subagent": "collab_spawn"}
    assert framed("turn", **spawned, **{"x-codex-parent-thread-id": "t2"}).parent_agent_id == "t2"
    assert framed("turn", **spawned, **{"x-codex-parent-thread-id": "s1"}).parent_agent_id == ""
    assert framed("turn").parent_agent_id == ""


def test_the_url_may_say_it() -> None:
    """Codex asks for compaction at an address of its own."""
    assert list(Noticed({}, b"", compacts=True).classes()) == ["compaction"]


@pytest.mark.parametrize(
    "noticed, classes, agent, subagent",
    [
        (called(CLAUDE), ["main"], "", False),
        (called({}), [""], "", False),
        (called(CLAUDE, "You are naming a coding session"), ["title", "auxiliary"], "", False),
        (called(CLAUDE, "You are a file search specialist"), ["subagent"], "Explore", True),
        (called({}, last="CRITICAL: Respond with TEXT ONLY"), ["compaction"], "", False),
        # an agent that says less than all: an id, but no type
        (called({"x-claude-code-agent-id": "a1"}, "You are a file search specialist"), ["subagent"], "Explore", True),
        # and one for which a title is one chore among others
        (
            called({"x-claude-code-request-class": "auxiliary"}, "You are naming a coding session"),
            ["auxiliary", "title"],
            "",
            False,
        ),
        (called({"x-claude-code-request-class": "auxiliary"}), ["auxiliary"], "", False),
    ],
)
def test_bodies_that_show_it(noticed: Noticed, classes: list[str], agent: str, subagent: bool) -> None:
    """Where no header says it, the prompt shows it; a call of a known agent of which nothing shows is its main one."""
    assert list(noticed.classes()) == classes
    assert (noticed.agent, noticed.subagent) == (agent, subagent)


def test_what_is_known_costs_nothing() -> None:
    """What a call is for is told as far as it is known: by headers at once, by the body once somebody has asked."""
    assert unread(CLAUDE).known_class == ""
    noticed = called(CLAUDE, "You are a file search specialist")
    assert (noticed.known_class, noticed.known_agent) == ("", "")
    assert noticed.subagent
    assert (noticed.known_class, noticed.known_agent) == ("subagent", "Explore")
    title = called({"x-claude-code-request-class": "auxiliary"}, "You are naming a coding session")
    assert title.known_class == "auxiliary"
    assert list(title.classes())[-1] == title.known_class == "title"


@pytest.mark.parametrize(
    "headers, in_body, session",
    [
        ({"x-claude-code-session-id": "s1", "session-id": "s2"}, "s3", "s1"),
        ({"session-id": "s2"}, "s3", "s2"),
        ({"x-session-id": "s4"}, None, "s4"),
        ({}, "s3", "s3"),
        ({}, None, ""),
    ],
)
def test_sessions(headers: dict[str, str], in_body: str | None, session: str) -> None:
    """A session is known by the agent's own header, else by what the body says."""
    assert Noticed(headers, b"{}", session=in_body).session == session


def test_values_are_text_and_bounded() -> None:
    """What a client sends ends in logs and files."""
    assert Noticed({"session-id": "\udcff" + "x" * 500}, b"").session == "\ufffd" + "x" * 199


def test_plan_mode_of_one_that_never_ends_it() -> None:
    """qwen-code says in the conversation that plan mode has begun, and not that it is over: so it is not believed."""
    planning = "Plan mode is active. The user indicated that they do not want you to execute yet"
    assert called(CLAUDE, last=planning).plan
    assert not called({"user-agent": "QwenCode/0.15.10 (linux; x64)"}, last=planning).plan


def test_what_is_asked_for() -> None:
    """Effort, thinking, tools, pictures and size are read from the body."""
    noticed = called(CLAUDE, output_config={"effort": "max"}, thinking={"type": "adaptive"}, tools=[{"name": "Bash"}])
    assert (noticed.effort, noticed.thinking, noticed.tools, noticed.images) == ("max", True, ("Bash",), False)
    assert 30 < noticed.prompt < 100


def test_plain_hints_are_asked_alike() -> None:
    """Hints that are given as data answer the same questions."""
    assert list(Hints(request_class="title").classes()) == ["title", "auxiliary"]
    assert list(Hints(request_class="main").classes()) == ["main"]
