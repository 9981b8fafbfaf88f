#!/usr/bin/env bash
# Serves dist/ and has Lighthouse judge it in the local Chromium: performance at least 95, accessibility and best practices 100.
set -euo pipefail
cd "$(dirname "$0")/.."

# The last version that runs on Node 20.
VERSION=12.8.2
PORT="${PAGE_PORT:-4174}"
REPORT=out/lighthouse

mkdir -p out
node scripts/static-host.mjs "$PORT" &
server=$!
trap 'kill "$server"' EXIT
until curl -sf "http://localhost:$PORT/" >/dev/null; do sleep 0.2; done

CHROME_PATH="${CHROMIUM:-/usr/bin/chromium}" npx --yes "lighthouse@$VERSION" "http://localhost:$PORT/" \
  --only-categories=performance,accessibility,best-practices --quiet --output=json --output=html --output-path="$REPORT" \
  --chrome-flags="--headless=new --no-sandbox"
node - "$REPORT.report.json" <<'JS'
const { categories, audits } = JSON.parse(require("node:fs").readFileSync(process.argv[2]));
const least = { performance: 95, accessibility: 100, "best-practices": 100 };
let failed = false;
for (const [id, { title, score, auditRefs }] of Object.entries(categories)) {
  console.log(`${title}: ${Math.round(score * 100)}`);
  if (score * 100 >= least[id] - 0.5) continue;
  failed = true;
  for (const { id: audit, weight } of auditRefs) {
    const { score, title, displayValue = "" } = audits[audit];
    if (weight > 0 && score !== null && score < 1) console.log(`  ${audit}: ${title} ${displayValue}`);
  }
}
process.exit(failed ? 1 : 0);
JS
