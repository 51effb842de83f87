"""The straight line: one call from its arrival to its last byte. Read this first.

    admit → peek → match a route → for each target: draft (verbatim bytes, or parse and render) → credentials → upstream
    → hold until the first event → deliver (bytes as they are, or decode and encode) → the flow is closed, once

Everything a call can come to is here: an answer, an error in the client's dialect before or inside the stream, or a
client that left.
"""

from __future__ import annotations

import time

from msgspec import Struct
from msgspec.structs import replace

from strowger.config.validate import near_miss
from strowger.dialects.base import DecoderSetup, Dialect, EncoderSetup
from strowger.errors import CredentialError, ErrorKind, GatewayError, OverBudget, Refused
from strowger.flows.budgets import BudgetKeeper
from strowger.flows.flow import Flow
from strowger.flows.recorder import Recorder
from strowger.gateway.access import SENTINEL, Access, Client, sentinel
from strowger.gateway.attempts import Attempts, Told
from strowger.gateway.delivery import ClientGone, Reply, deliver
from strowger.gateway.endpoints import RESPONSES, Call
from strowger.gateway.headers import ascii_line, attempts_header, losses_header, returned, text_header
from strowger.gateway.health import Health
from strowger.gateway.ids import token
from strowger.gateway.lanes import VERBATIM, Asked, Draft, draft, input_estimate
from strowger.gateway.opening import Answer, Opening
from strowger.gateway.origins import Origins
from strowger.gateway.pulse import Pulse, Spawn
from strowger.gateway.recall import Memory, Overheard
from strowger.gateway.receivers import Masked, Passing, Receiver, Translating, Watch, looks_like_json
from strowger.gateway.sending import Sender
from strowger.gateway.taping import TapedReply
from strowger.ir.events import Finish, StopReason, Usage
from strowger.ir.request import Request
from strowger.ir.response import Response, unfold
from strowger.providers.base import way_to
from strowger.routing.hints import Noticed
from strowger.routing.table import Route, RouteTable, Target
from strowger.upstreams.base import Headers

REPLAY_OF = "x-strowger-replay-of"
"""The header in which a call says which flow it repeats."""

_SSE: Headers = (("Content-Type", "text/event-stream; charset=utf-8"), ("Cache-Control", "no-cache"))
_JSON: Headers = (("Content-Type", "application/json"),)
# Claude Code repeats a 429 ten times, also that of an empty account, unless it is told that there is no use.
_STOPS = ("x-should-retry", "false")
# Longer than this Claude Code does not wait, and the SDKs do not even look.
_WORTH_WAITING = 60.0


class Timing(Struct, frozen=True):
    """How long we wait, in seconds: between heartbeats to a client, and for a silent upstream."""

    heartbeat: float
    idle: float


class Line:
    """What every call passes through. Built once per configuration; `handle` is called once per call."""

    def __init__(
        self,
        *,
        access: Access,
        routes: RouteTable,
        dialects: dict[str, Dialect],
        sender: Sender,
        health: Health,
        recorder: Recorder,
        memory: Memory,
        timing: Timing,
        spawn: Spawn,
        budgets: BudgetKeeper,
        profile: str = "",
        told_of_tries: Told = lambda *_: None,
    ) -> None:
        self.access = access
        self.routes = routes
        self.dialects = dialects
        self.sender = sender
        self.health = health
        self.recorder = recorder
        self.memory = memory
        self.timing = timing
        self.spawn = spawn
        self.budgets = budgets
        self.origins = Origins()
        self.told_of_tries: Told = told_of_tries
        self.launches: dict[str, RouteTable] = {}
        self.profile = profile
        """What the gateway was started with."""
        self.profiles: dict[str, str] = {}
        """What was chosen for a launch instead."""

    def adopt(self, routes: RouteTable, timing: Timing, launches: dict[str, RouteTable]) -> None:
        """Go on with another configuration: calls that come from now on are routed by it."""
        self.routes = routes
        self.timing = timing
        self.launches = launches

    def routes_for(self, client: Client) -> RouteTable:
        """The routes of a client: those of its launch where something was chosen for it, else everybody's."""
        return self.launches.get(client.launch, self.routes)

    async def handle(self, call: Call, reply: Reply) -> None:
        """Answer one create call. Raises only ClientGone and cancellation."""
        flow = new_flow(call)
        self.recorder.begin(flow)
        one = _OneCall(self, call, reply, flow)
        try:
            await one.run()
        except ClientGone:
            flow.outcome = "cancelled"
            raise
        except GatewayError as error:
            await one.answer_error(error)
        except Exception as error:  # noqa: BLE001 - the pipeline boundary: a bug of ours must not take the server down
            flow.notes.append(f"internal error: {type(error).__name__}: {error}")
            await one.answer_error(
                GatewayError("something broke inside the gateway", hint=f"the log has flow {flow.id}")
            )
        finally:
            one.pulse.stop()
            if flow.outcome == "running":
                flow.outcome = "cancelled"
            flow.duration = one.pulse.now() - flow.clock
            self.recorder.finish(flow)

    def nothing(self, call: Call) -> bytes:
        """The stream of an answer that says nothing, to a call that nobody is asked. Raises GatewayError."""
        dialect = self.dialects[call.endpoint.dialect]
        request = Asked(call, dialect, self.origins).request
        match_route(self.routes_for(self.access.admit(call.headers)), call, request.model)
        created = int(time.time())
        setup = EncoderSetup(request.model, new_id, created, request=request, follows=call.follows)
        encoder = dialect.client.encoder(setup)
        answer = Response("", "", request.model, (), Finish(StopReason.END, ""), Usage(input=0, output=0))
        return b"".join([encoder.encode(event) for event in unfold(answer)])


