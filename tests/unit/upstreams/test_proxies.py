"""Which hosts are behind a proxy: what the variables and the configuration say."""

from __future__ import annotations

import pytest

from strowger.config.references import Secret
from strowger.errors import ConfigError
from strowger.upstreams.proxies import Proxies, proxy_at

HTTP, HTTPS, ALL = "http://plain:1", "http://secure:2", "http://any:3"


def way(proxies: Proxies, host: str = "api.example", port: int = 443, *, tls: bool = True) -> str | None:
    """The proxy's address, None for none."""
    found = proxies.proxy_for(host, port, tls=tls)
    return found.shown if found else None


@pytest.mark.parametrize(
    "env, tls, shown",
    [
        ({}, True, None),
        ({"HTTPS_PROXY": HTTPS}, True, HTTPS),
        ({"HTTPS_PROXY": HTTPS}, False, None),
        ({"HTTP_PROXY": HTTP}, True, None),
        ({"HTTP_PROXY": HTTP}, False, HTTP),
        ({"http_proxy": HTTP}, False, HTTP),
        ({"HTTPS_PROXY": HTTPS, "https_proxy": ALL}, True, ALL),
        ({"HTTPS_PROXY": HTTPS, "https_proxy": ""}, True, None),
        ({"HTTPS_PROXY": "  "}, True, None),
        ({"ALL_PROXY": ALL}, True, ALL),
        ({"ALL_PROXY": ALL, "HTTPS_PROXY": HTTPS}, True, HTTPS),
        ({"all_proxy": ALL, "HTTP_PROXY": HTTP}, True, ALL),
        ({"HTTP_PROXY": HTTP, "REQUEST_METHOD": "GET"}, False, None),
        ({"http_proxy": HTTP, "REQUEST_METHOD": "GET"}, False, HTTP),
    ],
)
def test_variables(env: dict[str, str], tls: bool, shown: str | None) -> None:
    """Lower case before upper, the scheme's own before that for all; an empty one is none, even over the other case."""
    assert way(Proxies(env), tls=tls) == shown


@pytest.mark.parametrize(
    "no_proxy, straight, not_straight",
    [
        ("*", ["a.example", "10.0.0.1", "::2"], []),
        ("a.example", ["a.example", "A.Example", "b.a.example", "a.example."], ["ba.example", "example"]),
        (".a.example", ["a.example", "b.a.example"], ["ba.example"]),
        ("*.a.example", ["a.example", "c.b.a.example"], ["ba.example"]),
        ("A.EXAMPLE ,, b.example", ["a.example", "b.example"], ["c.example"]),
        ("a.example b.example", ["a.example", "b.example"], ["c.example"]),
        ("a.example:8443", ["a.example:8443", "b.a.example:8443"], ["a.example"]),
        ("10.1.0.0/16", ["10.1.2.3"], ["10.2.0.1", "a.example", "10.1.example"]),
        ("10.1.2.3", ["10.1.2.3"], ["10.1.2.30"]),
        ("10.1.2.3:8443", ["10.1.2.3:8443"], ["10.1.2.3"]),
        ("10.1.2.9/16", ["10.1.200.200"], ["10.2.0.1"]),
        ("fd00::/8", ["fd00::1"], ["fe80::1", "10.0.0.1"]),
        ("[fd00::1]:8443,fd00::2", ["fd00::1:8443", "fd00::2"], ["fd00::1"]),
        ("bücher.example", ["xn--bcher-kva.example"], []),
        (".", [], ["a.example"]),
        ("", [], ["a.example"]),
    ],
)
def test_no_proxy(no_proxy: str, straight: list[str], not_straight: list[str]) -> None:
    """Names with all below them, ports, addresses and networks; no name is looked up."""
    proxies = Proxies({"ALL_PROXY": ALL, "NO_PROXY": no_proxy})

    def at(text: str) -> str | None:
        host, port = (text[:-5], 8443) if text.endswith(":8443") else (text, 443)
        return way(proxies, host, port)

    assert {host: at(host) for host in straight} == dict.fromkeys(straight)
    assert {host: at(host) for host in not_straight} == dict.fromkeys(not_straight, ALL)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1", "a.localhost"])
def test_this_machine(host: str) -> None:
    """It is never behind a proxy, also where none of NO_PROXY says so."""
    assert way(Proxies({"ALL_PROXY": ALL}, Secret(ALL)), host) is None


def test_configured() -> None:
    """What is configured stands for the variables, both the proxy and what is reached without; `none` is none."""
    env = {"HTTPS_PROXY": HTTPS, "NO_PROXY": "a.example"}
    assert way(Proxies(env, Secret(ALL))) == ALL
    assert way(Proxies(env, Secret(ALL)), "a.example") is None
    assert way(Proxies(env, Secret(ALL), ()), "a.example") == ALL
    assert way(Proxies(env, None, ("b.example",)), "a.example") == HTTPS
    assert way(Proxies(env, None, ("b.example",)), "b.example") is None
    assert way(Proxies(env, Secret("None"))) is None


@pytest.mark.parametrize(
    "url, shown, pair",
    [
        ("proxy:3128", "http://proxy:3128", ""),
        ("http://proxy", "http://proxy:80", ""),
        ("https://proxy", "https://proxy:443", ""),
        ("http://[fd00::1]:8/", "http://[fd00::1]:8", ""),
        ("http://mary:p%40ss@proxy:1", "http://proxy:1", "Basic bWFyeTpwQHNz"),
        ("mary:p%40ss@proxy:1", "http://proxy:1", "Basic bWFyeTpwQHNz"),
        ("http://mary@proxy:1", "http://proxy:1", "Basic bWFyeTo="),
    ],
)
def test_address(url: str, shown: str, pair: str) -> None:
    """A URL, to which the scheme may be missing; user and password are as they were before they were quoted."""
    proxy = proxy_at(url, "HTTPS_PROXY")
    assert proxy.shown == shown
    assert (proxy.authorization.reveal() if proxy.authorization else "") == pair
    assert not pair or pair.removeprefix("Basic ") not in repr(proxy)


@pytest.mark.parametrize(
    "url",
    ["socks5://mary:secret@p:1", "http://mary:secret@", "http://mary:secret@p:x", "http://mary:sec ret@p:1", "p:1 p"],
)
def test_no_address(url: str) -> None:
    """It is told who named it, and not quoted: it may hold a password."""
    with pytest.raises(ConfigError, match="^network.proxy ") as raised:
        Proxies({}, Secret(url), ()).proxy_for("a.example", 443, tls=True)
    text = f"{raised.value.message} {raised.value.hint} {raised.value!r}"
    assert "secret" not in text
    assert "mary" not in text


def test_an_unfit_variable_is_told_when_it_is_needed() -> None:
    """Who reaches nothing but this machine need not care."""
    proxies = Proxies({"ALL_PROXY": "socks5h://p:1"})
    assert way(proxies, "localhost") is None
    with pytest.raises(ConfigError, match="^ALL_PROXY names a proxy of a kind that is not supported: socks5h$"):
        way(proxies)
