"""Writes docs/reference/fidelity.md from a run over all recordings: `python -m tests.conformance.report`."""

from __future__ import annotations

import re
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path

from tests.conformance.outcome import WHOLE, Outcome
from tests.conformance.recordings import SPOKEN, all_answers
from tests.conformance.sections import NAMES, SECTIONS, Section, answers_label
from tests.conformance.shapes import Taken
from tests.shared import absent

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "fidelity.md"
HOW = "run `python -m tests.conformance.report`, and look at the difference"
Table = dict[str, dict[str, str]]
"""Cells by row and column."""
_SEVERITIES = ("error", "warning", "info")
_HEAD = """\
# Fidelity

<!-- written by `python -m tests.conformance.report`; tests compare it with a run -->

What of a conversation survives the gateway, counted over {total} recorded calls of real providers and clients
({parts}),
taken from public projects and kept outside of this repository. No recording is left out for being odd: what cannot be
judged is counted with the reason, which is computed from the recording.
"""
_SUMMARY = """\
## At a glance

**Answers.** A row for what the upstream speaks, a column for what the client speaks. Each answer is delivered to a
client that wants a stream and to one that wants a body. The first number counts the deliveries that the official SDK
of the client's dialect accepts and whose text, thinking, tool calls (names, ids, arguments), order, stop reason and
token counts are those of the recording, or that fail as the recording does; the second those that lose nothing else
either (a citation, the log of a search that ran at the vendor). Where both speak one dialect, the bytes are the same.

{answers}

**Requests.** A row for what the client speaks, a column for what the upstream speaks. The first number counts the
requests that keep every rule of the vendor that our strict fakes know, fit the types of its SDK and say all that the
client said (or name what they could not say); the second those that lose nothing that could matter; the third those
that are refused with a reason, because going on would be a lie. Each request is counted for every kind of upstream
listed below.

{requests}
"""
_READ = """\
## How to read the rest

Each answer is read three times: plainly, by code that was written for this page from the vendors' documentation; by
our decoder; and by the official SDKs (anthropic {anthropic}, openai {openai}, google-genai {genai}). Streams must also
be well formed beyond what the SDKs insist on: numbers without gaps, ids that stay, an end that repeats what was said.
A column counts the recordings for which it holds, so a row is good when they are all equal; – where there is nothing
to tell (the order of things in a Chat body). Requests are judged by the rules of the vendors as our strict fakes know
them, and by the types of the SDKs; what a request says arrives, or is named as a loss at its place.

What cannot be carried is never dropped silently: it is a loss, on the flow and in the header `x-strowger-losses`.
`error`: the meaning changes, and a strict route refuses the call. `warning`: the answer may differ. `info`: no effect
is expected. `{whole}` counts recordings without errors and warnings. The tables of losses count recordings.
"""


def page(outcomes: dict[str, list[Outcome]]) -> str:
    """The whole page."""
    sizes = {dialect: len(all_answers(dialect)) for dialect in SPOKEN}
    *most, last = (f"{count} in {NAMES[dialect]}" for dialect, count in sizes.items())
    head = _HEAD.format(total=sum(sizes.values()), parts=f"{', '.join(most)} and {last}")
    sdks = {name: version(name.replace("genai", "google-genai")) for name in ("anthropic", "openai", "genai")}
    texts = [text(section, outcomes[section.key]) for section in SECTIONS]
    told = summary(tables("\n".join(texts)))
    return "\n".join([head, told, _READ.format(whole=WHOLE, **sdks), *texts])


def summary(found: dict[str, Table]) -> str:
    """The two matrices, from the tables of the sections."""
    answers = [[NAMES[u], *(_answers(found, u, c) for c in SPOKEN)] for u in SPOKEN]
    requests = [[NAMES[c], *(_requests(found, c, u) for u in SPOKEN)] for c in SPOKEN]
    names = [NAMES[dialect] for dialect in SPOKEN]
    return _SUMMARY.format(
        answers=_lines([["upstream ↓ client →", *names], *answers]),
        requests=_lines([["client ↓ upstream →", *names], *requests]),
    )


def _answers(found: dict[str, Table], upstream: str, client: str) -> str:
    name = NAMES[upstream]
    if upstream == client:
        rows = [found["Answers that pass untouched"][f"{name} {shape}"] for shape in ("streams", "bodies", "errors")]
        return f"{_sum(rows, 'equal by hash')} of {_sum(rows, 'recordings')} untouched"
    table = found[f"{name} answers, translated"]
    forms = ("stream", "body")
    rows = [table[answers_label(upstream, form, client, wanted)] for form in forms for wanted in forms]
    good = sum(
        _worst(row, {"recordings", "failed as it should", WHOLE}) + int(row["failed as it should"]) for row in rows
    )
    return f"{good} of {_sum(rows, 'recordings')}, {_sum(rows, WHOLE)} whole"


