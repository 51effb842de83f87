"""Parts of contents, both ways, and the signatures that stand on them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.envelope import wrapped
from strowger.dialects.gemini.wire import SIGNATURE
from strowger.ir.request import (
    Audio,
    Base64,
    Document,
    FileId,
    Image,
    InlineText,
    Opaque,
    Part,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Text,
    Thinking,
    ToolCall,
    Url,
)
from tests.unit.dialects.gemini.asking import HELLO, Json, asked, part_comes_back, raw

PIXEL = "iVBORw0KGgo="
STORED = "https://generativelanguage.googleapis.com/v1beta/files/abc"


def parts(*nodes: Json, role: str = "model") -> tuple[Part, ...]:
    """The parts of a content."""
    return asked([HELLO, {"role": role, "parts": list(nodes)}]).messages[1].parts


def inline(kind: str, data: str = PIXEL, **members: Any) -> Json:
    """Bytes."""
    return {"inlineData": {"mimeType": kind, "data": data, **members}}


def file(kind: str, address: str, **members: Any) -> Json:
    """A file by its address."""
    return {"fileData": {"mimeType": kind, "fileUri": address, **members}}


def google(blob: str, identity: str = "") -> Signed:
    """Google's own signature."""
    return Signed("google", SIGNATURE, blob, identity)


ODD: list[Json] = [
    {"text": ""},
    {"text": "a", "thought": False, "x": {"y": None}},
    {"text": "a", "thought": False, "thoughtSignature": "c2ln"},
    {"text": "a", "thought": True},
    {"text": "a", "thought": True, "thoughtSignature": "c2ln"},
    {"text": "a", "thought_signature": "c2ln"},
    {"text": "", "thoughtSignature": "c2ln"},
    {"thoughtSignature": "c2ln"},
    {"text": "a", "thoughtSignature": ""},
    {"text": "a", "thoughtSignature": None},
    {"text": None, "thoughtSignature": "c2ln"},
    {"functionCall": {"name": "f", "args": {}}, "thought_signature": "c2ln"},
    {"inlineData": {"mimeType": "image/png", "data": PIXEL}, "thoughtSignature": "c2ln"},
    inline("image/png", displayName="a.png"),
    {"inline_data": {"mime_type": "image/png", "data": PIXEL, "display_name": "a"}, "media_resolution": {"level": 1}},
    inline("application/pdf", displayName="a.pdf"),
    inline("audio/wav"),
    inline("audio/mpeg", x=1),
    inline("audio/wav", "-_8"),
    inline("image/png", "-_8"),
    inline("image/png", "-_8="),
    inline("image/png", "+/8"),
    inline("image/png", "+-8="),
    inline("image/png", "", x=None),
    inline("text/csv", base64.b64encode("ä,b".encode()).decode()),
    inline("text/csv", "not base64"),
    inline("video/mp4") | {"videoMetadata": {"fps": 1}},
    {"inlineData": {"data": PIXEL}},
    file("image/png", "https://x/a.png"),
    file("image/png", STORED),
    {"file_data": {"mime_type": "application/pdf", "file_uri": "gs://b/a.pdf", "display_name": "a"}},
    file("video/mp4", "https://youtu.be/x"),
    {"fileData": {"fileUri": "https://x/a.png"}},
    {"executableCode": {"language": "PYTHON", "code": "1+1"}},
    {"executable_code": {"language": 1, "code": "1+1", "id": "e"}, "thoughtSignature": "c2ln"},
    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2", "id": "e"}},
    {"codeExecutionResult": {"outcome": 2, "output": "2"}, "thought_signature": "c2ln"},
    {"toolCall": {"id": "t", "toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": ["a"]}}, "thoughtSignature": "c2ln"},
    {"toolResponse": {"id": "t", "toolType": "GOOGLE_SEARCH_WEB", "response": {"a": 1}}},
    {"newKind": {"a": 1}},
    {},
]  # fmt: skip


@pytest.mark.parametrize("part", ODD)
def test_every_part_comes_back(part: Json) -> None:
    """In either spelling, signed or not, known or not."""
    assert part_comes_back(part)


@pytest.mark.parametrize("part", ODD)
def test_every_part_of_a_user_comes_back(part: Json) -> None:
    """A signature in a user's content is kept, but not read: there is none of the user's."""
    assert part_comes_back(part, "user")


@pytest.mark.parametrize(
    "node, part",
    [
        ({"text": "a"}, Text("a")),
        ({"text": "a", "thought": True}, Thinking("a")),
        (inline("image/png"), Image(Base64("image/png", PIXEL))),
        (inline("audio/wav"), Audio(PIXEL, "wav")),
        (inline("audio/mp3"), Audio(PIXEL, "mp3")),
        (inline("application/pdf", displayName="a.pdf"), Document(Base64("application/pdf", PIXEL), "a.pdf")),
        (inline("text/plain", "aGk="), Document(InlineText("hi", "text/plain"))),
        (file("image/png", "https://x/a.png"), Image(Url("https://x/a.png"))),
        (file("image/png", STORED), Image(FileId(STORED))),
        (file("application/pdf", "gs://b/a.pdf"), Document(FileId("gs://b/a.pdf"))),
        (
            {"executableCode": {"code": "1+1", "id": "e"}},
            ServerToolCall("e", "code_execution", '{"code":"1+1"}', "executableCode"),
        ),
    ],
)  # fmt: skip
def test_what_a_part_is_to_others(node: Json, part: Part) -> None:
    """Pictures, documents, sound and code are what they are in every dialect."""
    found = parts(node)[0]
    if isinstance(found, Image | Document) and isinstance(found.source, Url | FileId):
        found = type(found)(type(found.source)(found.source.url if isinstance(found.source, Url) else found.source.id))
    assert found == part


