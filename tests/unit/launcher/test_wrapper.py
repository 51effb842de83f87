"""Wrappers: what the script does when it is started, and that nothing but it is ever replaced or removed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from strowger.errors import ConfigError
from strowger.launcher import wrapper
from strowger.launcher.agents import AGENTS
from strowger.launcher.clients import find

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="what is run here is a script for sh")

SHELLS = [shell for shell in ("/bin/sh", "/bin/bash", "/bin/dash") if Path(shell).exists()]


def program(path: Path, says: str) -> Path:
    """A program that tells its name for itself and what it is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "{says}:$STROWGER_LAUNCHED" "$@"\nexit 7\n')
    path.chmod(0o755)
    return path


class Place:
    """A home with a wrapper for claude before the real one in the PATH."""

    def __init__(self, folder: Path) -> None:
        self.strowger = program(folder / "some where" / "strowger", "strowger")
        self.real = program(folder / "real" / "claude", "real")
        self.wrapper = folder / "home" / ".local/share/strowger/bin/claude"
        self.env = {
            "HOME": str(folder / "home"),
            "PATH": os.pathsep.join(map(str, (self.wrapper.parent, self.real.parent))),
        }
        self.install()

    def install(self, *options: str) -> None:
        """Put the wrapper there, or another in its place."""
        wrapper.install(self.wrapper, wrapper.text("claude", [str(self.strowger)], options, str(self.real)))

    def says(self, *arguments: str, shell: str = "/bin/sh", **more: str) -> tuple[str, str]:
        """What is said on both streams when the wrapper is started."""
        command = (shell, str(self.wrapper), *arguments)
        done = subprocess.run(command, env={**self.env, **more}, capture_output=True, text=True, check=False)
        assert done.returncode == 7, done.stderr
        return done.stdout.rstrip("\n"), done.stderr


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """One with the wrapper installed."""
    return Place(tmp_path)


@pytest.mark.parametrize("shell", SHELLS)
def test_it_goes_through_strowger(place: Place, shell: str) -> None:
    """Arguments are passed on as they are, and so is the exit code; options stand before the agent."""
    place.install("--profile", "my own")
    said, error = place.says("-p", "a  b", "--", "*", shell=shell)
    assert (said, error) == ("strowger:claude run --profile my own claude -- -p a  b -- *", "")


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("-h",)])
def test_what_needs_no_gateway(place: Place, arguments: tuple[str, ...]) -> None:
    """To tell a version or its options the agent needs nobody."""
    assert place.says(*arguments) == (f"real: {arguments[0]}", "")
    assert place.says("-p", *arguments)[0].startswith("strowger:")


def test_inside_a_launch(place: Place) -> None:
    """What an agent starts by its own name is on its launch already, which also ends whatever would go in circles."""
    assert place.says("-p", "x", STROWGER_LAUNCHED="claude") == ("real:claude -p x", "")
    assert place.says("-p", "x", STROWGER_LAUNCHED="codex")[0].startswith("strowger:claude")


@pytest.mark.parametrize("how", ["removed", "no longer a program", "without its interpreter"])
@pytest.mark.parametrize("shell", SHELLS)
def test_strowger_is_gone(place: Place, how: str, shell: str) -> None:
    """The agent runs all the same, and its user is told why it runs alone."""
    if how == "removed":
        place.strowger.unlink()
    elif how == "no longer a program":
        place.strowger.chmod(0o644)
    else:
        place.strowger.write_text("#!/no/such/python -I\n")
    said, error = place.says("x", shell=shell)
    assert said == "real: x"
    assert error.startswith("strowger is gone, so claude runs without it; remove ")


def test_another_strowger(place: Place, tmp_path: Path) -> None:
    """One that was installed anew in another place is found by the PATH."""
    place.strowger.unlink()
    program(tmp_path / "real" / "strowger", "another")
    assert place.says("x") == ("another:claude run claude -- x", "")


def test_two_wrappers_do_not_start_each_other(place: Place, tmp_path: Path) -> None:
    """Behind one may stand another, and the program only then, or out of the PATH."""
    place.strowger.unlink()
    second = tmp_path / "second" / "claude"
    wrapper.install(second, place.wrapper.read_text())
    path = place.env["PATH"].replace(str(place.real.parent), f"{second.parent}{os.pathsep}{place.real.parent}")
    assert place.says("x", PATH=path)[0] == "real: x"
    assert place.says("x", PATH=path.replace(str(place.real.parent), ""))[0] == "real: x"
    place.real.unlink()
    done = subprocess.run((place.wrapper, "x"), env=place.env, capture_output=True, text=True, check=False)
    assert (done.returncode, "claude: there is no such program behind" in done.stderr) == (127, True)


def test_run_looks_behind_wrappers(place: Place) -> None:
    """`strowger run claude` never finds a wrapper, not even where it is told to look at one."""
    spec = AGENTS["claude"]
    assert find("claude", spec, place.env) == str(place.real)
    assert find(str(place.wrapper), spec, place.env) == str(place.real)
    alone = {**place.env, "PATH": str(place.wrapper.parent)}
    assert find("claude", spec, alone) != str(place.wrapper)
    there = Path(place.env["HOME"]) / ".local" / "bin" / "claude"
    wrapper.install(there, place.wrapper.read_text())
    assert find("claude", spec, alone) != str(there)


