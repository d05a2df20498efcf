/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "cli/dispatch.h"

/* A standard descriptor that is closed would be given to the next file that is opened, and output would land in it. It
 * is held by a file that cannot be used instead: reading from it or writing to it then fails, and is reported. */
static bool hold_descriptors(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) < 0)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    if (!hold_descriptors())
        return 1;
    signal(SIGPIPE, SIG_DFL); /* a reader that left ends the program quietly, also when the parent ignored it */
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of write(2), and nothing half written stays */
    setlocale(LC_ALL, "");
    setlocale(LC_NUMERIC, "C"); /* a decimal comma must not reach YAML, JSON, CSV or strtod */
    return dispatch_main(argc, argv);
}
