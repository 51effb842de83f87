"""What is given to somebody else has nothing in it that is not theirs to know."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strowger.flows.sharing import Cleaner
from strowger.flows.tape import Message

SECRET = "sk-ant-api03-Zm9vYmFyYmF6cXV4"


def hide(text: str) -> str:
    """As the redaction of the log does it, for one kind of key."""
    return re.sub(r"sk-[A-Za-z0-9_-]{12,}", "sk-***", text)


CLEANER = Cleaner(hide, homes=("/srv/box",))


def test_texts_lose_credentials_homes_and_addresses() -> None:
    """A home directory becomes `~`, whoever's it is; other paths stay."""
    assert CLEANER.text(f"key {SECRET}") == "key sk-***"
    assert CLEANER.text("cd /home/ann/x; /Users/Bob/y: /srv/box/z") == "cd ~/x; ~/y: ~/z"
    assert CLEANER.text("C:\\Users\\Bob\\x and C:\\\\Users\\\\Bob\\\\x") == "~\\x and ~\\\\x"
    assert CLEANER.text("~/.claude/projects/-home-ann-work/memory") == "~/.claude/projects/-~-work/memory"
    assert (
        CLEANER.text("/srv/home/ann, /srv/boxes, /opt/srv/box/x, home/x")
        == "/srv/home/ann, /srv/boxes, /opt/srv/box/x, home/x"
    )
    assert CLEANER.text("write to anna.b@example.org!") == "write to ***@***!"
    assert CLEANER.text("@decorator a@b pip@1.2") == "@decorator a@b pip@1.2"
    assert Cleaner(hide, mails=False).text("anna@example.org in /srv/box") == "anna@example.org in /srv/box"


def test_bodies_lose_who_somebody_is() -> None:
    """JSON stays JSON, its members in their order; what is neither JSON nor text is left out."""
    body = {"metadata": {"user_id": "device_1_account_2"}, "z": [SECRET, {"account_uuid": "u", "b": 1.5}], "model": "m"}
    clean = CLEANER.body(json.dumps(body).encode())
    assert json.loads(clean) == {
        "metadata": {"user_id": "***"},
        "z": ["sk-***", {"account_uuid": "***", "b": 1.5}],
        "model": "m",
    }
    assert list(json.loads(clean)) == ["metadata", "z", "model"]
    assert CLEANER.body(f"<html>{SECRET}".encode()) == b"<html>sk-***"
    assert CLEANER.body(b"\x00\x01" + SECRET.encode()) == b""
    assert CLEANER.body(b"") == b""


def test_a_message_loses_them_in_its_head_too() -> None:
    """Who pays is nobody else's business."""
    headers = (("Authorization", f"Bearer {SECRET}"), ("anthropic-organization-id", "org"), ("x-a", f"1 {SECRET}"))
    message = Message("upstream_response", 0, f"POST https://h/?k={SECRET}", headers, [b'{"a":', b"1}"], [0.1, 0.2], 7)
    clean = CLEANER.message(message)
    assert clean.headers == (("Authorization", "Bearer ***"), ("anthropic-organization-id", "***"), ("x-a", "1 sk-***"))
    assert clean.line == "POST https://h/?k=sk-***"
    assert (clean.body, clean.moments, clean.size) == (b'{"a":1}', [0.2], 7)


Making = Callable[[str, int], dict[str, Any]]

# How each dialect says a piece of a text, and how it is read again: the part it belongs to, and the piece.
FORMS: dict[str, tuple[Making, Callable[[dict[str, Any]], tuple[int, str]]]] = {
    "anthropic": (
        lambda text, index: {"type": "content_block_delta", "index": index, "delta": {"type": "t", "text": text}},
        lambda event: (event["index"], event["delta"]["text"]),
    ),
    "chat": (
        lambda text, index: {"id": "c", "choices": [{"index": index, "delta": {"content": text}}]},
        lambda event: (event["choices"][0]["index"], event["choices"][0]["delta"]["content"]),
    ),
    "calls": (
        lambda text, index: {"choices": [{"tool_calls": [{"index": index, "function": {"arguments": text}}]}]},
        lambda event: (
            event["choices"][0]["tool_calls"][0]["index"],
            event["choices"][0]["tool_calls"][0]["function"]["arguments"],
        ),
    ),
    "responses": (
        lambda text, index: {"type": "response.output_text.delta", "output_index": index, "delta": text},
        lambda event: (event["output_index"], event["delta"]),
    ),
}


@pytest.mark.parametrize("form", FORMS)
@given(cuts=st.lists(st.integers(1, 12), max_size=6), crlf=st.booleans())
@settings(max_examples=25)
def test_a_credential_in_pieces_is_found(form: str, cuts: list[int], crlf: bool) -> None:
    """However a stream cuts it, with another text between its pieces; the stream has as many events as before."""
    make, read = FORMS[form]
    text = f"your key is {SECRET}, keep it"
    pieces = []
    for cut in cuts:
        pieces.append(text[:cut])
        text = text[cut:]
    pieces.append(text)
    events = [one for piece in pieces for one in (make(piece, 0), make("other ", 1))]
    end = "\r\n" if crlf else "\n"
    body = "".join(f"event: e{end}data: {json.dumps(one)}{end}{end}" for one in events) + f"data: [DONE]{end}{end}"
    clean = CLEANER.body(body.encode()).decode()
    assert re.sub("data: {.*}", "", clean) == re.sub("data: {.*}", "", body)
    said = ["", ""]
    for line in clean.splitlines():
        if line.startswith("data: {"):
            index, piece = read(json.loads(line[5:]))
            said[index] += piece
    assert said == ["your key is sk-***, keep it", "other " * len(pieces)]


def test_only_the_pieces_with_a_credential_change() -> None:
    """Those before and behind it stay what they were, and as many as there were."""
    pieces = ["your ", "key is sk-ant", "-api03-", "Zm9vYmFyYmF6cXV4", ", keep ", "it"]
    make, read = FORMS["anthropic"]
    body = "".join(f"data: {json.dumps(make(piece, 0))}\n\n" for piece in pieces)
    clean = CLEANER.body(body.encode()).decode()
    said = [read(json.loads(line[5:]))[1] for line in clean.splitlines() if line]
    array = CLEANER.body(json.dumps([make(piece, 0) for piece in pieces]).encode())  # as Gemini streams, too
    assert [read(one)[1] for one in json.loads(array)] == said
    assert said[0] == "your "
    assert said[-2:] == [", keep ", "it"]
    assert "".join(said) == "your key is sk-***, keep it"


def test_a_clean_stream_has_its_moments() -> None:
    """A piece that ends inside of a line goes on with the next one."""
    pieces = [b"event: a\ndata: 1", b"2\n\nevent: b\n", f"data: {SECRET}\n".encode(), b"\n"]
    clean = CLEANER.message(Message("upstream_response", 0, "200", (), pieces, [0.1, 0.2, 0.3, 0.4], 60))
    assert clean.pieces == [b"event: a\n", b"data: 12\n\nevent: b\n", b"data: sk-***\n", b"\n"]
    assert clean.moments == [0.1, 0.2, 0.3, 0.4]


def test_what_is_too_deep_is_cleaned_as_text() -> None:
    """Also in an event of a stream."""
    for levels in (700, 50_000):
        deep = '{"a":' * levels + f'"{SECRET}"' + "}" * levels
        for body in (deep, f'data: {{"b":"{SECRET}"}}\n\ndata: {deep}\n\n'):
            clean = CLEANER.body(body.encode()).decode()
            assert clean.count('{"a"') == levels
            assert "sk-***" in clean
            assert SECRET not in clean
