"""FakeGemini on its socket: the vendor's SDK accepts its answers at every door, and scripts break them as told."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from google import genai
from google.genai import errors, types

from tests.fakes import gemini_answers as answers
from tests.fakes import gemini_brain
from tests.fakes import gemini_errors as fakes
from tests.fakes.brain import COMMAND, HELLO, SECOND_COMMAND
from tests.fakes.gemini import KEY, FakeGemini
from tests.fakes.gemini_answers import FINISHES, GeminiReply, finished
from tests.fakes.gemini_brain import WRITTEN
from tests.fakes.gemini_flavours import GEMINI, GEMINI_PLAIN, MODELS, VERTEX, Flavour
from tests.fakes.refusal import Json
from tests.fakes.script import Call, Delivery, Hang, Reply, Say, Think, Usage, bad_gateway, call, say

# The SDK makes a subclass of aiohttp's session, which aiohttp discourages.
DISCOURAGED = "ignore:Inheritance class AiohttpClientSession from ClientSession:DeprecationWarning"
pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings(DISCOURAGED)]
MODEL, SECOND = "gemini-3.8-flash", "gemini-2.5-flash"
SPENT = Usage(fresh=3, cached=7, output=11, reasoning=4)
CALLS = (Call("bash", {"command": "ls -la /tmp"}, "call_a"), Call("bash", {"command": "pwd"}, "call_b"))


def function(name: str = "bash", **members: str) -> Json:
    schema = {
        "type": "OBJECT",
        "properties": {member: {"type": kind} for member, kind in (members or {"command": "STRING"}).items()},
        "required": [*(members or ["command"])],
    }
    return {"function_declarations": [{"name": name, "description": "d", "parameters": schema}]}


THOUGHTS: Any = {"include_thoughts": True}
BASH: Any = [function()]


@pytest.fixture
async def fake() -> AsyncIterator[FakeGemini]:
    async with FakeGemini() as server:
        yield server


@pytest.fixture
async def sdk(fake: FakeGemini) -> AsyncIterator[Any]:
    async with client_of(fake).aio as client:
        yield client.models


def client_of(fake: FakeGemini, key: str = KEY, **options: Any) -> genai.Client:
    where = types.HttpOptions(base_url=fake.base_url, **options)
    return genai.Client(api_key=key, vertexai=fake.flavour.door == "vertex", http_options=where)


async def post(fake: FakeGemini, path: str, body: Any, **headers: str) -> tuple[int, str, str]:
    """Status, type and text of a request without any SDK."""
    async with aiohttp.ClientSession() as session:
        async with session.post(
            fake.base_url + path, json=body, headers={"x-goog-api-key": KEY, **headers}
        ) as response:
            return response.status, response.headers["content-type"], await response.text()


def hi(text: str = "hi", **more: Any) -> Json:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **more}


def texts(parts: Any) -> list[str]:
    return [part.text for part in parts if part.text and not part.thought]


async def test_whole_answer(fake: FakeGemini, sdk: Any) -> None:
    """The SDK reads an answer in one piece: thoughts, text, calls with ids, the signature, usage and its parts."""
    fake.script(Reply(parts=(Think("hm"), Say("one"), *CALLS), usage=SPENT))
    whole = await sdk.generate_content(model=MODEL, contents="hi", config={"tools": BASH, "thinking_config": THOUGHTS})
    thought, text, first, second = whole.candidates[0].content.parts
    assert (thought.thought, thought.text, text.text) == (True, "hm", "one")
    assert [(c.id, c.args) for c in whole.function_calls] == [(c.id, c.arguments) for c in CALLS]
    assert fake.verify("gemini-3", "bash", base64.b64encode(first.thought_signature).decode())
    assert (text.thought_signature, second.thought_signature) == (None, None)
    assert whole.candidates[0].finish_reason is types.FinishReason.STOP
    spent = whole.usage_metadata
    assert (spent.prompt_token_count, spent.cached_content_token_count) == (10, 7)
    assert (spent.candidates_token_count, spent.thoughts_token_count, spent.total_token_count) == (7, 4, 21)
    assert (whole.model_version, bool(whole.response_id)) == (MODEL, True)


@pytest.mark.parametrize(
    "delivery",
    [
        Delivery(),
        Delivery(crlf=True),
        Delivery(gzip=True),
        Delivery(piece=1),
        Delivery(piece=7, gzip=True, crlf=True),
    ],
    ids=repr,
)
@pytest.mark.parametrize("flavour", [GEMINI, GEMINI_PLAIN], ids=lambda flavour: flavour.name)
async def test_stream(flavour: Flavour, delivery: Delivery) -> None:
    """The SDK gets thoughts, text, parallel calls and usage whole, however the bytes travel."""
    async with FakeGemini(flavour) as fake, client_of(fake).aio as sdk:
        fake.script(Reply(parts=(Think("思考"), Say("grüße"), *CALLS), usage=SPENT, delivery=delivery))
        config: Any = {"tools": BASH, "thinking_config": THOUGHTS}
        stream = await sdk.models.generate_content_stream(model=MODEL, contents="hi", config=config)
        chunks: list[Any] = [chunk async for chunk in stream]
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]
    assert "".join(part.text for part in parts if part.thought) == "思考"
    assert "".join(texts(parts)) == "grüße"
    calls = [part for part in parts if part.function_call]
    assert [part.function_call.args for part in calls] == [c.arguments for c in CALLS]
    assert [bool(part.thought_signature) for part in calls] == [True, False]
    assert [chunk.candidates[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].candidates[0].finish_reason is types.FinishReason.STOP
    assert chunks[-1].usage_metadata.total_token_count == 21
    assert all(chunk.usage_metadata.prompt_token_count == 10 for chunk in chunks)
    assert len({chunk.response_id for chunk in chunks}) == 1
    assert (b"\r\n\r\n" in fake.requests[0].answer) == (flavour.crlf or delivery.crlf)


async def test_comments_are_not_for_this_sdk(fake: FakeGemini, sdk: Any) -> None:
    """The vendor never sends SSE comments, and its SDK takes one for a broken answer: no keep-alive of that kind."""
    fake.script(say("a", delivery=Delivery(comments=True)))
    with pytest.raises(errors.UnknownApiResponseError):
        _ = [chunk async for chunk in await sdk.generate_content_stream(model=MODEL, contents="hi")]


async def test_text_ends_a_stream_with_a_signature(fake: FakeGemini, sdk: Any) -> None:
    """Gemini 3 signs a text too: on the last part, which in a stream is an empty one."""
    streamed = [chunk async for chunk in await sdk.generate_content_stream(model=MODEL, contents="hi")]
    last = streamed[-1].candidates[0].content.parts[-1]
    assert (last.text, bool(last.thought_signature)) == ("", True)
    whole = await sdk.generate_content(model=MODEL, contents="hi")
    assert (whole.text, bool(whole.candidates[0].content.parts[-1].thought_signature)) == (HELLO, True)
    plain = await sdk.generate_content(model=SECOND, contents="hi")
    assert plain.candidates[0].content.parts[-1].thought_signature is None
    fake.script(GeminiReply(parts=(Say("a"),), signed=True), GeminiReply(parts=(Say("a"),), signed=False))
    assert (await sdk.generate_content(model=SECOND, contents="hi")).candidates[0].content.parts[-1].thought_signature
    unsigned = await sdk.generate_content(model=MODEL, contents="hi")
    assert unsigned.candidates[0].content.parts[-1].thought_signature is None


async def test_thoughts_only_when_asked(sdk: Any) -> None:
    """Thoughts go out with `includeThoughts`, and never with a budget of nothing."""
    for thinking, shown in ((None, False), (THOUGHTS, True), ({**THOUGHTS, "thinking_budget": 0}, False)):
        whole = await sdk.generate_content(model=SECOND, contents="hi", config={"thinking_config": thinking})
        assert any(part.thought for part in whole.candidates[0].content.parts) is shown


@pytest.mark.parametrize("model", [MODEL, SECOND])
@pytest.mark.parametrize("flavour", [GEMINI, GEMINI_PLAIN, VERTEX], ids=lambda flavour: flavour.name)
async def test_tool_loop(flavour: Flavour, model: str) -> None:
    """The brain calls the shell twice, takes its signed calls back from the SDK, and quotes the results in order."""
    async with FakeGemini(flavour) as fake, client_of(fake).aio as sdk:
        turns: Any = [types.UserContent("RUN_TOOLS")]
        config: Any = {"tools": BASH, "automatic_function_calling": {"disable": True}}
        first = await sdk.models.generate_content(model=model, contents=turns, config=config)
        made = first.function_calls or []
        assert [c.args for c in made] == [{"command": COMMAND}, {"command": SECOND_COMMAND}]
        assert [bool(c.id) for c in made] == [flavour.ids] * 2
        results: Any = [
            {"function_response": {"id": c.id, "name": c.name, "response": {"output": f"result {n}"}}}
            for n, c in enumerate(made)
        ]
        turns += [first.candidates[0].content, {"role": "user", "parts": results}]  # type: ignore[index]
        second = await sdk.models.generate_content(model=model, contents=turns, config=config)
        assert "«result 0» «result 1»" in (second.text or "")


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda part: part.pop("thoughtSignature"), "missing a thought_signature"),
        (
            lambda part: part.update(thoughtSignature="A" + part["thoughtSignature"][1:][::-1]),
            "Corrupted thought signature",
        ),
        (lambda part: part["functionCall"].update(name="bash2"), "Corrupted thought signature"),
    ],
    ids=["lost", "changed", "on another call"],
)
async def test_signature_comes_home(fake: FakeGemini, spoil: Any, words: str) -> None:
    """A call goes on only with the signature that it was given."""
    fake.script(call("bash", {"command": "ls"}))
    path, tool = f"/v1beta/models/{MODEL}:generateContent", [function()]
    _, _, text = await post(fake, path, hi(tools=tool))
    part = json.loads(text)["candidates"][0]["content"]["parts"][0]

    def again(part: Json) -> Json:
        answer = {"functionResponse": {"name": part["functionCall"]["name"], "response": {"output": "a"}}}
        turns = [{"role": "model", "parts": [part]}, {"role": "user", "parts": [answer]}]
        return {"contents": [*hi()["contents"], *turns], "tools": tool}

    assert (await post(fake, path, again(part)))[0] == 200
    spoil(part)
    status, _, refused = await post(fake, path, again(part))
    assert (status, words in refused) == (400, True)


async def test_signatures_are_of_a_family(fake: FakeGemini) -> None:
    """A signature of one generation is no signature of another, nor one of another vendor's; a shared secret is one."""
    signature = fake.sign("gemini-3", "bash")
    assert fake.verify("gemini-3", "bash", signature)
    assert fake.verify("gemini-3", "bash", signature.replace("+", "-").replace("/", "_"))
    assert not fake.verify("gemini-2.5", "bash", signature)
    assert not fake.verify("gemini-3", "", signature)
    assert not FakeGemini().verify("gemini-3", "bash", signature)
    one, other = FakeGemini(secret=b"s"), FakeGemini(VERTEX, secret=b"s", signatures=("old",))
    assert other.verify("gemini-3", "bash", one.sign("gemini-3", "bash"))
    assert other.verify("gemini-3", "bash", "old")


