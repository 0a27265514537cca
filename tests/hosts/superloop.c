/* superloop.c: the conformance program on a loop that only polls.
 * SPDX-License-Identifier: MIT
 *
 *     cc superloop.c -pthread
 */
#include "conformance.h"

static void (*later)(void);

static void host_later(void (*fn)(void))
{
    later = fn;
}

static void other_work(void)
{
    void (*fn)(void) = later;

    (void)usleep(100);
    later = NULL;
    if (fn)
        fn();
}

int main(void)
{
    conformance_begin(0);
    do {
        while (conformance_lasts()) {
            (void)async_poll(&loop, async_clock_now());
            other_work();
        }
    } while (conformance_again());
    conformance_stops();
    return conformance_end("superloop");
}
