"""Which proxy a host is reached through: the one that is configured, or the one that the environment names.

The variables mean what they mean elsewhere: HTTPS_PROXY, HTTP_PROXY and ALL_PROXY in either case, the lower one first;
NO_PROXY lists what is reached straight. Must not know how a connection is made.
"""

from __future__ import annotations

import ipaddress
import re
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from strowger.config.checks import is_loopback
from strowger.config.references import Secret
from strowger.errors import ConfigError

STRAIGHT = "none"
"""What stands for a proxy where there shall be none, whatever the environment names."""

_PORTS = {"http": 80, "https": 443}


class Proxy(Struct, frozen=True):
    """A proxy, and who we are there. `named_by` is the variable or the key that a user would have to look at."""

    host: str
    port: int
    tls: bool
    authorization: Secret | None
    named_by: str

    @property
    def shown(self) -> str:
        """Its address for messages, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


def proxy_at(url: str, named_by: str) -> Proxy:
    """The proxy at a URL, to which `http://` may be missing. Raises ConfigError, which does not quote the URL."""
    text = url.strip()
    scheme, found, _ = text.partition("://")
    if found and scheme.lower() not in _PORTS:
        raise ConfigError(
            f"{named_by} names a proxy of a kind that is not supported: {scheme[:20]}",
            hint="http:// and https:// proxies are; many SOCKS proxies are HTTP proxies on another port",
        )
    try:
        parts = urlsplit(text if found else f"http://{text}")
        host, port = parts.hostname, parts.port
        if not host or re.search(r"\s", text):
            raise ValueError
        host = host if ":" in host else host.encode("idna").decode()
    except ValueError:
        raise ConfigError(
            f"{named_by} is no address of a proxy", hint="such as http://proxy.example:3128, or with user:password@"
        ) from None
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = Secret(f"Basic {b64encode(pair.encode()).decode()}")
    return Proxy(host, port or _PORTS[parts.scheme], parts.scheme == "https", authorization, named_by)


class Proxies:
    """What is reached through a proxy. `proxy` and `no_proxy` are configured, and stand for the environment's."""

    def __init__(
        self,
        env: Mapping[str, str],
        proxy: Secret | None = None,
        no_proxy: tuple[str, ...] | None = None,
        named_by: str = "network.proxy",
    ) -> None:
        """Raises ConfigError for a configured proxy that is none; one of the environment is only told when needed.

        `named_by` is the key of `proxy`.
        """
        self._env = env
        self._fixed: Proxy | None = None
        self._configured = proxy is not None
        if proxy is not None and proxy.reveal().strip().lower() != STRAIGHT:
            self._fixed = proxy_at(proxy.reveal(), named_by)
        left_out = re.split(r"[\s,]+", _variable(env, "no_proxy")[1]) if no_proxy is None else no_proxy
        self._straight = tuple(rule for text in left_out if (rule := _rule(text)) is not None)

    def proxy_for(self, host: str, port: int, *, tls: bool) -> Proxy | None:
        """The way to a host, None where it is reached straight. Raises ConfigError.

        This machine is never behind a proxy: a model that runs here would not be found there.
        """
        if is_loopback(host) or any(rule.holds(host, port) for rule in self._straight):
            return None
        if self._configured:
            return self._fixed
        for name in ("https_proxy" if tls else "http_proxy", "all_proxy"):
            variable, url = _variable(self._env, name)
            if url:
                return proxy_at(url, variable)
        return None


def _variable(env: Mapping[str, str], name: str) -> tuple[str, str]:
    """A variable in either case, and its value. An empty one in lower case switches that in upper case off."""
    if name in env:
        return name, env[name].strip()
    upper = name.upper()
    if upper == "HTTP_PROXY" and "REQUEST_METHOD" in env:
        return upper, ""  # under CGI, whoever makes a request sets this variable by a header
    return upper, env.get(upper, "").strip()


class _Rule(Struct, frozen=True):
    """One entry of NO_PROXY. `name` is a host with all below it, empty for every host; `port` None is every port."""

    name: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None
    port: int | None

    def holds(self, host: str, port: int) -> bool:
        if self.port is not None and self.port != port:
            return False
        host = host.strip("[]").rstrip(".").lower()
        if self.network is not None:
            try:
                return ipaddress.ip_address(host) in self.network
            except ValueError:
                return False  # names are not looked up: the proxy might know another address
        return not self.name or host == self.name or host.endswith(f".{self.name}")


def _rule(text: str) -> _Rule | None:
    """An entry as it stands in NO_PROXY; None for an empty one."""
    text = text.strip().lower()
    if not text:
        return None
    try:
        return _Rule("", ipaddress.ip_network(text.strip("[]"), strict=False), None)
    except ValueError:
        pass
    host, colon, digits = text.rpartition(":")
    port = int(digits) if colon and digits.isascii() and digits.isdigit() else None
    if port is not None:
        text = host
        try:
            return _Rule("", ipaddress.ip_network(text.strip("[]"), strict=False), port)
        except ValueError:
            pass
    name = text.removeprefix("*").lstrip(".").rstrip(".")
    if not name and text not in ("*", "*."):
        return None
    return _Rule(name if name.isascii() else name.encode("idna").decode(), None, port)
