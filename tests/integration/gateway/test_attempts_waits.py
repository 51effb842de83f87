"""Waiting, resting and breaking: who is asked again, when, and who is not. Hours pass on clocks that tests wind."""

from __future__ import annotations

import gc
import random
import re
from typing import Any

import aiohttp
import anyio
import msgspec
import pytest
from msgspec.structs import replace

from strowger.config.layers import Loaded
from strowger.gateway.attempts import Attempts
from tests.fakes.anthropic import refuse
from tests.fakes.chat import FakeChat
from tests.fakes.script import Delivery, Hang, say
from tests.integration.gateway import faults
from tests.integration.gateway.faults import HOME, MODEL, QUICK, SPARE, WORK, Troubled, Ways, ways
from tests.integration.gateway.rig import gateway

pytestmark = pytest.mark.anyio

PATIENT = replace(QUICK, longest_delay_seconds=1.0, budget_seconds=2.0)
BREAKING = replace(QUICK, attempts=1, breaker_failures=3, breaker_seconds=30)
BROKEN = refuse(500, "api_error", "broken")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def limit(seconds: float) -> Any:
    """A 429 that says when it ends."""
    return refuse(429, "rate_limit_error", "slow down", retry_after_ms=f"{seconds * 1000:g}")


class Times:
    """Winds the clocks of a gateway's health on; both, or only one of them."""

    def __init__(self, here: Ways) -> None:
        health = here.rig.gateway.line.health
        self.clock = self.wall = 0.0
        clock, wall = health.clock, health.wall
        health.clock = lambda: clock() + self.clock
        health.wall = lambda: wall() + self.wall

    def pass_(self, seconds: float) -> None:
        """So much later."""
        self.clock += seconds
        self.wall += seconds


async def together(here: Ways, number: int, **more: Any) -> list[tuple[int, dict[str, str], bytes]]:
    """So many calls at once."""
    answers: list[tuple[int, dict[str, str], bytes]] = []

    async def one() -> None:
        answers.append(await here.ask(**more))

    async with anyio.create_task_group() as tasks:
        for _ in range(number):
            tasks.start_soon(one)
    return answers


async def test_a_short_limit_is_waited_out() -> None:
    """As long as was asked for, not shorter; then the same account answers, and flow and log tell of the wait."""
    async with ways(accounts=2, retries=PATIENT) as here:
        here.main.steps[WORK].append(limit(0.12))
        code, headers, answer = await here.ask()
        flow = await here.rig.flow()
        assert (code, here.main.asked(WORK), here.main.asked(HOME)) == (200, 2, 0)
        assert b"from work" in answer
        assert flow["attempts"][1]["waited_ms"] >= 120
        assert re.fullmatch(
            rf"2; main/work:{MODEL} rate_limited; main/work:{MODEL} ok, waited 0\.[1-4]s",
            headers["x-strowger-attempts"],
        )
        logged = msgspec.json.decode(here.rig.log.getvalue().splitlines()[-1])
        assert [one["reason"] for one in logged["attempts"]] == ["rate_limited", None]


async def test_no_wait_is_longer_than_the_longest_nor_all_of_them_than_the_budget() -> None:
    """Who asks for more is left for the next; who has no next is told when to come back."""
    async with ways(retries=PATIENT) as here:
        here.main.lasting[WORK] = limit(1.5)
        code, headers, _ = await here.ask()
        assert (code, headers["retry-after-ms"], here.main.asked(WORK)) == (429, "1500", 1)
    async with ways(retries=replace(PATIENT, attempts=50, budget_seconds=0.2)) as here:
        here.main.lasting[WORK] = limit(0.05)
        code, _, _ = await here.ask()
        flow = await here.rig.flow()
        assert code == 429
        assert sum(one["waited_ms"] for one in flow["attempts"]) <= 200
        assert 2 <= here.main.asked(WORK) <= 4


async def test_backing_off_is_slower_each_time() -> None:
    """Where nobody says how long, the wait doubles, with jitter, up to the longest."""
    policy = replace(QUICK, attempts=5, first_delay_seconds=0.01, longest_delay_seconds=0.03)
    async with ways(retries=policy) as here:
        here.main.lasting[WORK] = BROKEN
        await here.ask()
        waits = [one["waited_ms"] / 1000 for one in (await here.rig.flow())["attempts"]]
    assert waits[0] == 0
    for wait, most in zip(waits[1:], (0.01, 0.02, 0.03, 0.03), strict=True):
        assert most / 2 <= wait <= most


