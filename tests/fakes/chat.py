"""FakeChat: Chat Completions with a vendor's strictness and flavour. `python -m tests.fakes.chat` serves it alone."""

from __future__ import annotations

import uuid
from collections.abc import Container
from itertools import zip_longest
from typing import Any

import anyio
import msgspec
from aiohttp import web

from tests.fakes import brain
from tests.fakes.authority import Authority
from tests.fakes.chat_rules import check_headers, check_request
from tests.fakes.flavours import FLAVOURS, OPENAI, Flavour
from tests.fakes.refusal import Json, Refusal
from tests.fakes.script import Call, Hang, Refuse, Reply, Say, ScriptItem, Think, pieces
from tests.fakes.server import BODY_LIMIT, FakeServer, Seen, hang, json_response, run_alone, stream

KEY = "fake-chat-key"
CREATED = 1_795_000_000
STOPS = {
    "end": "stop",
    "tools": "tool_calls",
    "length": "length",
    "refusal": "content_filter",
    "stop_sequence": "stop",
    "pause": "stop",
    "window": "length",
}


class FakeChat(FakeServer):
    """`models=None`: every model name is served. `/v1` may be left out: some vendors' base URLs have none.

    `root` is what stands before the paths of the dialect.
    """

    root = ""

    def __init__(
        self,
        flavour: Flavour = OPENAI,
        *,
        script: tuple[ScriptItem, ...] = (),
        keys: tuple[str, ...] = (KEY,),
        models: tuple[str, ...] | None = None,
        tls: Authority | None = None,
    ) -> None:
        super().__init__(script=script, tls=tls)
        self.flavour = flavour
        self.keys = keys
        self.models = models
        self._reasoned: set[str] = set()

    def is_inference(self, seen: Seen) -> bool:
        return seen.method == "POST" and seen.path.endswith("/chat/completions")

    async def answer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        try:
            return await self._serve(request, seen)
        except Refusal as refusal:
            seen.refused = refusal.message
            return error_response(refusal)

    async def _serve(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        headers = {key.lower(): value for key, value in seen.headers}
        path = request.path.removeprefix(self.root).removeprefix("/v1")
        listing = request.method == "GET" and path == "/models"
        if (request.method, path) != ("POST", "/chat/completions") and not listing:
            message = f"Invalid URL ({request.method} {request.path})"
            raise Refusal(message, status=404)
        check_headers(headers, self.keys, self.flavour)
        if listing:
            return self._models()
        if len(seen.raw) > BODY_LIMIT:
            raise Refusal("Request body too large", status=413)
        body = _decode(seen.raw)
        check_request(body, self.flavour, self.models, self._reasoned)
        return await self._infer(request, seen, body)

    def _models(self) -> web.Response:
        names = self.models or ("fake-model",)
        data = [{"id": name, "object": "model", "created": CREATED, "owned_by": self.flavour.name} for name in names]
        return json_response({"object": "list", "data": data}, headers=_headers())

    async def _infer(self, request: web.Request, seen: Seen, body: Json) -> web.StreamResponse:
        step = self.next_step(body, lambda: brain.answer(view(body, self.flavour)))
        if isinstance(step, Hang):
            return await hang(request, seen, step)
        if isinstance(step, Refuse):
            return web.Response(status=step.status, body=step.body, headers=dict(step.headers))
        await anyio.sleep(step.delay)
        message = self._message(step, customs(body))
        finish = self.flavour.stops_with_tools if step.reason == "tools" else STOPS[step.reason]
        frame = {"id": f"chatcmpl-{uuid.uuid4().hex[:24]}", "created": CREATED, "model": body["model"]}
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
            whole = {**frame, "object": "chat.completion", "choices": [choice], "usage": usage(step, self.flavour)}
            return json_response(whole, headers=_headers(), compress=step.delivery.gzip)
        chunks = self._chunks(message, step, finish, body)
        events = [event({**frame, "object": "chat.completion.chunk", **chunk}) for chunk in chunks]
        kind, text = step.delivery.error
        failure = event({"error": {"message": text, "type": kind, "param": None, "code": None}})
        return await stream(request, seen, [*events, b"data: [DONE]\n\n"], step, _headers(), failure)

    def _message(self, reply: Reply, custom: Container[str]) -> Json:
        """The assistant message of a whole answer, in the flavour's shape."""
        said = "".join(part.text for part in reply.parts if isinstance(part, Say))
        thought = "".join(part.text for part in reply.parts if isinstance(part, Think))
        calls = [call_of(part, part.name in custom) for part in reply.parts if isinstance(part, Call)]
        if thought and self.flavour.reasoning == "think":
            said = f"<think>\n{thought}\n</think>\n\n{said}"
        message: Json = {"role": "assistant", "content": said if said or not calls else None}
        if self.flavour.name == "openai":
            message |= {"refusal": None, "annotations": []}
        if thought and self.flavour.reasoning in ("reasoning_content", "reasoning"):
            message[self.flavour.reasoning] = thought
        if thought and self.flavour.reasoning == "reasoning_details":
            details = {"type": "reasoning.text", "text": thought, "signature": f"sig-{uuid.uuid4().hex}"}
            message |= {"reasoning": thought, "reasoning_details": [{**details, "format": "unknown", "index": 0}]}
        if calls:
            message["tool_calls"] = calls
        if thought:
            self._reasoned.update(call["id"] for call in calls)
        return message

    def _chunks(self, message: Json, reply: Reply, finish: str, body: Json) -> list[Json]:
        deltas: list[Json] = [{"role": "assistant", "content": "", **({"refusal": None} if self._strict else {})}]
        deltas += self._text_deltas(message, reply.deltas)
        deltas += _call_deltas(message.get("tool_calls") or [], reply)
        options = body.get("stream_options") or {}
        counted = options.get("include_usage")
        chunks = [self._chunk(delta, None, options) for delta in deltas]
        chunks.append(self._chunk({}, finish, options))
        if counted and self.flavour.counts_inside:
            chunks[-1]["choices"][0]["usage"] = usage(reply, self.flavour)
        elif counted:
            chunks = [{**chunk, "usage": None} for chunk in chunks]
            chunks.append({"choices": [], "usage": usage(reply, self.flavour)})
        return chunks

    @property
    def _strict(self) -> bool:
        return self.flavour.name == "openai"

    def _text_deltas(self, message: Json, count: int) -> list[Json]:
        deltas: list[Json] = []
        name = self.flavour.reasoning
        if name in ("reasoning_content", "reasoning") and message.get(name):
            deltas += [{name: piece} for piece in pieces(message[name], count)]
        for detail in message.get("reasoning_details") or ():
            for piece in pieces(detail["text"], count):
                fields = {key: value for key, value in detail.items() if key != "signature"}
                deltas.append({"reasoning": piece, "reasoning_details": [{**fields, "text": piece}]})
            signed = {"type": detail["type"], "signature": detail["signature"], "format": "unknown", "index": 0}
            deltas.append({"reasoning_details": [signed]})
        if message["content"]:
            deltas += [{"content": piece} for piece in pieces(message["content"], count)]
        return deltas

    def _chunk(self, delta: Json, finish: str | None, options: Json) -> Json:
        choice: Json = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        chunk: Json = {"choices": [choice]}
        if self._strict:
            chunk |= {"service_tier": "default", "system_fingerprint": "fp_fake"}
        if self.flavour.obfuscation and options.get("include_obfuscation") is not False:
            chunk["obfuscation"] = uuid.uuid4().hex[: 6 + len(delta)]
        return chunk


def customs(body: Json) -> dict[str, Json]:
    """The tools of a request whose input is free text, by name; to the brain it is a member of theirs."""
    offered = (tool["custom"]["name"] for tool in body.get("tools") or () if tool["type"] == "custom")
    return dict.fromkeys(offered, _INPUT)


_INPUT: Json = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


def call_of(part: Call, custom: bool = False) -> Json:
    """A scripted call as the dialect writes it: arguments are JSON text, those of a `custom` tool any."""
    given = part.arguments
    identifier = part.id or f"call_{uuid.uuid4().hex[:24]}"
    if custom:
        text = given if isinstance(given, str) else str(given["input"])
        return {"id": identifier, "type": "custom", "custom": {"name": part.name, "input": text}}
    text = given if isinstance(given, str) else msgspec.json.encode(given).decode()
    return {"id": identifier, "type": "function", "function": {"name": part.name, "arguments": text}}


def _call_deltas(calls: list[Json], reply: Reply) -> list[Json]:
    """Each call opens with id, name and no arguments; pieces of several calls are mixed when `interleave`."""
    rows = []
    for index, call in enumerate(calls):
        kind = call["type"]
        member = "input" if kind == "custom" else "arguments"
        opened = {"name": call[kind]["name"], member: ""}
        row: list[Json] = [{"index": index, "id": call["id"], "type": kind, kind: opened}]
        row += [{"index": index, kind: {member: piece}} for piece in pieces(call[kind][member], reply.deltas)]
        rows.append(row)
    if reply.interleave:
        flat = [piece for column in zip_longest(*rows) for piece in column if piece is not None]
    else:
        flat = [piece for row in rows for piece in row]
    return [{"tool_calls": [piece]} for piece in flat]


def usage(reply: Reply, flavour: Flavour) -> Json:
    """Usage in this dialect: what went in counts the cached tokens too, what came out the reasoning."""
    spent = reply.usage
    went_in = spent.fresh + spent.cached + spent.stored
    out: Json = {
        "prompt_tokens": went_in,
        "completion_tokens": spent.output,
        "total_tokens": went_in + spent.output,
        "prompt_tokens_details": {"cached_tokens": spent.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": spent.reasoning, "audio_tokens": 0},
    }
    if flavour.name == "deepseek":
        out |= {"prompt_cache_hit_tokens": spent.cached, "prompt_cache_miss_tokens": went_in - spent.cached}
    if flavour.name == "kimi":
        out["cached_tokens"] = spent.cached
        del out["prompt_tokens_details"]
    return out


def event(data: Json) -> bytes:
    """One SSE event; this dialect has no event names."""
    return b"data: " + msgspec.json.encode(data) + b"\n\n"


def view(body: Json, flavour: Flavour) -> brain.View:
    """A request as the brain sees it."""
    tools = {
        tool["function"]["name"]: tool["function"].get("parameters") or {}
        for tool in body.get("tools") or ()
        if tool["type"] == "function"
    } | customs(body)
    choice = body.get("tool_choice")
    messages = body["messages"]
    form = body.get("response_format") or {}
    results: list[str] = []
    said: list[str] = []
    for message in reversed(messages):
        # Images of a tool's result, and a client's reminders, may stand in a user message after it.
        if message["role"] == "assistant":
            break
        if message["role"] == "user":
            said.insert(0, _text(message["content"]))
        if message["role"] == "tool":
            results.insert(0, _text(message["content"]))
    return brain.View(
        text="\n".join(said),
        results=tuple(results),
        tools=tools if choice != "none" else {},
        forced=choice["function"]["name"] if isinstance(choice, dict) and "function" in choice else None,
        must_call=choice == "required",
        schema=(form.get("json_schema") or {}).get("schema"),
        thinks=bool(flavour.reasoning) and (body.get("thinking") or {}).get("type") != "disabled",
    )


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content or ())


def _headers() -> dict[str, str]:
    return {
        "x-request-id": f"req_{uuid.uuid4().hex}",
        "openai-processing-ms": "12",
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
    }


def _decode(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        hint = "(HINT: This likely means you aren't using your HTTP library correctly.)"
        raise Refusal(f"We could not parse the JSON body of your request. {hint}") from None


def error_response(refusal: Refusal) -> web.Response:
    """The vendor's error body."""
    error = {"message": refusal.message, "type": refusal.kind, "param": refusal.param, "code": refusal.code}
    return json_response({"error": error}, refusal.status, _headers())


def refuse(status: int, kind: str, message: str, code: str | int | None = None, **headers: str) -> Refuse:
    """A scripted error in the vendor's shape; underscores in header names become hyphens."""
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    every = {"content-type": "application/json", **_headers(), **named}
    return Refuse(status, msgspec.json.encode(body), tuple(every.items()))


def rate_limited(retry_after: int = 1) -> Refuse:
    """429 that says when to come back."""
    message = f"Rate limit reached for requests. Please try again in {retry_after}s."
    return refuse(429, "requests", message, "rate_limit_exceeded", retry_after=str(retry_after))


def quota_exhausted() -> Refuse:
    """429 that no waiting will mend."""
    message = "You exceeded your current quota, please check your plan and billing details."
    return refuse(429, "insufficient_quota", message, "insufficient_quota")


def overloaded() -> Refuse:
    """503."""
    return refuse(503, "server_error", "The server is currently overloaded, please try again later.")


def prompt_too_long(flavour: Flavour = OPENAI) -> Refuse:
    """A full context, in the flavour's words."""
    status, message, kind, code = flavour.overflow
    return refuse(status, kind, message, code)


if __name__ == "__main__":
    run_alone(lambda name: FakeChat(FLAVOURS[name]), __doc__ or "", tuple(FLAVOURS))
