"""GET /v1/models: what can be asked for, in the client's dialect, with the providers' own lists where they give one.

A provider is asked at most every ten minutes and given little time: Claude Code waits three seconds for the whole
answer. Providers that do not answer are left out, what the configuration names is there in any case; why they did not
is for the owner to ask, not for clients.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from urllib.parse import parse_qs

import anyio
from msgspec import Struct

from strowger.errors import BadRequest, GatewayError, Malformed
from strowger.gateway.endpoints import ANTHROPIC, GEMINI, Call
from strowger.gateway.pulse import Spawn
from strowger.gateway.sending import Sender
from strowger.providers.base import Provider
from strowger.providers.terms import Facts
from strowger.routing import catalog
from strowger.routing import facts as known
from strowger.routing.catalog import Entry, Listed
from strowger.routing.prospect import Prospect, prospect
from strowger.routing.table import RouteTable
from strowger.upstreams.base import Outgoing

_FRESH_SECONDS = 600.0
_RETRY_SECONDS = 30.0
_WAIT_SECONDS = 2.0
# Where nobody waits for the list itself.
_UNHURRIED_SECONDS = 30.0
_WHOLE_LIST = {ANTHROPIC: "?limit=1000", GEMINI: "?pageSize=1000"}
_LISTING_LIMIT = 16 * 1024 * 1024


class _Kept(Struct, frozen=True):
    models: tuple[Listed, ...]
    until: float
    problem: str | None = None
    mark: str | None = None


class Models:
    """The lists of all providers, fetched when asked for and kept for a while."""

    def __init__(self, sender: Sender, wait: float = _WAIT_SECONDS, spawn: Spawn | None = None) -> None:
        """`spawn` starts tasks; without it lists are read only for those who ask for them."""
        self._sender = sender
        self._wait = wait
        self._spawn = spawn
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._asking: set[tuple[str, str]] = set()
        if spawn is not None:
            sender.tell_of_lists(self.renew)

    def renew(self, provider: Provider, mark: str | None) -> None:
        """A provider has shown that its list is there, in the state of that mark: read it, unless it is known."""
        key = (provider.name, provider.models_url)
        kept = self._kept.get(key)
        if kept is not None and kept.until >= time.monotonic() and (kept.problem or mark in {None, kept.mark}):
            _teach(provider, kept)
        elif self._spawn is not None and key not in self._asking:
            self._asking.add(key)
            self._spawn(partial(self._fetch, provider, _UNHURRIED_SECONDS))

    async def entries(self, table: RouteTable) -> tuple[Entry, ...]:
        """Everything that can be asked for."""
        await self._refresh(table.providers.values())
        listings: dict[str, tuple[Listed, ...]] = {}
        for provider in table.providers.values():
            kept = self._kept.get((provider.name, provider.models_url))
            if kept is not None and kept.models:
                _teach(provider, kept)
            if listed := self._listed(provider):
                listings[provider.name] = listed
        return catalog.entries(table, listings)

    async def prospect(
        self, table: RouteTable, asked: Collection[str], *, knows: Collection[str] = (), dialect: str = ""
    ) -> Prospect:
        """What awaits a conversation that asks for these models, asking only the providers that it may come to."""
        concerned: dict[str, Provider] = {}

        def told(provider: Provider, model: str) -> known.Facts:
            concerned[provider.name] = provider
            return next((each.facts for each in self._listed(provider) if each.id == model), known.UNKNOWN)

        prospect(table, asked, told, knows=knows, dialect=dialect)
        await self._refresh(concerned.values())
        return prospect(table, asked, told, knows=knows, dialect=dialect)

    async def _refresh(self, providers: Iterable[Provider]) -> None:
        """Ask those anew whose list is not there, or old."""
        now = time.monotonic()
        async with anyio.create_task_group() as tasks:
            for provider in providers:
                kept = self._kept.get((provider.name, provider.models_url))
                if kept is None or kept.until < now:
                    tasks.start_soon(self._fetch, provider, self._wait)

    def _listed(self, provider: Provider) -> tuple[Listed, ...]:
        """A provider's list as it was last seen, else what is packaged of it."""
        kept = self._kept.get((provider.name, provider.models_url))
        if kept is not None and kept.models:
            return kept.models
        return tuple(Listed(model, facts=known.Facts(window)) for model, window in provider.packaged)

    def problems(self, table: RouteTable) -> dict[str, str]:
        """Why a provider's list was not to be had when it was last asked for, by the provider's name."""
        kept = {name: self._kept.get((name, provider.models_url)) for name, provider in table.providers.items()}
        return {name: each.problem for name, each in kept.items() if each is not None and each.problem}

    async def _fetch(self, provider: Provider, wait: float) -> None:
        kept: _Kept | None = None
        problem = f"no answer in {wait:g} s"
        key = (provider.name, provider.models_url)
        try:
            with anyio.move_on_after(wait):
                kept = await self._listing(provider)
        except GatewayError as error:
            problem = error.message  # a list is a service to the user, not a condition for anything
        finally:
            self._asking.discard(key)
        if kept is None:
            earlier = self._kept.get(key)
            until = time.monotonic() + _RETRY_SECONDS
            kept = _Kept(earlier.models if earlier else (), until, problem)
        self._kept[key] = kept
        _teach(provider, kept)

    async def _listing(self, provider: Provider) -> _Kept:
        url = provider.models_url + _WHOLE_LIST.get(provider.dialect, "")
        lines = (("Accept", "application/json"), ("Accept-Encoding", "identity"))
        out = Outgoing("GET", url, lines, b"")
        incoming = (await self._sender.open(provider, out, Facts(purpose="models"))).incoming
        try:
            if incoming.status != 200:
                raise Malformed(f"{provider.models_url} answered with status {incoming.status}")
            models = catalog.parse_listing(await incoming.read_all(_LISTING_LIMIT))
            return _Kept(models, time.monotonic() + _FRESH_SECONDS, mark=incoming.headers.get("etag"))
        finally:
            incoming.close()


def _teach(provider: Provider, kept: _Kept) -> None:
    """What the list says of its models holds for calls too, where such lists can be relied upon."""
    if provider.terms.lists_models:
        provider.learn({item.id: told for item in kept.models if (told := item.told())})


def page(entries: tuple[Entry, ...], call: Call) -> bytes:
    """The list for a call, in its dialect. Raises BadRequest for a bad cursor or limit."""
    query = {name: values[-1] for name, values in parse_qs(call.query).items()}
    if call.endpoint.dialect == GEMINI:
        size = _number(query, "pageSize", catalog.GEMINI_SIZE)
        return catalog.gemini_page(entries, size=size, token=query.get("pageToken", ""))
    if call.endpoint.dialect == ANTHROPIC:
        limit = _number(query, "limit", catalog.DEFAULT_LIMIT)
        return catalog.anthropic_page(
            entries, limit=limit, after_id=query.get("after_id"), before_id=query.get("before_id")
        )
    return catalog.codex_list(entries) if "client_version" in query else catalog.openai_list(entries)


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdigit():
        raise BadRequest(f"{name}: expected a number", param=name)
    return int(text[:6])


def one(entries: tuple[Entry, ...], call: Call) -> bytes:
    """One model for a call, in its dialect. Raises ClientError."""
    entry = catalog.find(entries, call.endpoint.name)
    if call.endpoint.dialect == GEMINI:
        return catalog.gemini_model(entry)
    return catalog.anthropic_model(entry) if call.endpoint.dialect == ANTHROPIC else catalog.openai_model(entry)
