"""The two lanes: bytes untouched where both ends speak one dialect, translation through the IR everywhere else.

The lane is chosen here, for each direction of each attempt; what becomes of the answer on it is for `receivers`. Must
not know sockets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from strowger.dialects.base import Capabilities, Dialect, Loss, Peek, Spot, add_members
from strowger.errors import BadRequest, Unsupported
from strowger.gateway.endpoints import Call
from strowger.gateway.headers import forwarded, text_header
from strowger.gateway.origins import Origins
from strowger.ir.request import Reasoning, Request
from strowger.routing.aliases import plain
from strowger.routing.table import Target
from strowger.upstreams.base import Headers
from strowger.upstreams.http import USER_AGENT

VERBATIM = "verbatim"
TRANSLATE = "translate"

# The longest names in use are ARNs of some 200 characters; a name comes back in a header, and stays in the log.
_LONGEST_MODEL = 1000

# Close enough for a first guess of the prompt's size, corrected by the upstream's own count at the end.
_BYTES_PER_TOKEN = 4


# Forms of an endpoint whose answers, once asked for in the same dialect, are what the client waits for.
_SHARED_FORMS = frozenset({"", "array", "compact"})

# Those of them whose answers are never streams.
_WHOLE_FORMS = frozenset({"compact"})

# What clients write into a request of which nothing special is wanted.
_USUAL_TIERS = frozenset({None, "auto", "default", "standard_only"})

_TRIMMED = (Loss("system", "the attribution block is for Anthropic only", "info"),)


class Draft(Struct, frozen=True):
    """A request for one target, before credentials. `lane` is the request's, `answer_lane` the answer's. `stop` are
    stop sequences that the gateway itself watches for. `array`: the answer's stream is one JSON array.
    """

    target: Target
    caps: Capabilities
    lane: str
    answer_lane: str
    url: str
    body: bytes
    headers: Headers
    losses: tuple[Loss, ...] = ()
    names: Mapping[str, str] = MappingProxyType({})
    stop: tuple[str, ...] = ()
    array: bool = False


class Asked:
    """A call's body, peeked at once and parsed at most once however many targets are tried."""

    def __init__(self, call: Call, dialect: Dialect, origins: Origins) -> None:
        self.call = call
        self.dialect = dialect
        self.origins = origins
        try:
            self.peek: Peek = dialect.client.peek(call.body, call.endpoint.spot)
        except RecursionError:
            raise too_deep() from None
        if len(self.peek.model) > _LONGEST_MODEL:
            raise BadRequest(f"model: expected at most {_LONGEST_MODEL} characters", param="model")
        self._request: Request | None = None

    @property
    def request(self) -> Request:
        """The parsed request; raises BadRequest."""
        if self._request is None:
            with bounded_depth():
                self._request = self.origins.attribute(
                    self.dialect.client.parse_request(self.call.body, self.call.endpoint.spot)
                )
        return self._request

    @property
    def parsed(self) -> Request | None:
        """The parsed request, if there was a need to parse it."""
        return self._request


@contextmanager
def bounded_depth() -> Iterator[None]:
    """Thousands of brackets are an attack or an accident, and the parser's own limit."""
    try:
        yield
    except RecursionError:
        raise too_deep() from None


def too_deep() -> BadRequest:
    """What is said to a body that nobody can read."""
    return BadRequest("the body is nested too deeply", hint="JSON of some hundred levels is the limit")


