"""The tables of FakeResponses hold what the vendor's own SDK can send."""

from __future__ import annotations

from typing import Any, get_args, get_origin, get_type_hints

import pytest
from openai.types.responses import (
    input_token_count_params,
    response_compact_params,
    response_create_params,
    response_includable,
    response_input_item_param,
    responses_client_event_param,
    tool_param,
)

from tests.fakes import responses_tables as tables


def typed(union: Any) -> dict[str, set[str]]:
    """The kinds of a union of the SDK's typed dictionaries: type to its members."""
    found: dict[str, set[str]] = {}
    for kind in get_args(union):
        names = get_args(get_type_hints(kind)["type"])
        for name in (member for one in names for member in (get_args(one) or (one,)) if isinstance(member, str)):
            found[name] = found.get(name, set()) | set(kind.__annotations__)
    return found


@pytest.mark.parametrize(
    "union, table",
    [(response_input_item_param.ResponseInputItemParam, tables.ITEMS), (tool_param.ToolParam, tables.TOOLS)],
    ids=["items", "tools"],
)
def test_kinds_are_those_of_the_sdk(union: Any, table: dict[str, tables.Kind]) -> None:
    """The fake knows every kind of item and tool that the vendor's SDK can send, with every member."""
    assert get_origin(union) is not None
    sdk = typed(union)
    assert set(sdk) - set(table) == set()
    unknown = {name: members - table[name].members for name, members in sdk.items()}
    assert {name: members for name, members in unknown.items() if members} == {}


def test_members_are_those_of_the_sdk() -> None:
    """The fake knows every member of a request that the vendor's SDK can send, so that it refuses none that is real."""
    sdk = set(response_create_params.ResponseCreateParamsBase.__annotations__) | {"stream"}
    assert sdk == tables.MEMBERS - tables.UNDOCUMENTED
    frame = set(responses_client_event_param.ResponseCreate.__annotations__)
    assert frame - tables.MEMBERS - tables.FRAME_MEMBERS == set()
    assert set(input_token_count_params.InputTokenCountParams.__annotations__) == tables.COUNT_MEMBERS
    assert set(response_compact_params.ResponseCompactParams.__annotations__) - tables.COMPACT_MEMBERS == set()
    assert set(get_args(response_includable.ResponseIncludable)) == set(tables.INCLUDES)
