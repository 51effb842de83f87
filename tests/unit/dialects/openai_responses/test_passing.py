"""Whether a body may go through untouched."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from strowger.dialects.base import Capabilities, Spot
from strowger.dialects.envelope import seal
from strowger.dialects.openai_responses.passing import passes
from strowger.dialects.openai_responses.wire import COMPACT, FAITHFUL
from strowger.ir.request import Signed
from tests.unit.dialects.openai_responses.asking import CODEX, COMPATIBLE, OPENAI, Json, body

USER = {"role": "user", "content": "hi"}


def ok(request: Json, caps: Capabilities, form: str = "") -> bool:
    return passes(json.dumps(request).encode(), caps, Spot(form=form))


def test_who_judges_itself_gets_everything() -> None:
    """But for envelopes, which are opened first."""
    odd = body(USER, later=1, max_output_tokens=1, previous_response_id="x")
    assert ok(odd, FAITHFUL)
    sealed = {"type": "reasoning", "summary": [], "encrypted_content": seal(Signed("a", "b", "c"))}
    assert not ok(body(sealed), FAITHFUL)


def test_a_plain_request_passes_everywhere() -> None:
    """With what Codex sends."""
    plain = body(USER, store=False, stream=True, include=["reasoning.encrypted_content"], parallel_tool_calls=True)
    for caps in (OPENAI, CODEX, COMPATIBLE):
        assert ok(plain, caps)


def test_a_server_that_keeps_answers_is_not_told_not_to() -> None:
    """What refers to them goes there."""
    keeping = replace(COMPATIBLE, stateful=True)
    assert ok(body(USER, previous_response_id="x"), keeping)
    assert ok(body(USER), keeping)
    assert not ok(body(USER, truncation="auto"), keeping)


@pytest.mark.parametrize(
    "request_,caps",
    [
        (body(USER, store=False, truncation="auto"), CODEX),
        (body(USER, store=True), CODEX),
        (body(USER), CODEX),
        ({"model": "m", "input": "hi", "store": False}, CODEX),
        (body({**USER, "id": "76f8b89e"}, store=False), CODEX),
        (body({"role": "system", "content": "x"}, store=False), CODEX),
        (body({"type": "compaction_trigger"}, store=False), COMPATIBLE),
        (body({"type": "local_shell_call", "call_id": "c"}, store=False), COMPATIBLE),
        (body(USER, store=False, tools=[{"type": "namespace"}]), COMPATIBLE),
        (body(USER, store=False, tools=[{"type": "custom", "name": "p"}]), COMPATIBLE),
        (body(USER, store=False, tools=[{"type": "web_search"}]), COMPATIBLE),
        (body(USER, store=False, tools=[{"type": "code_interpreter"}]), CODEX),
        (body(USER, store=False, tools=[{"type": "mcp"}]), CODEX),
        (body(USER, store=False, tools=[{"type": "image_generation"}]), CODEX),
        (body(USER, store=False, reasoning={"effort": "max"}), CODEX),
        (body(USER, store=False, reasoning={"summary": "auto"}), replace(CODEX, summaries=False)),
        (body(USER, store=False, service_tier="priority"), CODEX),
        (body(USER, store=False, prompt_cache_key="k"), COMPATIBLE),
        (body(USER, max_output_tokens=5), replace(OPENAI, min_output_tokens=16)),
        (body(USER, max_output_tokens=500), replace(OPENAI, max_output_tokens=100)),
        (body(USER, temperature=1), replace(OPENAI, sampling=False)),
        (body(USER, previous_response_id="x"), replace(OPENAI, stateful=False)),
        (body(USER, tools=[{"name": "n" * 65}]), OPENAI),
        (body({"role": "user", "content": [{"type": "input_image"}]}), replace(OPENAI, images=False)),
    ],
)
def test_what_has_to_be_looked_at(request_: Json, caps: Capabilities) -> None:
    """Something in it is not taken."""
    assert not ok(request_, caps)


def test_where_there_are_only_streams() -> None:
    """A body that asks for another answer is made to ask for one."""
    streaming = replace(CODEX, whole_answers=False)
    assert ok(body(USER, store=False, stream=True), streaming)
    assert not ok(body(USER, store=False, stream=False), streaming)
    assert not ok(body(USER, store=False), streaming)
    assert ok(body(USER, store=False), CODEX)


def test_the_endpoint_of_compaction_is_the_vendors() -> None:
    """Others are asked in words."""
    assert ok({"model": "m", "input": []}, CODEX, COMPACT)
    assert not ok({"model": "m", "input": [], "store": False}, COMPATIBLE, COMPACT)


@pytest.mark.parametrize("broken", [b"", b"[]", b"\xff", b'{"model":'])
def test_a_broken_body_is_left_to_the_parser(broken: bytes) -> None:
    """It says what is wrong."""
    assert not passes(broken, COMPATIBLE)


@pytest.mark.parametrize("identity", ["fco_01a1fc69", "ctco_1", "rs_1"])
def test_ids_that_clients_give_to_results_pass(identity: str) -> None:
    """Codex gives them, to the ChatGPT backend too."""
    result = {"type": "function_call_output", "id": identity, "call_id": "c", "output": "x"}
    assert ok(body(USER, result, store=False), CODEX)
