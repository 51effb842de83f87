"""The rules that every test runs under: no network, and no socket at all where a test is to be free of I/O."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

TESTS = Path(__file__).parent
WITHOUT_IO = tuple(TESTS / folder for folder in ("unit", "properties", "conformance"))
LONGEST = 8000
"""Characters that are shown of one thing."""
WITH_PROCESSES = tuple(TESTS / folder for folder in ("bench", "browser", "docs", "e2e", "integration"))

# `ci` gives the same examples at each run, so a red build can be repeated, and more of them would be the same again;
# `dev` looks for new ones; `deep` looks long.
# The name is taken from $HYPOTHESIS_PROFILE. No deadlines: a busy machine must not fail a test.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, max_examples=50, print_blob=True)
hypothesis.settings.register_profile("dev", deadline=None, max_examples=100)
hypothesis.settings.register_profile("deep", deadline=None, max_examples=5_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


# A shell without job control, or `nohup`, has its background jobs ignore these, and what we start would inherit it.
for _number in (signal.SIGINT, signal.SIGTERM, *((signal.SIGHUP, signal.SIGQUIT) if sys.platform != "win32" else ())):
    if signal.getsignal(_number) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)


class Gate:
    """What sockets may do now. `loopback` also outside of tests: collecting tests reads files, nothing else."""

    loopback = True

    @classmethod
    def check(cls, event: str, args: tuple[Any, ...]) -> None:
        """Look at what the interpreter is about to do, as an audit hook, whoever asked for it.

        The refusal is no `Exception`, so careless code cannot swallow it. uvloop talks to the system past this hook;
        tests without I/O have no use for uvloop.
        """
        if event in {"socket.connect", "socket.bind", "socket.sendto"}:
            sock, address = args
            if sock.family == getattr(socket, "AF_UNIX", None) or (cls.loopback and is_loopback(sock, address)):
                return
            cls.refuse(f"{event} {address}")
        elif event == "socket.getaddrinfo":
            host = args[0].decode() if isinstance(args[0], bytes) else args[0]
            if not cls.loopback or not (host is None or host in {"", "localhost"} or is_local_ip(host)):
                cls.refuse(f"name lookup of {host}")

    @classmethod
    def refuse(cls, what: str) -> None:
        allowed = "loopback only" if cls.loopback else "no I/O in unit, properties and conformance"
        pytest.fail(f"a test must not leave its place: {what} ({allowed})")


def is_loopback(sock: socket.socket, address: Any) -> bool:
    """Whether nothing can leave this machine through `sock` to, or from, `address`."""
    if sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return True
    return isinstance(address, tuple) and is_local_ip(address[0])


def is_local_ip(host: Any) -> bool:
    """Whether `host` is this machine, without asking anyone."""
    # 0.0.0.0 and :: are bound by tests of the bind guard; nothing leaves by them.
    return isinstance(host, str) and (host in {"", "localhost", "::1", "::", "0.0.0.0"} or host.startswith("127."))


sys.addaudithook(Gate.check)


def pytest_collection() -> None:
    """Thousands of tests are collected, and the libraries that they need imported: none of it is garbage."""
    gc.disable()


def pytest_collection_finish() -> None:
    """What is there when the tests begin will stay: it is not looked at again each time that garbage is collected."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where a test takes many examples, starts processes or reads the whole repository, it may take three times as long
    as elsewhere before it counts as stuck: a busy machine must not fail it. Where programs run that are not ours, or
    processes and terminals wait for each other, one failure may be theirs: such a test has a second go, and the
    summary tells of it. What needs no I/O never has one.
    """
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in WITH_PROCESSES):
            item.add_marker(pytest.mark.flaky(reruns=1))
        if not item.path.is_relative_to(TESTS / "unit") and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(180))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says why a test had its second go: whoever reads it in a log has nothing else to find the cause by."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.write_sep("_", f"first go of {report.nodeid}")
        terminalreporter.write_line(report.longreprtext[-LONGEST:])
        for title, text in report.sections:
            terminalreporter.write_line(f"{title}\n{text[-LONGEST:]}")


@pytest.fixture(autouse=True)
def _gate(request: pytest.FixtureRequest) -> Iterator[None]:
    """Closes loopback too for tests that are to be free of I/O."""
    Gate.loopback = not is_without_io(request.path)
    yield
    Gate.loopback = True


@pytest.fixture(autouse=True)
def _own_environment(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No test reads or writes the developer's configuration, state or keys, nor goes by their proxy or certificates.

    Each has a home of its own, which is not even created for tests without I/O: making one for each of thousands of
    recordings would cost more than the tests.
    """
    for name in list(os.environ):
        ours = name in _OURS or not name.upper().startswith(_SET_BY_USERS)
        if name.upper().endswith(_SECRET_ENDS) or name in _CERTIFICATES or not ours:
            monkeypatch.delenv(name)
    home = tmp_path_factory.getbasetemp() / f"home-{next(_homes)}"
    if not is_without_io(request.path):
        home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for variable, below in _XDG.items():
        monkeypatch.setenv(variable, str(home / below))


def is_without_io(path: Path) -> bool:
    """Whether a test file at `path` must get by without I/O."""
    return any(path.is_relative_to(folder) for folder in WITHOUT_IO)


_homes = itertools.count()
_SECRET_ENDS = ("_API_KEY", "_AUTH_TOKEN", "_PROXY")
_CERTIFICATES = {"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
_SET_BY_USERS = ("STROWGER_", "ANTHROPIC_", "OPENAI_", "CLAUDE")
_OURS = {"STROWGER_SHARED", "STROWGER_CLIENTS"}
_XDG = {
    "XDG_CONFIG_HOME": ".config",
    "XDG_STATE_HOME": ".local/state",
    "XDG_DATA_HOME": ".local/share",
    "XDG_CACHE_HOME": ".cache",
    "XDG_RUNTIME_DIR": "run",
}
# Clients installed by scripts/clients.sh are in the developer's own cache, which the tests would not find otherwise.
os.environ.setdefault("STROWGER_CLIENTS", str(Path.home() / ".cache" / "strowger" / "clients"))
