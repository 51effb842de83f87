"""What all clouds that have Claude want of a Messages request: no model in the body, a version in it, betas they know.

An unknown beta refuses the whole request there, so only known ones are sent; their dates are left open. Must not know
which cloud it is: the names are handed in.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from strowger.upstreams.base import Outgoing

# Versions of the API that clouds know by a name of their own; newer ones go by the same name everywhere.
_OLD_VERSIONS = frozenset({"", "2023-01-01", "2023-06-01"})
# The features of one beta at Anthropic; clouds have the search of tools under a name of its own.
_RENAMED = {"advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19"}

# The other half of a beta, which is refused without it. Both go, or neither.
_HALVES = {
    "dangerous-tool-use-": "safeguards",
    "fallback-credit-": "fallback_credit_token",
    "mcp-client-": "mcp_servers",
    "message-threads-": "thread",
    "server-side-fallback-": "fallbacks",
}
_DISPLAYS = "thinking-display-"
_ORDINARY = frozenset({"summarized", "omitted"})

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])


class Body(Struct):
    """The members of a body, each byte for byte, and whether it asks for a stream."""

    members: dict[str, Raw]
    stream: bool


def enveloped(out: Outgoing, version: str) -> Body | None:
    """The body of a request without its model and with `version`, unless the client asks for a newer one; None when it
    is no JSON object.
    """
    try:
        members = _MEMBERS.decode(out.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    members.pop("model", None)
    if "anthropic_version" not in members:
        asked = _said(out, "anthropic-version")
        members["anthropic_version"] = Raw(msgspec.json.encode(version if asked in _OLD_VERSIONS else asked))
    return Body(members, bytes(members.get("stream", b"")) == b"true")


def known_betas(out: Outgoing, known: tuple[str, ...], members: dict[str, Raw]) -> list[str]:
    """The betas in a request's header that begin with one of the `known` names. Of the others, what they announce is
    taken out of `members`.
    """
    words = dict.fromkeys(word.strip() for word in _said(out, "anthropic-beta").split(","))
    renamed = dict.fromkeys(_RENAMED.get(word, word) for word in words)
    for word in renamed:
        if not word.startswith(known):
            _drop_half(members, word)
    return [word for word in renamed if word.startswith(known)]


def _drop_half(members: dict[str, Raw], beta: str) -> None:
    member = next((member for prefix, member in _HALVES.items() if beta.startswith(prefix)), None)
    if member is not None:
        members.pop(member, None)
    if beta.startswith(_DISPLAYS) and "thinking" in members:
        try:
            thinking = _MEMBERS.decode(members["thinking"])
            shown = msgspec.json.decode(thinking.get("display", b"null"))
        except msgspec.MsgspecError:
            return
        if isinstance(shown, str) and shown not in _ORDINARY:
            del thinking["display"]
            members["thinking"] = Raw(msgspec.json.encode(thinking))


def add_betas(members: dict[str, Raw], betas: Iterable[str]) -> None:
    """Name these betas in the body too, behind those that are there."""
    try:
        present = msgspec.json.decode(members.get("anthropic_beta", b"[]"), type=list[str])
    except msgspec.MsgspecError:
        return  # the cloud will say what is wrong with it
    if together := list(dict.fromkeys((*present, *betas))):
        members["anthropic_beta"] = Raw(msgspec.json.encode(together))


def _said(out: Outgoing, header: str) -> str:
    return next((value for name, value in out.headers if name.lower() == header), "")
