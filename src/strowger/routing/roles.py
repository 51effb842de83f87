"""What part a call plays in its client's work, read off its body: for clients that do not say so in their headers.

Data: the beginnings of the prompts with which agents ask for a title, a summary or a chore, and of those that they give
their sub-agents, each seen in the program itself or in what it sent. What begins otherwise is not guessed at: a call
that somebody waits for must not be taken for a chore. Must not know routes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from strowger.dialects.glance import Glance

MAIN, SUBAGENT, COMPACTION, AUXILIARY, TITLE = "main", "subagent", "compaction", "auxiliary", "title"


class Role(Struct, frozen=True):
    """A class of requests; for a sub-agent, its type where the prompt tells."""

    request_class: str
    agent: str = ""


class _Sign(Struct, frozen=True):
    """How a text begins, in the system prompt or in the last message of the user, and what that means."""

    where: Literal["system", "last"]
    begins: str
    role: Role


def _signs(where: Literal["system", "last"], role: Role, *begins: str) -> Iterator[_Sign]:
    for text in begins:
        yield _Sign(where, text, role)


_SIGNS: tuple[_Sign, ...] = (
    *_signs(
        "system",
        Role(TITLE),
        "You are naming a coding session",  # Claude Code 2.1.329
        "Generate a concise, sentence-case title",  # Claude Code 2.1.197
        "Analyze if this message indicates a new conversation topic",  # Claude Code 1 and 2.0, so the next
        "Summarize this coding conversation in under 50 characters",
        "You are a title generator",  # opencode 1.18
    ),
    *_signs(
        "last",
        Role(TITLE),
        "Please write a 5-10 word title for the following conversation",  # Claude Code 1 and 2.0
        "Generate the session title now",  # qwen-code 0.15
    ),
    *_signs(
        "last",
        Role(COMPACTION),
        "CRITICAL: Respond with TEXT ONLY",  # Claude Code 2.1
        "Your task is to create a detailed summary of the conversation so far",  # Claude Code 1 and 2.0
        "You are performing a CONTEXT CHECKPOINT COMPACTION",  # Codex 0.169
        "You are about to run out of context. Create a handoff summary",  # kimi-code 2.1
    ),
    *_signs(
        "system",
        Role(COMPACTION),
        "You are a context summarization agent",  # opencode 1.18
        "You are a context summarization assistant",  # pi 0.73
        "You are a specialized system component responsible for distilling chat history",  # Gemini CLI 0.61
        "You are the component that summarizes internal chat history",  # qwen-code 0.15
        "*Briefly* summarize this partial conversation about programming",  # aider 0.86
    ),
    *_signs(
        "system",
        Role(AUXILIARY),
        "Your task is to process Bash commands that an AI coding agent wants to run",  # Claude Code 1 and 2.0
        "Extract any file paths that this command reads or modifies",  # so too
        "You are an expert at analyzing git history",
        "You are an assistant for performing a web search tool use",  # Claude Code 1 to 2.1
        "You are a specialized Task Routing AI",  # Gemini CLI 0.61
        "You are an expert software engineer that generates concise, one-line Git commit messages",  # aider 0.86
    ),
    *_signs("last", Role(AUXILIARY), "Web page content:\n---"),  # Claude Code's WebFetch
    *_signs("system", Role(SUBAGENT, "Explore"), "You are a file search specialist"),  # Claude Code 2, and so on
    *_signs("system", Role(SUBAGENT, "Plan"), "You are a software architect and planning specialist"),
    *_signs("system", Role(SUBAGENT, "general-purpose"), "You are an agent for Claude Code"),
)
# More than any beginning has, and than the attribution block; some have a line break before it.
_LONGEST = 500

# Claude Code's attribution block, the first of the system prompt, of its sub-agents (2.1.197).
_ATTRIBUTION = "x-anthropic-billing-header:"
_OF_SUBAGENT = "cc_is_subagent=true"

# What tells that plan mode has begun, and that it is over; in what the user, or the client in his name, has said.
_PLANNING = (
    "Plan mode is active. The user indicated that they do not want you to execute yet",  # Claude Code 1 to 2.1.329
    "Plan mode still active (see full instructions earlier in conversation)",
    "Plan mode is active. You MUST NOT make any edits",  # kimi-code 2.1
    "CRITICAL: Plan mode ACTIVE - you are in READ-ONLY phase",  # opencode 1.18
    "You are in **Plan Mode** until a developer message explicitly ends it",  # Codex 0.169
    "# Active Approval Mode: Plan",  # Gemini CLI 0.61
)
_ACTING = (
    "You have exited plan mode",
    "Plan mode is no longer active",
    "Your operational mode has changed from plan to build",
    "# Collaboration Mode: Default",
)
_PLANNING_WRITTEN = tuple(text.encode() for text in _PLANNING)


def recognised(glance: Glance) -> Role | None:
    """The part that a call plays, or None where nothing tells: then it is most likely the conversation itself."""
    system, last = _beginnings(glance.system), _beginnings(glance.last)
    for sign in _SIGNS:
        if any(text.startswith(sign.begins) for text in (system if sign.where == "system" else last)):
            return sign.role
    if any(text.startswith(_ATTRIBUTION) and _OF_SUBAGENT in text for text in system[:1]):
        return Role(SUBAGENT)
    return None


def _beginnings(texts: Iterable[str]) -> list[str]:
    return [text[:_LONGEST].lstrip() for text in texts]


def is_planning(glance: Glance) -> bool:
    """Whether the client is in plan mode: the last that was said about it counts, as it stays in the conversation."""
    if not any(text in glance.raw for text in _PLANNING_WRITTEN):
        return False
    for text in glance.told():
        begun = max(text.rfind(mark) for mark in _PLANNING)
        ended = max(text.rfind(mark) for mark in _ACTING)
        if begun >= 0 or ended >= 0:
            return begun > ended
    return False
