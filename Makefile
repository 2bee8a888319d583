# Everything a person does with this repository. `make help` lists it.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

# What an installation is made of besides Python, which an editable one does not follow.
BUILT  := pyproject.toml labextension/package-lock.json $(shell find labextension/src -type f)

# Two at a time; `make test WORKERS=` for one after the other.
WORKERS ?= --numprocesses 2 --dist loadscope --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo lab labextension notebooks pictures docs bench test faults test-pythons test-floors lint clean

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

labextension: $(VENV)/.demo  ## build the JupyterLab extension and install it, where it has changed

notebooks: $(VENV)/.demo  ## run all notebooks on their tapes and store their outputs
	$(BIN)/claude-magic tape replay --save notebooks/*.ipynb

test: $(VENV)/.test lint  ## install what the tests need and run all of them
	tests/install-chromium
	tests/install-databases
	$(BIN)/python -m pytest $(WORKERS) --cov --cov-report=term $(PYTEST)

faults: $(VENV)/.test  ## break everything as often as the promises say; takes a quarter of an hour
	CLAUDE_MAGIC_FAULTS=full $(BIN)/python -m pytest tests/integration/faults --timeout 1800 $(PYTEST)

bench: $(VENV)/.test  ## measure everything beside the bare SDK, and write docs/benchmarks.md anew; a quarter of an hour
	$(BIN)/python -m benchmarks --write

# The browser and the notebooks look the same on every Python; the rest may not.
PORTABLE := tests/unit tests/integration

test-pythons:  ## run the tests without a browser on every Python 3.10 to 3.13 that is there
	for version in 3.10 3.11 3.12 3.13; do \
	  python=python$$version; \
	  $$python -c '' 2>/dev/null || python=$$(ls $$PYENV_ROOT/versions/$$version.*/bin/python | tail -1); \
	  if [ -z "$$python" ]; then echo "Python $$version is not here: skipped"; continue; fi; \
	  $$python -m venv .venv-$$version && \
	  .venv-$$version/bin/python -m pip install --quiet --editable '.[test]' && \
	  .venv-$$version/bin/python -m pytest -q $(WORKERS) $(PORTABLE) || exit 1; \
	done

test-floors: $(BIN)/python  ## run the same tests on the oldest dependencies allowed
	$(PYTHON) -m venv --clear .venv-floors
	.venv-floors/bin/python -m pip install --quiet --editable '.[test]' $$($(PYTHON) tests/floors.py)
	.venv-floors/bin/python -m pytest -q $(WORKERS) $(PORTABLE)
	.venv-floors/bin/claude-magic tape check notebooks/*.ipynb

pictures: $(VENV)/.test  ## take the pictures of the README anew
	tests/install-chromium
	$(BIN)/python -m pytest -q tests/browser -k 'picture or question_shows or looks'
	cd output/screenshots && cp first-conversation-light.png question-light.png lab-extension-light.png ../../docs/images/

docs: $(VENV)/.test  ## write the generated tables of the documentation anew
	$(BIN)/cog -r docs/*.md

lint: $(VENV)/.test  ## check style, types, the direction of imports and generated tables
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cog --check docs/*.md
	PATH="$(CURDIR)/$(BIN):$$PATH" tests/check-typescript

clean:  ## remove what these commands made
	rm -rf $(VENV) .venv-* output build dist labextension/dist labextension/node_modules .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "claude-magic needs Python 3.10 or newer; name one: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "$(PYTHON) cannot make a virtual environment; on Debian: apt install python3-venv"; \
	  rm -rf $(VENV); exit 1; }

$(VENV)/.demo: $(BUILT) | $(BIN)/python
	@echo "Installing into $(VENV); this takes about a minute …"
	@$(BIN)/python -m pip install --quiet --editable '.[demo]'
	@touch $@

$(VENV)/.test: $(BUILT) | $(BIN)/python
	@echo "Installing what the tests need into $(VENV); this takes about a minute …"
	@$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@ $(VENV)/.demo
