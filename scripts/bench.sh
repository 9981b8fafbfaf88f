#!/usr/bin/env bash
# Times the command line and the page on this machine's CPU with the default model: wall-clock seconds from the start
# of the program (or the click) to the finished picture of each size, the median of RUNS runs (default 3).
set -euo pipefail
cd "$(dirname "$0")/.."
RUNS="${RUNS:-3}"
TARGET="${CARGO_TARGET_DIR:-target}"

cargo --locked build --quiet --bin imagen
mkdir -p out
echo "Command line, CPU ($(nproc) cores):"
stage=0
for size in 64 256 1024; do
  stage=$((stage + 1))
  for _ in $(seq "$RUNS"); do
    start=$(date +%s%N)
    "$TARGET/debug/imagen" generate -p "a red house on a hill at night" -s 7 --device cpu --stop-at-stage "$stage" \
      -o out/bench.png >/dev/null 2>&1
    echo $((($(date +%s%N) - start) / 1000000))
  done | sort -n | awk -v size="$size" '{ ms[NR] = $1 } END { printf "  %4d × %-4d %8.2f s\n", size, size, ms[int((NR + 1) / 2)] / 1000 }'
done

make --no-print-directory dist >/dev/null
echo "Page, CPU in WebAssembly:"
node_modules/.bin/playwright test -c tests/browser --grep @bench --reporter line
