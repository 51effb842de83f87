"""The way out, from the configuration: whose settings hold for which host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from strowger.config.schema import Config
from strowger.config.validate import convert
from strowger.errors import ConfigError, CredentialError
from strowger.providers.network import network_of
from strowger.upstreams.dialing import Dialer, Network, place_of
from tests.fakes.authority import Authority

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def config(**tables: Any) -> Config:
    """A configuration as it is read from a file."""
    found, problems = convert(Config, tables)
    assert found is not None
    assert problems == []
    return found


def proxy(network: Network, url: str) -> str | None:
    """The proxy on the way to a URL."""
    found = Dialer(network=network).proxy_for(place_of(url))
    return found.shown if found else None


async def test_the_environments() -> None:
    """Without a word in the configuration it is the environment that is handed in, not that of the process."""
    assert proxy(await network_of(config(), {"HTTPS_PROXY": "p:1"}), "https://a.test/") == "http://p:1"
    assert proxy(await network_of(config(), {}), "https://a.test/") is None


async def test_the_configurations() -> None:
    """Its proxy, which may be a secret elsewhere, and what is reached without it."""
    env = {"COMPANY": "http://mary:secret@p:2", "HTTPS_PROXY": "p:1", "NO_PROXY": "c.test"}
    network = await network_of(config(network={"proxy": "env:COMPANY", "no_proxy": ["b.test"]}), env)
    ways = [proxy(network, f"https://{host}/") for host in ("a.test", "b.test", "c.test")]
    assert ways == ["http://p:2", None, "http://p:2"]
    with pytest.raises(CredentialError):
        await network_of(config(network={"proxy": "env:GONE"}), env)
    with pytest.raises(ConfigError, match="^network.proxy "):
        await network_of(config(network={"proxy": "socks5://p:1"}), env)


async def test_a_providers(tmp_path: Path) -> None:
    """It has its own way, and that of others stays as it is."""
    bundle = Authority().bundle(tmp_path)
    providers = {
        "a": {"dialect": "openai_chat", "base_url": "https://a.test/v1", "proxy": "http://p:3"},
        "b": {"dialect": "openai_chat", "base_url": "https://b.test/v1", "proxy": "none"},
        "c": {"dialect": "openai_chat", "base_url": "https://c.test/v1", "ca_file": bundle},
        "d": {"dialect": "openai_chat", "base_url": "https://d.test/v1"},
        "e": {"dialect": "openai_chat", "base_url": "demo:"},
    }
    network = await network_of(config(providers=providers), {"ALL_PROXY": "p:1"})
    ways = [proxy(network, f"https://{host}.test/v1/x") for host in "abcd"]
    assert ways == ["http://p:3", None, "http://p:1", "http://p:1"]
    assert proxy(network, "https://a.test:8443/v1") == "http://p:1"
    trusts = [network.besides.get((f"{host}.test", 443, True), network).trust for host in "abcd"]
    assert [trust is network.trust for trust in trusts] == [True, True, False, True]


async def test_two_ways_to_one_host() -> None:
    """Which of them a connection took could not be said, as connections are shared."""
    providers = {
        "a": {"dialect": "openai_chat", "base_url": "https://a.test/v1", "proxy": "http://p:3"},
        "b": {"dialect": "anthropic", "base_url": "https://a.test/anthropic"},
    }
    with pytest.raises(ConfigError, match="`a` and `b` have one host"):
        await network_of(config(providers=providers), {})


@pytest.mark.parametrize(
    "tables, named",
    [
        ({"network": {"ca_file": "/gone.pem"}}, "network.ca_file"),
        ({"network": {"client_cert": "/gone.pem"}}, "network.client_cert"),
        (
            {"providers": {"a": {"dialect": "openai_chat", "base_url": "https://a.test", "ca_file": "/gone.pem"}}},
            "providers.a.ca_file",
        ),
        (
            {"providers": {"a": {"dialect": "openai_chat", "base_url": "https://a.test", "proxy": "ftp://p"}}},
            "providers.a.proxy",
        ),
    ],
)
async def test_what_is_of_no_use(tables: dict[str, Any], named: str) -> None:
    """It is told before anything is started, by its key."""
    with pytest.raises(ConfigError, match=named):
        await network_of(config(**tables), {})
