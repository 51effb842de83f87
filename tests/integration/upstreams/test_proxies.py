"""Hosts behind a company's proxy, over real sockets and real TLS, on both event loops."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from strowger.config.references import Secret
from strowger.errors import Malformed, TimedOut, Truncated, Unreachable
from strowger.upstreams.base import Outgoing
from strowger.upstreams.dialing import Network
from strowger.upstreams.http import HttpUpstream
from strowger.upstreams.proxies import Proxies
from strowger.upstreams.trust import Trust
from tests.fakes.authority import Authority
from tests.fakes.chat import KEY, FakeChat
from tests.fakes.proxy import FakeProxy

pytestmark = pytest.mark.anyio

USER, PASSWORD = "mary", "pass%word-8c1f"
WRITTEN = "mary:pass%25word-8c1f"
BODY = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """TLS inside TLS is each loop's own affair."""
    if request.param == "uvloop":
        pytest.importorskip("uvloop", reason="no uvloop for this system")
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


def post(url: str, body: bytes = BODY) -> Outgoing:
    """A request of a call, key included."""
    headers = (("Authorization", f"Bearer {KEY}"), ("Content-Type", "application/json"))
    return Outgoing("POST", f"{url}/v1/chat/completions?x=query-1f2e", headers, body)


def network(env: Mapping[str, str], folder: Path, authority: Authority | None = None) -> Network:
    """How a gateway in this environment gets out."""
    if authority is not None:
        env = {**env, "NODE_EXTRA_CA_CERTS": authority.bundle(folder)}
    return Network(Proxies(env), Trust(env))


async def answered(upstream: HttpUpstream, url: str, body: bytes = BODY) -> int:
    """The status of an answer that was read to its end."""
    incoming = await upstream.open(post(url, body))
    try:
        assert b"chat.completion" in await incoming.read_all(100_000)
    finally:
        incoming.close()
    return incoming.status


@pytest.mark.parametrize("proxy_tls", [False, True], ids=["http-proxy", "https-proxy"])
@pytest.mark.parametrize("user", ["", USER])
async def test_a_tunnel(tmp_path: Path, proxy_tls: bool, user: str) -> None:
    """TLS to the host goes through; the proxy learns its name and who we are, and nothing of what is said. Twice: on
    one tunnel, which is kept as other connections are.
    """
    authority = Authority()
    async with FakeChat(tls=authority) as fake:
        options: dict[str, Any] = {"user": user, "password": PASSWORD} if user else {}
        async with FakeProxy({"models.test:443": fake.port}, tls=authority if proxy_tls else None, **options) as proxy:
            url = proxy.url.replace("://", f"://{WRITTEN}@") if user else proxy.url
            async with HttpUpstream(network=network({"HTTPS_PROXY": url}, tmp_path, authority)) as upstream:
                for _ in range(2):
                    assert await answered(upstream, "https://models.test") == 200
    (asked,) = proxy.asked
    assert asked.line == "CONNECT models.test:443 HTTP/1.1"
    assert (b"Proxy-Authorization" in asked.head) is bool(user)
    assert b"sk-fake" not in asked.head
    assert all(seen.header("Proxy-Authorization") is None for seen in fake.requests)
    assert [seen.header("Host") for seen in fake.requests] == ["models.test", "models.test"]


@pytest.mark.parametrize("proxy_tls", [False, True], ids=["http-proxy", "https-proxy"])
async def test_what_is_not_encrypted_is_asked_of_the_proxy(tmp_path: Path, proxy_tls: bool) -> None:
    """By its whole URL, with the body, however large; the proxy's user is not told to the host."""
    authority = Authority()
    large = BODY.replace(b'"hi"', b'"' + b"x" * 2_000_000 + b'"')
    async with FakeChat() as fake:
        tls = authority if proxy_tls else None
        async with FakeProxy({"models.test": fake.port}, tls=tls, user=USER, password=PASSWORD) as proxy:
            env = {"http_proxy": proxy.url.replace("://", f"://{WRITTEN}@")}
            async with HttpUpstream(network=network(env, tmp_path, authority)) as upstream:
                assert await answered(upstream, "http://models.test", large) == 200
    assert proxy.asked[0].target == "http://models.test/v1/chat/completions?x=query-1f2e"
    assert fake.requests[0].raw == large
    assert fake.requests[0].header("Proxy-Authorization") is None


