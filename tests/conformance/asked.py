"""Recorded requests, translated: the target vendor's rules are kept, and what is said arrives or is named as a loss."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import Any

from anthropic.types.beta import message_create_params
from google.genai import types as google
from msgspec import Struct
from msgspec.structs import replace
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from strowger.config.schema import ProviderConfig
from strowger.dialects.base import Capabilities, Loss, Rendered
from strowger.errors import GatewayError, Unsupported
from strowger.providers.base import build_provider
from strowger.providers.presets import PRESETS
from tests.conformance import lanes
from tests.conformance.asking import Item, compact, leaves, of, said
from tests.conformance.outcome import WHOLE, Outcome
from tests.conformance.reading import parsed
from tests.conformance.recordings import SPOKEN, Asked, requests
from tests.fakes import anthropic_rules, chat_rules, gemini_flavours, gemini_rules, responses_flavours, responses_rules
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
    "refused with a reason",
    WHOLE,
)


class Goal(Struct, frozen=True):
    """An upstream to translate for: a preset, or None for a server of which only the dialect is known."""

    label: str
    dialect: str
    preset: str | None
    model: str
    rules: Callable[[Any, str], object]

    @property
    def caps(self) -> Capabilities:
        """What it accepts."""
        preset = PRESETS[self.preset] if self.preset else None
        base_url = preset.base_url if preset else "http://127.0.0.1:9/v1"
        config = ProviderConfig(preset=self.preset, dialect=self.dialect, base_url=base_url)  # type: ignore[arg-type]
        return build_provider("goal", config, env={}).capabilities(self.model)

    def check(self, body: Any) -> None:
        """Raise Refusal where the vendor would refuse."""
        self.rules(body, self.model)


def _chat_rules(flavour: Flavour) -> Callable[[Any, str], object]:
    return lambda body, _: chat_rules.check_request(body, flavour)


def _anthropic_rules(body: Any, _: str) -> None:
    headers = {"anthropic-version": "2023-06-01"}
    anthropic_rules.check_request(body, headers, anthropic_rules.Rules(any_model=True))


def _responses_rules(flavour: responses_flavours.ResponsesFlavour) -> Callable[[Any, str], object]:
    def judge(body: Any, _: str) -> None:
        responses_rules.check_request(body, flavour)
        responses_rules.check_history(body)

    return judge


def _gemini_rules(flavour: gemini_flavours.Flavour) -> Callable[[Any, str], object]:
    rules = gemini_rules.Rules(flavour, any_model=True)
    return lambda body, model: gemini_rules.check_request(body, gemini_flavours.model_of(model), rules)


_RESPONSES = _responses_rules(responses_flavours.OPENAI)
_GEMINI = _gemini_rules(gemini_flavours.GEMINI)
GOALS = tuple(
    goal
    for goal in (
        Goal("Anthropic, newest", "anthropic", "anthropic", "claude-sonnet-5-5", _anthropic_rules),
        Goal("Anthropic, Claude 4.5", "anthropic", "anthropic", "claude-sonnet-4-5", _anthropic_rules),
        Goal("any Messages server", "anthropic", None, "claude-3-some-model", _anthropic_rules),
        Goal("OpenAI, gpt-4.1", "openai_chat", "openai", "gpt-4.1", _chat_rules(OPENAI)),
        Goal("OpenAI, a reasoning model", "openai_chat", "openai", "gpt-5.2", _chat_rules(OPENAI)),
        Goal("DeepSeek", "openai_chat", "deepseek", "deepseek-chat", _chat_rules(DEEPSEEK)),
        Goal("any Chat server", "openai_chat", None, "some-model", _chat_rules(LOCAL)),
        Goal("OpenAI, gpt-4.1", "openai_responses", "openai-responses", "gpt-4.1", _RESPONSES),
        Goal("OpenAI, a reasoning model", "openai_responses", "openai-responses", "gpt-5.2", _RESPONSES),
        Goal("any Responses server", "openai_responses", None, "some-model", _RESPONSES),
        Goal("Google, Gemini 2.5", "gemini", "google", "gemini-2.5-flash", _GEMINI),
        Goal("Google, Gemini 3", "gemini", "google", "gemini-3-flash-preview", _GEMINI),
        Goal("any Gemini server", "gemini", None, "some-model", _GEMINI),
    )
    if goal.dialect in SPOKEN and (goal.preset is None or goal.preset in PRESETS)
)


def translated(source: str, goal: Goal) -> Outcome:
    """Every recorded request that its own vendor accepted, for an upstream of another dialect."""
    outcome = Outcome()
    for column in COLUMNS:
        outcome.count(column, False)
    for case in requests(source).cases:
        if not case.answered:
            continue
        outcome.count("recordings")
        try:
            request = lanes.parsed(source, case)
            rendered = lanes.rendered(replace(request, stream=True), goal.dialect, goal.caps, goal.model)
        except Unsupported as error:
            outcome.count("refused with a reason")
            outcome.refused[error.message] += 1
            continue
        except GatewayError as error:
            outcome.failures.append(f"{case.name}: {error.text}")
            continue
        outcome.lose(rendered.losses)
        _judge(outcome, goal, source, case, rendered)
    return outcome


def _judge(outcome: Outcome, goal: Goal, source: str, case: Asked, rendered: Rendered) -> None:
    body = json.loads(rendered.body)
    try:
        goal.check(body)
        wrong: list[str] = []
    except Refusal as refusal:
        wrong = [refusal.message]
    outcome.check("keeps the vendor's rules", case.name, wrong)
    outcome.check("fits the SDK's types", case.name, _types(goal.dialect, body))
    before, after = _said(source, case), said(goal.dialect, body)
    names = {original: sent for sent, original in rendered.names.items()}
    missing = [item for item in before if not _named(item, rendered.losses)]
    pictures = _pictures(of(missing, "image"), after)
    gone = {
        "text": _texts(of(missing, "text"), after),
        "tools": _tools(of(missing, "tool"), after, names) + _hosted(of(missing, "hosted"), after),
        "tool calls": _calls(of(missing, "call"), after, names),
        "results and pictures": _inside(of(missing, "result"), after) + pictures,
    }
    # Where the client's dialect has no `messages`, a loss tells its place in our own terms: it excuses one thing.
    excused = 0 if source in {"anthropic", "openai_chat"} else sum(_serious(loss) for loss in rendered.losses)
    for column, lines in gone.items():
        outcome.check(column, case.name, lines[excused:])
        excused = max(0, excused - len(lines))


def _serious(loss: Loss) -> bool:
    return loss.path.startswith(("messages[", "contents[", "input[")) and loss.severity != "info"


def _named(item: Item, losses: tuple[Loss, ...]) -> bool:
    """Whether a loss covers the place where the item stood.

    For a picture it may be another place in its message: results are told apart from the rest before parts are counted.
    """
    paths = [loss.path.partition(".")[0] if item.kind == "image" else loss.path for loss in losses]
    if item.kind == "tool" and "tool_choice.allowed_tools" in paths:
        return True
    if item.path == "web_search_options" and any(
        loss.path.startswith("tools") and loss.severity == "error" for loss in losses
    ):
        return True  # the member becomes a tool, and is lost as one
    return any(item.path == path or item.path.startswith((f"{path}.", f"{path}[")) for path in paths)


def _inside(items: list[Item], after: list[Item]) -> list[str]:
    """Texts that are not there, in whatever words around them."""
    texts = [item.value for item in after if item.kind in {"text", "result"}]
    wanted = [item for item in items if item.value.strip()]
    return [f"{item.path} is gone: {item.value[:60]!r}" for item in wanted if not _found(item.value.strip(), texts)]


def _found(text: str, texts: list[str]) -> bool:
    """Whether a text is in one of the others: as it is, inside of JSON, or, being JSON, leaf by leaf."""
    if any(text in one for one in texts):
        return True
    written = {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    if any(form in one for form in written for one in texts):
        return True
    value = parsed(text)
    return isinstance(value, dict | list) and all(any(leaf in one for one in texts) for leaf in leaves(value))


@functools.cache
def _said(source: str, case: Asked) -> list[Item]:
    return said(source, json.loads(case.body))


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


def _hosted(items: list[Item], after: list[Item]) -> list[str]:
    """Tools that run at the vendor: there is one of the other vendor's own for each that no loss is named for."""
    most = len(of(after, "hosted"))
    return [f"{item.path} is gone: the vendor's {item.value}" for item in items[most:]]


