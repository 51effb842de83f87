"""A gateway in a company's network: its upstream is behind a proxy that wants a user, and has a private certificate."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from strowger.config.schema import Config
from strowger.config.validate import convert
from strowger.errors import ConfigError
from strowger.gateway.app import build
from tests.fakes.authority import Authority
from tests.fakes.chat import KEY, FakeChat
from tests.fakes.proxy import FakeProxy
from tests.integration.gateway.rig import Rig, anthropic_request, chat_request, gateway

pytestmark = pytest.mark.anyio

PASSWORD = "pass-51d0-word"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Company:
    """The certificates of a company, and where they lie."""

    folder: Path
    authority: Authority

    def config(self, url: str, network: dict[str, Any] | None = None, **more: Any) -> Config:
        """As a user would write it: one provider at `url`."""
        provider = {"dialect": "openai_chat", "base_url": url, "auth": "env:UPSTREAM_KEY", "models": ["*"], **more}
        tables = {
            "server": {"port": 0, "grace_seconds": 0.5},
            "responses": {"file": ":memory:"},
            "retries": {"attempts": 1},
            "network": network or {},
            "providers": {"company": provider},
        }
        found, problems = convert(Config, tables)
        assert found is not None, problems
        return found

    @property
    def env(self) -> dict[str, str]:
        """Where the key and the proxy's URL are."""
        return {"UPSTREAM_KEY": KEY}


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path, Authority())


async def asked(rig: Rig, **more: Any) -> tuple[int, str]:
    """A translated call, streamed: status and body. Nothing secret is in it or in the log."""
    status, _, body = await rig.post("/v1/messages", anthropic_request(stream=True, **more))
    await rig.flow()
    for secret in (PASSWORD, KEY, "mary"):
        assert secret not in body.decode()
        assert secret not in rig.log.getvalue()
    return status, body.decode()


@pytest.mark.parametrize("where", ["environment", "configuration", "provider"])
async def test_behind_the_proxy(company: Company, where: str) -> None:
    """Streams come through, verbatim and translated, whoever says which proxy and which authority it is."""
    async with FakeChat(tls=company.authority) as fake:
        async with FakeProxy({"models.test:443": fake.port}, user="mary", password=PASSWORD) as proxy:
            url = proxy.url.replace("://", f"://mary:{PASSWORD}@")
            bundle = company.authority.bundle(company.folder)
            env = {**company.env, "COMPANY_PROXY": url}
            ways: dict[str, Any] = {"proxy": "env:COMPANY_PROXY", "ca_file": bundle}
            network, more = (
                ({}, {}) if where == "environment" else (ways, {}) if where == "configuration" else ({}, ways)
            )
            if where == "environment":
                env |= {"HTTPS_PROXY": url, "NODE_EXTRA_CA_CERTS": bundle}
            async with gateway(company.config("https://models.test/v1", network, **more), env=env) as rig:
                status, body = await asked(rig)
                assert (status, "message_stop" in body) == (200, True)
                status, _, raw = await rig.post("/v1/chat/completions", chat_request(stream=True))
                assert (status, raw.endswith(b"data: [DONE]\n\n")) == (200, True)
    assert {one.target for one in proxy.asked} == {"models.test:443"}
    assert len(fake.inferences()) == 2


async def test_the_proxys_refusal_reaches_the_user(company: Company) -> None:
    """In the client's own error, with what to set and without the password; nothing was asked of the upstream."""
    async with FakeChat(tls=company.authority) as fake:
        async with FakeProxy({"models.test:443": fake.port}, user="mary", password="other") as proxy:
            network = {"proxy": proxy.url.replace("://", f"://mary:{PASSWORD}@")}
            async with gateway(company.config("https://models.test/v1", network), env=company.env) as rig:
                status, body = await asked(rig)
    assert status >= 500
    error = msgspec.json.decode(body)["error"]["message"]
    assert f"the proxy {proxy.url} refused to connect to models.test:443: 407" in error
    assert "network.proxy" in error
    assert fake.requests == []


async def test_an_unknown_authority_reaches_the_user(company: Company) -> None:
    """With the host, and with what to set."""
    async with FakeChat(tls=company.authority) as fake:
        async with gateway(company.config(fake.base_url), env=company.env) as rig:
            status, body = await asked(rig)
    assert status >= 500
    error = msgspec.json.decode(body)["error"]["message"]
    assert f"certificate is not trusted: {fake.base_url}" in error
    assert "`ca_file` in [network]" in error


async def test_a_host_that_wants_to_know_us(company: Company) -> None:
    """Our certificate is shown where it is asked for."""

    class Wary(Authority):
        def serving(self, *names: str, clients: bool = False) -> Any:
            return super().serving(*names, clients=True)

    company.authority = authority = Wary()
    certificate, key = authority.client(company.folder)
    network = {"ca_file": authority.bundle(company.folder), "client_cert": certificate, "client_key": key}
    async with FakeChat(tls=authority) as fake:
        async with gateway(company.config(fake.base_url, network), env=company.env) as rig:
            assert (await asked(rig))[0] == 200
    with refusing(authority.serving(clients=True)) as url:
        async with gateway(company.config(url, {"ca_file": network["ca_file"]}), env=company.env) as rig:
            status, body = await asked(rig)
    assert status >= 500
    error = msgspec.json.decode(body)["error"]["message"]
    assert f"no TLS with {url}/v1/chat/completions: TLSV13_ALERT_CERTIFICATE_REQUIRED" in error
    assert "client_cert" in error


@contextmanager
def refusing(context: ssl.SSLContext) -> Iterator[str]:
    """A host that wants a certificate, and says so as OpenSSL does; asyncio's own would close without a word."""

    def serve() -> None:
        accepted, _ = listening.accept()
        connection = context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        with suppress(ssl.SSLError):
            connection.do_handshake()
        # What was not read would make closing a reset, which overtakes the refusal.
        with socket.socket(fileno=connection.detach()) as bare, suppress(OSError):
            bare.shutdown(socket.SHUT_WR)
            while bare.recv(65536):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize("where", ["environment", "configuration"])
async def test_a_bundle_that_is_not_there(company: Company, where: str) -> None:
    """The gateway does not start, rather than fail at every call."""
    gone = str(company.folder / "gone.pem")
    network, env = ({}, {"SSL_CERT_FILE": gone}) if where == "environment" else ({"ca_file": gone}, {})
    name = "SSL_CERT_FILE" if env else "network.ca_file"
    with pytest.raises(ConfigError, match=f"^{name} leads to no certificates: {gone}: no such file"):
        async with build(company.config("https://models.test/v1", network), env={**company.env, **env}):
            pytest.fail("it has started")
