# smolcorn. `make help` lists the targets.
#
# Everything made here is below build/, one folder for each Python version, and target/.

# The interpreter to build for and to test with.
PYTHON ?= python3
# What `make run` serves, and its other arguments.
APP ?= examples.hello:app
ARGS ?=
# Anything makes `make bench` short; and its other arguments, as "--loads 10b,fastapi". The row on
# another Python is measured if OTHER_PYTHON names one, as python3.11.
QUICK ?=
BENCH_ARGS ?=
OTHER_PYTHON ?=
# Anything builds wheel and binary with a profile of what they do under load, as releases are
# (docs/performance.md), with the llvm-profdata of rustc's own LLVM. It takes six minutes more.
PGO ?=
LLVM_PROFDATA ?=
# Which cases `make autobahn` runs, as 9.*; and what it runs the suite with.
CASES ?=
PYTHON27 ?= python2.7
# For every cargo command, as --locked or --offline.
CARGO_FLAGS ?=
# A test that hangs shows where.
PYTEST_ARGS ?= -n 2 -o faulthandler_timeout=120

# What the interpreter says of itself: its own path (PYTHON may be a shim), its version, and
# whether there is a shared libpython, without which only the wheel can be built.
FACTS := $(shell $(PYTHON) -I -S .ci/python_facts.py)
PYTHON_PATH := $(word 1,$(FACTS))
PYTHON_VERSION := $(word 2,$(FACTS))
LIBPYTHON := $(word 3,$(FACTS))
ifeq ($(PYTHON_VERSION),)
$(error PYTHON=$(PYTHON) is no CPython of version 3.10 or newer)
endif

BUILD := build/py$(PYTHON_VERSION)$(if $(PGO),-pgo)
VENV := $(BUILD)/venv
TOOLS := build/tools
COUNTS := $(BUILD)/counts
BENCH := $(BUILD)/bench
OTHER_VERSION = $(word 2,$(shell $(OTHER_PYTHON) -I -S .ci/python_facts.py))
# What loads servers with WebSocket messages: no part of smolcorn, and the same for all Pythons.
CLIENTS := build/clients/release/websocket-clients
AUTOBAHN := build/autobahn
# Builds for different interpreters share no target folder: each would undo the other's.
export CARGO_TARGET_DIR := $(if $(PGO)$(filter-out python3,$(PYTHON)),$(BUILD)/target,target)
export PYO3_PYTHON := $(PYTHON_PATH)
BINARY := $(CARGO_TARGET_DIR)/$(if $(PGO),$(TRIPLE)/)release/smolcorn
INSTALLED := $(VENV)/bin/smolcorn

RUST_SOURCES := Cargo.toml Cargo.lock build.rs $(shell find src actors -type f -name '*.*')
PYTHON_SOURCES := $(shell find python -type f -name '*.py*' -not -path '*/__pycache__/*')
SOURCES := $(RUST_SOURCES) $(PYTHON_SOURCES) pyproject.toml README.md LICENSE
CHECKED := python src/embed examples tests benches .ci
# The profiles, and what builds by them: one each, for functions have other names in the other. A
# target that is named is compiled apart from build scripts.
TRAINING := $(BUILD)/training
WHEEL_PROFILE := $(if $(PGO),$(BUILD)/wheel.profdata)
BINARY_PROFILE := $(if $(PGO),$(BUILD)/binary.profdata)
ifneq ($(PGO),)
TRIPLE := $(shell rustc -vV | sed -n 's/^host: //p')
FOR_TRIPLE := env CARGO_BUILD_TARGET=$(TRIPLE)
WITH_PROFILE = $(FOR_TRIPLE) RUSTFLAGS=-Cprofile-use=$(abspath $(1))
# Not every llvm-profdata can read compressed names.
COUNTING := $(FOR_TRIPLE) RUSTFLAGS='-Cprofile-generate -Cllvm-args=-enable-name-compression=false'
LLVM_PROFDATA := $(or $(LLVM_PROFDATA),$(firstword $(shell ls \
    $$(rustc --print sysroot)/lib/rustlib/$(TRIPLE)/bin/llvm-profdata 2>/dev/null) llvm-profdata))
