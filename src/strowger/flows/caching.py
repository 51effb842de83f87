"""Why a call found less in its provider's cache than it could have: the calls of one session, one by one.

For each call the one before it in the same conversation is found, and what both begin with; where the provider read
less than that from its cache, the reason is looked for in this order: another provider, account or model; a prompt that
parted, with the client's own words or in our translation; a cache that had grown old; a prompt too short to be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from strowger.errors import UnknownPath
from strowger.flows.archive import Archive
from strowger.flows.prefix import Parting, Prefix, parting, prefix_of, shared

Summary = Mapping[str, Any]
Bodies = Callable[[str, str], bytes | None]
"""The body of a flow by its id: of its `client_request`, or of what was `forwarded` last."""

Blame = Literal["client", "strowger", "time", "provider", "nobody"]

# Earlier calls that may be the one before: agents put short calls of another kind in between.
_LOOK_BACK = 8
# Less than this part of what was there was read again: it fell. Vendors round to blocks of 128 to 1,024 tokens.
_FELL = 0.8
# Seconds after which vendors forget what was not asked for again: Anthropic five minutes unless an hour was paid for,
# OpenAI five to ten. What was promised longer is found out below.
_SHORT, _LONG = 300.0, 3600.0
# Tokens below which no vendor keeps anything (Anthropic 1,024 to 4,096 by model, OpenAI 1,024, Gemini 1,024 to 4,096).
_LEAST = 1024
_SURE = 4096


class Verdict(Struct, frozen=True):
    """How one call fared. `hit` is the part of its prompt that came out of the cache, None where nobody counted.

    `fell`: it was less than the call before it had left there. `path` is the first place where the prompt parted, `why`
    a sentence, `by` whose doing it was; `lost_tokens` is about what had to be read at the full price for it.
    """

    id: str
    started: float
    model: str
    provider: str
    input: int
    cache_read: int
    cache_write: int
    hit: float | None
    fell: bool = False
    path: str = ""
    why: str = ""
    by: Blame = "nobody"
    lost_tokens: int = 0
    previous: str = ""


class _Seen(Struct):
    summary: Summary
    client: Prefix | None
    forwarded: Prefix | None
    hour: bool


class Session(Struct, frozen=True):
    """A session's calls in their order, and the whole: the part of all prompts that was read from the cache."""

    calls: tuple[Verdict, ...]
    hit: float | None
    fell: int
    lost_tokens: int


def explain_session(archive: Archive, session: str, *, limit: int = 500) -> Session:
    """What became of the cache in a session that is kept, by its id or the beginning of it; its last calls if it is
    long. Raises UnknownPath when there is none.
    """
    found = archive.list(_Begins(session), limit=limit)
    if not found:
        raise UnknownPath(f"there is no session {session[:80]}", hint="`strowger usage --by session` lists them")
    newest = found[0]["session"]

    def body(flow: str, kind: str) -> bytes | None:
        message = archive.message(flow, "forwarded" if kind == "forwarded" else "client_request")
        return message.body if message is not None and not message.cut else None

    return explain([one for one in reversed(found) if one["session"] == newest], body)


class _Begins(Struct, frozen=True):
    """Calls of the sessions whose ids begin so."""

    session: str

    def sql(self) -> tuple[str, list[str | int | float | bytes | None]]:
        """The condition, and its values."""
        # the first half is what the index of sessions understands
        after = f"{self.session}\U0010ffff"
        return "session >= ? AND session < ? AND substr(session, 1, ?) = ?", [
            self.session,
            after,
            len(self.session),
            self.session,
        ]


def explain(summaries: Iterable[Summary], bodies: Bodies) -> Session:
    """What became of the cache in the calls of a session, oldest first."""
    seen: list[_Seen] = []
    verdicts: list[Verdict] = []
    for summary in summaries:
        if summary["outcome"] in ("failed", "running") or not summary["provider"]:
            continue
        now = _seen(summary, bodies)
        before = _before(seen, now)
        verdicts.append(_verdict(before, now))
        seen.append(now)
        del seen[:-256]  # prefixes are large
    counted = [one for one in verdicts if one.hit is not None]
    whole = sum(one.input for one in counted)
    return Session(
        tuple(verdicts),
        sum(one.cache_read for one in counted) / whole if whole else None,
        sum(one.fell for one in verdicts),
        sum(one.lost_tokens for one in verdicts),
    )


