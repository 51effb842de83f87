"""Errors of upstreams, read; errors of ours, written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from strowger.dialects.openai_chat import DIALECT
from strowger.errors import (
    BadRequest,
    ClientError,
    CredentialError,
    ErrorKind,
    GatewayError,
    Refused,
    TimedOut,
    TooLarge,
    Truncated,
    UnknownModel,
    Unreachable,
    Unsupported,
)

K = ErrorKind


def refused(status: int, body: Any, **headers: str) -> Refused:
    """What is made of an error answer."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return DIALECT.upstream.parse_error(status, {key.replace("_", "-"): value for key, value in headers.items()}, raw)


@pytest.mark.parametrize(
    "status,body,kind,message,code",
    [
        # OpenAI
        (
            401,
            {"error": {"message": "Incorrect API key provided.", "param": None, "code": "invalid_api_key"}},
            K.UNAUTHENTICATED,
            "Incorrect API key provided.",
            "invalid_api_key",
        ),
        (
            404,
            {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}},
            K.UNKNOWN_MODEL,
            "The model `x` does not exist",
            "model_not_found",
        ),
        (
            429,
            {"error": {"message": "quota", "type": "insufficient_quota", "code": None}},
            K.QUOTA_EXHAUSTED,
            "quota",
            "insufficient_quota",
        ),
        # a type that says more than the code
        (
            400,
            {"error": {"code": 400, "message": "2 > 1", "type": "exceed_context_size_error"}},
            K.CONTEXT_OVERFLOW,
            "2 > 1",
            "400",
        ),
        (
            400,
            {"error": {"message": "too long", "type": "too_many_prompt_tokens", "code": 400}},
            K.CONTEXT_OVERFLOW,
            "too long",
            "400",
        ),
        # a bare string, members without `error`, a detail, a list
        (404, {"error": "Specified model not found: x"}, K.UNKNOWN_MODEL, "Specified model not found: x", None),
        (
            400,
            {"code": 400, "message": "Validation: no", "type": "Bad Request"},
            K.BAD_REQUEST,
            "Validation: no",
            "400",
        ),
        (400, {"detail": "Unsupported parameter: x"}, K.BAD_REQUEST, "Unsupported parameter: x", None),
        (422, {"detail": [{"loc": ["body"]}]}, K.BAD_REQUEST, '[{"loc": ["body"]}]', None),
        (400, [{"error": {"code": 400, "message": "INVALID_ARGUMENT"}}], K.BAD_REQUEST, "INVALID_ARGUMENT", "400"),
        # OpenRouter hides the words of the provider behind it
        (
            429,
            {"error": {"message": "Provider returned error", "metadata": {"raw": "slow down", "provider_name": "G"}}},
            K.RATE_LIMITED,
            "Provider returned error (G: slow down)",
            None,
        ),
        (502, {"error": {"message": "no", "metadata": {"raw": {"odd": 1}}}}, K.UPSTREAM, "no", None),
        (500, {"error": {"message": {"odd": 1}, "code": [1]}}, K.UPSTREAM, '{"odd":1}', "[1]"),
        (500, {"error": {"odd": 1}}, K.UPSTREAM, '{"odd": 1}', None),
        # Anthropic's shape, from a gateway in between
        (
            529,
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            K.OVERLOADED,
            "Overloaded",
            "overloaded_error",
        ),
        # a balance
        (
            402,
            {"error": {"message": "Insufficient Balance", "code": "invalid_request_error"}},
            K.QUOTA_EXHAUSTED,
            "Insufficient Balance",
            "invalid_request_error",
        ),
        (429, {"error": {"code": "1113", "message": "余额不足"}}, K.QUOTA_EXHAUSTED, "余额不足", "1113"),
    ],
)
def test_errors_in_every_shape(status: int, body: object, kind: ErrorKind, message: str, code: str | None) -> None:
    """Whoever sends them."""
    error = refused(status, body)
    assert (error.kind, error.message, error.code, error.status) == (kind, message, code, status)
    assert error.dialect == "openai_chat"


def test_what_else_an_error_brings() -> None:
    """The field at fault, the wait, the id of the request, the very bytes."""
    body = {"error": {"message": "bad", "param": "tools[0]", "code": "x"}}
    error = refused(400, body, retry_after="3", x_request_id="req_1")
    assert (error.param, error.retry_after, error.request_id) == ("tools[0]", 3.0, "req_1")
    assert json.loads(error.body) == body


