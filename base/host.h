/* SPDX-License-Identifier: MIT
 *
 * The machine that this runs on, as its system describes it.
 */
#ifndef BITFADER_BASE_HOST_H
#define BITFADER_BASE_HOST_H

#include <stddef.h>
#include <stdint.h>

/* The processor's name; "" when the system does not say. */
void host_processor(char *out, size_t size);

/* Bytes of the data caches of levels 1 to 3; 0 where it is not known or there is none. */
void host_caches(int64_t bytes[3]);

#endif
