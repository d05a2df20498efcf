#!/bin/sh
# SPDX-License-Identifier: MIT
# Unpacks Debian's packages for arm64, and what they depend on, into a folder to compile and run against. Nothing is
# installed: apt works with lists and a cache of its own inside of that folder, and knows no other architecture.
# usage: arm_root.sh FOLDER PACKAGE...
set -eu
root=$1
shift
done=$root/.packages
[ -f "$done" ] && [ "$(cat "$done")" = "$*" ] && exit 0
command -v apt-get >/dev/null || {
    echo "arm_root.sh: needs Debian's apt-get to fetch libraries for arm64" >&2
    exit 1
}
echo "unpacking Debian's arm64 libraries into $root"
rm -rf "$root"
mkdir -p "$root/apt/lists/partial" "$root/apt/archives/partial"
root=$(cd "$root" && pwd)
: >"$root/apt/status"
apt() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::lists="$root/apt/lists" \
        -o Dir::State::status="$root/apt/status" -o Dir::State::extended_states="$root/apt/extended" \
        -o Dir::Cache="$root/apt" -o Dir::Cache::archives="$root/apt/archives" -o Debug::NoLocking=1 \
        -o APT::Sandbox::User= -o APT::Install-Recommends=0 "$@"
}
apt update
apt install -y --download-only "$@" >/dev/null
for deb in "$root"/apt/archives/*.deb; do
    dpkg -x "$deb" "$root"
done
rm -rf "$root/apt"
# What installing would have done: of the variants of OpenBLAS, the one that is there.
lib=$root/usr/lib/aarch64-linux-gnu
ln -s openblas-pthread/libopenblas.so.0 "$lib/libopenblas.so.0"
ln -s ../openblas-pthread/pkgconfig/openblas.pc "$lib/pkgconfig/openblas.pc"
echo "$*" >"$root/.packages"
