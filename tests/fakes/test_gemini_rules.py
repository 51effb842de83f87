"""Each rule of FakeGemini, by a request that breaks it and nothing else, and one beside it that is taken."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.fakes.gemini_answers import pixel
from tests.fakes.gemini_contents import SKIP
from tests.fakes.gemini_errors import Denied
from tests.fakes.gemini_flavours import CODE_ASSIST, GEMINI, VERTEX, Flavour, model_of
from tests.fakes.gemini_rules import Rules, check_count, check_credentials, check_request, find_model
from tests.fakes.refusal import Json

PRO, FLASH, OLD, THIRD = "gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.0-flash", "gemini-3.8-flash"
PNG = base64.b64encode(pixel()).decode()
SIGNED = "AAAA"


def user(*parts: Any) -> Json:
    made = [{"text": part} if isinstance(part, str) else part for part in parts or ("hi",)]
    return {"role": "user", "parts": made}


def said(*parts: Any) -> Json:
    return {**user(*parts), "role": "model"}


def call(name: str = "sum", id: str = "", signature: str = SIGNED) -> Json:
    made: Json = {"functionCall": {"name": name, "args": {"a": 1}, **({"id": id} if id else {})}}
    return {**made, "thoughtSignature": signature} if signature else made


def response(name: str = "sum", id: str = "", **more: Any) -> Json:
    made = {"name": name, "response": {"result": 2}, **({"id": id} if id else {}), **more}
    return {"functionResponse": made}


def body(*contents: Json, **more: Any) -> Json:
    return {"contents": list(contents) or [user()], **more}


def config(**members: Any) -> Json:
    return body(generationConfig=members)


def thinking(**members: Any) -> Json:
    return config(thinkingConfig=members)


def declared(name: str = "sum", parameters: Any = None, **more: Any) -> Json:
    made = {"name": name, "description": "d", **({} if parameters is None else {"parameters": parameters}), **more}
    return {"functionDeclarations": [made]}


def tools(*given: Json, **more: Any) -> Json:
    return body(tools=list(given), **more)


def calling(mode: str, *names: str) -> Json:
    return {"functionCallingConfig": {"mode": mode, **({"allowedFunctionNames": list(names)} if names else {})}}


def thing(**members: Any) -> Json:
    return {"type": "OBJECT", "properties": {"a": members}}


def inline(kind: str, data: str = PNG) -> Json:
    return {"inlineData": {"mimeType": kind, "data": data}}


def file(address: str, kind: str = "image/png") -> Json:
    return {"fileData": {"mimeType": kind, "fileUri": address}}


def check(request: Any, model: str = PRO, flavour: Flavour = GEMINI, **rules: Any) -> Json:
    return check_request(request, model_of(model), Rules(flavour, **rules))


UNKNOWN = "Invalid JSON payload received. Unknown name"
STEP = (user(), said(call()))
REFUSED: dict[str, tuple[Any, str, str]] = {
    # contents
    "no contents": ({}, PRO, "* GenerateContentRequest.contents: contents is not specified"),
    "empty contents": (body() | {"contents": []}, PRO, "contents is not specified"),
    "no parts": (body({"role": "user", "parts": []}), PRO, "contents[0].parts: contents.parts must not be empty."),
    "part without data": (
        body(user({"thought": True})),
        PRO,
        "contents[0].parts[0].data: required oneof field 'data' must have one initialized field",
    ),
    "part with two kinds of data": (
        body(user({"text": "a", "inlineData": {}})),
        PRO,
        "Invalid value at 'contents[0].parts[0]' (oneof), oneof field 'data' is already set. Cannot set 'inlineData'",
    ),
    "system role": (body({**user(), "role": "system"}), PRO, "Content with system role is not supported."),
    "assistant role": (body(user(), {**user(), "role": "assistant"}), PRO, "Please use a valid role: user, model."),
    "no role in a conversation": (body(user(), {"parts": [{"text": "a"}]}), PRO, "Please use a valid role"),
    "empty system instruction": (
        body(systemInstruction={"parts": []}),
        PRO,
        "system_instruction.parts: contents.parts must not be empty.",
    ),
    # calls and responses
    "call without name": (
        body(user(), said({"functionCall": {"args": {}}}), user(response())),
        PRO,
        "contents[1].parts[0].function_call.name: Name cannot be empty.",
    ),
    "response without name": (
        body(*STEP, user({"functionResponse": {"response": {}}})),
        PRO,
        "contents[2].parts[0].function_response.name: Name cannot be empty.",
    ),
    "response that is no object": (
        body(*STEP, user({"functionResponse": {"name": "sum", "response": "2"}})),
        PRO,
        "Invalid value at 'contents[2].parts[0].function_response.response'"
        ' (type.googleapis.com/google.protobuf.Struct), "2"',
    ),
    "fewer responses": (
        body(user(), said(call(), call("b")), user(response())),
        PRO,
        "the number of function response parts is equal to the number of function call parts of the function call turn",
    ),
    "more responses": (body(*STEP, user(response(), response())), PRO, "the number of function response parts"),
    "no response": (body(*STEP), PRO, "the number of function response parts is equal"),
    "text instead of a response": (body(*STEP, user()), PRO, "the number of function response parts is equal"),
    "response after text": (body(*STEP, user(), user(response())), PRO, "the number of function response parts"),
    "response without call": (
        body(user(), said("a"), user(response())),
        PRO,
        "function response turn comes immediately after a function call turn",
    ),
    "response of the model": (body(*STEP, said(response())), PRO, "function response turn comes immediately"),
    "call of the user": (body(user(call())), PRO, "function call turn comes immediately after a user turn or after a"),
    "call first": (body(said(call()), user(response())), PRO, "function call turn comes immediately after a user turn"),
    "call after the model": (body(user(), said("a"), said(call()), user(response())), PRO, "function call turn comes"),
    "response of another function": (body(*STEP, user(response("b"))), PRO, "function response names match"),
    "response of another id": (
        body(user(), said(call(id="x")), user(response(id="y"))),
        PRO,
        "Function response id `y` matches no function call",
    ),
    "media in a response of 2.5": (
        body(*STEP, user(response(parts=[inline("image/png")]))),
        PRO,
        "Multimodal function response is not supported",
    ),
    "sound in a response": (
        body(*STEP, user(response(parts=[inline("audio/wav")]))),
        THIRD,
        "mime_type: audio/wav is not supported in `function_response.parts`",
    ),
    # media
    "unsupported media": (body(user(inline("image/gif"))), PRO, "Unsupported MIME type: image/gif"),
    "media without a type": (body(user({"inlineData": {"data": PNG}})), PRO, "mime_type: mimeType must not be empty."),
    "media without data": (body(user(inline("image/png", ""))), PRO, "data must not be empty."),
    "not base64": (
        body(user(inline("image/png", "#"))),
        PRO,
        "Invalid value at 'contents[0].parts[0].inline_data.data' (TYPE_BYTES), Base64 decoding failed for \"#\"",
    ),
    "not an image": (body(user(inline("image/png", "AAAA"))), PRO, "Unable to process input image."),
    "file anywhere": (body(user(file("https://example.com/a.png"))), PRO, "Unsupported file uri: https://example.com/"),
    # numbers
    "hot": (config(temperature=2.1), PRO, "temperature must be in the range [0.0, 2.0]."),
    "cold": (config(temperature=-0.1), PRO, "temperature must be in the range [0.0, 2.0]."),
    "top_p": (config(topP=1.5), PRO, "top_p must be in the range [0.0, 1.0]."),
    "top_k": (config(topK=0), PRO, "top_k must be positive."),
    "no tokens": (config(maxOutputTokens=0), PRO, "maxOutputTokens value of 0 but the supported range is from 1"),
    "six stops": (config(stopSequences=list("abcdef")), PRO, "stop_sequences: at most 5 are allowed"),
    "empty stop": (config(stopSequences=["a", ""]), PRO, "stop_sequences[1]: stop_sequence must not be empty."),
    "nine candidates": (config(candidateCount=9), PRO, "candidateCount value of 9 but the supported range is from 1"),
    "two candidates of 3": (config(candidateCount=2), THIRD, "Multiple candidates is not enabled for this model"),
    "logprobs alone": (config(logprobs=3), PRO, "only allowed when response_logprobs is true."),
    "a text for a number": (
        config(temperature="warm"),
        PRO,
        "Invalid value at 'generation_config.temperature' (TYPE_FLOAT), \"warm\"",
    ),
    "half a token": (config(maxOutputTokens=1.5), PRO, "Invalid value at 'generation_config.max_output_tokens'"),
    # thinking
    "level of 2.5": (thinking(thinkingLevel="HIGH"), PRO, "Thinking level is not supported for this model."),
    "no level of 2.5": (thinking(thinkingLevel="THINKING_LEVEL_UNSPECIFIED"), FLASH, "Thinking level is not supported"),
    "level that is none": (
        thinking(thinkingLevel="extreme"),
        THIRD,
        "Invalid value at 'generation_config.thinking_config.thinking_level'"
        ' (type.googleapis.com/google.ai.generativelanguage.v1beta.ThinkingLevel), "extreme"',
    ),
    "level of another 3": (
        thinking(thinkingLevel="MINIMAL"),
        "gemini-3.1-pro-preview",
        "Thinking level MINIMAL is not supported for this model. Please retry with other thinking level.",
    ),
    "level and budget": (
        thinking(thinkingLevel="LOW", thinkingBudget=100),
        THIRD,
        "You can only set only one of thinking budget and thinking level.",
    ),
    "no thinking of Pro": (
        thinking(thinkingBudget=0),
        PRO,
        "Budget 0 is invalid. This model only works in thinking mode.",
    ),
    "little thinking of Pro": (
        thinking(thinkingBudget=100),
        PRO,
        "The thinking budget 100 is invalid. Please choose a value between 128 and 32768.",
    ),
    "much thinking of Flash": (thinking(thinkingBudget=30_000), FLASH, "Please choose a value between 0 and 24576."),
    "thinking of 2.0": (thinking(includeThoughts=True), OLD, "thinking is not supported by this model"),
    # forms
    "form that is none": (config(responseMimeType="text/html"), PRO, "allowed mimetypes are `text/plain`"),
    "schema without form": (
        config(responseSchema=thing(type="STRING")),
        PRO,
        "response_schema: only allowed when response_mime_type is `application/json`",
    ),
    "standard schema without form": (config(responseJsonSchema={}), PRO, "response_json_schema: only allowed when"),
    "two schemas": (
        config(responseMimeType="application/json", responseSchema={"type": "STRING"}, responseJsonSchema={}),
        PRO,
        "response_schema must be unset when response_json_schema is set.",
    ),
    "pictures of a writer": (config(responseModalities=["TEXT", "IMAGE"]), PRO, "response modalities (image) is not"),
    # tools
    "empty tool": (tools({}), PRO, "tools[0].tool_type: required one_of 'tool_type' must have one initialized field"),
    "no functions": (tools({"functionDeclarations": []}), PRO, "required one_of 'tool_type'"),
    "function without name": (tools({"functionDeclarations": [{"description": "d"}]}), PRO, "Invalid function name."),
    "function named by a number": (
        tools(declared("1st")),
        PRO,
        "tools[0].function_declarations[0].name: Invalid function name. Must start with a letter or an underscore.",
    ),
    "function of 65 letters": (tools(declared("a" * 65)), PRO, "with a maximum length of 64."),
    "function twice": (tools(declared(), declared()), PRO, "Duplicate function declaration found: sum"),
    "two kinds of parameters": (
        tools(declared(parameters=thing(type="STRING"), parametersJsonSchema={"type": "object"})),
        PRO,
        "parameters must be unset when parameters_json_schema is set.",
    ),
    "search beside functions": (
        tools(declared(), {"googleSearch": {}}),
        PRO,
        "Tool use with function calling is unsupported by the model.",
    ),
    "search beside functions, unasked": (
        tools(declared(), {"googleSearch": {}}),
        THIRD,
        "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function calling.",
    ),
    "JSON beside functions": (
        tools(declared(), generationConfig={"responseMimeType": "application/json"}),
        PRO,
        "Function calling with a response mime type: 'application/json' is unsupported",
    ),
    "JSON beside search": (
        tools({"googleSearch": {}}, generationConfig={"responseMimeType": "application/json"}),
        PRO,
        "Tool use with a response mime type: 'application/json' is unsupported",
    ),
    "must call nothing": (body(toolConfig=calling("ANY")), PRO, "config is set without function_declarations."),
    "may call a stranger": (tools(declared(), toolConfig=calling("ANY", "b")), PRO, "`b` is not among the function"),
    "names without need": (tools(declared(), toolConfig=calling("AUTO", "sum")), PRO, "should be unset when the mode"),
    "mode that is none": (tools(declared(), toolConfig=calling("REQUIRED")), PRO, "function_calling_config.mode'"),
    # caches
    "cache that is not there": (body(cachedContent="cachedContents/b"), PRO, "CachedContent not found"),
    "cache and tools": (
        tools(declared(), cachedContent="cachedContents/a"),
        PRO,
        "CachedContent can not be used with GenerateContent request setting system_instruction, tools or",
    ),
}
TAKEN: dict[str, tuple[Any, str]] = {
    "the least": (body(), PRO),
    "no role in a single turn": (body({"parts": [{"text": "a"}]}), PRO),
    "empty text": (body(user("")), PRO),
    "one part for a list of one": ({"contents": {"role": "user", "parts": {"text": "a"}}}, PRO),
    "an answer begun": (body(user(), said("a")), PRO),
    "the user twice": (body(user(), user()), PRO),
    "system instruction": (body(systemInstruction={"role": "system", "parts": [{"text": "a"}]}), PRO),
    "a whole loop": (
        body(user(), said("a", call(), call("b", signature="")), user(response(), response("b")), said("c"), user()),
        PRO,
    ),
    "responses in any order": (
        body(user(), said(call(id="1"), call("b", id="2")), user(response("b", id="2"), response(id="1"))),
        PRO,
    ),
    "responses without ids": (body(user(), said(call(id="1")), user(response())), PRO),
    "responses in contents of their own": (
        body(user(), said(call(), call("b")), user(response()), user(response("b")), user()),
        PRO,
    ),
    "responses with text": (body(*STEP, user(response(), "look")), PRO),
    "media in a response of 3": (body(*STEP, user(response(parts=[inline("image/png")]))), THIRD),
    "no media in a response": (body(*STEP, user(response(parts=[]))), PRO),
    "media": (body(user(inline("image/png"), inline("application/pdf", "JVBERg"), inline("audio/wav", "-_-_"))), PRO),
    "image of another kind": (body(user(inline("image/jpeg"))), PRO),
    "own files": (body(user(file("https://generativelanguage.googleapis.com/v1beta/files/abc"))), PRO),
    "video": (body(user(file("https://www.youtube.com/watch?v=a", "video/mp4"))), PRO),
    "bounds": (config(temperature=2, topP=1, topK=1, maxOutputTokens=999_999, stopSequences=list("abcde")), PRO),
    "numbers as text": (config(temperature="1", maxOutputTokens="5", topK=40.0), PRO),
    "eight candidates": (config(candidateCount=8), PRO),
    "one candidate of 3": (config(candidateCount=1), THIRD),
    "logprobs": (config(responseLogprobs=True, logprobs=3), PRO),
    "level": (thinking(includeThoughts=True, thinkingLevel="high"), THIRD),
    "unspecified level of 3": (thinking(thinkingLevel="THINKING_LEVEL_UNSPECIFIED"), THIRD),
    "budget of 3": (thinking(thinkingBudget=512), THIRD),
    "budgets": (thinking(thinkingBudget=128), PRO),
    "dynamic budget": (thinking(thinkingBudget=-1), PRO),
    "no thinking of Flash": (thinking(thinkingBudget=0), FLASH),
    "no thoughts of 2.0": (thinking(includeThoughts=False, thinkingBudget=0), OLD),
    "schema": (config(responseMimeType="application/json", responseSchema=thing(type="string")), PRO),
    "enumeration": (config(responseMimeType="text/x.enum", responseSchema={"type": "STRING", "enum": ["a"]}), PRO),
    "pictures": (config(responseModalities=["TEXT", "IMAGE"]), "gemini-2.5-flash-image"),
    "names": (tools(declared("_a.b:c-d"), declared("a" * 64)), PRO),
    "code beside functions": (tools(declared(), {"codeExecution": {}}), PRO),
    "search": (tools({"googleSearch": {}}, {"urlContext": {}}), PRO),
    "search beside functions of 3": (
        tools(declared(), {"googleSearch": {}}, toolConfig={"includeServerSideToolInvocations": True}),
        THIRD,
    ),
    "JSON beside functions of 3": (
        tools(declared(), generationConfig={"responseMimeType": "application/json"}),
        THIRD,
    ),
    "must call": (tools(declared(), toolConfig=calling("any", "sum")), PRO),
    "validated": (tools(declared(), toolConfig=calling("VALIDATED")), PRO),
    "must not call": (tools(declared(), toolConfig=calling("NONE")), PRO),
    "cache": (body(cachedContent="cachedContents/a"), PRO),
    "numbers for enums": (body(safetySettings=[{"category": 7, "threshold": 4}]), PRO),
    "null is nothing": (body(systemInstruction=None, tools=None, generationConfig={"topP": None}), PRO),
}


@pytest.mark.parametrize("request_body, model, words", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(request_body: Any, model: str, words: str) -> None:
    """A request that breaks one rule is refused in the vendor's words."""
    with pytest.raises(Denied) as refusal:
        check(request_body, model, caches=("cachedContents/a",))
    assert words in refusal.value.message
    missing = request_body.get("cachedContent") == "cachedContents/b"
    expected = (403, "PERMISSION_DENIED") if missing else (400, "INVALID_ARGUMENT")
    assert (refusal.value.status, refusal.value.kind) == expected


