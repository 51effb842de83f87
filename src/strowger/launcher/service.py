"""`serve` as a service of the user's own: a systemd unit, a launchd agent or a Windows task. Never as root.

What is written and what is run is data that can be shown before anything happens. Must not know the command line.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from msgspec import Struct

from strowger.config.paths import config_dir, state_dir
from strowger.config.private import replace_file
from strowger.errors import ConfigError, GatewayError

NAME = "strowger"
LABEL = "dev.strowger.serve"

_SECONDS = 30.0

# What a gateway never needs. All of it is seccomp and process flags, which need no privileges and no namespaces.
_HARDENING = """\
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
UMask=0077
"""


class Service(Struct, frozen=True):
    """A service of one system: the file that describes it, and the commands that start it, end it and ask after it."""

    path: Path
    text: str
    start: tuple[tuple[str, ...], ...]
    stop: tuple[tuple[str, ...], ...]
    ask: tuple[str, ...]


def planned(
    words: tuple[str, ...], env: Mapping[str, str], *, platform: str = sys.platform, user: int | None = None
) -> Service:
    """The service that runs `words` (a program by its whole path, and its arguments) for this user."""
    if platform == "darwin":
        return _launchd(words, env, os.getuid() if user is None else user)
    if platform == "win32":
        return _task(words, env)
    return _systemd(words, env)


def environment_file(env: Mapping[str, str]) -> Path:
    """Where a service under systemd finds variables of its own; nobody has to have one."""
    return config_dir(env) / "service.env"


def own_variables(env: Mapping[str, str]) -> dict[str, str]:
    """The variables in that file, as far as it is there and has any."""
    try:
        lines = environment_file(env).read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line and not line.lstrip().startswith(("#", ";")))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def install(service: Service) -> None:
    """Write the file and start the service; another of that name is replaced. Raises GatewayError."""
    try:
        service.path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(service.path, service.text.encode())
    except OSError as error:
        raise ConfigError(f"{service.path} cannot be written: {error.strerror}") from None
    for command in service.start:
        _run(command)


def uninstall(service: Service) -> bool:
    """End the service and take its file away; False when there is none. Raises GatewayError."""
    if not service.path.exists():
        return False
    for command in service.stop:
        # what does not run cannot be ended, and is to go all the same
        subprocess.run(command, capture_output=True, check=False, timeout=_SECONDS)
    service.path.unlink(missing_ok=True)
    return True


def state(service: Service) -> str:
    """What the system says of it, in its own word (`active`, `failed`, …); `not installed` when there is none."""
    if not service.path.exists():
        return "not installed"
    try:
        done = subprocess.run(service.ask, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return f"unknown: `{service.ask[0]}` does not answer"
    said = (done.stdout or done.stderr).strip().splitlines()
    return said[0] if said else "unknown"


def _run(command: tuple[str, ...]) -> None:
    shown = shlex.join(command)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = error.strerror if isinstance(error, OSError) else "no answer"
        raise GatewayError(f"`{shown}` cannot be run: {reason}", hint=_BY_HAND) from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise GatewayError(f"`{shown}` failed: {said[-1] if said else f'exit code {done.returncode}'}", hint=_BY_HAND)


_BY_HAND = "the file has been written; where no service manager runs, start `strowger serve` yourself"


def _systemd(words: tuple[str, ...], env: Mapping[str, str]) -> Service:
    base = Path(env["XDG_CONFIG_HOME"]) if env.get("XDG_CONFIG_HOME") else config_dir(env).parent
    text = f"""\
[Unit]
Description=Strowger, the local exchange for coding agents
After=network-online.target

[Service]
Type=exec
ExecStart={" ".join(_quoted(word) for word in words)}
# Keys for `env:` references, NAME=value on each line; keep it to yourself (chmod 600).
EnvironmentFile=-{str(environment_file(env)).replace("%", "%%")}
Restart=on-failure
RestartSec=2
{_HARDENING}
[Install]
WantedBy=default.target
"""
    unit = f"{NAME}.service"
    control = ("systemctl", "--user")
    return Service(
        path=base / "systemd" / "user" / unit,
        text=text,
        start=((*control, "daemon-reload"), (*control, "enable", unit), (*control, "restart", unit)),
        stop=((*control, "disable", "--now", unit),),
        ask=(*control, "is-active", unit),
    )


def _launchd(words: tuple[str, ...], env: Mapping[str, str], user: int) -> Service:
    home = Path(env.get("HOME") or Path.home())
    path = home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
    log = escape(str(state_dir(env) / "service.log"))
    arguments = "".join(f"    <string>{escape(word)}</string>\n" for word in words)
    text = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>{LABEL}</string>
  <key>ProgramArguments</key>
  <array>
{arguments}  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>Umask</key>
  <integer>63</integer>
  <key>StandardErrorPath</key>
  <string>{log}</string>
</dict>
</plist>
"""
    domain = f"gui/{user}"
    return Service(
        path=path,
        text=text,
        start=(("launchctl", "bootstrap", domain, str(path)), ("launchctl", "kickstart", f"{domain}/{LABEL}")),
        stop=(("launchctl", "bootout", f"{domain}/{LABEL}"),),
        ask=("launchctl", "print", f"{domain}/{LABEL}"),
    )


def _task(words: tuple[str, ...], env: Mapping[str, str]) -> Service:
    path = state_dir(env) / "service.xml"
    command, *arguments = words
    text = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers><LogonTrigger><Enabled>true</Enabled></LogonTrigger></Triggers>
  <Principals>
    <Principal id="Author"><LogonType>InteractiveToken</LogonType><RunLevel>LeastPrivilege</RunLevel></Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>3</Count></RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec><Command>{escape(command)}</Command><Arguments>{escape(subprocess.list2cmdline(arguments))}</Arguments></Exec>
  </Actions>
</Task>
"""
    return Service(
        path=path,
        text=text,
        start=(
            ("schtasks", "/Create", "/F", "/TN", NAME, "/XML", str(path)),
            ("schtasks", "/Run", "/TN", NAME),
        ),
        stop=(("schtasks", "/End", "/TN", NAME), ("schtasks", "/Delete", "/F", "/TN", NAME)),
        ask=("schtasks", "/Query", "/TN", NAME, "/FO", "CSV", "/NH"),
    )


def _quoted(word: str) -> str:
    """A word of ExecStart: systemd takes `%` and `$` for its own, and knows C's escapes inside double quotes."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
