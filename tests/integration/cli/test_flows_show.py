"""`strowger flows show`."""

from __future__ import annotations

import json

import msgspec
import pytest

from strowger.answers import MessageHead
from tests.integration.cli.conftest import SECRET, Flows


def test_an_overview_tells_what_happened_and_what_is_kept(flows: Flows) -> None:
    """In words; each attempt and each message has its line."""
    code, out, _ = flows("show", "0000000000000002")
    assert code == 0
    assert out.startswith("flow_0000000000000002  POST /v1/messages\n")
    assert "  outcome        failed 503\n  error          it has no room (overloaded)\n" in out
    assert "  tried          p:big  529  100 ms\n                 p:big  503  100 ms\n" in out
    assert "  lost           tools[0]: no such tool (warning)\n" in out
    assert "  kept           the client's request: " in out
    assert "the provider's answer 1: 16 B\n" in out


def test_the_one_before_the_last_and_none_before_the_first(flows: Flows) -> None:
    """What is not there is named as it was asked for."""
    assert flows("show", "last-1")[1] != flows("show", "last")[1]
    code, _, err = flows("show", "last-99")
    assert (code, "there is no flow last-99" in err) == (1, True)


def test_messages_are_printed_readably_or_as_they_were(flows: Flows) -> None:
    """JSON stays JSON, on many lines; --raw is byte for byte; of several attempts the last, or that with the number."""
    code, out, _ = flows("show", "0000000000000001", "--body", "client")
    assert code == 0
    assert out.startswith('{\n  "model": "opus",\n')
    raw = flows("show", "0000000000000001", "--body", "client", "--raw")[1]
    assert json.loads(raw) == json.loads(out)
    assert "\n" not in raw
    assert flows("show", "0000000000000001", "--body", "answer")[1].startswith("event: message_start\ndata: {")
    assert flows("show", "0000000000000002", "--body", "upstream", "--number", "0", "--raw")[1] == '{"error":"busy"}'
    code, out, err = flows("show", "--body", "upstream", "--number", "7")
    assert (code, out) == (1, "")
    assert "the provider's answer has no number 7; the last one is 0\n" in err
    assert flows("show", "--raw")[0] == 2


def test_events_have_their_times(flows: Flows) -> None:
    """When each came, how long after the one before, and what is new in it."""
    lines = flows("show", "--events")[1].splitlines()
    assert len(lines) == 7
    assert [line.split()[4] for line in lines[:2]] == ["message_start", "content_block_start"]
    first, second = (float(line.split()[0]) for line in lines[:2])
    assert lines[1].split()[2] == f"+{(second - first) * 1000:.0f}"
    assert lines[4].endswith("content_block_stop   {}")


def test_heads_are_printed_without_what_is_secret(flows: Flows) -> None:
    """Of every message, with its line; as JSON they are as the admin API tells them, with the moments of the pieces."""
    out = flows("show", "0000000000000002", "--headers")[1]
    assert out.count("X-Api-Key:     ***") == 3
    assert SECRET not in out
    messages = json.loads(flows("show", "--json")[1])["messages"]
    assert [message["kind"] for message in messages] == [
        "client_request",
        "forwarded",
        "upstream_response",
        "client_response",
    ]
    answer = msgspec.convert(messages[2], MessageHead, strict=False)
    assert answer.size == answer.kept == sum(size for _, size in answer.pieces)
    assert (len(answer.pieces), answer.pieces[0][0]) == (7, answer.first_ms)


def test_what_was_said_is_read_in_turns(flows: Flows) -> None:
    """Whatever the dialect; what failed says why, instead of an answer."""
    code, out, _ = flows("show", "0000000000000001", "--text")
    assert code == 0
    assert out.startswith("── user ──")
    assert "How late is it?\nI am in" in out
    assert out.partition("── answer ──")[2].endswith(f"\nIt is {SECRET} o'clock.\n\n")
    assert flows("show", "0000000000000002", "--text")[1].endswith("\n\nit failed: it has no room\n")


@pytest.mark.parametrize("options", [("--text", "--json"), ("--body", "client", "--text"), ("--events", "--raw")])
def test_one_thing_is_shown_at_a_time(flows: Flows, options: tuple[str, ...]) -> None:
    """What would be passed over in silence is refused."""
    code, out, err = flows("show", *(("--body", "client") if "--raw" in options else ()), *options)
    assert (code, out) == (2, "")
    assert "do not go together" in err
    assert flows("show", "--body", "client", "--events")[0] == 0
