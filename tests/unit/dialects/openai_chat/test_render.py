"""Numbers, wishes and people of a request, as a target takes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.base import Capabilities
from strowger.dialects.openai_chat import DIALECT
from strowger.ir.request import Message, OutputFormat, Reasoning, Request, Sampling, Text
from tests.unit.dialects.openai_chat.talk import Json, losses, parsed, rendered

PLAIN = Capabilities(origin="here")


def asked(**members: Any) -> Request:
    """A request that came from Anthropic."""
    return Request("anthropic", "claude", (Message("user", (Text("hi"),)),), **members)


def sent(request: Request, **caps: Any) -> Json:
    body = rendered(request, replace(PLAIN, **caps))
    return {key: value for key, value in body.items() if key not in {"model", "messages"}}


def test_the_model_is_the_targets() -> None:
    """Not the one that was asked for."""
    body = DIALECT.upstream.render_request(asked(), "gpt", PLAIN).body
    assert json.loads(body)["model"] == "gpt"


def test_streams_ask_for_their_usage() -> None:
    """Where the member is known."""
    assert sent(asked(stream=True)) == {"stream": True, "stream_options": {"include_usage": True}}
    assert sent(asked(stream=True), stream_usage=False) == {"stream": True}
    assert sent(asked()) == {}


def test_stream_options_of_a_client_are_left_out_where_unknown() -> None:
    """With a loss that has no effect on the answer."""
    request = parsed(stream=True, stream_options={"include_usage": True})
    caps = replace(PLAIN, stream_usage=False)
    assert "stream_options" not in rendered(request, caps)
    assert losses(request, caps) == {"stream_options": "info"}


# ---- limits ----


def test_the_limit_has_the_targets_name() -> None:
    """Whatever the client's was."""
    assert sent(asked(max_tokens=9)) == {"max_tokens": 9}
    assert sent(parsed(max_completion_tokens=9)) == {"max_tokens": 9}
    assert sent(parsed(max_tokens=9), max_tokens_field="max_completion_tokens") == {"max_completion_tokens": 9}


def test_the_limit_is_kept_within_bounds() -> None:
    """A probe for one token and a wish for a million are both answered."""
    assert sent(asked(max_tokens=1), min_output_tokens=16) == {"max_tokens": 16}
    assert sent(asked(max_tokens=99), max_output_tokens=50) == {"max_tokens": 50}
    assert losses(asked(max_tokens=1), replace(PLAIN, min_output_tokens=16)) == {"max_tokens": "info"}


def test_sampling() -> None:
    """Clamped to the provider's range, dropped where the model has none."""
    request = asked(sampling=Sampling(1.5, 0.5, 7))
    assert sent(request) == {"temperature": 1.5, "top_p": 0.5, "top_k": 7}
    assert sent(request, temperature_max=1.0, top_k=False) == {"temperature": 1.0, "top_p": 0.5}
    assert losses(request, replace(PLAIN, temperature_max=1.0, top_k=False)) == {
        "temperature": "warning",
        "top_k": "warning",
    }
    assert sent(request, sampling=False) == {}


def test_stop_sequences() -> None:
    """What the target takes is sent; for the others the gateway watches itself, so nothing is lost."""
    request = asked(sampling=Sampling(stop=("a", "b", "c")))
    assert sent(request) == {"stop": ["a", "b", "c"]}
    assert sent(request, max_stop_sequences=1) == {"stop": ["a"]}
    assert sent(request, max_stop_sequences=0) == {}
    rendered = DIALECT.upstream.render_request(request, "m", replace(PLAIN, max_stop_sequences=1))
    assert (rendered.stop, rendered.losses) == (("b", "c"), ())


# ---- thinking ----


