"""One entry of `[[routes]]`, ready to be asked whether it fits a call: first the model, then what else is known of it.

Must not know the order in which rules are asked, nor the providers that they lead to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from strowger.config.schema import RouteConfig
from strowger.providers.base import matches
from strowger.routing.hints import Hints, Noticed

Told = Hints | Noticed


class Rule(Struct, frozen=True):
    """An entry, its globs as tuples; an empty one fits everything, as does None."""

    name: str
    to: str
    fallback: tuple[str, ...] = ()
    strict: bool = False
    models: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    subagent: bool | None = None
    agent_ids: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    prompt_over: int | None = None
    prompt_under: int | None = None
    efforts: tuple[str, ...] = ()
    thinking: bool | None = None
    plan: bool | None = None
    tools: tuple[str, ...] = ()
    images: bool | None = None

    def concerns(self, model: str) -> bool:
        """Whether it fits the model; the call may still be another."""
        return not self.models or _any(self.models, (model,))

    @property
    def asks(self) -> bool:
        """Whether it asks for anything besides the model."""
        return any(asks(self) for asks, _ in _CONDITIONS)

    def fits(self, call: Told) -> bool:
        """Whether all that it asks for besides the model holds."""
        return all(holds(self, call) for asks, holds in _CONDITIONS if asks(self))

    def beats_names(self, model: str) -> bool:
        """Whether it goes before a name that says itself where it goes."""
        return self.asks or model in self.models

    def described(self) -> dict[str, object]:
        """It as plain data, under the names that it has in the file."""
        return {
            "name": self.name,
            "model": self.models,
            "class": self.classes,
            "agent": self.agents,
            "subagent": self.subagent,
            "agent_id": self.agent_ids,
            "session": self.sessions,
            "prompt_over": self.prompt_over,
            "prompt_under": self.prompt_under,
            "effort": self.efforts,
            "thinking": self.thinking,
            "plan": self.plan,
            "tool": self.tools,
            "images": self.images,
            "to": self.to,
            "fallback": self.fallback,
        }


_Asks = Callable[[Rule], object]
_Holds = Callable[[Rule, Told], bool]
# What costs least to find out is asked first: headers, then sizes, then what stands in the body.
_CONDITIONS: tuple[tuple[_Asks, _Holds], ...] = (
    (lambda rule: rule.agent_ids, lambda rule, call: _any(rule.agent_ids, (call.agent_id,))),
    (lambda rule: rule.sessions, lambda rule, call: _any(rule.sessions, (call.session,))),
    (
        lambda rule: rule.prompt_over is not None,
        lambda rule, call: rule.prompt_over is not None and call.prompt > rule.prompt_over,
    ),
    (
        lambda rule: rule.prompt_under is not None,
        lambda rule, call: rule.prompt_under is not None and call.prompt < rule.prompt_under,
    ),
    (lambda rule: rule.subagent is not None, lambda rule, call: rule.subagent == call.subagent),
    (lambda rule: rule.classes, lambda rule, call: _any(rule.classes, call.classes())),
    (lambda rule: rule.agents, lambda rule, call: _any(rule.agents, (call.agent,))),
    (lambda rule: rule.efforts, lambda rule, call: _any(rule.efforts, (call.effort,))),
    (lambda rule: rule.thinking is not None, lambda rule, call: rule.thinking == call.thinking),
    (lambda rule: rule.plan is not None, lambda rule, call: rule.plan == call.plan),
    (lambda rule: rule.tools, lambda rule, call: _any(rule.tools, call.tools)),
    (lambda rule: rule.images is not None, lambda rule, call: rule.images == call.images),
)


def _any(globs: tuple[str, ...], words: Iterable[str]) -> bool:
    """Whether a glob fits a word; the words are asked for one by one."""
    return any(matches(glob, word) for word in words for glob in globs)


def rule(number: int, route: RouteConfig) -> Rule:
    """The entry of that number."""
    match = route.match
    return Rule(
        name=route.name or f"routes[{number}]",
        to=route.to,
        fallback=route.fallback,
        strict=route.strict,
        models=_globs(match.model),
        classes=_globs(match.request_class),
        agents=_globs(match.agent),
        subagent=match.subagent,
        agent_ids=_globs(match.agent_id),
        sessions=_globs(match.session),
        prompt_over=match.prompt_over,
        prompt_under=match.prompt_under,
        efforts=_globs(match.effort),
        thinking=match.thinking,
        plan=match.plan,
        tools=_globs(match.tool),
        images=match.images,
    )


def _globs(value: str | tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    return value
