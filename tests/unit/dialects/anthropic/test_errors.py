"""Errors, read and written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strowger.dialects.anthropic import DIALECT
from strowger.dialects.base import ErrorReply
from strowger.errors import (
    BadRequest,
    ClientError,
    CredentialError,
    ErrorKind,
    Forbidden,
    GatewayError,
    OverBudget,
    Refused,
    TimedOut,
    TooLarge,
    Truncated,
    UnknownModel,
    UnknownPath,
    Unsupported,
)
from tests.unit.dialects.anthropic.transcripts import dumps


def _parsed(status: int, body: Any, **headers: str) -> Refused:
    data = body if isinstance(body, bytes) else dumps(body)
    return DIALECT.upstream.parse_error(status, {k.replace("_", "-"): v for k, v in headers.items()}, data)


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def _rendered(error: GatewayError) -> tuple[int, str, str, dict[str, str]]:
    reply: ErrorReply = DIALECT.client.render_error(error)
    body = json.loads(reply.body)
    assert body["type"] == "error"
    assert dict(reply.headers)["content-type"] == "application/json"
    return reply.status, body["error"]["type"], body["error"]["message"], dict(reply.headers)


@pytest.mark.parametrize(
    "status, body, kind",
    [
        (400, _error("invalid_request_error", "max_tokens: Field required"), ErrorKind.BAD_REQUEST),
        (400, _error("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"), ErrorKind.CONTEXT_OVERFLOW),
        (
            400,
            _error(
                "invalid_request_error", "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"
            ),
            ErrorKind.CONTEXT_OVERFLOW,
        ),
        (
            400,
            _error("invalid_request_error", "Your credit balance is too low to access the API"),
            ErrorKind.QUOTA_EXHAUSTED,
        ),
        (401, _error("authentication_error", "invalid x-api-key"), ErrorKind.UNAUTHENTICATED),
        (402, _error("billing_error", "pay"), ErrorKind.QUOTA_EXHAUSTED),
        (403, _error("permission_error", "not for you"), ErrorKind.FORBIDDEN),
        (404, _error("not_found_error", "model: claude-9"), ErrorKind.UNKNOWN_MODEL),
        (404, _error("not_found_error", "Not Found"), ErrorKind.NOT_FOUND),
        (413, _error("request_too_large", "Request exceeds the maximum size"), ErrorKind.TOO_LARGE),
        (429, _error("rate_limit_error", "slow down"), ErrorKind.RATE_LIMITED),
        (500, _error("api_error", "Internal server error"), ErrorKind.UPSTREAM),
        (504, _error("timeout_error", "too slow"), ErrorKind.TIMEOUT),
        (529, _error("overloaded_error", "Overloaded"), ErrorKind.OVERLOADED),
        (500, _error("overloaded_error", "Overloaded"), ErrorKind.OVERLOADED),
        (403, {"message": "You don't have access to the model"}, ErrorKind.FORBIDDEN),
        (400, {"error": "no such model: x"}, ErrorKind.UNKNOWN_MODEL),
        (500, {"error": {"message": ["odd"], "code": 7}}, ErrorKind.UPSTREAM),
        (503, b"", ErrorKind.OVERLOADED),
        (502, b"<html><title>502 Bad Gateway</title></html>", ErrorKind.UPSTREAM),
    ],
)
def test_what_errors_mean(status: int, body: Any, kind: ErrorKind) -> None:
    """Words count for more than types, and types for more than the status."""
    assert _parsed(status, body).kind is kind


def test_an_error_keeps_all_that_was_said() -> None:
    """Message, type, request id, bytes, and how long to wait."""
    body = _error("rate_limit_error", "slow down")
    refused = _parsed(429, body, retry_after="7")
    assert (refused.message, refused.code, refused.status) == ("slow down", "rate_limit_error", 429)
    assert (refused.request_id, refused.retry_after, refused.dialect) == ("req_1", 7.0, "anthropic")
    assert refused.body == dumps(body)


def test_a_request_id_may_stand_in_a_header() -> None:
    """Support asks for it."""
    assert _parsed(500, {"error": "x"}, request_id="req_9").request_id == "req_9"
    assert _parsed(502, b"", request_id="req_9").request_id == "req_9"


def test_a_page_is_quoted_not_passed() -> None:
    """It is no answer of this dialect, so it must not go to a client as one."""
    refused = _parsed(502, b"<html><title>502 Bad Gateway</title></html>")
    assert "502 Bad Gateway" in refused.message
    assert refused.dialect == ""


@given(st.integers(400, 599), st.binary(max_size=80))
def test_any_error_answer_is_read(status: int, body: bytes) -> None:
    """Whatever the bytes, there is a kind and a message."""
    refused = DIALECT.upstream.parse_error(status, {}, body)
    assert refused.message
    assert _rendered(refused)[0] >= 400 or refused.dialect == "anthropic"


@pytest.mark.parametrize(
    "error, status, kind",
    [
        (BadRequest("messages: field required"), 400, "invalid_request_error"),
        (UnknownModel("no route for x"), 400, "invalid_request_error"),
        (UnknownPath("nothing here"), 404, "not_found_error"),
        (ClientError("no token", kind=ErrorKind.UNAUTHENTICATED), 401, "authentication_error"),
        (Forbidden("not from there"), 403, "permission_error"),
        (TooLarge("too large"), 413, "request_too_large"),
        (Unsupported("two answers"), 400, "invalid_request_error"),
        (CredentialError("no key"), 403, "permission_error"),
        (TimedOut("silent"), 504, "timeout_error"),
        (Truncated("cut"), 502, "api_error"),
        (GatewayError("our bug"), 500, "api_error"),
        (Refused("no", status=429, kind=ErrorKind.RATE_LIMITED), 429, "rate_limit_error"),
        (Refused("no", status=503, kind=ErrorKind.OVERLOADED), 529, "overloaded_error"),
        (Refused("no", status=429, kind=ErrorKind.QUOTA_EXHAUSTED), 402, "billing_error"),
        (OverBudget("spend limit reached"), 429, "rate_limit_error"),
    ],
)
def test_our_errors_in_this_dialect(error: GatewayError, status: int, kind: str) -> None:
    """Status and type are those that this dialect's clients act upon."""
    assert _rendered(error)[:2] == (status, kind)


