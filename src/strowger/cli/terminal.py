"""What is said on a terminal while a login goes on: where to go, what to type, how long there is.

An address and a code go to standard output, alone on their lines, so that they can be piped; all else to standard
error. Must not know how a login works.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import webbrowser
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import click

from strowger.auth.issuers import Issuer
from strowger.auth.oauth import DeviceCode
from strowger.cli.render import duration, plain
from strowger.errors import CredentialError


class Terminal:
    """A `strowger.auth.login.Teller`. `opens`: pages are opened in the browser, where there is one."""

    def __init__(self, issuer: Issuer, *, opens: bool, pastes: bool = False) -> None:
        self._issuer = issuer
        self._opens = opens and can_open(os.environ)
        self._pastes = pastes
        self._has_status = False

    def page(self, url: str) -> None:
        """Where to say yes."""
        where = "any browser" if self._pastes else "a browser on this machine"
        how = "your browser is asked to open it" if self._opens else f"open it in {where}"
        self._say(f"Log in to {self._issuer.title} at this page; {how}:\n")
        click.echo(url)
        self._say("")
        if self._pastes:
            self._say(
                "At the end the browser shows an error, as nobody listens where it is sent. That is as it should be:"
            )
            self._say("copy the address that it then has, and paste it here.\n")
        else:
            self._say("Waiting for the browser to come back. Ctrl-C gives up.")
            if is_remote(os.environ):
                port = urlsplit(parse_qs(urlsplit(url).query).get("redirect_uri", [""])[0]).port
                self._say(f"The browser has to reach this machine: with `ssh -L {port}:127.0.0.1:{port} …`, for one.")
            self._say(f"No browser on this machine? `strowger login {self._issuer.name} --device`, or `--paste`.")
            self._open(url)

    def code(self, device: DeviceCode) -> None:
        """What to type where."""
        self._say(f"Log in to {self._issuer.title} at this page, in a browser on any device:\n")
        click.echo(plain(device.complete or device.page))
        shows = "There, confirm if it shows this code, and only then"
        self._say(f"\n{shows if device.complete else 'There, type this code'}:\n")
        click.echo(click.style(plain(device.user_code), bold=True))
        self._say("\nGive the code to nobody. Waiting until it is confirmed; Ctrl-C gives up.")
        if self._opens and device.complete:
            self._open(device.complete)

    async def pasted(self) -> str:
        """The next line of standard input."""
        click.echo("address: ", nl=False, err=True)
        line = await _line()
        if not line:
            raise CredentialError("nothing was pasted", hint=f"start again: strowger login {self._issuer.name} --paste")
        return line

    def waiting(self, left: float) -> None:
        """How much time there is, on a line that is written anew each time; nothing where that cannot be done."""
        self._status(f"{duration(left)} left")

    def slower(self, interval: float) -> None:
        """Why it may take longer until we notice."""
        self._status(f"{self._issuer.title} wants to be asked every {interval:g} seconds only")

    def trouble(self, problem: str) -> None:
        """What went wrong, and that we go on."""
        self.done()
        self._say(f"{click.style('warning:', fg='yellow')} {problem}; still waiting")

    def skewed(self, seconds: float) -> None:
        """That a clock is wrong, and what comes of it."""
        self.done()
        which = "ahead of" if seconds > 0 else "behind"
        self._say(
            f"{click.style('warning:', fg='yellow')} the clock of this machine is {duration(abs(seconds))} {which} "
            f"{self._issuer.title}'s: set it, or the login may be renewed too late"
        )

    def done(self) -> None:
        """Leave the line that is written anew."""
        if self._has_status:
            self._has_status = False
            click.echo("\r\x1b[K", nl=False, err=True)

    def _status(self, text: str) -> None:
        if sys.stderr.isatty():
            self._has_status = True
            click.echo(f"\r\x1b[K{click.style(text, dim=True)}", nl=False, err=True)

    def _say(self, text: str) -> None:
        click.echo(text, err=True)

    def _open(self, url: str) -> None:
        """From a thread that nobody waits for: some browsers stay in the foreground for as long as they live."""
        if self._opens and url.startswith(("https://", "http://")):
            threading.Thread(target=self._browse, args=(url,), daemon=True).start()

    def _browse(self, url: str) -> None:
        if not webbrowser.open(url):
            self.trouble("no browser could be opened: open the page yourself")


def can_open(env: Mapping[str, str]) -> bool:
    """Whether a browser that we open would be seen by the user. $BROWSER says that somebody has seen to it."""
    if env.get("BROWSER"):
        return True
    if is_remote(env):
        return False
    return sys.platform in {"darwin", "win32"} or bool(env.get("DISPLAY") or env.get("WAYLAND_DISPLAY"))


def is_remote(env: Mapping[str, str]) -> bool:
    """Whether the user sits at another machine."""
    return bool(env.get("SSH_CONNECTION") or env.get("SSH_TTY"))


async def _line() -> str:
    """A line of standard input, empty at its end.

    From a thread that nobody waits for, and past Python's buffer, whose lock it would keep for ever when the user has
    given up.
    """
    loop, done, pieces = asyncio.get_running_loop(), asyncio.Event(), list[bytes]()

    def read() -> None:
        try:
            while not pieces or (pieces[-1] and b"\n" not in pieces[-1]):
                pieces.append(os.read(sys.stdin.fileno(), 65536))
        except OSError:
            pieces.clear()
        loop.call_soon_threadsafe(done.set)

    threading.Thread(target=read, daemon=True).start()
    await done.wait()
    return b"".join(pieces).decode(errors="replace")
