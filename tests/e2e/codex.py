"""Codex against an address: its configuration, `codex exec`, and what it said as JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.clients import Ran, run
from tests.e2e.exchange import TOKEN

_CONFIG = """
model = "{model}"
model_provider = "e2e"
[model_providers.e2e]
name = "e2e"
base_url = "{base_url}/v1"
env_key = "E2E_TOKEN"
wire_api = "responses"
supports_websockets = {sockets}
"""
OPTIONS = ("--skip-git-repo-check", "--json", "--dangerously-bypass-approvals-and-sandbox")


def codex_home(home: Path, base_url: str, model: str, *, sockets: bool = False, more: str = "") -> None:
    """Codex's configuration for the gateway at `base_url`. `more`: lines for the end."""
    folder = home / ".codex"
    folder.mkdir(exist_ok=True)
    text = _CONFIG.format(model=model, base_url=base_url, sockets=str(sockets).lower())
    (folder / "config.toml").write_text(text + more)


def codex(program: str, home: Path, prompt: str, *arguments: str, **env: str) -> Ran:
    """`codex exec`, with everything allowed. `arguments` stand before the prompt: `resume`, an id."""
    command = [program, "exec", *OPTIONS, *arguments, prompt]
    return run(command, home, {"CODEX_HOME": str(home / ".codex"), "E2E_TOKEN": TOKEN, **env})


def items(ran: Ran, kind: str) -> list[dict[str, Any]]:
    """The finished items of a kind, such as `agent_message` or `command_execution`."""
    done = [line["item"] for line in ran.lines if line["type"] == "item.completed"]
    return [item for item in done if item["type"] == kind]


def said(ran: Ran) -> str:
    """The last message."""
    messages = items(ran, "agent_message")
    assert messages, f"exit code {ran.code}\n{ran.out[-2000:]}\n{ran.err[-2000:]}"
    return str(messages[-1]["text"])


def failure(ran: Ran) -> str:
    """Why the turn failed."""
    failed = [line["error"]["message"] for line in ran.lines if line["type"] == "turn.failed"]
    assert failed, ran.out[-2000:]
    return str(failed[-1])
