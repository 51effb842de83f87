"""The demo provider's socket: HTTP around the demo model, on loopback only. Any key is accepted, none is looked at.

`async with demo_server() as url:` serves `POST /v1/chat/completions` and `GET /v1/models` at `url`, an origin without
a path, until the block is left. Errors have OpenAI's shape.

Pacing: a model sends a token every few milliseconds, and clients, heartbeats and back-pressure are only exercised by
an answer that takes time. `PACE` (8 ms) is about 125 pieces a second, a fast hosted model; before the first piece
there is a pause of twenty. An answer in one body takes as long as its stream would. With 0 nothing waits.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import msgspec
from aiohttp import web

from strowger.demo import model
from strowger.demo.request import MODELS, ChatRequest, parse
from strowger.errors import BadRequest, ClientError, TooLarge, UnknownModel, UnknownPath

PACE = 0.008
"""Seconds between two pieces of an answer."""

_FIRST = 20
_BODY_LIMIT = 64 * 2**20
_GRACE = 1.0
_STATUS = {BadRequest: 400, UnknownModel: 404, UnknownPath: 404, TooLarge: 413}


@asynccontextmanager
async def demo_server(port: int = 0, *, pace: float = PACE) -> AsyncIterator[str]:
    """Serves the demo model on 127.0.0.1; yields the origin's URL. Port 0 is any free one. `OSError` if it is taken."""
    # Cancelling the handler when its client hangs up is what stops a paced answer at once.
    runner = web.AppRunner(build(pace), access_log=None, handler_cancellation=True, shutdown_timeout=_GRACE)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        host, bound = runner.addresses[0][:2]
        yield f"http://{host}:{bound}"
    finally:
        await runner.cleanup()


def build(pace: float = PACE) -> web.Application:
    """The application without a socket."""
    app = web.Application(client_max_size=_BODY_LIMIT, middlewares=[_answer_errors])
    started = int(time.time())

    async def complete(request: web.Request) -> web.StreamResponse:
        return await _complete(request, max(0, pace))

    async def list_models(_: web.Request) -> web.Response:
        return _json({"object": "list", "data": [_model(name, started) for name in MODELS]})

    async def show_model(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in MODELS:
            raise UnknownModel(f"the model '{name}' does not exist", available=MODELS)
        return _json(_model(name, started))

    app.router.add_post("/v1/chat/completions", complete)
    app.router.add_get("/v1/models", list_models)
    app.router.add_get("/v1/models/{name}", show_model)
    return app


async def _complete(request: web.Request, pace: float) -> web.StreamResponse:
    asked = parse(_decode(await request.read()))
    answer = model.plan(asked)
    pace = pace if asked.model != "demo-fast" else 0
    id, created = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())
    await anyio.sleep(pace * _FIRST)
    if asked.stream:
        return await _stream(request, asked, answer, pace, id, created)
    said = (answer.thinking, answer.text, *(call.arguments for call in answer.calls))
    await anyio.sleep(pace * sum(len(model.pieces(text)) for text in said))
    return _json(model.completion(answer, id=id, created=created))


async def _stream(
    request: web.Request, asked: ChatRequest, answer: model.Plan, pace: float, id: str, created: int
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
    response.headers["cache-control"] = "no-cache"
    response.headers["x-request-id"] = f"req_{id.removeprefix('chatcmpl-')}"
    await response.prepare(request)
    usage = bool(asked.stream_options and asked.stream_options.include_usage)
    for chunk in model.chunks(answer, id=id, created=created, include_usage=usage):
        await response.write(b"data: " + msgspec.json.encode(chunk) + b"\n\n")
        await anyio.sleep(pace)
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def _decode(body: bytes) -> object:
    try:
        decoded: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from error
    return decoded


def _model(name: str, created: int) -> dict[str, object]:
    return {"id": name, "object": "model", "created": created, "owned_by": "strowger"}


@web.middleware
async def _answer_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except ClientError as error:
        return _error(_STATUS.get(type(error), 400), error.message, error.param, error.code)
    except web.HTTPRequestEntityTooLarge:
        return _error(413, f"the body is over {_BODY_LIMIT} bytes", None, "request_too_large")
    except web.HTTPException as error:
        code = "unknown_url" if error.status in (404, 405) else None
        return _error(error.status, f"{request.method} {request.path} is not served here", None, code)


def _error(status: int, message: str, param: str | None, code: str | None) -> web.Response:
    body = {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}
    return _json(body, status)


def _json(body: object, status: int = 200) -> web.Response:
    response = web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")
    response.headers["x-request-id"] = f"req_{uuid.uuid4().hex}"
    return response
