"""Material that is not part of the repository: recordings of real providers and captures of real clients.

It is looked for in $STROWGER_SHARED, else in `shared` beside the checkout. Where it is absent, tests that need it are
skipped and say so; where the variable names a folder without it, that is an error, so that CI cannot skip unnoticed.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

SHARED = Path(os.environ.get("STROWGER_SHARED") or Path(__file__).resolve().parents[2] / "shared")
CORPUS = SHARED / "corpus"
CAPTURES = SHARED / "captures"


class RecordedRequest(msgspec.Struct, frozen=True):
    """What was sent. `body` is decoded JSON with its key order kept."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any

    @property
    def content(self) -> bytes:
        """The body as compact JSON bytes."""
        return _compact(self.body)


class RecordedResponse(msgspec.Struct, frozen=True):
    """What came back: `body` of an answer in one piece; `sse` or `events` of a stream, by its `framing`."""

    status: int
    headers: dict[str, str]
    framing: str | None = None
    sse: str | None = None
    events: list[Any] | None = None
    body: Any = None
    body_text: str | None = None

    @property
    def content(self) -> bytes:
        """The bytes of the body: text as recorded, JSON compact, kept events framed anew (as SSE, `[DONE]` apart)."""
        if self.sse is not None:
            return self.sse.encode()
        if self.events is not None:
            return b"".join(_frame(event) for event in self.events)
        return _compact(self.body) if self.body_text is None else self.body_text.encode()


class _Record(msgspec.Struct, frozen=True):
    response: RecordedResponse
    request: RecordedRequest | None = None


class Recording(msgspec.Struct, frozen=True):
    """One request and its answer, as the index tells of it; the two themselves are read from disk when asked for.

    `features` say what it shows, `oddities` what is unusual about it, `provenance` how near to the wire it is.
    """

    id: str
    file: str
    dialect: str
    provider: str
    model: str | None
    stream: bool
    status: int
    framing: str | None
    provenance: str
    conversation: str | None
    turn: int | None
    features: frozenset[str]
    oddities: frozenset[str]

    @property
    def request(self) -> RecordedRequest | None:
        """The request, where it was recorded."""
        return _read(self.file).request

    @property
    def response(self) -> RecordedResponse:
        """The answer."""
        return _read(self.file).response

    @property
    def name(self) -> str:
        """Dialect, provider and id: what a failing test should be called."""
        return f"{self.dialect}/{self.provider}__{self.id}"


def corpus(dialect: str) -> list[Recording]:
    """Every recording of a dialect (`anthropic_messages`, `openai_chat`, …), in index order; none where absent."""
    return [recording for recording in _index() if recording.dialect == dialect]


def recording(name: str) -> Recording:
    """The recording whose id, or file name without `.json`, is `name`; skips the test where the corpus is absent."""
    if (why := absent()) is not None:
        pytest.skip(why)
    found = [r for r in _index() if name == r.id or r.file.endswith((f"/{name}.json", f"__{name}.json"))]
    assert len(found) == 1, f"{len(found)} recordings are called {name}"
    return found[0]


def cases(dialect: str, where: Callable[[Recording], bool] = lambda _: True) -> list[Any]:
    """Parameters for pytest.mark.parametrize: a recording each, or one that is skipped and says why there is none."""
    if (why := absent()) is not None:
        return [pytest.param(None, id="no-corpus", marks=pytest.mark.skip(reason=why))]
    return [pytest.param(recording, id=recording.name) for recording in corpus(dialect) if where(recording)]


def absent() -> str | None:
    """Why there is no shared material here, or None when there is."""
    if (CORPUS / "index.jsonl").is_file():
        return None
    if "STROWGER_SHARED" in os.environ:
        raise FileNotFoundError(f"STROWGER_SHARED names {SHARED}, which has no corpus/index.jsonl")
    return "no recordings here: set STROWGER_SHARED to the folder that has `corpus` and `captures`"


needs_shared = pytest.mark.skipif(absent() is not None, reason=absent() or "")
"""Mark for a test that reads shared material by itself."""


@functools.cache
def _index() -> tuple[Recording, ...]:
    if absent() is not None:
        return ()
    decoder = msgspec.json.Decoder(Recording)
    with (CORPUS / "index.jsonl").open("rb") as lines:
        return tuple(decoder.decode(line) for line in lines)


@functools.lru_cache(maxsize=64)
def _read(file: str) -> _Record:
    # The standard decoder: recordings hold lone surrogates and numbers beyond 64 bits, which must survive.
    return msgspec.convert(json.loads((CORPUS / file).read_bytes()), _Record)


def _compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _frame(event: Any) -> bytes:
    kind = event.get("type") if isinstance(event, dict) else None
    name = f"event: {kind}\n".encode() if isinstance(kind, str) else b""
    return name + b"data: " + _compact(event) + b"\n\n"
