"""A fake of Kimi's issuer: the device flow alone, all in forms, for clients that say which device they are.

A client has to name itself: one that calls itself by the name of Kimi's own programs is refused, which the real one
does not do, but which must not happen here.
"""

from __future__ import annotations

import secrets
from typing import Literal
from urllib.parse import urlencode

from aiohttp import web
from msgspec import Struct

from tests.fakes.authority import Authority
from tests.fakes.issuer import Denial, FakeIssuer, Grant, form, jwt, needed
from tests.fakes.refusal import Json
from tests.fakes.server import Seen, json_response, run_alone

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
HEADERS = ("Platform", "Version", "Device-Id")

User = Literal["approves", "denies", "waits"]


class Device(Struct):
    """A device that waits for its user. `interval`: the seconds that it has to leave between two questions."""

    id: str
    user_code: str
    expires: float
    interval: float
    polled: float
    hurried: int = 0


class KimiIssuer(FakeIssuer):
    """`patience`: after so many questions the user does what `user` says. `slows`: so many are answered `slow_down`."""

    client_id = "17e5f671-d194-4dfb-9706-5516cb48c098"
    scope = "kimi-code"

    def __init__(
        self,
        *,
        at: float | None = None,
        lifetime: float = 900,
        user: User = "approves",
        patience: int = 0,
        tls: Authority | None = None,
    ) -> None:
        super().__init__(at=at, lifetime=lifetime, tls=tls)
        self.user: User = user
        self.patience = patience
        self.slows = 0
        self.interval = 5.0
        self.device_lifetime = 900.0
        self.waiting: dict[str, Device] = {}

    async def respond(self, request: web.Request, seen: Seen) -> web.Response:
        """The paths of the real one."""
        if seen.path == "/device":
            return web.Response(
                text="<!doctype html><title>Fake</title><p>Approve the device.", content_type="text/html"
            )
        if seen.path not in ("/api/oauth/device_authorization", "/api/oauth/token"):
            return web.Response(status=404, text="404 page not found")
        device_id = _device_id(seen)
        fields = form(seen)
        self.check_client(fields)
        if seen.path == "/api/oauth/device_authorization":
            return self._device(device_id)
        match needed(fields, "grant_type"):
            case "refresh_token":
                return self.tokens(request, self._refreshed(needed(fields, "refresh_token"), device_id))
            case grant if grant == DEVICE_GRANT:
                return self.tokens(request, self._granted(needed(fields, "device_code"), device_id))
            case _:
                raise Denial("unsupported_grant_type", "this grant is not one of ours")

    def ended(self, why: str) -> Denial:
        """A refresh token that is good for nothing."""
        return Denial("invalid_grant", "The refresh token is invalid or has expired", status=401)

    def access_token(self, grant: Grant) -> str:
        """A JWT that says until when it is good, whose it is and on which device."""
        now = int(self.clock.now())
        claims = {
            "iss": "kimi-auth",
            "user_id": self.account.user,
            "client_id": grant.client_id,
            "device_id": grant.device,
            "scope": grant.scope,
            "iat": now,
            "exp": now + int(self.lifetime),
            "jti": secrets.token_hex(8),
        }
        return jwt(claims, self.secret)

    def _refreshed(self, token: str, device_id: str) -> Json:
        if any(token == grant.refresh and grant.device != device_id for grant in self.grants):
            raise Denial("invalid_grant", "The token belongs to another device", status=401)
        return self.refreshed(token)

    # -- device ------------------------------------------------------------------------------------------------------

    def _device(self, device_id: str) -> web.Response:
        user_code, code = f"{secrets.token_hex(2)}-{secrets.token_hex(2)}".upper(), f"dc_{secrets.token_urlsafe(24)}"
        now = self.clock.now()
        self.waiting[code] = Device(device_id, user_code, now + self.device_lifetime, self.interval, now)
        page = f"{self.base_url}/device"
        answer = {
            "user_code": user_code,
            "device_code": code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?{urlencode({'user_code': user_code})}",
            "expires_in": int(self.device_lifetime),
            "interval": self.interval,
        }
        return json_response(answer)

    def _granted(self, code: str, device_id: str) -> Json:
        """Tokens once the user has approved. Who asks too often is told to slow down, and then has to."""
        device, now = self.waiting.get(code), self.clock.now()
        if device is None or device.expires < now:
            raise Denial("expired_token", "The device code has expired")
        if device.id != device_id:
            raise Denial("invalid_grant", "The device code belongs to another device")
        # A tenth of a second is the network's.
        is_hurried, device.polled = now - device.polled < device.interval - 0.1, now
        if is_hurried:
            device.hurried += 1
        if is_hurried or self.slows:
            self.slows = max(0, self.slows - 1)
            device.interval += 5
            raise Denial("slow_down", "You are polling too often")
        if self.patience or self.user == "waits":
            self.patience = max(0, self.patience - 1)
            raise Denial("authorization_pending", "The authorization is pending")
        if self.user == "denies":
            raise Denial("access_denied", "The user denied the request", status=403)
        del self.waiting[code]
        grant = Grant(self.client_id, self.scope, device_id)
        self.grants.append(grant)
        return self.issue(grant)


def _device_id(seen: Seen) -> str:
    """Which device asks. Raises Denial for one that does not say all that has to be said, or says it is Kimi's own."""
    for name in HEADERS:
        value = seen.header(f"X-Msh-{name}")
        if not value or not value.isascii():
            raise Denial("invalid_request", f"the header X-Msh-{name} is missing")
    ours = (seen.header("X-Msh-Platform") or "", (seen.header("User-Agent") or "").partition("/")[0])
    if any("kimi" in name.lower() for name in ours) or not all(ours):
        raise Denial("invalid_client", f"a client has to say its own name, not {ours}", status=403)
    return seen.header("X-Msh-Device-Id") or ""


USERS: dict[str, User] = {"approves": "approves", "denies": "denies", "waits": "waits"}

if __name__ == "__main__":
    run_alone(lambda user: KimiIssuer(user=USERS[user], patience=2), "A fake issuer of Kimi logins.", tuple(USERS))
