"""docs/reference/errors.md says what the dialects do."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from strowger.dialects.base import Dialect
from strowger.errors import ErrorKind, GatewayError
from strowger.gateway.app import DIALECTS
from tests.house import tree

ROW = re.compile(
    r"^\| `(\w+)` \| (\d+) `(\w+)` \| (\d+) `(\w+)`(?: `(\w+)`)?"
    r" \| (\d+) `(\w+)`(?: `(\w+)`)? \| (\d+) `(\w+)` \|$",
    re.MULTILINE,
)
ROWS = {found[1]: found for found in ROW.finditer(tree.text("docs/reference/errors.md"))}


def answer(dialect: Dialect, kind: ErrorKind) -> tuple[int, dict[str, Any]]:
    reply = dialect.client.render_error(GatewayError("something", kind=kind))
    error: dict[str, Any] = msgspec.json.decode(reply.body)["error"]
    return reply.status, error


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_each_kind_is_written_as_the_page_says(kind: ErrorKind) -> None:
    """Every kind has its row, and the row is true."""
    row = ROWS[kind.value]
    status, error = answer(DIALECTS["anthropic"], kind)
    assert (str(status), error["type"]) == (row[2], row[3])
    status, error = answer(DIALECTS["openai_chat"], kind)
    assert (str(status), error["type"], error["code"]) == (row[4], row[5], row[6])
    status, error = answer(DIALECTS["openai_responses"], kind)
    assert (str(status), error["type"], error["code"]) == (row[7], row[8], row[9])
    status, error = answer(DIALECTS["gemini"], kind)
    assert (str(status), error["status"], str(error["code"])) == (row[10], row[11], row[10])
