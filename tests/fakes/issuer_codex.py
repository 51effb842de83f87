"""A fake of OpenAI's issuer as Codex logs in at: browser with PKCE, device code, refresh, revocation.

What it checks is what the real one is known to check: the registered redirect URIs, the S256 verifier, a form for the
code and JSON for the refresh, refresh tokens that are good once. Whoever stands for the user is told by `user`.
"""

from __future__ import annotations

import html
import secrets
from typing import Literal
from urllib.parse import urlencode

from aiohttp import web
from msgspec import Struct

from tests.fakes.authority import Authority
from tests.fakes.issuer import Denial, FakeIssuer, Grant, challenge, form, json_object, jwt, needed, query
from tests.fakes.refusal import Json
from tests.fakes.server import Seen, json_response, run_alone

User = Literal["approves", "denies", "waits", "answers another login", "answers without a code"]
"""What the user does with the page, or with the device code."""

AUTH_CLAIM = "https://api.openai.com/auth"
PROFILE_CLAIM = "https://api.openai.com/profile"
REDIRECTS = ("http://localhost:1455/auth/callback", "http://localhost:1457/auth/callback")
SCOPES = {"openid", "profile", "email", "offline_access", "api.connectors.read", "api.connectors.invoke"}

_ENDED = {
    "expired": ("refresh_token_expired", "Your refresh token has expired. Please try signing in again."),
    "reused": (
        "refresh_token_reused",
        "Your refresh token has already been used to generate a new access token. Please try signing in again.",
    ),
    "revoked": ("refresh_token_invalidated", "Your session has ended. Please try signing in again."),
}


class Code(Struct):
    """An authorization code, good once and for ten minutes."""

    challenge: str
    redirect: str
    scope: str
    expires: float


class Device(Struct):
    """A device that waits for its user."""

    user_code: str
    expires: float
    polled: float = 0.0


