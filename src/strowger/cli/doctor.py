"""`strowger doctor`: one screen that says what is installed, what works, and what to do about the rest."""

from __future__ import annotations

import os
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from strowger.cli.config import config_option, profile_option
from strowger.cli.loop import run_async
from strowger.cli.render import below_home, count, table
from strowger.launcher.doctor import Agent, Finding, Report, examine
from strowger.launcher.features import MODES, Feature

if TYPE_CHECKING:
    from strowger.launcher.supply import Package

NEEDS_ATTENTION = 1

_MARKS = {"ok": ("✓", "green"), "note": ("·", "blue"), "attention": ("!", "yellow")}
_WIDEST = 120


@click.command()
@config_option
@profile_option
@click.option("--online", is_flag=True, help="Ask each provider for its models: shows that its credential is taken.")
@click.option("--supply-chain", "supply", is_flag=True, help="Hold every package against its own list.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def doctor(path: Path | None, profile: str | None, online: bool, supply: bool, as_json: bool) -> int:
    """Say what is installed, what works, and what stands in the way.

    Looks at the configuration, running gateways, credentials, agents and the environment, and says which features of
    the Claude Code that is installed survive behind the gateway. Changes nothing, and shows no secret. Exit code 0 when
    all is well, 1 when something needs attention.

    With --supply-chain it reads every file of Strowger and of the packages that it needs. MARK is the same wherever the
    same package was installed.
    """
    if supply:
        return _supply_chain(as_json)
    report = run_async(lambda: examine(dict(os.environ), Path.cwd(), path=path, profile=profile, online=online))
    if as_json:
        plain = {"ok": not report.attention, "attention": report.attention, **msgspec.to_builtins(report)}
        click.echo(msgspec.json.format(msgspec.json.encode(plain), indent=2).decode())
    else:
        width = min(shutil.get_terminal_size().columns, _WIDEST)
        for line in _lines(report, width):
            click.echo(line)
    return NEEDS_ATTENTION if report.attention else 0


def _supply_chain(as_json: bool) -> int:
    from strowger.launcher.supply import packages

    found = packages()
    changed = [each for each in found if each.changed]
    if as_json:
        plain = {"ok": not changed, "packages": msgspec.to_builtins(found)}
        click.echo(msgspec.json.format(msgspec.json.encode(plain), indent=2).decode())
    else:
        rows = [(each.name, each.version, str(each.files), each.mark, _as_installed(each)) for each in found]
        for line in table(rows, header=("PACKAGE", "VERSION", "FILES", "MARK", "STATE")):
            click.echo(line)
    return NEEDS_ATTENTION if changed else 0


def _as_installed(package: Package) -> str:
    if not package.files:
        return "it has no list of its files"
    if not package.changed:
        return "as installed"
    rest = len(package.changed) - 3
    return f"changed: {', '.join(package.changed[:3])}{f' and {rest} more' if rest > 0 else ''}"


def _lines(report: Report, width: int) -> Iterator[str]:
    yield f"{click.style(f'strowger {report.version}', bold=True)} on {report.python}, {report.system}"
    sections = (
        ("Configuration", report.configuration),
        ("Gateways", report.gateways),
        ("Providers", report.providers),
        ("Environment", report.environment),
    )
    for title, findings in sections[:3]:
        yield from _section(title, findings, width)
    yield from _agents(report.agents, width)
    yield from _section("Plain commands", report.wrappers, width)
    yield from _section(*sections[3], width)
    if report.features:
        version = next((agent.version for agent in report.agents if agent.name == "claude"), None)
        yield from _features(report.features, version or "of an unknown version", width)
    yield ""
    if report.attention:
        named = ", ".join(below_home(about) for about in report.attention)
        yield from _wrapped(f"{count(len(report.attention), 'thing')} to look at: {named}", width, "", "  ")
    else:
        yield "nothing stands in the way"


def _section(title: str, findings: tuple[Finding, ...], width: int) -> Iterator[str]:
    if not findings:
        return
    yield ""
    yield click.style(title, bold=True)
    for finding in findings:
        about = below_home(finding.about)
        text = f"{about}: {finding.says}" if finding.says else about
        yield from _marked(finding.level, text, finding.hint, width)


def _marked(level: str, text: str, hint: str | None, width: int) -> Iterator[str]:
    mark, colour = _MARKS[level]
    yield from _wrapped(text, width, f"  {click.style(mark, fg=colour)} ", "    ")
    if hint:
        label = click.style("hint:", fg="cyan")
        yield from _wrapped(hint, width, f"    {label} ", "          ")


def _agents(agents: tuple[Agent, ...], width: int) -> Iterator[str]:
    yield ""
    yield click.style("Agents", bold=True)
    found = [agent for agent in agents if agent.path]
    for agent in found:
        version = agent.version or "(its version is not known)"
        level = "attention" if agent.needs else "note" if agent.tried else "ok"
        needs = f", {agent.needs}" if agent.needs else ""
        hint = _newer(agent) if agent.tried else None
        yield from _marked(level, f"{agent.title} {version}{needs}, {below_home(agent.path or '')}", hint, width)
    absent = [agent for agent in agents if not agent.path]
    if absent:
        yield from _marked("note", f"not installed: {', '.join(agent.title for agent in absent)}", None, width)
    if not found and agents:
        yield from _wrapped(agents[0].install or "", width, "    ", "    ")


def _newer(agent: Agent) -> str:
    return (
        f"newer than what was tried ({agent.tried}): what is new in it reaches a provider of its own dialect as "
        "it is, and `strowger flows list --where losses:>0` shows what did not reach others"
    )


def _features(features: tuple[Feature, ...], version: str, width: int) -> Iterator[str]:
    yield ""
    yield click.style(f"Features of Claude Code {version} behind the gateway", bold=True)
    rows = [(each.name, each.run, each.token, each.client) for each in features]
    yield from table(rows, indent=2, header=("FEATURE", *(mode.upper() for mode in MODES)))
    for mode, means in MODES.items():
        yield from _wrapped(f"{mode}: {means}", width, "    ", "      ")
    for each in features:
        setting = f" (set {each.setting})" if each.setting else ""
        yield from _wrapped(f"{each.name}: {each.why}{setting}", width, "  ", "    ")


def _wrapped(text: str, width: int, first: str, other: str) -> list[str]:
    """Lines no wider than the terminal; what stands before the first is not counted by its colours."""
    lead = len(click.unstyle(first))
    wrapper = textwrap.TextWrapper(max(width, 40), " " * lead, other, break_long_words=False, break_on_hyphens=False)
    lines = wrapper.wrap(text)
    return [first + lines[0][lead:], *lines[1:]] if lines else []
