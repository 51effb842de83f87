"""Bugs that show only where two dialects meet, each on the pairs in which Responses or Gemini takes part.

Names in brackets are public projects and issue numbers.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from msgspec.structs import replace

from strowger.dialects.anthropic import DIALECT as ANTHROPIC
from strowger.dialects.base import Capabilities, DecoderSetup, Dialect, EncoderSetup
from strowger.dialects.gemini import DIALECT as GEMINI
from strowger.dialects.openai_chat import DIALECT as CHAT
from strowger.dialects.openai_responses import DIALECT as RESPONSES
from strowger.errors import ErrorKind, Truncated
from strowger.ir.events import Failure, Finish, StopReason
from strowger.ir.request import FunctionTool, Message, Request, Text, Thinking, ToolCall
from strowger.ir.response import Response, fold
from tests.unit.dialects.gemini import replies as google
from tests.unit.dialects.openai_responses import answering as openai

Json = dict[str, Any]

ALL = {"anthropic": ANTHROPIC, "chat": CHAT, "responses": RESPONSES, "gemini": GEMINI}
NEW = {"responses": RESPONSES, "gemini": GEMINI}
CAPS = Capabilities(origin="elsewhere", tool_result_images=True, thinking="adaptive", efforts=("low", "medium", "high"))
PNG = "iVBORw0KGgo="
OVERFLOW = {
    "anthropic": b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8'
    b' maximum"}}',
    "chat": b'{"error":{"message":"maximum context length is 8 tokens","code":"context_length_exceeded"}}',
    "responses": b'{"error":{"message":"Your input exceeds the context window","code":"context_length_exceeded"}}',
    "gemini": b'{"error":{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed'
    b' (8).","status":"INVALID_ARGUMENT"}}',
}
TOLD = {
    "anthropic": "prompt is too long",
    "chat": "context_length_exceeded",
    "responses": "context_length_exceeded",
    "gemini": "exceeds the maximum number of tokens",
}


def everywhere(names: dict[str, Dialect]) -> pytest.MarkDecorator:
    """For each of these dialects."""
    return pytest.mark.parametrize("name", list(names))


def decoder_setup() -> DecoderSetup:
    numbers = itertools.count(1)
    return DecoderSetup("elsewhere", lambda prefix: f"{prefix}{next(numbers)}")


def encoder_setup() -> EncoderSetup:
    numbers = itertools.count(1)
    return EncoderSetup("asked-for", lambda prefix: f"{prefix}{next(numbers)}", 1_700_000_000)


def heard(name: str, stream: bytes) -> Response:
    """The answer that a stream in this dialect tells."""
    decoder = ALL[name].upstream.decoder(decoder_setup())
    return fold(decoder.feed(stream) + decoder.close())


def retold(name: str, stream: bytes, client: str) -> bytes:
    """A stream of this dialect as the client gets it."""
    decoder, encoder = ALL[name].upstream.decoder(decoder_setup()), ALL[client].client.encoder(encoder_setup())
    return b"".join(encoder.encode(event) for event in decoder.feed(stream) + decoder.close())


def spoken(name: str) -> bytes:
    """A thought, a text, a call, a text and a call."""
    if name == "responses":
        items: list[Json] = [
            openai.reasoning("hm"),
            openai.message("one"),
            openai.call(),
            openai.message("two", id="msg_2"),
            openai.call(id="fc_2", call_id="call_2", arguments='{"b":2}'),
        ]
        ends = [openai.done(number, **item) for number, item in enumerate(items)]
        return openai.sse(openai.CREATED, *ends, openai.completed(*items, usage=openai.USAGE))
    return google.sse(
        google.chunk(google.text("hm", thought=True)),
        google.chunk(google.text("one")),
        google.chunk(google.call("ls", {"a": 1})),
        google.chunk(google.text("two")),
        google.chunk(google.call("ls", {"b": 2}), finish="STOP"),
    )


@pytest.mark.parametrize("client", list(ALL))
@everywhere(NEW)
def test_tool_calls_are_in_the_stream_and_text_is_there_once(name: str, client: str) -> None:
    """Calls were missing, text was doubled or glued; the end says that tools are to run [ccproxy-api 35, 5]."""
    stream = spoken(name)
    again = heard(client, retold(name, stream, client))
    texts = [part.text for part in again.parts if isinstance(part, Text)]
    assert "".join(texts) == "onetwo"
    assert [json.loads(part.arguments) for part in again.parts if isinstance(part, ToolCall)] == [{"a": 1}, {"b": 2}]
    assert "".join(part.text for part in again.parts if isinstance(part, Thinking)) == "hm"
    assert again.finish.reason is StopReason.TOOL_USE


@pytest.mark.parametrize("client", list(ALL))
@everywhere(NEW)
def test_a_cut_stream_is_an_error_not_an_end(name: str, client: str) -> None:
    """Whoever reads it must see that it is half an answer [OmniRoute 7699, CLIProxyAPI 3996]."""
    stream = spoken(name)
    marks = {"responses": b"event: response.completed", "gemini": b'data: {"candidates":[{"content":{"parts":[{"func'}
    decoder, encoder = ALL[name].upstream.decoder(decoder_setup()), ALL[client].client.encoder(encoder_setup())
    events = decoder.feed(stream[: stream.rindex(marks[name])]) + decoder.close()
    assert isinstance(events[-1], Failure)
    out = b"".join(encoder.encode(event) for event in events[:-1]) + encoder.fail(Truncated("the stream was cut"))
    reader = ALL[client].upstream.decoder(decoder_setup())
    assert isinstance((reader.feed(out) + reader.close())[-1], Failure)


@pytest.mark.parametrize("client", list(ALL))
@everywhere(NEW)
def test_the_stream_is_not_held_until_its_end(name: str, client: str) -> None:
    """The first word is told when it comes [CLIProxyAPI 1620, litellm 26102]."""
    begun = {
        "responses": openai.sse(openai.CREATED, openai.added(0, **openai.message()), openai.text(0, "first")),
        "gemini": google.sse(google.chunk(google.text("first"))),
    }
    decoder, encoder = ALL[name].upstream.decoder(decoder_setup()), ALL[client].client.encoder(encoder_setup())
    assert b"first" in b"".join(encoder.encode(event) for event in decoder.feed(begun[name]))


@pytest.mark.parametrize("client", list(ALL))
@everywhere(NEW)
def test_cached_tokens_are_counted_once(name: str, client: str) -> None:
    """Inside the prompt here, beside it at Anthropic; on every way the sum stays [copilot-api 210, pi 2148]."""
    counts = {"promptTokenCount": 10, "cachedContentTokenCount": 4, "candidatesTokenCount": 5, "totalTokenCount": 15}
    stream = {
        "responses": openai.sse(
            openai.CREATED,
            openai.done(0, **openai.message("a")),
            openai.completed(openai.message("a"), usage={**openai.USAGE, "input_tokens_details": {"cached_tokens": 4}}),
        ),
        "gemini": google.sse(google.chunk(google.text("a"), finish="STOP", usageMetadata=counts)),
    }
    for usage in (heard(name, stream[name]).usage, heard(client, retold(name, stream[name], client)).usage):
        assert (usage.input, usage.cache_read or 0, usage.output) == (10, 4, 5)


@pytest.mark.parametrize("client", list(ALL))
@pytest.mark.parametrize(
    "name,stream,reason",
    [
        (
            "responses",
            openai.sse(
                openai.CREATED,
                openai.done(0, **openai.message("well")),
                openai.completed(kind="incomplete", incomplete_details={"reason": "content_filter"}),
            ),
            StopReason.REFUSAL,
        ),
        ("gemini", google.sse(google.chunk(google.text("well")), google.chunk(finish="SAFETY")), StopReason.REFUSAL),
        (
            "responses",
            openai.sse(
                openai.CREATED,
                openai.done(0, **openai.message("well")),
                openai.completed(kind="incomplete", incomplete_details={"reason": "max_output_tokens"}),
            ),
            StopReason.MAX_TOKENS,
        ),
        ("gemini", google.sse(google.chunk(google.text("well"), finish="MAX_TOKENS")), StopReason.MAX_TOKENS),
    ],
)
def test_a_refusal_and_a_limit_are_told_as_such(name: str, stream: bytes, reason: StopReason, client: str) -> None:
    """Neither is a success, in whatever words the client knows them [CLIProxyAPI 5439, OmniRoute 7800]."""
    assert heard(client, retold(name, stream, client)).finish.reason is reason


@pytest.mark.parametrize("upstream", list(ALL))
@everywhere(ALL)
def test_errors_that_a_client_repairs_are_told_in_its_words(name: str, upstream: str) -> None:
    """It compacts its conversation because of them, and waits as long as it is told [claude-code-router 1799]."""
    too_long = ALL[upstream].upstream.parse_error(400, {}, OVERFLOW[upstream])
    assert too_long.kind is ErrorKind.CONTEXT_OVERFLOW
    assert TOLD[name].encode() in ALL[name].client.render_error(too_long).body
    limited = ALL[upstream].upstream.parse_error(429, {"retry-after": "7"}, b"slow down")
    reply = ALL[name].client.render_error(limited)
    assert reply.status == 429
    assert ("retry-after", "7") in [(key.lower(), value) for key, value in reply.headers]


@everywhere(ALL)
def test_long_tool_names_come_back(name: str) -> None:
    """Names that had to change on the way to an upstream are the client's again in its answer [ida-pro-mcp 129]."""
    long, grouped = "mcp__server__" + "x" * 120, "functions.exec"
    caps = replace(CAPS, max_tool_name=64)
    request = Request(
        "elsewhere", "m", (Message("user", (Text("go"),)),), tools=(FunctionTool(long), FunctionTool(grouped))
    )
    sent = ALL[name].upstream.render_request(request, "m", caps)
    assert long not in sent.body.decode()
    encoder = ALL[name].client.encoder(encoder_setup())
    calls = [ToolCall(f"c{i}", each, "{}") for i, each in enumerate([*sent.names, grouped][:2])]
    stream = b"".join(encoder.encode(event) for event in google.told(*calls, finish=Finish(StopReason.TOOL_USE, "")))
    decoder = ALL[name].upstream.decoder(replace(decoder_setup(), names=sent.names))
    answered = fold(decoder.feed(stream) + decoder.close())
    assert {part.name for part in answered.parts if isinstance(part, ToolCall)} == {long, grouped}


