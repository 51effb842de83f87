"""What spans say of calls."""

from __future__ import annotations

import inspect
import json
from enum import Enum
from typing import Any

import pytest

from strowger.providers.presets import PRESETS
from strowger.telemetry import content, genai, tracing
from strowger.telemetry.genai import place_of, route_of, settings


@pytest.mark.parametrize(
    "url, provider, port",
    [
        ("https://api.anthropic.com", "anthropic", 443),
        ("https://chatgpt.com/backend-api/codex", "openai", 443),
        ("https://bedrock-runtime.eu-west-1.amazonaws.com", "aws.bedrock", 443),
        ("https://mine.openai.azure.com/openai/v1", "azure.ai.openai", 443),
        ("https://europe-west1-aiplatform.googleapis.com/v1", "gcp.vertex_ai", 443),
        ("https://generativelanguage.googleapis.com/v1beta", "gcp.gemini", 443),
        ("https://api.x.ai/v1", "x_ai", 443),
        ("https://notx.ai/v1", "mine", 443),
        ("http://localhost:11434", "mine", 11434),
        ("http://127.0.0.1", "mine", 80),
        ("http://broken:port", "mine", 80),
    ],
)
def test_a_provider_goes_by_the_conventions_name(url: str, provider: str, port: int) -> None:
    """By its host; one that they do not know by the user's own name for it."""
    found = place_of("mine", "openai_chat", url)
    assert (found.provider, found.port) == (provider, port)


def test_names_are_in_the_registry() -> None:
    """The attributes, metrics and providers that are said are those that the conventions know, in this version."""
    names = pytest.importorskip(
        "opentelemetry.semconv._incubating.attributes.gen_ai_attributes", reason="no extra otel"
    )
    from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
    from opentelemetry.semconv.schemas import Schemas

    known_words = {
        value for module in (names, gen_ai_metrics) for value in vars(module).values() if isinstance(value, str)
    }
    source = "".join(map(inspect.getsource, (genai, content, tracing)))
    said = {word.strip('",') for word in source.split() if word.strip('",:[]').startswith("gen_ai.")}
    said = {word.strip('":,[]') for word in said}
    assert len(said) > 20
    assert said <= known_words, said - known_words
    values: type[Enum] = names.GenAiProviderNameValues
    known = {value.value for value in values}
    # Moonshot is in the conventions' own registry, and not in this package yet
    assert set(genai._HOSTS.values()) - {"moonshot_ai"} <= known
    assert genai.SCHEMA in {schema.value for schema in Schemas}


def test_presets_have_names() -> None:
    """Every vendor among them that the conventions know goes by their name."""
    named = {name: place_of("?", each.dialect, each.base_url).provider for name, each in PRESETS.items()}
    assert {named[name] for name in ("anthropic", "openai", "deepseek", "groq", "mistral", "xai", "codex")} == {
        "anthropic", "openai", "deepseek", "groq", "mistral_ai", "x_ai",
    }  # fmt: skip


@pytest.mark.parametrize(
    "path, route",
    [
        ("/v1/messages", "/v1/messages"),
        ("/v1beta/models/gemini-2.5-pro:streamGenerateContent", "/v1beta/models/{model}:streamGenerateContent"),
        ("/model/eu.anthropic.claude/invoke", "/model/{model}/invoke"),
        (
            "/v1/projects/p/locations/eu/publishers/anthropic/models/c:rawPredict",
            "/v1/projects/{project}/locations/{region}/publishers/anthropic/models/{model}:rawPredict",
        ),
    ],
)
def test_a_span_is_named_for_its_route(path: str, route: str) -> None:
    """Names are few; models are attributes."""
    assert route_of(path) == route


@pytest.mark.parametrize(
    "body, told",
    [
        ({"max_tokens": 5, "temperature": 0, "top_k": 3, "stop_sequences": ["x"]},
         {"max_tokens": 5, "temperature": 0.0, "top_k": 3.0, "stop_sequences": ["x"]}),
        ({"max_completion_tokens": 5, "stop": "x", "n": 2, "seed": 7},
         {"max_tokens": 5, "stop_sequences": ["x"], "choice.count": 2, "seed": 7}),
        ({"max_output_tokens": 5, "n": 1, "input": [{"anything": 1}]}, {"max_tokens": 5}),
        ({"generationConfig": {"maxOutputTokens": 5, "topP": 0.5, "stopSequences": ["x"]}},
         {"max_tokens": 5, "top_p": 0.5, "stop_sequences": ["x"]}),
        ({"temperature": "hot"}, {}),
        ([], {}),
    ],
)  # fmt: skip
def test_settings_of_a_request(body: Any, told: dict[str, Any]) -> None:
    """In any dialect, from the members that say them; what cannot be read says nothing."""
    assert settings(json.dumps(body).encode()) == {f"gen_ai.request.{name}": value for name, value in told.items()}
    assert settings(b'{"max_tokens": 5') == {}
