#!/usr/bin/env bash
# Times imagen-web on this machine with the default model.
#
#   cpu      the command line and the page on the CPU: seconds from the start of the program (or the click) to the
#            finished picture of each size
#   ops, unet, t5, cascade, or names of rows
#            the GPU in headless Chromium, beside burn's GPU backend and onnxruntime-web (benches/browser)
#
# BENCH picks some of these, separated by commas (default: all); BENCH_PEERS picks the peers, `burn,ort` or one of them
# or none; RUNS is the number of runs, of which the median counts (default 3). Fails where ours falls short of a bar.
set -euo pipefail
cd "$(dirname "$0")/.."
export RUNS="${RUNS:-3}" BENCH="${BENCH:-}"
TARGET="${CARGO_TARGET_DIR:-target}"

on_cpu() {
  cargo --locked build --quiet --bin imagen
  mkdir -p out
  echo "Command line, CPU ($(nproc) cores):"
  local stage=0 size start
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
}

in_browser() {
  local names
  IFS=, read -ra names <<<"$BENCH"
  benches/browser/prepare.sh "${names[@]}"
  node_modules/.bin/playwright test -c benches/browser
}

case ",$BENCH," in
  ,,)
    on_cpu
    in_browser
    ;;
  ,cpu,) on_cpu ;;
  *,cpu,*)
    on_cpu
    in_browser
    ;;
  *) in_browser ;;
esac
