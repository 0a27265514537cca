/* glib.c: the conformance program on adapters/glib.h.
 * SPDX-License-Identifier: MIT
 *
 *     cc glib.c -pthread $(pkg-config --cflags --libs glib-2.0)
 */
#include "../../adapters/glib.h"
#include "conformance.h"

static gboolean on_timer(gpointer fn)
{
    (*(void (**)(void))fn)();
    return G_SOURCE_REMOVE;
}

static void host_later(void (*fn)(void))
{
    static void (*later)(void);

    later = fn;
    (void)g_timeout_add(10, on_timer, &later);
}

int main(void)
{
    struct async_glib host;

    if (async_glib_start(&host, NULL, &loop) < 0)
        return 1;
    conformance_begin(1);
    do {
        while (conformance_lasts()) {
            turns++;
            (void)g_main_context_iteration(NULL, TRUE);
        }
    } while (conformance_again());
    conformance_stops();
    async_glib_stop(&host);
    if (g_main_context_pending(NULL)) /* nothing is left */
        return 1;
    return conformance_end("glib");
}
