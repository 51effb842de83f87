"""Tools that run at Anthropic, both ways: what each of them can do, and the one for what a tool elsewhere can do.

`ability_of` reads, `hosted` writes. Which versions of them an upstream has is said by its capabilities, never here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.anthropic.blocks import Json
from strowger.dialects.anthropic.fit import Fitting
from strowger.dialects.anthropic.wire import MCP_SERVER, MCP_TOOLSET, NAME, TOOL_SEARCH
from strowger.ir.request import Ability, CodeExecution, HostedTool, RemoteMcp, ToolSearch, WebFetch, WebSearch

T = TypeVar("T")

_UNUSUAL = (msgspec.MsgspecError, UnicodeDecodeError)


class _Place(Struct):
    country: str | None = None
    region: str | None = None
    city: str | None = None
    timezone: str | None = None


class _Web(Struct):
    allowed_domains: tuple[str, ...] | None = None
    blocked_domains: tuple[str, ...] | None = None
    max_uses: int | None = None
    user_location: _Place | None = None


class _Configuration(Struct):
    allowed_tools: tuple[str, ...] | None = None
    enabled: bool | None = None


class _Server(Struct):
    name: str = ""
    url: str = ""
    authorization_token: str | None = None
    tool_configuration: _Configuration | None = None


class _Enabled(Struct):
    enabled: bool | None = None


class _Toolset(Struct):
    mcp_server_name: str = ""
    default_config: _Enabled | None = None
    configs: dict[str, _Enabled] | None = None


_WEB = msgspec.json.Decoder(_Web)
_SERVERS = msgspec.json.Decoder(list[_Server])
_TOOLSET = msgspec.json.Decoder(_Toolset)

Servers = Mapping[str, _Server]
"""The MCP servers of a request, by name."""


def servers_of(raw: Raw | None) -> Servers:
    """The MCP servers that a request lists; none where the list is not of the documented shape."""
    return {} if raw is None else {server.name: server for server in _read(_SERVERS, raw) or ()}


def ability_of(kind: str, raw: Raw, servers: Servers) -> Ability | None:
    """What a typed tool does, where others have the like. Members that do not fit say nothing: the upstream judges."""
    if kind.startswith("web_search_"):
        web = _read(_WEB, raw) or _Web()
        at = web.user_location or _Place()
        return WebSearch(
            web.allowed_domains or (),
            web.blocked_domains or (),
            web.max_uses,
            at.country or "",
            at.region or "",
            at.city or "",
            at.timezone or "",
        )
    if kind.startswith("web_fetch_"):
        web = _read(_WEB, raw) or _Web()
        return WebFetch(web.allowed_domains or (), web.blocked_domains or (), web.max_uses)
    if kind.startswith("code_execution_"):
        return CodeExecution()
    if kind.startswith(TOOL_SEARCH):
        return ToolSearch()
    return _remote(raw, servers) if kind == MCP_TOOLSET else None


def _remote(raw: Raw, servers: Servers) -> RemoteMcp | None:
    toolset = _read(_TOOLSET, raw)
    server = servers.get(toolset.mcp_server_name) if toolset is not None else None
    if toolset is None or server is None:
        return None
    allowed = None
    if toolset.default_config is not None and toolset.default_config.enabled is False:
        allowed = tuple(name for name, config in (toolset.configs or {}).items() if config.enabled)
    return RemoteMcp(server.name, server.url, server.authorization_token or "", allowed)


def bare_servers(raw: Raw | None, tools: tuple[object, ...]) -> tuple[HostedTool, ...]:
    """The older form of servers, without a toolset that names them: their tools are there without further words."""
    servers = servers_of(raw)
    if raw is None or not servers:
        return ()
    named = {
        tool.ability.label for tool in tools if isinstance(tool, HostedTool) and isinstance(tool.ability, RemoteMcp)
    }
    found = []
    for server in servers.values():
        configured = server.tool_configuration or _Configuration()
        if server.name not in named and configured.enabled is not False:
            ability = RemoteMcp(server.name, server.url, server.authorization_token or "", configured.allowed_tools)
            found.append(HostedTool(NAME, MCP_SERVER, server.name, raw, ability=ability))
    return tuple(found)


def _read(decoder: msgspec.json.Decoder[T], raw: Raw) -> T | None:
    try:
        return decoder.decode(raw)
    except _UNUSUAL:
        return None


# ---- the way out ----


class Offered(Struct):
    """A tool as it is written, the name that calls and choices use (empty: it has none), and the MCP server that goes
    with it.
    """

    tool: Json
    name: str = ""
    server: Json | None = None


def hosted(ability: Ability | None, fitting: Fitting, path: str) -> Offered | None:
    """The upstream's own tool with this ability, with a loss for every wish that it cannot be told; None where it has
    no such tool.
    """
    caps = fitting.caps
    match ability:
        case WebSearch() if caps.web_search:
            written = _domains({"type": caps.web_search, "name": "web_search"}, ability, fitting, path)
            if ability.context_size:
                fitting.lose(f"{path}.search_context_size", "the provider decides how much it reads", "info")
            at = {"city": ability.city, "region": ability.region, "country": ability.country}
            place = {key: value for key, value in {**at, "timezone": ability.timezone}.items() if value}
            if place:
                written["user_location"] = {"type": "approximate", **place}
            return Offered(written, "web_search")
        case WebFetch() if caps.web_fetch:
            written = _domains({"type": caps.web_fetch, "name": "web_fetch"}, ability, fitting, path)
            return Offered(written, "web_fetch")
        case CodeExecution() if caps.code_execution:
            return Offered({"type": caps.code_execution, "name": "code_execution"}, "code_execution")
        case RemoteMcp() if caps.remote_mcp:
            return _toolset(ability)
        case _:
            return None


def _domains(written: Json, ability: WebSearch | WebFetch, fitting: Fitting, path: str) -> Json:
    if ability.max_uses is not None:
        written["max_uses"] = ability.max_uses
    if ability.allowed_domains:
        written["allowed_domains"] = list(ability.allowed_domains)
        if ability.blocked_domains:  # "Cannot be used alongside": what is allowed says more
            fitting.lose(f"{path}.blocked_domains", "only one of the two lists of domains is taken", "warning")
    elif ability.blocked_domains:
        written["blocked_domains"] = list(ability.blocked_domains)
    return written


def _toolset(ability: RemoteMcp) -> Offered:
    tool: Json = {"type": MCP_TOOLSET, "mcp_server_name": ability.label}
    if ability.allowed is not None:
        tool["default_config"] = {"enabled": False}
        tool["configs"] = {name: {"enabled": True} for name in ability.allowed}
    server: Json = {"type": "url", "url": ability.url, "name": ability.label}
    if ability.authorization:
        server["authorization_token"] = ability.authorization
    return Offered(tool, server=server)
