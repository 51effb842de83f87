"""What a client's environment becomes: a way to the gateway, and no way around it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from strowger.launcher import clients

URL = "http://127.0.0.1:4567"
CLAUDE = clients.CLIENTS["claude"]


def made(spec: clients.Spec, env: dict[str, str], model: str | None = None) -> dict[str, str]:
    """The environment for a launch with a known token."""
    return clients.environment(spec, env, url=URL, token="launch-token", model=model)


def test_claude_gets_the_way_to_the_gateway() -> None:
    """Base URL, launch token, and the two switches that let the gateway and its client know of each other."""
    env = made(CLAUDE, {"HOME": "/home/me", "PATH": "/bin"})
    assert env == {
        "HOME": "/home/me",
        "PATH": "/bin",
        "ANTHROPIC_BASE_URL": URL,
        "ANTHROPIC_AUTH_TOKEN": "launch-token",
        "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1",
        "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


@pytest.mark.parametrize("name", CLAUDE.strip)
def test_no_way_around_is_left(name: str) -> None:
    """Every credential and every other endpoint is taken away, whichever way it is written."""
    for written in (name, name.lower()):
        env = made(CLAUDE, {written: "planted"})
        assert "planted" not in env.values()


def test_credentials_in_custom_headers_are_taken_out() -> None:
    """Custom headers stay, except those that would authorise in the launch token's place."""
    custom = "X-Team: blue\nAuthorization: Bearer planted\nx-api-key: planted\nX-Trace: 1"
    env = made(CLAUDE, {"ANTHROPIC_CUSTOM_HEADERS": custom})
    assert env["ANTHROPIC_CUSTOM_HEADERS"] == "X-Team: blue\nX-Trace: 1"


def test_harmless_choices_of_the_user_win() -> None:
    """What the user has set, and what neither leaks nor leads astray, stays as it is."""
    own = {
        "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "0",
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "9",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "small",
        "ANTHROPIC_MODEL": "mine",
    }
    env = made(CLAUDE, own)
    assert own.items() <= env.items()


def test_a_chosen_model_is_the_model_of_all() -> None:
    """`--model` is stronger than the main model of the shell; short names that the user has mapped stay mapped."""
    env = made(CLAUDE, {"ANTHROPIC_MODEL": "old", "ANTHROPIC_DEFAULT_HAIKU_MODEL": "small"}, model="kimi")
    assert env["ANTHROPIC_MODEL"] == env["ANTHROPIC_DEFAULT_OPUS_MODEL"] == "kimi"
    assert env["ANTHROPIC_DEFAULT_HAIKU_MODEL"] == "small"
    assert "ANTHROPIC_MODEL" not in made(CLAUDE, {})


def test_any_command_gets_both_dialects() -> None:
    """A command that nobody has heard of finds the gateway under the names that the SDKs read."""
    spec = clients.spec_for("./tools/my-agent")
    env = made(
        spec, {"OPENAI_API_KEY": "planted", "OPENAI_BASE_URL": "https://elsewhere.test", "DEEPSEEK_API_KEY": "d"}
    )
    assert env["ANTHROPIC_BASE_URL"] == URL
    assert env["OPENAI_BASE_URL"] == env["OPENAI_API_BASE"] == f"{URL}/v1"
    assert env["OPENAI_API_KEY"] == env["ANTHROPIC_API_KEY"] == env["ANTHROPIC_AUTH_TOKEN"] == "launch-token"
    assert env["DEEPSEEK_API_KEY"] == "d"
    assert "planted" not in env.values()


def test_proxies_are_bypassed_for_the_gateway() -> None:
    """Hosts that the user excepted stay excepted, ours are added once."""
    env = made(clients.GENERIC, {"HTTPS_PROXY": "http://proxy", "NO_PROXY": "corp.test, localhost"})
    assert env["NO_PROXY"] == "corp.test,localhost,127.0.0.1"
    assert env["no_proxy"] == "127.0.0.1,localhost"
    assert env["HTTPS_PROXY"] == "http://proxy"


@pytest.mark.parametrize(
    "command, name",
    [("claude", "claude"), ("/opt/bin/claude", "claude"), ("claude.exe", "claude"), ("claudette", ""), ("bash", "")],
)
def test_a_client_is_known_by_its_file(command: str, name: str) -> None:
    """The path does not matter, the name does."""
    assert clients.spec_for(command).name == name


