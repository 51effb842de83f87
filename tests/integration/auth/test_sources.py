"""Commands that print secrets."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
import pytest

from strowger.auth.sources import ReferenceSource, resolve
from strowger.config.references import SecretRef
from strowger.errors import CredentialError


def python(code: str, path: str = "") -> SecretRef:
    return SecretRef("command", args=(sys.executable, "-c", code), path=path)


def fetched(reference: SecretRef, timeout: float = 10.0) -> str:
    async def main() -> str:
        return (await resolve(reference, env={}, timeout=timeout)).reveal()

    return anyio.run(main)


def test_output() -> None:
    """What a command prints is the secret, without blanks around it; what it says on standard error is not."""
    assert fetched(python("import sys; print('key'); print('noise', file=sys.stderr)")) == "key"


def test_path_in_output() -> None:
    """A path leads into JSON output."""
    assert fetched(python("""print('{"a": {"b": "key"}}')""", "a.b")) == "key"


def test_no_shell() -> None:
    """Words reach the program as they are: nothing is expanded, nothing can be appended."""
    words = ("$HOME; echo evil", "*")
    reference = SecretRef("command", args=(sys.executable, "-c", "import sys; print(sys.argv[1:])", *words))
    assert fetched(reference) == str(list(words))


@pytest.mark.parametrize(
    "reference, message",
    [
        (python("print('planted'); raise SystemExit(3)"), "failed with exit code 3"),
        (python("pass"), "is empty"),
        (python("import sys; sys.stdout.buffer.write(b'\\xff')"), "is not text"),
        (python("print('planted')", "a"), "is not JSON"),
        (SecretRef("command", args=("/nope/no-such-program",)), "cannot be run: No such file"),
    ],
)
def test_failures(reference: SecretRef, message: str) -> None:
    """What went wrong is told by the program's name, never with what it printed or was given."""
    with pytest.raises(CredentialError) as caught:
        fetched(reference)
    assert message in caught.value.message
    assert "planted" not in caught.value.text


def test_time_limit(tmp_path: Path) -> None:
    """A command that does not come back is ended, and so is its process."""
    pid = tmp_path / "pid"
    # No Python: on a busy machine it may take longer to start than the command is given.
    slow = SecretRef("command", args=("/bin/sh", "-c", 'echo $$ > "$0"; exec sleep 600', str(pid)))
    with pytest.raises(CredentialError, match=r"gave no secret within 2 seconds"):
        fetched(slow, timeout=2)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_run_again_after_a_refusal(tmp_path: Path) -> None:
    """The command runs once, and once more after the upstream has refused what it gave."""
    count = tmp_path / "count"
    code = f"p = {str(count)!r}; open(p, 'a').write('x'); print('key-%d' % len(open(p).read()))"

    async def main() -> None:
        keys = ReferenceSource(python(code), header="authorization", kind="bearer", env={})
        first = await keys.credential()
        assert await keys.credential() is first
        assert keys.invalidate(first)
        assert (await keys.credential()).value.reveal() == "key-2"

    anyio.run(main)
    assert count.read_text() == "xx"


def test_one_failure_for_all_who_waited(tmp_path: Path) -> None:
    """Calls that wait for a command which fails are told so together, after one run; a later call tries again."""
    count, go = tmp_path / "count", tmp_path / "go"
    # Ends only when all the calls wait, so that none of them is a later one.
    code = (
        f"import pathlib, time; open({str(count)!r}, 'a').write('x')\n"
        f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)\n"
        "raise SystemExit(3)"
    )
    told: list[CredentialError] = []

    async def main() -> None:
        keys = ReferenceSource(python(code), header="authorization", kind="bearer", env={}, owner="provider x")

        async def call() -> None:
            with pytest.raises(CredentialError, match="no credential for provider x: .* exit code 3") as caught:
                await keys.credential()
            told.append(caught.value)

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            go.touch()
        assert count.read_text() == "x"
        await call()
        assert count.read_text() == "xx"

    anyio.run(main)
    assert {error.text for error in told} == {told[0].text}
    assert len(set(map(id, told))) == len(told) == 21


