"""Credentials never leak: planted secrets are searched for wherever the process wrote."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aiohttp import web

from strowger.config.references import SecretRef, parse_reference
from strowger.config.schema import Match, ProviderConfig, RouteConfig
from strowger.flows.flow import summary
from tests.integration.gateway.rig import (
    CHAT_HELLO,
    KEY,
    anthropic_request,
    chat_request,
    config,
    gateway,
    provider,
    upstream,
)

pytestmark = pytest.mark.anyio

CLIENT_TOKEN = "client-token-51c9"
OWN_LOGIN = "sk-ant-oat01-planted-login"
EXTRA = "extra-header-secret-99"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Echo:
    """An upstream that quotes everything it was sent in its error, as some do."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.seen: list[dict[str, str]] = []

    async def __call__(self, request: web.Request) -> web.Response:
        self.seen.append({k.lower(): v for k, v in request.headers.items()})
        if self.status == 200:
            return web.Response(body=CHAT_HELLO, headers={"content-type": "text/event-stream"})
        text = f"refused {dict(request.headers)}"
        return web.json_response(
            {"message": text, "error": {"message": text, "type": "x", "param": None, "code": None}}, status=self.status
        )


@pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
async def test_planted_secrets_stay_where_they_belong(
    status: int, path: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Our key goes to its upstream only; the client's token and login go nowhere; nothing is written anywhere."""
    echo = Echo(status)
    secrets = [KEY, CLIENT_TOKEN, OWN_LOGIN, EXTRA]
    async with upstream(echo) as url:
        up = provider("openai_chat", url, headers={"x-extra": parse_reference(EXTRA)})
        settings = config({"up": up}, client_token=parse_reference(CLIENT_TOKEN))
        async with gateway(settings) as rig:
            secrets.append(rig.gateway.access.open_launch("t", 1).token)
            request = anthropic_request(stream=True) if "messages" in path else chat_request(stream=True)
            lines = {"x_strowger_token": CLIENT_TOKEN, "authorization": f"Bearer {OWN_LOGIN}", "cookie": OWN_LOGIN}
            _, headers, body = await rig.post(path, request, **lines)
            await rig.flow()
            flows = [msgspec.json.encode(summary(flow)).decode() for flow in rig.gateway.recorder.latest(99)]
            internals = [repr(rig.gateway.line.routes.match("m")), repr(rig.gateway.access.launches), repr(settings)]
            log = rig.log.getvalue()
    out, err = capfd.readouterr()
    sent = echo.seen[0]
    assert sent["authorization"] == f"Bearer {KEY}"
    assert sent["x-extra"] == EXTRA
    assert CLIENT_TOKEN not in str(sent)
    assert OWN_LOGIN not in str(sent)
    assert log
    for text in (body.decode(), str(headers), log, out, err, *flows, *internals):
        for secret in secrets:
            assert secret not in text


@pytest.mark.parametrize("status", [400, 403, 429, 500])
async def test_what_a_signed_request_carries_is_not_told(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of AWS's and the token of their session are in no error and no log, also when the host quotes them."""
    keys = {
        "AWS_ACCESS_KEY_ID": "AKIAPLANTED",
        "AWS_SECRET_ACCESS_KEY": "aws-secret-4411",
        "AWS_SESSION_TOKEN": "s-55d1",
    }
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    async with upstream(Echo(status)) as url:
        region: Any = {"auth_header": "authorization", "region": "eu-west-1"}
        aws = ProviderConfig(preset="bedrock", dialect="anthropic", base_url=url, auth=SecretRef("aws"), **region)
        async with gateway(config({"up": aws})) as rig:
            _, headers, body = await rig.post("/v1/messages", anthropic_request(), anthropic_version="2023-06-01")
            told = body.decode() + str(headers) + rig.log.getvalue() + str(await rig.flow())
    assert "refused" in told
    for value in keys.values():
        assert value not in told


async def test_an_anthropic_credential_is_never_sent_elsewhere() -> None:
    """Neither a configured one nor the client's own, whatever the configuration says."""
    echo = Echo(200)
    async with upstream(echo) as url:
        for auth in (OWN_LOGIN, "client"):
            settings = config({"up": provider("anthropic", url, auth=auth)})
            async with gateway(settings) as rig:
                status, _, body = await rig.post(
                    "/v1/messages", anthropic_request(), authorization=f"Bearer {OWN_LOGIN}"
                )
            assert status == 403
            assert b"may not be sent" in body
            assert OWN_LOGIN.encode() not in body
    assert echo.seen == []


async def test_the_clients_own_login_passes_to_anthropics_own_host() -> None:
    """Untouched, beside our token in our own header, and without the token."""
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append({k.lower(): v for k, v in request.headers.items()})
        return web.json_response(
            {"error": {"type": "authentication_error", "message": "OAuth token has expired"}, "type": "error"},
            status=401,
        )

    async with upstream(handler) as url:
        settings = config({"up": provider("anthropic", url, auth="client")}, client_token=parse_reference(CLIENT_TOKEN))
        async with gateway(settings, anthropic_hosts=(url,)) as rig:
            status, _, body = await rig.post(
                "/v1/messages", anthropic_request(), authorization=f"Bearer {OWN_LOGIN}", x_strowger_token=CLIENT_TOKEN
            )
    assert seen[0]["authorization"] == f"Bearer {OWN_LOGIN}"
    assert CLIENT_TOKEN not in str(seen)
    # its own login, its own 401: the client knows what to do
    assert status == 401
    assert b"OAuth token has expired" in body


async def test_without_a_client_token_nothing_is_sent_upstream() -> None:
    """A call that is not let in costs nothing."""
    echo = Echo(200)
    async with upstream(echo) as url:
        async with gateway(
            config({"up": provider("openai_chat", url)}, client_token=parse_reference(CLIENT_TOKEN))
        ) as rig:
            for lines in ({}, {"authorization": "Bearer wrong"}, {"x_api_key": "wrong"}):
                for path, request in (("/v1/messages", anthropic_request()), ("/v1/chat/completions", chat_request())):
                    status, _, body = await rig.post(path, request, **lines)
                    assert status == 403
                    assert b"client token" in body
            async with rig.session.get(rig.url + "/v1/models") as response:
                assert response.status == 403
            async with rig.session.get(rig.url + "/_strowger/flows") as response:
                assert response.status == 403
            status, _, _ = await rig.post("/v1/messages/count_tokens", anthropic_request())
            assert status == 403
    assert echo.seen == []


async def test_a_fallback_gets_its_own_key_only() -> None:
    """Two providers, two keys: the second never sees the first's."""
    first, second = Echo(500), Echo(200)
    async with upstream(first) as a, upstream(second) as b:
        providers = {"a": provider("openai_chat", a, auth="first-key-secret"), "b": provider("openai_chat", b)}
        routes = [RouteConfig(match=Match(model="*"), to="a", fallback=("b",))]
        async with gateway(config(providers, routes)) as rig:
            await rig.post("/v1/messages", anthropic_request())
    assert "first-key-secret" not in str(second.seen)
    assert KEY not in str(first.seen)
