"""Who grants logins by OAuth, as data: endpoints, client ids, what each wants said, what its tokens tell of the user.

We name ourselves to every one of them. Must not know how a request is sent, nor where a login is kept.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Literal

import msgspec

from strowger import __version__
from strowger.config.checks import is_loopback, split_url
from strowger.errors import ConfigError, CredentialError

USER_AGENT = f"strowger/{__version__}"

Format = Literal["form", "json"]
DeviceStyle = Literal["", "standard", "codex"]

_OPENAI = "https://api.openai.com/auth"
_OPENAI_PROFILE = "https://api.openai.com/profile"


class Issuer(msgspec.Struct, frozen=True):
    """One issuer. Paths are below `base` unless they are whole URLs; an empty one means that it has no such thing.

    A login is refreshed when its access token has less left than `early_seconds`, or than `early_share` of its life, or
    when it is older than `old_seconds` (0: however old). `final` are the statuses that mean "log in again" whatever the
    body says. `device_redirect` is what a code from the device flow is exchanged with, where the vendor wants that.
    """

    name: str
    title: str
    base: str
    client_id: str
    token: str
    authorise: str = ""
    revoke: str = ""
    device: str = ""
    device_token: str = ""
    device_page: str = ""
    device_redirect: str = ""
    device_style: DeviceStyle = ""
    device_seconds: float = 900.0
    ports: tuple[int, ...] = ()
    callback: str = ""
    scope: str = ""
    authorise_extras: tuple[tuple[str, str], ...] = ()
    refresh_format: Format = "form"
    final: tuple[int, ...] = (401,)
    early_seconds: float = 60.0
    early_share: float = 0.0
    old_seconds: float = 0.0
    variable: str = ""

    def url(self, path: str) -> str:
        """The whole URL of one of the paths."""
        return path if "://" in path else self.base.rstrip("/") + path


class Holder(msgspec.Struct, frozen=True):
    """Whose a login is, as far as its tokens say."""

    account_id: str = ""
    user_id: str = ""
    email: str = ""
    plan: str = ""
    fedramp: bool = False


CODEX = Issuer(
    name="codex",
    title="ChatGPT (Codex)",
    base="https://auth.openai.com",
    client_id="app_EMoamEEZ73f0CkXaXp7hrann",
    authorise="/oauth/authorize",
    token="/oauth/token",
    revoke="/oauth/revoke",
    device="/api/accounts/deviceauth/usercode",
    device_token="/api/accounts/deviceauth/token",
    device_page="/codex/device",
    device_redirect="/deviceauth/callback",
    device_style="codex",
    ports=(1455, 1457),
    callback="/auth/callback",
    scope="openid profile email offline_access",
    authorise_extras=(
        ("id_token_add_organizations", "true"),
        ("codex_cli_simplified_flow", "true"),
        ("originator", "strowger"),
    ),
    refresh_format="json",
    early_seconds=300.0,
    old_seconds=8 * 86400.0,
    variable="STROWGER_CODEX_ISSUER",
)

KIMI = Issuer(
    name="kimi",
    title="Kimi Code",
    base="https://auth.kimi.com",
    client_id="17e5f671-d194-4dfb-9706-5516cb48c098",
    token="/api/oauth/token",
    device="/api/oauth/device_authorization",
    device_token="/api/oauth/token",
    device_style="standard",
    final=(401, 403),
    early_seconds=300.0,
    early_share=0.5,
    variable="STROWGER_KIMI_ISSUER",
)

ISSUERS: Mapping[str, Issuer] = {issuer.name: issuer for issuer in (CODEX, KIMI)}


def issuer_for(name: str, env: Mapping[str, str]) -> Issuer:
    """The issuer of this name, at the address that its variable gives, if one is set. Raises CredentialError.

    Such an address must be https or on this machine: whatever is there is sent refresh tokens.
    """
    issuer = ISSUERS.get(name)
    if issuer is None:
        raise CredentialError(f"there is no login for `{name}`", hint=f"logins: {', '.join(sorted(ISSUERS))}")
    base = env.get(issuer.variable, "").strip()
    if not base:
        return issuer
    if not is_safe(base):
        raise ConfigError(f"{issuer.variable} must be an https URL, or http on this machine", hint="unset it")
    return msgspec.structs.replace(issuer, base=base.rstrip("/"))


def is_safe(url: str) -> bool:
    """Whether tokens may travel to this URL: https, or plain http to a loopback address."""
    parts = split_url(url)
    if parts is None or not parts.hostname or parts.username is not None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def identity(issuer: Issuer, device_id: str = "") -> tuple[tuple[str, str], ...]:
    """The headers by which we name ourselves to an issuer. Kimi binds its tokens to a device id."""
    own: tuple[tuple[str, str], ...] = (("User-Agent", USER_AGENT),)
    if issuer.name == "codex":
        return (*own, ("originator", "strowger"))
    if issuer.name == "kimi":
        return (*own, *_kimi(device_id))
    return own


def companions(issuer: Issuer, holder: Holder, device_id: str = "") -> tuple[tuple[str, str], ...]:
    """The headers that go to the provider's API with an access token: whose it is, and on which device."""
    if issuer.name == "codex":
        whose = (("ChatGPT-Account-ID", holder.account_id),) if holder.account_id else ()
        return (*whose, ("X-OpenAI-Fedramp", "true")) if holder.fedramp else whose
    return _kimi(device_id) if issuer.name == "kimi" else ()


def claims(token: str) -> Mapping[str, object]:
    """The claims of a JWT, empty when it is none. Nothing is verified: it came to us from its issuer, over TLS."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        data: object = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def holder_of(issuer: Issuer, id_token: str, access: str) -> Holder:
    """Whose the tokens are. The id token says more; the access token stands in for it."""
    told, other = claims(id_token), claims(access)
    if issuer.name == "codex":
        return _codex_holder(told, other)
    return Holder(
        user_id=_text(told, "user_id", "sub") or _text(other, "user_id", "sub"),
        email=_text(told, "email") or _text(other, "email"),
    )


def life_of(token: str) -> tuple[float | None, float | None]:
    """When a JWT was made and when it expires by its own words, in unix seconds of its issuer's clock."""
    told = claims(token)
    return _moment(told.get("iat")), _moment(told.get("exp"))


def _codex_holder(told: Mapping[str, object], other: Mapping[str, object]) -> Holder:
    auth = {**_table(other, _OPENAI), **_table(told, _OPENAI)}
    profile = {**_table(other, _OPENAI_PROFILE), **_table(told, _OPENAI_PROFILE)}
    return Holder(
        account_id=_text(auth, "chatgpt_account_id"),
        user_id=_text(auth, "chatgpt_user_id", "user_id"),
        email=_text(told, "email") or _text(profile, "email"),
        plan=_text(auth, "chatgpt_plan_type"),
        fedramp=auth.get("chatgpt_account_is_fedramp") is True,
    )


def _kimi(device_id: str) -> tuple[tuple[str, str], ...]:
    device = (("X-Msh-Device-Id", device_id),) if device_id else ()
    return (("X-Msh-Platform", "strowger"), ("X-Msh-Version", __version__), *device)


def _moment(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _table(data: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _text(data: Mapping[str, object], *keys: str) -> str:
    return next((value for key in keys if isinstance(value := data.get(key), str) and value), "")
