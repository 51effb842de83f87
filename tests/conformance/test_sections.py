"""Every recording, section by section of docs/reference/fidelity.md: nothing fails, and the page has these numbers."""

from __future__ import annotations

import pytest

from tests.conformance import report
from tests.conformance.recordings import SPOKEN, answers, requests
from tests.conformance.sections import SECTIONS, Section
from tests.shared import needs_shared

WITHOUT_SOCKETS = [(section, group) for section in SECTIONS if section.key != "sockets" for group in section.groups]


@needs_shared
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "section, group", WITHOUT_SOCKETS, ids=[f"{section.key}: {group}" for section, group in WITHOUT_SOCKETS]
)
def test_section(section: Section, group: str) -> None:
    """Each recording holds, and what the page says of it is what a run says."""
    outcomes = report.run(section, group)
    assert report.failures(outcomes) == ""
    assert report.out_of_date(section, group, outcomes) == [], report.HOW


def test_every_section_is_on_the_page() -> None:
    """The page has all sections in their order and no other rows, also where there are no recordings to count."""
    page = report.committed()
    places = [page.find(f"\n## {section.title}\n") for section in SECTIONS]
    assert -1 not in places
    assert places == sorted(places)
    found = report.tables(page)
    for section in SECTIONS:
        assert list(found[section.title]) == [part.label for part in section.parts]


def test_the_summary_sums_up() -> None:
    """The matrices at the head of the page are the sums of the tables below."""
    page = report.committed()
    assert report.summary(report.tables(page)) in page


@needs_shared
@pytest.mark.parametrize("dialect", SPOKEN)
def test_the_recordings_are_not_left_out(dialect: str) -> None:
    """What is excluded is a small part, so that a reason cannot quietly swallow a dialect."""
    for found in (requests(dialect), answers(dialect, "stream"), answers(dialect, "body"), answers(dialect, "error")):
        assert len(found.cases) > 2 * sum(found.excluded.values())
