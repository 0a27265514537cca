/* libev.c: the conformance program on adapters/libev.h.
 * SPDX-License-Identifier: MIT
 *
 *     cc libev.c -pthread -lev
 */
#include "../../adapters/libev.h"
#include "conformance.h"

static struct ev_loop *ev;
static ev_timer timer;
static void (*later)(void);

static void on_timer(struct ev_loop *on, ev_timer *it, int events)
{
    (void)on;
    (void)it;
    (void)events;
    later();
}

static void host_later(void (*fn)(void))
{
    later = fn;
    ev_timer_init(&timer, on_timer, .01, 0.);
    ev_timer_start(ev, &timer);
}

int main(void)
{
    struct async_ev host;

    ev = ev_loop_new(EVFLAG_AUTO);
    if (!ev)
        return 1;
    async_ev_start(&host, ev, &loop);
    conformance_begin(1);
    (void)ev_run(ev, 0);
    conformance_stops();
    async_ev_stop(&host);
    ev_loop_destroy(ev);
    return conformance_end("libev");
}
