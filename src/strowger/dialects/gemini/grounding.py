"""What an answer is drawn from, both ways: Google's `groundingMetadata` and `citationMetadata`, our citations.

Google tells at the end what was searched, which pages were found, and which stretch of the text rests on which page;
stretches are counted in bytes of UTF-8. The middle form has a call of the provider's search, its result, and citations
on the text.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.gemini.members import Json
from strowger.ir.request import Citation, Found, ServerToolCall, ServerToolResult

GROUNDING = "groundingMetadata"
"""`kind` of the call and the result that stand for it; it is no part of the content on the wire."""
FETCHED = "urlContextMetadata"

ABSENT = Raw(b"")
"""Default of raw members."""


class _Place(Struct, rename="camel"):
    """A page, a place on a map, a stored document."""

    uri: str = ""
    title: str = ""
    text: str = ""


class _Chunk(Struct, rename="camel"):
    web: _Place | None = None
    maps: _Place | None = None
    retrieved_context: _Place | None = None


class _Segment(Struct, rename="camel"):
    start_index: int = 0
    end_index: int | None = None
    text: str = ""


class _Support(Struct, rename="camel"):
    segment: _Segment | None = None
    grounding_chunk_indices: list[int] | None = None


class _Grounding(Struct, rename="camel"):
    web_search_queries: list[str] | None = None
    grounding_chunks: list[Raw] | None = None
    grounding_supports: list[_Support] | None = None


class _Source(Struct, rename="camel"):
    start_index: int | None = None
    end_index: int | None = None
    uri: str = ""
    title: str = ""


class _Recited(Struct, rename="camel"):
    citation_sources: list[Raw] | None = None
    citations: list[Raw] | None = None


_GROUNDING = msgspec.json.Decoder(_Grounding)
_CHUNK = msgspec.json.Decoder(_Chunk)
_RECITED = msgspec.json.Decoder(_Recited)
_SOURCE = msgspec.json.Decoder(_Source)


# ---- reading ----


class Grounds:
    """A `groundingMetadata` as it was read; one that cannot be read says nothing."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        try:
            seen = _GROUNDING.decode(raw)
            self._chunks = [_CHUNK.decode(chunk) for chunk in seen.grounding_chunks or ()]
        except (msgspec.MsgspecError, UnicodeDecodeError):
            seen, self._chunks = _Grounding(), []
        self._raws = seen.grounding_chunks or []
        self._supports = seen.grounding_supports or []
        self.queries = [query for query in seen.web_search_queries or () if query]

    def search(self, call_id: str) -> tuple[ServerToolCall, ServerToolResult] | None:
        """The search and what it found; None when the web was not searched."""
        pages = [Found(chunk.web.uri, chunk.web.title) for chunk in self._chunks if chunk.web is not None]
        if not pages and not self.queries:
            return None
        query = msgspec.json.encode({"query": "; ".join(self.queries)}).decode()
        call = ServerToolCall(call_id, "web_search", query, GROUNDING)
        return call, ServerToolResult(call_id, GROUNDING, self.raw, "web_search", tuple(pages))

    def citations(self, said: Said) -> list[Citation]:
        """A citation for each stretch and each of its sources, `start` and `end` in characters of the whole text."""
        found = []
        for support in self._supports:
            segment = support.segment or _Segment()
            start, end = said.stretch(segment.start_index, segment.end_index, segment.text)
            for index in support.grounding_chunk_indices or ():
                if not 0 <= index < len(self._chunks):
                    continue
                chunk = self._chunks[index]
                place = chunk.web or chunk.maps or chunk.retrieved_context or _Place()
                found.append(Citation(self._raws[index], place.uri, place.title, place.text, start, end))
        return found


def recited(raw: Raw, said: Said) -> list[Citation]:
    """The sources of a `citationMetadata`: what the model has repeated from elsewhere."""
    try:
        seen = _RECITED.decode(raw)
        raws = [*(seen.citation_sources or ()), *(seen.citations or ())]
        sources = [_SOURCE.decode(source) for source in raws]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return []
    found = []
    for each, source in zip(raws, sources, strict=True):
        start, end = said.stretch(source.start_index or 0, source.end_index, "")
        found.append(Citation(each, source.uri, source.title, "", start, end))
    return found


