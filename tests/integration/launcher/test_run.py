"""`strowger run`, with small Python programs for clients: what they are given, and what comes back of them."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from strowger.config.layers import AS_STARTED, Choice, Loaded, load
from strowger.config.schema import Config, ProviderConfig
from strowger.errors import ConfigError, UnknownModel
from strowger.launcher import sessions
from strowger.launcher.host import Host, hosted, quiet_log
from strowger.launcher.run import FORWARDED, CannotStart, Order, run
from strowger.launcher.setup import Setup, demo_setup, ephemeral
from strowger.providers.presets import PRESETS

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups"),
    pytest.mark.timeout(240),
]

# What a child sees: environment, arguments, and what the gateway answers with its token and without.
LOOK = """
import json, os, sys, urllib.error, urllib.request
def ask(headers):
    request = urllib.request.Request(os.environ["ANTHROPIC_BASE_URL"] + "/v1/models", headers=headers)
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code
seen = {
    "env": dict(os.environ),
    "argv": sys.argv[1:],
    "admitted": ask({"Authorization": "Bearer " + os.environ["ANTHROPIC_AUTH_TOKEN"]}),
    "stranger": ask({}),
}
with open(os.environ["REPORT"], "w") as report:
    json.dump(seen, report)
"""
DEADLINE = 100.0


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the launcher is written for."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _signals_as_at_a_terminal() -> Iterator[None]:
    """A test run in the background of a script has its interrupts ignored, and so have all that it starts."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in FORWARDED}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """Where a child writes what it sees."""
    return tmp_path / "report.json"


def configured() -> Setup:
    """What a user could have written: the demo, but not as the demo."""
    return replace(demo_setup(), demo=False)


async def launched(order: Order, env: Mapping[str, str], told: list[str] | None = None) -> int:
    """Run an order on a configuration that answers everything."""
    return await run(order, env=env, setup=configured, tell=(told if told is not None else []).append)


def script(code: str, *arguments: str, **fields: Any) -> Order:
    """An order for a Python child."""
    return Order(sys.executable, ("-c", code, *arguments), **fields)


def read(report: Path) -> dict[str, Any]:
    """What a child has reported."""
    seen: dict[str, Any] = json.loads(report.read_text())
    return seen


def is_written(report: Path) -> bool:
    """Whether a child has reported."""
    return report.exists()


def holding(secret: str, folder: Path) -> list[Path]:
    """The files below a folder that hold a secret."""
    return [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


async def appeared(path: Path) -> None:
    """Wait for a file."""
    with anyio.fail_after(DEADLINE):
        while not path.exists():  # noqa: ASYNC110, ASYNC240 - a file has no event to wait for
            await anyio.sleep(0.01)


@pytest.mark.parametrize("code", [0, 1, 3, 255])
async def test_the_exit_code_is_the_childs(code: int) -> None:
    """Whatever the child ends with, so do we."""
    assert await launched(script(f"raise SystemExit({code})"), os.environ) == code


async def test_a_signalled_child_gives_128_and_more() -> None:
    """As a shell would tell it."""
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert await launched(script(code), os.environ) == 128 + signal.SIGKILL


async def test_the_child_finds_the_gateway_and_nothing_around_it(report: Path) -> None:
    """It is let in with its token, which is no one else's; the user's keys and other endpoints are not handed on."""
    planted = {"ANTHROPIC_API_KEY": "planted", "OPENAI_API_KEY": "planted", "CLAUDE_CODE_USE_BEDROCK": "planted"}
    env = {**os.environ, **planted, "REPORT": str(report), "KEEP": "kept"}
    told: list[str] = []
    assert await launched(script(LOOK, "-p", "two words", model="kimi"), env, told) == 0
    seen = read(report)
    assert (seen["admitted"], seen["stranger"]) == (200, 403)
    assert seen["argv"] == ["-p", "two words"]
    assert seen["env"]["KEEP"] == "kept"
    assert seen["env"]["ANTHROPIC_MODEL"] == "kimi"
    assert seen["env"]["OPENAI_BASE_URL"] == seen["env"]["ANTHROPIC_BASE_URL"] + "/v1"
    assert "127.0.0.1" in seen["env"]["NO_PROXY"]
    assert "planted" not in seen["env"].values()
    token = seen["env"]["ANTHROPIC_AUTH_TOKEN"]
    assert not any(token in line for line in told)
    assert not holding(token, Path(os.environ["HOME"]))


async def test_a_served_gateway_is_joined(report: Path) -> None:
    """One that `serve` runs is used, with a token for this launch that is worth nothing afterwards."""
    env = {**os.environ, "REPORT": str(report)}
    own = ephemeral(configured())
    async with hosted(own, env=env, kind="serve", log=quiet_log(own.config, env)) as host:
        told: list[str] = []
        assert await launched(script(LOOK), env, told) == 0
        seen = read(report)
        assert seen["env"]["ANTHROPIC_BASE_URL"] == host.url
        assert seen["env"]["ANTHROPIC_AUTH_TOKEN"].startswith("strowger-")
        assert any(line.endswith(f"(joined process {os.getpid()}: no configuration file)") for line in told)
        assert host.gateway.access.launches == ()


@pytest.mark.parametrize("name", [b"no text \xff", b"gone"])
async def test_any_folder_is_one_to_work_in(
    report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    """Its name may be of bytes that are no text; it may have been removed under the user's feet."""
    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()
    monkeypatch.chdir(folder)
    if name == b"gone":
        folder.rmdir()
    env = {**os.environ, "REPORT": str(report)}
    own = ephemeral(configured())
    async with hosted(own, env=env, kind="serve", log=quiet_log(own.config, env)) as host:
        assert await launched(script(LOOK), env) == 0
        projects = [flow.project for flow in host.gateway.recorder.latest(9)]
    assert all(project in ("", f"{tmp_path}/no text \ufffd") for project in projects)


