/* epoll.c: the conformance program on adapters/epoll.h.
 * SPDX-License-Identifier: MIT
 *
 *     cc epoll.c -pthread
 */
#include "../../adapters/epoll.h"
#include "conformance.h"

static void (*later)(void);
static pthread_t thread;

static void *interrupt_turn(void *arg)
{
    (void)usleep(PAUSE_US);
    async_wake(&loop);
    return arg;
}

static void host_later(void (*fn)(void))
{
    later = fn;
    if (pthread_create(&thread, NULL, interrupt_turn, NULL) != 0)
        abort();
}

int main(void)
{
    struct async_epoll host;

    if (async_epoll_start(&host, &loop) < 0)
        return 1;
    conformance_begin(1);
    do {
        while (conformance_lasts()) {
            void (*fn)(void);

            turns++;
            async_epoll_turn(&host);
            fn = later;
            later = NULL;
            if (fn) {
                (void)pthread_join(thread, NULL);
                fn();
            }
        }
    } while (conformance_again());
    conformance_stops();
    async_epoll_stop(&host);
    return conformance_end("epoll");
}