@pytest.mark.parametrize(
    "reasoning,caps,body",
    [
        # by a word
        (Reasoning(effort="high"), {"efforts": ("low", "high")}, {"reasoning_effort": "high"}),
        (Reasoning(effort="max"), {"efforts": ("low", "high")}, {"reasoning_effort": "high"}),
        (Reasoning(effort="minimal"), {"efforts": ("low", "high")}, {"reasoning_effort": "low"}),
        (Reasoning("enabled", 400), {"efforts": ("minimal", "low", "high")}, {"reasoning_effort": "minimal"}),
        (Reasoning("enabled", 1024), {"efforts": ("minimal", "low", "high")}, {"reasoning_effort": "low"}),
        (Reasoning("enabled", 8192), {"efforts": ("low", "medium", "high")}, {"reasoning_effort": "medium"}),
        (Reasoning("enabled", 24576), {"efforts": ("low", "medium", "high")}, {"reasoning_effort": "high"}),
        (Reasoning("enabled", 31999), {"efforts": ("low", "xhigh")}, {"reasoning_effort": "xhigh"}),
        (Reasoning("adaptive"), {"efforts": ("low", "high")}, {}),
        (Reasoning("disabled"), {"efforts": ("none", "low")}, {"reasoning_effort": "none"}),
        (Reasoning("disabled"), {"efforts": ("minimal", "low")}, {"reasoning_effort": "minimal"}),
        (Reasoning("disabled"), {}, {}),
        (Reasoning(effort="high"), {}, {}),
        (Reasoning(effort="galactic"), {"efforts": ("low",)}, {}),
        # by an object with a switch
        (Reasoning("adaptive"), {"thinking": "thinking"}, {"thinking": {"type": "enabled"}}),
        (Reasoning("disabled"), {"thinking": "thinking"}, {"thinking": {"type": "disabled"}}),
        (
            Reasoning("enabled", 31999),
            {"thinking": "thinking", "efforts": ("high", "max")},
            {"thinking": {"type": "enabled"}, "reasoning_effort": "max"},
        ),
        (Reasoning(effort="none"), {"thinking": "thinking"}, {"thinking": {"type": "disabled"}}),
        # the same with the effort in it
        (Reasoning("adaptive"), {"thinking": "thinking_effort"}, {"thinking": {"type": "enabled"}}),
        (Reasoning("disabled", effort="high"), {"thinking": "thinking_effort"}, {"thinking": {"type": "disabled"}}),
        (
            Reasoning(effort="xhigh"),
            {"thinking": "thinking_effort", "efforts": ("high", "max")},
            {"thinking": {"type": "enabled", "effort": "max"}},
        ),
        # OpenRouter's object
        (Reasoning("enabled", 2000), {"thinking": "reasoning"}, {"reasoning": {"max_tokens": 2000}}),
        (
            Reasoning("adaptive", effort="max"),
            {"thinking": "reasoning", "efforts": ("high",)},
            {"reasoning": {"effort": "high"}},
        ),
        (Reasoning("adaptive"), {"thinking": "reasoning"}, {"reasoning": {"enabled": True}}),
        (Reasoning("disabled"), {"thinking": "reasoning"}, {"reasoning": {"enabled": False}}),
        (
            Reasoning("adaptive", display="omitted"),
            {"thinking": "reasoning"},
            {"reasoning": {"enabled": True, "exclude": True}},
        ),
        # not at all
        (Reasoning("enabled", 5000), {"thinking": "none"}, {}),
    ],
)
def test_how_thinking_is_asked_for(reasoning: Reasoning, caps: Json, body: Json) -> None:
    """Switch, budget and effort in the target's own terms."""
    assert sent(asked(reasoning=reasoning), **caps) == body


def test_a_clients_own_spelling_is_turned_into_the_targets() -> None:
    """Within this dialect as well, with what else the object says where it is the same object."""
    assert sent(parsed(reasoning={"effort": "high"}), efforts=("high",)) == {"reasoning_effort": "high"}
    assert sent(parsed(thinking={"type": "enabled", "keep": "all"}), thinking="thinking") == {
        "thinking": {"type": "enabled", "keep": "all"}
    }
    assert sent(parsed(reasoning_effort="low"), thinking="reasoning") == {"reasoning": {"effort": "low"}}


def test_losses_of_effort() -> None:
    """A nearest word has no effect to speak of; thinking that cannot be switched off has."""
    caps = replace(PLAIN, efforts=("low", "high"))
    assert losses(asked(reasoning=Reasoning(effort="max")), caps) == {"effort": "info"}
    assert losses(asked(reasoning=Reasoning("disabled")), caps) == {"thinking": "warning"}
    assert losses(asked(reasoning=Reasoning(effort="odd")), caps) == {"effort": "warning"}
    assert losses(asked(reasoning=Reasoning("enabled", extras={"odd": Raw(b"1")})), caps) == {"thinking.odd": "warning"}


