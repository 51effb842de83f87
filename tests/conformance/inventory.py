"""What there is to judge: the recordings of a dialect by their shape, and what cannot be judged for what reason."""

from __future__ import annotations

from collections import Counter

from tests.conformance.crossing import SEVERAL, several
from tests.conformance.outcome import Outcome
from tests.conformance.recordings import Shape, all_answers, answers, requests
from tests.conformance.verbatim import cut_short

_SHAPES: dict[str, Shape] = {"streams": "stream", "bodies": "body", "errors": "error"}


def counted(dialect: str) -> Outcome:
    """The recordings of a dialect."""
    found = requests(dialect)
    accepted = sum(case.answered for case in found.cases)
    counts = {
        "recordings": len(all_answers(dialect)),
        "requests": len(found.cases),
        "accepted by their vendor": accepted,
    }
    excluded = Counter({f"requests: {why}": count for why, count in found.excluded.items()})
    for column, shape in _SHAPES.items():
        fit = answers(dialect, shape)
        counts[column] = len(fit.cases)
        excluded.update({f"{column}: {why}": count for why, count in fit.excluded.items()})
    streams = answers(dialect, "stream").cases
    joined = sum(several(dialect, case.body) for case in streams)
    whole = sum(cut_short(dialect, case) is None for case in streams)
    excluded.update(Counter({f"streams: {SEVERAL}, so they are not translated": joined}))
    excluded.update(Counter({"streams: an error, or too short to be cut": whole}))
    return Outcome(counts, excluded=+excluded)
