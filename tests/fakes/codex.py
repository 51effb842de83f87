"""FakeCodex: ChatGPT's backend as Codex sees it, with its accounts, limits and sockets.

What it shares with the public API is the Codex flavour of `FakeResponses`; here are logins, allowances, the list of
models with its ETag, and a socket that believes nothing of what a request promises. `python -m tests.fakes.codex`
serves it alone.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from tests.fakes.authority import Authority
from tests.fakes.issuer import claims_of
from tests.fakes.issuer_codex import AUTH_CLAIM, CodexIssuer
from tests.fakes.refusal import Json, Refusal, words
from tests.fakes.responses import FakeResponses, connection_limit, described, refused
from tests.fakes.responses_flavours import CODEX
from tests.fakes.responses_ledger import Answered, Ledger
from tests.fakes.responses_socket import Socket
from tests.fakes.script import Hang, Refuse, ScriptItem, Step
from tests.fakes.server import Seen, hang, json_response, run_alone

TOKEN = "fake-chatgpt-token"
ACCOUNT = "11111111-2222-4333-8444-555555555555"
BETA = "responses_websockets=2026-02-06"
LITE = "ws_request_header_x_openai_internal_codex_responses_lite"
# What may differ between a request and the one that it goes on from.
_FREE = words("type input previous_response_id generate client_metadata stream")
_COMPACT = words("model input instructions tools parallel_tool_calls reasoning service_tier prompt_cache_key text")


class ChatGPTAccount(Struct):
    """Somebody's ChatGPT plan. `used` and `weekly` are percent of the two windows; `resets_in` is in seconds.

    At 100 percent it is used up, unless there are credits. `included`: Codex comes with the plan.
    """

    id: str = ACCOUNT
    plan: str = "pro"
    used: int = 12
    weekly: int = 3
    credits: float = 0.0
    resets_in: int = 3600
    included: bool = True

    @property
    def reached(self) -> bool:
        """Whether a window is used up."""
        return max(self.used, self.weekly) >= 100

    def headers(self) -> dict[str, str]:
        """The limits, as every answer has them."""
        told = {"x-codex-active-limit": "premium", "x-codex-plan-type": self.plan}
        for name, (percent, minutes, reset) in self._windows().items():
            told[f"x-codex-{name}-used-percent"] = str(percent)
            told[f"x-codex-{name}-window-minutes"] = str(minutes)
            told[f"x-codex-{name}-reset-at"] = str(int(time.time()) + reset)
        told["x-codex-credits-has-credits"] = str(self.credits > 0)
        told["x-codex-credits-unlimited"] = "False"
        told["x-codex-credits-balance"] = f"{self.credits:g}"
        return told

    def event(self) -> Json:
        """The same, as a socket tells it before each answer."""
        limits: Json = {"allowed": not self.reached or self.credits > 0, "limit_reached": self.reached}
        for name, (percent, minutes, reset) in self._windows().items():
            window = {"used_percent": percent, "window_minutes": minutes, "reset_after_seconds": reset}
            limits[name] = {**window, "reset_at": int(time.time()) + reset}
        credits = {"has_credits": self.credits > 0, "unlimited": False, "balance": f"{self.credits:g}"}
        return {"type": "codex.rate_limits", "plan_type": self.plan, "rate_limits": limits, "credits": credits}

    def refusal(self) -> Refuse | None:
        """429 of an account that may not ask now; None when it may."""
        if not self.included:
            return self._refused("usage_not_included", "To use Codex with your ChatGPT plan, upgrade to Plus.", {})
        if not self.reached or self.credits > 0:
            return None
        resets = {"resets_at": int(time.time()) + self.resets_in, "resets_in_seconds": self.resets_in}
        return self._refused("usage_limit_reached", "The usage limit has been reached", resets)

    def _refused(self, kind: str, message: str, more: Json) -> Refuse:
        error = {"type": kind, "message": message, "plan_type": self.plan, **more}
        headers = (("content-type", "application/json"), *self.headers().items())
        return Refuse(429, msgspec.json.encode({"error": error}), headers)

    def _windows(self) -> dict[str, tuple[int, int, int]]:
        return {"primary": (self.used, 300, self.resets_in), "secondary": (self.weekly, 10_080, 7 * 86_400)}


_asking: ContextVar[ChatGPTAccount] = ContextVar("asking")


class FakeCodex(FakeResponses):
    """`tokens`: access tokens and whose they are; those that `issuer` gives out are good too.

    `accounts`: of those whose token is good. `upgrades`: what the next handshakes are answered, None = accepted;
    `burst`: how many handshakes a second are accepted, 0 = any number. `life`: how many requests a socket answers
    before it says that its time is over, 0 = any number. `lite`: models that take requests in the shape of Responses
    Lite only. `contexts`: all items that the model had before it, of each
    request that broke no rule.
    """

    def __init__(
        self,
        *,
        script: tuple[ScriptItem, ...] = (),
        accounts: tuple[ChatGPTAccount, ...] = (),
        issuer: CodexIssuer | None = None,
        models: tuple[str, ...] | None = None,
        window: int | None = None,
        replay: bool = True,
        upgrades: tuple[Refuse | Hang | None, ...] = (),
        burst: int = 0,
        life: int = 0,
        lite: tuple[str, ...] = (),
        tls: Authority | None = None,
    ) -> None:
        self.accounts = {account.id: account for account in accounts or (ChatGPTAccount(),)}
        first = next(iter(self.accounts))
        self._ledgers = {name: Ledger(name, replay=replay) for name in self.accounts}
        self.lite = lite
        super().__init__(CODEX, script=script, models=models, account=first, window=window, replay=replay, tls=tls)
        self.tokens = {TOKEN: first}
        self.issuer = issuer
        self.upgrades = deque(upgrades)
        self.burst = burst
        self.life = life
        self.contexts: list[list[Json]] = []
        self._shaken: deque[float] = deque()

    @property
    def ledger(self) -> Ledger:
        """What the account that asks was given: nobody else's encrypted content is opened for it."""
        return self._ledgers[_asking.get().id]

    @ledger.setter
    def ledger(self, ledger: Ledger) -> None:
        """Each account has its own."""

    # -- who asks --------------------------------------------------------------------------------------------------

    def admit(self, headers: dict[str, str]) -> None:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if not token:
            raise Refusal("Unauthorized", status=401, kind="detail")
        account = self._owner(token)
        if account is None:
            expired = "Provided authentication token is expired. Please try signing in again."
            raise Refusal(expired, status=401, code="token_expired")
        if headers.get("chatgpt-account-id") != account.id:
            raise Refusal("Unauthorized", status=401, kind="detail")
        _asking.set(account)

    def _owner(self, token: str) -> ChatGPTAccount | None:
        if token in self.tokens:
            return self.accounts[self.tokens[token]]
        if self.issuer is None or not self.issuer.accepts(token):
            return None
        whose = claims_of(token)[AUTH_CLAIM]["chatgpt_account_id"]
        if whose not in self.accounts:
            self.accounts[whose] = ChatGPTAccount(whose)
            self._ledgers[whose] = Ledger(whose)
        return self.accounts[whose]

    def headers(self) -> dict[str, str]:
        account = _asking.get(None)
        return {**super().headers(), "x-models-etag": self.etag, **(account.headers() if account else {})}

    # -- what is asked ---------------------------------------------------------------------------------------------

    def check(self, body: Json, recent: dict[str, Answered] | None = None) -> tuple[Answered | None, list[Json]]:
        before, items = super().check(body, recent)
        self._check_shape(body)
        tier = body.get("service_tier")
        if tier not in (None, "priority", "flex"):
            raise Refusal(f"Unsupported service_tier: {tier}", kind="detail")
        return before, items

    def _check_shape(self, body: Json) -> None:
        """Responses Lite, for the models that want it and for no other."""
        model, marked = str(body.get("model")), LITE in (body.get("client_metadata") or {})
        if model in self.lite and not marked:
            raise Refusal(f"Model not found {model}", status=404, kind="detail")
        if not marked:
            return
        tools = [tool for item in body["input"] if item.get("type") == "additional_tools" for tool in item["tools"]]
        kinds = {tool.get("type") for tool in (*tools, *(body.get("tools") or ()))}
        context = (body.get("reasoning") or {}).get("context")
        for wrong, why in (
            (body.get("parallel_tool_calls") is not False, "requires parallel_tool_calls to be false."),
            (context != "all_turns", "requires reasoning.context to be all_turns."),
            (not kinds <= {"function", "custom", "namespace", "tool_search"}, "only supports function tools."),
            ("tools" in body or "instructions" in body, "takes tools and instructions from the input."),
        ):
            if wrong:
                raise Refusal(f"X-OpenAI-Internal-Codex-Responses-Lite {why}", code="unsupported_value")

    def step(self, body: Json, before: Answered | None, items: list[Json]) -> Step:
        self.contexts.append([*(before.history if before else ()), *items])
        return _asking.get().refusal() or super().step(body, before, items)

    async def shake(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        if BETA not in request.headers.get("openai-beta", ""):
            # The refusal is the vendor's, its words are ours: none were seen.
            raise Refusal("Unsupported websocket protocol version", kind="detail")
        now = time.monotonic()
        while self._shaken and now - self._shaken[0] > 1.0:
            self._shaken.popleft()
        if self.burst and len(self._shaken) >= self.burst:
            return refused(cloudflare(403))
        self._shaken.append(now)
        answer = self.upgrades.popleft() if self.upgrades else None
        if isinstance(answer, Hang):
            return await hang(request, seen, answer)
        if answer is not None:
            return refused(answer)
        return await CodexSocket(self, _asking.get()).serve(request, seen)

    # -- the rest --------------------------------------------------------------------------------------------------

    @property
    def etag(self) -> str:
        """Another one whenever the list of models is."""
        return f'W/"{hashlib.sha256(repr(self._names).encode()).hexdigest()[:16]}"'

    @property
    def _names(self) -> tuple[str, ...]:
        return self.models or ("gpt-5.5",)

    def list_models(self, request: web.Request) -> web.Response:
        if not request.query.get("client_version"):
            lacks = {"type": "missing", "loc": ["query", "client_version"], "msg": "Field required", "input": None}
            return json_response({"detail": [lacks]}, 422, self.headers())
        headers = {**self.headers(), "etag": self.etag}
        if request.headers.get("if-none-match") == self.etag:
            return web.Response(status=304, headers=headers)
        shown = [{**described(name), "use_responses_lite": name in self.lite} for name in self._names]
        return json_response({"models": shown}, headers=headers)

    def compact(self, body: Any) -> web.Response:
        for name in body if isinstance(body, dict) else ():
            if name not in _COMPACT:
                raise Refusal(f"Unsupported parameter: {name}", kind="detail")
        refusal = _asking.get().refusal()
        if refusal is not None:
            return refused(refusal)
        answer = super().compact(body).body
        assert isinstance(answer, bytes)
        whole = msgspec.json.decode(answer)
        return json_response({"output": whole["output"]}, headers=self.headers())


class CodexSocket(Socket):
    """One socket: limits before each answer, an end after a while, and no belief in what a request goes on from."""

    def __init__(self, vendor: FakeCodex, account: ChatGPTAccount) -> None:
        super().__init__(vendor)
        self._codex = vendor
        self._account = account
        self._bodies: dict[str, Json] = {}
        self._answers = 0

    def promised(self, body: Json, before: Answered | None, items: list[Json]) -> None:
        if "stream_id" in body:
            raise Refusal("Unsupported parameter: stream_id", kind="detail")
        if before is None:
            return
        old = self._bodies[before.id]
        changed = sorted(
            name for name in (old.keys() | body.keys()) - _FREE if old.get(name, _ABSENT) != body.get(name, _ABSENT)
        )
        if changed:
            raise _unkept(f"{', '.join(changed)} differ from the request of {before.id}")
        known = {item["id"] for item in before.history}
        answered = {item["call_id"] for item in before.history if item["type"].endswith("_output")}
        for item in body.get("input") or ():
            if item.get("id") in known:
                raise _unkept(f"item {item['id']} is known already")
            if item.get("type", "").endswith("_output") and item.get("call_id") in answered:
                raise _unkept(f"call {item['call_id']} has been answered already")

    async def before(self, frame: Seen, body: Json, answered: Answered, items: list[Json]) -> None:
        self._bodies[answered.id] = body
        if body.get("generate") is not False:
            await self._send(frame, self._account.event())

    async def _answer(self, frame: Seen, body: Json, lane: str, request: web.Request) -> None:
        self._answers += 1
        if self._codex.life and self._answers > self._codex.life:
            await self._refuse(frame, connection_limit())
            return
        await super()._answer(frame, body, lane, request)


_ABSENT = object()


def _unkept(what: str) -> Refusal:
    """The vendor would have gone on from something else than was meant, and not said so; a test wants to know."""
    return Refusal(f"what the request goes on from is not what it says: {what}", code="continuation_broken")


def cloudflare(status: int) -> Refuse:
    """What stands before the backend, speaking for itself: a page."""
    page = f"<html><head><title>{status}</title></head><body>Attention Required! | Cloudflare</body></html>"
    return Refuse(
        status, page.encode(), (("content-type", "text/html"), ("server", "cloudflare"), ("cf-ray", "9d0-FRA"))
    )


def bearer(token: str = TOKEN, account: str = ACCOUNT) -> dict[str, str]:
    """The headers of somebody who is logged in."""
    return {"authorization": f"Bearer {token}", "chatgpt-account-id": account}


_FLAVOURS: dict[str, Callable[[], FakeCodex]] = {"codex": FakeCodex}

if __name__ == "__main__":
    run_alone(lambda name: _FLAVOURS[name](), __doc__ or "", tuple(_FLAVOURS))
