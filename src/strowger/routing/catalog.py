"""The models that can be asked for, as `/v1/models` lists them in each dialect. Pure; listings are given in as data.

Must not know how a provider's list is fetched, nor keep it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from strowger.errors import BadRequest, ClientError, ErrorKind, Malformed, UnknownModel
from strowger.routing import aliases
from strowger.routing.facts import UNKNOWN, Facts, known
from strowger.routing.table import RouteTable, Target

DEFAULT_LIMIT = 20
MAX_LIMIT = 1000
GEMINI_SIZE = 50
# What Codex keeps of the output of one tool, as for its own models.
_CODEX_TOOL_OUTPUT = 10_000


class Listed(msgspec.Struct, frozen=True):
    """A model as its provider lists it. `created` is in Unix seconds, 0 when it is not said. `efforts` are the words
    for how hard it shall think, none when nobody says. `hidden`: it is there, but not for users to choose. `lite`: the
    capability of this name, None when nobody says.
    """

    id: str
    display_name: str = ""
    created: int = 0
    facts: Facts = UNKNOWN
    efforts: tuple[str, ...] = ()
    hidden: bool = False
    lite: bool | None = None

    def told(self) -> dict[str, object]:
        """What this says of the model's capabilities."""
        told: dict[str, object] = {"efforts": self.efforts} if self.efforts else {}
        told |= {} if self.lite is None else {"lite": self.lite}
        return told | ({"images": False} if self.facts.images is False else {})


class Entry(msgspec.Struct, frozen=True):
    """A model as we list it: the id to ask for, and where that leads. `discovery`: a second name, for Claude Code.
    `efforts` are the words for how hard it shall think, weakest first.
    """

    id: str
    provider: str
    model: str
    display_name: str = ""
    created: int = 0
    discovery: bool = False
    facts: Facts = UNKNOWN
    efforts: tuple[str, ...] = ()


def parse_listing(body: bytes) -> tuple[Listed, ...]:
    """A provider's answer to GET /models, in the shape of any dialect. Raises Malformed."""
    try:
        listing = msgspec.json.decode(body, type=_Listing | list[_ListedItem])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"the list of models cannot be read: {error}") from None
    # OpenAI's and Anthropic's list is called `data`, Google's and Codex's `models`, Together's has no name.
    items = listing if isinstance(listing, list) else listing.data or listing.models
    if items is msgspec.UNSET:
        raise Malformed("the list of models holds no models")
    return tuple(_listed(item) for item in items if item.id or item.slug or item.name)


def _listed(item: _ListedItem) -> Listed:
    # Google lists its models as `models/…`, also on its compatible endpoint, and takes them without.
    name = (item.id or item.slug or item.name or "").removeprefix("models/")
    shown = item.display_name or item.displayName or (item.name if item.id else "") or ""
    levels = item.supported_reasoning_levels or []
    efforts = tuple(level.effort for level in levels if level.effort)
    hidden = item.visibility not in {None, "list"}
    seconds = _seconds(item.created, item.created_at)
    return Listed(name, shown, seconds, _facts(item), efforts, hidden, item.use_responses_lite)


def _facts(item: _ListedItem) -> Facts:
    served = item.top_provider or _Served()
    context = (
        item.context_length,
        item.context_window,
        item.max_context_length,
        item.max_model_len,
        item.max_input_tokens,
        item.inputTokenLimit,
    )
    output = (item.max_completion_tokens, served.max_completion_tokens, item.outputTokenLimit, item.max_tokens)
    takes = (item.architecture or _Architecture()).input_modalities or item.input_modalities
    images = "image" in takes if takes else item.supports_image_in
    return Facts(_first(context), _first(output), images)


def _first(values: Iterable[object]) -> int:
    return next((value for value in values if isinstance(value, int) and value > 0), 0)


def entries(table: RouteTable, listings: Mapping[str, Sequence[Listed]]) -> tuple[Entry, ...]:
    """Everything that can be asked for, no id twice: aliases, models named in the configuration, providers' own lists.

    `listings` is by provider; providers whose list could not be fetched are simply missing. A listed model goes by its
    own name where that leads to its provider, else by `provider:model`. Each entry that Claude Code would not show is
    followed by its discovery id.
    """
    found: dict[str, Entry] = {}
    facts = {(name, item.id): item.facts for name, listed in listings.items() for item in listed}
    for entry in _all(table, listings):
        found.setdefault(entry.id, _told(table, entry, facts.get((entry.provider, entry.model), UNKNOWN)))
    return tuple(found.values())


def _told(table: RouteTable, entry: Entry, facts: Facts) -> Entry:
    """The entry with what is known of its model."""
    provider = table.providers.get(entry.provider)
    if provider is None:
        return entry
    caps = provider.capabilities(entry.model)
    told = facts.completed(known(entry.model))
    if not caps.images:
        told = msgspec.structs.replace(told, images=False)
    return msgspec.structs.replace(entry, facts=told, efforts=caps.efforts)


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


def gemini_page(entries: Sequence[Entry], *, size: int = GEMINI_SIZE, token: str = "") -> bytes:
    """A page in Google's shape, without the discovery ids. The token is the id of the next model."""
    shown = [entry for entry in entries if not entry.discovery]
    start = _position(shown, token, "pageToken") if token else 0
    end = start + max(1, min(size, MAX_LIMIT))
    page: dict[str, object] = {"models": [_gemini(entry) for entry in shown[start:end]]}
    if end < len(shown):
        page["nextPageToken"] = shown[end].id
    return msgspec.json.encode(page)


