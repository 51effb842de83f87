"""`strowger flows`: what was said in every call, read from the store, whether a gateway runs or not.

Here is what its commands share: which store, which flows, and how they are told.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from strowger.cli import names
from strowger.cli.main import Commands
from strowger.errors import BadRequest, ClientError, ErrorKind, GatewayError

if TYPE_CHECKING:
    from strowger.flows.archive import Archive
    from strowger.flows.filters import Filter
    from strowger.launcher.setup import Setup

NONE_FOUND = 1

COMMANDS = {
    "list": ("strowger.cli.flows_list:list_flows", "List calls, the newest last."),
    "show": ("strowger.cli.flows_show:show", "Show one call: where it went, what it cost, what was said."),
    "tail": ("strowger.cli.flows_list:tail", "Print calls as they end."),
    "diff": ("strowger.cli.flows_diff:diff", "Show what changed from call to call."),
    "compare": ("strowger.cli.flows_diff:compare", "Show what was made of a client's request."),
    "dump": ("strowger.cli.flows_export:dump", "Write calls as a HAR file."),
    "export": ("strowger.cli.flows_export:export", "Write calls as a page to give away, or as a test case."),
    "replay": ("strowger.cli.flows_replay:replay", "Ask once more what a client asked, there or at other models."),
    "cache": ("strowger.cli.flows_replay:cache", "Say what a session found in its cache, and why that broke."),
    "clear": ("strowger.cli.flows_list:clear", "Delete calls from the store."),
}
"""Where each command is, and its line in the list, so that the list imports nothing."""


class Kept:
    """The store that is meant, opened when it is first asked for, and the filters that the configuration has."""

    def __init__(self, file: Path | None, config: Path | None) -> None:
        self._file = file
        self.config = config
        self._archive: Archive | None = None

    @property
    def is_named(self) -> bool:
        """Whether it is another store than the configured one."""
        return self._file is not None

    def reading(self, setup: Setup) -> Setup:
        """A setup whose gateway keeps its calls in this store."""
        from msgspec.structs import replace

        if self._file is None:
            return setup
        flows = replace(setup.config.flows, file=str(self._file))
        return replace(setup, config=replace(setup.config, flows=flows))

    @property
    def archive(self) -> Archive:
        """The store. Raises GatewayError when there is none."""
        return self._opened(self._missing())

    def expected(self) -> Archive:
        """The store, also where there is none yet, which is said."""
        if (missing := self._missing()) is not None:
            click.echo(f"{missing.message} yet: waiting for the first call", err=True)
        return self._opened(None)

    def _opened(self, missing: GatewayError | None) -> Archive:
        if missing is not None:
            raise missing
        if self._archive is None:
            from strowger.flows.archive import Archive

            self._archive = Archive(self._path(), is_kept=not self.is_named)
        return self._archive

    def _missing(self) -> GatewayError | None:
        """What to say where there is no store."""
        if self._archive is not None or (path := self._path()).is_file():
            return None
        return GatewayError(
            f"there is no store of flows at {path}",
            hint="`strowger serve` and `strowger run` keep one, unless `[flows] store = false`",
        )

    def jq(self) -> tuple[str, ...]:
        """The filters that come before those of the command line."""
        return self._loaded()[1]

    def _path(self) -> Path:
        if self._file is not None:
            return self._file
        from strowger.config.paths import flows_file

        return flows_file(os.environ, self._loaded()[0])

    def _loaded(self) -> tuple[str | None, tuple[str, ...]]:
        from strowger.config.layers import load
        from strowger.providers.presets import PRESETS

        flows = load(self.config, env=os.environ, presets=PRESETS).config.flows
        return flows.file, flows.jq


_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(cls=Commands, table=COMMANDS)
@click.option("--file", type=_FILE, help="The store to read, instead of the configured one.")
@click.option("--config", "path", type=_FILE, help="The configuration to read, instead of the usual one.")
@click.pass_context
def flows(ctx: click.Context, file: Path | None, path: Path | None) -> None:
    """See every call: what was asked and forwarded, what came back and when, what it cost.

    FLOW is an id or its beginning, `last`, or `last-1` for the one before.

    \b
    A FILTER has terms that must all hold:
        model:gpt-5*  provider:codex,openai  -program:claude  session:3fa9
        status:>=400  outcome:failed  error:limit  since:2h  until:today
        cost:>0.10  input:>100k  duration:>30s  losses:>0  stream:no
    Words without a field are looked for in models, sessions and errors.

    Exit codes: 0 found, 1 nothing found, 2 the filter is wrong.
    """
    ctx.obj = Kept(file, path)


pass_kept = click.make_pass_decorator(Kept)

_F = TypeVar("_F", bound=Callable[..., Any])

flows_argument = click.argument("names", nargs=-1, metavar="[FLOW]...", shell_complete=names.flows)
where_option = click.option("--where", metavar="FILTER", help="Only the calls that pass: `model:gpt-5* status:>=400`.")
jq_option = click.option(
    "--jq",
    multiple=True,
    metavar="PROGRAM",
    help="A jq program from a list of calls to one; several run after each other, those of `flows.jq` first.",
)


def limit_option(default: int) -> Callable[[_F], _F]:
    """How many are taken, the newest ones."""
    return click.option(
        "-n", "--limit", type=click.IntRange(min=1), default=default, show_default=True, help="At most so many."
    )


def filter_of(where: str | None) -> Filter | None:
    """What `--where` says. Raises BadFilter."""
    from strowger.flows.query import parse

    return parse(where) if where else None


def chosen(kept: Kept, where: str | None, limit: int, jq: Sequence[str]) -> list[Any]:
    """The flows that are meant, oldest first; after jq, anything."""
    condition = filter_of(where)
    found: list[Any] = list(reversed(kept.archive.list(condition, limit=limit)))
    programs = (*kept.jq(), *jq)
    for program in programs:
        found = _through(program, found)
    return found


def picked(kept: Kept, names: Sequence[str], where: str | None, limit: int, jq: Sequence[str]) -> list[dict[str, Any]]:
    """The flows that are named, or else those that are chosen, oldest first. Raises GatewayError."""
    if names:
        return [dict(one(kept, name)) for name in names]
    found = chosen(kept, where, limit, jq)
    if any(not isinstance(flow, dict) or not isinstance(flow.get("id"), str) for flow in found):
        raise BadRequest(
            "a jq program made something else of the calls", hint="keep the members of each, `id` at least"
        )
    return found


def one(kept: Kept, name: str) -> dict[str, object]:
    """A flow by its id, a beginning of it, `last`, or `last-1` for the one before. Raises GatewayError."""
    try:
        return kept.archive.get(name)
    except ClientError as error:
        if error.kind is ErrorKind.NOT_FOUND and not kept.archive.count():
            raise GatewayError("no call is kept yet", hint="`strowger demo` makes some") from None
        raise


def nothing(where: str | None) -> int:
    """Say that no flow was found; gives the exit code."""
    from strowger.cli import render

    click.echo("no call passes the filter" if where else "no call is kept yet", err=True)
    if not where:
        click.echo(render.hint("`strowger demo` makes some"), err=True)
    return NONE_FOUND


def _through(program: str, flows: list[Any]) -> list[Any]:
    try:
        jq: Any = importlib.import_module("jq")
    except ModuleNotFoundError:
        raise GatewayError("jq is not installed", hint="pip install 'strowger[jq]'") from None
    try:
        results = jq.compile(program).input_value(flows).all()
    except ValueError as error:
        raise Program(f"jq cannot run `{program}`: {str(error).strip()}") from None
    if len(results) != 1 or not isinstance(results[0], list):
        hint = f"it begins with a list of calls: `map(select(…))`, or `[{program}]`"
        raise Program(f"`{program}` gives no list", hint=hint)
    found: list[Any] = results[0]
    return found


class Program(BadRequest):
    """A jq program that does not do what it is for."""

    exit_code = 2
