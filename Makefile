# `make demo` and `make test` are the set-up: each makes the virtual environment that it needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet -c constraints.txt

.PHONY: demo test test-slow faults soak check bench bench-gpu calibrate clean

demo: $(VENV)/.fetch
	$(BIN)/stylemill demo --out out/demo

# By two processes, which take the files one after another and share nothing.
test: $(VENV)/.test
	$(BIN)/stylemill models pull all
	$(BIN)/python -m pytest -m "not slow" --ignore=tests/faults -n 2 --dist loadfile --no-loadscope-reorder

# What takes long and is worth it: real drivers killed, jobs sent to a cluster, memory, compiled code.
test-slow: $(VENV)/.test
	$(BIN)/stylemill models pull all
	$(BIN)/python -m pytest -m slow --ignore=tests/faults

# What goes wrong on a cluster, made to happen; then for as long as asked, at random.
faults: $(VENV)/.test
	$(BIN)/python -m pytest tests/faults

MINUTES ?= 10
SEED    ?= 1

soak: $(VENV)/.test
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES) --seed $(SEED)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.test
	$(BIN)/stylemill models pull
	$(BIN)/python -m benchmarks.generator
	$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.overhead --backend compiled
	$(BIN)/python -m benchmarks.threads
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.pool
	$(BIN)/python -m benchmarks.svm
	$(BIN)/python -m benchmarks.edit
	$(BIN)/python -m benchmarks.ials
	$(BIN)/python -m benchmarks.latent_transformer
	$(BIN)/python -m benchmarks.id_style

# CUDA beside the CPU, then its speed; it runs without a GPU too.
bench-gpu: $(VENV)/.fetch
	$(BIN)/stylemill models pull
	$(BIN)/python -m benchmarks.gpu --out benchmarks/results/gpu.md

calibrate: $(VENV)/.test
	$(BIN)/stylemill models pull
	$(BIN)/python -m benchmarks.calibrate

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.fetch: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[fetch,tables]'
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[test]'
	touch $@ $(VENV)/.fetch

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[test,dev]'
	touch $@ $(VENV)/.test $(VENV)/.fetch

clean:
	rm -rf $(VENV) out build *.egg-info
