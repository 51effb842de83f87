"""Bodies as lines of text, and events with their moments."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from strowger.flows.pretty import events_of, is_binary, is_stream, lines_of, news

TEXTS = st.text('a\n\r\u2028"\\', max_size=5)
PLAIN = st.none() | st.booleans() | st.integers(0, 9) | TEXTS
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


def test_json_has_one_thing_on_each_line_in_a_stable_order() -> None:
    """Members in the order of their names, items in their own; text of several lines takes several."""
    body = b'{"model":"m","a":[],"messages":[{"role":"user","content":"one\\ntwo\\n"},true,1.5]}'
    assert lines_of(body) == [
        "{",
        '  "a": []',
        '  "messages": [',
        "    {",
        '      "content": "one\\n"',
        '        "two\\n"',
        '      "role": "user"',
        "    }",
        "    true",
        "    1.5",
        "  ]",
        '  "model": "m"',
        "}",
    ]
    assert lines_of(b'{"b":1,"a":2}') == lines_of(b'{ "a": 2,\n"b": 1}')


def test_what_is_no_json_is_shown_as_what_it_is() -> None:
    """Streams event by event, text as it is, and of anything else how long it is."""
    stream = b'event: ping\ndata: {"type":"ping"}\n\ndata: [DONE]\n\n'
    assert lines_of(stream) == ["event: ping", "  {", '    "type": "ping"', "  }", "event", "  [DONE]"]
    assert lines_of(b"<html>\nno") == ["<html>", "no"]
    assert lines_of(b"\x1f\x8b\x00\x01" * 500) == ["(2,000 bytes that are no text)"]
    assert lines_of(b"") == []
    assert not is_binary("ä".encode() * 5 + b"\xc3")
    assert is_binary(b"\xff\xfe" * 5)


@given(VALUES)
def test_different_values_have_different_lines(value: object) -> None:
    """Every text of a JSON body can be told from every other; no line has a line end in it."""
    lines = lines_of(msgspec.json.encode(value))
    assert lines
    assert not any("\n" in line for line in lines)
    assert lines != lines_of(msgspec.json.encode([value, value]))


def test_an_event_came_when_its_last_byte_did() -> None:
    """However the stream was cut; its kind is its name, or what its data says."""
    pieces = [b"event: a\nda", b'ta: 1\n\ndata: {"type":', b'"b"}\n\n', b"data: last"]
    found = events_of(pieces, [0.1, 0.2, 0.3, 0.4])
    assert [(event.moment, event.kind, event.data) for event in found] == [
        (0.2, "a", b"1"),
        (0.3, "b", b'{"type":"b"}'),
        (0.4, "", b"last"),
    ]
    (whole,) = events_of([b'{"id":', b"1}"], [0.5, 0.6])
    assert (whole.moment, whole.kind, whole.data) == (0.6, "", b'{"id":1}')
    assert events_of([], []) == []
    assert is_stream(b": OPENROUTER PROCESSING\n\n")
    assert not is_stream(b'{"data": 1}')


def test_an_event_is_told_by_what_is_new_in_it() -> None:
    """Members that the one before had, too, and a type that is its name, say nothing."""
    stream = (
        b'data: {"id":"c","choices":[1]}\n\ndata: {"id":"c","choices":[2]}\n\n'
        b'event: ping\ndata: {"type":"ping","n":1}\n\ndata: [DONE]\n\n'
    )
    told = list(news(events_of([stream], [0.1])))
    assert told == ['{"id":"c","choices":[1]}', '{"choices":[2]}', '{"n":1}', "[DONE]"]


def test_what_is_deep_is_said_in_one_line() -> None:
    """As deep as can be read, and deeper: nobody's brackets end a command."""
    for levels in (300, 900, 50_000):
        body = b'{"a":' * levels + b"1" + b"}" * levels
        lines = lines_of(body)
        assert lines
        assert events_of([b"data: " + body + b"\n\n"], [0.1])[0].kind == ""
        assert lines_of(b"data: " + body + b"\n\n")
    assert max(map(len, lines_of(b"[" * 300 + b"]" * 300))) == 2 * 100 + 2 * 200
