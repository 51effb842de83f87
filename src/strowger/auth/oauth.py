"""OAuth without I/O: what is asked of an issuer, and what its replies mean.

Every flow is two kinds of functions: `ask_…` builds a request, `read_…` reads the reply or raises `IssuerRefused`. The
clock and the randomness are handed in. Must not know HTTP libraries, files, or who waits for the outcome.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from strowger.auth.issuers import Format, Issuer, identity, life_of
from strowger.config.references import Secret
from strowger.errors import CredentialError

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
# RFC 8628 §3.2 and §3.5: seconds between polls unless told otherwise, and what `slow_down` adds to them.
POLL_SECONDS = 5.0
SLOWER_SECONDS = 5.0

_PERMANENT = frozenset({"refresh_token_expired", "refresh_token_reused", "refresh_token_invalidated", "invalid_grant"})
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# Whoever says more says that it never ends.
_LONGEST_LIFE_SECONDS = 10 * 366 * 86400.0
_LAST_SECOND = 253402300799.0  # of the year 9999


class Ask(msgspec.Struct, frozen=True):
    """A request to an issuer. Holds secrets: its repr shows where it goes and no more."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def __repr__(self) -> str:
        return f"Ask({self.method} {self.url.partition('?')[0]}, {len(self.body)} bytes)"


class Reply(msgspec.Struct, frozen=True):
    """An issuer's reply, whole; header names are lower case. Holds secrets, which its repr does not show."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Reply({self.status}, {len(self.body)} bytes)"


Exchange = Callable[[Ask], Awaitable[Reply]]
"""Sends a request and gives the whole reply, whatever its status. Raises UpstreamError when there is none."""


class Reason(StrEnum):
    """Why an issuer gave no tokens."""

    PENDING = "pending"  # the user has not decided yet: ask again
    SLOW_DOWN = "slow_down"  # the same, and ask less often from now on
    DENIED = "denied"  # the user, or a policy, said no
    EXPIRED = "expired"  # the device code is no longer good: start again
    DISABLED = "disabled"  # this way of logging in is switched off for the account
    PERMANENT = "permanent"  # this refresh token will never be taken again: log in
    TRANSIENT = "transient"  # the issuer is busy or broken: try later
    INVALID = "invalid"  # it took exception to the request, or sent what cannot be understood


class IssuerRefused(CredentialError):
    """An issuer did not give what was asked for. `code` is its own short word, if it was one."""

    def __init__(
        self,
        message: str,
        *,
        reason: Reason,
        code: str = "",
        hint: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint, retry_after=retry_after, code=code or None)
        self.reason = reason


class Tokens(msgspec.Struct, frozen=True):
    """What an issuer granted. `expires_at` is in unix seconds, `lifetime` what it was said to be, in seconds."""

    access: Secret
    refresh: Secret | None = None
    id_token: Secret | None = None
    expires_at: float | None = None
    lifetime: float | None = None
    scope: str = ""


class Pkce(msgspec.Struct, frozen=True):
    """The proof that whoever exchanges a code is whoever asked for it (RFC 7636, S256)."""

    verifier: Secret
    challenge: str


class DeviceCode(msgspec.Struct, frozen=True):
    """A login that waits for the user to type `user_code` at `page`. `complete` is the page with the code in it."""

    user_code: str
    device_code: Secret
    page: str
    complete: str
    interval: float
    expires_at: float


class Grant(msgspec.Struct, frozen=True):
    """What one way of the device flow ends with instead of tokens: a code to exchange, and its verifier."""

    code: Secret
    verifier: Secret
    redirect_uri: str


def new_pkce(random: Callable[[int], bytes] = secrets.token_bytes) -> Pkce:
    """A fresh verifier of 64 random bytes, with its challenge."""
    verifier = _base64url(random(64))
    return Pkce(Secret(verifier), _base64url(hashlib.sha256(verifier.encode()).digest()))


def new_state(random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A fresh text that ties an answer of the browser to our question."""
    return _base64url(random(32))


