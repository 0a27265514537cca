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

struct async_glib_source_ { /* GLib's, zeroed by it */
    GSource source;
    struct async_host host;
    struct async_loop *loop;
    GMainContext *context;
    GHashTable *fds; /* number to GSource */
    gint woken;
};

/* Yours; async_glib_start fills it. */
struct async_glib {
    GSourceFuncs calls_;
    struct async_glib_source_ *source_;
};

static inline void async_glib_notify_(void *arg)
{
    struct async_glib_source_ *it = (struct async_glib_source_ *)arg;

    g_atomic_int_set(&it->woken, 1);
    g_main_context_wakeup(it->context); /* a handler may call it */
}

static inline gboolean async_glib_woken_(GSource *source, gint *timeout)
{
    (void)timeout; /* -1 */
    return g_atomic_int_get(
        &((struct async_glib_source_ *)(void *)source)->woken);
}

static inline gboolean async_glib_turn_(GSource *source, GSourceFunc fn,
                                        gpointer data)
{
    struct async_glib_source_ *it = (struct async_glib_source_ *)(void *)source;
    int ms;

    (void)fn;
    (void)data;
    g_atomic_int_set(&it->woken, 0);
    ms = async_poll_ms(it->loop);
    g_source_set_ready_time(
        source, ms < 0 ? -1 : g_get_monotonic_time() + (gint64)1000 * ms);
    return G_SOURCE_CONTINUE;
}

/* The turn comes with the source's own call: a main loop that a task runs must
 * find it busy. */
static inline gboolean async_glib_ready_(gint fd, GIOCondition found,
                                         gpointer source)
{
    struct async_glib_source_ *it = (struct async_glib_source_ *)source;

    async_ready(it->loop, fd,
                ((int)found & ~G_IO_OUT ? ASYNC_READABLE : 0) |
                    ((int)found & ~G_IO_IN ? ASYNC_WRITABLE : 0));
    g_atomic_int_set(&it->woken, 1);
    return G_SOURCE_CONTINUE;
}

static inline void async_glib_drop_(gpointer source)
{
    g_source_destroy((GSource *)source);
    g_source_unref((GSource *)source);
}

static inline int async_glib_watch_(void *arg, int fd, int events)
{
    struct async_glib_source_ *it = (struct async_glib_source_ *)arg;
    int wanted = (events & ASYNC_READABLE ? G_IO_IN : 0) |
                 (events & ASYNC_WRITABLE ? G_IO_OUT : 0);
    GSource *source;

    (void)g_hash_table_remove(it->fds, GINT_TO_POINTER(fd));
    if (events) {
        source = g_unix_fd_source_new(fd, (GIOCondition)wanted);
        g_source_set_callback(source, G_SOURCE_FUNC(async_glib_ready_), it,
                              NULL);
        (void)g_source_attach(source, it->context);
        (void)g_hash_table_insert(it->fds, GINT_TO_POINTER(fd), source);
    }
    return 0;
}

/* Hosts `loop` on `context` until async_glib_stop. */
static inline void async_glib_start(struct async_glib *host,
                                    GMainContext *context,
                                    struct async_loop *loop)
{
    const GSourceFuncs calls = {
        async_glib_woken_, NULL, async_glib_turn_, NULL, NULL, NULL};
    struct async_glib_source_ *it;

    host->calls_ = calls;
    it = (struct async_glib_source_ *)(void *)g_source_new(&host->calls_,
                                                           sizeof *it);
    it->host.notify = async_glib_notify_;
    it->host.watch = async_glib_watch_;
    it->host.arg = it;
    it->loop = loop;
    it->context = context;
    it->fds = g_hash_table_new_full(NULL, NULL, NULL, async_glib_drop_);
    (void)g_source_attach(&it->source, context);
    async_attach(loop, &it->host);
    host->source_ = it;
}

/* Not from a task. Others may go on waking the loop. */
static inline void async_glib_stop(struct async_glib *host)
{
    async_attach(host->source_->loop, NULL);
    g_hash_table_destroy(host->source_->fds);
    async_glib_drop_(host->source_);
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
