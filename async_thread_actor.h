/* async_thread_actor.h: state whose methods block, so many at a time.
 * SPDX-License-Identifier: MIT
 *
 * A threaded actor is a struct of yours, and its methods are blocking
 * functions. Each call of one runs on a thread while whoever awaits it waits
 * like for anything else. At most max_concurrency calls run at once; the others
 * wait, and start in the order they came. With 1, each call has the state to
 * itself. It is the async actor of async_actor.h on an executor of its own. The
 * idea is Ray's threaded actor.
 *
 *     #include <stdio.h>
 *     #include "async_thread_actor.h"
 *
 *     struct counter {
 *         struct async_thread_actor actor;
 *         int value;
 *     };
 *
 *     static int counter_add(struct counter *counter, int by)
 *     {
 *         return counter->value += by;
 *     }
 *
 *     ASYNC_WRAP_METHOD(int, counter_add, struct counter *, counter, int, by)
 *
 *     struct visit {
 *         struct async_frame async;
 *         struct counter counter;
 *         struct counter_add_call add, adds[3];
 *         int i;
 *     };
 *
 *     static async visit(struct async_loop *loop, void *frame)
 *     {
 *         struct visit *self = frame;
 *         struct counter *counter = &self->counter;
 *
 *         async_begin(self);
 *         await(counter_add_async(loop, &counter->actor, &self->add,
 *                                 counter, 1));
 *         printf("%d\n", self->add.result);
 *         for (self->i = 0; self->i < 3; self->i++)
 *             counter_add_send(loop, &counter->actor, &self->adds[self->i],
 *                              counter, 1);
 *         for (self->i = 0; self->i < 3; self->i++) {
 *             await(async_thread_actor_result(loop,
 *                                             &self->adds[self->i].call));
 *             printf("%d ", self->adds[self->i].result);
 *         }
 *         async_finally();
 *         await(async_thread_actor_shutdown(loop, &counter->actor));
 *         async_end();
 *     }
 *
 *     int main(void)
 *     {
 *         struct async_loop loop = {0};
 *         struct visit frame = {0};
 *
 *         if (async_thread_actor_start(&frame.counter.actor, 1) < 0)
 *             return 1;
 *         return async_run(&loop, visit, &frame) < 0;
 *     }
 *
 * prints (cc with -pthread)
 *
 *     1
 *     2 3 4
 *
 * Rules
 * 1. A call stays where it is until it has ended and, if it failed, its result
 *    was taken; an actor stays until its shutdown or drain is done. Await one
 *    in the finally section of whoever owns it: that gives the threads back.
 * 2. With a max_concurrency above 1 methods run beside each other: what they
 *    share needs a lock, a pthread_mutex_t say. With 1 it needs none, and each
 *    call sees what the one before it did.
 * 3. The loop's tasks leave the state alone while calls run or wait.
 * 4. A method that takes long looks at async_job_canceled now and then: a
 *    shutdown asks, and waits for it.
 * 5. The loop gives each call its turn, which takes some microseconds. What is
 *    done sooner than that is better done by async_wrap.h on an executor.
 *
 * What wins on one tick is in async_actor.h. A call counts as ended when the
 * loop has heard that its method has returned.
 *
 * Configuration
 *
 *     ASYNC_MAX_WORKERS  calls an actor can run at once at the most, as in
 *                        async_thread.h
 */
#ifndef ASYNC_THREAD_ACTOR_H
#define ASYNC_THREAD_ACTOR_H

#include "async_actor.h" /* calls in order, so many at a time */
#include "async_wrap.h"  /* threads; methods with types */

/* ---- types -------------------------------------------------------------- */

/* What takes calls: a member of the struct that has the state. Yours; all-zero
 * before the first async_thread_actor_start, and the loop's thread's only. */
struct async_thread_actor {
    struct async_actor actor_;
    struct async_executor executor_;
    int is_started_; /* and its threads were not given back */
};

/* A call of a method. Yours, in the caller's frame; all-zero before the first.
 * When it has ended it may be sent again. */
struct async_thread_actor_call {
    struct async_frame async; /* of the task that waits for the thread */
    struct async_job job;     /* for the method: async_job_canceled */

    /* private */
    struct async_actor_call call_;
    struct async_executor *executor_;
    async_job_fn *fn_;
    void *arg_;
};

/* Makes an actor of at most `max_concurrency` calls at once, 0: one. Starts no
 * thread yet. Returns 0; ASYNC_EINVAL: more than ASYNC_MAX_WORKERS;
 * ASYNC_EBUSY: it was started, and no shutdown or drain is done; a negated
 * errno. */
static inline int async_thread_actor_start(struct async_thread_actor *actor,
                                           unsigned max_concurrency)
{
    static const struct async_actor zero = ASYNC_ZERO_;
    int error;

    if (max_concurrency > ASYNC_MAX_WORKERS)
        return ASYNC_EINVAL;
    if (actor->is_started_)
        return ASYNC_EBUSY;
    /* It starts a thread when all it has are at work: so many as calls run. */
    error = async_executor_start(&actor->executor_, ASYNC_MAX_WORKERS, 0);
    if (error)
        return error;
    actor->is_started_ = 1;
    actor->actor_ = zero;
    actor->actor_.max_concurrency = max_concurrency ? max_concurrency : 1;
    return 0;
}