@pytest.mark.parametrize("upstream", list(ALL))
@pytest.mark.parametrize("native", [True, False])
@everywhere(NEW)
def test_pictures_in_results_are_not_lost(name: str, native: bool, upstream: str) -> None:
    """In the result where it takes pictures, behind it where it does not [free-claude-code 512]."""
    asked: dict[str, Json] = {
        "responses": {
            "model": "m",
            "input": [
                {"role": "user", "content": "look"},
                {"type": "function_call", "call_id": "c1", "name": "shot", "arguments": "{}"},
                {
                    "type": "function_call_output",
                    "call_id": "c1",
                    "output": [{"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}],
                },
            ],
        },
        "gemini": {
            "contents": [
                {"role": "user", "parts": [{"text": "look"}]},
                {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "shot", "args": {}}}]},
                {
                    "role": "user",
                    "parts": [
                        {
                            "functionResponse": {
                                "id": "c1",
                                "name": "shot",
                                "response": {"output": "ok"},
                                "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}],
                            }
                        }
                    ],
                },
            ]
        },
    }
    request = ALL[name].client.parse_request(google.dumps(asked[name]))
    sent = ALL[upstream].upstream.render_request(request, "m", replace(CAPS, tool_result_images=native))
    assert PNG in sent.body.decode()


