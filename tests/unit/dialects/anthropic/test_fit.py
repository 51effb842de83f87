"""Parts made to fit an upstream."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.anthropic import FAITHFUL
from strowger.dialects.anthropic.fit import Fitting
from strowger.dialects.base import Capabilities, Loss
from strowger.dialects.envelope import seal
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
    Request,
    ServerToolCall,
    ServerToolResult,
    Signed,
    Text,
    Thinking,
    ToolCall,
    ToolReference,
    ToolResult,
    Url,
)

ANTHROPIC = replace(FAITHFUL, thinking_replay="signed")
PLAIN = Capabilities(origin="somebody")
PNG = "iVBORw0KGgoAAAA"
OWN = Signed("anthropic", "anthropic:signature", "c2ln")
KIMI = Signed("moonshot", "openai_chat:reasoning", "")


def _fit(part: Part, caps: Capabilities = ANTHROPIC, origin: str = "openai_chat") -> tuple[list[Part], list[Loss]]:
    fitting = Fitting(Request(origin, "m"), caps)
    return fitting.part(part, "p"), fitting.losses


# ---- thinking ----


@pytest.mark.parametrize(
    "part", [Thinking("hm", OWN), Thinking("", OWN), Thinking("", replace(OWN, kind="anthropic:redacted"))]
)
@pytest.mark.parametrize("origin", ["anthropic", "openai_chat"])
def test_signed_thinking_comes_home(part: Thinking, origin: str) -> None:
    """Whoever carried it meanwhile, the blob goes to its issuer as it was."""
    assert _fit(part, ANTHROPIC, origin) == ([part], [])


@pytest.mark.parametrize(
    "part", [Thinking("hm", KIMI), Thinking("hm"), Thinking("hm", replace(OWN, origin="deepseek"))]
)
def test_foreign_thinking_is_dropped(part: Thinking) -> None:
    """Anthropic refuses a signature that is not its own; a session must survive a change of provider."""
    parts, losses = _fit(part, ANTHROPIC, "anthropic")
    assert parts == []
    assert [loss.severity for loss in losses] == ["info"]


def test_where_signatures_are_not_checked_the_text_goes() -> None:
    """A server that only wants the thoughts gets them, with the signature of this dialect or none."""
    anyone = replace(PLAIN, thinking_replay="any")
    assert _fit(Thinking("hm", OWN), anyone) == ([Thinking("hm", OWN)], [])
    assert _fit(Thinking("hm", KIMI), anyone) == ([Thinking("hm")], [])
    unsigned = Thinking("hm", extras={"signature": Raw(b'""')})
    assert _fit(Thinking("hm", KIMI), anyone, "anthropic") == ([unsigned], [])
    assert _fit(Thinking("", replace(OWN, kind="anthropic:redacted")), anyone)[0] == []


# ---- extras and cache breakpoints ----


def test_extras_of_another_dialect_are_losses() -> None:
    """They mean nothing here; harmless ones are told apart from those that may change the answer."""
    parts, losses = _fit(Text("a", extras={"annotations": Raw(b"[1]"), "weight": Raw(b"2"), "none": Raw(b"null")}))
    assert parts == [Text("a")]
    assert [(loss.path, loss.severity) for loss in losses] == [("p.annotations", "info"), ("p.weight", "warning")]


def test_an_upstream_without_betas_gets_stable_members_only() -> None:
    """Unknown members would be refused by some servers of this dialect; what is documented for all stays."""
    part = Document(InlineText("a"), extras={"citations": Raw(b"{}"), "newer": Raw(b"1"), "off": Raw(b"null")})
    parts, losses = _fit(part, PLAIN, "anthropic")
    assert parts == [replace(part, extras={"citations": Raw(b"{}")})]
    assert [loss.path for loss in losses] == ["p.newer"]


def test_cache_breakpoints_go_where_there_are_any() -> None:
    """Elsewhere they are left out, and said once, not for each."""
    fitting = Fitting(Request("anthropic", "m"), PLAIN)
    hinted = Text("a", CacheHint("1h"))
    assert fitting.parts([hinted, hinted], "messages[0]") == [Text("a"), Text("a")]
    assert [(loss.path, loss.severity) for loss in fitting.losses] == [("messages[0].content[0].cache_control", "info")]
    assert _fit(hinted, ANTHROPIC, "anthropic")[0] == [hinted]


# ---- media ----


@pytest.mark.parametrize(
    "source, sent",
    [
        (Url(f"data:image/png;base64,{PNG}"), Base64("image/png", PNG)),
        (Url(f"data:image/jpg;base64,{PNG}"), Base64("image/png", PNG)),
        (Base64("image/jpg", "AAAA"), Base64("image/jpeg", "AAAA")),
        (Base64("", "/9j/4AAQ"), Base64("image/jpeg", "/9j/4AAQ")),
        (Url("https://x/y.png"), Url("https://x/y.png")),
    ],
)
def test_pictures_are_written_as_this_api_wants_them(source: Any, sent: Any) -> None:
    """data: URLs become bytes, under the media type that the bytes have: a wrong one is refused here."""
    assert _fit(Image(source)) == ([Image(sent)], [])


def test_documents_are_pdf_or_text() -> None:
    """Bytes that are text go as text; the API refuses every other kind."""
    assert _fit(Document(Base64("text/csv", "YSxi"), "t")) == ([Document(InlineText("a,b"), "t")], [])
    pdf = Document(Base64("application/pdf", "AAAA"))
    assert _fit(pdf) == ([pdf], [])
    odd = Document(Base64("text/csv", "YSxi"))
    assert _fit(odd, ANTHROPIC, "anthropic") == ([odd], [])


@pytest.mark.parametrize(
    "part, caps, words",
    [
        (Image(Base64("image/png", PNG)), replace(ANTHROPIC, images=False), "[image omitted: image/png]"),
        (Image(Url("https://x/y.png")), replace(ANTHROPIC, image_urls=False), "[image omitted: https://x/y.png]"),
        (Image(Url("http://x/y.png")), ANTHROPIC, "[image omitted: http://x/y.png]"),
        (Image(FileId("file-1")), ANTHROPIC, "[image omitted: file file-1]"),
        (Document(InlineText("a"), "notes"), replace(ANTHROPIC, documents=False), "[document omitted: notes]"),
        (Document(Base64("application/msword", "AAAA"), "a.doc"), ANTHROPIC, "[document omitted: a.doc]"),
        (Document(Base64("text/plain", "/w==")), ANTHROPIC, "[document omitted: text/plain]"),
        (Audio("AAAA", "wav"), ANTHROPIC, "[audio omitted: wav]"),
    ],
)
def test_what_cannot_be_shown_is_named(part: Part, caps: Capabilities, words: str) -> None:
    """The model is told that there was something, the user that it was lost."""
    parts, losses = _fit(part, caps)
    assert parts == [Text(words)]
    assert [loss.severity for loss in losses] == ["error"]


def test_files_are_known_to_their_vendor_only() -> None:
    """An id of Anthropic's means nothing to a server that only speaks its dialect."""
    assert _fit(Image(FileId("file_1")), ANTHROPIC, "anthropic") == ([Image(FileId("file_1"))], [])
    assert _fit(Image(FileId("file_1")), PLAIN, "anthropic")[0] == [Text("[image omitted: file file_1]")]


