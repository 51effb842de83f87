"""Every recording, section by section of docs/reference/fidelity.md: nothing fails, and the page has these numbers."""

from __future__ import annotations

import pytest

from tests.conformance import report
from tests.conformance.recordings import answers, requests
from tests.conformance.sections import NAMES, SECTIONS, Section
from tests.shared import needs_shared

WITHOUT_SOCKETS = [section for section in SECTIONS if section.key != "sockets"]


@needs_shared
@pytest.mark.timeout(300)
@pytest.mark.parametrize("section", WITHOUT_SOCKETS, ids=[section.key for section in WITHOUT_SOCKETS])
def test_section(section: Section) -> None:
    """Each recording holds, and what the page says of it is what a run says."""
    outcomes = report.run(section)
    assert report.failures(outcomes) == ""
    assert report.text(section, outcomes) in report.committed(), f"out of date: {report.HOW}"


def test_every_section_is_on_the_page() -> None:
    """The page has all sections in their order, also where there are no recordings to count."""
    page = report.committed()
    places = [page.find(f"\n## {section.title}\n") for section in SECTIONS]
    assert -1 not in places
    assert places == sorted(places)


@needs_shared
@pytest.mark.parametrize("dialect", sorted(NAMES))
def test_the_recordings_are_not_left_out(dialect: str) -> None:
    """What is excluded is a small part, so that a reason cannot quietly swallow a dialect."""
    for found in (requests(dialect), answers(dialect, "stream"), answers(dialect, "body"), answers(dialect, "error")):
        assert len(found.cases) > 4 * sum(found.excluded.values())
