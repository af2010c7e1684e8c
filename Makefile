# Everything a user or a developer does. `make run` and `make test` need only Python 3.11+ and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: setup run test lint types contracts bench sim quotas autonomy mutants clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Nightdesk needs Python 3.11 or newer; this is %s. Try: make PYTHON=python3.12" % sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned dependencies into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

run: setup
	@if [ -t 0 ] && [ -t 1 ]; then exec $(BIN)/nightdesk run $(ARGS); else exec $(BIN)/nightdesk run --duration 60s $(ARGS); fi

test: setup
	@$(BIN)/python -m pytest -n 2 -m "not sim" $(ARGS)

lint: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup
	@$(BIN)/python -m benchmarks $(ARGS)

# What a mutation check needs and the desk does not, in a place of its own.
MUTANTS := .venv-mutants

mutants: $(MUTANTS)/.installed
	@$(MUTANTS)/bin/python -m tests.mutants $(ARGS)

$(MUTANTS)/.installed: requirements.lock requirements-mutants.lock
	@test -x $(MUTANTS)/bin/python || $(PYTHON) -m venv $(MUTANTS)
	@for lock in requirements.lock requirements-mutants.lock; do \
	  $(MUTANTS)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r $$lock || exit 1; done
	@touch $@

# What takes minutes to hours: long tests first, then what a release has to live through (docs/reliability.md).
sim: setup
	@$(BIN)/python -m pytest -n 2 -m sim $(ARGS)
	@$(if $(ARGS),,$(MAKE) quotas)

# Ten real minutes unattended in a home of their own, judged by their ten points (docs/validation.md).
autonomy: setup
	@$(BIN)/nightdesk validate autonomy --home $(or $(AUTONOMY_HOME),.nightdesk/autonomy) $(ARGS)

JOBS ?= 2
quotas: setup
	@$(BIN)/python -m tests.simulator --jobs $(JOBS) --seeds 1000-1999 --trouble 300
	@$(BIN)/python -m tests.simulator --jobs $(JOBS) --seeds 1-20 --trouble 86400
	@$(BIN)/python -m tests.simulator --jobs $(JOBS) --seeds 72 --trouble 259200
	@$(BIN)/python -m tests.simulator --jobs $(JOBS) --seeds 0-199 --bug all
