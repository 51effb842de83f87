"""Results that are remembered for the last few inputs."""

from __future__ import annotations

import threading

import pytest
from msgspec import Raw

from strowger.dialects.lately import Elements, Lately, Memory, Same
from strowger.errors import BadRequest


def counted(kept: int = 2, longest: int = 200) -> tuple[Lately[bytes], list[bytes]]:
    """A function that gives its input back, and the inputs that it was really called with."""
    called: list[bytes] = []

    def function(data: bytes) -> bytes:
        called.append(data)
        return data.upper()

    return Lately(function, kept=kept, longest=longest), called


def test_the_same_input_is_worked_on_once() -> None:
    """Whichever object it is."""
    lately, called = counted()
    assert [lately(b"abc"), lately(bytes(bytearray(b"abc")))] == [b"ABC", b"ABC"]
    assert called == [b"abc"]


def test_inputs_are_told_apart_by_every_byte() -> None:
    """Those of one length and one end are still others."""
    lately, called = counted()
    first, second = b"a" + b"x" * 100, b"b" + b"x" * 100
    assert [lately(first), lately(second), lately(first)] == [first.upper(), second.upper(), first.upper()]
    assert called == [first, second, first]


def test_only_a_few_are_kept() -> None:
    """The oldest goes, and what is large is not kept at all."""
    lately, called = counted()
    for data in (b"1", b"2", b"3", b"3", b"2", b"1"):
        lately(data)
    assert called == [b"1", b"2", b"3", b"1"]
    lately(b"z" * 201)
    lately(b"z" * 201)
    assert called[-2:] == [b"z" * 201] * 2


def test_all_together_have_bounded_room() -> None:
    """The oldest go when there is no room left, and one that goes for another of its length takes none."""
    called: list[bytes] = []
    lately = Lately(called.append, kept=100, longest=80, room=200)
    alike = [bytes([first]) + b"x" * 79 for first in b"abc"]
    for data in (b"y" * 70, *alike, b"y" * 70):
        lately(data)
    assert called == [b"y" * 70, *alike]
    for data in (b"z" * 60, b"y" * 70, alike[2]):
        lately(data)
    assert called[4:] == [b"z" * 60, b"y" * 70, alike[2]]


def test_elements_are_read_once_and_errors_name_them() -> None:
    """What is remembered has no place in a list; what is wrong is read again, and told by its place."""
    read: list[str] = []

    def take(element: Raw, path: str) -> str:
        read.append(path)
        if bytes(element) == b"0":
            raise BadRequest(f"{path}: not this", param=path)
        return bytes(element).decode()

    elements = Elements(take)
    first = elements([b"1", Raw(b"2")], "list")
    second = elements([b"2", b"1", b"3"], "list")
    assert (first, second) == (("1", "2"), ("2", "1", "3"))
    assert second[0] is first[1]
    assert len(read) == 3
    for _ in range(2):
        with pytest.raises(BadRequest) as told:
            elements([b"1", b"0"], "list")
        assert told.value.message == "list[1]: not this"


def test_the_same_object_is_worked_on_once() -> None:
    """What is remembered is of the object itself: an equal one is another, and what is gone is worked on again."""
    called: list[list[int]] = []

    def function(thing: list[int]) -> list[int]:
        called.append(thing)
        return list(thing)

    same = Same(function, kept=2)
    first, equal = [1], [1]
    assert same(first) is same(first)
    assert same(equal) is not same(first)
    assert called == [first, equal]
    same([2])
    assert same(first) == [1]
    assert len(called) == 4


def test_a_memory_holds_no_more_than_it_may() -> None:
    """Neither in number nor in bytes; what takes the place of another does not count twice."""
    memory: Memory[str, int] = Memory(kept=3, room=100)
    for key, size in (("a", 10), ("b", 10), ("c", 10), ("d", 10)):
        memory.keep(key, size, size)
    assert [memory.get(key) for key in "abcd"] == [None, 10, 10, 10]
    memory.keep("b", 80, 80)
    assert (memory.held, memory.latest()) == (100, [80, 10, 10])
    memory.keep("e", 101, 101)
    assert (memory.held, len(memory)) == (0, 0)
    memory.keep("f", 5, 5)
    memory.drop("f")
    memory.drop("f")
    assert (memory.held, len(memory)) == (0, 0)


def test_threads_may_remember_at_once() -> None:
    """What is counted is what is held, however they took turns."""
    memory: Memory[int, int] = Memory(kept=8, room=1_000_000)
    wrong: list[int] = []

    def remember(begin: int) -> None:
        for number in range(begin, begin + 2000):
            memory.keep(number % 50, number, number)
            if (known := memory.get(number % 50)) is not None and known % 50 != number % 50:
                wrong.append(known)
            memory.latest()

    threads = [threading.Thread(target=remember, args=(begin,)) for begin in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert memory.held == sum(memory.latest())
    assert len(memory) == 8