def two_providers() -> Setup:
    """A configuration in which not every name leads somewhere."""
    config = configured().config
    other = ProviderConfig(dialect="openai_chat", base_url="http://127.0.0.1:9", models=("other-*",))
    return Setup(replace(config, routes=(), providers={**config.providers, "other": other}))


@pytest.mark.parametrize("joined", [True, False])
async def test_an_unknown_model_is_told_before_the_client_starts(report: Path, joined: bool) -> None:
    """A client whose every call would fail is not started; what there is, is listed."""
    env = {**os.environ, "REPORT": str(report)}
    own = ephemeral(two_providers())
    async with AsyncExitStack() as stack:
        if joined:
            await stack.enter_async_context(hosted(own, env=env, kind="serve", log=quiet_log(own.config, env)))
        with pytest.raises(UnknownModel, match="model `othr:x`; there are: demo, demo-fast, other-") as caught:
            await run(script(LOOK, model="othr:x"), env=env, setup=two_providers, tell=print)
    assert caught.value.hint == "did you mean `other:x`?"
    assert not is_written(report)


async def test_the_gateway_that_is_joined_is_asked_for_the_model(report: Path) -> None:
    """Its configuration counts, not the one that would be read now. What it refuses leaves no launch open."""
    env = {**os.environ, "REPORT": str(report)}
    own = ephemeral(two_providers())
    async with hosted(own, env=env, kind="serve", log=quiet_log(own.config, env)) as host:
        assert await run(script(LOOK, model="other-1"), env=env, setup=configured, tell=print) == 0
        assert read(report)["env"]["ANTHROPIC_MODEL"] == "other-1"
        with pytest.raises(UnknownModel):
            await run(script(LOOK, model="gtp-5"), env=env, setup=configured, tell=print)
        assert host.gateway.access.launches == ()


async def test_a_changed_configuration_holds_for_the_next_launch(report: Path, tmp_path: Path) -> None:
    """A gateway that is joined reads its file anew first; what it cannot use is told, and it goes on as it was."""
    file = tmp_path / "config.toml"
    begun = '[providers.one]\ndialect = "openai_chat"\nbase_url = "http://127.0.0.1:1/v1"\nmodels = ["one-*"]\n'
    file.write_text(begun)
    env = {**os.environ, "REPORT": str(report)}

    def again(choice: Choice) -> Loaded:
        return load(file, env=env, presets=PRESETS, profile=choice.profile, via=choice.via)

    setup = ephemeral(Setup(again(AS_STARTED).config, path=file, again=again))
    async with hosted(setup, env=env, kind="serve", log=quiet_log(setup.config, env)):
        for text, model, warning in (
            (begun.replace("one", "two"), "two-1", ""),
            (begun + 'colour = "red"\n', "two-1", "`colour` is unknown"),
            (begun + '[log]\nlevel = "debug"\n', "one-1", "[log] of"),
        ):
            file.write_text(text)
            os.utime(file, (time.time() + 60,) * 2)
            told: list[str] = []
            assert await launched(script(LOOK, model=model), env, told) == 0
            warnings = [line for line in told if line.startswith("warning:")]
            assert bool(warnings) == bool(warning)
            assert all(warning in line and str(file) in line for line in warnings)


