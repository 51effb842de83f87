"""Words, names and small shapes."""

from __future__ import annotations

import re

import pytest

from strowger.dialects.openai_responses.wire import INCOMPLETE, STOP_REASONS, data_url, safe_id, safe_name, source_of
from strowger.ir.events import StopReason
from strowger.ir.request import Base64, Url


@pytest.mark.parametrize(
    "url,inline",
    [("data:image/png;base64,AA==", True), ("data:,plain", False), ("https://x/y.png", False)],
)
def test_data_urls(url: str, inline: bool) -> None:
    """Only the plain base64 kind is taken apart, so that it can be put together again."""
    source = source_of(url)
    assert isinstance(source, Base64) is inline
    assert (data_url(source) if isinstance(source, Base64) else source.url if isinstance(source, Url) else "") == url


def test_bytes_without_a_type_have_a_default() -> None:
    """A data URL needs one."""
    assert data_url(Base64("", "AA==")) == "data:application/octet-stream;base64,AA=="


def test_names_are_made_legal_in_a_stable_way() -> None:
    """The API takes letters, digits, `_` and `-`, up to 64; two different names stay different."""
    long = "mcp__" + "x" * 90
    for name in ("a.b", "", "a b", long, long + "y"):
        sent = safe_name(name, 64)
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", sent)
        assert sent == safe_name(name, 64)
        assert sent != name
    assert safe_name("a.b", 64) != safe_name("a b", 64)
    assert safe_name(long, 64) != safe_name(long + "y", 64)
    assert safe_name("plain_Name-1", 64) == "plain_Name-1"
    assert safe_name("n" * 100, 0) == "n" * 100


def test_ids_are_made_short_in_a_stable_way() -> None:
    """Call ids have at most 64 characters; call and result get the same."""
    assert safe_id("call_1") == "call_1"
    assert safe_id("i" * 80) == safe_id("i" * 80) != safe_id("i" * 81)
    assert len(safe_id("i" * 80)) <= 64
    assert len(safe_id("i" * 80, 9)) == 9
    assert safe_id("")


def test_every_incomplete_reason_is_understood() -> None:
    """What we say is understood when it comes back."""
    assert all(word in STOP_REASONS for word in INCOMPLETE.values())
    assert STOP_REASONS["completed"] is StopReason.END
