"""FakeResponses: the Responses API with the vendor's strictness, over HTTP and WebSocket.

`python -m tests.fakes.responses` serves it alone.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

import anyio
import msgspec
from aiohttp import web

from tests.fakes.authority import Authority
from tests.fakes.chat_words import missing
from tests.fakes.refusal import Json, Refusal
from tests.fakes.responses_events import CREATED, WIRE, error_event, prewarmed, sse, tell
from tests.fakes.responses_flavours import FLAVOURS, OPENAI, ResponsesFlavour
from tests.fakes.responses_ledger import Answered, Ledger, fresh, named, tokens
from tests.fakes.responses_output import compaction
from tests.fakes.responses_parts import overflow_inside
from tests.fakes.responses_rules import check_headers, check_history, check_request, check_size
from tests.fakes.responses_socket import Socket
from tests.fakes.responses_tables import COMPACT_MEMBERS, COUNT_MEMBERS, efforts_of
from tests.fakes.responses_view import answer as think_up
from tests.fakes.script import Hang, Refuse, Reply, ScriptItem, Step
from tests.fakes.server import BODY_LIMIT, FakeServer, Seen, hang, json_response, run_alone, stream

KEY = "fake-responses-key"
ACCOUNT = "org-fake"


class FakeResponses(FakeServer):
    """`models=None`: every model name is served. `account`: to whom encrypted content is bound.

    `window`: tokens of context, None = no end. `replay`: within a tool loop, reasoning that was handed out has to come
    back. `upgrade`: what a WebSocket handshake is answered, None = it is accepted.
    """

    def __init__(
        self,
        flavour: ResponsesFlavour = OPENAI,
        *,
        script: tuple[ScriptItem, ...] = (),
        keys: tuple[str, ...] = (KEY,),
        models: tuple[str, ...] | None = None,
        account: str = ACCOUNT,
        window: int | None = None,
        replay: bool = True,
        upgrade: Refuse | None = None,
        tls: Authority | None = None,
    ) -> None:
        super().__init__(script=script, tls=tls)
        self.flavour = flavour
        self.keys = keys
        self.models = models
        self.account = account
        self.window = window
        self.upgrade = upgrade
        self.ledger = Ledger(account, replay=replay)

    @property
    def root(self) -> str:
        """The base URL as a client of the flavour is given it."""
        return self.base_url + self.flavour.root

    def is_inference(self, seen: Seen) -> bool:
        return seen.method in ("POST", "WS") and seen.path.endswith("/responses")

    # -- routes ----------------------------------------------------------------------------------------------------

    async def answer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        try:
            return await self._serve(request, seen)
        except Refusal as refusal:
            seen.refused = refusal.message
            return json_response(error_body(refusal), refusal.status, self.headers())

    async def _serve(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        headers = {key.lower(): value for key, value in seen.headers}
        path = request.path.removeprefix(self.flavour.root).removeprefix("/v1").strip("/").split("/")
        if path[0] not in ("responses", "models"):
            raise _no_such(request, self.flavour)
        self.admit(headers)
        if len(seen.raw) > BODY_LIMIT:
            raise Refusal("Request body too large", status=413)
        match request.method, path:
            case "GET", ["models"]:
                return self.list_models(request)
            case "POST", ["responses"]:
                return await self._infer(request, seen)
            case "GET", ["responses"] if headers.get("upgrade", "").lower() == "websocket":
                return await self.shake(request, seen)
            case "POST", ["responses", "compact"]:
                return self.compact(_decode(seen.raw))
            case "POST", ["responses", "input_tokens"] if not self.flavour.stateless:
                return self._count(_decode(seen.raw))
            case method, ["responses", identifier, *rest] if not self.flavour.stateless:
                return await self._stored(request, seen, method, identifier, rest)
        raise _no_such(request, self.flavour)

    def admit(self, headers: dict[str, str]) -> None:
        """Refuse who may not ask. `headers`: by lower-case name."""
        check_headers(headers, self.keys, self.flavour, self.account)

    async def shake(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        """Answer the handshake of a WebSocket, and serve it."""
        if self.upgrade is not None:
            return refused(self.upgrade)
        return await Socket(self).serve(request, seen)

    async def _infer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        body = _decode(seen.raw)
        before, items = self.check(body)
        step = self.step(body, before, items)
        if isinstance(step, Hang):
            return await hang(request, seen, step)
        if isinstance(step, Refuse):
            return refused(step)
        await anyio.sleep(step.delay)
        answered = self.tell(body, step, before, items)
        if body.get("stream"):
            events = [sse(event) for event in answered.events if event["type"] != WIRE]
            return await stream(request, seen, events, step, self.headers(), failure(step))
        if body.get("background"):
            answered.pending, answered.response = answered.response, {**answered.response, **_QUEUED}
        return json_response(answered.response, headers=self.headers(), compress=step.delivery.gzip)

    # -- one response, over whatever it came -----------------------------------------------------------------------

    def check(self, body: Json, recent: dict[str, Answered] | None = None) -> tuple[Answered | None, list[Json]]:
        """Refuse a request that breaks a rule; the response that it continues and its items.

        `recent`: what a socket remembers, None when the request did not come over one.
        """
        check_request(body, self.flavour, models=self.models, frame=recent is not None)
        before = None
        previous = body.get("previous_response_id")
        if previous is not None:
            before = (recent or {}).get(previous) or self.ledger.stored.get(previous)
            if before is None:
                words = f"Previous response with id '{previous}' not found."
                raise Refusal(words, param="previous_response_id", code="previous_response_not_found")
        items = check_history(body, self.ledger, before) or named(body.get("input"))
        if self.flavour.early_overflow:
            check_size(body, [*(before.history if before else ()), *items], self.window)
        return before, items

    def step(self, body: Json, before: Answered | None, items: list[Json]) -> Step:
        """What the script or the brain says to a request that broke no rule."""
        whole = [*(before.history if before else ()), *items]
        try:
            check_size(body, whole, self.window)
        except Refusal:
            return overflow_inside()
        return self.next_step(body, lambda: think_up(body, whole))

    def tell(self, body: Json, step: Reply, before: Answered | None, items: list[Json]) -> Answered:
        """The answer, remembered as far as it has to be."""
        if body.get("generate") is False:
            told = prewarmed(body, self.flavour)
        else:
            told = tell(body, step, self.flavour, self.ledger.seal, before.id if before else None)
        answered = Answered(told.response, told.events, named(items), before.history if before else [])
        self.ledger.hand_out(told.response["output"])
        if body.get("store") is not False:
            self.ledger.keep(answered)
        return answered

    # -- what was stored -------------------------------------------------------------------------------------------

    async def _stored(
        self, request: web.Request, seen: Seen, method: str, identifier: str, rest: list[str]
    ) -> web.StreamResponse:
        match method, rest:
            case "GET", []:
                answered = self.ledger.find(identifier)
                if answered.pending is not None:
                    # What runs in the background is done by the time that somebody asks.
                    answered.response, answered.pending = answered.pending, None
                if request.query.get("stream") == "true":
                    after = int(request.query.get("starting_after", -1))
                    events = [sse(event) for event in answered.events if event["sequence_number"] > after]
                    return await stream(request, seen, events, Reply(), self.headers(), b"")
                return json_response(answered.response, headers=self.headers())
            case "DELETE", []:
                self.ledger.drop(identifier)
                gone = {"id": identifier, "object": "response", "deleted": True}
                return json_response(gone, headers=self.headers())
            case "GET", ["input_items"]:
                answered = self.ledger.find(identifier)
                return self._listed([*answered.context, *answered.asked], request)
            case "POST", ["cancel"]:
                answered = self.ledger.find(identifier)
                if not answered.response["background"]:
                    raise Refusal("Cannot cancel a synchronous response.")
                if answered.pending is not None:
                    answered.pending = None
                    answered.response |= {"status": "cancelled"}
                return json_response(answered.response, headers=self.headers())
        raise _no_such(request, self.flavour)

    def _listed(self, items: list[Json], request: web.Request) -> web.Response:
        if request.query.get("order", "desc") == "desc":
            items.reverse()
        after = request.query.get("after")
        start = next((index + 1 for index, item in enumerate(items) if item["id"] == after), 0)
        limit = int(request.query.get("limit", 20))
        page = items[start : start + limit]
        ends = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
        more = len(items) > start + limit
        return json_response({"object": "list", "data": page, **ends, "has_more": more}, headers=self.headers())

    # -- the rest --------------------------------------------------------------------------------------------------

    def _judge(self, body: Any, members: frozenset[str]) -> list[Json]:
        """Refuse what an endpoint beside `/responses` refuses; the items that it is about."""
        if not isinstance(body, dict):
            raise Refusal("We could not parse the JSON body of your request.")
        for name in body:
            if name not in members:
                raise Refusal(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
        # What these have of a request has the same rules as there.
        rest = {name: value for name, value in body.items() if name != "personality"}
        whole = {"model": "gpt-5.5", "input": [], **rest, "store": False, "stream": True}
        check_request(whole, self.flavour, models=self.models)
        return named(whole["input"])

    def _count(self, body: Any) -> web.Response:
        self._judge(body, COUNT_MEMBERS)
        counted = tokens(body.get("input"), body.get("instructions"), body.get("tools"))
        return json_response({"object": "response.input_tokens", "input_tokens": counted}, headers=self.headers())

    def compact(self, body: Any) -> web.Response:
        items = self._judge(body, COMPACT_MEMBERS)
        if "model" not in body:
            raise missing("model")
        check_history({**body, "store": False}, self.ledger)
        said = f"a summary of {len(items)} items"
        kept = [{**item, "status": "completed"} for item in items if item.get("role") == "user"]
        output = [*kept, compaction(said, self.ledger.seal, body["model"])]
        spent = {"input_tokens": tokens(items), "output_tokens": 10, "total_tokens": tokens(items) + 10}
        details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        whole = {"id": fresh("resp"), "object": "response.compaction", "created_at": CREATED, "output": output}
        return json_response({**whole, "usage": {**spent, **details}}, headers=self.headers())

    def list_models(self, request: web.Request) -> web.Response:
        names = self.models or ("gpt-5.5",)
        if "client_version" in request.query or self.flavour.detail:
            headers = {**self.headers(), "etag": f'W/"{len(names)}"'}
            return json_response({"models": [described(name) for name in names]}, headers=headers)
        data = [{"id": name, "object": "model", "created": CREATED, "owned_by": "system"} for name in names]
        return json_response({"object": "list", "data": data}, headers=self.headers())

    def headers(self) -> dict[str, str]:
        """What every answer carries."""
        identifier = f"req_{uuid.uuid4().hex}"
        if self.flavour.detail:
            return {
                "x-oai-request-id": identifier,
                "x-models-etag": f'W/"{len(self.models or ("gpt-5.5",))}"',
                "x-codex-turn-state": uuid.uuid4().hex,
                "x-codex-primary-used-percent": "12",
                "x-codex-primary-window-minutes": "300",
                "x-codex-primary-reset-at": str(int(time.time()) + 3600),
            }
        return {
            "x-request-id": identifier,
            "openai-processing-ms": "12",
            "openai-version": "2020-10-01",
            "x-ratelimit-limit-requests": "500",
            "x-ratelimit-remaining-requests": "499",
            "x-ratelimit-reset-requests": "120ms",
        }


_QUEUED: Json = {"status": "queued", "output": [], "usage": None, "completed_at": None}


def described(model: str) -> Json:
    """A model as Codex wants to know it."""
    known, usual = efforts_of(model)
    return {
        "slug": model,
        "display_name": model,
        "description": f"{model}, as the fake has it.",
        "context_window": 272_000,
        "supported_reasoning_levels": [{"effort": effort, "description": effort} for effort in known],
        "default_reasoning_level": usual,
        "supported_in_api": True,
        "visibility": "list",
        "priority": 0,
    }


def failure(step: Reply) -> bytes:
    """The event with which a script breaks a stream off."""
    code, message = step.delivery.error
    event = {"type": "error", **error_event(code, message, None, wrapped=True)}
    return sse({**event, "sequence_number": step.delivery.cut_after})


def refused(refuse: Refuse) -> web.Response:
    """A scripted refusal over HTTP."""
    return web.Response(status=refuse.status, body=refuse.body, headers=dict(refuse.headers))


def _no_such(request: web.Request, flavour: ResponsesFlavour) -> Refusal:
    if flavour.detail:
        return Refusal("Not Found", status=404, kind="detail")
    return Refusal(f"Invalid URL ({request.method} {request.path})", status=404)


def _decode(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        hint = "(HINT: This likely means you aren't using your HTTP library correctly.)"
        raise Refusal(f"We could not parse the JSON body of your request. {hint}") from None


def error_body(refusal: Refusal) -> Json:
    """The vendor's error body; its Codex backend has another for troubles of the request as a whole."""
    if refusal.kind == "detail":
        return {"detail": refusal.message}
    error = {"message": refusal.message, "type": refusal.kind, "param": refusal.param, "code": refusal.code}
    return {"error": error}