def _requests(found: dict[str, Table], client: str, upstream: str) -> str:
    name = NAMES[client]
    if upstream == client:
        row = found["Requests that pass untouched"][f"{name} requests"]
        return f"{row['equal by hash']} of {row['recordings']} untouched"
    table = found[f"{name} requests, translated"]
    rows = [row for label, row in table.items() if label.startswith(f"→ {NAMES[upstream]}:")]
    good = sum(_worst(row, {"recordings", WHOLE, "refused with a reason"}) for row in rows)
    refused = _sum(rows, "refused with a reason")
    return f"{good} of {_sum(rows, 'recordings')}, {_sum(rows, WHOLE)} whole, {refused} refused"


def _worst(row: dict[str, str], besides: set[str]) -> int:
    return min(int(cell) for column, cell in row.items() if column not in besides and cell.isdigit())


def _sum(rows: list[dict[str, str]], column: str) -> int:
    return sum(int(row[column]) for row in rows)


def tables(told: str) -> dict[str, Table]:
    """The first table of each section of a page, by its title."""
    found: dict[str, Table] = {}
    for block in re.split(r"^## ", told, flags=re.MULTILINE)[1:]:
        rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in _first_table(block)]
        if rows:
            found[block.partition("\n")[0]] = {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows[2:]}
    return found


def _first_table(block: str) -> list[str]:
    lines = block.partition("\n### ")[0].splitlines()
    return [line for line in lines if line.startswith("|")]


def text(section: Section, outcomes: list[Outcome]) -> str:
    """One section: its table, what was left out or refused, and its losses."""
    columns = list(dict.fromkeys(column for outcome in outcomes for column in outcome.counts))
    rows = [[part.label, *cells(outcome, columns)] for part, outcome in zip(section.parts, outcomes, strict=True)]
    lines = [f"## {section.title}", "", section.about, "", _lines([["", *columns], *rows])]
    both = list(zip(section.parts, outcomes, strict=True))
    for title, tell in (("Left out:", _excluded), ("Refused:", _refused)):
        told = [line for part, outcome in both for line in tell(part.label, outcome)]
        lines += ["", title, "", *told] if told else []
    for group in section.groups:
        lines += losses(section, group, [outcome for part, outcome in both if part.group == group])
    return "\n".join([*lines, ""])


def cells(outcome: Outcome, columns: list[str]) -> list[str]:
    """The cells of a row."""
    return [str(outcome.counts.get(column, "–")) for column in columns]


def notes(label: str, outcome: Outcome) -> list[str]:
    """The lines below a table that belong to a row."""
    return _excluded(label, outcome) + _refused(label, outcome)


def _excluded(label: str, outcome: Outcome) -> list[str]:
    return [f"* {label}: {count} ({reason})" for reason, count in sorted(outcome.excluded.items())]


def _refused(label: str, outcome: Outcome) -> list[str]:
    return [f"* {label}: {count} ({reason})" for reason, count in sorted(outcome.refused.items())]


def losses(section: Section, group: str, outcomes: list[Outcome]) -> list[str]:
    """A row for each kind of loss, a column for each part of the group."""
    labels = [part.label for part in section.parts if part.losses == group]
    total = sum((outcome.losses for outcome in outcomes), Counter[tuple[str, str]]())
    if not labels or not total:
        return []
    ordered = sorted(total, key=lambda kind: (_SEVERITIES.index(kind[0]), -total[kind], kind[1]))
    rows = [
        [severity, f"`{what}`", *(str(outcome.losses[severity, what]) for outcome in outcomes)]
        for severity, what in ordered
    ]
    return ["", f"### Losses: {group}", "", _lines([["severity", "what", *labels], *rows], 2)]


def _lines(rows: list[list[str]], words: int = 1) -> str:
    rule = ["---"] * words + ["--:"] * (len(rows[0]) - words)
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in (rows[0], rule, *rows[1:])
    )


def run(section: Section, group: str | None = None) -> list[Outcome]:
    """The outcomes of a section, or of a group of its rows, part by part."""
    return [part.run() for part in section.parts if group in {None, part.group}]


def failures(outcomes: list[Outcome]) -> str:
    """What failed, for an assertion; empty when nothing did."""
    return "\n".join(outcome.told() for outcome in outcomes if outcome.failures)


def committed() -> str:
    """The page as it is in the repository."""
    return PAGE.read_text("utf-8") if PAGE.exists() else ""


def out_of_date(section: Section, group: str, outcomes: list[Outcome]) -> list[str]:
    """What the page does not say, or says otherwise, of a group of rows."""
    told = committed().partition(f"\n## {section.title}\n")[2].partition("\n## ")[0]
    table = tables(committed()).get(section.title, {})
    lines = set(told.splitlines())
    missing = []
    for part, outcome in zip((part for part in section.parts if part.group == group), outcomes, strict=True):
        row = table.get(part.label, {})
        if not outcome.counts.keys() <= row.keys() or list(row.values()) != cells(outcome, list(row)):
            missing.append(f"{part.label}: {outcome.counts} is {row}")
        below = set(notes(part.label, outcome))
        missing += sorted(below ^ {line for line in lines if line.startswith(f"* {part.label}: ")})
    return missing + [line for line in losses(section, group, outcomes) if line not in told]


def main() -> int:
    """Run everything and write the page. 1 when something failed."""
    if (why := absent()) is not None:
        print(why, file=sys.stderr)
        return 1
    Taken.every = True
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
