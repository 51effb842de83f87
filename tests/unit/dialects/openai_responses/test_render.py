"""What else is in a body: flags, limits, thinking, formats, people; and what each target does not take."""

from __future__ import annotations

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.openai_responses.render import render_request
from strowger.errors import Unsupported
from strowger.ir.request import (
    FunctionTool,
    HostedTool,
    Message,
    OutputFormat,
    Reasoning,
    Sampling,
    Text,
    WebSearch,
)
from tests.unit.dialects.openai_responses.asking import CODEX, COMPATIBLE, OPENAI, Json, body, foreign, parsed, sent

USER = Message("user", (Text("hi"),))
OWN_USER = {"role": "user", "content": "hi"}
ASKED = foreign(USER)
SCHEMA = Raw(b'{"type":"object","properties":{},"required":[],"additionalProperties":false}')


def written(caps: Json | None = None, **members: object) -> Json:
    """The body of a foreign request with these members."""
    return sent(replace(ASKED, **members), replace(OPENAI, **(caps or {})))[0]


def lost(caps: Json | None = None, **members: object) -> list[str]:
    """The paths of its losses."""
    return [loss.path for loss in sent(replace(ASKED, **members), replace(OPENAI, **(caps or {})))[1]]


# ---- what a foreign request becomes ----


