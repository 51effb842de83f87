"""Which recordings say something about a dialect, decided by their shape. None is left out for what it is called.

A reason to leave one out is computed from its content and counted in the report.
"""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from typing import Any, Literal

from msgspec import Struct

from strowger.dialects.base import NOWHERE, Spot
from strowger.gateway.app import DIALECTS
from tests.shared import Recording, corpus

FOLDERS = {
    "anthropic": "anthropic_messages",
    "openai_chat": "openai_chat",
    "openai_responses": "openai_responses",
    "gemini": "gemini_generate",
}
SPOKEN = tuple(name for name in FOLDERS if name in DIALECTS)
"""The dialects that there are recordings of, in the order of the report."""
PAIRS = tuple((upstream, client) for upstream in SPOKEN for client in SPOKEN if upstream != client)

Shape = Literal["stream", "body", "error"]

_PATHS = {
    "anthropic": "/v1/messages",
    "openai_chat": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
}
_OTHER_QUESTIONS = {
    "/count_tokens": "counts tokens",
    "/input_tokens": "counts tokens",
    ":countTokens": "counts tokens",
    "/compact": "asks for a compaction",
}
_SAYS = {"anthropic": "messages", "openai_chat": "messages", "openai_responses": "input", "gemini": "contents"}
_ANSWERS = {
    "anthropic": {"content", "error"},
    "openai_chat": {"choices", "error"},
    "openai_responses": {"output", "error"},
    "gemini": {"candidates", "promptFeedback", "error"},
}
_PLAIN: dict[str, dict[str, Any]] = {
    "anthropic": {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]},
    "openai_chat": {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]},
    "openai_responses": {"model": "m", "input": "Hi"},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
}
_IN_URL = re.compile(r"/models/([^/:?]+):(\w+)")


class Asked(Struct, frozen=True, eq=False):
    """A recorded request that can be given to the gateway. `spot` is what its URL says."""

    name: str
    body: bytes
    headers: dict[str, str]
    provider: str
    answered: bool
    spot: Spot = NOWHERE


class Answered(Struct, frozen=True, eq=False):
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
    spot: Spot = NOWHERE


class Found(Struct, frozen=True):
    """What of a dialect's recordings can be used, and how many cannot, by reason."""

    cases: tuple[Any, ...]
    excluded: Counter[str]


def path_of(dialect: str, spot: Spot) -> str:
    """The URL, without its host, at which a client asks."""
    if dialect != "gemini":
        return _PATHS[dialect]
    verb = "streamGenerateContent" if spot.stream else "generateContent"
    return f"/v1beta/models/{spot.model}:{verb}{'?alt=sse' if spot.stream and spot.form != 'array' else ''}"


@functools.cache
def requests(dialect: str) -> Found:
    """Every recorded request of a dialect as an `Asked`."""
    cases, excluded = [], Counter[str]()
    for recording in corpus(FOLDERS[dialect]):
        if (why := _unfit_request(dialect, recording)) is not None:
            excluded[why] += 1
            continue
        request = recording.request
        assert request is not None
        headers = {name.lower(): value for name, value in request.headers.items()}
        answered = recording.status == 200 and "error" not in recording.features
        spot = _spot(dialect, request.path)
        cases.append(Asked(recording.name, request.content, headers, recording.provider, answered, spot))
    return Found(tuple(cases), excluded)


@functools.cache
def all_answers(dialect: str) -> tuple[Answered, ...]:
    """Every recorded answer of a dialect."""
    found = []
    for recording in corpus(FOLDERS[dialect]):
        response = recording.response
        body = response.content
        shape = _shape(dialect, recording, body)
        headers = {name.lower(): value for name, value in response.headers.items()}
        request, spot = _request_of(dialect, recording, shape, array=body.lstrip()[:1] == b"[")
        unfit = _unfit_answer(dialect, shape, body)
        name, status, provider = recording.name, recording.status, recording.provider
        found.append(Answered(name, shape, status, body, headers, request, provider, unfit, spot))
    return tuple(found)


@functools.cache
def answers(dialect: str, shape: Shape) -> Found:
    """The recorded answers of a dialect in one shape that can be read in it."""
    shaped = [answer for answer in all_answers(dialect) if answer.shape == shape]
    fit = tuple(answer for answer in shaped if answer.unfit is None)
    return Found(fit, Counter(answer.unfit for answer in shaped if answer.unfit is not None))


def _shape(dialect: str, recording: Recording, body: bytes) -> Shape:
    if recording.status >= 300:
        return "error"
    # Gemini streams as a JSON array unless it is asked for SSE
    whole = {b"{"} if dialect == "gemini" else {b"{", b"["}
    return "body" if body.lstrip()[:1] in whole else "stream"


def _unfit_request(dialect: str, recording: Recording) -> str | None:
    request = recording.request
    if request is None:
        return "no request was recorded"
    if not isinstance(request.body, dict):
        return "the request has no JSON body"
    path = request.path.partition("?")[0]
    for ending, what in _OTHER_QUESTIONS.items():
        if path.endswith(ending):
            return f"the request {what}"
    if _SAYS[dialect] not in request.body:
        return f"the request has no {_SAYS[dialect]}"
    if dialect == "gemini":
        if not _IN_URL.search(path):
            return "the request does not name its model"
    elif not isinstance(request.body.get("model"), str):
        return "the request names its model in the URL (Bedrock, Vertex, Azure)"
    try:
        request.content.decode()
    except UnicodeDecodeError:
        return "the request is not Unicode (a lone surrogate)"
    return None


def _spot(dialect: str, path: str) -> Spot:
    named = _IN_URL.search(path) if dialect == "gemini" else None
    if named is None:
        return NOWHERE
    streams = named[2].startswith("stream")
    return Spot(named[1], streams, "array" if streams and "alt=sse" not in path else "")


def _unfit_answer(dialect: str, shape: Shape, body: bytes) -> str | None:
    if shape != "body":
        return None
    value = json.loads(body)
    if not isinstance(value, dict) or not _ANSWERS[dialect] & value.keys() or value.get("object") in _STORED:
        return "the body is no answer of this dialect (a token count, a stored completion, a vendor's own error)"
    return None


_STORED = {"response.compaction"}


def _request_of(dialect: str, recording: Recording, shape: Shape, *, array: bool) -> tuple[bytes, Spot]:
    """The recorded request, asking for a stream if the answer is one, or a plain one."""
    body = dict(_PLAIN[dialect])
    fit = _unfit_request(dialect, recording) is None
    if fit:
        assert recording.request is not None
        body = dict(recording.request.body)
    spot = NOWHERE
    if dialect == "gemini":
        model = _spot(dialect, recording.request.path).model if fit and recording.request is not None else "m"
        streams = recording.stream if shape == "error" else shape == "stream"
        spot = Spot(model, streams, "array" if streams and array else "")
    elif shape != "error":
        body["stream"] = shape == "stream"
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), spot