def _calls(items: list[Item], after: list[Item], names: dict[str, str]) -> list[str]:
    """Calls that are not there; they keep their order, and their ids where the dialect can hold them."""
    made, at = of(after, "call"), 0
    wrong = []
    for item in items:
        name = names.get(item.value, item.value)
        wanted = [compact(form) for form in _forms(item.arguments)]
        found = [i for i in range(at, len(made)) if made[i].value == name and compact(made[i].arguments) in wanted]
        if not found:
            wrong.append(f"{item.path} is gone: {name}({compact(item.arguments)[:60]})")
            continue
        at = next((i for i in found if made[i].id == item.id), found[0]) + 1
        kept = made[at - 1].id
        if item.id and item.id != kept and _ID.fullmatch(item.id) and len(item.id) <= _LONGEST_ID:
            wrong.append(f"{item.path}: {item.id} became {kept}")
    return wrong


_ID = re.compile("[a-zA-Z0-9_-]+")
_LONGEST_ID = 40
"""What every dialect can hold."""


def _forms(arguments: Any) -> list[Any]:
    """What arguments may become where an object must be: none at all an empty one, text a member of one."""
    if isinstance(arguments, dict):
        return [arguments]
    if arguments is None:
        return [arguments, {}]
    texts = [json.dumps(arguments), json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))]
    return [{key: form} for form in (arguments, *texts) for key in ("input", "raw_arguments")] + [arguments]


