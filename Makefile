# Everything a person types. `make` alone lists the targets.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export VIRTUAL_ENV := $(abspath $(VENV))
export PATH := $(abspath $(BIN)):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup models demo test check proto proto-check lint types unit soak lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.ready ## make the virtual environment with the locked versions

$(VENV)/.ready: requirements.lock deploy/setup.sh $(wildcard libs/*/pyproject.toml services/*/pyproject.toml deploy/kafka/pyproject.toml examples/demo/pyproject.toml)
	@PYTHON="$(PYTHON)" deploy/setup.sh "$(VENV)"

models: setup ## fetch, convert and check the default models (once)
	@$(BIN)/python -m lamplight_models

demo: setup models ## cameras in, alerts out, a page to look at; FOR=90 ends by itself
	@$(BIN)/lamplight-demo $(if $(FOR),--for $(FOR))

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/buf lint

types: setup
	$(BIN)/mypy

proto: setup ## make the committed stubs from proto/
	@deploy/proto.sh libs/contracts

proto-check: setup
	@deploy/proto.sh --check libs/contracts

unit: setup
	$(BIN)/pytest -q -n 2 -m "not integration and not soak" libs services deploy examples tests/contract

check: lint types proto-check unit ## what CI runs before it starts any server

test: ## set everything up and pass all tests
	@deploy/test.sh

soak: setup models ## the long proofs; writes bench/
	@deploy/soak.sh

lock: ## renew requirements.lock from the pyproject files
	@deploy/lock.sh

clean: ## forget the environment and the caches, keep models and data
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
