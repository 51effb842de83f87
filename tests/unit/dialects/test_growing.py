"""Bodies that grow are taken apart as if each had come first."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from strowger.dialects import growing
from strowger.dialects.growing import Cut, Growing

_LONG = "x" * 9000


def dumps(value: object) -> bytes:
    """As clients write it, without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def spaced(value: object) -> bytes:
    """As Python writes it."""
    return json.dumps(value).encode()


def _plainly(body: bytes) -> Cut | None:
    """The same by a look at the whole body."""
    try:
        body.decode()
        outer, members = None, msgspec.json.decode(body, type=dict[str, Raw])
        if "messages" not in members:
            outer, members = members, msgspec.json.decode(members.pop("request"), type=dict[str, Raw])
        items = msgspec.json.decode(members.pop("messages"), type=list[Raw])
    except (KeyError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return Cut(tuple(bytes(item) for item in items), members, outer)


def _written(members: Mapping[str, Raw] | None) -> list[tuple[str, bytes]] | None:
    return None if members is None else [(key, bytes(raw)) for key, raw in members.items()]


def _check(cut: Cut | None, body: bytes, *, usual: bool = False) -> None:
    """That it is right, if there is one, as there is for what is `usual`."""
    plain = _plainly(body)
    assert cut is not None or not usual
    if cut is not None:
        assert plain is not None
        assert cut.items == plain.items
        assert _written(cut.members) == _written(plain.members)
        assert _written(cut.outer) == _written(plain.outer)


def _body(*messages: object, system: str = _LONG) -> dict[str, object]:
    return {"model": "m", "messages": list(messages), "system": system, "stream": True}


@pytest.mark.parametrize("written", [dumps, spaced])
@pytest.mark.parametrize("within", [False, True])
def test_each_turn_is_taken_apart_as_if_it_had_come_first(written: Callable[[object], bytes], within: bool) -> None:
    """A conversation that grows, loses a mark, is cut short, or is another one gives what a look at all of it gives;
    in an envelope too.
    """
    grows = Growing("messages", "request")
    turns: list[dict[str, object]] = []
    said: list[object] = []
    for number in range(12):
        said = [*said[:-1], *([{"n": number - 1}] if said else []), {"n": number, "mark": True}]
        turns.append(_body(*said))
    turns += [_body(*said[:3]), _body(), _body({"other": 1}), _body(*said, system="y" * 9000), _body(*said[1:])]
    for turn in (*turns, *turns):
        body = written({"model": "m", "request": turn, "id": 1} if within else turn)
        _check(grows.cut(body), body, usual=True)
    assert len(grows.memory) <= 16


def test_what_did_not_change_is_not_read_again() -> None:
    """Of a turn that only adds to the one before, the elements and members of that one are the same objects."""
    grows = Growing("messages")
    first = grows.cut(dumps(_body({"a": 1}, {"b": "long" * 20})))
    second = grows.cut(dumps(_body({"a": 1}, {"b": "long" * 20}, {"c": 3})))
    assert first is not None
    assert second is not None
    assert second.items[1] is first.items[1]
    assert second.members is first.members
    body = dumps(_body({"a": 1}))
    assert grows.cut(body) is grows.cut(body)


@pytest.mark.parametrize(
    "changed",
    [
        b'{"b":2}],"system":"z","messages":[{"c":3}',  # a list that ends, and begins again
        b'{"b":2}],"messages":[{"c":3}',
        b'{"b":2},',
        b',{"b":2}',
        b'{"b":2}]',
        b'{"b":2}}',
        b'{"b":2} , {"c":3}',
        b'{"b":"\xff"}',
        b'{"b":2}"',
        b"",
    ],
)
def test_what_stands_between_is_read_for_what_it_is(changed: bytes) -> None:
    """Whatever comes in the place of the last elements, the answer is that of a look at the whole body."""
    grows = Growing("messages")
    body = dumps(_body({"a": 1}, {"b": 1}))
    grows.cut(body)
    other = body.replace(b'{"b":1}', changed)
    for _ in range(2):
        _check(grows.cut(other), other)
        _check(grows.cut(body), body)


@pytest.mark.parametrize(
    "head",
    [
        b'{"messages":[{"a":1}],"messages":[{"a":1},{"b":1}],"system":"',
        b'{"model":1,"model":2,"messages":[{"a":1},{"b":1}],"system":"',
        b'{ "model": 1, "messages": [{"a":1}, {"b":1}], "system": "',
        b'{"model": 1,"messages": [{"a":1}, {"b":1}], "system": "',
        b'{"model": 1, "messages": [{"a":1},{"b":1}], "system": "',
        b'{"model": 1, "messages": [ {"a":1}, {"b":1}], "system": "',
        b'{"model": 1, "messages": [{"a":1}, {"b":1} ], "system": "',
        b'{"model":1,"request":{"messages":[{"b":1}]},"request":{"messages":[{"b":1}]},"system":"',
        b'{"model":1,"request":{"messages":[{"b":1}],"messages":[{"b":1}]},"system":"',
        b'{"model":1,"request":{"messages":[{"b":1}] },"system":"',
        b'{"model":1,"request":{"contents":[{"b":1}]},"system":"',
        b'{"model":1,"request":[{"b":1}],"system":"',
        b'{"mod\\u0065l":1,"messages":[{"a":1},{"b":1}],"system":"',
        b'{"messages":{"b":1},"system":"',
        b'[{"messages":[{"b":1}],"system":"',
    ],
)
def test_written_otherwise(head: bytes) -> None:
    """Members given twice, other spaces, escapes in names, and what is no such object is left to the caller."""
    grows = Growing("messages", "request")
    body = head + _LONG.encode() + b'"}'
    for each in (body, body.replace(b'{"b":1}', b'{"b":2},{"c":3}'), body):
        assert grows.cut(each) is None


_SAID = st.recursive(
    st.one_of(st.none(), st.integers(0, 99), st.sampled_from(["", "a", '"', "]", "},{", "ä", "messages"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["messages", "b"]), inner, max_size=2),
    max_leaves=5,
)


@given(st.lists(st.lists(_SAID, max_size=5), min_size=1, max_size=5), st.integers(0, 40), st.binary(max_size=3))
def test_any_bodies(turns: list[list[object]], at: int, noise: bytes) -> None:
    """Any turns in any order, whole or with bytes changed, give what a look at all of each gives."""
    grows = Growing("messages", "request", kept=3)
    for number, said in enumerate(turns):
        body = (spaced if number % 2 else dumps)({"request": _body(*said)} if len(said) % 2 else _body(*said))
        for each in (body, body[: 13 + at] + noise + body[13 + at :], body[: 13 + at] + body[14 + at :]):
            _check(grows.cut(each), each)


def test_memory_is_bounded() -> None:
    """Few bodies are remembered, of a bounded size together; short and very long ones are not."""
    grows = Growing("messages", kept=4, room=30_000)
    for number in range(9):
        grows.cut(dumps(_body({"n": number}, system=str(number) * 9000)))
    assert len(grows.memory) == 3
    assert grows.memory.held == sum(len(known.body) for known in grows.memory.latest()) <= 30_000
    assert grows.cut(dumps({"messages": []})) is None
    assert grows.cut(dumps(_body(system="x" * growing._LONGEST))) is None


def test_one_that_has_become_long_is_still_remembered() -> None:
    """Only what is new and very long is not taken apart."""
    grows = Growing("messages")
    grows.cut(dumps(_body({"n": 1})))
    body = dumps(_body({"n": 1}, {"n": "x" * growing._LONGEST}))
    _check(grows.cut(body), body, usual=True)


def test_what_is_remembered_does_not_hold_the_body() -> None:
    """Members of a turn that is gone take their own room only."""
    body = dumps({"request": _body({"n": 1}), "id": 1})
    before = sys.getrefcount(body)
    cut = Growing("messages", "request").cut(body)  # which is gone, and what it remembered with it
    assert cut is not None
    assert sys.getrefcount(body) == before
