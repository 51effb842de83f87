"""What is shown over the recordings, section by section of the report: each part is one row of its table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import anyio
from msgspec import Struct

from tests.conformance import asked, crossing, identity, inventory, sockets, verbatim
from tests.conformance.outcome import Outcome
from tests.conformance.recordings import PAIRS, SPOKEN

NAMES = {"anthropic": "Messages", "openai_chat": "Chat", "openai_responses": "Responses", "gemini": "Gemini"}


class Part(Struct, frozen=True):
    """One row. `losses`: the group of rows whose losses are shown in one table, empty for none."""

    label: str
    run: Callable[[], Outcome]
    losses: str = ""

    @property
    def group(self) -> str:
        """The rows that have to be run together to be shown."""
        return self.losses or self.label


class Section(Struct, frozen=True):
    """One table. `key` names it in tests; `about` is its text."""

    key: str
    title: str
    about: str
    parts: tuple[Part, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of its rows."""
        return tuple(dict.fromkeys(part.group for part in self.parts))


def _each(make: Callable[[str], tuple[Part, ...]]) -> tuple[Part, ...]:
    return tuple(part for dialect in SPOKEN for part in make(dialect))


def _untouched(dialect: str) -> tuple[Part, ...]:
    name = NAMES[dialect]
    received = verbatim.received
    return (
        Part(f"{name} streams", partial(received, dialect, "stream")),
        Part(f"{name} bodies", partial(received, dialect, "body")),
        Part(f"{name} errors", partial(received, dialect, "error")),
    )


def answers_label(upstream: str, form: str, client: str, wanted: str) -> str:
    """The row of answers in one form to clients that want them in one form."""
    return f"{NAMES[upstream]} {form} → {NAMES[client]} {wanted}"


def _crossed(upstream: str, client: str) -> tuple[Part, ...]:
    forms: tuple[crossing.Form, ...] = ("stream", "body")
    return tuple(
        Part(
            answers_label(upstream, form, client, wanted),
            partial(crossing.crossed, upstream, client, form, wanted),
            f"{NAMES[upstream]} answers to {NAMES[client]} clients",
        )
        for form in forms
        for wanted in forms
    )


_ANSWERS = tuple(
    Section(
        f"answers-{upstream}",
        f"{NAMES[upstream]} answers, translated",
        f"What {NAMES[upstream]} upstreams answered, to clients of the other dialects.",
        tuple(part for client in SPOKEN if client != upstream for part in _crossed(upstream, client)),
    )
    for upstream in SPOKEN
)
_REQUESTS = tuple(
    Section(
        f"requests-{source}",
        f"{NAMES[source]} requests, translated",
        f"What {NAMES[source]} clients asked, and their own vendor accepted, for upstreams of the other dialects.",
        tuple(
            Part(
                f"→ {NAMES[goal.dialect]}: {goal.label}",
                partial(asked.translated, source, goal),
                f"{NAMES[source]} requests to {NAMES[goal.dialect]} upstreams",
            )
            for goal in asked.GOALS
            if goal.dialect != source
        ),
    )
    for source in SPOKEN
)
SECTIONS = (
    Section(
        "recordings",
        "What was recorded",
        "How many recordings there are of each dialect, and what they hold.",
        _each(lambda dialect: (Part(f"{NAMES[dialect]}", partial(inventory.counted, dialect)),)),
    ),
    Section(
        "sent",
        "Requests that pass untouched",
        "A request to an upstream of the client's own dialect, as recorded, with white space, and in ASCII: the bytes"
        " that leave are those that came. With another model, only its name differs (Gemini's stands in the URL).",
        _each(lambda dialect: (Part(f"{NAMES[dialect]} requests", partial(verbatim.sent, dialect)),)),
    ),
    Section(
        "received",
        "Answers that pass untouched",
        "The same for answers, in one piece, cut at random and byte by byte. A stream that its recording cuts short"
        " gets exactly one error event behind it.",
        _each(_untouched),
    ),
    Section(
        "sockets",
        "The same over sockets",
        "Every recorded answer, replayed with its status, headers, framing and compression by an upstream, through a"
        " running gateway, to a client that reads raw bytes.",
        _each(lambda dialect: (Part(f"{NAMES[dialect]} calls", partial(anyio.run, sockets.exchanged, dialect)),)),
    ),
    Section(
        "requests-identity",
        "Requests parsed and rendered",
        "A request that has to be parsed and goes to its own dialect comes back equal as JSON; so does each with"
        " unknown members and nulls added to every object in it.",
        _each(lambda dialect: (Part(f"{NAMES[dialect]} requests", partial(identity.asked, dialect)),)),
    ),
    Section(
        "answers-identity",
        "Answers decoded and rendered",
        "A whole answer that is decoded to events, folded and rendered to its own dialect comes back equal as JSON.",
        _each(lambda dialect: (Part(f"{NAMES[dialect]} bodies", partial(identity.answered, dialect)),)),
    ),
    Section(
        "chunking",
        "Streams in any pieces",
        "Every stream gives the same events, in legal order, in one piece, byte by byte and with other line ends"
        " (Gemini's also as the array it can be), and clients of the other dialects get the same bytes when it is cut"
        " at random.",
        _each(lambda dialect: (Part(f"{NAMES[dialect]} streams", partial(crossing.chunked, dialect)),)),
    ),
    *_ANSWERS,
    Section(
        "broken",
        "Streams that break off",
        "Every recorded stream, cut at a random place before its end. Untouched, one error event follows what came,"
        " apart from it; translated, the SDK raises its own error, the text is what had come, and a client that wants a"
        " body gets none.",
        (
            *_each(lambda dialect: (Part(f"{NAMES[dialect]}, untouched", partial(verbatim.broken, dialect)),)),
            *(Part(f"{NAMES[u]} → {NAMES[c]}", partial(crossing.broken, u, c)) for u, c in PAIRS),
        ),
    ),
    Section(
        "errors",
        "Errors translated",
        "Every error status: the SDK raises its own error for it, with the upstream's words.",
        tuple(Part(f"{NAMES[u]} → {NAMES[c]}", partial(crossing.errors, u, c)) for u, c in PAIRS),
    ),
    *_REQUESTS,
)
