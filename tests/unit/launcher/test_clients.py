"""What a client's environment becomes: a way to the gateway, and no way around it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from strowger.client import Model, ModelFacts, Prospect
from strowger.errors import UnknownModel
from strowger.launcher import clients
from strowger.launcher.agents import AGENTS, GENERIC, Spec

URL = "http://127.0.0.1:4567"
CLAUDE = AGENTS["claude"]


def made(spec: Spec, env: dict[str, str], model: str | None = None) -> dict[str, str]:
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
    env = made(GENERIC, {"HTTPS_PROXY": "http://proxy", "NO_PROXY": "corp.test, localhost"})
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
    spec = AGENTS["codex"]
    words = clients.arguments(spec, url="http://127.0.0.1:1", model="a:b")
    assert 'base_url="http://127.0.0.1:1/v1"' in words[3]
    assert words[-2:] == ("-c", 'model="a:b"')
    assert "launch-token" not in " ".join(words)
    env = made(spec, {"OPENAI_API_KEY": "planted"})
    assert env["STROWGER_LAUNCH_TOKEN"] == "launch-token"
    assert "planted" not in env.values()
    assert clients.arguments(spec, url="http://127.0.0.1:1")[-1] == words[3]
    assert clients.arguments(GENERIC, url="http://127.0.0.1:1", model="m") == ()


def test_gemini_cannot_go_elsewhere() -> None:
    """Its ways to Vertex and Code Assist are taken away, and so are keys of the user's."""
    env = made(AGENTS["gemini"], {"GOOGLE_GENAI_USE_VERTEXAI": "true", "GOOGLE_API_KEY": "planted"})
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
    spec = Spec(name="claude", set={}, places=("~/.claude/local",), bundled_in="some_package")
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
    claude = AGENTS["claude"]
    for nickname in ("sonnet", "opus[1m]", "haiku"):
        assert clients.routed(claude, nickname) is None
        made = clients.environment(claude, {}, url="http://h", token="t", model=nickname)
        assert made["ANTHROPIC_MODEL"] == nickname
        assert "ANTHROPIC_DEFAULT_OPUS_MODEL" not in made
    assert clients.routed(claude, "deepseek-chat") == "deepseek-chat"
    assert clients.routed(GENERIC, "sonnet") == "sonnet"


def test_how_hard_a_model_thinks() -> None:
    """What a profile says of it reaches the client in its own way; said nothing, the client's own setting stays."""
    claude, codex = AGENTS["claude"], AGENTS["codex"]
    own = {"CLAUDE_CODE_EFFORT_LEVEL": "low"}
    given = clients.environment(claude, own, url="u", token="t", effort="max")
    assert given["CLAUDE_CODE_EFFORT_LEVEL"] == "max"
    assert clients.environment(claude, own, url="u", token="t")["CLAUDE_CODE_EFFORT_LEVEL"] == "low"
    assert clients.arguments(codex, url="u", effort="high")[-2:] == ("-c", 'model_reasoning_effort="high"')
    assert not any("effort" in word for word in clients.arguments(codex, url="u"))


MENU = (
    Model("fast", "p", "big-fast", "fast → p:big-fast"),
    Model("claude-fast", "p", "big-fast", discovery=True),
    Model("big", "p", "big", facts=ModelFacts(context=400_000, output=64_000)),
    Model("q:other", "q", "other"),
)


@pytest.mark.parametrize(
    "name, model, via, picked",
    [
        ("opencode", "q:other", "p", "q:other"),
        ("opencode", None, "p:qwen3:8b", "qwen3:8b"),
        ("opencode", None, "p", "big"),
        ("opencode", None, None, "big"),
        ("claude", None, "p:big", None),
        ("claude", "big", None, "big"),
    ],
)
def test_a_model_is_picked(name: str, model: str | None, via: str | None, picked: str | None) -> None:
    """The user's word first, then where the calls go; else a name that is a model's own, so that it can be switched."""
    assert clients.pick(AGENTS[name], model, via, MENU) == picked


def test_nobody_says_which_models_there_are() -> None:
    """An alias is better than nothing; with nothing at all, the user has to say."""
    assert clients.pick(AGENTS["pi"], None, None, MENU[:2]) == "fast"
    with pytest.raises(UnknownModel, match="no provider says") as caught:
        clients.pick(AGENTS["pi"], None, None, MENU[1:2])
    assert "--model MODEL pi" in str(caught.value.hint)


