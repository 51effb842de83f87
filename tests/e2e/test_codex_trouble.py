"""What Codex does when the vendor behind the gateway fails: it must see what lets it recover, over either transport."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e import clients
from tests.e2e.clients import Ran, required
from tests.e2e.codex import codex, codex_home, failure, said
from tests.e2e.exchange import MODELS, Exchange
from tests.fakes import anthropic, chat, gemini_errors, responses, responses_parts
from tests.fakes.brain import HELLO
from tests.fakes.script import Delivery, Hang, ScriptItem, bad_gateway, say

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(400)]

BROKEN = [
    *(("resp", cut, sockets) for cut in ("error", "drop", "eof") for sockets in (False, True)),
    *(("cloud", "error", False), ("cloud", "drop", True), ("gpt", "error", True), ("gpt", "eof", False)),
    *(("codexb", "eof", True), ("codexb", "error", False), ("gem", "error", False), ("gem", "drop", True)),
]


def ask(exchange: Exchange, home: Path, provider: str, *script: ScriptItem, sockets: bool = False) -> Ran:
    """Say hello to a vendor that first does what the script says."""
    program = required(clients.codex(), "codex")
    exchange.vendors[provider].script(*script)
    codex_home(home, exchange.base_url, MODELS[provider], sockets=sockets)
    return codex(program, home, "hello")


@pytest.mark.parametrize(
    "provider, step, sockets",
    [
        ("resp", responses_parts.overflow_inside(), False),
        ("codexb", responses_parts.overflow_inside(), True),
        ("cloud", anthropic.prompt_too_long(), False),
        ("cloud", anthropic.prompt_too_long(), True),
        ("gpt", chat.prompt_too_long(), True),
        ("gem", gemini_errors.prompt_too_long(), False),
    ],
    ids=["resp", "codexb-websocket", "cloud", "cloud-websocket", "gpt-websocket", "gem"],
)
def test_full_context_is_recognised(
    exchange: Exchange, home: Path, provider: str, step: ScriptItem, sockets: bool
) -> None:
    """A full context, in whatever words of a vendor, is what the client knows as such, without a retry."""
    ran = ask(exchange, home, provider, step, sockets=sockets)
    assert ran.code == 1
    assert "ran out of room" in failure(ran)
    assert len(exchange.upstream(provider)) == 1


@pytest.mark.parametrize(
    "provider, step, sockets",
    [
        ("resp", responses.rate_limited(1), False),
        ("resp", responses.rate_limited(1), True),
        ("codexb", responses_parts.rate_limited_inside(0.2), False),
        ("codexb", responses_parts.rate_limited_inside(0.2), True),
        ("cloud", anthropic.rate_limited(1), True),
        ("gpt", chat.rate_limited(1), False),
        ("gem", gemini_errors.rate_limited(1), False),
        ("cloud", anthropic.overloaded(), True),
        ("gpt", bad_gateway(), False),
        ("gem", Hang(drop=True), True),
    ],
    ids=[
        *("429", "429-websocket", "429 inside", "429 inside-websocket", "429 anthropic-websocket", "429 chat"),
        *("429 gemini", "529-websocket", "html", "drop-websocket"),
    ],
)
def test_passing_failure_is_retried(
    exchange: Exchange, home: Path, provider: str, step: ScriptItem, sockets: bool
) -> None:
    """A failure that passes is retried, by the client or by the gateway unseen, and the answer comes."""
    ran = ask(exchange, home, provider, step, sockets=sockets)
    assert (ran.code, said(ran)) == (0, HELLO), ran.out
    assert len(exchange.upstream(provider)) == 2


@pytest.mark.parametrize("provider, cut, sockets", BROKEN)
def test_broken_stream(exchange: Exchange, home: Path, provider: str, cut: str, sockets: bool) -> None:
    """A stream that breaks in the middle is never taken for an answer: the client asks again and gets one."""
    breaks = Delivery(cut=cut, cut_after=4)  # type: ignore[arg-type]
    broken = say("This will break off in the middle", delivery=breaks, deltas=8)
    ran = ask(exchange, home, provider, broken, sockets=sockets)
    assert (ran.code, said(ran)) == (0, HELLO), ran.out
    assert len(exchange.upstream(provider)) == 2
    calls = [flow["outcome"] for flow in exchange.flows() if flow["path"].endswith("/responses")]
    # Over a socket Codex may be gone before the end of the broken answer is: then it was the one who ended it.
    assert calls in (["failed", "ok"], ["cancelled", "ok"])


@pytest.mark.parametrize(
    "provider, step, sockets",
    [("resp", responses.quota_exhausted(), False), ("gpt", chat.quota_exhausted(), True)],
    ids=["responses", "chat-websocket"],
)
def test_exhausted_quota_is_final(
    exchange: Exchange, home: Path, provider: str, step: ScriptItem, sockets: bool
) -> None:
    """A quota that no waiting will mend ends the turn, with a reason that names it."""
    ran = ask(exchange, home, provider, *[step] * 8, sockets=sockets)
    assert ran.code == 1
    assert "quota" in failure(ran).lower()


def test_wrong_token(exchange: Exchange, home: Path) -> None:
    """A wrong client token ends the turn with a reason."""
    program = required(clients.codex(), "codex")
    codex_home(home, exchange.base_url, MODELS["cloud"], more="stream_max_retries = 0\nrequest_max_retries = 0\n")
    ran = codex(program, home, "hello", E2E_TOKEN="wrong")
    assert ran.code == 1
    assert "token" in failure(ran)
    assert exchange.cloud.requests == []
