"""A line of the log in the few words that a person at a terminal reads. Pure: the log's own plain data in, text out.

    09:41:07  claude-haiku-4-5 → deepseek:deepseek-v4-flash  200  1.3 s  tokens 812 in, 64 out
              lost: top_k (the provider has no such setting)
    09:41:09  warning: credential  note: the login of codex ends in 2 hours

Must not know flows or where the text goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

Fields = Mapping[str, Any]

_INDENT = " " * 10
_WORTH_TELLING_MS = 100


def told(clock: str, fields: Fields, level: str = "info", event: str = "call") -> str:
    """A call as one line, and one more for each thing that did not go as asked; anything else as its members.

    `clock` is the time of day.
    """
    if event == "call":
        # a line may be of another version of ours
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            return _call(clock, fields)
    return _members(clock, fields, level, event)


def _members(clock: str, fields: Fields, level: str, event: str) -> str:
    what = event if level in ("info", "debug") else f"{level}: {event}"
    known = ((name, _plain(value)) for name, value in fields.items())
    return _single("  ".join((clock, what, *(f"{name}: {text}" for name, text in known if text))))


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {text}" for name, each in value.items() if (text := _plain(each)))
    if isinstance(value, list | tuple):
        return ", ".join(text for each in value if (text := _plain(each)))
    return "" if value is None else str(value)


def _call(clock: str, fields: Fields) -> str:
    head = "  ".join((clock, _where(fields), _outcome(fields), *_measures(fields)))
    return "\n".join((_single(head), *(_INDENT + _single(line) for line in _remarks(fields))))


def _where(fields: Fields) -> str:
    asked = str(fields["model"] or fields["path"])
    tried = [_label(each) for each in fields["attempts"]]
    target = f"{fields['provider']}:{fields['upstream_model']}" if fields["provider"] else "".join(tried[-1:])
    caller = " (sub-agent)" if fields["agent_id"] else ""
    return f"{asked}{caller} → {target}" if target not in ("", asked) else f"{asked}{caller}"


def _outcome(fields: Fields) -> str:
    status, outcome = fields["status"], str(fields["outcome"])
    if outcome == "ok":
        return str(status)
    return f"{outcome}, {status}" if status else outcome


def _measures(fields: Fields) -> list[str]:
    milliseconds = float(fields["duration_ms"] or 0)
    found = [f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"]
    tokens: Mapping[str, int] = fields["tokens"]
    counted = [f"{tokens[key]:,} {word}" for key, word in (("input", "in"), ("output", "out")) if key in tokens]
    if counted and tokens.get("cache_read"):
        counted[0] += f" ({tokens['cache_read']:,} cached)"
    if counted:
        found.append(f"tokens {', '.join(counted)}")
    if fields.get("billing") == "metered" and fields.get("billed_usd"):
        dollars = float(fields["billed_usd"])
        found.append(f"${dollars:.4f}" if dollars < 1 else f"${dollars:,.2f}")
    return found


def _remarks(fields: Fields) -> list[str]:
    """Targets that were tried in vain, losses that have an effect, what went wrong."""
    error = fields["error"]
    vain = [each for each in fields["attempts"] if each["error"] and each["error"] != error]
    waited = sum(float(each.get("waited_ms") or 0) for each in fields["attempts"])
    lost = [loss for loss in fields["losses"] if loss["severity"] != "info"]
    return [
        *(f"{'tried' if each.get('asked', True) else 'passed over'} {_label(each)}: {each['error']}" for each in vain),
        *((f"waited {waited / 1000:.1f} s between the tries",) if waited >= _WORTH_TELLING_MS else ()),
        *(f"lost: {loss['path']} ({loss['reason']})" for loss in lost),
        *((str(error),) if error else ()),
        *((f"captured in {captured}",) if (captured := fields.get("error_file")) else ()),
        *(str(note) for note in fields["notes"]),
    ]


def _label(attempt: Fields) -> str:
    """`provider/account:model`."""
    provider, _, model = str(attempt["target"]).partition(":")
    account = attempt.get("account")
    return f"{provider}/{account}:{model}" if account else str(attempt["target"])


def _single(text: str) -> str:
    """Without line ends and other control characters: part of it was written by others."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
