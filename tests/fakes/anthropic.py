"""FakeAnthropic: the Messages API with the vendor's strictness. `python -m tests.fakes.anthropic` serves it alone.

It signs the thinking that it hands out and refuses any other, so a signature that was changed, or that another vendor
made, is caught. `lagging=True` is a deployment that still wants the beta header beside features that the first-party
API has taken over.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from typing import Any

import anyio
import msgspec
from aiohttp import web

from tests.fakes import brain
from tests.fakes.anthropic_rules import MODELS, Model, Rules, check_headers, check_request
from tests.fakes.authority import Authority
from tests.fakes.refusal import Json, Refusal
from tests.fakes.script import Call, Hang, Refuse, Reply, Say, ScriptItem, Think, pieces
from tests.fakes.server import BODY_LIMIT, FakeServer, Seen, hang, json_response, run_alone, stream

KEY = "fake-anthropic-key"
STOPS = {
    "end": "end_turn",
    "tools": "tool_use",
    "length": "max_tokens",
    "refusal": "refusal",
    "stop_sequence": "stop_sequence",
    "pause": "pause_turn",
    "window": "model_context_window_exceeded",
}


class FakeAnthropic(FakeServer):
    """`keys`: accepted credentials. `signatures`: signatures of elsewhere that are taken for this vendor's own.

    `root` is what stands before the paths of the dialect.
    """

    root = ""

    def __init__(
        self,
        *,
        script: tuple[ScriptItem, ...] = (),
        keys: tuple[str, ...] = (KEY,),
        models: tuple[Model, ...] = MODELS,
        any_model: bool = False,
        lagging: bool = False,
        signatures: tuple[str, ...] = (),
        tls: Authority | None = None,
    ) -> None:
        super().__init__(script=script, tls=tls)
        self.keys = keys
        self._signatures = signatures
        self._secret = uuid.uuid4().bytes
        self.rules = Rules(models, any_model, lagging, self.verify)

    def sign(self, text: str) -> str:
        """A signature that only this fake, and only beside `text`, accepts."""
        nonce = uuid.uuid4().bytes
        return base64.b64encode(nonce + self._mac(nonce, text)).decode()

    def verify(self, text: str, signature: object) -> bool:
        """Whether this fake has signed `text` so."""
        if signature in self._signatures:
            return True
        try:
            raw = base64.b64decode(str(signature), validate=True)
        except ValueError:
            return False
        return hmac.compare_digest(raw[16:], self._mac(raw[:16], text))

    def _mac(self, nonce: bytes, text: str) -> bytes:
        return hmac.digest(self._secret, nonce + text.encode(), hashlib.sha256)

    def is_inference(self, seen: Seen) -> bool:
        return seen.method == "POST" and seen.path == f"{self.root}/v1/messages"

    async def answer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        if request.method == "HEAD" and request.path in ("/", "/api/hello"):
            return web.Response()
        try:
            return await self._serve(request, seen)
        except Refusal as refusal:
            seen.refused = refusal.message
            return error_response(refusal.status, refusal.kind, refusal.message)

    async def _serve(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        headers = {key.lower(): value for key, value in seen.headers}
        path = request.path.removeprefix(self.root)
        route = (request.method, path)
        inference, counting = ("POST", "/v1/messages"), ("POST", "/v1/messages/count_tokens")
        listing = request.method == "GET" and path.startswith("/v1/models")
        if route not in (inference, counting) and not listing:
            raise Refusal("Not Found", status=404, kind="not_found_error")
        check_headers(headers, self.keys)
        if listing:
            return self._models(request)
        if len(seen.raw) > BODY_LIMIT:
            raise Refusal("Request exceeds the maximum size", status=413, kind="request_too_large")
        body = _decode(seen.raw)
        check_request(body, headers, self.rules, counting=route == counting)
        if route == counting:
            return json_response({"input_tokens": max(1, len(seen.raw) // 4)}, headers=self._headers())
        return await self._infer(request, seen, body)

    def _models(self, request: web.Request) -> web.Response:
        models = [describe(model) for model in self.rules.models]
        path = request.path.removeprefix(self.root)
        if path != "/v1/models":
            wanted = path.removeprefix("/v1/models/")
            found = next((model for model in models if model["id"] == wanted), None)
            if found is None:
                raise Refusal(f"model: {wanted}", status=404, kind="not_found_error")
            return json_response(found, headers=self._headers())
        try:
            limit = int(request.query.get("limit", "20"))
        except ValueError:
            limit = 0
        if not 1 <= limit <= 1000:
            raise Refusal("limit: Input should be less than or equal to 1000")
        after = request.query.get("after_id")
        start = next((i + 1 for i, model in enumerate(models) if model["id"] == after), 0)
        page = models[start : start + limit]
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": None, "last_id": None}
        more = start + limit < len(models)
        return json_response({"data": page, "has_more": more, **ends}, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {
            "request-id": f"req_{uuid.uuid4().hex[:24]}",
            "anthropic-organization-id": "00000000-0000-4000-8000-000000000000",
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-requests-reset": "2026-11-20T00:00:00Z",
            "anthropic-ratelimit-unified-status": "allowed",
        }

    async def _infer(self, request: web.Request, seen: Seen, body: Json) -> web.StreamResponse:
        step = self.next_step(body, lambda: brain.answer(view(body)))
        if isinstance(step, Hang):
            return await hang(request, seen, step)
        if isinstance(step, Refuse):
            return web.Response(status=step.status, body=step.body, headers=dict(step.headers))
        await anyio.sleep(step.delay)
        message = self._message(body, step)
        if not body.get("stream"):
            return json_response(message, headers=self._headers(), compress=step.delivery.gzip)
        failure = event("error", {"type": "error", "error": named_error(*step.delivery.error)})
        return await self._stream(request, seen, events(message, step), step, failure)

    async def _stream(
        self, request: web.Request, seen: Seen, said: list[bytes], step: Reply, failure: bytes
    ) -> web.StreamResponse:
        return await stream(request, seen, said, step, self._headers(), failure)

    def _message(self, body: Json, reply: Reply) -> Json:
        thinking = body.get("thinking") or {}
        hide = thinking.get("display") == "omitted"
        parts = [part for part in reply.parts if isinstance(part, Say | Think | Call)]
        return {
            "id": f"msg_01{uuid.uuid4().hex[:22]}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [self._block(part, hide=hide) for part in parts],
            "stop_reason": STOPS[reply.reason],
            "stop_sequence": reply.stop_sequence,
            "stop_details": None,
            "usage": usage(reply),
        }

    def _block(self, part: Say | Think | Call, *, hide: bool) -> Json:
        if isinstance(part, Say):
            return {"type": "text", "text": part.text}
        if isinstance(part, Think):
            if part.redacted:
                return {"type": "redacted_thinking", "data": self.sign("")}
            text = "" if hide else part.text
            return {"type": "thinking", "thinking": text, "signature": self.sign(text)}
        return {
            "type": "tool_use",
            "id": part.id or f"toolu_01{uuid.uuid4().hex[:22]}",
            "name": part.name,
            "input": part.arguments,
        }


def describe(model: Model) -> Json:
    """A model as /v1/models lists it."""
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.id.replace("-", " ").title(),
        "created_at": "2026-01-01T00:00:00Z",
        "max_input_tokens": model.window,
        "max_tokens": model.max_output,
    }


def usage(reply: Reply) -> Json:
    """The usage of a whole answer."""
    spent = reply.usage
    return {
        "input_tokens": spent.fresh,
        "cache_creation_input_tokens": spent.stored,
        "cache_read_input_tokens": spent.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": spent.stored, "ephemeral_1h_input_tokens": 0},
        "output_tokens": spent.output,
        "output_tokens_details": {"thinking_tokens": spent.reasoning},
        "service_tier": "standard",
        "inference_geo": "global",
    }


def event(name: str, data: Json) -> bytes:
    """One SSE event as the vendor frames it."""
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + b"\n\n"


def events(message: Json, reply: Reply) -> list[bytes]:
    """The stream of a message, with a ping after the first block has opened."""
    start = {**message, "content": [], "stop_reason": None, "usage": {**message["usage"], "output_tokens": 1}}
    out = [event("message_start", {"type": "message_start", "message": start})]
    for index, block in enumerate(message["content"]):
        out += _block_events(index, block, reply.deltas, ping=index == 0)
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    final = {key: value for key, value in message["usage"].items() if key.endswith(("tokens", "tokens_details"))}
    out.append(event("message_delta", {"type": "message_delta", "delta": delta, "usage": final}))
    out.append(event("message_stop", {"type": "message_stop"}))
    return out


_DELTA = "content_block_delta"


def _block_events(index: int, block: Json, count: int, *, ping: bool) -> list[bytes]:
    kind = block["type"]
    opened: Json = dict(block)
    deltas: list[Json] = []
    if kind == "text":
        opened["text"] = ""
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"], count)]
    elif kind == "thinking":
        opened |= {"thinking": "", "signature": ""}
        if block["thinking"]:
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"], count)]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    elif kind == "tool_use":
        opened["input"] = {}
        given = block["input"]
        text = given if isinstance(given, str) else msgspec.json.encode(given).decode()
        # The vendor opens with an empty piece, and sends no other for an empty input.
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces(text, count))]
    out = [event("content_block_start", {"type": "content_block_start", "index": index, "content_block": opened})]
    if ping:
        out.append(event("ping", {"type": "ping"}))
    out += [event(_DELTA, {"type": _DELTA, "index": index, "delta": delta}) for delta in deltas]
    out.append(event("content_block_stop", {"type": "content_block_stop", "index": index}))
    return out


def view(body: Json) -> brain.View:
    """A request as the brain sees it."""
    tools = {tool["name"]: tool.get("input_schema", {}) for tool in body.get("tools") or () if "name" in tool}
    choice = body.get("tool_choice") or {}
    last = next((m for m in reversed(body["messages"]) if m["role"] == "user"), {"content": ""})
    content = last["content"] if isinstance(last["content"], list) else [{"type": "text", "text": last["content"]}]
    form = (body.get("output_config") or {}).get("format") or {}
    return brain.View(
        text="\n".join(block["text"] for block in content if block["type"] == "text"),
        results=tuple(_result_text(block) for block in content if block["type"] == "tool_result"),
        tools=tools if choice.get("type") != "none" else {},
        forced=choice.get("name"),
        must_call=choice.get("type") == "any",
        schema=form.get("schema"),
        thinks=(body.get("thinking") or {}).get("type") in ("enabled", "adaptive"),
    )


def _result_text(block: Json) -> str:
    content = block.get("content", "")
    if isinstance(content, str):
        return content
    return " ".join(part.get("text") or part.get("tool_name") or f"[{part['type']}]" for part in content)


def _decode(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        raise Refusal(f"The request body is not valid JSON: {error}") from None


def named_error(kind: str, message: str) -> Json:
    """The inner part of an error body."""
    return {"type": kind, "message": message}


def error_response(status: int, kind: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    """The vendor's error body, with the request id in body and header and what it says about retrying."""
    request_id = f"req_{uuid.uuid4().hex[:24]}"
    retry = "true" if status in (408, 409, 429) or status >= 500 else "false"
    body = {"type": "error", "error": named_error(kind, message), "request_id": request_id}
    return json_response(body, status, {"request-id": request_id, "x-should-retry": retry, **(headers or {})})


