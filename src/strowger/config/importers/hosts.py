"""From the address in a foreign file to our dialect and base URL, and to the preset that knows the host.

Other programs often write the whole URL of a call; ours is the form that vendors give for SDKs. Must not know which
presets there are: they are handed in.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec

from strowger.config.checks import split_url
from strowger.config.schema import DialectName, Presets

_ENDINGS: tuple[tuple[str, DialectName], ...] = (
    ("/chat/completions", "openai_chat"),
    ("/responses", "openai_responses"),
    ("/v1/messages", "anthropic"),
    ("/messages", "anthropic"),
    ("/v1beta/models", "gemini"),
)


class Address(msgspec.Struct, frozen=True):
    """Where a provider is, and what it speaks."""

    base_url: str
    dialect: DialectName


def address(url: str | None, dialect: DialectName | None = None, usual: DialectName = "openai_chat") -> Address | None:
    """Read a URL. The dialect is the one that is given, else what its end says, else the usual one."""
    parts = split_url(url or "")
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    whole = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    for ending, spoken in _ENDINGS:
        if whole.endswith(ending) and dialect in {None, spoken}:
            base = whole.removesuffix(ending) + ("/v1beta" if spoken == "gemini" else "")
            return Address(base, spoken)
    return Address(whole, dialect or usual)


def preset_of(found: Address, name: str, presets: Presets) -> str | None:
    """The preset of that very host, path and dialect: the one of the same name, if there are several."""
    fitting = [
        preset
        for preset, known in presets.items()
        if "{" not in known.base_url and known.dialect == found.dialect and _key(known.base_url) == _key(found.base_url)
    ]
    return name if name in fitting else next(iter(fitting), None)


def settled(found: Address, presets: Presets) -> Address:
    """The address for a host that no preset knows: a Chat service without any path is named by its whole URL, as
    there would else be a `/v1` in it.
    """
    parts = split_url(found.base_url)
    if found.dialect == "openai_chat" and parts and not parts.path and preset_of(found, "", presets) is None:
        return Address(found.base_url + "/chat/completions", found.dialect)
    return found


def named_like(model: str, glob: str) -> bool:
    """Whether a glob of ours fits a model's name."""
    return fnmatchcase(model.lower(), glob.lower())


def _key(url: str) -> tuple[str, str, int | None, str] | None:
    parts = split_url(url)
    if parts is None:
        return None
    host = (parts.hostname or "").lower()
    path = parts.path.rstrip("/").removesuffix("/v1")
    return parts.scheme, "localhost" if host == "127.0.0.1" else host, parts.port, path
