"""The fake issuers on their sockets: they grant what the real ones grant, and refuse what those refuse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import anyio
import pytest

from tests.fakes.authority import Authority
from tests.fakes.issuer import JSON, FakeIssuer, PlainIssuer, challenge, claims_of
from tests.fakes.issuer_codex import AUTH_CLAIM, REDIRECTS, CodexIssuer
from tests.fakes.issuer_kimi import DEVICE_GRANT, KimiIssuer

pytestmark = pytest.mark.anyio

NOON = 1_795_262_400.0
VERIFIER = "v" * 43
OURS = {"X-Msh-Platform": "strowger", "X-Msh-Version": "1", "X-Msh-Device-Id": "d1", "User-Agent": "strowger/1"}
ASKED = {
    "response_type": "code",
    "client_id": CodexIssuer.client_id,
    "redirect_uri": REDIRECTS[0],
    "scope": "openid profile email offline_access",
    "code_challenge": challenge(VERIFIER),
    "code_challenge_method": "S256",
    "state": "a state that nobody guesses",
    "originator": "strowger",
    "id_token_add_organizations": "true",
    "codex_cli_simplified_flow": "true",
}


class Asked:
    """An answer: its status, its body if that is JSON, its headers."""

    def __init__(self, status: int, body: Any, headers: dict[str, str]) -> None:
        self.status, self.body, self.headers = status, body, headers

    @property
    def code(self) -> str:
        """The short word of an error, in either shape."""
        error = self.body["error"]
        return str(error["code"] if isinstance(error, dict) else error)


async def ask(
    issuer: FakeIssuer,
    path: str,
    *,
    form: dict[str, str] | None = None,
    json: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> Asked:
    """A form or JSON is posted; without either the path is got."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            "GET" if form is None and json is None else "POST",
            issuer.base_url + path,
            data=form,
            json=json,
            headers=headers,
            allow_redirects=False,
        ) as response,
    ):
        body = await response.json() if response.content_type == JSON else await response.text()
        return Asked(response.status, body, {name.lower(): value for name, value in response.headers.items()})


@pytest.fixture
async def codex() -> AsyncIterator[CodexIssuer]:
    async with CodexIssuer(at=NOON) as issuer:
        yield issuer


@pytest.fixture
async def kimi() -> AsyncIterator[KimiIssuer]:
    async with KimiIssuer(at=NOON) as issuer:
        yield issuer


async def authorise(codex: CodexIssuer, **changes: str) -> tuple[str, dict[str, str]]:
    """Where the browser is sent, and with what."""
    answer = await ask(codex, f"/oauth/authorize?{urlencode({**ASKED, **changes})}")
    assert answer.status == 302, answer.body
    to, _, query = answer.headers["location"].partition("?")
    return to, {name: values[0] for name, values in parse_qs(query).items()}


def exchange(code: str, **changes: str) -> dict[str, str]:
    """The form that exchanges a code."""
    fields = {"code_verifier": VERIFIER, "client_id": CodexIssuer.client_id, "redirect_uri": REDIRECTS[0]}
    return {"grant_type": "authorization_code", "code": code, **fields, **changes}


def refresh(token: str, client_id: str = CodexIssuer.client_id) -> dict[str, str]:
    """The fields that refresh."""
    return {"client_id": client_id, "grant_type": "refresh_token", "refresh_token": token}


# ---- Codex: browser ----


async def test_a_code_is_exchanged_once(codex: CodexIssuer) -> None:
    """The browser comes back with the code and the state; the code gives tokens that say whose they are, once."""
    to, given = await authorise(codex)
    assert (to, given["state"]) == (REDIRECTS[0], ASKED["state"])
    answer = await ask(codex, "/oauth/token", form=exchange(given["code"]))
    assert answer.status == 200
    told = claims_of(answer.body["id_token"])
    assert told["email"] == codex.account.email
    assert told[AUTH_CLAIM]["chatgpt_account_id"] == codex.account.id
    assert claims_of(answer.body["access_token"])["exp"] == NOON + codex.lifetime
    assert codex.accepts(answer.body["access_token"])
    again = await ask(codex, "/oauth/token", form=exchange(given["code"]))
    assert (again.status, again.code) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "app_other"},
        {"client_id": ""},
        {"redirect_uri": "http://localhost:1456/auth/callback"},
        {"redirect_uri": "http://127.0.0.1:1455/auth/callback"},
    ],
)
async def test_nobody_is_sent_to_an_address_that_is_not_registered(codex: CodexIssuer, changes: dict[str, str]) -> None:
    """What is wrong with the client or its redirect URI is shown on a page."""
    answer = await ask(codex, f"/oauth/authorize?{urlencode({**ASKED, **changes})}")
    assert answer.status == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "changes, error",
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"scope": "openid offline_access everything"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"state": "s"}, "invalid_state"),
        ({"originator": ""}, "invalid_request"),
    ],
)
async def test_other_mistakes_come_back_to_the_client(codex: CodexIssuer, changes: dict[str, str], error: str) -> None:
    """The browser brings the error, with the state."""
    _, given = await authorise(codex, **changes)
    assert given["error"] == error
    assert "code" not in given


