"""The quick reading equals the slow one, or is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strowger.dialects.envelope import MARK
from strowger.dialects.gemini import usual
from strowger.dialects.gemini.calls import Calls
from strowger.dialects.gemini.request import _unusual_content as slowly
from tests.unit.dialects.gemini.asking import Json, raw

TEXTS = st.text(max_size=4)
RESPONSES = st.one_of(
    st.dictionaries(st.sampled_from(["output", "error", "a"]), st.one_of(TEXTS, st.integers(0, 9)), max_size=2)
)
IDS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}), st.fixed_dictionaries({"id": st.sampled_from(["x", "y", ""])})
)
SIGNED: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}), st.fixed_dictionaries({"thoughtSignature": st.sampled_from(["c2ln", "", MARK.decode()])})
)
PARTS = st.builds(
    lambda data, signed, more: {**data, **signed, **more},
    st.one_of(
        st.fixed_dictionaries({"text": TEXTS}),
        st.builds(lambda i: {"functionCall": {"name": "f", "args": {"a": 1}, **i}}, IDS),
        st.builds(lambda i, r: {"functionResponse": {"name": "f", "response": r, **i}}, IDS, RESPONSES),
    ),
    SIGNED,
    st.one_of(st.just({}), st.fixed_dictionaries({"thought": st.booleans()}), st.just({"x": None})),
)
CONTENTS = st.fixed_dictionaries({"role": st.sampled_from(["user", "model"]), "parts": st.lists(PARTS, max_size=4)})


@given(CONTENTS)
def test_a_content_is_read_alike(content: Json) -> None:
    """What the quick reading accepts is what the slow one would have read."""
    found = usual.content(raw(content), Calls())
    assert found is None or found == slowly(raw(content), "contents[0]", Calls())


@pytest.mark.parametrize(
    "part",
    [
        {"text": None},
        {"text": "a", "functionCall": {"name": "f", "args": {}}},
        {"functionCall": {"name": "f", "args": None}},
        {"functionResponse": {"name": "f", "response": None}},
        {"function_call": {"name": "f", "args": {}}},
        {"inlineData": {"mimeType": "image/png", "data": ""}},
        {"text": "a", "thought": False},
        {},
    ],
)
def test_what_is_unusual_is_not_guessed_at(part: Json) -> None:
    """Nulls, other spellings, several kinds in one part: the slow reading knows what to do."""
    assert usual.content(raw({"role": "model", "parts": [part]}), Calls()) is None


def test_nothing_is_noted_of_contents_that_are_unusual() -> None:
    """The slow reading begins anew, with the same ids."""
    calls = Calls()
    parts = [{"functionCall": {"name": "f", "args": {}}}, {"new": 1}]
    assert usual.content(raw({"role": "model", "parts": parts}), calls) is None
    assert calls.call(None, "f") == "call_1_f"


def test_functions_are_read_in_one_go() -> None:
    """Name, description and a schema in either member."""
    found = usual.declarations(
        raw(
            [
                {"name": "a", "description": "", "parametersJsonSchema": {}},
                {"name": "b", "parameters": {}},
                {"name": "c"},
            ]
        )
    )
    assert found is not None
    assert [(tool.name, tool.description, tool.form) for tool in found] == [
        ("a", "", ""),
        ("b", None, "parameters"),
        ("c", None, ""),
    ]


def test_one_list_of_functions_is_all() -> None:
    """The tools of a request are the functions of its one list; what is grouped otherwise is left."""
    functions = [{"name": "a", "parametersJsonSchema": {}}, {"name": "b"}]
    offered = {"functionDeclarations": functions}
    assert usual.functions(raw([offered])) == usual.declarations(raw(functions))
    odd: Any = ([offered, offered], [{"functionDeclarations": []}], [{**offered, "googleSearch": {}}], offered, [])
    assert [usual.functions(raw(tools)) for tools in odd] == [None] * len(odd)


@pytest.mark.parametrize(
    "tool",
    [
        {"name": "a", "parameters": {"type": "OBJECT"}},
        {"name": "a", "parameters": None},
        {"name": "a", "parameters_json_schema": {}},
        {"name": "a", "parameters": {}, "parametersJsonSchema": {}},
        {"name": "a", "behavior": "BLOCKING"},
    ],
)
def test_unusual_functions_are_left(tool: Json) -> None:
    """A schema that has to be translated, and members that are kept."""
    assert usual.declarations(raw([tool])) is None
