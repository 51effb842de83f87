"""`strowger flows replay`, `compare --models` and `cache`: on a gateway that the command starts for itself."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from strowger.cli import main
from strowger.flows.flow import Flow
from strowger.flows.recorder import Recorder
from strowger.flows.store import Store
from strowger.ir.events import Usage

BODY: dict[str, Any] = {
    "model": "claude-test",
    "max_tokens": 60,
    "system": "be kind " * 3000,
    "messages": [{"role": "user", "content": "hello"}],
}


def record(recorder: Recorder, body: dict[str, Any], read: int, number: int) -> None:
    """A call as it would have gone to Anthropic, a few seconds after the one before."""
    started = time.time() - 2000 + number
    flow = Flow(
        id=f"flow_{number}", started=started, clock=0.0, method="POST", path="/v1/messages", dialect="anthropic"
    )
    recorder.begin(flow)
    assert flow.tape is not None
    sent = json.dumps(body).encode()
    flow.session, flow.model, flow.provider = "session-7", "claude-test", "anthropic"
    flow.upstream_model = flow.response_model = "claude-test"
    flow.upstream_dialect, flow.outcome, flow.status = "anthropic", "ok", 200
    flow.usage = Usage(input=10_000, output=5, cache_read=read)
    flow.tape.begin("client_request", "POST /v1/messages", (), sent)
    flow.tape.begin("forwarded", "POST https://api.test/v1/messages", (), sent)
    answer = {"type": "message", "content": [{"type": "text", "text": "As it was"}], "stop_reason": "end_turn"}
    flow.tape.begin("client_response", "200", (), json.dumps(answer).encode())
    recorder.finish(flow)


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """`strowger flows` on a store with a session of three calls, and a configuration with the demo model."""
    for variable in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    file, config = tmp_path / "flows.db", tmp_path / "config.toml"
    config.write_text("[providers.demo]\n")
    store = Store(file, tell=lambda *_: None)
    recorder = Recorder(9, (store,), tape_limit=1_000_000)
    turns = [*BODY["messages"], {"role": "assistant", "content": "hi"}, {"role": "user", "content": "go on"}]
    record(recorder, BODY, 0, 1000)
    record(recorder, {**BODY, "messages": turns}, 9_900, 1010)
    record(recorder, {**BODY, "messages": turns, "system": "be cruel " * 3000}, 0, 1020)
    store.close()
    return ["flows", "--file", str(file), "--config", str(config)]


def test_a_call_is_asked_once_more(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """Where it is told to, and one that leads nowhere does not keep the others from answering."""
    code = main.run([*arguments, "compare", "flow_1000", "--models", "demo:demo-fast, demo:nothing", "--json"])
    was, fast, nothing = json.loads(capfd.readouterr().out)["answers"]
    assert code == 1
    assert was["answer"]["text"] == "As it was"
    assert "You said: “hello”" in fast["answer"]["text"]
    assert (fast["flow"]["replay_of"], fast["flow"]["upstream_model"]) == ("flow_1000", "demo-fast")
    assert "does not exist" in nothing["answer"]["error"]


def test_a_dry_run_asks_nobody(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """What would be sent is shown, in the dialect in which it would be."""
    assert main.run([*arguments, "replay", "last", "--to", "demo:demo", "--dry-run"]) == 0
    shown = capfd.readouterr().out
    assert "demo:demo, openai_chat, translate" in shown
    assert '"role": "system"' in shown
    assert main.run([*arguments, "replay", "last", "--to", "demo:demo", "--dry-run", "--json"]) == 0
    (request,) = json.loads(capfd.readouterr().out)["requests"]
    assert (request["model"], request["lane"]) == ("demo", "translate")


def test_why_the_cache_broke_is_told(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """Which call, by how much, where, and whose doing it was."""
    assert main.run([*arguments, "cache", "sess"]) == 0
    shown = capfd.readouterr().out
    assert "3 calls, 33% of their prompts read from the cache; it broke 1 time, for about 10,000 tokens" in shown
    assert "system changed [the client]" in shown
    assert main.run([*arguments, "cache", "last", "--all", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert [(call["id"], call["fell"]) for call in told["calls"]] == [
        ("flow_1000", False),
        ("flow_1010", False),
        ("flow_1020", True),
    ]


def test_a_session_that_is_not_there(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """The hint says how to find those that are."""
    assert main.run([*arguments, "cache", "nobody"]) == 1
    assert "strowger usage --by session" in capfd.readouterr().err
