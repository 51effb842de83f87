"""Secrets that were planted everywhere, looked for in every byte that was written and in all that is told or given."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import anyio
import pytest
from aiohttp import web
from msgspec.structs import replace

from strowger.auth.issuers import CODEX, holder_of
from strowger.auth.stores import Login, LoginStore
from strowger.cli import main
from strowger.config.paths import logins_dir, state_dir
from strowger.config.references import parse_reference
from strowger.config.schema import Config, Flows, Metrics, Responses, RouteConfig, Tracing
from strowger.config.schema import Log as LogConfig
from strowger.config.schema import Match as Matching
from strowger.flows.archive import Archive
from strowger.gateway.app import Gateway, build
from strowger.gateway.server import bind, serve
from strowger.telemetry.logs import Log
from tests.fakes.flows import bodies_of
from tests.fakes.issuer_codex import CodexIssuer
from tests.integration.auth.refresher import tokens_of
from tests.integration.gateway.rig import CHAT_HELLO, config, provider, sse, upstream

pytestmark = pytest.mark.anyio

KEY = "provider-key/4411+77aa=="
CLIENT = "client-token-planted-51c9"
EXTRA = "extra-header-planted-99"
LOGIN = "own-login-planted-77bb"
COOKIE, SET_COOKIE = "cookie-planted-3f3f", "set-cookie-planted-8e8e"
COLLECTOR = "collector-key-planted-12"


# What the events of a stream spell together.
TEXTS = re.compile(rb'"(?:content|delta|text)": ?"((?:[^"\\]|\\.)*)"')


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the gateway runs on."""
    return "asyncio"


