"""Which bodies may pass untouched."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from strowger.dialects.anthropic import DIALECT, FAITHFUL
from strowger.dialects.base import NOWHERE, Capabilities
from strowger.dialects.envelope import seal
from strowger.ir.request import Signed
from tests.unit.dialects.anthropic.transcripts import USER, dumps

ATTRIBUTION = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329.abc;"}
PLAIN = replace(FAITHFUL, origin="somebody", thinking_replay="signed")
CACHED = {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}


def _passes(caps: Capabilities, **members: Any) -> bool:
    body = dumps({"model": "m", "messages": [USER], **members})
    found = DIALECT.upstream.passes(body, caps)
    peek = DIALECT.client.peek(body)
    assert DIALECT.upstream.passes(body, caps, NOWHERE, peek) is found, "a look at its bytes and the peek say the same"
    trimmed = DIALECT.upstream.trim(body, PLAIN)
    assert DIALECT.upstream.trim(body, PLAIN, peek) == trimmed
    return found


def _user(*blocks: Any) -> list[Any]:
    return [{"role": "user", "content": list(blocks)}]


def _assistant(*blocks: Any) -> list[Any]:
    return [USER, {"role": "assistant", "content": list(blocks)}, USER]


IMAGE = {"type": "image", "source": {"type": "url", "url": "https://x"}}


@pytest.mark.parametrize(
    "missing, members",
    [
        ({"mid_system": False}, {"messages": [USER, {"role": "system", "content": "now"}]}),
        ({"images": False}, {"messages": _user(IMAGE)}),
        ({"image_urls": False}, {"messages": _user(IMAGE)}),
        ({"documents": False}, {"messages": _user({"type": "document", "source": {}})}),
        ({"betas": False}, {"context_management": {"edits": []}}),
        ({"betas": False}, {"output_config": {"task_budget": {}}}),
        ({"hosted_tools": False}, {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        ({"cache_hints": False}, {"messages": [CACHED]}),
        ({"thinking": "none"}, {"thinking": {"type": "disabled"}}),
        ({"thinking": "budget"}, {"thinking": {"type": "adaptive"}}),
        ({"thinking": "adaptive"}, {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
        ({"efforts": ("low", "high")}, {"output_config": {"effort": "max"}}),
        ({"sampling": False}, {"temperature": 1}),
        ({"top_k": False}, {"top_k": 3}),
        ({"tools": False}, {"tools": [{"name": "f", "input_schema": {}}]}),
        ({"strict_tools": False}, {"tools": [{"name": "f", "strict": True}]}),
        ({"tool_choice": False}, {"tool_choice": {"type": "any"}}),
        ({"parallel_switch": False}, {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}}),
        ({"structured_output": "none"}, {"output_config": {"format": {"type": "json_schema", "schema": {}}}}),
        ({"max_tool_name": 64}, {"tools": [{"name": "x" * 65}]}),
        ({"max_output_tokens": 8192}, {"max_tokens": 8193}),
        ({"prefill": False}, {"messages": [USER, {"role": "assistant", "content": "The answer"}]}),
    ],
    ids=str,
)
def test_what_an_upstream_does_not_take_must_be_translated(missing: dict[str, Any], members: dict[str, Any]) -> None:
    """The same body passes where it is taken."""
    assert _passes(FAITHFUL, **members)
    assert not _passes(replace(FAITHFUL, **missing), **members)
    assert _passes(replace(FAITHFUL, **missing))


def test_spaces_do_not_matter() -> None:
    """Clients write JSON as they like."""
    body = json.dumps({"model": "m", "thinking": {"type": "adaptive"}}, indent=1).encode()
    assert not DIALECT.upstream.passes(body, replace(FAITHFUL, thinking="budget"))


def test_foreign_state_must_be_translated() -> None:
    """An envelope of ours is for its issuer only; a signature of Anthropic's is for Anthropic only."""
    sealed = seal(Signed("moonshot", "openai_chat:reasoning", ""))
    assert not _passes(FAITHFUL, messages=_assistant({"type": "thinking", "thinking": "hm", "signature": sealed}))
    signed = _assistant({"type": "thinking", "thinking": "hm", "signature": "c2ln"})
    assert _passes(FAITHFUL, messages=signed)
    assert not _passes(PLAIN, messages=signed)
    assert _passes(replace(PLAIN, thinking_replay="any"), messages=signed)
    assert not _passes(PLAIN, messages=_assistant({"type": "redacted_thinking", "data": "x"}))


def test_foreign_ids_must_be_translated() -> None:
    """After a turn on another provider the history holds ids that Anthropic refuses."""
    assert not _passes(FAITHFUL, messages=_user({"type": "tool_result", "tool_use_id": "functions.ls:0"}))
    assert _passes(FAITHFUL, messages=_user({"type": "tool_result", "tool_use_id": "toolu_01-A"}))
    assert _passes(FAITHFUL, metadata={"user_id": '{"device_id":"a"}'})


def test_a_vendor_that_judges_itself_gets_the_clients_words() -> None:
    """Its refusals are what clients act upon; only what is not its own must be taken out."""
    vendor = replace(FAITHFUL, thinking="adaptive", judges_itself=True)
    assert _passes(vendor, thinking={"type": "enabled", "budget_tokens": 2000})
    assert not _passes(vendor, messages=_user({"type": "tool_result", "tool_use_id": "functions.ls:0"}))


def test_the_attribution_is_trimmed_elsewhere() -> None:
    """Every other byte stays, so that caches and signatures hold."""
    body = dumps({"model": "m", "system": [ATTRIBUTION, {"type": "text", "text": "b  é"}], "messages": [USER]})
    assert DIALECT.upstream.trim(body, FAITHFUL) is body
    trimmed = DIALECT.upstream.trim(body, replace(FAITHFUL, attribution=False))
    assert trimmed == body.replace(dumps(ATTRIBUTION) + b",", b"")


@pytest.mark.parametrize(
    "body",
    [
        {"system": "x-anthropic-billing-header: as one text", "messages": []},
        {"system": [{"type": "text", "text": "a"}], "messages": [{"content": "x-anthropic-billing-header: quoted"}]},
        {"messages": [{"content": "x-anthropic-billing-header: quoted"}]},
        {"system": [5], "x": "x-anthropic-billing-header:"},
    ],
)
def test_what_only_speaks_of_it_stays(body: dict[str, Any]) -> None:
    """Words in a conversation are the conversation's."""
    data = dumps(body)
    assert DIALECT.upstream.trim(data, replace(FAITHFUL, attribution=False)) is data


def test_a_tool_that_ran_elsewhere_does_not_pass() -> None:
    """Its call and its result have to be left out, also where the result holds no envelope."""
    call = {"type": "server_tool_use", "id": "srvtoolu_strowger_1", "name": "web_search", "input": {}}
    assert not _passes(FAITHFUL, messages=_assistant(call))
    assert not _passes(replace(FAITHFUL, judges_itself=True), messages=_assistant(call))


def test_thinking_that_nobody_signed_does_not_pass() -> None:
    """Gemini signs calls, not thoughts: such a thought comes back with an empty signature, which Anthropic refuses."""
    vendor = replace(FAITHFUL, thinking_replay="signed", judges_itself=True)
    unsigned = _assistant({"type": "thinking", "thinking": "hm", "signature": ""})
    assert not _passes(vendor, messages=unsigned)
    assert _passes(replace(vendor, thinking_replay="any"), messages=unsigned)
    assert _passes(vendor, messages=_assistant({"type": "thinking", "thinking": "hm", "signature": "c2ln"}))
