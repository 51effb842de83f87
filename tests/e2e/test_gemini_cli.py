"""Gemini CLI itself, through the gateway: on Gemini untouched, and on every other dialect in translation."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.e2e import clients
from tests.e2e.clients import required, run
from tests.e2e.crossings import IN_TAIL, Noted, tail
from tests.e2e.exchange import MODELS, Exchange, clean_env
from tests.e2e.gemini_cli import CODE_ASSIST, KEY, OPTIONS, VERTEX, door, gemini, outputs, result, said
from tests.fakes.brain import HELLO, RESULT, SECOND_RESULT
from tests.fakes.script import Delivery, Say, call, say

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(400)]


CACHE = Path.home() / ".cache" / "strowger"


@pytest.fixture
def program() -> str:
    """Gemini CLI, or a skip."""
    return required(clients.gemini(), "gemini")


@pytest.mark.parametrize(
    "name, provider",
    [
        *((KEY, provider) for provider in ("gem", "gpt")),
        *((name, "cloud") for name in (CODE_ASSIST, VERTEX)),
        *tail(
            (KEY, "cloud"),
            (KEY, "resp"),
            (KEY, "codexb"),
            (CODE_ASSIST, "gem"),
            (VERTEX, "gem"),
            (CODE_ASSIST, "resp"),
            (CODE_ASSIST, "gpt"),
        ),
    ],
)
def test_tool_loop(exchange: Exchange, home: Path, program: str, crosses: Noted, name: str, provider: str) -> None:
    """It runs its shell tool twice, by each of its doors, and what must come home with the results does."""
    crosses("gemini", f"Gemini ({name})", provider)
    ran = gemini(program, home, door(name, exchange.base_url), "RUN_TOOLS", "-m", MODELS[provider])
    assert (ran.code, result(ran)["status"]) == (0, "success"), ran.err
    assert [RESULT in output or SECOND_RESULT in output for output in outputs(ran)] == [True, True]
    assert all(text in said(ran) for text in ("FAKE-DONE", RESULT, SECOND_RESULT))
    # The fakes refuse thinking, reasoning and signatures that did not come home unchanged.
    assert len(exchange.upstream(provider)) == 2
    lanes = {flow["lane"] for flow in exchange.flows() if flow["lane"]}
    # Code Assist wraps every body in an envelope that Gemini's public API does not have.
    assert lanes == {"verbatim" if provider == "gem" and name != CODE_ASSIST else "translate"}


@pytest.mark.parametrize(
    "base, provider", [pytest.param("", "gem", marks=IN_TAIL), ("/gpt", "gpt")], ids=["gem", "gpt"]
)
def test_model_router(exchange: Exchange, home: Path, program: str, base: str, provider: str) -> None:
    """Where it chooses its model itself it asks a small one how hard the task is, and wants that as JSON."""
    ran = gemini(program, home, door(KEY, exchange.base_url + base), "hi")
    assert (ran.code, said(ran)) == (0, HELLO), ran.err
    asked = [(flow["model"], flow["stream"]) for flow in exchange.flows()]
    assert ("gemini-3.5-flash-lite", False) in asked
    assert [stream for _, stream in asked] == [False, True]
    assert len(exchange.upstream(provider)) == 2


def test_file_is_written(exchange: Exchange, home: Path, program: str) -> None:
    """A file that a foreign model wants written is written; its words arrive piece by piece."""
    content = {"file_path": str(home / "hello.txt"), "content": "hello, grüße ☎\n"}
    exchange.resp.script(call("write_file", content, Say("I will write it.")))
    ran = gemini(program, home, door(KEY, exchange.base_url), "write it", "-m", MODELS["resp"])
    assert ran.code == 0, ran.err
    assert (home / "hello.txt").read_text() == "hello, grüße ☎\n"


def test_broken_stream(exchange: Exchange, home: Path, program: str) -> None:
    """A stream that breaks in the middle is never taken for an answer."""
    breaks = Delivery(cut="drop", cut_after=4)
    exchange.cloud.script(say("This will break off in the middle", delivery=breaks, deltas=8))
    ran = gemini(program, home, door(KEY, exchange.base_url), "hello", "-m", MODELS["cloud"])
    finished = result(ran)
    assert finished["status"] == "error" or said(ran).endswith(HELLO)
    assert next(flow["outcome"] for flow in exchange.flows()) == "failed"


def test_wrong_token(exchange: Exchange, home: Path, program: str) -> None:
    """A wrong client token ends it with a reason."""
    env = {**door(KEY, exchange.base_url), "GEMINI_API_KEY": "wrong"}
    ran = gemini(program, home, env, "hello", "-m", MODELS["cloud"])
    assert ran.code != 0
    assert "token" in str(result(ran)["error"])
    assert exchange.cloud.requests == []


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A runtime directory below the home: it takes no settings below one that others may write, as /tmp is."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="e2e-", dir=CACHE) as folder:
        yield Path(folder)


def test_run_gemini(exchange: Exchange, home: Path, program: str, runtime: Path) -> None:
    """`strowger run gemini -- -p …` is one step to a whole tool loop, and leaves the user's settings alone."""
    env = {**exchange.env, **clean_env(home), "XDG_RUNTIME_DIR": str(runtime)}
    # What would lead past the gateway has to go.
    env |= {"GOOGLE_API_KEY": "key-of-the-user", "GOOGLE_GENAI_USE_VERTEXAI": "true", "GEMINI_API_KEY": "of-the-user"}
    command = [sys.executable, "-m", "strowger", "run", "--config", str(exchange.config), "--model", MODELS["cloud"]]
    ran = run([*command, program, "--", "-p", "RUN_TOOL", *OPTIONS], home, env)
    assert (ran.code, result(ran)["status"]) == (0, "success"), ran.err
    assert RESULT in said(ran)
    assert len(exchange.upstream("cloud")) == 2
    assert all("of-the-user" not in str(seen.headers) for seen in exchange.cloud.requests)
    settings = home / ".gemini" / "settings.json"
    assert not settings.exists() or "selectedType" not in settings.read_text()
