"""Keys that name a provider instead of being one, through the whole gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from tests.integration.gateway.rig import KEY, config, gateway, provider, upstream

pytestmark = pytest.mark.anyio

BODY = {"model": "some-model", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "some-model",
    "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


async def test_the_named_provider_answers_and_the_sentinel_stays() -> None:
    """The provider in the key is asked although a route says otherwise, with its own credential and no other."""
    seen: list[tuple[str, dict[str, str]]] = []

    def answering(name: str) -> Any:
        async def handler(request: web.Request) -> web.Response:
            seen.append((name, dict(request.headers)))
            return web.json_response(ANSWER)

        return handler

    async with upstream(answering("first")) as first, upstream(answering("second")) as second:
        setup = config({"first": provider("anthropic", first), "second": provider("anthropic", second)})
        async with gateway(setup) as rig:
            for headers in ({"x_api_key": "sk-strowger-second"}, {"authorization": "Bearer sk-strowger-second"}):
                status, _, _ = await rig.post("/v1/messages", BODY, **headers)
                assert status == 200
    assert [name for name, _ in seen] == ["second", "second"]
    for _, headers in seen:
        assert "sk-strowger" not in json.dumps(headers)
        assert KEY in headers.values()


@pytest.mark.parametrize(
    "key, told",
    [
        ("sk-strowger-frist", "did you mean sk-strowger-first?"),
        ("sk-strowger-deepseek", "export DEEPSEEK_API_KEY="),
        # where there is a configuration, a key alone makes no provider
        ("sk-strowger-deepseek", "add [providers.deepseek] to the configuration"),
        ("sk-strowger-kimi", "`strowger login kimi`, add [providers.kimi] to the configuration if you have one"),
        ("sk-strowger-ollama", "add [providers.ollama] to the configuration"),
        ("sk-strowger-nobody", "there are: sk-strowger-first"),
        ("sk-strowger-keyless", "export NOT_THERE="),
    ],
)
async def test_a_missing_credential_is_our_own_403(key: str, told: str) -> None:
    """Who names a provider that is not there, or has no credential, is told what to do; nothing is sent anywhere."""
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response(ANSWER)

    async with upstream(handler) as url:
        keyless = provider("anthropic", url, auth="env:NOT_THERE")
        async with gateway(config({"first": provider("anthropic", url), "keyless": keyless})) as rig:
            status, _, body = await rig.post("/v1/messages", BODY, x_api_key=key)
    assert status == 403
    assert told in json.loads(body)["error"]["message"]
    assert not asked