async def test_files_and_hosted_tools(fake: FakeGemini, sdk: Any) -> None:
    """Markers drive the client's tools for files, and the vendor's own search and code."""
    tools: Any = [
        function("read_file", file_path="STRING"),
        function("write_file", file_path="STRING", content="STRING"),
    ]
    read = await sdk.generate_content(model=SECOND, contents="RUN_READ a/b.txt", config={"tools": tools})
    assert [(c.name, c.args) for c in read.function_calls] == [("read_file", {"file_path": "a/b.txt"})]
    wrote = await sdk.generate_content(model=SECOND, contents="RUN_WRITE c.txt", config={"tools": tools})
    assert wrote.function_calls[0].args == {"file_path": "c.txt", "content": WRITTEN}
    searched = await sdk.generate_content(
        model=SECOND, contents="RUN_SEARCH", config={"tools": [{"google_search": {}}]}
    )
    metadata = searched.candidates[0].grounding_metadata
    assert metadata.grounding_chunks[0].web.uri == "https://example.com/strowger"
    assert metadata.grounding_supports[0].segment.text == searched.text
    assert searched.usage_metadata.tool_use_prompt_token_count == 30
    ran = await sdk.generate_content(model=SECOND, contents="RUN_CODE", config={"tools": [{"code_execution": {}}]})
    code, result, _ = ran.candidates[0].content.parts
    assert code.executable_code.language is types.Language.PYTHON
    assert (result.code_execution_result.outcome, result.code_execution_result.output) == (
        types.Outcome.OUTCOME_OK,
        "42\n",
    )
    drawn = await sdk.generate_content(
        model="gemini-2.5-flash-image", contents="a dot", config={"response_modalities": ["TEXT", "IMAGE"]}
    )
    assert drawn.candidates[0].content.parts[1].inline_data.data == answers.pixel()


