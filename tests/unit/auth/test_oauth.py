"""What issuers are asked, to the byte, and what their replies are taken for."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from strowger.auth.issuers import CODEX, KIMI
from strowger.auth.oauth import (
    Ask,
    DeviceCode,
    Grant,
    IssuerRefused,
    Reason,
    Reply,
    Tokens,
    ask_code,
    ask_device,
    ask_device_tokens,
    ask_refresh,
    ask_revoke,
    authorise_url,
    is_permanent,
    iso,
    new_pkce,
    new_state,
    read_callback,
    read_device,
    read_device_tokens,
    read_revoke,
    read_tokens,
    retry_after,
)
from strowger.config.references import Secret
from strowger.errors import CredentialError

NOW = 1_800_000_000.0
OLD = Tokens(Secret("a0"), Secret("r0"), Secret("i0"), expires_at=NOW + 5, lifetime=900.0, scope="s0")


def reply(status: int, body: object = None, **headers: str) -> Reply:
    data = body if isinstance(body, bytes) else msgspec.json.encode({} if body is None else body)
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, data)


def form(ask: Ask) -> dict[str, str]:
    assert dict(ask.headers)["Content-Type"] == "application/x-www-form-urlencoded"
    return {name: values[0] for name, values in parse_qs(ask.body.decode(), strict_parsing=True).items()}


def sent(ask: Ask) -> object:
    assert dict(ask.headers)["Content-Type"] == "application/json"
    return msgspec.json.decode(ask.body)


def jwt(body: object) -> str:
    return f"e30.{base64.urlsafe_b64encode(msgspec.json.encode(body)).rstrip(b'=').decode()}.s"


# ---- browser ----


def test_pkce() -> None:
    """The challenge is the S256 of a verifier of the length that RFC 7636 wants, and both are new each time."""
    pkce = new_pkce()
    verifier = pkce.verifier.reveal()
    digest = hashlib.sha256(verifier.encode()).digest()
    assert pkce.challenge == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert 43 <= len(verifier) <= 128
    assert verifier not in repr(pkce)
    assert new_pkce() != pkce
    assert new_state() != new_state()
    assert len(new_state()) >= 32
    # The example of RFC 7636, appendix B.
    known = new_pkce(lambda _: base64.urlsafe_b64decode("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk="))
    assert known.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_page_of_a_browser_login() -> None:
    """The address says what a Codex login asks for, under our own name."""
    pkce = new_pkce()
    url = urlsplit(authorise_url(CODEX, redirect_uri="http://localhost:1455/auth/callback", pkce=pkce, state="st"))
    assert f"{url.scheme}://{url.netloc}{url.path}" == "https://auth.openai.com/oauth/authorize"
    assert {name: values[0] for name, values in parse_qs(url.query).items()} == {
        "response_type": "code",
        "client_id": CODEX.client_id,
        "redirect_uri": "http://localhost:1455/auth/callback",
        "scope": "openid profile email offline_access",
        "code_challenge": pkce.challenge,
        "code_challenge_method": "S256",
        "state": "st",
        "id_token_add_organizations": "true",
        "codex_cli_simplified_flow": "true",
        "originator": "strowger",
    }


@pytest.mark.parametrize(
    "target", ["http://localhost:1455/cb?code=c&state=st", "/cb?state=st&code=c", " ?code=c&state=st\n"]
)
def test_the_browser_comes_back(target: str) -> None:
    """The code is found in a whole address, in a path, and in what was pasted."""
    assert read_callback(target, state="st") == Secret("c")


@pytest.mark.parametrize(
    "target, reason, words",
    [
        ("/cb?code=c&state=other", Reason.INVALID, "not to our question"),
        ("/cb?code=c", Reason.INVALID, "not to our question"),
        ("/cb?error=access_denied", Reason.INVALID, "not to our question"),
        ("/cb?error=access_denied&state=st", Reason.DENIED, "the login was denied"),
        ("/cb?error=server_error&state=st", Reason.INVALID, "server_error"),
        ("/cb?error=<b>prose+planted</b>&state=st", Reason.INVALID, "unknown reason"),
        ("/cb?state=st", Reason.INVALID, "holds no code"),
        ("/cb?code=c&state=%ff", Reason.INVALID, "not to our question"),
    ],
)
def test_the_browser_comes_back_with_something_else(target: str, reason: Reason, words: str) -> None:
    """Nothing of an answer counts before its state is ours; an error is told by its code alone."""
    with pytest.raises(IssuerRefused, match=words) as caught:
        read_callback(target, state="st")
    assert caught.value.reason is reason
    assert "planted" not in caught.value.text


def test_a_code_is_exchanged_in_a_form() -> None:
    """The exchange carries the verifier and the address that the code was asked for with."""
    ask = ask_code(CODEX, code=Secret("c"), redirect_uri="http://localhost:1455/x", verifier=Secret("v"))
    assert (ask.method, ask.url) == ("POST", "https://auth.openai.com/oauth/token")
    assert form(ask) == {
        "grant_type": "authorization_code",
        "code": "c",
        "redirect_uri": "http://localhost:1455/x",
        "client_id": CODEX.client_id,
        "code_verifier": "v",
    }


# ---- refresh ----


def test_a_refresh() -> None:
    """Codex wants JSON, Kimi a form and the device; a client with a secret shows it."""
    assert sent(ask_refresh(CODEX, Secret("r"))) == {
        "client_id": CODEX.client_id,
        "grant_type": "refresh_token",
        "refresh_token": "r",
    }
    ask = ask_refresh(KIMI, Secret("r"), device_id="d1")
    assert form(ask) == {"client_id": KIMI.client_id, "grant_type": "refresh_token", "refresh_token": "r"}
    assert dict(ask.headers)["X-Msh-Device-Id"] == "d1"
    other = ask_refresh(KIMI, Secret("r"), client_secret=Secret("cs"), scope="a b")
    assert form(other)["client_secret"] == "cs"
    assert form(other)["scope"] == "a b"


def test_tokens() -> None:
    """A reply is read into tokens; one that is a JWT says itself when it ends, another by `expires_in`."""
    body = {"access_token": "a", "refresh_token": "r", "id_token": "i", "expires_in": 900, "scope": "s"}
    assert read_tokens(KIMI, reply(200, body), now=NOW) == Tokens(
        Secret("a"), Secret("r"), Secret("i"), expires_at=NOW + 900, lifetime=900.0, scope="s"
    )
    made = jwt({"iat": NOW - 50, "exp": NOW + 950})
    it = read_tokens(CODEX, reply(200, {"access_token": made}), now=NOW)
    assert (it.expires_at, it.lifetime, it.refresh) == (NOW + 950, 1000.0, None)
    later = read_tokens(CODEX, reply(200, {"access_token": jwt({"exp": NOW + 10})}), now=NOW)
    assert (later.expires_at, later.lifetime) == (NOW + 10, 10.0)
    ended = read_tokens(CODEX, reply(200, {"access_token": jwt({"exp": NOW - 10})}), now=NOW)
    assert ended.lifetime == 0.0
    unknown = read_tokens(CODEX, reply(200, {"access_token": "a"}), now=NOW)
    assert (unknown.expires_at, unknown.lifetime) == (None, None)


@pytest.mark.parametrize("expires_in", ["900", 900, 900.0])
def test_a_lifetime_may_be_text(expires_in: object) -> None:
    """Some issuers write numbers as text."""
    assert read_tokens(KIMI, reply(200, {"access_token": "a", "expires_in": expires_in}), now=NOW).lifetime == 900.0


@pytest.mark.parametrize("expires_in", [None, 0, -5, "soon", True, [], "nan", "inf"])
def test_a_lifetime_that_is_none(expires_in: object) -> None:
    """What cannot be a lifetime says nothing of it."""
    it = read_tokens(KIMI, reply(200, {"access_token": "a", "expires_in": expires_in}), now=NOW)
    assert (it.lifetime, it.expires_at) == (None, None)


@pytest.mark.parametrize("much", [1e300, "1e300", 10**17])
def test_a_lifetime_that_no_calendar_holds(much: object) -> None:
    """What ends after all of us is said to end in ten years, so that it can be written down as a date."""
    for answer in ({"access_token": "a", "expires_in": much}, {"access_token": jwt({"exp": much})}):
        it = read_tokens(KIMI, reply(200, answer), now=NOW)
        if it.expires_at is not None:
            assert it.lifetime is not None
            assert 0 < it.lifetime <= 3660 * 86400
            assert iso(it.expires_at) < "2040"
    assert iso(1e300) == "9999-12-31T23:59:59Z"
    assert iso(-1e300) == "1970-01-01T00:00:00Z"


def test_a_refresh_may_leave_out_anything() -> None:
    """What a reply to a refresh does not say stays as it was; a new access token has its own end."""
    assert read_tokens(CODEX, reply(200, {}), now=NOW, old=OLD) == OLD
    assert read_tokens(CODEX, reply(200, {"refresh_token": "r1", "access_token": None}), now=NOW, old=OLD) == (
        msgspec.structs.replace(OLD, refresh=Secret("r1"))
    )
    it = read_tokens(CODEX, reply(200, {"access_token": "a1"}), now=NOW, old=OLD)
    assert (it.access, it.refresh, it.id_token, it.scope) == (Secret("a1"), OLD.refresh, OLD.id_token, "s0")
    assert (it.expires_at, it.lifetime) == (None, None)


@pytest.mark.parametrize(
    "status, body, reason",
    [
        (401, {"error": {"code": "refresh_token_expired", "message": "planted"}}, Reason.PERMANENT),
        (401, {"error": {"code": "refresh_token_reused"}}, Reason.PERMANENT),
        (400, {"error": {"code": "refresh_token_invalidated"}}, Reason.PERMANENT),
        (400, {"error": "invalid_grant", "error_description": "planted"}, Reason.PERMANENT),
        (400, {"code": "invalid_grant"}, Reason.PERMANENT),
        (500, {"error": "invalid_grant"}, Reason.PERMANENT),
        (401, {}, Reason.PERMANENT),
        (401, b"<html>planted", Reason.PERMANENT),
        (403, b"<html>Cloudflare planted", Reason.INVALID),
        (400, {"error": "invalid_request"}, Reason.INVALID),
        (404, b"", Reason.INVALID),
        (302, b"", Reason.INVALID),
        (400, {"error": "authorization_pending"}, Reason.PENDING),
        (400, {"error": "slow_down"}, Reason.SLOW_DOWN),
        (400, {"error": "access_denied"}, Reason.DENIED),
        (400, {"error": "expired_token"}, Reason.EXPIRED),
        (429, {"error": "rate_limited"}, Reason.TRANSIENT),
        (503, b"planted", Reason.TRANSIENT),
        (408, b"", Reason.TRANSIENT),
        (200, {"error": "invalid_grant"}, Reason.PERMANENT),
        (200, b"planted", Reason.INVALID),
        (200, [1], Reason.INVALID),
        (200, {}, Reason.INVALID),
        (200, {"access_token": 5}, Reason.INVALID),
    ],
)
def test_refusals(status: int, body: object, reason: Reason) -> None:
    """What an issuer says instead of tokens is sorted by what is to be done; its prose, which may hold a token, is not
    repeated.
    """
    with pytest.raises(IssuerRefused) as caught:
        read_tokens(CODEX, reply(status, body), now=NOW)
    assert caught.value.reason is reason
    assert "planted" not in f"{caught.value.text} {caught.value!r}"


def test_at_kimi_forbidden_is_final() -> None:
    """At Kimi 403 means a new login, elsewhere it may be a gate in between."""
    with pytest.raises(IssuerRefused) as caught:
        read_tokens(KIMI, reply(403, b""), now=NOW)
    assert is_permanent(caught.value)


def test_what_is_permanent() -> None:
    """An end, a denial and an expiry are answers to a refresh after which only a login helps."""
    assert {reason for reason in Reason if is_permanent(IssuerRefused("x", reason=reason))} == {
        Reason.PERMANENT,
        Reason.EXPIRED,
        Reason.DENIED,
    }
    assert not is_permanent(CredentialError("x"))


@pytest.mark.parametrize(
    "headers, seconds",
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "999999"}, 3600.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:00 GMT", "date": "Fri, 20 Nov 2026 10:00:30 GMT"}, 0.0),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:00 GMT"}, None),
    ],
)
def test_when_to_come_again(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds or a date, the date by the issuer's own clock; at most an hour, and nonsense is no wish."""
    assert retry_after(headers) == seconds


