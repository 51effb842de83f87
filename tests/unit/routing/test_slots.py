"""What a launch is given, as routes."""

from __future__ import annotations

import json

import pytest

from strowger.config.schema import Config, Launching, Match, ProviderConfig, RouteConfig, Slots
from strowger.providers.base import build_providers
from strowger.routing.hints import Hints, Noticed
from strowger.routing.slots import routes
from strowger.routing.table import RouteTable

PROVIDERS = {
    name: ProviderConfig(dialect="openai_chat", base_url="http://127.0.0.1:1/v1", models=(f"{name}-*",))
    for name in ("one", "two", "three")
}


def table(launch: Launching, *written: RouteConfig) -> RouteTable:
    config = Config(providers=PROVIDERS, launch=launch, routes=written)
    return RouteTable(config, build_providers(config, env={}))


def leads(table: RouteTable, model: str, **hints: object) -> str:
    (target,) = table.match(model, hints=Hints(**hints)).targets  # type: ignore[arg-type]
    return f"{target.provider.name}:{target.model}"


ALL = Launching(
    via="one",
    models=Slots(
        opus="two:large",
        sonnet="two:middle",
        haiku="two:small",
        subagent="three:sub",
        background="three:back",
        main="one:main",
    ),
)


@pytest.mark.parametrize(
    "model, hints, expected",
    [
        ("claude-opus-4-8", {}, "two:large"),
        ("claude-opus-4-8[1m]", {}, "two:large"),
        ("Claude-Sonnet-5", {}, "two:middle"),
        ("claude-haiku-4-5-20251001", {}, "two:small"),
        ("gpt-5.6", {}, "one:main"),
        ("claude-opus-4-8", {"subagent": True}, "three:sub"),
        ("gpt-5.6", {"request_class": "auxiliary"}, "three:back"),
        ("three:own-choice", {}, "three:own-choice"),
    ],
)
def test_slots(model: str, hints: dict[str, object], expected: str) -> None:
    """Who asks goes before what is asked for, a family before the rest; a name that says where it goes, goes there."""
    assert leads(table(ALL), model, **hints) == expected


def test_via_alone() -> None:
    """Everything goes via the provider, under the name that was asked for, before the routes that hold for all."""
    route = RouteConfig(match=Match(model="claude-*"), to="two:x")
    assert leads(table(Launching(via="one"), route), "claude-opus-4-8") == "one:claude-opus-4-8"
    assert leads(table(Launching(via="one:m"), route), "claude-opus-4-8") == "one:m"
    assert leads(table(Launching(), route), "claude-opus-4-8") == "two:x"


def test_background_stands_in_for_a_missing_haiku() -> None:
    """Old clients say nothing about their requests: what nobody waits for is what they ask of their smallest model."""
    launch = Launching(models=Slots(background="three:back"))
    assert leads(table(launch, RouteConfig(match=Match(model="*"), to="one:m")), "claude-haiku-4-5") == "three:back"
    both = Launching(models=Slots(background="three:back", haiku="two:small"))
    assert leads(table(both), "claude-haiku-4-5") == "two:small"


def test_nothing_given() -> None:
    """A launch that is given nothing adds nothing."""
    assert list(routes(Launching())) == []


def test_chores_of_a_client_that_does_not_say_so() -> None:
    """A title that is only known by its prompt goes to the background too, and a sub-agent to its slot."""
    old = {"user-agent": "claude-cli/2.1.197 (external, cli)"}
    for begins, expected in (
        ("Generate a concise, sentence-case title", "three:back"),
        ("You are a file search specialist", "three:sub"),
        ("You are Claude Code", "two:large"),
    ):
        call = Noticed(old, json.dumps({"system": begins, "messages": []}).encode())
        (target,) = table(ALL).match("claude-opus-4-8", hints=call).targets
        assert f"{target.provider.name}:{target.model}" == expected