def test_sound_of_another_name_is_the_same_format() -> None:
    """`audio/mpeg` is what others call mp3."""
    part = parts(inline("audio/mpeg"))[0]
    assert isinstance(part, Audio)
    assert part.format == "mp3"


@pytest.mark.parametrize("data", ["-_8", "-_8=", "+/8", "+/8="])
def test_bytes_are_standard_base64_to_others(data: str) -> None:
    """Google's SDKs write the alphabet of URLs and leave the padding out; nobody else reads that."""
    part = parts(inline("image/png", data))[0]
    assert isinstance(part, Image)
    assert isinstance(part.source, Base64)
    assert part.source.data == "+/8="


def test_a_video_is_for_google_only() -> None:
    """No other dialect has a place for it; its kind is told in the loss, and other models that there was one."""
    part = parts(inline("video/mp4"))[0]
    assert part == Opaque("gemini", "inlineData", raw(inline("video/mp4")), "[video omitted: video/mp4]")


def test_a_search_tells_its_query() -> None:
    """The shared form of a search is its query."""
    part = parts({"toolCall": {"id": "t", "toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": ["a", "b"]}}})[0]
    assert isinstance(part, ServerToolCall)
    assert (part.name, part.arguments) == ("web_search", '{"query":"a; b"}')


@pytest.mark.parametrize(
    "outcome, error", [("OUTCOME_OK", ""), (1, ""), ("OUTCOME_FAILED", "OUTCOME_FAILED"), (2, "2")]
)
def test_code_that_failed_says_so(outcome: object, error: str) -> None:
    """Outcomes come by name or by number; what was printed is told besides."""
    part = parts({"codeExecutionResult": {"outcome": outcome, "output": "2\n"}})[0]
    assert isinstance(part, ServerToolResult)
    assert (part.name, part.error, part.output) == ("code_execution", error, "2\n")


def test_a_signature_of_a_call_stands_before_it() -> None:
    """It is tied to the call by the call's id."""
    assert parts({"functionCall": {"name": "f", "id": "c", "args": {}}, "thoughtSignature": "c2ln"}) == (
        Thinking("", google("c2ln", "call:c")),
        ToolCall("c", "f", "{}"),
    )


def test_a_signature_of_a_text_stands_behind_it() -> None:
    """Gemini signs the end of an answer on an empty text, too."""
    assert parts({"text": "a", "thoughtSignature": "c2ln"}) == (Text("a"), Thinking("", google("c2ln", "text")))


def test_a_signature_of_a_thought_is_the_thoughts() -> None:
    """It is not tied to another part."""
    assert parts({"text": "a", "thought": True, "thoughtSignature": "c2ln"}) == (Thinking("a", google("c2ln")),)


def test_a_signature_of_anything_else_stands_behind_it() -> None:
    """Pictures that were made, and code that was run, are signed too."""
    found = parts(inline("image/png") | {"thoughtSignature": "c2ln"})
    assert found[1] == Thinking("", google("c2ln", "part"))


def test_an_envelope_is_opened() -> None:
    """State of another vendor comes home in the client's own signature."""
    foreign = Signed("anthropic", "anthropic:signature", "abc")
    found = parts({"functionCall": {"name": "f", "id": "c", "args": {}}, "thoughtSignature": wrapped(foreign, "why")})
    assert found == (Thinking("why", foreign), ToolCall("c", "f", "{}"))


def test_state_of_others_returns_to_where_its_thought_was() -> None:
    """Thinking comes before the text that follows it, although its envelope rides on the call behind both."""
    foreign = Signed("anthropic", "anthropic:signature", "abc")
    call = {"functionCall": {"name": "f", "id": "c", "args": {}}, "thoughtSignature": wrapped(foreign, "why")}
    assert parts({"text": "let me see"}, call)[:2] == (Thinking("why", foreign), Text("let me see"))


def test_a_thought_that_the_client_kept_in_pieces_is_whole_again() -> None:
    """SDKs keep each chunk as a part of its own; Anthropic's signature is of the whole."""
    foreign = Signed("anthropic", "anthropic:signature", "abc")
    call = {"functionCall": {"name": "f", "id": "c", "args": {}}, "thoughtSignature": wrapped(foreign)}
    pieces = [{"text": "w", "thought": True}, {"text": "hy", "thought": True}]
    assert parts(*pieces, call)[0] == Thinking("why", foreign)
    told = dict(call, thoughtSignature=wrapped(foreign, "why"))
    assert parts(*pieces, told)[0] == Thinking("why", foreign)


def test_a_damaged_envelope_is_nobodys() -> None:
    """It goes to nobody, and breaks nothing."""
    found = parts({"text": "a", "thoughtSignature": "strowger1.!!"})[1]
    assert isinstance(found, Thinking)
    assert found.signed == Signed("", "damaged", "")


def test_unknown_members_stay_on_their_part() -> None:
    """Google may know them."""
    part = parts({"text": "a", "new": [1]})[0]
    assert isinstance(part, Text)
    assert part.extras == {"new": Raw(b"[1]")}