def authorise_url(issuer: Issuer, *, redirect_uri: str, pkce: Pkce, state: str) -> str:
    """Where the user's browser is sent to say yes."""
    query = [
        ("response_type", "code"),
        ("client_id", issuer.client_id),
        ("redirect_uri", redirect_uri),
        ("scope", issuer.scope),
        ("code_challenge", pkce.challenge),
        ("code_challenge_method", "S256"),
        ("state", state),
        *issuer.authorise_extras,
    ]
    return f"{issuer.url(issuer.authorise)}?{urlencode(query)}"


def read_callback(target: str, *, state: str) -> Secret:
    """The code in the URL (or its path and query) that the browser was sent back to. Raises IssuerRefused."""
    query = parse_qs(urlsplit(target.strip()).query)
    given = {name: values[0] for name, values in query.items()}
    # Compared before anything else is believed: an answer to somebody else's question may say whatever it likes.
    if not secrets.compare_digest(given.get("state", "").encode(), state.encode()):
        raise IssuerRefused(
            "the answer from the browser is not to our question (its `state` is another)",
            reason=Reason.INVALID,
            code="state_mismatch",
            hint="start the login again, and use the newest of the open pages",
        )
    if error := given.get("error"):
        denied = error == "access_denied"
        raise IssuerRefused(
            "the login was denied" if denied else f"the login failed: {_code(error) or 'for an unknown reason'}",
            reason=Reason.DENIED if denied else Reason.INVALID,
            code=_code(error),
        )
    if not (code := given.get("code")):
        raise IssuerRefused("the answer from the browser holds no code", reason=Reason.INVALID)
    return Secret(code)


def ask_code(issuer: Issuer, *, code: Secret, redirect_uri: str, verifier: Secret, device_id: str = "") -> Ask:
    """Exchange a code for tokens."""
    fields = {
        "grant_type": "authorization_code",
        "code": code.reveal(),
        "redirect_uri": redirect_uri,
        "client_id": issuer.client_id,
        "code_verifier": verifier.reveal(),
    }
    return _ask(issuer, issuer.token, fields, "form", device_id)


def ask_refresh(
    issuer: Issuer,
    refresh: Secret,
    *,
    device_id: str = "",
    client_secret: Secret | None = None,
    scope: str = "",
) -> Ask:
    """Exchange a refresh token for a new access token, and mostly a new refresh token."""
    fields = {"client_id": issuer.client_id, "grant_type": "refresh_token", "refresh_token": refresh.reveal()}
    if client_secret is not None:
        fields["client_secret"] = client_secret.reveal()
    if scope:
        fields["scope"] = scope
    return _ask(issuer, issuer.token, fields, issuer.refresh_format, device_id)


def ask_revoke(issuer: Issuer, tokens: Tokens, *, device_id: str = "") -> Ask | None:
    """Have a login declared void; None when the issuer has no such endpoint."""
    if not issuer.revoke:
        return None
    token, kind = (tokens.refresh, "refresh_token") if tokens.refresh else (tokens.access, "access_token")
    fields = {"token": token.reveal(), "token_type_hint": kind, "client_id": issuer.client_id}
    return _ask(issuer, issuer.revoke, fields, issuer.refresh_format, device_id)


def read_revoke(reply: Reply) -> None:
    """Whether a login is void now. Raises IssuerRefused; RFC 7009 answers 200 for unknown tokens too."""
    if reply.status >= 300:
        raise _refused(reply, Reason.TRANSIENT if _busy(reply.status) else Reason.INVALID)


def ask_device(issuer: Issuer, *, device_id: str = "") -> Ask:
    """Begin a login that is finished on another device."""
    fields = {"client_id": issuer.client_id}
    if issuer.device_style == "codex":
        return _ask(issuer, issuer.device, fields, "json", device_id)
    if issuer.scope:
        fields["scope"] = issuer.scope
    return _ask(issuer, issuer.device, fields, "form", device_id)


