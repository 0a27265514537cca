/* libuv.c: the conformance program on adapters/libuv.h.
 * SPDX-License-Identifier: MIT
 *
 *     cc libuv.c -pthread -luv
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* what -std=c99 hides and uv.h needs */
#endif
#include "../../adapters/libuv.h"
#include "conformance.h"

static uv_loop_t uv;

static uv_timer_t timer;
static void (*later)(void);

static void on_later(uv_timer_t *it)
{
    (void)it;
    later();
}

static void host_later(void (*fn)(void))
{
    later = fn;
    uv_timer_start(&timer, on_later, 10, 0);
}

static void on_prepare(uv_prepare_t *it)
{
    (void)it;
    turns++;
}

int main(void)
{
    static struct async_uv host;
    uv_prepare_t prepare;

    if (uv_loop_init(&uv) < 0 || uv_timer_init(&uv, &timer) < 0 ||
        async_uv_start(&host, &uv, &loop) < 0)
        return 1;
    (void)uv_prepare_init(&uv, &prepare);
    (void)uv_prepare_start(&prepare, on_prepare);
    uv_unref((uv_handle_t *)&prepare); /* it keeps nothing going */
    conformance_begin(1);
    do
        (void)uv_run(&uv, UV_RUN_DEFAULT);
    while (conformance_again());
    conformance_stops();
    async_uv_stop(&host);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_close((uv_handle_t *)&prepare, NULL);
    (void)uv_run(&uv, UV_RUN_DEFAULT);
    return conformance_end("libuv") || uv_loop_close(&uv) < 0;
}
