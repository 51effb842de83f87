"""Reading objects member by member."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from strowger.dialects.fields import Fields, mended
from strowger.errors import BadRequest, Malformed


def test_what_is_not_taken_stays_as_it_is() -> None:
    """The rest of an object keeps its bytes, and its nulls."""
    fields = Fields(b'{"a":"x","b": 1.0e2 ,"c":null,"d":{"z":1,"y":2}}')
    assert fields.text("a") == "x"
    assert fields.raw("c") is None
    assert fields.extras() == {"b": Raw(b"1.0e2"), "c": Raw(b"null"), "d": Raw(b'{"z":1,"y":2}')}


def test_each_kind_is_read() -> None:
    """Strings, numbers that stay what they were, booleans, lists and objects."""
    fields = Fields(b'{"s":"x","i":3,"n":3,"f":3.5,"b":false,"l":["a"],"r":[1,"b"],"o":{"k":"v"}}')
    assert (fields.text("s"), fields.integer("i"), fields.flag("b")) == ("x", 3, False)
    assert [fields.number("n"), fields.number("f")] == [3, 3.5]
    assert fields.strings("l") == ("a",)
    assert fields.items("r") == [Raw(b"1"), Raw(b'"b"')]
    inner = fields.fields("o")
    assert inner is not None
    assert (inner.path, inner.text("k")) == ("o", "v")
    assert not fields.extras()


def test_holds_takes_nothing() -> None:
    """A look at a member leaves it where it is."""
    fields = Fields(b'{"a":[]}')
    assert fields.holds("a", b"[]")
    assert not fields.holds("a", b"{}")
    assert not fields.holds("b", b"[]")
    assert fields.extras() == {"a": Raw(b"[]")}


@pytest.mark.parametrize(
    "body, words",
    [
        (b"", "not valid JSON"),
        (b'{"a":', "not valid JSON"),
        (b"[]", "expected object, got array"),
        (b'"text"', "expected object, got str"),
    ],
)
def test_what_is_no_object_is_refused(body: bytes, words: str) -> None:
    """The error says what there was instead."""
    with pytest.raises(BadRequest, match=words):
        Fields(body)


def test_errors_name_the_path() -> None:
    """A wrong type is told with its place, in the kind of error that the caller chose."""
    with pytest.raises(Malformed, match="x.a: expected str, got int") as caught:
        Fields(b'{"a":1}', "x", Malformed).text("a")
    assert caught.value.param == "x.a"
    with pytest.raises(BadRequest, match="x.b: field required"):
        Fields(b"{}", "x").need(None, "b")


def test_bytes_that_are_no_text_are_refused() -> None:
    """Invalid UTF-8 is an error, not a guess, also in a member that nobody reads."""
    with pytest.raises(BadRequest, match="not valid UTF-8"):
        Fields(b'{"a":"\xff"}').text("a")


@pytest.mark.parametrize(
    "start, hint",
    [
        (b"\xef\xbb\xbf", "send a JSON object in UTF-8, without a byte order mark"),
        (b"\xc3\xbc", "send a JSON object in UTF-8"),
    ],
)
def test_a_byte_order_mark_is_named(start: bytes, hint: str) -> None:
    """JSON has none, and nobody sees it in an editor: the hint says what to take away."""
    with pytest.raises(BadRequest, match="not valid JSON") as caught:
        Fields(start + b'{"model":"m"}')
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    "text, mended_text",
    [
        (rb"\ud83d", rb"\ufffd"),
        (rb"\ude00", rb"\ufffd"),
        (rb"\ud83d\ude00", rb"\ud83d\ude00"),
        (rb"\ud83d\ud83d\ude00\ude00", rb"\ufffd\ud83d\ude00\ufffd"),
        (rb"\\ud83d", rb"\\ud83d"),
        (rb"\\\ud83d", rb"\\\ufffd"),
        (rb"\u0041\uD83Dx", rb"\u0041\ufffdx"),
    ],
)
def test_halves_of_pairs_are_mended(text: bytes, mended_text: bytes) -> None:
    """A half becomes U+FFFD; whole pairs, and what only looks like an escape, stay."""
    assert mended(b'"' + text + b'"') == b'"' + mended_text + b'"'
    assert Fields(b'{"a":"' + text + b'"}').text("a") == json.loads(b'"' + mended_text + b'"')


@given(st.text(st.sampled_from('\\u"d83e0 ')))
def test_good_json_is_not_mended(text: str) -> None:
    """Text that holds no halves comes through as it is, whatever it looks like."""
    assert mended(json.dumps(text).encode()) == json.dumps(text).encode()
