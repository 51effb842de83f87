"""Arguments of a tool call that Claude Code refuses although they mean nothing: what other vendors' models write into
members that may be left out.

One case is known. GPT models fill in every member of a schema, and so they ask `Read` for `"pages": ""`; Claude Code
(2.1.329) takes that for a wrong page range, and the model asks the same again and again (icebear0828/codex-proxy 533,
OmniRoute 2889, codex2api PR 243). An empty text means something to many other tools (`Write` makes an empty file of
it), so nothing else is touched. Must not know streams.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_TOOL, _MEMBER = "Read", "pages"
_TEXT = msgspec.json.Decoder(str)


def may_need_mending(tool: str) -> bool:
    """Whether the arguments of calls of this tool have to be seen whole before a client gets them."""
    return tool == _TOOL


def mended(tool: str, arguments: str) -> str:
    """The arguments without what means nothing; the very same where there is nothing of the kind."""
    if tool != _TOOL or f'"{_MEMBER}"' not in arguments:
        return arguments
    try:
        members = _MEMBERS.decode(arguments)
        if _TEXT.decode(members.get(_MEMBER, b'"-"')).strip():
            return arguments
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return arguments  # it was cut short, or is none of these: the client shall see it as it is
    del members[_MEMBER]
    return msgspec.json.encode(members).decode()
