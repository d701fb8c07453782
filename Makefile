# `make help` lists the targets. The most important ones: `make run` starts everything on this machine, `make test`
# checks everything.
# No target is a file and no path is absolute, so a checkout works in a folder with spaces.
PYTHON ?=
export PYTHON
# A run starts hundreds of processes: without bytecode, each would compile the product again.
unexport PYTHONDONTWRITEBYTECODE
# One worker more than cores, at most six; all tests of a file run in one worker.
PARALLEL ?= -n auto --maxprocesses 6 --dist loadfile --no-loadscope-reorder

# The branch that `make check` compares with.
BASE ?=

# `make test` gives its database tests a lower priority.
NICE =

.PHONY: help run stop doctor test check lint touched-tests database-tests browser-tests long-tests \
  long-database-tests long-browser-tests lock messages widget

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

run: ## install, start everything and print the addresses; Ctrl-C stops it (DEMO=no: without the demo)
	@sh scripts/environment.sh requirements.lock
	@exec .venv/bin/python manage.py up $(if $(filter no,$(DEMO)),--no-demo)

stop: ## stop what `make run` started
	@.venv/bin/python manage.py down

doctor: ## report what is wrong with this machine and how to fix it
	@sh scripts/environment.sh requirements.lock
	@.venv/bin/python manage.py doctor

# In parallel: the browser computes while the database suite waits, and vice versa. Browser journeys run one at a time,
# so the database suite, which several workers share, gets a lower priority, and all cores once they are done.
test: ## check everything: lint, types, import contracts, the database suite, the browser journeys
	@sh scripts/environment.sh requirements-dev.lock
	@$(MAKE) --no-print-directory -j3 lint-in-one-piece browser-tests-in-one-piece database-tests NICE='nice -n 5'

%-in-one-piece:
	@sh scripts/in_one_piece.sh $(MAKE) --no-print-directory $*

# Takes about a minute. `make test` takes seven to nine minutes on two idle cores; the goal is at most ten.
check: ## check what differs from main: lint, types, import contracts, the affected tests
	@sh scripts/environment.sh requirements-dev.lock
	@$(MAKE) --no-print-directory -j2 touched-tests lint-in-one-piece

touched-tests:
	@tests=$$(.venv/bin/python scripts/touched_tests.py $(BASE)) || exit 1; \
	if [ -z "$$tests" ]; then echo "No tests are affected."; exit 0; fi; \
	echo "Affected:" $$tests; \
	.venv/bin/python -m pytest $$tests -m "not long and not chaos" -q $(PARALLEL)

lint: ## check style, types, import contracts, translations and the widget's bundle
	@sh scripts/environment.sh requirements-dev.lock
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/djangofmt --check templates examples
	.venv/bin/python -m mypy
	.venv/bin/python -c "from importlinter.cli import lint_imports_command; lint_imports_command()"
	.venv/bin/python scripts/messages.py check
	@sh scripts/page_scripts.sh
	@sh scripts/widget_bundle.sh check

# Plugins that only browser journeys use would cost every other test a millisecond.
NO_BROWSER = -p no:playwright -p no:base_url -p no:rerunfailures -p no:anyio

database-tests: ## run the tests that need no browser
	@sh scripts/environment.sh requirements-dev.lock
	$(NICE) .venv/bin/python -m pytest tests --ignore tests/browser $(NO_BROWSER) $(PARALLEL)

# Repeats a test once after an error of the browser's driver, and reports it. Failed expectations and waits that timed
# out are not repeated (CONTRIBUTING.md). Errors are matched as "class: message".
BROWSER_TESTS = .venv/bin/python -m pytest tests/browser -p no:asyncio --reruns 1 --only-rerun '^Error: ' \
  --rerun-except '^(AssertionError|TimeoutError): ' --rerun-show-tracebacks -rfER

# Some of these tests start several processes, so on many cores there are fewer workers than for `make test`. Apart
# from that, they mostly wait.
LONG_PARALLEL ?= -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# Only run by hand, since it takes hours: pytest -m "long and chaos".
long-tests: ## run what takes minutes: the image, the parts of a deployment, old versions, all languages
	@sh scripts/environment.sh requirements-dev.lock
	@$(MAKE) --no-print-directory -j2 long-browser-tests-in-one-piece long-database-tests

long-database-tests:
	timeout 2400 .venv/bin/python -m pytest tests --ignore tests/browser $(LONG_PARALLEL) -m "long and not chaos" -rs \
	  --durations 10

long-browser-tests:
	@if sh scripts/chromium.sh; then \
	  timeout 2400 $(BROWSER_TESTS) -m long; \
	elif [ -n "$$CI" ]; then exit 1; fi

# A separate run: the browser's fixtures leave behind an event loop that breaks async tests.
browser-tests: ## run the journeys in a browser
	@sh scripts/environment.sh requirements-dev.lock
	@if sh scripts/chromium.sh; then \
	  $(BROWSER_TESTS); \
	elif [ -n "$$CI" ]; then exit 1; fi

# Run it after changing a text that people read, translate what is new (CONTRIBUTING.md), and run it again.
messages: ## write new texts into the catalogues of all languages, and compile them
	@sh scripts/environment.sh requirements-dev.lock
	.venv/bin/python scripts/messages.py update
	.venv/bin/python scripts/messages.py compile

# Run it after changing supportbot/widget/frontend or the widget's texts in locale/customer, and commit its output
# (supportbot/widget/dist).
widget: ## build the widget's bundle (needs Node.js)
	@sh scripts/environment.sh requirements-dev.lock
	@sh scripts/widget_bundle.sh build

# Run it after changing the .txt files.
lock: ## pin the packages of requirements*.txt with hashes (needs uv)
	uv pip compile --generate-hashes --universal --python-version 3.11 requirements.txt -o requirements.lock
	uv pip compile --generate-hashes --universal --python-version 3.11 -c requirements.lock \
	  requirements-otel.txt -o requirements-otel.lock
	uv pip compile --generate-hashes --universal --python-version 3.11 -c requirements.lock -c requirements-otel.lock \
	  requirements-onnx.txt -o requirements-onnx.lock
	uv pip compile --generate-hashes --universal --python-version 3.11 -c requirements.lock -c requirements-otel.lock \
	  -c requirements-onnx.lock requirements-dev.txt -o requirements-dev.lock
