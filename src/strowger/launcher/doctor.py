"""What is installed, what works, and what stands in the way: looked for, with a hint for each thing that needs one.

Nothing is changed and nothing waits for long: each question has its own bound. Findings are texts that may be shown:
never a secret, only where one is to be found. Must not know how it is printed.
"""

from __future__ import annotations

import os
import platform
import stat
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sized
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from msgspec import Struct
from msgspec.structs import replace

from strowger import __version__
from strowger.auth.sources import resolve
from strowger.auth.stores import Login, LoginStore, login_command
from strowger.client import Admin, Status
from strowger.config.checks import credentials_of, is_loopback
from strowger.config.layers import InvalidConfig, Loaded, load
from strowger.config.references import SecretRef
from strowger.config.schema import Config
from strowger.errors import ConfigError, CredentialError, GatewayError, LoginNeeded
from strowger.launcher import clients, sessions, wrapper
from strowger.launcher.agents import AGENTS, PROXIES, Spec
from strowger.launcher.features import Feature, features, remote_control
from strowger.launcher.versions import missing_node, parts, version_of
from strowger.providers.presets import PRESETS

Level = Literal["ok", "note", "attention"]

_CREDENTIAL_SECONDS = 8.0
_ONLINE_SECONDS = 10.0
_ONLINE_GRACE = 5.0


class Finding(Struct, frozen=True, omit_defaults=True):
    """One thing that was looked at. Only what needs `attention` makes the whole a failure."""

    level: Level
    about: str
    says: str = ""
    hint: str | None = None


class Agent(Struct, frozen=True, omit_defaults=True):
    """An agent that is installed, or how to install it. `tried` is the newest version that was tried, where that is an
    older one.
    """

    name: str
    title: str
    path: str | None = None
    version: str | None = None
    needs: str | None = None
    install: str | None = None
    tried: str | None = None


class Report(Struct, frozen=True):
    """All of it. `wrappers` is about the plain commands of agents, which a wrapper of ours may have taken the place of;
    `features` are Claude Code's, in the version that was found; empty where there is none.
    """

    version: str
    python: str
    system: str
    configuration: tuple[Finding, ...]
    gateways: tuple[Finding, ...]
    providers: tuple[Finding, ...]
    agents: tuple[Agent, ...]
    environment: tuple[Finding, ...]
    wrappers: tuple[Finding, ...] = ()
    features: tuple[Feature, ...] = ()

    @property
    def attention(self) -> list[str]:
        """What needs attention, by name."""
        every = (*self.configuration, *self.gateways, *self.providers, *self.wrappers, *self.environment)
        found = [finding.about for finding in every if finding.level == "attention"]
        return found + [agent.title for agent in self.agents if agent.needs]


async def examine(
    env: Mapping[str, str], folder: Path, *, path: Path | None = None, profile: str | None = None, online: bool = False
) -> Report:
    """Look at everything, as it is for a command started in `folder`. `online`: ask each provider for its models."""
    loaded, configuration = _configuration(env, path, profile)
    running = [found async for found in _running(env)]
    agents: dict[str, Agent] = {}
    providers: dict[str, Finding] = {}

    async def look_at_agent(spec: Spec) -> None:
        agents[spec.name] = await _agent(spec, env)

    async def look_at_provider(config: Config, name: str) -> None:
        providers[name] = await _provider(config, name, env)

    async with anyio.create_task_group() as tasks:
        for spec in AGENTS.values():
            tasks.start_soon(look_at_agent, spec)
        for name in loaded.config.providers if loaded else ():
            tasks.start_soon(look_at_provider, loaded.config, name)  # type: ignore[union-attr]
    found = tuple(providers[name] for name in loaded.config.providers) if loaded else ()
    if loaded and online:
        found = await _asked(loaded.config, found, env)
    claude = agents["claude"]
    if loaded and loaded.config.launch.always_control:
        says = remote_control(parts(claude.version), gateway=loaded.config.proxy.enabled).removeprefix("note: ")
        configuration.append(Finding("note", "launch.always_control", says))
    return Report(
        version=__version__,
        python=f"Python {platform.python_version()}",
        system=f"{platform.system()} {platform.machine()}",
        configuration=tuple(configuration),
        gateways=tuple(_gateways(running, env)),
        providers=found,
        agents=tuple(agents[name] for name in AGENTS),
        environment=tuple(_environment(env, folder, [session.url for session, *_ in running])),
        wrappers=tuple(_wrappers(agents, env)),
        features=tuple(features(parts(claude.version))) if claude.path else (),
    )


