/* libevent.c: the conformance program on adapters/libevent.h.
 * SPDX-License-Identifier: MIT
 *
 *     cc libevent.c -pthread -levent_core
 */
#include "../../adapters/libevent.h"
#include "conformance.h"

static struct event_base *base;
static void (*later)(void);

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    later();
}

static void host_later(void (*fn)(void))
{
    struct timeval time = {0, PAUSE_US};

    later = fn;
    (void)event_base_once(base, -1, EV_TIMEOUT, on_timer, NULL, &time);
}

int main(void)
{
    struct async_libevent host;

    base = event_base_new();
    if (!base || async_libevent_start(&host, base, &loop) < 0)
        return 1;
    conformance_begin(1);
    do {
        while (event_base_loop(base, EVLOOP_ONCE) == 0)
            turns++;
    } while (conformance_again());
    conformance_stops();
    async_libevent_stop(&host);
    if (event_base_loop(base, EVLOOP_ONCE) != 1) /* nothing is left */
        return 1;
    event_base_free(base);
    return conformance_end("libevent");
}
