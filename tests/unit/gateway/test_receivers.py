"""What a client gets for what an upstream sent, on both lanes, without a socket."""

from __future__ import annotations

import json

import pytest

from strowger.config.references import Secret
from strowger.errors import ErrorKind, Refused, Truncated
from strowger.flows.flow import Flow
from strowger.gateway.origins import Origins
from strowger.gateway.receivers import Passing, Watch
from strowger.gateway.sending import mask
from tests.conformance.lanes import (
    DIALECTS,
    decoder_setup,
    encoder_setup,
    restreamed,
    translated,
    translated_whole,
)

ERROR = b'{"error":{"message":"no such deployment","type":"invalid_request_error","code":404}}'
ANSWER = b'{"id":"1","model":"m","choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}'


def test_an_error_body_is_no_stream() -> None:
    """An error under a status of success, where a stream was asked for, becomes an error with a status."""
    with pytest.raises(Refused, match="no such deployment") as caught:
        restreamed("openai_chat", ERROR)
    assert caught.value.body == ERROR


def test_an_error_body_is_no_answer() -> None:
    """An error under a status of success, where a body was asked for, is an error too."""
    with pytest.raises(Refused, match="no such deployment"):
        translated_whole("openai_chat", ERROR)


def test_a_body_for_a_client_that_streams() -> None:
    """A server that does not stream although it was asked to: its client gets a stream all the same."""
    delivered = restreamed("openai_chat", ANSWER)
    assert delivered.body.startswith(b"event: message_start\n")
    assert delivered.body.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    assert b'"text":"Hi"' in delivered.body


def test_a_cut_stream_says_so() -> None:
    """A stream that stops in the middle ends in an error event for the client, which is told nothing after it."""
    chunk = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"Hal"}}]}\n\n'
    delivered = translated("openai_chat", [chunk])
    failure = delivered.receiver.watch.failure
    assert failure is not None
    assert (failure.kind, failure.code) == (ErrorKind.UPSTREAM, "truncated")
    assert delivered.body.count(b"event: error\n") == 1
    assert b"message_stop" not in delivered.body
    assert delivered.receiver.done


FIRST = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"Hal"}}]}\n\n'


def test_counts_that_cannot_be_are_not_believed() -> None:
    """A provider's negative count would lower what is held against a budget, a huge one fits into no file."""
    usage = {"prompt_tokens": -5, "completion_tokens": 10**30, "prompt_tokens_details": {"cached_tokens": 3}}
    answer = {"id": "1", "model": "m" * 1000, "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}
    delivered = translated_whole("openai_chat", json.dumps({**answer, "usage": usage}).encode())
    flow = delivered.receiver.watch.flow
    assert (flow.usage.input, flow.usage.output, flow.usage.cache_read) == (None, None, 3)
    assert len(flow.response_model) == 200


def passing(*secrets: str) -> Passing:
    """A verbatim lane of the Chat dialect that knows these secrets."""
    watch = Watch(Flow("flow_test", 0, 0.0, "POST", "/", "openai_chat"), Origins(), mask(map(Secret, secrets)))
    return Passing(DIALECTS["openai_chat"], decoder_setup(), encoder_setup, watch)


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_bytes_pass_an_event_at_a_time(end: bytes) -> None:
    """However an event ends, and wherever the bytes are cut: what is out is whole events."""
    lane = passing()
    body = 3 * (FIRST.rstrip() + end)
    out = b""
    for number in range(len(body)):
        out += lane.feed(body[number : number + 1])
        assert out in (b"", body[: len(body) // 3], body[: 2 * len(body) // 3], body)
    assert out == body


def test_a_break_is_told_of_the_answer_that_broke() -> None:
    """By its id and its time: a client that keeps answers by their id must not take it for another one."""
    watch = Watch(Flow("flow_test", 0, 0.0, "POST", "/", "openai_responses"), Origins(), mask(()))
    lane = Passing(DIALECTS["openai_responses"], decoder_setup(), encoder_setup, watch)
    head = {"id": "resp_7", "object": "response", "created_at": 5, "status": "in_progress", "model": "m", "output": []}
    begun = {"type": "response.created", "sequence_number": 0, "response": head}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
    added = {"type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": item}
    part = {"type": "response.content_part.added", "item_id": "msg_1", "output_index": 0, "content_index": 0}
    part |= {"sequence_number": 2, "part": {"type": "output_text", "text": "", "annotations": []}}
    for event in (begun, added, part):
        lane.feed(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
    told = json.loads(lane.close(Truncated("gone")).split(b"data: ")[1])
    assert told["type"] == "response.failed"
    assert {key: told["response"][key] for key in head} == {**head, "status": "failed"}


def test_an_error_that_is_seen_at_the_end_only_is_the_last_word() -> None:
    """An upstream's own error without a frame is known for one when nothing follows: nothing is added to it."""
    watch = Watch(Flow("flow_test", 0, 0.0, "POST", "/", "gemini"), Origins(), mask([Secret("sk-very-secret")]))
    lane = Passing(DIALECTS["gemini"], decoder_setup(), encoder_setup, watch)
    said = b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]}}]}\n\n'
    error = b'{\n  "error": {\n    "code": 499,\n    "message": "gone, sk-very-secret",\n    "status": "GONE"\n  }\n}\n'
    assert lane.feed(said + error) + lane.close(None) == said + error.replace(b"sk-very-secret", b"***")
    assert watch.failure is not None
    assert watch.failure.message == "gone, ***"