def test_the_wish_is_on_the_error() -> None:
    """A refusal says when the issuer wants to be asked again."""
    with pytest.raises(IssuerRefused) as caught:
        read_tokens(CODEX, reply(429, b"", retry_after="9"), now=NOW)
    assert caught.value.retry_after == 9.0


# ---- device ----


def test_a_device_login_at_codex() -> None:
    """Codex's own way: JSON, a code to type at its page, then a code to exchange with the verifier that it gives."""
    ask = ask_device(CODEX)
    assert ask.url == "https://auth.openai.com/api/accounts/deviceauth/usercode"
    assert sent(ask) == {"client_id": CODEX.client_id}
    body = {"device_auth_id": "d", "user_code": "AB-CD", "interval": "5"}
    device = read_device(CODEX, reply(200, body), now=NOW)
    page = "https://auth.openai.com/codex/device"
    assert device == DeviceCode("AB-CD", Secret("d"), page, "", 5.0, NOW + 900)
    older = {"device_auth_id": "d", "usercode": "AB-CD", "interval": 5}
    assert read_device(CODEX, reply(200, older), now=NOW) == device
    poll = ask_device_tokens(CODEX, device)
    assert poll.url == "https://auth.openai.com/api/accounts/deviceauth/token"
    assert sent(poll) == {"device_auth_id": "d", "user_code": "AB-CD"}
    for status in (403, 404):
        with pytest.raises(IssuerRefused) as caught:
            read_device_tokens(CODEX, reply(status, b""), now=NOW)
        assert caught.value.reason is Reason.PENDING
    granted = read_device_tokens(CODEX, reply(200, {"authorization_code": "c", "code_verifier": "v"}), now=NOW)
    assert granted == Grant(Secret("c"), Secret("v"), "https://auth.openai.com/deviceauth/callback")


