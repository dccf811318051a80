# Needs Python 3.11 to 3.13 and make. Everything else is brought, into .venv and .cache; Chromium to where
# playwright or the system's packages have it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The first of these that is one of the Pythons in range; `make PYTHON=...` names another.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	if $$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2> /dev/null; \
	then echo $$name; break; fi; done)
RUN := .venv/bin/python
# Arguments for pytest: `make test ARGS='-k gate'`.
ARGS ?=
# `make clients CLIENTS='aws-cli javascript'` drives some of them.
CLIENTS ?=
# `make gates TAKEOVER=1` kills a triggerer instead.
TAKEOVER ?=
# `make demo COHORT=200` runs so many samples as one batch, from 40 to 1,000.
COHORT ?=
# What Airflow keeps its own state in for `make demo` and `make up`: sqlite, or postgresql.
DATABASE ?= sqlite
# What `make simulate` plays: seeds, and the days in which the tasks of each begin.
SEEDS ?= 100
DAYS ?= 7

# What `make check` runs: of the tests that start no Airflow, no browser and no database, those that are not slow
# (tests/support/slow.py).
CHECKED := tests/public tests/unit tests/triggerer tests/emulator tests/scripts -m "not slow"

.PHONY: help demo up check test lint docs matrix clients simulate contract screenshots chaos gates kills bench-emulator bench-parse bench-lines bench-pages bench-batch bench-events \
	environment programs postgresql aws-cli schemas clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: $(filter postgresql,$(DATABASE)) environment ## Run a gate through real Airflow against the local HealthOmics, and watch it (COHORT=200: a batch of 200 runs)
	@$(if $(COHORT),$(RUN) -m scripts.demo_cohort --cohort $(COHORT),$(RUN) -m scripts.demo) --database $(DATABASE)

up: $(filter postgresql,$(DATABASE)) environment ## Open Airflow's UI on runs and a cohort in all states, with the local HealthOmics beside it, until Ctrl-C
	@$(RUN) -m scripts.up --database $(DATABASE)

check: lint schemas ## Lint, type-check and run the quick tests, which need no Airflow, browser or database
	@$(RUN) -m pytest -n 2 $(CHECKED) $(ARGS)

# Three at a time on two cores: one of them waits in real time (tests/support/xdist_groups.py).
test: programs lint schemas ## Lint, type-check and run every test on the newest Airflow
	@$(RUN) -m pytest -n 3 $(ARGS)

lint: environment ## Run ruff and mypy
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy

matrix: postgresql schemas ## Run the tests on every supported Airflow (ROWS='lowest 3.0' picks some)
	@$(RUN) -m scripts.matrix $(ROWS)

clients: environment ## Drive public clients against the local HealthOmics (CLIENTS='aws-cli javascript' picks some)
	@$(RUN) -m scripts.clients $(CLIENTS)

simulate: environment ## Play SEEDS=100 simulated weeks (DAYS=7) of gates, starts and accidents in virtual time
	@$(RUN) -m tests.simulation.seeded --seeds $(SEEDS) --days $(DAYS)

# OUTPUT is an S3 URI of yours. ROLE, REGION and JSON (a file) may be left out; YES=1 asks nothing.
contract: environment ## Try on your AWS account what the emulator takes for granted (PROFILE=... OUTPUT=s3://...)
	@$(RUN) -m tests.contract $(if $(PROFILE),--profile "$(PROFILE)") $(if $(REGION),--region "$(REGION)") \
		$(if $(OUTPUT),--output "$(OUTPUT)") $(if $(ROLE),--role "$(ROLE)") \
		$(if $(JSON),--json "$(JSON)") $(if $(YES),--yes)

docs: environment ## Build the documentation site, in build/docs
	@$(RUN) docs/tables.py
	@$(RUN) -m sphinx --fail-on-warning --keep-going --quiet docs build/docs
	@echo "build/docs/index.html"

screenshots: programs ## Take the pictures of the README again, light and dark, in docs/images
	@SCREENSHOTS=docs/images $(RUN) -m pytest -q tests/stack/test_browser.py tests/stack/test_pages_shown.py

chaos: postgresql ## Kill Airflow's processes with gates and starts in flight, and print what is left
	@$(RUN) -m benchmarks.chaos

gates: postgresql ## Measure 1,000 gates on a real Airflow, in an hour (TAKEOVER=1: kill a triggerer with 2,000)
	@$(RUN) -m $(if $(TAKEOVER),benchmarks.takeover,benchmarks.airflow_gates)

kills: environment ## Kill 20, 100 and 300 deferred starts at once, and count the runs that are cancelled
	@$(RUN) benchmarks/kill.py

bench-emulator: environment ## Measure what the emulator takes to start and to answer
	@$(RUN) -m benchmarks.emulator

bench-parse: environment ## Measure what the sensor costs a DAG file
	@$(RUN) benchmarks/parse.py

bench-lines: environment ## Measure what the worst log lines cost a diagnosis
	@$(RUN) benchmarks/lines.py

bench-pages: environment ## Measure what the pages in Airflow's UI take to make, and their size
	@$(RUN) -m benchmarks.pages

bench-batch: environment ## Measure what a batch of 100,000 runs costs a task, beside mapped starts (20 minutes)
	@$(RUN) -m benchmarks.batch

bench-events: environment ## Measure what 1,000 events cost a trigger that starts DAGs (four minutes)
	@$(RUN) -m benchmarks.events

environment:
	@if [ -z "$(PYTHON)" ]; then \
		echo "airflow-omics needs Python 3.11, 3.12 or 3.13, and none of them is on the PATH." >&2; exit 1; fi
	@$(PYTHON) -m scripts.environment

programs: environment ## Bring the servers of PostgreSQL and Redis, Chromium and the AWS CLI, if they are missing
	@$(RUN) -m scripts.programs postgresql redis driver chromium aws-cli

postgresql: environment
	@$(RUN) -m scripts.programs postgresql

aws-cli: environment
	@$(RUN) -m scripts.programs aws-cli

schemas: environment
	@$(RUN) -m scripts.schemas

clean: ## Remove every environment, cache and build
	rm -rf .venv .venv-* .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