async def test_router_of_gemini_cli(fake: FakeGemini) -> None:
    """The question with which Gemini CLI chooses a model is answered with the JSON that its schema asks for."""
    members = {"complexity_reasoning": {"type": "STRING"}, "complexity_score": {"type": "INTEGER"}}
    schema = {"type": "OBJECT", "properties": members, "required": [*members]}
    config = {
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "responseMimeType": "application/json",
        "responseJsonSchema": schema,
        "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "HIGH"},
    }
    _, _, text = await post(
        fake, "/v1beta/models/gemini-3.5-flash-lite:generateContent", hi("run a tool", generationConfig=config)
    )
    parts = json.loads(text)["candidates"][0]["content"]["parts"]
    said = "".join(part["text"] for part in parts if not part.get("thought"))
    assert json.loads(said) == {"complexity_reasoning": "FAKE", "complexity_score": 42}


async def test_choice_of_tool(sdk: Any) -> None:
    """A mode of ANY forces a call, of one name if one is allowed; NONE forbids it."""
    tools: Any = [function(), function("other", value="INTEGER")]
    for mode, names, made in (("ANY", ["other"], ["other"]), ("ANY", None, ["bash"]), ("NONE", None, [])):
        calling = {"function_calling_config": {"mode": mode, "allowed_function_names": names}}
        config: Any = {"tools": tools, "tool_config": calling}
        whole = await sdk.generate_content(model=MODEL, contents="RUN_TOOL", config=config)
        assert [c.name for c in whole.function_calls or ()] == made


