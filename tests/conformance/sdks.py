"""The official SDKs as readers: bytes in, through their own transport, decoder and accumulator; a reading out.

Both run with strict validation of what they receive, which is more than their users have.
"""

from __future__ import annotations

import functools
import json
from typing import Any

import anthropic
import httpx2
import openai
from anthropic.types import Message
from openai.types.chat import ChatCompletion

from tests.conformance import naive_anthropic, naive_chat
from tests.conformance.reading import Piece, Reading, joined

_SSE = {"content-type": "text/event-stream; charset=utf-8"}
_JSON = {"content-type": "application/json"}
_ASK: Any = {"model": "asked-for", "messages": [{"role": "user", "content": "Hi"}]}


class SdkError(Exception):
    """The SDK raised the error that it has for an answer that failed. `status` is None inside a stream."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status


class _Reply(httpx2.BaseTransport):
    """Answers every request with what was put in."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 200, _JSON, b""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(self.status, headers=self.headers, content=self.body, request=request)


@functools.cache
def _anthropic() -> tuple[_Reply, anthropic.Anthropic]:
    reply = _Reply()
    client = anthropic.Anthropic(
        api_key="none",
        base_url="http://sdk.test",
        max_retries=0,
        http_client=httpx2.Client(transport=reply),
        _strict_response_validation=True,
    )
    return reply, client


@functools.cache
def _openai() -> tuple[_Reply, openai.OpenAI]:
    reply = _Reply()
    client = openai.OpenAI(
        api_key="none",
        base_url="http://sdk.test/v1",
        max_retries=0,
        http_client=httpx2.Client(transport=reply),
        _strict_response_validation=True,
    )
    return reply, client


def read_stream(dialect: str, body: bytes) -> Reading:
    """What a user of the dialect's SDK gets from a stream. Raises SdkError, or whatever the SDK does when it breaks."""
    if dialect == "anthropic":
        reply, client = _anthropic()
        reply.status, reply.headers, reply.body = 200, _SSE, body
        try:
            with client.messages.stream(**_ASK, max_tokens=100) as stream:
                return _of_message(stream.get_final_message())
        except anthropic.APIStatusError as error:
            raise SdkError(error.message, None) from error
    sender, chat = _openai()
    sender.status, sender.headers, sender.body = 200, _SSE, body
    try:
        with chat.chat.completions.stream(**_ASK) as chunks:
            # not `get_final_completion`, which refuses an answer that was cut at its length
            return _of_completion(chunks.until_done().current_completion_snapshot)
    except openai.APIError as error:
        if type(error) is openai.APIError:
            raise SdkError(error.message, None) from error
        raise


def read_whole(dialect: str, body: bytes, status: int = 200) -> Reading:
    """What a user of the dialect's SDK gets from a body. Raises SdkError."""
    try:
        if dialect == "anthropic":
            reply, client = _anthropic()
            reply.status, reply.headers, reply.body = status, _JSON, body
            return _of_message(client.messages.create(**_ASK, max_tokens=100))
        sender, chat = _openai()
        sender.status, sender.headers, sender.body = status, _JSON, body
        return _of_completion(chat.chat.completions.create(**_ASK))
    except (anthropic.APIStatusError, openai.APIStatusError) as error:
        raise SdkError(error.message, error.status_code) from error


def _of_message(message: Message) -> Reading:
    pieces = []
    for block in message.content:
        match block.type:
            case "text":
                pieces.append(Piece("text", block.text))
            case "thinking":
                pieces.append(Piece("thinking", block.thinking))
            case "tool_use":
                pieces.append(Piece("call", id=block.id, name=block.name, arguments=json.dumps(block.input)))
    usage = naive_anthropic.tokens(message.usage.model_dump())
    return Reading(joined(pieces), message.stop_reason, usage)


def _of_completion(completion: ChatCompletion) -> Reading:
    choice = completion.choices[0]
    message = choice.message
    extra = message.model_extra or {}
    pieces = [Piece("thinking", extra.get("reasoning_content") or ""), Piece("text", message.content or "")]
    pieces.append(Piece("text", message.refusal or ""))
    for call in message.tool_calls or ():
        assert call.type == "function"
        pieces.append(Piece("call", id=call.id, name=call.function.name, arguments=call.function.arguments))
    if message.function_call:
        pieces.append(Piece("call", name=message.function_call.name, arguments=message.function_call.arguments))
    usage = naive_chat.tokens(completion.usage.model_dump() if completion.usage else {})
    return Reading(joined(pieces), choice.finish_reason, usage)
