"""Who is measured: direct, nginx, Strowger in two lanes, and whatever `--subject` names: a command and its files each.

In commands and files these marks are replaced: `{port}` to listen on, `{upstream}` the base URL of the fake upstream
without a slash at the end, `{scheme}` `{upstream_port}` its parts, `{ca}` the certificate to trust, `{dir}` the
subject's own directory.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.processes import StartFailed, free_port, spawn, stop, wait_ready

_NGINX_CONFIG = """\
daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log stderr error;
%(user)s
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  access_log off;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  keepalive_requests 100000000;
  upstream up { server 127.0.0.1:{upstream_port}; keepalive 1024; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:{port} backlog=1024;
    client_max_body_size 64m;
    client_body_buffer_size 1m;
    location / {
      proxy_pass {scheme}://up;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
{tls}
    }
  }
}
"""

# nginx compares only names with a certificate, not addresses: hence proxy_ssl_name.
_NGINX_TLS = """\
      proxy_ssl_verify on;
      proxy_ssl_name localhost;
      proxy_ssl_trusted_certificate {ca};"""

_STROWGER_CONFIG = """\
[server]
port = {port}

[providers.up]
dialect = "%(dialect)s"
base_url = "{upstream}/"
auth = "env:BENCH_KEY"

[[routes]]
match = { model = "*" }
to = "up"
"""


class Subject(msgspec.Struct, frozen=True):
    """A way from the load generator to the upstream. No command: straight to it.

    `files` are written into the subject's directory first. `health_path` must answer 200 before it counts as ready;
    without one, an open port is enough. `version_command` is timed on its own.
    """

    name: str
    command: tuple[str, ...] = ()
    files: dict[str, str] = {}
    health_path: str | None = None
    version_command: tuple[str, ...] = ()


class Running(msgspec.Struct, frozen=True):
    """A subject that answers. `pid` is None for the direct way; `ready` in seconds from its start. `client` is the
    dialect that it is asked in, `directory` its home.
    """

    subject: Subject
    port: int
    pid: int | None
    ready: float
    ca: str | None
    client: str = "anthropic"
    directory: Path | None = None


class Target(msgspec.Struct, frozen=True):
    """The upstream as a subject is to reach it; `ca` is the certificate to trust, None for plain HTTP."""

    port: int
    ca: str | None

    @property
    def scheme(self) -> str:
        """http or https."""
        return "https" if self.ca else "http"


def builtin_subjects() -> tuple[list[Subject], list[str]]:
    """The four subjects of every run, and a line about each that cannot run here."""
    subjects = [Subject("direct")]
    missing: list[str] = []
    nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if nginx is None:
        missing.append("nginx is not on PATH: no ratios to nginx (Debian: apt-get install nginx-light)")
    else:
        # Started by root, nginx would give its worker to a user who cannot enter the directory of the run.
        config = _NGINX_CONFIG.replace("%(user)s", "user root root;" if os.geteuid() == 0 else "")
        subjects.append(Subject("nginx", (nginx, "-p", "{dir}", "-c", "{dir}/nginx.conf"), {"nginx.conf": config}))
    subjects += [strowger("strowger verbatim", "anthropic"), strowger("strowger translate", "openai_chat")]
    return subjects, missing


def strowger(name: str, dialect: str, more: str = "") -> Subject:
    """Strowger with all models at one upstream of this dialect, and `more` in its configuration."""
    serve = (sys.executable, "-m", "strowger", "serve", "--config", "{dir}/strowger.toml", "--port", "{port}")
    files = {"strowger.toml": _STROWGER_CONFIG.replace("%(dialect)s", dialect) + more}
    return Subject(name, serve, files, "/healthz", (sys.executable, "-m", "strowger", "--version"))


def parse_subject(text: str) -> Subject:
    """`name=command …` of the command line. Raises ValueError."""
    name, equals, command = text.partition("=")
    if not (name and equals and command):
        raise ValueError(f"{text!r} is not NAME=COMMAND")
    return Subject(name, tuple(shlex.split(command)))


@contextmanager
def running(subject: Subject, target: Target, limit: float) -> Iterator[Running]:
    """Start a subject, wait until it is ready (at most `limit` seconds), end it afterwards. Raises StartFailed."""
    if not subject.command:
        yield Running(subject, target.port, None, 0.0, target.ca)
        return
    with tempfile.TemporaryDirectory(prefix="strowger-bench-") as name:
        directory = Path(name)
        port = free_port()
        command = _prepare(subject, target, directory, port)
        with (directory / "output.log").open("w+b") as log:
            started = time.monotonic()
            try:
                process = spawn(command, _environment(directory, target), log)
            except OSError as error:
                raise StartFailed(str(error)) from error
            try:
                wait_ready(process, port, subject.health_path, limit)
                yield Running(subject, port, process.pid, time.monotonic() - started, None, directory=directory)
            except StartFailed as error:
                log.seek(0)
                raise StartFailed(f"{error}; it said: {log.read()[-600:].decode('utf-8', 'replace').strip()}") from None
            finally:
                stop(process)


def _prepare(subject: Subject, target: Target, directory: Path, port: int) -> list[str]:
    marks = {
        "{tls}": _NGINX_TLS if target.ca else "",
        "{port}": str(port),
        "{upstream}": f"{target.scheme}://127.0.0.1:{target.port}",
        "{scheme}": target.scheme,
        "{upstream_port}": str(target.port),
        "{ca}": target.ca or "",
        "{dir}": str(directory),
    }

    def fill(text: str) -> str:
        for mark, value in marks.items():
            text = text.replace(mark, value)
        return text

    for file, text in subject.files.items():
        (directory / file).write_text(fill(text))
    return [fill(word) for word in subject.command]


def _environment(directory: Path, target: Target) -> dict[str, str]:
    """The caller's environment without its proxies, with a home of its own and the upstream's certificate trusted."""
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    env |= {"HOME": str(directory), "BENCH_KEY": "bench-upstream-key"}
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
        env[name] = str(directory / name.lower())
    if target.ca:
        env["SSL_CERT_FILE"] = target.ca
    return env


def version_seconds(command: Sequence[str]) -> float | None:
    """How long a command takes from start to end; None if it fails."""
    started = time.monotonic()
    ended = subprocess.run(command, capture_output=True, check=False)
    return time.monotonic() - started if ended.returncode == 0 else None
