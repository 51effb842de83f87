# What can be done with this repository. `make help` lists it; CONTRIBUTING.md explains it.
#
# Needs Python 3.11 or newer and nothing else: everything is installed, pinned and hash-checked, into a virtual
# environment beside this file. With PYTHON=… (`make test PYTHON=python3.13`) the environment is `.venv-<version>`,
# so that several versions can live side by side.

ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
VENV := .venv
else
VENV := .venv-$(shell "$(PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
endif

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# The pins are complete, so there is nothing to resolve; and pip would compile with one processor only.
INSTALL := $(PIP) install --quiet --require-hashes --no-deps --no-compile
JOBS ?= 3
UV ?= uv
say = @printf '\n==> %s\n'

# The tests start hundreds of processes, and without bytecode each would compile all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE

.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help test demo check fmt fmt-check lint types imports unit whole clients bench pins clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

test: check whole clients ## everything that CI runs: check, then all tests, then the real clients end to end
	$(say) 'all green'

demo: $(VENV)/.runtime ## run the gateway on its built-in demo provider: no account, no network
	@$(BIN)/strowger demo

check: fmt-check lint types imports ## format, lint, types and import contracts; changes nothing

fmt: $(VENV)/.dev ## format the code and fix what the linter can fix
	$(say) 'format: ruff format, ruff check --fix'
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

fmt-check: $(VENV)/.dev
	$(say) 'format: ruff format --check  (make fmt mends it)'
	@$(BIN)/ruff format --check

lint: $(VENV)/.dev ## ruff
	$(say) 'lint: ruff check'
	@$(BIN)/ruff check

types: $(VENV)/.dev ## mypy --strict
	$(say) 'types: mypy --strict'
	@$(BIN)/mypy --num-workers 2

imports: $(VENV)/.dev ## who may import whom (.importlinter)
	$(say) 'imports: lint-imports'
	@$(BIN)/lint-imports --no-logo

unit: $(VENV)/.dev ## the quick tests: no I/O, half a minute
	$(say) 'tests without I/O: unit, properties, and the rules of the house'
	@$(BIN)/python -m pytest -q -n $(JOBS) $(wildcard tests/unit tests/properties tests/house tests/docs)

whole: $(VENV)/.dev
	$(say) 'tests: everything but the real clients'
	@$(BIN)/python -m pytest -q -n $(JOBS) --ignore=tests/e2e --ignore=tests/browser tests

clients: $(VENV)/.e2e ## real client programs against strict fakes; Claude Code is installed from its SDK (large)
	$(say) 'clients: real programs through the gateway  (a skip names the program that is missing)'
	@$(if $(wildcard tests/e2e),STROWGER_E2E=claude-2.1.329 $(BIN)/python -m pytest -q -n $(JOBS) tests/e2e $(wildcard tests/browser),echo 'no tests/e2e here')

bench: $(VENV)/.dev ## measure the gateway against a direct connection and nginx
	$(say) 'bench: CPU, latency and memory; see docs/explanation/performance.md'
	@$(BIN)/python -m bench

pins: ## compile requirements/*.txt anew (needs uv); review the difference like code
	$(say) 'pins: for every platform and Python 3.11 or newer, with the hashes of every published file'
	UV_CUSTOM_COMPILE_COMMAND='make pins' $(UV) pip compile $(PINS) -o requirements/runtime.txt
	UV_CUSTOM_COMPILE_COMMAND='make pins' $(UV) pip compile $(PINS) --extra dev -c requirements/runtime.txt \
		-o requirements/dev.txt
	UV_CUSTOM_COMPILE_COMMAND='make pins' $(UV) pip compile $(PINS) --extra dev --extra e2e -c requirements/dev.txt \
		-o requirements/e2e.txt
PINS := --quiet --universal --python-version 3.11 --generate-hashes --no-annotate pyproject.toml requirements/build.in

clean: ## remove environments and caches
	rm -rf .venv .venv-* build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- environments: a stamp for each set of pins ----

$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'Strowger needs Python 3.11 or newer; name one with `make … PYTHON=…`' >&2; exit 1; }
	$(say) 'environment: $(VENV), from $(PYTHON)'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(BIN)/python
	$(say) 'environment: Strowger and what it needs, pinned'
	@$(INSTALL) -r requirements/runtime.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(say) 'environment: the tools for checks and tests, pinned'
	@$(INSTALL) -r requirements/dev.txt
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $@

$(VENV)/.e2e: requirements/e2e.txt $(VENV)/.dev
	$(say) 'environment: real clients, pinned  (Claude Code alone is about 100 MB to fetch)'
	@$(INSTALL) -r requirements/e2e.txt
	@touch $@
