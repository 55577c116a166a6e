# Every target does its own set-up: a machine with Python 3.11 and pip is enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run check lint test bench docs clean

help: ## Show this.
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
		|| { $(PYTHON) -m pip install --quiet virtualenv && $(PYTHON) -m virtualenv --quiet $(VENV); }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# The examples in the documents are tested as they stand, and they use curl.
$(VENV)/curl: $(VENV)/installed
	@command -v curl >/dev/null || { apt-get update -qq && apt-get install -y -qq curl; }
	@touch $@

# The unit in deploy/ is checked by systemd's own tool; a server need not run under systemd.
$(VENV)/systemd-analyze: $(VENV)/installed
	@command -v systemd-analyze >/dev/null || { apt-get update -qq && apt-get install -y -qq systemd; }
	@touch $@

run: $(VENV)/installed ## Run the demo: a server, and data sent to all five endpoints.
	$(BIN)/uptake demo

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests benchmarks
	$(BIN)/lint-imports

check: lint ## Style, types, structure and the fast tests, in under a minute.
	$(BIN)/pytest -q -n 2 --dist loadfile tests/samples tests/intake tests/architecture tests/reading

test: lint $(VENV)/curl $(VENV)/systemd-analyze ## Everything: style, types, structure and every test.
	$(BIN)/pytest -n 3 --dist loadfile

bench: $(VENV)/installed ## Measure this server and a plain yardstick, and print the tables.
	$(BIN)/python -m benchmarks

docs: $(VENV)/installed ## Write the generated pages of docs/reference anew.
	$(BIN)/python docs/generate.py

clean: ## Remove what was built.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