def _pictures(items: list[Item], after: list[Item]) -> list[str]:
    there = {item.value.translate(_STANDARD) for item in of(after, "image")}
    return [f"{item.path} is gone: a picture" for item in items if item.value.translate(_STANDARD) not in there]


_STANDARD = str.maketrans("-_", "+/", "=")
"""Protobuf's JSON takes base64 of either alphabet, and with or without its padding."""


class _GenerateContent(BaseModel):
    """A request to Gemini, of the SDK's types; the SDK has no type for the whole."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    contents: list[google.Content]
    system_instruction: google.Content | None = None
    tools: list[google.Tool] | None = None
    tool_config: google.ToolConfig | None = None
    generation_config: google.GenerationConfig | None = None
    safety_settings: list[google.SafetySetting] | None = None
    cached_content: str | None = None


_PARAMS: dict[str, Any] = {
    "anthropic": message_create_params.MessageCreateParamsStreaming,
    "openai_chat": completion_create_params.CompletionCreateParamsStreaming,
    "openai_responses": response_create_params.ResponseCreateParamsStreaming,
    "gemini": _GenerateContent,
}


@functools.cache
def _adapter(dialect: str) -> Callable[[Any], Any]:
    return TypeAdapter(_PARAMS[dialect]).validate_python


def _types(dialect: str, body: Any) -> list[str]:
    """What does not fit the official SDK's types of a request (Anthropic: of its beta, which knows more)."""
    try:
        _walk(_adapter(dialect)(_with_defaults(body) if dialect == "openai_responses" else body))
    except ValidationError as error:
        # of all that a union might have been, the one that it was nearly
        nearest = max(error.errors(), key=lambda found: len(found["loc"]))
        return [f"{'.'.join(map(str, nearest['loc']))[-80:]}: {nearest['msg']}"]
    return []


def _with_defaults(body: Any) -> Any:
    """With members that OpenAI's types of a Responses request insist on and its API does without, as clients do."""
    items = body["input"] if isinstance(body["input"], list) else []
    return {**body, "input": [_filled(item) for item in items]} if items else body


def _filled(item: Any) -> Any:
    member = "content" if "content" in item else "output"
    if not isinstance(item.get(member), list):
        return item
    added = {"id": "msg_0", "status": "completed", "type": "message"} if item.get("role") == "assistant" else {}
    defaults: dict[str, Any] = {"input_image": {"detail": "auto"}, "output_text": {"annotations": []}}
    return {**added, **item, member: [{**defaults.get(part["type"], {}), **part} for part in item[member]]}


def _walk(value: Any) -> None:
    """Lists are checked by pydantic only as they are walked over."""
    if isinstance(value, dict):
        for member in value.values():
            _walk(member)
    elif not isinstance(value, str | bytes) and hasattr(value, "__iter__"):
        for item in value:
            _walk(item)