def test_a_device_login_at_kimi() -> None:
    """RFC 8628, in forms."""
    ask = ask_device(KIMI, device_id="d1")
    assert form(ask) == {"client_id": KIMI.client_id}
    assert dict(ask.headers)["X-Msh-Device-Id"] == "d1"
    body = {
        "user_code": "U",
        "device_code": "dc",
        "verification_uri": "https://k/d",
        "verification_uri_complete": "https://k/d?U",
        "expires_in": 600,
    }
    device = read_device(KIMI, reply(200, body), now=NOW)
    assert device == DeviceCode("U", Secret("dc"), "https://k/d", "https://k/d?U", 5.0, NOW + 600)
    poll = ask_device_tokens(KIMI, device)
    assert form(poll) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": KIMI.client_id,
        "device_code": "dc",
    }
    assert isinstance(read_device_tokens(KIMI, reply(200, {"access_token": "a"}), now=NOW), Tokens)


@pytest.mark.parametrize(
    "status, body, reason",
    [
        (404, b"", Reason.DISABLED),
        (500, b"", Reason.TRANSIENT),
        (400, b"", Reason.INVALID),
        (200, {"user_code": "U"}, Reason.INVALID),
        (200, b"<html>", Reason.INVALID),
    ],
)
def test_no_device_code(status: int, body: object, reason: Reason) -> None:
    """An account may not allow it; other troubles are as everywhere."""
    with pytest.raises(IssuerRefused) as caught:
        read_device(CODEX, reply(status, body), now=NOW)
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    "status, body, reason",
    [
        (500, b"", Reason.TRANSIENT),
        (400, {"error": {"code": "access_denied"}}, Reason.DENIED),
        (200, {"authorization_code": "c"}, Reason.INVALID),
    ],
)
def test_a_poll_at_codex_that_fails(status: int, body: object, reason: Reason) -> None:
    """What is neither a grant nor a wait ends the login, or is tried again."""
    with pytest.raises(IssuerRefused) as caught:
        read_device_tokens(CODEX, reply(status, body), now=NOW)
    assert caught.value.reason is reason


