"""`generationConfig`, both ways."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.gemini.settings import thinks
from strowger.ir.request import FunctionTool, OutputFormat, Reasoning, Sampling
from tests.unit.dialects.gemini.asking import GEMINI_2, GEMINI_3, asked, comes_back, lost, raw, rendered, said, sent

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
NOT_CHANGED = replace(GEMINI_3, thinking="none")


def config(caps: Any = GEMINI_3, **members: Any) -> Any:
    """What a foreign request becomes."""
    return sent(said(**members), caps).get("generationConfig")


def thinking(caps: Any = GEMINI_3, **members: Any) -> Any:
    """What a foreign wish for thinking becomes."""
    return (config(caps, reasoning=Reasoning(**members)) or {}).get("thinkingConfig")


@pytest.mark.parametrize(
    "written",
    [
        {},
        None,
        {"temperature": 0, "topP": 0.95, "topK": 40, "maxOutputTokens": 5, "stopSequences": ["a"]},
        {"temperature": 1.0, "top_p": 1, "top_k": 40.0, "max_output_tokens": 5, "stop_sequences": ["a", ""]},
        {"topK": 0.5, "maxOutputTokens": "7", "stopSequences": []},
        {"candidateCount": 1, "seed": 3, "presencePenalty": -1.5, "frequency_penalty": 2, "logprobs": None},
        {"responseMimeType": "text/plain"},
        {"responseMimeType": "application/json"},
        {"response_mime_type": "application/json", "response_schema": {"type": "STRING"}},
        {"responseMimeType": "application/json", "responseSchema": SCHEMA},
        {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
        {"responseMimeType": "application/json", "responseJsonSchema": {"type": "OBJECT"}},
        {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a"]}},
        {"responseSchema": SCHEMA},
        {"thinkingConfig": {}},
        {"thinkingConfig": None},
        {"thinkingConfig": {"includeThoughts": True, "thinkingBudget": 512}},
        {"thinking_config": {"include_thoughts": False, "thinking_budget": 0}},
        {"thinkingConfig": {"thinkingBudget": -1}},
        {"thinkingConfig": {"thinkingLevel": "HIGH"}},
        {"thinkingConfig": {"thinking_level": "low", "x": 1}},
        {"thinkingConfig": {"thinkingLevel": 3}},
        {"thinkingConfig": {"thinkingLevel": "NEWER"}},
        {"thinkingConfig": {"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED", "thinkingBudget": "9"}},
        "x",
        [1],
        {"speechConfig": {"a": 1}, "responseModalities": ["TEXT"], "mediaResolution": "MEDIA_RESOLUTION_LOW"},
    ],
)  # fmt: skip
def test_every_setting_comes_back(written: object) -> None:
    """In either spelling, by name or number, as a number or a text."""
    assert comes_back(generationConfig=written)
    assert comes_back(generation_config=written)


def test_a_seed_at_the_top_is_not_the_settings() -> None:
    """An unknown member stays where it is."""
    assert comes_back(seed=1)
    assert comes_back(seed=1, generationConfig={"seed": 2})


def test_what_settings_say() -> None:
    """Limits and sampling have fields."""
    request = asked(
        generationConfig={"temperature": 0.5, "topP": 1, "topK": 40.0, "maxOutputTokens": 5, "stopSequences": ["a"]}
    )
    assert request.max_tokens == 5
    assert request.sampling == Sampling(0.5, 1, 40, ("a",))


def test_seeds_and_penalties_have_shared_names() -> None:
    """Other dialects have them under these names, too."""
    request = asked(generationConfig={"seed": 3, "presencePenalty": 1})
    assert request.extras["seed"] == Raw(b"3")
    assert request.extras["presence_penalty"] == Raw(b"1")


@pytest.mark.parametrize(
    "written, reasoning",
    [
        ({}, Reasoning(display="omitted")),
        ({"includeThoughts": True}, Reasoning("adaptive", display="summarized")),
        ({"thinkingBudget": 0}, Reasoning("disabled", 0, display="omitted")),
        ({"thinkingBudget": -1}, Reasoning("adaptive", display="omitted")),
        ({"thinkingBudget": 9, "includeThoughts": True}, Reasoning("enabled", 9, display="summarized")),
        ({"thinkingLevel": "HIGH"}, Reasoning("adaptive", effort="high", display="omitted")),
        ({"thinkingLevel": 4}, Reasoning("adaptive", effort="minimal", display="omitted")),
    ],
)
def test_what_thinking_is_asked_for(written: Any, reasoning: Reasoning) -> None:
    """0 is none, -1 leaves it to the model; thoughts are not shown unless they are asked for."""
    assert asked(generationConfig={"thinkingConfig": written}).reasoning == reasoning


def test_a_schema_in_capitals_is_json_schema_to_others() -> None:
    """Google's CLI writes capitals even where JSON Schema is due."""
    written = {"responseMimeType": "application/json", "responseJsonSchema": {"type": "OBJECT", "properties": {}}}
    output = asked(generationConfig=written).output
    assert output == OutputFormat("json_schema", schema=Raw(b'{"type":"object","properties":{}}'))


# ---- foreign requests ----


def test_limits_and_sampling_go_over() -> None:
    """Under Google's names."""
    assert config(max_tokens=7, sampling=Sampling(0.5, 0.9, 40, ("a", ""))) == {
        "maxOutputTokens": 7,
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40,
        "stopSequences": ["a"],
    }


def test_stop_sequences_that_are_too_many_are_watched_for() -> None:
    """Google takes five; the gateway looks for the others."""
    found = rendered(said(sampling=Sampling(stop=tuple("abcdefg"))))
    assert found.stop == ("f", "g")
    assert not found.losses


