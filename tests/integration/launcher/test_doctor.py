"""What the doctor looks at, asked directly: nothing is waited for, and nothing is shown that could be a secret."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from strowger import __version__
from strowger.config.paths import programs_dir
from strowger.config.references import Secret, SecretRef
from strowger.launcher import doctor, wrapper
from strowger.launcher.doctor import Report, examine, shown

pytestmark = pytest.mark.anyio

DEMO = '[providers.demo]\npreset = "demo"\n'


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def names_below(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*")]


async def examined(home: Path, config: str, *, online: bool = False, **env: str) -> Report:
    """A report on a home with a configuration, and nothing else."""
    path = home / "config.toml"
    path.write_text(config)
    everything = {"HOME": str(home), "PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(home / "run"), **env}
    everything |= {"XDG_STATE_HOME": str(home / "state")}
    return await examine(everything, home, path=path, online=online)


async def test_an_empty_home(tmp_path: Path) -> None:
    """What is ours is told; what is not there is no fault but for the missing provider."""
    report = await examined(tmp_path, "")
    assert report.version == __version__
    assert report.python.startswith("Python 3.")
    assert report.attention == [str(tmp_path / "config.toml")]
    assert [finding.level for finding in report.gateways] == ["note"]
    assert report.environment == ()


async def test_a_command_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that gives no key in time counts as a fault, and is named by its program only."""
    monkeypatch.setattr(doctor, "_CREDENTIAL_SECONDS", 0.3)
    words = f'["{sys.executable}", "-c", "import time; time.sleep(600)"]'
    report = await examined(tmp_path, f'[providers.a]\npreset = "deepseek"\nauth = {{ command = {words} }}\n')
    (finding,) = report.providers
    assert finding.level == "attention"
    assert "took more than 0.3 s" in finding.says
    assert "time.sleep" not in finding.says


async def test_a_provider_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the call and says nothing: that ends, and is told."""
    monkeypatch.setattr(doctor, "_ONLINE_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        config = f'[providers.a]\ndialect = "openai_chat"\nbase_url = "{url}"\n'
        report = await examined(tmp_path, config, online=True)
    (finding,) = report.providers
    assert finding.level == "attention"
    assert "no answer in 0.3 s" in finding.says
    assert finding.hint
    assert names_below(tmp_path) == ["config.toml"]


async def test_the_place_of_pid_files_is_not_ours(tmp_path: Path) -> None:
    """A file in the directory's place hides every gateway, so it is told."""
    folder = tmp_path / "run" / "strowger"
    folder.mkdir(parents=True)
    (folder / "sessions").write_text("")
    report = await examined(tmp_path, '[providers.demo]\npreset = "demo"\n')
    assert report.attention == [str(folder / "sessions")]


@pytest.mark.parametrize(
    "reference, text",
    [
        (SecretRef("env", "MY_KEY"), "env:MY_KEY"),
        (SecretRef("literal", literal=Secret("planted")), "***"),
        (SecretRef("command", args=("security", "-w", "planted")), "command:security …"),
        (SecretRef("client"), "the client's own login:"),
        (SecretRef("login", "codex", account="work"), "login:codex/work"),
    ],
)
def test_references_are_shown_without_what_they_lead_to(reference: SecretRef, text: str) -> None:
    """Whatever a screen shows somebody may look at."""
    assert shown(reference) == text


async def test_remote_control_that_is_wanted(tmp_path: Path) -> None:
    """Who has a profile that asks for it reads what becomes of that, without a fault being found."""
    report = await examined(tmp_path, '[launch]\nalways_control = true\n\n[providers.demo]\npreset = "demo"\n')
    (finding,) = [each for each in report.configuration if each.about == "launch.always_control"]
    assert finding.level == "note"
    assert "Remote Control" in finding.says


PATHS = "ours:bin:/usr/bin:/bin"


@pytest.mark.skipif(sys.platform == "win32", reason="programs of a shell")
@pytest.mark.parametrize(
    "path, tampered, level, says, hint",
    [
        (PATHS, False, "ok", "goes through Strowger, by {ours}/codex", None),
        ("bin:ours:/usr/bin", False, "attention", "the PATH leads to {bin}/codex first", "export PATH={ours}"),
        ("bin:/usr/bin:/bin", False, "attention", "the PATH leads to {bin}/codex first", "export PATH={ours}"),
        (PATHS, True, "attention", "{ours}/codex was changed since it was made", "`strowger toggle codex on`"),
        ("ours:/usr/bin:/bin", False, "attention", "there is no Codex behind {ours}/codex", "npm install"),
    ],
)
async def test_a_wrapper(tmp_path: Path, path: str, tampered: bool, level: str, says: str, hint: str | None) -> None:
    """A plain command that shall go through Strowger, and what keeps it from that."""
    real = tmp_path / "bin" / "codex"
    real.parent.mkdir()
    real.write_text("#!/bin/sh\necho codex-cli 0.169.0\n")
    real.chmod(0o755)
    ours = programs_dir({"HOME": str(tmp_path)})
    wrapper.install(ours / "codex", wrapper.text("codex", ("strowger",), (), str(real)) + "\n" * tampered)
    places = {"bin": str(real.parent), "ours": str(ours)}
    where = ":".join(places.get(each, each) for each in path.split(":"))
    (found,) = (await examined(tmp_path, DEMO, PATH=where)).wrappers
    assert (found.level, found.about) == (level, "`codex`")
    assert says.format(**places) in found.says
    assert found.hint is None if hint is None else hint.format(**places) in (found.hint or "")


@pytest.mark.skipif(sys.platform == "win32", reason="programs of a shell")
async def test_no_wrapper(tmp_path: Path) -> None:
    """Where there is an agent, it is told that its plain command could go through Strowger; that is no fault."""
    real = tmp_path / "codex"
    real.write_text("#!/bin/sh\necho codex-cli 0.169.0\n")
    real.chmod(0o755)
    report = await examined(tmp_path, DEMO, PATH=str(tmp_path))
    assert [(found.level, found.hint or "") for found in report.wrappers] == [
        ("note", "`strowger toggle codex on` has plain `codex` go through it")
    ]
    assert (await examined(tmp_path, DEMO, PATH="/nowhere")).wrappers == ()
    assert report.attention == []
