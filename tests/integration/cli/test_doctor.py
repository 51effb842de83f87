"""`strowger doctor` from the outside: what it finds, what it says to do about it, and what it keeps to itself."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from strowger.auth.oauth import Tokens
from strowger.auth.stores import Login, LoginStore
from strowger.cli.main import run
from strowger.config.references import Secret
from strowger.launcher import supply
from strowger.launcher.supply import Package
from tests.fakes.chat import KEY, FakeChat
from tests.integration.cli.conftest import Served, Strowger

SECRET = "sk-ant-that-nobody-may-see"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with nothing in it, and a PATH with only what a system has."""
    folder = tmp_path / "home"
    (folder / "bin").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / ".config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / ".state"))
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.chdir(folder)
    return folder


def configured(home: Path, text: str) -> Path:
    """A configuration in the usual place."""
    path = home / ".config" / "strowger" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def program(home: Path, name: str, text: str) -> None:
    """Something on the path."""
    path = home / "bin" / name
    path.write_text(text)
    path.chmod(stat.S_IRWXU)


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The report as JSON."""
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def finding(report: dict[str, Any], section: str, about: str) -> dict[str, Any]:
    """The one thing that was said about something."""
    found: list[dict[str, Any]] = [each for each in report[section] if about in each["about"]]
    assert len(found) == 1, report[section]
    return found[0]


DEMO = '[providers.demo]\npreset = "demo"\n'


def test_all_is_well(home: Path, strowger: Strowger) -> None:
    """Exit code 0, and the features of the Claude Code that is there."""
    configured(home, DEMO)
    program(home, "claude", "#!/bin/sh\necho '2.1.329 (Claude Code)'\n")
    done = strowger("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing stands in the way" in done.stdout
    assert "Features of Claude Code 2.1.329 behind the gateway" in done.stdout
    assert "ENABLE_TOOL_SEARCH" not in done.stdout


def test_nothing_is_configured(home: Path, strowger: Strowger) -> None:
    """Exit code 1, and how to begin."""
    done = strowger("doctor")
    assert done.returncode == 1
    assert "no provider is configured" in done.stdout
    assert "`strowger config init`" in done.stdout


def test_a_wrong_configuration(home: Path, strowger: Strowger) -> None:
    """Every problem stands there with its place; the rest is looked at all the same."""
    path = configured(home, '[providers.deepsek]\n[server]\nport = "x"\n')
    done = strowger("doctor", "--json")
    report = told(done)
    assert done.returncode == 1
    assert not report["ok"]
    assert {each["about"] for each in report["configuration"]} == {f"{path}:1", f"{path}:3"}
    assert report["agents"]
    assert report["providers"] == []


@pytest.mark.parametrize("value", ["", SECRET])
def test_a_key_in_a_variable(home: Path, strowger: Strowger, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Found or missing is told by the variable's name; the key itself never."""
    configured(home, '[providers.a]\npreset = "anthropic"\nauth = "env:MY_KEY"\n')
    monkeypatch.setenv("MY_KEY", value)
    done = strowger("doctor", "--json")
    said = finding(told(done), "providers", "a")
    assert (said["level"], done.returncode) == (("ok", 0) if value else ("attention", 1))
    assert "MY_KEY" in said["says"]
    assert ("hint" in said) == (not value)
    assert SECRET not in done.stdout


