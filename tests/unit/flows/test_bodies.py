"""How bodies are kept small."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strowger.flows.bodies import (
    DELTA,
    RAW,
    SPLICE,
    WITHIN,
    ZSTD,
    Base,
    Bases,
    Packer,
    nearest,
    unpacked,
)


def base(body: bytes, number: int = 1, depth: int = 0) -> Base:
    """A body to stand on."""
    return Base(number, body, depth, frozenset())


def noise(size: int, seed: int = 1) -> bytes:
    """What cannot be packed."""
    return random.Random(seed).randbytes(size)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_what_is_packed_comes_back(body: bytes, other: bytes) -> None:
    """Alone, and standing on a body with which it shares anything or nothing."""
    packer = Packer()
    assert unpacked(*packer.body(body)) == body
    shared = nearest(body, [base(other)])
    assert shared is not None
    assert unpacked(*packer.delta(body, shared), other) == body


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60))
def test_all_that_is_shared_is_found(head: bytes, one: bytes, other: bytes, tail: bytes) -> None:
    """Beginning and end are as long as they can be, and never count a byte twice."""
    body, known = head + one + tail, head + other + tail
    shared = nearest(body, [base(known)])
    assert shared is not None
    assert shared.is_all(body) == (body == known)
    assert len(head) + len(tail) <= shared.head + shared.tail <= min(len(body), len(known))
    assert body[: shared.head] == known[: shared.head]
    assert not shared.tail or body[-shared.tail :] == known[-shared.tail :]


def test_a_conversation_that_grows_in_the_midst_costs_what_is_new() -> None:
    """Clients put tools and settings behind the messages."""
    front, back, new = noise(20_000, 1), noise(20_000, 2), noise(500, 3)
    shared = nearest(front + new + back, [base(front + back)])
    assert shared is not None
    form, content = Packer().delta(front + new + back, shared)
    assert form == DELTA
    assert len(content) < 600


def test_a_word_is_not_packed() -> None:
    """It would not get smaller."""
    front, back = noise(2000, 1), noise(2000, 2)
    shared = nearest(front + b"big" + back, [base(front + b"opus" + back)])
    assert shared is not None
    form, content = Packer().delta(front + b"big" + back, shared)
    assert form == SPLICE
    assert len(content) == 8 + 3
    assert unpacked(form, content, front + b"opus" + back) == front + b"big" + back


def test_the_most_alike_is_stood_upon() -> None:
    """Several conversations may go by one name."""
    body = noise(1000)
    shared = nearest(body, [base(noise(1000, 2), 1), base(body[:900] + noise(9), 2), base(body[:600], 3)])
    assert shared is not None
    assert shared.base.id == 2


def test_nearly_alike_is_alike_enough() -> None:
    """Who shares all but a word with the last turn is not compared with those before it."""
    body = noise(1000)
    shared = nearest(body, [base(body[:990] + noise(10, 2), 1), base(body[:999] + b"x", 2)])
    assert shared is not None
    assert shared.base.id == 1


def test_what_is_not_alike_stands_alone() -> None:
    """Else a body would keep another alive for nothing."""
    body = noise(3000)
    shared = nearest(body, [base(body[:1200] + noise(1800, 2))])
    assert shared is not None
    assert Packer().on(body, shared, try_hard=True) is None


def test_the_same_in_another_order_is_found_by_trying() -> None:
    """A conversation whose beginning and end change; where it is no conversation, nobody tries."""
    first, second = noise(5000, 1), noise(5000, 2)
    known = b"<" + first + b"-" + second + b">"
    body = b"[" + second + b"+" + first + b"]"
    shared = nearest(body, [base(known)])
    assert shared is not None
    assert Packer().on(body, shared, try_hard=False) is None
    packed = Packer().on(body, shared, try_hard=True)
    assert packed is not None
    assert packed[0] == WITHIN
    assert len(packed[1]) < 100
    assert unpacked(*packed, known) == body


def test_forms() -> None:
    """What packing would make larger stays as it is."""
    packer = Packer()
    assert packer.body(noise(100))[0] == RAW
    assert packer.body(b"a" * 100)[0] == ZSTD


def test_broken_bodies_are_told() -> None:
    """Whatever stands in the file, nothing but ValueError is raised."""
    for form in (ZSTD, DELTA, WITHIN):
        for content in (b"", b"nothing", b"\0" * 40):
            with pytest.raises(ValueError, match="broken"):
                unpacked(form, content)


def test_bases_are_bounded() -> None:
    """By bytes, by how many there are of one conversation, and what was not used for long goes first."""
    bases = Bases(1000)
    for number in range(5):
        bases.remember(("a",), base(bytes(100), number))
    assert [each.id for each in bases.of(("a",))] == [4, 3, 2]
    for number in range(10, 18):
        bases.of(("a",))
        bases.remember((str(number),), base(bytes(100), number))
    assert bases.of(("a",))
    assert not bases.of(("10",))
    bases.remember(("large",), base(bytes(900), 99))
    assert not bases.of(("large",))


def test_a_base_that_is_gone_is_forgotten() -> None:
    """Retention deletes what nobody needs."""
    bases = Bases(1000)
    gone, kept = base(b"a", 1), base(b"b", 2)
    bases.remember(("a",), gone)
    bases.remember(("a",), kept)
    bases.forget(gone)
    assert bases.of(("a",)) == [kept]


def test_bases_of_conversations_that_have_ended_go() -> None:
    """What was used a moment ago stays."""
    now = 0.0
    bases = Bases(1000, lambda: now)
    bases.remember(("a",), base(b"a", 1))
    bases.remember(("b",), base(b"b", 2))
    now = 10.0
    bases.of(("a",))
    bases.expire(5.0)
    assert bases.of(("a",))
    assert not bases.of(("b",))
    now = 20.0
    bases.expire(5.0)
    assert not bases.of(("a",))
