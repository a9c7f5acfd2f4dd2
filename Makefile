# Needs make and Python 3.11 to 3.14. Everything made lives in .venv/; paths are relative, so that a
# checkout may live anywhere.

# The first that runs: a version manager's shim can be on PATH and still refuse to.
PYTHONS := python3.14 python3.13 python3.12 python3.11 python3
runs_311 = $(shell $(1) -c 'import sys; sys.version_info >= (3, 11) and print("$(1)")' 2>/dev/null)
PYTHON ?= $(firstword $(foreach python,$(PYTHONS),$(call runs_311,$(python))))
python = $(or $(PYTHON),$(error No Python 3.11 or newer found. Install one, or name it: make PYTHON=/path/to/python))
airflow = .venv/airflow-3.3/bin/python

.DEFAULT_GOAL := help
.PHONY: help demo ui test lint screenshots soak dist versions docs constraints clean environment

help:  ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

environment:
	@$(python) -m tools.environment 3.3

demo: environment  ## an export from plan to delivered files in a local Airflow, no account needed
	@$(airflow) -m tools.demo

ui: environment  ## the same, and leave the Airflow UI open
	@$(airflow) -m tools.demo --keep

test: environment  ## lint, types, and all tests on Airflow 3.3 and 2.11
	@$(airflow) -m tools.checks

lint: environment  ## lint and types only
	@$(airflow) -m tools.checks --lint

versions: environment  ## what runs on each Airflow from 2.11.0 on, with the packages of its time; an hour
	@$(airflow) -m tools.versions $(LINES)

soak: environment  ## 300 exports watched, a killed triggerer and an outage; EXECUTOR=celery: on a cluster
	@$(airflow) -m tools.soak --executor $(or $(EXECUTOR),local)

dist: environment  ## build a release into dist/, and try it in plain Airflow 3.3 and 2.11 environments
	@$(airflow) -m tools.dist

docs: environment  ## build the documentation site into build/docs/; a warning is an error
	@$(airflow) -m tools.docs

screenshots: environment  ## renew the pictures of the page in docs/pictures
	@$(airflow) -m tools.screenshots

constraints:  ## resolve the pinned versions in constraints/ anew
	@$(python) -m tools.constraints

clean:  ## remove environments and caches
	rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
