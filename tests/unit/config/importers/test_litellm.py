"""LiteLLM's configuration as ours."""

from __future__ import annotations

from typing import Any

from strowger.config.importers import import_table
from strowger.providers.presets import PRESETS
from tests.unit.config.imports.files import imported


def of(*models: dict[str, object], **more: object) -> dict[str, Any]:
    table = {"model_list": list(models), **more}
    return dict(import_table(table, PRESETS, {}, "litellm").table)


def model(name: str, **params: object) -> dict[str, object]:
    return {"model_name": name, "litellm_params": params}


def test_vendors_become_presets() -> None:
    """The vendor before the slash is a preset; each key of it a provider of its own."""
    providers: Any = imported("litellm.yaml").table["providers"]
    assert providers["anthropic"] == {"auth": "env:ANTHROPIC_API_KEY"}
    assert providers["openai"] == {"auth": "sk-planted-openai"}
    assert providers["openai-2"] == {"preset": "openai", "auth": "env:OPENAI_SECOND"}
    assert providers["ollama"] == {}


def test_clouds() -> None:
    """Resource, region, project and version complete the presets of clouds."""
    providers: Any = imported("litellm.yaml").table["providers"]
    assert providers["azure"] == {"resource": "europe", "api_version": "2024-10-21", "auth": "env:AZURE_KEY_EU"}
    assert providers["bedrock"] == {"region": "us-east-1"}
    assert providers["vertex"]["project"] == "my-project"


def test_cloud_without_its_region() -> None:
    """A cloud of which the region is nowhere said is left, with all that leads to it."""
    there = model("sonnet", model="bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0")
    found = import_table({"model_list": [there, model("g", model="openai/gpt-5.5")]}, PRESETS, {})
    assert list(found.table["providers"]) == ["openai"]  # type: ignore[call-overload]
    assert any("region" in note.text for note in found.left)
    kept = import_table({"model_list": [there]}, PRESETS, {"AWS_REGION": "eu-west-1"})
    assert kept.table["aliases"] == {"sonnet": "bedrock:us.anthropic.claude-sonnet-4-5-20250929-v1:0"}


def test_any_other_host() -> None:
    """An api_base makes a provider of its own; a text in a header is no secret."""
    providers: Any = imported("litellm.yaml").table["providers"]
    assert providers["custom-openai"] == {
        "dialect": "openai_chat",
        "base_url": "https://llm.example.com/chat/completions",
        "auth": "env:INHOUSE_KEY",
        "headers": {"X-Team": "compilers"},
    }


def test_deployments_fall_back() -> None:
    """Several deployments of one name are asked in turn, then those of the names in `fallbacks`."""
    table: Any = imported("litellm.yaml").table
    routes = {route["match"]["model"]: [route["to"], *route.get("fallback", [])] for route in table["routes"]}
    assert routes["gpt"] == routes["gpt-4"] == ["azure:my-gpt", "openai:gpt-5.5"]
    assert routes["sonnet"][0] == "anthropic:claude-sonnet-4-5"
    assert routes["sonnet"][2:] == ["azure:my-gpt", "openai:gpt-5.5"]


def test_families_come_last() -> None:
    """A name with a star goes to a provider that keeps the model's name, after all other routes."""
    table: Any = imported("litellm.yaml").table
    assert table["routes"][-1] == {"match": {"model": "*"}, "to": "openrouter"}
    assert "groq" in table["providers"]
    assert "groq/*" not in table["aliases"]


def test_settings() -> None:
    """The master key, retries and group aliases have counterparts."""
    table: Any = imported("litellm.yaml").table
    assert table["server"] == {"client_token": "env:LITELLM_MASTER_KEY"}
    assert table["retries"] == {"attempts": 3}
    assert table["aliases"]["hidden-sonnet"] == "anthropic:claude-sonnet-4-5"


def test_what_is_left_is_said() -> None:
    """Other kinds of models, foreign vendors and settings of theirs are named, with a reason."""
    left = {note.what: note.text for note in imported("litellm.yaml").left}
    assert "model_list[9] (embed)" in left
    assert "model_list[5] (titan)" in left
    assert "general_settings.database_url" in left
    assert left["litellm_settings.context_window_fallbacks"]


def test_vendor_by_the_name() -> None:
    """Without a vendor, the model's name says whose it is."""
    table = of(model("a", model="claude-opus-4-6"), model("b", model="gpt-5.5"), model("c", model="gemini-2.5-pro"))
    assert table["aliases"] == {"a": "anthropic:claude-opus-4-6", "b": "openai:gpt-5.5", "c": "google:gemini-2.5-pro"}


def test_unknown_vendor() -> None:
    """A vendor that is not known here is left, unless it has an address."""
    found = import_table(
        {"model_list": [model("a", model="replicate/meta/x"), model("b", model="openai/gpt-5.5")]}, PRESETS, {}
    )
    assert list(found.table["aliases"]) == ["b"]  # type: ignore[call-overload]
    known = of(model("a", model="replicate/meta/x", api_base="https://r.example/v1"))
    assert known["aliases"] == {"a": "replicate:meta/x"}
