"""Single parts made to fit an upstream."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.ir.request import (
    Audio,
    Base64,
    CacheHint,
    Citation,
    Document,
    FileId,
    Image,
    InlineText,
    Opaque,
    Part,
    Refusal,
    ServerToolCall,
    Text,
    ToolReference,
    Url,
)
from tests.unit.dialects.gemini.asking import GEMINI_3, HELLO, asked, lost, said, sent, user

PNG, JPEG, PDF, GIF = "iVBORw0KGgo=", "/9j/AAAA", "JVBERi0xLjc=", "R0lGODlh"


def becomes(part: Part, **caps: Any) -> Any:
    """The node of a part, and the severities of its losses."""
    request = said(user("a", part))
    target = replace(GEMINI_3, **caps)
    parts = sent(request, target)["contents"][0]["parts"]
    return parts[1] if len(parts) > 1 else None, [severity for _, severity in lost(request, target)]


@pytest.mark.parametrize(
    "part, node",
    [
        (Text("b"), {"text": "b"}),
        (Refusal("no"), {"text": "no"}),
        (Image(Base64("image/png", PNG)), {"inlineData": {"mimeType": "image/png", "data": PNG}}),
        (Image(Base64("image/jpg", "AAAA")), {"inlineData": {"mimeType": "image/jpeg", "data": "AAAA"}}),
        (Image(Base64("image/png", JPEG), "auto"), {"inlineData": {"mimeType": "image/jpeg", "data": JPEG}}),
        (Document(Base64("", PDF)), {"inlineData": {"mimeType": "application/pdf", "data": PDF}}),
        (Document(Base64("text/csv", "YQ==")), {"inlineData": {"mimeType": "text/csv", "data": "YQ=="}}),
        (Document(InlineText("x"), "t"), {"text": '<document title="t">\nx\n</document>'}),
        (Audio("AAAA", "wav"), {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}),
        (ToolReference("f"), {"text": "Tool f is now available."}),
    ],
)  # fmt: skip
def test_what_fits(part: Part, node: Any) -> None:
    """Without a loss; bytes go under the name that they bear themselves."""
    assert becomes(part) == (node, [])


@pytest.mark.parametrize(
    "part, said_instead",
    [
        (Image(Base64("image/gif", GIF)), "[image omitted: image/gif]"),
        (Image(Url("https://x/a.png")), "[image omitted: https://x/a.png]"),
        (Image(FileId("f1")), "[image omitted: file f1]"),
        (Document(Base64("application/msword", "AAAA"), "a.doc"), "[document omitted: a.doc]"),
        (Document(Url("https://x/a.pdf")), "[document omitted: https://x/a.pdf]"),
    ],
)
def test_what_does_not_fit_is_told_to_the_model(part: Part, said_instead: str) -> None:
    """A note stands where it was, and the loss is an error."""
    assert becomes(part) == ({"text": said_instead}, ["error"])


@pytest.mark.parametrize(
    "part, member",
    [
        (Image(Base64("image/png", PNG)), "images"),
        (Document(Base64("application/pdf", PDF)), "documents"),
        (Audio("AAAA", "wav"), "audio"),
    ],
)
def test_what_the_model_does_not_take_is_not_sent(part: Part, member: str) -> None:
    """Gemma reads no documents, and hears nothing."""
    node, severities = becomes(part, **{member: False})
    assert "omitted" in node["text"]
    assert severities == ["error"]


@pytest.mark.parametrize(
    "part, node",
    [
        (Image(Url("https://x/a.webp?b=c.pdf")), {"fileUri": "https://x/a.webp?b=c.pdf", "mimeType": "image/webp"}),
        (Image(Url("https://x/a")), {"fileUri": "https://x/a", "mimeType": "image/jpeg"}),
        (Document(Url("https://x/a.csv")), {"fileUri": "https://x/a.csv", "mimeType": "text/csv"}),
        (Document(Url("https://x/a.png")), {"fileUri": "https://x/a.png", "mimeType": "application/pdf"}),
    ],
)
def test_addresses_go_where_they_are_fetched(part: Part, node: Any) -> None:
    """Vertex does; it wants a media type, and the name tells one."""
    assert becomes(part, image_urls=True) == ({"fileData": node}, [])


@pytest.mark.parametrize(
    "part, severity",
    [
        (Opaque("anthropic", "container_upload", Raw(b"{}")), "warning"),
        (ServerToolCall("1", "memory", "{}"), "warning"),
        (Text(""), None),
    ],
)
def test_what_means_nothing_here_is_left_out(part: Part, severity: str | None) -> None:
    """With its loss, where it is one."""
    assert becomes(part) == (None, [severity] if severity else [])


def test_what_only_other_dialects_know_is_told() -> None:
    """Extras, cache hints, citations, hints of resolution."""
    text = Text("b", CacheHint(), (Citation(Raw(b"{}")),), {"new": Raw(b"1")})
    assert becomes(text) == ({"text": "b"}, ["warning", "info", "info"])
    assert becomes(Image(Base64("image/png", PNG), "high"))[1] == ["info"]


def test_own_files_stay_as_they_are() -> None:
    """Files kept at Google, and addresses that it fetches: of its own dialect the target knows best."""
    part = {
        "fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a", "mimeType": "image/png"}
    }
    assert sent(asked([{"role": "user", "parts": [part]}]))["contents"][0]["parts"] == [part]


def test_own_addresses_are_not_fetched_by_everyone() -> None:
    """A client of Vertex on the public API."""
    part = {"fileData": {"fileUri": "https://x/a.png", "mimeType": "image/png"}}
    request = asked([HELLO, {"role": "user", "parts": [part]}])
    assert sent(request)["contents"][1]["parts"] == [{"text": "[image omitted: https://x/a.png]"}]
    assert lost(request)[0][1] == "error"
