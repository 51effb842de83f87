"""The composition root: a configuration becomes a gateway. The only place where the parts are wired together."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
from anyio.abc import TaskGroup
from msgspec.structs import replace

from strowger import __version__
from strowger.auth.sources import Sources, resolve
from strowger.config.checks import ANTHROPIC_HOSTS, DEMO_URL
from strowger.config.layers import Choice, Loaded
from strowger.config.paths import state_dir
from strowger.config.schema import Config
from strowger.dialects.anthropic import DIALECT as ANTHROPIC_DIALECT
from strowger.dialects.base import Dialect
from strowger.dialects.gemini import DIALECT as GEMINI_DIALECT
from strowger.dialects.openai_chat import DIALECT as CHAT_DIALECT
from strowger.dialects.openai_responses import DIALECT as RESPONSES_DIALECT
from strowger.errors import ConfigError, GatewayError, UnknownPath
from strowger.flows.conversations import Conversations
from strowger.flows.feed import Feed
from strowger.gateway import cloud_clients, code_assist
from strowger.gateway.access import Access
from strowger.gateway.admin import Admin, refusal
from strowger.gateway.counting import Counting
from strowger.gateway.delivery import Reply
from strowger.gateway.endpoints import ADMIN, Call, Endpoint, Verb, match, spoken_at
from strowger.gateway.exporting import exporting, places
from strowger.gateway.health import Health
from strowger.gateway.history import History
from strowger.gateway.keeping import keeping
from strowger.gateway.models import Models, one, page
from strowger.gateway.other_paths import OtherPaths
from strowger.gateway.pipeline import Line
from strowger.gateway.pulse import Spawn
from strowger.gateway.recall import Memory
from strowger.gateway.scraping import Scraping, looker, observers_of
from strowger.gateway.sending import Sender
from strowger.gateway.settings import Settings, timing_of
from strowger.gateway.status import quota
from strowger.gateway.stored import Stored
from strowger.gateway.telling import GOOD_NEWS, Teller, noting
from strowger.gateway.watching import Watching
from strowger.providers.base import build_providers
from strowger.providers.exchange import exchange
from strowger.providers.network import network_of
from strowger.routing.table import RouteTable
from strowger.telemetry.logs import Log
from strowger.telemetry.metrics import Metrics
from strowger.upstreams.base import Headers
from strowger.upstreams.http import HttpUpstream
from strowger.upstreams.websocket import SocketUpstream

DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect for dialect in (ANTHROPIC_DIALECT, CHAT_DIALECT, RESPONSES_DIALECT, GEMINI_DIALECT)
}

_JSON: Headers = (("Content-Type", "application/json"),)


class Gateway:
    """What the server serves: every endpoint, over one line. Made by `build`."""

    def __init__(
        self,
        line: Line,
        models: Models,
        counting: Counting,
        admin: Admin,
        settings: Settings,
        feed: Feed,
        scraping: Scraping,
        tell: Teller,
    ) -> None:
        self.line = line
        self.settings = settings
        self.access = line.access
        self.recorder = line.recorder
        self.models = models
        self._counting = counting
        self._stored = Stored(line)
        self._others = OtherPaths(line)
        self._admin = admin
        self.feed = feed
        self.scraping = scraping
        self._tell = tell

    def locate(self, method: str, path: str, headers: dict[str, str], query: str) -> Endpoint:
        """The endpoint of a URL; raises UnknownPath."""
        return match(method, path, headers, self.line.routes.providers, query)

    async def handle(self, call: Call, reply: Reply) -> None:
        """Answer a call of any kind. Raises ClientGone; errors are answered here."""
        verb = call.endpoint.verb
        if call.endpoint.spot.form in cloud_clients.FORMS:
            call, reply = cloud_clients.plain(call, reply)
        if verb is Verb.CREATE:
            await self.line.handle(call, reply)
            return
        try:
            await self._answer(call, reply)
        except GatewayError as error:
            status, headers, body = self.refuse(error, dict(call.headers), call.path)
            await reply.whole(status, headers, body)

    def nothing(self, call: Call) -> bytes:
        """The stream of an answer that says nothing, to a call that nobody is asked. Raises GatewayError."""
        return self.line.nothing(call)

    def finish(self) -> None:
        """The server goes: who watches what happens leaves now, since there is no end to wait for."""
        self.feed.finish()

    async def _answer(self, call: Call, reply: Reply) -> None:
        match call.endpoint.verb:
            case Verb.HELLO | Verb.HEALTH:
                body = msgspec.json.encode({"ok": True, "service": "strowger", "version": __version__})
                await reply.whole(200, _JSON, body)
            case Verb.ADMIN:
                await self._admin.answer(call, reply)
            case Verb.METRICS:
                await self.scraping.answer(call, reply)
            case Verb.COUNT_TOKENS:
                await self._counting.answer(call, reply)
            case Verb.STORED:
                await self._stored.answer(call, reply)
            case Verb.OTHER:
                await self._others.answer(call, reply)
            case Verb.CODE_ASSIST:
                self.access.admit(call.headers)
                await reply.whole(200, _JSON, msgspec.json.encode(code_assist.answer(call.endpoint.name)))
            case Verb.MODELS:
                await reply.whole(200, _JSON, page(await self.models.entries(self._routes(call)), call))
            case Verb.MODEL:
                await reply.whole(200, _JSON, one(await self.models.entries(self._routes(call)), call))
            case _:
                raise UnknownPath(f"nothing is served at {call.path[:200]}")

    def _routes(self, call: Call) -> RouteTable:
        """The routes of whoever asks. Raises Forbidden."""
        return self.line.routes_for(self.access.admit(call.headers))

    def refuse(self, error: GatewayError, headers: dict[str, str], path: str) -> tuple[int, Headers, bytes]:
        """The answer to what never became a call on the line, in the dialect that the path or the headers speak."""
        self._tell.refused(error, path)
        if path.startswith(ADMIN):
            return refusal(error)
        rendered = DIALECTS[spoken_at(path, headers)].client.render_error(error)
        return rendered.status, rendered.headers, rendered.body


def _noted(log: Log) -> Callable[[str], None]:
    # that something went well again is nothing to be warned of
    return lambda text: log.write("info" if text.endswith(GOOD_NEWS) else "warning", "credential", {"note": text})


def _spawner(tasks: TaskGroup, log: Log) -> Spawn:
    """Starts what outlives a call. If it breaks, that is logged, and the calls of everybody else go on."""

    async def run(task: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await task()
        except Exception as error:  # noqa: BLE001 - the edge: one task, of any kind, must not take the gateway down
            log.write("error", "task", {"error": type(error).__name__})

    return lambda task: tasks.start_soon(run, task)


def _log(config: Config) -> Log:
    file = Path(config.log.file).expanduser() if config.log.file else None
    return Log(file, config.log.level, areas=config.log.areas)


async def _access(config: Config, env: Mapping[str, str], *, token_required: bool) -> Access:
    server = config.server
    token = None if server.client_token is None else (await resolve(server.client_token, env=env)).reveal()
    access = Access(
        bind=server.bind,
        allowed_hosts=server.allowed_hosts,
        allowed_origins=server.allowed_origins,
        client_token=token,
        token_required=token_required,
    )
    if server.allow_external_bind and not access.token_required:
        raise ConfigError(
            "an external bind needs a client token", hint="set server.client_token, for example env:STROWGER_TOKEN"
        )
    return access


def _conversations(config: Config, env: Mapping[str, str], log: Log) -> Conversations:
    responses = config.responses
    return Conversations(
        responses.file or str(state_dir(env) / "responses.db"),
        max_bytes=responses.max_mb * 1024 * 1024,
        max_age=responses.keep_days * 86400,
        tell=lambda event, fields: log.write("warning", event, fields),
    )


def _with_demo_address(config: Config, url: str) -> Config:
    providers = {
        name: replace(provider, base_url=url) if provider.base_url == DEMO_URL else provider
        for name, provider in config.providers.items()
    }
    return replace(config, providers=providers)


@asynccontextmanager
async def build(
    config: Config,
    *,
    env: Mapping[str, str] | None = None,
    log: Log | None = None,
    token_required: bool = False,
    anthropic_hosts: tuple[str, ...] = ANTHROPIC_HOSTS,
    demo_pace: float | None = None,
    again: Callable[[Choice], Loaded] | None = None,
    profile: str = "",
) -> AsyncIterator[Gateway]:
    """A running gateway without a socket; the block owns its connections and tasks.

    `again` reads the configuration anew for a choice; `profile` is what it was read with. `env` is where secret
    references look. `token_required` refuses calls without a token even when none is configured (a launch gives its
    own). `anthropic_hosts` is for tests. Raises ConfigError and CredentialError.
    """
    env = os.environ if env is None else env
    async with AsyncExitStack() as stack:
        demo_url = DEMO_URL
        if any(provider.base_url == DEMO_URL for provider in config.providers.values()):
            from strowger.demo.server import PACE, demo_server  # a server of its own, whose import is dear

            pace = PACE if demo_pace is None else demo_pace
            demo_url = await stack.enter_async_context(demo_server(pace=pace))

        if log is None:
            log = _log(config)
        stack.callback(log.close)
        network = await network_of(config, env)
        http = HttpUpstream(config.limits.connect_timeout_seconds, network=network)
        upstream = SocketUpstream(http, http.dialer)
        stack.push_async_callback(upstream.aclose)
        tasks = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(tasks.cancel_scope.cancel)
        spawn = _spawner(tasks, log)
        sources = Sources(env, exchange=exchange(upstream), spawn=spawn, note=_noted(log))

        def table(config: Config) -> RouteTable:
            config = _with_demo_address(config, demo_url)
            providers = build_providers(config, env=env, anthropic_hosts=anthropic_hosts, source_for=sources)
            return RouteTable(config, providers)

        access = await _access(config, env, token_required=token_required)
        conversations = _conversations(config, env, log)
        stack.callback(conversations.close)
        tracing = await stack.enter_async_context(exporting(config, env, log, DIALECTS))
        kept = await stack.enter_async_context(keeping(config, env, log, spawn, tracing))
        health = Health(config.retries)
        sender = Sender(upstream, noting(health, log), health.wants_reading)
        line = Line(
            access=access,
            routes=table(config),
            dialects=dict(DIALECTS),
            sender=sender,
            health=health,
            recorder=kept.recorder,
            budgets=kept.budgets,
            profile=profile,
            memory=Memory(conversations, spawn),
            timing=timing_of(config),
            spawn=spawn,
        )
        models = Models(sender, spawn=spawn)
        settings = Settings(config, line, table, again, log, kept.pricing)
        history = History(line.recorder, kept.archive, kept.store)
        watching = Watching(kept.feed, line.recorder, {"quota": lambda: quota(health), "store": history.store})
        admin = Admin(line, models, settings, watching, history)
        if tracing is not None:
            tracing.places = places(lambda: line.routes.providers)
        metrics = None
        if config.metrics.enabled:
            observers = observers_of(log, kept.feed, kept.store, tracing)
            metrics = Metrics(looker(health, lambda: line.routes.providers, settings, log, observers))
            kept.recorder.add(metrics)
        scraping = Scraping(metrics, access, is_open=config.metrics.open)
        teller = Teller(log)
        teller.listen(http.dialer, line)
        yield Gateway(line, models, Counting(line), admin, settings, kept.feed, scraping, teller)