def read_device(issuer: Issuer, reply: Reply, *, now: float) -> DeviceCode:
    """The code to show to the user. `now` is in unix seconds. Raises IssuerRefused."""
    if reply.status != 200:
        if issuer.device_style == "codex" and reply.status == 404:
            raise IssuerRefused(
                "this account does not allow logging in with a device code",
                reason=Reason.DISABLED,
                hint="log in with the browser, or allow device codes in the account's security settings",
            )
        raise _refused(reply, Reason.TRANSIENT if _busy(reply.status) else Reason.INVALID)
    data = _table(reply)
    user_code = _text(data, "user_code", "usercode")
    device_code = _text(data, "device_code", "device_auth_id")
    page = _text(data, "verification_uri", "verification_url") or (
        issuer.device_page and issuer.url(issuer.device_page)
    )
    if not (user_code and device_code and page):
        raise _incomplete(issuer)
    return DeviceCode(
        user_code=user_code,
        device_code=Secret(device_code),
        page=page,
        complete=_text(data, "verification_uri_complete"),
        interval=_number(data.get("interval")) or POLL_SECONDS,
        expires_at=now + (_number(data.get("expires_in")) or issuer.device_seconds),
    )


def ask_device_tokens(issuer: Issuer, device: DeviceCode, *, device_id: str = "") -> Ask:
    """Ask whether the user has said yes. To be repeated every `device.interval` seconds."""
    code = device.device_code.reveal()
    if issuer.device_style == "codex":
        fields = {"device_auth_id": code, "user_code": device.user_code}
        return _ask(issuer, issuer.device_token, fields, "json", device_id)
    fields = {"grant_type": DEVICE_GRANT, "client_id": issuer.client_id, "device_code": code}
    return _ask(issuer, issuer.device_token, fields, "form", device_id)


def read_device_tokens(issuer: Issuer, reply: Reply, *, now: float) -> Tokens | Grant:
    """Tokens, or a grant still to be exchanged with `ask_code`. Raises IssuerRefused, mostly with Reason.PENDING."""
    if issuer.device_style != "codex":
        return read_tokens(issuer, reply, now=now)
    if reply.status in {403, 404}:
        raise IssuerRefused("the login has not been confirmed yet", reason=Reason.PENDING)
    if reply.status != 200:
        raise _refused(reply, _reason(issuer, reply))
    data = _table(reply)
    code, verifier = _text(data, "authorization_code"), _text(data, "code_verifier")
    if not (code and verifier):
        raise _incomplete(issuer)
    return Grant(Secret(code), Secret(verifier), issuer.url(issuer.device_redirect))


def read_tokens(issuer: Issuer, reply: Reply, *, now: float, old: Tokens | None = None) -> Tokens:
    """The tokens of a reply; what it leaves out stays as it is in `old`. `now` is in unix seconds.

    Raises IssuerRefused. The words of its errors are ours and the issuer's short code: its prose may repeat a token.
    """
    if reply.status != 200:
        raise _refused(reply, _reason(issuer, reply))
    data = _table(reply)
    # Some answer 200 with an error in the body.
    if _text(data, "error") and not _text(data, "access_token"):
        raise _refused(reply, _reason(issuer, reply))
    access = _text(data, "access_token")
    if not access and old is None:
        raise _incomplete(issuer)
    if access:
        expires_at, lifetime = _life(data, access, now)
    else:
        expires_at, lifetime = (old.expires_at, old.lifetime) if old else (None, None)
    return Tokens(
        access=Secret(access) if access or old is None else old.access,
        refresh=_secret(data, "refresh_token") or (old.refresh if old else None),
        id_token=_secret(data, "id_token") or (old.id_token if old else None),
        expires_at=expires_at,
        lifetime=lifetime,
        scope=_text(data, "scope") or (old.scope if old else ""),
    )


def is_permanent(error: CredentialError) -> bool:
    """Whether only a new login helps, when this came in answer to a refresh."""
    return isinstance(error, IssuerRefused) and error.reason in {Reason.PERMANENT, Reason.EXPIRED, Reason.DENIED}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """How many seconds the issuer wants us to wait, at most an hour.

    A date is measured against the reply's own `date`: the issuer's clock may not be ours.
    """
    value = headers.get("retry-after", "").strip()
    seconds = _number(value)
    if seconds is None:
        then, now = _date(value), _date(headers.get("date", ""))
        seconds = then - now if then is not None and now is not None else None
    return min(max(seconds, 0.0), 3600.0) if seconds is not None else None


