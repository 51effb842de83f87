"""What dialects share: the model's name in a body."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strowger.dialects.base import add_members, patch_model
from strowger.errors import BadRequest


def test_only_the_name_changes() -> None:
    """Every other byte stays as it was: spaces, escapes, key order, numbers as they were written."""
    body = b'{ "temperature": 1.0,\n "model" : "old", "text": "caf\\u00e9 \xc3\xa9", "n":1e2 }'
    assert patch_model(body, "new") == body.replace(b'"old"', b'"new"')


def test_the_same_name_is_the_same_body() -> None:
    """Nothing to patch, nothing copied."""
    body = b'{"model":"m"}'
    assert patch_model(body, "m") is body


MORE = (("provider", b'{"sort":"price"}'), ("n", b"1"))


@pytest.mark.parametrize(
    "body, expected",
    [
        (b'{"model": "m"}', b'{"provider":{"sort":"price"},"n":1,"model": "m"}'),
        (b' {\n "a" : [1]}', b' {\n "provider":{"sort":"price"},"n":1,"a" : [1]}'),
        (b"{ }", b'{ "provider":{"sort":"price"},"n":1}'),
        (b'{"n":2,"provider":null}', b'{"n":2,"provider":null}'),
        (b'{"a":{"provider":1},"n":3}', b'{"provider":{"sort":"price"},"a":{"provider":1},"n":3}'),
        (b'{"a":"\\"n\\""}', b'{"provider":{"sort":"price"},"n":1,"a":"\\"n\\""}'),
        (b"[1]", b"[1]"),
        (b'{"n" is broken', b'{"n" is broken'),
    ],
)
def test_members_are_added(body: bytes, expected: bytes) -> None:
    """What the client has at the top level stays its own, even a null; every byte that was there is still there."""
    assert add_members(body, MORE) == expected


def test_a_deeper_model_stays() -> None:
    """A tool's argument or a sub-object may be called model too, even with the same value, before or after."""
    body = b'{"a":{"model":"m"},"model":"m","tools":[{"model": "m"}]}'
    assert json.loads(patch_model(body, "new")) == {
        "a": {"model": "m"},
        "model": "new",
        "tools": [{"model": "m"}],
    }


def test_a_model_in_a_text_stays() -> None:
    """Text that looks like the member is text."""
    body = json.dumps({"messages": [{"content": '"model":"m"'}], "model": "m"}).encode()
    assert json.loads(patch_model(body, "new"))["messages"][0]["content"] == '"model":"m"'


def test_escaped_spellings_are_found() -> None:
    """A name may be written with escapes; what counts is the member, not its letters."""
    assert json.loads(patch_model(b'{"model":"\\u006d","x":1}', "new")) == {"model": "new", "x": 1}


def test_a_string_that_was_cut_inside_an_emoji_is_mended() -> None:
    """JavaScript sends such halves, and no strict parser takes them."""
    body = rb'{"model":"m","text":"cut \ud83d, whole \ud83d\ude00"}'
    assert json.loads(patch_model(body, "n")) == {"model": "n", "text": "cut \ufffd, whole \U0001f600"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"messages":[]}', b'"model"'])
def test_a_body_without_a_model_is_refused(body: bytes) -> None:
    """There is nothing to patch, and the error names the member."""
    with pytest.raises(BadRequest) as caught:
        patch_model(body, "m")
    assert caught.value.param == "model"


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["model", "a"]), inner, max_size=2),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "model "]), _json, max_size=3), st.text(max_size=6), st.text(max_size=6)
)
def test_all_else_is_conserved(members: dict[str, object], old: str, new: str) -> None:
    """Whatever a body holds, only its own model is another."""
    body = json.dumps({**members, "model": old}).encode()
    assert json.loads(patch_model(body, new)) == {**members, "model": new}
