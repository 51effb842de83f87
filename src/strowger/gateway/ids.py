"""Fresh ids, for flows and for what an answer has to name: random, and as quick as they are many.

Asking the system for each costs more than the rest of naming a thing, so it is asked for many at a time. They are no
secrets: whoever has been told one learns nothing, and what protects something takes its randomness from `secrets`.
"""

from __future__ import annotations

import os
from collections import deque

_DIGITS = 24
_AT_ONCE = 256

_fresh: deque[str] = deque()


def token(digits: int = _DIGITS) -> str:
    """So many hexadecimal digits, 24 at most, that nobody has had before."""
    while True:
        try:
            return _fresh.popleft()[:digits]
        except IndexError:
            drawn = os.urandom(_DIGITS // 2 * _AT_ONCE).hex()
            _fresh.extend(drawn[at : at + _DIGITS] for at in range(0, len(drawn), _DIGITS))


if hasattr(os, "register_at_fork"):  # a child would hand out those of its parent
    os.register_at_fork(after_in_child=_fresh.clear)
