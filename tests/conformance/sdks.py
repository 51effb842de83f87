"""The official SDKs as readers: bytes in, through their own transport, decoder and accumulator; a reading out.

Those of Anthropic and OpenAI run with strict validation of what they receive, which is more than their users have.
Google's leaves out what it does not know; a word that is not in one of its enums makes it warn, which counts as no.
"""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import anthropic
import httpx2
import openai
from anthropic.types import Message
from google import genai
from google.genai import types
from openai.types import responses
from openai.types.chat import ChatCompletion

from tests.conformance import naive_anthropic, naive_chat, naive_gemini, naive_responses
from tests.conformance.reading import Piece, Reading, Tokens, joined

_SSE = {"content-type": "text/event-stream; charset=utf-8"}
_JSON = {"content-type": "application/json"}
_ASK: Any = {"model": "asked-for", "messages": [{"role": "user", "content": "Hi"}]}
_TELL: Any = {"model": "asked-for", "input": "Hi"}


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

    def put(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body


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
def _openai(*, strict: bool = True) -> tuple[_Reply, openai.OpenAI]:
    reply = _Reply()
    client = openai.OpenAI(
        api_key="none",
        base_url="http://sdk.test/v1",
        max_retries=0,
        http_client=httpx2.Client(transport=reply),
        _strict_response_validation=strict,
    )
    return reply, client


@functools.cache
def _google() -> tuple[_Reply, genai.Client]:
    reply = _Reply()
    options = types.HttpOptions(base_url="http://sdk.test", httpx_client=httpx2.Client(transport=reply))
    return reply, genai.Client(api_key="none", http_options=options)


def read_stream(dialect: str, body: bytes, *, strict: bool = True) -> Reading:
    """What a user of the dialect's SDK gets from a stream. Raises SdkError, or whatever the SDK does when it breaks.

    Without `strict` OpenAI's takes what it can, as it does for its users: servers differ in what they leave out.
    """
    return _STREAMS[dialect](body, strict)


def read_whole(dialect: str, body: bytes, status: int = 200, *, strict: bool = True) -> Reading:
    """What a user of the dialect's SDK gets from a body. Raises SdkError."""
    try:
        return _BODIES[dialect](body, status, strict)
    except (anthropic.APIStatusError, openai.APIStatusError) as error:
        raise SdkError(error.message, error.status_code) from error
    except genai.errors.APIError as error:
        raise SdkError(error.message or "", error.code) from error


# ---- Messages ----


def _message_stream(body: bytes, strict: bool) -> Reading:
    reply, client = _anthropic()
    reply.put(200, _SSE, body)
    try:
        with client.messages.stream(**_ASK, max_tokens=100) as stream:
            return _of_message(stream.get_final_message())
    except anthropic.APIStatusError as error:
        raise SdkError(error.message, None) from error


def _message(body: bytes, status: int, strict: bool) -> Reading:
    reply, client = _anthropic()
    reply.put(status, _JSON, body)
    return _of_message(client.messages.create(**_ASK, max_tokens=100))


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


# ---- Chat ----


def _completion_stream(body: bytes, strict: bool) -> Reading:
    # the API streams calls of custom tools, the SDK's types of a stream do not have them
    reply, client = _openai(strict=strict and b'"type":"custom"' not in body)
    reply.put(200, _SSE, body)
    try:
        with client.chat.completions.stream(**_ASK) as chunks:
            # not `get_final_completion`, which refuses an answer that was cut at its length
            return _of_completion(chunks.until_done().current_completion_snapshot)
    except openai.APIError as error:
        raise _in_stream(error) from error


def _in_stream(error: openai.APIError) -> Exception:
    return SdkError(error.message, None) if type(error) is openai.APIError else error


def _completion(body: bytes, status: int, strict: bool) -> Reading:
    reply, client = _openai(strict=strict)
    reply.put(status, _JSON, body)
    return _of_completion(client.chat.completions.create(**_ASK))


def _of_completion(completion: ChatCompletion) -> Reading:
    choice = completion.choices[0]
    message = choice.message
    extra = message.model_extra or {}
    pieces = [Piece("thinking", extra.get("reasoning_content") or ""), Piece("text", message.content or "")]
    pieces.append(Piece("text", message.refusal or ""))
    for call in message.tool_calls or ():
        if call.type == "function":
            pieces.append(Piece("call", id=call.id, name=call.function.name, arguments=call.function.arguments))
        else:
            custom = call.model_dump()["custom"]  # a plain mapping where the SDK put the call together itself
            pieces.append(Piece("call", id=call.id, name=custom["name"], arguments=custom["input"]))
    if message.function_call:
        pieces.append(Piece("call", name=message.function_call.name, arguments=message.function_call.arguments))
    usage = naive_chat.tokens(completion.usage.model_dump() if completion.usage else {})
    return Reading(joined(pieces), choice.finish_reason, usage)


# ---- Responses ----


def _response_stream(body: bytes, strict: bool) -> Reading:
    """The response that the last event brings, after the SDK has put the others together."""
    reply, client = _openai(strict=strict)
    reply.put(200, _SSE, body)
    last: responses.Response | None = None
    try:
        with client.responses.stream(**_TELL) as events:
            for event in events:
                match event.type:
                    case "response.completed" | "response.incomplete":
                        last = event.response
                    case "response.failed":
                        raise SdkError(event.response.error.message if event.response.error else "", None)
                    case "error":
                        raise SdkError(event.message, None)
    except openai.APIError as error:
        raise _in_stream(error) from error
    if last is None:
        raise SdkError("the stream ended without an end", None)
    return _of_response(last)


def _response(body: bytes, status: int, strict: bool) -> Reading:
    reply, client = _openai(strict=strict)
    reply.put(status, _JSON, body)
    response = client.responses.create(**_TELL)
    if response.error is not None:
        raise SdkError(response.error.message, status)
    return _of_response(response)


def _of_response(response: responses.Response) -> Reading:
    pieces, refused = [], False
    for item in response.output:
        match item.type:
            case "message":
                for part in item.content:
                    refused = refused or part.type == "refusal"
                    pieces.append(Piece("text", part.text if part.type == "output_text" else part.refusal))
            case "reasoning":
                thought = "\n\n".join(part.text for part in item.summary)
                thought = thought or "".join(part.text for part in item.content or ())
                pieces.append(Piece("thinking", thought))
            case "function_call":
                name = naive_responses.named({"namespace": item.namespace, "name": item.name})
                pieces.append(Piece("call", id=item.call_id, name=name, arguments=item.arguments))
            case "custom_tool_call":
                pieces.append(Piece("call", id=item.call_id, name=item.name, arguments=item.input))
            case "tool_search_call" | "apply_patch_call":
                pieces += naive_responses.said(item.model_dump(mode="json"))
    usage = naive_responses.tokens(response.usage.model_dump() if response.usage else {})
    stop = naive_responses.stop(response.model_dump(include={"status", "incomplete_details"}))
    return Reading(joined(pieces), stop, usage, refused=refused)


# ---- Gemini ----


def _generated_stream(body: bytes, strict: bool) -> Reading:
    reply, client = _google()
    reply.put(200, _SSE, body)
    try:
        with warnings.catch_warnings(action="error"):
            return _of_generated(client.models.generate_content_stream(model="m", contents="Hi"))
    except genai.errors.APIError as error:
        raise SdkError(error.message or "", None) from error


def _generated(body: bytes, status: int, strict: bool) -> Reading:
    reply, client = _google()
    reply.put(status, _JSON, body)
    with warnings.catch_warnings(action="error"):
        return _of_generated([client.models.generate_content(model="m", contents="Hi")])


def _of_generated(chunks: Iterable[types.GenerateContentResponse]) -> Reading:
    """The chunks put together; the SDK gives them one by one. Parts that the model did not write are none of ours."""
    pieces, stop, usage = [], None, Tokens()
    for chunk in chunks:
        if chunk.usage_metadata is not None and chunk.usage_metadata.total_token_count is not None:
            usage = naive_gemini.tokens(chunk.usage_metadata.model_dump(exclude_none=True))
        if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason is not None:
            stop = f"prompt:{chunk.prompt_feedback.block_reason.value}"
        for candidate in (chunk.candidates or ())[:1]:
            for part in (candidate.content and candidate.content.parts) or ():
                if part.function_call is not None:
                    call = part.function_call
                    arguments = json.dumps(call.args or {})
                    pieces.append(Piece("call", id=call.id or "", name=call.name or "", arguments=arguments))
                elif part.text is not None:
                    pieces.append(Piece("thinking" if part.thought else "text", part.text))
            stop = candidate.finish_reason.value if candidate.finish_reason is not None else stop
    if stop is None:
        raise SdkError("the stream ended without an end", None)
    return Reading(joined(pieces), stop, usage)


_STREAMS: dict[str, Callable[[bytes, bool], Reading]] = {
    "anthropic": _message_stream,
    "openai_chat": _completion_stream,
    "openai_responses": _response_stream,
    "gemini": _generated_stream,
}
_BODIES: dict[str, Callable[[bytes, int, bool], Reading]] = {
    "anthropic": _message,
    "openai_chat": _completion,
    "openai_responses": _response,
    "gemini": _generated,
}
