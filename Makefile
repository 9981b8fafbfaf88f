# Every task of the project. `make` alone lists them.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PROMPT ?= a red house on a hill at night
OUT ?= out/picture.png
PORT ?= 8080
PYTHON ?= python3
# `make bench-gpu SPEED=--tiny` on a machine without a GPU: shows that the comparison runs, not how fast a GPU is.
SPEED ?=

CARGO := cargo --locked
BIN := node_modules/.bin
WASM := www/pkg/imagen_web_bg.wasm
RUST_SOURCES := $(shell find src shaders -name '*.rs' -o -name '*.wgsl') Cargo.toml Cargo.lock .cargo/config.toml
PAGE_SOURCES := $(shell find www -type f -not -path '*/pkg/*') $(wildcard models/storybook/*) vite.config.ts package-lock.json
DOCS := $(wildcard docs/*.md docs/site/*.* docs/site/_includes/*)

# The kernels' tests run on Mesa's software Vulkan, so that they are the same everywhere; VK_ICD_FILENAMES overrides it.
export VK_ICD_FILENAMES ?= $(shell scripts/lavapipe.sh)
export PROMPT OUT

.PHONY: help setup run image bench bench-gpu dist wasm test test-slow test-mpi test-gpu test-finetune format check-format lint rust-test package page-check browser-test npm lighthouse sizes clean

help: ## List the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: .tools/setup.stamp ## Get tools and packages (asks nothing, does nothing twice)

.tools/setup.stamp: scripts/setup.sh scripts/wasm-env.sh package-lock.json docs/site/package-lock.json Cargo.lock
	scripts/setup.sh

wasm: $(WASM) ## Compile the crate for the browser into www/pkg

$(WASM): $(RUST_SOURCES) scripts/wasm.sh | setup
	scripts/wasm.sh

dist: dist/index.html ## Build the static site into dist/

dist/index.html: $(WASM) $(PAGE_SOURCES) $(DOCS)
	node docs/site/build.mjs
	$(BIN)/vite build
	@$(MAKE) --no-print-directory sizes

npm: $(WASM) ## Build and pack the npm packages into out/npm
	node packages/build.mjs

lighthouse: dist ## Have Lighthouse judge the built page in the local Chromium
	scripts/lighthouse.sh

sizes: ## Print what a visitor downloads
	@scripts/sizes.sh

run: dist ## Build the page and serve it
	@echo "Open http://localhost:$(PORT)/ (Ctrl+C stops the server)"
	$(BIN)/vite preview --port $(PORT) --strictPort --logLevel warn

image: ## Make a picture: make image PROMPT="a red house" OUT=house.png
	@mkdir -p "$$(dirname "$$OUT")"
	env -u VK_ICD_FILENAMES $(CARGO) run --quiet --bin imagen -- generate -p "$$PROMPT" -o "$$OUT"

bench: | setup ## Time this machine: CPU, and the GPU beside burn and onnxruntime-web
	scripts/bench.sh

bench-gpu: ## Time the kernels on this machine's GPU, and a U-Net step against PyTorch (torch, diffusers for PYTHON)
	env -u VK_ICD_FILENAMES $(CARGO) bench --profile dev --package imagen-benches
	$(CARGO) build --bin imagen --example gpu_step
	env -u VK_ICD_FILENAMES $(PYTHON) tests/reference/gpu_speed.py $${CARGO_TARGET_DIR:-target}/debug $(SPEED)

# Cheap checks first, so that a slip is told in the first minute.
test: setup check-format lint page-check rust-test package browser-test ## Run everything that CI runs
	@echo "All checks passed."

check-format: | setup
	cargo fmt --check
	$(BIN)/biome ci --error-on-warnings

format: | setup ## Format Rust and TypeScript
	cargo fmt
	$(BIN)/biome check --write

lint:
	$(CARGO) clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --document-private-items
	@# The comparison with burn has a lock file of its own, which has to follow the crate's dependencies.
	cd benches/browser/burn && $(CARGO) update --quiet --workspace

rust-test:
	$(CARGO) test

# The dry run compiles the package from what it would upload: a file that `include` forgets is an error here.
package:
	CARGO_TARGET_DIR="$${CARGO_TARGET_DIR:-$(CURDIR)/target}" $(CARGO) publish --dry-run --allow-dirty

page-check: $(WASM)
	$(BIN)/tsc --noEmit -p www
	$(BIN)/tsc --noEmit -p www/service-worker
	$(BIN)/tsc --noEmit -p tests/browser
	$(BIN)/tsc --noEmit -p benches/browser

browser-test: dist
	$(BIN)/playwright test -c tests/browser --grep-invert "@slow|@bench"

test-slow: dist test-mpi ## The tests that take minutes: 1024 in the browser, ignored Rust tests, training by two processes
	$(CARGO) test -- --ignored
	$(BIN)/playwright test -c tests/browser --grep @slow

test-mpi: | setup ## Training by two processes; needs Open MPI and libclang (Debian: libopenmpi-dev openmpi-bin libclang-dev)
	@command -v mpirun >/dev/null && command -v mpicc >/dev/null || { echo "Open MPI is missing: apt-get install libopenmpi-dev openmpi-bin libclang-dev" >&2; exit 1; }
	$(CARGO) test --features mpi --test cli train_mpi

test-finetune: | setup ## Fine-tune the model on 20 pictures of a kind that it never saw, and have 50 of its pictures judged
	$(CARGO) build --bin imagen
	scripts/finetune.sh

test-gpu: | setup ## Training on burn's GPU backend, whose compilation takes minutes; VK_ICD_FILENAMES as for all tests
	$(CARGO) test --features train-gpu --test train_parity on_the_gpu

clean: ## Remove everything that was built (tools and packages stay)
	rm -rf dist www/pkg out target/wasm32-unknown-unknown
	cargo clean
