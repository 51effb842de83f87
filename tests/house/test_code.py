"""Habits that the linter has no rule for."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from tests.house import tree

# The places that may catch everything: what nobody foresaw is answered, logged or printed there, once.
BOUNDARIES = {
    "src/strowger/gateway/pipeline.py",  # one call: answered as our bug, in the client's dialect
    "src/strowger/gateway/server.py",  # one request of any other kind: answered as our bug, and logged
    "src/strowger/gateway/app.py",  # one task that outlives its call: logged, and the gateway goes on
    "src/strowger/gateway/delivery.py",  # what comes while a call sleeps: it is woken, and breaks where it is answered
    "src/strowger/gateway/receivers.py",  # watching untouched bytes: noted on the flow, and delivery goes on
    "src/strowger/flows/recorder.py",  # what one keeper does with a call: told of, and the others hear of it
    "src/strowger/flows/store.py",  # one batch of calls on its way to disk: dropped, told of, and recording goes on
    "src/strowger/telemetry/tracing.py",  # the spans of one call: told of, and those of the next are made
    "src/strowger/cli/main.py",  # the command line: printed, exit code
}
NOQA = re.compile(r"#\s*noqa(?P<codes>: [A-Z]+\d+(?:, ?[A-Z]+\d+)*)?(?P<reason> - .{10,})?")
STARTS_ORPHANS = {"create_task", "ensure_future", "run_coroutine_threadsafe"}
CHECKS = re.compile(r"assert|raises|warns|suppress|check|expect|verify|compare|play|must|fail|until|judge")
# What these prove is that nothing is raised.
MERELY_END = {
    "tests/unit/gateway/test_pulse.py::test_silence_outside_a_wait_is_nobodys_fault",
    "tests/unit/telemetry/test_logs.py::test_a_disk_that_is_full_to_the_end_does_not_spoil_the_end",
    "tests/unit/telemetry/test_logs.py::test_without_a_standard_error_there_is_no_log",
}


def test_blind_catches_are_at_the_boundaries() -> None:
    """Only the boundary functions catch everything, once each."""
    blind = [path for path in tree.python("src") for _ in re.finditer(r"noqa: [^#\n]*BLE001", tree.text(path))]
    assert set(blind) <= BOUNDARIES
    assert len(blind) == len(set(blind)), f"a boundary catches once: {blind}"


def test_silenced_rules_have_reasons() -> None:
    """Whoever silences the linter in the source names the rule and says why: `noqa: CODE - reason`."""
    bare = [
        f"{path}: {match.group()}"
        for path in tree.python("src")
        for match in NOQA.finditer(tree.text(path))
        if not (match["codes"] and match["reason"])
    ]
    assert not bare


def test_no_orphan_tasks() -> None:
    """Tasks are children of a task group, also where the loop or asyncio's own group would start them otherwise."""
    orphans = [
        f"{path}:{node.lineno}"
        for path in tree.python("src")
        for node in ast.walk(tree.syntax(path))
        if isinstance(node, ast.Attribute) and node.attr in STARTS_ORPHANS
    ]
    assert not orphans, f"use an anyio task group: {orphans}"


def test_nothing_private_is_dead() -> None:
    """What a module keeps to itself, it uses."""
    dead: list[str] = []
    for path in tree.python("src", "tests", "bench"):
        words = Counter(re.findall(r"\w+", tree.text(path)))
        dead += [f"{path}: {name}" for name in _private_names(tree.syntax(path)) if words[name] == 1]
    assert not dead


def test_tests_say_their_rule() -> None:
    """A test's docstring is the rule it proves."""
    silent = [name for name, node in _tests() if not ast.get_docstring(node)]
    assert not silent


def test_tests_can_fail() -> None:
    """Every test checks something."""
    idle = {name for name, node in _tests() if not _checks(name.partition("::")[0], node)}
    assert not idle - MERELY_END


def _private_names(module: ast.Module) -> Iterator[str]:
    """The module's own names with one underscore; what is decorated (a fixture, a hook) is used by being there."""
    for node in module.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names = [name] if not node.decorator_list else []
            case ast.Assign(targets=targets):
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case _:
                names = []
        yield from (name for name in names if re.match(r"_[A-Za-z]", name))


def _tests() -> list[tuple[str, tree.Function]]:
    return [
        (f"{path}::{name}", node)
        for path in tree.python("tests")
        if path.rpartition("/")[2].startswith("test_")
        for name, node in tree.functions(path)
        if node.name.startswith("test_") and name.count(".") <= 1
    ]


def _checks(path: str, function: tree.Function, deeper: bool = True) -> bool:
    """Whether it checks something itself, or calls a function of its own file that does."""
    called = {ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}
    if any(isinstance(node, ast.Assert | ast.LShift | ast.RShift) for node in ast.walk(function)):
        return True
    if any(CHECKS.search(name) for name in called):
        return True
    near = [helper for name, helper in tree.functions(path) if name in called]
    return deeper and any(_checks(path, helper, deeper=False) for helper in near)