# ---- where it is put, and how it goes ----


def test_in_force(place: Place) -> None:
    """It is in force where a shell finds it first, and told to be there where not."""
    found = wrapper.state("claude", place.env)
    assert (found.in_force, [each.path for each in found.found]) == (True, [place.wrapper])
    behind = {**place.env, "PATH": os.pathsep.join(reversed(place.env["PATH"].split(os.pathsep)))}
    found = wrapper.state("claude", behind)
    assert (found.in_force, found.front, len(found.found)) == (False, place.real, 1)
    assert not wrapper.state("codex", place.env).found


def test_removed_without_a_trace(place: Place) -> None:
    """What was made is gone, our folder too when nothing else is in it; the program is there."""
    (made,) = wrapper.state("claude", place.env).found
    other = program(place.wrapper.parent / "other", "other")
    wrapper.remove(made, place.env)
    assert list(place.wrapper.parent.iterdir()) == [other]
    other.unlink()
    place.install()
    wrapper.remove(made, place.env)
    assert not place.wrapper.parent.exists()
    assert place.real.exists()


def test_what_was_changed_stays(place: Place) -> None:
    """A wrapper that somebody has written to is neither removed nor replaced."""
    place.wrapper.write_text(place.wrapper.read_text() + "# mine\n")
    (found,) = wrapper.state("claude", place.env).found
    assert found.changed
    with pytest.raises(ConfigError, match="was changed since it was made, and stays"):
        wrapper.remove(found, place.env)
    with pytest.raises(ConfigError, match="was changed"):
        wrapper.place("claude", str(place.real), place.env)
    assert "# mine" in place.wrapper.read_text()


@pytest.mark.parametrize(
    "planted", ["a program", "a link", "a dangling link", "a directory", "a pipe", "another's wrapper"]
)
def test_somebody_elses_file(place: Place, planted: str) -> None:
    """What has the name and is not ours is not seen as ours, and nothing is put in its place."""
    script = place.wrapper.read_text()
    place.wrapper.unlink()
    if planted == "a program":
        program(place.wrapper, "foreign")
    elif planted == "a directory":
        place.wrapper.mkdir()
    elif planted == "a pipe":
        os.mkfifo(place.wrapper, 0o755)
    elif planted == "another's wrapper":
        place.wrapper.write_text(script.replace("-wrapper claude", "-wrapper codex"))
    else:
        target = place.real.with_name("copy" if planted == "a link" else "nothing")
        if planted == "a link":
            target.write_text(script)
        place.wrapper.symlink_to(target)
    assert not wrapper.state("claude", place.env).found
    with pytest.raises(ConfigError, match="is there already, and is not ours"):
        wrapper.place("claude", str(place.real), place.env)


@pytest.mark.parametrize("theirs", [False, True])
def test_the_users_own_folder(place: Place, theirs: bool) -> None:
    """Where ~/.local/bin comes before the program and has the name free, no PATH needs changing."""
    place.wrapper.unlink()
    local = Path(place.env["HOME"]) / ".local" / "bin"
    local.mkdir(parents=True)
    if theirs:
        program(local / "claude", "theirs")
    env = {**place.env, "PATH": f"{local}{os.pathsep}{place.real.parent}"}
    chosen = wrapper.place("claude", str(place.real), env)
    assert chosen == (place.wrapper if theirs else local / "claude")
    after = {**env, "PATH": f"{place.real.parent}{os.pathsep}{local}"}
    assert wrapper.place("claude", str(place.real), after) == place.wrapper


def test_a_place_that_cannot_be_written(place: Place, tmp_path: Path) -> None:
    """Said in one sentence, with nothing left."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written: "):
        wrapper.install(tmp_path / "file" / "bin" / "claude", "x")
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(ConfigError, match="others may write to"):
        wrapper.install(shared / "claude", "x")
    assert list(shared.iterdir()) == []
    place.wrapper.unlink()
    env = {**place.env, "HOME": str(tmp_path / "home"), "PATH": f"{shared}{os.pathsep}{place.real.parent}"}
    assert wrapper.place("claude", str(place.real), env).parent != shared


def test_its_mode(place: Place) -> None:
    """Everybody may run it, nobody else may write to it; there is nothing secret in it."""
    assert stat.S_IMODE(place.wrapper.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    "shell, told",
    [
        ("/bin/zsh", 'add to ~/.zshrc, as its last line: export PATH=/a/b:"$PATH"'),
        ("/usr/bin/fish", "run once: fish_add_path --move --prepend /a/b"),
        ("", 'add to ~/.profile, as its last line: export PATH=/a/b:"$PATH"'),
    ],
)
def test_what_to_add(shell: str, told: str) -> None:
    """The line for the user's own shell."""
    assert wrapper.first_in_path(Path("/a/b"), {"SHELL": shell}, platform="linux") == told


def test_for_windows() -> None:
    """A batch file: CRLF, percent signs doubled in what is fixed, arguments as they are."""
    script = wrapper.text("codex", ["C:\\my %dir%\\strowger.exe"], ("--via", "a b"), "C:\\codex.cmd", platform="win32")
    assert "\n" not in script.replace("\r\n", "")
    assert '"C:\\my %%dir%%\\strowger.exe" run --via "a b" codex -- %*' in script
    assert script.startswith("@echo off\r\nrem strowger-wrapper codex ")
