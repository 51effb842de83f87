"""Which client a word on the command line stands for."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from strowger.cli.sessions import Running, meant
from strowger.client import LaunchState
from strowger.errors import GatewayError
from strowger.launcher.sessions import Session

GATEWAY = Session(pid=1, url="http://127.0.0.1:1", admin_token="t", started=0.0)


def running(id: str, name: str, pid: int, *sessions: str, project: str = "") -> Running:
    return Running(GATEWAY, LaunchState(id, name, pid, project=project, sessions=sessions))


CODEX = running("3fa9c1aabbcc", "codex", 41, "01a1fe07-58d3-79a3", "01a1fe07-0000-1111")
CLAUDE = running("81d0be112233", "claude", 8100, "Conversation-7", project="/srv/site")
OTHER = running("41aaaaaaaaaa", "claude", 8200)
ALL = (CODEX, CLAUDE, OTHER)


@pytest.mark.parametrize(
    "word, one",
    [
        ("codex", CODEX),
        ("3fa9c1", CODEX),
        ("3FA9C1", CODEX),
        ("41", CODEX),  # its process, though another's id begins so
        ("41a", OTHER),
        ("01a1fe07-58d3-79a3", CODEX),
        ("01a1fe07", CODEX),  # two conversations, one client
        ("Conversation", CLAUDE),
        ("8100", CLAUDE),
        ("81", CLAUDE),
        ("nobody", None),
        ("", None),
    ],
)
def test_a_word(word: str, one: Running | None) -> None:
    """What is named in full goes before what begins so; a client's own id for its conversation is as good as ours."""
    assert meant(ALL, word) is one


def test_no_word() -> None:
    """It is the only client, if there is one; within a client it is that one, unless it has ended."""
    assert meant((CODEX,), None) is CODEX
    assert meant((), None) is None
    assert meant(ALL, None, CLAUDE.launch.id) is CLAUDE
    assert meant(ALL, "codex", CLAUDE.launch.id) is CODEX
    assert meant((CODEX,), None, CLAUDE.launch.id) is CODEX


@pytest.mark.parametrize("word", ["claude", None])
def test_those_left_behind(word: str | None) -> None:
    """A client whose `strowger run` was killed is meant only where there is no other."""
    left = Running(GATEWAY, replace(OTHER.launch, orphan=True))
    assert meant((left, CLAUDE), word) is CLAUDE
    assert meant((left,), word) is left
    with pytest.raises(GatewayError):
        meant((left, left), word)


@pytest.mark.parametrize("word, said", [("claude", "2 clients called claude"), (None, "there are 3 clients")])
def test_several(word: str | None, said: str) -> None:
    """Which there are is told, and how to name one: by where they work too, which is what users know of them."""
    with pytest.raises(GatewayError, match=said) as told:
        meant(ALL, word)
    assert "81d0be (claude, process 8100, in /srv/site)" in str(told.value.hint)
    assert "41aaaa (claude, process 8200)" in str(told.value.hint)
