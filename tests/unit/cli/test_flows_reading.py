"""What was said is read by the dialect that the client spoke."""

from __future__ import annotations

from strowger.cli.flows_reading import read
from strowger.flows.tape import Message
from strowger.flows.transcript import Piece

GEMINI = {"dialect": "gemini"}
BODY = b'{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}'


def test_a_url_says_a_part_of_it() -> None:
    """Gemini's has the model and whether it is a stream, also behind the name of a provider."""
    path = "POST /google/v1beta/models/g:streamGenerateContent?alt=sse"
    asked = Message("client_request", 0, path, (), [BODY], [], 9)
    said = (
        b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Hello"}]},"finishReason":"STOP"}]}\r\n\r\n'
    )
    answer = Message("client_response", 0, "200", (), [said], [0.1], 9)
    found = read(GEMINI, [asked, answer])
    assert found.transcript is not None
    assert found.transcript.turns[0].pieces == (Piece("text", "hi"),)
    assert found.answer is not None
    assert found.answer.pieces == (Piece("text", "Hello"),)


def test_what_cannot_be_read_is_not_told() -> None:
    """A path that is none of ours, a dialect that is none, an error in place of an answer, bodies that are not kept."""
    strange = Message("client_request", 0, "POST /what", (), [BODY], [], 9)
    refused = Message("client_response", 0, "400", (), [b'{"error":{"message":"no"}}'], [0.1], 9)
    assert read(GEMINI, [strange, refused]) == read({"dialect": "smoke"}, [strange]) == read(GEMINI, [])
    assert read(GEMINI, [Message("client_request", 0, "POST /v1/messages", ())]).transcript is None
