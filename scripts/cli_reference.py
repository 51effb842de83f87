"""Write docs/reference/cli.md from the commands' own help, or say whether it is up to date.

python scripts/cli_reference.py          writes it
python scripts/cli_reference.py --check  exit code 1 if it would be written differently
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from strowger.cli import main

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "cli.md"
WIDTH = 100

INTRODUCTION = """# The command line

<!-- Written by scripts/cli_reference.py from the commands' own help. Change that, and run it again. -->

What can be piped goes to standard output, everything else to standard error. Errors have one form: what happened, what
was behind it, and after a blank line a hint what to do next.

`--json` prints one object, which may get more members with time. Three commands print something else: `flows list` the
list of calls itself, as `--jq` programs take and give it, and `flows tail` and `logs`, which go on, a line for each.

| exit code | meaning |
|---|---|
| 0 | done; for `status`: a gateway runs; for `auth status`: there is a usable login; for `quota`: something is known |
| 1 | failed; for `status`: none is running; for `auth status`: there is none; for `quota`: nothing is known |
| 2 | wrong usage or configuration; for `run`: no route leads to the model; for `login`: no such issuer |
| 126, 127 | `run`: the client may not be run, was not found |
| 130 | interrupted |
| 141 | the reader of the output went away |

`strowger run` gives its client's own code, and 128 + n when signal n ended the client. `strowger completion SHELL`
prints what makes a shell complete all of this.
"""


def render() -> str:
    """The page."""
    return "\n".join([INTRODUCTION, *(_section(context) for context in _commands(_context(main.cli, "strowger")))])


def _commands(context: click.Context) -> Iterator[click.Context]:
    """A command and all below it, depth first."""
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None, name
            yield from _commands(_context(command, name, context))


def _context(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    settings = {"terminal_width": WIDTH, "max_content_width": WIDTH, "help_option_names": ["-h", "--help"]}
    return click.Context(command, info_name=name, parent=parent, **settings)


def _section(context: click.Context) -> str:
    depth = 2 + context.command_path.count(" ")
    return f"{'#' * min(depth, 4)} `{context.command_path}`\n\n```text\n{context.get_help().rstrip()}\n```\n"


def cli_reference() -> int:
    """Write the page, or check it."""
    page = render()
    if "--check" in sys.argv[1:]:
        is_current = PAGE.exists() and PAGE.read_text("utf-8") == page
        if not is_current:
            print(f"{PAGE.name} is out of date: run `python scripts/cli_reference.py`", file=sys.stderr)
        return 0 if is_current else 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(cli_reference())
