"""Errors, both ways."""

from __future__ import annotations

import base64
import json

import pytest

from strowger.dialects.openai_responses.errors import failed_object, failure_of, parse_error, render_error, told
from strowger.errors import (
    BadRequest,
    CredentialError,
    ErrorKind,
    GatewayError,
    Malformed,
    Refused,
    TimedOut,
    UnknownModel,
)
from tests.shared import Recording, cases
from tests.unit.dialects.openai_responses.answering import dumps

# ---- reading ----


@pytest.mark.parametrize(
    "status, body, kind",
    [
        (
            401,
            {"error": {"message": "no", "type": "x", "code": "invalid_api_key"}},
            "unauthenticated",
        ),
        # Perplexity's codes are the status
        (
            401,
            {"error": {"message": "Invalid API key provided", "type": "invalid_api_key", "code": 401}},
            "unauthenticated",
        ),
        (429, {"error": {"message": "Request rate limit exceeded", "type": "rate_limit", "code": 429}}, "rate_limited"),
        (400, {"error": {"message": "Invalid model 'x'.", "type": "invalid_model", "code": 400}}, "unknown_model"),
        (422, {"detail": [{"loc": ["body", "input"], "msg": "Field required", "type": "missing"}]}, "bad_request"),
        (
            400,
            {"error": {"message": "The model 'x' does not exist.", "code": "model_not_found"}},
            "unknown_model",
        ),
        (
            400,
            {"error": {"message": "Item 'rs_1' misses its item.", "code": None}},
            "bad_request",
        ),
        (429, {"error": {"type": "usage_limit_reached", "message": "limit", "plan_type": "plus"}}, "quota_exhausted"),
        (429, {"error": {"type": "usage_not_included", "message": "no"}}, "quota_exhausted"),
        (
            400,
            {"error": {"message": "quota", "code": "insufficient_quota"}},
            "quota_exhausted",
        ),
        (400, {"detail": "Unsupported parameter: temperature"}, "bad_request"),
        (400, {"detail": "The 'x' model is not supported when using Codex with a ChatGPT account."}, "unknown_model"),
        (400, {"detail": [{"loc": ["body"], "msg": "wrong"}]}, "bad_request"),
        (400, {"code": "invalid-argument", "error": "Incorrect API key provided."}, "unauthenticated"),
        (400, {"code": "invalid-argument", "error": "Model not found: grok-x"}, "unknown_model"),
        (400, {"error": {"code": "context_length_exceeded", "message": "too long"}}, "context_overflow"),
        (503, {"error": {"code": "slow_down", "message": "busy"}}, "overloaded"),
        (500, {"error": {"message": "boom", "type": "server_error"}}, "upstream"),
        (404, {"error": {"message": "gone", "type": "invalid_request_error"}}, "not_found"),
    ],
)
def test_error_answers(status: int, body: dict[str, object], kind: str) -> None:
    """Each shape that servers of this dialect were seen to send means what it says."""
    refused = parse_error(status, {"x-request-id": "req_1"}, dumps(body))
    assert refused.kind == ErrorKind(kind)
    assert (refused.status, refused.dialect, refused.request_id) == (status, "openai_responses", "req_1")
    assert refused.message


def test_how_long_to_wait() -> None:
    """A header before the words, the words before the seconds until the limit is reset."""
    body = {"error": {"type": "usage_limit_reached", "message": "limit", "resets_in_seconds": 90}}
    assert parse_error(429, {}, dumps(body)).retry_after == 90
    assert parse_error(429, {"retry-after": "3"}, dumps(body)).retry_after == 3
    body["error"]["message"] = "Please try again in 500ms."
    assert parse_error(429, {}, dumps(body)).retry_after == 0.5


def test_an_error_that_is_no_json() -> None:
    """A page of a proxy is quoted, and is of no dialect."""
    refused = parse_error(502, {}, b"<html><title>Bad gateway</title></html>")
    assert "Bad gateway" in refused.message
    assert (refused.kind, refused.dialect) == (ErrorKind.UPSTREAM, "")


def test_an_error_in_a_header() -> None:
    """Where the body says nothing that can be read, the header of the ChatGPT backend does; where both do, the body."""
    error = dumps({"error": {"type": "usage_limit_reached", "message": "limit", "resets_in_seconds": 60}})
    headers = {"x-error-json": base64.b64encode(error).decode()}
    refused = parse_error(429, headers, b"<html><title>Too many</title></html>")
    assert (refused.kind, refused.message, refused.retry_after) == (ErrorKind.QUOTA_EXHAUSTED, "limit", 60)
    assert (refused.body, refused.dialect) == (error, "openai_responses")
    assert parse_error(400, headers, b'{"detail":"Input must be a list"}').message == "Input must be a list"


@pytest.mark.parametrize("text", ["%%%", "x", "bm8=", "e30="])
def test_a_header_that_is_no_error(text: str) -> None:
    """Is passed over."""
    refused = parse_error(502, {"x-error-json": text}, b"<html><title>Bad gateway</title></html>")
    assert "Bad gateway" in refused.message


@pytest.mark.parametrize("case", cases("openai_responses", lambda r: r.status >= 400))
def test_recorded_errors(case: Recording) -> None:
    """Their words are kept, and they pass to a client of this dialect as they are."""
    data, status = case.response.content, case.response.status
    refused = parse_error(status, {}, data)
    assert refused.message in data.decode()
    reply = render_error(refused)
    assert (reply.status, reply.body) == (status, data)


