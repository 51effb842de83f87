"""Which target a call gets, and in which order the rules are asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from strowger.config.schema import Config, Match, ProviderConfig, RouteConfig
from strowger.errors import UnknownModel
from strowger.providers import build_providers
from strowger.providers.presets import PRESETS
from strowger.routing.hints import Hints, Noticed
from strowger.routing.table import RouteTable

SUBAGENT = Hints(request_class="subagent", agent="Explore", subagent=True)


def provider(*models: str, dialect: str = "openai_chat") -> ProviderConfig:
    return ProviderConfig(dialect=dialect, base_url="https://x.test", models=models)  # type: ignore[arg-type]


PROVIDERS: Mapping[str, ProviderConfig] = {
    "openai": provider("gpt-*", "o1*"),
    "deep": provider("deep-*"),
    "deep-anthropic": provider("deep-*", dialect="anthropic"),
    "anthropic": provider("claude-*", dialect="anthropic"),
    "local": provider(),
}


def table(*routes: RouteConfig, providers: Mapping[str, ProviderConfig] = PROVIDERS, **aliases: str) -> RouteTable:
    config = Config(providers=providers, routes=routes, aliases=aliases)
    return RouteTable(config, build_providers(config, env={}))


def route(to: str, *fallback: str, name: str | None = None, strict: bool = False, **match: object) -> RouteConfig:
    return RouteConfig(match=Match(**match), to=to, fallback=fallback, name=name, strict=strict)  # type: ignore[arg-type]


def targets(
    routes: RouteTable, model: str, hints: Hints | Noticed | None = None, dialect: str = ""
) -> list[tuple[str, str]]:
    found = routes.match(model, hints=hints or Hints(), dialect=dialect)
    return [(target.provider.name, target.model) for target in found.targets]


@pytest.mark.parametrize(
    "model, target",
    [
        ("gpt-5", ("openai", "gpt-5")),
        ("gpt-5[1m]", ("openai", "gpt-5")),
        ("claude-opus-5[1m]", ("anthropic", "claude-opus-5")),
        ("local:llama3:8b", ("local", "llama3:8b")),
        ("local/a/b", ("local", "a/b")),
        ("claude-local-llama3", ("local", "llama3")),
        ("claude-deep-anthropic-deep-1", ("deep-anthropic", "deep-1")),
        ("fast", ("openai", "gpt-5-nano")),
        ("claude-fast[1m]", ("openai", "gpt-5-nano")),
    ],
)
def test_without_routes(model: str, target: tuple[str, str]) -> None:
    """Names that say where they go, then globs of the providers; the window suffix is gone first."""
    assert targets(table(fast="openai:gpt-5-nano"), model) == [target]


def test_the_clients_dialect_is_preferred() -> None:
    """Of two providers that serve a model, the one that speaks as the client does comes first; else file order."""
    assert targets(table(), "deep-1", dialect="anthropic") == [("deep-anthropic", "deep-1")]
    assert targets(table(), "deep-1", dialect="openai_chat") == [("deep", "deep-1")]
    assert targets(table(), "deep-1") == [("deep", "deep-1")]


def test_the_first_route_that_fits() -> None:
    """Routes are asked in the order of the file; a target without a model keeps the one that was asked for."""
    routes = table(
        route("deep:deep-1", "openai:gpt-5", "local", model="claude-haiku-*"),
        route("local", model=("claude-*", "o1")),
    )
    assert targets(routes, "claude-haiku-4") == [("deep", "deep-1"), ("openai", "gpt-5"), ("local", "claude-haiku-4")]
    assert targets(routes, "Claude-Opus-5[1m]") == [("local", "Claude-Opus-5")]
    assert targets(routes, "o1") == [("local", "o1")]
    assert targets(routes, "o1-mini") == [("openai", "o1-mini")]


def test_hints() -> None:
    """Class, agent type and being a sub-agent are conditions like the model, and all that are given must hold."""
    routes = table(
        route("deep:deep-1", agent="Expl*", model="claude-*"),
        route("local:small", request_class=("compaction", "auxiliary")),
        route("openai:gpt-5", subagent=True),
        route("deep:main", subagent=False, model="claude-fable-*"),
    )
    assert targets(routes, "claude-opus-5") == [("anthropic", "claude-opus-5")]
    assert targets(routes, "claude-opus-5", SUBAGENT) == [("deep", "deep-1")]
    assert targets(routes, "gpt-4", SUBAGENT) == [("openai", "gpt-5")]
    assert targets(routes, "claude-opus-5", Hints(request_class="auxiliary")) == [("local", "small")]
    assert targets(routes, "claude-fable-5") == [("deep", "main")]


def test_a_catch_all_does_not_hide_names() -> None:
    """A name that says where it goes is stronger than a route whose glob happens to fit it."""
    routes = table(route("deep:deep-1", model="*"), fast="openai:gpt-5")
    assert targets(routes, "anything") == [("deep", "deep-1")]
    assert targets(routes, "gpt-5") == [("deep", "deep-1")]
    assert targets(routes, "fast") == [("openai", "gpt-5")]
    assert targets(routes, "local:llama") == [("local", "llama")]
    assert targets(routes, "claude-local-llama") == [("local", "llama")]


def test_an_explicit_route_beats_names() -> None:
    """A route that names it letter by letter, or looks at more than the model, is stronger than an alias or a pin."""
    exact = table(route("deep:deep-1", model="fast"), fast="openai:gpt-5")
    assert targets(exact, "fast") == [("deep", "deep-1")]
    hinted = table(route("local", subagent=True), fast="openai:gpt-5")
    assert targets(hinted, "fast") == [("openai", "gpt-5")]
    # The name's own model goes on, not the alias, which no provider knows.
    assert targets(hinted, "fast", SUBAGENT) == [("local", "gpt-5")]
    assert targets(hinted, "openai:gpt-4", SUBAGENT) == [("local", "gpt-4")]


def test_a_single_provider_serves_everything() -> None:
    """With one provider there is no question where an unknown name goes; with two there is."""
    assert targets(table(providers={"local": provider("llama*")}), "whatever") == [("local", "whatever")]
    with pytest.raises(UnknownModel):
        table().match("whatever")


@pytest.mark.parametrize(
    "model, others, target",
    [
        ("claude-opus-5-5[1m]", {}, ("demo", "demo")),
        ("claude-haiku-5-5", {}, ("demo", "demo-fast")),
        ("gpt-5", {}, ("demo", "demo")),
        ("demo-fast", {}, ("demo", "demo-fast")),
        ("claude-opus-5-5", {"openai": provider("gpt-*")}, ("demo", "demo")),
        ("claude-haiku-5-5", {"openai": provider("gpt-*")}, ("demo", "demo-fast")),
        ("gpt-5", {"openai": provider("gpt-*")}, ("openai", "gpt-5")),
        ("claude-opus-5-5", {"all": provider("*")}, ("all", "claude-opus-5-5")),
        ("claude-all-x", {"all": provider()}, ("all", "x")),
    ],
)
def test_the_demo_stands_in(model: str, others: Mapping[str, ProviderConfig], target: tuple[str, str]) -> None:
    """Beside others, Claude Code's names lead to the demo where they would lead nowhere; alone, every name does."""
    demo = ProviderConfig(
        preset="demo", dialect="openai_chat", base_url="http://127.0.0.1:1/v1", models=PRESETS["demo"].models
    )
    assert targets(table(providers={"demo": demo, **others}), model, dialect="anthropic") == [target]


