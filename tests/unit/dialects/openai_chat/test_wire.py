"""Words and small shapes."""

from __future__ import annotations

import pytest

from strowger.dialects.openai_chat.wire import FAILURES, FINISH_REASONS, STOP_REASONS, data_url, source_of
from strowger.ir.events import StopReason
from strowger.ir.request import Base64, Url


@pytest.mark.parametrize(
    "url,inline",
    [
        ("data:image/png;base64,AA==", True),
        ("data:image/svg+xml;charset=utf-8;base64,AA==", False),
        ("data:,plain", False),
        ("https://x/y.png", False),
    ],
)
def test_data_urls(url: str, inline: bool) -> None:
    """Only the plain base64 kind is taken apart, so that it can be put together again."""
    source = source_of(url)
    assert isinstance(source, Base64) is inline
    assert (data_url(source) if isinstance(source, Base64) else source.url if isinstance(source, Url) else "") == url


def test_bytes_without_a_type_have_a_default() -> None:
    """A data URL needs one."""
    assert data_url(Base64("", "AA==")) == "data:application/octet-stream;base64,AA=="


def test_every_reason_can_be_said() -> None:
    """What we say is understood when it comes back."""
    assert set(FINISH_REASONS) == set(StopReason)
    assert all(word in STOP_REASONS for word in FINISH_REASONS.values())
    assert not set(FAILURES) & set(STOP_REASONS)
