# The commands of the house. `make up` and `make test` need git, make and Python 3.11 or newer, nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help up test check lint types imports pytest soak bench screenshots lock clean bytecode \
	rocketmq rocketmq-down rocketmq-jars

VENV := .venv
BIN := $(VENV)/bin
# The newest interpreter that is there and new enough; `make up PYTHON=/path/to/python3.12` chooses another.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11 python3.14,$(shell \
	$(p) -c 'import sys; print("$(p)") if sys.version_info >= (3, 11) else None' 2>/dev/null)))
JOBS ?= 2
DEMO ?=
# `make up ROCKETMQ=127.0.0.1:8081` also receives from that RocketMQ 5 proxy.
ROCKETMQ ?=
ROCKETMQ_NAMESERVER ?=
# Where `make rocketmq` listens: those that its clients expect.
NAMESERVER_PORT := 9876
BROKER_PORT := 10911
GRPC_PORT := 8081
REMOTING_PORT := 8080
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadfile
# Bytecode is written also where the environment tells Python not to: without it a process starts in three times the
# time, also after a crash.
PIP := $(BIN)/python -m pip install --compile --quiet --disable-pip-version-check
UV := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate

help: ## say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

up: bytecode ## install, start everything, stop all on Ctrl-C (DEMO=1 feeds the demo, ROCKETMQ=host:port receives)
	@exec $(BIN)/eventcenter up $(if $(filter-out 0 no false,$(DEMO)),--demo) \
		$(if $(ROCKETMQ),--rocketmq "$(ROCKETMQ)") \
		$(if $(ROCKETMQ_NAMESERVER),--rocketmq-nameserver "$(ROCKETMQ_NAMESERVER)")

test: $(VENV)/.dev bytecode ## the tests but the longest; what lacks its browser, node or curl is skipped and says so
	$(PYTEST) -m "not soak and not bench and not long"

check: lint types imports pytest ## what CI runs: ruff, mypy --strict, import-linter, all tests

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports

pytest: $(VENV)/.dev bytecode
	$(PYTEST) -m "not soak and not bench"

soak: $(VENV)/.dev bytecode ## the long crash tests
	$(BIN)/python -m pytest -m soak -s -o timeout=0

bench: $(VENV)/.dev bytecode ## the benchmarks; they print ratios
	$(BIN)/python -m pytest -m bench -s -o timeout=0

screenshots: $(VENV)/.dev ## every page, light and dark, empty and full, both languages
	$(BIN)/python -m tests.browser.screenshots $(SHOTS)

rocketmq: $(VENV)/.made ## start a RocketMQ for development in the background; needs Java and Maven
	@$(BIN)/python -m tests.support.rocketmq up --nameserver=$(NAMESERVER_PORT) --broker=$(BROKER_PORT) \
		--grpc=$(GRPC_PORT) --remoting=$(REMOTING_PORT)

rocketmq-down: $(VENV)/.made ## stop it and remove its messages
	@$(BIN)/python -m tests.support.rocketmq down

rocketmq-jars: $(VENV)/.made
	@$(BIN)/python -m tests.support.rocketmq fetch

lock: $(VENV)/.dev ## make requirements/*.txt again from requirements/*.in
	$(BIN)/pip install --quiet uv
	$(UV) requirements/runtime.in requirements/rocketmq.in requirements/build.in -o requirements/runtime.txt
	$(UV) requirements/dev.in requirements/rocketmq.in requirements/build.in -o requirements/dev.txt
	$(UV) requirements/bench.in --constraints requirements/dev.txt -o requirements/bench.txt

clean: ## remove the virtual environment and what tools leave behind; never the data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Event Center needs Python 3.11 or newer, and none is on the PATH." \
		"Install one, or name it: make up PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is" \
		"$$($(PYTHON) -V 2>&1); Event Center needs Python 3.11 or newer: make up PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make a virtual environment." \
		"On Debian and Ubuntu its part is a package of its own: apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }
	@touch $@

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(VENV)/.made
	@echo "Installing what Event Center runs on (once; a minute or two)…"
	@$(PIP) --require-hashes -r requirements/runtime.txt
	@PYTHONWARNINGS=ignore $(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.compiled: $(wildcard ingest/validation/scan/*.py) $(VENV)/.runtime
	@echo "Compiling the check of events (once, and after changes; half a minute)…"
	@$(BIN)/python -m ingest.validation.scan
	@touch $@

bytecode: $(VENV)/.compiled
	@$(BIN)/python -m compileall -q app alerts eventcenter ingest queries

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	@echo "Installing what the tests need (once)…"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@
