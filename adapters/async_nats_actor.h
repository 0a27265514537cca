/* async_nats_actor.h: functions with a state that is in one worker only.
 * SPDX-License-Identifier: MIT
 *
 * An actor takes a name on the server. Whoever has that name, in a struct
 * async_nats_handle, calls the functions that are served with it, wherever they
 * are; these share the worker's memory, and a limit. Included by
 * async_nats_worker.h: include that. Before the worker runs:
 *
 *     await(async_nats_actor_start(loop, &self->worker, &self->actor,
 *                                  "counter", 1));
 *     self->add.actor = self->get.actor = &self->actor;
 *     await(add_serve(&self->worker, &self->add, add, self->adds,
 *                     sizeof *self->adds, 16, 1));
 *     await(get_serve(&self->worker, &self->get, get, self->gets,
 *                     sizeof *self->gets, 16, 1));
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

/* A message to one of its functions: the last part of the subject is which. */
static inline void async_nats_actor_hears_(struct async_nats *nats,
                                           struct async_nats_inlet_ *inlet,
                                           natsMsg *message)
{
    struct async_nats_actor *actor =
        ASYNC_NATS_WITH_(struct async_nats_actor, inlet_, inlet);
    struct async_nats_worker *worker = actor->worker_;
    struct async_nats_service *service = worker->services_;
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
    else
        async_nats_refuse_(worker, &head, ASYNC_NATS_EUNKNOWN,
                           async_nats_reply_to_(message));
}

/* Whoever has the name does not know this function; if nobody has it, the
 * server says so. */
static inline void async_nats_claim_prepare_(struct async_nats_actor *actor)
{
    static const struct async_nats_function claim = {
        "_claim", 0, {NULL, 0}, {NULL, 0}};

    async_nats_prepare_(&actor->claim_, actor->worker_->nats_, &claim, actor,
                        actor);
    actor->claim_.to = &actor->handle_;
    actor->claim_.retry.tries = 1;
}

static inline int async_nats_claim_take_(struct async_nats_actor *actor)
{
    struct async_nats_worker *worker = actor->worker_;
    char subject[ASYNC_NATS_SUBJECT_], *at;
    int error;

    at = async_nats_append_(subject, subject, "async.actor.");
    at = async_nats_append_(subject, at, actor->handle_.name);
    (void)async_nats_append_(subject, at, ".*");
    error = async_nats_listen_(worker->nats_, &actor->inlet_, subject, NULL,
                               async_nats_actor_hears_);
    if (error > 0) {
        actor->next_ = worker->actors_;
        worker->actors_ = actor;
    }
    return error;
}

static inline async_status async_nats_claim_(struct async_loop *loop,
                                             struct async_nats_actor *actor)
{
    async_begin(actor);
    async_catch(actor->status_, async_nats_call_(loop, &actor->claim_));
    if (actor->status_ == ASYNC_ECANCELED || actor->status_ == ASYNC_ECLOSED ||
        actor->status_ == ASYNC_NATS_EGONE)
        async_fail(actor->status_);
    if (actor->status_ != ASYNC_NATS_ENOBODY)
        async_fail(ASYNC_EBUSY); /* whatever it answered, or that it did not */
    async_await(async_nats_claim_take_(actor));
    async_end();
}

/* Awaitable: takes a name, of letters, digits, _ and -, for as long as the
 * worker runs. What is served with service->actor = actor, before this or right
 * behind it, is called by that name. The functions share `max_concurrency`, and
 * start in the order in which their calls came. ASYNC_EINVAL: there can be no
 * such name, or no call may run; ASYNC_EBUSY: somebody has it; or what
 * async_nats_listen_ says. */
static inline async_status async_nats_actor_start(
    struct async_loop *loop, struct async_nats_worker *worker,
    struct async_nats_actor *actor, const char *name, unsigned max_concurrency)
{
    static const struct async_frame start = ASYNC_ZERO_;

    if (!async_frame_runs_(&actor->async)) {
        if (!async_nats_is_name_(name) || !max_concurrency ||
            strlen(name) >= sizeof actor->handle_.name)
            return ASYNC_EINVAL;
        actor->async = start;
        actor->worker_ = worker;
        actor->max_concurrency = max_concurrency;
        memcpy(actor->handle_.name, name, strlen(name) + 1);
        async_nats_claim_prepare_(actor);
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
