# Everything here starts from a clone and a Python 3.11 or newer; what is missing goes into .venv.
.DEFAULT_GOAL := help
.PHONY: help demo test browser prove bench fuzz simulate serve lint types imports lock clean
MAKEFLAGS += --no-print-directory
# Each of many processes would otherwise compile every module again: half of what a start costs.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CODE := gateway adapters schemas mock_services tests
FUZZ := build/fuzz-packages
SPREAD := --numprocesses auto --dist loadscope --no-loadscope-reorder
LOCKS := requirements.lock requirements-dev.lock requirements-bootstrap.lock

help: ## Say what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(READY) ## Play a whole province on loopback ports; KEEP=1 leaves it running
	@$(BIN)/python -m mock_services.demo $(if $(KEEP),--keep)

test: $(READY) ## Run every test this machine can; REQUIRE=all fails on what it cannot; ARGS=… goes to pytest
	@$(BIN)/python -m pytest $(SPREAD) $(ARGS)

browser: $(READY) ## Look at every page in every form in Chromium; ARGS=… goes to pytest
	@BROWSER=all $(BIN)/python -m pytest tests/browser $(ARGS)

prove: $(READY) ## Kill everything everywhere under load, then count; ARGS=… goes to tests.prove
	@$(BIN)/python -m tests.prove $(ARGS)

bench: $(READY) ## Measure our layers against the bare work below them; ARGS=… goes to tests.bench
	@$(BIN)/python -m tests.bench $(ARGS)

fuzz: $(READY) $(FUZZ)/.ready ## Fuzz every parser, SECONDS=20 each; ARGS=… goes to tests.fuzz
	@PYTHONPATH=$(FUZZ) $(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),20) $(ARGS)

simulate: $(READY) ## Live through histories of a simulated province; ARGS=… goes to tests.simulation
	@$(BIN)/python -m tests.simulation $(ARGS)

serve: $(READY) ## Migrate and serve the gateway on SQLite with development settings
	@mkdir -p var
	@BANDIAN_MODE=$${BANDIAN_MODE:-development} sh -ec '$(BIN)/bandian migrate; exec $(BIN)/bandian serve'

lint: $(READY) types imports ## Style, types and import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY)
	@$(BIN)/mypy

imports: $(READY)
	@$(BIN)/lint-imports

lock: $(READY) ## Compile the locks from pyproject.toml; UPGRADE=1 takes newer versions
	@.ci/compile-locks . $(if $(UPGRADE),--upgrade)

clean: ## Remove what was made here, the databases of var/ aside
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): $(LOCKS) pyproject.toml .ci/bootstrap
	@.ci/bootstrap $(VENV)
	@touch $@

# Beside the environment and not in it; where no build of it fits this Python, the fuzzer does without.
$(FUZZ)/.ready: requirements-fuzz.lock | $(READY)
	@mkdir -p $(FUZZ)
	@$(BIN)/python -m uv pip install --quiet --python $(BIN)/python --target $(FUZZ) --require-hashes --no-deps \
		--only-binary :all: -r $< || echo "no build of atheris for this Python: inputs are spoilt at random instead"
	@touch $@