@pytest.mark.parametrize("request_body, model", TAKEN.values(), ids=TAKEN.keys())
def test_takes(request_body: Any, model: str) -> None:
    """What is legal, and near to what is not, is taken."""
    assert check(request_body, model, caches=("cachedContents/a",))["contents"]


# -- thought signatures --------------------------------------------------------------------------------------------


def only(signature: str) -> Any:
    return lambda family, name, given: given == signature


@pytest.mark.parametrize(
    "contents",
    [
        (user(), said(call(signature="")), user(response())),
        (user(), said(call()), user(response()), said(call(signature="")), user(response())),
        (user(), said(call(signature=""), call("b")), user(response(), response("b"))),
        (user(), said({"text": "a", "thoughtSignature": SIGNED}, call(signature="")), user(response())),
    ],
    ids=["the only step", "the second step", "on the wrong call", "on a text"],
)
def test_first_calls_are_signed(contents: tuple[Json, ...]) -> None:
    """Gemini 3 wants the signature on the first call of each step of the current turn; 2.5 does without."""
    assert check(body(*contents), PRO)
    with pytest.raises(Denied, match="Function call is missing a thought_signature in functionCall parts"):
        check(body(*contents), THIRD)
    with pytest.raises(Denied, match="content block is missing a `thought_signature`"):
        check(body(*contents), THIRD, VERTEX)


