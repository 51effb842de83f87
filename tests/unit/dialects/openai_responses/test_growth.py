"""How items grow."""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from strowger.dialects.openai_responses.growth import Growth
from strowger.ir.events import Event, TextDelta
from strowger.ir.request import ToolCall
from tests.unit.dialects.openai_responses.answering import call, decoder_setup, dumps, message

TEXT = "response.output_text.delta"


def raw(item: dict[str, Any]) -> Raw:
    """An item on the wire."""
    return Raw(dumps(item))


def test_an_item_is_found_by_its_place() -> None:
    """Until it ends; where no place is told, by its id, or as the last that is open."""
    growth, out = Growth(decoder_setup()), list[Event]()
    first = growth.added(0, raw(message(id="msg_a")), out)
    second = growth.added(1, raw(message(id="msg_b")), out)
    assert growth.find(0, "msg_b") is first
    assert growth.find(-1, "msg_a") is first
    assert growth.find(-1, "unknown") is second
    growth.done(0, raw(message("x", id="msg_a")), out)
    assert growth.find(0, None) is None
    assert growth.find(-1, "msg_a") is second


def test_only_the_rest_of_a_text_follows() -> None:
    """The whole of a text tells what its pieces left out; one that does not begin with them tells nothing."""
    growth, out = Growth(decoder_setup()), list[Event]()
    item = growth.added(0, raw(message()), out)
    slot = growth.slot(item, TEXT, 0, out)
    assert slot is not None
    growth.lineup.grow(slot, "Hel", out)
    growth.complete(slot, "Hello", out)
    growth.complete(slot, "Hello", out)
    growth.complete(slot, "Other words", out)
    assert [event.text for event in out if isinstance(event, TextDelta)] == ["Hel", "lo"]


def test_a_call_without_a_name_waits_for_its_end() -> None:
    """A client cannot run what has no name."""
    growth, out = Growth(decoder_setup()), list[Event]()
    item = growth.added(0, raw({"type": "function_call", "id": "fc_1"}), out)
    assert growth.slot(item, "response.function_call_arguments.delta", 0, out) is None
    assert (out, growth.called) == ([], False)
    growth.done(0, raw(call()), out)
    assert growth.called
    assert [e.part.name for e in out if hasattr(e, "part") and isinstance(e.part, ToolCall)] == ["ls"]


def test_an_item_that_begins_twice_is_one() -> None:
    """The same id at the same place, as long as it is open."""
    growth, out = Growth(decoder_setup()), list[Event]()
    item = growth.added(0, raw(message()), out)
    assert growth.added(0, raw(message()), out) is item
    assert growth.added(0, raw(message(id="msg_2")), out) is not item


def test_what_is_no_item_is_nothing() -> None:
    """Neither at an end nor in the last event."""
    growth, out = Growth(decoder_setup()), list[Event]()
    growth.done(0, Raw(b"5"), out)
    growth.finish(Raw(b'{"no":"list"}'), out)
    growth.finish(Raw(b"[null,3]"), out)
    assert out == []
