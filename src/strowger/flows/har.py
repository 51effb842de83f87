"""Calls as a HAR 1.2 file, which browsers and many other tools open.

A page for each call. Entry 2i is the forwarded request of call i with the provider's answer, entry 2i+1 the client's
request with ours; requests to providers that came to nothing follow after all of these. What HAR has no place for is in
`_strowger`. Pure: summaries and messages in, bytes out, a call at a time.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from strowger import __version__
from strowger.flows.tape import Headers, Message

Flow = Mapping[str, Any]
Messages = Callable[[str], list[Message]]

_UNKNOWN = -1
_encode = msgspec.json.Encoder().encode


def pieces(flows: Sequence[Flow], messages: Messages) -> Iterator[bytes]:
    """The file in pieces; `messages` is asked for those of a call when its turn has come."""
    head = {"version": "1.2", "creator": {"name": "strowger", "version": __version__}, "pages": list(map(_page, flows))}
    yield b'{"log":' + _encode(head)[:-1] + b',"entries":['
    again = []
    first = True
    for flow in flows:
        found = messages(str(flow["id"]))
        forwarded = [message for message in found if message.kind == "forwarded"]
        if len(forwarded) > 1:
            again.append(flow)
        pair = _upstream(flow, found, forwarded[-1] if forwarded else None), _client(flow, found)
        yield (b"\n" if first else b",\n") + b",\n".join(map(_encode, pair))
        first = False
    for flow in again:
        found = messages(str(flow["id"]))
        for message in [message for message in found if message.kind == "forwarded"][:-1]:
            yield b",\n" + _encode(_upstream(flow, found, message))
    yield b"\n]}}\n"


def _page(flow: Flow) -> dict[str, object]:
    asked = flow.get("model") or flow.get("path")
    times = {"onContentLoad": flow.get("first_byte_ms"), "onLoad": flow.get("duration_ms")}
    return {
        "startedDateTime": _moment(flow, 0.0),
        "id": flow["id"],
        "title": f"{asked} → {flow.get('provider') or '-'}:{flow.get('upstream_model') or '-'}",
        "pageTimings": {name: _or_unknown(value) for name, value in times.items()},
        "comment": str(flow.get("error") or flow.get("outcome") or ""),
        "_strowger": dict(flow),
    }


def _client(flow: Flow, messages: Sequence[Message]) -> dict[str, object]:
    request = _only(messages, "client_request", 0)
    answer = _only(messages, "client_response", None)
    total = float(flow.get("duration_ms") or 0.0)
    wait = min(float(flow.get("first_byte_ms") or total), total)
    comment = "the client's request"
    return _entry(flow, request, answer, begin=0.0, wait=wait, receive=total - wait, comment=comment, side="client")


def _upstream(flow: Flow, messages: Sequence[Message], request: Message | None) -> dict[str, object]:
    """The entry of one request to a provider; of a call that was never forwarded, an empty one in its place."""
    if request is None:
        comment = f"nothing was forwarded: {flow.get('error') or flow.get('outcome')}"
        return _entry(flow, None, None, begin=0.0, wait=0.0, receive=0.0, comment=comment, side="forwarded")
    answer = _only(messages, "upstream_response", request.number)
    begin = request.moments[0] if request.moments else float(flow.get("sent_ms") or 0.0) / 1000
    moments = answer.moments if answer is not None and answer.moments else [begin]
    return _entry(
        flow,
        request,
        answer,
        begin=begin,
        wait=max(0.0, moments[0] - begin) * 1000,
        receive=max(0.0, moments[-1] - moments[0]) * 1000,
        comment=f"forwarded to {flow.get('provider') or 'a provider'}, request {request.number}",
        side="forwarded",
    )


def _only(messages: Sequence[Message], kind: str, number: int | None) -> Message | None:
    """The last message of a kind."""
    found = [one for one in messages if one.kind == kind and number in (None, one.number)]
    return found[-1] if found else None


def _entry(
    flow: Flow,
    request: Message | None,
    answer: Message | None,
    *,
    begin: float,
    wait: float,
    receive: float,
    comment: str,
    side: str,
) -> dict[str, object]:
    timings = {
        "blocked": -1,
        "dns": -1,
        "connect": -1,
        "ssl": -1,
        "send": 0,
        "wait": _round(wait),
        "receive": _round(receive),
    }
    moments = [] if answer is None else answer.moments
    own = {
        "flow": flow["id"],
        "side": side,
        "number": request.number if request is not None else None,
        "request_cut": request is not None and request.cut,
        "response_cut": answer is not None and answer.cut,
        "piece_moments_ms": [_round(moment * 1000) for moment in moments],
        "piece_bytes": [len(piece) for piece in answer.pieces] if answer is not None else [],
    }
    if side == "client":
        own |= {
            key: flow.get(key) for key in ("outcome", "error", "tokens", "billing", "billed_usd", "losses", "attempts")
        }
    return {
        "pageref": flow["id"],
        "startedDateTime": _moment(flow, begin),
        "time": _round(wait + receive),
        "request": _request(flow, request),
        "response": _response(answer),
        "cache": {},
        "timings": timings,
        "comment": comment,
        "_resourceType": "fetch",
        "_strowger": own,
    }  # fmt: skip


def _request(flow: Flow, message: Message | None) -> dict[str, object]:
    method, _, url = ("" if message is None else message.line).partition(" ")
    headers = () if message is None else message.headers
    method, url = method or str(flow.get("method") or "POST"), url or str(flow.get("path") or "/")
    if "://" not in url:
        url = f"http://{_value(headers, 'host') or 'localhost'}{url}"
    told: dict[str, object] = {
        "method": method,
        "url": url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _named(headers),
        "queryString": [{"name": name, "value": value} for name, value in parse_qsl(urlsplit(url).query, True)],
        "headersSize": _UNKNOWN,
        "bodySize": 0 if message is None else message.size,
    }
    if message is not None and message.pieces:
        text, encoding = _text(message.body)
        told["postData"] = {
            "mimeType": _value(headers, "content-type") or "application/octet-stream",
            "text": text,
            **({"_encoding": encoding} if encoding else {}),  # HAR has it for answers only
        }
    return told


def _response(message: Message | None) -> dict[str, object]:
    line = "" if message is None else message.line.partition(" ")[0]
    status = int(line) if line.isdigit() else 0
    headers = () if message is None else message.headers
    content: dict[str, object] = {
        "size": 0 if message is None else message.size,
        "mimeType": _value(headers, "content-type") or "x-unknown",
    }
    if message is not None and message.pieces:
        text, encoding = _text(message.body)
        content["text"] = text
        if encoding:
            content["encoding"] = encoding
    return {
        "status": status,
        "statusText": HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _named(headers),
        "content": content,
        "redirectURL": _value(headers, "location") or "",
        "headersSize": _UNKNOWN,
        "bodySize": 0 if message is None else message.size,
    }


def _text(body: bytes) -> tuple[str, str]:
    """A body as JSON can hold it, and how it is encoded."""
    try:
        return body.decode(), ""
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), "base64"


def _named(headers: Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]


def _value(headers: Headers, wanted: str) -> str | None:
    return next((value for name, value in headers if name.lower() == wanted), None)


def _moment(flow: Flow, seconds: float) -> str:
    return datetime.fromtimestamp(float(flow.get("started") or 0) + seconds, UTC).isoformat(timespec="milliseconds")


def _or_unknown(milliseconds: object) -> float:
    return _round(milliseconds) if isinstance(milliseconds, int | float) else _UNKNOWN


def _round(milliseconds: float) -> float:
    return round(milliseconds, 3)
