#!/bin/sh
# Install the real clients that the end-to-end tests can drive, at the versions the tests were written against.
#
#   scripts/clients.sh [claude] [pi] [aider]      (no argument: all of them)
#
# They go to $STROWGER_CLIENTS (default ~/.cache/strowger/clients), never into the repository. A test whose client is
# missing is skipped and says so. Claude Code 2.1.329 is not here: it comes inside the claude-agent-sdk wheel (dev extra).
set -eu

CLAUDE=2.1.197
PI=0.73.1
AIDER=0.86.2

where=${STROWGER_CLIENTS:-$HOME/.cache/strowger/clients}
mkdir -p "$where"

# npm 11 runs no lifecycle script of a dependency unless the project's package.json allows it by name.
from_npm() { # folder package version
    mkdir -p "$where/$1"
    printf '{"private": true, "allowScripts": {"%s": true}}\n' "$2" >"$where/$1/package.json"
    (cd "$where/$1" && npm install --no-fund --no-audit --loglevel=error "$2@$3")
}

claude() {
    from_npm claude @anthropic-ai/claude-code "$CLAUDE"
    "$where/claude/node_modules/.bin/claude" --version
}

pi() {
    from_npm pi @mariozechner/pi-coding-agent "$PI"
    "$where/pi/node_modules/.bin/pi" --version
}

aider() {
    python=${PYTHON:-python3.11} # its pinned numpy has no wheels for every newer Python
    "$python" -m venv "$where/aider"
    "$where/aider/bin/python" -m pip install --quiet "aider-chat==$AIDER"
    "$where/aider/bin/aider" --version
}

[ $# -gt 0 ] || set -- claude pi aider
for client in "$@"; do
    case $client in
        claude | pi | aider) "$client" ;;
        *) echo "error: no client called '$client' (claude, pi, aider)" >&2; exit 2 ;;
    esac
done
