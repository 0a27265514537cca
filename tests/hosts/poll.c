/* poll.c: the conformance program on adapters/poll.h.
 * SPDX-License-Identifier: MIT
 *
 *     cc poll.c -pthread
 */
#include "../../adapters/poll.h"
#include "own_pipe.h"

int main(void)
{
    struct async_pollset host;
    struct pollfd fds[1 + 4];

    own_open();
    fds[0].fd = own.fds[0];
    fds[0].events = POLLIN;
    if (async_pollset_start(&host, fds + 1, 4, &loop) < 0)
        return 1;
    conformance_begin(1);
    do {
        while (conformance_lasts()) {
            int ms = async_pollset_before(&host);

            turns++;
            fds[0].revents = 0;
            (void)poll(fds, 1 + host.count, ms);
            if (fds[0].revents)
                own_read();
            async_pollset_after(&host);
        }
    } while (conformance_again());
    conformance_stops();
    async_pollset_stop(&host);
    return conformance_end("poll");
}