def _seen(summary: Summary, bodies: Bodies) -> _Seen:
    asked, forwarded = bodies(summary["id"], "client_request"), bodies(summary["id"], "forwarded")
    return _Seen(
        summary,
        prefix_of(summary["dialect"], asked) if asked else None,
        prefix_of(summary["upstream_dialect"], forwarded) if forwarded else None,
        hour=b'"1h"' in (forwarded or b""),
    )


def _before(seen: list[_Seen], now: _Seen) -> _Seen | None:
    """The call that this one goes on from: the last of the same agent that began most like it."""
    agent = now.summary.get("agent_id")
    candidates = [one for one in reversed(seen) if one.summary.get("agent_id") == agent][:_LOOK_BACK]
    best, most = None, 0
    for one in candidates:
        alike = shared(one.client, now.client) if one.client and now.client else 0
        if alike > most:
            best, most = one, alike
    if best is not None:
        return best
    # Nothing is alike: it is either another kind of call, or the first block itself was changed.
    kind = now.summary.get("request_class")
    return next((one for one in candidates if _is_like(one, now) and one.summary.get("request_class") == kind), None)


def _is_like(one: _Seen, now: _Seen) -> bool:
    """Whether the sizes are those of two turns of a conversation."""
    if one.client is None or now.client is None or one.summary["model"] != now.summary["model"]:
        return False
    return min(one.client.size, now.client.size) * 2 > max(one.client.size, now.client.size)


def _verdict(before: _Seen | None, now: _Seen) -> Verdict:
    summary = now.summary
    tokens: Mapping[str, int] = summary["tokens"]
    whole, read = tokens.get("input") or 0, tokens.get("cache_read") or 0
    hit = read / whole if whole and ("cache_read" in tokens or "cache_write" in tokens) else None
    verdict = Verdict(
        id=summary["id"],
        started=summary["started"],
        model=summary["response_model"] or summary["upstream_model"],
        provider=summary["provider"],
        input=whole,
        cache_read=read,
        cache_write=tokens.get("cache_write") or 0,
        hit=hit,
    )
    if before is None:
        return _with(verdict, why="the first of its conversation")
    verdict = _with(verdict, previous=before.summary["id"])
    was = before.summary["tokens"].get("input") or 0
    if hit is None or was < _LEAST or read >= was * _FELL:
        return verdict
    lost = max(0, min(was, whole) - read)
    path, why, by = _reason(before, now, was)
    return _with(verdict, fell=True, path=path, why=why, by=by, lost_tokens=lost)


def _with(verdict: Verdict, **changes: Any) -> Verdict:
    return replace(verdict, **changes)


def _reason(before: _Seen, now: _Seen, was: int) -> tuple[str, str, Blame]:
    old, new = before.summary, now.summary
    if old["model"] != new["model"]:
        return "model", f"the client asked for {new['model']} instead of {old['model']}", "client"
    for key, word in (("provider", "provider"), ("account", "account"), ("upstream_model", "model")):
        if old.get(key) != new.get(key):
            return key, f"the call went to another {word}: {new[key]} instead of {old[key]}{_moved(new)}", "strowger"
    ours = _parted(before.forwarded, now.forwarded)
    theirs = _parted(before.client, now.client)
    if theirs is not None:
        return theirs.path, theirs.what, "client"
    if ours is not None:
        return ours.path, f"{ours.what}, though the client's request did not", "strowger"
    idle = new["started"] - old["started"] - (old.get("duration_ms") or 0) / 1000
    if idle > (_LONG if now.hour else _SHORT):
        return "", f"nothing was asked for {idle / 60:.0f} minutes, and the cache was forgotten", "time"
    if was < _SURE:
        return "", f"a prompt of {was:,} tokens may be too short to be kept", "provider"
    if now.forwarded is None or before.forwarded is None:
        return "", "the bodies are not kept any more, so nobody can say", "nobody"
    return "", "the prompt begins as before: the provider did not find it, or did not keep it", "provider"


def _parted(before: Prefix | None, now: Prefix | None) -> Parting | None:
    return parting(before, now) if before is not None and now is not None else None


def _moved(summary: Summary) -> str:
    """Why a call did not go where the one before had gone, if that was tried."""
    vain = [each for each in summary["attempts"] if each.get("error")]
    return f" ({vain[0]['error']})" if vain else ""
