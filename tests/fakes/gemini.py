"""FakeGemini: generateContent with Google's strictness, behind an API key, a project's path or Code Assist.

It signs what the vendor signs, for a model family, and refuses any other signature, so one that was lost, changed or
made by another model is caught. `python -m tests.fakes.gemini` serves it alone.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from base64 import b64encode
from typing import Any

import anyio
import msgspec
from aiohttp import web
from msgspec import Struct

from tests.fakes import gemini_brain
from tests.fakes.authority import Authority
from tests.fakes.gemini_answers import Asked, chunks, whole
from tests.fakes.gemini_assist import Assist
from tests.fakes.gemini_errors import CODES, Denied, error_body
from tests.fakes.gemini_flavours import FLAVOURS, GEMINI, MODELS, Flavour, Model
from tests.fakes.gemini_proto import decoded, read
from tests.fakes.gemini_rules import Rules, check_count, check_credentials, check_message, check_request, find_model
from tests.fakes.refusal import Json, Refusal
from tests.fakes.script import Hang, Refuse, Reply, ScriptItem
from tests.fakes.server import FakeServer, Seen, hang, json_response, run_alone, stream

KEY = "fake-gemini-key"
SIZE_LIMIT = 20 * 1024 * 1024
_MODEL_PATH = re.compile(
    r"^(?:/(v1|v1beta|v1beta1))?(/projects/([^/]+)/locations/[^/]+)?(/publishers/google)?/models/([^/:]+)(?::(\w+))?$"
)
_LIST_PATH = re.compile(r"^(?:/(v1|v1beta|v1beta1))?(?:/projects/[^/]+/locations/[^/]+)?(/publishers/google)?/models$")
_QUERY = frozenset("key alt $alt prettyPrint fields access_token quotaUser $.xgafv pageSize pageToken filter".split())


class _Route(Struct, frozen=True):
    """Where a request for a model goes. `method` is `generateContent`, `streamGenerateContent` or `countTokens`."""

    model: str
    method: str
    version: str = "v1beta"
    project: str = "p"


class FakeGemini(FakeServer):
    """`keys`: accepted credentials. `signatures`: those of elsewhere that are taken for this vendor's own.

    `secret`: two fakes with the same one take each other's signatures, as two doors of the vendor would. `onboarded`:
    whether Code Assist already knows the user.
    """

    def __init__(
        self,
        flavour: Flavour = GEMINI,
        *,
        script: tuple[ScriptItem, ...] = (),
        keys: tuple[str, ...] = (KEY,),
        models: tuple[Model, ...] = MODELS,
        any_model: bool = False,
        signatures: tuple[str, ...] = (),
        secret: bytes | None = None,
        caches: tuple[str, ...] = (),
        onboarded: bool = True,
        tls: Authority | None = None,
    ) -> None:
        super().__init__(script=script, tls=tls)
        self.flavour = flavour
        self.keys = keys
        self.rules = Rules(flavour, models, any_model, self.verify, caches)
        self._signatures = signatures
        self._secret = secret or uuid.uuid4().bytes
        self._assist = Assist(flavour.package, onboarded=onboarded)

    def sign(self, family: str, name: str) -> str:
        """A signature that only this fake takes: from a model of `family`, on a call of `name` ("" for other parts)."""
        nonce = uuid.uuid4().bytes
        return b64encode(nonce + self._mac(nonce, family, name)).decode()

    def verify(self, family: str, name: str, signature: str) -> bool:
        """Whether this fake has signed such a part of a model of `family`."""
        if signature in self._signatures:
            return True
        raw = decoded(signature) or b""
        return hmac.compare_digest(raw[16:], self._mac(raw[:16], family, name))

    def _mac(self, nonce: bytes, family: str, name: str) -> bytes:
        return hmac.digest(self._secret, nonce + f"{family}\n{name}".encode(), hashlib.sha256)

    def is_inference(self, seen: Seen) -> bool:
        return seen.method == "POST" and seen.path.endswith((":generateContent", ":streamGenerateContent"))

    async def answer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        try:
            return await self._serve(request, seen)
        except Refusal as refusal:
            seen.refused = refusal.message
            details = refusal.details if isinstance(refusal, Denied) else ()
            body: Any = error_body(refusal.message, refusal.kind, details)
            # What cannot be events is a list, even of one error; Code Assist lists them always.
            listed = seen.path.endswith(":streamGenerateContent") and not self._events(request)
            return json_response([body] if listed else body, refusal.status)

    def _events(self, request: web.Request) -> bool:
        return request.query.get("alt") == "sse" and self.flavour.door != "assist"

    async def _serve(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        headers = {key.lower(): value for key, value in seen.headers}
        for name in request.query:
            if name not in _QUERY:
                text = f"Cannot bind query parameter. Field '{name}' could not be found in request message."
                raise Denied(f'Invalid JSON payload received. Unknown name "{name}": {text}')
        assist = self.flavour.door == "assist"
        if assist and not request.path.startswith("/v1internal"):
            return _nowhere(seen)
        if not assist:
            listed, named = _LIST_PATH.match(request.path), _MODEL_PATH.match(request.path)
            if listed is None and named is None:
                return _nowhere(seen)
        check_credentials(headers, request.query.get("key"), self.keys, self.flavour)
        if len(seen.raw) > SIZE_LIMIT:
            raise Denied(f"Request payload size exceeds the limit: {SIZE_LIMIT} bytes.")
        if assist:
            return await self._serve_assist(request, seen)
        return await self._serve_models(request, seen)

    async def _serve_models(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        named = _MODEL_PATH.match(request.path)
        if named is None:
            return self._list(request) if request.method == "GET" else _nowhere(seen)
        version, _, project, publisher, name, method = named.groups()
        if bool(publisher) != (self.flavour.door == "vertex"):
            return _nowhere(seen)
        if request.method == "GET" and method is None:
            return json_response(self._describe(find_model(name, self.rules, "getModel", version or "v1beta")))
        if request.method != "POST" or method not in ("generateContent", "streamGenerateContent", "countTokens"):
            return _nowhere(seen)
        body, route = _decode(seen.raw), _Route(name, method, version or "v1beta", project or "p")
        model = find_model(name, self.rules, method, route.version, route.project)
        if method == "countTokens":
            check_count(body, model, self.rules)
            return json_response(self._count(seen))
        checked = check_request(body, model, self.rules, size=len(seen.raw))
        return await self._infer(request, seen, body, checked, model, route)

    async def _serve_assist(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        method = request.path.removeprefix("/v1internal").lstrip(":/")
        if request.method == "GET":
            return json_response(self._assist.operation(method))
        body = _decode(seen.raw)
        if method == "countTokens":
            counted = read(body, "AssistCountRequest", self.flavour.package).get("request", {})
            model = find_model(counted.get("model", "").removeprefix("models/"), self.rules, method)
            check_count({"contents": counted.get("contents", [])}, model, self.rules)
            return json_response({"totalTokens": self._count(seen)["totalTokens"]})
        if method not in ("generateContent", "streamGenerateContent"):
            known = self._assist.answer(method, body)
            return _nowhere(seen) if known is None else json_response(known)
        envelope = read(body, "AssistRequest", self.flavour.package)
        if not envelope.get("project"):
            raise Denied("Permission denied on resource project .", "PERMISSION_DENIED")
        model = find_model(envelope.get("model", ""), self.rules, method)
        checked = envelope.get("request", {})
        check_message(checked, model, self.rules, size=len(seen.raw))
        return await self._infer(request, seen, body, checked, model, _Route(envelope["model"], method))

    # -- models and tokens -----------------------------------------------------------------------------------------

    def _list(self, request: web.Request) -> web.Response:
        models = [self._describe(model) for model in self.rules.models]
        try:
            size, start = int(request.query.get("pageSize", "50")), int(request.query.get("pageToken") or "0")
        except ValueError:
            raise Denied("Request contains an invalid argument.") from None
        page: Json = {"publisherModels" if self.flavour.door == "vertex" else "models": models[start : start + size]}
        if start + size < len(models):
            page["nextPageToken"] = str(start + size)
        return json_response(page)

    def _describe(self, model: Model) -> Json:
        if self.flavour.door == "vertex":
            return {"name": f"publishers/google/models/{model.id}", "versionId": "default", "launchStage": "GA"}
        return {
            "name": f"models/{model.id}",
            "version": "001",
            "displayName": model.id.replace("-", " ").title(),
            "description": "A fake.",
            "inputTokenLimit": model.window,
            "outputTokenLimit": model.output,
            "supportedGenerationMethods": ["generateContent", "countTokens", "createCachedContent"],
            "temperature": 1,
            "topP": 0.95,
            "topK": 64,
            "maxTemperature": 2,
            "thinking": model.thinks,
        }

    def _count(self, seen: Seen) -> Json:
        tokens = max(1, len(seen.raw) // 4)
        return {"totalTokens": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]}

    # -- answers ---------------------------------------------------------------------------------------------------

    async def _infer(
        self, request: web.Request, seen: Seen, body: Json, checked: Json, model: Model, route: _Route
    ) -> web.StreamResponse:
        step = self.next_step(body, lambda: gemini_brain.answer(checked, model))
        if isinstance(step, Hang):
            return await hang(request, seen, step)
        if isinstance(step, Refuse):
            return web.Response(status=step.status, body=step.body, headers=dict(step.headers))
        await anyio.sleep(step.delay)
        asked = self._asked(request, checked, model, route)
        if route.method == "generateContent":
            return json_response(self._wrapped(whole(step, asked, self.sign)), compress=step.delivery.gzip)
        pieces = [self._wrapped(chunk) for chunk in chunks(step, asked, self.sign)]
        failure = _failure(step)
        if request.query.get("alt") == "sse":
            crlf = step.delivery.crlf or self.flavour.crlf
            reply = msgspec.structs.replace(step, delivery=msgspec.structs.replace(step.delivery, crlf=crlf))
            return await stream(request, seen, [event(piece) for piece in pieces], reply, {}, event(failure))
        # An array has no room for comments.
        reply = msgspec.structs.replace(step, delivery=msgspec.structs.replace(step.delivery, comments=False))
        headers = {"content-type": "application/json; charset=UTF-8"}
        last = b",\r\n" + msgspec.json.encode(failure) + b"]"
        return await stream(request, seen, array(pieces), reply, headers, last)

    def _asked(self, request: web.Request, checked: Json, model: Model, route: _Route) -> Asked:
        config = checked.get("generationConfig", {})
        thinking = config.get("thinkingConfig", {})
        calling = checked.get("toolConfig", {}).get("functionCallingConfig", {})
        return Asked(
            model=model,
            flavour=self.flavour,
            name=route.model,
            thoughts=bool(thinking.get("includeThoughts")) and thinking.get("thinkingBudget") != 0,
            tools=any(tool.get("functionDeclarations") for tool in checked.get("tools", ())),
            candidates=config.get("candidateCount", 1) if route.method == "generateContent" else 1,
            numbers="enum-encoding=int" in request.query.get("$alt", ""),
            partial=bool(calling.get("streamFunctionCallArguments")),
        )

    def _wrapped(self, response: Json) -> Json:
        if self.flavour.door != "assist":
            return response
        return {"response": response, "traceId": uuid.uuid4().hex[:16]}


def event(data: Json) -> bytes:
    """One SSE event: no name, and nothing marks the last."""
    return b"data: " + msgspec.json.encode(data) + b"\n\n"


def array(values: list[Json]) -> list[bytes]:
    """A JSON array in as many pieces as it has values; joined they are the array."""
    out = [(b"," if number else b"[") + msgspec.json.encode(value) + b"\r\n" for number, value in enumerate(values)]
    return [*out[:-1], out[-1] + b"]"]


def _failure(reply: Reply) -> Json:
    kind, text = reply.delivery.error
    return error_body(text, kind if kind in CODES else "UNAVAILABLE")


def _decode(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        raise Denied(f"Invalid JSON payload received. {error}") from None


def _nowhere(seen: Seen) -> web.Response:
    """What Google's front end says of a path that no API has: a page, not JSON."""
    seen.refused = "no such path"
    page = (
        b"<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n<p><b>404.</b> That's an error.\n"
    )
    return web.Response(status=404, body=page, headers={"content-type": "text/html; charset=UTF-8"})


if __name__ == "__main__":
    run_alone(lambda name: FakeGemini(FLAVOURS[name], any_model=True), __doc__ or "", tuple(FLAVOURS))
