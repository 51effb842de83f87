"""May a body go through untouched?"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from strowger.dialects.base import Spot
from strowger.dialects.envelope import seal, wrapped
from strowger.dialects.gemini import FAITHFUL
from strowger.dialects.gemini.passing import passes, with_model
from strowger.ir.request import Signed
from tests.unit.dialects.gemini.asking import GEMINI_3, HELLO, SPOT, dumps

FREE = replace(GEMINI_3, thought_signatures=False, image_urls=True)
ASSIST = Spot(form="code_assist")
CALL = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}
SIGNED = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}]}


def pass_through(caps: Any, *contents: Any, spot: Spot = SPOT, **members: Any) -> bool:
    """Whether a body passes."""
    return passes(dumps({"contents": [HELLO, *contents], **members}), caps, spot)


def test_a_plain_body_passes() -> None:
    """Nothing in it can be refused."""
    assert pass_through(
        FREE, CALL, generationConfig={"temperature": 1, "maxOutputTokens": 9}, tools=[{"googleSearch": {}}]
    )


@pytest.mark.parametrize("blob", [seal(Signed("a", "b", "c")), wrapped(Signed("a", "b", "c"))])
def test_envelopes_of_ours_are_opened_first(blob: str) -> None:
    """Google would refuse them."""
    content = {"role": "model", "parts": [{"text": "a", "thoughtSignature": blob}]}
    assert not pass_through(replace(FREE, judges_itself=True), content)


def test_envelopes_of_code_assist_go_to_code_assist_only() -> None:
    """And public bodies to the public API."""
    assist = replace(FREE, code_assist=True)
    assert pass_through(assist, spot=ASSIST)
    assert not pass_through(FREE, spot=ASSIST)
    assert not pass_through(assist)


def test_the_vendor_judges_itself() -> None:
    """Clients act upon its refusals."""
    assert pass_through(
        replace(GEMINI_3, judges_itself=True, sampling=False), CALL, generationConfig={"temperature": 1}
    )


@pytest.mark.parametrize(
    "caps, members",
    [
        ({"max_output_tokens": 5}, {"generationConfig": {"maxOutputTokens": 9}}),
        ({"min_output_tokens": 16}, {"generation_config": {"max_output_tokens": 9}}),
        ({"sampling": False}, {"generationConfig": {"temperature": 1}}),
        ({"top_k": False}, {"generationConfig": {"top_k": 1}}),
        ({"tools": False}, {"tools": [{"function_declarations": []}]}),
        ({"tool_choice": False}, {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}),
        ({"hosted_tools": False}, {"tools": [{"url_context": {}}]}),
        ({"search_with_tools": False}, {"tools": [{"googleSearch": {}}, {"functionDeclarations": [{"name": "f"}]}]}),
        ({"thinking": "none"}, {"generationConfig": {"thinkingConfig": {}}}),
        ({"thinking": "budget"}, {"generationConfig": {"thinkingConfig": {"thinking_level": "HIGH"}}}),
        ({"thinking": "level"}, {"generationConfig": {"thinkingConfig": {"thinkingBudget": 1}}}),
        ({"structured_output": "json_object"}, {"generationConfig": {"responseSchema": {}}}),
        ({"structured_output": "none"}, {"generationConfig": {"responseMimeType": "application/json"}}),
        ({"images": False}, {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png"}}]}]}),
        ({"documents": False}, {"contents": [{"parts": [{"inline_data": {"mime_type": "application/pdf"}}]}]}),
        ({"audio": False}, {"contents": [{"parts": [{"inlineData": {"mimeType": "audio/wav"}}]}]}),
        ({"image_urls": False}, {"contents": [{"parts": [{"fileData": {"fileUri": "https://x/a.png"}}]}]}),
    ],
)
def test_what_may_be_refused_does_not_pass(caps: Any, members: Any) -> None:
    """It is looked at more closely; what each model does not take, in either spelling."""
    assert not pass_through(replace(FREE, **caps), **members)
    assert pass_through(FAITHFUL, **members)


def test_calls_want_signatures_where_they_are_checked() -> None:
    """A history without any is not Gemini 3's."""
    assert not pass_through(GEMINI_3, CALL)
    assert pass_through(GEMINI_3, SIGNED)


@pytest.mark.parametrize(
    "address", ["https://generativelanguage.googleapis.com/v1beta/files/a", "https://youtu.be/a", "gs://b/a"]
)
def test_files_that_google_has_are_no_addresses_to_fetch(address: str) -> None:
    """They are its own."""
    assert pass_through(replace(FREE, image_urls=False), contents=[{"parts": [{"fileData": {"fileUri": address}}]}])


# ---- the model ----


def test_the_url_names_the_model() -> None:
    """A body without one is the very same."""
    body = dumps(
        {"contents": [CALL], "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"model": {}}}]}]}
    )
    assert with_model(body, "x") is body


def test_an_envelope_names_the_model() -> None:
    """Only there it changes, every other byte stays."""
    body = b'{ "model" : "a", "request": {"contents": [], "model": "a"} }'
    assert with_model(b'{ "model" : "a", "request": {} }', "b", b'"a"') == b'{ "model" : "b", "request": {} }'
    assert b'"model":"b"' in with_model(body, "b", b'"a"')


def test_a_body_that_names_the_model_besides_names_the_new_one() -> None:
    """In its collection."""
    assert with_model(b'{"model":"models/a","contents":[]}', "b") == b'{"model":"models/b","contents":[]}'


@pytest.mark.parametrize("body", [b'{"model":', b'{"model":1}', b'{"a":{"model":"x"}}'])
def test_what_is_not_understood_stays(body: bytes) -> None:
    """The upstream will say what is wrong with it."""
    assert with_model(body, "b") == body