@pytest.mark.parametrize("demo", [True, False])
@pytest.mark.parametrize("wished", [True, False])
async def test_the_demo_and_a_configuration_are_kept_apart(report: Path, demo: bool, wished: bool) -> None:
    """Who asks for models does not get the demo because it runs, nor the other way round."""
    env = {**os.environ, "REPORT": str(report)}
    own = ephemeral(replace(configured(), demo=demo, path=Path("/my.toml"), profile="work"))
    async with hosted(own, env=env, kind="serve", log=quiet_log(own.config, env)) as host:
        kept = host.pidfile.read_bytes()
        told: list[str] = []
        assert await launched(script(LOOK, demo=wished), env, told) == 0
        assert (read(report)["env"]["ANTHROPIC_BASE_URL"] == host.url) is (demo is wished)
        host.pidfile.write_bytes(kept)
    source = "the demo model" if demo else "/my.toml"
    joined = f"(joined process {os.getpid()}: {source}, profile work)"
    assert any(line.endswith(joined) for line in told) is (demo is wished)


@pytest.mark.parametrize("wish", [{"demo": True}, {"alone": True}, {"config": Path("other.toml")}])
async def test_another_gateway_is_not_joined(report: Path, wish: dict[str, Any]) -> None:
    """Who asks for the demo, a configuration or a gateway of their own gets one."""
    env = {**os.environ, "REPORT": str(report)}
    own = ephemeral(configured())
    folder = sessions.directory(env)
    async with hosted(own, env=env, kind="serve", log=quiet_log(own.config, env)) as host:
        # Two gateways in one process have one pid file between them: put that of the first away.
        kept = host.pidfile.read_bytes()
        assert await launched(script(LOOK, **wish), env) == 0
        assert read(report)["env"]["ANTHROPIC_BASE_URL"] != host.url
        host.pidfile.write_bytes(kept)
    assert list(folder.iterdir()) == []


async def test_a_gateway_that_does_not_answer_is_passed_over(report: Path) -> None:
    """A pid file whose gateway is just gone does not keep the user from working."""
    env = {**os.environ, "REPORT": str(report)}
    gone = sessions.Session(pid=os.getpid(), url="http://127.0.0.1:9", admin_token="x", started=time.time())
    sessions.write(gone, sessions.directory(env))
    assert await launched(script(LOOK), env) == 0
    assert read(report)["admitted"] == 200


async def test_the_configuration_is_not_read_to_join() -> None:
    """A running gateway has its own; a mistake in the file is no hindrance."""

    def broken() -> Setup:
        raise AssertionError("read")

    own = ephemeral(configured())
    async with hosted(own, env=os.environ, kind="serve", log=quiet_log(own.config, os.environ)):
        assert await run(script("pass"), env=os.environ, setup=broken, tell=print) == 0


async def test_without_a_provider_nothing_is_run() -> None:
    """A client whose every call would fail is not even started."""
    with pytest.raises(ConfigError, match="no provider"):
        await run(script("raise SystemExit(9)"), env=os.environ, setup=lambda: Setup(Config()), tell=print)


@pytest.mark.parametrize(
    "command, code, hint",
    [
        ("no-such-command", 127, "on the PATH"),
        ("claude", 127, "install"),
        ("./not/there", 127, "on the PATH"),
    ],
)
async def test_a_missing_program_is_told(
    command: str, code: int, hint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is not there is named, with the way to get it; 127 as in a shell."""
    monkeypatch.setattr("strowger.launcher.clients.find", lambda *_: None)
    with pytest.raises(CannotStart, match=command) as caught:
        await launched(Order(command), os.environ)
    assert caught.value.exit_code == code
    assert hint in (caught.value.hint or "")


async def test_a_file_that_cannot_be_run_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something is there, but it is no program."""
    text = tmp_path / "text"
    text.write_text("not a program")
    with pytest.raises(CannotStart, match="may not be run") as caught:
        await launched(Order(str(text)), os.environ)
    assert caught.value.exit_code == 126
    monkeypatch.setattr("strowger.launcher.clients.find", lambda *_: str(text))
    with pytest.raises(CannotStart, match="may not be run") as caught:
        await launched(Order("text"), os.environ)
    assert caught.value.exit_code == 126


async def test_a_client_gets_its_arguments_and_its_settings_file(tmp_path: Path) -> None:
    """What a client reads from neither environment nor its user's files: both are gone when it is."""
    gemini = tmp_path / "gemini"
    gemini.write_text(
        f"#!{sys.executable}\nimport os, pathlib, sys\n"
        "path = os.environ['GEMINI_CLI_SYSTEM_SETTINGS_PATH']\n"
        "assert 'gemini-api-key' in pathlib.Path(path).read_text()\n"
        "pathlib.Path(sys.argv[1]).write_text(path)\n"
    )
    codex = tmp_path / "codex"
    codex.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\npathlib.Path(sys.argv[-1]).write_text(' '.join(sys.argv[1:-1]))\n"
    )
    told = tmp_path / "told"
    env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path / "runtime")}
    for program in (gemini, codex):
        program.chmod(0o700)
    assert await launched(Order(str(gemini), (str(told),)), env) == 0
    assert list((tmp_path / "runtime" / "strowger").glob("launch-*")) == []
    assert await launched(Order(str(codex), ("exec", str(told))), env) == 0
    assert told.read_text().startswith("-c model_provider=")
    assert told.read_text().endswith(" exec")