def test_hints_are_said() -> None:
    """What to do next belongs to the message: clients show nothing else."""
    assert _rendered(UnknownModel("no route for x", hint="try claude-y"))[2] == "no route for x (hint: try claude-y)"


def test_a_refused_credential_of_ours_is_not_a_401() -> None:
    """Claude Code repeats a 401 for minutes; this one is not the client's to repair."""
    assert _rendered(Refused("bad key", status=401, kind=ErrorKind.UNAUTHENTICATED))[:2] == (403, "permission_error")


@pytest.mark.parametrize("seconds, header", [(0.2, "1"), (1.2, "2"), (30.0, "30"), (None, None)])
def test_how_long_to_wait(seconds: float | None, header: str | None) -> None:
    """Whole seconds, rounded up, at least one: sooner would be refused again."""
    error = Refused("no", status=429, kind=ErrorKind.RATE_LIMITED, retry_after=seconds)
    assert _rendered(error)[3].get("retry-after") == header


def test_a_spent_quota_is_not_repeated() -> None:
    """Asking ten times more would not fill it."""
    assert _rendered(Refused("no", status=429, kind=ErrorKind.QUOTA_EXHAUSTED))[3]["x-should-retry"] == "false"
    assert _rendered(OverBudget("no"))[3]["x-should-retry"] == "false"


@pytest.mark.parametrize(
    "message, words",
    [
        ("prompt is too long: 9 tokens > 8 maximum", "prompt is too long: 9 tokens > 8 maximum"),
        (
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 10001 tokens.",
            "prompt is too long: 10001 tokens > 8192 maximum (This model's maximum context length is 8192 tokens. "
            "However, your messages resulted in 10001 tokens.)",
        ),
        ("context_length_exceeded", "prompt is too long: context_length_exceeded"),
    ],
)
def test_a_prompt_that_is_too_long_is_said_in_known_words(message: str, words: str) -> None:
    """Claude Code compacts the conversation when it reads them, and takes the numbers from them."""
    error = Refused(message, status=400, kind=ErrorKind.CONTEXT_OVERFLOW, dialect="openai_chat", body=b"{}")
    assert _rendered(error)[:3] == (400, "invalid_request_error", words)


def test_an_upstream_of_this_dialect_keeps_its_words() -> None:
    """Clients recognise the vendor's wording and repair the request: not a byte is changed."""
    body = b'{ "type":"error","error":{"type":"invalid_request_error","message":"thinking: not here"},"x":1 }'
    reply = DIALECT.client.render_error(DIALECT.upstream.parse_error(400, {}, body))
    assert (reply.status, reply.body) == (400, body)


def test_an_error_inside_an_answer_gets_a_status() -> None:
    """A 200 that held an error object cannot be passed as one."""
    error = Refused("Overloaded", status=200, body=b"{}", dialect="anthropic", kind=ErrorKind.OVERLOADED)
    assert _rendered(error)[0] == 529


def test_the_request_id_is_passed_on() -> None:
    """The vendor's support asks for it."""
    error = Refused("no", status=500, kind=ErrorKind.UPSTREAM, request_id="req_9")
    assert json.loads(DIALECT.client.render_error(error).body)["request_id"] == "req_9"
