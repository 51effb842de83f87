"""What a Responses server remembers: answers that were stored, what it handed out, and its seal. Knows no socket."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
from msgspec import Struct

from tests.fakes.refusal import Json, Refusal
from tests.fakes.responses_seal import Seal
from tests.fakes.responses_tables import ITEMS


class Answered(Struct):
    """A response that was given: the object, its events, what was asked anew and all that the model had before it."""

    response: Json
    events: list[Json]
    asked: list[Json]
    context: list[Json]
    pending: Json | None = None

    @property
    def id(self) -> str:
        """The response's id."""
        return str(self.response["id"])

    @property
    def history(self) -> list[Json]:
        """What a response that continues this one builds upon."""
        return [*self.context, *self.asked, *self.response["output"]]


class Ledger:
    """`replay`: within a tool loop the reasoning that came with a call has to come back, even where the vendor, which
    keeps nothing, would not notice its loss.
    """

    def __init__(self, account: str, *, replay: bool = True) -> None:
        self.seal = Seal(account)
        self.replay = replay
        self.stored: dict[str, Answered] = {}
        self._items: dict[str, Json] = {}
        self._reasons: dict[str, str] = {}

    def keep(self, answered: Answered) -> None:
        """Store a response and its items, as `store` asks for."""
        self.stored[answered.id] = answered
        self._items |= {item["id"]: item for item in (*answered.asked, *answered.response["output"]) if item.get("id")}
        self._reasons |= _pairs(answered.response["output"], "id")

    def hand_out(self, output: list[Json]) -> None:
        """Note which calls went out with sealed reasoning, stored or not."""
        if self.replay:
            self._reasons |= _pairs([item for item in output if item.get("encrypted_content") != ""], "call_id")

    def drop(self, response: str) -> Answered:
        """Forget a stored response; refused when there is none."""
        answered = self.find(response)
        del self.stored[response]
        return answered

    def find(self, response: str) -> Answered:
        """A stored response; refused when there is none."""
        if response not in self.stored:
            raise Refusal(f"Response with id '{response}' not found.", status=404)
        return self.stored[response]

    def item(self, identifier: str, *, storing: bool) -> Json:
        """A stored item; refused when there is none."""
        if identifier in self._items:
            return self._items[identifier]
        why = "" if storing else _NOT_KEPT
        raise Refusal(f"Item with id '{identifier}' not found.{why}", status=404, param="input")

    def reason_of(self, item: Json, *, in_loop: bool) -> str | None:
        """The reasoning item that has to stand before a call or message of ours, None when none has to."""
        by_id = self._reasons.get(item.get("id") or "")
        return by_id or (self._reasons.get(item.get("call_id") or "") if in_loop else None)


_NOT_KEPT = (
    " Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove this item"
    " from your input."
)


def _pairs(output: list[Json], member: str) -> dict[str, str]:
    """Which item (by a member) came right after which reasoning; calls in parallel share it."""
    pairs, reason = {}, None
    for item in output:
        if item["type"] == "reasoning":
            # Without the sealed content a client that keeps the state itself has nothing to bring back.
            reason = item["id"] if member == "id" or item.get("encrypted_content") else None
        elif reason is not None and item.get(member):
            pairs[item[member]] = reason
    return pairs


def named(given: str | list[Json] | None) -> list[Json]:
    """The input of a request as items with ids and content in parts, as `/input_items` tells it."""
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given or []
    return [_named(item) for item in items]


def _named(item: Json) -> Json:
    whole: Json = {"type": "message", **item}
    if whole["type"] == "message" and isinstance(whole["content"], str):
        part = "output_text" if whole["role"] == "assistant" else "input_text"
        whole["content"] = [{"type": part, "text": whole["content"]}]
    prefix = ITEMS[whole["type"]].prefix or "item"
    whole["id"] = whole.get("id") or fresh(prefix)
    return whole


def fresh(prefix: str) -> str:
    """A new id of a kind."""
    return f"{prefix}_{uuid.uuid4().hex}{uuid.uuid4().hex[:18]}"


def tokens(*values: Any) -> int:
    """About how many tokens some JSON is: a quarter of its bytes, and never none."""
    return sum(len(msgspec.json.encode(value)) for value in values if value) // 4 + 1
