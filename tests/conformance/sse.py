"""Server-Sent Events read by the letter of the WHATWG grammar, as plainly as can be: the oracle for our own framing."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple


class Event(NamedTuple):
    """One event: its name and its data lines, joined."""

    name: str
    data: str


def events(stream: bytes) -> list[Event]:
    """Every event of a stream, the last one also when its blank line is missing (as all known clients read it)."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    found: list[Event] = []
    name, data = "", list[str]()
    for line in [*re.split("\r\n|\r|\n", text), ""]:
        if not line:
            if data:
                found.append(Event(name, "\n".join(data)))
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
    return found


def documents(stream: bytes) -> list[Any]:
    """The JSON values that the events carry, in order; what is no JSON (`[DONE]`) is left out."""
    found = []
    for event in events(stream):
        try:
            found.append(json.loads(event.data))
        except ValueError:
            continue
    return found
