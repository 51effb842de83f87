"""Parse and render within one dialect: inverse on every recording, and on each with members that nobody knows."""

from __future__ import annotations

import importlib
import json
import re
from typing import Any

from msgspec.structs import replace

from strowger.dialects.base import Capabilities
from strowger.errors import GatewayError
from strowger.ir.response import IncompleteError, fold
from tests.conformance import lanes
from tests.conformance.naive import recorded
from tests.conformance.outcome import Outcome
from tests.conformance.recordings import SPOKEN, Asked, answers, requests

FAITHFUL: dict[str, Capabilities] = {
    dialect: importlib.import_module(f"strowger.dialects.{dialect}").FAITHFUL for dialect in SPOKEN
}
"""An upstream that takes whatever its dialect can say."""
_MADE_UP = re.compile(r"^\.id is added|\.tool_calls\[\d+\]\.id: ''")
"""Ids are made up where the vendor gave none: clients cannot do without."""
UNKNOWN = {"x_unknown": {"of": ["nobody", 1, None, 2.5]}, "x_null": None}


def asked(dialect: str) -> Outcome:
    """Every recorded request that its vendor accepted; then again with unknown members and nulls in every object."""
    outcome = Outcome()
    found = requests(dialect)
    for case in found.cases:
        if not case.answered and parses(dialect, case) is not None:
            outcome.excluded["the vendor refused the request, and so do we"] += 1
            continue
        outcome.count("recordings")
        value = json.loads(case.body)
        outcome.check("equal as JSON", case.name, _again(dialect, case, value))
        outcome.check("equal with unknown members", case.name, _again(dialect, case, strewn(value)))
    return outcome


def answered(dialect: str) -> Outcome:
    """Every recorded answer in one piece: decoded, folded and rendered."""
    outcome = Outcome()
    found = answers(dialect, "body")
    upstream, client = lanes.DIALECTS[dialect].upstream, lanes.DIALECTS[dialect].client
    for case in found.cases:
        value = json.loads(case.body)
        try:
            response = fold(upstream.decode_response(case.body, lanes.decoder_setup()))
        except IncompleteError as failed:
            if recorded(dialect, case).ending == "error":
                outcome.excluded["the body is an error under a status of success, or not finished"] += 1
            else:
                outcome.count("recordings")
                outcome.check("equal as JSON", case.name, [str(failed)])
            continue
        outcome.count("recordings")
        body, _ = client.render_response(response, lanes.encoder_setup())
        differing = [line for line in apart(value, json.loads(body)) if not _MADE_UP.search(line)]
        outcome.check("equal as JSON", case.name, differing)
    return outcome


def parses(dialect: str, case: Asked) -> str | None:
    """Why a request does not parse, or None."""
    try:
        lanes.parsed(dialect, case)
    except GatewayError as error:
        return error.message
    return None


def _again(dialect: str, case: Asked, value: Any) -> list[str]:
    body = json.dumps(value, ensure_ascii=False).encode()
    try:
        request = lanes.parsed(dialect, replace(case, body=body))
        rendered = lanes.rendered(request, dialect, FAITHFUL[dialect])
    except GatewayError as error:
        return [error.message]
    losses = [f"{loss.path}: {loss.reason}" for loss in rendered.losses]
    return apart(value, json.loads(rendered.body)) + losses


def strewn(value: Any) -> Any:
    """The value with unknown members and nulls in every object."""
    if isinstance(value, dict):
        return {**{key: strewn(member) for key, member in value.items()}, **UNKNOWN}
    if isinstance(value, list):
        return [strewn(item) for item in value]
    return value


def apart(one: Any, other: Any, path: str = "") -> list[str]:
    """How two JSON values differ, by path; an integer is not a boolean, nor a float that looks like it."""
    if isinstance(one, dict) and isinstance(other, dict):
        found = [f"{path}.{key} is lost" for key in one if key not in other]
        found += [f"{path}.{key} is added" for key in other if key not in one]
        return found + [line for key in one if key in other for line in apart(one[key], other[key], f"{path}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [line for i, (a, b) in enumerate(zip(one, other, strict=True)) for line in apart(a, b, f"{path}[{i}]")]
    if type(one) is type(other) and one == other:
        return []
    return [f"{path}: {str(one)[:60]!r} became {str(other)[:60]!r}"]
