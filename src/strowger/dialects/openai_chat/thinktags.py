"""Thinking that a model writes into its content, between `<think>` and `</think>`.

It counts only at the very start (after white space): later on it is the user's subject. The tags may be split over
any number of chunks.
"""

from __future__ import annotations

from enum import Enum

OPEN, CLOSE = "<think>", "</think>"


class _At(Enum):
    HEAD = 1
    INSIDE = 2
    AFTER = 3
    DONE = 4


class ThinkTags:
    """Splits content into stretches; each is (whether it is thinking, text)."""

    def __init__(self) -> None:
        self._at = _At.HEAD
        self._held = ""

    @property
    def done(self) -> bool:
        """Whether everything that follows is plain content."""
        return self._at is _At.DONE

    def split(self, text: str) -> list[tuple[bool, str]]:
        """The stretches that are certain after `text`."""
        text = self._held + text
        self._held = ""
        match self._at:
            case _At.HEAD:
                return self._head(text)
            case _At.INSIDE:
                return self._inside(text)
            case _At.AFTER:
                return self._after(text)
            case _At.DONE:
                return [(False, text)] if text else []

    def rest(self) -> list[tuple[bool, str]]:
        """What was held back, when nothing more comes or something else begins."""
        held, self._held = self._held, ""
        inside = self._at is _At.INSIDE
        self._at = _At.DONE
        return [(inside, held)] if held else []

    def _head(self, text: str) -> list[tuple[bool, str]]:
        stripped = text.lstrip()
        if stripped.startswith(OPEN):
            self._at = _At.INSIDE
            return self._inside(stripped[len(OPEN) :])
        if OPEN.startswith(stripped):  # also when there is nothing but white space
            self._held = text
            return []
        self._at = _At.DONE
        return [(False, text)]

    def _inside(self, text: str) -> list[tuple[bool, str]]:
        end = text.find(CLOSE)
        if end >= 0:
            self._at = _At.AFTER
            thought = [(True, text[:end])] if end else []
            return thought + self._after(text[end + len(CLOSE) :])
        for size in range(min(len(CLOSE) - 1, len(text)), 0, -1):
            if text.endswith(CLOSE[:size]):
                self._held = text[-size:]
                text = text[:-size]
                break
        return [(True, text)] if text else []

    def _after(self, text: str) -> list[tuple[bool, str]]:
        stripped = text.lstrip()
        if not stripped:
            return []
        self._at = _At.DONE
        return [(False, stripped)]


def split_whole(content: str) -> tuple[str, str, str] | None:
    """Thinking, its frame and the rest of a whole content; None when it does not begin with a tag.

    The frame is what stands around the thinking, so that `framed` gives the content back.
    """
    lead = content[: len(content) - len(content.lstrip())]
    if not content.startswith(OPEN, len(lead)):
        return None
    body = content[len(lead) + len(OPEN) :]
    thought, close, rest = body.partition(CLOSE)
    text = rest.lstrip()
    return thought, lead + OPEN + close + rest[: len(rest) - len(text)], text


def framed(thought: str, frame: str) -> str:
    """The inverse of `split_whole` for what stands before the text."""
    at = frame.find(OPEN) + len(OPEN)
    return frame[:at] + thought + frame[at:]
