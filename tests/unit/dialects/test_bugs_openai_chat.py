"""Bugs that gateways like this one had, each named for what a user saw; the Chat side of them.

Streams are shown by what the other dialect needs of them: parts in order, one open at a time, one end.
"""

from __future__ import annotations

import json

import pytest
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects import envelope
from strowger.dialects.base import Capabilities
from strowger.dialects.openai_chat import DIALECT
from strowger.errors import ErrorKind, Refused
from strowger.ir.events import (
    ArgumentsDelta,
    Failure,
    Finish,
    PartStart,
    Start,
    StopReason,
    Usage,
    UsageUpdate,
)
from strowger.ir.request import (
    FunctionTool,
    HostedTool,
    Message,
    Request,
    Signed,
    Text,
    Thinking,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from tests.unit.dialects.openai_chat.talk import (
    DONE,
    answer,
    call,
    calls,
    chunk,
    client,
    data,
    encoded,
    events,
    losses,
    parsed,
    rendered,
    say,
    setup,
    text,
    thinking,
)

PLAIN = Capabilities(origin="here")
STOP = chunk(finish="stop")


def starts(*wire: bytes) -> list[tuple[int, str]]:
    """Index and kind of every part of a stream."""
    return [(e.index, type(e.part).__name__) for e in events(*wire) if isinstance(e, PartStart)]


def test_text_after_a_tool_opens_a_new_part() -> None:
    """It was glued to the text before the tool."""
    assert starts(say("a"), call(0, "{}", id="1", name="f"), say("b"), STOP) == [
        (0, "Text"),
        (1, "ToolCall"),
        (2, "Text"),
    ]


def test_a_second_stretch_of_thinking_is_a_part_of_its_own() -> None:
    """It was lost, or crashed the client; and there is one start however often the role comes."""
    think = chunk({"reasoning_content": "hm", "role": "assistant"})
    wire = (think, say("a"), think, say("b"), STOP)
    assert starts(*wire) == [(0, "Thinking"), (1, "Text"), (2, "Thinking"), (3, "Text")]
    assert sum(isinstance(event, Start) for event in events(*wire)) == 1


def test_parts_are_counted_by_us() -> None:
    """The upstream's own numbers start anywhere and skip."""
    assert starts(say("a"), call(7, "{}", id="1", name="f"), call(3, "{}", id="2", name="g"), STOP) == [
        (0, "Text"),
        (1, "ToolCall"),
        (2, "ToolCall"),
    ]


def test_interleaved_arguments_are_not_mixed() -> None:
    """Of three calls at once, each keeps its own."""
    begun = [call(i, "", id=str(i), name=f"f{i}") for i in range(3)]
    pieces = [call(i, piece) for piece in ('{"n"', ":", "%d}") for i in range(3)]
    wire = [*begun, *(piece.replace(b"%d", b"1") for piece in pieces), chunk(finish="tool_calls")]
    assert calls(answer(*wire)) == [(str(i), f"f{i}", '{"n":1}') for i in range(3)]


def test_the_first_of_parallel_calls_streams_at_once() -> None:
    """Only those behind it wait."""
    told = events(call(0, '{"a"', id="1", name="f"), call(1, '{"b"', id="2", name="g"), call(0, ":1}"), DONE)
    pieces = [event.text for event in told if isinstance(event, ArgumentsDelta) and event.index == 0]
    assert pieces == ['{"a"', ":1}"]


def test_a_stream_that_is_cut_is_never_an_answer() -> None:
    """Half an answer was taken for a whole one."""
    for wire in ([say("a")], [call(0, '{"a":1}', id="1", name="f")], [chunk({"reasoning": "hm"})]):
        told = events(*wire)
        assert isinstance(told[-1], Failure)
        assert not any(isinstance(event, Finish) for event in told)


def test_an_upstream_that_says_nothing_does_not_end_what_never_began() -> None:
    """The client was sent an end without a start."""
    assert [type(event) for event in events(DONE)] == [Failure]


def test_an_error_while_a_part_is_open_ends_everything() -> None:
    """Nothing follows it, whatever the upstream sends."""
    told = events(call(0, '{"a', id="1", name="f"), data({"error": {"message": "boom"}}), say("more"), DONE)
    assert isinstance(told[-1], Failure)


def test_calls_count_more_than_the_reason() -> None:
    """Servers say `stop`, an empty string or nothing beside tool calls, and agents stopped working."""
    for word in ("stop", "", "eos", None):
        told = answer(call(0, "{}", id="1", name="f"), chunk(finish=word), DONE)
        assert told.finish.reason is StopReason.TOOL_USE


def test_a_limit_is_not_a_completed_answer() -> None:
    """A cut call stays as it came, and is not called whole."""
    told = answer(call(0, '{"path":"/et', id="1", name="f"), chunk(finish="length"))
    assert told.finish.reason is StopReason.MAX_TOKENS
    assert calls(told)[0][2] == '{"path":"/et'


def test_chunks_without_choices_do_not_end_the_stream() -> None:
    """Azure's filter, heartbeats and the usage come so."""
    empty = data({"id": "", "choices": [], "prompt_filter_results": []})
    assert text(answer(empty, say("a"), empty, say("b"), STOP, empty, DONE)) == "ab"


def test_cached_tokens_are_counted_once() -> None:
    """They are part of the prompt on this side, in both directions."""
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 8}}
    told = answer(say("a"), chunk(finish="stop", usage=usage))
    assert (told.usage.input, told.usage.cache_read) == (10, 8)
    chunks, _ = encoded([Start("anthropic", "1", "m"), UsageUpdate(Usage(10, 2, 8)), Finish(StopReason.END)])
    assert chunks[-2]["usage"]["prompt_tokens"] == 10
    assert chunks[-2]["usage"]["total_tokens"] == 12


