/* SPDX-License-Identifier: MIT
 *
 * Pictures: PNG and JPEG files decoded to bytes, and brought to a size. Bytes are [h][w][c] with red first; nothing
 * here knows of datasets. Sizes are checked in the header, before anything is allocated.
 */
#ifndef BITFADER_DATA_IMAGE_H
#define BITFADER_DATA_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct image { /* zero-initialise */
    int h, w, c;
    uint8_t *data; /* of mem_new */
};
void image_done(struct image *m);

enum { IMAGE_PIXELS_MAX = 1 << 26 }; /* of a picture in a file */

/* A file's bytes, PNG or JPEG by how they begin, to 1 channel (grey) or 3. Grey of colours is ITU-R 601 luma
 * (299 R + 587 G + 114 B) / 1000, in the fixed point that Pillow uses. Alpha is dropped, palettes are looked up, 16
 * bits become 8; gamma and colour profiles are not applied, orientation in EXIF is not either. A damaged or truncated
 * file, one of more than IMAGE_PIXELS_MAX pixels and a CMYK JPEG are refused; the message begins with name. */
int image_decode(const char *name, const void *bytes, size_t n, int channels, struct image *out, struct err *e);

/* Two passes (columns, then rows) of a triangle filter whose support grows with the reduction: antialiased bilinear,
 * bit for bit as Pillow does it (Pillow 9, src/libImaging/Resample.c, BILINEAR) and so torchvision's Resize on
 * pictures. */
void image_resize(const struct image *in, int h, int w, struct image *out);

/* h rows of w pixels from (y, x) on, which lie in the image, into out[h][w][c]. */
void image_crop(const struct image *in, int y, int x, int h, int w, uint8_t *out);

#endif
