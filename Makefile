# Every target does its own set-up: a machine with Python 3.11 and pip is enough.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# What a target needs is prepared in parallel.
MAKEFLAGS += --jobs=2

.PHONY: help run check lint test test-cluster bench docs lock clean

help: ## Show this.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The versions of requirements.lock; where an index lacks one, any version that pyproject.toml allows.
$(VENV)/installed: pyproject.toml requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
		|| { $(PYTHON) -m pip install --quiet virtualenv && $(PYTHON) -m virtualenv --quiet $(VENV); }
	$(INSTALL) --constraint requirements.lock --editable '.[dev,docs]' \
		|| { echo 'The versions of requirements.lock are not available; installing others.' >&2; \
			$(INSTALL) --editable '.[dev,docs]'; }
	@touch $@

# What tests run and PyPI does not have: curl in the shell examples of the documents, git, systemd's
# own check of the unit in deploy/, and a browser, which Playwright drives.
$(VENV)/programs: $(VENV)/installed
	@packages=; \
	command -v curl >/dev/null || packages="$$packages curl"; \
	command -v git >/dev/null || packages="$$packages git"; \
	command -v systemd-analyze >/dev/null || packages="$$packages systemd"; \
	command -v chromium >/dev/null || packages="$$packages chromium"; \
	test -z "$$packages" || { apt-get update -qq && apt-get install -y -qq $$packages; }
	@touch $@

# Linters of OpenAPI and generators of clients, which tests run. What they need would not fit into one
# environment with this project.
GENERATORS := $(VENV)/generators
$(GENERATORS)/installed: $(VENV)/installed tests/generators/package.json tests/generators/requirements.txt
	@mkdir -p $(GENERATORS) && cp tests/generators/package.json $(GENERATORS)
	@npm=$$(command -v npm || echo $(BIN)/npm); $$npm install --prefix $(GENERATORS) --silent \
		--ignore-scripts --no-package-lock --no-audit --no-fund
	@$(INSTALL) --no-warn-conflicts --upgrade --target $(GENERATORS)/python --requirement tests/generators/requirements.txt
	@touch $@

run: $(VENV)/installed ## Run the demo: a server, and data sent to all five endpoints.
	$(BIN)/uptake demo

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests benchmarks
	$(BIN)/lint-imports

# Some tests of every package, chosen so that all of them take about half a minute on two cores.
QUICK := tests/architecture tests/samples tests/http_/test_executors.py \
	tests/intake/test_dry_run.py tests/intake/images/test_upright.py \
	tests/formats/test_encoder.py tests/formats/test_thymia.py \
	tests/reading/segments tests/reading/test_sync.py tests/reading/test_samples.py \
	tests/testing tests/store/test_changes.py tests/blobs/test_opening.py \
	tests/exports/test_query.py tests/exports/test_increments.py tests/backup/test_restore.py \
	tests/uploader/samples tests/uploader/sources/test_sample_lines.py \
	tests/console/test_sessions.py tests/cli/test_keys.py tests/cli/test_demo.py tests/delivery/test_jobs.py tests/http_/test_semantics.py tests/http_/test_openapi.py
WITHOUT_SERVICES := not postgres and not ObjectStore and not seaweed
WITHOUT_SLOW := not stays_up and not restored_s and not fit_into_a_block and not lost_all_its_answers \
	and not many_names_are_all_found and not pruned_to_its_limit and not processed_at_a_time \
	and not during_a_backup and not environment_variables and not termination_leaves and not about_a_hundred \
	and not plain_evaluation and not of_one_shape and not no_longer_in_the_log and not device_and_day \
	and not that_lost_all_answers and not each_sample_once \
	and not test_merge and not test_upload_path and not loads_only_what_it_needs and not starts_without_arrow and not test_user_index

check: lint ## Style, types, structure, and fast tests of every package.
	$(BIN)/pytest -q -n 2 -k '$(WITHOUT_SERVICES) and $(WITHOUT_SLOW)' $(QUICK)

# Twice the two cores of a small machine: many tests wait for a process, a disk or a time limit.
PROCESSES ?= 4
# Hundreds of commands start, each in a new process.
check test: export PYTHONDONTWRITEBYTECODE =

test: lint $(VENV)/programs $(GENERATORS)/installed ## Everything: style, types, structure and every test.
	$(BIN)/pytest -n $(PROCESSES)

# One process: all tests use the same databases. The names of cases say which engine they are about.
CLUSTER := tests/store/test_postgres.py tests/contract tests/faults/test_nodes.py \
	tests/faults/test_parallel.py tests/cluster
test-cluster: $(VENV)/installed ## Contract, conformance and faults on Citus: DATABASE=postgresql://COORDINATOR/...
	UPTAKE_TEST_CLUSTER='$(DATABASE)' $(BIN)/pytest -n 0 -k 'not on_sqlite' $(CLUSTER)

bench: $(VENV)/installed ## Measure this server and a plain yardstick, and print the tables.
	$(BIN)/python -m benchmarks

docs: $(VENV)/installed ## Write the generated pages, and build the site in build/site.
	$(BIN)/python docs/generate.py
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -c docs/site . build/site
	@echo 'The site is in build/site/index.html.'

PIP_COMPILE := build/lock/bin/pip-compile --quiet --strip-extras --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links
SEND_GROUP := import tomllib; \
	print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["send"], sep="\n")

lock: ## Write both lock files: the newest versions that pyproject.toml allows.
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --disable-pip-version-check pip-tools
	$(PIP_COMPILE) --upgrade --all-extras --output-file requirements.lock pyproject.toml
	build/lock/bin/python -c '$(SEND_GROUP)' > build/lock/send.in
	$(PIP_COMPILE) --upgrade --constraint requirements.lock \
		--output-file requirements-send.lock build/lock/send.in

clean: ## Remove what was built.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