def test_a_foreign_signature_is_never_replayed() -> None:
    """It was refused as invalid; its words may go, where words are taken."""
    thought = Thinking("hm", Signed("anthropic", "anthropic:signature", "c2lnbmF0dXJl"))
    request = Request("anthropic", "m", (Message("assistant", (thought, Text("a"))),))
    for field in ("", "reasoning_content", "reasoning", "reasoning_details"):
        body = json.dumps(rendered(request, replace(PLAIN, thinking_replay=field)))
        assert "c2lnbmF0dXJl" not in body
        assert envelope.PREFIX not in body


def test_a_signature_is_never_made_up() -> None:
    """Thinking without one gets none of the vendor's; ours says only whose it was."""
    told = events(chunk({"reasoning": "hm"}), say("a"), STOP, origin="deepseek")
    signed = [event.signed for event in told if hasattr(event, "signed")]
    assert signed == [Signed("deepseek", "openai_chat:reasoning", "")]
    unknown = events(chunk({"reasoning": "hm"}), say("a"), STOP)
    assert not [event for event in unknown if hasattr(event, "signed")]


def test_system_messages_in_between_stay_in_their_place() -> None:
    """Moved to the top they lost their meaning and the prompt cache; and all of them are kept."""
    roles = ["system", "user", "system", "assistant", "system", "user"]
    body = [{"role": role, "content": f"{i}"} for i, role in enumerate(roles)]
    sent = rendered(parsed(messages=body), PLAIN)["messages"]
    assert sent == body


def test_results_and_calls_are_always_paired() -> None:
    """Compaction tears them apart, and the upstream refuses the rest."""
    history = (
        Message("user", (ToolResult("gone", (Text("old"),)),)),
        Message("assistant", (ToolCall("1", "f", "{}"), ToolCall("2", "g", "{}"))),
        Message("user", (ToolResult("2", (Text("two"),)), Text("so?"))),
    )
    sent = rendered(Request("anthropic", "m", history), PLAIN)["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool", "user"]
    assert {message["tool_call_id"] for message in sent if message["role"] == "tool"} == {"1", "2"}


def test_long_tool_names_come_back_as_they_were() -> None:
    """MCP servers have long names, and a model's call must reach the right tool."""
    name = "mcp__a_server_with_a_long_name__" + "x" * 60
    drawn = DIALECT.upstream.render_request(Request("anthropic", "m", tools=(FunctionTool(name),)), "m", PLAIN)
    (short,) = drawn.names
    assert len(short) <= 64
    assert calls(answer(call(0, "{}", id="1", name=short), STOP, **{short: name}))[0][1] == name


def test_a_heartbeat_does_not_disturb_strict_clients() -> None:
    """A comment stands alone, between events."""
    assert DIALECT.client.encoder(client()).heartbeat().endswith(b"\n\n")


def test_an_error_of_the_same_dialect_keeps_its_words() -> None:
    """Clients act upon wording; a wrapped error cannot be acted upon."""
    body = b'{"error":{"message":"This model\'s maximum context length is 8 tokens","code":"context_length_exceeded"}}'
    error = DIALECT.upstream.parse_error(400, {}, body)
    assert error.kind is ErrorKind.CONTEXT_OVERFLOW
    assert DIALECT.client.render_error(error).body == body


