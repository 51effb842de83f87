"""Words, names and small shapes."""

from __future__ import annotations

import pytest

from strowger.dialects.openai_responses.wire import INCOMPLETE, STOP_REASONS, data_url, safe_id, source_of
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
