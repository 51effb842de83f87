"""The gate of tests/conftest.py closes, and pytest runs with the strictness that the tests rely on."""

from __future__ import annotations

import os
import socket
import warnings
from pathlib import Path

import pytest

from tests import conftest


def test_outside_is_refused() -> None:
    """No test may reach another machine, and swallowing exceptions does not hide that it tried."""
    with pytest.raises(pytest.fail.Exception, match="must not leave"), socket.socket() as sock:
        try:
            sock.connect(("192.0.2.1", 80))  # TEST-NET-1: documentation only, routed nowhere
        except Exception:  # noqa: BLE001 - a careless caller is what is tested here
            pytest.fail("the refusal was caught as an ordinary exception")


def test_names_are_not_looked_up() -> None:
    """A name lookup leaves the machine too."""
    with pytest.raises(pytest.fail.Exception, match="name lookup of example"):
        socket.getaddrinfo("example.invalid", 443)


def test_loopback_is_open_here() -> None:
    """Tests outside of unit, properties and conformance may use loopback sockets."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


@pytest.mark.parametrize("folder", ["unit", "properties", "conformance"])
def test_folders_without_io_are_known(folder: str) -> None:
    """In the three folders without I/O, loopback is closed as well."""
    assert conftest.is_without_io(Path(conftest.__file__).parent / folder / "ir" / "test_events.py")
    with pytest.MonkeyPatch.context() as patch, socket.socket() as sock:
        patch.setattr(conftest.Gate, "loopback", False)
        with pytest.raises(pytest.fail.Exception, match="no I/O"):
            sock.bind(("127.0.0.1", 0))


def test_home_is_the_tests_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A test never sees the developer's home, keys or proxies."""
    assert Path.home().is_relative_to(tmp_path_factory.getbasetemp())
    assert not [name for name in os.environ if name.upper().endswith(("_API_KEY", "_PROXY"))]


def test_warnings_are_errors() -> None:
    """A warning fails the test that causes it."""
    with pytest.raises(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


def test_pytest_is_strict(pytestconfig: pytest.Config) -> None:
    """A misspelt marker is an error, a passing xfail too, and no test runs for longer than the limit."""
    assert pytestconfig.getini("xfail_strict") is True
    assert float(pytestconfig.getini("timeout")) == 60
    assert pytestconfig.option.strict_markers
