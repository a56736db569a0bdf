# Every target sets up what it needs in .venv by itself. `make demo` is the place to start.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# CPU threads per test worker: two workers share the cores of a small machine.
TEST_THREADS ?= 1
TEST_WORKERS ?= 2

.PHONY: help setup demo test test-slow check format bench bench-train docs clean

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 20

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "midspec needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; set PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing midspec into $(VENV) (a few minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,write,eval,hub,scale,dev]'
	@touch $(READY)

setup: $(READY) ## install everything into .venv

demo: $(READY) ## the whole flow on a laptop CPU: two midtrainings, three fine-tunings, six arms, one report
	$(BIN)/midspec run recipes/quickstart.yaml --yes

test: $(READY) ## the test suite, under 15 minutes on 2 cores
	OMP_NUM_THREADS=$(TEST_THREADS) $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadgroup --durations 15

test-slow: $(READY) ## the long checks: ten kills, the real model end to end
	$(BIN)/python -m pytest -m slow --durations 0

check: $(READY) ## formatting, lint, strict types
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/pyright

format: $(READY) ## put the code into form
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/ruff format src tests benchmarks

bench: $(READY) ## what measures speed
	$(BIN)/python -m benchmarks

bench-train: $(READY) ## training beside TRL and LLaMA-Factory (hours; ARGS=--quick: minutes)
	$(BIN)/python -m benchmarks.training $(ARGS)

docs: $(READY) ## the generated pages under docs/
	$(BIN)/python -m midspec.evals.describe > docs/banks.md
	$(BIN)/python -m midspec.spec.describe > docs/specs.md
	$(BIN)/python -m midspec.bill.describe recipes/*.yaml > docs/recipes.md

clean: ## remove the environment, not your runs
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
