PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
WORKERS := --numprocesses auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder

# Tests start some hundred programs, which would each compile the package anew where nothing may be written down.
export PYTHONDONTWRITEBYTECODE :=

# The lowest versions have wheels for Python 3.11 and 3.12.
LOWEST := .venv-lowest
LOWEST_PYTHON ?= $(shell python3.11 --version >/dev/null 2>&1 && echo python3.11 || echo $(PYTHON))
# Fit, resume, compare, sweep and load; and what older versions were seen to do otherwise.
SMOKE := \
	tests/callbacks/test_pictures.py::test_pictures_stand_in_the_charts_image_grid \
	tests/checkpoints/test_readable.py \
	tests/command_line/test_lightning_callbacks.py::test_an_average_taken_at_the_end_is_what_is_judged_and_kept \
	tests/command_line/test_resume.py::test_a_run_by_its_id_goes_on_with_its_own_configuration \
	tests/command_line/test_resume.py::test_the_run_gone_on_with_is_the_newest_and_has_the_same_result_as_one_left_in_peace \
	tests/command_line/test_run_folders.py \
	tests/comparison/test_compare_command.py::test_the_page_shows_what_could_be_loaded_and_names_the_rest \
	tests/comparison/test_compare_command.py::test_the_table_has_every_configuration_and_the_baseline \
	tests/data/test_decoding.py \
	tests/data/test_npz.py \
	tests/python_api/test_compare.py \
	tests/python_api/test_fit.py \
	tests/python_api/test_load.py \
	tests/sweep/test_sweep_runs.py::test_the_best_configuration_runs_unchanged \
	tests/sweep/test_sweep_runs.py::test_the_best_model_is_registered \
	tests/sweep/test_sweep_runs.py::test_the_trials_are_complete \
	tests/tracking/test_refused.py::test_what_a_proxy_never_lets_through_is_kept_until_it_does

.PHONY: help setup fit test test-slow test-lowest setup-lowest reproduce docs lint format clean

help:  ## show what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(INSTALLED)  ## create .venv and install the package with its development extra

# Of the twenty thousand modules most are never imported: what is, is compiled once it is.
$(INSTALLED): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --editable ".[dev]"
	$(BIN)/python -c "import ae_lightning.command_line.launch, mlflow"
	touch $@

# Convolutions of 8 × 8 pixels are too small to share: on a busy machine, two threads wait for each other longer than they
# compute.
fit: $(INSTALLED)  ## the main job on the embedded digits: train, judge, track
	OMP_NUM_THREADS=1 $(BIN)/python -m ae_lightning fit -c vae -c model/digits --trainer.max_epochs 50

test: $(INSTALLED)  ## all tests but the slow ones
	$(BIN)/python -m pytest -m "not slow" $(WORKERS)

test-slow: $(INSTALLED)  ## the slow tests
	$(BIN)/python -m pytest -m slow --timeout 1200 $(WORKERS)

test-lowest: setup-lowest  ## a few tests beside the lowest versions of all direct dependencies but torch
	$(LOWEST)/bin/python -m pytest $(WORKERS) $(SMOKE)

setup-lowest: $(LOWEST)/.installed  ## create .venv-lowest for them

$(LOWEST)/.installed: tests/lowest.txt
	test -x $(LOWEST)/bin/python || $(LOWEST_PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/pip install --quiet --no-compile --editable ".[test]" --constraint tests/lowest.txt
	touch $@

tests/lowest.txt: pyproject.toml
	echo '# The lowest of the direct dependencies but torch: `make tests/lowest.txt` makes it of pyproject.toml.' >$@
	sed -n '/^dependencies/,/^\]/s/^ *"\([a-zA-Z0-9_-]*\)[^>]*>=\([^,]*\),.*/\1==\2/p' pyproject.toml | grep -v '^torch' >>$@

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
	rm -rf $(VENV) $(LOWEST) site .mypy_cache .pytest_cache .ruff_cache
