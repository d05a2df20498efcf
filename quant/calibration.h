/* SPDX-License-Identifier: MIT
 *
 * What calibration learned of a model: a histogram of each tensor's values over some images.
 */
#ifndef BITFADER_QUANT_CALIBRATION_H
#define BITFADER_QUANT_CALIBRATION_H

#include "quant/histogram.h"

struct calibration {
    struct histogram **tensors; /* [n_tensors] of the graph; NULL where it was not observed */
    int n_tensors;
    int images;
};
void calibration_free(struct calibration *c);

#endif
