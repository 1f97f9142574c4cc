# The first call of any verb sets everything up in .venv, from PyPI alone.

TARGET ?=
ETCD ?= auto
BUG ?=
FAULTS ?=
FUZZ_SECONDS ?= 60
TEST_JOBS ?= $(if $(filter endpoint:%,$(ETCD)),0,auto)
JOBS ?= 1
HISTORIES ?= 1000000
AGAIN ?=
MUTANTS ?= 108
MUTANT_SECONDS ?= 15
SEEDS ?= 5
PAIRS ?=
ATTACK ?=
STATE ?=
PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# LOCKED=1 installs the versions of constraints.txt instead of the newest.
CONSTRAINTS := $(if $(LOCKED),--constraint constraints.txt)
DOCS_READY := $(VENV)/.docs-ready
MUTANTS_READY := $(VENV)/.mutants-ready
SOURCES := model fake stateful_tests examples

.DEFAULT_GOAL := help
.PHONY: help fuzz stress test check docs bench matrix replay check-histories quirks repro mutants fidelity lies dist-check clean

help: ## list these verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18
	@echo
	@echo 'variables: TARGET and JOBS (fuzz: what to compare, in how many processes), ETCD (where the real one comes from), FUZZ_SECONDS,'
	@echo '           TEST_JOBS (test: processes), FAULTS (stress), HISTORIES, BUG (repro), MUTANTS, MUTANT_SECONDS, AGAIN (mutants), SEEDS, PAIRS, ATTACK (lies),'
	@echo '           STATE (fidelity: of a campaign)'

fuzz: $(READY) ## search for lies:  make fuzz [TARGET=slot-mock] [ETCD=auto] [FUZZ_SECONDS=60] [JOBS=1]
	@$(BIN)/etcd-lockstep fuzz --etcd $(ETCD) --seconds $(FUZZ_SECONDS) --jobs $(JOBS) $(foreach target,$(TARGET),--against $(target))

stress: $(READY) ## let clients race, and check what they saw:  make stress [TARGET=cluster:3] [ETCD=auto] [FUZZ_SECONDS=60] [FAULTS=kill,pause]
	@$(BIN)/etcd-lockstep stress $(or $(TARGET),$(ETCD)) --seconds $(FUZZ_SECONDS) $(foreach faults,$(FAULTS),--faults $(faults))

test: $(READY) ## run every test, the corpus among them
	@$(BIN)/python -m pytest --etcd-source $(ETCD) -n $(TEST_JOBS) $(if $(filter 0,$(TEST_JOBS)),,--dist worksteal)

check: $(READY) ## ruff, mypy, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

# Not --quiet: then a warning would not fail a strict build.
docs: $(DOCS_READY) ## build the documentation as build/site/index.html; a broken link fails
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(READY) ## measure, as ratios within one run
	@$(BIN)/python -m etcd_lockstep.bench --etcd $(ETCD)

replay: $(READY) ## run the corpus again:  make replay [TARGET=...]
	@$(BIN)/etcd-lockstep replay --etcd $(ETCD) $(foreach target,$(TARGET),--against $(target)) stateful_tests/corpus

check-histories: $(READY) ## the checker against an oracle:  make check-histories [HISTORIES=1000000]
	@$(BIN)/python -m etcd_lockstep.histories.proving --histories $(HISTORIES)

quirks: $(READY) ## make docs/quirks.md: what differs between the available versions
	@$(BIN)/python -m etcd_lockstep.pages quirks

repro: $(READY) ## show a known bug of etcd:  make repro [BUG=name, or all for docs/track-record.md]; none lists them
	@$(BIN)/python -m etcd_lockstep.known_bugs $(BUG) $(if $(filter all,$(BUG)),--page docs/track-record.md)

mutants: $(if $(AGAIN),$(READY),$(MUTANTS_READY)) ## small faults in our own sources, each to be noticed:  make mutants [MUTANTS=108]
	@$(BIN)/python -m etcd_lockstep.mutants \
	  $(if $(AGAIN),--again $(AGAIN),--number $(MUTANTS) --seconds $(MUTANT_SECONDS) --page docs/mutants.md)

fidelity: $(READY) ## make docs/fidelity.md: how much of the API is exercised, version by version:  make fidelity [STATE=DIR]
	@$(BIN)/python -m etcd_lockstep.pages fidelity $(if $(STATE),--state $(STATE),--seconds $(FUZZ_SECONDS))

lies: $(READY) ## make docs/lies.md: how soon each specimen's lie is found; or two at once (PAIRS=200), or what comes off shrunk traces (ATTACK=1)
	@$(BIN)/python -m etcd_lockstep.proving $(if $(PAIRS),--pairs $(PAIRS),--seeds $(SEEDS)) $(if $(ATTACK),--attack)

matrix: $(READY) ## a core of the tests with the oldest and the newest dependencies, on each Python that is there
	@$(BIN)/nox --session core $(foreach session,$(SESSIONS),--keywords '$(session)') $(if $(PYTHONS),--pythons $(PYTHONS))

dist-check: $(READY) ## build the wheel, look into it, and run the suite from it
	@$(BIN)/python .ci/dist_check.py --etcd-source $(ETCD)

clean: ## remove what the verbs made
	rm -rf $(VENV) .nox dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis lies-found violations-found
	rm -f fake/fake_etcd/*/messages.binpb fake/fake_etcd/*/messages.pyi
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# uv takes a few seconds where pip takes a minute; but pip knows of an index that is named in a pip.conf.
$(READY): pyproject.toml hatch_build.py fake/fake_etcd/wire/etcd.proto fake/fake_etcd/control/control.proto
	@echo 'setting up .venv, once'
	@if command -v uv >/dev/null; then \
	  uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
	  uv pip install --quiet --python $(BIN)/python --editable '.[dev]' $(CONSTRAINTS); \
	else \
	  $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check uv && \
	  { $(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[dev]' $(CONSTRAINTS) || \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' $(CONSTRAINTS); }; \
	fi
	@touch $@

# The extra that is called like the mark: docs, mutants.
$(DOCS_READY) $(MUTANTS_READY): $(VENV)/.%-ready: $(READY)
	@echo 'adding what $* needs, once'
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[$*]'
	@touch $@
