# Few targets. A fresh machine needs Python ≥ 3.11 and nothing else: each target makes .venv when it must.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test test-postgis check serve notebooks train-smoke

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "tiankan: Python 3.11 or newer is needed; pass it as make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[web,train,ray,postgis,clouds,reports,notebook,dev]'
	@touch $@

demo: setup
	./tiankan demo

test: setup
	$(BIN)/python -m pytest -n auto -m "not real and not network"

# The suite of cases and database again, on a PostGIS started for it: Debian's postgresql and postgresql-15-postgis-3.
test-postgis: setup
	$(BIN)/python -m tests.postgis -n auto

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_house.py
	$(BIN)/python -m pytest -q --nbmake --nbmake-timeout=600 notebooks

notebooks: setup
	$(BIN)/jupytext --quiet --to ipynb --execute notebooks/*.py

train-smoke: setup
	$(BIN)/python -m pytest -q -s tests/test_train_smoke.py

serve: setup
	./tiankan serve --db data/demo/cases.db