@pytest.mark.parametrize("reason", FINISHES)
async def test_every_finish_reason(fake: FakeGemini, sdk: Any, reason: str) -> None:
    """A script ends an answer for any reason: in one piece without content, in a stream after some text."""
    fake.script(finished(reason, finishMessage="so"), finished(reason, Say("a")))
    whole = await sdk.generate_content(model=MODEL, contents="hi")
    assert (whole.candidates[0].finish_reason, whole.candidates[0].content) == (types.FinishReason[reason], None)
    # The SDK keeps the message to itself at this door.
    assert json.loads(fake.requests[0].answer)["candidates"][0]["finishMessage"] == "so"
    stream = [chunk async for chunk in await sdk.generate_content_stream(model=MODEL, contents="hi")]
    assert stream[-1].candidates[0].finish_reason is types.FinishReason[reason]


async def test_stops_of_plain_replies(fake: FakeGemini, sdk: Any) -> None:
    """A script that knows no dialect ends with this dialect's words; arguments that are not JSON are malformed."""
    fake.script(say("a", stop="length"), say("a", stop="refusal"), call("bash", "{oops", Say("a")), Reply())
    found = []
    for _ in range(4):
        whole = await sdk.generate_content(model=MODEL, contents="hi", config={"tools": BASH})
        sent = json.loads(fake.requests[-1].answer)["candidates"][0]
        found.append((whole.candidates[0].finish_reason.name, sent.get("finishMessage")))
    malformed = "Malformed function call: call:default_api:bash{oops"
    assert found == [("MAX_TOKENS", None), ("SAFETY", None), ("MALFORMED_FUNCTION_CALL", malformed), ("STOP", None)]


async def test_odd_shapes(fake: FakeGemini) -> None:
    """Candidates without content or parts, blocked prompts, numbers for enums, calls together: as recorded."""
    path = f"/v1beta/models/{MODEL}:streamGenerateContent"
    fake.script(
        answers.blocked("BLOCKLIST"),
        GeminiReply(parts=(Say("a"),), shape="no-content", deltas=1),
        GeminiReply(parts=(Say("a"),), shape="no-parts", deltas=1),
        GeminiReply(parts=CALLS, together=True),
        GeminiReply(parts=(Say("a"),), numbers=True, deltas=1),
    )
    blocked, bare, empty, together, numbered = [json.loads((await post(fake, path, hi()))[2]) for _ in range(5)]
    assert [set(chunk) & {"candidates", "promptFeedback"} for chunk in blocked] == [{"promptFeedback"}]
    assert blocked[0]["promptFeedback"]["blockReason"] == "BLOCKLIST"
    assert [chunk["candidates"][0].get("content") for chunk in bare][-1] is None
    assert empty[-1]["candidates"][0]["content"] == {"role": "model"}
    assert [len(chunk["candidates"][0]["content"]["parts"]) for chunk in together] == [2, 1]
    assert numbered[-1]["candidates"][0]["finishReason"] == 1
    assert numbered[-1]["usageMetadata"]["promptTokensDetails"][0]["modality"] == 1


