"""What a launch is given, as routes: the kinds of model that agents ask for, and where each leads.

A slot is a name that is resolved anew for every call, so a session can be switched while it runs. Routes for sub-agents
and for requests that nobody waits for go first, as they depend on who asks; then the families by their names; last what
is left. A name that itself says where it goes is no kind of model, and keeps its way. Pure; must not know launches.
"""

from __future__ import annotations

from collections.abc import Iterator

from strowger.config.schema import Launching, Match, RouteConfig

# What Claude Code calls requests that no user waits for (x-claude-code-request-class).
_BACKGROUND = ("auxiliary", "side_reply", "title")
_FAMILIES = ("opus", "sonnet", "haiku")


def routes(launch: Launching) -> Iterator[RouteConfig]:
    """The routes of a launch, to go before those of the configuration."""
    models = launch.models
    if models.subagent:
        yield RouteConfig(match=Match(subagent=True), to=models.subagent, name="slot subagent")
    if models.background:
        yield RouteConfig(match=Match(request_class=_BACKGROUND), to=models.background, name="slot background")
        if not models.haiku:
            yield RouteConfig(match=Match(model="*haiku*"), to=models.background, name="slot background")
    for family in _FAMILIES:
        target: str | None = getattr(models, family)
        if target:
            yield RouteConfig(match=Match(model=f"*{family}*"), to=target, name=f"slot {family}")
    if rest := models.main or launch.via:
        yield RouteConfig(match=Match(model="*"), to=rest, name="slot main")
