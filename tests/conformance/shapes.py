"""What an official SDK could judge an answer by, with the rest left out: two answers of one shape are one case to it.

Kept are the events and their order, members, kinds of values, every word that may be one of an enumeration, and what
has broken readers of lines and of Unicode before. Left out are digits, and the strings of members that are free text
for every vendor. A run of equal events counts once: a text may come in any number of pieces.

An SDK takes most of the time of a run over all recordings, and takes what it took before: so tests show it the first
answer of each shape. With STROWGER_CONFORMANCE=all, and for the report, it reads every answer.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import ClassVar


class Taken:
    """The shapes of answers that an SDK has read as it should."""

    every: ClassVar[bool] = os.environ.get("STROWGER_CONFORMANCE") == "all"
    """Whether each answer is to be read, also one whose shape is known."""

    def __init__(self) -> None:
        self._shapes: set[bytes] = set()

    def __contains__(self, answer: bytes) -> bool:
        return not self.every and shape(answer) in self._shapes

    def add(self, answer: bytes) -> None:
        """Remember one that was read without a complaint."""
        if not self.every:
            self._shapes.add(shape(answer))


def shape(answer: bytes) -> bytes:
    """A digest of the shape of a stream or of a body."""
    events = _FREE.sub(rb"\1", answer).translate(None, b"0123456789").split(b"\n\n")
    told = [event for event, before in zip(events, [b"", *events], strict=False) if event != before]
    odd = [mark for mark in _TROUBLE if mark in answer]
    return hashlib.sha256(b"\n\n".join([*told, *odd, bytes(sorted(set(answer.translate(None, _PLAIN))))])).digest()


_MEMBERS = (
    r"text|thinking|signature|content|re(?:asoning(?:_content)?|fusal|sponse_id|sponseId)|delta|partial_json|arguments"
    r"|encrypted_content|id|call_id|item_id|tool_(?:use|call)_id|name|model(?:Version)?|thoughtSignature|data|message"
    r"|title|ur[li]|cited_text|system_fingerprint|instructions|createTime"
)
# An empty string stays apart from others. What is inside of a string has its quotes escaped, so it is no member.
_FREE = re.compile(rb'("(?:%b)" ?: ?")(?!")[^"\\]*+(?:\\.[^"\\]*+)*+"' % _MEMBERS.encode(), re.DOTALL)
_TROUBLE = tuple(mark.encode() for mark in ("\x85", "\u2028", "\u2029", "\ufeff", "\ufffd"))
_TROUBLE += (rb"\ud", rb"\uD", rb"\u000", rb"\u001", rb"\u2028")
_PLAIN = bytes(code for code in range(256) if code in {9, 10} or (code >= 32 and code != 127))
