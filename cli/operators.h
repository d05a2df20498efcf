/* SPDX-License-Identifier: MIT
 *
 * The list of ONNX operators that can be imported and how each runs: made from the tables that decide it, so that it
 * cannot say anything else. docs/operators.md is this text.
 */
#ifndef BITFADER_CLI_OPERATORS_H
#define BITFADER_CLI_OPERATORS_H

int operators_put(void); /* an exit status */

#endif
