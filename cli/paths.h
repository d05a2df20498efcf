/* SPDX-License-Identifier: MIT
 *
 * Where Bitfader's own data files are found.
 */
#ifndef BITFADER_CLI_PATHS_H
#define BITFADER_CLI_PATHS_H

/* Directories, colon-separated, that hold configs/datasets/NAME.yaml: $BITFADER_CONFIG_PATH when set; else the folder
 * above the one the program is in (a build tree), share/bitfader there (installed), and the current directory. The
 * caller frees with mem_free. */
char *paths_config(void);

/* The file's name without its folder and the ending ".onnx"; the caller frees with mem_free. */
char *paths_stem(const char *file);

#endif
