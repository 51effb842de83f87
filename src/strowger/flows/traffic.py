"""Calls as files that any tool can read: a folder for each session, in it one for each call in their order, in it a
file for each message, and for an answer that came as a stream a line for each event with its moment.

Must not know where calls come from.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from strowger.config.private import replace_file
from strowger.flows.pretty import Event, events_of, is_stream
from strowger.flows.tape import Message

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 80
_WITHOUT_SESSION = "no-session"
_encode = msgspec.json.Encoder().encode


def write(
    flows: Iterable[Mapping[str, object]], messages: Callable[[str], Sequence[Message]], folder: Path
) -> Iterator[Path]:
    """Write calls, which come oldest first, as `summary` has them; the folder of each, once it is written.

    `messages` gives what went over the wires in a call. One call at a time is in memory. Raises OSError.
    """
    numbers: Counter[str] = Counter()
    for flow in flows:
        session = _safe(str(flow.get("session") or "")) or _WITHOUT_SESSION
        numbers[session] += 1
        name = str(flow["id"])
        place = folder / session / f"{numbers[session]:04}-{_safe(name)}"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_call(flow, messages(name), place)
        yield place


def _write_call(flow: Mapping[str, object], messages: Sequence[Message], place: Path) -> None:
    _write(place / "00-flow.json", flow)
    for position, message in enumerate(messages, 1):
        number = f"-{message.number}" if message.kind in ("forwarded", "upstream_response") else ""
        name = f"{position:02}-{message.kind.replace('_', '-')}{number}"
        if is_stream(message.body):
            _write(place / f"{name}.json", _head(message))
            lines = [_encode(_line(event)) for event in events_of(message.pieces, message.moments)]
            replace_file(place / f"{name}.events.jsonl", b"\n".join([*lines, b""]), durable=False)
        else:
            _write(place / f"{name}.json", {**_head(message), "body": _value(message.body)})


def _head(message: Message) -> dict[str, object]:
    return {
        **message.head(),
        "at_ms": round(message.moments[0] * 1000, 1) if message.moments else None,
    }


def _line(event: Event) -> dict[str, object]:
    return {"at_ms": round(event.moment * 1000, 1), "event": event.name, "data": _value(event.data)}


def _value(data: bytes) -> object:
    """JSON as such, anything else as text."""
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        msgspec.json.decode(data)
        # In one line, and as such: what could be read may be too deep to be written again.
        return msgspec.Raw(msgspec.json.format(data, indent=-1))
    return data.decode("utf-8", "replace")


def _write(path: Path, value: object) -> None:
    written = _encode(value)
    with suppress(RecursionError):
        written = msgspec.json.format(written, indent=2)
    replace_file(path, written + b"\n", durable=False)


def _safe(name: str) -> str:
    """A name that is one of a file everywhere, and of no file elsewhere."""
    return _UNSAFE.sub("_", name)[:_LONGEST_NAME].lstrip(".")