@pytest.mark.parametrize("url", ["https://models.test", "http://models.test"])
@pytest.mark.parametrize("password", ["", "wrong-7d4a"])
async def test_a_user_that_is_wanted(tmp_path: Path, url: str, password: str) -> None:
    """407 says what to set and where, and shows no password. It is no answer of the upstream's."""
    async with FakeProxy({}, user=USER, password=PASSWORD) as proxy:
        named = proxy.url.replace("://", f"://{USER}:{password}@") if password else proxy.url
        async with HttpUpstream(network=network({"ALL_PROXY": named}, tmp_path)) as upstream:
            with pytest.raises(Unreachable, match="refused to connect to models.test.*: 407") as caught:
                await upstream.open(post(url))
    assert proxy.url in caught.value.message
    hint = caught.value.hint or ""
    assert hint.startswith("it wants other user" if password else "it wants a user")
    assert f"ALL_PROXY = http://user:password@{proxy.authority}" in hint
    assert "wrong-7d4a" not in caught.value.message + hint + repr(caught.value)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"refusal": "403 Forbidden by policy"}, "refused to connect to models.test:443: 403 Forbidden by policy"),
        ({"refusal": "503 Busy"}, "refused to connect to models.test:443: 503 Busy"),
        ({"broken": True}, "no connection to https://models.test/v1/chat/completions: "),
    ],
)
async def test_no_tunnel(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    """A proxy that refuses is told in its own words, one that breaks off as such; never the query, nor our user."""
    async with FakeProxy({"models.test:443": 9}, user=USER, password=PASSWORD, **options) as proxy:
        env = {"HTTPS_PROXY": proxy.url.replace("://", f"://{WRITTEN}@")}
        async with HttpUpstream(network=network(env, tmp_path)) as upstream:
            with pytest.raises(Unreachable) as caught:
                await upstream.open(post("https://models.test"))
    assert message in caught.value.message
    for secret in (WRITTEN, PASSWORD, "query-1f2e", "sk-fake"):
        assert secret not in caught.value.message + (caught.value.hint or "")


async def test_a_silent_proxy_is_given_up(tmp_path: Path) -> None:
    """The connect timeout covers the tunnel; the error names the proxy and who named it."""
    async with FakeProxy({}, silent=True) as proxy:
        way = network({"HTTPS_PROXY": proxy.url}, tmp_path)
        async with HttpUpstream(0.3, network=way) as upstream:
            with pytest.raises(TimedOut, match=f"to https://models.test/.* through the proxy {proxy.url}") as caught:
                await upstream.open(post("https://models.test"))
    assert "HTTPS_PROXY" in (caught.value.hint or "")


async def test_a_dead_proxy_is_told(tmp_path: Path) -> None:
    """It is the proxy that is not there, not the upstream."""
    async with FakeProxy({}) as proxy:
        env = {"HTTPS_PROXY": proxy.url}
    async with HttpUpstream(network=network(env, tmp_path)) as upstream:
        with pytest.raises(
            Unreachable, match=f"no connection to the proxy {env['HTTPS_PROXY']}: connection refused"
        ) as e:
            await upstream.open(post("https://models.test"))
    assert "HTTPS_PROXY" in (e.value.hint or "")


async def test_an_unfit_proxy_is_told_to_whom_it_concerns(tmp_path: Path) -> None:
    """The gateway starts all the same: a model on this machine needs no proxy."""
    async with FakeChat() as fake, HttpUpstream(network=network({"all_proxy": "socks5://p:1"}, tmp_path)) as upstream:
        assert await answered(upstream, fake.base_url) == 200
        with pytest.raises(Unreachable, match="https://models.test/.* is behind a proxy, but all_proxy names .*socks5"):
            await upstream.open(post("https://models.test"))


@pytest.mark.parametrize("tls", [False, True])
async def test_a_configured_proxy_stands_for_the_environments(tmp_path: Path, tls: bool) -> None:
    """And `none` for no proxy at all."""
    authority = Authority()
    async with FakeChat(tls=authority if tls else None) as fake, FakeProxy({"models.test:443": fake.port}) as proxy:
        env = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
        way = Network(Proxies(env, Secret(proxy.url)), Trust({}, authority.bundle(tmp_path)))
        async with HttpUpstream(network=way) as upstream:
            if tls:
                assert await answered(upstream, "https://models.test") == 200
                assert way.proxies.proxy_for("models.test", 443, tls=True) is not None
        assert Proxies(env, Secret("none")).proxy_for("models.test", 443, tls=tls) is None


async def test_an_answer_that_the_proxy_breaks_off(tmp_path: Path) -> None:
    """It is the same as one that the upstream breaks off."""

    class Short(FakeProxy):
        async def _forward(self, reader: Any, writer: Any, line: str, head: bytes) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
            await writer.drain()

    class Noise(FakeProxy):
        async def _forward(self, reader: Any, writer: Any, line: str, head: bytes) -> None:
            writer.write(b"\x00 this is not HTTP\r\n\r\n")
            await writer.drain()

    async with Short({}) as proxy, HttpUpstream(network=network({"http_proxy": proxy.url}, tmp_path)) as upstream:
        incoming = await upstream.open(post("http://models.test"))
        with pytest.raises(Truncated):
            await incoming.read_all(100)
        incoming.close()
    for url, error in (("http://models.test", Malformed), ("https://models.test", Unreachable)):
        async with Noise({}) as noisy, HttpUpstream(network=network({"ALL_PROXY": noisy.url}, tmp_path)) as upstream:
            with pytest.raises(error):
                await upstream.open(post(url))
        assert len(noisy.asked) == 1, "a request that may have been read is not sent again"


async def test_this_machine_is_never_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model on loopback is reached straight, whatever the environment says."""
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with FakeChat() as fake, HttpUpstream() as upstream:
        assert await answered(upstream, fake.base_url) == 200


async def test_an_untrusted_proxy_is_told(tmp_path: Path) -> None:
    """The certificate that is not trusted is the proxy's own."""
    async with FakeProxy({}, tls=Authority()) as proxy:
        way = network({"HTTPS_PROXY": proxy.url}, tmp_path)
        async with HttpUpstream(network=way) as upstream:
            with pytest.raises(Unreachable, match=f"the proxy's certificate is not trusted: the proxy {proxy.url}"):
                await upstream.open(post("https://models.test"))
