/* SPDX-License-Identifier: MIT
 *
 * Time that only goes forward.
 */
#ifndef BITFADER_BASE_CLOCK_H
#define BITFADER_BASE_CLOCK_H

#include <stdint.h>

int64_t clock_ns(void);        /* nanoseconds since some start */
int64_t clock_thread_ns(void); /* that this thread was on a processor */

#endif
