"""Every way in which an upstream fails, before and after the first byte, with and without somewhere else to go."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace

from tests.fakes.anthropic import overloaded, refuse
from tests.fakes.script import Hang, Refuse, Step, bad_gateway
from tests.integration.gateway.faults import HOME, QUICK, QUOTED, SPARE, WORK, Ways, broken, ways

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Fault(Struct, frozen=True):
    """What goes wrong. `tries`: how often the same is asked. `status`: what a client is told who can go nowhere else.

    `moves`: another may be asked. `whole`: what the client is told that wants no stream, where that is different.
    """

    name: str
    step: Step
    tries: int
    status: int
    reason: str
    moves: bool = True

    def __str__(self) -> str:
        return self.name


def status(code: int, kind: str, **headers: str) -> Refuse:
    """An error answer that quotes a key, as some servers do."""
    return refuse(code, kind, f"no, not with {QUOTED.decode()}", **headers)


BEFORE = [
    Fault("400", status(400, "invalid_request_error"), 1, 400, "bad_request", moves=False),
    Fault("401", status(401, "authentication_error"), 1, 403, "forbidden"),
    Fault("402", status(402, "billing_error"), 1, 402, "quota_exhausted"),
    Fault("403", status(403, "permission_error"), 1, 403, "forbidden"),
    Fault("404", status(404, "not_found_error"), 1, 404, "not_found"),
    Fault("408", status(408, "timeout_error"), 2, 408, "timeout"),
    Fault("413", status(413, "request_too_large"), 1, 413, "too_large", moves=False),
    Fault("429", status(429, "rate_limit_error"), 2, 429, "rate_limited"),
    Fault("429 soon", status(429, "rate_limit_error", retry_after_ms="5"), 2, 429, "rate_limited"),
    Fault("429 late", status(429, "rate_limit_error", retry_after="3600"), 1, 429, "rate_limited"),
    Fault("429 empty", refuse(429, "rate_limit_error", "insufficient balance"), 1, 429, "quota_exhausted"),
    Fault("500", status(500, "api_error"), 2, 500, "upstream"),
    Fault("501", status(501, "api_error"), 1, 501, "upstream"),
    Fault("502", bad_gateway(), 2, 502, "upstream"),
    Fault("503", status(503, "api_error"), 2, 503, "upstream"),
    Fault("504", status(504, "timeout_error"), 1, 504, "timeout"),
    Fault("529", overloaded(), 2, 529, "overloaded"),
    Fault("dropped before an answer", Hang(drop=True), 1, 502, "upstream"),
    Fault("silent", Hang(), 1, 504, "timeout"),
    Fault("dropped before an event", broken("drop", 0), 1, 502, "upstream"),
    Fault("ended before an event", broken("eof", 0), 1, 502, "upstream"),
    Fault("silent before an event", broken("stall", 0), 1, 504, "timeout"),
    Fault("overloaded as the first event", broken("error", 0), 2, 529, "overloaded"),
    Fault(
        "limited as the first event",
        broken("error", 0, error=("rate_limit_error", "too much")),
        2,
        429,
        "rate_limited",
    ),
]
WAYS = [(1, 1), (2, 1), (1, 2), (2, 2)]
PATIENT = replace(QUICK, longest_delay_seconds=1.0, budget_seconds=2.0)


def waiting_for(fault: str) -> dict[str, Any]:
    """How long the gateway waits for a silent upstream: not long where one is silent, else longer than it can be."""
    return {"idle_timeout_seconds": 0.3 if fault.startswith(("silent", "stall")) else 10}


def asked(here: Ways) -> tuple[int, int, int]:
    """How many calls reached each way."""
    return here.main.asked(WORK), here.main.asked(HOME), len(here.spare.inferences())


def check_secrets(here: Ways, flow: dict[str, Any], *answers: object) -> None:
    """No key is in what the client, the log or the flow got."""
    seen = "".join(str(answer) for answer in (*answers, flow, here.rig.log.getvalue()))
    for key in (WORK, HOME, SPARE):
        assert key not in seen


@pytest.mark.parametrize("accounts, targets", WAYS)
@pytest.mark.parametrize("fault", BEFORE, ids=str)
async def test_before_the_first_byte(fault: Fault, accounts: int, targets: int) -> None:
    """The next account, then the next target answers, unless the request is at fault; alone, the client is told."""
    async with ways(accounts=accounts, targets=targets, **waiting_for(fault.name)) as here:
        here.main.lasting[WORK] = fault.step
        code, headers, answer = await here.ask()
        flow = await here.rig.flow()
        check_secrets(here, flow, headers, answer)
        tried = [(one["target"], one["account"], one["reason"]) for one in flow["attempts"]]
        assert tried[: fault.tries] == [("main:claude-sonnet-4-5", "work", fault.reason)] * fault.tries
        if fault.moves and accounts * targets > 1:
            assert (code, flow["outcome"]) == (200, "ok")
            assert (b"from home" if accounts == 2 else b"from spare") in answer
            assert asked(here) == (fault.tries, int(accounts == 2), int(accounts == 1))
            assert headers["x-strowger-attempts"].startswith(
                f"{fault.tries + 1}; main/work:claude-sonnet-4-5 {fault.reason}"
            )
            assert headers["x-strowger-attempts"].endswith(" ok")
        else:
            assert (code, flow["outcome"], len(tried)) == (fault.status, "failed", fault.tries)
            assert asked(here) == (fault.tries, 0, 0)
            assert msgspec.json.decode(answer)["type"] == "error" or fault.name == "502"
            assert ("x-strowger-attempts" in headers) == (fault.tries > 1)


@pytest.mark.parametrize("fault", BEFORE, ids=str)
async def test_a_client_that_wants_it_whole(fault: Fault) -> None:
    """It is served by the same rules."""
    async with ways(accounts=2, targets=2, **waiting_for(fault.name)) as here:
        here.main.lasting[WORK] = fault.step
        code, headers, answer = await here.ask(stream=False)
        flow = await here.rig.flow()
        check_secrets(here, flow, headers, answer)
    # A stand-in for an API that was not asked for a stream answers without one, so these faults do not show.
    well = isinstance(fault.step, type(broken("eof", 0)))
    assert code == (200 if fault.moves else fault.status)
    if fault.moves:
        assert (b"one two three four" if well else b"from home") in answer


@pytest.mark.parametrize("fault", [one for one in BEFORE if one.moves], ids=str)
async def test_when_both_accounts_fail(fault: Fault) -> None:
    """The next target answers; its dialect is another one."""
    async with ways(accounts=2, targets=2, **waiting_for(fault.name)) as here:
        here.main.lasting[WORK] = here.main.lasting[HOME] = fault.step
        code, headers, answer = await here.ask()
        flow = await here.rig.flow()
        check_secrets(here, flow, headers, answer)
        assert (code, headers["x-strowger-route"]) == (200, "spare:gpt")
        assert b"from spare" in answer
        assert [(one["target"], one["account"]) for one in flow["attempts"]][-1] == ("spare:gpt", "")
        assert flow["attempts"][-1]["reason"] is None


@pytest.mark.parametrize("fault", [one for one in BEFORE if one.moves], ids=str)
async def test_a_moment_of_trouble(fault: Fault) -> None:
    """What fails once and then works is not even noticed, where asking again is free; else the client may do that."""
    async with ways(**waiting_for(fault.name)) as here:
        here.main.steps[WORK].append(fault.step)
        code, headers, answer = await here.ask()
        flow = await here.rig.flow()
        check_secrets(here, flow, headers, answer)
        if fault.tries == 2:
            assert (code, here.main.asked(WORK)) == (200, 2)
            assert b"from work" in answer
            assert flow["attempts"][1]["waited_ms"] > 0
        else:
            assert (code, here.main.asked(WORK)) == (fault.status, 1)


AFTER = [
    ("drop", b"event: error"),
    ("eof", b"event: error"),
    ("stall", b"event: error"),
    ("error", b"overloaded_error"),
]


@pytest.mark.parametrize("accounts, targets", WAYS)
@pytest.mark.parametrize("cut, told", AFTER, ids=[cut for cut, _ in AFTER])
async def test_after_the_first_byte(cut: str, told: bytes, accounts: int, targets: int) -> None:
    """Nobody else is asked any more: the stream ends in an error, never in a made-up end, nor in a second answer."""
    async with ways(accounts=accounts, targets=targets, **waiting_for(cut)) as here:
        here.main.lasting[WORK] = broken(cut, 3)
        code, headers, answer = await here.ask()
        flow = await here.rig.flow()
        check_secrets(here, flow, headers, answer)
        assert (code, flow["outcome"]) == (200, "failed")
        assert answer.count(b"event: message_start") == 1
        assert told in answer
        assert b"message_stop" not in answer
        assert asked(here) == (1, 0, 0)


@pytest.mark.parametrize("cut", ["drop", "eof", "stall", "error"])
async def test_what_is_translated_breaks_as_honestly(cut: Any) -> None:
    """The same on the other lane: whoever was asked last has the last word."""
    async with ways(targets=2, **waiting_for(cut)) as here:
        here.main.lasting[WORK] = overloaded()
        here.spare.forget()
        here.spare.script(broken(cut, 2))
        code, headers, answer = await here.ask()
        flow = await here.rig.flow()
        check_secrets(here, flow, headers, answer)
        assert (code, flow["outcome"]) == (200, "failed")
        assert b"event: error" in answer
        assert b"message_stop" not in answer
        assert asked(here) == (2, 0, 1)


@pytest.mark.parametrize(
    "work, home, expected",
    [
        (status(500, "api_error"), status(429, "rate_limit_error", retry_after="70"), 429),
        (status(429, "rate_limit_error", retry_after="70"), status(500, "api_error"), 429),
        (status(401, "authentication_error"), status(500, "api_error"), 403),
        (status(404, "not_found_error"), status(401, "authentication_error"), 403),
        (status(500, "api_error"), status(404, "not_found_error"), 404),
        (status(501, "api_error"), bad_gateway(), 502),
        (bad_gateway(), status(500, "api_error"), 500),
    ],
)
async def test_what_the_client_hears_when_all_fail(work: Refuse, home: Refuse, expected: int) -> None:
    """A limit, else a refused key, else a missing model, else the last."""
    async with ways(accounts=2) as here:
        here.main.lasting = {WORK: work, HOME: home}
        code, headers, answer = await here.ask()
        assert code == expected
        assert headers.get("retry-after") == ("70" if expected == 429 else None)
        check_secrets(here, await here.rig.flow(), headers, answer)


async def test_an_empty_account_stops_claude_code() -> None:
    """It repeats a 429 for minutes, unless it is told that there is no use, in whichever dialect that was said."""
    async with ways() as here:
        here.main.lasting[WORK] = refuse(429, "rate_limit_error", "insufficient balance")
        code, headers, _ = await here.ask()
        assert (code, headers["x-should-retry"]) == (429, "false")
        assert here.main.asked(WORK) == 1


async def test_a_limit_of_hours_is_not_waited_for_by_the_client_either() -> None:
    """Claude Code waits for a minute at most: told at once, its user can do something about it."""
    async with ways() as here:
        here.main.steps[WORK].append(status(429, "rate_limit_error", retry_after="7200"))
        first, second = [await here.ask() for _ in range(2)]
        assert [code for code, _, _ in (first, second)] == [429, 429]
        assert [headers["x-should-retry"] for _, headers, _ in (first, second)] == ["false", "false"]
        assert here.main.asked(WORK) == 1
    async with ways() as here:
        here.main.steps[WORK].append(status(429, "rate_limit_error", retry_after="20"))
        assert "x-should-retry" not in (await here.ask())[1]


async def test_a_heartbeat_may_have_begun_the_stream() -> None:
    """While we wait between tries the client gets its pings; a failure after that is told inside the stream."""
    async with ways(heartbeat_seconds=0.02, retries=PATIENT) as here:
        here.main.lasting[WORK] = status(429, "rate_limit_error", retry_after_ms="100")
        code, headers, answer = await here.ask()
        flow = await here.rig.flow()
        check_secrets(here, flow, headers, answer)
        assert code == 200
        assert answer.startswith(b"event: ping")
        assert answer.count(b"event: error") == 1
        assert b"rate_limit_error" in answer
        assert (flow["outcome"], here.main.asked(WORK)) == ("failed", 2)
        here.main.lasting.clear()
