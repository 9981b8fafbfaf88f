#!/usr/bin/env bash
# Teaches the model that ships a kind of thing that it never saw, from 20 pictures, and has a judge say how many of 50 pictures show it,
# and how well old captions are followed, before and after:
#
#     scripts/finetune.sh [OUT]
#
# Goes on where it was stopped. PROGRAM is the program, FINETUNE further settings of the run.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-out/finetune}
program=${PROGRAM:-target/debug/imagen}
mkdir -p "$out"

[ -d "$out/windmills" ] || "$program" dataset storybook "$out/windmills" --count 20 --novel windmill --seed 1 --contact-sheet "$out/windmills.png"
# What the model shall keep: captions that the judge does not draw.
[ -d "$out/others" ] || "$program" dataset storybook "$out/others" --count 48 --seed 2
sed -nE 's/.*"text":"([^"]*)".*/\1/p' "$out/others/metadata.jsonl" > "$out/prior.txt"

# shellcheck disable=SC2086
"$program" finetune --pictures "$out/windmills" --output "$out/run" --prior-prompts "$out/prior.txt" --prior-pictures 48 ${FINETUNE:-}

[ -e "$out/judge.safetensors" ] || "$program" evaluate train-judge --novel windmill -o "$out/judge.safetensors"
evaluate() { "$program" evaluate --device cpu --judge "$out/judge.safetensors" --prompts 50 --seed 3 "$@"; }
adapter="$out/run/adapter.safetensors"
for what in new old; do
    novel=(); [ $what = old ] || novel=(--novel windmill)
    echo "== $what captions, before"
    evaluate "${novel[@]}" -o "$out/$what-before"
    echo "== $what captions, after"
    evaluate "${novel[@]}" --lora "$adapter" -o "$out/$what-after"
done
