"""Codex's app server: one thread that is kept open, told something and answers. JSON-RPC, one message on each line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.clients import kept_open, tell


class Thread:
    """A thread in which everything is allowed."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._number = 0
        self._ask("initialize", {"clientInfo": {"name": "e2e", "version": "1"}})
        self._send({"method": "initialized"})
        allowed = {"approvalPolicy": "never", "sandbox": "danger-full-access"}
        self.id: str = self._ask("thread/start", {"cwd": str(folder), **allowed})["thread"]["id"]

    def say(self, text: str) -> str:
        """What it says last to a message, when its turn is over."""
        self.begin(text)
        return self.end()

    def begin(self, text: str) -> None:
        """Begin a turn."""
        self._ask("turn/start", {"threadId": self.id, "input": [{"type": "text", "text": text}]})

    def end(self) -> str:
        """What it says last, when the turn that runs is over."""
        last = ""
        while (message := self._next())["method"] != "turn/completed":
            item = message["params"].get("item") if message["method"] == "item/completed" else None
            if item and item["type"] == "agentMessage":
                last = item["text"]
        assert message["params"]["turn"]["status"] == "completed", message
        return last

    def _ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while (message := self._next()).get("id") != self._number:
            pass
        assert "error" not in message, message
        answer: dict[str, Any] = message["result"]
        return answer

    def _next(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "Codex has ended"
        message: dict[str, Any] = json.loads(line)
        return message

    def _send(self, message: Mapping[str, Any]) -> None:
        tell(self._process, message)


@contextmanager
def talking(command: list[str], folder: Path, env: Mapping[str, str], seconds: float) -> Iterator[Thread]:
    """A thread of the app server that a command starts in a folder; it ends with the block."""
    with kept_open(command, folder, env, seconds) as process:
        yield Thread(process, folder)
