/* async_nats_actor.h: functions with a state that is in one worker only.
 * SPDX-License-Identifier: MIT
 *
 * An actor takes a name on the server. Whoever knows it, by a struct
 * async_nats_handle, calls the functions that are served with it; they share
 * the state and a limit. Included by async_nats_worker.h, where the program
 * that shows a worker is: include that.
 *
 *     static struct async_nats_actor actor;
 *
 *     await(async_nats_actor_start(loop, &worker, &actor, "counter", 1));
 *     add.actor = get.actor = &actor;
 *     await(add_serve(&worker, &add, ...));
 *     await(get_serve(&worker, &get, ...));
 *
 * Rules
 * 1. A name is asked for before it is taken: of two that start within the same
 *    round trip both may get it. Start an actor in one place.
 * 2. It is given back when the worker ends. If it dies, all pending calls end
 *    with ASYNC_NATS_EDIED, and its state is gone.
 */
#ifndef ASYNC_NATS_ACTOR_H
#define ASYNC_NATS_ACTOR_H

#include "async_nats_serving.h" /* its functions */

/* ---- actors ------------------------------------------------------------- */

static inline struct async_nats_actor *
async_nats_actor_of_(struct async_nats_inlet_ *inlet)
{
    return ASYNC_NATS_WITH_(struct async_nats_actor, inlet_, inlet);
}

/* A message to one of its functions: the last part of the subject is which. */
static inline void async_nats_actor_hears_(struct async_nats *nats,
                                           struct async_nats_inlet_ *inlet,
                                           natsMsg *message)
{
    struct async_nats_actor *actor = async_nats_actor_of_(inlet);
    struct async_nats_worker *worker = actor->worker_;
    struct async_nats_service *service = worker->services_;
    const char *reply = natsMsg_GetReply(message);
    const char *name = strrchr(natsMsg_GetSubject(message), '.') + 1;
    struct async_nats_head head;

    (void)nats;
    if (!async_nats_reads_head_(worker, message, &head))
        return;
    while (service && (service->actor != actor ||
                       strcmp(service->function_->name, name) != 0))
        service = service->next_;
    if (service)
        async_nats_take_(service, &head, message);
    else if (head.kind == ASYNC_NATS_PING_ && reply && !strcmp(name, "_claim"))
        async_nats_say_(worker, &head, ASYNC_NATS_RUNNING_, 0, reply);
    else
        async_nats_refuse_(worker, &head, ASYNC_NATS_EUNKNOWN, reply);
}

/* Somebody answers who has the name; or the server, that nobody does. */
static inline void async_nats_claim_hears_(struct async_nats *nats,
                                           struct async_nats_inlet_ *inlet,
                                           natsMsg *message)
{
    (void)async_line_wake_(nats->loop, &async_nats_actor_of_(inlet)->line_,
                           natsMsg_IsNoResponders(message) ? ASYNC_DONE
                                                           : ASYNC_EBUSY);
}

/* Asks who has the name, with an inlet of its own for the answer. */
static inline int async_nats_claim_ask_(struct async_nats_actor *actor)
{
    struct async_nats_worker *worker = actor->worker_;
    struct async_nats_head head;
    char subject[ASYNC_NATS_SUBJECT_], reply[ASYNC_NATS_SUBJECT_];
    int error;

    memset(&head, 0, sizeof head);
    head.kind = ASYNC_NATS_PING_;
    (void)snprintf(subject, sizeof subject, "async.actor.%s._claim",
                   actor->name_);
    (void)snprintf(reply, sizeof reply, "%s.%s", worker->subject_,
                   actor->name_);
    error = async_nats_listen_(worker->nats_, &actor->inlet_, reply, NULL,
                               async_nats_claim_hears_);
    if (error < 0)
        return error;
    error = async_nats_send_(worker->nats_, subject, reply, &head, NULL, NULL);
    if (error < 0)
        async_nats_unlisten_(worker->nats_, &actor->inlet_);
    return error;
}

static inline int async_nats_claim_take_(struct async_nats_actor *actor)
{
    struct async_nats_worker *worker = actor->worker_;
    char subject[ASYNC_NATS_SUBJECT_];
    int error;

    (void)snprintf(subject, sizeof subject, "async.actor.%s.*", actor->name_);
    error = async_nats_listen_(worker->nats_, &actor->inlet_, subject, NULL,
                               async_nats_actor_hears_);
    if (error < 0)
        return error;
    actor->next_ = worker->actors_;
    worker->actors_ = actor;
    return 0;
}

static inline async_status async_nats_claim_(struct async_loop *loop,
                                             struct async_nats_actor *actor)
{
    struct async_nats *nats = actor->worker_->nats_;

    async_begin(actor);
    actor->status_ = async_nats_claim_ask_(actor);
    if (actor->status_ < 0)
        async_fail(actor->status_);
    async_catch(actor->status_,
                async_timeout(loop, &actor->timer_, nats->lost_ms,
                              async_line_wait_(loop, &actor->line_)));
    async_nats_unlisten_(nats, &actor->inlet_);
    if (actor->status_ == ASYNC_ETIMEDOUT)
        actor->status_ = ASYNC_EBUSY; /* somebody who does not answer */
    if (actor->status_ > 0)
        actor->status_ = async_nats_claim_take_(actor);
    if (actor->status_ < 0)
        async_fail(actor->status_);
    async_end();
}

/* Awaitable: takes a name, of letters, digits, _ and -; a call of a function
 * that is served with service->actor = actor goes to this one, wherever it
 * comes from. Serve them before, or right behind this. They share its limit,
 * and start in the order in which they came. ASYNC_EINVAL: no such name can be,
 * or max_concurrency is 0; ASYNC_EBUSY: somebody has it; or what
 * async_nats_listen_ does. */
static inline async_status async_nats_actor_start(
    struct async_loop *loop, struct async_nats_worker *worker,
    struct async_nats_actor *actor, const char *name, unsigned max_concurrency)
{
    static const struct async_frame start = ASYNC_ZERO_;

    if (!async_nats_runs_(&actor->async)) {
        if (!async_nats_is_name_(name) || !max_concurrency ||
            strlen(name) >= sizeof actor->name_)
            return ASYNC_EINVAL;
        actor->async = start;
        actor->worker_ = worker;
        actor->max_concurrency = max_concurrency;
        memcpy(actor->name_, name, strlen(name) + 1);
    }
    return async_nats_claim_(loop, actor);
}

#endif /* ASYNC_NATS_ACTOR_H */

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
