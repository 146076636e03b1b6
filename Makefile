# Needs Python 3.11, make, and the network to PyPI; nothing else. `make` alone says what there is.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
FOR    ?=
KILLS  ?= 20
SECONDS ?= 60
SEED   ?= 1
RESUME ?=
SEEDS  ?= 1000

.DEFAULT_GOAL := help
.PHONY: help venv run test bench fault simulate fault-proof fuzz lock secrets clean

help:  ## what there is to do
	@echo "Portrait: live customer portraits from Kafka into Redis."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  First time: make run. Then, in another terminal, paste the lines that it prints."
	@echo "  All the verbs: $(BIN)/portrait --help"

venv: $(STAMP)  ## the environment, in .venv (tests, benchmarks, embedded servers included)

# The stamp follows the lock and pyproject: run again, it does nothing.
$(STAMP): requirements-dev.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.11, or say make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes --requirement requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

run: $(STAMP)  ## broker, store, worker and a stream of events, on loopback (FOR=20: end 20 s after the first profiles)
	@$(BIN)/portrait up $(if $(FOR),--for $(FOR))

test: $(STAMP)  ## lint, types, layers, all tests (real Kafka and Redis where found, embedded ones otherwise)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadfile

bench: $(STAMP)  ## speed and size beside peers; the last line is JSON
	@$(BIN)/python -m bench

fault: $(STAMP)  ## kill workers, Redis and Kafka under load (KILLS=100 SEED=1 ARGS="--zombie 0", or RESUME=DIR); the last line is JSON
	@$(BIN)/python -m tests.fault $(if $(RESUME),--resume $(RESUME),--kills $(KILLS) --seed $(SEED)) $(ARGS)

simulate: $(STAMP)  ## seeds of the simulation: the loop under every fault (SEEDS=10000); the last line is JSON
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(ARGS)

fault-proof: $(STAMP)  ## take out each mechanism in turn: does the simulation notice? the last line is JSON
	@$(BIN)/python -m tests.simulation.proof $(ARGS)

fuzz: $(STAMP)  ## odd records into decoder and loop, guided by coverage (SECONDS=60); the last line is JSON
	@$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(ARGS)

lock: $(STAMP)  ## resolve the locks again, from pyproject.toml
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet uv
	$(VENV)/lock/bin/uv pip compile --quiet pyproject.toml --universal --python-version 3.11 --generate-hashes \
	    --no-annotate --custom-compile-command "make lock" --output-file requirements.lock
	$(VENV)/lock/bin/uv pip compile --quiet pyproject.toml --universal --python-version 3.11 --generate-hashes \
	    --no-annotate --custom-compile-command "make lock" --all-extras --constraint requirements.lock --output-file requirements-dev.lock

secrets:  ## a password for docker-compose.yml, in secrets/ (once)
	@test ! -e secrets/redis-url || { echo "secrets/ is there already"; exit 1; }
	@umask 077 && mkdir -p secrets && $(PYTHON) -c 'import secrets; p = secrets.token_urlsafe(24); \
	open("secrets/redis-url", "w").write(f"redis://:{p}@valkey:6379/0\n"); open("secrets/valkey.conf", "w").write(f"requirepass {p}\n")'
	@chmod 644 secrets/redis-url secrets/valkey.conf  # read by the containers' own users; the directory stays ours alone
	@echo "secrets/redis-url and secrets/valkey.conf written. Next: docker compose up --build"

clean:  ## remove the environment and the caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .fuzz *.egg-info build dist