class _OneCall:
    """The line for one call: its steps share the flow, the pulse and the reply."""

    def __init__(self, line: Line, call: Call, reply: Reply, flow: Flow) -> None:
        self.line = line
        self.call = call
        self.reply = reply if flow.tape is None else TapedReply(reply, flow.tape)
        self.flow = flow
        self.dialect = line.dialects[call.endpoint.dialect]
        self.pulse = Pulse(line.timing.heartbeat, line.timing.idle, line.spawn, self._beat)
        self.asked: Asked | None = None
        self._encoding: EncoderSetup | None = None
        self._masked: Masked = bytes

    async def run(self) -> None:
        """The steps."""
        line, call, flow = self.line, self.call, self.flow
        client = line.access.admit(call.headers)
        flow.client, flow.launch, flow.project = client.name, client.launch, client.project
        flow.profile = line.profiles.get(client.launch, line.profile)
        if flow.tape is not None:
            target = f"{call.path}?{call.query}" if call.query else call.path
            flow.tape.begin("client_request", f"{call.method} {target}", call.header_items, call.body)
        self.asked = Asked(call, self.dialect, line.origins)  # held nowhere else: see `_let_go`
        peek = self.asked.peek
        flow.model, flow.stream = peek.model, peek.stream
        noticed = notice(call, peek.session)
        # A repetition belongs to nobody's session, though its body may still name one.
        flow.session = None if flow.replay_of else noticed.session or None
        route = match_route(line.routes_for(client), call, flow.model, noticed)
        flow.route = route.name
        if not flow.replay_of and noticed.agent_id:
            flow.agent_id, flow.parent_agent_id = noticed.agent_id, noticed.parent_agent_id or None
        else:
            flow.agent_id = flow.parent_agent_id = None
        flow.request_class, flow.agent_type = noticed.known_class, noticed.known_agent
        line.recorder.began(flow)
        await line.budgets.allow(flow)
        await self._recall(client, route)
        del peek, noticed
        answer = await self._attempts(client, route, stream=flow.stream).first(route.targets)
        self._settle(answer.draft)
        headers = self._headers(answer)
        self._let_go(answer)
        line.recorder.opened(flow)
        broken = await deliver(answer, headers, self.reply, flow, self.pulse)
        failure = answer.receiver.watch.failure
        flow.status = answer.status
        if broken is not None or failure is not None:
            flow.outcome = "failed"
            flow.error_kind = broken.kind if broken is not None else failure.kind if failure else None
            flow.error = broken.message if broken is not None else failure.message if failure else None
        else:
            flow.outcome = "ok"

    async def _recall(self, client: Client, route: Route) -> None:
        """What the call refers to is put into it, and what it is answered is kept for calls that refer to that."""
        memory, flow = self.line.memory, self.flow
        recalled = await memory.recall(self.call, client.owner, route)
        if recalled is None:
            return
        if recalled.call is not self.call:
            self.call = recalled.call
            self.asked = Asked(self.call, self.dialect, self.line.origins)
        if recalled.store:
            self.reply = Overheard(
                self.reply,
                # a host may have quoted what it was sent, and this goes to disk
                lambda answer: memory.keep(recalled, client.owner, flow.provider or "", self._masked(answer)),
            )

    def _attempts(self, client: Client, route: Route, *, stream: bool) -> Attempts:

        def prepare(target: Target) -> Draft:
            assert self.asked is not None
            upstream = self.line.dialects[target.provider.dialect]
            return draft(self.asked, target, upstream, strict=route.strict or target.provider.strict)

        def disown() -> bool:
            assert self.asked is not None
            found = self.line.origins.disown(self.asked.request)
            if found:
                self.asked = Asked(self.call, self.dialect, self.line.origins)
            return found

        opening = Opening(
            sender=self.line.sender,
            dialects=self.line.dialects,
            client=client,
            flow=self.flow,
            pulse=self.pulse,
            prepare=prepare,
            receiver=self._receiver,
            disown=disown,
            stream=stream,
            headers=self.call.headers,
        )
        line = self.line
        return Attempts(
            opening=opening,
            health=line.health,
            flow=self.flow,
            pulse=self.pulse,
            body=self.call.body,
            told=line.told_of_tries,
        )

    def _receiver(self, drafted: Draft, masked: Masked) -> Receiver:
        upstream = self.line.dialects[drafted.target.provider.dialect]
        decoder = DecoderSetup(drafted.caps.origin, new_id, drafted.names)
        self._masked = masked
        watch = Watch(self.flow, self.line.origins, masked)
        if drafted.answer_lane == VERBATIM:
            return Passing(upstream, decoder, self._encoder_setup, watch, array=drafted.array)
        return Translating(self.dialect, upstream, decoder, self._encoder_setup, watch, drafted.stop)

    def _encoder_setup(self) -> EncoderSetup:
        if self._encoding is not None:
            return self._encoding
        asked = self.asked
        request = asked.parsed if asked is not None else None
        return EncoderSetup(
            model=self.flow.model,
            new_id=new_id,
            created=int(self.flow.started),
            input_estimate=input_estimate(self.call.body),
            usage_wanted=request.usage_wanted if request is not None else True,
            request=self._echoed(),
            form=self.call.endpoint.spot.form,
            clock=time.time,
            follows=self.call.follows,
        )

    def _settle(self, drafted: Draft) -> None:
        """This target it is: what is known of it goes to the flow."""
        flow, target = self.flow, drafted.target
        flow.provider = target.provider.name
        flow.upstream_model = target.model
        flow.upstream_dialect = target.provider.dialect
        flow.lane = drafted.lane
        flow.add_losses(drafted.losses)

    def _let_go(self, answer: Answer) -> None:
        """An answer has begun, which may take minutes: what was asked is only in the way from now on."""
        answer.draft = replace(answer.draft, body=b"")
        self._encoding = self._encoder_setup()
        self.asked = None
        if not isinstance(self.reply, Overheard):  # which goes on from what was asked, at the end
            self.call.let_go()

    def _echoed(self) -> Request | None:
        """What an answer may repeat of the request."""
        request = self.asked.parsed if self.asked is not None else None
        return replace(request, messages=()) if request is not None and self.dialect.name == RESPONSES else None

    def _headers(self, answer: Answer) -> Headers:
        flow = self.flow
        if answer.draft.answer_lane == VERBATIM:
            headers = returned(answer.headers, answer.named)
        else:
            headers = list(self._kind())
        return (*headers, *flow_headers(flow))

    def _kind(self) -> Headers:
        """What our own answer is."""
        return _SSE if self.flow.stream and self.call.endpoint.spot.form != "array" else _JSON

    async def _beat(self) -> None:
        """Sign of life to a waiting client. Only a stream can carry one; it may have to begin for that."""
        if not self.flow.stream:
            return
        try:
            if not self.reply.started:
                await self.reply.start(200, (*self._kind(), *flow_headers(self.flow)))
            beat = self.dialect.client.encoder(self._encoder_setup()).heartbeat()
            if beat and self.reply.streaming and self.flow.finish is None:
                await self.reply.write(beat)
        except ClientGone:
            pass  # the call itself notices

    async def answer_error(self, error: GatewayError) -> None:
        """Tell the client, as a status while that is possible and inside the stream otherwise."""
        flow, reply = self.flow, self.reply
        flow.outcome = "stopped" if isinstance(error, OverBudget) else "failed"
        flow.error_kind, flow.error = error.kind, error.message
        if reply.started:
            last = self.dialect.client.encoder(self._encoder_setup()).fail(error)
            flow.response_bytes += len(last)
            await reply.end(last)
            return
        flow.first_byte = self.pulse.now() - flow.clock
        rendered = self.dialect.client.render_error(error)
        status, headers, body = rendered.status, rendered.headers, rendered.body
        if isinstance(error, Refused) and error.dialect == self.dialect.name:
            # Clients act on the vendor's own words, so they get them untouched.
            if error.status >= 400 and error.headers:
                status, headers, body = error.status, tuple(returned(error.headers)), error.body
            elif error.status == 200 and looks_like_json(error.body):
                body = error.body
        if _is_final(error) and not any(name.lower() == _STOPS[0] for name, _ in headers):
            headers = (*headers, _STOPS)
        flow.status = status
        flow.response_bytes += len(body)
        await reply.whole(status, (*headers, *flow_headers(flow)), body)


