"""A client of the Agent Client Protocol: it keeps an agent open, says things to it and hears its answers.

JSON-RPC, one message on each line. The agent may ask whether it may run a tool; it always may.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.clients import kept_open, tell


class Agent:
    """An agent with one session."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._number = 0
        self._heard: list[str] = []
        nothing = {"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False}
        self._ask("initialize", {"protocolVersion": 1, "clientCapabilities": nothing})
        self._session = self._ask("session/new", {"cwd": str(folder), "mcpServers": []})["sessionId"]

    def say(self, text: str) -> str:
        """What it says to a message, until its turn is over."""
        self.begin(text)
        return self.end()

    def begin(self, text: str) -> None:
        """Begin a turn."""
        self._heard.clear()
        self._call("session/prompt", {"sessionId": self._session, "prompt": [{"type": "text", "text": text}]})

    def end(self) -> str:
        """What it has said, when the turn that runs is over."""
        assert self._answer()["stopReason"] == "end_turn"
        return "".join(self._heard)

    def _ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self._call(method, params)
        return self._answer()

    def _call(self, method: str, params: Mapping[str, Any]) -> None:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if "method" in message:
                self._hear(message)
            elif message["id"] == self._number:
                assert "error" not in message, message
                answer: dict[str, Any] = message["result"]
                return answer
        raise AssertionError("the agent has ended before it answered")

    def _hear(self, message: dict[str, Any]) -> None:
        params = message["params"]
        if message["method"] == "session/update" and params["update"]["sessionUpdate"] == "agent_message_chunk":
            self._heard.append(params["update"]["content"]["text"])
        if "id" not in message:
            return
        assert message["method"] == "session/request_permission", message
        yes = next(option["optionId"] for option in params["options"] if option["kind"].startswith("allow"))
        self._send({"id": message["id"], "result": {"outcome": {"outcome": "selected", "optionId": yes}}})

    def _send(self, message: Mapping[str, Any]) -> None:
        tell(self._process, {"jsonrpc": "2.0", **message})


@contextmanager
def talking(command: list[str], folder: Path, env: Mapping[str, str], seconds: float) -> Iterator[Agent]:
    """An agent, started in a folder by a command that makes it speak the protocol; it ends with the block."""
    with kept_open(command, folder, env, seconds) as process:
        yield Agent(process, folder)
