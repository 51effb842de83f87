"""Paths of which the gateway knows nothing: files, batches, embeddings, speech."""

from __future__ import annotations

import anyio
import pytest
from aiohttp import ClientPayloadError, web

from strowger.config.schema import ProviderConfig
from tests.integration.gateway.rig import KEY, Rig, config, gateway, provider, upstream

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Echo:
    """Answers with what it was asked, and remembers it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []

    async def __call__(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append((request.method, request.raw_path, headers, body))
        if "wrong" in request.path:
            return web.json_response({"error": f"no such thing, {KEY}"}, status=404)
        if "refused" in request.path:
            return web.json_response({"error": "who are you?"}, status=401)
        return web.Response(body=body or b"{}", headers={"content-type": "application/x-thing", "request-id": "req_7"})


async def ask(rig: Rig, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """What a client gets."""
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    async with rig.session.request(method, rig.url + path, data=body or None, headers=lines) as response:
        return response.status, {k.lower(): v for k, v in response.headers.items()}, await response.read()


async def test_they_are_passed_on_as_they_are() -> None:
    """Method, path, query, headers and bytes go on, the provider's key takes the place of the client's; and back."""
    echo = Echo()
    data = b"--x\r\n\xff\x00 a file\r\n--x--"
    kind = "multipart/form-data; boundary=x"
    async with upstream(echo) as url, gateway(config({"up": provider("anthropic", url)})) as rig:
        status, headers, answer = await ask(
            rig,
            "POST",
            "/v1/files?beta=true&a=%26",
            data,
            content_type=kind,
            anthropic_version="2023-06-01",
            anthropic_beta="files-api-2025-04-14",
            x_api_key="of-the-client",
        )
        flow = await rig.flow()
    assert (status, answer) == (200, data)
    assert (headers["content-type"], headers["request-id"]) == ("application/x-thing", "req_7")
    method, path, sent, body = echo.seen[0]
    assert (method, path, body) == ("POST", "/v1/files?beta=true&a=%26", data)
    assert (sent["content-type"], sent["anthropic-beta"]) == (kind, "files-api-2025-04-14")
    assert sent["x-api-key"] == KEY
    assert (flow["provider"], flow["outcome"], flow["status"], flow["path"]) == ("up", "ok", 200, "/v1/files")
    assert flow["response_bytes"] == len(data)


async def test_nobody_guesses_whom_to_ask() -> None:
    """Of several the path names one, or the key does; a client of a dialect that none of them speaks is told so."""
    echo = Echo()
    async with upstream(echo) as url:
        providers = {"one": provider("openai_chat", url), "two": provider("openai_chat", url)}
        async with gateway(config(providers)) as rig:
            status, _, answer = await ask(rig, "POST", "/v1/embeddings", b"{}")
            assert status == 404
            assert b"/one/v1/embeddings, /two/v1/embeddings" in answer
            status, _, answer = await ask(rig, "GET", "/v1/files", anthropic_version="2023-06-01")
            assert status == 404
            assert b"nothing is served at GET /v1/files" in answer
            assert echo.seen == []
            assert rig.gateway.recorder.calls == 0
            assert (await ask(rig, "POST", "/two/v1/embeddings", b"{}"))[0] == 200
            assert (await rig.flow())["provider"] == "two"
            key = {"authorization": "Bearer sk-strowger-one"}
            assert (await ask(rig, "POST", "/v1/embeddings", b"{}", **key))[0] == 200
            assert (await rig.flow())["provider"] == "one"


async def test_the_demo_is_nobody_to_be_asked() -> None:
    """It answers calls only, so beside it one provider is the only one; alone, there is none."""
    echo = Echo()
    demo = ProviderConfig(preset="demo", dialect="openai_chat", base_url="demo:")
    async with upstream(echo) as url:
        async with gateway(config({"demo": demo, "up": provider("openai_chat", url)}), demo_pace=0.0) as rig:
            status, headers, _ = await ask(rig, "POST", "/v1/embeddings", b"{}")
            assert (status, headers["x-strowger-route"]) == (200, "up")
            assert (await ask(rig, "GET", "/demo/v1/files"))[0] == 404
        async with gateway(config({"demo": demo}), demo_pace=0.0) as rig:
            assert (await ask(rig, "POST", "/v1/embeddings", b"{}"))[0] == 404


@pytest.mark.parametrize("path", ["/up/v1/../secrets", "/up/%2e%2e/secrets", "/v1/files/%2e%2e/x", "/up/v1/./x"])
async def test_a_path_leads_to_no_other_place(path: str) -> None:
    """Dots would lead out of what the provider's address is for."""
    echo = Echo()
    async with upstream(echo) as url, gateway(config({"up": provider("openai_chat", url)})) as rig:
        with anyio.fail_after(30):
            host, _, port = rig.url.removeprefix("http://").partition(":")
            async with await anyio.connect_tcp(host, int(port)) as raw:  # a client would tidy it up
                await raw.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                head = await raw.receive()
    assert b" 400 " in head.splitlines()[0]
    assert echo.seen == []


async def test_errors_come_back_without_our_key() -> None:
    """In the vendor's own words; but our own key refused is nothing that the client could help."""
    async with upstream(Echo()) as url, gateway(config({"up": provider("openai_chat", url)})) as rig:
        status, _, answer = await ask(rig, "DELETE", "/v1/files/wrong")
        assert (status, answer) == (404, b'{"error": "no such thing, ***"}')
        flow = await rig.flow()
        assert (flow["outcome"], flow["status"], flow["error_kind"]) == ("failed", 404, "not_found")
        assert flow["error"] == "no such thing, ***"
        status, _, answer = await ask(rig, "GET", "/v1/refused")
        assert status == 403
        assert b"provider up refused the configured credential" in answer
        assert (await rig.flow())["error_kind"] == "forbidden"


async def test_bytes_come_as_they_are_there_and_a_cut_is_seen() -> None:
    """Speech is played as it comes, and half of a file is not taken for all of it."""
    heard = anyio.Event()

    async def speak(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "audio/mpeg"})
        await response.prepare(request)
        await response.write(b"first")
        await heard.wait()
        assert request.transport is not None
        request.transport.abort()
        return response

    async with upstream(speak) as url, gateway(config({"up": provider("openai_chat", url)})) as rig:
        with anyio.fail_after(30):
            async with rig.session.post(rig.url + "/v1/audio/speech", json={"model": "tts"}) as response:
                assert await response.content.readany() == b"first"
                heard.set()
                with pytest.raises(ClientPayloadError):
                    await response.read()
        assert (await rig.flow())["outcome"] == "failed"


async def test_a_silent_provider_is_told() -> None:
    """After the same patience as with calls."""

    async def silent(request: web.Request) -> web.Response:
        await anyio.sleep_forever()
        raise AssertionError

    async with upstream(silent) as url:
        providers = {"up": provider("openai_chat", url)}
        async with gateway(config(providers, idle_timeout_seconds=0.1)) as rig:
            status, _, answer = await ask(rig, "POST", "/v1/images/generations", b"{}")
    assert status == 504
    assert b"silent for 0.1 seconds" in answer


async def test_who_may_not_call_may_not_do_this_either() -> None:
    """It costs the same key."""
    echo = Echo()
    async with upstream(echo) as url, gateway(config({"up": provider("openai_chat", url)}), token_required=True) as rig:
        assert (await ask(rig, "GET", "/v1/files"))[0] == 403
    assert echo.seen == []