def test_a_server_tool_without_a_schema_does_not_crash() -> None:
    """Nor does forcing it; both are told."""
    tool = HostedTool("anthropic", "web_search_20250305", "web_search", Raw(b'{"type":"web_search_20250305"}'))
    request = Request("anthropic", "m", tools=(tool,), tool_choice=ToolChoice("tool", "web_search"))
    assert "tools" not in rendered(request, PLAIN)
    assert losses(request, PLAIN) == {"tools[0]": "error", "tool_choice": "warning"}


def test_every_chunk_has_the_members_that_clients_read() -> None:
    """A client crashed on a member that was not there."""
    chunks, _ = encoded([Start("anthropic", "", ""), Finish(StopReason.END)])
    for each in chunks[:-1]:
        assert each["id"].startswith("chatcmpl-")
        assert (each["object"], each["model"], type(each["created"])) == ("chat.completion.chunk", "asked", int)


def test_a_probe_for_one_token_meets_the_providers_minimum() -> None:
    """Clients test a key with it."""
    request = Request("anthropic", "m", max_tokens=1)
    assert rendered(request, replace(PLAIN, min_output_tokens=16))["max_tokens"] == 16


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_characters_and_line_ends_may_be_cut_anywhere(end: bytes) -> None:
    """Half a character, half a line end."""
    wire = say("漢").replace(b"\\u6f22", "漢".encode()).replace(b"\n\n", end) + STOP.replace(b"\n\n", end)
    assert all(text(answer(wire[:at], wire[at:])) == "漢" for at in range(len(wire)))


def test_a_filter_in_mid_stream_is_a_refusal() -> None:
    """It looked like an empty success."""
    assert answer(say("I"), chunk(finish="content_filter")).finish.reason is StopReason.REFUSAL


@pytest.mark.parametrize(
    "pieces",
    [
        ['{"a":1}', '{"a":1}'],  # the whole again at the end
        ['{"a', '{"a":', '{"a":1}'],  # snapshots that grow
        ["{", '{"a":1', '{"a":1}'],
    ],
)
def test_arguments_sent_as_snapshots_are_not_doubled(pieces: list[str]) -> None:
    """Only what is new is told."""
    wire = [call(0, "", id="1", name="f"), *(call(0, piece) for piece in pieces), chunk(finish="tool_calls")]
    assert calls(answer(*wire))[0][2] == '{"a":1}'


@pytest.mark.parametrize(
    "pieces", [['{"a":', '{"a":1}}'], ['{"a":[', '{"a":[]}]}'], ['{"a":"', '{"', '"}'], ["[", "[1]]"]]
)
def test_arguments_that_look_like_snapshots_are_not_cut(pieces: list[str]) -> None:
    """An object may hold one that begins alike."""
    wire = [call(0, "", id="1", name="f"), *(call(0, piece) for piece in pieces), chunk(finish="tool_calls")]
    assert calls(answer(*wire))[0][2] == "".join(pieces)


@pytest.mark.parametrize(
    "wire",
    [
        [chunk({"reasoning_content": "h"}), chunk({"reasoning_content": "m"})],
        [chunk({"reasoning": "h"}), chunk({"reasoning": "m"})],
        [chunk({"reasoning_details": [{"type": "reasoning.text", "text": piece, "index": 0}]}) for piece in "hm"],
        [say("<thi"), say("nk>h"), say("m</thin"), say("k>\n")],
        [chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": piece}]}]}) for piece in "hm"],
    ],
)
def test_thinking_in_every_spelling_is_one_part(wire: list[bytes]) -> None:
    """And the answer behind it is not thinking."""
    told = answer(*wire, say("a"), STOP)
    assert (thinking(told), text(told)) == ("hm", "a")
    assert len(told.parts) == 2


def test_an_error_with_status_200_is_an_error() -> None:
    """As the body, or as the first event: both come before any content, so another upstream can be tried."""
    body = b'{"error":{"message":"busy","code":503}}'
    (only,) = DIALECT.upstream.decode_response(body, setup())
    assert isinstance(only, Failure)
    assert only.kind is ErrorKind.OVERLOADED
    assert [type(event) for event in events(b"data: " + body + b"\n\n")] == [Failure]
    assert [type(event) for event in events(body)] == [Failure]


def test_a_rate_limit_is_not_an_overflow() -> None:
    """A client that compacts because of it loses its history for nothing."""
    told = "Request too large for gpt on tokens per min (TPM): Limit 10, Requested 20. Please try again in 2s"
    body = {"error": {"message": told, "code": "rate_limit_exceeded"}}
    error = DIALECT.upstream.parse_error(429, {}, json.dumps(body).encode())
    assert isinstance(error, Refused)
    assert (error.kind, error.retry_after) == (ErrorKind.RATE_LIMITED, 2.0)