def test_who_gives_up_waiting_fails_nobody_else(tmp_path: Path) -> None:
    """The call that ran the command was cancelled: the next one in the queue runs it again."""
    go = tmp_path / "go"
    code = f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)\nprint('key')"
    found: list[str] = []

    async def main() -> None:
        keys = ReferenceSource(python(code), header="authorization", kind="bearer", env={})

        async def call() -> None:
            found.append((await keys.credential()).value.reveal())

        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as first:
                    first.start_soon(call)
                    await anyio.wait_all_tasks_blocked()
                    group.start_soon(call)
                    await anyio.wait_all_tasks_blocked()
                    scope.cancel()
            go.touch()

    anyio.run(main)
    assert found == ["key"]


class Clocks:
    """Both clocks, moved by hand."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_000_000.0, 50.0


def counting(tmp_path: Path, clocks: Clocks, refresh: float) -> ReferenceSource:
    """A command that prints how often it has run; it fails while there is a file `broken`."""
    code = (
        "import sys, pathlib; home = pathlib.Path(sys.argv[1]); runs = home / 'runs'; "
        "runs.write_text(runs.read_text() + 'x' if runs.exists() else 'x'); "
        "sys.exit(1) if (home / 'broken').exists() else print(f'key-{len(runs.read_text())}')"
    )
    reference = SecretRef("command", args=(sys.executable, "-c", code, str(tmp_path)), refresh=refresh)
    return ReferenceSource(
        reference,
        header="authorization",
        kind="bearer",
        env={},
        now=lambda: clocks.wall,
        monotonic=lambda: clocks.steady,
    )


@pytest.mark.parametrize("which", ["wall", "steady"])
def test_a_command_is_run_again_after_its_time(tmp_path: Path, which: str) -> None:
    """What a command printed is used for as long as the configuration says, a sleep of the machine included."""
    clocks = Clocks()

    async def main() -> None:
        keys = counting(tmp_path, clocks, 100.0)
        assert (await keys.credential()).value.reveal() == "key-1"
        setattr(clocks, which, getattr(clocks, which) + 99)
        assert (await keys.credential()).value.reveal() == "key-1"
        setattr(clocks, which, getattr(clocks, which) + 1)
        assert (await keys.credential()).value.reveal() == "key-2"
        assert (await keys.credential()).value.reveal() == "key-2"

    anyio.run(main)


def test_a_command_without_a_time_is_run_once(tmp_path: Path) -> None:
    """Unless the configuration says otherwise, a command is run again only after a refusal."""
    clocks = Clocks()

    async def main() -> None:
        keys = counting(tmp_path, clocks, 0.0)
        first = await keys.credential()
        clocks.wall += 1e9
        clocks.steady += 1e9
        assert await keys.credential() is first
        keys.invalidate(first)
        assert (await keys.credential()).value.reveal() == "key-2"

    anyio.run(main)


def test_a_command_that_fails_later(tmp_path: Path) -> None:
    """When a command fails, what it printed before is used on until it is refused, and it is not run at every call."""
    clocks = Clocks()

    async def main() -> None:
        keys = counting(tmp_path, clocks, 100.0)
        first = await keys.credential()
        (tmp_path / "broken").touch()
        clocks.steady += 100
        for _ in range(3):
            assert await keys.credential() is first
        assert (tmp_path / "runs").read_text() == "xx"
        clocks.steady += 30
        assert await keys.credential() is first
        assert (tmp_path / "runs").read_text() == "xxx"
        (tmp_path / "broken").unlink()
        clocks.steady += 30
        assert (await keys.credential()).value.reveal() == "key-4"

    anyio.run(main)


def test_a_command_of_its_own_patience() -> None:
    """A command may be given its own time in the configuration."""
    slow = SecretRef("command", args=(sys.executable, "-c", "import time; time.sleep(60)"), timeout=0.2)
    with pytest.raises(CredentialError, match="gave no secret within 0.2 seconds"):
        fetched(slow, timeout=10.0)
