/* SPDX-License-Identifier: MIT
 *
 * "Did you mean": the one name that is like what was typed.
 */
#ifndef BITFADER_CLI_NEAREST_H
#define BITFADER_CLI_NEAREST_H

/* The only name that begins with what was given, or the nearest within two edits or a third of its length; NULL when
 * there is none. Names may hold NULL entries. */
const char *nearest_name(const char *given, const char *const *names, int n);

#endif
