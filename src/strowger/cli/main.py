"""The way in: finds the command, imports only what it needs, and prints every error in one form.

    error: what happened
      because: what was behind it

    hint: what to do next

Exit codes: 0 done · 1 failed · 2 wrong usage, configuration or model · 127 the client to run was not found ·
130 interrupted · 141 the reader of the output went away. `strowger run` gives its child's code.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from strowger import __version__
from strowger.errors import ConfigError, GatewayError, UnknownModel

FAILED, MISUSED, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141

Table = Mapping[str, tuple[str, str]]
"""Commands by name: `module:function`, and a line that says what it does."""

COMMANDS = {
    "serve": ("strowger.cli.serve:serve", "Run the gateway until it is stopped."),
    "run": ("strowger.cli.run:run", "Run a client on the gateway."),
    "proxy": ("strowger.cli.proxy:proxy", "Run a gateway for one profile or provider, until it is stopped."),
    "demo": ("strowger.cli.demo:demo", "Show the gateway at work, without any account."),
    "doctor": ("strowger.cli.doctor:doctor", "Say what is installed, what works, and what stands in the way."),
    "status": ("strowger.cli.status:status", "Tell which gateways are running, and how they are."),
    "dashboard": ("strowger.cli.dashboard:dashboard", "Open the page of the running gateway."),
    "env": ("strowger.cli.env:env", "Print what a client needs in its environment to use the gateway."),
    "monitor": ("strowger.cli.monitor:monitor", "Watch calls as they happen, in the terminal."),
    "sessions": ("strowger.cli.sessions:sessions", "List the clients that run, and where their calls go."),
    "switch": ("strowger.cli.sessions:switch", "Have the calls of a running client go elsewhere."),
    "reload": ("strowger.cli.reload:reload", "Have the running gateways read their configuration anew."),
    "flows": ("strowger.cli.flows:flows", "See every call: what was said, what it cost, what changed."),
    "quota": ("strowger.cli.quota:quota", "Tell what is left of the accounts."),
    "usage": ("strowger.cli.usage:usage", "Tell how many tokens were used, and what they cost."),
    "prices": ("strowger.cli.prices:prices", "Show what models cost, or fetch a newer list."),
    "logs": ("strowger.cli.logs:logs", "Show what the gateways have told."),
    "models": ("strowger.cli.status:models", "List the models that can be asked for, and where each leads."),
    "login": ("strowger.cli.login:login", "Log in to ChatGPT or Kimi Code, and use their models."),
    "logout": ("strowger.cli.auth:logout", "End a login, at its issuer too where that can be done."),
    "auth": ("strowger.cli.auth:auth", "Show the logins there are, or copy one from another program."),
    "config": ("strowger.cli.config:config", "Write, check and show the configuration."),
    "toggle": ("strowger.cli.toggle:toggle", "Have the plain command of an agent go through Strowger, or not."),
    "service": ("strowger.cli.service:service", "Run the gateway as a service of your own."),
    "completion": ("strowger.cli.completion:completion", "Print what makes a shell complete our commands."),
    "version": ("strowger.cli.main:version", "Print the version."),
}
"""Where each command is, and its line in the list, so that the list imports nothing."""


class Commands(click.Group):
    """A group whose commands are imported when they are called. `table` has where each is, and its line in the list."""

    def __init__(self, *args: Any, table: Table, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self._table:
            return None
        module, _, name = self._table[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of a name. For one that is not there, the one that was probably meant is told."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from strowger.config.validate import near_miss

            near = near_miss(args[0], self._table)
            if near is not None:
                raise click.UsageError(f"No such command {args[0]!r}; did you mean {near!r}?", ctx) from error
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list, from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._table.items()])


@click.group(
    cls=Commands, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, "-V", "--version", message="strowger %(version)s")
def cli() -> None:
    """The local exchange for coding agents: any agent in, any model out, and you can listen on every line.

    \b
        strowger run claude             a client, where the configuration says
        strowger --deepseek -p "hi"     short for: strowger run --via deepseek claude -- -p "hi"
        strowger switch codex           the client that runs, elsewhere

    The short form takes the name of a profile, of a provider, or of a preset whose key is there.
    """


@click.command()
def version() -> None:
    """Print the version."""
    click.echo(f"strowger {__version__}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, and exit with its code."""
    fill_streams()
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def fill_streams() -> None:
    """Put the null device where a standard stream was closed (`2>&-`): a socket would else get its number."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def run(arguments: Sequence[str]) -> int:
    """Run the command line. Gives the exit code; whatever went wrong has been printed."""
    if "_STROWGER_COMPLETE" in os.environ:  # a shell asks for completions: click answers, and exits
        cli.main(list(arguments), prog_name="strowger")
    arguments = _written_out(arguments)
    try:
        # Not through `cli.main`, which has its own way with interrupts and closed pipes.
        with cli.make_context("strowger", list(arguments)) as context:
            code = cli.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return MISUSED
    except click.ClickException as error:
        report(_misuse(error))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        if sys.stderr.isatty():
            click.echo(err=True)  # the terminal has written ^C, and the prompt belongs below it
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the command line's boundary: nobody is left above to tell the user
        return _told(_innermost(error))
    return code if isinstance(code, int) else 0


def _written_out(arguments: Sequence[str]) -> Sequence[str]:
    """`strowger --deepseek …` is short for Claude Code on that profile, or via that provider."""
    first = arguments[0] if arguments else ""
    if not first.startswith("--") or first == "--" or first in {"--help", "--version"}:
        return arguments
    from strowger.cli.names import option_for

    name = first.removeprefix("--")
    option = option_for(name)
    rest = arguments[1:]
    return (
        arguments
        if option is None
        else ["run", option, name, "claude", *(() if rest[:1] == ["--"] else ("--",)), *rest]
    )


def _misuse(error: click.ClickException) -> GatewayError:
    """Click's word on wrong usage, in our form."""
    message = error.format_message().rstrip(".")
    where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "strowger"
    return GatewayError(f"{message[:1].lower()}{message[1:]}", hint=f"`{where} --help` tells what there is")