def test_secrets_stay_where_they_are(home: Path, strowger: Strowger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a literal, a command's words, an answer of its, a proxy's address, nor in the keys of the environment."""
    script = f"echo {SECRET} >&2; exit 1"
    configured(
        home,
        f'[providers.a]\npreset = "anthropic"\nauth = "{SECRET}"\n'
        f'[providers.b]\npreset = "deepseek"\nauth = {{ command = ["sh", "-c", "{script}"] }}\n',
    )
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    monkeypatch.setenv("https_proxy", f"http://user:{SECRET}@127.0.0.1:9")
    for words in ((), ("--json",), ("--online",)):
        done = strowger("doctor", *words)
        assert done.returncode == 1
        assert SECRET not in done.stdout + done.stderr


def test_a_login_that_is_not_there(home: Path, strowger: Strowger) -> None:
    """What is missing is told with the command that brings it."""
    configured(home, '[providers.codex]\npreset = "codex"\n')
    said = finding(told(strowger("doctor", "--json")), "providers", "codex")
    assert said["level"] == "attention"
    assert "strowger login codex" in said["hint"]


@pytest.mark.parametrize("refresh, level", [("planted-refresh", "ok"), (None, "attention")])
def test_a_login_that_has_run_out(home: Path, strowger: Strowger, refresh: str | None, level: str) -> None:
    """One that renews itself is well; one that does not has to be made again."""
    configured(home, '[providers.codex]\npreset = "codex"\n')
    tokens = Tokens(Secret("planted-access"), Secret(refresh) if refresh else None, expires_at=time.time() - 60)
    LoginStore(os.environ).save(Login("codex", tokens))
    done = strowger("doctor", "--json")
    said = finding(told(done), "providers", "codex")
    assert said["level"] == level, said
    assert "run out" in said["says"]
    assert "planted-" not in done.stdout


def test_each_provider_is_asked(home: Path, strowger: Strowger, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--online`: who answers, who refuses the key, who is not there; without it nobody is asked."""
    monkeypatch.setenv("GOOD", KEY)
    monkeypatch.setenv("BAD", "planted-key")
    with FakeChat().in_thread() as fake:
        entry = '[providers.{0}]\ndialect = "openai_chat"\nbase_url = "{1}/v1"\nauth = "env:{2}"\n'
        away = entry.format("away", "http://127.0.0.1:9", "GOOD")
        config = entry.format("good", fake.base_url, "GOOD") + entry.format("bad", fake.base_url, "BAD") + away
        configured(home, config)
        offline = strowger("doctor", "--json")
        assert (offline.returncode, fake.requests) == (0, [])
        done = strowger("doctor", "--json", "--online")
    report = told(done)
    assert done.returncode == 1
    assert report["attention"] == ["bad", "away"]
    assert "answers, 1 model" in finding(report, "providers", "good")["says"]
    assert "status 401" in finding(report, "providers", "bad")["says"]
    assert "renew" in finding(report, "providers", "bad")["hint"]
    assert finding(report, "providers", "away")["hint"].startswith("is it reachable")
    assert "planted-key" not in done.stdout


def test_agents_are_found(home: Path, strowger: Strowger) -> None:
    """With their version, by the package that they are part of, else by what they say; who hangs is not waited for."""
    configured(home, DEMO)
    program(home, "codex", "#!/bin/sh\necho codex-cli 0.169.0\n")
    package = home / "node_modules" / "opencode-ai"
    (package / "bin").mkdir(parents=True)
    (package / "package.json").write_text('{"name": "opencode-ai", "version": "1.18.33"}')
    (package / "bin" / "opencode").write_text("#!/bin/sh\nexit 1\n")
    (package / "bin" / "opencode").chmod(stat.S_IRWXU)
    (home / "bin" / "opencode").symlink_to(package / "bin" / "opencode")
    agents = {agent["name"]: agent for agent in told(strowger("doctor", "--json"))["agents"]}
    assert (agents["codex"]["version"], agents["codex"]["path"]) == ("0.169.0", str(home / "bin" / "codex"))
    assert agents["opencode"]["version"] == "1.18.33"
    assert agents["pi"]["install"]
    assert "path" not in agents["pi"]


@pytest.mark.parametrize("there, code", [("v20.20.2", 1), ("v22.23.3", 0), ("v22.18.0", 1)])
def test_an_agent_needs_a_newer_node(home: Path, strowger: Strowger, there: str, code: int) -> None:
    """Said before it dies of a syntax error."""
    configured(home, DEMO)
    program(home, "kimi", "#!/usr/bin/env node\n")
    program(home, "node", f"#!/bin/sh\necho {there}\n")
    done = strowger("doctor")
    assert done.returncode == code
    assert ("needs Node.js 22.19 or newer" in done.stdout) == bool(code)


def test_settings_of_claude_code_that_overrule(home: Path, strowger: Strowger) -> None:
    """The file and the names are told, the values are not."""
    configured(home, DEMO)
    (home / ".claude").mkdir()
    file = home / ".claude" / "settings.json"
    file.write_text(json.dumps({"env": {"ANTHROPIC_API_KEY": SECRET}}))
    done = strowger("doctor", "--json")
    said = finding(told(done), "environment", str(file))
    assert (said["level"], done.returncode) == ("attention", 1)
    assert "ANTHROPIC_API_KEY" in said["says"]
    assert SECRET not in done.stdout


def test_variables_that_lead_past_the_gateway(home: Path, strowger: Strowger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A base URL of a gateway that is gone is a fault; keys and proxies are worth a word."""
    configured(home, DEMO)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("CLAUDE_CODE_USE_BEDROCK", "1")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    report = told(strowger("doctor", "--json"))
    assert report["attention"] == ["ANTHROPIC_BASE_URL"]
    assert finding(report, "environment", "CLAUDE_CODE_USE_BEDROCK")["level"] == "note"
    assert "NO_PROXY" in finding(report, "environment", "HTTPS_PROXY")["hint"]


def test_a_gateway_that_runs(served: Served, strowger: Strowger, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers, and a base URL that leads to it is right."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", served.url)
    report = told(strowger("doctor", "--json"))
    assert finding(report, "gateways", served.url)["level"] == "ok"
    assert finding(report, "environment", "ANTHROPIC_BASE_URL")["level"] == "ok"


def test_a_gateway_that_hangs(home: Path, served: Served, strowger: Strowger) -> None:
    """It is not waited for, and the process to end is named."""
    configured(home, DEMO)
    served.process.send_signal(signal.SIGSTOP)
    try:
        done = strowger("doctor")
    finally:
        served.process.send_signal(signal.SIGCONT)
    assert done.returncode == 1
    assert f"end process {served.process.pid}" in done.stdout


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_it_fits_the_terminal(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """No line is longer than the terminal is wide, but where a single word is."""
    configured(home, DEMO)
    program(home, "claude", "#!/bin/sh\necho '2.1.197 (Claude Code)'\n")
    monkeypatch.setenv("COLUMNS", str(columns))
    assert run(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "ENABLE_TOOL_SEARCH=true" in out
    assert [line for line in out.splitlines() if len(line) > columns and len(line.split()) > 2] == []


@pytest.mark.parametrize("version, newer", [("2.1.329", False), ("2.1.1000", True), ("1.9.9", False)])
def test_a_client_that_is_newer_than_we_know(
    version: str, newer: bool, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told, as no fault: what is new in it may be what is missed elsewhere."""
    program(home, "claude", f"#!/bin/sh\necho '{version} (Claude Code)'\n")
    configured(home, '[providers.demo]\npreset = "demo"\n')
    assert run(["doctor", "--json"]) == 0
    (found,) = [each for each in json.loads(capsys.readouterr().out)["agents"] if each["name"] == "claude"]
    assert found["version"] == version
    assert found.get("tried") == ("2.1.329" if newer else None)
    assert run(["doctor"]) == 0
    assert ("newer than what was tried (2.1.329)" in capsys.readouterr().out) is newer


def test_the_supply_chain(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed package is told and makes it a failure, in words and in JSON."""
    good = Package("anyio", "4.0", "pip", "ab12", 3)
    bad = Package("click", "8.0", "pip", "cd34", 9, ("click/a.py", "click/b.py", "click/c.py", "click/d.py"))
    monkeypatch.setattr(supply, "packages", lambda: [good])
    assert run(["doctor", "--supply-chain"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["anyio", "4.0", "3", "ab12", "as", "installed"]
    monkeypatch.setattr(supply, "packages", lambda: [good, bad, Package("mine", "1", "", "", 0)])
    assert run(["doctor", "--supply-chain"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].endswith("changed: click/a.py, click/b.py, click/c.py and 1 more")
    assert lines[3].endswith("it has no list of its files")
    assert run(["doctor", "--supply-chain", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert [each["name"] for each in told["packages"]] == ["anyio", "click", "mine"]
