/* SPDX-License-Identifier: MIT
 *
 * What release this is: shown to users, and part of what makes a kept measurement another's.
 */
#ifndef BITFADER_BASE_VERSION_H
#define BITFADER_BASE_VERSION_H

#define BITFADER_VERSION "0.1.0"

#endif
