# Everything sets itself up in this checkout: `make demo` and `make test` are all a newcomer needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SERVICES := event_ingestor supervision_orchestrator media_gateway transcriber insights assist_gateway recorder ringcentral_sim cli
LOCK := uv pip compile pyproject.toml --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header --quiet
UI := services/assist_gateway/ui

.PHONY: help demo test unit check generate format lock bench ui screenshots images deploy-check clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.runtime $(UI)/dist/index.html ## Play one call through the whole pipeline (ONCE=1: no terminal, exit code; CALL=FILE.wav: your own)
	@$(BIN)/earshot demo $(if $(ONCE),--once) $(if $(CALL),--call "$(CALL)")

test: .venv/.dev $(UI)/dist/index.html ## All tests, on real Apache Kafka where Java 17 and Maven are found
	@$(BIN)/python -m tests $(ARGS)

unit: .venv/.dev ## Unit and contract tests alone, within a minute
	@$(BIN)/python -m pytest tests/unit tests/contract $(ARGS)

check: .venv/.dev ## Formatting, lint, types, import rules, drift of generated code, all tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python schemas/generate.py --check
	@$(MAKE) --no-print-directory test

generate: .venv/.dev ## Make contracts and AsyncAPI anew from schemas/
	@$(BIN)/python schemas/generate.py

format: .venv/.dev ## Format the code and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: ## Pin all dependencies with hashes (needs uv)
	@for extra in $(SERVICES); do $(LOCK) --extra $$extra -o infra/requirements/$$extra.txt || exit 1; done
	@$(LOCK) $(SERVICES:%=--extra %) --group build -o infra/requirements/runtime.txt
	@$(LOCK) $(SERVICES:%=--extra %) --group build --group dev -o infra/requirements/dev.txt
	@$(LOCK) --extra transcriber --extra transcriber_base -o infra/requirements/transcriber_base.txt
	@$(LOCK) --no-config --extra transcriber --extra transcriber_openai -o infra/requirements/transcriber_openai.txt

bench: .venv/.dev ## Measure; prints JSON, kept in bench/results (SUITE=asr, assist, coverage, delivery, ghosts, languages, redaction)
	@$(BIN)/python -m tests.bench $(SUITE)

ui: .venv/.runtime ## Build the web console
	@rm -rf $(UI)/dist && $(MAKE) --no-print-directory $(UI)/dist/index.html

screenshots: .venv/.dev $(UI)/dist/index.html ## Make docs/images anew from calls through the pipeline (needs Chromium)
	@$(BIN)/python -m tests.browser.screenshots

images: ## Build all container images with podman or docker
	@infra/images/build.sh

deploy-check: .venv/.dev ## Validate compose file and chart; with podman also play the demo call through the images
	@infra/check.sh

clean: ## Remove what was made here, the downloaded packages included
	rm -rf .venv .run $(UI)/dist $(UI)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.python:
	@infra/setup/python.sh "$(PYTHON)"

.venv/.runtime: .venv/.python infra/requirements/runtime.txt pyproject.toml
	@infra/setup/packages.sh runtime

.venv/.dev: .venv/.runtime infra/requirements/dev.txt
	@infra/setup/packages.sh dev

$(UI)/dist/index.html: .venv/.runtime $(wildcard $(UI)/package-lock.json $(UI)/*.html $(UI)/src/* $(UI)/src/audio/*)
	@infra/setup/console.sh
