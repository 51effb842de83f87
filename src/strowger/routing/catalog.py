"""The models that can be asked for, as `/v1/models` lists them in each dialect. Pure; listings are given in as data.

Must not know how a provider's list is fetched, nor keep it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from strowger.errors import BadRequest, Malformed, UnknownModel
from strowger.routing import aliases
from strowger.routing.table import RouteTable, Target

DEFAULT_LIMIT = 20
MAX_LIMIT = 1000


class Listed(msgspec.Struct, frozen=True):
    """A model as its provider lists it. `created` is in Unix seconds, 0 when it is not said."""

    id: str
    display_name: str = ""
    created: int = 0


class Entry(msgspec.Struct, frozen=True):
    """A model as we list it: the id to ask for, and where that leads. `discovery`: a second name, for Claude Code."""

    id: str
    provider: str
    model: str
    display_name: str = ""
    created: int = 0
    discovery: bool = False


def parse_listing(body: bytes) -> tuple[Listed, ...]:
    """A provider's answer to GET /models, in the shape of either dialect. Raises Malformed."""
    try:
        listing = msgspec.json.decode(body, type=_Listing)
    except msgspec.DecodeError as error:
        raise Malformed(f"the list of models cannot be read: {error}") from None
    # Google's compatible endpoint lists its ids with this prefix, and takes them without.
    return tuple(
        Listed(
            item.id.removeprefix("models/"),
            item.display_name or item.name or "",
            _seconds(item.created, item.created_at),
        )
        for item in listing.data
        if item.id
    )


def entries(table: RouteTable, listings: Mapping[str, Sequence[Listed]]) -> tuple[Entry, ...]:
    """Everything that can be asked for, no id twice: aliases, models named in the configuration, providers' own lists.

    `listings` is by provider; providers whose list could not be fetched are simply missing. A listed model goes by its
    own name where that leads to its provider, else by `provider:model`. Each entry that Claude Code would not show is
    followed by its discovery id.
    """
    found: dict[str, Entry] = {}
    for entry in _all(table, listings):
        found.setdefault(entry.id, entry)
    return tuple(found.values())


def anthropic_page(
    entries: Sequence[Entry], *, limit: int = DEFAULT_LIMIT, after_id: str | None = None, before_id: str | None = None
) -> bytes:
    """A page in Anthropic's shape. `limit` is cut to 1..1000. Raises BadRequest for a cursor that is no id of ours."""
    limit = max(1, min(limit, MAX_LIMIT))
    start, end = 0, len(entries)
    if after_id is not None:
        start = _position(entries, after_id, "after_id") + 1
    if before_id is not None:
        end = _position(entries, before_id, "before_id")
        start = max(start, end - limit)
    page = entries[start : min(end, start + limit)]
    has_more = start > 0 if before_id is not None else start + limit < end
    return msgspec.json.encode(
        {
            "data": [_anthropic(entry) for entry in page],
            "has_more": has_more,
            "first_id": page[0].id if page else None,
            "last_id": page[-1].id if page else None,
        }
    )


def openai_list(entries: Iterable[Entry]) -> bytes:
    """The whole list in OpenAI's shape, without the discovery ids, which are for Claude Code only."""
    return msgspec.json.encode({"object": "list", "data": [_openai(entry) for entry in entries if not entry.discovery]})


def find(entries: Iterable[Entry], model: str) -> Entry:
    """The entry of one id. Raises UnknownModel."""
    for entry in entries:
        if entry.id == model:
            return entry
    raise UnknownModel(f"there is no model `{model}`", hint="GET /v1/models lists what there is")


def anthropic_model(entry: Entry) -> bytes:
    """One model in Anthropic's shape."""
    return msgspec.json.encode(_anthropic(entry))


def openai_model(entry: Entry) -> bytes:
    """One model in OpenAI's shape."""
    return msgspec.json.encode(_openai(entry))


class _ListedItem(msgspec.Struct):
    id: str = ""
    display_name: str | None = None
    name: str | None = None
    created: int | float | str | None = None
    created_at: int | float | str | None = None


class _Listing(msgspec.Struct):
    data: list[_ListedItem]


def _all(table: RouteTable, listings: Mapping[str, Sequence[Listed]]) -> Iterator[Entry]:
    for alias, leads_to in table.aliases.items():
        provider, _, model = leads_to.partition(":")
        yield from _with_discovery(Entry(alias, provider, model, f"{alias} → {leads_to}"), aliases.discovery_id(alias))
    for name in table.literal_models():
        if (target := _target(table, name)) is not None:
            yield from _with_discovery(
                Entry(name, target.provider.name, target.model),
                aliases.discovery_id(target.model, target.provider.name),
            )
    for provider, listed in listings.items():
        if provider not in table.providers:
            continue
        for item in listed:
            entry = Entry(
                id=item.id if _leads_home(table, provider, item.id) else f"{provider}:{item.id}",
                provider=provider,
                model=item.id,
                display_name=item.display_name,
                created=item.created,
            )
            yield from _with_discovery(entry, aliases.discovery_id(item.id, provider))


def _leads_home(table: RouteTable, provider: str, model: str) -> bool:
    target = _target(table, model)
    return target is not None and target.provider.name == provider and target.model == model


def _target(table: RouteTable, model: str) -> Target | None:
    try:
        return table.match(model).targets[0]
    except UnknownModel:
        return None


def _with_discovery(entry: Entry, discovery_id: str) -> Iterator[Entry]:
    yield entry
    if not aliases.is_discoverable(entry.id):
        name = entry.display_name or f"{entry.model} ({entry.provider})"
        yield msgspec.structs.replace(entry, id=discovery_id, display_name=name, discovery=True)


def _position(entries: Sequence[Entry], model: str, parameter: str) -> int:
    for number, entry in enumerate(entries):
        if entry.id == model:
            return number
    raise BadRequest(f"`{parameter}` is no id of this list", param=parameter)


def _anthropic(entry: Entry) -> dict[str, object]:
    created = datetime.fromtimestamp(entry.created, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": "model", "id": entry.id, "display_name": entry.display_name or entry.id, "created_at": created}


def _openai(entry: Entry) -> dict[str, object]:
    return {"id": entry.id, "object": "model", "created": entry.created, "owned_by": entry.provider}


def _seconds(*values: float | str | None) -> int:
    """The first value that is a time, in Unix seconds. Some providers write a number, some RFC 3339."""
    for value in values:
        if isinstance(value, int | float) and 0 <= value < 253402300800:  # the year 10000
            return int(value)
        if isinstance(value, str):
            try:
                when = datetime.fromisoformat(value)
                return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
            except (ValueError, OverflowError):
                continue
    return 0
