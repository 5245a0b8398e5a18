# The commands of the project. `make` alone lists them.
CARGO ?= cargo
# A macro declares these modules, which rustfmt does not look into.
STEPS = $(wildcard migrations/src/m*.rs)

.DEFAULT_GOAL := help
.PHONY: help run build test test-clients test-differential fuzz test-extending test-faults test-ops check-delivery docker-env bench bench-growth bench-inbox bench-instructions bench-micro bench-scale lint lint-code fmt audit timing clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The development build: what is slow otherwise is optimised already, it takes a
# fraction of the time of a release build, and the tests and editors share it.
run: ## build and serve on the embedded database; ARGS="..." for another command
	@$(CARGO) run --locked --package tidegate -- $(ARGS)

build: ## the program for production: target/release/tidegate
	$(CARGO) build --locked --release --package tidegate

test: ## all tests on SQLite and a disposable MySQL or MariaDB; ARGS="..." for the runner
	@scripts/test $(ARGS)

test-clients: ## other makers' clients: Postman, a browser, an OpenAPI validator; ARGS="..." for some of them
	@scripts/test-clients $(ARGS)

test-differential: ## 100,000 random requests, of which every engine has to give the same answer (minutes)
	@TIDEGATE_TEST_REQUESTS=$${TIDEGATE_TEST_REQUESTS:-100000} NEXTEST_PROFILE=long scripts/test random_requests_have_one_answer

fuzz: ## the grammar of requests under cargo-fuzz, or else as a long property test
	@scripts/fuzz

test-extending: ## the code of docs/EXTENDING.md, built and tested in a copy
	@scripts/test-extending

test-faults: ## the webhook inbox while the program and its database are killed (minutes)
	@scripts/test-faults

test-ops: ## nginx, Prometheus, the dashboard and a rolling restart of two nodes, all of them real
	@scripts/test-ops $(ARGS)

check-delivery: ## workflows, containers, the systemd unit and scripts, each by its validator
	@scripts/check-delivery

docker-env: ## the secrets of docker/compose.yml, made once
	@scripts/docker-env

bench: ## Tidegate beside a bare server that does the same, into docs/PERFORMANCE.md; ARGS="..." for a short form
	@scripts/bench $(ARGS)

bench-growth: ## cost with ever more rows, deeper pages and more tables, into docs/PERFORMANCE.md; ARGS="..." for a short form
	@scripts/bench-growth $(ARGS)

bench-inbox: ## the webhook inbox beside bare clients of its database; ARGS="..." for the benchmark
	@scripts/bench-inbox $(ARGS)

bench-instructions: ## the instructions of the pure steps beside those of another build: BASE=<revision>
	@scripts/bench-instructions $(BASE)

bench-micro: ## parse, plan, print, encode and the check of a token, into docs/PERFORMANCE.md; ARGS="..." for some
	@scripts/bench-micro $(ARGS)

bench-scale: ## a million rows in and out, and 5,000 tables: time and memory; ARGS="..." for the benchmark
	@scripts/bench-scale $(ARGS)

# What the benchmarks alone need. Clippy looks at it; nothing else builds it.
BENCHES = --features tidegate-bench/bare,tidegate-bench/pure

# One profile and no RUSTFLAGS of our own, so that nothing is compiled twice.
lint: lint-code ## format, clippy, documentation, dependency rules; warnings are errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --quiet
	$(CARGO) test --locked --quiet --workspace --test all architecture

lint-code: ## format and clippy alone
	$(CARGO) fmt --all --check
	rustfmt --check --edition 2024 $(STEPS)
	$(CARGO) clippy --locked --workspace $(BENCHES) --all-targets -- -D warnings

fmt: ## format the code
	$(CARGO) fmt --all
	rustfmt --edition 2024 $(STEPS)

audit: ## advisories, licences and sources of the dependencies (needs cargo-deny)
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny check; \
	else echo "cargo-deny is not installed: cargo install --locked cargo-deny" >&2; exit 1; fi

timing: ## what a log-in costs for known and unknown accounts, side by side
	@$(CARGO) run --locked --quiet --package tidegate-auth --example equal_cost

clean: ## remove what was built
	$(CARGO) clean
