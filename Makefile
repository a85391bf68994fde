# make demo | test | soak | bench | check | lock | vectors | clean
#
# Each target makes .venv first, from requirements.lock alone. Recipes are silent; a step speaks when it takes long or fails.

PYTHON ?= python3
PYTEST_ARGS ?= -n auto --dist worksteal
LOCK_ARGS ?=
SOAK_MINUTES ?= 5
SOAK_SEED ?=

PY := .venv/bin/python
STAMP := .venv/stamp
PEERS := .venv/peers
AXE := .venv/node/node_modules/axe-core/axe.min.js
CATALOGUES := $(patsubst %.po,%.mo,$(wildcard web/locale/*/LC_MESSAGES/huzhu.po))

.DEFAULT_GOAL := test
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SILENT:
.PHONY: demo test soak bench check lock vectors clean venv debian-packages

demo: venv
	$(PY) scripts/demo.py
	$(PY) scripts/demo_city.py

# pytest comes last: its closing line is the run's. Pictures of the pages go to $HUZHU_SHOTS, or .venv/shots;
# HUZHU_SHOTS_OF=all takes one of every page in both languages.
test: debian-packages check $(PEERS) $(AXE)
	$(PY) -m pytest $(PYTEST_ARGS) </dev/null

# First what takes too long for `make test`; then a whole city in network namespaces under everything that can happen: the seed that it prints repeats the schedule.
soak: venv
	scripts/debian-packages.sh iproute2
	$(PY) -m pytest -m long </dev/null
	$(PY) -m tests.city.soak --minutes $(SOAK_MINUTES) $(if $(SOAK_SEED),--seed $(SOAK_SEED))

bench: venv
	scripts/debian-packages.sh chromium fonts-noto-cjk
	$(PY) -m bench

check: venv
	$(PY) -m ruff check --quiet .
	$(PY) -m mypy --no-error-summary
	.venv/bin/lint-imports --no-cache >.venv/contracts.log 2>&1 || { cat .venv/contracts.log >&2; exit 1; }

# Writes the published cases of tests/vectors/ anew; on unchanged rules `git diff` then finds nothing.
vectors: venv
	$(PY) scripts/vectors.py
	$(PY) scripts/witness_vectors.py

# Keeps the pins that still fit; `make lock LOCK_ARGS=--upgrade` moves them all.
lock: $(PY)
	CUSTOM_COMPILE_COMMAND="make lock" $(PY) -m piptools compile --quiet --generate-hashes --allow-unsafe --all-extras \
	  --strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links $(LOCK_ARGS) \
	  --output-file requirements.lock pyproject.toml

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis bench/out demo-out
	rm -f web/locale/*/LC_MESSAGES/*.mo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv: $(STAMP) $(CATALOGUES)

# Where a tool is missing, a run under CI fails; elsewhere one sentence says so and the tests that need the tool speak for themselves.
debian-packages:
	scripts/debian-packages.sh hledger golang-go golang-golang-x-mod-dev chromium fonts-noto-cjk libpangoft2-1.0-0 libharfbuzz-subset0 && \
	  { command -v npm >/dev/null || scripts/debian-packages.sh npm; } || [ -z "$$CI" ]

$(PY):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Huzhu needs Python 3.11 or later: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || scripts/debian-packages.sh python3-venv
	$(PYTHON) -m venv .venv

$(STAMP): requirements.lock pyproject.toml | $(PY)
	echo "Installing the locked dependencies into .venv ..." >&2
	$(PY) -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	$(PY) -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(PEERS): requirements-peers.lock | $(STAMP)
	$(PY) -m pip install -qq --disable-pip-version-check --require-hashes --no-deps --only-binary :all: \
	  --python-version 3.12 --upgrade --target $@ -r $<
	touch $@

# What judges the pages' accessibility; no package's own scripts are run.
$(AXE): tests/pages/package.json tests/pages/package-lock.json | $(STAMP)
	mkdir -p .venv/node
	cp $^ .venv/node/
	cd .venv/node && npm ci --silent --ignore-scripts --no-audit --no-fund
	touch $@

%.mo: %.po $(STAMP)
	$(PY) -m babel.messages.frontend --quiet compile --input-file $< --output-file $@