def codex_list(entries: Iterable[Entry]) -> bytes:
    """The whole list in the shape that Codex asks for with `client_version`, and OpenAI's beside it."""
    shown = [entry for entry in entries if not entry.discovery]
    models = [_codex(number, entry) for number, entry in enumerate(shown)]
    return msgspec.json.encode({"models": models, "object": "list", "data": [_openai(entry) for entry in shown]})


def find(entries: Iterable[Entry], model: str) -> Entry:
    """The entry of one id. Raises ClientError, as for anything that is not there: nobody asked to be answered by it."""
    for entry in entries:
        if entry.id == model:
            return entry
    raise ClientError(
        f"there is no model `{model[:200]}`",
        kind=ErrorKind.NOT_FOUND,
        hint="GET /v1/models lists what there is",
        param="model",
        code="model_not_found",
    )


def anthropic_model(entry: Entry) -> bytes:
    """One model in Anthropic's shape."""
    return msgspec.json.encode(_anthropic(entry))


def openai_model(entry: Entry) -> bytes:
    """One model in OpenAI's shape."""
    return msgspec.json.encode(_openai(entry))


def gemini_model(entry: Entry) -> bytes:
    """One model in Google's shape."""
    return msgspec.json.encode(_gemini(entry))


class _Served(msgspec.Struct):
    max_completion_tokens: object = None


class _Architecture(msgspec.Struct):
    input_modalities: list[str] | None = None


class _Level(msgspec.Struct):
    effort: str = ""


class _ListedItem(msgspec.Struct):
    """One model in any vendor's list; the names are the vendors'."""

    id: str = ""
    slug: str = ""
    display_name: str | None = None
    displayName: str | None = None  # noqa: N815 - as Google writes it
    name: str | None = None
    created: int | float | str | None = None
    created_at: int | float | str | None = None
    context_length: object = None  # OpenRouter, Together, Moonshot
    context_window: object = None  # Groq, Codex
    max_context_length: object = None  # Mistral, LM Studio
    max_model_len: object = None  # vLLM
    max_input_tokens: object = None  # Anthropic
    inputTokenLimit: object = None  # noqa: N815 - as Google writes it
    max_completion_tokens: object = None  # Groq
    max_tokens: object = None  # Anthropic
    outputTokenLimit: object = None  # noqa: N815 - as Google writes it
    top_provider: _Served | None = None  # OpenRouter
    architecture: _Architecture | None = None  # OpenRouter
    input_modalities: list[str] | None = None  # Codex, and so the next three
    supported_reasoning_levels: list[_Level] | None = None
    use_responses_lite: bool | None = None
    visibility: str | None = None
    supports_image_in: bool | None = None  # Moonshot


class _Listing(msgspec.Struct):
    data: list[_ListedItem] | msgspec.UnsetType = msgspec.UNSET
    models: list[_ListedItem] | msgspec.UnsetType = msgspec.UNSET


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
            if item.hidden:
                continue
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
    shown: dict[str, object] = {
        "type": "model",
        "id": entry.id,
        "display_name": entry.display_name or entry.id,
        "created_at": created,
        "lifecycle": "active",
    }
    return shown | _named(entry, "max_input_tokens", "max_tokens")


def _openai(entry: Entry) -> dict[str, object]:
    shown: dict[str, object] = {
        "id": entry.id,
        "object": "model",
        "created": entry.created,
        "owned_by": entry.provider,
    }
    # OpenAI says no more; these are the names that OpenRouter gave them, and that clients know
    return shown | _named(entry, "context_length", "max_completion_tokens")


def _named(entry: Entry, context: str, output: str) -> dict[str, object]:
    """The two limits, as far as they are known."""
    told = {context: entry.facts.context, output: entry.facts.output}
    return {name: value for name, value in told.items() if value}


def _gemini(entry: Entry) -> dict[str, object]:
    shown: dict[str, object] = {
        "name": f"models/{entry.id}",
        "baseModelId": entry.id,
        "version": "1",
        "displayName": entry.display_name or entry.id,
        "description": f"{entry.model} of {entry.provider}",
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "thinking": bool(entry.efforts),
    }
    return shown | _named(entry, "inputTokenLimit", "outputTokenLimit")


def _codex(number: int, entry: Entry) -> dict[str, object]:
    """Codex reads all or nothing: a member that it misses in one model loses it the whole list (openai/codex,
    protocol/openai_models).
    """
    efforts = [word for word in entry.efforts if word != "none"]
    shown: dict[str, object] = {
        "slug": entry.id,
        "display_name": entry.display_name or entry.id,
        "description": f"{entry.model} of {entry.provider}",
        "supported_reasoning_levels": [{"effort": word, "description": f"{word} effort"} for word in efforts],
        "shell_type": "unified_exec",
        "visibility": "list",
        "supported_in_api": True,
        "priority": number,
        "availability_nux": None,
        "upgrade": None,
        "base_instructions": "",  # required by versions up to 0.15x
        "supports_reasoning_summaries": bool(efforts),
        "support_verbosity": False,
        "default_verbosity": None,
        "apply_patch_tool_type": None,
        "truncation_policy": {"mode": "tokens", "limit": _CODEX_TOOL_OUTPUT},
        "supports_parallel_tool_calls": True,
        "experimental_supported_tools": [],
        "input_modalities": ["text"] if entry.facts.images is False else ["text", "image"],
    }
    if efforts:
        shown["default_reasoning_level"] = "medium" if "medium" in efforts else efforts[-1]
    return shown | _named(entry, "context_window", "max_output_tokens")


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
