"""Messages, put together again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from strowger.flows import reading
from strowger.flows.writer import Entry, Writer
from tests.fakes.flows import begun, call


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    """A file with one call in it."""
    made = Writer(tmp_path / "flows.db", {})
    flow = call(b"x" * 2000)
    flow.id = "flow_one"
    made.write([Entry(flow, flow.tape.messages if flow.tape else [], [], True)])
    yield made
    made.close()


def test_a_condition_chooses(writer: Writer) -> None:
    """A kind, a number, or both; what is left out need not be there for the others to be read."""
    every = reading.messages_of(writer.base, "flow_one")
    assert [message.kind for message in every] == [
        "client_request", "forwarded", "upstream_response", "client_response"
    ]  # fmt: skip
    assert reading.messages_of(writer.base, "flow_one", number=0) == every
    assert reading.messages_of(writer.base, "flow_one", "client_response") == every[3:]
    assert reading.messages_of(writer.base, "flow_one", "client_response", 1) == []


def test_of_an_unknown_flow_there_are_none(writer: Writer) -> None:
    """Nor of one that went without messages."""
    flow = begun()
    writer.write([Entry(flow, [], [], False)])
    assert reading.messages_of(writer.base, flow.id) == []
    assert reading.messages_of(writer.base, "flow_none") == []


@pytest.mark.parametrize("table", ["contents", "bodies", "samples"])
def test_what_is_missing_is_told(writer: Writer, table: str) -> None:
    """As ValueError: the file contradicts itself."""
    writer.base.execute(f"DELETE FROM {table}")
    with pytest.raises(ValueError, match="has lost its"):
        reading.messages_of(writer.base, "flow_one")
