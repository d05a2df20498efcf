/* SPDX-License-Identifier: MIT */
#include "bench/peer.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Weak: NULL where the Makefile left the file out. */
extern const struct peer onednn_peer __attribute__((weak));
extern const struct peer xnnpack_peer __attribute__((weak));

static bool restricted;

const struct peer *peer_onednn(void)
{
    return &onednn_peer;
}

const struct peer *peer_xnnpack(void)
{
    return &xnnpack_peer;
}

/* Linux gives a process the AMX registers only when it asks, and refuses while one of its threads has a signal stack
 * that could not hold them (Documentation/arch/x86/xstate.rst). ONNX Runtime has no setting for it; it asks, is
 * refused, and takes its VNNI kernels. */
void peer_restrict(bool vnni_only)
{
    static char small[8192];
    const stack_t stack = {.ss_sp = small, .ss_size = sizeof small};
    restricted = vnni_only;
    if (vnni_only)
        sigaltstack(&stack, NULL);
}

bool peer_restricted(void)
{
    return restricted;
}

bool peer_amx_allowed(void)
{
#if defined(__x86_64__)
    enum { GET_PERMITTED = 0x1022, TILE_DATA = 18 };
    unsigned long mask = 0;
    return syscall(SYS_arch_prctl, GET_PERMITTED, &mask) == 0 && (mask >> TILE_DATA & 1);
#else
    return false;
#endif
}
