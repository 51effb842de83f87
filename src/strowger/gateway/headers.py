"""Which headers travel: from the client to the upstream and back. Open lists: what is not known to be ours or a hop's
own, passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from strowger.dialects.base import Loss
from strowger.flows.flow import Attempt
from strowger.gateway.access import CREDENTIAL_HEADERS
from strowger.providers.base import matches
from strowger.upstreams.base import Headers

# RFC 9110 §7.6.1, plus what one connection says about itself
_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
        "content-length",
        "content-encoding",
        "accept-encoding",
        "expect",
    }
)
# Whose account a credential is of: the client's own credential stays here, so what belongs to it does too. Beside
# another key vendors refuse it, and others have no business with it. A provider's `headers` may set it.
_ACCOUNT = frozenset(
    {
        "chatgpt-account-id",
        "openai-organization",
        "openai-project",
        "x-goog-user-project",
        "x-goog-iam-authorization-token",
        "x-goog-iam-authority-selector",
    }
)
_REQUEST_DROPS = _HOP | CREDENTIAL_HEADERS | _ACCOUNT
# `date` and `server` would appear twice; cookies are for the vendor's own pages; `location` would send a client, and
# the token it carries, past us
_RESPONSE_DROPS = _HOP | {"date", "server", "set-cookie", "alt-svc", "strict-transport-security", "location", "refresh"}
_OURS = "x-strowger-"
# Which web pages may read an answer is for our own configuration to say.
_RESPONSE_PREFIXES = (_OURS, "access-control-")

_UNPRINTABLE = re.compile("[^ -~]")
# What no header line may hold; some servers let it through, and our own refuses to write it.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")

# Clients refuse an answer over a longer line, and none of them needs one: these are policies for browsers.
_LONGEST_LINE = 8000

_CONNECTION = len("connection")
# What most connections say of themselves: nothing about other headers.
_USUAL_CONNECTION = frozenset({None, "keep-alive", "close"})
NOT_NAMED: Mapping[str, str] = MappingProxyType({})
_NONE: frozenset[str] = frozenset()

_ATTEMPTS_SHOWN = 10
_WORTH_TELLING = 0.05
_LOSSES_SHOWN = 20
_LOSSES_LENGTH = 2000


@lru_cache(maxsize=1024)
def _travels(name: str) -> bool:
    """Whether a client's header goes on: there are few names, and they come with every request."""
    low = name.lower()
    return low not in _REQUEST_DROPS and not low.startswith(_OURS)


@lru_cache(maxsize=1024)
def _comes_back(name: str) -> bool:
    low = name.lower()
    return low not in _RESPONSE_DROPS and not low.startswith(_RESPONSE_PREFIXES)


def forwarded(items: Headers, named: Mapping[str, str] = NOT_NAMED) -> list[tuple[str, str]]:
    """A client's headers as they go on to an upstream of the same dialect, without credentials.

    `accept-encoding: identity` is asked for, so that the stream can be watched while it passes. `named` are the same
    by lower-case name, if somebody has them.
    """
    kept = [line for line in items if _travels(line[0])]
    if len(kept) < len(items) and (dropped := _named_by_connection(items, named)):
        kept = [line for line in kept if line[0].lower() not in dropped]
    kept.append(("Accept-Encoding", "identity"))
    return kept


def returned(items: Headers, named: Mapping[str, str] = NOT_NAMED) -> list[tuple[str, str]]:
    """An upstream's headers as they go back to a client of the same dialect. `named` as for `forwarded`."""
    dropped = _named_by_connection(items, named)
    kept = [line for line in items if _comes_back(line[0])]
    values = "".join([value for _, value in kept])
    if len(values) > _LONGEST_LINE or not values.isprintable():
        control = _CONTROL.search
        kept = [line for line in kept if len(line[1]) <= _LONGEST_LINE and control(line[1]) is None]
    return [line for line in kept if line[0].lower() not in dropped] if dropped else kept


def _named_by_connection(items: Headers, named: Mapping[str, str]) -> frozenset[str]:
    """Headers that `Connection` declares to be for one hop only."""
    if len(named) == len(items) and named.get("connection") in _USUAL_CONNECTION:
        return _NONE
    values = [value for name, value in items if len(name) == _CONNECTION and name.lower() == "connection"]
    if not values:
        return _NONE
    return frozenset(word.strip().lower() for value in values for word in value.split(",")) - _HOP


def without_betas(lines: Iterable[tuple[str, str]], globs: Sequence[str]) -> list[tuple[str, str]]:
    """The headers without the betas that fit one of the globs; a list of them that is empty then goes."""
    kept: list[tuple[str, str]] = []
    for name, value in lines:
        if name.lower() != "anthropic-beta":
            kept.append((name, value))
            continue
        betas = [beta for one in value.split(",") if (beta := one.strip())]
        if left := [beta for beta in betas if not any(matches(glob, beta) for glob in globs)]:
            kept.append((name, ",".join(left)))
    return kept


def losses_header(losses: list[Loss]) -> str:
    """Losses in one header line: `path: reason; …`, ASCII, bounded. `info` ones count, but are not spelled out."""
    shown = [loss for loss in losses if loss.severity != "info"]
    quiet = len(losses) - len(shown)
    text = "; ".join(f"{loss.path}: {loss.reason}" for loss in shown[:_LOSSES_SHOWN])
    if len(shown) > _LOSSES_SHOWN:
        text += f"; and {len(shown) - _LOSSES_SHOWN} more"
    if quiet:
        text += f"{'; ' if text else ''}{quiet} without effect"
    return ascii_line(text[:_LOSSES_LENGTH])


def attempts_header(attempts: list[Attempt]) -> str:
    """What was tried in one header line: `2; codex/work:gpt rate_limited; anthropic:claude ok, waited 1.2s`.

    The number of tries, then each and what became of it; what was passed over stands there, too, but does not count.
    """
    parts = [str(sum(attempt.asked for attempt in attempts))]
    for attempt in attempts[:_ATTEMPTS_SHOWN]:
        waited = f", waited {attempt.waited:.1f}s" if attempt.waited >= _WORTH_TELLING else ""
        parts.append(f"{attempt.label} {attempt.reason or 'ok'}{waited}")
    if len(attempts) > _ATTEMPTS_SHOWN:
        parts.append("...")
    return "; ".join(parts)


def ascii_line(text: str) -> str:
    """A header value that every client can read, whatever a model or a user wrote."""
    return text if text.isascii() and text.isprintable() else _UNPRINTABLE.sub("?", text)


def text_header(headers: Mapping[str, str], name: str, limit: int = 200) -> str | None:
    """A header's value for the flow: bounded, and text even where its bytes are none."""
    value = headers.get(name)
    if value is None or value.isascii():
        return value and value[:limit]
    return value[:limit].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
