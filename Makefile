# What people run; `make` alone lists it. What is missing is made on the way: .venv, then the packages of requirements*.txt.

PY := .venv/bin/python
INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes
BASE := .venv/.installed
POSTGRES := .venv/.installed-postgres
DEV := .venv/.installed-dev

# `make up` brings the PostgreSQL driver where the environment or .env names a server.
WITH_POSTGRES := $(if $(DATABASE_URL)$(shell grep -s '^DATABASE_URL=.' .env),$(POSTGRES))

# Tests and checks keep away from var/ and from what this machine's .env points at.
SCRATCH := scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	export DATA_DIR="$$scratch" DEBUG=off PUBLIC_URL=http://127.0.0.1:8000 ALLOWED_HOSTS=127.0.0.1,localhost \
	ANTHROPIC_API_KEY= ANTHROPIC_BASE_URL= COACH_MODEL= COACH_EFFORT=
EMBEDDED := $(SCRATCH) DATABASE_URL= REDIS_URL= &&
NEW_FIELD_KEY := from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())
SERVICES := $(SCRATCH) DATABASE_URL="$${DATABASE_URL:-postgres://postgres@127.0.0.1:5432/postgres}" \
	REDIS_URL="$${REDIS_URL:-redis://127.0.0.1:6379/9}" SECRET_KEY=only-for-tests \
	FIELD_KEYS="$$($(PY) -c '$(NEW_FIELD_KEY)')" &&

.DEFAULT_GOAL := help
.PHONY: help up test test-services lint bench bench-services flag-eval effects-eval

help: ## list what can be run
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(BASE) $(WITH_POSTGRES) ## run the product with a demo workspace, here, until Ctrl-C
	@$(PY) manage.py migrate --no-input --skip-checks --verbosity 0
	@$(PY) manage.py load_demo --if-empty --skip-checks
	@exec $(PY) manage.py up

test: $(DEV) ## run the tests on the embedded defaults (SQLite, file queue); ARGS="…" goes to pytest
	@$(EMBEDDED) $(PY) -m pytest $(ARGS)

test-services: $(DEV) $(POSTGRES) ## run the same tests on PostgreSQL and Redis at DATABASE_URL, REDIS_URL
	@$(SERVICES) $(PY) -m pytest $(ARGS)

lint: $(DEV) $(POSTGRES) ## check style, types, templates, direction of imports, missing migrations
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	@$(EMBEDDED) $(PY) -m mypy .
	$(PY) -m djlint --lint --quiet templates
	.venv/bin/lint-imports
	@$(EMBEDDED) $(PY) manage.py makemigrations --check --dry-run

bench: $(DEV) ## measure on SQLite, as ratios to a floor in the same run; ARGS="startup imports backfill exchange sweep late team drawer knowledge conversation queue streams tokens decisions hooks slack" chooses
	@$(EMBEDDED) LOG_LEVEL=WARNING $(PY) -m tests.bench $(ARGS)

bench-services: $(DEV) $(POSTGRES) ## measure imports, a first reading, sweep, a late rating, the Team page, the drawer, the Memory tab, the queue, streams, decisions, webhooks and Slack on PostgreSQL
	@$(SERVICES) LOG_LEVEL=WARNING $(PY) -m tests.bench $(or $(ARGS),imports backfill sweep late team drawer knowledge queue streams decisions hooks slack)

flag-eval: $(DEV) ## measure the flag against its scenarios
	@$(EMBEDDED) $(PY) -m tests.bench.flag_eval $(ARGS)

effects-eval: $(DEV) ## measure how often "since the note" is wrong, and what it sees
	@$(EMBEDDED) $(PY) -m tests.bench.effects_eval $(ARGS)

$(PY):
	@bin/make-environment

$(BASE): requirements.txt $(PY)
	@echo "Installing what Touchline needs (requirements.txt)."
	@$(INSTALL) -r requirements.txt
	@touch $@

$(POSTGRES): requirements-postgres.txt $(BASE)
	@echo "Installing the PostgreSQL driver (requirements-postgres.txt)."
	@$(INSTALL) -r requirements-postgres.txt
	@touch $@

$(DEV): requirements-dev.txt $(BASE)
	@echo "Installing what tests and lint need (requirements-dev.txt)."
	@$(INSTALL) -r requirements-dev.txt
	@touch $@