/* How many calls wait for their turn. */
static inline size_t
async_thread_actor_queued(const struct async_thread_actor *actor)
{
    return async_actor_queued(&actor->actor_);
}

/* How many calls have been started and have not ended. */
static inline size_t
async_thread_actor_running(const struct async_thread_actor *actor)
{
    return async_actor_running(&actor->actor_);
}

/* ---- calls -------------------------------------------------------------- */

/* The task of a call that has its turn. */
static inline async_status async_thread_actor_step_(struct async_loop *loop,
                                                    void *frame)
{
    struct async_thread_actor_call *call =
        (struct async_thread_actor_call *)frame;

    async_begin(call);
    async_await(async_offload(loop, call->executor_, &call->job, call->fn_,
                              call->arg_));
    async_end();
}

/* True from the time it is sent until it has ended, and whoever sent it and
 * waits for it has heard. */
static inline int
async_thread_actor_has_(const struct async_thread_actor_call *call)
{
    return call->call_.actor_ || call->call_.caller_;
}

/* Sets what a call that is not sent yet will do. */
static inline void async_thread_actor_set_(struct async_thread_actor *actor,
                                           struct async_thread_actor_call *call,
                                           async_job_fn *fn, void *arg)
{
    static const struct async_frame zero = ASYNC_ZERO_;

    if (async_thread_actor_has_(call))
        return;
    call->async = zero;
    call->executor_ = &actor->executor_;
    call->fn_ = fn;
    call->arg_ = arg;
}

/* Sends a call to the actor and returns at once: when it is its turn, fn(job,
 * arg) runs on a thread. Its error, if nobody asks for its result, goes where a
 * task's goes that nobody joins. Returns 0; ASYNC_ECLOSED: the actor takes no
 * more calls; ASYNC_EBUSY: this call waits or runs (a mistake of the program's:
 * asserted). On the loop's thread, from a task or not. */
static inline int async_thread_actor_send(struct async_loop *loop,
                                          struct async_thread_actor *actor,
                                          struct async_thread_actor_call *call,
                                          async_job_fn *fn, void *arg)
{
    async_thread_actor_set_(actor, call, fn, arg);
    return async_actor_send(loop, &actor->actor_, &call->call_,
                            async_thread_actor_step_, call);
}

/* Awaitable: waits until the call has ended, and returns how: ASYNC_DONE or the
 * method's error; ASYNC_ECANCELED: it was canceled; ASYNC_ECLOSED: a shutdown
 * canceled it, or it never ran because of one; a negated errno: there is no
 * thread and none could be started. Any number of tasks may wait for a call,
 * and one that has ended is not waited for. ASYNC_EINVAL: it was never sent (a
 * mistake of the program's: asserted). If canceled here: the call goes on. */
static inline async_status
async_thread_actor_result(struct async_loop *loop,
                          struct async_thread_actor_call *call)
{
    return async_actor_result(loop, &call->call_);
}

/* Asks the call to stop. One that still waits ends at once with ASYNC_ECANCELED
 * and never runs; one that runs is told by async_job_canceled, and ends with
 * ASYNC_ECANCELED when it returns. Nothing if it has ended, or was never sent.
 * On the loop's thread, from a task or not. */
static inline void
async_thread_actor_cancel(struct async_loop *loop,
                          struct async_thread_actor_call *call)
{
    async_actor_cancel(loop, &call->call_);
}

/* Awaitable: sends the call and waits for its result; returns what these two
 * do. The first arguments count. If canceled here: a call that still waits
 * never runs, one that runs is told by async_job_canceled, and awaited; then
 * ASYNC_ECANCELED. */
#define async_thread_actor_call(loop, actor, call, fn, arg)                    \
    async_thread_actor_call_(loop, actor, call, fn, arg)

static inline async_status async_thread_actor_call_(
    struct async_loop *loop, struct async_thread_actor *actor,
    struct async_thread_actor_call *call, async_job_fn *fn, void *arg)
{
    async_thread_actor_set_(actor, call, fn, arg);
    return async_actor_call(loop, &actor->actor_, &call->call_,
                            async_thread_actor_step_, call);
}

/* ---- methods with types ------------------------------------------------- */

