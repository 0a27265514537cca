/* glib.h: tasks on a GMainContext: GTK's, GStreamer's, yours. Linux.
 * SPDX-License-Identifier: MIT
 *
 * A GSource drives the tasks beside your own. All that they wait for is behind
 * one descriptor, onefd.h's, which it watches.
 *
 *     async_glib_start(&host, NULL, &loop); // NULL: the default context
 *     g_main_loop_run(main_loop);
 *     async_glib_stop(&host);
 *
 * Start and stop, and what runs the context, are on one thread, the loop's. A
 * main loop ends when it is told to: by the last task, say. One that a task
 * runs drives no tasks.
 */
#ifndef ASYNC_ADAPTERS_GLIB_H
#define ASYNC_ADAPTERS_GLIB_H

#include "onefd.h"

#include <glib-unix.h> /* g_unix_fd_source_new */

/* Yours; async_glib_start fills it. */
struct async_glib {
    struct async_onefd onefd_;
    GSource *source_;
};

static inline gboolean async_glib_turn_(gint fd, GIOCondition found,
                                        gpointer host)
{
    (void)fd;
    (void)found;
    async_onefd_turn((struct async_onefd *)host);
    return G_SOURCE_CONTINUE;
}

/* Hosts `loop` on `context` until async_glib_stop. Returns 0, or a negated
 * errno: then nothing happened. */
static inline int async_glib_start(struct async_glib *host,
                                   GMainContext *context,
                                   struct async_loop *loop)
{
    int error = async_onefd_start(&host->onefd_, loop);

    if (error)
        return error;
    host->source_ = g_unix_fd_source_new(host->onefd_.fd, G_IO_IN);
    g_source_set_callback(host->source_, G_SOURCE_FUNC(async_glib_turn_), host,
                          NULL);
    (void)g_source_attach(host->source_, context);
    return 0;
}

/* Not from a task. Others may go on waking the loop. */
static inline void async_glib_stop(struct async_glib *host)
{
    g_source_destroy(host->source_);
    g_source_unref(host->source_);
    async_onefd_stop(&host->onefd_);
}

#endif /* ASYNC_ADAPTERS_GLIB_H */

/*
 * MIT License
 *
 * Copyright (c) 2026 async.h authors
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy
 * of this software and associated documentation files (the "Software"), to deal
 * in the Software without restriction, including without limitation the rights
 * to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
 * copies of the Software, and to permit persons to whom the Software is
 * furnished to do so, subject to the following conditions:
 *
 * The above copyright notice and this permission notice shall be included in
 * all copies or substantial portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
 * IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
 * FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
 * AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
 * LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
 * SOFTWARE.
 */
