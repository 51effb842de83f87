"""Whether and how a model shall think, in the terms that one upstream takes.

Anthropic asks for thinking in two ways: `adaptive`, with an effort beside it, and `enabled` with a budget of tokens
that must leave room in `max_tokens`. Knows no other dialect's words beyond the IR's.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw, Struct

from strowger.dialects.anthropic.blocks import Json
from strowger.dialects.anthropic.fit import Fitting
from strowger.dialects.anthropic.wire import AS_WRITTEN, BUDGETS, MIN_THINKING_BUDGET, NAME, effort_of_budget
from strowger.dialects.efforts import EFFORTS, nearest
from strowger.ir.request import Reasoning, Request

_OFF: Json = {"type": "disabled"}


class Plan(Struct):
    """The `thinking` member, if any, and the effort that goes into `output_config`."""

    member: Json | None = None
    effort: str | None = None

    @property
    def on(self) -> bool:
        """Whether the model will think."""
        return self.member is not None and self.member["type"] != "disabled"


def plan(request: Request, turns: Sequence[Json], fitting: Fitting) -> Plan:
    """What to ask for. `turns` are the messages as they are written: a tool loop must have kept its thinking."""
    reasoning = request.reasoning
    if reasoning is None:
        return Plan()
    found = _own(reasoning, request, fitting) if request.origin == NAME else _foreign(reasoning, request, fitting)
    # a request of this dialect that kept its thinking and its mode is left to the vendor's judgement
    changed = not fitting.own or fitting.thinking_lost or reasoning.mode != "enabled"
    if changed and found.member is not None and found.member["type"] == "enabled" and _lacks_thinking(turns):
        fitting.lose(
            "thinking", "switched off for this request: the open tool loop has no thinking of this provider", "warning"
        )
        found.member = _OFF
    return found


def _own(reasoning: Reasoning, request: Request, fitting: Fitting) -> Plan:
    caps = fitting.caps
    effort = _clamped(reasoning.effort, fitting) if reasoning.effort is not None else None
    if reasoning.mode is None:
        return Plan(None, effort)
    if caps.thinking == "none":
        if reasoning.mode != "disabled":
            fitting.lose("thinking", "this model does not think on request", "warning")
        return Plan()
    if caps.thinking == "budget" and reasoning.mode not in {"enabled", "disabled"}:
        budget = _room(BUDGETS.get(reasoning.effort or "high", 24576), request, fitting)
        fitting.lose("thinking", "asked for with a budget: this model does not adapt by itself", "info")
        return Plan(None if budget is None else {"type": "enabled", "budget_tokens": budget}, effort)
    member: Json = {**fitting.extras(reasoning.extras, "thinking"), "type": reasoning.mode}
    if caps.thinking == "adaptive" and reasoning.mode == "enabled":
        fitting.lose("thinking.budget_tokens", "this model decides by itself; the budget became an effort", "info")
        member["type"] = "adaptive"
        if effort is None and reasoning.budget is not None:
            effort = _clamped(effort_of_budget(reasoning.budget), fitting)
    elif reasoning.budget is not None:
        member["budget_tokens"] = reasoning.budget
    if reasoning.display is not None and caps.betas:
        member["display"] = reasoning.display
    return Plan(member, effort)


def _foreign(reasoning: Reasoning, request: Request, fitting: Fitting) -> Plan:
    caps = fitting.caps
    fitting.extras(reasoning.extras, "reasoning")
    effort, budget = reasoning.effort, reasoning.budget
    if effort is None and budget is not None:
        effort = effort_of_budget(budget)
    off = reasoning.mode == "disabled" or effort == "none"
    if caps.thinking == "none":
        if not off:
            fitting.lose("reasoning", "this model does not think on request", "warning")
        return Plan()
    if off:
        return Plan(dict(_OFF))
    if caps.thinking not in {"adaptive", AS_WRITTEN}:  # budgets are what the older and the compatible ones know
        room = _room(budget or BUDGETS.get(effort or "medium", 8192), request, fitting)
        word = _clamped(effort, fitting) if effort is not None and caps.efforts else None
        return Plan(None if room is None else {"type": "enabled", "budget_tokens": room}, word)
    member: Json = {"type": "adaptive"}
    if caps.betas:
        member["display"] = reasoning.display or "summarized"  # newer models show nothing unless they are asked to
    return Plan(member, None if effort is None else _clamped(effort, fitting))


def _clamped(effort: str, fitting: Fitting) -> str | None:
    """The effort word, or the nearest that is accepted; None when none is."""
    efforts = fitting.caps.efforts
    if effort in efforts or (efforts and effort not in EFFORTS and fitting.own and fitting.caps.betas):
        return effort
    if not efforts:
        fitting.lose("effort", "this model takes no effort", "info")
        return None
    near = nearest(effort if effort in EFFORTS else "high", efforts)
    fitting.lose("effort", f'"{effort}" is not taken; "{near}" is the nearest', "info")
    return near


def _room(budget: int, request: Request, fitting: Fitting) -> int | None:
    """A budget that leaves a quarter of max_tokens for the answer; None when there is no room to think."""
    limit = request.max_tokens if request.max_tokens is not None else fitting.caps.default_max_tokens
    if fitting.caps.max_output_tokens:
        limit = min(limit, fitting.caps.max_output_tokens)
    if limit <= MIN_THINKING_BUDGET:
        fitting.lose("thinking", f"max_tokens of {limit} leaves no room for it", "warning")
        return None
    return max(MIN_THINKING_BUDGET, min(budget, limit * 3 // 4))


def _lacks_thinking(turns: Sequence[Json]) -> bool:
    """Whether a tool loop is open and its last turn of the assistant does not begin with thinking: refused then."""
    for turn in reversed(turns):
        blocks = turn["content"]
        if isinstance(blocks, str):
            return False
        kinds = [None if isinstance(block, Raw) else block["type"] for block in blocks]
        if turn["role"] == "user" and "tool_result" not in kinds:
            return False
        if turn["role"] == "assistant":
            return "tool_use" in kinds and kinds[0] not in {"thinking", "redacted_thinking"}
    return False
