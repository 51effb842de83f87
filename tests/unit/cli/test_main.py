"""The command line's frame: one form for errors, an exit code for each end, and no imports that are not needed."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from strowger import __version__
from strowger.cli import main
from strowger.errors import ConfigError, GatewayError, UnknownModel, Unreachable

HEAVY = {"aiohttp", "anyio", "asyncio", "msgspec", "uvloop", "ssl", "email"}


@pytest.fixture
def ends_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands `raise-N` that raise the N-th error of `ENDS`."""
    for number in range(len(ENDS)):
        monkeypatch.setitem(main.COMMANDS, f"raise-{number}", (f"{__name__}:raise_{number}", "Raises."))


class NotFoundError(GatewayError):
    """An error that brings its exit code along."""

    exit_code = 127


def chained() -> GatewayError:
    """An error with a cause that has a cause."""
    error = Unreachable("no gateway answers", hint="start one")
    error.__cause__ = OSError(111, "Connection refused")
    error.__cause__.__cause__ = TimeoutError("too long")
    return error


ENDS = (
    (
        chained(),
        1,
        "error: no gateway answers\n  because: Connection refused\n  because: too long\n\nhint: start one\n",
    ),
    (ConfigError("wrong", where="a.toml:3"), 2, "error: a.toml:3: wrong\n"),
    (UnknownModel("no route leads to `x`"), 2, "error: no route leads to `x`\n"),
    (NotFoundError("there is no `x`"), 127, "error: there is no `x`\n"),
    (FileNotFoundError(2, "No such file or directory", "x.log"), 1, "error: x.log: No such file or directory\n"),
    (ExceptionGroup("", [ExceptionGroup("", [GatewayError("deep")])]), 1, "error: deep\n"),
    (
        click.UsageError("No such option: --x."),
        2,
        "error: no such option: --x\n\nhint: `strowger raise-6 --help` tells what",
    ),
    (KeyboardInterrupt(), 130, ""),
    (click.Abort(), 130, ""),
    (click.exceptions.Exit(3), 3, ""),
    (
        ZeroDivisionError("by zero"),
        1,
        "error: something broke inside: ZeroDivisionError: by zero\n\nhint: this is a bug",
    ),
    (
        ModuleNotFoundError("No module named 'anyio.abc'", name="anyio.abc"),
        1,
        "error: a dependency is missing: anyio.abc\n\nhint: install strowger again",
    ),
    (
        ModuleNotFoundError("No module named 'strowger.gone'", name="strowger.gone"),
        1,
        "error: something broke inside: ModuleNotFoundError: No module named 'strowger.gone'\n\nhint: this is a bug",
    ),
)


def __getattr__(name: str) -> click.Command:
    """The command that raises an error, when the command line imports it."""
    if not name.startswith("raise_"):
        raise AttributeError(name)
    error = ENDS[int(name.removeprefix("raise_"))][0]

    def end() -> None:
        raise error

    return click.Command(name, callback=end)


@pytest.mark.parametrize("number", range(len(ENDS)))
def test_every_end_has_its_code_and_its_form(number: int, ends_with: None, capsys: pytest.CaptureFixture[str]) -> None:
    """What happened, what was behind it, what to do: on standard error, and the exit code says whose fault it was."""
    _, code, text = ENDS[number]
    assert main.run([f"raise-{number}"]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(text)
    assert bool(printed.err) == bool(text)


def test_an_interrupt_ends_the_line(
    ends_with: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal the prompt comes back below the ^C, not behind it."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    number = next(n for n, (error, _, _) in enumerate(ENDS) if isinstance(error, KeyboardInterrupt))
    assert main.run([f"raise-{number}"]) == 130
    assert capsys.readouterr() == ("", "\n")


def test_a_bug_shows_its_place_when_asked(
    ends_with: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A traceback is for whoever mends it."""
    number = next(n for n, (error, _, _) in enumerate(ENDS) if isinstance(error, ZeroDivisionError))
    monkeypatch.setenv("STROWGER_TRACEBACK", "1")
    main.run([f"raise-{number}"])
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--version"], ["-V"], ["version"]])
def test_the_version(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Three ways to ask, one answer."""
    assert main.run(arguments) == 0
    assert capsys.readouterr().out == f"strowger {__version__}\n"


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["version"], []])
def test_little_is_imported_for_little(arguments: list[str]) -> None:
    """The version and the list of commands come at once, because they need next to nothing."""
    code = f"import sys; from strowger.cli import main; main.run({arguments!r}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    modules = done.stderr.split()
    assert "click" in modules
    assert {module for module in modules if module.startswith("strowger.")} == {
        "strowger.cli",
        "strowger.cli.main",
        "strowger.errors",
    }
    assert not HEAVY & set(modules)


def test_the_list_tells_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` lists what there is, and each is there."""
    assert main.run(["--help"]) == 0
    printed = capsys.readouterr().out
    for name, (_, line) in main.COMMANDS.items():
        assert f"{name} " in printed
        assert line in printed
        command = main.cli.get_command(click.Context(main.cli), name)
        assert command is not None
        assert command.name == name


def test_an_unknown_command_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A slip of the pen is wrong usage, and what was meant is told where that can be guessed."""
    assert main.run(["stauts"]) == 2
    assert capsys.readouterr().err.startswith("error: no such command 'stauts'; did you mean 'status'?\n")
    assert main.run(["zzz"]) == 2
    assert capsys.readouterr().err.startswith("error: no such command 'zzz'\n")


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`strowger … | head -1` ends quietly."""
    code = (
        "import sys, click; from strowger.cli import main\n"
        "def much(): [print('x' * 1000) for _ in range(1000)]\n"
        "main.Commands.get_command = lambda *_: click.Command('much', callback=much)\n"
        "main.main(['much'])"
    )
    with subprocess.Popen((sys.executable, "-c", code), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == main.BROKEN_PIPE
