"""Answers that are referred to by their id: brings back what a client does not send again, keeps what it may ask for.

A client of the Responses dialect may send `previous_response_id` and only what is new. Towards an upstream that keeps
the conversation itself nothing is done; for every other one the items of the turns before are put in front. The bytes
of all items stay as they were. Must not know lanes: it sees what goes to the client.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from strowger.dialects.framing import FrameTooLargeError, SSEDecoder
from strowger.errors import BadRequest, ClientError, ErrorKind
from strowger.flows.conversations import Conversations, Turn, items_of
from strowger.gateway.delivery import Reply
from strowger.gateway.endpoints import RESPONSES, Call, Verb
from strowger.gateway.pulse import Spawn
from strowger.gateway.replies import Onward
from strowger.routing.table import Route
from strowger.upstreams.base import Headers

_MARK = b'"previous_response_id"'
_REFERENCE = b'"item_reference"'
_UNSTORED = b'"store"'
_ENDS = frozenset({"response.completed", "response.incomplete"})
_UNSEEN = ("conversation", "prompt")
# What an answer follows of which the vendor alone knows what was said: nobody else can go on from it.
_ELSEWHERE = "kept by the vendor"
_ITEM_DONE = "response.output_item.done"
_RESULTS = ("_call_output", "tool_search_output")
_STREAM_LIMIT = 64 * 1024 * 1024

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_NOTHING = Raw(b"null")


class _Ending(Struct):
    response: Raw


class _Item(Struct):
    item: Raw


class _Answer(Struct):
    id: str
    output: list[Raw] = []


class _Seen(Struct):
    type: str = ""
    id: str | None = None
    call_id: str | None = None


_ENDING = msgspec.json.Decoder(_Ending)
_SEEN = msgspec.json.Decoder(_Seen)
_ITEM = msgspec.json.Decoder(_Item)
_ANSWER = msgspec.json.Decoder(_Answer)


class Recalled(Struct, frozen=True):
    """A call with all that it refers to. `fresh` are the items of this turn, `previous` what it followed."""

    call: Call
    fresh: list[Raw]
    previous: str = ""
    store: bool = False


class Memory:
    """What has been answered, over all connections."""

    def __init__(self, conversations: Conversations, spawn: Spawn) -> None:
        self.conversations = conversations
        self._spawn = spawn

    async def recall(self, call: Call, owner: str, route: Route) -> Recalled | None:
        """The call with the turns before it, or None for a call that neither refers to one nor is to be kept.

        Raises BadRequest when what it refers to is not known, or not any more.
        """
        if call.endpoint.dialect != RESPONSES:
            return None
        refers = _MARK in call.body or _REFERENCE in call.body
        kept = call.endpoint.verb is Verb.CREATE and not call.endpoint.spot.form
        if not refers and (not kept or _is_unstored(call.body)):
            return None
        try:
            members = _MEMBERS.decode(call.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None  # whoever parses it says what is wrong
        store = kept and bytes(members.get("store", _NOTHING)) != b"false"
        fresh = items_of(members.get("input", Raw(b"[]")))
        previous = _text(members.get("previous_response_id", _NOTHING))
        if not previous and any(bytes(members.get(key, _NOTHING)) != b"null" for key in _UNSEEN):
            return Recalled(call, fresh, _ELSEWHERE, store)
        turns = await self.conversations.chain(previous, owner) if previous else []
        if not refers or (previous and _kept_there(route, turns)):
            return Recalled(call, fresh, previous, store)
        if turns is None:
            raise unknown(previous)
        if any(turn.is_pending() for turn in turns):
            raise BadRequest(
                f"Previous response with id '{previous[:100]}' is not complete.",
                hint="ask for it until it is, then go on from it",
                param="previous_response_id",
            )
        told = [await self._told(item, owner, route) for item in fresh] if _REFERENCE in call.body else fresh
        if not previous and told == fresh:
            return Recalled(call, fresh, store=store)
        history = [item for turn in turns for item in turn.items()]
        if previous:
            check_results(history, told)
        whole = replace(call, body=continued(members, history, told), follows=call.follows or previous)
        return Recalled(whole, told, previous, store)

    async def _told(self, item: Raw, owner: str, route: Route) -> Raw:
        """The item, or the one that it stands for where the target would not find that by itself.

        Raises ClientError for what nobody knows.
        """
        seen = _seen(item)
        if seen.type != "item_reference" or not seen.id:
            return item
        turn = await self.conversations.holder(seen.id, owner)
        if _kept_there(route, None if turn is None else [turn]):
            return item
        found = None if turn is None else turn.item(seen.id)
        if found is None:
            raise missing("Item", seen.id, param="input")
        return found

    def keep(self, recalled: Recalled, owner: str, provider: str, answer: bytes) -> None:
        """A turn that is over: known at once, on disk soon."""
        turn = Turn(
            id=_ANSWER.decode(answer).id,
            owner=owner,
            previous=recalled.previous,
            provider=provider,
            created=int(time.time()),
            input=msgspec.json.encode(recalled.fresh),
            response=answer,
        )
        self.update(turn)

    def update(self, turn: Turn) -> None:
        """A turn as it is now: known at once, on disk soon."""
        self.conversations.remember(turn)
        self._spawn(partial(self.conversations.write, turn))


def continued(members: dict[str, Raw], history: list[Raw], fresh: list[Raw], after: str = "") -> bytes:
    """A body that says all that has been said, and refers to nothing but what was said before that, if anything."""
    kept = {key: value for key, value in members.items() if key != "previous_response_id"}
    if after:
        kept["previous_response_id"] = Raw(msgspec.json.encode(after))
    return msgspec.json.encode({**kept, "input": [*history, *fresh]})


def check_results(history: list[Raw], fresh: list[Raw]) -> None:
    """Refuse the result of a call that nobody made, as the vendor does where it knows the whole conversation.

    Raises BadRequest. What was made shorter may have had the call.
    """
    results = [seen for seen in map(_seen, fresh) if seen.call_id and seen.type.endswith(_RESULTS)]
    if not results:
        return
    said = [*map(_seen, history), *map(_seen, fresh)]
    if any(seen.type.endswith("compaction") for seen in said):
        return
    made = {seen.call_id for seen in said if not seen.type.endswith(_RESULTS)}
    for result in results:
        if result.call_id not in made:
            raise BadRequest(
                f"No tool call found for function call output with call_id {str(result.call_id)[:100]}.",
                hint="the answer that `previous_response_id` names has no such call",
                param="input",
            )


def _seen(item: Raw) -> _Seen:
    try:
        return _SEEN.decode(item)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Seen()  # whoever parses it says what is wrong


def unknown(response_id: str) -> BadRequest:
    """The error for an id that leads nowhere, in the words by which clients know it."""
    return BadRequest(
        f"Previous response with id '{response_id[:100]}' not found.",
        hint="it has expired, was not stored, or is another client's: send the whole conversation as `input`",
        param="previous_response_id",
        code="previous_response_not_found",
    )


def missing(what: str, name: str, param: str | None = None) -> ClientError:
    """The error for a stored answer, or an item of one, that is not there."""
    return ClientError(
        f"{what} with id '{name[:100]}' not found.",
        kind=ErrorKind.NOT_FOUND,
        hint="it has expired, was not stored, or is another client's",
        param=param,
    )


def _kept_there(route: Route, turns: list[Turn] | None) -> bool:
    """Whether every target would find the turn by itself. The accounts of a vendor do not find each other's."""
    return all(
        target.provider.dialect == RESPONSES
        and len(target.provider.accounts) < 2
        and target.provider.capabilities(target.model).stateful
        and (turns is None or turns[-1].provider == target.provider.name)
        for target in route.targets
    )


