# Everything a newcomer types. Needs only Python 3.11 or newer and make; everything else goes into
# .venv. The tests need PostgreSQL's server programs besides (apt install postgresql).
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# A stamp is newer than what it was installed from exactly when there is nothing to install again.
INSTALL := $(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e
# Pytest's workers, for two cores: one more, since many tests wait for other programs.
JOBS ?= 3

.DEFAULT_GOAL := help
.PHONY: help demo test chaos bench clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

demo: $(VENV)/demo.stamp ## play people with real photographs; results and a contact sheet go to demo-out/
	$(RUN) -m tests.journeys.demo

test: $(VENV)/test.stamp ## lint, types, import contracts and all tests
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(RUN) -m pytest -q -n $(JOBS) --cov --cov-report=term

chaos: $(VENV)/test.stamp ## kill one bot, then many, again and again under load, and count what was lost (5 minutes)
	$(RUN) -m tests.journeys.chaos

bench: $(VENV)/test.stamp ## measure time and memory; a table and a JSON file go to bench-out/
	$(RUN) -m benchmarks

clean: ## remove .venv and everything that was made
	rm -rf $(VENV) build *.egg-info demo-out bench-out chaos-out .coverage* .mypy_cache .ruff_cache .pytest_cache

$(VENV)/made.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "darkroom needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "This Python cannot make virtual environments. On Debian or Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/demo.stamp: $(VENV)/made.stamp pyproject.toml constraints.txt
	$(INSTALL) '.[demo]'
	@touch $@

$(VENV)/test.stamp: $(VENV)/made.stamp pyproject.toml constraints.txt
	$(INSTALL) '.[test]'
	@touch $@ $(VENV)/demo.stamp
