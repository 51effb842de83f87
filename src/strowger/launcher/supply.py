"""What Strowger consists of on this machine: its package and those that it needs, each held against what its
installer wrote down.

A package's own list (`RECORD`) has a digest for each of its files, so a file that was changed since is found; who can
change a package can change that list too, so the list has a mark of its own, which is the same wherever the same
package was installed. Nothing is fetched. Must not know how it is printed.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from msgspec import Struct

ROOT = "strowger"
EXTRAS = frozenset({"keychain", "bedrock", "tui", "jq", "otel"})
"""The extras whose packages are ours to run; those for tests are not."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA = re.compile(r"""extra\s*==\s*["']([\w-]+)["']""")
# What an installer adds for itself, which differs from machine to machine.
_OF_THE_INSTALLER = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})
_SHOWN = 16


class Package(Struct, frozen=True):
    """One package as it is installed. `mark` is the beginning of the digest of its list of files; `changed` are files
    that are not as that says, or not there.
    """

    name: str
    version: str
    installer: str
    mark: str
    files: int
    changed: tuple[str, ...] = ()


def packages() -> list[Package]:
    """Strowger's packages and all that they need, as far as they are installed, by name. Reads all of their files."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [ROOT]
    while waiting:
        name = _plain(waiting.pop())
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another Python, another system, or an extra that is not there
        extras = EXTRAS if name == ROOT else frozenset[str]()
        waiting += _needed(found[name], extras)
    return [_examined(name, found[name]) for name in sorted(found)]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _needed(package: metadata.Distribution, extras: frozenset[str]) -> Iterator[str]:
    for requirement in package.requires or ():
        extra = _EXTRA.search(requirement)
        name = _NAME.match(requirement)
        if name is not None and (extra is None or extra[1] in extras):
            yield name[0]


class _Listed(NamedTuple):
    """A line of a package's list: a file, the kind of its digest, and that."""

    path: str
    kind: str
    digest: str


def _listed(package: metadata.Distribution) -> Iterator[_Listed]:
    """The files of a package that have a digest. Some finders of packages leave out what is not there, so its list is
    read here.
    """
    for path, mark, *_ in csv.reader((package.read_text("RECORD") or "").splitlines()):
        kind, equals, digest = mark.partition("=")
        name = PurePosixPath(path)
        if equals and name.name not in _OF_THE_INSTALLER and name.suffix != ".pyc":
            yield _Listed(path, kind, digest)


def _examined(name: str, package: metadata.Distribution) -> Package:
    marks = hashlib.sha256()
    changed: list[str] = []
    listed = sorted(_listed(package))
    for file in listed:
        if not file.path.startswith("../"):  # a script names the interpreter of this machine in its first line
            marks.update(f"{file.path} {file.kind}={file.digest}\n".encode())
        if not _is_as_listed(file, Path(str(package.locate_file(file.path)))):
            changed.append(file.path)
    installer = (package.read_text("INSTALLER") or "").strip()
    mark = marks.hexdigest()[:_SHOWN] if listed else ""
    return Package(name, package.version, installer, mark, len(listed), tuple(changed))


def _is_as_listed(file: _Listed, place: Path) -> bool:
    try:
        digest = hashlib.new(file.kind, place.read_bytes()).digest()
    except (OSError, ValueError):
        return False
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == file.digest