def _count(things: Sized, one: str) -> str:
    return f"{len(things)} {one if len(things) == 1 else one + 's'}"


# ---- configuration ----


def _configuration(
    env: Mapping[str, str], path: Path | None, profile: str | None
) -> tuple[Loaded | None, list[Finding]]:
    try:
        loaded = load(path, env=env, presets=PRESETS, profile=profile)
    except InvalidConfig as error:
        return None, [
            Finding("attention", each.where or "configuration", each.message, each.hint) for each in error.problems
        ]
    except ConfigError as error:
        return None, [Finding("attention", error.where or "configuration", error.message, error.hint)]
    found = [Finding("note", each.where or "configuration", each.message, each.hint) for each in loaded.warnings]
    place = str(loaded.path) if loaded.path else "no configuration file"
    if not loaded.config.providers:
        hint = "`strowger config init` writes one; `strowger run --demo claude` needs none"
        return loaded, [Finding("attention", place, "no provider is configured", hint), *found]
    counted = f"valid, {_count(loaded.config.providers, 'provider')}, {_count(loaded.config.routes, 'route')}"
    return loaded, [Finding("ok", place, counted), *found]


# ---- gateways ----


_Running = tuple[sessions.Session, Status | str, str | None]
"""A gateway: how it is, or why it does not say; and what keeps its calls from being stored."""


async def _running(env: Mapping[str, str]) -> AsyncIterator[_Running]:
    for session in sessions.running(sessions.directory(env)):
        async with Admin(session.url, session.admin_token) as admin:
            try:
                yield session, await admin.status(), await _store_problem(admin)
            except GatewayError as error:
                yield session, error.message, None


async def _store_problem(admin: Admin) -> str | None:
    try:
        return (await admin.store()).problem
    except GatewayError:  # a gateway of an earlier version has none
        return None


def _gateways(running: list[_Running], env: Mapping[str, str]) -> Iterator[Finding]:
    folder = sessions.directory(env)
    try:
        mine = folder.lstat()
        if hasattr(os, "geteuid") and (mine.st_uid != os.geteuid() or not stat.S_ISDIR(mine.st_mode)):
            hint = "set XDG_RUNTIME_DIR to a directory that only you can enter"
            yield Finding(
                "attention", str(folder), "is not a directory of yours, so no gateway can be found there", hint
            )
    except OSError:
        pass  # nothing has run here yet
    for session, status, problem in running:
        about = f"{session.url} (process {session.pid}, {session.kind})"
        if isinstance(status, str):
            yield Finding(
                "attention", about, f"does not answer: {status}", f"end process {session.pid}, and start it again"
            )
        elif status.version != __version__:
            yield Finding("note", about, f"is still version {status.version}", "start it again to have this one")
        else:
            yield Finding("ok", about, f"answers, {_count(status.launches, 'client')}")
        if problem:
            yield Finding("attention", f"the store of {session.url}", problem)
    if not running:
        yield Finding("note", "none is running", "`strowger run` starts one of its own, `strowger serve` one for all")


# ---- providers ----


async def _provider(config: Config, name: str, env: Mapping[str, str]) -> Finding:
    """How the credentials of a provider are: found, missing, or not to be had in time."""
    kept = list(credentials_of(config.providers[name]))
    if not kept:
        return Finding("ok", name, "needs no credential")
    said: list[str] = []
    hint: str | None = None
    for at, reference in kept:
        problem = await _problem(reference, env)
        account = f"{at[-1]}: " if at[0] == "accounts" else ""
        how = problem.message if problem else f"{shown(reference)} {await _age(reference, env)}"
        said.append(f"{account}{how}")
        hint = hint or (problem.hint or _remedy(reference, problem) if problem else None)
        if problem and hint is None:
            hint = "`strowger config check` says where it stands"
    return Finding("attention" if hint else "ok", name, "; ".join(said), hint)