FOUND = {
    "type": "search_result",
    "source": "https://a.test/x",
    "title": "Switches",
    "content": [{"type": "text", "text": "It has ten steps."}, {"type": "text", "text": "It is loud."}],
    "citations": {"enabled": True},
}
PIECES = {
    "type": "document",
    "title": "Log",
    "source": {"type": "content", "content": [{"type": "text", "text": "It has ten steps."}, {"type": "image"}]},
}
VIDEO = {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://a/v.mp4"}}
SHOWN: dict[str, tuple[str, Json, list[str]]] = {
    "found": ("anthropic", FOUND, ["<search_result", "Switches", "https://a.test/x", "ten steps", "It is loud."]),
    "pieces": ("anthropic", PIECES, ["<document", "Log", "ten steps", "[image omitted]"]),
    "video": ("gemini", VIDEO, ["[video omitted: video/mp4: gs://a/v.mp4]"]),
}


def shown(dialect: str, block: Json, where: str) -> Request:
    """A request with a block in what the user says, or in what a tool gave."""
    if dialect == "gemini":
        return GEMINI.client.parse_request(json.dumps({"contents": [{"role": "user", "parts": [block]}]}).encode())
    call = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    given = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [block]}
    turns = [{"role": "user", "content": "x"}, {"role": "assistant", "content": [call]}]
    turns += [{"role": "user", "content": [given if where == "tool" else block]}]
    if where == "user":
        del turns[:2]
    body = {"model": "m", "max_tokens": 9, "tools": [{"name": "look", "input_schema": {"type": "object"}}]}
    return ANTHROPIC.client.parse_request(json.dumps({**body, "messages": turns}).encode())


@pytest.mark.parametrize(
    "name, what, where",
    [
        (name, what, where)
        for what, (origin, *_) in SHOWN.items()
        for name in ALL
        for where in (("user", "tool") if origin == "anthropic" else ("user",))
        if name != origin
    ],
)
def test_what_others_have_no_block_for_reaches_the_model_as_text(name: str, what: str, where: str) -> None:
    """A passage that a client brings along was left out, text and all; in a film's place there was nothing. It is still
    told as a loss: nobody can cite it as before.
    """
    origin, block, words = SHOWN[what]
    rendered = ALL[name].upstream.render_request(shown(origin, block, where), "m", CAPS)
    sent = rendered.body.decode().replace('\\"', '"')
    assert [word for word in words if word not in sent] == []
    assert any(loss.severity == "warning" for loss in rendered.losses)


@pytest.mark.parametrize("source", ["words", {"type": "content"}, {"type": "content", "content": 3}])
def test_a_passage_without_words_says_nothing(source: object) -> None:
    """It is left out with a loss, whatever is wrong with it."""
    rendered = CHAT.upstream.render_request(
        shown("anthropic", {"type": "document", "source": source}, "user"), "m", CAPS
    )
    assert "<document" not in rendered.body.decode()
    assert rendered.losses
