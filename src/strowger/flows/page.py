"""Calls as one HTML page to give to somebody: it asks nobody for anything, and whatever was said is text in it.

Everything is escaped, and a policy inside the page allows no script but its own and no request at all. Takes what is
clean already; must not know stores.
"""

from __future__ import annotations

import base64
import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.resources import files

from msgspec import Struct
from msgspec.structs import replace

from strowger.flows.transcript import Piece, Turn

_STYLE, _SCRIPT = (files(__package__).joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
_PREVIEW = 120
"""Characters of a turn that are shown while it is closed."""
_ASKS = frozenset({"user", "tool", "function"})
_REMEMBERED = 30
"""Calls before, of which one may be repeated: sub-agents speak in between."""
_FEWEST = 2
"""Turns that are worth leaving out."""
_EVENTS = 2_000


class Call(Struct, frozen=True):
    """One call. `facts` are names and texts; `turns` what was asked, or None where only `request` can show it: that is
    the whole of it, as lines. `bodies` are titles with lines of text; `changes` is what was made of the request;
    `events` are moments in seconds with the kinds of the events, `failed` whether the call did. The first `shown`
    turns, and the tools, are those of the call `above`.
    """

    id: str
    title: str
    facts: tuple[tuple[str, str], ...]
    turns: tuple[Turn, ...] | None = None
    answer: Turn | None = None
    tools: tuple[tuple[str, str], ...] = ()
    request: tuple[str, ...] = ()
    bodies: tuple[tuple[str, tuple[str, ...]], ...] = ()
    changes: tuple[str, ...] = ()
    events: tuple[tuple[float, str], ...] = ()
    failed: bool = False
    above: str = ""
    shown: int = 0


def without_repeats(calls: Iterable[Call]) -> Iterator[Call]:
    """Each call, without what it repeats of one before it: clients say the whole conversation again in every call."""
    last: deque[Call] = deque(maxlen=_REMEMBERED)
    for call in calls:
        shared, above = max(((_shared(one, call), one.id) for one in last), default=(0, ""))
        last.append(call)
        if shared < _FEWEST or call.turns is None:
            yield call
        else:
            yield replace(call, turns=call.turns[shared:], tools=(), request=(), above=above, shown=shared)


def _shared(before: Call, call: Call) -> int:
    """With how many of the same turns both begin; none where they have other tools."""
    if before.turns is None or call.turns is None or before.tools != call.tools:
        return 0
    pairs = zip(before.turns, call.turns, strict=False)
    return next(
        (number for number, (one, other) in enumerate(pairs) if one != other), min(len(before.turns), len(call.turns))
    )


def render(calls: Sequence[Call], *, title: str, made: str) -> Iterator[str]:
    """The page, in pieces. `made` says when and with what."""
    allowed = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{allowed}'; style-src 'unsafe-inline';"
        " base-uri 'none'; form-action 'none'"
    )
    yield (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n"
        f"<header><h1>{escape(title)}</h1><p>{escape(made)}</p>"
        f'<nav><button type="button" data-all="open">Open all</button>'
        f'<button type="button" data-all="closed">Close all</button></nav></header>\n<main>\n'
    )
    if len(calls) > 1:
        yield "<ol class=contents>"
        yield from (f'<li><a href="#{escape(call.id)}">{escape(call.title)}</a></li>' for call in calls)
        yield "</ol>\n"
    for call in calls:
        yield from _call(call)
    yield f"</main><script>{_SCRIPT}</script></body></html>\n"


def _call(call: Call) -> Iterator[str]:
    bad = ' class="failed"' if call.failed else ""
    yield f'<section id="{escape(call.id)}"{bad}><h2>{escape(call.title)}</h2>\n<dl>'
    yield from (f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in call.facts)
    yield "</dl>\n"
    if call.tools:
        yield f"<details class=tools><summary>tools: {len(call.tools)}</summary><dl>"
        yield from (f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in call.tools)
        yield "</dl></details>\n"
    if call.above:
        link = f'<a href="#{escape(call.above)}">a call above</a>'
        yield f"<p>The first {call.shown:,} messages are those of {link}.</p>\n"
    turns = call.turns or ()
    # Clients put words of their own behind the user's: what counts is what was asked.
    asked = max((number for number, turn in enumerate(turns) if turn.role in _ASKS), default=len(turns) - 1)
    for number, turn in enumerate(turns):
        yield from _turn(turn, is_open=number == asked)
    if call.answer is not None:
        yield from _turn(call.answer, is_open=True, title="answer")
    if call.changes:
        yield from _folded("what was made of the request", _changed(call.changes))
    for title, lines in ((("the client's request, whole", call.request),) if call.request else ()) + call.bodies:
        yield from _folded(title, _pre("\n".join(lines)))
    if call.events:
        yield from _folded(f"events: {len(call.events):,}", _timeline(call.events))
    yield "</section>\n"


def _turn(turn: Turn, *, is_open: bool, title: str = "") -> Iterator[str]:
    length = sum(len(piece.text) for piece in turn.pieces)
    first = next((piece for piece in turn.pieces if piece.text.strip()), None)
    preview = (
        " ".join((f"{first.title} " if first.title else "").split() + first.text[: 4 * _PREVIEW].split())
        if first
        else ""
    )
    yield (
        f'<details class="turn {escape(turn.role)}"{" open" if is_open else ""}>'
        f"<summary><b>{escape(title or turn.role)}</b>"
        f"<span>{escape(preview[:_PREVIEW])}</span><i>{length:,} characters</i></summary>\n"
    )
    for piece in turn.pieces:
        yield from _piece(piece)
    yield "</details>\n"


def _piece(piece: Piece) -> Iterator[str]:
    name = {"thinking": "thought", "call": "calls", "result": "result of"}.get(piece.kind, "")
    label = " ".join(word for word in (name, piece.title) if word)
    yield f'<div class="piece {escape(piece.kind)}">'
    if label:
        yield f"<h3>{escape(label)}</h3>"
    yield from _pre(piece.text)
    yield "</div>\n"


def _pre(text: str) -> Iterator[str]:
    yield f'<div class=box><button type="button" class=copy>Copy</button><pre>{escape(text)}</pre></div>'


def _folded(title: str, content: Iterable[str]) -> Iterator[str]:
    yield f"<details class=behind><summary>{escape(title)}</summary>\n"
    yield from content
    yield "</details>\n"


def _changed(lines: Iterable[str]) -> Iterator[str]:
    kinds = {"+": "ins", "-": "del"}
    yield "<pre class=changes>"
    for line in lines:
        kind = kinds.get(line[:1])
        yield f"<{kind}>{escape(line)}</{kind}>\n" if kind else f"{escape(line)}\n"
    yield "</pre>"


def _timeline(events: Sequence[tuple[float, str]]) -> Iterator[str]:
    yield "<table><tr><th>after</th><th>event</th></tr>"
    for moment, kind in events[:_EVENTS]:
        yield f"<tr><td>{moment:.3f} s</td><td>{escape(kind)}</td></tr>"
    yield "</table>"
    if len(events) > _EVENTS:
        yield f"<p>and {len(events) - _EVENTS:,} more</p>"
