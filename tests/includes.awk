# SPDX-License-Identifier: MIT
# Reads the C files named as arguments and looks at who includes whom.
#   -v what=cycles  prints every module that takes part in a cycle of includes. A module is x.c with x.h. That a part of a
#                   module includes the module's own header, which includes the part, is no cycle.
#   -v what=folders prints a table: rows include columns, so many times.
function module(f) { sub(/\.[ch]$/, "", f); return f }
function folder(f) { sub(/\/.*/, "", f); return f }
/^#include "/ {
    split($0, q, "\"")
    if (module(q[2]) == module(FILENAME)) next
    count[folder(FILENAME), folder(q[2])]++
    if (FILENAME ~ /\.h$/) by_header[module(FILENAME), module(q[2])] = 1
    else by_source[module(FILENAME), module(q[2])] = 1
    edge[module(FILENAME), module(q[2])] = 1
    known[module(FILENAME)] = known[module(q[2])] = 1
}
function visit(m,   i, n, list, k) {
    state[m] = 1
    path[++depth] = m
    n = split(out[m], list, " ")
    for (i = 1; i <= n; i++) {
        if (state[list[i]] == 1) {
            for (k = depth; path[k] != list[i]; k--) printf "%s <- ", path[k]
            print list[i]
        } else if (!state[list[i]]) visit(list[i])
    }
    depth--
    state[m] = 2
}
END {
    if (what == "folders") {
        while ((getline line < "tests/layers.txt") > 0)
            if (line ~ /^[a-z]+:/ && line !~ /^beside/) {
                sub(/:.*/, "", line)
                f[++n] = line
            }
        printf "%-9s", ""
        for (j = 1; j <= n; j++) printf "%9s", f[j]
        print ""
        for (i = 1; i <= n; i++) {
            printf "%-9s", f[i]
            for (j = 1; j <= n; j++) printf "%9s", (f[i], f[j]) in count ? count[f[i], f[j]] : "-"
            print ""
        }
        exit
    }
    for (e in edge) {
        split(e, p, SUBSEP)
        if ((p[1], p[2]) in by_header && !((p[1], p[2]) in by_source) && (p[2], p[1]) in by_source) continue
        out[p[1]] = out[p[1]] " " p[2]
    }
    for (m in known) if (!state[m]) visit(m)
}
