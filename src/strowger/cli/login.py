"""`strowger login`: asks the issuer for a login, and tells the user on the terminal what to do and what came of it.

What can be piped, an address or a code, goes to standard output; all the rest to standard error. Must not know what is
said to an issuer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

import anyio
import anyio.to_thread
import click

from strowger.auth.files import make_private_dir
from strowger.auth.issuers import ISSUERS, Issuer, holder_of, issuer_for
from strowger.auth.keychain import Keychain
from strowger.auth.locks import locked
from strowger.auth.login import LoginFlow
from strowger.auth.oauth import Tokens
from strowger.auth.stores import Login, LoginStore, check_name
from strowger.cli.loop import run_async
from strowger.cli.render import duration
from strowger.cli.terminal import Terminal
from strowger.config.validate import near_miss
from strowger.errors import CredentialError, GatewayError

NO_LOGIN: Mapping[str, tuple[str, str]] = {
    "anthropic": ("Anthropic has no login for other programs", "give the provider a key: ANTHROPIC_API_KEY"),
    "claude": ("Anthropic has no login for other programs", "give the provider a key: ANTHROPIC_API_KEY"),
    "gemini": ("Google has no login for other programs", "give the provider a key: GEMINI_API_KEY; or use Vertex"),
    "google": ("Google has no login for other programs", "give the provider a key: GEMINI_API_KEY; or use Vertex"),
}
"""Names that are not ours to log in to, with what stands for a login there."""

MEANT = {"chatgpt": "codex", "openai": "codex", "gpt": "codex", "moonshot": "kimi", "kimi-code": "kimi"}
"""What else issuers are called."""

TERMS = {"codex": "OpenAI", "kimi": "Moonshot AI"}
"""Whose terms apply."""

LOCK_SECONDS = 30.0
"""How long to wait for a gateway that is just renewing the login."""


class NoSuchLogin(CredentialError):
    """The name is not one of an issuer that we log in to: wrong usage."""

    exit_code = 2


@click.command()
@click.argument("issuer", metavar="ISSUER")
@click.option("--name", default="", help="A name for this login, where you have several of one issuer.")
@click.option("--device", is_flag=True, help="Show a code to be typed on any device; needs no browser here.")
@click.option("--paste", is_flag=True, help="Ask for the address that the browser ends at; needs no browser here.")
@click.option("--no-browser", is_flag=True, help="Print the page's address, and open nothing.")
@click.option("--keychain", is_flag=True, help="Keep the tokens in the system's keychain instead of a file.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=900.0,
    metavar="SECONDS",
    help="How long to wait; 900 unless given.",
)
def login(issuer: str, name: str, device: bool, paste: bool, no_browser: bool, keychain: bool, timeout: float) -> None:
    """Log in to ChatGPT (`codex`) or Kimi Code (`kimi`), whose models then answer on your subscription.

    \b
        strowger login codex
        strowger login codex --device
        strowger login kimi --name work

    The browser is sent to the issuer's page and comes back to a port of this machine. With --device, and for kimi
    always, a code is typed at a page instead. Tokens are kept where only you can read them, and are renewed by
    themselves.
    """
    found = known(issuer)
    if name:
        check_name(name)
    if device and paste:
        raise click.UsageError("--device and --paste exclude each other")
    if paste and not found.authorise:
        raise click.UsageError(f"there is no --paste for {found.title}: it shows a code to be confirmed at its page")
    terminal = Terminal(found, opens=not (no_browser or paste or device), pastes=paste)
    store = LoginStore(os.environ)
    # Sooner than after the user has done his part.
    make_private_dir(store.directory)
    if keychain:
        Keychain().load(found.name, "")

    async def run() -> Login:
        with anyio.move_on_after(timeout):
            return await _logged_in(found, store, terminal, name=name, device=device, paste=paste, keychain=keychain)
        raise CredentialError(
            f"nobody logged in within {duration(timeout)}", hint="start again, with a longer --timeout if need be"
        )

    tell(found, run_async(run), store)


def known(name: str) -> Issuer:
    """The issuer of this name, at the address that the environment may give. Raises NoSuchLogin, ConfigError."""
    if name not in ISSUERS:
        if name.lower() in NO_LOGIN:
            message, hint = NO_LOGIN[name.lower()]
            raise NoSuchLogin(message, hint=hint)
        near = MEANT.get(name.lower()) or near_miss(name, ISSUERS)
        listed = " and ".join(f"`{each}`" for each in ISSUERS)
        raise NoSuchLogin(
            f"there is no login for `{name}`",
            hint=f"did you mean `{near}`?" if near else f"there are {listed}; other providers take a key",
        )
    return issuer_for(name, os.environ)


async def _logged_in(
    issuer: Issuer,
    store: LoginStore,
    terminal: Terminal,
    *,
    name: str,
    device: bool,
    paste: bool,
    keychain: bool,
) -> Login:
    """Go one of the three ways, and store what comes of it."""
    from strowger.cli.outside import outside
    from strowger.providers.exchange import exchange

    device_id = await anyio.to_thread.run_sync(store.device_id) if issuer.name == "kimi" else ""
    kept: list[Login] = []

    async def keep(tokens: Tokens) -> None:
        kept.append(fresh(issuer, tokens, name=name, device_id=device_id, keychain=keychain))
        await put(store, kept[0])

    async with outside() as upstream:
        flow = LoginFlow(issuer, exchange=exchange(upstream), teller=terminal, keep=keep, device_id=device_id)
        try:
            if device or not issuer.authorise:
                await flow.by_device()
            elif paste:
                await flow.by_pasting()
            else:
                from strowger.cli.callback import CallbackListener

                async with await CallbackListener.open(issuer.ports, issuer.callback) as listener:
                    await flow.by_browser(listener)
        finally:
            terminal.done()
    return kept[0]


def fresh(issuer: Issuer, tokens: Tokens, *, name: str, device_id: str = "", keychain: bool = False) -> Login:
    """A login that was granted just now."""
    id_token, now = tokens.id_token.reveal() if tokens.id_token else "", time.time()
    return Login(
        issuer=issuer.name,
        name=name,
        tokens=tokens,
        holder=holder_of(issuer, id_token, tokens.access.reveal()),
        obtained_at=now,
        refreshed_at=now,
        device_id=device_id,
        storage="keychain" if keychain else "file",
    )


async def put(store: LoginStore, new: Login) -> None:
    """Store a login while no gateway renews the one before it. Raises OSError or CredentialError.

    What has been granted is stored even if the user gives up in this very moment.
    """
    with anyio.CancelScope(shield=True):
        async with locked(store.shelf(new.issuer, new.name).lock_path, seconds=LOCK_SECONDS):
            await anyio.to_thread.run_sync(store.save, new)


def tell(issuer: Issuer, new: Login, store: LoginStore) -> None:
    """Say what login there is now, whose terms apply, and what to do next."""
    holder, tokens = new.holder, new.tokens
    who = holder.email or holder.user_id
    whose = f"{f' as {who}' if who else ''}{f' ({new.label})' if new.name else ''}"
    click.echo(f"\n{click.style('logged in', fg='green', bold=True)} to {issuer.title}{whose}", err=True)
    for label, value in (
        ("account", holder.account_id),
        ("plan", holder.plan),
        ("expires", _expiry(tokens)),
        ("stored in", "the system's keychain" if new.storage == "keychain" else str(store.path(new.issuer, new.name))),
    ):
        if value:
            click.echo(f"  {label:<10} {value}", err=True)
    whose_terms = f"{TERMS[issuer.name]}'s terms apply to all that goes through this login"
    click.echo(f"\n{whose_terms}, as to any other use of the account.", err=True)
    click.echo(f"\n{_next(new)}", err=True)


def _expiry(tokens: Tokens) -> str:
    if tokens.expires_at is None:
        return ""
    left = tokens.expires_at - time.time()
    until = f"in {duration(left)}" if left > 0 else "already"
    return f"{until}, and is renewed before that" if tokens.refresh else f"{until}; it cannot be renewed"


def _next(new: Login) -> str:
    """The provider that has been waiting for this login, or the lines that make one."""
    from strowger.config import load
    from strowger.config.checks import credentials_of
    from strowger.config.paths import config_file
    from strowger.providers.presets import PRESETS

    try:
        providers = load(None, env=os.environ, presets=PRESETS).config.providers
    except GatewayError:
        providers = {}
    wanted = ("login", new.issuer, new.name)
    for name, provider in providers.items():
        if any((key.kind, key.target, key.account) == wanted for _, key in credentials_of(provider)):
            return f"The provider `{name}` is ready: `strowger models` lists what it has."
    free = f"{new.issuer}-{new.name}" if new.name else new.issuer
    lines = [f"[providers.{free}]", f'preset = "{new.issuer}"', f'auth = "login:{new.label}"']
    return "\n".join([f"next, in {config_file(os.environ)}:", "", *(f"    {line}" for line in lines)])
