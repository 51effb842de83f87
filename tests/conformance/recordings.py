"""Which recordings say something about a dialect, decided by their shape. None is left out for what it is called.

A reason to leave one out is computed from its content and counted in the report.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from typing import Any, Literal

from msgspec import Struct

from tests.shared import Recording, corpus

FOLDERS = {"anthropic": "anthropic_messages", "openai_chat": "openai_chat"}
OTHER = {"anthropic": "openai_chat", "openai_chat": "anthropic"}
PATHS = {"anthropic": "/v1/messages", "openai_chat": "/v1/chat/completions"}

Shape = Literal["stream", "body", "error"]


class Asked(Struct, frozen=True):
    """A recorded request that can be given to the gateway."""

    name: str
    body: bytes
    headers: dict[str, str]
    provider: str
    path: str
    answered: bool


class Answered(Struct, frozen=True):
    """A recorded answer. `request` is the recorded one, or a plain one where none was recorded or it is unfit.

    `unfit` says why the answer cannot be read in its dialect; it can still be passed on.
    """

    name: str
    shape: Shape
    status: int
    body: bytes
    headers: dict[str, str]
    request: bytes
    provider: str
    unfit: str | None


class Found(Struct, frozen=True):
    """What of a dialect's recordings can be used, and how many cannot, by reason."""

    cases: tuple[Any, ...]
    excluded: Counter[str]


@functools.cache
def requests(dialect: str) -> Found:
    """Every recorded request of a dialect as an `Asked`."""
    cases, excluded = [], Counter[str]()
    for recording in corpus(FOLDERS[dialect]):
        if (why := _unfit_request(recording)) is not None:
            excluded[why] += 1
            continue
        request = recording.request
        assert request is not None
        headers = {name.lower(): value for name, value in request.headers.items()}
        answered = recording.status == 200 and "error" not in recording.features
        provider, path = recording.provider, request.path.partition("?")[0]
        cases.append(Asked(recording.name, request.content, headers, provider, path, answered))
    return Found(tuple(cases), excluded)


@functools.cache
def all_answers(dialect: str) -> tuple[Answered, ...]:
    """Every recorded answer of a dialect."""
    found = []
    for recording in corpus(FOLDERS[dialect]):
        response = recording.response
        body = response.content
        shape = _shape(recording, body)
        headers = {name.lower(): value for name, value in response.headers.items()}
        request = _request_of(recording, shape)
        unfit = _unfit_answer(dialect, shape, body)
        name, status, provider = recording.name, recording.status, recording.provider
        found.append(Answered(name, shape, status, body, headers, request, provider, unfit))
    return tuple(found)


def answers(dialect: str, shape: Shape) -> Found:
    """The recorded answers of a dialect in one shape that can be read in it."""
    shaped = [answer for answer in all_answers(dialect) if answer.shape == shape]
    fit = tuple(answer for answer in shaped if answer.unfit is None)
    return Found(fit, Counter(answer.unfit for answer in shaped if answer.unfit is not None))


def _shape(recording: Recording, body: bytes) -> Shape:
    if recording.status >= 300:
        return "error"
    return "body" if body.lstrip()[:1] in {b"{", b"["} else "stream"


def _unfit_request(recording: Recording) -> str | None:
    request = recording.request
    if request is None:
        return "no request was recorded"
    if not isinstance(request.body, dict):
        return "the request has no JSON body"
    if "messages" not in request.body:
        return "the request has no messages"
    if not isinstance(request.body.get("model"), str):
        return "the request names its model in the URL (Bedrock, Vertex, Azure)"
    if request.path.partition("?")[0].endswith("/count_tokens"):
        return "the request counts tokens"
    try:
        request.content.decode()
    except UnicodeDecodeError:
        return "the request is not Unicode (a lone surrogate)"
    return None


def _unfit_answer(dialect: str, shape: Shape, body: bytes) -> str | None:
    if shape != "body":
        return None
    value = json.loads(body)
    members = {"content", "error"} if dialect == "anthropic" else {"choices", "error"}
    if not isinstance(value, dict) or not members & value.keys():
        return "the body is no answer of this dialect (a token count, a stored completion, a vendor's own error)"
    return None


def _request_of(recording: Recording, shape: Shape) -> bytes:
    """The recorded request, with the stream flag that fits the answer, or a plain one."""
    body: dict[str, Any] = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
    if _unfit_request(recording) is None:
        assert recording.request is not None
        body = dict(recording.request.body)
    if shape != "error":
        body["stream"] = shape == "stream"
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