def _is_unstored(body: bytes) -> bool:
    """Whether a body may say that it is not to be kept; a look that is right for most."""
    at = body.rfind(_UNSTORED)  # clients write it behind the conversation, which is long
    return at >= 0 and body[at + len(_UNSTORED) : at + len(_UNSTORED) + 12].replace(b" ", b"").startswith(b":false")


def _text(value: Raw) -> str:
    try:
        return msgspec.json.decode(value, type=str)
    except msgspec.MsgspecError:
        return ""


Heard = Callable[[bytes], None]


class Overheard(Onward):
    """A reply that is listened to: `answer` is the response object, once it has gone by, before the client has it.

    `heard` is called with it. What cannot be read is not kept, and passes all the same.
    """

    def __init__(self, reply: Reply, heard: Heard) -> None:
        super().__init__(reply)
        self._heard = heard
        self._frames = SSEDecoder(_STREAM_LIMIT)
        self._items: list[Raw] = []
        self._deaf = False
        self.answered = False
        """Whether an answer has gone by, whole."""

    async def write(self, data: bytes) -> None:
        """Listen, then pass on."""
        if not self._deaf:
            self._listen(data)
        await self.beneath.write(data)

    async def end(self, data: bytes = b"") -> None:
        """Listen to the last bytes, then pass them on."""
        if data and not self._deaf:
            self._listen(data)
        await self.beneath.end(data)

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Keep a whole answer, then pass it on."""
        if status == 200:
            self._take(body)
        await self.beneath.whole(status, headers, body)

    def _listen(self, data: bytes) -> None:
        try:
            for frame in self._frames.feed(data):
                kind = frame.event or _seen(Raw(frame.data)).type  # some servers write data alone
                if kind == _ITEM_DONE:
                    self._items.append(_ITEM.decode(frame.data).item)
                elif kind in _ENDS:
                    self._take(bytes(_ENDING.decode(frame.data).response))
        except (FrameTooLargeError, msgspec.DecodeError, UnicodeDecodeError):
            self._deaf = True

    def _take(self, answer: bytes) -> None:
        try:
            known = _ANSWER.decode(answer)
            if not known.output and self._items:  # some upstreams leave it empty, and clients do not mind
                answer = msgspec.json.encode({**_MEMBERS.decode(answer), "output": self._items})
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        self.answered = True
        self._heard(answer)