def test_what_is_offered() -> None:
    """The model that shall be asked for comes first, with what is known of it; names for Claude Code's list do not."""
    assert [model.id for model in clients.offered(MENU, None)] == ["fast", "big", "q:other"]
    first, *others = clients.offered(MENU, "p:big")
    assert (first.id, first.facts.context) == ("p:big", 400_000)
    assert [model.id for model in others] == ["fast", "big", "q:other"]
    assert clients.offered((), "new") == (Model("new"),)
    many = [Model(f"m{number}", "p", f"m{number}") for number in range(5000)]
    content = clients.environment(AGENTS["opencode"], {}, url=URL, token="t", model="m7", menu=many)
    assert len(content["OPENCODE_CONFIG_CONTENT"]) < 128 * 1024


def test_opencode_is_told_in_its_environment() -> None:
    """Its configuration is laid over the user's; the key stands beside it, and no other provider is left."""
    env = clients.environment(
        AGENTS["opencode"], {"DEEPSEEK_API_KEY": "planted"}, url=URL, token="launch-token", model='b"ig', menu=MENU
    )
    content = json.loads(env["OPENCODE_CONFIG_CONTENT"])
    assert content["model"] == content["small_model"] == 'strowger/b"ig'
    assert content["enabled_providers"] == ["strowger"]
    provider = content["provider"]["strowger"]
    assert provider["options"] == {"baseURL": f"{URL}/v1", "apiKey": "{env:STROWGER_LAUNCH_TOKEN}"}
    assert list(provider["models"]) == ['b"ig', "fast", "big", "q:other"]
    assert env["STROWGER_LAUNCH_TOKEN"] == "launch-token"
    assert "launch-token" not in env["OPENCODE_CONFIG_CONTENT"]
    assert "planted" not in env.values()


def test_pi_is_told_by_an_extension() -> None:
    """A file for this run, named in the arguments; how hard it thinks in its own words."""
    pi = AGENTS["pi"]
    texts = clients.files(pi, {}, url=URL, model="big", menu=MENU)
    assert f'baseUrl: "{URL}"' in texts["STROWGER_PI_EXTENSION"]
    assert '"contextWindow":400000' in texts["STROWGER_PI_EXTENSION"]
    paths = {"STROWGER_PI_EXTENSION": "/run/x.js"}
    words = clients.arguments(pi, url=URL, model="big", effort="max", paths=paths)
    assert words == (
        *("--extension", "/run/x.js", "--provider", "strowger"),
        *("--model", "big", "--thinking", "xhigh"),
    )


def test_the_users_own_choice_of_a_model_stands() -> None:
    """Who names a model among his own arguments gets no second one from us."""
    qwen = AGENTS["qwen"]
    assert "--model" in clients.arguments(qwen, url=URL, model="big", own=["-p", "hi"])
    for own in (["-m", "other"], ["--model=other"]):
        assert "--model" not in clients.arguments(qwen, url=URL, model="big", own=own)


def test_files_that_only_effort_needs() -> None:
    """They are written when it is given, with nothing left to fill."""
    qwen = AGENTS["qwen"]
    assert clients.files(qwen, {}, url=URL) == {}
    text = clients.files(qwen, {}, url=URL, effort="high")["QWEN_CODE_SYSTEM_SETTINGS_PATH"]
    assert json.loads(text)["model"]["generationConfig"]["reasoning"] == {"effort": "high"}


def test_kimi_is_told_how_big_a_model_is() -> None:
    """What is known of a model's size; unsaid, it would take every model for one of its own."""
    kimi = AGENTS["kimi"]
    env = clients.environment(kimi, {}, url=URL, token="t", model="big", menu=MENU)
    assert (env["KIMI_MODEL_NAME"], env["KIMI_MODEL_MAX_CONTEXT_SIZE"]) == ("big", "400000")
    assert env["KIMI_MODEL_MAX_OUTPUT_SIZE"] == "64000"
    unknown = clients.environment(kimi, {}, url=URL, token="t", model="q:other", menu=MENU)
    assert "KIMI_MODEL_MAX_CONTEXT_SIZE" not in unknown
    assert unknown["KIMI_MODEL_MAX_OUTPUT_SIZE"] == "32000"


