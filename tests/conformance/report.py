"""Writes docs/reference/fidelity.md from a run over all recordings: `python -m tests.conformance.report`."""

from __future__ import annotations

import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from tests.conformance.outcome import Outcome
from tests.conformance.recordings import all_answers
from tests.conformance.sections import NAMES, SECTIONS, Section
from tests.shared import absent

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "fidelity.md"
HOW = "run `python -m tests.conformance.report`, and look at the difference"
_SEVERITIES = ("error", "warning", "info")
_HEAD = """\
# Fidelity

<!-- written by `python -m tests.conformance.report`; a test compares it with a run -->

What of a conversation survives the gateway, counted over {total} recorded calls of real providers and clients
({parts}), taken from public projects and kept outside of this repository. Nothing is left
out for being odd: what cannot be judged is listed under its table with the reason, which is computed from the
recording.

Each answer is read three times: plainly, by code that was written for this page from the vendors' documentation; by
our decoder; and by the official SDKs (anthropic {anthropic}, openai {openai}). A row is good when each of its columns
equals the number of recordings.
"""
_LOSSES = """\
What cannot be carried is never dropped silently: it is a loss, on the flow and in the header `x-strowger-losses`.
`error`: the meaning changes, and a strict route refuses the call. `warning`: the answer may differ. `info`: no effect
is expected. Counted are recordings.
"""


def page(outcomes: dict[str, list[Outcome]]) -> str:
    """The whole page."""
    sizes = {dialect: len(all_answers(dialect)) for dialect in NAMES}
    parts = " and ".join(f"{count} in {NAMES[dialect]}" for dialect, count in sizes.items())
    head = _HEAD.format(
        total=sum(sizes.values()), parts=parts, anthropic=version("anthropic"), openai=version("openai")
    )
    return "\n".join([head, *(text(section, outcomes[section.key]) for section in SECTIONS)])


def text(section: Section, outcomes: list[Outcome]) -> str:
    """One section: its table, what was left out, and its losses."""
    columns = list(dict.fromkeys(column for outcome in outcomes for column in outcome.counts))
    lines = [f"## {section.title}", "", section.about, "", _row(["", *columns]), _rule(len(columns))]
    for part, outcome in zip(section.parts, outcomes, strict=True):
        lines.append(_row([part.label, *(str(outcome.counts.get(column, "–")) for column in columns)]))
    lines += _excluded(section, outcomes)
    groups = dict.fromkeys(part.losses for part in section.parts if part.losses)
    if groups:
        lines += ["", _LOSSES.rstrip()]
    for group in groups:
        chosen = [
            (part.label, outcome) for part, outcome in zip(section.parts, outcomes, strict=True) if part.losses == group
        ]
        lines += ["", f"### Losses: {group}", "", *_losses(chosen)]
    return "\n".join([*lines, ""])


def _excluded(section: Section, outcomes: list[Outcome]) -> list[str]:
    lines = [
        f"* {part.label}: {count} ({reason})"
        for part, outcome in zip(section.parts, outcomes, strict=True)
        for reason, count in sorted(outcome.excluded.items())
    ]
    return ["", "Left out:", "", *lines] if lines else []


def _losses(chosen: list[tuple[str, Outcome]]) -> list[str]:
    """A row for each kind of loss, a column for each part."""
    total = sum((outcome.losses for _, outcome in chosen), Counter[tuple[str, str]]())
    ordered = sorted(total, key=lambda kind: (_SEVERITIES.index(kind[0]), -total[kind], kind[1]))
    lines = [_row(["severity", "what", *(label for label, _ in chosen)]), _rule(len(chosen), 2)]
    for kind in ordered:
        severity, what = kind
        lines.append(_row([severity, f"`{what}`", *(str(outcome.losses[kind]) for _, outcome in chosen)]))
    return lines


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _rule(numbers: int, words: int = 1) -> str:
    return _row(["---"] * words + ["--:"] * numbers)


def run(section: Section) -> list[Outcome]:
    """The outcomes of a section, part by part."""
    return [part.run() for part in section.parts]


def failures(outcomes: list[Outcome]) -> str:
    """What failed, for an assertion; empty when nothing did."""
    return "\n".join(outcome.told() for outcome in outcomes if outcome.failures)


def committed() -> str:
    """The page as it is in the repository."""
    return PAGE.read_text("utf-8") if PAGE.exists() else ""


def main() -> int:
    """Run everything and write the page. 1 when something failed."""
    if (why := absent()) is not None:
        print(why, file=sys.stderr)
        return 1
    outcomes = {}
    for section in SECTIONS:
        print(section.title, flush=True)
        outcomes[section.key] = run(section)
    failed = "\n".join(told for found in outcomes.values() if (told := failures(found)))
    print(failed)
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(outcomes), "utf-8")
    print(f"wrote {PAGE.relative_to(Path.cwd()) if PAGE.is_relative_to(Path.cwd()) else PAGE.name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