/* At the top of a file, without a semicolon, as ASYNC_WRAP and with its rules;
 * no argument is called call, result or error:
 *
 *     ASYNC_WRAP_METHOD(result, name, type, argument, type, argument, ...)
 *     ASYNC_WRAP_METHOD_VOID(name, type, argument, type, argument, ...)
 *
 * For `int counter_add(struct counter *counter, int by)` it declares
 *
 *     struct counter_add_call
 *         A call. Yours; all-zero before the first. Its members: `call`, for
 *         async_thread_actor_result and async_thread_actor_cancel; `result`,
 *         unless there is none, and `error`, errno as the method left it, set
 *         when it has ended. Its `call.job` tells the method of a cancel.
 *
 *     int counter_add_send(loop, actor, struct counter_add_call *call,
 *                          struct counter *counter, int by)
 *         Returns at once, what async_thread_actor_send does.
 *
 *     async_status counter_add_async(loop, actor, call, counter, by)
 *         Awaitable: sends the call and waits. The first arguments count.
 *         Returns and cancels as async_thread_actor_call does.
 */
#define ASYNC_WRAP_METHOD(...)                                                 \
    ASYNC_WRAP_PICK_(__VA_ARGS__, ASYNC_WRAP_ARITIES_)                         \
    (ASYNC_WRAP_METHOD_, VALUE_, __VA_ARGS__)
#define ASYNC_WRAP_METHOD_VOID(...)                                            \
    ASYNC_WRAP_PICK_(void, __VA_ARGS__, ASYNC_WRAP_ARITIES_)                   \
    (ASYNC_WRAP_METHOD_, VOID_, void, __VA_ARGS__)

#define ASYNC_WRAP_METHOD_(kind, result_type, name, members, parameters,       \
                           types, assignments, arguments)                      \
    struct name##_call {                                                       \
        struct async_thread_actor_call call;                                   \
        ASYNC_WRAP_MEMBER_##kind(result_type) int error;                       \
        ASYNC_WRAP_OPEN_ members                                               \
    };                                                                         \
    ASYNC_WRAP_JOB_(kind, result_type, name, types, arguments)                 \
    ASYNC_UNUSED_ static inline int name##_send(                               \
        struct async_loop *loop_, struct async_thread_actor *actor_,           \
        struct name##_call *call_ ASYNC_WRAP_OPEN_ parameters)                 \
    {                                                                          \
        if (!async_thread_actor_has_(&call_->call)) {                          \
            ASYNC_WRAP_OPEN_ assignments                                       \
        }                                                                      \
        return async_thread_actor_send(loop_, actor_, &call_->call,            \
                                       name##_job_, call_);                    \
    }                                                                          \
    ASYNC_UNUSED_ static inline async_status name##_async(                     \
        struct async_loop *loop_, struct async_thread_actor *actor_,           \
        struct name##_call *call_ ASYNC_WRAP_OPEN_ parameters)                 \
    {                                                                          \
        if (!async_thread_actor_has_(&call_->call)) {                          \
            ASYNC_WRAP_OPEN_ assignments                                       \
        }                                                                      \
        return async_thread_actor_call(loop_, actor_, &call_->call,            \
                                       name##_job_, call_);                    \
    }

/* ---- the actor ---------------------------------------------------------- */

/* Changes how many calls run at once, 0: one. More: those that wait start now.
 * Fewer: none is cut short. Returns 0; ASYNC_EINVAL: more than
 * ASYNC_MAX_WORKERS, nothing changed. On the loop's thread, from a task or
 * not. */
static inline int async_thread_actor_limit(struct async_loop *loop,
                                           struct async_thread_actor *actor,
                                           unsigned max_concurrency)
{
    if (max_concurrency > ASYNC_MAX_WORKERS)
        return ASYNC_EINVAL;
    async_actor_limit(loop, &actor->actor_,
                      max_concurrency ? max_concurrency : 1);
    return 0;
}

/* Once nothing runs: the threads have nothing to do any more, and go. */
static inline async_status
async_thread_actor_stop_(struct async_thread_actor *actor, async_status status)
{
    if (status == ASYNC_DONE && actor->is_started_) {
        async_executor_stop(&actor->executor_, ASYNC_STOP_DRAIN);
        actor->is_started_ = 0;
    }
    return status;
}

/* Awaitable: the actor takes no more calls; those that wait end with
 * ASYNC_ECLOSED and never run, those that run are told by async_job_canceled.
 * Done when all have ended and the threads are gone; whoever waits for one that
 * was told gets ASYNC_ECLOSED. May be awaited again, and by several. It stays
 * closed until it is started anew. If canceled here: it stays closed, and the
 * calls go on to their ends; await it again to give the threads back. */
static inline async_status
async_thread_actor_shutdown(struct async_loop *loop,
                            struct async_thread_actor *actor)
{
    return async_thread_actor_stop_(actor,
                                    async_actor_shutdown(loop, &actor->actor_));
}

/* Awaitable: the actor takes no more calls. Done when all that it has taken
 * have ended by themselves and the threads are gone;
 * async_thread_actor_shutdown may come meanwhile. It stays closed until it is
 * started anew. If canceled here: it stays closed, and the calls go on; await
 * one of the two again to give the threads back. */
static inline async_status
async_thread_actor_drain(struct async_loop *loop,
                         struct async_thread_actor *actor)
{
    return async_thread_actor_stop_(actor,
                                    async_actor_drain(loop, &actor->actor_));
}

#endif /* ASYNC_THREAD_ACTOR_H */

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
