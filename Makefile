# One front door: `make help`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
WORKERS ?= auto
ARGS ?=

# PORT=9000 moves the server, and with it the address that clients see, unless that one is given.
ifdef PORT
PORT_OPTION := --port $(PORT)
export RECOVERY_PUBLIC_URL ?= http://127.0.0.1:$(PORT)
endif

.PHONY: help install demo serve test test-system-postgresql check lint types floors format bench openapi release-openapi clients reference definitions image lock

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-24s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

install: .venv/.runtime ## .venv with the locked dependencies and the command recovery-api

demo: .venv/.runtime ## the demo world on 127.0.0.1:8000 (PORT=), with sign-ins; ends with Ctrl-C
	@$(BIN)/recovery-api demo $(PORT_OPTION) $(ARGS)

serve: .venv/.runtime ## the server, as the environment's RECOVERY_ settings say (PORT=, ARGS=)
	@$(BIN)/recovery-api serve $(PORT_OPTION) $(ARGS)

test: .venv/.spark clients tests/clients/node_modules/.installed ## the whole suite, on SQLite and on a PostgreSQL that it starts itself (WORKERS=, ARGS=)
	@scripts/debian.sh chromium chromium tests/browser
	@scripts/debian.sh java default-jre-headless tests/analytics/test_spark.py
	@$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadgroup --no-loadscope-reorder $(ARGS)

test-system-postgresql: .venv/.dev ## the tests that use PostgreSQL, on the machine's own
	@$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=loadgroup --database=postgresql --postgresql=system -k postgresql $(ARGS)

check: lint types floors ## all that can be told without running: lint, types, floors

lint: .venv/.dev ## ruff, by the rules in pyproject.toml
	@$(BIN)/ruff check

types: .venv/.dev ## pyright: strict in src
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

floors: .venv/.dev ## import-linter: nothing below knows what is above
	@$(BIN)/lint-imports --no-logo

format: .venv/.dev ## mend what ruff can mend
	@$(BIN)/ruff check --fix

bench: .venv/.dev ## benchmarks: one table of ratios, and bench/results/latest.json
	@$(BIN)/python -m bench $(ARGS)

openapi: .venv/.dev ## openapi/recovery-api.json from the definitions
	@$(BIN)/recovery-api openapi > openapi/recovery-api.json.new
	@mv openapi/recovery-api.json.new openapi/recovery-api.json

release-openapi: .venv/.dev ## openapi/released.txt: what openapi/recovery-api.json says now is promised to clients
	@$(BIN)/python scripts/openapi_promises.py --release

clients: clients/typescript/src/schema.ts clients/python/src/recovery_client/generated/__init__.py ## clients/: typed clients from openapi/recovery-api.json

clients/typescript/src/schema.ts: openapi/recovery-api.json clients/typescript/node_modules/.installed
	@cd clients/typescript && node_modules/.bin/openapi-typescript ../../$< --output src/schema.ts >/dev/null

clients/python/src/recovery_client/generated/__init__.py: openapi/recovery-api.json clients/python/generate.py .venv/.clients
	@.venv/clients/bin/python clients/python/generate.py

reference: .venv/.dev ## docs/reference: settings, who may do what, rules and errors
	@$(BIN)/python scripts/write_reference.py

definitions: .venv/.dev ## the compact facts in src/recovery_api/definitions from the official packages (ARGS=)
	@$(BIN)/python scripts/compile_definitions.py $(ARGS)

image: ## the container image recovery-api
	docker build --tag recovery-api .

lock: .venv/.dev ## requirements/ from pyproject.toml (ARGS="--upgrade" takes newer versions)
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/lock.sh $(ARGS)

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else f"Python 3.11 or newer is needed; {sys.executable} is {sys.version.split()[0]} (PYTHON= chooses another)")'
	@echo "Making .venv"
	@$(PYTHON) -m venv .venv

.venv/.runtime: requirements/runtime.txt requirements/build.txt pyproject.toml | .venv/bin/python
	@echo "Installing the locked dependencies into .venv"
	@$(PIP) install --require-hashes --requirement requirements/build.txt --requirement requirements/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.runtime
	@echo "Installing the locked tools for development into .venv"
	@$(PIP) install --require-hashes --requirement requirements/dev.txt
	@touch $@

.venv/.spark: requirements/spark.txt .venv/.dev
	@echo "Installing Spark, for its tests, into .venv"
	@$(PIP) install --require-hashes --requirement requirements/spark.txt
	@touch $@

.venv/.clients: requirements/clients.txt .venv/.dev
	@echo "Installing what the clients need into .venv/clients"
	@$(PYTHON) -m venv --without-pip .venv/clients
	@$(BIN)/uv pip install --quiet --python .venv/clients/bin/python --require-hashes --requirement requirements/clients.txt
	@touch $@

%/node_modules/.installed: %/package-lock.json
	@echo "Installing what $* needs"
	@cd $* && npm ci --silent
	@touch $@
