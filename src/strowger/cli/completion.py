"""`strowger completion`: what makes a shell complete our commands, options, profiles, providers and sessions."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from strowger.errors import GatewayError

_PROGRAM = "strowger"
_VARIABLE = "_STROWGER_COMPLETE"

# Click has no words for PowerShell. Its answers to zsh have a kind, a value and a help on a line each.
_PWSH = """\
Register-ArgumentCompleter -Native -CommandName strowger -ScriptBlock {
    param($word, $line, $cursor)
    $env:_STROWGER_COMPLETE = "zsh_complete"
    $env:COMP_WORDS = $line.ToString().Substring(0, [Math]::Min($cursor, $line.ToString().Length))
    $env:COMP_CWORD = ($line.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursor }).Count
    try {
        $lines = @(strowger)
        for ($i = 0; $i + 2 -lt $lines.Count; $i += 3) {
            $name = $lines[$i + 1]
            $help = if ($lines[$i + 2] -eq "_") { $name } else { $lines[$i + 2] }
            [System.Management.Automation.CompletionResult]::new($name, $name, "ParameterValue", $help)
        }
    }
    finally {
        Remove-Item Env:_STROWGER_COMPLETE, Env:COMP_WORDS, Env:COMP_CWORD -ErrorAction SilentlyContinue
    }
}
"""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish", "pwsh"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands, options and names.

    \b
        eval "$(strowger completion bash)"         in ~/.bashrc
        eval "$(strowger completion zsh)"          in ~/.zshrc
        strowger completion fish | source          in ~/.config/fish/config.fish
        strowger completion pwsh | Out-String | Invoke-Expression
    """
    if shell == "pwsh":
        click.echo(_PWSH, nl=False)
        return
    kind = get_completion_class(shell)
    if kind is None:
        raise GatewayError(f"there is no completion for {shell}")
    click.echo(kind(click.get_current_context().find_root().command, {}, _PROGRAM, _VARIABLE).source(), nl=False)