def refuse(status: int, kind: str, message: str, code: str | None = None, **headers: str) -> Refuse:
    """A scripted error in the vendor's shape; underscores in header names become hyphens."""
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    every = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Refuse(status, msgspec.json.encode(body), tuple(every.items()))


def rate_limited(retry_after: int = 1) -> Refuse:
    """429 that says when to come back."""
    message = f"Rate limit reached for requests. Please try again in {retry_after}s."
    return refuse(429, "requests", message, "rate_limit_exceeded", retry_after=str(retry_after))


def quota_exhausted() -> Refuse:
    """429 that no waiting will mend."""
    message = "You exceeded your current quota, please check your plan and billing details."
    return refuse(429, "insufficient_quota", message, "insufficient_quota")


def usage_limit(resets_in: int = 3600) -> Refuse:
    """429 of a ChatGPT account whose allowance is used up."""
    error = {"type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "pro"}
    told = {"error": {**error, "resets_at": int(time.time()) + resets_in, "resets_in_seconds": resets_in}}
    return Refuse(429, msgspec.json.encode(told))


def overloaded() -> Refuse:
    """503."""
    return refuse(503, "server_error", "The server is currently overloaded, please try again later.", "slow_down")


def no_sockets() -> Refuse:
    """426: what a handshake is answered where there are no WebSockets."""
    return refuse(426, "invalid_request_error", "Upgrade to HTTP.", "websocket_not_supported")


def connection_limit() -> Refuse:
    """What a socket says when its time is over; it closes after that."""
    words = "Responses websocket connection limit reached (60 minutes). Create a new websocket connection to continue."
    return refuse(400, "invalid_request_error", words, "websocket_connection_limit_reached")


if __name__ == "__main__":
    run_alone(lambda name: FakeResponses(FLAVOURS[name]), __doc__ or "", tuple(FLAVOURS))
