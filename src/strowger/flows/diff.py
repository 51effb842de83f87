"""What differs: between the requests of calls that follow each other, and between what a client sent and what was
forwarded. Pure: bytes in, lines out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Literal

from msgspec import Struct

from strowger.flows.pretty import lines_of
from strowger.flows.tape import Headers, Message

_CONTEXT = 3
_PATIENCE = 1_000_000_000
"""Pairs of lines beyond which a stretch is shown as replaced as a whole: to align it would take minutes."""

Likeness = Literal["identical", "equal", "different"]
"""Byte for byte; the same JSON in another order or with other blanks; neither."""

_Step = tuple[str, int, int, int, int]


class Comparison(Struct, frozen=True):
    """A client's request beside the one that was forwarded for it. `headers` are lines with `- ` and `+ `."""

    line: tuple[str, str]
    headers: tuple[str, ...]
    likeness: Likeness
    body: tuple[str, ...]


def windows(names: Sequence[str], bodies: Iterable[bytes]) -> Iterator[tuple[str, str, list[str]]]:
    """Each flow against the one before it: the two names, and the lines of their difference, none when there is none.

    The flows come oldest first; bodies are taken one after the other, so that only two are held.
    """
    for (before, one), (after, other) in pairwise(zip(names, bodies, strict=True)):
        same = one == other
        yield before, after, [] if same else unified(lines_of(one), lines_of(other), f"flow:{before}", f"flow:{after}")


def compare(client: Message, forwarded: Message) -> Comparison:
    """What a request was made of."""
    one, other = client.body, forwarded.body
    if one == other:
        likeness: Likeness = "identical"
        body: list[str] = []
    else:
        body = unified(lines_of(one), lines_of(other), "client", "forwarded")
        likeness = "different" if body else "equal"
    return Comparison(
        (client.line, forwarded.line),
        tuple(header_changes(client.headers, forwarded.headers)),
        likeness,
        tuple(body),
    )


def header_changes(before: Headers, after: Headers) -> Iterator[str]:
    """Headers that went, came or changed, by name. The order and the case of names say nothing."""
    one, other = _by_name(before), _by_name(after)
    for name in sorted(one.keys() | other.keys()):
        if one.get(name) != other.get(name):
            yield from (f"- {name}: {value}" for value in one.get(name, ()))
            yield from (f"+ {name}: {value}" for value in other.get(name, ()))


def _by_name(headers: Headers) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).append(value)
    return found


def unified(before: Sequence[str], after: Sequence[str], one: str, other: str, context: int = _CONTEXT) -> list[str]:
    """A unified diff, headed `--- one` and `+++ other`; nothing when there is no difference."""
    if list(before) == list(after):
        return []
    lines = [f"--- {one}", f"+++ {other}"]
    for group in _groups(_steps(before, after), context):
        _, first, _, second, _ = group[0]
        _, _, last, _, end = group[-1]
        lines.append(f"@@ -{_range(first, last)} +{_range(second, end)} @@")
        for tag, low, high, new_low, new_high in group:
            if tag == "equal":
                lines += [f" {line}" for line in before[low:high]]
                continue
            lines += [f"-{line}" for line in before[low:high]]
            lines += [f"+{line}" for line in after[new_low:new_high]]
    return lines


def _range(begin: int, end: int) -> str:
    length = end - begin
    if length == 1:
        return str(begin + 1)
    return f"{begin + 1 if length else begin},{length}"


def _steps(before: Sequence[str], after: Sequence[str]) -> list[_Step]:
    """How one becomes the other. What they share at both ends is not looked at twice: calls of one session share
    nearly everything.
    """
    shortest = min(len(before), len(after))
    head = next((at for at in range(shortest) if before[at] != after[at]), shortest)
    most = shortest - head
    tail = next((at for at in range(most) if before[-1 - at] != after[-1 - at]), most)
    one, other = before[head : len(before) - tail], after[head : len(after) - tail]
    if len(one) * len(other) > _PATIENCE:
        middle: list[_Step] = [("replace", 0, len(one), 0, len(other))]
    else:
        middle = list(SequenceMatcher(None, one, other).get_opcodes())
    steps: list[_Step] = [("equal", 0, head, 0, head)] if head else []
    steps += [(tag, low + head, high + head, new + head, end + head) for tag, low, high, new, end in middle]
    if tail:
        steps.append(("equal", len(before) - tail, len(before), len(after) - tail, len(after)))
    return steps


def _groups(steps: list[_Step], context: int) -> Iterator[list[_Step]]:
    """Changes that are near each other, with some lines around them."""
    group: list[_Step] = []
    for number, (tag, low, high, new, end) in enumerate(steps):
        if tag != "equal":
            group.append((tag, low, high, new, end))
            continue
        before = context if group else 0
        after = context if number < len(steps) - 1 else 0
        if group and high - low <= before + after and after:
            group.append((tag, low, high, new, end))
            continue
        if group:
            keep = min(before, high - low)
            yield [*group, (tag, low, low + keep, new, new + keep)]
        keep = min(after, high - low)
        group = [(tag, high - keep, high, end - keep, end)]
    if any(tag != "equal" for tag, *_ in group):
        yield group
