"""Why a call found less in the cache than it could have."""

from __future__ import annotations

import json
from typing import Any

from strowger.flows.caching import Session, explain

LONG = "word " * 8000


class Story:
    """A session as it is told, call by call."""

    def __init__(self) -> None:
        self.summaries: list[dict[str, Any]] = []
        self.bodies: dict[tuple[str, str], bytes] = {}
        self.now = 1000.0

    def call(
        self,
        *turns: str,
        read: int | None = 0,
        input: int = 10_000,
        forwarded: dict[str, Any] | None = None,
        system: str = LONG,
        wait: float = 5.0,
        **facts: Any,
    ) -> None:
        self.now += wait
        name = f"flow_{len(self.summaries)}"
        body = {
            "model": "claude-test",
            "system": [{"type": "text", "text": system}],
            "messages": [{"role": "user", "content": turn} for turn in turns],
        }
        self.bodies[name, "client_request"] = json.dumps(body).encode()
        self.bodies[name, "forwarded"] = json.dumps(body | (forwarded or {})).encode()
        tokens = {"input": input} | ({} if read is None else {"cache_read": read})
        base: dict[str, Any] = {
            "id": name,
            "started": self.now,
            "duration_ms": 1000.0,
            "outcome": "ok",
            "dialect": "anthropic",
            "upstream_dialect": "anthropic",
            "model": "claude-test",
            "upstream_model": "claude-test",
            "response_model": "claude-test",
            "provider": "anthropic",
            "account": "",
            "agent_id": None,
            "request_class": "",
            "attempts": [],
            "tokens": tokens,
        }
        self.summaries.append(base | facts)

    def told(self) -> Session:
        return explain(self.summaries, lambda name, kind: self.bodies.get((name, kind)))


def test_a_session_that_only_grows_has_nothing_to_explain() -> None:
    """The rate is that of all prompts together."""
    story = Story()
    story.call("a", input=10_000, read=0)
    story.call("a", "b", input=10_000, read=9_900)
    told = story.told()
    assert [one.why for one in told.calls] == ["the first of its conversation", ""]
    assert (told.fell, told.lost_tokens, told.hit) == (0, 0, 0.495)


def test_the_clients_own_change_is_the_clients() -> None:
    """What it rewrote is named."""
    story = Story()
    story.call("a", "b")
    story.call("A", "b", "c", read=4_000)
    last = story.told().calls[-1]
    assert (last.fell, last.by, last.why) == (True, "client", "message 0 was rewritten at content.text")
    assert (last.lost_tokens, last.previous) == (6_000, "flow_0")


def test_a_change_that_only_we_made_is_ours() -> None:
    """The client's request begins as before, the forwarded one does not."""
    story = Story()
    story.call("a", forwarded={"tools": [{"name": "T", "description": "one"}]})
    story.call("a", "b", forwarded={"tools": [{"name": "T", "description": "two"}]})
    last = story.told().calls[-1]
    assert (last.by, last.path) == ("strowger", "tools[0].description")


def test_another_account_has_another_cache() -> None:
    """And why the call went there is told."""
    story = Story()
    story.call("a", account="one")
    story.call("a", "b", account="two", attempts=[{"error": "limit reached"}, {"error": None}])
    last = story.told().calls[-1]
    assert (last.by, last.why) == ("strowger", "the call went to another account: two instead of one (limit reached)")


def test_another_model_is_the_clients_wish() -> None:
    """`/model` costs the cache."""
    story = Story()
    story.call("a")
    story.call("a", "b", model="claude-other", upstream_model="claude-other")
    assert story.told().calls[-1].by == "client"


def test_caches_grow_old() -> None:
    """After five minutes; after an hour where that was paid for."""
    for mark, fell in (({}, "time"), ({"metadata": {"ttl": "1h"}}, "provider")):
        story = Story()
        story.call("a", forwarded=mark)
        story.call("a", "b", forwarded=mark, wait=600)
        assert story.told().calls[-1].by == fell


def test_a_short_prompt_may_not_be_kept_at_all() -> None:
    """No vendor keeps what is shorter than a thousand tokens, and some want four."""
    story = Story()
    story.call("a", input=2_000)
    story.call("a", "b", input=2_100)
    story.call("a", "b", "c", input=900)
    assert [one.by for one in story.told().calls] == ["nobody", "provider", "provider"]
    story = Story()
    story.call("a", input=900)
    story.call("a", "b", input=950)
    assert not story.told().calls[-1].fell


def test_the_provider_may_just_not_find_it() -> None:
    """When nothing else is the reason, that is said."""
    story = Story()
    story.call("a")
    story.call("a", "b")
    last = story.told().calls[-1]
    assert (last.fell, last.by) == (True, "provider")


def test_agents_have_conversations_of_their_own() -> None:
    """A sub-agent between two turns is not the turn before."""
    story = Story()
    story.call("a")
    story.call("other", system="sub" * 5000, agent_id="agent-1")
    story.call("a", "b", read=9_500)
    calls = story.told().calls
    assert [one.previous for one in calls] == ["", "", "flow_0"]
    assert not any(one.fell for one in calls)


def test_a_short_call_of_another_kind_is_not_the_turn_before() -> None:
    """Titles and the like come from the same agent."""
    story = Story()
    story.call("a")
    story.call("title", system="make a title", input=300)
    story.call("a", "b", read=9_500)
    assert [one.previous for one in story.told().calls] == ["", "", "flow_0"]


def test_who_counts_nothing_has_no_rate() -> None:
    """A provider without a cache has not broken it."""
    story = Story()
    story.call("a", read=None)
    story.call("a", "b", read=None)
    told = story.told()
    assert (told.hit, told.fell) == (None, 0)


def test_without_bodies_nobody_can_say() -> None:
    """They go before the figures do."""
    story = Story()
    story.call("a", model="m")
    story.call("a", "b", model="m")
    story.bodies.clear()
    told = story.told()
    assert [one.fell for one in told.calls] == [False, False]


def test_calls_that_failed_are_left_out() -> None:
    """They have no usage, and left nothing behind."""
    story = Story()
    story.call("a")
    story.call("a", "b", outcome="failed")
    story.call("a", "b", read=9_900)
    assert [one.id for one in story.told().calls] == ["flow_0", "flow_2"]