def _is_final(error: GatewayError) -> bool:
    """Whether a client that repeats its call by itself does so in vain, or for longer than anybody wants to watch."""
    if error.kind is ErrorKind.QUOTA_EXHAUSTED:
        return True
    return error.kind is ErrorKind.RATE_LIMITED and (error.retry_after or 0.0) > _WORTH_WAITING


def notice(call: Call, session: str | None = None) -> Noticed:
    """What routes may ask of a call besides its model. It holds the body. `session` is what the body says of it."""
    session = call.endpoint.session or session
    return Noticed(call.headers, call.body, session=session, compacts=call.endpoint.spot.form == "compact")


def match_route(routes: RouteTable, call: Call, model: str, noticed: Noticed | None = None) -> Route:
    """The route of a call; its path or its key may name the provider. Raises UnknownModel and CredentialError."""
    pinned = call.endpoint.provider or named_by_key(routes, call)
    name = f"{pinned}:{model}" if pinned else model
    dialect = call.endpoint.dialect
    route = routes.match(name, hints=noticed or notice(call), dialect=dialect)
    if not any(target.provider.siblings for target in route.targets):
        return route
    targets = tuple(replace(target, provider=target.provider.speaking(dialect)) for target in route.targets)
    return replace(route, targets=targets)


def named_by_key(routes: RouteTable, call: Call) -> str | None:
    """The provider that the client's key names. Raises CredentialError for one that is not there."""
    name = sentinel(call.headers)
    if name is None or name in routes.providers:
        return name
    near = near_miss(name, routes.providers)
    known = ", ".join(f"{SENTINEL}{provider}" for provider in routes.providers)
    raise CredentialError(
        f"the key names the provider {name[:60]!r}, which is not configured",
        hint=f"did you mean {SENTINEL}{near}?" if near else way_to(name) or f"there are: {known}",
    )


