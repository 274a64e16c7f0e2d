# Every target sets up what it needs in .venv; nothing outside this folder is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/python -m pytest -q

.PHONY: help setup demo test test-all lint unit simulation simulate kills integration schema docs bench endurance lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: $(READY)  ## everything into .venv, from the lock

$(READY): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: setup  ## upgrade a blue site under client load, on this machine
	@$(BIN)/bmswitch lab demo

test: lint unit simulation integration  ## what must pass (about a quarter of an hour)

test-all: test  ## with the longer suites
	$(PYTEST) -m slow tests

lint: setup  ## style, types, layers
	$(BIN)/ruff check src tests benchmarks scripts
	$(BIN)/ruff format --check src tests benchmarks scripts
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: setup  ## pure, milliseconds each
	$(PYTEST) -m "not slow" -n 2 --dist loadfile tests/unit

simulation: setup  ## the switch on twins, in simulated time
	$(PYTEST) -m "not slow" -n 2 --dist loadfile tests/simulation

simulate: setup  ## more seeds on all processors: make simulate SEEDS=100000
	@$(BIN)/python -m tests.simulation.many $(or $(SEEDS),20000)

kills: setup  ## kill -9 of the switch at every instant of every effect, with both ways out (an hour)
	$(PYTEST) -v -p no:randomly tests/integration/test_kills.py

integration: setup  ## real parts
	$(PYTEST) -m "not slow" -n 2 --dist loadfile tests/integration

schema: setup  ## renew the JSON Schema beside the examples
	$(BIN)/bmswitch config schema --to examples/bmswitch.schema.json

docs: setup  ## renew the generated parts of docs/ from the code
	@$(BIN)/python -m scripts.switch_page
	@$(BIN)/python -m bmswitch.model.hazards.page > docs/hazards.md
	@$(BIN)/python -m bmswitch.replication.cures.page > docs/cures.md

bench: setup  ## benchmarks/results/*.json
	@for script in $(basename $(notdir $(wildcard benchmarks/bench_*.py))); do $(BIN)/python -m benchmarks.$$script || exit 1; done

endurance: setup  ## switches there and back under load until 1,000,000 requests are through (HAProxy), 100,000 each (nginx, Envoy)
	@$(BIN)/python -m benchmarks.endurance $(ENDURANCE)

lock: setup  ## renew requirements.lock from pyproject.toml
	$(BIN)/pip-compile -q --generate-hashes --extra lab --extra dev --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--strip-extras --all-build-deps --allow-unsafe --no-header -o requirements.lock pyproject.toml

clean:  ## remove what the targets made
	rm -rf $(VENV) build dist lab demo.json
