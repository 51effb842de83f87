"""Searches of the web by the provider, both ways. Chat has three ways to ask for one: a member of the request (OpenAI),
a list of plugins (OpenRouter, formerly), and an entry among the tools (OpenRouter, Z.ai and others).
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.fields import Fields
from strowger.dialects.openai_chat.job import Job
from strowger.dialects.openai_chat.parts import Json
from strowger.dialects.openai_chat.wire import NAME, PLUGINS, WEB_SEARCH_OPTIONS
from strowger.ir.request import Ability, HostedTool, WebSearch

S = TypeVar("S", bound=Struct)

MEMBERS = (WEB_SEARCH_OPTIONS, PLUGINS)
"""Types of hosted tools that stand in a member of their own, not among the tools."""

_SEARCH = "web_search"
_OPENROUTER = "openrouter:"


class _Place(Struct):
    country: str | None = None
    region: str | None = None
    city: str | None = None
    timezone: str | None = None


class _Location(_Place):
    approximate: _Place | None = None  # OpenAI's nests


class _Options(Struct):
    search_context_size: str | None = None
    user_location: _Location | None = None
    allowed_domains: tuple[str, ...] | None = None
    excluded_domains: tuple[str, ...] | None = None
    max_uses: int | None = None


class _Entry(Struct):
    parameters: _Options | None = None


class _Plugin(Struct):
    id: str = ""


_PLUGINS = msgspec.json.Decoder(list[_Plugin])


def take_members(fields: Fields) -> tuple[HostedTool, ...]:
    """The searches that are asked for beside the tools. Members of another shape stay where they are."""
    found: list[HostedTool] = []
    options = fields.rest.get(WEB_SEARCH_OPTIONS)
    if options is not None and bytes(memoryview(options)[:1]) == b"{":
        ability = _search(_read(options, _Options))
        found.append(
            HostedTool(NAME, WEB_SEARCH_OPTIONS, _SEARCH, fields.rest.pop(WEB_SEARCH_OPTIONS), ability=ability)
        )
    plugins = fields.rest.get(PLUGINS)
    if plugins is not None and _searches(plugins):
        del fields.rest[PLUGINS]
        found.append(HostedTool(NAME, PLUGINS, _SEARCH, plugins, ability=WebSearch()))
    return tuple(found)


def _searches(plugins: Raw) -> bool:
    try:
        return any(plugin.id == "web" for plugin in _PLUGINS.decode(plugins))
    except msgspec.MsgspecError:
        return False


def ability_of(kind: str, raw: Raw) -> Ability | None:
    """What an entry among the tools does, if it is a search."""
    if kind == f"{_OPENROUTER}{_SEARCH}":
        return _search(_read(raw, _Entry).parameters)
    return WebSearch() if kind == _SEARCH else None


def _search(options: _Options | None) -> WebSearch:
    options = options or _Options()
    place: _Place = options.user_location or _Location()
    if isinstance(place, _Location) and place.approximate is not None:
        place = place.approximate
    return WebSearch(
        options.allowed_domains or (),
        options.excluded_domains or (),
        options.max_uses,
        place.country or "",
        place.region or "",
        place.city or "",
        place.timezone or "",
        options.search_context_size or "",
    )


def _read(raw: Raw, kind: type[S]) -> S:
    """The members as far as they are of the documented types; a wrong one is for the upstream to judge."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return kind()


# ---- writing ----


def ask_for_search(job: Job, body: Json, ability: WebSearch, path: str) -> None:
    """Ask for the target's own search, with a loss for every wish that it cannot be told."""
    word = job.caps.web_search
    place = {"country": ability.country, "region": ability.region, "city": ability.city, "timezone": ability.timezone}
    place = {key: value for key, value in place.items() if value}
    options: Json = {}
    if ability.context_size and word != PLUGINS:
        options["search_context_size"] = ability.context_size
    if word == WEB_SEARCH_OPTIONS:
        if place:
            options["user_location"] = {"type": "approximate", "approximate": place}
        body[WEB_SEARCH_OPTIONS] = options
        _lose_limits(job, ability, path)
    elif word == PLUGINS:
        body[PLUGINS] = [{"id": "web"}]
        _lose_limits(job, ability, path)
        _lose_hints(job, ability, path, place)
    elif word.startswith(_OPENROUTER):
        if place:
            options["user_location"] = {"type": "approximate", **place}
        limits = {"allowed_domains": ability.allowed_domains, "excluded_domains": ability.blocked_domains}
        options |= {key: list(value) for key, value in limits.items() if value}
        if ability.max_uses is not None:
            options["max_uses"] = ability.max_uses
        _add_tool(body, {"type": word} | ({"parameters": options} if options else {}))
    else:
        _add_tool(body, {"type": word})
        _lose_limits(job, ability, path)
        _lose_hints(job, ability, path, place)


def _add_tool(body: Json, tool: Json) -> None:
    body.setdefault("tools", []).append(tool)


def _lose_limits(job: Job, ability: WebSearch, path: str) -> None:
    for key, domains in (("allowed_domains", ability.allowed_domains), ("blocked_domains", ability.blocked_domains)):
        if domains:
            job.lose(f"{path}.{key}", "the provider searches everywhere")
    if ability.max_uses is not None:
        job.lose(f"{path}.max_uses", "the provider decides how often it searches", "info")


def _lose_hints(job: Job, ability: WebSearch, path: str, place: Json) -> None:
    if place:
        job.lose(f"{path}.user_location", "the provider is not told where the user is", "info")
    if ability.context_size:
        job.lose(f"{path}.search_context_size", "the provider decides how much it reads", "info")
