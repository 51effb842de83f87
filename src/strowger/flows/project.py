"""In which directory a client works, as its own prompt says; bounded searches in bytes, off the path of the call."""

from __future__ import annotations

import re
from collections import OrderedDict

import msgspec

from strowger.flows.flow import Flow
from strowger.flows.tape import Message

# Claude Code (`Primary working directory: ` from 2.1, `Working directory: ` before), Codex and who follows them.
_SAID = (b"orking directory: ", b"<cwd>")
_ABSOLUTE = re.compile(r"(?:/|~|[A-Za-z]:[\\/])[^\x00-\x1f<>\"]{0,400}")
# Where it is said is behind the conversation, which grows: so much is searched, from the end and from the beginning.
_SEARCHED = 256 * 1024
# Calls of a session that may say nothing of it (titles, summaries) before nobody searches its others.
_TRIES = 16
_SESSIONS = 1024
# Programs, as far as we know them, that work in no directory.
_NEVER_SAY = frozenset({"", "other", "sdk", "aider"})


def said_in(body: bytes) -> str:
    """The directory that a request names, or nothing."""
    parts = [body] if len(body) <= 2 * _SEARCHED else [body[-_SEARCHED:], body[:_SEARCHED]]
    for part in parts:
        for mark in _SAID:
            at = part.find(mark)
            if at >= 0 and (found := _path(part[at + len(mark) : at + len(mark) + 500])):
                return found
    return ""


def _path(text: bytes) -> str:
    """The path at the beginning of what is inside a JSON string."""
    raw = re.split(rb'\\[nrt]|"|<|\n', text, maxsplit=1)[0]
    try:
        plain = msgspec.json.decode(b'"' + raw + b'"', type=str).strip()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return plain if _ABSOLUTE.fullmatch(plain) else ""


class Projects:
    """The directories of sessions: what one call says holds for the others."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, str | int] = OrderedDict()

    def of(self, flow: Flow, messages: list[Message]) -> str:
        """The directory of a call's session, or nothing."""
        key = flow.session or flow.launch
        if not key and flow.program in _NEVER_SAY:
            return ""
        known = self._known.get(key, 0) if key else 0
        if isinstance(known, str):
            self._known.move_to_end(key)
            return known
        requests = [message for message in messages if message.kind == "client_request"]
        if known >= _TRIES or not requests:
            return ""
        found = said_in(requests[0].body)
        if key:
            self._known[key] = found or known + 1
            if len(self._known) > _SESSIONS:
                self._known.popitem(last=False)
        return found