async def test_all_at_their_limits_means_that_nobody_is_asked() -> None:
    """The client is told when the first of them is free; from time to time one call may see whether it is still so."""
    async with ways(accounts=2) as here:
        times = Times(here)
        here.main.lasting = {WORK: limit(600), HOME: limit(300)}
        assert (await here.ask())[0] == 429
        assert (here.main.asked(WORK), here.main.asked(HOME)) == (1, 1)
        for code, headers, answer in await together(here, 100):
            assert (code, int(headers["retry-after"])) in {(429, seconds) for seconds in range(280, 301)}
            assert b"main/home" in answer
            assert b"strowger quota" in answer
        flow = await here.rig.flow()
        assert (here.main.asked(WORK), here.main.asked(HOME)) == (1, 1)
        assert [one["asked"] for one in flow["attempts"]] == []
        times.pass_(61)
        codes = [code for code, _, _ in await together(here, 10)]
        assert set(codes) == {429}
        assert here.main.asked(WORK) + here.main.asked(HOME) == 4  # each was looked at once
        here.main.lasting.clear()
        times.pass_(61)
        assert (await here.ask())[0] == 200
        assert (await here.ask())[0] == 200


async def test_who_is_free_soon_is_waited_for() -> None:
    """Within the budget a call comes late rather than not at all; nothing is asked before its time."""
    async with ways(accounts=2, retries=replace(PATIENT, attempts=1)) as here:
        here.main.steps[WORK].append(limit(600))
        here.main.steps[HOME].append(limit(0.2))
        assert (await here.ask())[0] == 429
        answers = await together(here, 20)
        assert [code for code, _, _ in answers] == [200] * 20
        assert here.main.asked(WORK) == 1
        flow = await here.rig.flow()
        assert (flow["attempts"][0]["account"], flow["attempts"][0]["waited_ms"] > 50) == ("home", True)


async def test_a_hundred_calls_during_a_limit() -> None:
    """Once an account has said so, nobody asks it any more; all are served by the other."""
    async with ways(accounts=2) as here:
        here.main.lasting[WORK] = limit(600)
        assert (await here.ask())[0] == 200
        answers = await together(here, 100)
        assert [code for code, _, _ in answers] == [200] * 100
        assert (here.main.asked(WORK), here.main.asked(HOME)) == (1, 101)
        passed = answers[0][1]["x-strowger-attempts"]
        assert passed == f"1; main/work:{MODEL} resting_rate_limited; main/home:{MODEL} ok"
        assert "passed over" not in str((await here.rig.flow())["notes"])


async def test_a_limit_without_a_time_locks_nobody_out() -> None:
    """It was our guess how long it lasts: whoever has nobody else is asked all the same, and others come first."""
    async with ways(accounts=2, retries=replace(QUICK, attempts=1)) as here:
        here.main.steps[WORK].append(refuse(429, "rate_limit_error", "slow down"))
        await together(here, 1)
        await here.ask()
        assert (here.main.asked(WORK), here.main.asked(HOME)) == (1, 2)
    async with ways(retries=replace(QUICK, attempts=1)) as here:
        here.main.steps[WORK].append(refuse(429, "rate_limit_error", "slow down"))
        assert [(await here.ask())[0] for _ in range(2)] == [429, 200]


async def test_a_machine_that_slept() -> None:
    """The monotonic clock did not go on, but the limit is over all the same, and so with the wall clock."""
    for moved in ("wall", "clock"):
        async with ways() as here:
            times = Times(here)
            here.main.steps[WORK].append(limit(7200))
            assert (await here.ask())[0] == 429
            setattr(times, moved, 7201.0)
            assert (await here.ask())[0] == 200


async def test_a_flapping_upstream_is_not_noticed() -> None:
    """Each call comes through, at its second try if need be, and no breaker opens."""
    async with ways(retries=replace(QUICK, breaker_failures=2)) as here:
        for _ in range(20):
            here.main.steps[WORK].extend((BROKEN, say("from work", deltas=1)))
        codes = [(await here.ask())[0] for _ in range(20)]
        assert codes == [200] * 20
        assert here.main.asked(WORK) == 40


