"""How Google's APIs say no: `google.rpc.Status` as JSON, and scripted errors in that shape. Knows no request."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.fakes.refusal import Json, Refusal
from tests.fakes.script import Refuse

RPC = "type.googleapis.com/google.rpc."
# The canonical codes that a client sees here, by their HTTP status.
CODES = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


class Denied(Refusal):
    """A refusal with Google's canonical code as its `kind`, and details."""

    def __init__(self, message: str, kind: str = "INVALID_ARGUMENT", *details: Json) -> None:
        super().__init__(message, status=CODES[kind], kind=kind)
        self.details = details


def error_body(message: str, kind: str, details: tuple[Json, ...] = ()) -> Json:
    """The body of an error; details are left out where there are none."""
    error: Json = {"code": CODES.get(kind, 500), "message": message, "status": kind}
    if details:
        error["details"] = list(details)
    return {"error": error}


def bad_request(violations: list[tuple[str, str]]) -> Json:
    """Details that name each field and what is wrong with it; a member of the top level has no field."""
    described = [{**({"field": field} if field else {}), "description": text} for field, text in violations]
    return {"@type": RPC + "BadRequest", "fieldViolations": described}


def error_info(reason: str, domain: str = "googleapis.com", **metadata: str) -> Json:
    """Details for programs: a reason in capitals."""
    return {"@type": RPC + "ErrorInfo", "reason": reason, "domain": domain, "metadata": metadata}


def retry_info(seconds: float) -> Json:
    """Details that say when to come back."""
    return {"@type": RPC + "RetryInfo", "retryDelay": f"{seconds:g}s"}


def refuse(kind: str, message: str, *details: Json, listed: bool = False, **headers: str) -> Refuse:
    """A scripted error. `listed`: in an array, as in a stream without SSE; underscores in headers become hyphens."""
    body: Any = error_body(message, kind, details)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    every = {"content-type": "application/json; charset=UTF-8", **named}
    return Refuse(CODES[kind], msgspec.json.encode([body] if listed else body), tuple(every.items()))


def rate_limited(seconds: float = 1, *, model: str = "gemini-2.5-flash") -> Refuse:
    """429 for the requests of this minute: waiting `seconds` mends it."""
    return refuse("RESOURCE_EXHAUSTED", *_quota("GenerateRequestsPerMinutePerProjectPerModel", model, "10", seconds))


def quota_exhausted(*, model: str = "gemini-2.5-flash") -> Refuse:
    """429 for the requests of the day: no waiting of this session mends it."""
    return refuse("RESOURCE_EXHAUSTED", *_quota("GenerateRequestsPerDayPerProjectPerModel", model, "250", 53_000))


def _quota(identifier: str, model: str, limit: str, seconds: float) -> tuple[Any, ...]:
    metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
    message = (
        "You exceeded your current quota, please check your plan and billing details. For more information on this"
        " error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.\n"
        f"* Quota exceeded for metric: {metric}, limit: {limit}, model: {model}\nPlease retry in {seconds:g}s."
    )
    violation = {
        "quotaMetric": metric,
        "quotaId": f"{identifier}-FreeTier",
        "quotaDimensions": {"location": "global", "model": model},
        "quotaValue": limit,
    }
    links = [
        {
            "description": "Learn more about Gemini API quotas",
            "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
        }
    ]
    failure = {"@type": RPC + "QuotaFailure", "violations": [violation]}
    return message, failure, {"@type": RPC + "Help", "links": links}, retry_info(seconds)


def capacity_exhausted(*, model: str = "gemini-3.1-pro-preview") -> Refuse:
    """429 of Code Assist: this model has no room, another may have."""
    info = error_info("MODEL_CAPACITY_EXHAUSTED", "cloudcode-pa.googleapis.com", model=model)
    return refuse("RESOURCE_EXHAUSTED", f"No capacity available for model {model} on the server", info)


def overloaded() -> Refuse:
    """503."""
    return refuse("UNAVAILABLE", "The model is overloaded. Please try again later.")


def prompt_too_long(tokens: int = 1_200_000, limit: int = 1_048_576) -> Refuse:
    """400 for a full context."""
    return refuse("INVALID_ARGUMENT", overflow(tokens, limit))


def overflow(tokens: int, limit: int) -> str:
    """What the vendor says of a prompt that does not fit."""
    return f"The input token count ({tokens}) exceeds the maximum number of tokens allowed ({limit})."
