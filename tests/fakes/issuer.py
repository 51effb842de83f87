"""What every fake OAuth issuer shares: a clock, an account, grants whose refresh tokens are good once, a strict form.

Also `PlainIssuer`, the token endpoint of RFC 6749 alone, as any vendor with a credentials file has one. Knows no
vendor; a subclass says which paths there are and in which words they refuse.

    with CodexIssuer(at=NOON) as issuer:       # issuer.clock stands at noon until it is moved: issuer.clock.forward(60)
        login = issuer.login()                  # the answer of a token endpoint, as if a user had just logged in
        issuer.fails("/oauth/token", 503)       # the next request there fails
        issuer.hold = True                      # answers wait until it is False again
        issuer.loses = 1                        # the next token answer gets lost on its way, after it took effect
        issuer.count("/oauth/token"), issuer.accepts(access_token), issuer.requests
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections import deque
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import anyio
import msgspec
from aiohttp import web
from msgspec import Struct

from tests.fakes.authority import Authority
from tests.fakes.refusal import Json
from tests.fakes.server import FakeServer, Seen, json_response

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


class Clock:
    """The issuer's time, in Unix seconds: the machine's, unless it is told to stand still `at` some moment."""

    def __init__(self, at: float | None = None) -> None:
        self._at = at
        self._ahead = 0.0

    def now(self) -> float:
        """What time it is here."""
        return (time.time() if self._at is None else self._at) + self._ahead

    def forward(self, seconds: float) -> None:
        """Let time pass; negative: the clock is set back."""
        self._ahead += seconds


class Account(Struct, frozen=True):
    """Who logs in here."""

    id: str = "5f0c3f6e-9a41-4c1e-8b53-0d6f3f2f9a77"
    user: str = "user-Fk3bV1sX0nq2"
    email: str = "ann@example.test"
    plan: str = "pro"


class Grant(Struct):
    """What one login was given: its refresh token is replaced at each use, and the replaced ones are remembered."""

    client_id: str
    scope: str = ""
    device: str = ""
    refresh: str = ""
    spent: set[str] = set()
    access: dict[str, float] = {}
    end: str = ""
    """Why nothing of it is good any more: `reused`, `revoked`, `expired`."""


class Denial(Exception):
    """The issuer's answer to a request that it does not grant."""

    def __init__(self, error: str, description: str = "", *, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


class Failure(Struct, frozen=True):
    """An answer in place of the right one; status 0 hangs up without any."""

    path: str
    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]


