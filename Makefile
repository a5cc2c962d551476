# `make demo` and `make test` are all the set-up there is: each makes .venv when it is missing.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: help demo test check format bench docs pages lock clean
help:
	@echo "make demo    two small models behind a gateway, traffic and a report, offline (a minute; ARGS=--exit ends it)"
	@echo "make test    every test, offline after the install"
	@echo "make check   what CI runs: format, lint, types, import contract, tests, docs"
	@echo "make bench   speed and memory as ratios against a floor and installed peers"
	@echo "make docs    the documentation site in site/"
	@echo "make pages   the pages of it that are written from code"

.venv/.core: requirements/core.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) install --require-hashes -r requirements/core.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: requirements/dev.lock requirements/torch.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) install --require-hashes -r requirements/dev.lock
	$(PIP) install -r requirements/torch.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@ .venv/.core

demo: .venv/.core
	$(BIN)/trimtab demo $(ARGS)

test: .venv/.dev
	$(BIN)/python -m pytest -n 2

check: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2
	$(BIN)/mkdocs build --strict -q

format: .venv/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.dev
	$(BIN)/python -m benchmarks

docs: .venv/.dev
	$(BIN)/mkdocs build --strict

pages: .venv/.dev
	$(BIN)/python scripts/error_codes.py
	$(BIN)/python scripts/settings_page.py
	$(BIN)/python scripts/commands_page.py
	$(BIN)/python scripts/json_page.py
	$(BIN)/python scripts/pictures.py
	$(BIN)/python scripts/requirements.py

lock: .venv/.dev
	$(BIN)/python scripts/lock.py

clean:
	rm -rf .venv site .mypy_cache .ruff_cache .pytest_cache