def test_a_picture_keeps_its_place_not_its_resolution_hint() -> None:
    """OpenAI's detail has no word here."""
    parts, losses = _fit(Image(Url("https://x"), detail="high"))
    assert parts == [Image(Url("https://x"))]
    assert [loss.path for loss in losses] == ["p.detail"]


def test_citations_of_another_dialect_are_losses() -> None:
    """The text stays."""
    parts, losses = _fit(Text("a", citations=(Citation(Raw(b"1")),)))
    assert parts == [Text("a")]
    assert [loss.path for loss in losses] == ["p.citations"]


def test_pictures_in_results_are_lifted_where_they_must() -> None:
    """A server that takes text results only gets the picture behind them, in the same turn."""
    result = ToolResult("t", (Text("shot"), Image(Base64("image/png", PNG))))
    assert _fit(result, ANTHROPIC) == ([result], [])
    parts, losses = _fit(result, replace(ANTHROPIC, tool_result_images=False))
    assert parts == [
        ToolResult("t", (Text("shot"), Text("[image 1 of tool result t] follows"))),
        Text("[image 1 of tool result t]"),
        Image(Base64("image/png", PNG)),
    ]
    assert losses == []


# ---- tools ----


def test_ids_fit_on_both_ends() -> None:
    """A call and its result get the same id."""
    [call] = _fit(ToolCall("functions.ls:0", "ls", "{}"))[0]
    [result] = _fit(ToolResult("functions.ls:0", (Text("a"),)))[0]
    assert isinstance(call, ToolCall)
    assert isinstance(result, ToolResult)
    assert call.id == result.call_id != "functions.ls:0"


