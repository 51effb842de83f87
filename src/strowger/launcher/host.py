"""A gateway in this process: built, listening, and entered among the sessions, for as long as a block lasts.

`serve`, `run` and `demo` differ only in what they do inside that block. Must not know the command line.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import anyio
from msgspec import Struct

from strowger import __version__
from strowger.config.paths import log_file
from strowger.config.processes import process_start
from strowger.config.schema import Config
from strowger.errors import ConfigError
from strowger.gateway.app import Gateway, build
from strowger.gateway.scraping import FiguresAlone
from strowger.gateway.server import bind, serve
from strowger.gateway.settings import Settings
from strowger.launcher import pidfile, sessions
from strowger.launcher.sessions import Kind
from strowger.launcher.setup import Setup
from strowger.telemetry.logs import Log

_Mark = tuple[int, int, int] | None

_LOOK_SECONDS = 1.0
"""How often the configuration file is looked at."""

_FIGURES_BYTES = 16 * 1024


class Host(Struct, frozen=True):
    """A gateway that runs here. `url` is where clients on this machine reach it; `pidfile` says so to others."""

    gateway: Gateway
    url: str
    pidfile: Path


def quiet_log(config: Config, env: Mapping[str, str]) -> Log:
    """A log that keeps off the terminal, which belongs to the client: the configured file, else one in our state.

    Raises OSError when the file that was named cannot be opened.
    """
    if config.log.file:
        return Log(Path(config.log.file).expanduser(), config.log.level, areas=config.log.areas)
    try:
        return Log(log_file(env), config.log.level, areas=config.log.areas)
    except OSError:  # a state directory that cannot be written to must not keep anybody from working
        return Log(Path(os.devnull), config.log.level, areas=config.log.areas)


def open_log(config: Config, env: Mapping[str, str]) -> Log:
    """A log for a gateway that the terminal belongs to: to standard error and to a file in our state, or to the file
    that was named instead. Raises OSError when that cannot be opened.
    """
    if config.log.file:
        return quiet_log(config, env)
    try:
        return Log(log_file(env), config.log.level, sys.stderr, areas=config.log.areas)
    except OSError as error:
        log = Log(None, config.log.level, areas=config.log.areas)
        log.write("warning", "log", {"error": f"no file is written: {error}"})
        return log


@asynccontextmanager
async def hosted(
    setup: Setup,
    *,
    env: Mapping[str, str],
    kind: Kind,
    command: str = "",
    log: Log | None = None,
    token_required: bool = False,
) -> AsyncIterator[Host]:
    """Run a gateway for the length of a block, then drain it. Raises ConfigError and CredentialError before it runs.

    Cancelling the scope around it while it drains ends the calls that are left at once.
    """
    try:
        async with _running(setup, env, kind, command, log, token_required) as host:
            yield host
    except BaseExceptionGroup as group:
        # The gateway's task group wraps whatever ends the block; who is outside does not know of any tasks.
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from group.exceptions[0].__cause__


@asynccontextmanager
async def _running(
    setup: Setup,
    env: Mapping[str, str],
    kind: Kind,
    command: str,
    log: Log | None,
    token_required: bool,
) -> AsyncIterator[Host]:
    config = setup.config
    server = config.server
    # before anything takes its time: what is written meanwhile shall be seen
    seen = _mark(setup.path) if setup.path is not None else None
    log = log if log is not None else open_log(config, env)
    # First the port: whoever finds it taken should hear that before anything else.
    socket = bind(server.bind, server.port, external=server.allow_external_bind)
    with socket:
        async with (
            build(
                config, env=env, log=log, token_required=token_required, again=setup.again, profile=setup.profile or ""
            ) as gateway,
            serve(
                gateway,
                socket,
                max_body=server.max_body_mb * 1024 * 1024,
                max_header=server.max_header_kb * 1024,
                grace=server.grace_seconds,
            ) as listening,
            _figures(config, gateway, kind, log),
        ):
            url = local_url(listening.url)
            session = sessions.Session(
                pid=os.getpid(),
                url=url,
                admin_token=gateway.access.admin_token,
                started=time.time(),
                kind=kind,
                command=command,
                config=str(setup.path.resolve()) if setup.path else None,
                log=str(log.path.absolute()) if log.path else None,
                profile=setup.profile,
                demo=setup.demo,
                process_start=process_start(os.getpid()),
            )
            told = {"pid": os.getpid(), "url": url, "kind": kind, "version": __version__}
            log.write("info", "started", {**told, "config": session.config, "profile": session.profile}, shown=False)
            with _named(setup, kind, url):
                written = sessions.write(session, sessions.directory(env))
                if setup.path is not None:
                    gateway.line.spawn(partial(_follow, setup.path, seen, gateway.settings))
                try:
                    yield Host(gateway, url, written)
                finally:
                    log.write("info", "stopped", told, shown=False)
                    # Before draining: nobody shall join a gateway that is on its way out.
                    sessions.remove(written)


@asynccontextmanager
async def _figures(config: Config, gateway: Gateway, kind: Kind, log: Log) -> AsyncIterator[None]:
    """The port on which figures are served alone, where one is asked for. Of two launches at once, the first has it."""
    port = config.metrics.port
    if port is None or not config.metrics.enabled:
        yield
        return
    try:
        socket = bind("127.0.0.1", port, external=False)
    except ConfigError as error:
        if kind == "serve":
            raise
        log.write("warning", "metrics", {"error": error.message}, shown=False)
        yield
        return
    app = FiguresAlone(gateway.scraping)
    with socket:
        async with serve(app, socket, max_body=_FIGURES_BYTES, max_header=_FIGURES_BYTES, grace=0.0) as listening:
            log.write("info", "metrics", {"url": f"{listening.url}/metrics"}, shown=False)
            yield


@contextmanager
def _named(setup: Setup, kind: Kind, url: str) -> Iterator[None]:
    """The pid file that `[proxy]` asks for, where it is asked for. Of two launches at once, the first has it."""
    proxy = setup.config.proxy
    with ExitStack() as stack:
        if proxy.pid_file and kind in ("run", "proxy"):
            try:
                stack.enter_context(pidfile.kept(Path(proxy.pid_file), url, setup.config, setup.profile))
            except pidfile.InUse:
                if kind == "proxy":
                    raise
        yield


async def _follow(path: Path, seen: _Mark, settings: Settings) -> None:
    """Go on with the configuration file as it is written, for as long as the gateway runs."""
    while True:
        await anyio.sleep(_LOOK_SECONDS)
        found = _mark(path)
        if found == seen:
            continue
        seen = found
        # what is wrong with it is in the log; the gateway goes on as it was
        with suppress(ConfigError):
            await settings.reload()


def _mark(path: Path) -> _Mark:
    """What changes when a file is written or replaced; None while it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def local_url(url: str) -> str:
    """How this machine reaches a listener: one on all addresses is also on loopback."""
    host = urlsplit(url).hostname
    return url.replace("0.0.0.0", "127.0.0.1") if host == "0.0.0.0" else url.replace("[::]", "[::1]")  # noqa: S104 - recognised, not bound
