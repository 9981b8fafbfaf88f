#!/usr/bin/env bash
# Compiles the crate for the browser into www/pkg: wasm-pack, then binaryen's wasm-opt.
set -euo pipefail
source "$(dirname "$0")/wasm-env.sh"
cd "$ROOT"
[ -n "$WASM_TOOLCHAIN" ] || { echo "wasm: no wasm32 toolchain; run 'make setup'" >&2; exit 1; }

wasm-pack --log-level warn build --target web --mode no-install --no-opt --no-pack --profile wasm \
  --out-dir www/pkg --out-name imagen_web -- --no-default-features --locked
rm -f www/pkg/.gitignore

node_modules/.bin/wasm-opt -O3 --enable-simd --enable-bulk-memory --enable-nontrapping-float-to-int \
  --enable-sign-ext --enable-mutable-globals --enable-reference-types --enable-multivalue \
  www/pkg/imagen_web_bg.wasm -o www/pkg/imagen_web_bg.wasm
