"""How the items of a stream grow: what was told of each, and what its end still has to tell.

Items are known by their `output_index`: ids differ from event to event on some servers. Knows neither framing nor the
events' envelope.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.base import DecoderSetup
from strowger.dialects.fields import Fields
from strowger.dialects.openai_responses.errors import members, string
from strowger.dialects.openai_responses.lineup import Lineup, Place, Slot
from strowger.dialects.openai_responses.output import (
    BETWEEN,
    CALL_ITEMS,
    CONTENT_FORM,
    MESSAGE,
    SERVER_TOOLS,
    SUMMARY_FORM,
    annotation,
    content_part,
    encoded,
    parts_of,
    searched,
    server_call,
    unfolded,
)
from strowger.dialects.openai_responses.parts import EMPTY_LIST
from strowger.errors import Malformed
from strowger.ir.events import CitationDelta, Event, PartStart, PartStop, SignatureDelta
from strowger.ir.request import Part, Refusal, ServerToolResult, Text, Thinking, ToolCall

CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
"""Items of calls that grow, and the member that does."""
_IN_PROGRESS = b'"in_progress"'
_COMPLETED = Raw(b'"completed"')
_LIST = msgspec.json.Decoder(list[Raw])


class Item:
    """One item: `head` are its members as it began, `slots` the parts of a message, `slot` the only part of others."""

    __slots__ = ("form", "head", "heads", "kind", "last", "over", "place", "slot", "slots")

    def __init__(self, kind: str, head: dict[str, Raw], place: Place) -> None:
        self.kind = kind
        self.head = head
        self.place = place
        self.slots: dict[int, Slot] = {}
        self.heads: dict[int, Raw] = {}
        self.slot: Slot | None = None
        self.form = ""
        self.last = 0
        self.over = False


class Growth:
    """All items of one answer; events are appended to the list that is handed in."""

    def __init__(self, setup: DecoderSetup) -> None:
        self.lineup = Lineup()
        self.called = False
        """Whether the client is asked to run a tool."""
        self.searches = 0
        self._setup = setup
        self._items: dict[int, Item] = {}
        self._ids: set[str] = set()

    # ---- items ----

    def find(self, index: int, identity: str | None) -> Item | None:
        """The item at a place that has not ended; where no place is told, the one of that id, or the last."""
        if index >= 0:
            item = self._items.get(index)
            return None if item is None or item.over else item
        growing = [item for item in self._items.values() if not item.over]
        named = [item for item in growing if identity and string(item.head.get("id")) == identity]
        return named[-1] if named else growing[-1] if growing else None

    def shows(self, index: int) -> bool:
        """Whether what the item at a place does is told as it happens."""
        item = self._items.get(index)
        return item is not None and item.kind in SERVER_TOOLS and item.slot is not None and not item.over

    def added(self, index: int, raw: Raw, out: list[Event]) -> Item:
        """An item begins."""
        head = members(raw) or {}
        kind = string(head.get("type")) or ""
        old = self._items.get(index)
        if old is not None and not old.over:
            if old.kind == kind and bytes(old.head.get("id", b"")) == bytes(head.get("id", b"")):
                return old
            self._abandon(old, out)
        if index < 0:
            index = max(self._items, default=-1) + 1
        item = self._items[index] = Item(kind, head, self.lineup.enter())
        self._remember(head)
        if kind in CALLS and string(head.get("name")):
            self._begin_call(item, out)
        elif kind in SERVER_TOOLS and kind not in CALL_ITEMS:
            call = server_call(Fields(encoded(head), error=Malformed), kind, self._setup)
            item.slot = self.lineup.begin(item.place, replace(call, arguments=""), out)
        return item

    def _remember(self, head: dict[str, Raw]) -> None:
        self._ids |= {name for key in ("id", "call_id") if (name := string(head.get(key)))}

    def _begin_call(self, item: Item, out: list[Event]) -> None:
        head = {key: value for key, value in _finished(item.head).items() if key != CALLS[item.kind]}
        item.slot = self.lineup.begin(item.place, parts_of(encoded(head), self._setup)[0], out)
        self.called = True

    # ---- growing ----

    def slot(self, item: Item, kind: str, place: int, out: list[Event]) -> Slot | None:
        """The part that a delta is of; None when it is told at the end of its item."""
        match item.kind:
            case "message":
                return item.slots.get(place) or self._begin_content(item, kind, place, out)
            case "reasoning":
                return self._thinking(item, kind, place, out)
            case _:
                return item.slot if item.kind in CALLS else None

    def _begin_content(self, item: Item, kind: str, place: int, out: list[Event]) -> Slot:
        # typed clients want the list of annotations, also of servers that do not tell a part's beginning
        part: Text | Refusal = Refusal("") if "refusal" in kind else Text("", extras={"annotations": EMPTY_LIST})
        if place in item.heads:
            head = content_part(item.heads[place])
            if isinstance(head, Text) and isinstance(part, Text):
                part = replace(head, text="", citations=())
            elif isinstance(head, Refusal) and isinstance(part, Refusal):
                part = replace(head, text="")
        return self._begin_part(item, place, part, out)

    def _begin_part(self, item: Item, place: int, part: Text | Refusal, out: list[Event]) -> Slot:
        if not item.slots:
            kept = {key: value for key, value in _finished(item.head).items() if key not in {"type", "content"}}
            part = replace(part, extras={**part.extras, MESSAGE: encoded(kept)})
        slot = item.slots[place] = self.lineup.begin(item.place, part, out)
        return slot

    def _thinking(self, item: Item, kind: str, place: int, out: list[Event]) -> Slot | None:
        """A summary and the thinking itself may both be told: the first of them counts."""
        form = SUMMARY_FORM if "summary" in kind else CONTENT_FORM
        if item.slot is None:
            gone = {"type", "summary", "encrypted_content"} | ({"content"} if form == CONTENT_FORM else set())
            kept = {key: value for key, value in _finished(item.head).items() if key not in gone}
            item.form, item.last = form, place
            item.slot = self.lineup.begin(item.place, Thinking("", None, form, kept), out)
        elif item.form != form:
            return None
        if place != item.last:
            item.last = place
            if form == SUMMARY_FORM:
                self.lineup.grow(item.slot, BETWEEN, out)
        return item.slot

    def annotated(self, item: Item, place: int, raw: Raw, out: list[Event]) -> None:
        """A citation of a text."""
        if item.kind == "message":
            slot = item.slots.get(place) or self._begin_content(item, "", place, out)
            self.lineup.cite(slot, annotation(raw), out)

    def complete(self, slot: Slot, text: str, out: list[Event]) -> None:
        """The whole text of a part: what was not told of it follows."""
        before = "".join(slot.told)
        if len(text) > len(before) and text.startswith(before):
            self.lineup.grow(slot, text[len(before) :], out)

    # ---- ends ----

    def part_done(self, item: Item, place: int, raw: Raw, out: list[Event]) -> None:
        """A part of a message ends."""
        part = content_part(raw)
        if isinstance(part, Text | Refusal):
            slot = item.slots.get(place) or self._begin_part(item, place, _bare(part), out)
            self._fill(slot, part, out)
            self.lineup.end(slot, out)

    def _fill(self, slot: Slot, part: Part, out: list[Event]) -> None:
        """What the end of a part says beyond what was told."""
        match part:
            case Text() if isinstance(slot.part, Text):
                self.complete(slot, part.text, out)
                for cited in part.citations[slot.cited :]:
                    self.lineup.cite(slot, cited, out)
            case Refusal() if isinstance(slot.part, Refusal):
                self.complete(slot, part.text, out)
            case Thinking():
                self.complete(slot, part.text, out)
                if part.signed is not None:
                    self.lineup.sign(slot, part.signed, out)
            case ToolCall():
                self.complete(slot, part.arguments, out)
            case _:
                pass

    def done(self, index: int, raw: Raw, out: list[Event]) -> None:
        """An item ends, and is told whole."""
        head = members(raw)
        if head is None:
            return
        kind = string(head.get("type")) or ""
        item = self.find(index, string(head.get("id")))
        if item is None and (old := self._items.get(index)) is not None and old.kind == kind:
            return  # it has been told
        if item is not None and item.kind != kind:
            if index >= 0:
                self._abandon(item, out)
            item = None
        self._complete_item(item or self.added(index, raw, out), raw, out)

    def _complete_item(self, item: Item, raw: Raw, out: list[Event]) -> None:
        parts = parts_of(raw, self._setup)
        self._remember(members(raw) or {})
        self.searches += searched(raw)
        self.called = self.called or any(isinstance(part, ToolCall) for part in parts)
        if item.kind == "message" and item.slots:
            for place, part in enumerate(parts):
                if (slot := item.slots.get(place)) is not None:
                    self._fill(slot, part, out)
                else:
                    self._tell(item.place, part, out)
        elif item.slot is not None and len(parts) == 2:
            self._server_done(item.slot, parts, item.place, out)
        elif item.slot is not None:
            self._fill(item.slot, parts[0], out)
        else:
            for part in parts:
                self._tell(item.place, part, out)
        self._leave(item, out)

    def _server_done(self, slot: Slot, parts: list[Part], place: Place, out: list[Event]) -> None:
        call, result = parts
        self.complete(slot, getattr(call, "arguments", ""), out)
        self.lineup.end(slot, out)
        if isinstance(result, ServerToolResult):
            self._tell(place, replace(result, call_id=getattr(slot.part, "id", result.call_id)), out)

    def _tell(self, place: Place, part: Part, out: list[Event]) -> None:
        """A whole part."""
        slot: Slot | None = None
        for event in unfolded(0, part):
            match event:
                case PartStart():
                    slot = self.lineup.begin(place, event.part, out)
                case _ if slot is None:
                    return
                case PartStop():
                    self.lineup.end(slot, out)
                case SignatureDelta():
                    self.lineup.sign(slot, event.signed, out)
                case CitationDelta():
                    self.lineup.cite(slot, event.citation, out)
                case _:
                    self.lineup.grow(slot, getattr(event, "text", ""), out)

    def _abandon(self, item: Item, out: list[Event]) -> None:
        """An item that did not end: what its beginning said is all there is."""
        member = CALLS.get(item.kind, "")
        if item.slot is not None and member and not item.slot.told:
            self.lineup.grow(item.slot, string(item.head.get(member)) or "", out)
        self._leave(item, out)

    def _leave(self, item: Item, out: list[Event]) -> None:
        item.over = True
        self.lineup.leave(item.place, out)

    def finish(self, output: Raw | None, out: list[Event]) -> None:
        """The answer ends. `output` has all items once more, or none: what was not told yet is told from it."""
        whole = _items(output)
        for index, item in sorted(self._items.items()):
            if item.over:
                continue
            last = whole[index] if index < len(whole) else None
            if last is not None and string((members(last) or {}).get("type")) == item.kind:
                self._complete_item(item, last, out)
            else:
                self._abandon(item, out)
        told = set(self._items)
        for index, raw in enumerate(whole):
            head = members(raw)
            if index in told or head is None:
                continue
            if not {string(head.get("id")), string(head.get("call_id"))} & self._ids:
                self.done(index, raw, out)


def _items(output: Raw | None) -> list[Raw]:
    try:
        return [] if output is None else _LIST.decode(output)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return []


def _bare(part: Text | Refusal) -> Text | Refusal:
    """A part as it begins."""
    return replace(part, text="", citations=()) if isinstance(part, Text) else replace(part, text="")


def _finished(head: dict[str, Raw]) -> dict[str, Raw]:
    """The members of an item that has begun, as they will be when it has ended."""
    if bytes(head.get("status", b"")) != _IN_PROGRESS:
        return head
    return {**head, "status": _COMPLETED}
