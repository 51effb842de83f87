"""What travels and what does not."""

from __future__ import annotations

import pytest

from strowger.dialects.base import Loss
from strowger.flows.flow import Attempt
from strowger.gateway.headers import attempts_header, forwarded, losses_header, returned


def test_unknown_headers_travel_and_credentials_do_not() -> None:
    """Open lists: betas and hints pass in their order; whatever authorises stays here."""
    kept = forwarded(
        (
            ("Host", "127.0.0.1"),
            ("Authorization", "Bearer secret"),
            ("X-Api-Key", "secret"),
            ("Api-Key", "secret"),
            ("Cookie", "secret"),
            ("X-Strowger-Token", "secret"),
            ("anthropic-beta", "a,b"),
            ("X-Unknown", "1"),
            ("x-unknown", "2"),
            ("Content-Length", "3"),
            ("Content-Encoding", "gzip"),
            ("Accept-Encoding", "gzip, br"),
        )
    )
    assert kept == [("anthropic-beta", "a,b"), ("X-Unknown", "1"), ("x-unknown", "2"), ("Accept-Encoding", "identity")]


def test_whose_account_it_is_stays_with_the_credential() -> None:
    """Beside another key it is refused, and another vendor would learn who the user is."""
    lines = (("ChatGPT-Account-Id", "acc"), ("OpenAI-Organization", "org"), ("x-goog-user-project", "p"), ("a", "b"))
    assert forwarded(lines) == [("a", "b"), ("Accept-Encoding", "identity")]


def test_headers_named_by_connection_are_for_one_hop() -> None:
    """RFC 9110 §7.6.1."""
    assert ("x-hop", "1") not in forwarded((("Connection", "keep-alive, X-Hop"), ("x-hop", "1")))


def test_answers_keep_limits_and_ids_but_no_framing() -> None:
    """Clients act on retry-after and rate limits; lengths and encodings are ours."""
    kept = returned(
        (
            ("Content-Type", "text/event-stream"),
            ("Transfer-Encoding", "chunked"),
            ("Content-Encoding", "gzip"),
            ("retry-after", "3"),
            ("anthropic-ratelimit-requests-remaining", "7"),
            ("set-cookie", "__cf=1"),
        )
    )
    assert [name for name, _ in kept] == ["Content-Type", "retry-after", "anthropic-ratelimit-requests-remaining"]


def test_losses_fit_into_one_ascii_line() -> None:
    """What a model or a client wrote must not break the header."""
    text = losses_header([Loss("tools[0]\r\nx", "kein Weg für dies"), Loss("a", "b", "info")])
    assert text == "tools[0]??x: kein Weg f?r dies; 1 without effect"
    assert len(losses_header([Loss("p" * 500, "r")] * 30)) <= 2000


@pytest.mark.parametrize(
    "line",
    [
        ("X-Odd", "a\x0bb"),
        ("X-Odd", "a\r\nX-Forged: 1"),
        ("X-Policy", "x" * 9000),
        ("Location", "https://elsewhere.example/"),
        ("X-Strowger-Lane", "forged"),
        ("Access-Control-Allow-Origin", "*"),
    ],
)
def test_what_an_upstream_may_not_say_through_us(line: tuple[str, str]) -> None:
    """What breaks our head, or a client's limit, or leads it away, or is for us to say."""
    assert returned((line, ("X-Own", "1"))) == [("X-Own", "1")]


def test_tries_fit_into_one_line() -> None:
    """The number of those that were asked, then each with what became of it, bounded."""
    attempts = [
        Attempt("p:m", "", account="work", reason="resting_quota_exhausted", asked=False),
        Attempt("p:m", "verbatim", 429, account="home", reason="rate_limited"),
        Attempt("p:m", "verbatim", 500, account="home", reason="upstream", waited=1.26),
        Attempt("q:n", "translate", 200),
    ]
    assert attempts_header(attempts) == (
        "3; p/work:m resting_quota_exhausted; p/home:m rate_limited; p/home:m upstream, waited 1.3s; q:n ok"
    )
    many = attempts_header([Attempt("p:m", "", reason="upstream") for _ in range(100)])
    assert many.startswith("100; p:m upstream; ")
    assert many.endswith("; ...")
    assert len(many) < 300
