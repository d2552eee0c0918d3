# Each target makes the virtual environment it needs by itself; only Python 3.11+, git and make must be there.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 3

.PHONY: help demo demo-fleet test browser stress bench evaluate lint docs audit clean
help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/'

$(VENV)/base: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("visigate_logging needs Python 3.11 or newer; this is %s. Try: make PYTHON=python3.12" % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip setuptools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/test: $(VENV)/base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test,web,recovery]'
	@touch $@

$(VENV)/bench: $(VENV)/test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@

$(VENV)/demo: $(VENV)/base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@

demo: $(VENV)/demo  ## a gate where everything breaks, in the directory demo
	$(BIN)/python examples/gate.py

demo-fleet: $(VENV)/demo  ## a hub, twelve gates with faults, the collector and its pages, in a temporary directory
	$(BIN)/python examples/fleet/demo.py

bench: $(VENV)/bench  ## measure against the standard library and others (minutes)
	$(BIN)/python -m benchmarks

evaluate: $(VENV)/test  ## how true groups, bursts, trends and forecasts are, on made data (LOGHUB=DIR, NAB=DIR: on those sets too)
	$(BIN)/python -m benchmarks.evaluate_grouping
	$(BIN)/python -m benchmarks.evaluate_insight

lint: $(VENV)/test  ## ruff and mypy strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/docs: $(VENV)/base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@

docs: $(VENV)/docs  ## the documents as a site, in site/; a link that leads nowhere is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

audit: $(VENV)/test  ## known faults of the installed packages (asks a database on the network)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-audit
	$(BIN)/pip-audit --skip-editable

# The system's Chromium, else its package (as root), else Playwright's own; with CI=true it must be there.
browser: $(VENV)/test
	@$(BIN)/python -m tests.web.chromium

test: lint browser  ## lint, then all tests
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m "not stress"

stress: $(VENV)/test  ## the same cases at their full counts (long)
	$(BIN)/python -m pytest -q -m stress --timeout 3600 -s
	$(BIN)/python -m pytest -q -m "hypothesis and not stress" --hypothesis-profile stress --timeout 3600 -n $(WORKERS)

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) build demo *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