def iso(moment: float) -> str:
    """Unix seconds as ISO 8601 in UTC; what no calendar holds is its nearest second."""
    return datetime.fromtimestamp(min(max(moment, 0.0), _LAST_SECOND), UTC).isoformat().replace("+00:00", "Z")


def _ask(issuer: Issuer, path: str, fields: Mapping[str, str], form: Format, device_id: str) -> Ask:
    if form == "json":
        kind, body = "application/json", msgspec.json.encode(fields)
    else:
        kind, body = "application/x-www-form-urlencoded", urlencode(fields).encode()
    headers = (*identity(issuer, device_id), ("Content-Type", kind), ("Accept", "application/json"))
    return Ask("POST", issuer.url(path), headers, body)


def _life(data: Mapping[str, object], access: str, now: float) -> tuple[float | None, float | None]:
    """When an access token ends, and how many seconds it lives, by the reply or by its own claims."""
    made, ends = life_of(access)
    lifetime = _number(data.get("expires_in"))
    if lifetime is None and ends is not None:
        lifetime = max(ends - (made if made is not None else now), 0.0)
    if ends is None and lifetime is not None:
        ends = now + lifetime
    return (
        None if ends is None else min(ends, now + _LONGEST_LIFE_SECONDS),
        None if lifetime is None else min(lifetime, _LONGEST_LIFE_SECONDS),
    )


def _reason(issuer: Issuer, reply: Reply) -> Reason:
    match _error_code(reply):
        case "authorization_pending":
            return Reason.PENDING
        case "slow_down":
            return Reason.SLOW_DOWN
        case "access_denied":
            return Reason.DENIED
        case "expired_token":
            return Reason.EXPIRED
        case code if code in _PERMANENT:
            return Reason.PERMANENT
        case _ if _busy(reply.status):
            return Reason.TRANSIENT
        case _ if reply.status in issuer.final:
            return Reason.PERMANENT
        case _:
            return Reason.INVALID


_SENTENCES = {
    Reason.PENDING: "the login has not been confirmed yet",
    Reason.SLOW_DOWN: "the issuer wants to be asked less often",
    Reason.DENIED: "the login was denied",
    Reason.EXPIRED: "the code has expired before the login was confirmed",
    Reason.PERMANENT: "the issuer does not take this login any more",
    Reason.TRANSIENT: "the issuer cannot answer now",
    Reason.INVALID: "the issuer refused the request",
}


def _refused(reply: Reply, reason: Reason) -> IssuerRefused:
    code = _error_code(reply)
    why = f"HTTP {reply.status}, {code}" if code else f"HTTP {reply.status}"
    return IssuerRefused(
        f"{_SENTENCES[reason]} ({why})", reason=reason, code=code, retry_after=retry_after(reply.headers)
    )


def _date(value: str) -> float | None:
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    # Dates in headers are in GMT; one without an offset is read as naive.
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def _incomplete(issuer: Issuer) -> IssuerRefused:
    return IssuerRefused(f"the answer of {issuer.title} lacks what it must hold", reason=Reason.INVALID)


def _busy(status: int) -> bool:
    return status in {408, 425, 429} or status >= 500


def _error_code(reply: Reply) -> str:
    """The issuer's short word: `error`, `error.code` or `code`; empty when there is none or it is prose."""
    try:
        data: object = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if not isinstance(data, dict):
        return ""
    error = data.get("error")
    inner = (error.get("code") or error.get("type")) if isinstance(error, dict) else error
    return _code(inner) or _code(data.get("code"))


def _code(value: object) -> str:
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""


def _table(reply: Reply) -> Mapping[str, object]:
    try:
        data: object = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise IssuerRefused("the issuer's answer is not a JSON object", reason=Reason.INVALID)
    return data


def _text(data: Mapping[str, object], *keys: str) -> str:
    return next((value for key in keys if isinstance(value := data.get(key), str) and value), "")


def _secret(data: Mapping[str, object], key: str) -> Secret | None:
    value = _text(data, key)
    return Secret(value) if value else None


def _number(value: object) -> float | None:
    """A positive number, also when it is written as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
