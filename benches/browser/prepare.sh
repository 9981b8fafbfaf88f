#!/usr/bin/env bash
# Builds and exports what the browser comparison needs into out/bench: our package with the feature `bench`, burn's
# package, and the rows' weights, graphs and expected outputs. Does nothing twice.
#
#   prepare.sh [ROW or GROUP ...]     exports only these rows; all where none is named
#
# BENCH_PEERS as in scripts/bench.sh. PYTHON names another Python, whose packages are then taken as they are.
set -euo pipefail
cd "$(dirname "$0")/../.."
source scripts/wasm-env.sh
OUT=out/bench
TORCH=2.15.0
say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
wants() { [[ ",${BENCH_PEERS-burn,ort}," == *",$1,"* ]]; }
newer() { [ -e "$1" ] && [ -z "$(find "${@:2}" -newer "$1" -print -quit)" ]; }

mkdir -p "$OUT"
ln -sfn "$PWD/models/storybook" "$OUT/storybook"

if ! newer "$OUT/ours/imagen_web_bg.wasm" src shaders Cargo.toml Cargo.lock; then
  say "Building imagen-web with the feature bench"
  wasm-pack --log-level warn build --target web --mode no-install --no-opt --no-pack --profile wasm \
    --out-dir "$OUT/ours" --out-name imagen_web -- --no-default-features --features bench --locked
fi

# burn is built against the crate's modules, but is rebuilt only where its own files change: it takes long.
if wants burn && ! newer "$OUT/burn/imagen_bench_burn_bg.wasm" benches/browser/burn; then
  target="$PWD/${CARGO_TARGET_DIR:-target}/burn"
  build_burn() {
    say "Building burn's GPU backend as $1 (about 15 minutes on two cores)"
    (cd benches/browser/burn && CARGO_TARGET_DIR="$target" cargo build --locked --release --target "$WASM_TARGET" "${@:2}")
    wasm-bindgen --target web --out-dir "$OUT/$1" "$target/$WASM_TARGET/release/imagen_bench_burn.wasm"
  }
  # Without fusion for the U-Nets, of which it makes NaN. Last comes what the check above looks at.
  build_burn burn-unfused --no-default-features
  build_burn burn
fi

if [ -z "${PYTHON:-}" ]; then
  PYTHON=.tools/bench-python/bin/python
  if ! newer .tools/bench-python/stamp benches/browser/export/requirements.txt; then
    say "Python packages for the export"
    python3 -m venv .tools/bench-python
    "$PYTHON" -m pip install --quiet --no-deps "torch==$TORCH"
    "$PYTHON" -m pip install --quiet -r benches/browser/export/requirements.txt
    touch .tools/bench-python/stamp
  fi
fi
"$PYTHON" benches/browser/export/export.py "$OUT/data" "$@"
