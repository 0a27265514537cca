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

static void on_prepare(struct ev_loop *on, ev_prepare *it, int events)
{
    (void)on;
    (void)it;
    (void)events;
    turns++;
}

int main(void)
{
    struct async_ev host;
    ev_prepare prepare;

    ev = ev_loop_new(EVFLAG_AUTO);
    if (!ev || async_ev_start(&host, ev, &loop) < 0)
        return 1;
    ev_prepare_init(&prepare, on_prepare);
    ev_prepare_start(ev, &prepare);
    ev_unref(ev); /* it keeps nothing going */
    conformance_begin(1);
    do
        (void)ev_run(ev, 0);
    while (conformance_again());
    conformance_stops();
    async_ev_stop(&host);
    (void)ev_run(ev, 0); /* nothing of ours keeps it going */
    ev_loop_destroy(ev);
    return conformance_end("libev");
}
