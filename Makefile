# Everything from nothing: needs Python >= 3.11 (with venv), make and a package registry.
#
#   make demo [PICTURES=folder]   the main job on real pictures
#   make test [ARGS="-k lanes"]   everything the tests need, then all tiers but the long ones
#   make test-long                the long ones, and every fault three times
#   make faults [N=10]            every fault N times; trials add up in FAULT_REPORT, whose table is printed
#   make guard                    the hot path has not become slower: in seconds, on a busy machine too
#   make check                    formatter, linter, type checker, stale generated pages
#   make site                     the documentation as a site, in site/; opens without a server or a network

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV ?= .venv
BIN := $(VENV)/bin
PICTURES ?=
ARGS ?=
# tests that run at once
JOBS ?= 2
# trials of each fault: of `make faults`, and of `make test-long`
N ?= 10
LONG_TRIALS ?= 3
# tried in this order when PYTHON is not given
PYTHONS := $(if $(PYTHON),$(PYTHON),python3 python3.14 python3.13 python3.12 python3.11)
REQUIREMENTS := pyproject.toml constraints.txt
# compiled kernels, for every target: made once, in a minute or two
export NUMBA_CACHE_DIR ?= $(abspath $(VENV))/kernels

# $(call tested,marker,folders): kernels are compiled before any test is timed. Files run side by side: unit tests, then those that start whole systems,
# whose processes of pytest have servers of their own.
# Exit status 5 is pytest's for "none selected", as ARGS may do to either half.
define tested
	$(BIN)/python -c "import torch; from kernels.run import warm; warm(torch.device('cpu'))"
	$(BIN)/python -m pytest tests/unit -m "$(1)" --numprocesses $(JOBS) --dist loadscope $(ARGS) || [ $$? -eq 5 ]
	$(BIN)/python -m pytest $(2) -m "$(1)" --numprocesses $(JOBS) --dist loadfile $(ARGS) || [ $$? -eq 5 ]
endef

.PHONY: help demo test test-long faults guard check site clean

help:
	@sed -n '3,9s/^# *//p' Makefile

demo: $(VENV)/.demo
	@$(BIN)/python -m service.demo $(if $(PICTURES),"$(PICTURES)")

test: $(VENV)/.test
	$(call tested,not long,tests/e2e tests/integration tests/fault tests/fuzz)

# of faults, every row and not only the long ones
test-long: $(VENV)/.test
	$(call tested,long,tests/e2e tests/integration tests/fuzz)
	FAULT_TRIALS=$(LONG_TRIALS) $(BIN)/python -m pytest tests/fault -m "long or not long" --numprocesses $(JOBS) --dist loadfile $(ARGS) || [ $$? -eq 5 ]

faults: $(VENV)/.test
	FAULT_TRIALS=$(N) $(BIN)/python -m pytest tests/fault -m "long or not long" $(ARGS)

guard: $(VENV)/.test
	$(BIN)/python -m benchmarks.guard

check: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python docs/build.py --check

site: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "open site/index.html"

clean:
	rm -rf $(VENV) site augment-data demo-out *.egg-info .mypy_cache .ruff_cache .pytest_cache

$(BIN)/python:
	@for python in $(PYTHONS); do \
	  if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "making $(VENV) with $$python"; exec $$python -m venv $(VENV); \
	  fi; \
	done; \
	echo "no Python >= 3.11 with venv was found (tried: $(PYTHONS)); name one with PYTHON=/path/to/python" >&2; exit 1

# A stamp is newer than what it was made from, so a second run installs nothing.
$(VENV)/.demo: $(REQUIREMENTS) | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[embedded,demo]'
	@touch $@

$(VENV)/.test: $(REQUIREMENTS) | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[embedded,demo,test,dev]'
	@touch $@ $(VENV)/.demo

$(VENV)/.docs: $(REQUIREMENTS) | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@
