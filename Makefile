# make demo     install into .venv and run the whole chain on the embedded phantom study
# make test     install and run every test        make lint   style, types, import contracts
# make oasis    10 x 5-fold cross-validation of all arms on the OASIS-1 slices: 3 hours of one core, shared by all
# make ui       open the MLflow UI
# make toy      the thesis's tables on small image sets
# make bench    speed and memory, beside pythae 0.1.2 (BENCH=--quick: few repeats)
SHELL := /bin/bash
.DEFAULT_GOAL := demo
VENV := .venv
READY := $(VENV)/.ready
RUN := $(VENV)/bin
PEER := benchmarks/.peer

# The first Python that really runs (a name on the PATH may be an empty shim), is new enough and can make a venv.
FIND_PYTHON = for p in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done

$(READY): pyproject.toml constraints.txt
	@python=$$($(FIND_PYTHON)); test -n "$$python" \
	  || { echo "cohortsmith needs Python >= 3.11 with venv (Debian: apt install python3-venv)"; exit 2; }; \
	echo "installing into $(VENV) with $$python (a few minutes)"; $$python -m venv $(VENV)
	$(RUN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt pip torch
	$(RUN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,notebook]'
	touch $@

.PHONY: install demo test lint oasis toy bench ui
install: $(READY)

demo: $(READY)
	$(RUN)/kedro run

oasis: $(READY)
	$(RUN)/kedro run --env oasis

toy: $(READY)
	$(RUN)/python -m benchmarks.toy

$(PEER)/.ready: benchmarks/requirements.txt $(READY)
	rm -rf $(PEER)
	$(RUN)/pip install --quiet --disable-pip-version-check --no-deps --target $(PEER) --requirement $<
	touch $@

bench: $(PEER)/.ready
	PYTHONPATH=$(PEER) $(RUN)/python -m benchmarks $(BENCH)

test: $(READY)
	$(RUN)/python -m pytest -n 2 --dist loadfile

lint: $(READY)
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/lint-imports

ui: $(READY)
	$(RUN)/kedro ui