async def test_numbers_when_asked(fake: FakeGemini) -> None:
    """`$alt=json;enum-encoding=int` turns enums into numbers, as older SDKs ask for it."""
    path = f"/v1beta/models/{MODEL}:generateContent?$alt=json%3Benum-encoding%3Dint"
    fake.script(call("bash", {"modality": "TEXT"}))
    candidate = json.loads((await post(fake, path, hi(tools=[function()])))[2])["candidates"][0]
    assert candidate["finishReason"] == 1
    assert candidate["content"]["parts"][0]["functionCall"]["args"] == {"modality": "TEXT"}


async def test_arguments_in_pieces() -> None:
    """With `streamFunctionCallArguments` a call's arguments come one by one, strings in pieces."""
    async with FakeGemini(VERTEX) as fake:
        fake.script(call("bash", {"command": "ls", "count": 2, "all": True, "none": None}))
        calling = {"functionCallingConfig": {"mode": "AUTO", "streamFunctionCallArguments": True}}
        path = f"/v1/projects/p/locations/l/publishers/google/models/{MODEL}:streamGenerateContent"
        body = hi(tools=[function()], toolConfig=calling)
        chunks = [types.GenerateContentResponse(**chunk) for chunk in json.loads((await post(fake, path, body))[2])]
    calls = [part.function_call for chunk in chunks for part in chunk.parts or () if part.function_call]
    assert (calls[0].name, calls[0].will_continue, calls[-1].will_continue) == ("bash", True, None)
    given = [argument for made in calls for argument in made.partial_args or ()]
    assert [a.json_path for a in given] == ["$.command", "$.command", "$.count", "$.all", "$.none"]
    assert "".join(a.string_value or "" for a in given) == "ls"
    assert (given[2].number_value, given[3].bool_value, given[4].null_value) == (2, True, "NULL_VALUE")