class CodexIssuer(FakeIssuer):
    """`devices`: whether the account may use device codes. `sparse`: a refresh answers with an access token alone."""

    client_id = "app_EMoamEEZ73f0CkXaXp7hrann"
    scope = "openid profile email offline_access"

    def __init__(
        self,
        *,
        at: float | None = None,
        lifetime: float = 864_000,
        user: User = "approves",
        tls: Authority | None = None,
    ) -> None:
        super().__init__(at=at, lifetime=lifetime, tls=tls)
        self.user: User = user
        self.devices = True
        self.sparse = False
        self.interval = "5"
        self.pending_status = 403
        self.redirects = REDIRECTS
        self.waiting: dict[str, Device] = {}
        self._codes: dict[str, Code] = {}

    async def respond(self, request: web.Request, seen: Seen) -> web.Response:
        """The paths of the real one."""
        match seen.method, seen.path:
            case "GET", "/oauth/authorize":
                return self._authorize(request)
            case "POST", "/oauth/token":
                return self.tokens(request, self._token(seen))
            case "POST", "/oauth/revoke":
                return self._revoke(seen)
            case "POST", "/api/accounts/deviceauth/usercode" if self.devices:
                return self._user_code(seen)
            case "POST", "/api/accounts/deviceauth/token" if self.devices:
                return self._device(seen)
            case "GET", "/codex/device":
                return _page("Enter the code that your device shows.")
            case _:
                return web.Response(status=404, text="Not Found")

    def denied(self, denial: Denial) -> web.Response:
        """OpenAI's own shape of an error."""
        error = {
            "message": denial.description,
            "type": "invalid_request_error",
            "param": None,
            "code": denial.error,
        }
        return json_response({"error": error}, denial.status)

    def ended(self, why: str) -> Denial:
        """A refresh token that is good for nothing, with the code that says why."""
        error, description = _ENDED.get(why, _ENDED["revoked"])
        return Denial(error, description, status=401)

    # -- browser -----------------------------------------------------------------------------------------------------

    def _authorize(self, request: web.Request) -> web.Response:
        """The page. What is wrong with the client or its address is shown here: it is not sent there."""
        try:
            asked = query(request)
            self.check_client(asked)
            redirect = needed(asked, "redirect_uri")
            if redirect not in self.redirects:
                raise Denial("invalid_request", "redirect_uri is not registered for this client")
        except Denial as denial:
            return _page(f"{denial.error}: {denial.description}", status=400)
        state = asked.get("state", "")
        try:
            code = self._code(asked, redirect)
        except Denial as denial:
            return _redirect(redirect, error=denial.error, error_description=denial.description, state=state)
        match self.user:
            case "approves":
                return _redirect(redirect, code=code, scope=asked["scope"], state=state)
            case "denies":
                return _redirect(
                    redirect, error="access_denied", error_description="The user denied access.", state=state
                )
            case "answers another login":
                return _redirect(redirect, code=code, state=f"{state}x")
            case "answers without a code":
                return _redirect(redirect, state=state)
            case _:
                return _page("Log in to the fake. Nobody does.")

    def _code(self, asked: dict[str, str], redirect: str) -> str:
        if asked.get("response_type") != "code":
            raise Denial("unsupported_response_type", "response_type has to be code")
        scopes = set(needed(asked, "scope").split())
        if not {"openid", "offline_access"} <= scopes <= SCOPES:
            raise Denial("invalid_scope", "the scope is not one of this client's")
        if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43:
            raise Denial("invalid_request", "code_challenge has to be S256")
        if len(needed(asked, "state")) < 16:
            raise Denial("invalid_state", "state has too little entropy")
        for name in ("originator", "id_token_add_organizations", "codex_cli_simplified_flow"):
            needed(asked, name)
        return self._new_code(asked["code_challenge"], redirect, asked["scope"])

    def _new_code(self, challenge: str, redirect: str, scope: str) -> str:
        code = f"ac_{secrets.token_urlsafe(24)}"
        self._codes[code] = Code(challenge, redirect, scope, self.clock.now() + 600)
        return code

    # -- tokens ------------------------------------------------------------------------------------------------------

    def _token(self, seen: Seen) -> Json:
        is_form = (seen.header("content-type") or "").startswith("application/x-www-form-urlencoded")
        fields = form(seen) if is_form else json_object(seen)
        self.check_client(fields)
        match needed(fields, "grant_type"), is_form:
            case "authorization_code", True:
                return self._exchanged(fields)
            case "refresh_token", False:
                answer = self.refreshed(needed(fields, "refresh_token"))
                return {"access_token": answer["access_token"]} if self.sparse else answer
            case "authorization_code" | "refresh_token", _:
                raise Denial("invalid_request", "this grant wants another content type", status=415)
            case _:
                raise Denial("unsupported_grant_type", "this grant is not one of ours")

    def _exchanged(self, fields: Json) -> Json:
        verifier = needed(fields, "code_verifier")
        code = self._codes.pop(needed(fields, "code"), None)
        if code is None or code.expires < self.clock.now():
            raise Denial("invalid_grant", "The authorization code is not valid or has expired.")
        if code.redirect != needed(fields, "redirect_uri"):
            raise Denial("invalid_grant", "redirect_uri is not the one of the authorization.")
        if not 43 <= len(verifier) <= 128 or challenge(verifier) != code.challenge:
            raise Denial("invalid_grant", "The code verifier does not match.")
        grant = Grant(self.client_id, code.scope)
        self.grants.append(grant)
        return self.issue(grant)

    def issue(self, grant: Grant) -> Json:
        """The tokens, with the id token of the account; a sparse issuer keeps its refresh token."""
        if self.sparse and grant.refresh:
            access = self.access_token(grant)
            grant.access[access] = self.clock.now() + self.lifetime
            return {"access_token": access}
        return {**super().issue(grant), "id_token": self.id_token()}

    def id_token(self) -> str:
        """What is said of the account, in the real one's names."""
        now, account = int(self.clock.now()), self.account
        claims = {
            "iss": self.base_url,
            "aud": [self.client_id],
            "sub": f"auth0|{account.user}",
            "iat": now,
            "exp": now + 3600,
            "jti": secrets.token_hex(8),
            "email": account.email,
            "email_verified": True,
            AUTH_CLAIM: self._standing(),
        }
        return jwt(claims, self.secret)

    def access_token(self, grant: Grant) -> str:
        """A JWT that says until when it is good, and whose it is."""
        now = int(self.clock.now())
        claims = {
            "iss": self.base_url,
            "aud": ["https://api.openai.com/v1"],
            "client_id": grant.client_id,
            "iat": now,
            "nbf": now,
            "exp": now + int(self.lifetime),
            "jti": secrets.token_hex(8),
            "scp": grant.scope.split(),
            AUTH_CLAIM: self._standing(),
            PROFILE_CLAIM: {"email": self.account.email, "email_verified": True},
        }
        return jwt(claims, self.secret)

    def _standing(self) -> Json:
        account = self.account
        return {
            "chatgpt_account_id": account.id,
            "chatgpt_plan_type": account.plan,
            "chatgpt_user_id": account.user,
            "user_id": account.user,
            "organizations": [{"id": "org-fake", "is_default": True, "role": "owner", "title": "Personal"}],
        }

    def _revoke(self, seen: Seen) -> web.Response:
        fields = json_object(seen)
        hint = needed(fields, "token_type_hint")
        if hint == "refresh_token":
            self.check_client(fields)
        elif hint != "access_token":
            raise Denial("unsupported_token_type", "this kind of token cannot be revoked")
        self.revoke(needed(fields, "token"))  # RFC 7009: a token that is not known is no error
        return json_response({})

    # -- device ------------------------------------------------------------------------------------------------------

    def _user_code(self, seen: Seen) -> web.Response:
        self.check_client(json_object(seen))
        user_code = f"{secrets.token_hex(2)}-{secrets.token_hex(2)}".upper()
        id = f"deviceauth_{secrets.token_hex(12)}"
        self.waiting[id] = Device(user_code, self.clock.now() + 900)
        return json_response({"device_auth_id": id, "user_code": user_code, "interval": self.interval})

    def _device(self, seen: Seen) -> web.Response:
        """A code for the device once its user has approved. It is exchanged as the browser's is, with the verifier that
        comes along: here PKCE protects nothing, but the exchange is the same.
        """
        fields = json_object(seen)
        device = self.waiting.get(needed(fields, "device_auth_id"))
        if device is None or device.user_code != needed(fields, "user_code") or device.expires < self.clock.now():
            raise Denial("deviceauth_unknown", "Device authorization is unknown. Please try again.", status=404)
        if self.user == "denies":
            raise Denial("access_denied", "The user denied access.")
        if self.user != "approves":
            raise Denial("deviceauth_pending", "Device authorization is pending.", status=self.pending_status)
        del self.waiting[fields["device_auth_id"]]
        verifier = secrets.token_urlsafe(48)
        code = self._new_code(challenge(verifier), f"{self.base_url}/deviceauth/callback", self.scope)
        return json_response(
            {"authorization_code": code, "code_challenge": challenge(verifier), "code_verifier": verifier}
        )


def _page(text: str, status: int = 200) -> web.Response:
    body = f"<!doctype html><title>Fake</title><p>{html.escape(text)}"
    return web.Response(status=status, text=body, content_type="text/html")


def _redirect(to: str, **parameters: str) -> web.Response:
    return web.Response(status=302, headers={"location": f"{to}?{urlencode(parameters)}"})


USERS: dict[str, User] = {"approves": "approves", "denies": "denies", "waits": "waits"}

if __name__ == "__main__":
    run_alone(lambda user: CodexIssuer(user=USERS[user]), "A fake issuer of Codex logins.", tuple(USERS))
