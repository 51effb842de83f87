"""A request in the middle form to a generateContent body, in the envelope of Code Assist where that is spoken.

`render_request(parse_request(body), model, FAITHFUL)` is `body` again. Under a real provider's capabilities, what it
does not take is translated or reported as a loss, whichever dialect the request came from.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from strowger.dialects.base import Capabilities, Rendered
from strowger.dialects.gemini.history import render_contents
from strowger.dialects.gemini.job import Job
from strowger.dialects.gemini.members import Json, put, put_back, spelled, starts
from strowger.dialects.gemini.offered import render_tools
from strowger.dialects.gemini.request import CODE_ASSIST, COUNTING
from strowger.dialects.gemini.settings import NATIVE_EXTRAS, render_settings
from strowger.dialects.gemini.wire import ANY, plain_model
from strowger.dialects.losses import refuse_extras
from strowger.ir.request import Request

_ENCODER = msgspec.json.Encoder()
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_STRING = msgspec.json.Decoder(str)
_TIERS = {"standard_only": "standard", "default": "standard"}


def render_request(request: Request, model: str, caps: Capabilities) -> Rendered:
    """IR to a body for `model`, with what could not be carried; raises Unsupported where dropping would lie."""
    job = Job(request, caps)
    body: Json = {}
    if job.ours:
        body = put_back(request.extras)
    else:
        refuse_extras(request.extras, "Gemini")
        job.lose_extras({key: raw for key, raw in request.extras.items() if key not in NATIVE_EXTRAS}, "")
    outer = body.pop(CODE_ASSIST, None)
    offered = render_tools(job, body)
    render_settings(job, body, tools=offered)
    render_contents(job, body)
    _tier(job, body)
    if isinstance(body.get("model"), Raw):
        body["model"] = _renamed(body["model"], model)
    body = _wrapped(job, body, outer, model)
    return Rendered(_ENCODER.encode(body), tuple(job.losses), dict(job.sent_names), job.stop)


def _tier(job: Job, body: Json) -> None:
    tier, caps = job.request.tier, job.caps
    if tier is None:
        return
    if not job.ours:
        tier = _TIERS.get(tier, tier)
    if tier in caps.service_tiers or ANY in caps.service_tiers:
        put(body, "serviceTier", tier)
        return
    body.pop(spelled(body, "serviceTier"), None)
    if tier not in {"auto", "standard"}:
        job.lose("service_tier", f"the provider has no tier {tier!r}", "info")


def _renamed(written: Raw, model: str) -> str | Raw:
    """The body's own name of the model, for another one: in the same collection."""
    if not model or not starts(written, b'"'):
        return written
    before = _STRING.decode(written)
    return before[: len(before) - len(plain_model(before))] + model


def _wrapped(job: Job, body: Json, outer: object, model: str) -> Json:
    """The body in the envelope that the target wants, or in none."""
    forms = job.request.forms if job.ours else frozenset[str]()
    around: Json = _MEMBERS.decode(outer) if isinstance(outer, Raw) else {}
    if COUNTING in forms and job.as_written:
        return {**around, COUNTING: body}
    if job.caps.code_assist or (CODE_ASSIST in forms and job.as_written):
        return _enveloped(job, body, around, model, written=CODE_ASSIST in forms)
    for key in ("session_id", "sessionId") if CODE_ASSIST in forms else ():
        body.pop(key, None)
    return body


def _enveloped(job: Job, body: Json, around: Json, model: str, *, written: bool) -> Json:
    """The envelope of Code Assist; `written`: the client's own is at hand, and wins but for the project."""
    caps = job.caps
    if not written and caps.cache_key and job.request.cache_key is not None:
        body["session_id"] = job.request.cache_key
    if isinstance(around.get("model"), Raw):
        around["model"] = _renamed(around["model"], model)
    elif model and not job.as_written:
        around["model"] = model
    if caps.project:
        around["project"] = caps.project
    return {**around, "request": body}