# ---- revoke ----


def test_revoking() -> None:
    """The refresh token is revoked, or the access token where there is none; Kimi has no way to."""
    ask = ask_revoke(CODEX, OLD)
    assert ask is not None
    assert ask.url == "https://auth.openai.com/oauth/revoke"
    assert sent(ask) == {"token": "r0", "token_type_hint": "refresh_token", "client_id": CODEX.client_id}
    other = ask_revoke(CODEX, Tokens(Secret("a")))
    assert other is not None
    assert sent(other) == {"token": "a", "token_type_hint": "access_token", "client_id": CODEX.client_id}
    assert ask_revoke(KIMI, OLD) is None
    read_revoke(reply(200))
    for status, reason in ((503, Reason.TRANSIENT), (400, Reason.INVALID)):
        with pytest.raises(IssuerRefused) as caught:
            read_revoke(reply(status, b""))
        assert caught.value.reason is reason


def test_nothing_is_shown() -> None:
    """Requests, replies, tokens, codes and grants hide what they hold."""
    ask = ask_refresh(KIMI, Secret("planted"))
    shown = [
        ask,
        Reply(200, {"set-cookie": "planted"}, b"planted"),
        Tokens(Secret("planted"), Secret("planted"), Secret("planted")),
        DeviceCode("U", Secret("planted"), "p", "", 5.0, NOW),
        Grant(Secret("planted"), Secret("planted"), "u"),
        Ask("GET", "https://i/authorize?code=planted", (("Authorization", "planted"),)),
    ]
    assert "planted" not in repr(shown) + str(shown)
    assert repr(ask) == f"Ask(POST https://auth.kimi.com/api/oauth/token, {len(ask.body)} bytes)"


def test_dates() -> None:
    """Moments are written in UTC."""
    assert iso(0.0) == "1970-01-01T00:00:00Z"
