"""Google's reading of JSON into messages: what counts as the same, and how each misfit is named."""

from __future__ import annotations

from typing import Any

import pytest
from google.genai import types

from tests.fakes.gemini_errors import Denied
from tests.fakes.gemini_flavours import STUDIO_PACKAGE, VERTEX_PACKAGE
from tests.fakes.gemini_proto import DATA, ENUMS, decoded, fields, read, snake
from tests.fakes.refusal import Json

HI: Json = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def reading(body: Any, package: str = STUDIO_PACKAGE) -> Json:
    return read(body, "GenerateContentRequest", package)


def parameters(schema: Json) -> Json:
    return {**HI, "tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}]}


def test_both_spellings_are_the_same() -> None:
    """snake_case and camelCase read alike at any depth; maps keep their keys as they are."""
    schema = {"type": "object", "properties": {"my_key": {"type": "array", "min_items": "1", "items": {"type": 1}}}}
    snaked = {
        "contents": HI["contents"],
        "generation_config": {"max_output_tokens": 5, "thinking_config": {"thinking_budget": 7}, "top_k": 3},
        "tools": {"function_declarations": {"name": "f", "parameters": schema}},
        "tool_config": {"function_calling_config": {"mode": "any", "allowed_function_names": "f"}},
    }
    read_schema = {
        "type": "OBJECT",
        "properties": {"my_key": {"type": "ARRAY", "minItems": 1, "items": {"type": "STRING"}}},
    }
    assert reading(snaked) == {
        "contents": HI["contents"],
        "generationConfig": {"maxOutputTokens": 5, "thinkingConfig": {"thinkingBudget": 7}, "topK": 3},
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": read_schema}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    }


def test_free_values_are_left_alone() -> None:
    """Arguments and JSON Schemas hold any names, which are not looked into."""
    args = {"snake_case": {"$schema": 1, "max_items": [None]}}
    standard = {"$schema": "x", "additionalProperties": False, "type": ["object", "null"], "$defs": {}}
    body = {
        "contents": [{"role": "model", "parts": [{"functionCall": {"name": "f", "args": args}}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": standard}]}],
        "generationConfig": {"responseJsonSchema": standard},
    }
    assert reading(body) == body


@pytest.mark.parametrize(
    "body, message, field",
    [
        ({**HI, "foo": 1}, 'Unknown name "foo": Cannot find field.', None),
        ({**HI, "max_tokens": 5}, 'Unknown name "max_tokens": Cannot find field.', None),
        ({**HI, "metadata": {}}, 'Unknown name "metadata": Cannot find field.', None),
        (
            {**HI, "generationConfig": {"thinking_config": {"effort": "low"}}},
            "Unknown name \"effort\" at 'generation_config.thinking_config': Cannot find field.",
            "generation_config.thinking_config",
        ),
        (
            {"contents": [{"role": "user", "parts": [{"text": "a", "cache_control": {}}]}]},
            "Unknown name \"cache_control\" at 'contents[0].parts[0]': Cannot find field.",
            "contents[0].parts[0]",
        ),
        (
            parameters({"type": "object", "properties": {"a": {"type": "string"}, "b": {"const": 1}}}),
            "Unknown name \"const\" at 'tools[0].function_declarations[0].parameters.properties[1].value':"
            " Cannot find field.",
            "tools[0].function_declarations[0].parameters.properties[1].value",
        ),
        (
            parameters({"type": "object", "properties": {"a": {"type": ["string", "null"]}}}),
            "Unknown name \"type\" at 'tools[0].function_declarations[0].parameters.properties[0].value':"
            " Proto field is not repeating, cannot start list.",
            "tools[0].function_declarations[0].parameters.properties[0].value",
        ),
    ],
)
def test_unknown_names(body: Json, message: str, field: str | None) -> None:
    """An unknown name is refused at any depth, in the vendor's words, with the violation in the details."""
    with pytest.raises(Denied) as refusal:
        reading(body)
    text = f"Invalid JSON payload received. {message}"
    assert refusal.value.message == text
    violation = {"description": text} if field is None else {"field": field, "description": text}
    details = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}
    assert refusal.value.details == (details,)


def test_all_that_is_wrong_comes_at_once() -> None:
    """One answer lists every violation, a line each."""
    with pytest.raises(Denied) as refusal:
        reading(parameters({"$schema": "x", "type": "object", "additionalProperties": False}))
    assert refusal.value.message.splitlines() == [
        "Invalid JSON payload received. Unknown name \"$schema\" at 'tools[0].function_declarations[0].parameters':"
        " Cannot find field.",
        'Invalid JSON payload received. Unknown name "additionalProperties" at'
        " 'tools[0].function_declarations[0].parameters': Cannot find field.",
    ]
    assert len(refusal.value.details[0]["fieldViolations"]) == 2


@pytest.mark.parametrize(
    "body, message",
    [
        ([], "Root element must be a message."),
        ({"contents": "hi"}, "'contents[0]' (type.googleapis.com/google.ai.generativelanguage.v1beta.Content), \"hi\""),
        ({**HI, "systemInstruction": "a"}, "'system_instruction' (type.googleapis.com/google.ai.generativelanguage"),
        ({**HI, "cachedContent": 5}, "Invalid value at 'cached_content' (TYPE_STRING), 5"),
        ({**HI, "store": "yes"}, "Invalid value at 'store' (TYPE_BOOL), \"yes\""),
        ({**HI, "generationConfig": {"seed": True}}, "Invalid value at 'generation_config.seed' (TYPE_INT32), true"),
        (
            {**HI, "generationConfig": {"seed": {}}},
            "Unknown name \"seed\" at 'generation_config': Proto field is not a",
        ),
        (
            parameters({"type": "objekt"}),
            "parameters.type' (type.googleapis.com/google.ai.generativelanguage.v1beta.Type)",
        ),
        (parameters({"type": "STRING", "enum": [1]}), "parameters.enum[0]' (TYPE_STRING), 1"),
        (parameters({"type": "OBJECT", "properties": []}), "parameters.properties' (Map), []"),
        (parameters({"type": "OBJECT", "properties": 1}), "parameters.properties' (Map), 1"),
    ],
)
def test_values_that_do_not_fit(body: Any, message: str) -> None:
    """A value of another type is named with its place and the type that was expected."""
    with pytest.raises(Denied) as refusal:
        reading(body)
    assert message in refusal.value.message


def test_packages() -> None:
    """A project's door names its types otherwise, and knows members that the other does not."""
    with pytest.raises(Denied, match=r"type.googleapis.com/google.cloud.aiplatform.v1beta1.Content"):
        reading({"contents": ["a"]}, VERTEX_PACKAGE)
    assert reading({**HI, "labels": {"a": "b"}}, VERTEX_PACKAGE)["labels"] == {"a": "b"}


def test_base64() -> None:
    """Both alphabets, padded or not."""
    assert decoded("-_-_") == decoded("+/+/") == b"\xfb\xff\xbf"
    assert decoded("YQ") == decoded("YQ==") == b"a"
    assert decoded("a#") is None
    assert decoded("§") is None


# What the SDK has for its own ends, or for calls that are none of this fake's.
NOT_SENT = {
    "Part": {
        "audioTranscription",
        "mediaProcessing",
        "speechMetadata",
        "documentMetadata",
        "spreadsheetMetadata",
        "audioMetadata",
    },
    "FunctionResponsePart": {
        "mediaProcessing",
        "mediaResolution",
        "videoMetadata",
        "documentMetadata",
        "spreadsheetMetadata",
        "audioMetadata",
    },
    "FunctionCall": {"partialArgs", "willContinue"},
    "VideoMetadata": {"contentLayers"},
    "Tool": {"parallelAiSearch", "exaAiSearch"},
    "Schema": {"additionalProperties", "defs", "ref"},
    "GenerationConfig": {
        "enableAffectiveDialog",
        "responseFormat",
        "translationConfig",
        "audioTranscriptionConfig",
    },
}


@pytest.mark.parametrize(
    "message",
    "Content Part Blob FileData FunctionCall FunctionResponse FunctionResponsePart ExecutableCode CodeExecutionResult"
    " VideoMetadata Tool FunctionDeclaration GoogleSearch ToolConfig FunctionCallingConfig SafetySetting Schema"
    " GenerationConfig ThinkingConfig".split(),
)
def test_members_are_those_of_the_sdk(message: str) -> None:
    """The fake knows every member that the vendor's SDK can send, so that it refuses none that is real."""
    model = getattr(types, message)
    known = {snake(name) for name in fields(message, True)}
    sent = {name for name, member in model.model_fields.items()}
    left = {snake(name) for name in NOT_SENT.get(message, ())}
    assert sent - known == left


@pytest.mark.parametrize("name, cls", [("Type", types.Type), ("Mode", types.FunctionCallingConfigMode)])
def test_enums_are_those_of_the_sdk(name: str, cls: Any) -> None:
    """So are the names of enums."""
    assert {member.name for member in cls} == set(ENUMS[name])
    assert {member.name for member in types.ThinkingLevel} == set(ENUMS["ThinkingLevel"])


def test_every_data_member_is_one_of_a_part() -> None:
    """What a part may hold one of are members of a part."""
    assert set(DATA) <= set(fields("Part", False))
