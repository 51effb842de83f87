"""What is shown over the recordings, section by section of the report: each part is one row of its table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import anyio
from msgspec import Struct

from tests.conformance import asked, crossing, identity, sockets, verbatim
from tests.conformance.outcome import Outcome
from tests.conformance.recordings import OTHER

NAMES = {"anthropic": "Messages", "openai_chat": "Chat"}


class Part(Struct, frozen=True):
    """One row. `losses`: the group of rows whose losses are shown in one table, empty for none."""

    label: str
    run: Callable[[], Outcome]
    losses: str = ""


class Section(Struct, frozen=True):
    """One table. `key` names it in tests; `about` is its text."""

    key: str
    title: str
    about: str
    parts: tuple[Part, ...]


def _both(make: Callable[[str], tuple[Part, ...]]) -> tuple[Part, ...]:
    return (*make("anthropic"), *make("openai_chat"))


def _untouched(dialect: str) -> tuple[Part, ...]:
    name = NAMES[dialect]
    received = verbatim.received
    return (
        Part(f"{name} streams", partial(received, dialect, "stream")),
        Part(f"{name} bodies", partial(received, dialect, "body")),
        Part(f"{name} errors", partial(received, dialect, "error")),
    )


def _crossed(upstream: str) -> tuple[Part, ...]:
    client = NAMES[OTHER[upstream]]
    forms: tuple[crossing.Form, ...] = ("stream", "body")
    return tuple(
        Part(
            f"{NAMES[upstream]} {form} → {client} {wanted}",
            partial(crossing.crossed, upstream, form, wanted),
            f"{NAMES[upstream]} answers to {client} clients" if form == wanted else "",
        )
        for form in forms
        for wanted in forms
    )


SECTIONS = (
    Section(
        "sent",
        "Requests that pass untouched",
        "A request to an upstream of the client's own dialect, as recorded, with white space, and in ASCII: the bytes"
        " that leave are those that came. With another model, only its name differs.",
        _both(lambda dialect: (Part(f"{NAMES[dialect]} requests", partial(verbatim.sent, dialect)),)),
    ),
    Section(
        "received",
        "Answers that pass untouched",
        "The same for answers, in one piece, cut at random and byte by byte. A stream that its recording cuts short"
        " gets exactly one error event behind it.",
        _both(_untouched),
    ),
    Section(
        "sockets",
        "The same over sockets",
        "Every recorded answer, replayed with its status, headers, framing and compression by an upstream, through a"
        " running gateway, to a client that reads raw bytes.",
        _both(lambda dialect: (Part(f"{NAMES[dialect]} calls", partial(anyio.run, sockets.exchanged, dialect)),)),
    ),
    Section(
        "requests-identity",
        "Requests parsed and rendered",
        "A request that has to be parsed and goes to its own dialect comes back equal as JSON; so does each with"
        " unknown members and nulls added to every object in it.",
        _both(lambda dialect: (Part(f"{NAMES[dialect]} requests", partial(identity.asked, dialect)),)),
    ),
    Section(
        "answers-identity",
        "Answers decoded and rendered",
        "A whole answer that is decoded to events, folded and rendered to its own dialect comes back equal as JSON.",
        _both(lambda dialect: (Part(f"{NAMES[dialect]} bodies", partial(identity.answered, dialect)),)),
    ),
    Section(
        "chunking",
        "Streams in any pieces",
        "Every stream gives the same events, in legal order, in one piece and byte by byte, and its client in the"
        " other dialect the same bytes when it is cut at random.",
        _both(lambda dialect: (Part(f"{NAMES[dialect]} streams", partial(crossing.chunked, dialect)),)),
    ),
    Section(
        "answers",
        "Answers translated",
        "Every answer, delivered to clients of the other dialect that want a stream and that want a body, is read by"
        " the official SDK of that dialect, with strict validation, and plainly. A column counts the recordings whose"
        " text, thinking, calls (names, ids, arguments), order of things, stop reason and token counts are those of"
        " the recording in every reading; – where a Chat body has no order to tell.",
        _both(_crossed),
    ),
    Section(
        "broken",
        "Streams that break off",
        "Every recorded stream, cut at a random place before its end. Untouched, one error event follows what came,"
        " apart from it; translated, the SDK raises its own error, the text is what had come, and a client that wants a"
        " body gets none.",
        _both(
            lambda dialect: (
                Part(f"{NAMES[dialect]} streams, untouched", partial(verbatim.broken, dialect)),
                Part(f"{NAMES[dialect]} streams, translated", partial(crossing.broken, dialect)),
            )
        ),
    ),
    Section(
        "errors",
        "Errors translated",
        "Every error status: the SDK raises its own error for it, with the upstream's words.",
        _both(lambda dialect: (Part(f"{NAMES[dialect]} errors", partial(crossing.errors, dialect)),)),
    ),
    Section(
        "requests",
        "Requests translated",
        "Every request that its own vendor accepted, for upstreams of the other dialect: judged by the rules of the"
        " vendor as our strict fakes know them and by the types of the official SDK; what it says arrives, or is named"
        " as a loss at its place.",
        tuple(
            Part(goal.label, partial(asked.translated, goal), f"{NAMES[OTHER[goal.dialect]]} requests")
            for goal in asked.GOALS
        ),
    ),
)