def test_where_a_signature_is_missing() -> None:
    """The refusal names the function and counts contents from one."""
    with pytest.raises(Denied, match="function call `default_api:sum` , position 2. Please refer to"):
        check(body(user(), said(call(signature="")), user(response())), THIRD)


@pytest.mark.parametrize(
    "contents",
    [
        (user(), said(call(), call("b", signature="")), user(response(), response("b"))),
        (user(), said(call(signature="")), user(response()), said("a"), user("next")),
        *((user(), said(call(signature=skip)), user(response())) for skip in sorted(SKIP)),
    ],
    ids=["later calls", "an earlier turn", "as documented", "as bytes", "as documented too"],
)
def test_calls_that_need_no_signature(contents: tuple[Json, ...]) -> None:
    """Later calls of a step and calls of earlier turns go without; the documented values stand for a signature."""
    assert check(body(*contents), THIRD, verify=only(SIGNED))


def test_foreign_signatures() -> None:
    """A signature that the vendor did not make for this family is refused wherever it stands."""
    asked = list[tuple[str, str]]()

    def verify(family: str, name: str, signature: str) -> bool:
        asked.append((family, name))
        return signature == SIGNED

    loop = [user(), said({"text": "", "thoughtSignature": SIGNED}), user(), said(call()), user(response())]
    assert check(body(*loop), THIRD, verify=verify)
    assert asked == [("gemini-3", ""), ("gemini-3", "sum")]
    for index in (1, 3):
        changed = [*loop[:index], said({**loop[index]["parts"][0], "thoughtSignature": "BBBB"}), *loop[index + 1 :]]
        with pytest.raises(Denied, match="Corrupted thought signature."):
            check(body(*changed), THIRD, verify=verify)
        with pytest.raises(Denied, match="Thought signature is not valid"):
            check(body(*changed), THIRD, VERTEX, verify=verify)
    assert check(body(user(), said({"text": "a", "thoughtSignature": "BBBB"}), user()), OLD, verify=verify)


