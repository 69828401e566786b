# ionflux: `make help` lists the targets. Only Python 3.11 or newer is needed; .venv is made on first use.

PYTHON ?=
JOBS   ?= 2
ARGS   ?=

PY      := .venv/bin/python
IONFLUX := .venv/bin/ionflux
READY   := .venv/.stamp-ionflux
PEERS   := .venv/.stamp-peers

# Tried in this order; the lock file has wheels for the numbered ones.
PYTHONS := $(PYTHON) python3.11 python3.12 python3.13 python3.14 python3 python
RECENT  := import sys; sys.exit(sys.version_info < (3, 11))

# Dealt out file by file, because the tests of one file share their runs; long files first, as tests/conftest.py says.
PYTEST := $(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

.PHONY: help demo test lint bench trials lock clean

help:
	@echo "make demo    run the sealed and the leaky bucket and compare them (results/demo/)"
	@echo "make test    run the tests (JOBS=2, ARGS='-k nernst')"
	@echo "make lint    ruff, formatting, mypy, the contract of the rooms"
	@echo "make bench   speed and error beside other simulators, those that can be installed"
	@echo "make trials  run the reliability trials alone (tests/trials/)"
	@echo "make lock    pin the dependencies anew (needs uv)"
	@echo "make clean   remove .venv, caches and results"
	@echo "PYTHON=/path/to/python chooses the interpreter that .venv is made with."

demo: $(READY)
	@mkdir -p results/demo
	$(IONFLUX) run configs/sealed_bucket.yaml -o results/demo/sealed_bucket.h5 --overwrite
	$(IONFLUX) run configs/leaky_bucket.yaml -o results/demo/leaky_bucket.h5 --overwrite
	$(IONFLUX) compare results/demo/sealed_bucket.h5 results/demo/leaky_bucket.h5 -o results/demo/sealed_vs_leaky.png

test: $(READY)
	$(PYTEST) $(ARGS)

trials: $(READY)
	@if [ -d tests/trials ]; then $(PYTEST) tests/trials $(ARGS); else echo "There are no trials yet."; fi

lint: $(READY)
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	.venv/bin/lint-imports

bench: $(READY) $(PEERS)
	$(PY) -m benchmarks $(ARGS)

lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --fork-strategy fewest \
	    --upgrade --generate-hashes --custom-compile-command "make lock" --output-file requirements.lock --quiet

clean:
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml requirements.lock
	@if ! $(PY) -c '$(RECENT)' 2>/dev/null; then \
	    found=; \
	    for candidate in $(PYTHONS); do \
	        if "$$candidate" -c '$(RECENT)' 2>/dev/null; then found=$$candidate; break; fi; \
	    done; \
	    if [ -z "$$found" ]; then \
	        echo "ionflux needs Python 3.11 or newer and found none; install one, or name it: make PYTHON=/path/to/python" >&2; \
	        exit 1; \
	    fi; \
	    rm -rf .venv; \
	    if command -v uv >/dev/null 2>&1; then uv venv --quiet --python "$$found" .venv; \
	    else "$$found" -m venv --without-pip .venv; fi || exit 1; \
	fi
	@echo "Installing what requirements.lock names into .venv"
	@if command -v uv >/dev/null 2>&1; then \
	    install="uv pip install --quiet --compile-bytecode --python $(PY)"; \
	else \
	    $(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip >/dev/null 2>&1 || { \
	        echo "This Python comes without pip; install its venv package (python3-venv on Debian), or uv." >&2; exit 1; }; \
	    install="$(PY) -m pip install --quiet --disable-pip-version-check"; \
	fi; \
	$$install --require-hashes -r requirements.lock && $$install --no-deps --no-build-isolation -e .
	@$(PY) -m compileall -q simulator
	@touch $@

# One by one: a peer that cannot be installed here must not keep the others out.
$(PEERS): $(READY)
	@$(PY) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["bench"], sep="\n")' \
	| while read -r peer; do \
	    echo "Installing $$peer"; \
	    if command -v uv >/dev/null 2>&1; then uv pip install --python $(PY) "$$peer"; \
	    else $(PY) -m pip install "$$peer"; fi >>.venv/peers.log 2>&1 \
	    || echo "$$peer cannot be installed here (.venv/peers.log says why); the benchmark does without it."; \
	done
	@touch $@