def new_flow(call: Call) -> Flow:
    """The flow of a call that has just been read."""
    headers = call.headers
    return Flow(
        id="flow_" + token(16),
        started=time.time(),
        clock=time.monotonic(),
        method=call.method,
        path=call.path[:500],
        dialect=call.endpoint.dialect,
        agent=text_header(headers, "user-agent") or "",
        session=text_header(headers, "x-claude-code-session-id"),
        agent_id=text_header(headers, "x-claude-code-agent-id"),
        parent_agent_id=text_header(headers, "x-claude-code-parent-agent-id"),
        agent_type=text_header(headers, "x-claude-code-agent-type") or "",
        request_class=text_header(headers, "x-claude-code-request-class") or "",
        trace=text_header(headers, "traceparent") or "",
        replay_of=text_header(headers, REPLAY_OF) or "",
        request_bytes=len(call.body),
    )


def flow_headers(flow: Flow) -> Headers:
    """What we add to every answer: where to look, where it went, how, and what was lost."""
    headers = [("x-strowger-flow", flow.id)]
    if flow.provider:
        headers.append(("x-strowger-route", f"{flow.provider}:{flow.upstream_model}"))
        headers.append(("x-strowger-lane", flow.lane))
    if len(flow.attempts) > 1:
        headers.append(("x-strowger-attempts", attempts_header(flow.attempts)))
    if flow.budget:
        headers.append(("x-strowger-budget", flow.budget))
    if flow.losses:
        headers.append(("x-strowger-losses", losses_header(flow.losses)))
    return tuple((name, ascii_line(value)) for name, value in headers)


def new_id(prefix: str) -> str:
    """A fresh id with a dialect's prefix."""
    return prefix + token()
