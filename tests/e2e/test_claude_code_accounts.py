"""Claude Code on a provider with two accounts: it works on while one is left, and stops at once when none is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import clients
from tests.e2e.clients import Ran, claude, required
from tests.e2e.exchange import TOKEN, Started, clean_env, started
from tests.fakes.anthropic import refuse
from tests.fakes.script import Call, Refuse, Reply, Say
from tests.integration.gateway.faults import HOME, WORK, Troubled

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(400)]

CONFIG = """
[server]
port = 0
client_token = "env:E2E_TOKEN"
[retries]
first_delay_seconds = 0.05
[providers.cloud]
dialect = "anthropic"
base_url = "{url}"
accounts = {{ work = "env:E2E_WORK", home = "env:E2E_HOME" }}
"""


def used_up(hours: int) -> Refuse:
    """What the vendor says when the window of a plan is used up, for so many hours."""
    return refuse(
        429,
        "rate_limit_error",
        "This request would exceed your account's rate limit. Please try again later.",
        retry_after=str(hours * 3600),
        anthropic_ratelimit_unified_status="rejected",
        anthropic_ratelimit_unified_representative_claim="five_hour",
        anthropic_ratelimit_unified_5h_utilization="1.0",
    )


@contextmanager
def gateway(home: Path) -> Iterator[tuple[Started, Troubled]]:
    """A gateway as a process of its own, in front of a vendor that knows both accounts."""
    home = home / "gateway"
    home.mkdir()
    with Troubled().in_thread() as cloud:
        config = home / "config.toml"
        config.write_text(CONFIG.format(url=cloud.base_url))
        env = {**clean_env(home), "E2E_TOKEN": TOKEN, "E2E_WORK": WORK, "E2E_HOME": HOME}
        with started(config, home, env, (TOKEN, WORK, HOME)) as here:
            yield here, cloud


def main_calls(here: Started) -> list[dict[str, Any]]:
    """The flows of what the client asked for in its own conversation, without its chores."""
    return [flow for flow in here.flows() if flow["path"] == "/v1/messages" and "opus" in flow["model"]]


def ask(here: Started, home: Path) -> Ran:
    """Claude Code, to its end."""
    program = required(clients.claude_329(), "claude-2.1.329")
    return claude(program, home, here.base_url, "Go through all steps.", "--model", "claude-opus-5-5")


def test_it_goes_on_with_the_other_account(home: Path) -> None:
    """In the middle of a tool loop a plan is used up; the rest of the loop stays with the account that took over."""
    with gateway(home) as (here, cloud):
        shell = Call("Bash", {"command": "echo one"})
        cloud.steps[WORK].extend((Reply(parts=(shell,)), used_up(3)))
        cloud.steps[HOME].extend((Reply(parts=(shell,)), Reply(parts=(Say("All done."),), deltas=1)))
        ran = ask(here, home)
        flows = main_calls(here)
    assert (ran.code, ran.result["is_error"], ran.result["result"]) == (0, False, "All done.")
    assert [line for line in ran.lines if line.get("subtype") == "api_retry"] == []
    accounts = [[(one["account"], one["reason"]) for one in flow["attempts"]] for flow in flows]
    assert accounts[0] == [("work", None)]
    assert accounts[1] == [("work", "rate_limited"), ("home", None)]
    assert accounts[2] == [("home", None)] or accounts[2][-1] == ("home", None)
    assert cloud.asked(WORK) == 2


def test_it_stops_at_once_when_no_account_is_left(home: Path) -> None:
    """Not after ten retries: it says why, and asking again costs the vendor nothing."""
    with gateway(home) as (here, cloud):
        cloud.lasting = {WORK: used_up(3), HOME: used_up(2)}
        first = ask(here, home)
        asked = (cloud.asked(WORK), cloud.asked(HOME))
        second = ask(here, home)
        flows = main_calls(here)
    for ran in (first, second):
        assert (ran.code, ran.result["is_error"], ran.result["api_error_status"]) == (1, True, 429)
        assert [line for line in ran.lines if line.get("subtype") == "api_retry"] == []
    assert asked == (1, 1)
    assert (cloud.asked(WORK), cloud.asked(HOME)) == asked
    assert "strowger quota" in second.result["result"]
    assert [flow["status"] for flow in flows] == [429, 429]
