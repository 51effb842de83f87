"""What is known of a call besides its model: what routes may ask.

`Hints` is all of it as plain data. `Noticed` is the same of a call that has come in: each piece is looked for when a
route asks for it, headers before the body, so that a call costs nothing where no route asks. Must not know routes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar, overload

from msgspec import Struct

from strowger.dialects.glance import Glance
from strowger.routing import roles
from strowger.routing.roles import AUXILIARY, COMPACTION, MAIN, SUBAGENT, TITLE, Role

# How User-Agents of agents begin whose calls are the conversation itself unless something tells otherwise.
_AGENTS = ("claude-cli", "codex", "geminicli", "opencode", "kimi-code", "qwencode")
# It says that plan mode has begun, but not that it is over (0.15).
_NO_END_OF_PLANNING = "qwencode"
_REQUEST_KIND = re.compile(r'"request_kind"\s*:\s*"(\w+)"')
# What Codex says of each request (seen in 0.169), and of its own chores among those of sub-agents (its source).
_CODEX_AGENT = "x-openai-subagent"
_CODEX_PARENT = "x-codex-parent-thread-id"
_CODEX_KINDS = {"turn": MAIN, "compaction": COMPACTION}
_CODEX_SUBAGENTS = {"compact": COMPACTION, "memory_consolidation": AUXILIARY}
_LONGEST = 200


_Value = TypeVar("_Value")


class _once(Generic[_Value]):  # noqa: N801 - reads as the decorator that it is
    """A property that is worked out at the first look: `functools.cached_property` without its lock, which costs more
    than most of these looks. One call is one task's.
    """

    def __init__(self, look: Callable[[Any], _Value]) -> None:
        self._look = look
        self._name = look.__name__
        self.__doc__ = look.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> _once[_Value]: ...
    @overload
    def __get__(self, owner: object, kind: type) -> _Value: ...
    def __get__(self, owner: object | None, kind: type) -> _Value | _once[_Value]:
        if owner is None:
            return self
        value = owner.__dict__[self._name] = self._look(owner)
        return value


class Hints(Struct, frozen=True):
    """What a client says, or shows; empty and false where it does not. `prompt` is in tokens, about."""

    request_class: str = ""
    agent: str = ""
    subagent: bool = False
    agent_id: str = ""
    session: str = ""
    effort: str = ""
    thinking: bool = False
    plan: bool = False
    prompt: int = 0
    tools: tuple[str, ...] = ()
    images: bool = False

    def classes(self) -> Iterator[str]:
        """What the call may be called, surest first: a title is a chore too."""
        return _with_kind(self.request_class)


NO_HINTS = Hints()


def _with_kind(request_class: str) -> Iterator[str]:
    yield request_class
    if request_class == TITLE:
        yield AUXILIARY


def _codex_class(said: Mapping[str, str]) -> str:
    """What Codex says that a request is for: in headers, or in a frame in members of the same names."""
    if agent := said.get(_CODEX_AGENT):
        return _CODEX_SUBAGENTS.get(agent, SUBAGENT)
    kind = _REQUEST_KIND.search(said.get("x-codex-turn-metadata", "")[:2000])
    return _CODEX_KINDS.get(kind[1], "") if kind is not None else ""


class Noticed:
    """The hints of one call. Header names are lower case; `session` is what its body says of the client's session,
    `compacts` that the URL alone says what it is for.
    """

    def __init__(
        self, headers: Mapping[str, str], body: bytes, *, session: str | None = None, compacts: bool = False
    ) -> None:
        self._headers = headers
        # The headers are those of a connection then, on which many calls come.
        self._framed = "sec-websocket-key" in headers
        self._glance = Glance(body)
        self._session = session
        self._compacts = compacts
        self._role: Role | None = None
        self._looked = False

    def _header(self, *names: str) -> str:
        for name in names:
            if value := self._headers.get(name):
                if value.isascii():
                    return value[:_LONGEST]
                # text even where its bytes are none: it is kept with the flow
                return value[:_LONGEST].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return ""

    # ---- by headers ----

    @_once
    def told_class(self) -> str:
        """What the headers, or the URL, say that the call is for."""
        # Claude Code, with CLAUDE_CODE_GATEWAY_HINT_HEADERS=1
        if told := self._header("x-claude-code-request-class"):
            return told
        if self._compacts or self._header("x-claude-code-compaction"):
            return COMPACTION
        if not self._framed and (of_codex := _codex_class(self._headers)):
            return of_codex
        # `claude` always names the agent (seen in 2.1.197 and 2.1.329), opencode the session that its own springs from
        return SUBAGENT if self._header("x-claude-code-agent-id", "x-parent-session-id") else ""

    @_once
    def told_agent(self) -> str:
        """What the headers say of the type of the sub-agent."""
        return self._header("x-claude-code-agent-type", *(() if self._framed else (_CODEX_AGENT,)))

    @_once
    def agent_id(self) -> str:
        """Which sub-agent is asking."""
        if own := self._header("x-claude-code-agent-id"):
            return own
        if self.told_class == SUBAGENT:
            return self._header("thread-id", "x-session-id")
        return self._glance.metadata.get("thread_id", "")[:_LONGEST] if self._framed and self.subagent else ""

    @_once
    def parent_agent_id(self) -> str:
        """Which sub-agent, or with opencode which session, has started the one that is asking; empty for the main."""
        if not self.agent_id:
            return ""
        if self._framed:
            found = self._glance.metadata.get(_CODEX_PARENT, "")[:_LONGEST]
        else:
            found = self._header("x-claude-code-parent-agent-id", _CODEX_PARENT, "x-parent-session-id")
        return "" if found == self.session else found  # Codex's main agent is the thread by which it names its session

    @_once
    def session(self) -> str:
        """The client's id of its session."""
        # with an underscore in older versions of Codex, and in what was written for ccproxy-api
        named = self._header("x-claude-code-session-id", "session-id", "x-session-id", "session_id")
        return named or self._session or ""

    # ---- by the body ----

    @property
    def role(self) -> Role | None:
        """What the body says, looked for once."""
        if not self._looked:
            said = self._glance.metadata if self._framed else {}
            found = _codex_class(said)
            role = Role(found, said.get(_CODEX_AGENT, "")) if found else roles.recognised(self._glance)
            self._looked, self._role = True, role
        return self._role

    def classes(self) -> Iterator[str]:
        """What the call may be called, surest first; the body is looked at only for who asks for more."""
        told = self.told_class
        if told:
            yield told
        # Claude Code calls a title a chore
        if told in {"", AUXILIARY}:
            found = self.role.request_class if self.role is not None else ""
            if not told:
                yield from _with_kind(found or (MAIN if self._is_agent() else ""))
            elif found == TITLE:
                yield TITLE

    def _is_agent(self) -> bool:
        return self._headers.get("user-agent", "").lower().startswith(_AGENTS)

    @_once
    def subagent(self) -> bool:
        """Whether a sub-agent is asking."""
        if self.told_class:
            return self.told_class == SUBAGENT or bool(self._header("x-claude-code-agent-id"))
        return self.role is not None and self.role.request_class == SUBAGENT

    @_once
    def agent(self) -> str:
        """The type of the sub-agent that is asking."""
        if self.told_agent or self.told_class not in {"", SUBAGENT}:
            return self.told_agent
        return self.role.agent if self.role is not None else ""

    @property
    def effort(self) -> str:
        """How hard the model shall think, in the client's words."""
        return self._glance.effort

    @property
    def thinking(self) -> bool:
        """Whether the model shall think before it answers."""
        return self._glance.thinking

    @_once
    def plan(self) -> bool:
        """Whether the client is in plan mode."""
        name = self._headers.get("user-agent", "").lower()
        return not name.startswith(_NO_END_OF_PLANNING) and roles.is_planning(self._glance)

    @property
    def prompt(self) -> int:
        """About how long the prompt is, in tokens."""
        return self._glance.tokens

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the tools that are offered."""
        return self._glance.tools

    @property
    def images(self) -> bool:
        """Whether there are pictures in the conversation."""
        return self._glance.images

    # ---- for the flow ----

    @property
    def known_class(self) -> str:
        """What the call is for, as far as it is known without another look."""
        if self._looked and self._role is not None and self.told_class in {"", AUXILIARY}:
            found = self._role.request_class
            return found if not self.told_class or found == TITLE else self.told_class
        return self.told_class

    @property
    def known_agent(self) -> str:
        """The type of the sub-agent, as far as it is known without another look."""
        return self.told_agent or (self._role.agent if self._role is not None else "")
