"""Citations of web pages as Chat has them: annotations of a message, which count its characters from the first; from
Perplexity and others a list of pages beside the answer.

In the middle form each text has its own citations, which count from where that text begins.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.openai_chat.parts import Json
from strowger.ir.request import Citation


class _UrlCitation(Struct, frozen=True):
    url: str = ""
    title: str | None = None
    content: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class _Annotation(Struct, frozen=True):
    url_citation: _UrlCitation = _UrlCitation()


_ANNOTATION = msgspec.json.Decoder(_Annotation)


def citation(raw: Raw, before: int = 0) -> Citation:
    """An annotation, with what it says of a web page, if it is of one. `before`: characters of the message that stand
    before the text it belongs to.

    OpenRouter writes a stretch of no characters where it knows of none.
    """
    try:
        cited = _ANNOTATION.decode(raw).url_citation
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Citation(raw)
    start, end = cited.start_index, cited.end_index
    if start is None or end is None or not before <= start < end:
        start = end = None
    else:
        start, end = start - before, end - before
    return Citation(raw, cited.url, cited.title or "", cited.content or "", start, end)


def annotation(cited: Citation, before: int, length: int) -> Json | None:
    """The annotation for a citation of another dialect on a text of `length` characters; None for one that is not of a
    web page.
    """
    if not cited.url:
        return None
    start = 0 if cited.start is None else cited.start
    end = length if cited.end is None else cited.end
    page: Json = {
        "url": cited.url,
        "title": cited.title or cited.url,
        "start_index": before + start,
        "end_index": before + end,
    }
    if cited.quote:
        page["content"] = cited.quote
    return {"type": "url_citation", "url_citation": page}


class _Page(Struct, frozen=True):
    url: str = ""
    title: str | None = None
    snippet: str | None = None


_PAGES = msgspec.json.Decoder(list[_Page])
_ADDRESSES = msgspec.json.Decoder(list[str])
BESIDE = Raw(b"")
"""`Citation.raw` of a page that stands beside the answer, and comes back to this dialect from there."""


def pages(citations: Raw, results: Raw) -> tuple[Citation, ...]:
    """The pages beside an answer: `search_results`, or the bare addresses of `citations`."""
    try:
        if len(results) > 4:
            found = [page for page in _PAGES.decode(results) if page.url]
        else:
            found = [_Page(address) for address in (_ADDRESSES.decode(citations) if len(citations) > 4 else ())]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ()
    return tuple(Citation(BESIDE, page.url, page.title or "", page.snippet or "") for page in found)
