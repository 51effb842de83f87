"""What Claude Code does when the vendor behind the gateway fails: it must see what lets it recover."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e import clients
from tests.e2e.clients import Ran, claude, required
from tests.e2e.crossings import tail
from tests.e2e.exchange import Exchange
from tests.e2e.test_claude_code import ROUTES
from tests.fakes import anthropic, chat, gemini_errors, responses, responses_parts
from tests.fakes.brain import HELLO
from tests.fakes.flavours import DEEPSEEK, KIMI
from tests.fakes.script import Delivery, Hang, ScriptItem, bad_gateway, say

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(400)]


def ask(exchange: Exchange, home: Path, route: str, *script: ScriptItem, **env: str) -> Ran:
    """Say hello on a route whose vendor first does what the script says."""
    program = required(clients.claude_329(), "claude-2.1.329")
    model, provider = ROUTES[route]
    exchange.vendors[provider].script(*script)
    return claude(program, home, exchange.base_url, "hello", "--model", model, **env)


def retries(ran: Ran) -> list[str]:
    return [line["error"] for line in ran.lines if line.get("subtype") == "api_retry"]


@pytest.mark.parametrize(
    "route, step",
    [
        ("verbatim", anthropic.prompt_too_long()),
        ("openai", chat.prompt_too_long()),
        *tail(("deepseek", chat.prompt_too_long(DEEPSEEK)), ("kimi", chat.prompt_too_long(KIMI))),
        *tail(("responses", responses_parts.overflow_inside())),
        ("codex backend", responses_parts.overflow_inside()),
        ("gemini", gemini_errors.prompt_too_long()),
    ],
    ids=["verbatim", "openai", "deepseek", "kimi", "responses", "codex backend", "gemini"],
)
def test_full_context_is_recognised(exchange: Exchange, home: Path, route: str, step: ScriptItem) -> None:
    """A full context, in whatever words of a vendor, is what the client knows as such, without a retry."""
    ran = ask(exchange, home, route, step)
    assert ran.result["terminal_reason"] == "prompt_too_long", ran.result
    assert retries(ran) == []
    assert len(exchange.upstream(ROUTES[route][1])) == 1


@pytest.mark.parametrize(
    "route, step, error",
    [
        ("verbatim", anthropic.rate_limited(1), "rate_limit"),
        ("verbatim", anthropic.overloaded(), "overloaded"),
        *tail(("openai", chat.rate_limited(1), "rate_limit")),
        ("openai", chat.overloaded(), "overloaded"),
        ("openai", bad_gateway(), "server_error"),
        ("openai", Hang(drop=True), None),
        *tail(("responses", responses.rate_limited(1), "rate_limit")),
        ("codex backend", responses_parts.rate_limited_inside(0.5), "rate_limit"),
        *tail(("responses", responses_parts.at_capacity(), "overloaded")),
        ("gemini", gemini_errors.rate_limited(1), "rate_limit"),
        *tail(("gemini", gemini_errors.overloaded(), "overloaded")),
    ],
    ids=[
        *("429", "529", "429 chat", "503 chat", "html chat", "drop chat"),
        *("429 responses", "429 inside", "at capacity", "429 gemini", "503 gemini"),
    ],
)
def test_passing_failure_is_retried(
    exchange: Exchange, home: Path, route: str, step: ScriptItem, error: str | None
) -> None:
    """A failure that passes is retried, by the client as what it is or by the gateway unseen, and the answer comes."""
    ran = ask(exchange, home, route, step)
    assert (ran.code, ran.result["result"]) == (0, HELLO)
    # What broke off may be asked again by either; what was refused is the client's to ask again.
    assert error is None or retries(ran) == [error]
    assert len(exchange.upstream(ROUTES[route][1])) == 2


def test_exhausted_quota_is_final(exchange: Exchange, home: Path) -> None:
    """A quota that no waiting will mend ends the turn at once, with the vendor's reason."""
    ran = ask(exchange, home, "openai", chat.quota_exhausted())
    assert ran.code == 1
    assert "exceeded your current quota" in ran.result["result"]
    assert retries(ran) == []
    assert len(exchange.upstream("gpt")) == 1


@pytest.mark.parametrize(
    "route, cut",
    [
        *(("verbatim", cut) for cut in ("error", "drop", "eof")),
        *(("openai", "error"), ("openai", "drop"), ("codex backend", "eof"), ("gemini", "error")),
        *tail(("openai", "eof"), ("codex backend", "error"), ("gemini", "drop")),
    ],
)
def test_broken_stream(exchange: Exchange, home: Path, route: str, cut: str) -> None:
    """A stream that breaks in the middle is never taken for an answer: the client asks again and gets one."""
    breaks = Delivery(cut=cut, cut_after=5)  # type: ignore[arg-type]
    broken = say("This will break off in the middle", delivery=breaks, deltas=8)
    ran = ask(exchange, home, route, broken)
    assert (ran.code, ran.result["result"]) == (0, HELLO)
    assert len(exchange.upstream(ROUTES[route][1])) == 2
    first, second = (flow for flow in exchange.flows() if flow["path"] == "/v1/messages")
    assert (first["outcome"], second["outcome"]) == ("failed", "ok")
    if cut == "error":
        # After an error event the client asks for the answer in one piece.
        assert (first["stream"], second["stream"]) == (True, False)


@pytest.mark.parametrize("route", ["verbatim", "openai"])
def test_error_as_first_event(exchange: Exchange, home: Path, route: str) -> None:
    """An error event before anything else is a failure before the answer, and retried."""
    ran = ask(exchange, home, route, say("never", delivery=Delivery(cut="error", cut_after=0)))
    assert (ran.code, ran.result["result"]) == (0, HELLO)
    assert len(exchange.upstream(ROUTES[route][1])) == 2


def test_unknown_model_is_named(exchange: Exchange, home: Path) -> None:
    """A model that Anthropic does not have is the client's own message about its model."""
    step = anthropic.refuse(404, "not_found_error", f"model: {ROUTES['verbatim'][0]}", x_should_retry="false")
    ran = ask(exchange, home, "verbatim", step, step)
    assert (ran.code, ran.result["api_error_status"]) == (1, 404)
    assert "There's an issue with the selected model" in ran.result["result"]


def test_unknown_model_elsewhere_is_told_in_words(exchange: Exchange, home: Path) -> None:
    """A model that another vendor does not have is told in that vendor's words, which a 404 would hide."""
    step = chat.refuse(404, "invalid_request_error", "The model `gpt-5.5` does not exist", "model_not_found")
    # To an unexpected 400 the client answers with all of its optional features left out, one after the other.
    ran = ask(exchange, home, "openai", *[step] * 10)
    assert ran.code == 1
    assert "The model `gpt-5.5` does not exist" in ran.result["result"]


@pytest.mark.parametrize("route", ["verbatim", "openai"])
def test_slow_vendor(exchange: Exchange, home: Path, route: str) -> None:
    """Odd chunks, comments, compression that nobody asked for and a late first byte change nothing."""
    hard = Delivery(gzip=True, crlf=True, piece=3, comments=True)
    ran = ask(exchange, home, route, say(HELLO, delivery=hard, delay=1.5))
    assert (ran.code, ran.result["result"]) == (0, HELLO)
    assert len(exchange.upstream(ROUTES[route][1])) == 1
    (flow,) = (flow for flow in exchange.flows() if flow["path"] == "/v1/messages")
    assert flow["upstream_first_byte_ms"] >= 1500