def test_a_foreign_request_stores_nothing() -> None:
    """What is said comes back with the next request, as in the other dialects; so does what was thought."""
    assert written() == {
        "model": "m",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    assert "include" not in written({"efforts": ()})
    assert written(stream=True)["stream"] is True


@pytest.mark.parametrize("key,value", [("n", b"2"), ("background", b"true"), ("cachedContent", b'"x"')])
def test_what_must_not_be_dropped_is_refused(key: str, value: bytes) -> None:
    """Several answers, what is kept elsewhere."""
    with pytest.raises(Unsupported):
        render_request(replace(ASKED, extras={key: Raw(value)}), "m", OPENAI)


def test_other_members_of_a_foreign_request_are_losses() -> None:
    """One each."""
    assert lost(extras={"seed": Raw(b"1"), "logit_bias": Raw(b'{"1":2}'), "n": Raw(b"1")}) == ["seed", "logit_bias"]


def test_the_pages_of_a_search_are_asked_for() -> None:
    """Other clients show them."""
    search = HostedTool("anthropic", "web_search_20250305", "web_search", Raw(b"{}"), ability=WebSearch())
    assert written({"efforts": ()}, tools=(search,))["include"] == ["web_search_call.action.sources"]
    assert len(written(tools=(search,))["include"]) == 2
    assert "include" not in written({"efforts": (), "web_search": ""}, tools=(search,))


# ---- limits ----


@pytest.mark.parametrize(
    "asked,caps,sent_as",
    [(1, {}, 16), (100, {}, 100), (100, {"max_output_tokens": 50}, 50), (100, {"output_limit": False}, None)],
)
def test_the_limit_of_the_output(asked: int, caps: Json, sent_as: int | None) -> None:
    """It is not under the API's minimum, not over the model's maximum, and not sent where it is refused."""
    assert written(caps, max_tokens=asked).get("max_output_tokens") == sent_as
    assert lost(caps, max_tokens=asked) == ([] if sent_as == asked else ["max_tokens"])


def test_sampling() -> None:
    """Within the target's range; not at all where the model has its own."""
    sampling = Sampling(1.5, 0.5, 40)
    assert written(sampling=sampling)["temperature"] == 1.5
    assert written({"temperature_max": 1.0}, sampling=sampling)["temperature"] == 1.0
    assert lost({"temperature_max": 1.0}, sampling=sampling) == ["temperature", "top_k"]
    fixed = written({"sampling": False}, sampling=sampling)
    assert not {"temperature", "top_p"} & fixed.keys()
    assert lost({"sampling": False}, sampling=sampling) == ["temperature", "top_p", "top_k"]


def test_stop_sequences_are_watched_for() -> None:
    """The API has none, so the gateway does it; that is no loss."""
    rendered = render_request(replace(ASKED, sampling=Sampling(stop=("a", "", "b"))), "m", OPENAI)
    assert rendered.stop == ("a", "b")
    assert rendered.losses == ()


# ---- thinking ----


@pytest.mark.parametrize(
    "reasoning,sent_as",
    [
        (Reasoning(mode="adaptive"), {"summary": "auto"}),
        (Reasoning(effort="high"), {"effort": "high", "summary": "auto"}),
        (Reasoning(effort="high", display="omitted"), {"effort": "high"}),
        (Reasoning(effort="max"), {"effort": "high", "summary": "auto"}),
        (Reasoning(effort="minimal"), {"effort": "low", "summary": "auto"}),
        (Reasoning(effort="ultra"), {"summary": "auto"}),
        (Reasoning(mode="enabled", budget=1024), {"effort": "low", "summary": "auto"}),
        (Reasoning(mode="enabled", budget=9000), {"effort": "high", "summary": "auto"}),
        (Reasoning(mode="disabled"), {"effort": "low"}),
        (Reasoning(effort="none"), {"effort": "low"}),
    ],
)
def test_how_much_to_think(reasoning: Reasoning, sent_as: Json) -> None:
    """In the nearest word that the model knows, with a summary unless nothing shall be shown."""
    assert written(reasoning=reasoning)["reasoning"] == sent_as


def test_thinking_that_can_be_switched_off() -> None:
    """Then nothing of it has to come home."""
    off = written({"efforts": ("none", "low")}, reasoning=Reasoning(mode="disabled"))
    assert off["reasoning"] == {"effort": "none"}
    assert "include" not in off


def test_thinking_that_cannot_be_steered() -> None:
    """Nothing is sent, and only a wish for it is a loss."""
    for caps in ({"efforts": ()}, {"thinking": "none"}):
        assert "reasoning" not in written(caps, reasoning=Reasoning(effort="high"))
        assert lost(caps, reasoning=Reasoning(effort="high")) == ["thinking"]
        assert lost(caps, reasoning=Reasoning(mode="disabled")) == []
    assert written({"summaries": False}, reasoning=Reasoning(effort="low"))["reasoning"] == {"effort": "low"}


def test_own_thinking_for_other_targets() -> None:
    """Its words are kept, as far as they are known there."""
    request = parsed(body(OWN_USER, reasoning={"effort": "xhigh", "summary": "auto", "context": "auto"}))
    assert sent(request)[0]["reasoning"]["effort"] == "xhigh"
    near = sent(request, replace(CODEX, summaries=False))
    assert near[0]["reasoning"] == {"effort": "high", "context": "auto"}
    assert [loss.path for loss in near[1]] == ["effort", "reasoning.summary"]
    plain, losses = sent(request, COMPATIBLE)
    assert plain["reasoning"] == {"summary": "auto", "context": "auto"}
    assert [loss.path for loss in losses] == ["effort"]


# ---- structured output ----


@pytest.mark.parametrize(
    "output,caps,sent_as",
    [
        (OutputFormat("text"), {}, None),
        (OutputFormat("json_object"), {}, {"type": "json_object"}),
        (OutputFormat("json_object"), {"structured_output": "none"}, None),
        (
            OutputFormat("json_schema", schema=SCHEMA),
            {},
            {
                "type": "json_schema",
                "name": "output",
                "schema": {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
                "strict": True,
            },
        ),
        (
            OutputFormat("json_schema", "n", Raw(b'{"type":"object"}'), True, "d"),
            {},
            {"type": "json_schema", "name": "n", "description": "d", "schema": {"type": "object"}, "strict": False},
        ),
        (OutputFormat("json_schema", schema=SCHEMA), {"structured_output": "json_object"}, {"type": "json_object"}),
        (OutputFormat("json_schema", schema=SCHEMA), {"structured_output": "none"}, None),
    ],
)
def test_a_foreign_format(output: OutputFormat, caps: Json, sent_as: Json | None) -> None:
    """As a format where the target has it, else in words."""
    given = written(caps, output=output)
    assert given.get("text", {}).get("format") == sent_as
    if output.kind == "json_schema" and caps:
        assert '"additionalProperties":false' in given["instructions"]
    elif output.kind == "json_object":
        assert "JSON" in given["instructions"]


def test_a_format_beside_tools() -> None:
    """In words, where the target takes only one of them."""
    given = written({"structured_with_tools": False}, output=OutputFormat("json_object"), tools=(FunctionTool("f"),))
    assert "text" not in given
    assert "JSON" in given["instructions"]


def test_an_own_format_for_who_does_not_take_it() -> None:
    """The rest of `text` stays."""
    request = parsed(body(OWN_USER, text={"format": {"type": "json_schema", "name": "n"}, "verbosity": "low"}))
    given = sent(request, replace(COMPATIBLE, structured_output="none"))[0]
    assert given["text"] == {"verbosity": "low"}
    assert "JSON schema" in given["instructions"]


def test_a_summary_has_no_format() -> None:
    """It is read by the next model."""
    request = parsed(body(OWN_USER, {"type": "compaction_trigger"}, text={"format": {"type": "json_object"}}))
    assert "text" not in sent(request, COMPATIBLE)[0]


# ---- people, caches, tiers ----


def test_who_asks() -> None:
    """A long id is nobody else's business."""
    assert written(user="u")["safety_identifier"] == "u"
    assert len(written(user="u" * 65)["safety_identifier"]) == 64
    assert lost({"user": False}, user="u") == ["user"]


def test_the_cache_key() -> None:
    """Where the target has one; only the own client misses it."""
    assert written(cache_key="k")["prompt_cache_key"] == "k"
    assert lost({"cache_key": False}, cache_key="k") == []
    request = parsed(body(OWN_USER, prompt_cache_key="k"))
    assert [loss.path for loss in sent(request, COMPATIBLE)[1]] == ["prompt_cache_key"]


def test_the_tier() -> None:
    """One that the target has."""
    assert written({"service_tiers": ("flex",)}, tier="flex")["service_tier"] == "flex"
    assert lost(tier="flex") == ["service_tier"]
    assert lost(tier="standard_only") == []
    assert sent(parsed(body(OWN_USER, service_tier="flex")), CODEX)[1] != ()


# ---- own requests for a target that takes only what all take ----


def test_members_that_not_all_know_are_left_out() -> None:
    """The ChatGPT backend refuses a request with any of them."""
    request = parsed(
        body(
            OWN_USER,
            truncation="auto",
            metadata={"a": "b"},
            top_logprobs=2,
            background=False,
            later=None,
            client_metadata={"x": "y"},
            include=["reasoning.encrypted_content"],
            max_output_tokens=9,
            temperature=1,
        )
    )
    given, losses = sent(request, CODEX)
    assert given.keys() == {"model", "input", "client_metadata", "include", "store"}
    assert sorted(loss.path for loss in losses) == [
        "max_tokens",
        "metadata",
        "temperature",
        "top_logprobs",
        "truncation",
    ]


def test_a_text_alone_becomes_a_list() -> None:
    """The ChatGPT backend refuses it otherwise."""
    assert sent(parsed({"model": "m", "input": "hi"}), CODEX)[0]["input"] == [{"role": "user", "content": "hi"}]
    assert sent(parsed({"model": "m", "input": "hi"}))[0]["input"] == "hi"


def test_who_keeps_nothing_is_told_to() -> None:
    """It refuses to store."""
    given, losses = sent(parsed(body(OWN_USER, store=True)), CODEX)
    assert given["store"] is False
    assert [loss.path for loss in losses] == ["store"]
    assert sent(parsed(body(OWN_USER)), CODEX)[0]["store"] is False
    assert "store" not in sent(parsed(body(OWN_USER)))[0]


def test_who_keeps_answers_is_told_which() -> None:
    """Though it takes only the members that all take."""
    given, losses = sent(parsed(body(OWN_USER, previous_response_id="x")), replace(COMPATIBLE, stateful=True))
    assert given["previous_response_id"] == "x"
    assert "store" not in given
    assert not losses


@pytest.mark.parametrize("key", ["previous_response_id", "conversation", "prompt"])
def test_who_keeps_nothing_cannot_go_on(key: str) -> None:
    """Leaving the id out would be a lie."""
    with pytest.raises(Unsupported) as caught:
        render_request(parsed(body(OWN_USER, **{key: "x"})), "m", CODEX)
    assert caught.value.param == key
    assert sent(parsed(body(OWN_USER, **{key: "x"})))[0][key] == "x"