async def test_hanging_up_ends_a_wait() -> None:
    """At once, and nothing more is asked for a client that is gone."""
    async with ways(retries=replace(QUICK, longest_delay_seconds=60, budget_seconds=60)) as here:
        here.main.lasting[WORK] = limit(30)
        with anyio.fail_after(30):
            with pytest.raises((TimeoutError, aiohttp.ServerTimeoutError)):
                async with here.rig.session.post(
                    here.rig.url + "/v1/messages",
                    json={"model": MODEL, "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]},
                    timeout=aiohttp.ClientTimeout(total=0.3),
                ):
                    raise AssertionError("it was answered")
            flow = await here.rig.flow()
        assert (flow["outcome"], here.main.asked(WORK)) == ("cancelled", 1)


async def test_a_reload_starts_everybody_anew() -> None:
    """Whoever has mended a key, or bought more, need not wait for the end of the old limit; the policy is new, too."""
    async with Troubled() as main:
        loaded: list[Loaded] = []
        settings = faults.settings(main.base_url, "http://127.0.0.1:9", accounts=1, targets=1)
        async with gateway(settings, again=lambda _: loaded[0]) as rig:
            here = Ways(rig, main, FakeChat())
            main.steps[WORK].append(limit(7200))
            assert [(await here.ask())[0] for _ in range(2)] == [429, 429]
            assert main.asked(WORK) == 1
            loaded.append(Loaded(replace(settings, retries=replace(QUICK, attempts=3)), {}))
            await rig.gateway.settings.reload()
            main.steps[WORK].extend((BROKEN, BROKEN))
            assert (await here.ask())[0] == 200
            assert main.asked(WORK) == 4


# ---- breakers ----


async def test_a_broken_host_is_left_alone() -> None:
    """After some failures in a row the next target is asked at once; later one call at a time finds out."""
    async with ways(targets=2, retries=BREAKING) as here:
        times = Times(here)
        here.main.lasting[WORK] = BROKEN
        for _ in range(6):
            assert (await here.ask())[1]["x-strowger-route"] == "spare:gpt"
        assert here.main.asked(WORK) == 3
        header = (await here.ask())[1]["x-strowger-attempts"]
        assert header == f"1; main/work:{MODEL} breaker_open; spare:gpt ok"
        times.pass_(31)
        here.main.lasting[WORK] = say("from work", deltas=1, delay=0.3)
        answers = await together(here, 20)
        assert here.main.asked(WORK) == 4
        routes = sorted(headers["x-strowger-route"].partition(":")[0] for _, headers, _ in answers)
        assert routes == ["main", *["spare"] * 19]
        here.main.lasting.clear()
        assert (await here.ask())[1]["x-strowger-route"].startswith("main:")


async def test_a_probe_that_fails_opens_the_breaker_again() -> None:
    """And a probe whose client hangs up does not keep others from finding out."""
    async with ways(targets=2, retries=BREAKING) as here:
        times = Times(here)
        here.main.lasting[WORK] = BROKEN
        for _ in range(4):
            await here.ask()
        times.pass_(31)
        await together(here, 5)
        assert here.main.asked(WORK) == 4
        await here.ask()
        assert here.main.asked(WORK) == 4
        times.pass_(31)
        here.main.lasting[WORK] = say("late", delay=30)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(here.ask)
            with anyio.fail_after(30):
                await here.main.until(lambda: here.main.asked(WORK) == 5)
            tasks.cancel_scope.cancel()
        here.main.lasting.clear()
        await here.main.until(lambda: here.main.inferences()[-1].ended == "left")
        assert (await here.ask())[1]["x-strowger-route"].startswith("main:")


async def test_a_breaker_locks_nobody_out() -> None:
    """Whoever has one provider only reaches it as soon as it is there again; meanwhile each call is one try."""
    async with ways(retries=replace(BREAKING, attempts=3)) as here:
        here.main.lasting[WORK] = BROKEN
        assert (await here.ask())[0] == 500
        assert here.main.asked(WORK) == 3
        assert [code for code, _, _ in await together(here, 5)] == [500] * 5
        assert here.main.asked(WORK) == 8
        here.main.lasting.clear()
        assert [code for code, _, _ in await together(here, 5)] == [200] * 5


# ---- conversations ----


async def test_a_conversation_stays_where_its_prompt_is_cached() -> None:
    """It comes back when the cache has gone cold; a new one goes to the first account at once."""
    async with ways(accounts=2) as here:
        times = Times(here)
        here.main.steps[WORK].append(limit(100))
        assert b"from home" in (await here.ask(session="one"))[2]
        times.pass_(200)
        assert b"from home" in (await here.ask(session="one"))[2]
        times.pass_(200)
        assert b"from home" in (await here.ask(session="one"))[2]
        assert b"from work" in (await here.ask(session="two"))[2]
        assert b"from work" in (await here.ask())[2]
        times.pass_(301)
        assert b"from work" in (await here.ask(session="one"))[2]


async def test_a_cache_that_was_asked_for_longer() -> None:
    """With `ttl: 1h` it is warm for an hour."""
    system = [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    async with ways(accounts=2) as here:
        times = Times(here)
        here.main.steps[WORK].append(limit(100))
        for seconds, who in ((0, b"home"), (3500, b"home"), (3601, b"work")):
            times.pass_(seconds)
            assert b"from " + who in (await here.ask(session="one", system=system))[2]


async def test_the_session_of_another_dialect() -> None:
    """Clients that send no header name their conversation in the body."""
    async with ways(accounts=2, spread="round_robin") as here:
        body = {"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "stream": True}
        seen = set()
        for _ in range(4):
            _, _, answer = await here.rig.post("/v1/chat/completions", body | {"prompt_cache_key": "thread-1"})
            seen.add(b"from work" in answer)
        assert len(seen) == 1
        _, _, other = await here.rig.post("/v1/chat/completions", body)
        _, _, another = await here.rig.post("/v1/chat/completions", body)
        assert (b"from work" in other) != (b"from work" in another)


@pytest.mark.parametrize("spread", ["round_robin", "most_left"])
async def test_spreading(spread: str) -> None:
    """Calls are shared out; keys are nowhere to be seen."""
    async with ways(accounts=2, spread=spread) as here:
        for _ in range(10):
            assert (await here.ask())[0] == 200
        if spread == "round_robin":
            assert (here.main.asked(WORK), here.main.asked(HOME)) == (5, 5)
        text = here.rig.log.getvalue()
        assert all(key not in text for key in (WORK, HOME, SPARE))


async def test_nothing_is_held_on_to_after_a_failure() -> None:
    """An answer may take minutes: errors before it, with the request in their frames, are let go as it begins."""
    async with ways(accounts=2) as here:
        here.main.steps[WORK].append(BROKEN)
        here.main.steps[WORK].append(BROKEN)
        here.main.steps[HOME].append(say("one two three", deltas=3, delivery=Delivery(cut="stall", cut_after=3)))
        # What other tests of this process have left, in the traceback of an error for instance, is not ours.
        gc.collect()
        earlier = _all_attempts()
        gc.disable()
        try:
            async with here.rig.session.post(
                here.rig.url + "/v1/messages",
                json={"model": MODEL, "max_tokens": 5, "messages": [{"role": "user", "content": "x"}], "stream": True},
            ) as response:
                await response.content.readuntil(b"\n\n")
                # The upstream has stalled, so nothing moves any more; what a cycle held would stay, as nobody collects.
                with anyio.fail_after(30):
                    while len(_all_attempts()) > len(earlier):  # noqa: ASYNC110 - nothing tells
                        await anyio.sleep(0.05)
        finally:
            gc.enable()


def _all_attempts() -> list[Attempts]:
    # Not by `isinstance`: a process that runs many tests has millions of objects.
    return [one for one in gc.get_objects() if type(one) is Attempts]


async def test_whatever_goes_wrong_is_over_when_it_is_over() -> None:
    """Hundreds of calls at once through every kind of trouble: each is answered, once; then all is as it was before."""
    chance = random.Random(7)
    policy = replace(QUICK, cooldown_seconds=0.05, breaker_failures=3, breaker_seconds=0.02)
    trouble = (BROKEN, limit(0.01), limit(0.3), refuse(529, "overloaded_error", "Overloaded"), Hang(drop=True))
    async with ways(accounts=2, targets=2, retries=policy, spread="round_robin") as here:
        here.spare.script(*[say("from spare", deltas=1)] * 400)
        for key in (WORK, HOME):
            here.main.steps[key].extend(
                chance.choice((*trouble, say("fine", deltas=1), say("fine", deltas=1))) for _ in range(150)
            )
        answers = await together(here, 300, session="one")
        assert [code for code, _, _ in answers] == [200] * 300
        assert all(answer.count(b"event: message_stop") == 1 for _, _, answer in answers)
        for steps in here.main.steps.values():
            steps.clear()
        health = here.rig.gateway.line.health
        with anyio.fail_after(30):
            while not health.calm:
                assert (await here.ask())[0] == 200
                list(health.resting())
                await anyio.sleep(0.01)
        assert b"from spare" not in (await here.ask())[2]