class Said:
    """The text of an answer, in which stretches are found."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._bytes = text.encode("utf-8", "surrogatepass")

    def stretch(self, start: int, end: int | None, words: str) -> tuple[int, int]:
        """Characters from bytes. The words themselves count more than the numbers: not every server counts alike."""
        first = self._characters(start)
        last = len(self.text) if end is None else self._characters(end)
        if words and self.text[first:last] != words:
            found = self.text.find(words)
            if found >= 0:
                return found, found + len(words)
        return first, max(first, last)

    def _characters(self, count: int) -> int:
        if len(self._bytes) == len(self.text):
            return max(0, min(count, len(self.text)))
        return len(self._bytes[: max(0, count)].decode("utf-8", "ignore"))


def within(citations: Iterable[Citation], begin: int, end: int) -> list[Citation]:
    """The citations that touch the text from `begin` to `end`, with their places counted from its beginning."""
    kept = []
    for citation in citations:
        start = begin if citation.start is None else citation.start
        stop = end if citation.end is None else citation.end
        if (start < end and stop > begin) or start == stop == begin:
            place = (max(0, start - begin), min(end, stop) - begin)
            kept.append(msgspec.structs.replace(citation, start=place[0], end=place[1]))
    return kept


# ---- writing ----


class Drawn:
    """Collects what an answer of another dialect is drawn from, for the end of ours."""

    def __init__(self) -> None:
        self._queries: list[str] = []
        self._pages: dict[str, int] = {}
        self._chunks: list[Json] = []
        self._supports: list[Json] = []
        self._fetched: list[Json] = []

    def called(self, call: ServerToolCall) -> bool:
        """Whether a call of the provider's own is one that can be told here, with its arguments whole."""
        try:
            arguments = msgspec.json.decode(call.arguments or "{}")
        except msgspec.MsgspecError:
            arguments = {}
        members = arguments if isinstance(arguments, dict) else {}
        if call.name == "web_search":
            query = members.get("query")
            if isinstance(query, str) and query:
                self._queries.append(query)
            return True
        if call.name == "web_fetch":
            url = members.get("url")
            if isinstance(url, str) and url:
                self._fetched.append({"retrievedUrl": url, "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"})
            return True
        return False

    def answered(self, result: ServerToolResult) -> bool:
        """Whether a result of such a call can be told here."""
        for page in result.found:
            self._page(page.url, page.title)
        if result.name == "web_fetch" and result.error and self._fetched:
            self._fetched[-1]["urlRetrievalStatus"] = "URL_RETRIEVAL_STATUS_ERROR"
        return result.name in {"web_search", "web_fetch"}

    def cited(self, citation: Citation, text: str, before: str) -> None:
        """A citation of a `text` that stands behind the text `before`; only a page of the web can be told."""
        if not citation.url:
            return
        start = 0 if citation.start is None else max(0, citation.start)
        end = len(text) if citation.end is None else max(start, citation.end)
        offset = len(before.encode("utf-8", "surrogatepass"))
        first = offset + len(text[:start].encode("utf-8", "surrogatepass"))
        words = text[start:end]
        segment: Json = {"startIndex": first, "endIndex": first + len(words.encode("utf-8", "surrogatepass"))}
        if not first:
            del segment["startIndex"]
        segment["text"] = words
        index = self._page(citation.url, citation.title)
        if self._supports and self._supports[-1]["segment"] == segment:
            if index not in self._supports[-1]["groundingChunkIndices"]:
                self._supports[-1]["groundingChunkIndices"].append(index)
            return
        self._supports.append({"segment": segment, "groundingChunkIndices": [index]})

    def members(self) -> Json:
        """What of it the candidate has to say."""
        node: Json = {}
        grounding: Json = {}
        if self._queries:
            grounding["webSearchQueries"] = self._queries
        if self._chunks:
            grounding["groundingChunks"] = self._chunks
        if self._supports:
            grounding["groundingSupports"] = self._supports
        if grounding:
            node[GROUNDING] = grounding
        if self._fetched:
            node[FETCHED] = {"urlMetadata": self._fetched}
        return node

    def _page(self, url: str, title: str) -> int:
        index = self._pages.get(url)
        if index is None:
            index = self._pages[url] = len(self._chunks)
            self._chunks.append({"web": {"uri": url, "title": title}})
        return index
