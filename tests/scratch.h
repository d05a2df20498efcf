/* SPDX-License-Identifier: MIT
 *
 * A folder for the files of a test: a checked fixture of suites.
 */
#ifndef BITFADER_TESTS_SCRATCH_H
#define BITFADER_TESTS_SCRATCH_H

extern char scratch_dir[64];
void scratch_make(void);
void scratch_drop(void); /* with all that is in it */

#endif
