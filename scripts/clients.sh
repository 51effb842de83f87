#!/bin/sh
# Install the real clients that the end-to-end tests can drive, at the versions the tests were written against.
#
#   scripts/clients.sh [claude] [pi] [aider] [codex] [gemini] [opencode] [qwen] [kimi]      (no argument: all of them)
#
# They go to $STROWGER_CLIENTS (default ~/.cache/strowger/clients), never into the repository. A test whose client is
# missing is skipped and says so. Claude Code 2.1.329 is not here: it comes inside the claude-agent-sdk wheel (dev extra).
set -eu

CLAUDE=2.1.197
PI=0.73.1
AIDER=0.86.2
CODEX=0.169.0
GEMINI=0.61.0
OPENCODE=1.18.33
QWEN=0.15.10
KIMI=2.1.0
NODE=22.23.3

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

codex() {
    from_npm codex @openai/codex "$CODEX"
    "$where/codex/node_modules/.bin/codex" --version
}

gemini() {
    from_npm gemini @google/gemini-cli "$GEMINI"
    "$where/gemini/node_modules/.bin/gemini" --version
}

opencode() {
    from_npm opencode opencode-ai "$OPENCODE"
    "$where/opencode/node_modules/.bin/opencode" --version
}

qwen() {
    from_npm qwen @qwen-code/qwen-code "$QWEN" # newer ones need Node 22
    "$where/qwen/node_modules/.bin/qwen" --version
}

kimi() { # needs Node 22, which npm can bring along
    from_npm node22 node "$NODE"
    from_npm kimi @moonshot-ai/kimi-code "$KIMI"
    "$where/node22/node_modules/.bin/node" "$where/kimi/node_modules/.bin/kimi" --version
}

[ $# -gt 0 ] || set -- claude pi aider codex gemini opencode qwen kimi
for client in "$@"; do
    case $client in
        claude | pi | aider | codex | gemini | opencode | qwen | kimi) "$client" ;;
        *)
            echo "error: no client called '$client' (claude, pi, aider, codex, gemini, opencode, qwen, kimi)" >&2
            exit 2
            ;;
    esac
done