def test_a_limit_is_lowered_to_the_models() -> None:
    """More than the model can is refused by some doors."""
    request = said(max_tokens=100_000)
    assert sent(request)["generationConfig"] == {"maxOutputTokens": 65536}
    assert lost(request) == [("max_tokens", "info")]


def test_seed_and_penalties_go_over() -> None:
    """Chat keeps them as extras; Google has members for them. A seed has 32 bits there."""
    extras = {"seed": Raw(b"5"), "presence_penalty": Raw(b"0.5"), "frequency_penalty": Raw(b"1")}
    assert config(extras=extras) == {"seed": 5, "presencePenalty": 0.5, "frequencyPenalty": 1}
    assert lost(said(extras={"seed": Raw(b"99999999999")})) == [("seed", "warning")]


@pytest.mark.parametrize(
    "wish, found",
    [
        ({"effort": "low"}, {"thinkingLevel": "LOW", "includeThoughts": True}),
        ({"effort": "xhigh"}, {"thinkingLevel": "HIGH", "includeThoughts": True}),
        ({"effort": "none"}, {"thinkingLevel": "MINIMAL"}),
        ({"mode": "disabled"}, {"thinkingLevel": "MINIMAL"}),
        ({"mode": "adaptive"}, {"includeThoughts": True}),
        ({"mode": "adaptive", "display": "omitted"}, None),
        ({"mode": "enabled", "budget": 2000}, {"thinkingLevel": "MEDIUM", "includeThoughts": True}),
        ({"display": "summarized"}, {"includeThoughts": True}),
        ({}, None),
    ],
)
def test_thinking_by_level(wish: Any, found: Any) -> None:
    """From Gemini 3 on. Budgets become levels, and thoughts are shown unless the client does not want them."""
    assert thinking(**wish) == found


@pytest.mark.parametrize(
    "wish, found",
    [
        ({"effort": "low"}, {"thinkingBudget": 1024, "includeThoughts": True}),
        ({"mode": "disabled"}, {"thinkingBudget": 0}),
        ({"mode": "adaptive"}, {"thinkingBudget": -1, "includeThoughts": True}),
        ({"mode": "enabled", "budget": 2000, "display": "omitted"}, {"thinkingBudget": 2000}),
    ],
)
def test_thinking_by_budget(wish: Any, found: Any) -> None:
    """Gemini 2.5. Efforts become budgets."""
    assert thinking(GEMINI_2, **wish) == found


def test_a_model_that_cannot_stop_thinking_thinks_least() -> None:
    """Gemini 2.5 Pro refuses a budget of 0."""
    caps = replace(GEMINI_2, efforts=("low", "high"))
    assert thinking(caps, mode="disabled") == {"thinkingBudget": 128}
    assert lost(said(reasoning=Reasoning("disabled")), caps) == [("thinking", "warning")]


def test_a_model_that_does_not_think_is_not_asked_to() -> None:
    """The whole request would be refused."""
    assert thinking(NOT_CHANGED, effort="high") is None
    assert lost(said(reasoning=Reasoning(effort="high")), NOT_CHANGED) == [("thinking", "info")]
    assert not lost(said(reasoning=Reasoning("disabled")), NOT_CHANGED)


def test_an_unknown_effort_is_told() -> None:
    """A newer word has no rank, and stands for no number."""
    request = said(reasoning=Reasoning(effort="warp"))
    assert lost(request) == lost(request, GEMINI_2) == [("effort", "warning")]


def test_own_levels_are_clamped() -> None:
    """A client's own body for another model: what it takes stays as written, what it does not is moved."""
    caps = replace(GEMINI_3, efforts=("low", "high"))
    body = asked(generationConfig={"thinkingConfig": {"thinkingLevel": "low", "x": 1}})
    assert sent(body, caps)["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "low", "x": 1}
    body = asked(generationConfig={"thinkingConfig": {"thinking_level": "minimal"}})
    assert sent(body, caps)["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "LOW"}


def test_whether_a_request_thinks() -> None:
    """Off, nothing said, and the rest."""
    assert not thinks(said())
    assert not thinks(said(reasoning=Reasoning("disabled", effort="high")))
    assert thinks(said(reasoning=Reasoning(budget=5)))


# ---- the shape of the answer ----


def test_a_schema_goes_over() -> None:
    """As JSON Schema, or in Google's subset."""
    output = OutputFormat("json_schema", "n", raw(SCHEMA), strict=True)
    assert config(output=output) == {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
    assert config(GEMINI_2, output=output)["responseSchema"]["type"] == "OBJECT"


def test_json_mode_goes_over() -> None:
    """Any object."""
    assert config(output=OutputFormat("json_object")) == {"responseMimeType": "application/json"}
    assert config(output=OutputFormat("text")) is None


def test_a_format_beside_tools_is_asked_for_in_words() -> None:
    """Gemini 2.5 refuses the two together."""
    request = said(output=OutputFormat("json_schema", schema=raw(SCHEMA)), tools=(FunctionTool("f"),))
    body = sent(request, GEMINI_2)
    assert "generationConfig" not in body
    assert "valid against this JSON schema" in body["systemInstruction"]["parts"][0]["text"]
    assert lost(request, GEMINI_2) == [("response_format", "warning")]


def test_json_mode_without_any_is_asked_for_in_words() -> None:
    """Gemma has none."""
    caps = replace(GEMINI_3, structured_output="none")
    body = sent(asked(generationConfig={"response_mime_type": "application/json", "x": 1}), caps)
    assert body["generationConfig"] == {"x": 1}
    assert body["systemInstruction"]["parts"] == [{"text": "Answer with one JSON object and nothing else."}]
