"""The issuers as data: where they are, what they are told of us, and what their tokens tell of the user."""

from __future__ import annotations

import base64

import msgspec
import pytest

from strowger import __version__
from strowger.auth.issuers import (
    CODEX,
    ISSUERS,
    KIMI,
    Holder,
    claims,
    companions,
    holder_of,
    identity,
    is_safe,
    issuer_for,
    life_of,
)
from strowger.errors import ConfigError, CredentialError

AUTH = "https://api.openai.com/auth"


def jwt(body: object) -> str:
    return f"e30.{base64.urlsafe_b64encode(msgspec.json.encode(body)).rstrip(b'=').decode()}.signature"


def test_addresses() -> None:
    """A path is below the issuer's address; a whole URL is itself."""
    assert CODEX.url(CODEX.token) == "https://auth.openai.com/oauth/token"
    assert KIMI.url(KIMI.device) == "https://auth.kimi.com/api/oauth/device_authorization"
    assert CODEX.url("https://other.test/x") == "https://other.test/x"


@pytest.mark.parametrize("name", sorted(ISSUERS))
def test_another_address(name: str) -> None:
    """A variable moves an issuer: to https, or to this machine."""
    variable = ISSUERS[name].variable
    assert issuer_for(name, {}) is ISSUERS[name]
    assert issuer_for(name, {variable: " "}) is ISSUERS[name]
    assert issuer_for(name, {variable: "http://127.0.0.1:1/"}).base == "http://127.0.0.1:1"
    assert issuer_for(name, {variable: "https://login.example.com"}).base == "https://login.example.com"


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost@example.com",
        "https://user@example.com",
        "ftp://127.0.0.1",
        "//127.0.0.1",
        "nonsense",
        "https://",
        "http://127.0.0.1\\@example.com",
    ],
)
def test_refresh_tokens_do_not_travel_in_the_clear(url: str) -> None:
    """An address that is neither https nor on this machine, or that can be read in two ways, is refused."""
    assert not is_safe(url)
    with pytest.raises(ConfigError, match="STROWGER_CODEX_ISSUER"):
        issuer_for("codex", {"STROWGER_CODEX_ISSUER": url})


def test_an_unknown_issuer() -> None:
    """A login that nobody grants is named, with those that there are."""
    with pytest.raises(CredentialError) as caught:
        issuer_for("nope", {})
    assert caught.value.text == "there is no login for `nope` (hint: logins: codex, kimi)"


def test_we_say_who_we_are() -> None:
    """Every issuer is told our own name, and no other program's."""
    for issuer in ISSUERS.values():
        told = dict(identity(issuer, "d1"))
        assert told["User-Agent"] == f"strowger/{__version__}"
        assert not [value for value in told.values() if "codex_cli" in value or "kimi" in value.lower()]
    assert dict(identity(CODEX))["originator"] == "strowger"
    assert dict(CODEX.authorise_extras)["originator"] == "strowger"
    assert dict(identity(KIMI, "d1")) == {
        "User-Agent": f"strowger/{__version__}",
        "X-Msh-Platform": "strowger",
        "X-Msh-Version": __version__,
        "X-Msh-Device-Id": "d1",
    }
    assert "X-Msh-Device-Id" not in dict(identity(KIMI))


def test_what_goes_with_a_token() -> None:
    """The account goes with a Codex token, the device with a Kimi token, and nothing empty with either."""
    assert companions(CODEX, Holder()) == ()
    assert companions(CODEX, Holder(account_id="a")) == (("ChatGPT-Account-ID", "a"),)
    assert companions(CODEX, Holder(account_id="a", fedramp=True))[1] == ("X-OpenAI-Fedramp", "true")
    assert ("X-Msh-Device-Id", "d1") in companions(KIMI, Holder(), "d1")
    assert companions(msgspec.structs.replace(CODEX, name="oauth"), Holder(account_id="a")) == ()


def test_whose_a_codex_token_is() -> None:
    """The id token says it; what it leaves out, the access token may say."""
    id_token = jwt({"email": "a@b", AUTH: {"chatgpt_account_id": "acc", "chatgpt_plan_type": "pro", "user_id": "u"}})
    access = jwt({AUTH: {"chatgpt_account_id": "other", "chatgpt_account_is_fedramp": True}})
    assert holder_of(CODEX, id_token, access) == Holder("acc", "u", "a@b", "pro", True)
    profile = jwt({"https://api.openai.com/profile": {"email": "p@b"}, AUTH: {"chatgpt_user_id": "cu", "user_id": "u"}})
    assert holder_of(CODEX, "", profile) == Holder(user_id="cu", email="p@b")


@pytest.mark.parametrize("token", ["", "opaque", "a.b", "a.b.c", "a.!!.c", f"a.{'x' * 5}.c", jwt([1]), jwt("x")])
def test_what_is_no_jwt_tells_nothing(token: str) -> None:
    """An opaque or broken token is no error: it says nothing of its holder."""
    assert claims(token) == {}
    assert holder_of(CODEX, token, token) == Holder()
    assert life_of(token) == (None, None)


def test_claims_of_the_wrong_type() -> None:
    """Claims that are not what they should be are passed over."""
    odd = jwt({"email": 1, "exp": "soon", "iat": True, AUTH: {"chatgpt_account_id": [], "chatgpt_plan_type": None}})
    assert holder_of(CODEX, odd, odd) == Holder()
    assert life_of(odd) == (None, None)
    assert holder_of(CODEX, jwt({AUTH: "x"}), "") == Holder()


def test_the_life_of_a_token() -> None:
    """A JWT says when it was made and when it ends."""
    assert life_of(jwt({"iat": 100, "exp": 200.5})) == (100.0, 200.5)


def test_whose_a_kimi_token_is() -> None:
    """Of a Kimi token the subject is known."""
    assert holder_of(KIMI, "", jwt({"sub": "s"})) == Holder(user_id="s")
