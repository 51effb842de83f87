"""Names of tools that an upstream takes: cleaned, cut where they are too long, and given back in its answer.

Every dialect has its own letters and each provider its own length. A name that changes must come out the same in each
turn of a conversation (prompt caches, and the model's own calls in the history), and no two tools of a request may end
up with one name. It must not know any dialect.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator

from msgspec import Struct

from strowger.ir.request import GROUP_MARK, Request, ToolCall, ToolReference, ToolResult, plain_tools

_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]")
_JOINT = "__"
"""In place of the mark between a group and its tool: what MCP clients write there, too."""
_HASH = 8


def as_written(name: str) -> str:
    """For upstreams that take, or themselves judge, any name."""
    return name


def plain(name: str) -> str:
    """The name in letters, digits, `_` and `-`, which every API but Google's agrees upon."""
    if name.isascii() and name.isidentifier():  # nearly all, and much quicker
        return name
    return _ILLEGAL.sub("_", name.replace(GROUP_MARK, _JOINT))


def digest(text: str) -> str:
    """A stable hash, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def shortened(clean: str, whole: str, limit: int) -> str:
    """`clean` cut to `limit` characters (0: any) with a hash of `whole` at its end; only the hash where there is room
    for no more.

    Letters and digits alone are left when the limit is small: Mistral takes exactly nine of them.
    """
    if limit and limit <= 2 * _HASH:
        return digest(whole)[:limit]
    return f"{clean[: limit - _HASH - 1] if limit else clean}_{digest(whole)[:_HASH]}"


class Asked(Struct, frozen=True):
    """Names of tools, as they are and as they are sent. `plain`: they are ASCII identifiers and short enough."""

    names: tuple[tuple[str, str], ...] = ()
    plain: bool = True


def _is_plain(name: str) -> bool:
    return name.isascii() and name.isidentifier()


class ToolNames:
    """The names of one request's tools on their way to one upstream. `longest` is in characters, 0 for any length.

    `clean` leaves ASCII identifiers as they are. `client` maps the names that had to change back to the client's.
    """

    def __init__(self, request: Request, longest: int, clean: Callable[[str], str] = plain) -> None:
        self._request = request
        self._longest = longest
        self._clean = clean
        self._sent: dict[str, str] = {}
        self._alike: dict[str, set[str]] | None = None
        """The request's names by what cleaning makes of them."""
        self.client: dict[str, str] = {}
        self._asked: dict[str, str] | None = None
        """The names that were asked for since `begin`, and what they became."""
        self._before: tuple[dict[str, str], dict[str, str]] = {}, {}

    def mark(self) -> None:
        """Take note of what is known, for `undo`."""
        self._before = dict(self._sent), dict(self.client)

    def begin(self) -> None:
        """Take note of the names that are asked for from here on."""
        self._asked = {}

    def end(self) -> Asked:
        """The names that were asked for since `begin`, and what they became."""
        asked, self._asked = self._asked or {}, None
        is_plain = all(name == written and _is_plain(name) for name, written in asked.items())
        return Asked(tuple(asked.items()), is_plain)

    def undo(self) -> None:
        """Forget what was asked for since `mark`. `client` stays the same object."""
        self._sent, client = self._before
        self.client.clear()
        self.client.update(client)

    def hold(self, asked: Asked) -> bool:
        """Whether names are sent as they were for another request, to an upstream that takes the same."""
        if asked.plain:
            self._sent.update(asked.names)  # no other name of a request changes these
            return True
        return not [name for name, written in asked.names if self.sent(name) != written]

    def sent(self, name: str) -> str:
        """The name under which a tool is sent. One that fits stays as it is; another gets a hash where it is too long,
        or where cleaning gives it the name of another tool of the request.
        """
        known = self._sent.get(name)
        if known is None:
            if _is_plain(name) and (self._longest == 0 or len(name) <= self._longest):
                known = self._sent[name] = name  # nearly all
            else:
                known = self._sent[name] = self._fitted(name)
                if known != name:
                    self.client[known] = name
        if self._asked is not None:
            self._asked[name] = known
        return known

    def _fitted(self, name: str) -> str:
        if not name and self._clean is as_written:
            return name  # its own vendor may say what is wrong with it
        clean = self._clean(name)
        # Of a name in another script nothing is left that could be read.
        readable = clean == name != "" or (any(map(str.isalnum, clean)) and not self._contended(clean, name))
        if readable and (self._longest == 0 or len(clean) <= self._longest):
            return clean
        return shortened(clean, name, self._longest)

    def _contended(self, clean: str, name: str) -> bool:
        """Whether another tool of the request goes by `clean`, or would after cleaning, too."""
        if self._alike is None:  # seldom needed, and a history is long
            self._alike = {}
            for other in _named(self._request):
                self._alike.setdefault(self._clean(other), set()).add(other)
        return bool(self._alike.get(clean, set()) - {name}) or clean in self._sent.values()


def _named(request: Request) -> Iterator[str]:
    """The tools that the request offers, forces or tells of."""
    yield from (tool.name for tool in plain_tools(request))
    if request.tool_choice is not None and request.tool_choice.name:
        yield request.tool_choice.name
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, ToolCall):
                yield part.name
            elif isinstance(part, ToolResult):
                yield from (item.name for item in part.content if isinstance(item, ToolReference))