async def test_settings_that_overrule_us_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Claude Code prefers its settings files over its environment; the user should know, but not be shown values."""
    program = tmp_path / "claude"
    program.write_text(f"#!{sys.executable}\n")
    program.chmod(0o700)
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / "settings.json").write_text('{"env": {"ANTHROPIC_AUTH_TOKEN": "planted"}}')
    told: list[str] = []
    assert await launched(Order(str(program)), {**os.environ, "HOME": str(tmp_path)}, told) == 0
    (warning,) = [line for line in told if line.startswith("warning:")]
    assert "ANTHROPIC_AUTH_TOKEN" in warning
    assert "planted" not in warning


async def test_a_cancelled_launch_ends_its_child(tmp_path: Path) -> None:
    """A child does not outlive the launch; it is asked before it is made to end, as it may have a terminal to mend."""
    pid_file, mended = tmp_path / "pid", tmp_path / "mended"
    code = (
        "import os, pathlib, signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
        "draft = pathlib.Path(sys.argv[1] + '.draft')\n"
        "draft.write_text(str(os.getpid()))\n"
        "draft.rename(sys.argv[1])\n"
        "signal.sigwait({signal.SIGTERM})\n"
        "pathlib.Path(sys.argv[2]).touch()\n"
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(launched, script(code, str(pid_file), str(mended)), os.environ)
        await appeared(pid_file)
        tasks.cancel_scope.cancel()
    assert mended.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


# It takes signals one by one, as they wait for it: a handler of Python's would run late, or not at all where the signal
# comes just before a pause.
COUNTING = """
import os, signal
numbers = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
os.write(1, b"ready\\n")
count = 0
while (number := signal.sigwait(numbers)) == signal.SIGINT:
    count += 1
    os.write(1, b"interrupted %d\\n" % count)
raise SystemExit(40 + count if number == signal.SIGTERM else 50 + count)
"""


def command(*arguments: str) -> tuple[str, ...]:
    """The command line as another process has it."""
    return (sys.executable, "-m", "strowger", *arguments)


@pytest.fixture
def counting() -> Iterator[subprocess.Popen[str]]:
    """A launch, away from any terminal, of a child that counts interrupts until it is told to end."""
    launch = command("run", "--demo", sys.executable, "--", "-c", COUNTING)
    with subprocess.Popen(launch, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number, base", [(signal.SIGTERM, 40), (signal.SIGHUP, 50)])
def test_signals_reach_the_child(counting: subprocess.Popen[str], number: signal.Signals, base: int) -> None:
    """Without a terminal the child has all its signals from us; its answer is the exit code."""
    assert counting.stdout
    counting.send_signal(signal.SIGINT)
    assert counting.stdout.readline() == "interrupted 1\n"
    counting.send_signal(number)
    assert counting.wait(DEADLINE) == base + 1


def test_nothing_secret_is_in_the_process_list(counting: subprocess.Popen[str]) -> None:
    """Arguments can be read by everyone on the machine: there is no token in ours or in the child's."""
    ours = Path(f"/proc/{counting.pid}")
    if not ours.exists():
        pytest.skip("no /proc here")
    children = (ours / "task" / str(counting.pid) / "children").read_text().split()
    assert children
    shown = b"".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in (counting.pid, *children))
    environment = Path(f"/proc/{children[0]}/environ").read_bytes().split(b"\0")
    tokens = [line.partition(b"=")[2] for line in environment if line.startswith(b"ANTHROPIC_AUTH_TOKEN=")]
    assert len(tokens) == 1
    assert tokens[0] not in shown
    assert b"strowger-" not in shown
    counting.send_signal(signal.SIGTERM)
    assert counting.wait(DEADLINE) == 40


