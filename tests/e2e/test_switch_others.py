"""`strowger switch` with opencode, kimi-code and qwen-code: one session of each goes on with another vendor, in another
dialect, and comes back. They are kept open by the Agent Client Protocol, which all three speak.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e import acp
from tests.e2e.clients import SECONDS, required
from tests.e2e.exchange import PROFILES, Exchange
from tests.e2e.test_run import STROWGER
from tests.e2e.test_run_others import WHERE, digests, home, surroundings, untouched
from tests.e2e.test_switch import switch
from tests.fakes.brain import RESULT

__all__ = ["home"]

pytestmark = [pytest.mark.slow, pytest.mark.client, pytest.mark.timeout(400)]

WORDS = {
    "opencode": ("acp",),
    "kimi": ("acp",),
    "qwen": ("--acp",),
}


@pytest.mark.parametrize("client", WORDS)
def test_there_and_back(exchange: Exchange, home: Path, client: str) -> None:
    """A tool loop at Anthropic, at Gemini, at OpenAI's Responses, and at Anthropic again, which finds what it signed;
    nobody refuses anything, and nothing of the user's is touched.
    """
    before = digests(home)
    # Chat, which qwen-code speaks, has no place for encrypted reasoning.
    exchange.reasoning_comes_home(client != "qwen")
    program = required(WHERE[client](), client)
    env = surroundings(exchange, home, program, joined=True)
    order = ["run", "--config", str(exchange.config), "--profile", "first", client, "--", *WORDS[client]]
    with acp.talking([*STROWGER, *order], home, env, 3 * SECONDS) as agent:
        answers = [agent.say("At first: RUN_TOOL")]
        for profile in ("second", "third", "first"):
            switch(exchange, home, client, profile)
            answers.append(agent.say(f"On the {profile}: RUN_TOOL"))
    # In the middle of it stands what each agent says of a tool besides.
    assert [answer for answer in answers if "FAKE-DONE: the tool said «" not in answer or RESULT not in answer] == []
    asked = {profile: len(exchange.upstream(provider)) for profile, provider in PROFILES.items()}
    assert (asked["second"], asked["third"]) == (2, 2)
    assert asked["first"] in (4, 5)  # some ask for a title besides
    assert {flow["outcome"] for flow in exchange.flows()} == {"ok"}
    untouched(exchange, home, before)
