"""Reading an error answer of which nothing is certain: not its dialect, not even that it is JSON. Pure.

What is common to all upstreams is here: which kind a status means, how long to wait, that a balance is empty, what a
web page of some proxy in between tries to say. The dialects look at their own error shape first and then ask here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape

from strowger.dialects.overflow import is_context_overflow
from strowger.errors import ErrorKind

LONGEST_TEXT = 300
"""Characters of an unstructured body that a message quotes."""

_KIND_OF_STATUS = {
    400: ErrorKind.BAD_REQUEST,
    401: ErrorKind.UNAUTHENTICATED,
    402: ErrorKind.QUOTA_EXHAUSTED,
    403: ErrorKind.FORBIDDEN,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.TIMEOUT,
    413: ErrorKind.TOO_LARGE,
    422: ErrorKind.BAD_REQUEST,
    429: ErrorKind.RATE_LIMITED,
    503: ErrorKind.OVERLOADED,
    504: ErrorKind.TIMEOUT,
    524: ErrorKind.TIMEOUT,  # Cloudflare: the origin did not answer in time
    529: ErrorKind.OVERLOADED,
}

_QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "exceeded_current_quota_error",
        "billing_error",
        "billing_not_active",
        "billing_hard_limit_reached",
        "insufficient_credits",
        "insufficient_balance",
        "usage_limit_reached",
        "usage_not_included",
        "arrearage",
        "1113",  # Z.ai: no balance or resource package
    }
)
_QUOTA_PHRASES = (
    "insufficient balance",
    "insufficient_quota",
    "insufficient credits",
    "insufficient funds",
    "exceeded your current quota",
    "exceeded your current token quota",
    "exceeded_current_quota",
    "credit balance is too low",
    "requires more credits",
    "out of credits",
    "account balance",
    "in arrears",
    "overdue payment",
    "suspended due to insufficient",
    "check your plan and billing",
    "spending limit",
    "billing hard limit",
)
# Kimi: "You've reached your weekly (7-day) usage limit", with a 403
_QUOTA_PHRASE = re.compile(r"reached your (?:[\w()-]+ ){0,3}usage limit")
_CAPACITY_CODES = frozenset({"overloaded_error", "server_is_overloaded", "slow_down", "engine_overloaded_error"})

_MODEL_CODES = frozenset(
    {"model_not_found", "model_not_available", "invalid_model", "unknown_model", "deploymentnotfound", "1211"}
)
_MODEL_PHRASE = re.compile(
    r"\bmodel\b.{0,120}\b(?:does not exist|not found|is not a valid model|not available)"
    r"|(?:no such|unknown|invalid) model\b|not a valid model id|model identifier is invalid",
    re.IGNORECASE | re.DOTALL,
)

_WAIT = re.compile(
    r"(?:try|retry)(?:ing)?(?: your request)?(?: again)? (?:in|after) (?:about )?"
    r"(?:(?P<hours>\d+) ?h(?:ours?)? ?)?(?:(?P<minutes>\d+) ?m(?:in(?:utes?)?)?(?!s) ?)?"
    r"(?:(?P<seconds>\d+(?:\.\d+)?) ?s(?:ec(?:onds?)?)?|(?P<millis>\d+(?:\.\d+)?) ?ms)?",
    re.IGNORECASE,
)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_INVISIBLE = re.compile(r"<(script|style)\b.*?</\1>|<!--.*?-->|<[^>]*>", re.IGNORECASE | re.DOTALL)


def kind_of(status: int, text: str, code: str | None = None) -> ErrorKind:
    """What an error means, from its status (200: it came inside an answer), its words and its code or type."""
    lower, name = text.lower(), (code or "").lower()
    if status not in {401, 403} and is_context_overflow(text, code):
        return ErrorKind.CONTEXT_OVERFLOW
    if name in _QUOTA_CODES or (status in {200, 402, 403, 429} and _tells_of_a_quota(lower)):
        return ErrorKind.QUOTA_EXHAUSTED
    if name in _MODEL_CODES or (status in {200, 400, 404} and _MODEL_PHRASE.search(text)):
        return ErrorKind.UNKNOWN_MODEL
    if name in _CAPACITY_CODES:
        return ErrorKind.OVERLOADED
    if status == 200:
        return _kind_of_name(name)
    if status >= 500 and ("overloaded" in lower or "no capacity" in lower):
        return ErrorKind.OVERLOADED
    return _KIND_OF_STATUS.get(status, ErrorKind.BAD_REQUEST if 400 <= status < 500 else ErrorKind.UPSTREAM)


def _tells_of_a_quota(lower: str) -> bool:
    return any(phrase in lower for phrase in _QUOTA_PHRASES) or _QUOTA_PHRASE.search(lower) is not None


def _kind_of_name(name: str) -> ErrorKind:
    if name.isdigit() and 400 <= int(name) < 600:
        return kind_of(int(name), "")
    for part, kind in (
        ("rate_limit", ErrorKind.RATE_LIMITED),
        ("too_many", ErrorKind.RATE_LIMITED),
        ("overloaded", ErrorKind.OVERLOADED),
        ("unavailable", ErrorKind.OVERLOADED),
        ("timeout", ErrorKind.TIMEOUT),
        ("authentication", ErrorKind.UNAUTHENTICATED),
        ("invalid_api_key", ErrorKind.UNAUTHENTICATED),
        ("permission", ErrorKind.FORBIDDEN),
        ("not_found", ErrorKind.NOT_FOUND),
        ("too_large", ErrorKind.TOO_LARGE),
        ("invalid", ErrorKind.BAD_REQUEST),
        ("bad_request", ErrorKind.BAD_REQUEST),
    ):
        if part in name:
            return kind
    return ErrorKind.UPSTREAM


def retry_after(headers: Mapping[str, str], text: str = "") -> float | None:
    """Seconds to wait, from `retry-after-ms`, `retry-after`, or the words ("try again in 1.2s").

    Header names are lower case. A `retry-after` that is a date is not read: there is no clock here.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    for found in _WAIT.finditer(text):
        if any(found.groups()):
            hours, minutes, seconds, millis = (float(found[g] or 0) for g in ("hours", "minutes", "seconds", "millis"))
            return hours * 3600 + minutes * 60 + seconds + millis / 1000
    return None


def unstructured(status: int, body: bytes) -> str:
    """One sentence for a body that is not an error object: a web page, plain words, or nothing."""
    text = body[:65536].decode("utf-8", "replace").strip()
    if not text:
        return f"the upstream answered {status} with an empty body"
    if text[:1] == "<" or "<html" in text[:500].lower():
        title = _TITLE.search(text)
        words = title[1] if title and title[1].strip() else text
        quoted = _bounded(unescape(_INVISIBLE.sub(" ", words)))
        return f'the upstream answered {status} with a web page, probably of a proxy in between: "{quoted}"'
    return f"the upstream answered {status}: {_bounded(text)}"


def _bounded(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= LONGEST_TEXT else words[: LONGEST_TEXT - 1] + "…"
