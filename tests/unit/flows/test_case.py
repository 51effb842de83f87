"""A call as a case for tests."""

from __future__ import annotations

import json
from typing import Any

from strowger.flows.case import files
from strowger.flows.tape import Message

FLOW: dict[str, Any] = {
    "id": "flow_1",
    "model": "opus",
    "upstream_model": "gpt-5.5",
    "provider": "codex",
    "status": 200,
    "error": None,
    "tokens": {"input": 3},
    "losses": [{"path": "tools[0]", "reason": "a|b", "severity": "warning"}],
}
ASKED = Message("client_request", 0, "POST /v1/messages", (), [b'{"model":"opus"}'], [0.0], 16)
SENT = Message("forwarded", 0, "POST https://x/v1/responses", (), [b'{"z":1,"a":"\xc3\xa4"}'], [0.0], 17)
STREAM = Message(
    "upstream_response", 0, "200", (("Content-Type", "text/event-stream"),), [b"data: 1\n\n", b"data: 2\n\n"]
)


def test_a_stream_stays_as_it_came() -> None:
    """Byte for byte; requests are laid out, their members in the order they had. The notes say what it was."""
    found = files(FLOW, SENT, STREAM, asked=ASKED)
    assert list(found) == ["request.json", "client.json", "stream.sse", "notes.md"]
    assert found["stream.sse"] == b"data: 1\n\ndata: 2\n\n"
    assert found["request.json"].decode() == '{\n  "z": 1,\n  "a": "ä"\n}\n'
    notes = found["notes.md"].decode()
    assert notes.startswith("# gpt-5.5\n")
    assert "| provider | codex |" in notes
    assert "| answer | 200 text/event-stream |" in notes
    assert "- `tools[0]`: a|b (warning)" in notes


def test_what_there_is_not_is_no_file() -> None:
    """An answer at once is JSON; the client's request is there only where it differs; a failure is told."""
    body = Message("upstream_response", 0, "500", (), [b'{"error":{}}'], [0.1], 12, True)
    found = files({**FLOW, "error": "it broke", "error_kind": "upstream", "losses": []}, SENT, body, asked=SENT)
    assert list(found) == ["request.json", "response.json", "notes.md"]
    assert json.loads(found["response.json"]) == {"error": {}}
    assert "It failed: it broke (upstream)." in found["notes.md"].decode()
    assert "Not whole: upstream_response" in found["notes.md"].decode()
    assert list(files(FLOW, SENT, None)) == ["request.json", "notes.md"]
