"""Whose turn it is."""

from __future__ import annotations

from typing import Any

import pytest

from strowger.config.references import parse_reference
from strowger.config.schema import ProviderConfig, Retries
from strowger.errors import ErrorKind, Refused
from strowger.gateway.health import Health
from strowger.gateway.ranking import Ranking, rank
from strowger.providers.base import Provider, build_provider
from strowger.providers.quota import Reading, Window
from strowger.routing.table import Target

LIMIT = Refused("too much", status=429, kind=ErrorKind.RATE_LIMITED)
EMPTY = Refused("nothing left", status=429, kind=ErrorKind.QUOTA_EXHAUSTED)
DOWN = Refused("down", status=502, kind=ErrorKind.UPSTREAM)


def provider(name: str, *accounts: str, **more: Any) -> Provider:
    """A provider with these accounts."""
    references = {account: parse_reference(f"env:{account.upper()}") for account in accounts}
    config = ProviderConfig(dialect="openai_chat", base_url="http://127.0.0.1:1", accounts=references, **more)
    return build_provider(name, config, env={})


def order(ranking: Ranking) -> list[str]:
    """Who is asked, as labels."""
    return [candidate.label for candidate in ranking.asked]


def test_targets_in_their_order_each_with_its_accounts() -> None:
    """The accounts of the first target come before the second target; one without accounts is asked, too."""
    targets = [Target(provider("a", "x", "y"), "m"), Target(provider("b"), "n")]
    ranking = rank(targets, Health(), None)
    assert order(ranking) == ["a/x:m", "a/y:m", "b:n"]
    assert (ranking.resting, ranking.passed) == ((), ())


def test_a_route_without_trouble_is_kept_after_trouble_elsewhere() -> None:
    """What rests for another model, or at another provider, changes nothing."""
    health = Health()
    health.failed(provider("other"), None, "m", LIMIT, 60)
    a = provider("a", "x", "y")
    health.failed(a, a.accounts[0], "another", LIMIT, 60)
    ranking = rank([Target(a, "m")], health, None)
    assert order(ranking) == ["a/x:m", "a/y:m"]
    assert ranking.passed == ()


def test_who_rests_by_the_providers_word_is_not_asked() -> None:
    """It is named as passed over, if it would have been first."""
    health = Health()
    a, b = provider("a", "x", "y"), provider("b", "z")
    health.failed(a, a.accounts[0], "m", LIMIT, 60)
    health.failed(b, b.accounts[0], "m", LIMIT, 60)
    ranking = rank([Target(a, "m"), Target(b, "m")], health, None)
    assert order(ranking) == ["a/y:m"]
    assert [one.label for one in ranking.resting] == ["a/x:m", "b/z:m"]
    assert [one.label for one in ranking.passed] == ["a/x:m"]


def test_who_rests_by_our_guess_comes_last() -> None:
    """Somebody has to be asked, and the guess may be wrong."""
    health = Health()
    a, b = provider("a", "x"), provider("b", "z")
    health.failed(a, a.accounts[0], "m", EMPTY, None)
    assert order(rank([Target(a, "m"), Target(b, "m")], health, None)) == ["b/z:m", "a/x:m"]
    assert order(rank([Target(a, "m")], health, None)) == ["a/x:m"]


def test_an_open_breaker_comes_last() -> None:
    """A breaker skips, it does not refuse: whoever has only one provider still reaches it."""
    health = Health(Retries(breaker_failures=1))
    a, b = provider("a"), provider("b")
    health.failed(a, None, "m", DOWN, None)
    ranking = rank([Target(a, "m"), Target(b, "m")], health, None)
    assert order(ranking) == ["b:m", "a:m"]
    assert [one.is_broken for one in ranking.asked] == [False, True]
    alone = rank([Target(a, "m")], health, None)
    assert (order(alone), alone.passed) == (["a:m"], ())


def test_round_robin() -> None:
    """Each call begins with the next account."""
    target = Target(provider("a", "x", "y", "z", spread="round_robin"), "m")
    health = Health()
    assert [order(rank([target], health, None))[0] for _ in range(4)] == ["a/x:m", "a/y:m", "a/z:m", "a/x:m"]


def read(health: Health, provider: Provider, **used: float) -> None:
    """Note how much of each account is used."""
    for account in provider.accounts:
        if account.name in used:
            window = Window(name="5h", used_percent=used[account.name])
            health.note(provider, account, Reading(at=health.wall(), windows=(window,)))


def test_most_left() -> None:
    """Who has most of the narrowest window goes first; who was never asked may have all of it."""
    target = Target(provider("a", "x", "y", "z", spread="most_left"), "m")
    health = Health()
    read(health, target.provider, x=90, y=20)
    assert order(rank([target], health, None)) == ["a/z:m", "a/y:m", "a/x:m"]


def test_fill_first_until_nothing_is_left() -> None:
    """The first account is used up before the second is touched."""
    target = Target(provider("a", "x", "y"), "m")
    health = Health()
    read(health, target.provider, x=99.5, y=0)
    assert order(rank([target], health, None)) == ["a/x:m", "a/y:m"]
    read(health, target.provider, x=100)
    assert order(rank([target], health, None)) == ["a/y:m", "a/x:m"]


@pytest.mark.parametrize("spread", ["fill_first", "round_robin", "most_left"])
def test_a_conversation_stays_with_its_account(spread: str) -> None:
    """Its prompt lies in that one's cache; another conversation goes its own way."""
    a = provider("a", "x", "y", spread=spread)
    health = Health()
    health.stick(a, "session", a.accounts[1], 300)
    for _ in range(3):
        assert order(rank([Target(a, "m")], health, "session"))[0] == "a/y:m"
    health.failed(a, a.accounts[1], "m", LIMIT, 60)
    assert order(rank([Target(a, "m")], health, "session")) == ["a/x:m"]


def test_models_that_fill_in() -> None:
    """Behind the accounts of their target, before the next target, and never the one that was asked for twice."""
    a = provider("a", "x", "y", capacity_fallback=("m", "small"))
    ranking = rank([Target(a, "m"), Target(provider("b"), "n")], Health(), None)
    assert [(one.label, one.fills_in, one.place) for one in ranking.asked] == [
        ("a/x:m", False, 0),
        ("a/y:m", False, 0),
        ("a/x:small", True, 0),
        ("a/y:small", True, 0),
        ("b:n", False, 1),
    ]


def test_names_of_accounts_are_shown_where_there_are_any() -> None:
    """The only credential of most providers has no name that anybody gave it."""
    alone = build_provider(
        "p",
        ProviderConfig(dialect="anthropic", base_url="http://127.0.0.1:1", auth=parse_reference("env:X")),
        env={},
    )
    assert order(rank([Target(alone, "m")], Health(), None)) == ["p:m"]
    assert order(rank([Target(provider("q", "work"), "m")], Health(), None)) == ["q/work:m"]