def draft(asked: Asked, target: Target, upstream: Dialect, *, strict: bool) -> Draft:
    """The request for `target`. Raises Unsupported on a strict route when something would be lost."""
    caps = target.provider.capabilities(target.model)
    spot = asked.call.endpoint.spot
    same = upstream.name == asked.dialect.name
    if same and not target.effort and not target.tier:
        peek = asked.peek
        body = upstream.upstream.trim(asked.call.body, caps, peek)
        judged = caps if plain(peek.model) == target.model else _judged(caps)
        if upstream.upstream.passes(body, judged, spot, peek) and asked.origins.all_from(
            body, caps.origin, peek.signatures
        ):
            losses = () if body is asked.call.body else _TRIMMED
            body = upstream.upstream.with_model(body, target.model, peek.written)
            if target.provider.options:
                body = add_members(body, target.provider.options)
            url = _url(target, stream=asked.peek.stream, spot=spot, answer_lane=VERBATIM)
            lines = tuple(forwarded(asked.call.header_items, asked.call.headers))
            array = asked.peek.stream and spot.form == "array"
            return Draft(target, caps, VERBATIM, VERBATIM, url, body, lines, losses, array=array)
    request = _as_named(asked.request, target)
    if not same:
        # One path to test, and an end that can be seen: always a stream, folded where the client wants it whole.
        request = replace(request, stream=caps.streaming)
        if caps.cache_key and request.cache_key is None:
            # Turns of one conversation that reach the same cache are cheaper; marks of what to cache do not travel.
            request = replace(request, cache_key=_conversation(asked))
    elif not caps.whole_answers and spot.form not in _WHOLE_FORMS:
        request = replace(request, stream=True)
    rendered = upstream.upstream.render_request(request, target.model, caps)
    if strict:
        _refuse_losses(rendered.losses, target)
    if same:
        headers = forwarded(asked.call.header_items)
        if not caps.betas:
            # its other half, the members of the body that it announces, has just been left out
            headers = [line for line in headers if line[0].lower() != "anthropic-beta"]
    else:
        headers = _own_headers(stream=request.stream)
    changed = rendered.names or rendered.stop or rendered.converted
    untouched = same and not changed and spot.form in _SHARED_FORMS and request.stream == asked.request.stream
    answer_lane = VERBATIM if untouched else TRANSLATE
    options = target.provider.options
    return Draft(
        target,
        caps,
        TRANSLATE,
        answer_lane,
        _url(target, stream=request.stream, spot=spot, answer_lane=answer_lane),
        add_members(rendered.body, options) if options else rendered.body,
        tuple(headers),
        rendered.losses,
        rendered.names,
        rendered.stop,
        array=answer_lane == VERBATIM and asked.peek.stream and spot.form == "array",
    )


def _as_named(request: Request, target: Target) -> Request:
    """The request with what the model's name asks for: its effort goes over the client's, its haste over none."""
    if target.effort:
        reasoning = request.reasoning or Reasoning()
        mode = "disabled" if target.effort == "none" else "adaptive" if reasoning.mode else None
        request = replace(request, reasoning=replace(reasoning, mode=mode, budget=None, effort=target.effort))
    if target.tier and request.tier in _USUAL_TIERS:
        request = replace(request, tier=target.tier)
    return request


def _url(target: Target, *, stream: bool, spot: Spot, answer_lane: str) -> str:
    if spot.form == "compact" and answer_lane == VERBATIM:
        return f"{target.provider.url}/compact"
    array = spot.form == "array" and answer_lane == VERBATIM
    return target.provider.call_url(target.model, stream=stream, array=array)


def _conversation(asked: Asked) -> str | None:
    """An id that all calls of the client's conversation share. 64 characters is the most that OpenAI takes as a key."""
    return text_header(asked.call.headers, "x-claude-code-session-id", 64) or (asked.peek.session or "")[:64] or None


def _judged(caps: Capabilities) -> Capabilities:
    """For a model that the client did not choose: it wrote the body for another one."""
    return replace(caps, judges_itself=False) if caps.judges_itself else caps


def _refuse_losses(losses: tuple[Loss, ...], target: Target) -> None:
    serious = [loss for loss in losses if loss.severity != "info"]
    if serious:
        listed = "; ".join(f"{loss.path}: {loss.reason}" for loss in serious[:5])
        raise Unsupported(
            f"the strict route to {target.provider.name}:{target.model} cannot carry all of this request: {listed}",
            hint="drop these members, or set strict = false on the route",
        )


def _own_headers(*, stream: bool) -> list[tuple[str, str]]:
    """For a client of another dialect, whose own mean nothing there; the provider adds what its dialect needs."""
    return [
        ("Content-Type", "application/json"),
        ("Accept", "text/event-stream" if stream else "application/json"),
        ("Accept-Encoding", "identity"),
        ("User-Agent", USER_AGENT),
    ]


def input_estimate(body: bytes) -> int:
    """A guess at a prompt's tokens from its size."""
    return max(1, len(body) // _BYTES_PER_TOKEN)
