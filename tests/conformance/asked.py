"""Recorded requests, translated: the target vendor's rules are kept, and what is said arrives or is named as a loss."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from anthropic.types.beta import message_create_params
from msgspec import Struct
from msgspec.structs import replace
from openai.types.chat import completion_create_params
from pydantic import TypeAdapter, ValidationError

from strowger.config.schema import ProviderConfig
from strowger.dialects.base import Capabilities, Loss, Rendered
from strowger.errors import GatewayError, Unsupported
from strowger.providers.base import build_provider
from strowger.providers.presets import PRESETS
from tests.conformance import lanes
from tests.conformance.asking import Item, compact, of, said
from tests.conformance.outcome import Outcome
from tests.conformance.recordings import OTHER, Asked, requests
from tests.fakes import anthropic_rules, chat_rules
from tests.fakes.flavours import DEEPSEEK, LOCAL, OPENAI, Flavour
from tests.fakes.refusal import Refusal

COLUMNS = (
    "recordings",
    "keeps the vendor's rules",
    "fits the SDK's types",
    "text",
    "tools",
    "tool calls",
    "results and pictures",
)


class Goal(Struct, frozen=True):
    """An upstream to translate for: a preset, or None for a server of which only the dialect is known."""

    label: str
    dialect: str
    preset: str | None
    model: str
    flavour: Flavour | None = None

    @property
    def caps(self) -> Capabilities:
        """What it accepts."""
        preset = PRESETS[self.preset] if self.preset else None
        base_url = preset.base_url if preset else "http://127.0.0.1:9/v1"
        config = ProviderConfig(preset=self.preset, dialect=self.dialect, base_url=base_url)  # type: ignore[arg-type]
        return build_provider("goal", config, env={}).capabilities(self.model)

    def check(self, body: Any) -> None:
        """Raise Refusal where the vendor would refuse."""
        if self.flavour is not None:
            chat_rules.check_request(body, self.flavour)
        else:
            headers = {"anthropic-version": "2023-06-01"}
            anthropic_rules.check_request(body, headers, anthropic_rules.Rules(any_model=True))


GOALS = (
    Goal("OpenAI, gpt-4.1", "openai_chat", "openai", "gpt-4.1", OPENAI),
    Goal("OpenAI, a reasoning model", "openai_chat", "openai", "gpt-5.2", OPENAI),
    Goal("DeepSeek", "openai_chat", "deepseek", "deepseek-chat", DEEPSEEK),
    Goal("any Chat server", "openai_chat", None, "some-model", LOCAL),
    Goal("Anthropic, newest", "anthropic", "anthropic", "claude-sonnet-5-5"),
    Goal("Anthropic, Claude 4.5", "anthropic", "anthropic", "claude-sonnet-4-5"),
    Goal("any Messages server", "anthropic", None, "claude-3-some-model"),
)


def translated(goal: Goal) -> Outcome:
    """Every recorded request that its own vendor accepted, for an upstream of the other dialect."""
    outcome = Outcome()
    for column in COLUMNS:
        outcome.count(column, False)
    source = OTHER[goal.dialect]
    found = requests(source)
    outcome.excluded = found.excluded.copy()
    for case in found.cases:
        if not case.answered:
            outcome.excluded["the vendor refused the request"] += 1
            continue
        try:
            request = lanes.DIALECTS[source].client.parse_request(case.body)
            rendered = lanes.rendered(replace(request, stream=True), goal.dialect, goal.caps, goal.model)
        except Unsupported as error:
            outcome.excluded[f"refused by us with a reason: {error.message}"] += 1
            continue
        except GatewayError as error:
            outcome.failures.append(f"{case.name}: {error.text}")
            continue
        outcome.count("recordings")
        outcome.lose(rendered.losses)
        _judge(outcome, goal, source, case, rendered)
    return outcome


def _judge(outcome: Outcome, goal: Goal, source: str, case: Asked, rendered: Rendered) -> None:
    body = json.loads(rendered.body)
    try:
        goal.check(body)
        wrong = []
    except Refusal as refusal:
        wrong = [refusal.message]
    outcome.check("keeps the vendor's rules", case.name, wrong)
    outcome.check("fits the SDK's types", case.name, _types(goal.dialect, body))
    before, after = said(source, json.loads(case.body)), said(goal.dialect, body)
    names = {original: sent for sent, original in rendered.names.items()}
    missing = [item for item in before if not _named(item, rendered.losses)]
    outcome.check("text", case.name, _texts(of(missing, "text"), after))
    outcome.check("tools", case.name, _tools(of(missing, "tool"), after, names))
    outcome.check("tool calls", case.name, _calls(of(missing, "call"), after, names))
    pictures = _pictures(of(missing, "image"), after)
    outcome.check("results and pictures", case.name, _inside(of(missing, "result"), after) + pictures)


def _named(item: Item, losses: tuple[Loss, ...]) -> bool:
    """Whether a loss covers the place where the item stood.

    For a picture it may be another place in its message: results are told apart from the rest before parts are counted.
    """
    paths = [loss.path.partition(".")[0] if item.kind == "image" else loss.path for loss in losses]
    return any(item.path == path or item.path.startswith((f"{path}.", f"{path}[")) for path in paths)


def _inside(items: list[Item], after: list[Item]) -> list[str]:
    """Texts that are not there, in whatever words around them."""
    texts = [item.value for item in after if item.kind in {"text", "result"}]
    wanted = [item for item in items if item.value.strip()]
    return [f"{item.path} is gone: {item.value[:60]!r}" for item in wanted if not _found(item.value.strip(), texts)]


def _found(text: str, texts: list[str]) -> bool:
    return any(text in one for one in texts)


def _texts(items: list[Item], after: list[Item]) -> list[str]:
    """Texts that are not there, and texts of user and model that have changed places."""
    wrong = _inside(items, after)
    texts = [item.value for item in after if item.kind == "text"]
    at = 0
    for item in items:
        text = item.value.strip()
        if not item.spoken or not text:
            continue
        place = next((i for i in range(at, len(texts)) if text in texts[i]), None)
        if place is None and _found(text, texts):
            wrong.append(f"{item.path} stands elsewhere: {text[:60]!r}")
        at = at if place is None else place
    return wrong


def _tools(items: list[Item], after: list[Item], names: dict[str, str]) -> list[str]:
    offered = {item.value for item in of(after, "tool")}
    return [f"{item.path} is gone: {item.value}" for item in items if names.get(item.value, item.value) not in offered]


def _calls(items: list[Item], after: list[Item], names: dict[str, str]) -> list[str]:
    """Calls that are not there; they keep their order."""
    made = iter([(item.value, compact(item.arguments)) for item in of(after, "call")])
    wrong = []
    for item in items:
        name = names.get(item.value, item.value)
        wanted = [(name, compact(form)) for form in _forms(item.arguments)]
        if not any(call in wanted for call in made):
            wrong.append(f"{item.path} is gone: {name}({compact(item.arguments)[:60]})")
            break
    return wrong


def _forms(arguments: Any) -> list[Any]:
    """What arguments may become where an object must be: none at all an empty one, text a member of one."""
    if isinstance(arguments, dict):
        return [arguments]
    return [arguments, {}] if arguments is None else [arguments, {"input": arguments}, {"raw_arguments": arguments}]


def _pictures(items: list[Item], after: list[Item]) -> list[str]:
    there = {item.value for item in of(after, "image")}
    return [f"{item.path} is gone: a picture" for item in items if item.value not in there]


@functools.cache
def _adapter(dialect: str) -> Callable[[Any], Any]:
    params: Any = (
        message_create_params.MessageCreateParamsStreaming
        if dialect == "anthropic"
        else completion_create_params.CompletionCreateParamsStreaming
    )
    return TypeAdapter(params).validate_python


def _types(dialect: str, body: Any) -> list[str]:
    """What does not fit the official SDK's types of a request (Anthropic: of its beta, which knows more)."""
    try:
        _walk(_adapter(dialect)(body))
    except ValidationError as error:
        first = error.errors()[0]
        return [f"{'.'.join(map(str, first['loc']))}: {first['msg']}"]
    return []


def _walk(value: Any) -> None:
    """Lists are checked by pydantic only as they are walked over."""
    if isinstance(value, dict):
        for member in value.values():
            _walk(member)
    elif not isinstance(value, str | bytes) and hasattr(value, "__iter__"):
        for item in value:
            _walk(item)
