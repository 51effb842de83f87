"""Telling by its bytes that a body holds something which an upstream does not take. No parse: a look that may see an
obstacle where there is none, which costs a translation, and must not overlook one. Knows no dialect.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from strowger.dialects.base import Capabilities

Listing = Callable[[Capabilities], list[tuple[bool, bytes]]]
"""(whether it is accepted, how it looks as a pattern) of everything that an upstream may refuse."""


def finder(listing: Listing) -> Callable[[bytes, Capabilities], bool]:
    """A function that tells whether a body holds an obstacle for an upstream; its patterns are made once for each."""

    @lru_cache(maxsize=64)
    def pattern(caps: Capabilities) -> re.Pattern[bytes] | None:
        missing = [look for accepted, look in listing(caps) if not accepted]
        return re.compile(b"|".join(missing)) if missing else None

    def holds(body: bytes, caps: Capabilities) -> bool:
        found = pattern(caps)
        return found is not None and found.search(body) is not None

    return holds