endif
# What links nothing needs no library, which a C++ compiler would have to make.
WITHOUT_LIBFUZZER := CUSTOM_LIBFUZZER_PATH=/dev/null
PIP := -m pip install --quiet --disable-pip-version-check
COUNT := $(PYTHON_PATH) .ci/count.py

.DELETE_ON_ERROR:
.PHONY: help run test test-rust test-python test-async-h1 wheel binary autobahn lint fmt clean
.PHONY: bench bench-instructions bench-syscalls bench-time bench-environment
.PHONY: clear-counts suite-rust suite-wheel suite-binary suite-async-h1
# The suites take turns, and the counts come last.
.NOTPARALLEL:

help:  ## Shows this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | awk -F'|' '{ printf "  make %-19s %s\n", $$1, $$2 }'
	@echo '  Variables: PYTHON=$(PYTHON) APP=$(APP) ARGS="$(ARGS)" PYTEST_ARGS="$(PYTEST_ARGS)"'
	@echo '  PGO=1 builds with a profile, as releases are built.'

run: $(VENV)/.wheel $(VENV)/.examples  ## Serves APP (examples.hello:app) with ARGS
	@exec $(INSTALLED) $(ARGS) $(APP)

test: clear-counts suite-rust suite-wheel suite-binary  ## Builds all, runs every test, ends with the counts
test-rust: clear-counts suite-rust  ## Runs the Rust tests
test-python: clear-counts suite-wheel suite-binary  ## Runs the Python tests on the wheel and on the binary
test-async-h1: clear-counts suite-async-h1  ## Runs the tests of the cargo feature async-h1
test test-rust test-python test-async-h1:
	@$(COUNT) sum $(COUNTS)

clear-counts:
	@rm -rf $(COUNTS)

# Nothing that embeds Python can be linked without a shared libpython. The reactor of other systems
# is tested here as well.
suite-rust:
	@$(COUNT) tests $(COUNTS)/rust -- \
	    cargo test $(CARGO_FLAGS) --no-fail-fast $(if $(LIBPYTHON),--workspace,--package smolcorn-actors)
	@$(COUNT) tests $(COUNTS)/rust-portable -- \
	    cargo test $(CARGO_FLAGS) --package smolcorn-actors --features portable-reactor

# The same tests hold both forms to the same promises.
suite-wheel: $(VENV)/.wheel $(VENV)/.tests
	@$(COUNT) tests $(COUNTS)/wheel -- \
	    env SMOLCORN_BIN=$(INSTALLED) $(VENV)/bin/python -m pytest tests $(PYTEST_ARGS)

ifneq ($(LIBPYTHON),)
suite-binary: binary $(VENV)/.tests
	@$(COUNT) tests $(COUNTS)/binary -- \
	    env SMOLCORN_BIN=$(BINARY) $(VENV)/bin/python -m pytest tests $(PYTEST_ARGS)

# The tests that ask for no more than the engine can (docs/options.md has its limits), on a build
# that is quick to make.
ASYNC_H1 := $(abspath $(CARGO_TARGET_DIR))/debug/smolcorn --http async-h1
ASYNC_H1_TESTS := engine_async_h1 $(addprefix test_,backpressure concurrency disconnect pathsend \
    pipelining real_apps real_clients receive timeouts)
suite-async-h1: $(VENV)/.tests
	@$(COUNT) tests $(COUNTS)/async-h1-rust -- cargo test $(CARGO_FLAGS) \
	    --package smolcorn --package smolcorn-control \
	    --features async-h1 --lib --test async_h1 --test client_async_h1
	cargo build --features async-h1 --bin smolcorn $(CARGO_FLAGS)
	@$(COUNT) tests $(COUNTS)/async-h1 -- \
	    env SMOLCORN_COMMAND='$(ASYNC_H1)' $(VENV)/bin/python -m pytest $(PYTEST_ARGS) \
	    -k 'not http_1_0 and not curl_versions' $(ASYNC_H1_TESTS:%=tests/%.py)
else
suite-binary suite-async-h1:
	@echo '$(PYTHON_PATH) has no shared libpython: the binary is not tested.'
endif

binary: $(BINARY_PROFILE)  ## Builds target/release/smolcorn, which embeds Python
	@$(if $(LIBPYTHON),,echo '$(PYTHON_PATH) has no shared libpython to embed.'; exit 1)
	$(call WITH_PROFILE,$(BINARY_PROFILE)) cargo build --release --bin smolcorn $(CARGO_FLAGS)