def test_signature_is_base64() -> None:
    """A signature that is not base64 does not get as far as being judged."""
    with pytest.raises(
        Denied, match=r"at 'contents\[1\].parts\[0\].thought_signature' \(TYPE_BYTES\), Base64 decoding"
    ):
        check(body(user(), said(call(signature="rs_123:§")), user(response())), THIRD)


# -- the rest ------------------------------------------------------------------------------------------------------


def test_doors_differ() -> None:
    """A project's door words it differently, fetches files of the web, and knows members of its own."""
    with pytest.raises(Denied, match="at least one contents field is required"):
        check({}, PRO, VERTEX)
    with pytest.raises(
        Denied, match=r"\* tools\[0\].function_declarations\[0\].name: \[FIELD_INVALID\] Invalid function"
    ):
        check(tools(declared("a b")), PRO, CODE_ASSIST)
    with pytest.raises(Denied, match="thinking_level is not supported by this model"):
        check(thinking(thinkingLevel="LOW"), PRO, VERTEX)
    with pytest.raises(Denied, match="does not support setting thinking_budget to 0"):
        check(thinking(thinkingBudget=0), PRO, VERTEX)
    with pytest.raises(Denied, match="mimeType parameter with value image/gif, which is not supported"):
        check(body(user(inline("image/gif"))), PRO, VERTEX)
    with pytest.raises(Denied, match="maxOutputTokens value of 999999 but the supported range is from 1"):
        check(config(maxOutputTokens=999_999), PRO, VERTEX)
    assert check(body(user(file("https://example.com/a.png")), labels={"a": "b"}), PRO, VERTEX)
    with pytest.raises(Denied, match="Unsupported file uri: http:"):
        check(body(user(file("http://example.com/a.png"))), PRO, VERTEX)
    with pytest.raises(Denied, match="mime_type: .*mimeType must not be empty."):
        check(body(user(file("gs://bucket/a", ""))), PRO, VERTEX)
    assert check(tools(declared(), {"googleSearch": {}}), THIRD, VERTEX)
    with pytest.raises(Denied, match='Unknown name "labels": Cannot find field.'):
        check(body(labels={"a": "b"}))