def test_qwen_runs_without_a_proxy(tmp_path: Path) -> None:
    """It would send to it what is meant for this machine; its user is told that it is gone."""
    qwen = AGENTS["qwen"]
    env = {"https_proxy": "http://proxy", "HTTP_PROXY": "http://proxy", "NO_PROXY": "corp.test"}
    given = clients.environment(qwen, env, url=URL, token="t", model="big")
    assert not {"https_proxy", "HTTP_PROXY"} & given.keys()
    assert any("without your proxy" in line for line in clients.advice(qwen, env, tmp_path))
    assert list(clients.advice(qwen, {}, tmp_path)) == []


def test_settings_are_laid_over_those_of_the_system(tmp_path: Path) -> None:
    """What an administrator has set stays, but for the one setting without which it goes elsewhere."""
    gemini, name = AGENTS["gemini"], "GEMINI_CLI_SYSTEM_SETTINGS_PATH"
    ours = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
    there = tmp_path / "settings.json"
    for text in (None, "{ broken", "[]"):
        if text is not None:
            there.write_text(text)
        assert json.loads(clients.files(gemini, {name: str(there)}, url=URL)[name]) == ours
    policy = {"security": {"auth": {"selectedType": "oauth-personal"}, "disableYoloMode": True}, "tools": {"core": []}}
    there.write_text(json.dumps(policy))
    made = json.loads(clients.files(gemini, {name: str(there)}, url=URL)[name])
    assert made == {"security": {**ours["security"], "disableYoloMode": True}, "tools": {"core": []}}


def test_the_users_own_overlay_stays_below_ours() -> None:
    """Who lays settings over opencode's files himself keeps them, but for what leads elsewhere."""
    opencode, name = AGENTS["opencode"], "OPENCODE_CONFIG_CONTENT"
    own = {"model": "anthropic/x", "theme": "dark", "provider": {"mine": {}}}
    env = clients.environment(opencode, {name: json.dumps(own)}, url=URL, token="t", model="big", menu=MENU)
    made = json.loads(env[name])
    assert (made["theme"], made["model"], made["enabled_providers"]) == ("dark", "strowger/big", ["strowger"])
    assert set(made["provider"]) == {"mine", "strowger"}
    broken = clients.environment(opencode, {name: "{ not json"}, url=URL, token="t", model="big", menu=MENU)
    assert json.loads(broken[name])["model"] == "strowger/big"


MIDDLE = Prospect(131_072, "other:mid", 8192)
SMALL = Prospect(64_000, "other:small", 4000)
WHOLE = Prospect(betas=True)


@pytest.mark.parametrize(
    "model, env, own, names",
    [
        (None, {}, (), ("claude-opus-5-5", "claude-sonnet-5-5")),
        ("opus", {}, (), ("claude-opus-5-5",)),
        ("opusplan[1m]", {"ANTHROPIC_DEFAULT_SONNET_MODEL": "mine"}, (), ("claude-opus-5-5", "mine")),
        ("kimi-k2", {}, (), ("kimi-k2",)),
        (None, {"ANTHROPIC_MODEL": "haiku"}, (), ("claude-haiku-5-5",)),
        ("kimi-k2", {"ANTHROPIC_MODEL": "x"}, ("-p", "hi", "--model", "gpt-5.5"), ("gpt-5.5",)),
        (None, {}, ("--model=sonnet",), ("claude-sonnet-5-5",)),
        (None, {}, ("--model",), ("claude-opus-5-5", "claude-sonnet-5-5")),
    ],
)
def test_what_a_conversation_will_ask_for(
    model: str | None, env: dict[str, str], own: tuple[str, ...], names: tuple[str, ...]
) -> None:
    """The model that was chosen, in the arguments before all; else those that Claude Code asks for by itself."""
    assert clients.asked(CLAUDE, model, env, own) == names


@pytest.mark.parametrize(
    "model, prospect, told",
    [
        (None, MIDDLE, {"MAX_CONTEXT_TOKENS": "131072", "AUTO_COMPACT_WINDOW": "131072"}),
        ("kimi-k2", SMALL, {"MAX_CONTEXT_TOKENS": "64000", "AUTO_COMPACT_WINDOW": "100000"}),
        ("opus[1m]", SMALL, {"MAX_CONTEXT_TOKENS": "64000", "AUTO_COMPACT_WINDOW": "100000", "PCT_OVERRIDE": "52"}),
        (None, Prospect(), {}),
    ],
)
def test_claude_code_hears_how_much_room_there_is(model: str | None, prospect: Prospect, told: dict[str, str]) -> None:
    """In tokens, and for a small model behind a name that it takes for a large one as a share of its least window."""
    env = clients.environment(CLAUDE, {}, url=URL, token="t", model=model, prospect=prospect)
    named = {name: f"CLAUDE_CODE_{name}" for name in ("MAX_CONTEXT_TOKENS", "AUTO_COMPACT_WINDOW")}
    named["PCT_OVERRIDE"] = "CLAUDE_AUTOCOMPACT_PCT_OVERRIDE"
    assert {name: env[variable] for name, variable in named.items() if variable in env} == told


