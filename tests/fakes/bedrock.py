"""FakeBedrock: Claude by InvokeModel, for a bearer token or for signed requests, with streams in AWS's framing.

It checks a signature by its own reckoning, refuses what belongs into the address, and betas that it does not know.
`python -m tests.fakes.bedrock` serves it alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import uuid
import zlib
from struct import pack
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import msgspec
from aiohttp import web

from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.anthropic_rules import check_request
from tests.fakes.authority import Authority
from tests.fakes.refusal import Refusal
from tests.fakes.script import Refuse, Reply, ScriptItem
from tests.fakes.server import Seen, json_response, run_alone, stream

TOKEN = "bedrock-api-key-fake"
REGION = "us-east-1"
PROFILE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
VERSIONS = ("bedrock-2023-05-31", "2026-10-21")
BETAS = (
    "claude-code-20250219",
    "computer-use-2025-01-24",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "effort-2025-11-24",
    "fine-grained-tool-streaming-2025-05-14",
    "interleaved-thinking-2025-05-14",
    "structured-outputs-2025-12-15",
    "tool-examples-2025-10-29",
    "tool-search-tool-2025-10-19",
)
STATUSES = {
    "AccessDeniedException": 403,
    "ExpiredTokenException": 403,
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    "ModelErrorException": 424,
    "ModelNotReadyException": 429,
    "ModelTimeoutException": 408,
    "ResourceNotFoundException": 404,
    "ServiceQuotaExceededException": 400,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "UnrecognizedClientException": 403,
    "ValidationException": 400,
}
_INVOKE = re.compile(r"^/model/([^/]+)/(invoke|invoke-with-response-stream)$")
_SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request,"
    r" ?SignedHeaders=(?P<names>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


class FakeBedrock(FakeAnthropic):
    """`tokens` are bearer tokens; `secrets` the secret of each access key, `session` what must come along with it."""

    def __init__(
        self,
        *,
        script: tuple[ScriptItem, ...] = (),
        tokens: tuple[str, ...] = (TOKEN,),
        secrets: dict[str, str] | None = None,
        session: str = "",
        signatures: tuple[str, ...] = (),
        tls: Authority | None = None,
    ) -> None:
        super().__init__(script=script, any_model=True, signatures=signatures, tls=tls)
        self.tokens = tokens
        self.secrets = dict(secrets or {})
        self.session = session

    def is_inference(self, seen: Seen) -> bool:
        return seen.method == "POST" and seen.path.startswith("/model/")

    async def answer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        try:
            return await self._serve(request, seen)
        except Refusal as refusal:
            seen.refused = refusal.message
            named = refusal.code or ("ValidationException" if refusal.status == 400 else "InternalServerException")
            step = refuse(named, refusal.message)
            return web.Response(status=step.status, body=step.body, headers=dict(step.headers))

    async def _serve(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        headers = {key.lower(): value for key, value in seen.headers}
        path = request.raw_path.partition("?")[0]
        self._check_caller(seen, headers, path)
        if seen.method == "GET" and path == "/inference-profiles":
            names = (PROFILE, "us.meta.llama3-1-70b-instruct-v1:0")
            profiles = [{"inferenceProfileId": n, "inferenceProfileName": n.upper(), "status": "ACTIVE"} for n in names]
            return json_response({"inferenceProfileSummaries": profiles})
        called = _INVOKE.match(path)
        if called is None or seen.method != "POST":
            raise Refusal(
                "Unable to determine service/operation name to be authorized",
                status=404,
                code="UnknownOperationException",
            )
        body = _body(seen)
        model, streams = unquote(called[1]), called[2] != "invoke"
        if "claude" not in model:
            raise Refusal("The provided model identifier is invalid.")
        name = model.rpartition("anthropic.")[2].rpartition("/")[2]
        betas = ",".join(body.pop("anthropic_beta", ()))
        whole = {"model": name, **body}
        check_request(whole, {**headers, "anthropic-version": "2023-06-01", "anthropic-beta": betas}, self.rules)
        return await self._infer(request, seen, {**whole, "stream": streams})

    def _headers(self) -> dict[str, str]:
        return {"x-amzn-requestid": str(uuid.uuid4())}

    async def _stream(
        self, request: web.Request, seen: Seen, said: list[bytes], step: Reply, failure: bytes
    ) -> web.StreamResponse:
        headers = {**self._headers(), "content-type": "application/vnd.amazon.eventstream"}
        kind, message = step.delivery.error
        broken = exception(kind if kind.endswith("Exception") else "modelStreamErrorException", message)
        return await stream(request, seen, [chunk(event) for event in said], step, headers, broken)

    # -- who asks --------------------------------------------------------------------------------------------------

    def _check_caller(self, seen: Seen, headers: dict[str, str], path: str) -> None:
        said = headers.get("authorization", "")
        if not said:
            raise Refusal("Missing Authentication Token", code="MissingAuthenticationTokenException")
        if said.startswith("Bearer "):
            if said.removeprefix("Bearer ") not in self.tokens:
                words = "Authentication failed: Please make sure your API Key is valid."
                raise Refusal(words, code="AccessDeniedException")
            return
        found = _SIGNED.fullmatch(said)
        if found is None:
            raise Refusal("Authorization header requires more", code="IncompleteSignatureException")
        if found["key"] not in self.secrets:
            raise Refusal("The security token included in the request is invalid.", code="UnrecognizedClientException")
        if self.session and headers.get("x-amz-security-token") != self.session:
            words = "The security token included in the request is expired"
            raise Refusal(words, code="ExpiredTokenException")
        if signature(seen, headers, path, found, self.secrets[found["key"]]) != found["signature"]:
            words = "The request signature we calculated does not match the signature you provided."
            raise Refusal(words, code="InvalidSignatureException")


def signature(seen: Seen, headers: dict[str, str], path: str, found: re.Match[str], secret: str) -> str:
    """What AWS reckons a request's signature to be (Signature Version 4)."""
    names = found["names"].split(";")
    if not {"host", "x-amz-date"} <= set(names) or found["service"] != "bedrock":
        return ""
    query = "&".join(f"{quote(k, safe='~')}={quote(v, safe='~')}" for k, v in sorted(parse_qsl(seen.query)))
    lines = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in names)
    hashed = hashlib.sha256(seen.raw).hexdigest()
    canonical = "\n".join((seen.method, quote(path, safe="/~"), query, lines, found["names"], hashed))
    scope = f"{found['date']}/{found['region']}/{found['service']}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{headers['x-amz-date']}\n{scope}\n{digest}"
    key = f"AWS4{secret}".encode()
    for part in (found["date"], found["region"], found["service"], "aws4_request", text):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()


