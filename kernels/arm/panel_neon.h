/* SPDX-License-Identifier: MIT
 *
 * What NEON does around the micro-kernels. Private to kernels/.
 */
#ifndef BITFADER_KERNELS_ARM_PANEL_NEON_H
#define BITFADER_KERNELS_ARM_PANEL_NEON_H

#include "kernels/panel.h"

/* panel_run with NEON. */
void panel_run_neon(const struct panel_kernel *k, const struct conv_geom *g, const struct conv_call *call);

#endif