async def _problem(reference: SecretRef, env: Mapping[str, str]) -> CredentialError | None:
    if reference.kind == "client":
        return None
    with anyio.move_on_after(_CREDENTIAL_SECONDS):
        try:
            await resolve(reference, env=env)
            login = await _login(reference, env)
        except CredentialError as error:
            return error
        if login and _is_over(login) and not login.tokens.refresh:
            return LoginNeeded(
                f"{shown(reference)} has run out", hint=f"`{login_command(reference.target, reference.account)}`"
            )
        return None
    said = f"{shown(reference)} took more than {_CREDENTIAL_SECONDS:g} s"
    return CredentialError(said, hint="run what it stands for yourself")


async def _login(reference: SecretRef, env: Mapping[str, str]) -> Login | None:
    if reference.kind != "login":
        return None
    return await anyio.to_thread.run_sync(LoginStore(env).load, reference.target, reference.account)


def _is_over(login: Login) -> bool:
    return login.tokens.expires_at is not None and login.tokens.expires_at <= time.time()


async def _age(reference: SecretRef, env: Mapping[str, str]) -> str:
    login = await _login(reference, env)
    return "found; it has run out, and is renewed when used" if login and _is_over(login) else "found"


def _remedy(reference: SecretRef, problem: CredentialError) -> str | None:
    if isinstance(problem, LoginNeeded) and reference.kind == "login":
        return f"`{login_command(reference.target, reference.account)}`"
    return None


def shown(reference: SecretRef) -> str:
    """A reference as it may be shown to anybody: of a command, which may hold a secret, the program only."""
    if reference.kind == "command" and reference.args:
        return f"command:{reference.args[0]} …"
    return "the client's own login:" if reference.kind == "client" else reference.text


async def _asked(config: Config, found: tuple[Finding, ...], env: Mapping[str, str]) -> tuple[Finding, ...]:
    """The same, after each provider was asked for its list of models: one small request, which costs nothing."""
    # All of the gateway, and only here.
    from strowger.gateway.app import build
    from strowger.gateway.models import Models
    from strowger.telemetry.logs import Log

    # It leaves nothing behind: no log, no file of conversations.
    config = replace(
        config, responses=replace(config.responses, file=":memory:"), flows=replace(config.flows, store=False)
    )
    listed: dict[str, int] = {}
    problems: Mapping[str, str] = dict.fromkeys(config.providers, "it took too long")
    with anyio.move_on_after(_ONLINE_SECONDS + _ONLINE_GRACE):
        async with build(config, env=env, log=Log(Path(os.devnull), "error")) as gateway:
            models = Models(gateway.line.sender, wait=_ONLINE_SECONDS)
            for entry in await models.entries(gateway.line.routes):
                listed[entry.provider] = listed.get(entry.provider, 0) + (not entry.discovery)
            problems = models.problems(gateway.line.routes)
    return tuple(_answered(one, listed.get(one.about, 0), problems.get(one.about)) for one in found)


def _answered(finding: Finding, models: int, problem: str | None) -> Finding:
    if problem is None:
        return Finding(
            finding.level,
            finding.about,
            f"{finding.says}; answers, {models} {'model' if models == 1 else 'models'}",
            finding.hint,
        )
    says = f"{finding.says}; asked for its models: {problem}"
    refused = any(problem.endswith(f"status {code}") for code in (401, 403))
    if refused:
        return Finding("attention", finding.about, says, finding.hint or "it takes this credential no more: renew it")
    if any(problem.endswith(f"status {code}") for code in (404, 405)):
        return Finding(finding.level, finding.about, f"{says}, so it has no such list", finding.hint)
    return Finding(
        "attention", finding.about, says, finding.hint or "is it reachable from here, and through your proxy?"
    )


# ---- agents ----


