"""FakeKimi: Kimi Code under `/coding`, in both of its dialects, for keys and for tokens of a login.

It minds what the real one minds: schemas of tools without types, texts that are empty, a tool forced while it thinks,
a token on another device than its own, and programs that call themselves by another's name.
"""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from tests.fakes.anthropic import FakeAnthropic, error_response
from tests.fakes.authority import Authority
from tests.fakes.chat import FakeChat, refuse
from tests.fakes.chat import error_response as chat_error
from tests.fakes.flavours import KIMI
from tests.fakes.issuer_kimi import KimiIssuer
from tests.fakes.refusal import Json, Refusal
from tests.fakes.script import Refuse, ScriptItem
from tests.fakes.server import Seen, json_response, run_alone

KEY = "sk-kimi-fake-key"
EFFORTS = ("low", "medium", "high", "max")
MODELS: tuple[Json, ...] = (
    {
        "id": "kimi-for-coding",
        "display_name": "Kimi K2.6",
        "context_length": 262_144,
        "supports_reasoning": True,
        "supports_image_in": True,
        "supports_video_in": True,
    },
    {
        "id": "k3",
        "display_name": "Kimi K3",
        "context_length": 1_048_576,
        "supports_reasoning": True,
        "supports_image_in": False,
        "supports_video_in": False,
        "think_efforts": {"support": True, "valid_efforts": ["low", "high", "max"], "default_effort": "high"},
    },
)
_NAMES = frozenset(model["id"] for model in MODELS)
_COMBINED = frozenset({"$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"})
_FOREIGN_NAMES = ("kimi_cli", "kimi_code", "kimi-cli", "kimi-code")


class FakeKimi(FakeChat):
    """`keys` are API keys; `devices` are tokens of a login, each with the id of its device. Those that `issuer` gives
    out are good as long as it says so.
    """

    root = "/coding"

    def __init__(
        self,
        *,
        script: tuple[ScriptItem, ...] = (),
        keys: tuple[str, ...] = (KEY,),
        devices: dict[str, str] | None = None,
        issuer: KimiIssuer | None = None,
        tls: Authority | None = None,
    ) -> None:
        self.devices = dict(devices or {})
        self.issuer = issuer
        super().__init__(KIMI, script=script, keys=(*keys, *self.devices), tls=tls)
        self._messages = FakeAnthropic(keys=self.keys, any_model=True)
        self._messages.root = self.root

    def _learn(self) -> None:
        """Which tokens of the issuer's are good now, and on which device."""
        if self.issuer is not None:
            granted = {token: grant.device for grant in self.issuer.grants for token in grant.access}
            self.devices = {token: device for token, device in granted.items() if self.issuer.accepts(token)}
            self.keys = self._messages.keys = tuple(self.devices)

    def is_inference(self, seen: Seen) -> bool:
        return seen.method == "POST" and seen.path in ("/coding/v1/chat/completions", "/coding/v1/messages")

    async def answer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        self._learn()
        path = request.path.removeprefix(self.root)
        messages = path.startswith("/v1/messages")
        try:
            if path == request.path:
                raise Refusal("page not found", status=404)
            check_identity(seen, self.devices)
            if path == "/v1/models" and request.method == "GET":
                return self._listing(seen)
            if self.is_inference(seen):
                check_body(msgspec.json.decode(seen.raw), messages=messages)
        except Refusal as refusal:
            seen.refused = refusal.message
            if messages:
                return error_response(refusal.status, refusal.kind, refusal.message)
            return chat_error(refusal)
        if not messages:
            return await super().answer(request, seen)
        self._messages.script(*self._script)
        self._script.clear()
        return await self._messages.answer(request, seen)

    def _listing(self, seen: Seen) -> web.Response:
        bearer = (seen.header("authorization") or "").removeprefix("Bearer ")
        if (seen.header("x-api-key") or bearer) not in self.keys:
            raise Refusal("Invalid Authentication", status=401, kind="invalid_authentication_error")
        return json_response({"object": "list", "data": [{"object": "model", "created": 0, **one} for one in MODELS]})


