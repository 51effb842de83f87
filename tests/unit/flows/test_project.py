"""Where a client works, as it says itself."""

from __future__ import annotations

import pytest

from strowger.flows.project import Projects, said_in
from tests.fakes.flows import begun


@pytest.mark.parametrize(
    "body, found",
    [
        (
            rb'{"system":[{"text":"<env>\nWorking directory: /home/me/a b\nIs directory a git repo: Yes"}]}',
            "/home/me/a b",
        ),
        (rb'{"text":"# Environment\n - Primary working directory: /srv/x\n - Shell: bash"}', "/srv/x"),
        (rb'{"text":"Working directory: C:\\work\\x"}', "C:\\work\\x"),
        (rb'{"text":"<environment_context>\n  <cwd>/home/me/caf\u00e9</cwd>\n"}', "/home/me/café"),
        (rb'{"text":"Working directory: whatever you like"}', ""),
        (rb'{"text":"Working directory: /broken\q"}', ""),
        (b'{"text":"Working directory: /' + b"x" * 2000 + b'"}', ""),
        (b"", ""),
    ],
)
def test_what_prompts_say(body: bytes, found: str) -> None:
    """Claude Code's two ways, on either kind of system, and Codex's; what is no path is none."""
    assert said_in(body) == found


def test_long_requests_are_searched_at_both_ends() -> None:
    """A conversation may be megabytes; the prompt stands before it or behind it."""
    said = rb"Working directory: /home/me/x\n"
    rest = b"-" * 1_000_000
    assert said_in(said + rest) == said_in(rest + said) == "/home/me/x"
    assert said_in(rest + said + rest) == ""


def test_one_call_tells_for_its_session() -> None:
    """The others need not be searched, nor say it."""
    projects = Projects()
    first = begun(rb'{"system":"Working directory: /home/me/x\n"}', session="s1")
    assert projects.of(first, first.tape.messages if first.tape else []) == "/home/me/x"
    assert projects.of(begun(b"{}", session="s1"), []) == "/home/me/x"
    assert projects.of(begun(b"{}", session="s2"), []) == ""


def test_a_session_that_never_says_it_is_searched_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor are sessions without end remembered."""
    monkeypatch.setattr("strowger.flows.project._TRIES", 2)
    monkeypatch.setattr("strowger.flows.project._SESSIONS", 1)
    projects = Projects()

    def ask(body: bytes, session: str) -> str:
        flow = begun(body, session=session)
        return projects.of(flow, flow.tape.messages if flow.tape else [])

    said = rb'{"system":"Working directory: /home/me/x\n"}'
    assert [ask(b"{}", "s1"), ask(b"{}", "s1"), ask(said, "s1")] == ["", "", ""]
    assert ask(said, "s2") == "/home/me/x"
    assert ask(said, "s1") == "/home/me/x"


def test_programs_that_work_nowhere_are_not_searched() -> None:
    """Unless somebody has started them in a session."""
    flow = begun(rb'{"system":"Working directory: /home/me/x\n"}', session=None)
    messages = flow.tape.messages if flow.tape else []
    assert Projects().of(flow, messages) == "/home/me/x"
    flow.agent = "python-requests/2"
    assert Projects().of(flow, messages) == ""
    flow.launch = "l1"
    assert Projects().of(flow, messages) == "/home/me/x"