def test_a_provider_knows_its_models_by_more_names() -> None:
    """A name that others have for a model of it becomes its own, whichever way the call came there."""
    kimi = ProviderConfig(preset="kimi", dialect="openai_chat", base_url="https://x.test", models=("k2.*",))
    routes = table(route("kimi:kimi-k2.6", model="fast"), providers={"kimi": kimi, "local": provider()})
    for name in ("k2.6", "kimi:Kimi-K2.6", "fast"):
        assert targets(routes, name) == [("kimi", "kimi-for-coding")]
    assert targets(routes, "kimi:k3-turbo") == [("kimi", "k3-turbo")]


@pytest.mark.parametrize(
    "model, expected",
    [
        ("gpt-5.5:high", ("codex", "gpt-5.5", "high", "")),
        ("gpt-5.5-fast[1m]", ("codex", "gpt-5.5", "", "priority")),
        ("codex:gpt-5.5-fast:xhigh", ("codex", "gpt-5.5", "xhigh", "priority")),
        ("claude-codex-gpt-5.5:low", ("codex", "gpt-5.5", "low", "")),
        ("quick", ("codex", "gpt-5.4-mini", "none", "priority")),
        ("mine", ("codex", "gpt-6-sol", "max", "")),
        ("local:qwen3:8b", ("local", "qwen3:8b", "", "")),
        ("local:grok-fast:high", ("local", "grok-fast:high", "", "")),
    ],
)
def test_a_name_asks_for_effort_and_haste(model: str, expected: tuple[str, str, str, str]) -> None:
    """Where the provider has them; elsewhere the endings are part of the name."""
    codex = ProviderConfig(
        preset="codex", dialect="openai_responses", base_url="http://127.0.0.1:1", models=("gpt-5.5",)
    )
    routes = table(
        route("codex:gpt-6-sol:max", model="mine"),
        providers={"local": provider(), "codex": codex},
        quick="codex:gpt-5.4-mini-fast:none",
    )
    (target,) = routes.match(model).targets
    assert (target.provider.name, target.model, target.effort, target.tier) == expected


def test_the_demo_does_not_answer_for_a_slip() -> None:
    """A mistyped name is an error, though a stand-in could answer."""
    demo = ProviderConfig(preset="demo", dialect="openai_chat", base_url="http://127.0.0.1:1/v1")
    with pytest.raises(UnknownModel):
        table(providers={"demo": demo, "openai": provider("gpt-*")}).match("gtp-5")


