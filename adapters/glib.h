/* glib.h: tasks on a GMainContext: GTK's, GStreamer's, yours.
 * SPDX-License-Identifier: MIT
 *
 * A GSource drives the tasks beside your own. Its ready time is the deadline;
 * what wakes is a flag of its own beside that, and g_main_context_wakeup. A
 * descriptor that is waited for is a source too. POSIX.
 *
 *     async_glib_start(&host, NULL, &loop); // NULL: the default context
 *     g_main_loop_run(main_loop);
 *     async_glib_stop(&host);
 *
 * Start and stop, and what runs the context, are on one thread, the loop's. A
 * main loop ends when it is told to: by the last task, say.
 */
#ifndef ASYNC_ADAPTERS_GLIB_H
#define ASYNC_ADAPTERS_GLIB_H

#include "../async_loop.h"

#include <glib-unix.h> /* g_unix_fd_source_new */
#include <glib.h>
#include <limits.h> /* INT_MAX */
#include <string.h> /* memset */

/* Yours; async_glib_start fills it. */
struct async_glib {
    struct async_host host_;
    struct async_loop *loop_;
    GMainContext *context_;
    GSourceFuncs calls_;
    GSource *source_;
    GHashTable *fds_; /* number to GSource */
    gint woken_;
};

struct async_glib_source_ {
    GSource source;
    struct async_glib *host;
};

static inline void async_glib_notify_(void *arg)
{
    struct async_glib *host = (struct async_glib *)arg;

    g_atomic_int_set(&host->woken_, 1);
    g_main_context_wakeup(host->context_);
}

static inline gboolean async_glib_check_(GSource *source)
{
    return g_atomic_int_get(
        &((struct async_glib_source_ *)(void *)source)->host->woken_);
}

static inline gboolean async_glib_prepare_(GSource *source, gint *timeout)
{
    *timeout = -1;
    return async_glib_check_(source);
}

static inline gboolean async_glib_turn_(GSource *source, GSourceFunc fn,
                                        gpointer data)
{
    struct async_glib *host =
        ((struct async_glib_source_ *)(void *)source)->host;
    uint64_t now = (uint64_t)g_get_monotonic_time(), ticks;

    (void)fn;
    (void)data;
    g_atomic_int_set(&host->woken_, 0);
    ticks = async_poll(host->loop_,
                       (async_time)(now * ASYNC_TICK_HZ / G_USEC_PER_SEC));
    if (ticks != ASYNC_FOREVER) /* INT_MAX ticks: too soon is not wrong */
        now += (MIN(ticks, INT_MAX) * G_USEC_PER_SEC + ASYNC_TICK_HZ - 1) /
               ASYNC_TICK_HZ;
    g_source_set_ready_time(source, ticks == ASYNC_FOREVER ? -1 : (gint64)now);
    return G_SOURCE_CONTINUE;
}

static inline gboolean async_glib_ready_(gint fd, GIOCondition found,
                                         gpointer host)
{
    async_ready(((struct async_glib *)host)->loop_, fd,
                ((int)found & ~G_IO_OUT ? ASYNC_READABLE : 0) |
                    ((int)found & ~G_IO_IN ? ASYNC_WRITABLE : 0));
    return G_SOURCE_CONTINUE;
}

static inline void async_glib_drop_(gpointer source)
{
    g_source_destroy((GSource *)source);
    g_source_unref((GSource *)source);
}

static inline int async_glib_watch_(void *arg, int fd, int events)
{
    struct async_glib *host = (struct async_glib *)arg;
    int wanted = (events & ASYNC_READABLE ? G_IO_IN : 0) |
                 (events & ASYNC_WRITABLE ? G_IO_OUT : 0);
    GSource *source;

    (void)g_hash_table_remove(host->fds_, GINT_TO_POINTER(fd));
    if (events) {
        source = g_unix_fd_source_new(fd, (GIOCondition)wanted);
        g_source_set_callback(source, G_SOURCE_FUNC(async_glib_ready_), host,
                              NULL);
        (void)g_source_attach(source, host->context_);
        (void)g_hash_table_insert(host->fds_, GINT_TO_POINTER(fd), source);
    }
    return 0;
}

/* Hosts `loop` on `context` until async_glib_stop. */
static inline void async_glib_start(struct async_glib *host,
                                    GMainContext *context,
                                    struct async_loop *loop)
{
    memset(host, 0, sizeof *host);
    host->calls_.prepare = async_glib_prepare_;
    host->calls_.check = async_glib_check_;
    host->calls_.dispatch = async_glib_turn_;
    host->fds_ = g_hash_table_new_full(NULL, NULL, NULL, async_glib_drop_);
    host->context_ = context;
    host->source_ =
        g_source_new(&host->calls_, sizeof(struct async_glib_source_));
    ((struct async_glib_source_ *)(void *)host->source_)->host = host;
    (void)g_source_attach(host->source_, context);
    host->loop_ = loop;
    host->host_.notify = async_glib_notify_;
    host->host_.watch = async_glib_watch_;
    host->host_.arg = host;
    async_attach(loop, &host->host_);
}

/* Not from a task. Others may go on waking the loop. */
static inline void async_glib_stop(struct async_glib *host)
{
    async_attach(host->loop_, NULL);
    async_glib_drop_(host->source_);
    g_hash_table_destroy(host->fds_);
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
