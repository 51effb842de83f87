"""What the fake upstream is to send, written into the model name, and the bytes of it in all four dialects.

The model name is the one field of a request that every proxy hands on, so it carries the order: `bench-e300-r100` is a
stream of 300 events at 100 a second, `bench-e300-r0` the same all at once. Every event's text holds a stamp,
`t=` and 16 digits: microseconds of the system's monotonic clock, which all processes of one machine share. The stamp is
text, so it survives a translation, and the receiver's clock minus the stamp is the latency of that event.
"""

from __future__ import annotations

import re
import time

STAMP = re.compile(rb"t=(\d{16})")
BLANK_STAMP = b"t=0000000000000000"
_ORDER = re.compile(rb"bench-e(\d+)-r(\d+)")

_ANTHROPIC_HEAD = (
    b"event: message_start\n"
    b'data: {"type":"message_start","message":{"id":"msg_01BenchBenchBenchBench","type":"message","role":"assistant",'
    b'"model":"bench","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":12,'
    b'"cache_creation_input_tokens":0,"cache_read_input_tokens":21000,"output_tokens":1,"service_tier":"standard"}}}\n\n',
    b"event: content_block_start\n"
    b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
)
_ANTHROPIC_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" '
    + BLANK_STAMP
    + b' and so on"}}\n\n'
)
_ANTHROPIC_TAIL = (
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    b'"usage":{"output_tokens":300}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
)

_CHAT_START = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1760000000,"model":"bench",'
    b'"system_fingerprint":"fp_bench","choices":[{"index":0,"delta":'
)
_CHAT_HEAD = (_CHAT_START + b'{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}\n\n',)
_CHAT_DELTA = _CHAT_START + b'{"content":" ' + BLANK_STAMP + b' and so on"},"logprobs":null,"finish_reason":null}]}\n\n'
_CHAT_TAIL = (
    _CHAT_START + b'{},"logprobs":null,"finish_reason":"stop"}]}\n\n',
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1760000000,"model":"bench","choices":[],'
    b'"usage":{"prompt_tokens":21012,"completion_tokens":300,"total_tokens":21312,'
    b'"prompt_tokens_details":{"cached_tokens":21000}}}\n\n',
    b"data: [DONE]\n\n",
)


_RESPONSE = (
    b'{"id":"resp_bench","object":"response","created_at":1760000000,"model":"bench","output":[],'
    b'"parallel_tool_calls":true,"tools":[],"status":"'
)
_IN_ITEM = b'"item_id":"msg_bench","output_index":0,"content_index":0,'
_RESPONSES_PART = b'"part":{"type":"output_text","annotations":[],"text":""}}\n\n'
_RESPONSES_ITEM = (
    b'"output_index":0,"item":{"id":"msg_bench","type":"message","role":"assistant","content":[],"status":"%b"}}\n\n'
)


def _named(name: bytes, rest: bytes) -> bytes:
    return b'event: %b\ndata: {"type":"%b","sequence_number":1,%b' % (name, name, rest)


_RESPONSES_HEAD = (
    _named(b"response.created", b'"response":' + _RESPONSE + b'in_progress"}}\n\n'),
    _named(b"response.output_item.added", _RESPONSES_ITEM % b"in_progress"),
    _named(b"response.content_part.added", _IN_ITEM + _RESPONSES_PART),
)
_RESPONSES_DELTA = _named(
    b"response.output_text.delta", _IN_ITEM + b'"delta":" ' + BLANK_STAMP + b' and so on","logprobs":[]}\n\n'
)
# The real ones repeat the text of the answer, which would be counted again.
_RESPONSES_TAIL = (
    _named(b"response.output_text.done", _IN_ITEM + b'"text":""}\n\n'),
    _named(b"response.content_part.done", _IN_ITEM + _RESPONSES_PART),
    _named(b"response.output_item.done", _RESPONSES_ITEM % b"completed"),
    _named(
        b"response.completed",
        b'"response":' + _RESPONSE + b'completed","usage":{"input_tokens":21012,'
        b'"input_tokens_details":{"cached_tokens":21000},"output_tokens":300,"total_tokens":21312}}}\n\n',
    ),
)

_GEMINI_START = b'data: {"candidates": [{"content": {"parts": [{"text": "'
_GEMINI_REST = b'}],"modelVersion": "bench","responseId": "bench"'
_GEMINI_HEAD = (_GEMINI_START + b'"}],"role": "model"},"index": 0' + _GEMINI_REST + b"}\r\n\r\n",)
_GEMINI_DELTA = (
    _GEMINI_START + b" " + BLANK_STAMP + b' and so on"}],"role": "model"},"index": 0' + _GEMINI_REST + b"}\r\n\r\n"
)
_GEMINI_TAIL = (
    _GEMINI_START
    + b'"}],"role": "model"},"finishReason": "STOP","index": 0'
    + _GEMINI_REST
    + b',"usageMetadata": {"promptTokenCount": 21012,"candidatesTokenCount": 300,"totalTokenCount": 21312,'
    b'"cachedContentTokenCount": 21000}}\r\n\r\n',
)


def model_name(events: int, rate: int) -> str:
    """The order as a model name; `rate` in events a second, 0 for all at once."""
    return f"bench-e{events}-r{rate}"


def read_order(request: bytes | bytearray) -> tuple[int, int]:
    """(events, rate) found anywhere in a request, in its URL or its body; (1, 0) where there is none."""
    found = _ORDER.search(request)
    return (int(found[1]), int(found[2])) if found else (1, 0)


def now_stamp() -> bytes:
    """The stamp of this instant."""
    return b"t=%016d" % (time.monotonic_ns() // 1000)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Stream:
    """One dialect's stream as HTTP chunks, one chunk for each event as a server that flushes each event sends them.

    `path` is how the paths end at which it is asked for. `end` is what only the end of an answer holds, `stamp` finds
    the stamps of events that grow a text: in some dialects the text is repeated when it is whole.
    """

    def __init__(
        self,
        path: bytes,
        head: tuple[bytes, ...],
        delta: bytes,
        tail: tuple[bytes, ...],
        end: bytes,
        stamp: re.Pattern[bytes] = STAMP,
    ) -> None:
        self.path = path
        self.end = end
        self.stamp = stamp
        self.head = b"".join(map(_chunk, head))
        self.delta = _chunk(delta)
        self.tail = b"".join(map(_chunk, tail)) + b"0\r\n\r\n"

    def whole(self, events: int) -> bytes:
        """A complete stream with blank stamps."""
        return self.head + self.delta * events + self.tail


ANTHROPIC = Stream(b"/messages", _ANTHROPIC_HEAD, _ANTHROPIC_DELTA, _ANTHROPIC_TAIL, b"message_stop")
CHAT = Stream(b"/chat/completions", _CHAT_HEAD, _CHAT_DELTA, _CHAT_TAIL, b"data: [DONE]")
RESPONSES = Stream(
    b"/responses",
    _RESPONSES_HEAD,
    _RESPONSES_DELTA,
    _RESPONSES_TAIL,
    b"event: response.completed",
    re.compile(rb'"delta": ?" t=(\d{16})'),
)
GEMINI = Stream(b":streamGenerateContent", _GEMINI_HEAD, _GEMINI_DELTA, _GEMINI_TAIL, b'"finishReason"')
STREAMS = {"anthropic": ANTHROPIC, "openai_chat": CHAT, "openai_responses": RESPONSES, "gemini": GEMINI}
