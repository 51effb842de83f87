"""FakeAzure: Azure OpenAI's Chat Completions, at the addresses of its v1 API and of the older one.

Models are deployments. Each chunk of a stream tells what the content filter thinks, and the first one is about the
prompt alone. `python -m tests.fakes.azure` serves it alone.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import msgspec
from aiohttp import web

from tests.fakes.authority import Authority
from tests.fakes.chat import FakeChat
from tests.fakes.chat_rules import check_request
from tests.fakes.flavours import Flavour
from tests.fakes.refusal import Json, Refusal
from tests.fakes.script import Refuse, Reply, ScriptItem
from tests.fakes.server import Seen, json_response, run_alone

KEY = "fake-azure-key"
VERSIONS = ("2024-10-21", "2025-04-01-preview")
AZURE = Flavour("azure", reasoning_models=True)
SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
_DEPLOYED = re.compile(r"^/openai/deployments/([^/]+)/chat/completions$")


class FakeAzure(FakeChat):
    """`deployments`: by what name each can be called. `keys` go in `api-key`, `tokens` are Entra's."""

    def __init__(
        self,
        *,
        script: tuple[ScriptItem, ...] = (),
        keys: tuple[str, ...] = (KEY,),
        tokens: tuple[str, ...] = (),
        deployments: tuple[str, ...] = ("gpt-5", "my gpt"),
        tls: Authority | None = None,
    ) -> None:
        super().__init__(AZURE, script=script, keys=keys, models=deployments, tls=tls)
        self.tokens = tokens

    async def answer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        try:
            return await self._serve(request, seen)
        except Refusal as refusal:
            seen.refused = refusal.message
            code = refusal.code or str(refusal.status)
            error = {"code": code, "message": refusal.message, "param": refusal.param, "type": None}
            return json_response({"error": error}, refusal.status)

    async def _serve(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        self._check_key(seen)
        path, version = request.raw_path.partition("?")[0], request.query.get("api-version")
        deployed = _DEPLOYED.match(path)
        is_v1 = path.startswith("/openai/v1/")
        if not is_v1 and version not in VERSIONS:
            raise Refusal("Resource not found", status=404)
        if is_v1 and version not in (None, "preview", "latest"):
            raise Refusal("API version not supported", status=400)
        if seen.method == "GET" and path in ("/openai/v1/models", "/openai/models"):
            models = [{"id": name, "object": "model", "status": "succeeded"} for name in ("gpt-5", "gpt-4o")]
            return json_response({"data": models, "object": "list"})
        if seen.method != "POST" or not (deployed or path == "/openai/v1/chat/completions"):
            raise Refusal("Resource not found", status=404)
        body = msgspec.json.decode(seen.raw)
        name = unquote(deployed[1]) if deployed else body.get("model")
        if name not in (self.models or ()):
            words = "The API deployment for this resource does not exist."
            raise Refusal(words, status=404, code="DeploymentNotFound")
        check_request({**body, "model": name}, self.flavour, None, self._reasoned)
        return await self._infer(request, seen, {**body, "model": name})

    def _check_key(self, seen: Seen) -> None:
        bearer = (seen.header("authorization") or "").removeprefix("Bearer ")
        if seen.header("api-key") not in self.keys and bearer not in self.tokens:
            words = "Access denied due to invalid subscription key or wrong API endpoint."
            raise Refusal(words, status=401)

    def _chunks(self, message: Json, reply: Reply, finish: str, body: Json) -> list[Json]:
        chunks = super()._chunks(message, reply, finish, body)
        for chunk in chunks:
            for choice in chunk["choices"]:
                choice["content_filter_results"] = SAFE if choice["delta"].get("content") else {}
        about = [{"prompt_index": 0, "content_filter_results": SAFE}]
        return [{"choices": [], "prompt_filter_results": about}, *chunks]


def filtered() -> Refuse:
    """A prompt that the content filter keeps out."""
    result = {**SAFE, "violence": {"filtered": True, "severity": "high"}, "jailbreak": {"filtered": False}}
    error: dict[str, Any] = {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": result},
    }
    return Refuse(400, msgspec.json.encode({"error": error}))


def limited(seconds: int = 7) -> Refuse:
    """A deployment's call rate."""
    words = (
        f"Requests have exceeded call rate limit of your current pricing tier. Please retry after {seconds} seconds."
    )
    headers = (("content-type", "application/json"), ("retry-after", str(seconds)))
    return Refuse(429, msgspec.json.encode({"error": {"code": "429", "message": words}}), headers)


if __name__ == "__main__":
    run_alone(lambda _: FakeAzure(), __doc__ or "", ("azure",))
