"""A recorded request as a command for a shell. Pure; has no key in it, as the record has none."""

from __future__ import annotations

import shlex

from strowger.client import MessageHead
from strowger.flows.tape import HIDDEN

# What curl says itself, and what belonged to the connection.
_OWN = frozenset(
    {"host", "content-length", "accept-encoding", "connection", "transfer-encoding", "user-agent", "expect"}
)


def as_curl(url: str, head: MessageHead, body: bytes) -> str:
    """The command. `$TOKEN` stands for whatever was secret."""
    method, _, target = head.line.partition(" ")
    words = ["curl", "-sN", "-X", method, shlex.quote(url.rstrip("/") + target)]
    for name, value in head.headers:
        if name.lower() in _OWN:
            continue
        if HIDDEN in value:
            line = f"{name}: {value}"
            for sign in '\\"`$':
                line = line.replace(sign, "\\" + sign)
            escaped = line.replace(HIDDEN, "$TOKEN")
            words.append(f'-H "{escaped}"')
        else:
            words.append("-H " + shlex.quote(f"{name}: {value}"))
    words.append("--data-binary " + shlex.quote(body.decode("utf-8", "replace")))
    return " \\\n  ".join([" ".join(words[:5]), *words[5:]])
