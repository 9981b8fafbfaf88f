#!/usr/bin/env bash
# Prints what a visitor downloads: bytes of dist/ as they are and after brotli (kB are 1000 bytes).
set -euo pipefail
cd "$(dirname "$0")/.."

row() { # name, files on stdin
  local raw=0 packed=0 file
  while read -r file; do
    raw=$((raw + $(wc -c <"$file")))
    packed=$((packed + $(brotli -c -q 11 "$file" | wc -c)))
  done
  awk -v name="$1" -v raw="$raw" -v packed="$packed" 'BEGIN { printf "%-12s %8.1f kB  %8.1f kB brotli\n", name, raw / 1000, packed / 1000 }'
}

find dist -name '*.wasm' | row WASM
find dist -name '*.js' | row JavaScript
find dist \( -name '*.css' -o -name '*.html' \) | row "CSS, HTML"
if [ -d dist/models ]; then find dist/models -type f -exec cat {} + | wc -c | awk '{ printf "%-12s %8.1f MB\n", "model", $1 / 1e6 }'; fi
