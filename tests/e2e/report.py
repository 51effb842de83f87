"""Writes docs/reference/clients.md from a run of every client against every vendor: `python -m tests.e2e.report`.

It takes a while: the long tail runs too. A client that is not installed would leave its row empty, so the page is
written only when all are.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from tests.e2e.crossings import PROPERTY, SPOKEN, TAIL, Crossing

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "clients.md"
SCRIPT = ROOT / "scripts" / "clients.sh"
COLUMNS = {
    "anthropic": "Anthropic Messages",
    "openai_chat": "OpenAI Chat",
    "openai_responses": "OpenAI Responses",
    "gemini": "Gemini",
}
NAMES = {
    "claude": "Claude Code",
    "codex": "Codex",
    "gemini": "Gemini CLI",
    "opencode": "opencode",
    "kimi": "kimi-code",
    "pi": "pi",
    "qwen": "qwen-code",
    "aider": "aider",
}
BUNDLED = "2.1.329"  # the Claude Code inside the claude-agent-sdk wheel
_SHOWN = "test_tool_loop or test_aider_edits_a_file"
_VERSION = re.compile(r"^([A-Z]+)=(\S+)$", re.MULTILINE)
_HEAD = """\
# Clients

<!-- written by `python -m tests.e2e.report` from a run; a test compares the clients with scripts/clients.sh -->

Real programs, at the versions below, each given a task that needs its own tool: it has to run a command, or edit a
file, and say what came of it. In between stands the gateway as a user starts it, in front of stand-ins for the vendors
that refuse what the vendors refuse, in their words, and that verify what they signed: thinking, encrypted reasoning and
thought signatures that come back changed, at the wrong place or to another vendor fail the run.

A row for what the client speaks, a column for what the provider speaks. `=` means that the bytes go through as they
are, `✓` that they are translated; a number leads to what cannot be carried; `✗`: the run failed; `–`: there was none.
How to set each client up is told in [Point a client at Strowger](../guides/clients.md).
"""
_MORE = """\
## What else they were put through

- **Claude Code** in both versions: calls in parallel, resumed sessions, tool search, `--json-schema`, sub-agents, web
  search, model discovery, full contexts (it compacts), rate limits, overload, quotas, and streams that break off.
- **Codex** over SSE and over its WebSocket: free-text tools (`apply_patch`) where the provider has only JSON ones,
  the scripts by which its newest models call tools, tools in namespaces, sub-agents, `exec resume`, summaries of the
  reasoning, "ran out of room", retries and reconnects.
- **Gemini CLI** by an API key, as Vertex AI and as Code Assist; its model router; broken streams.
- **Started by `strowger run`** in a home where all else leads elsewhere: Claude Code, Codex, opencode, kimi-code,
  qwen-code, pi and aider, joined to a gateway and on one of their own, and Gemini CLI on its own. No file of the user's
  was changed, no key of his left the machine, and nothing of ours stayed.
- **Switched by `strowger switch`** in the middle of a session, a tool called at each stop: Claude Code and pi from
  Anthropic to the Codex backend, Gemini, OpenAI's Chat and back; opencode, kimi-code and qwen-code from Anthropic to
  Gemini, the Codex backend and back.
- **Switched in the middle of a turn**, while a command of theirs ran whose result then went to another vendor: Codex on
  its one WebSocket and aider from Anthropic to Gemini, the Codex backend and back, Gemini CLI from Gemini to Anthropic,
  the Codex backend and back.
- **One conversation, ten changes of the provider**: Anthropic, the Codex backend, Gemini, Anthropic, Gemini, OpenAI's
  Responses, Chat, and around again, with a tool called at each stop, by the `anthropic`, `openai` (Responses and Chat)
  and `google-genai` libraries, streaming and not, and by Claude Code and Codex with a resumed session.

The Responses column stands for two providers: OpenAI's public API, and ChatGPT's Codex backend, which keeps nothing,
only streams, and takes fewer members. Chat stands for OpenAI, and for DeepSeek and Kimi where they are named.

## What is the client's own

- **Chat** has no place for what vendors sign. A client of Chat that runs a tool on Claude or on a GPT behind Responses
  gets it to think afresh after each result; nothing is refused.
- **kimi-code** takes every model for one of its own size, and asks for 262,144 tokens of output: set
  `KIMI_MODEL_MAX_OUTPUT_SIZE` and `KIMI_MODEL_MAX_COMPLETION_TOKENS`, as these runs do. Its provider type `kimi` sends
  members that only Kimi takes, so for Chat of others it is `openai`.