def test_a_key_in_an_error_event_is_masked_wherever_the_event_is_cut() -> None:
    """Half of it came with the bytes before."""
    event = b'data: {"error":{"message":"bad key sk-very-secret","type":"x"}}\n\n'
    for cut in range(len(event)):
        lane = passing("sk-very-secret")
        out = lane.feed(FIRST) + lane.feed(event[:cut]) + lane.feed(event[cut:]) + lane.close(None)
        assert out == FIRST + event.replace(b"sk-very-secret", b"***")
        assert lane.watch.failure is not None
        assert "secret" not in lane.watch.failure.message


def test_a_break_is_told_also_where_we_gave_up_reading() -> None:
    """An event that we could not read, then a cut: the client must still hear of the cut."""
    lane = passing()
    odd = b'data: {"odd\n\n'
    assert lane.feed(odd) == odd
    assert b"it broke" in lane.close(Truncated("it broke"))


SPOKEN = {
    "anthropic": [
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message",'
        b'"role":"assistant","model":"m","content":[],"usage":{"input_tokens":9,"output_tokens":1}}}\n\n',
        b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
        b'"content_block":{"type":"thinking","thinking":"","signature":""}}\n\n',
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"thinking_delta","thinking":"hm"}}\n\n',
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"signature_delta","signature":"c2lnbmVkLWJ5LW9uZQ=="}}\n\n',
        b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
        b'event: content_block_start\ndata: {"type":"content_block_start","index":1,'
        b'"content_block":{"type":"text","text":""}}\n\n',
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,'
        b'"delta":{"type":"text_delta","text":"say \\"error\\" and \\"usage\\""}}\n\n',
        b'event: content_block_stop\ndata: {"type":"content_block_stop","index":1}\n\n',
        b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
        b'"usage":{"output_tokens":7}}\n\n',
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    ],
    "openai_chat": [
        b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
        b'"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n',
        b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"say \\"error\\""},"finish_reason":null}]}\n\n',
        b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}],"usage":null}\n\n',
        b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
        b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":7,"total_tokens":16}}\n\n',
        b"data: [DONE]\n\n",
    ],
}


@pytest.mark.parametrize("dialect", SPOKEN)
def test_what_is_skipped_changes_nothing_that_is_kept(dialect: str) -> None:
    """An event in one piece may be skipped, the same event in two is read: flow and signatures must be the same."""
    seen = []
    for halves in (False, True):
        flow = Flow(id="f", started=0, clock=0, method="POST", path="/", dialect=dialect)
        origins = Origins()
        receiver = Passing(DIALECTS[dialect], decoder_setup(), encoder_setup, Watch(flow, origins))
        out = b""
        for event in SPOKEN[dialect]:
            for piece in (event[:20], event[20:]) if halves else (event,):
                out += receiver.feed(piece)
        out += receiver.close(None)
        assert out == b"".join(SPOKEN[dialect])
        seen.append(
            (flow.usage, flow.finish, flow.notes, receiver.watch.over, receiver.watch.failure, dict(origins._origins))
        )
    assert seen[0] == seen[1]
    assert seen[0][0].output == 7


def test_most_events_are_skipped_and_the_telling_ones_are_not() -> None:
    """Starts, stops, signatures, counts, ends and errors are read."""
    for dialect, skipped in (("anthropic", 2), ("openai_chat", 2)):
        decoder = DIALECTS[dialect].upstream.decoder(decoder_setup())
        told = []
        for event in SPOKEN[dialect]:
            told.append(decoder.skips(event))
            decoder.feed(event)
        assert sum(told) == skipped
        error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n'
        assert not decoder.skips(error)
        assert not decoder.skips(SPOKEN[dialect][1] + SPOKEN[dialect][1])
        assert not decoder.skips(SPOKEN[dialect][1][:-1])