async def quoting(request: web.Request) -> web.StreamResponse:
    """An upstream that says again what it was sent: in an error, or in an answer whose pieces part the key."""
    told = f"{dict(request.headers)} {request.url}"
    key = request.headers.get("authorization", request.headers.get("x-goog-api-key", "none")).removeprefix("Bearer ")
    headers = {"x-seen": key, "set-cookie": f"id={SET_COOKIE}", "x-request-id": key}
    if request.method == "GET" or b"bad" in (await request.read()) or "bad" in request.path:
        error = {"message": told, "type": "x", "param": None, "code": None, "status": "INVALID_ARGUMENT"}
        return web.json_response({"error": error, "quoted": quote(told)}, status=400, headers=headers)
    response = web.StreamResponse(headers={**headers, "content-type": "text/event-stream"})
    await response.prepare(request)
    # the event as a whole, and once more in two pieces of which each has a half of every secret
    event = sse({"id": "c", "choices": [{"index": 0, "delta": {"content": told}}]})
    await response.write(event)
    middle = event.index(b"Bearer ") + 15
    await response.write(event[:middle])
    await anyio.sleep(0.02)  # else both halves arrive as one
    await response.write(event[middle:])
    # and the key in two events
    for half in (key[: len(key) // 2], key[len(key) // 2 :]):
        await response.write(sse({"id": "c", "choices": [{"index": 0, "delta": {"content": half}}]}))
    await response.write(CHAT_HELLO)
    await response.write_eof()
    return response


def settings(url: str, collector: str, folder: Path) -> Config:
    """Everything that can be recorded is, also what nobody would turn on."""
    more: dict[str, Any] = {"headers": {"x-extra": parse_reference("env:EXTRA")}}
    providers = {
        "chat": provider("openai_chat", url, auth="env:KEY", **more),
        "gem": provider("gemini", url, auth="env:KEY"),
        "login": provider("openai_chat", url, auth="login:codex"),
    }
    routes = [RouteConfig(match=Matching(model="*"), to="chat")]
    made = config(providers, routes, client_token=parse_reference("env:CLIENT"), flows=Flows())
    return replace(
        made,
        responses=Responses(),
        metrics=Metrics(open=True),
        log=LogConfig(level="debug", file=str(folder / "strowger" / "gateway.log")),
        tracing=Tracing(
            otlp=True, endpoint=collector, content=True, headers={"authorization": parse_reference("env:COLLECTOR")}
        ),
    )


def asked(model: str) -> dict[str, Any]:
    """A request that Chat and Messages both take."""
    return {"model": model, "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]}


async def every_call(session: aiohttp.ClientSession, url: str, launch: str) -> None:
    """Through each door, with a token where such clients put it, well and badly, to each provider."""
    own = {"authorization": f"Bearer {LOGIN}", "cookie": f"id={COOKIE}"}
    for model in ("chat:good", "chat:bad", "login:good", "login:bad"):
        for token in ({"x-strowger-token": CLIENT, **own}, {"x-api-key": launch, "cookie": COOKIE}):
            await _ask(session, f"{url}/v1/chat/completions", asked(model), token)
            await _ask(session, f"{url}/v1/messages", asked(model), token)
            await _ask(session, f"{url}/v1/responses", {"model": model, "input": "hi", "stream": True}, token)
    for model in ("gem:bad", "chat:good", "chat:bad"):
        contents = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
        for key in (CLIENT, launch):
            path = f"/v1beta/models/{model}:streamGenerateContent?alt=sse&key={key}"
            await _ask(session, url + path, contents, {"cookie": COOKIE})
    await _ask(session, f"{url}/v1/messages?key={CLIENT}&token={LOGIN}", b"{", {"x-api-key": "wrong-" + LOGIN})
    await _ask(session, f"{url}/nowhere?key={CLIENT}", b"{", own)


async def _ask(session: aiohttp.ClientSession, url: str, body: Any, headers: Mapping[str, str]) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with session.post(url, data=data, headers={"content-type": "application/json", **headers}) as response:
        await response.read()


async def told(session: aiohttp.ClientSession, url: str, admin: str) -> dict[str, bytes]:
    """All that the admin API, the page and the figures say, by path."""
    found: dict[str, bytes] = {}

    async def get(path: str) -> bytes:
        async with session.get(f"{url}{path}", headers={"authorization": f"Bearer {admin}"}) as response:
            found[path] = str(response.headers).encode() + await response.read()
            assert response.status in (200, 404, 409), found[path]
            return await response.read()

    whole = json.loads(await get("/_strowger/flows?limit=200"))["flows"]
    assert len(whole) >= 30
    for flow in whole:
        for part in ("", "/messages", "/transcript", "/compare"):
            await get(f"/_strowger/flows/{flow['id']}{part}")
        for kind in ("client_request", "forwarded", "upstream_response", "client_response"):
            await get(f"/_strowger/flows/{flow['id']}/body?kind={kind}&number=0")
    for path in ("status", "quota", "models", "sessions", "store", "usage?by=model,credential", ""):
        await get(f"/_strowger/{path}")
    await get("/metrics")
    return found


def written(state: Path) -> dict[str, bytes]:
    """Every file but the login's own."""
    return {str(file): file.read_bytes() for file in state.rglob("*") if file.is_file() and "logins" not in file.parts}


def given(folder: Path, capfdbinary: pytest.CaptureFixture[bytes], state: Path) -> Iterator[tuple[str, bytes]]:
    """All that the command line prints of the calls, and every file that it makes to be given away."""
    archive = Archive(state / "flows.db")
    good = str(next(flow["id"] for flow in archive.list(limit=200) if flow["outcome"] == "ok"))
    archive.close()
    commands = [
        ("list", "--json", "-n", "100"),
        ("show", good, "--json"),
        ("show", good, "--events"),
        ("dump", "-n", "100"),
        ("export", "--html", "-n", "100", "-o", "-"),
        ("export", "--case", good, "-o", str(folder / "case")),
        ("compare", good),
    ]
    for command in commands:
        capfdbinary.readouterr()
        assert main.run(("flows", "--file", str(state / "flows.db"), *command)) == 0, command
        out, err = capfdbinary.readouterr()
        yield " ".join(command), out + err
    for file in folder.rglob("*"):
        if file.is_file():
            yield str(file), file.read_bytes()


def logged_in(env: Mapping[str, str], issuer: CodexIssuer) -> None:
    """A login whose access has ended, so that it is refreshed at the first call."""
    then = time.time() - 7200
    tokens = tokens_of(issuer.login(), then, CODEX)
    holder = holder_of(CODEX, tokens.id_token.reveal() if tokens.id_token else "", tokens.access.reveal())
    LoginStore(env).save(Login(CODEX.name, tokens, holder=holder, obtained_at=then, refreshed_at=then))


def tokens_in(env: Mapping[str, str]) -> set[str]:
    """All that the file of the login has."""
    (file,) = logins_dir(env).glob("*.json")
    login = json.loads(file.read_bytes())
    return {login[name] for name in ("access_token", "refresh_token", "id_token")}


@asynccontextmanager
async def running(built: Config, env: Mapping[str, str]) -> AsyncIterator[tuple[Gateway, str]]:
    """A gateway that logs to its file, and where it is."""
    log = Log(Path(str(built.log.file)), built.log.level)
    async with (
        build(built, log=log, env=env) as gateway,
        serve(gateway, bind("127.0.0.1", 0, external=False), max_body=2**20, max_header=2**15, grace=0.5) as server,
    ):
        yield gateway, server.url


async def test_planted_secrets_are_nowhere(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys, tokens of clients, launches and logins, cookies: in no file but the login's own, not in the store's side
    files either, and in nothing that is told, exported or given away; though hosts quote what they were sent.
    """
    pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")
    from tests.fakes.otlp import collecting

    env = {
        "HOME": str(tmp_path / "home"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "KEY": KEY,
        "CLIENT": CLIENT,
        "EXTRA": EXTRA,
        "COLLECTOR": COLLECTOR,
    }
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    state = state_dir(env)
    secrets = [KEY, quote(KEY, safe=""), CLIENT, EXTRA, LOGIN, COOKIE, SET_COOKIE, COLLECTOR]
    with ExitStack() as stack:
        collector = stack.enter_context(collecting())
        async with CodexIssuer(lifetime=3600) as issuer, upstream(quoting) as url:
            env["STROWGER_CODEX_ISSUER"] = issuer.base_url
            logged_in(env, issuer)
            secrets += tokens_in(env)
            built = settings(url, collector.url, tmp_path / "state")
            async with running(built, env) as (gateway, where), aiohttp.ClientSession() as session:
                launch = gateway.access.open_launch("t", 1)
                secrets += [launch.token, gateway.access.admin_token]
                await every_call(session, where, launch.token)
                heard = await told(session, where, gateway.access.admin_token)
                early = written(state)
                assert any(name.endswith("-wal") for name in early)
        heard["spans"] = repr((collector.spans, collector.metrics)).encode()
        assert collector.spans
        assert collector.wrong == []
    assert not tokens_in(env) <= set(secrets), "it was refreshed"
    secrets += tokens_in(env)
    found = {**{f"{name} before": content for name, content in early.items()}, **written(state)}
    parts = {part for name in found for part in Path(name).parts}
    assert {"flows.db", "gateway.log", "responses.db", "flows-errors"} <= parts
    found |= heard
    found |= dict(given(tmp_path / "given", capfdbinary, state))
    archive = Archive(state / "flows.db")
    for flow in archive.list(limit=200):
        messages = archive.messages(str(flow["id"]))
        found[str(flow["id"])] = repr(messages).encode() + b"".join(bodies_of(messages).values())
        for message in messages:
            found[f"{flow['id']} {message.kind} {message.number}, its texts"] = b"".join(TEXTS.findall(message.body))
    archive.close()
    assert b"***" in b"".join(found.values()), "it was quoted"
    leaks = [(name, secret) for name, content in found.items() for secret in secrets if secret.encode() in content]
    assert leaks == []