wheel: $(BUILD)/wheel/.built  ## Builds the wheel
	@ls $(BUILD)/wheel/*.whl

bench: $(BENCH)/.installed $(CLIENTS)  ## Measures smolcorn beside its peers; QUICK=1 takes three minutes
	$(if $(OTHER_PYTHON),$(MAKE) PYTHON=$(OTHER_PYTHON) bench-environment)
	$(BENCH)/bin/python benches/compare.py $(if $(QUICK),--quick) $(if $(PGO),--profiled) --clients $(CLIENTS) \
	    --wheel $(BUILD)/wheel/*.whl --binary $(BINARY) \
	    $(if $(OTHER_PYTHON),--other-python build/py$(OTHER_VERSION)/bench/bin/python) $(BENCH_ARGS)

bench-environment: $(BENCH)/.installed

PER_REQUEST = $(BENCH)/bin/python benches/per_request.py $(@:bench-%=%) --clients $(CLIENTS) $(BENCH_ARGS)
bench-instructions: $(BENCH)/.installed $(CLIENTS)  ## Counts the instructions of one request, with valgrind
	$(PER_REQUEST)

bench-syscalls: $(BENCH)/.installed $(CLIENTS)  ## Counts the system calls of one request, with strace
	$(PER_REQUEST)

bench-time: $(BENCH)/.installed $(CLIENTS)  ## Shows where the time of one request goes, with perf
	$(PER_REQUEST)

autobahn: $(VENV)/.wheel $(AUTOBAHN)/.installed  ## Runs the Autobahn test suite; CASES='9.*' for some
	env SMOLCORN_BIN=$(INSTALLED) $(VENV)/bin/python tests/autobahn/run.py \
	    --wstest $(AUTOBAHN)/venv/bin/wstest --out $(BUILD)/autobahn-reports \
	    $(if $(CASES),--cases $(CASES))

lint: $(TOOLS)/.installed  ## Checks format, lints and types of everything
	cargo fmt --all --check
	cargo clippy --workspace --all-targets $(CARGO_FLAGS) -- -D warnings
	cargo clippy --features async-h1 --all-targets $(CARGO_FLAGS) -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps --lib $(CARGO_FLAGS)
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	env $(WITHOUT_LIBFUZZER) cargo clippy --manifest-path fuzz/Cargo.toml $(CARGO_FLAGS) -- -D warnings
	cargo fmt --manifest-path benches/clients/Cargo.toml --check
	cargo clippy --manifest-path benches/clients/Cargo.toml --all-targets $(CARGO_FLAGS) -- -D warnings
	$(TOOLS)/bin/ruff check $(CHECKED)
	$(TOOLS)/bin/ruff format --check $(CHECKED)
	$(TOOLS)/bin/mypy python examples/embedded.py
	$(TOOLS)/bin/basedpyright --pythonpath $(TOOLS)/bin/python
	$(TOOLS)/bin/mypy src/embed .ci
	$(TOOLS)/bin/mypy --platform linux benches/compare.py benches/per_request.py benches/application.py
	$(TOOLS)/bin/mypy --platform linux benches/train.py
	$(TOOLS)/bin/mypy --platform linux benches/apps/plain.py benches/apps/wsgi.py

fmt: $(TOOLS)/.installed  ## Formats everything
	cargo fmt --all
	cargo fmt --manifest-path fuzz/Cargo.toml
	cargo fmt --manifest-path benches/clients/Cargo.toml
	$(TOOLS)/bin/ruff check --fix --quiet $(CHECKED)
	$(TOOLS)/bin/ruff format $(CHECKED)

clean:  ## Removes what make has made
	rm -rf build target

$(BUILD)/wheel/.built: $(SOURCES) $(TOOLS)/.installed $(WHEEL_PROFILE)
	rm -rf $(@D)
	$(call WITH_PROFILE,$(WHEEL_PROFILE)) $(TOOLS)/bin/maturin build --release --interpreter $(PYTHON_PATH) $(CARGO_FLAGS) \
	    --target-dir $(BUILD)/wheel-target --out $(@D)
	@$(PYTHON_PATH) -m zipfile --list $(@D)/*.whl | grep '^smolcorn/_bin/smolcorn ' \
	    || { echo 'The wheel has no program to be the parent of workers.'; exit 1; }
	touch $@

# $(call train,folder,options) puts loads to what counts, and sums the counts up.
define train
	rm -rf $(TRAINING)/$(1)
	env LLVM_PROFILE_FILE=$(abspath $(TRAINING))/$(1)/%m.profraw \
	    $(TRAINING)/venv/bin/python benches/train.py --clients $(CLIENTS) $(2)
	$(LLVM_PROFDATA) merge --output=$@ $(TRAINING)/$(1)/*.profraw
endef

TRAINERS := $(CLIENTS) $(wildcard benches/*.py benches/*/*.py)

