/* SPDX-License-Identifier: MIT */
#include "tests/scratch.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char scratch_dir[64];

void scratch_make(void)
{
    strcpy(scratch_dir, "/tmp/bitfader-check.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(scratch_dir));
}

void scratch_drop(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", scratch_dir);
    ck_assert_int_eq(system(command), 0);
}
