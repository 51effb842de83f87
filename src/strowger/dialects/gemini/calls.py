"""Function calls and their responses, both ways, and ids for those that have none.

Gemini had no ids at first, and many clients still send none: then responses answer calls by their order and name. The
other dialects need ids, so calls without get one that depends on their place alone: the same in every turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
from msgspec import Raw

from strowger.dialects.gemini.members import Json, Members, inner, put, put_back, starts
from strowger.ir.request import Text, ToolCall, ToolResult

NO_ID = "no_id"
"""In `form` of calls and results: there was no id."""
NO_ARGS = "no_args"
"""In `form` of a call: there were no arguments, not even empty ones."""
NO_RESPONSE = "no_response"
"""In `form` of a result: there was no `response`."""
LIST = "parts=list"
"""In `form` of a result: it had `parts`, if only an empty list."""
OBJECT = "parts=object"
"""In `form` of a result: it had one part, and no list around it."""

_MEANT = ("output", "result", "return_value", "content", "error")
"""Members that clients use to wrap what a function gave, when it is the only one."""
_ERROR = "error"
_JSON = "json:"
"""In `form` of a result: the wrapping member follows, and its value was not a text."""
_QUOTE = b'"'
_LONGEST_NAME = 40
_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]")

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_STRING = msgspec.json.Decoder(str)


class Calls:
    """The calls of one request in order, so that each has an id and each response finds its call."""

    def __init__(self) -> None:
        self._nameless = 0
        self._waiting: list[tuple[str, str]] = []
        self._answered = False

    def call(self, given: str | None, name: str) -> str:
        """The id of the next call. Calls that come after responses begin a new turn: older ones wait no longer."""
        if self._answered:
            self._waiting.clear()
            self._answered = False
        identity = given or self._made(name)
        self._waiting.append((identity, name))
        return identity

    def response(self, given: str | None, name: str) -> str:
        """The id of the call that the next response answers."""
        self._answered = True
        found = next((w for w in self._waiting if (w[0] == given if given else w[1] == name)), None)
        if found is not None:
            self._waiting.remove(found)
            return found[0]
        return given or self._made(name)

    def _made(self, name: str) -> str:
        self._nameless += 1
        return f"call_{self._nameless}_{_ILLEGAL.sub('_', name)[:_LONGEST_NAME]}"


class Noted(Calls):
    """The calls of one content, as if there were nothing before it: what they asked, and the ids that they got."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[bool, str | None, str]] = []
        """Whether it was a call (or a response), its own id, and its name."""
        self.ids: list[str] = []

    def call(self, given: str | None, name: str) -> str:
        """The id of the next call."""
        return self._note(super().call(given, name), (True, given, name))

    def response(self, given: str | None, name: str) -> str:
        """The id of the call that the next response answers."""
        return self._note(super().response(given, name), (False, given, name))

    def _note(self, identity: str, asked: tuple[bool, str | None, str]) -> str:
        self.asked.append(asked)
        self.ids.append(identity)
        return identity


class Settled(Calls):
    """Calls and responses whose ids are known, in order."""

    def __init__(self, ids: Iterable[str]) -> None:
        super().__init__()
        self._ids = iter(ids)

    def call(self, given: str | None, name: str) -> str:
        """The next id."""
        return next(self._ids)

    def response(self, given: str | None, name: str) -> str:
        """The next id."""
        return next(self._ids)


# ---- calls ----


def parse_call(fields: Members, calls: Calls) -> ToolCall:
    """A part that holds a `functionCall`. Arguments that were not given are an empty object to everyone else."""
    members = fields.need(fields.members("functionCall"), "functionCall")
    name = members.need(members.text("name"), "name")
    given = members.filled("id") or None
    arguments = members.raw("args")
    flags = [flag for flag, there in ((NO_ID, given), (NO_ARGS, arguments)) if there is None]
    fields.keep("functionCall", members)
    return ToolCall(
        calls.call(given, name),
        name,
        "{}" if arguments is None else bytes(arguments).decode(),
        extras=fields.extras(),
        form=" ".join(flags),
    )


def render_call(call: ToolCall, arguments: Raw) -> Json:
    """The part of a call. `form` counts for calls of this dialect only; the caller clears it for others."""
    node = put_back(call.extras)
    members = inner(node, "functionCall")
    if call.id and NO_ID not in call.form:
        put(members, "id", call.id)
    put(members, "name", call.name)
    if NO_ARGS not in call.form:
        put(members, "args", arguments)
    return node


# ---- responses ----


def parse_response(fields: Members, calls: Calls) -> tuple[ToolResult, list[Raw]]:
    """A part that holds a `functionResponse`, and its own parts (pictures, files), which are still to be read."""
    members = fields.need(fields.members("functionResponse"), "functionResponse")
    name = members.need(members.text("name"), "name")
    given = members.filled("id") or None
    response = members.raw("response")
    spelling = OBJECT if members.is_object("parts") else LIST if members.says("parts") else ""
    nested = members.items("parts") or []
    text, form, failed = meaning(response)
    flags = [form] if form else []
    if given is None:
        flags.append(NO_ID)
    if spelling:
        flags.append(spelling)
    fields.keep("functionResponse", members)
    result = ToolResult(
        calls.response(given, name),
        () if text is None else (Text(text),),
        is_error=True if failed else None,
        name=name,
        extras=fields.extras(),
        form=" ".join(flags),
    )
    return result, nested


def meaning(response: Raw | None) -> tuple[str | None, str, bool]:
    """What a response says in words, how it was wrapped (its one member of a usual name, else it is as it stands), and
    whether it is an error.
    """
    if response is None:
        return None, NO_RESPONSE, False
    if starts(response, b"{"):
        members = _MEMBERS.decode(response)
        key = next(iter(members)) if len(members) == 1 else ""
        if key in _MEANT:
            value = members[key]
            if starts(value, _QUOTE):
                return _STRING.decode(value), key, key == _ERROR
            return bytes(value).decode(), _JSON + key, key == _ERROR
    return bytes(response).decode(), "", False


def render_response(result: ToolResult, parts: list[Json | Raw]) -> Json:
    """The part of a result of this dialect, `parts` being its pictures and files."""
    node = put_back(result.extras)
    members = inner(node, "functionResponse")
    flags = result.form.split()
    if NO_ID not in flags:
        put(members, "id", result.call_id)
    put(members, "name", result.name)
    if NO_RESPONSE not in flags:
        put(members, "response", _wrapped(result, flags))
    if LIST in flags:
        put(members, "parts", parts)
    elif OBJECT in flags and parts:
        put(members, "parts", parts[0])
    return node


def _wrapped(result: ToolResult, flags: list[str]) -> Json | Raw:
    text = next((part.text for part in result.content if isinstance(part, Text)), "")
    how = next((flag for flag in flags if flag.removeprefix(_JSON) in _MEANT), "")
    if not how:
        return Raw(text.encode())
    if how.startswith(_JSON):
        return {how.removeprefix(_JSON): Raw(text.encode())}
    return {how: text}
