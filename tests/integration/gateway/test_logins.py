"""Calls that a login pays for, through the whole gateway: storms of refusals, issuers in trouble, no leaks."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from aiohttp import web

from strowger.auth.stores import Login
from strowger.flows.flow import summary
from tests.fakes.issuer_codex import CodexIssuer
from tests.integration.auth.refresher import kept, store_of
from tests.integration.gateway import rig as rigged
from tests.integration.gateway.rig import CHAT_HELLO, Rig, chat_request, config, gateway, provider, upstream

pytestmark = pytest.mark.anyio

TOKEN = "/oauth/token"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CodexIssuer]:
    """An issuer that the gateway is led to, with its logins under a home of the test's own."""
    async with CodexIssuer(lifetime=3600) as fake:
        monkeypatch.setitem(rigged.ENV, "HOME", str(tmp_path))
        monkeypatch.setitem(rigged.ENV, "STROWGER_CODEX_ISSUER", fake.base_url)
        yield fake


class Backend:
    """An upstream that takes what the issuer takes. `gate`: answers wait for it."""

    def __init__(self, issuer: CodexIssuer) -> None:
        self.issuer = issuer
        self.seen: list[tuple[str, str]] = []
        self.gate = anyio.Event()
        self.gate.set()

    async def __call__(self, request: web.Request) -> web.Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        self.seen.append((token, request.headers.get("chatgpt-account-id", "")))
        await self.gate.wait()
        if not self.issuer.accepts(token):
            return web.json_response({"error": {"message": f"no {token}", "code": "invalid_api_key"}}, status=401)
        return web.Response(body=CHAT_HELLO, headers={"content-type": "text/event-stream"})


def settings(url: str) -> Any:
    return config({"up": provider("openai_chat", url, auth="login:codex")})


async def asked(rig: Rig, statuses: list[int]) -> None:
    status, _, _ = await rig.post("/v1/chat/completions", chat_request(stream=True))
    statuses.append(status)


async def test_a_storm_of_refusals(tmp_path: Path, issuer: CodexIssuer) -> None:
    """A hundred calls whose token the upstream refuses at once all succeed, after one refresh."""
    kept(tmp_path, issuer.login(), time.time())
    backend, statuses = Backend(issuer), list[int]()
    async with upstream(backend) as url, gateway(settings(url)) as rig:
        issuer.grants[0].access.clear()
        backend.gate = anyio.Event()
        async with anyio.create_task_group() as calls:
            for _ in range(100):
                calls.start_soon(asked, rig, statuses)
            await issuer.until(lambda: len(backend.seen) == 100, 10)
            backend.gate.set()
    assert statuses == [200] * 100
    assert issuer.count(TOKEN) == 1
    assert len(backend.seen) == 200
    assert {account for _, account in backend.seen} == {issuer.account.id}


async def test_an_ended_login_is_refreshed_before_it_is_sent(tmp_path: Path, issuer: CodexIssuer) -> None:
    """The upstream never sees a token that has ended."""
    kept(tmp_path, issuer.login(), time.time() - 7200)
    issuer.grants[0].access.clear()
    backend, statuses = Backend(issuer), list[int]()
    async with upstream(backend) as url, gateway(settings(url)) as rig:
        async with anyio.create_task_group() as calls:
            for _ in range(20):
                calls.start_soon(asked, rig, statuses)
    assert statuses == [200] * 20
    assert issuer.count(TOKEN) == 1
    assert len({token for token, _ in backend.seen}) == 1


async def test_a_client_that_leaves(tmp_path: Path, issuer: CodexIssuer) -> None:
    """A client that hangs up while its call waits for a refresh does not break it off."""
    kept(tmp_path, issuer.login(), time.time() - 7200)
    issuer.hold = True
    backend, statuses = Backend(issuer), list[int]()
    async with upstream(backend) as url, gateway(settings(url)) as rig:
        async with anyio.create_task_group() as calls:
            calls.start_soon(asked, rig, statuses)
            await issuer.until(lambda: issuer.count(TOKEN) == 1)
            calls.cancel_scope.cancel()
        issuer.hold = False
        await asked(rig, statuses)
    assert statuses == [200]
    assert issuer.count(TOKEN) == 1


