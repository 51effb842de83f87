"""What awaits a conversation where its model leads."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from strowger.config.schema import Config, Launching, Match, ProviderConfig, RouteConfig, Slots
from strowger.providers.base import Provider, build_providers
from strowger.routing.facts import UNKNOWN, Facts
from strowger.routing.prospect import Prospect, prospect
from strowger.routing.table import RouteTable

CLAUDES = ("claude-opus-*", "claude-sonnet-*", "claude-haiku-*")
OPUS = "claude-opus-5-5"
LISTED = {"small": Facts(32_000, 4_000), "mid": Facts(131_072, 8_192), "long": Facts(1_000_000)}
PROVIDERS = {
    "anthropic": ProviderConfig(preset="anthropic", dialect="anthropic", base_url="https://api.anthropic.com"),
    "other": ProviderConfig(dialect="openai_chat", base_url="http://127.0.0.1:1/v1"),
}


def table(*routes: tuple[dict[str, object], str], launch: Launching | None = None) -> RouteTable:
    written = tuple(RouteConfig(match=Match(**match), to=to) for match, to in routes)  # type: ignore[arg-type]
    config = Config(providers=PROVIDERS, routes=written, launch=launch or Launching())
    return RouteTable(config, build_providers(config, env={"ANTHROPIC_API_KEY": "k"}))


def ahead(routes: RouteTable, *asked: str, listed: Mapping[str, Facts] = LISTED) -> Prospect:
    def told(_: Provider, model: str) -> Facts:
        return listed.get(model, UNKNOWN)

    return prospect(routes, asked or (OPUS,), told, knows=CLAUDES, dialect="anthropic")


def test_what_a_client_knows_is_left_to_it() -> None:
    """Of Claude's models, asked of Anthropic under their own names, Claude Code knows better than any list."""
    found = ahead(table(({"model": "*"}, "anthropic")), OPUS, "claude-opus-4-8", "claude-sonnet-5-5[1m]")
    assert found == Prospect(betas=True)
    assert ahead(table(), "anthropic:claude-opus-5-5").room == 0


def test_a_host_that_gives_less() -> None:
    """But a host that says it has less room for them than their maker gives them is believed."""
    routes = table(({"model": "*"}, "other"))
    assert ahead(routes, listed={OPUS: Facts(128_000)}) == Prospect(128_000, f"other:{OPUS}", 128_000)
    assert ahead(routes, listed={OPUS: Facts(2_000_000)}).room == 0
    assert ahead(routes).room == 0


@pytest.mark.parametrize(
    "target, room",
    [
        ("other:mid", 131_072),
        ("anthropic:claude-haiku-4-5", 200_000),  # another one than it believes to talk to
        ("other:kimi-k2", 262_144),  # packaged
        ("other:gpt-5.1", 272_000),  # what may be asked, not what that and the answer may come to
        ("other:unheard-of", 0),
    ],
)
def test_another_model_answers(target: str, room: int) -> None:
    """The room of the model that really answers counts, from its provider's list or from what is packaged."""
    found = ahead(table(({"model": "*"}, target)))
    assert (found.room, found.target) == (room, target if room else "")


def test_the_provider_says_otherwise() -> None:
    """A list that is there goes over what is packaged."""
    routes = table(({"model": "*"}, "other:gpt-5.1"))
    assert ahead(routes, listed={"gpt-5.1": Facts(64_000)}).room == 64_000
    assert ahead(routes, listed={"gpt-5.1": Facts(400_000)}).room == 272_000


def test_the_least_of_what_is_asked_for() -> None:
    """Whatever the conversation may ask for must have room; sub-agents, chores and small models are not it."""
    slots = Slots(opus="other:long", sonnet="other:mid", haiku="other:small", subagent="other:small")
    routes = table(launch=Launching(via="anthropic", models=slots))
    assert ahead(routes, OPUS, "claude-sonnet-5-5").target == "other:mid"
    assert ahead(routes, OPUS).room == 1_000_000
    assert ahead(routes, "claude-haiku-5-5").room == 32_000


def test_planning_is_part_of_the_conversation() -> None:
    """Where plan mode, or thinking, leads elsewhere, the conversation must have room there too."""
    assert ahead(table(({"plan": True}, "other:mid"), ({"model": "*"}, "other:long"))).target == "other:mid"
    assert ahead(table(({"thinking": True}, "other:mid"), ({"model": "*"}, "other:long"))).target == "other:mid"


@pytest.mark.parametrize(
    "over, small, room, target",
    [
        (60_000, "mid", 1_000_000, "other:long"),  # it never gets long there
        (200_000, "mid", 131_072, "other:mid"),  # it would, before it may leave
        (20_000, "unheard-of", 1_000_000, "other:long"),
    ],
)
def test_long_prompts_go_elsewhere(over: int, small: str, room: int, target: str) -> None:
    """A conversation that moves on when it is long has the room of where it moves to, if it gets there."""
    found = ahead(table(({"prompt_over": over}, "other:long"), ({"model": "*"}, f"other:{small}")))
    assert (found.room, found.target) == (room, target)


def test_moving_on_to_less() -> None:
    """One that moves to where there is less room than it has by then is full at that length."""
    assert ahead(table(({"prompt_under": 90_000}, "other:long"), ({"model": "*"}, "other:small"))).room == 90_000


def test_nothing_answers() -> None:
    """Of a model that leads nowhere nothing is known, and nothing raises."""
    routes = RouteTable(Config(), {})
    assert ahead(routes) == Prospect()


def test_betas_only_where_all_take_them() -> None:
    """What is new in Messages is not for a conversation a part of which goes to another dialect."""
    assert ahead(table(({"model": "*"}, "anthropic:claude-opus-4-8"))).betas
    assert not ahead(table(({"plan": True}, "other:mid"), ({"model": "*"}, "anthropic"))).betas
