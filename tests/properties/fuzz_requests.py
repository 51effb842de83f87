"""Breaks requests at random, member by member, and looks whether anything but a clear refusal comes of it.

`python -m tests.properties.fuzz_requests [seconds] [seed]` runs for longer than a test may.
"""

from __future__ import annotations

import copy
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from strowger.dialects.base import NOWHERE, Capabilities, Spot
from strowger.errors import GatewayError
from tests.conformance.asked import GOALS
from tests.conformance.identity import FAITHFUL
from tests.conformance.lanes import DIALECTS
from tests.conformance.recordings import SPOKEN
from tests.properties.fuzz import mutated as fuzz_bytes
from tests.properties.request_seeds import SEEDS

SPOTS = {"gemini": Spot("gemini-m", stream=True)}
CAPS: dict[str, list[Capabilities]] = {
    dialect: [FAITHFUL[dialect], *(goal.caps for goal in GOALS if goal.dialect == dialect)] for dialect in SPOKEN
}
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**70, 1e308, 0.5, "", " ", "x", "é💡", "\x00", "auto", "user", "assistant", "system",
    "tool", "text", "object", "data:,", "data:image/png;base64,", [], {}, [[]], [{}], [None], ["x"], {"type": "text"},
    {"type": "text", "text": "t"}, {"type": "unheard_of", "x": [1]}, {"type": "thinking"},
    {"role": "user", "content": "u"}, {"role": "assistant", "content": []},
    {"type": "tool_use", "id": "i", "name": "n", "input": {}}, {"type": "function_call", "call_id": "c"},
    {"parts": [{"text": "t"}]}, {"functionCall": {"name": "n"}}, {"type": "input_text", "text": "t"},
)  # fmt: skip


def mutated(chance: random.Random, seed: dict[str, Any]) -> dict[str, Any]:
    """A copy in which a few members are other values, gone, doubled, or of another place."""
    body = copy.deepcopy(seed)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        places = list(_places(body))
        holder, key = chance.choice(places)
        match chance.randrange(5):
            case 0:
                del holder[key]
            case 1:
                holder[key] = copy.deepcopy(chance.choice(_VALUES))
            case 2:
                other, from_key = chance.choice(places)
                holder[key] = copy.deepcopy(other[from_key])
            case 3 if isinstance(holder, list):
                holder.insert(chance.randrange(len(holder) + 1), copy.deepcopy(chance.choice((holder[key], *_VALUES))))
            case _:
                if isinstance(holder, dict):
                    holder[chance.choice(("x_unknown", "type", "content", "name", "cache_control"))] = copy.deepcopy(
                        chance.choice(_VALUES)
                    )
    return body


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def judge(dialect: str, data: bytes) -> bool:
    """Everything that a request comes by; gives whether it was taken. Raises what breaks, AssertionError for a law."""
    client = DIALECTS[dialect].client
    try:
        client.peek(data, SPOTS.get(dialect, NOWHERE))
        request = client.parse_request(data, SPOTS.get(dialect, NOWHERE))
    except GatewayError as refusal:
        if not refusal.message:
            raise AssertionError("a refusal without a word") from refusal
        return False
    for target in SPOKEN:
        for caps in CAPS[target]:
            DIALECTS[target].upstream.passes(data, caps)
            try:
                rendered = DIALECTS[target].upstream.render_request(request, "other-model", caps)
            except GatewayError:
                continue
            sent = json.loads(rendered.body)
            assert target == "gemini" or sent["model"] == "other-model", "it asks for another model"
            assert all(loss.reason for loss in rendered.losses), "a loss without a reason"
    return True


def inputs(seed: int) -> Iterator[tuple[str, bytes]]:
    """Endless broken requests: dialect and body, one in four broken as bytes too. A pure function of the seed."""
    chance = random.Random(seed)
    while True:
        dialect = chance.choice(SPOKEN)
        data = json.dumps(mutated(chance, SEEDS[dialect]), ensure_ascii=chance.random() < 0.5).encode()
        yield dialect, fuzz_bytes(chance, data, (data,)) if chance.random() < 0.25 else data


def fuzz(seed: int, goes_on: Callable[[int], bool]) -> tuple[int, int]:
    """Judge requests while it goes on; gives how many, and how many were taken. A failure names its request."""
    taken = 0
    for number, (dialect, data) in enumerate(inputs(seed)):
        if not goes_on(number):
            return number, taken
        try:
            taken += judge(dialect, data)
        except Exception as error:
            error.add_note(f"{dialect}: {data!r}")
            raise
    raise AssertionError("inputs do not end")


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    first = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns()
    until = time.monotonic() + seconds
    judged, fine = fuzz(first, lambda _: time.monotonic() < until)
    print(f"seed {first}: {judged} requests, {fine} of them taken")