def test_codex_is_told_by_arguments() -> None:
    """It reads no address from its environment; the token, which arguments would show to everyone, it does."""
    spec = clients.CLIENTS["codex"]
    words = clients.arguments(spec, url="http://127.0.0.1:1", model="a:b")
    assert 'base_url="http://127.0.0.1:1/v1"' in words[3]
    assert words[-2:] == ("-c", 'model="a:b"')
    assert "launch-token" not in " ".join(words)
    env = made(spec, {"OPENAI_API_KEY": "planted"})
    assert env["STROWGER_LAUNCH_TOKEN"] == "launch-token"
    assert "planted" not in env.values()
    assert clients.arguments(spec, url="http://127.0.0.1:1")[-1] == words[3]
    assert clients.arguments(clients.GENERIC, url="http://127.0.0.1:1", model="m") == ()


def test_gemini_cannot_go_elsewhere() -> None:
    """Its ways to Vertex and Code Assist are taken away, and so are keys of the user's."""
    env = made(clients.CLIENTS["gemini"], {"GOOGLE_GENAI_USE_VERTEXAI": "true", "GOOGLE_API_KEY": "planted"})
    assert env["GOOGLE_GEMINI_BASE_URL"].startswith("http://")
    assert env["GEMINI_API_KEY"] == "launch-token"
    assert not {"GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_API_KEY"} & env.keys()


def program(path: Path) -> Path:
    """An executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(stat.S_IRWXU)
    return path


def test_a_program_is_looked_for_where_installers_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path first, then the known places, then the copy inside a Python package; a path is taken as it is."""
    env = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    spec = clients.Spec(name="claude", set={}, places=("~/.claude/local",), bundled_in="some_package")
    assert clients.find("claude", spec, env) is None
    monkeypatch.syspath_prepend(tmp_path / "site")
    bundled = program(tmp_path / "site" / "some_package" / "_bundled" / "claude")
    (tmp_path / "site" / "some_package" / "__init__.py").write_text("raise RuntimeError('imported')")
    assert clients.find("claude", spec, env) == str(bundled)
    local = program(tmp_path / ".claude" / "local" / "claude")
    assert clients.find("claude", spec, env) == str(local)
    on_path = program(tmp_path / "bin" / "claude")
    assert clients.find("claude", spec, env) == str(on_path)
    assert clients.find(str(local), spec, env) == str(local)
    assert clients.find(str(tmp_path / "nowhere" / "claude"), spec, env) is None


def test_overruling_settings_are_found(tmp_path: Path) -> None:
    """Claude Code's settings files can set variables over ours; who launches it should be told which."""
    env = {"HOME": str(tmp_path)}
    assert clients.overridden_by_settings(env, tmp_path / "project") == {}
    (tmp_path / ".claude").mkdir()
    user = tmp_path / ".claude" / "settings.json"
    user.write_text(json.dumps({"env": {"ANTHROPIC_BASE_URL": "x", "ANTHROPIC_API_KEY": "planted", "EDITOR": "vi"}}))
    (tmp_path / "project" / ".claude").mkdir(parents=True)
    (tmp_path / "project" / ".claude" / "settings.local.json").write_text("{ broken")
    found = clients.overridden_by_settings(env, tmp_path / "project")
    assert found == {str(user): ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"]}


def test_a_clients_own_nickname_is_its_own_matter() -> None:
    """Claude Code turns `sonnet` into the name of a model itself: the gateway never hears the word."""
    claude = clients.CLIENTS["claude"]
    for nickname in ("sonnet", "opus[1m]", "haiku"):
        assert clients.routed(claude, nickname) is None
        made = clients.environment(claude, {}, url="http://h", token="t", model=nickname)
        assert made["ANTHROPIC_MODEL"] == nickname
        assert "ANTHROPIC_DEFAULT_OPUS_MODEL" not in made
    assert clients.routed(claude, "deepseek-chat") == "deepseek-chat"
    assert clients.routed(clients.GENERIC, "sonnet") == "sonnet"


def test_how_hard_a_model_thinks() -> None:
    """What a profile says of it reaches the client in its own way; said nothing, the client's own setting stays."""
    claude, codex = clients.CLIENTS["claude"], clients.CLIENTS["codex"]
    own = {"CLAUDE_CODE_EFFORT_LEVEL": "low"}
    given = clients.environment(claude, own, url="u", token="t", effort="max")
    assert given["CLAUDE_CODE_EFFORT_LEVEL"] == "max"
    assert clients.environment(claude, own, url="u", token="t")["CLAUDE_CODE_EFFORT_LEVEL"] == "low"
    assert clients.arguments(codex, url="u", effort="high")[-2:] == ("-c", 'model_reasoning_effort="high"')
    assert not any("effort" in word for word in clients.arguments(codex, url="u"))
