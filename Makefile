# Every target does its own set-up; `make` alone lists them.
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup demo test soak bench vectors lint fmt lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-8s %s\n", $$1, $$2}' Makefile

setup: ## make .venv from requirements.lock
	@scripts/setup.sh

demo: setup ## run one relay and four nodes on loopback through the worked exchange
	@$(BIN)/cbm demo

test: lint ## check style, types and layers, then run the whole test suite
	@scripts/tools.sh softhsm2-util=softhsm2 openssl=openssl
	$(BIN)/pytest -q

soak: setup ## run the long tests only
	$(BIN)/pytest -q -m soak --timeout 0

bench: setup ## print the benchmark table and write bench.json
	@$(BIN)/python -m exchange.bench

vectors: setup ## write the test vectors anew; what changed shows in git
	$(BIN)/python -m tests.vectors.gen.make_vectors

lint: setup ## check style, types and layers
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: setup ## repair style and layout
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format

lock: ## write requirements.lock anew from pyproject.toml
	@scripts/lock.sh

clean: ## remove what the other targets made
	rm -rf .venv build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache *.egg-info bench.json
	find exchange keys schemas tests -name __pycache__ -prune -exec rm -rf {} +
