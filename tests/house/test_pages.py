"""The pages: links lead somewhere, and the changelog is open for the next change."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tests.house import tree

FENCED = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!\\)\]\((?!\w+:)([^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6} +(.+?)\s*#*$", re.MULTILINE)
RELEASE = re.compile(r"^## \[(\d+\.\d+\.\d+|Unreleased)\]", re.MULTILINE)
ARCHITECTURE = "docs/explanation/architecture.md"
DECISION = re.compile(r"docs/decisions/(\d{4})-[a-z0-9-]+\.md")


def test_relative_links_resolve() -> None:
    """Every relative link in a page leads to a tracked file, and to a heading that is there."""
    broken = [f"{page}: {target}" for page in _pages() for target in _links(page) if not _resolves(page, target)]
    assert not broken


def test_changelog_is_open() -> None:
    """The changelog has an Unreleased section on top, with something in it or a release below."""
    releases = RELEASE.findall(tree.text("CHANGELOG.md"))
    assert releases[:1] == ["Unreleased"]
    assert len(releases) == len(set(releases))


def test_only_tested_systems_are_claimed() -> None:
    """The package index shows the systems on which the README says that it is tested, and no other."""
    classifiers = tomllib.loads(tree.text("pyproject.toml"))["project"]["classifiers"]
    claimed = {line.rpartition(" :: ")[2] for line in classifiers if line.startswith("Operating System :: ")}
    tested = re.search(r"Tested on (\w+) only", tree.text("README.md"))
    assert tested is not None
    assert claimed == {tested[1]}


def test_decisions_are_numbered() -> None:
    """Decision records are numbered without gaps or doubles."""
    records = [path for path in tree.tracked() if DECISION.fullmatch(path)]
    numbers = sorted(int(DECISION.fullmatch(path).group(1)) for path in records)  # type: ignore[union-attr]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_tree_is_the_tree() -> None:
    """The architecture page lists every module, and no other, each with a line that says what it is for."""
    listed = _listed(re.search(r"^src/strowger/\n(.*?)^```", tree.text(ARCHITECTURE), re.MULTILINE | re.DOTALL))
    modules = {path.removeprefix("src/strowger/") for path in tree.python("src") if not path.endswith("__init__.py")}
    assert listed == modules


def _listed(block: re.Match[str] | None) -> set[str]:
    assert block is not None
    folders: list[str] = []
    modules = set()
    for line in block[1].splitlines():
        if entry := re.fullmatch(r"((?:  )+)(\w+)(/|\.py)(?: +(\S.*))?", line):
            indent, name, kind, purpose = entry.groups()
            folders = folders[: len(indent) // 2 - 1]
            if kind == "/":
                folders.append(name)
            else:
                assert purpose, f"{name}.py has no line of its own"
                modules.add("/".join([*folders, f"{name}.py"]))
    return modules


def _pages() -> list[str]:
    return [path for path in tree.tracked() if path.endswith(".md")]


def _links(page: str) -> list[str]:
    return LINK.findall(FENCED.sub("", tree.text(page)))


def _resolves(page: str, target: str) -> bool:
    name, _, anchor = target.partition("#")
    path = (tree.ROOT / page).parent / name if name else tree.ROOT / page
    if not path.exists():
        return False
    return not anchor or path.suffix != ".md" or anchor in _anchors(path)


def _anchors(path: Path) -> set[str]:
    """The ids that a forge gives to headings: lower case, without punctuation, spaces as hyphens."""
    headings = HEADING.findall(FENCED.sub("", path.read_text("utf-8")))
    plain = (re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}
