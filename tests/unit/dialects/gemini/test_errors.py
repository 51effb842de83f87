"""Errors of Google's APIs: what they mean is in their details."""

from __future__ import annotations

import json
from typing import Any

import pytest

from strowger.dialects.gemini.errors import (
    error_object,
    failure_object,
    failure_of,
    overflow_text,
    parse_error,
    render_error,
    told,
)
from strowger.errors import BadRequest, ErrorKind, GatewayError, Refused, UpstreamError
from strowger.ir.events import Failure
from tests.unit.dialects.gemini.replies import dumps

RPC = "type.googleapis.com/google.rpc."
VERTEX_WORDS = (
    "Resource exhausted. Please try again later. Please refer to"
    " https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details."
)
QUOTA_WORDS = "You exceeded your current quota, please check your plan and billing details."


def refused(code: int, status: str, message: str, *details: Any, headers: dict[str, str] | None = None) -> Refused:
    """An error as Google writes it, read."""
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return parse_error(code, headers or {}, dumps({"error": error}))


def info(reason: str, **metadata: str) -> dict[str, Any]:
    return {"@type": f"{RPC}ErrorInfo", "reason": reason, "domain": "googleapis.com", "metadata": metadata}


def quota(identifier: str, **members: str) -> dict[str, Any]:
    return {"@type": f"{RPC}QuotaFailure", "violations": [{"quotaId": identifier, **members}]}


def delay(duration: str) -> dict[str, Any]:
    return {"@type": f"{RPC}RetryInfo", "retryDelay": duration}


