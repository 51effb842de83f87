"""What differs between requests."""

from __future__ import annotations

import difflib
import json

from hypothesis import given
from hypothesis import strategies as st

from strowger.flows.diff import compare, unified, windows
from strowger.flows.tape import Message

texts = st.lists(st.sampled_from("abcdefg"), max_size=30)


@given(texts, texts, st.integers(1, 4))
def test_a_diff_can_be_applied(before: list[str], after: list[str], context: int) -> None:
    """It says everything: with it the one becomes the other, and its numbers are right. Context is as short as that of
    the standard library's.
    """
    lines = unified(before, after, "a", "b", context)
    assert bool(lines) is (before != after)
    assert _applied(before, lines) == after
    usual = list(difflib.unified_diff(before, after, n=context, lineterm=""))
    assert sum(line.startswith(" ") for line in lines) <= sum(line.startswith(" ") for line in usual) + 4 * context


def _applied(before: list[str], lines: list[str]) -> list[str]:
    made: list[str] = []
    at = 0
    for line in lines[2:]:
        if line.startswith("@@"):
            begin, _, length = line.split()[1][1:].partition(",")
            start = int(begin) - (length != "0")
            made += before[at:start]
            at = start
            new, _, length = line.split()[2][1:].partition(",")
            assert len(made) == int(new) - (length != "0")
        elif line.startswith("+"):
            made.append(line[1:])
        else:
            assert before[at] == line[1:]
            at += 1
            made += [line[1:]] if line.startswith(" ") else []
    return made + before[at:]


def test_flows_are_held_against_the_one_before() -> None:
    """Two headers each, JSON as readable lines; nothing for two that are the same."""
    bodies = [json.dumps({"model": model, "messages": ["hi"]}).encode() for model in ("a", "b", "b")]
    first, second = windows(["f1", "f2", "f3"], bodies)
    assert first == (
        "f1",
        "f2",
        [
            "--- flow:f1",
            "+++ flow:f2",
            "@@ -2,5 +2,5 @@",
            '   "messages": [',
            '     "hi"',
            "   ]",
            '-  "model": "a"',
            '+  "model": "b"',
            " }",
        ],
    )
    assert second == ("f2", "f3", [])


def test_long_sessions_are_compared_quickly_in_the_middle_only() -> None:
    """What both share at their ends is skipped; a stretch that cannot be aligned in reasonable time is replaced."""
    shared = [f"line {number}" for number in range(50_000)]
    lines = unified([*shared, "old", *shared], [*shared, "new", *shared], "a", "b")
    assert lines[3:6] == [" line 49997", " line 49998", " line 49999"]
    assert [line for line in lines if line[0] in "-+"][2:] == ["-old", "+new"]
    one, other = ([f"{name} {number}" for number in range(17_000)] for name in ("a", "b"))
    replaced = unified([*one, "same", *one], [*other, "same", *other], "a", "b")
    assert "-same" in replaced
    assert "-same" not in unified([*one[:99], "same", *one[:99]], [*other[:99], "same", *other[:99]], "a", "b")


def request(line: str, body: bytes, *headers: tuple[str, str]) -> Message:
    return Message("client_request", 0, line, headers, [body], [0.0], len(body))


def test_a_request_is_held_against_what_was_forwarded() -> None:
    """The line, the headers by name, and the bodies: identical, equal but for the order, or different."""
    client = request("POST /v1/messages", b'{"a":1,"b":2}', ("X-A", "1"), ("Same", "s"), ("Gone", "g"))
    sent = request("POST https://h/v1/messages", b'{"a":1,"b":2}', ("x-a", "2"), ("same", "s"))
    found = compare(client, sent)
    assert found.line == ("POST /v1/messages", "POST https://h/v1/messages")
    assert found.headers == ("- gone: g", "- x-a: 1", "+ x-a: 2")
    assert (found.likeness, found.body) == ("identical", ())
    assert compare(client, request("x", b'{"b":2, "a":1}')).likeness == "equal"
    different = compare(client, request("x", b'{"b":3}'))
    assert different.likeness == "different"
    assert different.body[:2] == ("--- client", "+++ forwarded")