def test_names_that_change_are_remembered() -> None:
    """The way back needs the client's own name."""
    fitting = Fitting(Request("openai_chat", "m"), ANTHROPIC)
    [call] = fitting.part(ToolCall("t", "mcp.files/read", "{}"), "p")
    assert isinstance(call, ToolCall)
    assert fitting.names == {call.name: "mcp.files/read"}


def test_broken_arguments_are_a_loss() -> None:
    """They still go, under a name that says what they are."""
    parts, losses = _fit(ToolCall("t", "f", '{"a": "cut'))
    assert parts == [ToolCall("t", "f", '{"a": "cut')]
    assert [loss.path for loss in losses] == ["p.input"]


def test_an_error_says_something() -> None:
    """The API refuses an error without content."""
    assert _fit(ToolResult("t", is_error=True))[0] == [ToolResult("t", (Text("(no output)"),), is_error=True)]


def test_references_become_words_where_they_are_unknown() -> None:
    """A deferred tool is announced in text to a server that does not have the feature."""
    assert _fit(ToolReference("WebFetch"), ANTHROPIC, "anthropic")[0] == [ToolReference("WebFetch")]
    assert _fit(ToolReference("WebFetch"), PLAIN, "anthropic")[0] == [Text("Tool WebFetch is now available.")]


@pytest.mark.parametrize(
    "part",
    [ServerToolCall("s", "web_search", "{}"), ServerToolResult("s", "web_search_tool_result", Raw(b"{}"))],
)
def test_the_vendors_own_tools_stay_with_the_vendor(part: Part) -> None:
    """Nobody else can make sense of what Anthropic's search found."""
    assert _fit(part, ANTHROPIC, "anthropic") == ([part], [])
    assert _fit(part, PLAIN, "anthropic")[0] == []
    assert [loss.severity for loss in _fit(part, PLAIN, "anthropic")[1]] == ["warning"]


SEALED = Raw(f'{{"type":"x","encrypted_index":"{seal(Signed("gemini", "web_search", ""))}"}}'.encode())


@pytest.mark.parametrize(
    "part",
    [
        ServerToolCall("srvtoolu_strowger_1", "web_search", "{}"),
        ServerToolResult("srvtoolu_strowger_1", "web_search_tool_result", Raw(b"{}")),
        ServerToolResult("srvtoolu_1", "web_search_tool_result", SEALED),
    ],
)
def test_what_ran_at_another_provider_stays_behind(part: Part) -> None:
    """Anthropic would refuse the opaque strings in it; the text that came of it is there."""
    fitted, losses = _fit(part, ANTHROPIC, "anthropic")
    assert (fitted, [loss.severity for loss in losses]) == ([], ["info"])


def test_citations_of_another_providers_search_stay_behind() -> None:
    """The text and its other citations stay."""
    own = Citation(Raw(b'{"type":"char_location"}'))
    fitted, losses = _fit(Text("a", citations=(Citation(SEALED), own)), ANTHROPIC, "anthropic")
    assert fitted == [Text("a", citations=(own,))]
    assert [loss.path for loss in losses] == ["p.citations"]


def test_unknown_blocks_pass_only_where_they_are_known() -> None:
    """A block that only Anthropic understands is a named loss for everyone else."""
    part = Opaque("anthropic", "container_upload", Raw(b"{}"))
    assert _fit(part, ANTHROPIC, "anthropic") == ([part], [])
    parts, losses = _fit(part, PLAIN, "anthropic")
    assert parts == []
    assert "container_upload" in losses[0].reason
    assert _fit(Opaque("openai_chat", "video_url", Raw(b"{}")))[0] == []


def test_refusals_and_empty_text() -> None:
    """A refusal is what the model said; empty text of another dialect is nothing, and refused by this API."""
    assert _fit(Refusal("no"))[0] == [Text("no")]
    assert _fit(Text(" \n"))[0] == []
    assert _fit(Text(""), origin="anthropic")[0] == [Text("")]


def test_text_of_any_kind_is_plain_text() -> None:
    """The API takes no other type for a document that is given as text."""
    table = Document(InlineText("a,b", "text/csv"), "t.csv")
    assert _fit(table) == ([Document(InlineText("a,b"), "t.csv")], [])
    assert _fit(table, ANTHROPIC, "anthropic")[0] == [table]
