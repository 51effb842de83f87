"""Where a URL leads, and what may stand in the head of a request. Connections are made in the integration tests."""

from __future__ import annotations

import pytest

from strowger.errors import Unreachable
from strowger.upstreams.dialing import Dialer, place_of, request_head


@pytest.mark.parametrize(
    "url, host, port, tls, path, name",
    [
        ("https://a.example/v1/x?y=1", "a.example", 443, True, "/v1/x?y=1", "a.example"),
        ("http://a.example:81", "a.example", 81, False, "/", "a.example:81"),
        ("http://[::1]:9/p", "::1", 9, False, "/p", "[::1]:9"),
        ("https://bücher.example/", "xn--bcher-kva.example", 443, True, "/", "xn--bcher-kva.example"),
    ],
)
def test_place(url: str, host: str, port: int, tls: bool, path: str, name: str) -> None:
    """A URL says where to connect, what to ask and what to call the host."""
    place = place_of(url)
    assert (place.host, place.port, place.tls, place.path, place.name) == (host, port, tls, path, name)


@pytest.mark.parametrize(
    "url", ["ftp://a.example", "http://", "https://user:pw@a.example/", "http://a:x/", "http://a/ü"]
)
def test_no_place(url: str) -> None:
    """What is no usable HTTP URL is refused, and the refusal does not quote it: it may hold a password."""
    with pytest.raises(Unreachable, match="^the upstream's URL cannot be used$"):
        place_of(url)


def test_shown_without_query() -> None:
    """A query may hold a key, so messages are without it."""
    assert place_of("https://a.example/v1?key=secret").shown == "https://a.example/v1"


def test_head() -> None:
    """The host is named unless the caller did, and a length stands only where there is a body."""
    place = place_of("http://a.example/x")
    assert request_head("GET", place, (("A", "b"),), None) == b"GET /x HTTP/1.1\r\nHost: a.example\r\nA: b\r\n\r\n"
    assert (
        request_head("POST", place, (("host", "c"),), 3) == b"POST /x HTTP/1.1\r\nhost: c\r\nContent-Length: 3\r\n\r\n"
    )


@pytest.mark.parametrize("value", ["a\r\nB: c", "a\nb", "a\rb", "a\0b"])
def test_broken_header(value: str) -> None:
    """A header that could begin another one is not sent, nor quoted."""
    with pytest.raises(Unreachable) as raised:
        request_head("GET", place_of("http://a.example/"), (("A", value),), None)
    assert value not in raised.value.text


def test_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment concerns all hosts but those it leaves out, and never this machine."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "plain.example")
    dialer = Dialer()
    hosts = ("a.example", "plain.example", "127.0.0.1", "[::1]")
    assert [dialer.goes_straight(place_of(f"https://{host}/")) for host in hosts] == [False, True, True, True]
    for name in ("https_proxy", "no_proxy"):
        monkeypatch.delenv(name)
    assert Dialer().goes_straight(place_of("https://a.example/"))
