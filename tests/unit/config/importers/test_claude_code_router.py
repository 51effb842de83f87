"""claude-code-router's configuration as ours."""

from __future__ import annotations

from typing import Any

from strowger.config.importers import import_table
from strowger.providers.presets import PRESETS
from tests.unit.config.imports.files import imported


def of(table: dict[str, object], **env: str) -> dict[str, Any]:
    return dict(import_table(table, PRESETS, env, "claude-code-router").table)


def provider(**more: object) -> dict[str, object]:
    return {"name": "one", "api_base_url": "https://host.example/v1/chat/completions", "models": ["m"], **more}


def test_providers() -> None:
    """Hosts that a preset knows become it; others keep their address without the end of the call's URL."""
    providers: Any = imported("claude-code-router.json").table["providers"]
    assert providers["deepseek"] == {"auth": "sk-planted-deepseek"}
    assert providers["local"] == {"preset": "ollama", "models": ["qwen2.5-coder:latest"]}
    assert providers["gemini"] == {"preset": "google", "auth": "env:GEMINI_API_KEY"}
    assert providers["claude-gateway"]["dialect"] == "anthropic"
    assert providers["claude-gateway"]["base_url"] == "https://claude.example.com"
    assert providers["dashscope"]["base_url"] == "https://dashscope.aliyuncs.com/compatible-mode/v1"
    assert providers["dashscope"]["capabilities"] == {"max_output_tokens": 65536}
    assert providers["openrouter"]["options"] == {"provider": {"only": ["moonshotai/fp8"]}}


def test_router() -> None:
    """Each kind of call is a route, in the order in which that program decides, with its fallbacks; an alias, too, so
    that it can be asked for by name.
    """
    table: Any = imported("claude-code-router.json").table
    assert [(route["match"], route["to"]) for route in table["routes"]] == [
        ({"model": "claude-*", "prompt_over": 60000}, "openrouter:google/gemini-2.5-pro"),
        ({"model": "*haiku*"}, "local:qwen2.5-coder:latest"),
        ({"model": "claude-*", "tool": "web_search*"}, "gemini:gemini-2.5-flash"),
        ({"model": "claude-*", "thinking": True}, "deepseek:deepseek-reasoner"),
        ({"model": "*"}, "deepseek:deepseek-chat"),
    ]
    assert table["routes"][-1]["fallback"] == ["openrouter:anthropic/claude-sonnet-4"]
    assert table["aliases"]["think"] == "deepseek:deepseek-reasoner"
    assert table["aliases"]["web-search"] == "gemini:gemini-2.5-flash"


def test_long_prompts() -> None:
    """They begin where the file says, else where that program would; a threshold without a model is left."""
    router = {"longContext": "one,m", "image": "one,eyes", "longContextThreshold": "90000"}
    routes = of({"Providers": [provider()], "Router": router})["routes"]
    assert [route["match"] for route in routes] == [
        {"model": "claude-*", "images": True},
        {"model": "claude-*", "prompt_over": 90000},
    ]
    del router["longContextThreshold"]
    assert of({"Providers": [provider()], "Router": router})["routes"][1]["match"]["prompt_over"] == 60000
    found = import_table({"Providers": [provider()], "Router": {"longContextThreshold": 5}}, PRESETS, {})
    assert "Router.longContextThreshold" in {note.what for note in found.left}


def test_settings() -> None:
    """Port, address, token, proxy and log level have counterparts."""
    table: Any = imported("claude-code-router.json").table
    assert table["server"] == {"client_token": "env:CCR_KEY", "bind": "127.0.0.1", "port": 3456}
    assert table["network"] == {"proxy": "http://127.0.0.1:7890"}
    assert table["log"] == {"level": "debug"}


def test_what_is_left_is_said() -> None:
    """Everything that has no counterpart is named by its key, with a reason."""
    left = {note.what: note.text for note in imported("claude-code-router.json").left}
    assert "Providers[dashscope].transformer.enhancetool" in left
    assert "Providers[deepseek].transformer.deepseek-chat" in left
    assert {"CUSTOM_ROUTER_PATH", "API_TIMEOUT_MS", "LOG"} <= left.keys()
    assert "Router.longContextThreshold" not in left
    assert all(left.values())


def test_open_to_others_only_with_a_key() -> None:
    """Without an APIKEY they bind to loopback whatever HOST says; with one, ours is opened as theirs was."""
    assert "server" not in of({"HOST": "0.0.0.0", "Providers": [provider()]})
    server = of({"HOST": "0.0.0.0", "APIKEY": "$T", "Providers": [provider()]})["server"]
    assert server == {"client_token": "env:T", "bind": "0.0.0.0", "allow_external_bind": True}


def test_name_of_another_host() -> None:
    """A provider with the name of a preset but another address gets a name of its own, and routes follow."""
    table = of({"Providers": [provider(name="openai")], "Router": {"default": "openai,m"}})
    assert list(table["providers"]) == ["custom-openai"]
    assert table["routes"][0]["to"] == "custom-openai:m"


def test_anthropic_key_for_another_host() -> None:
    """A key of Anthropic's for another host is not taken, nor is what leads there."""
    table = {"Providers": [provider(api_key="sk-ant-x"), provider(name="two")], "Router": {"default": "one,m"}}
    found = import_table(table, PRESETS, {})
    assert list(found.table["providers"]) == ["two"]  # type: ignore[call-overload]
    assert "routes" not in found.table
    assert any(note.what == "providers.one" for note in found.left)


def test_dead_router_entries() -> None:
    """An entry that leads to no provider is left."""
    found = import_table({"Providers": [provider()], "Router": {"default": "gone,m", "think": "one"}}, PRESETS, {})
    assert "routes" not in found.table
    assert {"Router.default", "Router.think"} <= {note.what for note in found.left}
