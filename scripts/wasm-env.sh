# Sourced: sets the environment in which cargo compiles for wasm32-unknown-unknown.
#
# Two ways lead there. The ordinary one is rustup's own target. Where it cannot be downloaded (only package registries
# are reachable), Debian's Rust builds the standard library from source. Sets WASM_TOOLCHAIN to `rustup` or `debian`,
# or to nothing when neither is there. WASM_TOOLCHAIN=debian in the environment asks for the second way.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
WASM_TARGET=wasm32-unknown-unknown
DEBIAN_STD=/usr/lib/rustlib/src/rust/library

if [ "${WASM_TOOLCHAIN:-rustup}" = rustup ] && rustup target list --installed 2>/dev/null | grep -qx "$WASM_TARGET"; then
  WASM_TOOLCHAIN=rustup
elif [ -x /usr/bin/cargo ] && [ -x /usr/bin/rustc ] && [ -d "$DEBIAN_STD" ]; then
  WASM_TOOLCHAIN=debian
  # rustup's toolchain ships the linker that Debian's does not bring along.
  linker="$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin"
  # Debian's cargo must win over rustup's proxy of the same name.
  export PATH="/usr/bin:$PATH:$linker"
  export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort
  unset linker
else
  WASM_TOOLCHAIN=
fi
export PATH="$ROOT/.tools/bin:$PATH"