def refuse(status: int, kind: str, message: str, **headers: str) -> Refuse:
    """A scripted error in the vendor's shape; underscores in header names become hyphens."""
    request_id = f"req_{uuid.uuid4().hex[:24]}"
    body = {"type": "error", "error": named_error(kind, message), "request_id": request_id}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    every = {"content-type": "application/json", "request-id": request_id, **named}
    return Refuse(status, msgspec.json.encode(body), tuple(every.items()))


def overloaded() -> Refuse:
    """529."""
    return refuse(529, "overloaded_error", "Overloaded", x_should_retry="true")


def rate_limited(retry_after: int = 1) -> Refuse:
    """429 with a `retry-after` in seconds."""
    message = "This request would exceed your organization's rate limit of 50,000 input tokens per minute."
    return refuse(429, "rate_limit_error", message, retry_after=str(retry_after), x_should_retry="true")


def prompt_too_long(tokens: int = 250_000, limit: int = 200_000) -> Refuse:
    """400 in the words that Claude Code recognises as a full context."""
    message = f"prompt is too long: {tokens} tokens > {limit} maximum"
    return refuse(400, "invalid_request_error", message, x_should_retry="false")


if __name__ == "__main__":
    flavours = ("first-party", "lagging")
    run_alone(lambda name: FakeAnthropic(any_model=True, lagging=name == "lagging"), __doc__ or "", flavours)