class FakeIssuer(FakeServer):
    """The base of all. `lifetime`: of access tokens, in seconds; `rotates`: a refresh token is good once."""

    client_id = "client-of-the-tests"
    rotates = True

    def __init__(self, *, at: float | None = None, lifetime: float = 3600, tls: Authority | None = None) -> None:
        super().__init__(tls=tls)
        self.clock = Clock(at)
        self.lifetime = lifetime
        self.account = Account()
        self.grants: list[Grant] = []
        self.hold = False
        self.loses = 0
        self.secret = secrets.token_bytes(16)
        self._failures: deque[Failure] = deque()

    # -- for tests ---------------------------------------------------------------------------------------------------

    def login(self, *, device: str = "") -> Json:
        """The answer of the token endpoint to a user who has just logged in, without the way there."""
        grant = Grant(self.client_id, self.scope, device)
        self.grants.append(grant)
        return self.issue(grant)

    def count(self, path: str) -> int:
        """How many requests there were to a path."""
        return sum(seen.path == path for seen in self.requests)

    def fails(
        self, path: str, status: int, body: bytes = b"upstream trouble", *, headers: Json | None = None, times: int = 1
    ) -> None:
        """Let the next requests to a path fail, with any bytes as a body; status 0 hangs up."""
        failure = Failure(path, status, body, tuple((headers or {}).items()))
        self._failures.extend([failure] * times)

    def accepts(self, token: str) -> bool:
        """Whether an access token is good now: what a backend of the vendor would look at."""
        expiry = next((grant.access[token] for grant in self.grants if token in grant.access and not grant.end), 0.0)
        return expiry > self.clock.now()

    def end_logins(self, why: str = "expired") -> None:
        """No refresh token of before is good any more, as after a change of password."""
        for grant in self.grants:
            grant.end = grant.end or why

    # -- tokens ------------------------------------------------------------------------------------------------------

    scope = "offline_access"

    def issue(self, grant: Grant) -> Json:
        """The next tokens of a grant, as a token endpoint answers."""
        access = self.access_token(grant)
        grant.access[access] = self.clock.now() + self.lifetime
        answer: Json = {"access_token": access, "token_type": "Bearer", "expires_in": int(self.lifetime)}
        if self.rotates or not grant.refresh:
            if grant.refresh:
                grant.spent.add(grant.refresh)
            grant.refresh = f"rt_{secrets.token_urlsafe(24)}"
            answer["refresh_token"] = grant.refresh
        return {**answer, "scope": grant.scope} if grant.scope else answer

    def access_token(self, grant: Grant) -> str:
        """An access token; opaque, unless the vendor writes it as a JWT."""
        return f"at_{secrets.token_urlsafe(24)}"

    def refreshed(self, token: str) -> Json:
        """What a refresh token gives. One that was used before ends everything that came of its login."""
        for grant in self.grants:
            if token in grant.spent:
                grant.end = grant.end or "reused"
                grant.access.clear()
                raise self.ended("reused")
            if token == grant.refresh:
                if grant.end:
                    raise self.ended("revoked" if grant.end == "reused" else grant.end)
                return self.issue(grant)
        raise self.ended("unknown")

    def ended(self, why: str) -> Denial:
        """How this vendor says that a refresh token is good for nothing."""
        return Denial("invalid_grant", f"the refresh token is not valid: {why}")

    def revoke(self, token: str) -> bool:
        """End the grant that a refresh or access token is of; False for a token that is of none."""
        for grant in self.grants:
            if token == grant.refresh or token in grant.access:
                grant.end = "revoked"
                grant.access.clear()
                return True
        return False

    # -- one request -------------------------------------------------------------------------------------------------

    async def answer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        """The scripted failure, else what the vendor says."""
        failure = next((one for one in self._failures if one.path == seen.path), None)
        if failure is not None:
            self._failures.remove(failure)
            if failure.status == 0:
                hang_up(request)
            headers = {"content-type": JSON, "date": self._date(), **dict(failure.headers)}
            return web.Response(status=failure.status, body=failure.body, headers=headers)
        try:
            response = await self.respond(request, seen)
        except Denial as denial:
            seen.refused = denial.error
            response = self.denied(denial)
        while self.hold:  # noqa: ASYNC110  tests of another thread set it
            await anyio.sleep(0.005)
        response.headers["date"] = self._date()
        response.headers["cache-control"] = "no-store"
        return response

    async def respond(self, request: web.Request, seen: Seen) -> web.Response:
        """The vendor's paths. Raises Denial."""
        raise NotImplementedError

    def denied(self, denial: Denial) -> web.Response:
        """The body of a refusal, RFC 6749's unless the vendor has its own."""
        return json_response({"error": denial.error, "error_description": denial.description}, denial.status)

    def tokens(self, request: web.Request, answer: Json) -> web.Response:
        """A token answer on its way, on which it may get lost."""
        if self.loses:
            self.loses -= 1
            hang_up(request)
        return json_response(answer)

    def is_inference(self, seen: Seen) -> bool:
        """An issuer infers nothing."""
        return False

    def check_client(self, fields: Json) -> None:
        """Refuse a client that is not registered here."""
        if not fields.get("client_id"):
            raise Denial("invalid_request", "client_id is missing")
        if fields["client_id"] != self.client_id:
            raise Denial("invalid_client", "this client is not known", status=401)

    def _date(self) -> str:
        return formatdate(self.clock.now(), usegmt=True)


