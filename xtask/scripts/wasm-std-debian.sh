#!/usr/bin/env bash
# Gives a Debian machine the Rust target wasm32-unknown-unknown without rustup's download servers.
#
# Debian's package rustc-web is a current compiler, but ships no standard library for this target. Its
# sources are packaged, so the library is built from them once (about a minute on two cores) and the
# compiler is linked into rustup as the toolchain "rust-web". clippy comes along for linting.
# Needs root, rustup, apt and crates.io. Running it again does nothing.
set -euo pipefail

target=wasm32-unknown-unknown
toolchain=rust-web
# A fixed place: the path enters the crates' hashes, and another one would outdate every build folder.
work=/var/tmp/warren-wasm-std

has_library() {
  local folder
  folder=$(RUSTUP_TOOLCHAIN=$toolchain rustc --print target-libdir --target "$target" 2>/dev/null) || return 1
  [[ -e $folder/libstd.rlib ]] || compgen -G "$folder/libstd-*.rlib" >/dev/null
}

has_clippy() { RUSTUP_TOOLCHAIN=$toolchain cargo clippy --version >/dev/null 2>&1; }

install_packages() {
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"
}

build_library() {
  local version=$1
  rm -rf "$work"
  mkdir -p "$work"
  cp -r "/usr/src/rustc-$version/library" "$work/library"
  # Bootstrap mode, because the standard library uses unstable features; bitcode, because our release
  # profile optimises across crates.
  (
    cd "$work/library"
    env -u RUSTUP_TOOLCHAIN -u CARGO -u CARGO_TARGET_DIR -u RUSTC_WRAPPER \
      RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
      CARGO_PROFILE_RELEASE_DEBUG=0 \
      RUSTFLAGS="-Zforce-unstable-if-unmarked -Cembed-bitcode=yes" \
      /usr/bin/cargo build --release --locked --target-dir "$work/target" --target "$target" \
      --package sysroot --features "panic-unwind backtrace"
  )
  # Complete beside its final place, then moved: an interrupted run leaves no half a library.
  local final=/usr/lib/rustlib/$target/lib
  rm -rf "$final.new"
  mkdir -p "$final.new"
  cp "$work/target/$target/release/deps/"*.rlib "$final.new/"
  rm -f "$final.new"/libsysroot-*.rlib
  rm -rf "$final"
  mv "$final.new" "$final"
  rm -rf "$work"
}

link_linker() {
  local llvm=$1 host=$2
  mkdir -p "/usr/lib/rustlib/$host/bin"
  ln -sfn "/usr/lib/llvm-$llvm/bin/lld" "/usr/lib/rustlib/$host/bin/rust-lld"
}

if has_library && has_clippy; then
  echo "toolchain $toolchain already has $target"
  exit 0
fi

apt-get update
install_packages rustc-web cargo-web rust-web-src rust-web-clippy
version=$(/usr/bin/rustc --version | awk '{ print $2 }')
host=$(/usr/bin/rustc -vV | sed -n 's/^host: //p')
llvm=$(/usr/bin/rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
install_packages "lld-$llvm"

rustup toolchain link "$toolchain" /usr
if ! has_library; then
  build_library "$version"
fi
link_linker "$llvm" "$host"
has_library
has_clippy
echo "toolchain $toolchain now has $target"
