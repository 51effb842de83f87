"""Which packages there are, and whether they are as they were installed."""

from __future__ import annotations

import base64
import hashlib
import sys
from importlib import metadata
from pathlib import Path

import pytest

from strowger.launcher.supply import Package, packages


def install(site: Path, name: str, files: dict[str, str], *needs: str) -> None:
    """A package as an installer leaves it."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    lines = []
    for file, text in files.items():
        path = site / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{file},sha256={digest},{len(text)}")
    required = "".join(f"Requires-Dist: {each}\n" for each in needs)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{required}")
    (info / "INSTALLER").write_text("pip\n")
    (info / "RECORD").write_text("\n".join([*lines, f"{info.name}/RECORD,,", f"{info.name}/INSTALLER,sha256=x,4"]))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place where packages are."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


def found() -> dict[str, Package]:
    """By name."""
    return {each.name: each for each in packages()}


def test_what_is_needed_is_listed_and_nothing_else(site: Path) -> None:
    """Through others too, for this machine, with extras that are ours; what tests need is not."""
    install(site, "strowger", {"strowger/a.py": "a"}, "One_Thing>=1; python_version > '3'", "jq; extra == 'jq'", "away")
    install(site, "one.thing", {"one.py": "1"}, "strowger", "further[fast]>2", "odd; extra == 'jq'")
    for name in ("jq", "further", "odd", "stranger"):
        install(site, name, {f"{name}.py": name})
    assert list(found()) == ["further", "jq", "one-thing", "strowger"]
    assert [(each.version, each.installer, each.files) for each in packages()] == [("1.0", "pip", 1)] * 4


def test_a_changed_file_is_named(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that is gone; what the installer wrote for itself does not count."""
    install(site, "strowger", {"a.py": "a", "b.py": "b", "c.py": "c"})
    assert found()["strowger"].changed == ()
    (site / "b.py").write_text("worse")
    (site / "c.py").unlink()
    assert found()["strowger"].changed == ("b.py", "c.py")
    # keyring brings a finder that replaces Python's own, and does not list what is gone
    monkeypatch.setattr(metadata.Distribution, "files", property(lambda _: []))
    assert found()["strowger"].changed == ("b.py", "c.py")


def test_the_mark_goes_by_the_list(site: Path) -> None:
    """The same package has the same one everywhere; a script, which names an interpreter, has no part in it."""
    marks = []
    for number, files in enumerate(({"a.py": "a"}, {"a.py": "a", "../../bin/a": "#!/x"}, {"a.py": "other"})):
        place = site / str(number) / "lib" / "site"
        install(place, "strowger", files)
        sys.path[:] = [str(place)]
        marks.append(found()["strowger"].mark)
    assert marks[0] == marks[1] != marks[2]
