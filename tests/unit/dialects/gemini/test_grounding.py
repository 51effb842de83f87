"""What an answer is drawn from: Google's way to tell it, and ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.gemini.grounding import Drawn, Grounds, Said, recited, within
from strowger.ir.request import Citation, Found, ServerToolCall, ServerToolResult
from tests.unit.dialects.gemini.replies import dumps, search

NOTHING = Raw(b"{}")
PAGES = [{"web": {"uri": "https://a", "title": "A"}}, {"web": {"uri": "https://b", "title": "B", "domain": "b"}}]


def grounds(**members: Any) -> Grounds:
    return Grounds(Raw(dumps(members)))


def support(*indices: int, start: int = 0, end: int | None = None, text: str = "") -> dict[str, Any]:
    segment: dict[str, Any] = {"startIndex": start, "text": text}
    if end is not None:
        segment["endIndex"] = end
    return {"segment": segment, "groundingChunkIndices": list(indices)}


def test_a_search_and_its_pages() -> None:
    """The queries are one call, the pages are what it found; the whole is kept in the result."""
    found = grounds(webSearchQueries=["", "x", "y"], groundingChunks=PAGES).search("id-1")
    assert found is not None
    call, result = found
    assert (call.id, call.name, json.loads(call.arguments)) == ("id-1", "web_search", {"query": "x; y"})
    assert (result.call_id, result.name) == ("id-1", "web_search")
    assert result.found == (Found("https://a", "A"), Found("https://b", "B"))


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"groundingChunks": [{"retrievedContext": {"text": "t"}}], "groundingSupports": []},
        {"groundingChunks": 5},
        {"groundingChunks": [5]},
        {"webSearchQueries": None},
    ],
)
def test_no_search(members: dict[str, Any]) -> None:
    """What was found in one's own documents is no search of the web, and what cannot be read is nothing."""
    assert grounds(**members).search("id") is None


def test_a_stretch_is_cited_for_each_of_its_pages() -> None:
    """In characters, though the wire counts bytes."""
    said = Said("Füße sind schön. Ja.")
    start = len("Füße ".encode())
    seen = grounds(groundingChunks=PAGES, groundingSupports=[support(0, 1, 9, start=start, end=start + 4, text="sind")])
    citations = seen.citations(said)
    assert [(each.url, each.title) for each in citations] == [("https://a", "A"), ("https://b", "B")]
    assert all(said.text[each.start : each.end] == "sind" for each in citations)
    assert json.loads(bytes(citations[0].raw)) == PAGES[0]


def test_words_count_more_than_numbers() -> None:
    """Some servers count from another beginning."""
    seen = grounds(groundingChunks=PAGES, groundingSupports=[support(0, start=50, end=60, text="sind")])
    citation = seen.citations(Said("Füße sind schön."))[0]
    assert (citation.start, citation.end) == (5, 9)


def test_other_sources() -> None:
    """Stored documents give the words that back the text; places on a map are pages."""
    chunks = [{"retrievedContext": {"text": "quoted", "title": "T"}}, {"maps": {"uri": "https://m", "title": "M"}}, {}]
    seen = grounds(groundingChunks=chunks, groundingSupports=[support(0, 1, 2, end=2)])
    assert [(each.url, each.title, each.quote) for each in seen.citations(Said("abc"))] == [
        ("", "T", "quoted"),
        ("https://m", "M", ""),
        ("", "", ""),
    ]


def test_what_the_model_repeated() -> None:
    """Sources under either name that Google has for them, with or without a place."""
    said = Said("aé cd")
    sources = [{"startIndex": 4, "endIndex": 6, "uri": "https://s", "license": "mit"}]
    for name in ("citationSources", "citations"):
        citation = recited(Raw(dumps({name: sources})), said)[0]
        assert (citation.url, citation.start, citation.end) == ("https://s", 3, 5)
    whole = recited(Raw(dumps({"citations": [{"title": "T"}]})), said)[0]
    assert (whole.start, whole.end, whole.title) == (0, 5, "T")
    assert recited(Raw(b'{"citations":5}'), said) == []


def test_citations_of_a_text_among_others() -> None:
    """They count from its beginning, and end with it; those of other texts are left out."""
    citations = [Citation(NOTHING, start=0, end=3), Citation(NOTHING, start=2, end=8), Citation(NOTHING)]
    assert [(each.start, each.end) for each in within(citations, 4, 6)] == [(0, 2), (0, 2)]
    assert within(citations[:1], 4, 6) == []


# ---- writing ----


def test_searches_of_others_are_told_as_grounding() -> None:
    """The query, the pages, and which words rest on which; a page is told once."""
    drawn = Drawn()
    assert drawn.called(search("what is x"))
    assert drawn.answered(ServerToolResult("1", "k", NOTHING, "web_search", (Found("https://a", "A"),)))
    drawn.cited(Citation(NOTHING, "https://a", "A", start=1, end=3), "aüc", "vör ")
    drawn.cited(Citation(NOTHING, "https://b", "B", start=1, end=3), "aüc", "vör ")
    drawn.cited(Citation(NOTHING, "https://b", "B", start=1, end=3), "aüc", "vör ")
    drawn.cited(Citation(NOTHING, "", "no page"), "aüc", "vör ")
    assert drawn.members() == {
        "groundingMetadata": {
            "webSearchQueries": ["what is x"],
            "groundingChunks": [
                {"web": {"uri": "https://a", "title": "A"}},
                {"web": {"uri": "https://b", "title": "B"}},
            ],
            "groundingSupports": [
                {"segment": {"startIndex": 6, "endIndex": 9, "text": "üc"}, "groundingChunkIndices": [0, 1]},
            ],
        }
    }


def test_a_citation_without_a_place_is_of_the_whole_text() -> None:
    """What begins at the beginning has no start, as Google writes it."""
    drawn = Drawn()
    drawn.cited(Citation(NOTHING, "https://a"), "abc", "")
    segment = drawn.members()["groundingMetadata"]["groundingSupports"][0]["segment"]
    assert segment == {"endIndex": 3, "text": "abc"}


def test_pages_that_were_fetched() -> None:
    """With what became of it."""
    drawn = Drawn()
    for url, error in (("https://a", ""), ("https://b", "url_not_accessible")):
        assert drawn.called(ServerToolCall("1", "web_fetch", json.dumps({"url": url})))
        assert drawn.answered(ServerToolResult("1", "k", NOTHING, "web_fetch", error=error))
    statuses = [each["urlRetrievalStatus"] for each in drawn.members()["urlContextMetadata"]["urlMetadata"]]
    assert statuses == ["URL_RETRIEVAL_STATUS_SUCCESS", "URL_RETRIEVAL_STATUS_ERROR"]


@pytest.mark.parametrize("arguments", ["", "{}", "[1]", "{broken", '{"query":5}'])
def test_a_search_without_a_query_is_still_one(arguments: str) -> None:
    """But there is nothing to tell of it."""
    drawn = Drawn()
    assert drawn.called(ServerToolCall("1", "web_search", arguments))
    assert drawn.members() == {}


def test_other_tools_have_no_place() -> None:
    """They are losses of the caller's."""
    drawn = Drawn()
    assert not drawn.called(ServerToolCall("1", "code_execution", "{}"))
    assert not drawn.answered(ServerToolResult("1", "k", NOTHING, "code_execution"))
