"""Citations, counted by the text they stand on or by the whole message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from strowger.dialects.openai_chat import DIALECT
from strowger.dialects.openai_chat.citing import annotation, citation
from strowger.ir.events import Event, Finish, StopReason, Usage
from strowger.ir.request import Citation, Part, Refusal, ServerToolCall, ServerToolResult, Text, Thinking
from strowger.ir.response import Response, fold, unfold
from tests.unit.dialects.openai_chat.talk import Json, answer, chunk, client, encoded, say, setup

NOTHING = Raw(b"{}")
STOP = chunk(finish="stop")


def annotated(**page: Any) -> Json:
    return {"type": "url_citation", "url_citation": page}


def raw(value: Json) -> Raw:
    return Raw(json.dumps(value).encode())


@pytest.mark.parametrize(
    "page, cited",
    [
        ({"url": "u", "title": "t", "start_index": 3, "end_index": 5}, Citation(NOTHING, "u", "t", "", 3, 5)),
        (
            {"url": "u", "title": "t", "content": "c", "start_index": 0, "end_index": 0},
            Citation(NOTHING, "u", "t", "c"),
        ),
        ({"url": "u", "start_index": 5}, Citation(NOTHING, "u")),
        ({"url": 7}, Citation(NOTHING)),
    ],
)
def test_an_annotation(page: Json, cited: Citation) -> None:
    """A page, and the stretch it backs; a stretch of nothing is none."""
    found = citation(raw(annotated(**page)))
    assert (found.url, found.title, found.quote, found.start, found.end) == (
        cited.url,
        cited.title,
        cited.quote,
        cited.start,
        cited.end,
    )


def test_a_text_in_the_middle_counts_from_its_own_beginning() -> None:
    """And its citations count from the beginning of the message again where a client gets them."""
    page = annotated(url="u", title="t", start_index=13, end_index=15)
    found = citation(raw(page), 10)
    assert (found.start, found.end) == (3, 5)
    assert annotation(found, 10, 9) == page
    assert citation(raw(page), 14).start is None


def test_a_citation_of_a_whole_text() -> None:
    """Backs all of it; the page is called by its address where it has no title."""
    assert annotation(Citation(NOTHING, "u", quote="q"), 2, 3) == annotated(
        url="u", title="u", start_index=2, end_index=5, content="q"
    )
    assert annotation(Citation(NOTHING, title="a file"), 2, 3) is None


CITED = (
    Thinking("hm"),
    Text("First. "),
    Refusal("no"),
    Text("Zwö.", citations=(Citation(NOTHING, "u1", "t1"), Citation(NOTHING, "u2", "t2", start=1, end=3))),
    Text("End", citations=(Citation(NOTHING, "u3", "t3"),)),
)
ANNOTATIONS = [
    annotated(url="u1", title="t1", start_index=7, end_index=11),
    annotated(url="u2", title="t2", start_index=8, end_index=10),
    annotated(url="u3", title="t3", start_index=11, end_index=14),
]


def foreign(*parts: Part, **members: Any) -> Response:
    return Response("anthropic", "1", "m", parts, Finish(StopReason.END), **members)


def test_citations_in_a_whole_answer() -> None:
    """Characters of the content, which is all texts in a row."""
    body, losses = DIALECT.client.render_response(foreign(*CITED), client())
    message = json.loads(body)["choices"][0]["message"]
    assert message["content"] == "First. Zwö.End"
    assert message["annotations"] == ANNOTATIONS
    assert losses == []


@pytest.mark.parametrize("first", [True, False])
def test_citations_in_a_stream(first: bool) -> None:
    """The same, also where the citations come before the text they stand on, as Anthropic sends them."""
    told = list(unfold(foreign(*CITED)))
    if first:
        told = _citations_first(told)
    chunks, losses = encoded(told, usage_wanted=False)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk]
    annotations = [each for delta in deltas for each in delta.get("annotations", [])]
    assert annotations == [{"index": i, **each} for i, each in enumerate(ANNOTATIONS)]
    assert losses == []


def _citations_first(told: list[Event]) -> list[Event]:
    swapped = list(told)
    for i, event in enumerate(told):
        if type(event).__name__ == "TextDelta":
            end = next(j for j in range(i, len(told)) if type(told[j]).__name__ == "PartStop")
            swapped[i:end] = [*told[i + 1 : end], event]
    return swapped


def test_a_text_after_another_part_is_counted_apart() -> None:
    """Upstreams count the whole content, the middle form each text."""
    page = annotated(url="u", title="t", start_index=7, end_index=11)
    told = answer(say("First. "), chunk({"reasoning": "hm"}), say("Zwö."), chunk({"annotations": [page]}), STOP)
    assert [part.citations for part in told.parts if isinstance(part, Text)][1][0].start == 0
    whole = {"choices": [{"message": {"content": "First. Zwö.", "annotations": [page]}, "finish_reason": "stop"}]}
    found = fold(DIALECT.upstream.decode_response(json.dumps(whole).encode(), setup())).parts[0]
    assert isinstance(found, Text)
    assert (found.citations[0].start, found.citations[0].end) == (7, 11)


def test_what_a_provider_ran_is_told_by_its_text_and_its_count() -> None:
    """Chat has no form for it, and usage tells how often there was a search."""
    ran = (ServerToolCall("s", "web_search", "{}"), ServerToolResult("s", "x", NOTHING, "web_search"))
    response = foreign(*ran, Text("a"), usage=Usage(input=1, output=1, searches=2))
    body, losses = DIALECT.client.render_response(response, client())
    told = json.loads(body)
    assert told["choices"][0]["message"]["content"] == "a"
    assert told["usage"]["server_tool_use"] == {"web_search_requests": 2}
    assert [(loss.path, loss.severity) for loss in losses] == [("content", "info")]
    chunks, streamed = encoded(list(unfold(response)))
    assert chunks[-2]["usage"]["server_tool_use"] == {"web_search_requests": 2}
    assert streamed == losses


PAGES: Json = {
    "citations": ["https://a.test", "https://b.test"],
    "search_results": [
        {"title": "A", "url": "https://a.test", "snippet": "so", "date": "2026-01-01"},
        {"title": "B", "url": "https://b.test", "snippet": ""},
    ],
}


@pytest.mark.parametrize("members", ["citations search_results", "citations"])
def test_pages_beside_an_answer(members: str) -> None:
    """Perplexity lists what it drew from: others get the pages as citations of the text, in streams as in bodies."""
    beside: Json = {name: PAGES[name] for name in members.split()}
    body = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "a [1]"}, "finish_reason": "stop"}],
        **beside,
    }
    whole = fold(DIALECT.upstream.decode_response(json.dumps(body).encode(), setup()))
    streamed = answer(chunk({"content": "a "}, **beside), chunk({"content": "[1]"}, "stop", **beside))
    for told in (whole, streamed):
        (text,) = told.parts
        assert isinstance(text, Text)
        assert [cited.url for cited in text.citations] == PAGES["citations"]
        assert [cited.title for cited in text.citations] == (["A", "B"] if "results" in members else ["", ""])
    assert json.loads(DIALECT.client.render_response(whole, client())[0]) == body
    chunks, _ = encoded(list(unfold(streamed)))
    assert not any("annotations" in choice["delta"] for chunk in chunks for choice in chunk.get("choices", []))


def test_annotations_say_more_than_pages() -> None:
    """Where there are both, the annotations count."""
    page = annotated(url="u", title="t", start_index=0, end_index=1)
    told = answer(say("a"), chunk({"annotations": [page]}), chunk(finish="stop", **PAGES))
    assert [cited.url for part in told.parts if isinstance(part, Text) for cited in part.citations] == ["u"]


def test_pages_of_another_shape_are_none() -> None:
    """And an answer without text has nothing that they could back."""
    told = answer(say("a"), chunk(finish="stop", search_results=[{"url": 7}], citations=[1]))
    assert [part.citations for part in told.parts if isinstance(part, Text)] == [()]
    assert answer(chunk({"reasoning": "hm"}), chunk(finish="stop", **PAGES)).finish.reason is StopReason.END
