#!/bin/sh
# SPDX-License-Identifier: MIT
# Holds what the compiler does not: layers, cycles, fences, headers that stand alone, exported names, format; then builds with
# the warnings of gcc and of clang as errors. Prints each finding as FILE: what, and fails when there is one.
set -u
cd "$(dirname "$0")/.." || exit 1
status=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
found() {
    printf '%s\n' "$1"
    status=1
}

# tests/layers.txt: "folder: may use", from the ground up
layer() { sed -n "s/^$1://p" tests/layers.txt; }
folders=$(sed -n 's/^\([a-z_]*\):.*/\1/p' tests/layers.txt | grep -vx beside | tr '\n' ' ')
[ -n "$folders" ] || found "tests/layers.txt: names no folder"

# --- layers: a folder includes only itself and those it may use, which stand above it --------------------------------
above=
for dir in $folders; do
    [ -d "$dir" ] || printf 'tests/layers.txt: there is no folder %s\n' "$dir"
    for used in $(layer "$dir"); do
        case " $above " in *" $used "*) ;; *) printf 'tests/layers.txt: %s: %s does not stand above it\n' "$dir" "$used" ;; esac
    done
    above="$above $dir"
    ok=" $dir $(layer "$dir") "
    find "$dir" -name '*.[ch]' -exec grep -n '^#include "' {} + | while IFS= read -r line; do
        target=$(printf '%s' "$line" | sed 's/.*#include "\([^/"]*\).*/\1/')
        case $ok in *" $target "*) ;; *) printf '%s: %s must not include %s\n' "${line%%:*}" "$dir" "$target" ;; esac
    done
    grep -q "^| \`$dir/\` |" ARCHITECTURE.md || printf 'ARCHITECTURE.md: its table of layers lacks %s/\n' "$dir"
done >"$tmp/layers"
[ -s "$tmp/layers" ] && found "$(cat "$tmp/layers")"

# --- C files are in folders that tests/layers.txt knows ---------------------------------------------------------------
known=" $folders $(layer beside) "
for f in $(git ls-files --cached --others --exclude-standard '*.c' '*.h'); do
    case $known in *" ${f%%/*} "*) ;; *) found "$f: tests/layers.txt does not list its folder" ;; esac
done

# --- no cycles: what a module includes does not come back to it ------------------------------------------------------
# shellcheck disable=SC2046
awk -v what=cycles -f tests/includes.awk $(find $folders -name '*.[ch]') >"$tmp/cycles"
[ -s "$tmp/cycles" ] && found "a cycle of includes: $(cat "$tmp/cycles")"

# --- fences -----------------------------------------------------------------------------------------------------------
fence() { # pattern, what, files it may be in (extended regex)
    hits=$(grep -rlE --include='*.[ch]' "$1" $folders | grep -vE "$3")
    [ -z "$hits" ] || for f in $hits; do found "$f: $2"; done
}
fence '#include <(n?curses|ncursesw/|term\.h)' 'curses only in ui/' '^ui/'
fence '#include <yaml\.h>' '<yaml.h> only in base/yaml_doc.c' '^base/yaml_doc\.c$'
fence '#include <(immintrin|x86intrin|arm_neon|simde)' 'intrinsics only in kernels/x86/ and kernels/arm/' '^kernels/(x86|arm)/'
fence '#include <(pthread|threads|omp)\.h>' 'threads only in base/' '^base/(parallel\.c|team\.c|thread\.h)$'
fence '(^|[^_a-zA-Z])(printf|puts|putchar|exit)\(' 'printf and exit only in cli/ and ui/' '^(cli|ui)/'

# --- headers stand alone ----------------------------------------------------------------------------------------------
make -s B=build-lint build-lint/model/onnx.pb-c.h || status=1
flags="-std=c11 -D_GNU_SOURCE -I. -Ibuild-lint $(pkg-config --cflags ncursesw yaml-0.1 libprotobuf-c zlib libcjson openblas libxxhash check)"
for h in $(find $folders tests -name '*.h' | sort); do
    isa=
    case $h in *avx2*) isa=-mavx2 ;; *avx512*) isa="-mavx512f -mavx512bw -mavx512vl -mavx512vnni" ;; esac
    case $h in kernels/x86/*) [ "$(uname -m)" = x86_64 ] || continue ;; esac
    case $h in kernels/arm/*) [ "$(uname -m)" = aarch64 ] || continue ;; esac
    case $h in *_template.h) continue ;; esac # whose includers define its types
    # shellcheck disable=SC2086
    guard=BITFADER_$(printf '%s' "$h" | tr 'a-z/.' 'A-Z__')
    grep -q "^#ifndef $guard\$" "$h" || found "$h: its guard is not $guard"
    printf '#include "%s"\nint lint_unused;\n' "$h" | ${CC:-gcc} $flags $isa -Wall -Werror -fsyntax-only -x c - 2>/dev/null ||
        found "$h: does not compile on its own"
done

# --- warnings of both compilers, as errors ----------------------------------------------------------------------------
for cc in gcc clang; do
    command -v $cc >/dev/null || {
        found "lint: $cc is not installed"
        continue
    }
    make -s -j2 CC=$cc WERROR=1 B=build-lint-$cc build-lint-$cc/bitfader build-lint-$cc/check_all build-lint-$cc/bench_all >/dev/null ||
        found "lint: warnings with $cc"
done

# --- exported names: declared in a header of their folder -------------------------------------------------------------
for dir in $folders; do
    for c in $(find $dir -name '*.c'); do
        o=build-lint-gcc/${c%.c}.o # not of another architecture, nor left over
        [ -f "$o" ] && [ "$c" != cli/main.c ] || continue
        for name in $(nm -g --defined-only "$o" | awk '$2 ~ /[TDRB]/ {print $3}'); do
            grep -qE "(^|[^a-zA-Z0-9_])$name([^a-zA-Z0-9_]|\$)" $(find $dir -name '*.h') ||
                found "$o: $name is exported but no header of $dir/ declares it"
        done
    done
done

# --- format -----------------------------------------------------------------------------------------------------------
# shellcheck disable=SC2046
clang-format --dry-run -Werror $(git ls-files '*.c' '*.h') 2>"$tmp/format" ||
    found "$(grep -o '^[^:]*:[0-9]*' "$tmp/format" | cut -d: -f1 | sort -u | sed 's/$/: not formatted (clang-format -i)/')"

[ $status -eq 0 ] && echo "lint: clean"
exit $status
