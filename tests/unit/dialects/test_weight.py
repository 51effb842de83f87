"""How much a part of a request holds."""

from __future__ import annotations

from msgspec import Raw

from strowger.dialects.weight import weight
from strowger.ir.request import Base64, Image, Message, Text, ToolResult


def test_all_that_is_in_it_counts() -> None:
    """Texts, pictures and raw members, however deep; numbers and nothing do not."""
    result = ToolResult("id", (Text("abc"), Image(Base64("", "data"))), is_error=True, extras={"odd": Raw(b"12345")})
    assert weight(result) == len("id") + len("abc") + len("data") + len("12345")
    assert weight((Message("user", (result,)), None)) == len("user") + weight(result)