async def _agent(spec: Spec, env: Mapping[str, str]) -> Agent:
    program = clients.find(spec.name, spec, env)
    if program is None:
        return Agent(spec.name, spec.title, install=spec.install)
    version = await version_of(program, env)
    needs = await missing_node(spec.node, program, env)
    newer = bool(spec.tried) and (parts(version) or ()) > (parts(spec.tried) or ())
    return Agent(spec.name, spec.title, program, version, needs, tried=spec.tried if newer else None)


# ---- plain commands ----


def _wrappers(agents: Mapping[str, Agent], env: Mapping[str, str]) -> Iterator[Finding]:
    """Which agents' plain commands go through Strowger, and what keeps those that shall from doing so."""
    states = {name: wrapper.state(name, env) for name in AGENTS}
    there = {name: state for name, state in states.items() if state.found}
    for name, state in there.items():
        yield _wrapper(name, state, agents[name], env)
    plain = [name for name, state in states.items() if state.front]
    if plain and not there:
        hint = f"`strowger toggle {plain[0]} on` has plain `{plain[0]}` go through it"
        yield Finding("note", "go past Strowger", hint=hint)


def _wrapper(name: str, state: wrapper.State, agent: Agent, env: Mapping[str, str]) -> Finding:
    about = f"`{name}`"
    at = next((each for each in state.found if each.path == state.front), state.found[0])
    if at.changed:
        says = f"{at.path} was changed since it was made"
        return Finding(
            "attention", about, says, f"look at it, and remove it; `strowger toggle {name} on` makes another"
        )
    if agent.path is None:
        return Finding("attention", about, f"there is no {agent.title} behind {at.path}", agent.install)
    if not state.in_force:
        first = f"the PATH leads to {state.front} first" if state.front else f"{at.path.parent} is not in the PATH"
        says = f"does not go through Strowger yet: {first}"
        return Finding("attention", about, says, wrapper.first_in_path(at.path.parent, env))
    return Finding("ok", about, f"goes through Strowger, by {at.path}")


# ---- environment ----


def _environment(env: Mapping[str, str], folder: Path, urls: list[str]) -> Iterator[Finding]:
    yield from _proxies(env)
    yield from _bypasses(env, urls)
    for file, names in clients.overridden_by_settings(env, folder).items():
        says = f"sets {', '.join(names)}, which Claude Code prefers over the gateway's"
        yield Finding("attention", file, says, "take it out there, or Claude Code goes past the gateway")
    if env.get("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC"):
        says = "keeps Claude Code from asking the gateway for its models"
        yield Finding("note", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", says, "/model then offers only its own")


def _proxies(env: Mapping[str, str]) -> Iterator[Finding]:
    names = [name for each in PROXIES for name in (each, each.lower()) if env.get(name)]
    if not names:
        return
    spared = {host.strip() for name in ("NO_PROXY", "no_proxy") for host in env.get(name, "").split(",")}
    if spared & {"*", "127.0.0.1"}:
        yield Finding("ok", ", ".join(names), "set, and NO_PROXY spares this machine")
        return
    hint = "`strowger run` adds it; for clients that you start yourself: NO_PROXY=127.0.0.1,localhost"
    yield Finding("note", ", ".join(names), "set, and NO_PROXY does not spare 127.0.0.1", hint)


def _bypasses(env: Mapping[str, str], urls: list[str]) -> Iterator[Finding]:
    """Variables that decide where Claude Code goes, and who pays."""
    base = env.get("ANTHROPIC_BASE_URL", "").rstrip("/")
    parsed = urlsplit(base)
    if base and any(base == url or base.startswith(f"{url}/") for url in urls):
        yield Finding("ok", "ANTHROPIC_BASE_URL", "leads to a gateway that runs")
    elif base and is_loopback(parsed.hostname or ""):
        hint = 'eval "$(strowger env claude)" leads to the one that runs, `unset ANTHROPIC_BASE_URL` to Anthropic'
        yield Finding("attention", "ANTHROPIC_BASE_URL", "leads to this machine, where no gateway of ours runs", hint)
    strip = set(AGENTS["claude"].strip) - ({"ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN"} if base else set())
    if names := sorted(name for name in env if name.upper() in strip and env[name]):
        says = "set, so plain `claude` goes by it"
        yield Finding("note", ", ".join(names), says, "`strowger run claude` takes it out of Claude Code's environment")
