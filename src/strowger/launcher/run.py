"""`strowger run`: a client on the gateway, from the terminal it was started in to its exit code.

    find the program → join a running gateway, or start one in this process → a token for this launch alone
    → the client's environment → spawn it with our standard streams → pass signals on → wait
    → close the launch, drain a gateway of ours → the child's exit code

A signal before the child is there ends the launch; one after it has gone ends the draining, not its code.
The token is the child's alone and is worth nothing after it; it travels in the environment, never in arguments.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import anyio
from anyio.abc import Process
from msgspec import Struct
from msgspec.structs import replace

from strowger.client import Admin, Model, Prospect
from strowger.config.schema import Config
from strowger.errors import (
    ConfigError,
    ErrorKind,
    Forbidden,
    GatewayError,
    Malformed,
    TimedOut,
    Unreachable,
)
from strowger.launcher import clients, sessions
from strowger.launcher.agents import Spec
from strowger.launcher.clients import NO_PROSPECT
from strowger.launcher.features import remote_control
from strowger.launcher.sessions import Session
from strowger.launcher.settings import written
from strowger.launcher.setup import Setup, ephemeral
from strowger.launcher.versions import missing_node, packaged, parts, version_of
from strowger.launcher.wrapper import LAUNCHED

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
# The terminal sends these to every process in its foreground, the child included.
FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)

_CLOSE_SECONDS = 2.0
_END_SECONDS = 5.0


class CannotStart(GatewayError):
    """The command could not be run; the exit code is the one that shells use for the reason."""

    kind = ErrorKind.NOT_FOUND

    def __init__(self, message: str, *, exit_code: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


class Order(Struct, frozen=True):
    """What to run. `config` and `demo` say on which gateway, `alone` not to join a running one; `profile` and `via` by
    what choice of its own.
    """

    command: str
    arguments: tuple[str, ...] = ()
    model: str | None = None
    config: Path | None = None
    profile: str | None = None
    via: str | None = None
    demo: bool = False
    alone: bool = False


class Way(Struct, frozen=True):
    """A way into a gateway: its URL, and the id and token of this launch. `joined` says which gateway it is, if not
    ours; `env` and `effort` are what the profile gives the client, `menu` the models that it can ask for, where it
    needs to know, `model` the one that it shall ask for, `prospect` what awaits its conversation there.
    `always_control`: the profile asks for Remote Control.
    """

    url: str
    launch: str
    token: str
    joined: str = ""
    env: Mapping[str, str] = {}
    effort: str | None = None
    menu: tuple[Model, ...] = ()
    model: str | None = None
    prospect: Prospect = NO_PROSPECT
    always_control: bool = False

    def __repr__(self) -> str:
        return f"Way({self.url})"


async def run(
    order: Order,
    *,
    env: Mapping[str, str],
    setup: Callable[[], Setup],
    tell: Callable[[str], None],
    ending: bool = False,
    direct: Config | None = None,
) -> int:
    """Run a command on a gateway. Gives its exit code, 128 + n when signal n ended it.

    `setup` loads the configuration when no running gateway is joined; `tell` is called with what the user should know.
    `ending`: this process ends with the launch, so signals that come after it are ignored: a Ctrl-C pressed twice must
    not take the place of the child's code. `direct` is a configuration by which it goes without a gateway. Raises
    CannotStart, UnknownModel, and what building a gateway raises.
    """
    spec = clients.spec_for(order.command)
    program = clients.find(order.command, spec, env)
    if program is None:
        raise _not_there(order.command, spec)
    for line in clients.advice(spec, env, Path(_folder() or ".")):
        tell(line)
    if missing := await missing_node(spec.node, program, env):
        tell(f"warning: {spec.title} {missing}")
    child = _Child()
    async with _signals_heeded(child, ending):
        named = f"{Path(program).name} {packaged(Path(program)) or ''}".rstrip()
        inside = {LAUNCHED: spec.name} if spec.name else {}
        if direct is not None:
            await _tell_of_control(spec, order, direct.launch.always_control, program, env, tell, gateway=False)
            from strowger.launcher.direct import straight  # few launches go without a gateway

            alone = await straight(spec, direct, env, order.model)
            for line in (*alone.notes, f"{named} runs without a gateway, {alone.where}"):
                tell(line)
            outside = {name: value for name, value in alone.env.items() if name != sessions.OWN}
            await child.run((program, *order.arguments), {**outside, **inside})
            return child.code
        async with _way_in(order, env, setup, tell) as way:
            tell(f"{named} runs on {way.url}" + (f" (joined {way.joined})" if way.joined else ""))
            await _tell_of_control(spec, order, way.always_control, program, env, tell, gateway=True)
            own = {**env, **way.env}
            if note := clients.room_told(spec, own, way.prospect):
                tell(note)
            url, model, effort, seen = way.url, way.model, way.effort, way.prospect
            menu = way.menu
            child_env = clients.environment(
                spec, own, url=url, token=way.token, model=model, effort=effort, menu=menu, prospect=seen
            )
            texts = clients.files(spec, env, url=url, model=model, effort=effort, menu=menu, prospect=seen)
            with written(env, texts, spec.suffix) as paths:
                before = clients.arguments(
                    spec, url=url, model=model, effort=effort, paths=paths, own=order.arguments, prospect=seen
                )
                inside[sessions.OWN] = way.launch
                await child.run((program, *before, *order.arguments), {**child_env, **paths, **inside})
    return child.code


@asynccontextmanager
async def _way_in(
    order: Order, env: Mapping[str, str], setup: Callable[[], Setup], tell: Callable[[str], None]
) -> AsyncIterator[Way]:
    """A token for this launch, of a gateway that runs already if one fits, else of one for this launch alone."""
    name = _told(Path(order.command).name)
    spec = clients.spec_for(order.command)
    model = clients.routed(spec, order.model)
    for session in _joinable(order, env):
        async with Admin(session.url, session.admin_token) as admin:
            try:
                if sessions.is_outdated(session):
                    await _reloaded(admin, session, tell)
                chosen = None if order.profile == session.profile else order.profile
                launch = await admin.open_launch(
                    name, os.getpid(), model, profile=chosen, via=order.via, project=_told(_folder())
                )
            except (Unreachable, TimedOut, Forbidden, Malformed):
                continue  # it is just ending, or hangs: that must not keep the user from working
            try:
                way = Way(
                    session.url,
                    launch.id,
                    launch.token,
                    _named(session),
                    launch.env,
                    launch.effort,
                    always_control=launch.always_control,
                )
                yield await _looked_ahead(way, spec, order, env, admin, launch.id)
            finally:
                with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
                    await _close(admin, launch.id)
            return
    own = ephemeral(setup())
    if not own.config.providers:
        raise ConfigError(
            "no provider is configured, so no model would answer",
            hint="`strowger config init` writes a configuration; `strowger run --demo` needs none",
        )
    # All of the gateway; who joins one has no need of it.
    from strowger.config.layers import Choice
    from strowger.gateway.access import Client
    from strowger.gateway.exporting import launch_env
    from strowger.launcher.host import hosted, quiet_log

    log = quiet_log(own.config, env)
    async with hosted(own, env=env, kind="run", command=name, log=log, token_required=True) as host:
        opened = host.gateway.access.open_launch(name, os.getpid(), _told(_folder()))
        given = await host.gateway.settings.give(opened.id, Choice(via=order.via))
        if model:
            host.gateway.line.routes_for(Client(name, launch=opened.id)).check(model)
        async with Admin(host.url, host.gateway.access.admin_token) as admin:
            way = Way(
                host.url,
                opened.id,
                opened.token,
                env=launch_env(given),
                effort=given.launch.effort,
                always_control=given.launch.always_control,
            )
            way = await _looked_ahead(way, spec, order, env, admin, opened.id)
        yield way


async def _tell_of_control(
    spec: Spec,
    order: Order,
    always: bool,
    program: str,
    env: Mapping[str, str],
    tell: Callable[[str], None],
    *,
    gateway: bool,
) -> None:
    """Whoever wants Remote Control hears what Claude Code makes of that here, before it starts."""
    if spec.name == "claude" and (always or clients.wants_control(spec, order.arguments)):
        tell(remote_control(parts(await version_of(program, env)), gateway=gateway))


async def _looked_ahead(way: Way, spec: Spec, order: Order, env: Mapping[str, str], admin: Admin, launch: str) -> Way:
    """The way, with what the gateway knows of where it leads. Raises UnknownModel when nobody knows a model to ask."""
    menu = await _menu(spec, admin, launch)
    model = clients.pick(spec, order.model, order.via, menu)
    asked = clients.asked(spec, model, {**env, **way.env}, order.arguments)
    prospect = NO_PROSPECT
    if asked:
        with suppress(GatewayError):  # an older gateway does not know
            prospect = await admin.prospect(launch, asked, knows=spec.knows, dialect=spec.dialect)
    return replace(way, menu=menu, model=model, prospect=prospect)


async def _menu(spec: Spec, admin: Admin, launch: str) -> tuple[Model, ...]:
    """What a launch can ask for. Not for a client that knows what to ask for: providers may take their time."""
    if not spec.picks_model:
        return ()
    with suppress(Unreachable, TimedOut, Forbidden, Malformed):
        return (await admin.models(launch)).models
    return ()


def _joinable(order: Order, env: Mapping[str, str]) -> list[Session]:
    if order.alone:
        return []
    # The demo's answers are no model's, and a model's cost money: neither may come in place of the other.
    folder = sessions.directory(env)
    return sessions.joinable(folder, config=order.config, demo=order.demo)


def _named(session: Session) -> str:
    """Which gateway it is, in words: its process, and what it was started with."""
    source = "the demo model" if session.demo else session.config or "no configuration file"
    profile = f", profile {session.profile}" if session.profile else ""
    return f"process {session.pid}: {source}{profile}"


async def _reloaded(admin: Admin, session: Session, tell: Callable[[str], None]) -> None:
    """The file may have been written a moment ago, and this client is meant to run on what it says now."""
    try:
        waiting = await admin.reload()
    except (Unreachable, TimedOut, Forbidden, Malformed):
        raise
    except GatewayError as error:
        tell(f"warning: {session.config} cannot be used, so the gateway goes on as it was: {error.message}")
        return
    if waiting:
        changed = ", ".join(f"[{name}]" for name in waiting)
        tell(f"warning: {changed} of {session.config} has changed; that needs a new start of the gateway")


async def _close(admin: Admin, launch: str) -> None:
    # The gateway may have ended before its client, and its tokens with it.
    with suppress(GatewayError):
        await admin.close_launch(launch)


class _Child:
    """The command: not yet there, coming, running, gone. What a signal is for depends on which."""

    def __init__(self) -> None:
        self._process: Process | None = None
        # What came while it was coming up, to be passed on; None at other times.
        self._early: list[int] | None = None
        self._code: int | None = None
        self._ended_by = 0
        # By `nohup`, or a shell without job control: not for us, though a child may listen all the same.
        self._ignored = {number for number in FORWARDED if signal.getsignal(number) is signal.SIG_IGN}

    @property
    def code(self) -> int:
        """The exit code as a shell tells it; that of the signal where it came before there was a child."""
        code = -self._ended_by if self._code is None else self._code
        return code if code >= 0 else 128 - code

    async def run(self, command: tuple[str, ...], env: Mapping[str, str]) -> None:
        """Start it, and wait for its end."""
        with anyio.CancelScope(shield=True):  # a child that is just coming up must not be lost
            process = self._process = await self._come_up(command, env)
        try:
            self._code = await process.wait()
        finally:
            await _end(process)
            self._process = None

    async def _come_up(self, command: tuple[str, ...], env: Mapping[str, str]) -> Process:
        # On a busy machine a child may be at work, and has its own way with signals, before we hear that it is there.
        early = self._early = []
        try:
            process = await _spawn(command, env)
        finally:
            self._early = None
        for number in early:
            _pass_on(number, process)
        return process

    async def heed(self, received: AsyncIterator[int], launch: anyio.CancelScope) -> None:
        """Pass signals on to the child; while there is none, they end what goes on before it and after."""
        async for number in received:
            if self._process is not None:
                _pass_on(number, self._process)
            elif self._early is not None:
                self._early.append(number)
            elif number not in self._ignored:
                self._ended_by = number
                launch.cancel()


@asynccontextmanager
async def _signals_heeded(child: _Child, ending: bool) -> AsyncIterator[None]:
    # From before the child is there until the gateway is drained, so that no signal is lost or ends us alone.
    with _signals(ending) as received:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(child.heed, received, tasks.cancel_scope)
                yield
                tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            if len(group.exceptions) > 1:
                raise
            raise group.exceptions[0] from group.exceptions[0].__cause__


@contextmanager
def _signals(ending: bool) -> Iterator[AsyncIterator[int]]:
    """The signals that come, by number; after the block they do what they did before, or with `ending` nothing.

    The loop's own handlers would be no good for it: taking them down lets a signal kill us until the next are up.
    """
    loop = asyncio.get_running_loop()
    into, received = anyio.create_memory_object_stream[int](math.inf)

    def note(number: int, _: object) -> None:
        loop.call_soon_threadsafe(put, number)

    def put(number: int) -> None:
        with suppress(anyio.ClosedResourceError):  # it came with the end of the block
            into.send_nowait(number)

    with into, received:
        before = {number: signal.signal(number, note) for number in FORWARDED}
        try:
            yield received
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_IGN if ending else handler or signal.SIG_DFL)


async def _spawn(command: tuple[str, ...], env: Mapping[str, str]) -> Process:
    try:
        return await anyio.open_process(command, stdin=None, stdout=None, stderr=None, env=env)
    except PermissionError as error:
        raise _not_a_program(command[0]) from error
    except OSError as error:
        raise CannotStart(f"{command[0]} cannot be run", exit_code=127) from error


def _folder() -> str:
    """The directory that the client works in; empty when it has been removed meanwhile."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""


