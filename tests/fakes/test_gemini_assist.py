"""FakeGemini as Code Assist: the envelope in and out, the calls at start-up, and what it refuses there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.fakes.brain import HELLO
from tests.fakes.gemini import KEY, FakeGemini
from tests.fakes.gemini_assist import PROJECT
from tests.fakes.gemini_flavours import CODE_ASSIST
from tests.fakes.refusal import Json
from tests.fakes.script import call, say

pytestmark = pytest.mark.anyio
MODEL = "gemini-3.8-flash"
HI: Json = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "session_id": "s"}
CLIENT = {"ideType": "IDE_UNSPECIFIED", "platform": "PLATFORM_UNSPECIFIED", "pluginType": "GEMINI"}


@pytest.fixture
async def fake() -> AsyncIterator[FakeGemini]:
    async with FakeGemini(CODE_ASSIST) as server:
        yield server


def envelope(request: Json = HI, **more: Any) -> Json:
    return {"model": MODEL, "project": PROJECT, "user_prompt_id": "u", "request": request, **more}


async def ask(fake: FakeGemini, method: str, body: Any = None, token: str = KEY) -> tuple[int, str]:
    """Status and text of a call; a GET where there is no body."""
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {token}"}) as session:
        verb = "GET" if body is None else "POST"
        async with session.request(verb, f"{fake.base_url}/v1internal{method}", json=body) as response:
            return response.status, await response.text()


async def test_envelope(fake: FakeGemini) -> None:
    """An answer is wrapped, in one piece and in each event of a stream."""
    status, text = await ask(fake, ":generateContent", envelope())
    whole = json.loads(text)
    assert (status, set(whole)) == (200, {"response", "traceId"})
    assert whole["response"]["candidates"][0]["content"]["parts"][-1]["text"] == HELLO
    fake.script(say("one two three"))
    _, text = await ask(fake, ":streamGenerateContent?alt=sse", envelope())
    events = [json.loads(line.removeprefix("data: ")) for line in text.split("\r\n\r\n") if line]
    parts = [part for event in events for part in event["response"]["candidates"][0]["content"]["parts"]]
    assert "".join(part["text"] for part in parts) == "one two three"
    assert events[-1]["response"]["modelVersion"] == MODEL


async def test_signed_loop(fake: FakeGemini) -> None:
    """A call comes back signed in an envelope like any other, and is refused unsigned in this door's words."""
    fake.script(call("bash", {}))
    tools = [{"functionDeclarations": [{"name": "bash", "parametersJsonSchema": {"type": "object"}}]}]
    _, text = await ask(fake, ":generateContent", envelope({**HI, "tools": tools}))
    part = json.loads(text)["response"]["candidates"][0]["content"]["parts"][0]
    response = {"functionResponse": {"id": part["functionCall"]["id"], "name": "bash", "response": {"output": "x"}}}

    def turns(part: Json) -> Json:
        made = [{"role": "model", "parts": [part]}, {"role": "user", "parts": [response]}]
        return envelope({"contents": [*HI["contents"], *made], "tools": tools})

    status, text = await ask(fake, ":generateContent", turns(part))
    assert (status, "the tool said «x»" in text) == (200, True)
    status, text = await ask(fake, ":generateContent", turns({"functionCall": part["functionCall"]}))
    assert (status, "content block is missing a `thought_signature`" in text) == (400, True)


@pytest.mark.parametrize(
    "body, words",
    [
        (envelope(metadata={}), 'Unknown name \\"metadata\\": Cannot find field.'),
        (envelope({**HI, "model": "x"}), "Unknown name \\\"model\\\" at 'request': Cannot find field."),
        (
            envelope({**HI, "tools": [{"functionDeclarations": [{"name": "a", "parameters": {"$schema": "x"}}]}]}),
            "Unknown name \\\"$schema\\\" at 'request.tools[0].function_declarations[0].parameters'",
        ),
        (envelope(project=""), "Permission denied on resource project ."),
        (envelope(model="nobody"), "Requested entity was not found."),
        (envelope({}), "at least one contents field is required"),
    ],
)
async def test_refuses(fake: FakeGemini, body: Json, words: str) -> None:
    """What is wrong in the envelope or in it is refused; a stream's error is a list although events were asked for."""
    status, text = await ask(fake, ":generateContent", body)
    assert status in (400, 403, 404)
    assert words in text
    _, streamed = await ask(fake, ":streamGenerateContent?alt=sse", body)
    assert json.loads(streamed) == [json.loads(text)]


async def test_start_of_a_session(fake: FakeGemini) -> None:
    """The calls that Gemini CLI makes before its first question are answered for a user who is known."""
    loaded = json.loads((await ask(fake, ":loadCodeAssist", {"metadata": CLIENT}))[1])
    assert (loaded["currentTier"]["id"], loaded["cloudaicompanionProject"]) == ("standard-tier", PROJECT)
    quota = json.loads((await ask(fake, ":retrieveUserQuota", {"project": PROJECT}))[1])
    assert quota["buckets"][0]["modelId"] == "gemini-2.5-pro"
    experiments = {"project": PROJECT, "metadata": {**CLIENT, "ideName": "x", "duetProject": PROJECT}}
    assert (await ask(fake, ":listExperiments", experiments))[0] == 200
    counted = await ask(fake, ":countTokens", {"request": {"model": f"models/{MODEL}", "contents": HI["contents"]}})
    assert set(json.loads(counted[1])) == {"totalTokens"}
    for method, body in ((":loadCodeAssist", {"meta": 1}), (":retrieveUserQuota", {"projekt": "a"})):
        assert (await ask(fake, method, body))[0] == 400
    assert (await ask(fake, ":selfDestruct", {}))[0] == 404
    assert (await ask(fake, ":generateContent", envelope(), token="wrong"))[0] == 401


async def test_taking_a_user_in() -> None:
    """A user who is not known is taken in by an operation that is done when it is asked again."""
    async with FakeGemini(CODE_ASSIST, onboarded=False) as fake:
        loaded = json.loads((await ask(fake, ":loadCodeAssist", {"metadata": CLIENT}))[1])
        assert "currentTier" not in loaded
        assert [tier["id"] for tier in loaded["allowedTiers"] if tier.get("isDefault")] == ["free-tier"]
        assert (await ask(fake, ":onboardUser", {"tierId": "gold"}))[0] == 400
        mine = {"tierId": "free-tier", "cloudaicompanionProject": "mine", "metadata": CLIENT}
        assert "Precondition check failed." in (await ask(fake, ":onboardUser", mine))[1]
        started = json.loads((await ask(fake, ":onboardUser", {"tierId": "free-tier", "metadata": CLIENT}))[1])
        assert started["done"] is False
        done = json.loads((await ask(fake, f"/{started['name']}"))[1])
        assert (done["done"], done["response"]["cloudaicompanionProject"]["id"]) == (True, PROJECT)
        assert "currentTier" in json.loads((await ask(fake, ":loadCodeAssist", {}))[1])
        assert (await ask(fake, "/operations/other"))[0] == 404
