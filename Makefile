# Dateline: every job sets up what it needs; a second run of the same job does no set-up.
#
#   make run     sync corpus/, answer a question, serve the page and print its address
#   make test    linter, formatter, types, tests
#   make bench   measure (where ../shared/bench is found)
#   make lock    resolve the dependencies again and write locks/
#   make clean   remove the virtual environment, caches and the sample store

VENV := .venv
BIN := $(VENV)/bin
BENCH_DATA ?= ../shared/bench

# The first interpreter that is new enough; `make PYTHON=/path/to/python` overrides it.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		&& { command -v "$$name"; break; }; done)
UV := $(shell command -v uv 2>/dev/null)

export GRADIO_ANALYTICS_ENABLED := False
export HF_HUB_OFFLINE := 1

.PHONY: run test bench lock clean

# PORT=0 takes any free port; ARGS passes further options, such as ARGS="--open --mcp".
PORT ?= 7860
run: $(VENV)/run.stamp
	$(BIN)/dateline sync corpus
	@echo
	$(BIN)/dateline ask "How many working holiday visas does Japan issue to Koreans each year?" \
		|| test $$? -eq 1
	@echo
	$(BIN)/dateline ui --corpus corpus --port $(PORT) $(ARGS)

test: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest

bench: $(VENV)/dev.stamp
	$(BIN)/python -m eval.bench --data $(BENCH_DATA)

# dev is resolved first and run is held to it, so that both locks name the same versions.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header
lock:
	$(if $(UV),,$(error make lock needs uv on the PATH))
	$(LOCK) $(LOCKFLAGS) --extra dev --group build pyproject.toml -o locks/dev.txt
	$(LOCK) --constraints locks/dev.txt --extra ui --group build pyproject.toml -o locks/run.txt

clean:
	rm -rf $(VENV) .dateline .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A lock is installed with its hashes and nothing else; the package itself is linked in place,
# built by the pinned back end that the lock holds.
$(VENV)/%.stamp: locks/%.txt pyproject.toml | $(BIN)/python
ifneq ($(UV),)
	uv pip install --quiet --python $(BIN)/python --require-hashes -r $<
	uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
else
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation -e .
endif
	@touch $@

$(BIN)/python:
	$(if $(PYTHON),,$(error Dateline needs Python 3.11 or newer on the PATH, or make PYTHON=…))
ifneq ($(UV),)
	uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV)
else
	"$(PYTHON)" -m venv $(VENV)
endif
