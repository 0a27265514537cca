/* sdl2.h: tasks in an SDL2 event loop.
 * SPDX-License-Identifier: MIT
 *
 * In place of SDL_WaitEvent. What wakes is an event of a registered type, so a
 * thread may wake the loop; a signal handler may not. No descriptors: a wait
 * for one fails with ASYNC_ENOTSUP. A game that draws all the time needs none
 * of this, but an async_poll a frame.
 *
 *     async_sdl_start(&host, &loop);
 *     while (async_alive(&loop))
 *         if (async_sdl_wait(&host, &event))
 *             handle(&event); // yours, as before
 *     async_sdl_stop(&host);
 */
#ifndef ASYNC_ADAPTERS_SDL2_H
#define ASYNC_ADAPTERS_SDL2_H

#include "../async_loop.h"

#include <SDL.h>

/* Yours; async_sdl_start fills it. */
struct async_sdl {
    struct async_host host_;
    struct async_loop *loop_;
    Uint32 type_; /* of the event that wakes */
};

static inline void async_sdl_notify_(void *arg)
{
    SDL_Event event;

    SDL_zero(event);
    event.type = ((struct async_sdl *)arg)->type_;
    event.user.data1 = arg;      /* yours may have the type without asking */
    (void)SDL_PushEvent(&event); /* if it is full, nobody sleeps */
}

/* Runs what is ready, then waits for an event, unless the last task has just
 * ended. 1: *event is yours. 0: it is not, call again. Not from a task. */
static inline int async_sdl_wait(struct async_sdl *host, SDL_Event *event)
{
    return SDL_WaitEventTimeout(event, async_poll_ms(host->loop_)) &&
           (event->type != host->type_ || event->user.data1 != host);
}

/* Hosts `loop`, on the thread that has SDL's events, until async_sdl_stop.
 * Returns 0; ASYNC_EFULL: SDL has no event type left; nothing happened. */
static inline int async_sdl_start(struct async_sdl *host,
                                  struct async_loop *loop)
{
    host->type_ = SDL_RegisterEvents(1);
    if (host->type_ == (Uint32)-1)
        return ASYNC_EFULL;
    host->loop_ = loop;
    host->host_.notify = async_sdl_notify_;
    host->host_.watch = NULL;
    host->host_.arg = host;
    async_attach(loop, &host->host_);
    return 0;
}

/* Not from a task. Others may go on waking the loop. */
static inline void async_sdl_stop(struct async_sdl *host)
{
    async_attach(host->loop_, NULL);
    SDL_FlushEvent(host->type_);
}

#endif /* ASYNC_ADAPTERS_SDL2_H */

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