def test_bodies_that_are_no_error_object() -> None:
    """Quoted, and not passed on as if they were of this dialect."""
    for body, words in (
        (b"<html><title>Bad gateway</title>", "Bad gateway"),
        (b"oops", "oops"),
        (b"", "empty body"),
        (b"{}", "{}"),
    ):
        error = refused(502, body)
        assert words in error.message
        assert error.dialect == ""
        assert error.body == body
        assert error.kind is K.UPSTREAM


# ---- writing ----


def reply(error: GatewayError) -> tuple[int, Any, dict[str, str]]:
    drawn = DIALECT.client.render_error(error)
    return drawn.status, json.loads(drawn.body), dict(drawn.headers)


@pytest.mark.parametrize(
    "error,status,kind,code",
    [
        (BadRequest("no", param="model"), 400, "invalid_request_error", None),
        (ClientError("no", kind=ErrorKind.UNAUTHENTICATED), 401, "authentication_error", "invalid_api_key"),
        (CredentialError("no"), 403, "permission_error", None),
        (UnknownModel("no", available=("a",)), 404, "invalid_request_error", "model_not_found"),
        (TooLarge("no"), 413, "invalid_request_error", "request_too_large"),
        (Unsupported("no", param="n"), 400, "invalid_request_error", "unsupported"),
        (Unreachable("no"), 502, "server_error", "upstream_error"),
        (TimedOut("no"), 504, "server_error", "timeout"),
        (Truncated("no"), 502, "server_error", "upstream_error"),
        (GatewayError("no"), 500, "server_error", "internal_error"),
        (Refused("no", status=529, kind=K.OVERLOADED), 503, "server_error", "overloaded"),
        (Refused("no", status=429, kind=K.RATE_LIMITED, code="tokens"), 429, "rate_limit_error", "tokens"),
    ],
)
def test_every_error_has_a_status_and_members(error: GatewayError, status: int, kind: str, code: str | None) -> None:
    """The four members are always there."""
    got, body, headers = reply(error)
    assert got == status
    assert body == {"error": {"message": "no", "type": kind, "param": error.param, "code": code}}
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_no_kind_is_forgotten(kind: ErrorKind) -> None:
    """The table is complete."""
    assert 400 <= reply(GatewayError("no", kind=kind))[0] < 600


def test_hints_are_part_of_the_message() -> None:
    """It is all that a client shows."""
    assert reply(BadRequest("no", hint="do"))[1]["error"]["message"] == "no (hint: do)"


def test_an_overflow_is_told_in_words_that_clients_know() -> None:
    """Whatever the upstream's were."""
    known = Refused("prompt is too long: 2 tokens > 1 maximum", status=400, kind=K.CONTEXT_OVERFLOW, code="x")
    assert reply(known)[1]["error"]["message"] == known.message
    assert reply(known)[1]["error"]["code"] == "context_length_exceeded"
    odd = Refused("zu lang", status=400, kind=K.CONTEXT_OVERFLOW)
    assert "maximum context length" in reply(odd)[1]["error"]["message"]


def test_waits_are_whole_seconds() -> None:
    """And never none: a client would come back at once."""
    for wait, header in ((0.2, "1"), (1.2, "2"), (30.0, "30")):
        error = Refused("no", status=429, kind=K.RATE_LIMITED, retry_after=wait)
        assert reply(error)[2]["retry-after"] == header


def test_an_empty_balance_is_not_retried() -> None:
    """The official libraries heed the header."""
    status, body, headers = reply(Refused("no", status=402, kind=K.QUOTA_EXHAUSTED))
    assert (status, body["error"]["code"], headers["x-should-retry"]) == (429, "insufficient_quota", "false")


def test_an_upstreams_own_error_passes_as_it_is() -> None:
    """For a client of its dialect; not where it came with a status of success."""
    body = b'{"error": {"message": "m", "later": 1}}'
    drawn = DIALECT.client.render_error(Refused("m", status=418, body=body, dialect="openai_chat"))
    assert (drawn.status, drawn.body) == (418, body)
    drawn = DIALECT.client.render_error(Refused("m", status=200, body=body, dialect="openai_chat"))
    assert (drawn.status, json.loads(drawn.body)["error"]["message"]) == (502, "m")
    drawn = DIALECT.client.render_error(Refused("m", status=400, body=b'{"type":"error"}', dialect="anthropic"))
    assert json.loads(drawn.body)["error"]["message"] == "m"
