/* SPDX-License-Identifier: MIT
 *
 * From a command line to its command.
 */
#ifndef BITFADER_CLI_DISPATCH_H
#define BITFADER_CLI_DISPATCH_H

/* The whole of it: parse, find, check, run. Returns an exit status. */
int dispatch_main(int argc, char *const *argv);

#endif