- **pi** brings reasoning home only for models that its `models.json` calls `"reasoning": true`.
- **qwen-code** strips thinking of blanks at its end, after which Anthropic refuses its signature, directly as well.
- **Claude Code** 2.1.197 forgets the thinking of an answer that names another model than it asked for. In
  translation it gets the name that it gave; on Anthropic itself, use a name that needs no provider in front.
- **Gemini CLI** and **Codex** do without what they cannot have: the note says which of the vendor's own tools is gone.
"""
_FOOT = "## What could not be carried\n\nLosses of these runs that could matter; those that cannot are left out here.\n"


class Gathered:
    """A pytest plugin that keeps the crossings, and which tests of them failed."""

    def __init__(self) -> None:
        self.crossings: list[Crossing] = []
        self.failed: set[str] = set()
        self.absent: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for set-up, call and tear-down of each test; a crossing is noted in the tear-down."""
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.skipped and isinstance(report.longrepr, tuple) and "not installed" in report.longrepr[2]:
            self.absent.add(report.longrepr[2])
        if report.when != "teardown":
            return
        for name, value in report.user_properties:
            if name == PROPERTY:
                crossing = msgspec.json.decode(str(value), type=Crossing)
                # What went on in a run that failed is of no interest.
                failed = report.nodeid in self.failed
                self.crossings.append(msgspec.structs.replace(crossing, lanes=(), losses=()) if failed else crossing)


def versions() -> dict[str, str]:
    """The clients of scripts/clients.sh and their versions, by the script's own names for them."""
    return {name.lower(): version for name, version in _VERSION.findall(SCRIPT.read_text()) if name != "NODE"}


def page(crossings: Iterable[Crossing]) -> str:
    """The whole page."""
    rows: dict[tuple[str, str], dict[str, list[Crossing]]] = {}
    for crossing in crossings:
        row = rows.setdefault((crossing.client, crossing.how), {})
        row.setdefault(SPOKEN[crossing.provider], []).append(crossing)
    notes: dict[str, int] = {}
    lines = ["| client | speaks | " + " | ".join(COLUMNS.values()) + " |"]
    lines.append("| --- | --- |" + " :-: |" * len(COLUMNS))
    for client, how in sorted(rows, key=_place):
        cells = [_cell(rows[client, how].get(dialect, []), notes) for dialect in COLUMNS]
        lines.append(f"| {_title(client)} | {how} | " + " | ".join(cells) + " |")
    told = "\n".join(f"{number}. {_readable(loss)}" for loss, number in notes.items())
    return "\n".join([_HEAD, *lines, "", _FOOT, told, "", _MORE])


def _place(row: tuple[str, str]) -> tuple[int, str, str]:
    client, how = row
    return list(NAMES).index(client.partition("-")[0]), _title(client), how


def _title(client: str) -> str:
    name, _, version = client.partition("-")
    return f"{NAMES[name]} {version or versions()[name]}"


def _cell(crossings: list[Crossing], notes: dict[str, int]) -> str:
    if not crossings:
        return "–"
    if not all(crossing.lanes for crossing in crossings):
        return "✗"
    mark = "=" if all(crossing.lanes == ("verbatim",) for crossing in crossings) else "✓"
    losses = sorted({loss for crossing in crossings for loss in crossing.losses})
    numbers = sorted(notes.setdefault(loss, len(notes) + 1) for loss in losses)
    return f"{mark} {', '.join(f'[{number}](#what-could-not-be-carried)' for number in numbers)}".strip()


def _readable(loss: str) -> str:
    path, _, reason = loss.partition(": ")
    return f"`{path}`: {reason}"


def main() -> int:
    """Run everything and write the page. The exit code is the tests'."""
    os.environ[TAIL] = "1"
    gathered = Gathered()
    # It is this very program that has imported what pytest would like to rewrite.
    quietly = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    options = ["-q", "-n", "2", *quietly, "-k", _SHOWN, str(Path(__file__).parent), *sys.argv[1:]]
    code = pytest.main(options, [gathered])
    for missing in sorted(gathered.absent):
        print(f"error: {missing}", file=sys.stderr)
    if gathered.absent:
        return 1
    PAGE.write_text(page(gathered.crossings))
    print(f"{PAGE.relative_to(ROOT)}: {len(gathered.crossings)} crossings, {len(gathered.failed)} failures")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
