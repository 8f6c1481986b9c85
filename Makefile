PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
WORKERS := --numprocesses auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder

.PHONY: help setup fit test test-slow reproduce docs lint format clean

help:  ## show what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(INSTALLED)  ## create .venv and install the package with its development extra

$(INSTALLED): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable ".[dev]"
	touch $@

# Convolutions of 8 × 8 pixels are too small to share: on a busy machine, two threads wait for each other longer than they
# compute.
fit: $(INSTALLED)  ## the main job on the embedded digits: train, judge, track
	OMP_NUM_THREADS=1 $(BIN)/python -m ae_lightning fit -c vae -c model/digits --trainer.max_epochs 50

test: $(INSTALLED)  ## all tests but the slow ones
	$(BIN)/python -m pytest -m "not slow" $(WORKERS)

test-slow: $(INSTALLED)  ## the slow tests
	$(BIN)/python -m pytest -m slow $(WORKERS)

reproduce: $(INSTALLED)  ## the experiments of Eftimiades and Bagul (hours; goes on where it stopped) and docs/results.md
	$(BIN)/python -m experiments.reproduce
	$(BIN)/python -m ae_lightning compare --experiment eftimiades --output outputs/eftimiades
	$(BIN)/python -m experiments.results

# Its first warning is about a successor of MkDocs.
docs: $(INSTALLED)  ## the documentation as a site, in site/; a broken link or anchor fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

lint: $(INSTALLED)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)  ## rewrite the code in the house's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove the environment and what tools leave behind
	rm -rf $(VENV) site .mypy_cache .pytest_cache .ruff_cache
