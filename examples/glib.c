/* glib.c: tasks on GLib's main loop; a source of GLib's cancels one.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. glib.c -o glib $(pkg-config --cflags --libs glib-2.0)
 *
 * prints
 *
 *     task: goes to sleep for an hour
 *     timeout: cancels it
 *     task: canceled
 */
#include <stdio.h>

#include "adapters/glib.h"

static struct async_loop loop;
static struct async_task task;

struct sleeper {
    struct async_frame async;
    GMainLoop *main_loop;
    int status;
};

static async sleeper(struct async_loop *loop, void *frame)
{
    struct sleeper *self = frame;

    async_begin(self);
    printf("task: goes to sleep for an hour\n");
    async_catch(self->status, async_sleep_ms(loop, 3600 * 1000));
    printf("task: %s\n", async_strerror(self->status));
    g_main_loop_quit(self->main_loop);
    async_end();
}

static gboolean on_timeout(gpointer data)
{
    (void)data;
    printf("timeout: cancels it\n");
    async_cancel(&loop, &task);
    return G_SOURCE_REMOVE;
}

int main(void)
{
    static struct async_glib host;
    static struct sleeper frame;

    frame.main_loop = g_main_loop_new(NULL, FALSE);
    if (async_glib_start(&host, NULL, &loop) < 0)
        return 1;
    async_spawn(&loop, &task, sleeper, &frame);
    g_timeout_add(100, on_timeout, NULL);

    g_main_loop_run(frame.main_loop);

    async_glib_stop(&host);
    g_main_loop_unref(frame.main_loop);
    return async_unjoined(&loop) < 0;
}
