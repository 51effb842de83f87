"""Who may come in: Host and Origin on every request, client tokens, launch tokens, the admin token.

A gateway on loopback is reachable from every web page the user opens: a page may post to it (Origin), and a name that
an attacker controls may be made to point at 127.0.0.1 (Host). Both are refused before a body is read. Must not know
what a call asks for.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import time
from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from strowger.config.checks import is_loopback
from strowger.errors import Forbidden
from strowger.upstreams.base import Headers

TOKEN_HEADER = "x-strowger-token"

SENTINEL = "sk-strowger-"
"""How a key begins that is none: what follows is the name of the provider that shall answer. For clients in which only
a key can be set; it lets nobody in, and it never travels."""

# What a client authenticates with, to us or past us; none of it goes further unless a route says so.
CREDENTIAL_HEADERS = frozenset(
    {"authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization", "cookie", TOKEN_HEADER}
)


_TICKET_SECONDS = 120.0

# Where clients put their key, in the dialects that they speak.
_CLIENT_HEADERS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")


class Launch(Struct, frozen=True):
    """A running launch: one client started by `strowger run`, known by its own token. It may go on from answers that
    were given to the `heir_of` that it names: whoever repeats a call refers to what its client had been told.
    """

    id: str
    name: str
    pid: int
    token: str
    project: str = ""
    heir_of: str = ""

    def __repr__(self) -> str:
        return f"Launch({self.id}, {self.name})"


class Client(Struct, frozen=True):
    """Who asks. `own` are the credential headers that the client sent for the upstream itself, not a token of ours;
    `launch` is the id of its launch, if it has one, and `project` the directory that it was started in. What is kept
    for it is kept under the name of its `owner`.
    """

    name: str
    own: Mapping[str, str] = MappingProxyType({})
    launch: str = ""
    project: str = ""
    heir_of: str = ""

    @property
    def owner(self) -> str:
        """Whose answers it may refer to."""
        return self.heir_of or self.name

    def __repr__(self) -> str:
        return f"Client({self.name})"


class Access:
    """The guard. `token_required` is on when a client token is configured or the gateway was started for one launch."""

    def __init__(
        self,
        *,
        bind: str = "127.0.0.1",
        allowed_hosts: tuple[str, ...] = (),
        allowed_origins: tuple[str, ...] = (),
        client_token: str | None = None,
        token_required: bool = False,
    ) -> None:
        self._external = not is_loopback(bind)
        self._hosts = {host.lower() for host in (*allowed_hosts, bind)}
        self._origins = {origin.lower().rstrip("/") for origin in allowed_origins}
        self._client_token = client_token
        self._launches: dict[str, Launch] = {}
        self.token_required = token_required or client_token is not None
        self.admin_token = secrets.token_urlsafe(32)
        self._tickets: dict[str, float] = {}

    def check_source(self, headers: Mapping[str, str], *, harmless: bool = False) -> Headers:
        """Refuse a foreign Host or Origin. Raises Forbidden. Gives the CORS headers that an allowed origin needs.

        `harmless`: at this path is a page that holds nothing, so a link on another page may lead there.
        """
        host = _host_name(headers.get("host", ""))
        if not self.is_ours(host):
            raise Forbidden(
                f"this gateway does not answer to the host name {host[:100]!r}",
                hint="use 127.0.0.1 or localhost, or list the name in server.allowed_hosts",
            )
        origin = headers.get("origin")
        if origin is not None:
            if origin.lower() == f"http://{headers['host']}".lower():
                return ()
            if origin.lower().rstrip("/") in self._origins:
                return (
                    ("Access-Control-Allow-Origin", origin),
                    ("Access-Control-Allow-Headers", headers.get("access-control-request-headers", "*")),
                    ("Access-Control-Allow-Methods", "GET, HEAD, POST, DELETE, OPTIONS"),
                    ("Access-Control-Expose-Headers", "*"),
                    ("Vary", "Origin"),
                )
            raise Forbidden(
                f"web pages of {origin[:100]!r} may not call this gateway",
                hint="list the origin in server.allowed_origins if you trust it",
            )
        follows_link = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not (harmless and follows_link):
            raise Forbidden("web pages of other sites may not call this gateway")
        return ()

    def is_ours(self, host: str) -> bool:
        """Whether a host name (lower case, no port) means this gateway."""
        if host in self._hosts or is_loopback(host):
            return True
        # Rebinding needs a name; an address typed into a base URL can only be meant.
        return self._external and _is_address(host)

    def is_meant(self, host: str, port: int, ours: int) -> bool:
        """Whether a whole URL in a request means this gateway, which listens on port `ours`, and not its neighbour.

        A bind to the outside may stand behind a port of another number.
        """
        return self.is_ours(host.lower()) and (port == ours or self._external)

    def admit(self, headers: Mapping[str, str]) -> Client:
        """Who asks. Raises Forbidden when a token is required and none of ours was sent.

        Forbidden and not "unauthenticated": clients answer a 401 with minutes of retries, or by logging their user out.
        """
        own = headers.get(TOKEN_HEADER)
        if own is not None:
            client = self._known(own)
            if client is None:
                raise Forbidden(f"the token in {TOKEN_HEADER} is not known here", hint=_TOKEN_HINT)
            return Client(client.name, _own(headers), client.launch, client.project, client.heir_of)
        for header in _CLIENT_HEADERS:
            value = headers.get(header)
            if value is None:
                continue
            client = self._known(_bearer(value))
            if client is not None:
                return client
        if self.token_required:
            sent = any(header in headers for header in _CLIENT_HEADERS) and sentinel(headers) is None
            problem = "the client token is wrong" if sent else "a client token is needed"
            raise Forbidden(f"{problem}", hint=_TOKEN_HINT)
        return Client("local", _own(headers))

    def admit_admin(self, headers: Mapping[str, str]) -> None:
        """Let the owner of the pidfile in. Raises Forbidden."""
        sent = headers.get(TOKEN_HEADER) or _bearer(headers.get("authorization", ""))
        if not _same(sent, self.admin_token):
            raise Forbidden(
                "the admin API needs the admin token",
                hint="it is in the gateway's own pid file; `strowger serve` prints where that is",
            )

    def admit_reader(self, headers: Mapping[str, str]) -> None:
        """Let in who holds the admin token or the client token: for what tells much and changes nothing.

        Raises Forbidden.
        """
        sent = headers.get(TOKEN_HEADER) or _bearer(headers.get("authorization", ""))
        if _same(sent, self.admin_token) or (self._client_token is not None and _same(sent, self._client_token)):
            return
        raise Forbidden(
            "the figures need the client token or the admin token",
            hint="set server.client_token and send it as a Bearer token, or set metrics.open = true or metrics.port",
        )

    def ticket(self) -> str:
        """Stands for the admin token once, for two minutes: what a browser is started with can be seen by others."""
        now = time.monotonic()
        self._tickets = {ticket: until for ticket, until in self._tickets.items() if until > now}
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = now + _TICKET_SECONDS
        return ticket

    def redeem(self, ticket: str) -> str:
        """The admin token for a ticket. Raises Forbidden for one that is used up, too old or none."""
        if self._tickets.pop(ticket, 0.0) <= time.monotonic():
            raise Forbidden("this link has been used, or is too old", hint="`strowger dashboard` makes another")
        return self.admin_token

    def open_launch(self, name: str, pid: int, project: str = "", *, heir_of: str = "") -> Launch:
        """A new launch with its own token."""
        launch = Launch(secrets.token_hex(6), name, pid, "strowger-" + secrets.token_urlsafe(24), project, heir_of)
        self._launches[launch.id] = launch
        return launch

    def close_launch(self, launch_id: str) -> bool:
        """Forget a launch: its token is worth nothing from now on."""
        return self._launches.pop(launch_id, None) is not None

    @property
    def launches(self) -> tuple[Launch, ...]:
        """The launches that are open."""
        return tuple(self._launches.values())

    def _known(self, token: str) -> Client | None:
        client = None
        if self._client_token is not None and _same(token, self._client_token):
            client = Client("token")
        for launch in self._launches.values():
            if _same(token, launch.token):
                client = Client(
                    f"launch:{launch.name}", launch=launch.id, project=launch.project, heir_of=launch.heir_of
                )
        return client


# Not to name x-api-key: Claude Code replaces any error that does so by "Not logged in", and its user never sees why.
_TOKEN_HINT = f"send it as a Bearer token, or in {TOKEN_HEADER}"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _host_name(value: str) -> str:
    """The name in a Host header, without port and brackets, lower case."""
    value = value.strip().lower()
    if value.startswith("["):
        return value[1:].partition("]")[0]
    return value.partition(":")[0]


def _bearer(value: str) -> str:
    scheme, _, rest = value.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else value


def _same(sent: str, known: str) -> bool:
    return hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), known.encode())


def sentinel(headers: Mapping[str, str]) -> str | None:
    """The provider that a client's key names (header names in lower case); None when it names none."""
    for header in _CLIENT_HEADERS:
        value = headers.get(header)
        if value is not None and (key := _bearer(value)).startswith(SENTINEL):
            return key.removeprefix(SENTINEL)
    return None


def _own(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {
        name: headers[name]
        for name in ("authorization", "x-api-key")
        if name in headers and not _bearer(headers[name]).startswith(SENTINEL)
    }
