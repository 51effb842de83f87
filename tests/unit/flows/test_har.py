"""Calls as a HAR file."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any, Literal

import msgspec
import pytest

from strowger.flows.har import pieces
from strowger.flows.tape import Message

JSON = ("Content-Type", "application/json")
FLOW: dict[str, Any] = {
    "id": "flow_1",
    "started": 1_800_000_000.5,
    "method": "POST",
    "path": "/v1/messages",
    "model": "opus",
    "provider": "codex",
    "upstream_model": "gpt-5.5",
    "outcome": "ok",
    "tokens": {"input": 3},
    "sent_ms": 4.0,
    "first_byte_ms": 150.0,
    "duration_ms": 400.0,
}
EVENTS = ("content-type", "text/event-stream")
MESSAGES = [
    Message("client_request", 0, "POST /v1/messages?beta=true", (("Host", "127.0.0.1:4000"), JSON), [b'{"a":1}'], []),
    Message("forwarded", 0, "POST https://one.example/v1/x", (JSON,), [b"{}"], [0.01], 2),
    Message("upstream_response", 0, "529", (), [b"busy"], [0.05], 4),
    Message("forwarded", 1, "POST https://two.example/v1/x?q=%20", (JSON,), [b"\xff\xfe"], [0.1], 2),
    Message("upstream_response", 1, "200", (EVENTS,), [b"data: 1\n\n", b"\xff"], [0.15, 0.4], 10),
    Message("client_response", 0, "200", (), [], [], 5_000, True),
]


# What HAR 1.2 asks for, as its specification lists it; members of one's own begin with an underscore.


class Pair(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    name: str
    value: str


class Timings(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    send: float
    wait: float
    receive: float
    blocked: float = -1
    dns: float = -1
    connect: float = -1
    ssl: float = -1


class PostData(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    mime_type: str
    text: str
    encoding: str = msgspec.field(name="_encoding", default="")


class Request(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    method: str
    url: str
    http_version: str
    cookies: list[Pair]
    headers: list[Pair]
    query_string: list[Pair]
    headers_size: int
    body_size: int
    post_data: PostData | None = None


class Content(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    size: int
    mime_type: str
    text: str = ""
    encoding: Literal["base64", ""] = ""


class Response(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    status: int
    status_text: str
    http_version: str
    cookies: list[Pair]
    headers: list[Pair]
    content: Content
    headers_size: int
    body_size: int
    redirect: str = msgspec.field(name="redirectURL")


class Entry(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    pageref: str
    started_date_time: datetime
    time: float
    request: Request
    response: Response
    cache: dict[str, None]
    timings: Timings
    comment: str
    kind: str = msgspec.field(name="_resourceType")
    own: dict[str, Any] = msgspec.field(name="_strowger")


class PageTimings(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    on_content_load: float
    on_load: float


class Page(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    started_date_time: datetime
    id: str
    title: str
    page_timings: PageTimings
    comment: str
    own: dict[str, Any] = msgspec.field(name="_strowger")


class Log(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    version: Literal["1.2"]
    creator: dict[str, str]
    pages: list[Page]
    entries: list[Entry]


class Har(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    log: Log


def test_it_is_har() -> None:
    """Every member is one that HAR 1.2 has, of the type that it has there, and none that must be is missing."""
    flows = [FLOW, {**FLOW, "id": "flow_2", "outcome": "running", "duration_ms": None}]
    log = msgspec.json.decode(b"".join(pieces(flows, lambda _: MESSAGES)), type=Har).log
    assert len(log.entries) == 6
    for entry in log.entries:
        timings = entry.timings
        assert entry.time == pytest.approx(timings.send + timings.wait + timings.receive)
        assert min(entry.time, timings.wait, timings.receive) >= 0
        assert entry.started_date_time.tzinfo is not None


def har(*flows: dict[str, Any], messages: list[Message]) -> Any:
    return json.loads(b"".join(pieces(flows, lambda _: messages)))["log"]


def test_entries_are_in_pairs_and_further_attempts_behind_them() -> None:
    """Entry 2i is what was forwarded and answered, 2i+1 the client's side; each belongs to its page."""
    log = har(FLOW, {**FLOW, "id": "flow_2"}, messages=MESSAGES)
    assert [page["id"] for page in log["pages"]] == ["flow_1", "flow_2"]
    assert [
        (entry["pageref"], entry["_strowger"]["side"], entry["_strowger"]["number"]) for entry in log["entries"]
    ] == [
        ("flow_1", "forwarded", 1),
        ("flow_1", "client", 0),
        ("flow_2", "forwarded", 1),
        ("flow_2", "client", 0),
        ("flow_1", "forwarded", 0),
        ("flow_2", "forwarded", 0),
    ]
    assert [entry["response"]["status"] for entry in log["entries"]] == [200, 200, 200, 200, 529, 529]
    assert log["pages"][0]["_strowger"]["tokens"] == {"input": 3}


def test_an_entry_has_what_har_asks_for() -> None:
    """Whole addresses, times that add up, sizes of what passed by and not only of what is kept, base64 for no text."""
    forwarded, client = har(FLOW, messages=MESSAGES)["entries"][:2]
    assert client["request"]["url"] == "http://127.0.0.1:4000/v1/messages?beta=true"
    assert client["request"]["queryString"] == [{"name": "beta", "value": "true"}]
    assert client["request"]["postData"] == {"mimeType": "application/json", "text": '{"a":1}'}
    assert client["timings"] | {} == {
        "blocked": -1, "dns": -1, "connect": -1, "ssl": -1, "send": 0, "wait": 150.0, "receive": 250.0
    }  # fmt: skip
    assert client["time"] == 400.0
    assert client["response"]["content"] == {"size": 5_000, "mimeType": "x-unknown"}
    assert client["_strowger"]["response_cut"]
    assert forwarded["request"]["url"] == "https://two.example/v1/x?q=%20"
    assert forwarded["request"]["queryString"] == [{"name": "q", "value": " "}]
    assert base64.b64decode(forwarded["request"]["postData"]["text"]) == b"\xff\xfe"
    assert forwarded["response"]["content"]["encoding"] == "base64"
    assert base64.b64decode(forwarded["response"]["content"]["text"]) == b"data: 1\n\n\xff"
    assert forwarded["response"]["statusText"] == "OK"
    assert (forwarded["timings"]["wait"], forwarded["timings"]["receive"], forwarded["time"]) == (50.0, 250.0, 300.0)
    assert forwarded["_strowger"]["piece_moments_ms"] == [150.0, 400.0]
    began = datetime.fromisoformat(forwarded["startedDateTime"])
    assert began.timestamp() == FLOW["started"] + 0.1
    assert began.tzinfo is not None


def test_a_call_that_went_nowhere_keeps_its_two_places() -> None:
    """So that the numbers of all others stay what they are; a call that runs has no end yet."""
    flow = {**FLOW, "outcome": "failed", "error": "no route", "duration_ms": 1.0, "first_byte_ms": None}
    forwarded, client = har(flow, messages=MESSAGES[:1])["entries"]
    assert forwarded["comment"] == "nothing was forwarded: no route"
    assert (forwarded["response"]["status"], forwarded["time"]) == (0, 0.0)
    assert forwarded["request"]["url"] == "http://localhost/v1/messages"
    assert client["request"]["postData"]["text"] == '{"a":1}'
    log = har(messages=[])
    assert (log["version"], log["pages"], log["entries"]) == ("1.2", [], [])