class PlainIssuer(FakeIssuer):
    """The token endpoint of RFC 6749 at `/token`, for refreshing alone.

    `speaks`: the content type it takes. `client_secret`: what a confidential client has to send. Not `rotates`: the
    refresh token stays good, and is not repeated in the answers.
    """

    def __init__(
        self,
        *,
        at: float | None = None,
        lifetime: float = 3600,
        tls: Authority | None = None,
        speaks: str = FORM,
        client_secret: str = "",
        rotates: bool = False,
    ) -> None:
        super().__init__(at=at, lifetime=lifetime, tls=tls)
        self.speaks = speaks
        self.client_secret = client_secret
        self.rotates = rotates

    async def respond(self, request: web.Request, seen: Seen) -> web.Response:
        """Refresh, and nothing else."""
        if seen.path != "/token":
            return web.Response(status=404, text="not found")
        fields = form(seen) if self.speaks == FORM else json_object(seen)
        self.check_client(fields)
        if self.client_secret and fields.get("client_secret") != self.client_secret:
            raise Denial("invalid_client", "the client did not prove who it is", status=401)
        if fields.get("grant_type") != "refresh_token":
            raise Denial("unsupported_grant_type", "this endpoint refreshes")
        return self.tokens(request, self.refreshed(needed(fields, "refresh_token")))


def form(seen: Seen) -> Json:
    """The fields of a form. Raises Denial for anything else, and for a field that is there twice."""
    _check_type(seen, FORM)
    pairs = parse_qsl(seen.raw.decode(), keep_blank_values=True, strict_parsing=True)
    if len(dict(pairs)) != len(pairs):
        raise Denial("invalid_request", "a parameter is there twice")
    return dict(pairs)


def json_object(seen: Seen) -> Json:
    """The fields of a JSON object. Raises Denial for anything else."""
    _check_type(seen, JSON)
    try:
        fields = msgspec.json.decode(seen.raw)
    except msgspec.DecodeError:
        raise Denial("invalid_request", "the body is not JSON") from None
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        raise Denial("invalid_request", "the body is not an object of strings")
    return fields


def _check_type(seen: Seen, wanted: str) -> None:
    given = (seen.header("content-type") or "").partition(";")[0].strip().lower()
    if seen.method != "POST":
        raise Denial("invalid_request", "this wants a POST", status=405)
    if given != wanted:
        raise Denial("invalid_request", f"the body has to be {wanted}", status=415)


def query(request: web.Request) -> dict[str, str]:
    """The parameters of a URL. Raises Denial for one that is there twice."""
    found = parse_qs(request.query_string, keep_blank_values=True)
    if any(len(values) > 1 for values in found.values()):
        raise Denial("invalid_request", "a parameter is there twice")
    return {name: values[0] for name, values in found.items()}


def needed(fields: Json, name: str) -> str:
    """A field that must be there. Raises Denial."""
    if not (value := fields.get(name)):
        raise Denial("invalid_request", f"{name} is missing")
    return str(value)


def hang_up(request: web.Request) -> None:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("the script hung up")


def challenge(verifier: str) -> str:
    """What PKCE's S256 makes of a verifier."""
    return unpadded(hashlib.sha256(verifier.encode()).digest())


def unpadded(data: bytes) -> str:
    """Base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(claims: Json, secret: bytes) -> str:
    """A signed JSON web token (HS256)."""
    head = unpadded(msgspec.json.encode({"alg": "HS256", "typ": "JWT"}))
    text = f"{head}.{unpadded(msgspec.json.encode(claims))}"
    return f"{text}.{unpadded(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def claims_of(token: str) -> Any:
    """What a JSON web token says, unverified."""
    payload = token.split(".")[1]
    return msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
