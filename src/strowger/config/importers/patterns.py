"""Regular expressions for names of models as globs, where they say no more than globs can."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[A-Za-z0-9_:/@ -]")


def glob_of(expression: str) -> str | None:
    """The glob for a regular expression that is searched for; None when there is none.

    A dot that is not escaped is taken for the dot that was meant: as a name it fits, too.
    """
    glob = "" if expression.startswith("^") else "*"
    rest = expression.removeprefix("^")
    is_anchored = rest.endswith("$") and not rest.endswith("\\$")
    rest = rest[:-1] if is_anchored else rest
    while rest:
        if rest.startswith((".*", ".+")):
            glob, rest = glob + "*", rest[2:]
        elif len(rest) > 1 and rest[0] == "\\" and not rest[1].isalnum():
            glob, rest = glob + (f"[{rest[1]}]" if rest[1] in "*?[" else rest[1]), rest[2:]
        elif (_PLAIN.match(rest) or rest[0] == ".") and rest[1:2] not in {"*", "+", "?", "{"}:
            glob, rest = glob + rest[0], rest[1:]
        else:
            return None
    return re.sub(r"\*+", "*", glob if is_anchored else glob + "*")