def test_prompt_that_does_not_fit() -> None:
    """A prompt over the model's window is refused with both numbers."""
    model = model_of(PRO)
    check_request(body(), model, Rules(), size=4 * model.window)
    with pytest.raises(Denied) as refusal:
        check_request(body(), model, Rules(), size=4 * model.window + 4)
    assert refusal.value.message == (
        "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576)."
    )


def test_counting() -> None:
    """countTokens takes contents, or a whole request that names the model of the path, and not both."""
    model, rules = model_of(PRO), Rules()
    whole = {"model": f"models/{PRO}", **body(systemInstruction={"parts": {"text": ""}})}
    check_count(body(), model, rules)
    check_count({"generateContentRequest": whole}, model, rules)
    check_count(body(systemInstruction=user(), tools=[declared()]), model, Rules(VERTEX))
    for wrong, words in (
        ({}, "contents is not specified"),
        ({"generateContentRequest": body()}, "unexpected model name format"),
        ({"generateContentRequest": whole, **body()}, "not both"),
        (body(systemInstruction=user()), 'Unknown name "systemInstruction": Cannot find field.'),
    ):
        with pytest.raises(Denied, match=words):
            check_count(wrong, model, rules)


def test_models() -> None:
    """A model that is not there is the door's 404; where any is served, its name says what it is like."""
    assert find_model(PRO, Rules(), "generateContent").id == PRO
    for flavour, words in (
        (GEMINI, "models/gemini-9 is not found for API version v1beta, or is not supported for generateContent."),
        (VERTEX, "Publisher Model `projects/p/locations/us-central1/publishers/google/models/gemini-9` was not found"),
        (CODE_ASSIST, "Requested entity was not found."),
    ):
        with pytest.raises(Denied, match=words) as refusal:
            find_model("gemini-9", Rules(flavour), "generateContent")
        assert (refusal.value.status, refusal.value.kind) == (404, "NOT_FOUND")
    guessed = {
        name: find_model(name, Rules(any_model=True), "x").family for name in ("gemini-9", "claude-x", "gemini-1.5-pro")
    }
    assert guessed == {"gemini-9": "gemini-3", "claude-x": "gemini-3", "gemini-1.5-pro": "gemini-2.0"}
    assert not model_of("gemini-2.5-pro-preview-05-06").off


def test_keys() -> None:
    """A key is taken from its header, the query or a bearer token; each way of being wrong has its own answer."""
    keys = ("key",)
    check_credentials({"x-goog-api-key": "key"}, None, keys, GEMINI)
    check_credentials({}, "key", keys, GEMINI)
    check_credentials({"authorization": "Bearer key"}, None, keys, CODE_ASSIST)
    for headers, flavour, words, kind in (
        ({}, GEMINI, "Method doesn't allow unregistered callers", "PERMISSION_DENIED"),
        ({"x-api-key": "key"}, GEMINI, "Method doesn't allow unregistered callers", "PERMISSION_DENIED"),
        ({"x-goog-api-key": "b"}, GEMINI, "API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT"),
        ({"authorization": "Bearer b"}, GEMINI, "had invalid authentication credentials", "UNAUTHENTICATED"),
        ({}, VERTEX, "missing required authentication credential", "UNAUTHENTICATED"),
        ({"x-goog-api-key": "key"}, CODE_ASSIST, "missing required authentication credential", "UNAUTHENTICATED"),
    ):
        with pytest.raises(Denied, match=words) as refusal:
            check_credentials(headers, None, keys, flavour)
        assert refusal.value.kind == kind
