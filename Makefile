# Short names for the same commands automation runs.
PYTHON ?= python3

.PHONY: test check format lock

test:  ## the whole offline test suite
	$(PYTHON) main.py test

check:  ## style and types only
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

format:
	.venv/bin/ruff format . && .venv/bin/ruff check --fix .

# Needs uv. The locks hold exact versions and hashes for Linux and macOS, Python 3.11 to 3.14, and name no index.
COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url
TRIM = sed -i -e "s/ ; sys_platform == 'darwin' or sys_platform == 'linux'//" -e "s/ and (sys_platform == 'darwin' or sys_platform == 'linux')//"

lock:
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) --group pyproject.toml:test -c requirements.lock -o requirements-test.lock
	$(COMPILE) --group pyproject.toml:bench -c requirements.lock -o requirements-bench.lock
	for client in connector ccxt python-binance; do \
		$(COMPILE) --group pyproject.toml:conformance-$$client -o requirements-conformance-$$client.lock; done
	for lock in requirements*.lock; do \
		$(TRIM) -e "1i # Exact versions with hashes, made by \`make lock\` from pyproject.toml; do not edit." $$lock; done
