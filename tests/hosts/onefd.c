/* onefd.c: the conformance program on adapters/onefd.h, in a poll(2).
 * SPDX-License-Identifier: MIT
 *
 *     cc onefd.c -pthread
 */
#include "../../adapters/onefd.h"
#include "own_pipe.h"

int main(void)
{
    struct async_onefd host;
    struct pollfd fds[2];

    own_open();
    if (async_onefd_start(&host, &loop) < 0)
        return 1;
    fds[0].fd = own.fds[0];
    fds[1].fd = host.fd;
    fds[0].events = fds[1].events = POLLIN;
    conformance_begin(1);
    do {
        while (conformance_lasts()) {
            turns++;
            if (poll(fds, 2, -1) < 0)
                return 1;
            if (fds[0].revents)
                own_read();
            if (fds[1].revents)
                async_onefd_turn(&host);
        }
    } while (conformance_again());
    conformance_stops();
    async_onefd_stop(&host);
    return conformance_end("onefd");
}
