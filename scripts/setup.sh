#!/usr/bin/env bash
# Gets everything that building and testing need, without a question, and does nothing where it is already there.
#
# Expects rustup's stable toolchain and Node 20.19 or newer. System packages come from apt (as root, or with sudo) and
# only if they are missing; everything else stays in this checkout: .tools, node_modules, target.
set -euo pipefail
source "$(dirname "$0")/wasm-env.sh"
cd "$ROOT"

WASM_PACK_VERSION=0.15.1
# wasm-bindgen's command line must be exactly the version of the library.
WASM_BINDGEN_VERSION="$(sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"$/\1/p}' Cargo.lock)"

say() { printf '\033[1m%s\033[0m\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

have cargo || die "cargo is missing: install Rust's stable toolchain from https://rustup.rs"
have node || die "node is missing: install Node 20.19 or newer"
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
  die "Node $(node --version) is too old: 20.19 or newer is needed"

# --- system packages -------------------------------------------------------------------------------------------------
apt_updated=
apt_install() {
  have apt-get || die "missing: $*. There is no apt here; install the same with your system's package manager."
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    have sudo || die "missing: $*. Run as root once, or install sudo."
    root=(sudo)
  fi
  if [ -z "$apt_updated" ]; then
    "${root[@]}" apt-get update -qq
    apt_updated=yes
  fi
  say "apt: $*"
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

missing=()
have cc || missing+=(build-essential)
have pkg-config || missing+=(pkg-config)
have brotli || missing+=(brotli)
if [ "$(uname -s)" = Linux ]; then
  have chromium || missing+=(chromium)
  # Glyphs for the page in Chinese, as a visitor's system has them: 2 MB.
  [ -n "$(fc-list :lang=zh-cn 2>/dev/null)" ] || missing+=(fonts-wqy-microhei)
  # A Vulkan driver in software (lavapipe): the kernels' tests need no GPU.
  [ -n "$(scripts/lavapipe.sh)" ] || missing+=(mesa-vulkan-drivers)
  ldconfig -p 2>/dev/null | grep -q libvulkan.so.1 || missing+=(libvulkan1)
fi
if [ "${#missing[@]}" -gt 0 ]; then apt_install "${missing[@]}"; fi

# --- the wasm32 target -----------------------------------------------------------------------------------------------
if have rustup && [ -z "$WASM_TOOLCHAIN" ]; then
  say "Adding the target $WASM_TARGET"
  # Without a route to rustup's server the download hangs; the other way needs none.
  timeout 90 rustup target add "$WASM_TARGET" >/dev/null 2>&1 || true
  source scripts/wasm-env.sh
fi
if [ -z "$WASM_TOOLCHAIN" ]; then
  say "The target cannot be downloaded: Debian's Rust will build the standard library"
  apt_install rustc-web cargo-web rust-web-src
  source scripts/wasm-env.sh
fi
[ -n "$WASM_TOOLCHAIN" ] || die "no way to compile for $WASM_TARGET was found"
if [ "$WASM_TOOLCHAIN" = debian ]; then
  # wasm-pack looks for the target's folder in the sysroot before it calls cargo.
  folder="$(/usr/bin/rustc --print sysroot)/lib/rustlib/$WASM_TARGET/lib"
  [ -d "$folder" ] || mkdir -p "$folder" 2>/dev/null || sudo mkdir -p "$folder"
fi

# --- wasm-pack and wasm-bindgen --------------------------------------------------------------------------------------
# Built by the ordinary toolchain, not by the one for wasm32. Not optimised hard: they run for seconds.
cargo_tool() { # name version binary
  if [ "$(".tools/bin/$3" --version 2>/dev/null | awk '{print $2}')" = "$2" ]; then return; fi
  say "Building $1 $2"
  # A registry's mirror may lack the very newest patch release that a lock file names: then the next best will do.
  cargo_install "$1" --version "$2" --locked 2>/dev/null || cargo_install "$1" --version "$2"
}
cargo_install() {
  env -u RUSTC -u RUSTC_BOOTSTRAP -u CARGO_UNSTABLE_BUILD_STD -u CARGO_TARGET_DIR \
    PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH" \
    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    cargo install "$@" --quiet --root .tools --target-dir target/tools
}
cargo_tool wasm-bindgen-cli "$WASM_BINDGEN_VERSION" wasm-bindgen
cargo_tool wasm-pack "$WASM_PACK_VERSION" wasm-pack

# --- the page's packages ---------------------------------------------------------------------------------------------
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say "npm: the page's build and test tools"
  # Browsers are the system's own: the test runner must not download one.
  PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error
fi
if [ ! -e docs/site/node_modules/.package-lock.json ] || [ docs/site/package-lock.json -nt docs/site/node_modules/.package-lock.json ]; then
  say "npm: the documentation's tools"
  npm ci --prefix docs/site --no-audit --no-fund --loglevel=error
fi

mkdir -p .tools
date -u +%FT%TZ >.tools/setup.stamp
say "Ready (wasm32 by $WASM_TOOLCHAIN)"
