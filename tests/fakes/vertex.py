"""FakeVertex: Claude in a project of Google Cloud, for access tokens. `python -m tests.fakes.vertex` serves it alone.

Gemini's door there is a flavour of FakeGemini.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

import msgspec
from aiohttp import web

from tests.fakes.anthropic import FakeAnthropic, error_response
from tests.fakes.anthropic_rules import check_request
from tests.fakes.authority import Authority
from tests.fakes.refusal import Refusal
from tests.fakes.script import Refuse, ScriptItem
from tests.fakes.server import Seen, json_response, run_alone

TOKEN = "ya29.fake-access-token"
PROJECT = "my-project"
VERSIONS = ("vertex-2023-10-16", "2026-10-21")
BETAS = (
    "claude-code-20250219",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "interleaved-thinking-2025-05-14",
    "tool-search-tool-2025-10-19",
)
MODELS = ("claude-sonnet-4-5", "claude-opus-4-8")
_CALLED = re.compile(
    r"^/v1/projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/publishers/anthropic/models/(?P<model>[^/:]+)"
    r":(?P<method>rawPredict|streamRawPredict)$"
)


class FakeVertex(FakeAnthropic):
    """`tokens` are those that are good now; the owner of the project is told apart from others."""

    def __init__(
        self, *, script: tuple[ScriptItem, ...] = (), tokens: tuple[str, ...] = (TOKEN,), tls: Authority | None = None
    ) -> None:
        super().__init__(script=script, any_model=True, tls=tls)
        self.tokens = tokens

    def is_inference(self, seen: Seen) -> bool:
        return seen.method == "POST" and "count-tokens" not in seen.path

    async def answer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        called = _CALLED.match(request.path)
        listing = seen.method == "GET" and request.path == "/v1beta1/publishers/anthropic/models"
        bearer = (seen.header("authorization") or "").removeprefix("Bearer ")
        if bearer not in self.tokens:
            words = "Request had invalid authentication credentials. Expected OAuth 2 access token."
            return _google(seen, 401, "UNAUTHENTICATED", words)
        if listing:
            models = [{"name": f"publishers/anthropic/models/{name}", "versionId": "1"} for name in MODELS]
            return json_response({"publisherModels": models})
        if called is None or seen.method != "POST":
            return _google(seen, 404, "NOT_FOUND", "Requested entity was not found.")
        if called["project"] != PROJECT:
            words = f"Permission 'aiplatform.endpoints.predict' denied on resource '//…/projects/{called['project']}'"
            return _google(seen, 403, "PERMISSION_DENIED", words)
        try:
            return await self._called(request, seen, called)
        except Refusal as refusal:
            seen.refused = refusal.message
            return error_response(refusal.status, refusal.kind, refusal.message)

    async def _called(self, request: web.Request, seen: Seen, called: re.Match[str]) -> web.StreamResponse:
        body: Any = msgspec.json.decode(seen.raw)
        if body.pop("anthropic_version", None) not in VERSIONS:
            raise Refusal("anthropic_version: Field required")
        counting = called["model"] == "count-tokens"
        if counting:
            body["model"] = body["model"].partition("@")[0]
        elif "model" in body:
            raise Refusal("model: Extra inputs are not permitted")
        else:
            body["model"] = called["model"].partition("@")[0]
        if bool(body.get("stream")) != (called["method"] == "streamRawPredict"):
            raise Refusal("stream: must be true for streamRawPredict, and for nothing else")
        betas = [word.strip() for word in (seen.header("anthropic-beta") or "").split(",") if word.strip()]
        unknown = [f"`{beta}`" for beta in betas if beta not in BETAS]
        if unknown:
            raise Refusal(f"Unexpected value(s) {', '.join(unknown)} for the `anthropic-beta` header.")
        headers = {"anthropic-version": "2023-06-01", "anthropic-beta": ",".join(betas)}
        check_request(body, headers, self.rules, counting=counting)
        if counting:
            return json_response({"input_tokens": max(1, len(seen.raw) // 4)})
        return await self._infer(request, seen, body)

    def _headers(self) -> dict[str, str]:
        return {"request-id": f"req_vrtx_{uuid.uuid4().hex[:20]}"}


def _google(seen: Seen, status: int, code: str, words: str) -> web.Response:
    seen.refused = words
    error = {"error": {"code": status, "message": words, "status": code}}
    # what cannot be events is a list
    return json_response([error] if seen.path.endswith(":streamRawPredict") else error, status)


def exhausted() -> Refuse:
    """A quota of the project, in Google's shape."""
    words = "Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model."
    body = {"error": {"code": 429, "message": words, "status": "RESOURCE_EXHAUSTED"}}
    return Refuse(429, msgspec.json.encode([body]))


if __name__ == "__main__":
    run_alone(lambda _: FakeVertex(), __doc__ or "", ("vertex",))