def test_an_interrupt_from_the_terminal_is_not_doubled() -> None:
    """Ctrl-C goes to all in the foreground, so the child has it already: it must come once, and must not end us."""
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, command("run", "--demo", sys.executable, "--", "-c", COUNTING))
    try:
        with os.fdopen(terminal, "rb", buffering=0) as screen:
            _wait_for(screen, b"ready")
            os.write(terminal, b"\x03")
            _wait_for(screen, b"interrupted 1")
            # Signals are passed on in their order: a doubled interrupt would be counted before this one ends the child.
            os.kill(pid, signal.SIGTERM)
            _, status = os.waitpid(pid, 0)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    assert os.waitstatus_to_exitcode(status) == 41


def test_an_interrupt_too_many_does_not_change_the_exit_code() -> None:
    """Ctrl-C is pressed on while the child goes, the gateway drains and we end: the code is still the child's."""
    import pty

    child = COUNTING.replace("count += 1", 'os.write(1, b"going\\n")\n    raise SystemExit(9)')
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, command("run", "--demo", sys.executable, "--", "-c", child))
    status = None
    try:
        with os.fdopen(terminal, "r+b", buffering=0) as screen:
            _wait_for(screen, b"ready")
            screen.write(b"\x03")
            _wait_for(screen, b"going")
            deadline = time.monotonic() + DEADLINE
            while status is None and time.monotonic() < deadline:
                with suppress(OSError):  # nobody has the terminal open any more
                    screen.write(b"\x03")
                    # What it echoes is read: a terminal that is full would hold up whoever writes to it.
                    if select.select([screen], [], [], 0.005)[0]:
                        screen.read(1024)
                ended, found = os.waitpid(pid, os.WNOHANG)
                status = found if ended else None
    finally:
        if status is None:
            os.kill(pid, signal.SIGKILL)
    assert status is not None
    assert os.waitstatus_to_exitcode(status) == 9


@pytest.mark.parametrize("when, expected", [("before", 128 + signal.SIGINT), ("draining", 3)])
async def test_a_signal_without_a_child(when: str, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before there is a child it ends the launch; afterwards it ends the draining, and the code is the child's."""

    @asynccontextmanager
    async def stuck(*arguments: Any, **options: Any) -> AsyncIterator[Host]:
        async with hosted(*arguments, **options) as host:
            if when == "draining":
                yield host
            os.kill(os.getpid(), signal.SIGINT)
            await anyio.sleep_forever()

    monkeypatch.setattr("strowger.launcher.host.hosted", stuck)
    with anyio.fail_after(DEADLINE):
        assert await launched(script("raise SystemExit(3)"), os.environ) == expected


async def test_a_signal_while_the_child_comes_up_is_the_childs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a child may be at work before we hear that it is there: it is asked to end in its own way."""
    at_work = tmp_path / "at-work"
    code = (
        "import pathlib, signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
        "pathlib.Path(sys.argv[1]).touch()\n"
        "signal.sigwait({signal.SIGTERM})\n"
        "raise SystemExit(42)\n"
    )
    opened = anyio.open_process

    async def late(*arguments: Any, **options: Any) -> Any:
        process = await opened(*arguments, **options)
        await appeared(at_work)
        os.kill(os.getpid(), signal.SIGTERM)
        await anyio.wait_all_tasks_blocked()
        return process

    monkeypatch.setattr(anyio, "open_process", late)
    assert await launched(script(code, str(at_work)), os.environ) == 42


@pytest.mark.parametrize("ending", [True, False])
async def test_signals_after_the_launch(ending: bool) -> None:
    """Where the process ends with it, none can change the code any more; elsewhere they do what they did before."""
    before = [signal.getsignal(number) for number in FORWARDED]
    code = await run(script("raise SystemExit(3)"), env=os.environ, setup=configured, tell=print, ending=ending)
    assert code == 3
    after = [signal.getsignal(number) for number in FORWARDED]
    assert after == ([signal.SIG_IGN] * len(FORWARDED) if ending else before)


def _wait_for(screen: Any, text: bytes) -> None:
    seen = b""
    while text not in seen:
        try:
            data = screen.read(1024)
        except OSError:  # Linux's way to say that nobody has the terminal open any more
            data = b""
        assert data, f"the terminal closed after {seen!r}"
        seen += data