@pytest.mark.parametrize("variable", ["CLAUDE_CODE_AUTO_COMPACT_WINDOW", "DISABLE_AUTO_COMPACT"])
def test_who_decides_on_compaction_himself(variable: str) -> None:
    """A user who has set one of these variables has decided, also on the others, and is told nothing."""
    env = clients.environment(CLAUDE, {variable: "1"}, url=URL, token="t", prospect=MIDDLE)
    assert env[variable] == "1"
    assert "CLAUDE_CODE_MAX_CONTEXT_TOKENS" not in env
    assert clients.room_told(CLAUDE, {variable: "1"}, MIDDLE) is None
    assert (
        clients.room_told(CLAUDE, {}, MIDDLE) == "note: a conversation has room for 131,072 tokens, those of other:mid"
    )
    assert clients.room_told(CLAUDE, {}, WHOLE) is None


def test_features_that_the_upstream_can_carry() -> None:
    """Tool search and fine-grained streaming are switched on where they arrive, unless the user says otherwise."""
    names = ("ENABLE_TOOL_SEARCH", "CLAUDE_CODE_ENABLE_FINE_GRAINED_TOOL_STREAMING")
    env = clients.environment(CLAUDE, {}, url=URL, token="t", prospect=WHOLE)
    assert [env[name] for name in names] == ["true", "1"]
    env = clients.environment(CLAUDE, {"ENABLE_TOOL_SEARCH": "false"}, url=URL, token="t", prospect=WHOLE)
    assert [env[name] for name in names] == ["false", "1"]
    env = clients.environment(CLAUDE, {}, url=URL, token="t", prospect=MIDDLE)
    assert not {*names} & env.keys()


def test_codex_and_others_hear_of_the_room() -> None:
    """Each in its own place; Gemini CLI as a share of the million that it takes every model for."""
    assert "model_context_window=131072" in clients.arguments(AGENTS["codex"], url=URL, prospect=MIDDLE)
    assert not any("window" in word for word in clients.arguments(AGENTS["codex"], url=URL))
    (gemini,) = clients.files(AGENTS["gemini"], {}, url=URL, prospect=MIDDLE).values()
    assert json.loads(gemini)["model"] == {"compressionThreshold": 0.0625}
    assert json.loads(gemini)["security"]
    (gemini,) = clients.files(AGENTS["gemini"], {}, url=URL, prospect=Prospect(1_048_576, "g:g")).values()
    assert "model" not in json.loads(gemini)
    (qwen,) = clients.files(AGENTS["qwen"], {}, url=URL, model="m", effort="high", prospect=MIDDLE).values()
    told = json.loads(qwen)["model"]["generationConfig"]
    assert told == {"reasoning": {"effort": "high"}, "contextWindowSize": 131_072}
    kimi = clients.environment(AGENTS["kimi"], {}, url=URL, token="t", model="m", prospect=MIDDLE)
    assert (kimi["KIMI_MODEL_MAX_CONTEXT_SIZE"], kimi["KIMI_MODEL_MAX_OUTPUT_SIZE"]) == ("131072", "8192")


def test_the_room_is_that_of_where_a_name_leads() -> None:
    """A list may know a model of that name at another provider; the one that answers counts."""
    menu = (Model("m", "elsewhere", "m", facts=ModelFacts(1_000_000, 64_000, images=True)),)
    (offered,) = clients.offered(menu, "m", MIDDLE)
    assert (offered.facts.context, offered.facts.output, offered.facts.images) == (131_072, 8192, True)
    env = clients.environment(AGENTS["opencode"], {}, url=URL, token="t", model="m", menu=menu, prospect=MIDDLE)
    models = json.loads(env["OPENCODE_CONFIG_CONTENT"])["provider"]["strowger"]["models"]
    assert models["m"]["limit"] == {"context": 131_072, "output": 8192}