def report(error: BaseException) -> None:
    """Print an error, its causes and its hint on standard error."""
    click.echo(f"{click.style('error:', fg='red', bold=True)} {_sentence(error)}", err=True)
    cause = error.__cause__
    while cause is not None:
        click.echo(f"  because: {_sentence(cause)}", err=True)
        cause = cause.__cause__
    hint = error.hint if isinstance(error, GatewayError) else None
    if hint:
        from strowger.cli import render

        click.echo(render.hint(hint), err=True)


def _told(error: BaseException) -> int:
    """Print what ended the command; gives the exit code."""
    if isinstance(error, BrokenPipeError):
        return _quiet()
    if isinstance(error, GatewayError | OSError):
        report(error)
        return MISUSED if isinstance(error, ConfigError | UnknownModel) else int(getattr(error, "exit_code", FAILED))
    if isinstance(error, ModuleNotFoundError) and not _is_ours(error.name):
        report(GatewayError(f"a dependency is missing: {error.name}", hint=_INCOMPLETE))
        return FAILED
    if os.environ.get("STROWGER_TRACEBACK"):
        import traceback

        traceback.print_exception(error)
    unforeseen = GatewayError(
        f"something broke inside: {type(error).__name__}: {error}",
        hint="this is a bug of ours; STROWGER_TRACEBACK=1 shows where it is",
    )
    report(unforeseen)
    return FAILED


_INCOMPLETE = "install strowger again, with what it needs; in a checkout, `make demo` does"


def _is_ours(module: str | None) -> bool:
    """Whether a module that is not there should have come with us."""
    return module is None or module.partition(".")[0] == "strowger"


def _innermost(error: BaseException) -> BaseException:
    """The error inside groups of one, which task groups wrap around whatever happens in them."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _sentence(error: BaseException) -> str:
    if isinstance(error, GatewayError):
        from strowger.cli.render import plain  # most commands end without an error

        return "\n".join(map(plain, str(error).split("\n")))
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def _quiet() -> int:
    """Nobody reads on: let nothing more be written, not even by the interpreter as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE
