"""A call as a case for tests: `request.json`, what the provider answered (`stream.sse` or `response.json`), `notes.md`.

What a bug report begins with: put the folder among a test's cases, and the decoder sees what it saw then. Takes what is
clean already. Pure: messages in, files out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from strowger.flows.pretty import is_stream, parsed
from strowger.flows.tape import Message

Flow = Mapping[str, Any]

_TOLD = ("dialect", "upstream_dialect", "provider", "upstream_model", "lane", "stream", "outcome", "status", "finish")


def files(flow: Flow, request: Message, answer: Message | None, *, asked: Message | None = None) -> dict[str, bytes]:
    """The files by their names. `request` is what the provider was asked and answered with `answer`; `asked` what the
    client had asked, where that is another thing.
    """
    found = {"request.json": _readable(request.body)}
    if asked is not None and asked.body != request.body:
        found["client.json"] = _readable(asked.body)
    if answer is not None and answer.pieces:
        found["stream.sse" if is_stream(answer.body) else "response.json"] = (
            answer.body if is_stream(answer.body) else _readable(answer.body)
        )
    found["notes.md"] = _notes(flow, request, answer, tuple(found)).encode()
    return found


def _readable(body: bytes) -> bytes:
    """JSON on many lines, its members in the order they came in; anything else as it is."""
    value = parsed(body)
    return body if value is None else json.dumps(value[0], ensure_ascii=False, indent=2).encode() + b"\n"


def _notes(flow: Flow, request: Message, answer: Message | None, names: tuple[str, ...]) -> str:
    lines = [f"# {flow.get('upstream_model') or flow.get('model') or flow.get('path')}", ""]
    if flow.get("error"):
        lines += [f"It failed: {flow['error']} ({flow.get('error_kind')}).", ""]
    lines += ["What should have happened: (say it here)", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {_cell(flow[name])} |" for name in _TOLD if flow.get(name) not in (None, "")]
    lines.append(f"| request | {_cell(request.line)} |")
    if answer is not None:
        kind = next((value for name, value in answer.headers if name.lower() == "content-type"), "")
        lines.append(f"| answer | {_cell(answer.line)} {_cell(kind)} |")
    lines += [f"| tokens | {_cell(flow['tokens'])} |"] if flow.get("tokens") else []
    if flow.get("losses"):
        lines += ["", "Lost on the way:", ""]
        lines += [f"- `{loss['path']}`: {loss['reason']} ({loss['severity']})" for loss in flow["losses"]]
    cut = [one.kind for one in (request, answer) if one is not None and one.cut]
    if cut:
        lines += ["", f"Not whole: {', '.join(cut)} was longer than what is kept."]
    lines += ["", f"Exported from {flow['id']}, cleaned of credentials: {', '.join(names)}.", ""]
    return "\n".join(lines)


def _cell(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.replace("|", "\\|").replace("\n", " ")