@pytest.mark.parametrize(
    "changes, error",
    [
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": "v"}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_request"),
        ({"redirect_uri": REDIRECTS[1]}, "invalid_grant"),
        ({"client_id": ""}, "invalid_request"),
        ({"client_id": "app_other"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
async def test_a_wrong_exchange(codex: CodexIssuer, changes: dict[str, str], error: str) -> None:
    """Verifier, redirect URI and client have to be those of the authorization."""
    _, given = await authorise(codex)
    answer = await ask(codex, "/oauth/token", form=exchange(given["code"], **changes))
    assert answer.code == error


async def test_content_types_are_not_interchangeable(codex: CodexIssuer) -> None:
    """A code comes in a form, a refresh in JSON."""
    _, given = await authorise(codex)
    assert (await ask(codex, "/oauth/token", json=exchange(given["code"]))).status == 415
    assert (await ask(codex, "/oauth/token", form=refresh(codex.login()["refresh_token"]))).status == 415


async def test_a_code_grows_old(codex: CodexIssuer) -> None:
    """A code is good for ten minutes."""
    _, given = await authorise(codex)
    codex.clock.forward(601)
    assert (await ask(codex, "/oauth/token", form=exchange(given["code"]))).code == "invalid_grant"


async def test_what_users_do(codex: CodexIssuer) -> None:
    """A user may deny, stay away, or come back from a page of another login."""
    codex.user = "denies"
    assert (await authorise(codex))[1]["error"] == "access_denied"
    codex.user = "answers another login"
    assert (await authorise(codex))[1]["state"] != ASKED["state"]
    codex.user = "answers without a code"
    assert "code" not in (await authorise(codex))[1]
    codex.user = "waits"
    assert (await ask(codex, f"/oauth/authorize?{urlencode(ASKED)}")).status == 200


# ---- refresh ----


async def test_a_refresh_token_is_good_once(codex: CodexIssuer) -> None:
    """Each refresh replaces it; whoever comes with the old one ends the whole login, the new tokens too."""
    first = codex.login()
    second = (await ask(codex, "/oauth/token", json=refresh(first["refresh_token"]))).body
    assert second["refresh_token"] != first["refresh_token"]
    reused = await ask(codex, "/oauth/token", json=refresh(first["refresh_token"]))
    assert (reused.status, reused.code) == (401, "refresh_token_reused")
    ended = await ask(codex, "/oauth/token", json=refresh(second["refresh_token"]))
    assert (ended.status, ended.code) == (401, "refresh_token_invalidated")
    assert not codex.accepts(second["access_token"])


async def test_logins_do_not_harm_each_other(codex: CodexIssuer) -> None:
    """What ends one login leaves another alone."""
    first, other = codex.login(), codex.login()
    for _ in range(2):
        await ask(codex, "/oauth/token", json=refresh(first["refresh_token"]))
    assert codex.accepts(other["access_token"])
    assert (await ask(codex, "/oauth/token", json=refresh(other["refresh_token"]))).status == 200


async def test_a_sparse_refresh(codex: CodexIssuer) -> None:
    """Every field but the access token may be missing: then the refresh token stays as it was."""
    login = codex.login()
    codex.sparse = True
    for _ in range(2):
        answer = await ask(codex, "/oauth/token", json=refresh(login["refresh_token"]))
        assert list(answer.body) == ["access_token"]
        assert codex.accepts(answer.body["access_token"])


async def test_tokens_expire_by_the_issuers_clock(codex: CodexIssuer) -> None:
    """The clock is the test's, also in the Date header."""
    login = codex.login()
    codex.clock.forward(codex.lifetime + 1)
    assert not codex.accepts(login["access_token"])
    answer = await ask(codex, "/oauth/token", json=refresh(login["refresh_token"]))
    assert parsedate_to_datetime(answer.headers["date"]).timestamp() == codex.clock.now()


async def test_revocation(codex: CodexIssuer) -> None:
    """A revoked login refreshes no more; a token that nobody knows is no error."""
    login = codex.login()
    fields = {"token": login["refresh_token"], "token_type_hint": "refresh_token"}
    assert (await ask(codex, "/oauth/revoke", json=fields)).code == "invalid_request"
    fields["client_id"] = codex.client_id
    assert (await ask(codex, "/oauth/revoke", json=fields)).status == 200
    assert not codex.accepts(login["access_token"])
    assert (await ask(codex, "/oauth/token", json=refresh(fields["token"]))).code == "refresh_token_invalidated"
    assert (await ask(codex, "/oauth/revoke", json={**fields, "token": "rt_unknown"})).status == 200


async def test_trouble_can_be_ordered(codex: CodexIssuer) -> None:
    """A test may have requests fail, be held, or have an answer get lost after it took effect."""
    login = codex.login()
    codex.fails("/oauth/token", 503, b"{}", headers={"retry-after": "1"})
    failed = await ask(codex, "/oauth/token", json=refresh(login["refresh_token"]))
    assert (failed.status, failed.headers["retry-after"]) == (503, "1")
    codex.fails("/oauth/token", 0)
    codex.loses = 1
    for spent in (False, True):  # without an answer, and with one that is lost
        with pytest.raises(aiohttp.ClientError):
            await ask(codex, "/oauth/token", json=refresh(login["refresh_token"]))
        assert (login["refresh_token"] in codex.grants[0].spent) is spent
    codex.hold = True
    with anyio.move_on_after(0.05) as scope:
        await ask(codex, "/oauth/token", json=refresh(codex.grants[0].refresh))
    assert scope.cancelled_caught
    assert codex.count("/oauth/token") == 4


async def test_a_change_of_password(codex: CodexIssuer) -> None:
    """All logins can be ended at once."""
    login = codex.login()
    codex.end_logins()
    answer = await ask(codex, "/oauth/token", json=refresh(login["refresh_token"]))
    assert (answer.status, answer.code) == (401, "refresh_token_expired")


# ---- Codex: device ----


async def test_codex_device(codex: CodexIssuer) -> None:
    """Pending until the user approves; then a code with its verifier, exchanged at the issuer's own redirect URI."""
    codex.user = "waits"
    device = (await ask(codex, "/api/accounts/deviceauth/usercode", json={"client_id": codex.client_id})).body
    assert device["interval"] == "5"
    fields = {"device_auth_id": device["device_auth_id"], "user_code": device["user_code"]}
    assert (await ask(codex, "/api/accounts/deviceauth/token", json=fields)).status == 403
    codex.user = "approves"
    granted = (await ask(codex, "/api/accounts/deviceauth/token", json=fields)).body
    assert challenge(granted["code_verifier"]) == granted["code_challenge"]
    code, verifier = granted["authorization_code"], granted["code_verifier"]
    for redirect, status in ((REDIRECTS[0], 400), (f"{codex.base_url}/deviceauth/callback", 400)):
        wrong = exchange(code, code_verifier=verifier, redirect_uri=redirect)
        assert (await ask(codex, "/oauth/token", form=wrong)).status == status  # the second: the code is spent
    assert (await ask(codex, "/api/accounts/deviceauth/token", json=fields)).status == 404


async def test_codex_device_is_an_allowance(codex: CodexIssuer) -> None:
    """Where the account may not use it, there is no such path."""
    codex.devices = False
    answer = await ask(codex, "/api/accounts/deviceauth/usercode", json={"client_id": codex.client_id})
    assert answer.status == 404


# ---- Kimi ----


async def start(kimi: KimiIssuer) -> dict[str, str]:
    """A device that waits, as the form with which it asks."""
    fields = {"client_id": kimi.client_id}
    answer = await ask(kimi, "/api/oauth/device_authorization", form=fields, headers=OURS)
    assert answer.status == 200, answer.body
    assert answer.body["user_code"] in urlsplit(answer.body["verification_uri_complete"]).query
    return {**fields, "grant_type": DEVICE_GRANT, "device_code": answer.body["device_code"]}


async def poll(kimi: KimiIssuer, fields: dict[str, str], wait: float = 5.0, device: str = "d1") -> Asked:
    """Ask for tokens, after a while of the issuer's time."""
    kimi.clock.forward(wait)
    return await ask(kimi, "/api/oauth/token", form=fields, headers={**OURS, "X-Msh-Device-Id": device})


async def test_kimi_device(kimi: KimiIssuer) -> None:
    """Pending until the user approves; the tokens are bound to the device, and are refreshed from there alone."""
    kimi.patience = 1
    fields = await start(kimi)
    assert (await poll(kimi, fields)).code == "authorization_pending"
    granted = await poll(kimi, fields)
    assert claims_of(granted.body["access_token"])["device_id"] == "d1"
    again = refresh(granted.body["refresh_token"], kimi.client_id)
    foreign = await poll(kimi, again, device="d2")
    assert (foreign.status, foreign.code) == (401, "invalid_grant")
    assert (await poll(kimi, again)).status == 200
    assert (await poll(kimi, again)).code == "invalid_grant"


async def test_kimi_is_not_hurried(kimi: KimiIssuer) -> None:
    """Who asks too often is told to slow down, each time by five seconds more, and gets nothing until it does."""
    fields = await start(kimi)
    assert (await poll(kimi, fields, 1)).code == "slow_down"
    assert (await poll(kimi, fields, 5)).code == "slow_down"
    assert (await poll(kimi, fields, 15)).status == 200


async def test_kimi_device_ends(kimi: KimiIssuer) -> None:
    """The user may deny, and a code grows old."""
    kimi.user = "denies"
    fields = await start(kimi)
    assert (await poll(kimi, fields)).code == "access_denied"
    kimi.clock.forward(kimi.device_lifetime)
    assert (await poll(kimi, fields)).code == "expired_token"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Msh-Device-Id": ""},
        {"X-Msh-Platform": ""},
        {"X-Msh-Platform": "kimi_cli"},
        {"User-Agent": "KimiCLI/1.37.0"},
    ],
)
async def test_kimi_wants_to_know_who_asks(kimi: KimiIssuer, headers: dict[str, str]) -> None:
    """A client says its own name and its device."""
    answer = await ask(
        kimi, "/api/oauth/device_authorization", form={"client_id": kimi.client_id}, headers={**OURS, **headers}
    )
    assert answer.status in (400, 403)


# ---- any other ----


async def test_a_plain_endpoint() -> None:
    """The refresh token of a plain issuer stays good, and a confidential client has to prove who it is."""
    async with PlainIssuer(client_secret="hush") as issuer:
        login = issuer.login()
        fields = refresh(login["refresh_token"], issuer.client_id)
        assert (await ask(issuer, "/token", form=fields)).code == "invalid_client"
        for _ in range(2):
            answer = await ask(issuer, "/token", form={**fields, "client_secret": "hush"})
            assert "refresh_token" not in answer.body
            assert issuer.accepts(answer.body["access_token"])
        assert (await ask(issuer, "/token", json={**fields, "client_secret": "hush"})).status == 415


async def test_a_plain_endpoint_may_speak_json_and_rotate() -> None:
    """Both are the vendor's choice."""
    async with PlainIssuer(speaks=JSON, rotates=True) as issuer:
        login = issuer.login()
        answer = await ask(issuer, "/token", json=refresh(login["refresh_token"], issuer.client_id))
        assert answer.body["refresh_token"] != login["refresh_token"]


async def test_over_tls() -> None:
    """An issuer is at home on https."""
    authority = Authority()
    async with CodexIssuer(tls=authority) as issuer:
        connector = aiohttp.TCPConnector(ssl=authority.trusting())
        async with aiohttp.ClientSession(connector=connector) as session:
            fields = refresh(issuer.login()["refresh_token"])
            async with session.post(f"{issuer.base_url}/oauth/token", json=fields) as response:
                assert response.status == 200
    assert issuer.base_url.startswith("https://")