@pytest.mark.parametrize("piece", [0, 5])
async def test_stream_as_array(fake: FakeGemini, piece: int) -> None:
    """Without `alt=sse` a stream is one JSON array that arrives in pieces, and an error before it is a list of one."""
    fake.script(Reply(parts=(Say("one two three"),), delivery=Delivery(piece=piece, comments=True)))
    path = f"/v1beta/models/{MODEL}:streamGenerateContent"
    status, kind, text = await post(fake, path, hi())
    chunks = json.loads(text)
    assert (status, kind, len(chunks)) == (200, "application/json; charset=UTF-8", 4)
    said = "".join(part["text"] for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"])
    assert said == "one two three"
    status, _, refused = await post(fake, path, {})
    assert (status, [set(item) for item in json.loads(refused)]) == (400, [{"error"}])
    _, _, single = await post(fake, f"{path}?alt=sse", {})
    assert set(json.loads(single)) == {"error"}


async def test_several_candidates(sdk: Any) -> None:
    """As many candidates as were asked for, each with its index."""
    whole = await sdk.generate_content(model=SECOND, contents="hi", config={"candidate_count": 3})
    assert [candidate.index for candidate in whole.candidates] == [0, 1, 2]


async def test_models_and_counting(sdk: Any) -> None:
    """Models are listed in pages and found by name, with their limits; tokens are counted."""
    names = [model.name async for model in await sdk.list(config={"page_size": 5})]
    assert names == [f"models/{model.id}" for model in MODELS]
    found = await sdk.get(model="gemini-2.0-flash")
    assert (found.input_token_limit, found.output_token_limit) == (1_048_576, 8192)
    with pytest.raises(errors.ClientError, match="models/nobody is not found for API version v1"):
        await sdk.get(model="nobody")
    assert (await sdk.count_tokens(model=MODEL, contents="hi")).total_tokens > 0
    with pytest.raises(errors.ClientError, match="or is not supported for countTokens"):
        await sdk.count_tokens(model="nobody", contents="hi")


async def test_project_door() -> None:
    """The SDK in Vertex mode speaks to the project's paths: answers, streams, counts and lists; there is no other."""
    async with FakeGemini(VERTEX) as fake, client_of(fake).aio as sdk:
        assert (await sdk.models.generate_content(model=MODEL, contents="hi")).text == HELLO
        stream = await sdk.models.generate_content_stream(model=MODEL, contents="hi")
        assert "".join([chunk.text or "" async for chunk in stream]) == HELLO
        config: Any = {"system_instruction": "s", "tools": BASH}
        assert (await sdk.models.count_tokens(model=MODEL, contents="hi", config=config)).total_tokens
        assert len([model async for model in await sdk.models.list()]) == len(MODELS)
        path = f"/v1/projects/p/locations/l/publishers/google/models/{MODEL}:generateContent"
        assert (await post(fake, path, hi()))[0] == 200
        assert (await post(fake, f"/v1beta/models/{MODEL}:generateContent", hi()))[0] == 404
        assert {seen.path.split("/models")[0] for seen in fake.inferences()[:2]} == {"/v1beta1/publishers/google"}


async def test_paths(fake: FakeGemini) -> None:
    """Every version, and none, is served; an unknown path gets Google's page, an unknown query its words."""
    for version in ("/v1", "/v1beta", "/v1beta1", ""):
        assert (await post(fake, f"{version}/models/{MODEL}:generateContent", hi()))[0] == 200
    with_key = f"/v1beta/models/{MODEL}:generateContent?key={KEY}"
    assert (await post(fake, with_key, hi(), **{"x-goog-api-key": ""}))[0] == 200
    for path in (f"/v1beta/models/{MODEL}:embed", "/v1/messages", "/v1beta/models"):
        status, kind, text = await post(fake, path, hi())
        assert (status, kind, "Error 404 (Not Found)" in text) == (404, "text/html; charset=UTF-8", True)
    status, _, text = await post(fake, f"/v1beta/models/{MODEL}:generateContent?beta=true", hi())
    assert (status, "Cannot bind query parameter. Field 'beta' could not be found" in text) == (400, True)
    assert fake.requests[-1].refused.startswith('Invalid JSON payload received. Unknown name "beta"')


async def test_bodies_that_are_none(fake: FakeGemini) -> None:
    """What is not JSON, and what is too much, is refused."""
    async with aiohttp.ClientSession(headers={"x-goog-api-key": KEY}) as session:
        for data, words in (
            (b"{", "Invalid JSON payload received."),
            (b" " * 21_000_000, "exceeds the limit: 20971520"),
        ):
            where = f"{fake.base_url}/v1beta/models/{MODEL}:generateContent"
            async with session.post(where, data=io.BytesIO(data)) as response:
                assert (response.status, words in await response.text()) == (400, True)


@pytest.mark.parametrize(
    "step, code, status, words",
    [
        (fakes.rate_limited(34.5), 429, "RESOURCE_EXHAUSTED", "Please retry in 34.5s."),
        (fakes.quota_exhausted(), 429, "RESOURCE_EXHAUSTED", "You exceeded your current quota"),
        (fakes.capacity_exhausted(), 429, "RESOURCE_EXHAUSTED", "No capacity available for model"),
        (fakes.overloaded(), 503, "UNAVAILABLE", "The model is overloaded."),
        (fakes.prompt_too_long(), 400, "INVALID_ARGUMENT", "The input token count (1200000) exceeds the maximum"),
        (fakes.refuse("INTERNAL", "An internal error has occurred.", listed=True), 500, "INTERNAL", "internal error"),
        (bad_gateway(), 502, None, "502"),
    ],
    ids=["minute", "day", "capacity", "503", "400", "list", "html"],
)
async def test_scripted_errors(
    fake: FakeGemini, sdk: Any, step: Any, code: int, status: str | None, words: str
) -> None:
    """An error before the answer reaches the SDK as its own exception."""
    fake.script(step)
    with pytest.raises(errors.APIError) as error:
        await sdk.generate_content(model=MODEL, contents="hi")
    assert error.value.code == code
    assert words in str(error.value)
    assert status is None or error.value.status == status
    assert (await sdk.generate_content(model=MODEL, contents="hi")).text == HELLO


def test_quota_says_when_to_come_back() -> None:
    """A 429 names the quota and the delay in details that programs read."""
    error = json.loads(fakes.rate_limited(34.5).body)["error"]
    kinds = {detail["@type"].rsplit(".", 1)[-1]: detail for detail in error["details"]}
    assert set(kinds) == {"QuotaFailure", "Help", "RetryInfo"}
    assert kinds["RetryInfo"]["retryDelay"] == "34.5s"
    assert "PerMinute" in kinds["QuotaFailure"]["violations"][0]["quotaId"]
    daily = json.loads(fakes.quota_exhausted().body)["error"]["details"][0]["violations"][0]
    assert "PerDay" in daily["quotaId"]


@pytest.mark.parametrize("cut_after", [0, 2])
async def test_error_in_a_stream(fake: FakeGemini, sdk: Any, cut_after: int) -> None:
    """An error after the headers reaches the SDK as one; so does a reset."""
    broken = Delivery(cut="error", cut_after=cut_after, error=("RESOURCE_EXHAUSTED", "quota"))
    fake.script(say("abc", delivery=broken), say("abc", delivery=Delivery(cut="drop", cut_after=cut_after)))
    with pytest.raises(errors.ClientError, match="quota") as error:
        _ = [chunk async for chunk in await sdk.generate_content_stream(model=MODEL, contents="hi")]
    assert error.value.code == 429
    with pytest.raises(Exception, match="payload|disconnected|closed|reset|peer|Server") as reset:
        _ = [chunk async for chunk in await sdk.generate_content_stream(model=MODEL, contents="hi")]
    assert not isinstance(reset.value, errors.APIError)
    assert [seen.ended for seen in fake.requests] == ["cut", "cut"]


async def test_error_in_an_array(fake: FakeGemini) -> None:
    """In an array the error is its last member; a clean end before the last chunk leaves the array open."""
    fake.script(
        say("abc", delivery=Delivery(cut="error", cut_after=2)), say("abc", delivery=Delivery(cut="eof", cut_after=2))
    )
    path = f"/v1beta/models/{MODEL}:streamGenerateContent"
    last = json.loads((await post(fake, path, hi()))[2])[-1]
    assert last["error"] == {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}
    assert not (await post(fake, path, hi()))[2].rstrip().endswith("]")


async def test_hang_and_drop(fake: FakeGemini) -> None:
    """A script drops the connection before any header."""
    fake.script(Hang(drop=True))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await post(fake, f"/v1beta/models/{MODEL}:generateContent", hi())
    assert fake.requests[0].ended == "cut"


async def test_keys(fake: FakeGemini) -> None:
    """A wrong key is Google's 400, none its 403; a bearer token is taken too."""
    async with client_of(fake, "wrong").aio as client:
        with pytest.raises(errors.ClientError, match="API key not valid") as error:
            await client.models.generate_content(model=MODEL, contents="hi")
    assert error.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    path = f"/v1beta/models/{MODEL}:generateContent"
    assert (await post(fake, path, hi(), **{"x-goog-api-key": ""}))[0] == 403
    assert (await post(fake, path, hi(), **{"x-goog-api-key": "", "authorization": f"Bearer {KEY}"}))[0] == 200


async def test_script_may_look(fake: FakeGemini, sdk: Any) -> None:
    """A step can be a function of the request as it was sent; after the last step the brain answers."""
    fake.script(lambda body: say(str(body["generationConfig"]["maxOutputTokens"])))
    assert (await sdk.generate_content(model=MODEL, contents="hi", config={"max_output_tokens": 77})).text == "77"
    assert (await sdk.generate_content(model=MODEL, contents="hi")).text == HELLO


def test_serves_a_blocking_client() -> None:
    """A fake in a thread answers the SDK's blocking client: whole, in a stream, and counted."""
    with FakeGemini().in_thread() as fake:
        with client_of(fake) as client:
            assert client.models.generate_content(model=MODEL, contents="hi").text == HELLO
            stream = client.models.generate_content_stream(model=MODEL, contents="hi")
            assert "".join(chunk.text or "" for chunk in stream) == HELLO
            assert client.models.count_tokens(model=MODEL, contents="hi").total_tokens
            assert next(iter(client.models.list())).name == f"models/{MODELS[0].id}"


def test_wary_clients_get_plain_commands() -> None:
    """Gemini CLI blocks commands with a substitution in them, so its shell gets the same sums as `printf` does them."""
    for name, substitutes in (("run_shell_command", False), ("bash", True)):
        declared = {"functionDeclarations": [{"name": name, "parametersJsonSchema": {"type": "object"}}]}
        made = gemini_brain.answer(hi("RUN_TOOLS", tools=[declared]), MODELS[-1]).parts[2:]
        assert [("$(" in str(part)) for part in made] == [substitutes] * 2