def check_identity(seen: Seen, devices: dict[str, str]) -> None:
    """A token of a login goes with its device and with the name of who uses it."""
    token = seen.header("x-api-key") or (seen.header("authorization") or "").removeprefix("Bearer ")
    platform = seen.header("x-msh-platform")
    if platform in _FOREIGN_NAMES or (seen.header("user-agent") or "").lower().startswith(("kimicli", "kimi-c")):
        raise Refusal("this name is not yours", status=403, kind="access_terminated_error")
    if token in devices:
        if seen.header("x-msh-device-id") != devices[token]:
            raise Refusal("Invalid Authentication", status=401, kind="invalid_authentication_error")
        if not platform or not (seen.header("user-agent") or "").startswith(f"{platform}/"):
            raise Refusal("say who you are", status=403, kind="access_terminated_error")


def check_body(body: Any, *, messages: bool) -> None:
    """What it refuses beyond its dialects."""
    if not isinstance(body, dict):
        return
    if body.get("model") not in _NAMES:
        raise Refusal(f"Not found the model {body.get('model')} or Permission denied", status=404)
    thinking = body.get("thinking") or {}
    if messages:
        return
    unknown = thinking.keys() - {"type", "effort", "keep"}
    if unknown or thinking.get("type") not in (None, "enabled", "disabled"):
        raise Refusal("invalid thinking: only type, effort and keep are known, and type is enabled or disabled")
    if thinking.get("effort") not in (None, *EFFORTS):
        raise Refusal(f"invalid thinking: effort {thinking['effort']!r} is not supported")
    if thinking.get("keep") not in (None, "all"):
        raise Refusal("invalid thinking: keep must be all")
    forced = isinstance(body.get("tool_choice"), dict) or body.get("tool_choice") == "required"
    if forced and thinking.get("type") != "disabled":
        raise Refusal("tool_choice 'specified' is incompatible with thinking enabled")
    for tool in body.get("tools") or ():
        function = tool.get("function") or {}
        problem = untyped(function.get("parameters") or {}, "")
        if problem:
            name = function.get("name")
            words = "is not a valid moonshot flavored json schema"
            raise Refusal(f"Invalid request: tools.function.parameters of {name} {words}, details: <{problem}>")


def untyped(node: Any, path: str) -> str:
    """Why its validator refuses a schema; empty when it does not."""
    if not isinstance(node, dict):
        return ""
    if "$ref" in node:
        return f"At path '{path}': references must be resolved"
    for key in ("anyOf", "oneOf"):
        if key in node and "type" in node:
            where = f"type should be defined in {key} items instead of the parent schema"
            return f"At path '{path}': when using {key}, {where}"
    if path and "type" not in node and not _COMBINED & node.keys():
        return f"At path '{path}': type is not defined"
    below = [(child, f"{path}.properties.{name}") for name, child in (node.get("properties") or {}).items()]
    for key in ("anyOf", "oneOf", "allOf"):
        below += [(child, f"{path}.{key}.{number}") for number, child in enumerate(node.get(key) or ())]
    below.append((node.get("items"), f"{path}.items"))
    return next((problem for child, where in below if (problem := untyped(child, where))), "")


def exhausted() -> Refuse:
    """An account without money, as the open platform says it."""
    words = "Your account org-1 is suspended due to insufficient balance, please recharge your account"
    return refuse(429, "exceeded_current_quota_error", words)


def used_up() -> Refuse:
    """A membership whose window is used up."""
    words = "You've reached your weekly (7-day) usage limit. Your quota will reset when the current 7-day window ends."
    return refuse(403, "access_terminated_error", words)


def not_admitted() -> Refuse:
    """A client that the membership is not for: it has the same type, and is no matter of quota."""
    words = "Kimi For Coding is currently only available for Coding Agents such as Kimi CLI, Claude Code, etc."
    return refuse(403, "access_terminated_error", words)


if __name__ == "__main__":
    run_alone(lambda _: FakeKimi(), __doc__ or "", ("kimi",))
