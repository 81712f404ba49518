# make demo     install into .venv and run the whole chain on the embedded phantom study
# make test     install and run every test        make lint   style, types, import contracts
# make oasis    the chain on the OASIS-1 slices   make ui     open the MLflow UI
SHELL := /bin/bash
.DEFAULT_GOAL := demo
VENV := .venv
READY := $(VENV)/.ready
RUN := $(VENV)/bin

PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3,$(if $(shell command -v $(p)),$(p))))

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "cohortsmith needs Python >= 3.11 with venv (Debian: apt install python3-venv)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(RUN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(RUN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,notebook]'
	touch $@

.PHONY: install demo test lint oasis ui
install: $(READY)

demo: $(READY)
	$(RUN)/kedro run

oasis: $(READY)
	$(RUN)/kedro run --env oasis

test: $(READY)
	$(RUN)/python -m pytest

lint: $(READY)
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/lint-imports

ui: $(READY)
	$(RUN)/kedro ui
