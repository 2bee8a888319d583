# Everything a person does with this repository. `make help` lists it.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo lab notebooks test lint clean

help:  ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(VENV)/.demo  ## run the first notebook on the offline demo, in the terminal
	$(BIN)/claude-magic demo

lab: $(VENV)/.demo  ## open the notebooks in JupyterLab on the offline demo (LIVE=1: on your own login)
ifdef LIVE
	$(BIN)/jupyter lab notebooks
else
	$(BIN)/claude-magic demo --lab
endif

notebooks: $(VENV)/.demo  ## run all notebooks on the offline demo and store their outputs
	$(BIN)/claude-magic demo --save notebooks/*.ipynb

test: $(VENV)/.test lint  ## install what the tests need and run all of them
	tests/install-chromium
	$(BIN)/python -m pytest --cov --cov-report=term $(PYTEST)

lint: $(VENV)/.test  ## check style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:  ## remove what these commands made
	rm -rf $(VENV) output build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "claude-magic needs Python 3.10 or newer; name one: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "$(PYTHON) cannot make a virtual environment; on Debian: apt install python3-venv"; \
	  rm -rf $(VENV); exit 1; }

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@ $(VENV)/.demo
