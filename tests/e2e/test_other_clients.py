"""pi, opencode, kimi-code, qwen-code and aider, in each dialect that they speak, on vendors of every dialect."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.clients import required
from tests.e2e.crossings import Noted, tail
from tests.e2e.exchange import MODELS, Exchange
from tests.e2e.others import CHAT, FOUND, GEMINI, KIMI, MESSAGES, OPENCODE, PI, QWEN, RESPONSES
from tests.fakes.brain import RESULT, WARY
from tests.fakes.script import Think, call, say

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(400)]

VENDORS = ("cloud", "gpt", "resp", "gem")
PI_BESIDES = (("pi", MESSAGES, "kimi"),)
ANSWER = f"FAKE-DONE: the tool said «{RESULT}»."


def rest(client: str, dialects: dict[str, tuple[str, str]], shown: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """The crossings of a client that are not shown in every run."""
    everything = [(dialect, provider) for dialect in dialects for provider in VENDORS]
    return [(client, *crossing) for crossing in everything if crossing not in shown]


# Each dialect of each client goes to one foreign vendor at least; pi, which is quick, to more.
SHOWN = {
    "pi": [
        *((MESSAGES, "gpt"), (MESSAGES, "gem")),
        *((CHAT, "cloud"), (CHAT, "deep")),
        *((RESPONSES, "cloud"), (RESPONSES, "codexb")),
        *((GEMINI, "cloud"), (GEMINI, "resp")),
    ],
    "opencode": [(RESPONSES, "cloud")],
    "kimi": [(CHAT, "kimi"), (MESSAGES, "gem")],
    "qwen": [(GEMINI, "codexb")],
}
DIALECTS = {"pi": PI, "opencode": OPENCODE, "kimi": KIMI, "qwen": QWEN}


@pytest.mark.parametrize(
    "client, dialect, provider",
    [
        *((client, *crossing) for client, shown in SHOWN.items() for crossing in shown),
        *tail(
            *(case for client, shown in SHOWN.items() for case in rest(client, DIALECTS[client], shown)), *PI_BESIDES
        ),
    ],
)
def test_tool_loop(exchange: Exchange, home: Path, crosses: Noted, client: str, dialect: str, provider: str) -> None:
    """It runs its shell tool and tells what it said, whatever it speaks and whatever the vendor speaks."""
    find, runs = FOUND[client]
    program = required(find(), client)
    crosses(client, dialect, provider)
    # Chat has no place for encrypted reasoning, so it cannot be asked to bring it back.
    exchange.reasoning_comes_home(dialect != CHAT)
    if (client, dialect, provider) == ("qwen", MESSAGES, "cloud"):
        # It strips thinking of blanks at its end, which Anthropic refuses; so there are none.
        exchange.cloud.script(call("run_shell_command", {"command": WARY["run_shell_command"][0]}, Think("Hm.")))
    ran = runs(program, home, exchange.base_url, dialect, MODELS[provider], "RUN_TOOL")
    assert ran.code == 0, ran.out + ran.err
    assert RESULT in ran.out, ran.out + ran.err
    assert "FAKE-DONE: the tool said" in ran.out
    if client == "pi":
        assert ran.out.strip() == ANSWER
    # The fakes refuse thinking, reasoning and signatures that did not come home unchanged.
    asked = exchange.upstream(provider)
    # Some ask for a title besides.
    assert len(asked) in (2, 3)


@pytest.mark.parametrize(
    "dialect, provider",
    [
        *((MESSAGES, "gpt"), (GEMINI, "resp")),
        *tail((CHAT, "cloud"), (CHAT, "gem"), (CHAT, "resp"), (MESSAGES, "gem"), (GEMINI, "cloud"), (GEMINI, "gpt")),
    ],
)
def test_aider_edits_a_file(exchange: Exchange, home: Path, crosses: Noted, dialect: str, provider: str) -> None:
    """aider reads the answer as an edit of a file, through translation in either direction."""
    find, runs = FOUND["aider"]
    program = required(find(), "aider")
    crosses("aider", dialect, provider)
    exchange.vendors[provider].script(say("hello.txt\n```\nhello from aider, grüße\n```\n"))
    ran = runs(program, home, exchange.base_url, dialect, MODELS[provider], "create hello.txt")
    assert ran.code == 0, ran.out
    assert (home / "hello.txt").read_text() == "hello from aider, grüße\n", ran.out
    assert len(exchange.upstream(provider)) == 1
