# One command per need. Each makes the environment it needs in .venv from python3, pip and venv alone.

PYTHON ?= python3
VENV := .venv
WORKERS ?= 3  # processes that tests run in: they wait more than they compute, so more than there are cores pay
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.blastbeat-runtime
DEV := $(VENV)/.blastbeat-dev

.DEFAULT_GOAL := help
.PHONY: help demo test lint fix fuzz soak bench scale websockets clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUNTIME)  ## a server and a node of its own; prints the address to open (PORT=N to choose)
	$(BIN)/python -m blastbeat demo $(if $(PORT),--port $(PORT))

test: $(DEV)  ## every test that needs nothing but PyPI (ARGS=... goes to pytest)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not debian and not soak" $(ARGS)

lint: $(DEV)  ## ruff and mypy; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fix: $(DEV)  ## what ruff can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

fuzz: $(DEV)  ## fast drivers beside the reference (SECONDS=N SEED=N), property tests with EXAMPLES=N
	$(BIN)/python fuzz/http1_drivers.py $(or $(SECONDS),60) $(or $(SEED),1) --coverage
	BLASTBEAT_FUZZ_EXAMPLES=$(or $(EXAMPLES),5000) $(BIN)/python -m pytest tests/property --timeout 1200 $(ARGS)

soak: $(DEV)  ## minutes of chaos; ends with nothing left over
	$(BIN)/python -m pytest -m soak --timeout 1200 $(ARGS)

bench: $(DEV)  ## CPU per request of the server beside its peers (ARGS="all", ARGS=--help)
	$(BIN)/python -m bench $(ARGS)

scale: $(DEV)  ## 10,000 connections and virtualhosts with 500 nodes at once: no error, and the memory of each
	$(BIN)/python -m bench scale $(ARGS)

websockets: $(DEV)  ## 5,000 idle WebSockets: memory of each, CPU at rest, and what an echo costs
	$(BIN)/python -m bench websockets $(ARGS)

clean:  ## everything these commands made, the environment too
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis bench/results*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A venv made by hand is taken as it is. Where the system's venv comes without pip, the system's pip fills it.
INSTALL = $(PIP) install --quiet --disable-pip-version-check --editable
PIP = $$(if $(BIN)/python -m pip --version >/dev/null 2>&1; then echo $(BIN)/python -m pip; \
	else echo $(PYTHON) -m pip --python $(BIN)/python; fi)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) 2>/dev/null || $(PYTHON) -m venv --clear --without-pip $(VENV)

$(RUNTIME): pyproject.toml | $(BIN)/python
	@echo "installing BlastBeat into $(VENV)"
	@$(INSTALL) .
	@touch $@

$(DEV): pyproject.toml | $(BIN)/python
	@echo "installing BlastBeat and its development tools into $(VENV)"
	@$(INSTALL) '.[dev]'
	@touch $(RUNTIME) $@