$(BUILD)/wheel.profdata: $(SOURCES) $(TRAINERS) $(TRAINING)/venv/.created $(TOOLS)/.installed
	rm -rf $(TRAINING)/wheel
	$(COUNTING) $(TOOLS)/bin/maturin build --release --interpreter $(PYTHON_PATH) $(CARGO_FLAGS) \
	    --target-dir $(TRAINING)/target --out $(TRAINING)/wheel
	$(TRAINING)/venv/bin/python $(PIP) --force-reinstall --no-deps $(TRAINING)/wheel/*.whl
	$(call train,of-wheel)

$(BUILD)/binary.profdata: $(SOURCES) $(TRAINERS) $(TRAINING)/venv/.created
	$(COUNTING) cargo build --release --bin smolcorn $(CARGO_FLAGS) --target-dir $(TRAINING)/target
	$(call train,of-binary,--program $(abspath $(TRAINING))/target/$(TRIPLE)/release/smolcorn)

$(TRAINING)/venv/.created: benches/requirements.txt
	@$(LLVM_PROFDATA) --version >/dev/null || { echo 'PGO=1 takes the llvm-profdata of the version that' \
	    '`rustc -vV` calls LLVM: `rustup component add llvm-tools`, or LLVM_PROFDATA=path.'; exit 1; }
	$(PYTHON_PATH) -m venv --clear $(@D)
	$(@D)/bin/python $(PIP) -r benches/requirements.txt
	touch $@

$(VENV)/.created:
	$(PYTHON_PATH) -m venv --clear $(VENV)
	touch $@

$(VENV)/.wheel: $(BUILD)/wheel/.built $(VENV)/.created
	$(VENV)/bin/python $(PIP) --force-reinstall --no-deps $(BUILD)/wheel/*.whl
	touch $@

$(VENV)/.examples: examples/requirements.txt $(VENV)/.created
	$(VENV)/bin/python $(PIP) -r examples/requirements.txt
	touch $@

$(VENV)/.tests: tests/requirements.txt examples/requirements.txt $(VENV)/.created
	$(VENV)/bin/python $(PIP) -r tests/requirements.txt -r examples/requirements.txt
	touch $@

$(BENCH)/.installed: benches/requirements.txt $(BUILD)/wheel/.built
	$(PYTHON_PATH) -m venv --clear $(BENCH)
	$(BENCH)/bin/python $(PIP) -r benches/requirements.txt $(BUILD)/wheel/*.whl
	touch $@

$(CLIENTS): benches/clients/Cargo.toml benches/clients/Cargo.lock $(wildcard benches/clients/src/*.rs)
	cargo build --release --manifest-path benches/clients/Cargo.toml --target-dir build/clients $(CARGO_FLAGS)
	touch $@

# Python 2.7 has no venv.
$(AUTOBAHN)/.installed: tests/autobahn/requirements.txt
	$(PYTHON27) -m pip install --quiet --target $(AUTOBAHN)/virtualenv virtualenv==20.15.1
	env PYTHONPATH=$(AUTOBAHN)/virtualenv $(PYTHON27) -m virtualenv --quiet $(AUTOBAHN)/venv
	$(AUTOBAHN)/venv/bin/python -m pip install --quiet -r tests/autobahn/requirements.txt
	touch $@

$(TOOLS)/.installed: .ci/requirements.txt
	$(PYTHON_PATH) -m venv --clear $(TOOLS)
	$(TOOLS)/bin/python $(PIP) -r .ci/requirements.txt
	touch $@