@pytest.mark.parametrize(
    "code, kind",
    [
        ("server_error", ErrorKind.UPSTREAM),
        ("rate_limit_exceeded", ErrorKind.RATE_LIMITED),
        ("context_length_exceeded", ErrorKind.CONTEXT_OVERFLOW),
        ("insufficient_quota", ErrorKind.QUOTA_EXHAUSTED),
        ("usage_not_included", ErrorKind.QUOTA_EXHAUSTED),
        ("usage_limit_reached", ErrorKind.QUOTA_EXHAUSTED),
        ("server_is_overloaded", ErrorKind.OVERLOADED),
        ("slow_down", ErrorKind.OVERLOADED),
        ("cyber_policy", ErrorKind.BAD_REQUEST),
        ("bio_policy", ErrorKind.BAD_REQUEST),
        ("misalignment_policy_violation", ErrorKind.BAD_REQUEST),
        ("invalid_prompt", ErrorKind.BAD_REQUEST),
        ("invalid_encrypted_content", ErrorKind.BAD_REQUEST),
        ("invalid_image_url", ErrorKind.BAD_REQUEST),
        ("image_too_large", ErrorKind.BAD_REQUEST),
        ("vector_store_timeout", ErrorKind.TIMEOUT),
        ("model_not_found", ErrorKind.UNKNOWN_MODEL),
        ("websocket_connection_limit_reached", ErrorKind.UPSTREAM),
        ("a_new_code", ErrorKind.UPSTREAM),
    ],
)
def test_codes_inside_an_answer(code: str, kind: ErrorKind) -> None:
    """There is no status there: the code is all there is."""
    seen = told(dumps({"error": {"code": code, "message": "so it is"}}))
    assert seen is not None
    assert failure_of(seen).kind is kind


def test_an_error_event_of_a_websocket() -> None:
    """Its type is only `error`, which says nothing; the inner object does."""
    seen = told(b'{"type":"error","status":429,"error":{"type":"usage_limit_reached","message":"m"}}')
    assert seen is not None
    assert failure_of(seen).kind is ErrorKind.QUOTA_EXHAUSTED


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"error":null}', b'{"id":"resp_1"}', b"no", b'{"type":"x"}'])
def test_what_is_no_error(data: bytes) -> None:
    """Nothing is made of it."""
    assert told(data) is None


# ---- writing ----


@pytest.mark.parametrize(
    "error, status, code",
    [
        (BadRequest("wrong", param="input"), 400, None),
        (UnknownModel("no such model"), 400, "model_not_found"),
        (GatewayError("full", kind=ErrorKind.CONTEXT_OVERFLOW), 400, "context_length_exceeded"),
        (GatewayError("fast", kind=ErrorKind.RATE_LIMITED), 429, "rate_limit_exceeded"),
        (GatewayError("busy", kind=ErrorKind.OVERLOADED), 503, "server_is_overloaded"),
        (TimedOut("silent"), 504, "timeout"),
        (CredentialError("none"), 403, None),
        (Refused("no", status=401, kind=ErrorKind.UNAUTHENTICATED), 403, None),
    ],
)
def test_statuses_and_codes(error: GatewayError, status: int, code: str | None) -> None:
    """What the client acts upon. That our own credential was refused is not the client's login."""
    reply = render_error(error)
    written = json.loads(reply.body)["error"]
    assert (reply.status, written["code"], written["param"]) == (status, code, error.param)


def test_an_overflow_is_said_in_words_that_are_known() -> None:
    """Clients look at the words too; words that are known already stay."""
    error = GatewayError("kein Platz", kind=ErrorKind.CONTEXT_OVERFLOW)
    assert "exceeds the context window" in json.loads(render_error(error).body)["error"]["message"]
    error = GatewayError("prompt is too long: 9 > 8", kind=ErrorKind.CONTEXT_OVERFLOW)
    assert failed_object(error)["message"] == "prompt is too long: 9 > 8"


def test_waits_are_headers_and_words() -> None:
    """A header before the answer; inside it the words that Codex reads, unless they are there."""
    error = GatewayError("slow down", kind=ErrorKind.RATE_LIMITED, retry_after=1.5)
    assert ("retry-after", "2") in render_error(error).headers
    assert failed_object(error) == {
        "code": "rate_limit_exceeded",
        "message": "slow down. Please try again in 1.5s.",
    }
    error = GatewayError("try again in 3s", kind=ErrorKind.RATE_LIMITED, retry_after=3)
    assert failed_object(error)["message"] == "try again in 3s"


def test_an_empty_balance_is_not_asked_again() -> None:
    """The official clients heed the header."""
    reply = render_error(GatewayError("no money", kind=ErrorKind.QUOTA_EXHAUSTED))
    assert (reply.status, ("x-should-retry", "false") in reply.headers) == (429, True)


@pytest.mark.parametrize(
    "error, code",
    [
        (BadRequest("wrong"), "invalid_prompt"),
        (Malformed("odd"), "server_error"),
        (GatewayError("x", kind=ErrorKind.QUOTA_EXHAUSTED, code="1113"), "insufficient_quota"),
        (GatewayError("x", kind=ErrorKind.BAD_REQUEST, code="cyber_policy"), "cyber_policy"),
        (GatewayError("x", kind=ErrorKind.OVERLOADED), "server_error"),
    ],
)
def test_codes_of_a_failed_response(error: GatewayError, code: str) -> None:
    """One after which a client tries again only where that helps; the vendor's own codes stay."""
    assert failed_object(error)["code"] == code
