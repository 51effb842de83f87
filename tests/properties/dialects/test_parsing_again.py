"""What is remembered of earlier turns changes nothing: any request is read as if it were the first."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch

import pytest
from msgspec import Raw, Struct

from strowger.dialects import growing
from strowger.dialects.base import NOWHERE, Spot
from strowger.dialects.gemini import request
from strowger.dialects.gemini.request import CODE_ASSIST
from strowger.dialects.growing import Growing
from strowger.dialects.lately import Lately
from strowger.errors import BadRequest, GatewayError
from strowger.ir.request import Request
from tests.conformance.identity import FAITHFUL
from tests.conformance.lanes import DIALECTS, rendered
from tests.conformance.recordings import SPOKEN
from tests.properties.fuzz import mutated as broken
from tests.properties.fuzz_requests import SPOTS, mutated
from tests.properties.request_seeds import SEEDS

LISTS = {"anthropic": "messages", "openai_chat": "messages", "openai_responses": "input", "gemini": "contents"}
OLD = ("functions", "web_search_options")
"""Tools that stand beside the list of them."""
EACH = pytest.mark.parametrize("dialect", SPOKEN)
_TURNS = 30


def _refused(_data: bytes) -> object:
    raise BadRequest("not by itself")


@contextmanager
def forgetful() -> Iterator[None]:
    """Nothing is remembered, no body is taken apart, and Google's contents are read one behind the other."""
    with (
        patch.object(request, "_told_lately", _refused),
        patch.object(Growing, "cut", lambda self, body: None),
        patch.object(Lately, "__call__", lambda self, data: self._function(data)),
    ):
        yield


def written(chance: random.Random, dialect: str, body: dict[str, Any]) -> bytes:
    """A body as one client or another writes it: as Python does, in Google's envelope, with broken bytes."""
    if dialect == "gemini" and chance.randrange(3) == 0:
        body = {"model": "m", "project": "p", "request": body}
    spaced, escaped = chance.randrange(3) == 0, chance.randrange(3) == 0
    data = json.dumps(body, separators=None if spaced else (",", ":"), ensure_ascii=escaped).encode()
    return broken(chance, data, (data,)) if chance.randrange(6) == 0 else data


def conversation(chance: random.Random, dialect: str) -> Iterator[bytes]:
    """Turns that grow out of each other, and now and then differ in the middle."""
    name = LISTS[dialect]
    body = json.loads(json.dumps(SEEDS[dialect]))
    whole = json.loads(json.dumps(body[name] * 3))
    if chance.randrange(2):
        without_ids(whole)
    for turn in range(_TURNS):
        size = chance.randrange(len(whole)) if chance.randrange(4) == 0 else turn * len(whole) // _TURNS
        grown = {key: whole[:size] if key == name else value for key, value in body.items()}
        yield written(chance, dialect, grown if chance.randrange(3) else mutated(chance, grown))


def without_ids(value: object) -> None:
    """Take the ids from Google's calls and their results, as many clients of Google do."""
    for inner in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        without_ids(inner)
    if isinstance(value, dict):
        for key in ("functionCall", "functionResponse"):
            if isinstance(value.get(key), dict):
                value[key].pop("id", None)


def plain(value: object) -> object:
    """All that a request says, the order of members too, in nothing that could be shared."""
    match value:
        case Struct():
            return [type(value).__name__, *[plain(getattr(value, field)) for field in value.__struct_fields__]]
        case Raw():
            return bytes(value)
        case Mapping():
            return [(key, plain(inner)) for key, inner in value.items()]
        case tuple() | list():
            return [plain(inner) for inner in value]
        case frozenset():
            return sorted(value)
        case _:
            return value


def outcome(dialect: str, body: bytes) -> object:
    """What peek and parser make of a body: what they return, or the error that they raise."""
    client, found = DIALECTS[dialect].client, list[object]()
    for look in (client.peek, client.parse_request):
        for spot in (SPOTS.get(dialect, NOWHERE), *([Spot(form=CODE_ASSIST)] if dialect == "gemini" else [])):
            try:
                found.append(plain(look(body, spot)))
            except GatewayError as wrong:
                found.append([type(wrong), str(wrong), wrong.hint, wrong.param])
    return found


def passed_on(dialect: str, body: bytes) -> None:
    """Write a request for all, who must leave what they are given as it was."""
    with suppress(GatewayError):
        asked: Request = DIALECTS[dialect].client.parse_request(body, SPOTS.get(dialect, NOWHERE))
        for target in SPOKEN:
            with suppress(GatewayError):
                rendered(asked, target, FAITHFUL[target])


@EACH
@pytest.mark.parametrize("seed", range(4))
def test_a_turn_is_read_as_if_it_were_the_first(dialect: str, seed: int) -> None:
    """Peek, request and errors are the same with and without a memory, also when turns before were written for others:
    nothing that is remembered is changed by who gets it.
    """
    chance = random.Random(seed)
    with patch.object(growing, "_SHORTEST", 0):
        turns = list(conversation(chance, dialect))
        for body in turns:
            passed_on(dialect, body)
        found = [outcome(dialect, body) for body in turns]
    with forgetful():
        assert found == [outcome(dialect, body) for body in turns]


@EACH
def test_what_was_read_before_is_the_very_same(dialect: str) -> None:
    """Messages and tools that came in an earlier turn are the same objects again, whatever else is new: who writes
    requests knows them by that.
    """
    name, client = LISTS[dialect], DIALECTS[dialect].client
    body = {key: value for key, value in SEEDS[dialect].items() if key not in OLD}
    spot = SPOTS.get(dialect, NOWHERE)
    with patch.object(growing, "_SHORTEST", 0):
        first = client.parse_request(json.dumps({**body, name: body[name][:-1]}).encode(), spot)
        again = client.parse_request(json.dumps(body).encode(), spot)
    assert len(again.messages) > len(first.messages) > 1
    for one, other in zip(first.messages, again.messages, strict=False):
        assert other is one
    assert len(again.tools) >= len(first.tools) > 0
    for tool, same in zip(first.tools, again.tools, strict=False):  # an item that is new may bring more
        assert same is tool