@pytest.mark.parametrize(
    "code, status, message, kind",
    [
        (400, "INVALID_ARGUMENT", "Request contains an invalid argument.", ErrorKind.BAD_REQUEST),
        (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", ErrorKind.UNAUTHENTICATED),
        (400, "FAILED_PRECONDITION", "User location is not supported.", ErrorKind.BAD_REQUEST),
        (401, "UNAUTHENTICATED", "Request had invalid credentials.", ErrorKind.UNAUTHENTICATED),
        (403, "PERMISSION_DENIED", "Permission denied on resource.", ErrorKind.FORBIDDEN),
        (403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers", ErrorKind.UNAUTHENTICATED),
        (404, "NOT_FOUND", "models/x is not found for API version v1beta", ErrorKind.UNKNOWN_MODEL),
        (404, "NOT_FOUND", "Publisher Model `projects/p/models/x` not found.", ErrorKind.UNKNOWN_MODEL),
        (404, "NOT_FOUND", "Not found: cache content metadata 8.", ErrorKind.NOT_FOUND),
        (429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", ErrorKind.RATE_LIMITED),
        (429, "RESOURCE_EXHAUSTED", QUOTA_WORDS, ErrorKind.QUOTA_EXHAUSTED),
        (429, "RESOURCE_EXHAUSTED", "No capacity available for model gemini-x on the server", ErrorKind.OVERLOADED),
        (429, "RESOURCE_EXHAUSTED", VERTEX_WORDS, ErrorKind.OVERLOADED),
        (429, "RESOURCE_EXHAUSTED", "Your project has exceeded its monthly spending cap.", ErrorKind.QUOTA_EXHAUSTED),
        (503, "UNAVAILABLE", "This model is currently experiencing high demand.", ErrorKind.OVERLOADED),
        (499, "CANCELLED", "The operation was cancelled.", ErrorKind.UPSTREAM),
        (500, "INTERNAL", "An internal error has occurred.", ErrorKind.UPSTREAM),
        (503, "UNAVAILABLE", "The model is overloaded. Please try again later.", ErrorKind.OVERLOADED),
        (504, "DEADLINE_EXCEEDED", "Deadline expired.", ErrorKind.TIMEOUT),
    ],
)
def test_canonical_codes(code: int, status: str, message: str, kind: ErrorKind) -> None:
    """Each code has its kind, and some words say more than their code."""
    error = refused(code, status, message)
    assert error.kind is kind
    assert (error.status, error.dialect, error.message) == (code, "gemini", message)


@pytest.mark.parametrize(
    "reason, kind",
    [
        ("API_KEY_INVALID", ErrorKind.UNAUTHENTICATED),
        ("MODEL_CAPACITY_EXHAUSTED", ErrorKind.OVERLOADED),
        ("RATE_LIMIT_EXCEEDED", ErrorKind.RATE_LIMITED),
        ("QUOTA_EXHAUSTED", ErrorKind.QUOTA_EXHAUSTED),
        ("INSUFFICIENT_G1_CREDITS_BALANCE", ErrorKind.QUOTA_EXHAUSTED),
        ("SERVICE_DISABLED", ErrorKind.FORBIDDEN),
    ],
)
def test_reasons_say_more_than_codes(reason: str, kind: ErrorKind) -> None:
    """One code stands for a minute's limit, an empty account and a full model."""
    error = refused(429, "RESOURCE_EXHAUSTED", QUOTA_WORDS, info(reason))
    assert (error.kind, error.code) == (kind, reason)


def test_the_quota_of_a_day_is_not_the_limit_of_a_minute() -> None:
    """The same words, and a delay with both: only the quota's name tells."""
    minute = refused(429, "RESOURCE_EXHAUSTED", QUOTA_WORDS, quota("RequestsPerMinutePerProject"), delay("34.07s"))
    day = refused(429, "RESOURCE_EXHAUSTED", QUOTA_WORDS, quota("RequestsPerDayPerProject"), delay("34.07s"))
    none = refused(429, "RESOURCE_EXHAUSTED", f"{QUOTA_WORDS} limit: 0, model: x", delay("1s"))
    assert (minute.kind, minute.retry_after) == (ErrorKind.RATE_LIMITED, 34.07)
    assert day.kind is ErrorKind.QUOTA_EXHAUSTED
    assert none.kind is ErrorKind.QUOTA_EXHAUSTED
    assert refused(429, "RESOURCE_EXHAUSTED", "limit: 0.5", delay("1s")).kind is ErrorKind.RATE_LIMITED


@pytest.mark.parametrize(
    "duration, seconds",
    [("34.07s", 34.07), ("900ms", 0.9), ("5h10m30s", 18630.0), ("2m", 120.0), ("soon", None), ("", None)],
)
def test_durations(duration: str, seconds: float | None) -> None:
    """As protobuf and Go write them."""
    assert refused(429, "RESOURCE_EXHAUSTED", "x", delay(duration)).retry_after == seconds
    assert refused(429, "RESOURCE_EXHAUSTED", "x", info("R", quotaResetDelay=duration)).retry_after == seconds


def test_a_delay_in_words_or_headers() -> None:
    """Where there is no RetryInfo."""
    assert refused(429, "RESOURCE_EXHAUSTED", "Please retry in 2.5s.").retry_after == 2.5
    assert refused(429, "RESOURCE_EXHAUSTED", "x", headers={"retry-after": "7"}).retry_after == 7


def test_a_prompt_that_does_not_fit() -> None:
    """Clients compact on it, so it is told apart from other invalid arguments."""
    words = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
    assert refused(400, "INVALID_ARGUMENT", words).kind is ErrorKind.CONTEXT_OVERFLOW


def test_the_field_at_fault() -> None:
    """From the details."""
    violation = {"@type": f"{RPC}BadRequest", "fieldViolations": [{"field": "contents[0]", "description": "d"}]}
    assert refused(400, "INVALID_ARGUMENT", "x", violation).param == "contents[0]"


def test_an_error_in_a_list() -> None:
    """A stream that is an array holds its error as an element, also when it is all there is."""
    error = parse_error(503, {}, b'[{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}\n]')
    assert (error.kind, error.message) == (ErrorKind.OVERLOADED, "busy")


@pytest.mark.parametrize(
    "status, body, message, kind",
    [
        (429, b'{"error":{"message":"slow","type":"rate_limit_error","code":"x"}}', "slow", ErrorKind.RATE_LIMITED),
        (400, b'{"error":"bad thing"}', "bad thing", ErrorKind.BAD_REQUEST),
        (401, b'{"error":"invalid_grant","error_description":"Token expired"}', "Token expired", None),
        (404, b'{"detail":"Not Found"}', "Not Found", ErrorKind.NOT_FOUND),
        (403, b'{"code":403,"message":"no","status":"PERMISSION_DENIED"}', "no", ErrorKind.FORBIDDEN),
        (500, b'{"error":{"code":500}}', '{"code":500}', ErrorKind.UPSTREAM),
        (502, b"<html><title>Bad Gateway</title></html>", None, ErrorKind.UPSTREAM),
        (503, b"", None, ErrorKind.OVERLOADED),
        (500, b"{broken", None, ErrorKind.UPSTREAM),
        (500, b"[1]", None, ErrorKind.UPSTREAM),
    ],
)
def test_other_shapes(status: int, body: bytes, message: str | None, kind: ErrorKind | None) -> None:
    """Proxies answer in shapes of their own, or in none."""
    error = parse_error(status, {}, body)
    assert error.status == status
    assert error.body == body
    assert message is None or error.message == message
    assert kind is None or error.kind is kind


def test_an_error_inside_an_answer_is_read_by_its_own_code() -> None:
    """There the HTTP status says nothing."""
    seen = told(b'{"error":{"code":429,"message":"later","status":"RESOURCE_EXHAUSTED"}}')
    assert seen is not None
    failure = failure_of(seen)
    assert (failure.kind, failure.code) == (ErrorKind.RATE_LIMITED, "RESOURCE_EXHAUSTED")
    assert failure.raw is not None
    number = told(b'{"error":{"code":503,"message":"x"}}')
    assert number is not None
    assert failure_of(number).kind is ErrorKind.OVERLOADED


def test_no_error_is_none() -> None:
    """Other JSON, and what is no JSON."""
    assert told(b'{"candidates":[]}') is None
    assert told(b"7") is None
    assert told(b"nonsense") is None


# ---- writing ----


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_every_kind_is_said_as_google_says_it(kind: ErrorKind) -> None:
    """The number in the body is that of the HTTP status, and reading it gives a kind of the same class again."""
    reply = render_error(GatewayError("some words", kind=kind))
    error = json.loads(reply.body)["error"]
    assert error["code"] == reply.status
    assert error["status"].isupper()
    assert "some words" in error["message"]
    again = parse_error(reply.status, {}, reply.body).kind
    same = {
        ErrorKind.UNKNOWN_MODEL: ErrorKind.NOT_FOUND,
        ErrorKind.TOO_LARGE: ErrorKind.BAD_REQUEST,
        ErrorKind.UNSUPPORTED: ErrorKind.BAD_REQUEST,
        ErrorKind.INTERNAL: ErrorKind.UPSTREAM,
    }
    assert again is same.get(kind, kind)


def test_a_delay_is_told_in_details_and_in_a_header() -> None:
    """The SDKs look at one or the other."""
    reply = render_error(UpstreamError("later", kind=ErrorKind.RATE_LIMITED, retry_after=1.5))
    details = json.loads(reply.body)["error"]["details"]
    assert {"@type": f"{RPC}RetryInfo", "retryDelay": "1.5s"} in details
    assert ("retry-after", "2") in reply.headers


def test_the_parameter_at_fault_is_named() -> None:
    """As a field violation."""
    error = error_object(BadRequest("it must be a list", param="contents"))
    assert error["details"][0]["fieldViolations"] == [{"field": "contents", "description": "it must be a list"}]


def test_our_own_credential_refused_is_no_401() -> None:
    """A client would log its user out, who can do nothing about it."""
    reply = render_error(UpstreamError("bad key", kind=ErrorKind.UNAUTHENTICATED))
    assert (reply.status, json.loads(reply.body)["error"]["status"]) == (403, "PERMISSION_DENIED")


def test_words_of_the_vendor_pass() -> None:
    """What an upstream of this dialect said is told in its own words and status."""
    body = b'{"error":{"code":418,"message":"teapot","status":"X"}}'
    reply = render_error(parse_error(418, {}, body))
    assert (reply.status, reply.body) == (418, body)


def test_an_overflow_in_words_that_clients_know() -> None:
    """With the numbers, where the upstream told them."""
    assert overflow_text("prompt is too long: 210000 tokens > 200000 maximum").startswith(
        "The input token count (210000) exceeds the maximum number of tokens allowed (200000)."
    )
    assert "exceeds the maximum number of tokens allowed" in overflow_text("too much")
    said = "The input token count (5) exceeds the maximum number of tokens allowed (4)."
    assert overflow_text(said) == said
    error = error_object(UpstreamError("too much", kind=ErrorKind.CONTEXT_OVERFLOW))
    assert error["message"] == overflow_text("too much")


def test_a_failure_inside_a_stream() -> None:
    """It is the same object."""
    node = failure_object(Failure(ErrorKind.OVERLOADED, "busy", "x", 3))
    assert (node["code"], node["status"], node["message"]) == (503, "UNAVAILABLE", "busy")
    assert node["details"] == [{"@type": f"{RPC}RetryInfo", "retryDelay": "3s"}]
