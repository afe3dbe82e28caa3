# Every target sets up what it needs; `make` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PORT ?= 8765
KILLS ?= 200
# Tests and benchmarks need no model hub and must not ask one.
test slow faults bench demo: export HF_HUB_OFFLINE = 1
# Many short processes: none compiles what another has compiled, whatever the machine's habit is.
test slow faults: export PYTHONDONTWRITEBYTECODE =
# Workers share the cores: threads that wait must not spin.
test slow faults: export OMP_WAIT_POLICY = PASSIVE
test slow faults: export OMP_NUM_THREADS = 1

.DEFAULT_GOAL := help
.PHONY: help setup up demo test slow lint format faults bench lock schemas clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(READY) ## Install everything into .venv

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@echo "Setting up $(VENV): about 6 GB once on x86-64 Linux, since torch brings CUDA along"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.5'
	@$(BIN)/uv pip sync --python $(BIN)/python --compile-bytecode requirements.lock
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --editable .
	@touch $@

up: $(READY) ## Start the whole stack on this machine
	@$(BIN)/hm up --port $(PORT)

demo: $(READY) ## Show what it does, in under a minute
	@$(BIN)/hm demo

test: $(READY) ## Run the tests, on a real Kafka and a real Qdrant Edge
	@$(BIN)/hm broker install
	@$(BIN)/pytest -q -m 'not slow' --numprocesses 4 --dist loadfile --no-loadscope-reorder --durations=25

slow: $(READY) ## Run the tests that take too long for every change
	@$(BIN)/hm broker install
	@$(BIN)/pytest -q -m slow --durations=10

lint: $(READY) ## Style, types, generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m hybrid_memory.schemas.generate --check

format: $(READY) ## Put the code in its form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

faults: $(READY) ## Kill processes at random, KILLS=200 times
	@$(BIN)/hm broker install
	@HM_TEST_KILLS=$(KILLS) $(BIN)/pytest -q tests/faults --timeout 7200

bench: $(READY) ## Measure speed and memory
	@$(BIN)/hm bench

schemas: $(READY) ## Generate JSON Schemas and AsyncAPI from the models
	@$(BIN)/python -m hybrid_memory.schemas.generate

lock: $(READY) ## Resolve the dependencies anew
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header \
		--extra all --group dev pyproject.toml --output-file requirements.lock

clean: ## Remove what was set up here
	@rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
