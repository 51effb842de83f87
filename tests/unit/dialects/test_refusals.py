"""Errors of which nothing is certain."""

from __future__ import annotations

import pytest

from strowger.dialects.refusals import LONGEST_TEXT, kind_of, retry_after, unstructured
from strowger.errors import ErrorKind

K = ErrorKind


@pytest.mark.parametrize(
    "status,text,code,kind",
    [
        (400, "bad", None, K.BAD_REQUEST),
        (401, "no", None, K.UNAUTHENTICATED),
        (402, "no money", None, K.QUOTA_EXHAUSTED),
        (403, "no", None, K.FORBIDDEN),
        (404, "Resource not found", "404", K.NOT_FOUND),
        (404, "The model `x` does not exist or you do not have access to it.", None, K.UNKNOWN_MODEL),
        (400, "openai/gpt-x is not a valid model ID", "400", K.UNKNOWN_MODEL),
        (408, "", None, K.TIMEOUT),
        (413, "", None, K.TOO_LARGE),
        (422, "", None, K.BAD_REQUEST),
        (429, "slow", None, K.RATE_LIMITED),
        (429, "You exceeded your current quota, please check your plan and billing details", None, K.QUOTA_EXHAUSTED),
        (429, "", "insufficient_quota", K.QUOTA_EXHAUSTED),
        (403, "Your account is suspended due to insufficient balance", None, K.QUOTA_EXHAUSTED),
        (403, "You've reached your weekly (7-day) usage limit. Your quota will reset", None, K.QUOTA_EXHAUSTED),
        (403, "You've reached your usage limit for this billing cycle.", None, K.QUOTA_EXHAUSTED),
        (403, "This is only available for Coding Agents", "access_terminated_error", K.FORBIDDEN),
        (500, "", None, K.UPSTREAM),
        (502, "The engine is overloaded", None, K.OVERLOADED),
        (503, "", None, K.OVERLOADED),
        (504, "", None, K.TIMEOUT),
        (529, "", None, K.OVERLOADED),
        (418, "", None, K.BAD_REQUEST),
        (400, "prompt is too long: 2 tokens > 1 maximum", None, K.CONTEXT_OVERFLOW),
        (500, "exceed_context_size_error", "exceed_context_size_error", K.CONTEXT_OVERFLOW),
        # inside an answer there is no status; the code is all there is
        (200, "Rate limited", "429", K.RATE_LIMITED),
        (200, "Slow down", "rate_limit_exceeded", K.RATE_LIMITED),
        (200, "no", "overloaded_error", K.OVERLOADED),
        (200, "no", "invalid_request_error", K.BAD_REQUEST),
        (200, "no", "authentication_error", K.UNAUTHENTICATED),
        (200, "what", None, K.UPSTREAM),
    ],
)
def test_kinds(status: int, text: str, code: str | None, kind: ErrorKind) -> None:
    """The code and the words are heard before the status is."""
    assert kind_of(status, text, code) is kind


@pytest.mark.parametrize(
    "headers,text,seconds",
    [
        ({"retry-after": "12"}, "", 12.0),
        ({"retry-after": "12", "retry-after-ms": "1500"}, "", 1.5),
        ({}, "Please try again in 1.2s. Visit …", 1.2),
        ({}, "Please try again in 500ms.", 0.5),
        ({}, "try again in 6m30s", 390.0),
        ({}, "Please retry after 20 seconds", 20.0),
        ({}, "try again in 1h2m", 3720.0),
        ({}, "Retrying in 3 s", 3.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, "", None),
        ({"retry-after": "inf"}, "", None),
        ({"retry-after": "-1"}, "", None),
        ({}, "try again later", None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], text: str, seconds: float | None) -> None:
    """Headers first, then the words; a date cannot be read without a clock."""
    assert retry_after(headers, text) == seconds


def test_a_web_page_is_told_by_its_title() -> None:
    """What a proxy in between sends must be recognised as that, not shown as markup."""
    page = b"<!DOCTYPE html><html><head><title>502 Bad &amp; Gateway</title></head><body>x</body></html>"
    told = unstructured(502, page)
    assert '"502 Bad & Gateway"' in told
    assert "proxy" in told


def test_a_web_page_without_a_title_is_told_by_its_words() -> None:
    """Scripts and styles are not words."""
    told = unstructured(403, b"<html><style>p{}</style><script>var x</script><p>Access   denied</p></html>")
    assert '"Access denied"' in told


def test_plain_words_are_quoted_and_bounded() -> None:
    """An upstream must not flood a client with its error."""
    assert unstructured(500, b"upstream connect error") == "the upstream answered 500: upstream connect error"
    assert len(unstructured(500, b"x" * 10_000)) < LONGEST_TEXT + 50


def test_an_empty_body_is_called_empty() -> None:
    """Nothing is made up."""
    assert unstructured(504, b" \n") == "the upstream answered 504 with an empty body"


def test_broken_utf_8_does_not_matter() -> None:
    """An error about an error helps nobody."""
    assert "500" in unstructured(500, b"\xff\xfe oops")
