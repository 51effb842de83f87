"""count_tokens: the provider's own count where it has one, else an estimate that says so."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from aiohttp import web

from tests.integration.gateway import rig as rigging

pytestmark = pytest.mark.anyio

PATH = "/v1/messages/count_tokens"
COUNTS = {"count_tokens": True, "betas": True, "attribution": True}
BODY = {"model": "m", "messages": [{"role": "user", "content": "how many are these?"}]}


class Counter:
    """An Anthropic upstream that counts, or answers with the status it is given."""

    def __init__(self, status: int = 200, answer: Any = None) -> None:
        self.status = status
        self.answer = answer or {"input_tokens": 4711}
        self.seen: list[tuple[str, str | None, Any]] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        key = request.headers.get("x-api-key")
        self.seen.append((request.path, key, msgspec.json.decode(await request.read())))
        return web.json_response(self.answer, status=self.status)


async def test_the_provider_is_asked() -> None:
    """A provider that counts is asked with its own key and model, and its answer is the answer."""
    counter = Counter()
    async with rigging.upstream(counter) as url:
        provider = rigging.provider("anthropic", url, capabilities=COUNTS)
        async with rigging.gateway(rigging.config({"vendor": provider})) as rig:
            status, headers, body = await rig.post(PATH, BODY)
    assert (status, msgspec.json.decode(body)) == (200, {"input_tokens": 4711})
    assert "x-strowger-estimate" not in headers
    assert counter.seen == [(PATH, rigging.KEY, BODY)]


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_provider_that_cannot_is_estimated(status: int) -> None:
    """Where the endpoint turns out not to be served, an estimate is better than an error."""
    async with rigging.upstream(Counter(status)) as url:
        provider = rigging.provider("anthropic", url, capabilities=COUNTS)
        async with rigging.gateway(rigging.config({"vendor": provider})) as rig:
            answered, headers, body = await rig.post(PATH, BODY)
    assert answered == 200
    assert headers["x-strowger-estimate"]
    assert 5 <= msgspec.json.decode(body)["input_tokens"] <= 30


async def test_another_dialect_is_estimated_without_asking() -> None:
    """A Chat provider has nothing to ask: the estimate is made here, and nothing is sent."""
    counter = Counter()
    async with rigging.upstream(counter) as url:
        config = rigging.config({"vendor": rigging.provider("openai_chat", url)})
        async with rigging.gateway(config) as rig:
            status, headers, body = await rig.post(PATH, BODY)
    assert (status, counter.seen) == (200, [])
    assert headers["x-strowger-estimate"]
    assert msgspec.json.decode(body)["input_tokens"] > 0


async def test_a_dead_provider_is_estimated() -> None:
    """A provider that cannot be reached does not keep a client from knowing about how large its prompt is."""
    async with rigging.upstream(Counter()) as url:
        pass
    provider = rigging.provider("anthropic", url, capabilities=COUNTS)
    async with rigging.gateway(rigging.config({"vendor": provider})) as rig:
        status, headers, _ = await rig.post(PATH, BODY)
    assert status == 200
    assert headers["x-strowger-estimate"]


async def test_a_refused_count_is_told() -> None:
    """What the provider says against the request itself reaches the client as it is."""
    refusal = {"type": "error", "error": {"type": "invalid_request_error", "message": "messages: too odd"}}
    async with rigging.upstream(Counter(400, refusal)) as url:
        provider = rigging.provider("anthropic", url, capabilities=COUNTS)
        async with rigging.gateway(rigging.config({"vendor": provider})) as rig:
            status, _, body = await rig.post(PATH, BODY)
    assert (status, msgspec.json.decode(body)) == (400, refusal)


@pytest.mark.parametrize("status", [429, 500, 307])
async def test_a_provider_in_trouble_does_not_keep_anyone_from_counting(status: int) -> None:
    """A client counts before it asks: an estimate serves it better than the provider's bad moment."""
    async with rigging.upstream(Counter(status, {"error": {"message": "later"}})) as url:
        provider = rigging.provider("anthropic", url, capabilities=COUNTS)
        async with rigging.gateway(rigging.config({"vendor": provider})) as rig:
            answered, headers, _ = await rig.post(PATH, BODY)
    assert answered == 200
    assert headers["x-strowger-estimate"]


async def test_a_provider_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no stream here that a heartbeat could keep alive."""
    monkeypatch.setattr("strowger.gateway.counting._WAIT_SECONDS", 0.1)

    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with rigging.upstream(hang) as url:
        provider = rigging.provider("anthropic", url, capabilities=COUNTS)
        async with rigging.gateway(rigging.config({"vendor": provider})) as rig:
            status, headers, _ = await rig.post(PATH, BODY)
    assert status == 200
    assert headers["x-strowger-estimate"]


async def test_a_key_that_the_provider_quotes_is_masked() -> None:
    """Some servers quote what they were sent."""
    refusal = {"type": "error", "error": {"type": "invalid_request_error", "message": f"bad key {rigging.KEY}"}}
    async with rigging.upstream(Counter(400, refusal)) as url:
        provider = rigging.provider("anthropic", url, capabilities=COUNTS)
        async with rigging.gateway(rigging.config({"vendor": provider})) as rig:
            _, _, body = await rig.post(PATH, BODY)
    assert rigging.KEY.encode() not in body
    assert b"bad key ***" in body
