# `make help` lists the targets. The two to know: `make run` starts everything on this machine, `make test` checks
# everything.
# No target is a file and no path is absolute, so a checkout in a folder with spaces works.
PYTHON ?=
export PYTHON
# A run starts processes by the hundred: without its bytecode, each would compile the product anew.
unexport PYTHONDONTWRITEBYTECODE
# One worker more than there are cores, at most six; a file stays with one worker.
PARALLEL ?= -n auto --maxprocesses 6 --dist loadfile --no-loadscope-reorder

# The branch that `make check` compares with; main, unless named.
BASE ?=

.PHONY: help run stop doctor test check lint touched-tests lint-in-one-piece database-tests browser-tests \
  lint-and-browser-tests lock widget

help: ## list the targets, one a line
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

run: ## install, start everything, print the addresses; Ctrl-C stops it
	@sh scripts/environment.sh requirements.lock
	@exec .venv/bin/python manage.py up

stop: ## stop what `make run` started
	@.venv/bin/python manage.py down

doctor: ## say what is wrong with this machine and how to fix it
	@sh scripts/environment.sh requirements.lock
	@.venv/bin/python manage.py doctor

# Two lanes: a browser computes while the database suite waits, and the other way round.
test: ## check everything: lint, types, import contracts, the database suite, the browser journeys
	@sh scripts/environment.sh requirements-dev.lock
	@$(MAKE) --no-print-directory -j2 lint-and-browser-tests database-tests

lint-and-browser-tests: lint-in-one-piece
	@sh scripts/in_one_piece.sh $(MAKE) --no-print-directory browser-tests

lint-in-one-piece:
	@sh scripts/in_one_piece.sh $(MAKE) --no-print-directory lint

# For in between: a minute, while `make test` takes ten.
check: ## check what differs from main: lint, types, import contracts, the tests it touches
	@sh scripts/environment.sh requirements-dev.lock
	@$(MAKE) --no-print-directory -j2 touched-tests lint-in-one-piece

touched-tests:
	@tests=$$(.venv/bin/python scripts/touched_tests.py $(BASE)) || exit 1; \
	if [ -z "$$tests" ]; then echo "No test is touched."; exit 0; fi; \
	echo "Touched:" $$tests; \
	.venv/bin/python -m pytest $$tests -m "not long and not chaos" -q $(PARALLEL)

lint: ## check style, types, import contracts and the widget's bundle
	@sh scripts/environment.sh requirements-dev.lock
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/djangofmt --check templates examples
	.venv/bin/python -m mypy
	.venv/bin/python -c "from importlinter.cli import lint_imports_command; lint_imports_command()"
	@sh scripts/widget_bundle.sh check

database-tests: ## run the tests that need no browser
	@sh scripts/environment.sh requirements-dev.lock
	.venv/bin/python -m pytest tests --ignore tests/browser $(PARALLEL)

# A run of their own: the browser's fixtures leave an event loop behind that no async test survives.
browser-tests: ## run the journeys in a browser
	@sh scripts/environment.sh requirements-dev.lock
	@if sh scripts/chromium.sh; then \
	  .venv/bin/python -m pytest tests/browser -p no:asyncio; \
	elif [ -n "$$CI" ]; then exit 1; fi

# Run it after a change in supportbot/widget/frontend, and commit what it writes (supportbot/widget/dist).
widget: ## build the widget's bundle (needs Node.js)
	@sh scripts/widget_bundle.sh build

# Needs uv; run it after a change of the .txt files.
lock: ## pin the packages of requirements*.txt with hashes (needs uv)
	uv pip compile --generate-hashes --universal --python-version 3.11 requirements.txt -o requirements.lock
	uv pip compile --generate-hashes --universal --python-version 3.11 -c requirements.lock \
	  requirements-dev.txt -o requirements-dev.lock