def _told(name: str) -> str:
    """A name of a file as text: its bytes may be none."""
    return os.fsencode(name).decode("utf-8", "replace")


def _not_there(command: str, spec: Spec) -> CannotStart:
    if os.sep in command and Path(command).is_file():
        return _not_a_program(command)
    hint = spec.install or "is it installed, and on the PATH?"
    return CannotStart(f"there is no command `{command}`", exit_code=127, hint=hint)


def _not_a_program(file: str) -> CannotStart:
    return CannotStart(f"{file} may not be run", exit_code=126, hint="is it executable?")


def _pass_on(number: int, process: Process) -> None:
    if number in FROM_TERMINAL and _shares_terminal():
        return
    with suppress(ProcessLookupError):
        process.send_signal(signal.Signals(number))


def _shares_terminal() -> bool:
    """Whether we are in the foreground of a terminal, and the child, which is in our process group, with us."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


async def _end(process: Process) -> None:
    """End a child that outlives its gateway: asked first, because it may have a terminal to restore."""
    if process.returncode is not None:
        return
    with anyio.CancelScope(shield=True):
        try:
            process.terminate()
            with anyio.move_on_after(_END_SECONDS):
                await process.wait()
                return
            process.kill()
            await process.wait()
        except ProcessLookupError:
            pass