def _body(seen: Seen) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(seen.raw)
    except msgspec.DecodeError:
        body = None
    if not isinstance(body, dict):
        raise Refusal("Malformed input request, please reformat your input and try again.")
    for name in ("model", "stream"):
        if name in body:
            words = f"extraneous key [{name}] is not permitted, please reformat your input and try again."
            raise Refusal(f"Malformed input request: #: {words}")
    version = body.pop("anthropic_version", None)
    if version not in VERSIONS:
        raise Refusal(f"anthropic_version: expected one of {', '.join(VERSIONS)}, got {version}")
    betas = body.get("anthropic_beta", [])
    if not isinstance(betas, list) or any(beta not in BETAS for beta in betas):
        raise Refusal("invalid beta flag")
    return body


# -- framing -----------------------------------------------------------------------------------------------------------


def message(payload: bytes, **headers: str) -> bytes:
    """One message of an event stream; `_` in the names of headers stands for `-`."""
    written = b""
    for name, value in headers.items():
        key, text = f":{name.replace('_', '-')}".encode(), value.encode()
        written += bytes([len(key)]) + key + b"\x07" + pack(">H", len(text)) + text
    prelude = pack(">II", 16 + len(written) + len(payload), len(written))
    body = prelude + pack(">I", zlib.crc32(prelude)) + written + payload
    return body + pack(">I", zlib.crc32(body))


def chunk(event: bytes) -> bytes:
    """An SSE event as one message; `p` pads it, as AWS does."""
    data = event.partition(b"data: ")[2].rstrip()
    payload = {"bytes": base64.b64encode(data).decode(), "p": "abcdefg"[: len(data) % 7]}
    return message(
        msgspec.json.encode(payload), event_type="chunk", content_type="application/json", message_type="event"
    )


def exception(name: str, words: str) -> bytes:
    """An error inside a stream."""
    return message(
        msgspec.json.encode({"message": words}),
        exception_type=name,
        content_type="application/json",
        message_type="exception",
    )


def refuse(named: str, words: str) -> Refuse:
    """An error before any stream."""
    headers = (
        ("content-type", "application/json"),
        ("x-amzn-requestid", str(uuid.uuid4())),
        ("x-amzn-errortype", f"{named}:http://internal.amazon.com/coral/com.amazon.bedrock/"),
    )
    return Refuse(STATUSES.get(named, 500), msgspec.json.encode({"message": words}), headers)


if __name__ == "__main__":
    run_alone(lambda _: FakeBedrock(), __doc__ or "", ("bedrock",))