def test_names_and_strictness_of_routes() -> None:
    """A route is known by its name, else by its place; `strict` comes along."""
    routes = table(route("local", model="a"), route("local", model="b", name="mine", strict=True))
    assert (routes.match("a").name, routes.match("a").strict) == ("routes[0]", False)
    assert (routes.match("b").name, routes.match("b").strict) == ("mine", True)
    assert routes.match("gpt-5").name == "provider openai"
    assert routes.match("openai:x").name == "pinned openai"


def test_unknown_models_list_what_there_is() -> None:
    """The error says what could be asked for, within bounds, and keeps the whole list for machines."""
    many: Any = {f"alias-{number}": "local:m" for number in range(30)}
    with pytest.raises(UnknownModel) as caught:
        table(**many).match("wrong[1m]")
    assert caught.value.message.startswith("no route leads to the model `wrong`; there are: alias-0, alias-1,")
    assert caught.value.message.endswith("and 15 more")
    assert "local:*" in caught.value.available
    assert len(caught.value.available) == 35
    assert "provider:model" in (caught.value.hint or "")


def test_a_mistyped_name_has_its_near_miss() -> None:
    """The provider before the colon, an alias, a model that a route names; far from everything there is no guess."""
    routes = table(route("local", model=["exact-name", "glob-*"]), quick="local:m")
    meant = {"loca:llama": "local:llama", "quik": "quick", "exact-nam": "exact-name"}
    for asked, near in meant.items():
        with pytest.raises(UnknownModel) as caught:
            routes.match(asked)
        assert caught.value.hint == f"did you mean `{near}`?"
    with pytest.raises(UnknownModel) as caught:
        routes.match("zzz")
    assert "provider:model" in (caught.value.hint or "")


@pytest.mark.parametrize("model", ["gpt-5", "fast", "local:m", "claude-local-m", "small", "deep-1[1m]"])
def test_a_name_that_can_be_asked_for_passes_the_check(model: str) -> None:
    """By whatever rule it leads somewhere, also by one that only some calls meet."""
    table(route("local", model="small", subagent=True), fast="openai:gpt-5").check(model)


def test_a_name_that_leads_nowhere_does_not_pass_the_check() -> None:
    """It is refused as a call for it would be."""
    routes = table(route("local", model="small", subagent=True))
    with pytest.raises(UnknownModel, match="there are: small, gpt-"):
        routes.check("lrge[1m]")


def test_no_provider_at_all() -> None:
    """Without providers the error says how to get one."""
    with pytest.raises(UnknownModel, match="no provider is configured") as caught:
        table(providers={}).match("claude-opus-5")
    assert "strowger config init" in (caught.value.hint or "")
    assert "--demo" in (caught.value.hint or "")


def test_literal_models() -> None:
    """Names without a wildcard can be listed; patterns cannot."""
    routes = table(route("local", model=("a", "b*", "c?")), providers={"local": provider("d", "e[1]")})
    assert list(routes.literal_models()) == ["a", "d"]


def test_routes_are_described() -> None:
    """What is configured can be told as plain data, in its order."""
    routes = table(route("local:x", model=("a", "b*")), providers={"local": provider("d")})
    (told,) = routes.described()
    assert (told["model"], told["to"], told["fallback"]) == (("a", "b*"), "local:x", ())


def test_bodies_are_looked_at_only_for_routes_that_ask() -> None:
    """A call that no route asks about costs nothing, whatever others ask about other models."""
    unread = Noticed({"user-agent": "claude-cli/2.1.197"}, None)  # type: ignore[arg-type]
    routes = table(route("local:small", model="gpt-*", plan=True), route("deep:deep-1", model="claude-*"))
    assert targets(routes, "claude-opus-5", unread) == [("deep", "deep-1")]
    with pytest.raises(TypeError):
        targets(routes, "gpt-5", unread)


def test_one_model_with_many_sessions() -> None:
    """What is kept of a model is the same for every session, so sessions do not fill the memory or get each other's."""
    routes = table(route("local:small", session="odd*"), route("deep:deep-1", prompt_over=100))
    for number in range(2000):
        assert targets(routes, "gpt-5", Hints(session=f"even{number}")) == [("openai", "gpt-5")]
        assert targets(routes, "gpt-5", Hints(session=f"odd{number}", prompt=number)) == [("local", "small")]
    assert targets(routes, "gpt-5", Hints(prompt=101)) == [("deep", "deep-1")]
    assert len(routes._ways) == 1


def test_names_of_models_do_not_fill_the_memory() -> None:
    """They are the clients' to choose."""
    routes = table(route("local", model="*"))
    for number in range(2500):
        assert targets(routes, f"m{number}") == [("local", f"m{number}")]
    assert len(routes._ways) <= 1000