@pytest.mark.parametrize("trouble", ["none", "ended", "busy", "gone"])
async def test_what_the_client_hears(
    tmp_path: Path, issuer: CodexIssuer, trouble: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A login that is over is a 403 with the command that helps; an issuer in trouble is something to be tried again;
    and in no case is a token told to anybody.
    """
    secrets: list[str] = []
    match trouble:
        case "none":
            pass
        case _:
            secrets.extend(_secrets(kept(tmp_path, issuer.login(), time.time() - 7200)))
    if trouble == "ended":
        issuer.end_logins()
    if trouble == "busy":
        issuer.fails(TOKEN, 429, f"slow {secrets}".encode(), headers={"retry-after": "30"})
    if trouble == "gone":
        issuer.fails(TOKEN, 0, times=9)
    async with upstream(Backend(issuer)) as url, gateway(settings(url)) as rig:
        status, headers, body = await rig.post("/v1/chat/completions", chat_request())
        await rig.flow()
        told = [
            body.decode(),
            str(headers),
            rig.log.getvalue(),
            *(msgspec.json.encode(summary(flow)).decode() for flow in rig.gateway.recorder.latest(9)),
            repr(rig.gateway.line.routes.match("m")),
        ]
    told += capfd.readouterr()
    if trouble in {"none", "ended"}:
        assert status == 403
        assert "strowger login codex" in told[0]
    else:
        assert status == 503
        assert int(headers["retry-after"]) > 0
    assert not [secret for secret in secrets if secret in "".join(told)]


UNREADABLE = {"no UTF-8": b'{"error": "\xe4"}', "endless": b"[" * 100_000}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("whose", ["the issuer's", "the file's", "the list's"])
async def test_what_cannot_be_read_does_no_harm(tmp_path: Path, issuer: CodexIssuer, whose: str, body: bytes) -> None:
    """Bytes that no decoder takes, from an issuer, in a login or in a list of models, stop one call and no gateway."""
    login = issuer.login()
    kept(tmp_path, login, time.time() - (7200 if whose == "the issuer's" else 0))
    if whose == "the issuer's":
        issuer.fails(TOKEN, 200, body, times=9)
    if whose == "the file's":
        store_of(tmp_path).path("codex").write_bytes(body)
    backend = Backend(issuer)

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body) if request.method == "GET" else await backend(request)

    async with upstream(answer) as url, gateway(settings(url)) as rig:
        status, _, _ = await rig.post("/v1/chat/completions", chat_request(stream=True))
        async with rig.session.get(rig.url + "/v1/models") as response:
            listed = response.status
        async with rig.session.get(rig.url + "/health") as response:
            assert response.status == 200
    assert status == (200 if whose == "the list's" else 403)
    assert listed == 200


async def test_what_is_said_when_all_is_well(
    tmp_path: Path, issuer: CodexIssuer, capfd: pytest.CaptureFixture[str]
) -> None:
    """A refresh is a line in the log, and neither the old nor the new tokens are anywhere."""
    secrets = [*_secrets(kept(tmp_path, issuer.login(), time.time() - 7200))]
    backend, statuses = Backend(issuer), list[int]()
    async with upstream(backend) as url, gateway(settings(url)) as rig:
        await asked(rig, statuses)
        flow = await rig.flow()
        told = rig.log.getvalue() + str(flow) + repr(rig.gateway.line.routes.match("m"))
    secrets += _secrets(store_of(tmp_path).load("codex"))
    assert statuses == [200]
    assert "the login codex was refreshed" in told
    written = told + "".join(capfd.readouterr())
    assert not [secret for secret in secrets if secret in written]


async def test_a_new_login_while_it_runs(tmp_path: Path, issuer: CodexIssuer) -> None:
    """After a logout and a login as somebody else, the next call is that one's, without a restart."""
    kept(tmp_path, issuer.login(), time.time())
    backend, statuses = Backend(issuer), list[int]()
    async with upstream(backend) as url, gateway(settings(url)) as rig:
        await asked(rig, statuses)
        issuer.account = type(issuer.account)(id="another-account")
        kept(tmp_path, issuer.login(), time.time())
        with anyio.fail_after(30):
            while backend.seen[-1][1] != "another-account":
                await asked(rig, statuses)
    assert set(statuses) == {200}
    assert issuer.count(TOKEN) == 0


def _secrets(login: Login) -> list[str]:
    tokens = login.tokens
    return [secret.reveal() for secret in (tokens.access, tokens.refresh, tokens.id_token) if secret]
