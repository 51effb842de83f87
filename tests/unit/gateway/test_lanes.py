"""Which lane a call takes, and what is sent on it."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from strowger.dialects.base import Capabilities
from strowger.dialects.envelope import seal
from strowger.gateway.endpoints import Call, match
from strowger.gateway.lanes import TRANSLATE, VERBATIM, Asked, Draft, draft
from strowger.gateway.origins import Origins
from strowger.ir.request import Signed
from tests.conformance.lanes import DIALECTS, target

OPENAI = Capabilities(origin="openai")
SEALED = seal(Signed("anthropic", "anthropic:signature", "sig"))


@pytest.mark.parametrize(
    "form,item,caps,lane,url",
    [
        ("", {"type": "compaction_trigger"}, Capabilities(origin="someone"), TRANSLATE, ""),
        ("", {"role": "user", "content": "x"}, Capabilities(origin="someone"), VERBATIM, ""),
        ("compact", {"role": "user", "content": "x"}, Capabilities(origin="someone"), TRANSLATE, ""),
        ("compact", {"type": "reasoning", "summary": [], "encrypted_content": SEALED}, OPENAI, VERBATIM, "/compact"),
    ],
)
def test_a_compaction_is_the_vendors_or_ours(form: str, item: object, caps: Capabilities, lane: str, url: str) -> None:
    """Who does not compact is asked for a summary in words, and its answer becomes the compaction item."""
    body = json.dumps({"model": "m", "input": [item], "metadata": {"a": "b"}}).encode()
    about = match("POST", "/v1/responses/compact" if form else "/v1/responses", {}, ())
    asked = Asked(Call("POST", "/", "", about, {}, (), body), DIALECTS["openai_responses"], Origins())
    drafted = draft(asked, target("openai_responses", "m", caps), DIALECTS["openai_responses"], strict=False)
    assert (drafted.lane, drafted.answer_lane) == (TRANSLATE, lane)
    assert drafted.url.endswith(f"/responses{url}")


@pytest.mark.parametrize(
    "path, upstream, lane, url",
    [
        ("/v1beta/models/m:generateContent", "gemini", VERBATIM, "/models/m:generateContent"),
        (
            "/v1beta/models/m:streamGenerateContent?alt=sse",
            "gemini",
            VERBATIM,
            "/models/m:streamGenerateContent?alt=sse",
        ),
        ("/v1beta/models/m:streamGenerateContent", "gemini", VERBATIM, "/models/m:streamGenerateContent"),
        ("/v1beta/models/m:streamGenerateContent", "openai_chat", TRANSLATE, "/chat/completions"),
    ],
)
def test_what_the_url_says_goes_into_the_url(path: str, upstream: str, lane: str, url: str) -> None:
    """Model, method and framing of a Gemini call: kept on its own lane, in the body on every other."""
    path, _, query = path.partition("?")
    body = b'{"contents":[{"role":"user","parts":[{"text":"x"}]}]}'
    about = match("POST", path, {}, (), query)
    asked = Asked(Call("POST", path, query, about, {}, (), body), DIALECTS["gemini"], Origins())
    drafted = draft(asked, target(upstream, "m", Capabilities()), DIALECTS[upstream], strict=False)
    assert drafted.lane == lane
    assert drafted.url.endswith(url)
    assert drafted.array == (lane == VERBATIM and about.spot.form == "array")


def responses(body: dict[str, object], caps: Capabilities, **wishes: str) -> Draft:
    """What is sent to a server of Responses for a body of its own dialect."""
    about = match("POST", "/v1/responses", {}, ())
    asked = Asked(
        Call("POST", "/", "", about, {}, (), json.dumps(body).encode()), DIALECTS["openai_responses"], Origins()
    )
    place = replace(target("openai_responses", "m", caps), **wishes)
    return draft(asked, place, DIALECTS["openai_responses"], strict=False)


THINKS = Capabilities(
    origin="someone", efforts=("low", "high"), service_tiers=("priority", "flex"), whole_answers=False
)
ASKED: dict[str, object] = {"model": "m", "input": [{"role": "user", "content": "x"}], "store": False, "stream": True}


@pytest.mark.parametrize("stream", [None, False])
def test_where_there_are_only_streams(stream: bool | None) -> None:
    """One is asked for, and the answer is folded; who wants a stream gets it as it comes."""
    drafted = responses({**ASKED, "stream": stream}, THINKS)
    assert (drafted.lane, drafted.answer_lane) == (TRANSLATE, TRANSLATE)
    assert json.loads(drafted.body)["stream"] is True
    assert responses(ASKED, THINKS).lane == VERBATIM


def test_what_the_name_asks_for() -> None:
    """Its effort goes over the client's own, its tier only where the client has no wish."""
    drafted = responses({**ASKED, "reasoning": {"effort": "low"}}, THINKS, effort="high", tier="priority")
    assert (drafted.lane, drafted.answer_lane) == (TRANSLATE, VERBATIM)
    sent = json.loads(drafted.body)
    assert (sent["reasoning"], sent["service_tier"]) == ({"effort": "high"}, "priority")
    flexible = responses({**ASKED, "service_tier": "flex"}, THINKS, tier="priority")
    assert json.loads(flexible.body)["service_tier"] == "flex"


def test_a_name_can_switch_thinking_off() -> None:
    """Whatever the client asks for."""
    body = b'{"model":"m","max_tokens":9,"thinking":{"type":"adaptive"},"messages":[{"role":"user","content":"x"}]}'
    about = match("POST", "/v1/messages", {}, ())
    asked = Asked(Call("POST", "/", "", about, {}, (), body), DIALECTS["anthropic"], Origins())
    place = replace(target("openai_responses", "m", replace(THINKS, efforts=("none", "low"))), effort="none")
    drafted = draft(asked, place, DIALECTS["openai_responses"], strict=False)
    assert json.loads(drafted.body)["reasoning"] == {"effort": "none"}


@pytest.mark.parametrize("caps, lane", [(OPENAI, VERBATIM), (Capabilities(origin="x", sampling=False), TRANSLATE)])
def test_options_go_into_every_body(caps: Capabilities, lane: str) -> None:
    """On both lanes, unless the client has said it itself."""
    meant = target("openai_chat", "m", caps)
    meant = replace(meant, provider=replace(meant.provider, options=(("provider", b'{"sort":"price"}'), ("n", b"2"))))
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}], "temperature": 1, "n": 1}).encode()
    call = Call("POST", "/", "", match("POST", "/v1/chat/completions", {}, ()), {}, (), body)
    drafted = draft(Asked(call, DIALECTS["openai_chat"], Origins()), meant, DIALECTS["openai_chat"], strict=False)
    sent = json.loads(drafted.body)
    assert drafted.lane == lane
    assert (sent["provider"], sent["n"]) == ({"sort": "price"}, 1)
