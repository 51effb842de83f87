"""`strowger quota`, and what `strowger status` says of accounts that are left alone."""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
import pytest
from msgspec.structs import replace

from strowger.client import Admin
from strowger.launcher import sessions
from tests.fakes.anthropic import refuse
from tests.integration.cli.conftest import Served, Strowger
from tests.integration.gateway.faults import HOME, MODEL, SPARE, WORK, Ways, ways


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the gateway is written for."""
    return "asyncio"


@asynccontextmanager
async def found() -> AsyncIterator[Ways]:
    """A gateway in this process that commands in others find, after a call that ran into a limit."""
    async with ways(accounts=2) as here:
        limit = refuse(
            429,
            "rate_limit_error",
            "the limit of five hours",
            anthropic_ratelimit_unified_status="rejected",
            anthropic_ratelimit_unified_representative_claim="five_hour",
            anthropic_ratelimit_unified_5h_utilization="1.0",
            anthropic_ratelimit_unified_5h_reset="4102444800",
            anthropic_ratelimit_unified_7d_utilization="0.25",
            retry_after="7200",
        )
        here.main.steps[WORK].append(limit)
        assert (await here.ask())[0] == 200
        token = here.rig.gateway.access.admin_token
        session = sessions.Session(pid=os.getpid(), url=here.rig.url, admin_token=token, started=1.0)
        sessions.write(session, sessions.directory(os.environ))
        yield here


@pytest.mark.anyio
async def test_what_is_left_and_who_rests(strowger: Strowger) -> None:
    """Each window of each account, until when; who is not asked meanwhile; no key and no token."""
    async with found() as here:
        told = await anyio.to_thread.run_sync(strowger, "quota")
        status = await anyio.to_thread.run_sync(strowger, "status")
        secrets = (WORK, HOME, SPARE, here.rig.gateway.access.admin_token)
    assert (told.returncode, told.stderr) == (0, "")
    lines = told.stdout.splitlines()
    assert lines[0].split() == ["PROVIDER", "ACCOUNT", "PLAN", "WINDOW", "USED", "LEFT", "BEGINS", "ANEW", "CREDITS"]
    assert lines[1].split()[:4] == ["main", "home", "-", "requests"]
    assert lines[2].split()[:7] == ["main", "work", "-", "5h", "100%", "0%", "in"]
    assert lines[3].split() == ["7d", "25%", "75%", "-"]
    rest = r"main/work is not asked for (2h|1h 59m): at its limit"
    assert re.fullmatch(rest, lines[4])
    assert re.search(rest, status.stdout)
    for printed in (told.stdout, status.stdout):
        assert [secret for secret in secrets if secret in printed] == []


@pytest.mark.anyio
async def test_as_json(strowger: Strowger) -> None:
    """For scripts: the same, with Unix times."""
    async with found() as here:
        told = await anyio.to_thread.run_sync(strowger, "quota", "--json")
        url = here.rig.url
    assert told.returncode == 0
    (gateway,) = json.loads(told.stdout)["gateways"]
    assert (gateway["url"], gateway["problem"]) == (url, None)
    home, work = gateway["quota"]["accounts"]
    assert (home["account"], work["account"], work["limit_reached"]) == ("home", "work", True)
    assert work["windows"][0] | {"name": "5h", "resets_at": 4102444800.0} == work["windows"][0]
    (rest,) = gateway["quota"]["resting"]
    assert (rest["account"], rest["model"], rest["kind"], rest["told"]) == ("work", None, "rate_limited", True)


@pytest.mark.anyio
async def test_open_breakers_are_told() -> None:
    """The admin API tells of hosts that fail, and of models that have no room."""
    async with ways() as here:
        health = here.rig.gateway.line.health
        health.retries = replace(health.retries, breaker_failures=2)
        here.main.lasting[WORK] = refuse(529, "overloaded_error", "Overloaded")
        await here.ask()
        async with Admin(here.rig.url, here.rig.gateway.access.admin_token) as admin:
            quota, status = await admin.quota(), await admin.status()
    (breaker,) = quota.breakers
    assert (breaker.provider, breaker.model, breaker.failures) == ("main", MODEL, 2)
    assert (breaker.base_url, 0 < breaker.seconds <= 30) == (here.main.base_url, True)
    assert (len(status.breakers), status.resting) == (1, quota.resting)


def test_nothing_is_known(strowger: Strowger) -> None:
    """Exit code 1, and what to do: start one, or make a call."""
    done = strowger("quota")
    assert (done.returncode, done.stdout) == (1, "")
    assert "hint: `strowger serve`" in done.stderr
    done = strowger("quota", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (1, {"gateways": []})


def test_nothing_was_said_yet(served: Served, strowger: Strowger) -> None:
    """A gateway that runs, but whose providers have said nothing of limits."""
    done = strowger("quota")
    assert (done.returncode, done.stdout) == (1, "")
    assert "make a call first" in done.stderr


def test_a_silent_gateway(strowger: Strowger) -> None:
    """A process that does not answer is told; its token is not."""
    silent = sessions.Session(pid=os.getpid(), url="http://127.0.0.1:9", admin_token="secret-token", started=1.0)
    sessions.write(silent, sessions.directory(os.environ))
    done = strowger("quota")
    assert done.returncode == 1
    assert "http://127.0.0.1:9 does not answer" in done.stderr
    assert "secret-token" not in done.stdout + done.stderr