# ---- structured output ----

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
CLOSED = {**SCHEMA, "required": ["a"], "additionalProperties": False}


def shaped(schema: Json, **members: Any) -> Request:
    return asked(output=OutputFormat("json_schema", schema=Raw(json.dumps(schema).encode()), **members))


def test_a_foreign_schema_gets_a_name_and_is_strict_where_it_can_be() -> None:
    """A schema that breaks the rules of strict mode would be refused."""
    assert sent(shaped(CLOSED)) == {
        "response_format": {"type": "json_schema", "json_schema": {"name": "output", "schema": CLOSED, "strict": True}}
    }
    assert sent(shaped(SCHEMA))["response_format"]["json_schema"]["strict"] is False


def test_a_schema_is_told_in_words_where_it_has_no_member() -> None:
    """At the end of the system text, which is made if there is none."""
    request = replace(shaped(SCHEMA), system=(Text("be"),))
    for offered, member in (("json_object", {"response_format": {"type": "json_object"}}), ("none", {})):
        caps = replace(PLAIN, structured_output=offered)
        assert sent(request, structured_output=offered) == member
        assert losses(request, caps) == {"response_format": "warning"}
        first = rendered(request, caps)["messages"][0]
        assert first["content"].startswith("be\n\nAnswer with one JSON object")
        assert json.dumps(SCHEMA) in first["content"]
        assert rendered(shaped(SCHEMA), caps)["messages"][0]["role"] == "system"


def test_json_mode_without_a_member() -> None:
    """Also in words."""
    request = parsed(messages=[{"role": "user", "content": "hi"}], response_format={"type": "json_object"})
    body = rendered(request, replace(PLAIN, structured_output="none"))
    assert "response_format" not in body
    assert "JSON" in body["messages"][0]["content"]


# ---- the rest ----


def test_people() -> None:
    """Long user ids are packed with what is nobody else's business: only their hash goes out."""
    assert sent(asked(user="u")) == {"user": "u"}
    hidden = sent(asked(user="user_abc_account_def_session_" + "x" * 60))["user"]
    assert len(hidden) == 64
    assert "account" not in hidden
    assert sent(asked(user="u"), user=False) == {}


def test_cache_key_and_tier() -> None:
    """Only where they are known."""
    request = asked(cache_key="session", tier="standard_only")
    assert sent(request) == {}
    assert sent(request, cache_key=True, service_tiers=("default",)) == {
        "prompt_cache_key": "session",
        "service_tier": "default",
    }
    assert losses(asked(tier="priority"), PLAIN) == {"service_tier": "info"}
    assert losses(parsed(prompt_cache_key="k"), PLAIN) == {"prompt_cache_key": "info"}


def test_foreign_members_are_losses() -> None:
    """By their names."""
    request = asked(extras={"context_management": Raw(b'{"a":1}'), "container": Raw(b'"c"')})
    assert losses(request, PLAIN) == {"context_management": "info", "container": "warning"}


def test_members_of_this_dialect_that_we_do_not_know_pass() -> None:
    """It is for the upstream to say."""
    assert sent(parsed(seed=3, extra_body={"a": 1})) == {"seed": 3, "extra_body": {"a": 1}}


def test_penalties_belong_to_the_sampling() -> None:
    """A model with a fixed one refuses them, whoever asks; a seed is taken."""
    members = {"presence_penalty": 1, "frequency_penalty": 0.5, "seed": 7}
    fixed = replace(PLAIN, sampling=False)
    foreign = asked(extras={key: Raw(json.dumps(value).encode()) for key, value in members.items()})
    own = parsed(**members)
    for request in (foreign, own):
        assert members.items() <= rendered(request, PLAIN).items()
        body = rendered(request, fixed)
        assert {key: body.get(key) for key in members} == {
            "presence_penalty": None,
            "frequency_penalty": None,
            "seed": 7,
        }
        assert losses(request, fixed) == {"presence_penalty": "info", "frequency_penalty": "info"}
