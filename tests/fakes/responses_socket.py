"""Responses over a WebSocket: a frame asks, frames answer, and the socket remembers its last response.

Knows the server only through `Vendor`.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

import anyio
import msgspec
from aiohttp import WSMsgType, web

from tests.fakes.refusal import Json, Refusal
from tests.fakes.responses_events import WIRE, error_event
from tests.fakes.responses_ledger import Answered
from tests.fakes.script import Hang, Refuse, Reply, Step
from tests.fakes.server import BODY_LIMIT, Seen, end

LIMIT = "websocket_connection_limit_reached"


class Vendor(Protocol):
    """What a socket needs of the server that it belongs to."""

    requests: list[Seen]

    def headers(self) -> dict[str, str]:
        """What every answer carries."""

    def check(self, body: Json, recent: dict[str, Answered] | None = None) -> tuple[Answered | None, list[Json]]:
        """Refuse what breaks a rule; the response that a request continues and its items."""

    def step(self, body: Json, before: Answered | None, items: list[Json]) -> Step:
        """What is said to a request that broke no rule."""

    def tell(self, body: Json, step: Reply, before: Answered | None, items: list[Json]) -> Answered:
        """The answer."""


class Socket:
    """One connection. `stream_id` names a lane: on each there is one response at a time."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._socket = web.WebSocketResponse(max_msg_size=BODY_LIMIT)
        # The last response of each lane, and what was prewarmed; all else is forgotten unless it was stored.
        self._last: dict[str, Answered] = {}
        self._prewarmed: dict[str, Answered] = {}
        self._busy: dict[str, Seen] = {}

    async def serve(self, request: web.Request, seen: Seen) -> web.WebSocketResponse:
        """Accept the handshake and answer frames until the socket closes."""
        self._socket.headers.update(self._vendor.headers())
        await self._socket.prepare(request)
        seen.status = 101
        async with anyio.create_task_group() as turns:
            async for message in self._socket:
                if message.type is not WSMsgType.TEXT:
                    await self._socket.close(code=1003)
                    break
                frame = Seen(
                    method="WS",
                    path=request.path,
                    query=request.query_string,
                    headers=seen.headers,
                    raw=message.data.encode(),
                    arrived=time.monotonic(),
                    connection=seen.connection,
                    status=101,
                )
                self._vendor.requests.append(frame)
                await self._take(frame, request, turns)
            turns.cancel_scope.cancel()
        end(seen, "sent")
        return self._socket

    async def _take(self, frame: Seen, request: web.Request, turns: anyio.abc.TaskGroup) -> None:
        try:
            body = msgspec.json.decode(frame.raw)
        except msgspec.DecodeError:
            await self._send_error(frame, Refusal("We could not parse the JSON body of your request."))
            return
        kind = body.get("type") if isinstance(body, dict) else None
        if kind == "response.steer":
            await self._send(frame, _unsteered(body))
        elif kind != "response.create":
            words = f"Invalid value: '{kind}'. Supported values are: 'response.create' and 'response.steer'."
            await self._send_error(frame, Refusal(words, param="type", code="invalid_value"))
        elif (lane := body.get("stream_id") or "") in self._busy:
            # The refusal is the vendor's, its words are ours: none were seen.
            words = "A response is already in progress on this connection. Wait until it is finished."
            await self._send_error(frame, Refusal(words, code="response_already_in_progress"))
        else:
            self._busy[lane] = frame
            turns.start_soon(self._turn, frame, body, lane, request)

    async def _turn(self, frame: Seen, body: Json, lane: str, request: web.Request) -> None:
        try:
            await self._answer(frame, body, lane, request)
        except Refusal as refusal:
            # A turn that fails takes what it would have continued with it.
            self._last.pop(lane, None)
            await self._send_error(frame, refusal)
        except ConnectionResetError:
            end(frame, "left")
        finally:
            self._free(lane, frame)

    async def _answer(self, frame: Seen, body: Json, lane: str, request: web.Request) -> None:
        recent = {answered.id: answered for answered in self._last.values()} | self._prewarmed
        before, items = self._vendor.check(body, recent)
        self.promised(body, before, items)
        prewarm = body.get("generate") is False
        step = Reply() if prewarm else self._vendor.step(body, before, items)
        if isinstance(step, Hang):
            await self._hang(frame, step, request)
            return
        if isinstance(step, Refuse):
            await self._refuse(frame, step)
            return
        await anyio.sleep(step.delay)
        answered = self._vendor.tell(body, step, before, items)
        if prewarm:
            self._prewarmed[answered.id] = answered
        if answered.response["status"] == "failed":
            self._last.pop(lane, None)
        else:
            self._last[lane] = answered
        lane_member = {"stream_id": lane} if lane else {}
        await self.before(frame, body, answered, items)
        await self._play(frame, [{**event, **lane_member} for event in answered.events], step, request, lane)

    def promised(self, body: Json, before: Answered | None, items: list[Json]) -> None:
        """Refuse what a request promised and does not keep."""

    async def before(self, frame: Seen, body: Json, answered: Answered, items: list[Json]) -> None:
        """What goes out before the events of an answer."""

    async def _play(self, frame: Seen, events: list[Json], step: Reply, request: web.Request, lane: str) -> None:
        cut = step.delivery.cut
        for number, event in enumerate(events):
            if cut is not None and number == step.delivery.cut_after:
                if cut != "garbage":
                    break
                await self._socket.send_str("{this is not json")
            if number == len(events) - 1:
                # Whoever has read the last event may ask again at once.
                self._free(lane, frame)
            if event["type"] == WIRE:
                if await self._odd(frame, event, request):
                    return
                continue
            await self._send(frame, event)
            await anyio.sleep(step.delivery.pause)
        if cut is None or cut == "garbage":
            end(frame, "sent" if cut is None else "cut")
            return
        end(frame, "cut")
        if cut == "error":
            code, message = step.delivery.error
            await self._send(frame, {"type": "error", "status": 500, **error_event(code, message, None, wrapped=True)})
        elif cut == "eof":
            await self._socket.close()
        else:
            await self._hang(frame, Hang(drop=cut == "drop"), request)

    async def _odd(self, frame: Seen, event: Json, request: web.Request) -> bool:
        """Do what is no event; whether that was the end."""
        match event["do"]:
            case "binary":
                await self._socket.send_bytes(b"\0")
            case "ping":
                await self._socket.ping()
            case "close":
                end(frame, "cut")
                await self._socket.close(code=event["code"])
                return True
            case "drop":
                await self._hang(frame, Hang(drop=True), request)
                return True
        return False

    def _free(self, lane: str, frame: Seen) -> None:
        if self._busy.get(lane) is frame:
            del self._busy[lane]

    async def _hang(self, frame: Seen, step: Hang, request: web.Request) -> None:
        if step.drop:
            end(frame, "cut")
            if request.transport is not None:
                request.transport.abort()
            return
        await anyio.sleep_forever()

    async def _refuse(self, frame: Seen, step: Refuse) -> None:
        told: dict[str, Any] = msgspec.json.decode(step.body)
        error = told.get("error") or {"type": "server_error", "message": told.get("detail")}
        frame.status = step.status
        await self._send(frame, {"type": "error", "status": step.status, "error": error, "headers": dict(step.headers)})
        end(frame, "sent")
        if error.get("code") == LIMIT:
            await self._socket.close()

    async def _send_error(self, frame: Seen, refusal: Refusal) -> None:
        frame.status, frame.refused = refusal.status, refusal.message
        kind = "invalid_request_error" if refusal.kind == "detail" else refusal.kind
        error = {"type": kind, "code": refusal.code, "message": refusal.message, "param": refusal.param}
        await self._send(frame, {"type": "error", "status": refusal.status, "error": error})
        end(frame, "sent")

    async def _send(self, frame: Seen, event: Json) -> None:
        text = msgspec.json.encode(event)
        frame.answer += text + b"\n"
        await self._socket.send_str(text.decode())


def _unsteered(body: Json) -> Json:
    steer = {"input": body.get("input"), "previous_response_id": body.get("previous_response_id")}
    error = {"code": "steering_not_supported", "message": "This model does not support steering."}
    return {"type": "response.steer.failed", "sequence_number": 0, "error": error, "steer": steer}
