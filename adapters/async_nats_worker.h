/* async_nats_worker.h: functions that others call over NATS.
 * SPDX-License-Identifier: MIT
 *
 * A worker serves functions by name: async ones run as tasks of its loop,
 * blocking ones on an executor. Any number of workers serve one name, and the
 * server gives each call to one of them. A call runs in a slot of yours, and
 * what came of it stays there for a while: whoever asks again, because an
 * answer was lost, gets the same answer and does not run it twice.
 *
 *     #include <signal.h>
 *     #include <stdio.h>
 *     #include "adapters/async_nats_worker.h"
 *
 *     ASYNC_NATS_FUNCTION(calc_pi, 1, (i64, begin, i64, end), (f64, sum))
 *     ASYNC_NATS_SERVES(calc_pi)
 *
 *     static async calc_pi(struct async_loop *loop, void *frame)
 *     {
 *         struct calc_pi_served *self = frame;
 *         int64_t i;
 *
 *         (void)loop;
 *         async_begin(self);
 *         if (self->arguments.begin < 0)
 *             async_fail(async_nats_fail(&self->serving, -1, "too low"));
 *         for (i = self->arguments.begin; i < self->arguments.end; i++)
 *             self->result.sum += (i % 2 ? -1.0 : 1.0) / (double)(2 * i + 1);
 *         async_end();
 *     }
 *
 *     static struct program {
 *         struct async_frame async;
 *         struct async_nats nats;
 *         struct async_nats_worker worker;
 *         struct async_nats_service service;
 *         struct calc_pi_served slots[16];
 *     } self;
 *
 *     static void stop(int signal)
 *     {
 *         (void)signal;
 *         async_nats_worker_drain(&self.worker);
 *     }
 *
 *     static async program(struct async_loop *loop, void *frame)
 *     {
 *         (void)frame;
 *         async_begin(&self);
 *         await(async_nats_open(loop, &self.nats, NULL));
 *         await(async_nats_worker_start(&self.worker, &self.nats));
 *         await(calc_pi_serve(&self.worker, &self.service, calc_pi, self.slots,
 *                             sizeof *self.slots, 16, 4));
 *         (void)signal(SIGTERM, stop);
 *         await(async_nats_worker_run(loop, &self.worker));
 *         printf("calls: %lu\n", self.worker.done);
 *     async_finally();
 *         await(async_nats_close(loop, &self.nats));
 *         async_end();
 *     }
 *
 *     int main(void)
 *     {
 *         static struct async_loop loop;
 *
 *         return async_run(&loop, program, &self) < 0;
 *     }
 *
 * serves until it is sent SIGTERM, and then prints (cc with -lnats -pthread),
 * if the program in async_nats.h has run once,
 *
 *     calls: 1
 *
 * Rules
 * 1. Everything is the loop's thread's, but async_nats_worker_drain, and
 *    async_nats_fail and async_nats_canceled in a blocking function.
 * 2. Worker, services, actors and slots stay until async_nats_worker_run has
 *    ended. Then nothing of them runs any more.
 * 3. There are more slots than calls that may run: so many calls wait for their
 *    turn, or so many recent results are known. The slot that has been over for
 *    the longest time is the next to be used. Without a free one a call is sent
 *    away, and its caller offers it again, to another worker perhaps.
 * 4. A function that does not wait holds up the loop: pings are not answered
 *    meanwhile, and callers take the worker for dead after a few of their
 *    ping_ms. What computes for long is a blocking function.
 */
#ifndef ASYNC_NATS_WORKER_H
#define ASYNC_NATS_WORKER_H

#include "async_nats_actor.h" /* and the calls that are served */

/* ---- messages ----------------------------------------------------------- */

static inline void async_nats_service_hears_(struct async_nats *nats,
                                             struct async_nats_inlet_ *inlet,
                                             natsMsg *message)
{
    struct async_nats_service *service =
        ASYNC_NATS_WITH_(struct async_nats_service, inlet_, inlet);
    struct async_nats_head head;

    (void)nats;
    if (async_nats_reads_head_(service->worker_, message, &head))
        async_nats_take_(service, &head, message);
}

/* What is asked of this worker: a cancel, or how far a call is. */
static inline void async_nats_worker_hears_(struct async_nats *nats,
                                            struct async_nats_inlet_ *inlet,
                                            natsMsg *message)
{
    struct async_nats_worker *worker =
        ASYNC_NATS_WITH_(struct async_nats_worker, inlet_, inlet);
    const char *reply = async_nats_reply_to_(message);
    struct async_nats_head head;
    struct async_nats_serving *known;

    (void)nats;
    if (!async_nats_reads_head_(worker, message, &head))
        return;
    known = *async_nats_known_(worker, head.origin, head.number);
    if (head.kind == ASYNC_NATS_CANCEL_) {
        if (known)
            async_nats_cancel_(known);
    } else if (head.kind != ASYNC_NATS_PING_ || !reply || !*reply) {
        async_nats_refuse_(worker, &head, ASYNC_NATS_EMALFORMED, reply);
    } else if (known && known->is_ == ASYNC_NATS_OVER_) {
        async_nats_serving_answer_(known, reply);
    } else {
        async_nats_say_(worker, &head,
                        known ? ASYNC_NATS_RUNNING_ : ASYNC_NATS_FORGOTTEN_, 0,
                        reply);
    }
}

/* ---- start, serve ------------------------------------------------------- */

/* Gives the worker a subject of its own, on a connection that is open, and
 * makes its numbers 0. Returns ASYNC_DONE at once, so that it may be awaited;
 * -ENOMEM, or what async_nats_listen_ does. */
static inline async_status
async_nats_worker_start(struct async_nats_worker *worker,
                        struct async_nats *nats)
{
    char subject[ASYNC_NATS_SUBJECT_];
    natsInbox *unique = NULL;

    memset(worker, 0, sizeof *worker);
    worker->nats_ = nats;
    worker->owner_.ended = async_nats_over_;
    if (natsInbox_Create(&unique) != NATS_OK)
        return -ENOMEM;
    (void)async_nats_append_(
        subject, async_nats_append_(subject, subject, "async.worker."),
        strrchr(unique, '.') + 1);
    natsInbox_Destroy(unique);
    memcpy(worker->subject_, subject, sizeof worker->subject_ - 1);
    return async_nats_listen_(nats, &worker->inlet_, worker->subject_, NULL,
                              async_nats_worker_hears_);
}

/* Serves a function: the rest of what its line's _serve does. */
static inline async_status async_nats_serve_(struct async_nats_worker *worker,
                                             struct async_nats_service *service,
                                             void *slots, size_t size_of_one,
                                             unsigned count,
                                             unsigned max_concurrency)
{
    const struct async_nats_function *function = service->function_;
    static const struct async_nats_line_ none = {NULL, NULL};
    char subject[ASYNC_NATS_SUBJECT_];
    int error = 0;

    if (!async_nats_is_name_(function->name) || !count || !max_concurrency)
        return ASYNC_EINVAL;
    (void)async_nats_append_(
        subject, async_nats_append_(subject, subject, "async.call."),
        function->name);
    service->worker_ = worker;
    service->max_concurrency = max_concurrency;
    service->signature_ = async_nats_signature_(function);
    service->slots_ = (char *)slots;
    service->size_of_one_ = size_of_one;
    service->count_ = count;
    service->free_ = none;
    memset(slots, 0, count * size_of_one);
    for (; count; count--, slots = (char *)slots + size_of_one)
        async_nats_line_put_(&service->free_, async_nats_serving_of_(slots));
    if (!service->actor)
        error = async_nats_listen_(worker->nats_, &service->inlet_, subject,
                                   "workers", async_nats_service_hears_);
    if (error < 0)
        return error;
    service->next_ = worker->services_;
    worker->services_ = service;
    return ASYNC_DONE;
}

/* At the top of a worker's source, without a semicolon, behind the function's
 * ASYNC_NATS_FUNCTION:
 *
 *     ASYNC_NATS_SERVES(name)
 *
 * It declares, for calc_pi,
 *
 *     struct calc_pi_served
 *         A slot. The function finds there its `arguments`, its `result`,
 *         all-zero at first, `serving`, for async_nats_fail, and its frame,
 *         `async`. More of your own may follow, in a struct that begins with
 *         this one: that is all-zero too when a call begins.
 *
 *     async_status calc_pi_serve(worker, service, async_fn *fn,
 *                                struct calc_pi_served *slots,
 *                                size_t size_of_one, unsigned count,
 *                                unsigned max_concurrency)
 *         Serves it: fn(loop, slot) runs as a task. A caller's cancel cancels
 *         that. `slots` is an array of `count`, each of size_of_one bytes; what
 *         was in them is overwritten. Returns ASYNC_DONE at once, so that it
 *         may be awaited; ASYNC_EINVAL: there is no slot, or none may run; or
 *         what async_nats_listen_ does.
 *
 *     async_status calc_pi_serve_blocking(worker, service,
 *                                         int (*fn)(struct calc_pi_served *),
 *                                         struct async_executor *executor,
 *                                         slots, size_of_one, count,
 *                                         max_concurrency)
 *         The same; fn(slot) runs on one of the executor's threads, and returns
 *         0 or an error. It asks async_nats_canceled(&slot->serving).
 */
#define ASYNC_NATS_SERVES(name)                                                \
    struct name##_served {                                                     \
        struct async_frame async;                                              \
        struct async_nats_serving serving;                                     \
        struct name##_arguments arguments;                                     \
        struct name##_result result;                                           \
    };                                                                         \
    ASYNC_UNUSED_ static inline async_status name##_serve(                     \
        struct async_nats_worker *worker, struct async_nats_service *service,  \
        async_fn *fn, struct name##_served *slots, size_t size_of_one,         \
        unsigned count, unsigned max_concurrency)                              \
    {                                                                          \
        if (size_of_one < sizeof *slots)                                       \
            return ASYNC_EINVAL;                                               \
        service->function_ = name##_function();                                \
        service->fn_ = fn;                                                     \
        service->arguments_ = offsetof(struct name##_served, arguments);       \
        service->result_ = offsetof(struct name##_served, result);             \
        return async_nats_serve_(worker, service, slots, size_of_one, count,   \
                                 max_concurrency);                             \
    }                                                                          \
    ASYNC_UNUSED_ static inline int name##_serve_job_(struct async_job *job,   \
                                                      void *slot)              \
    {                                                                          \
        struct name##_served *served = (struct name##_served *)slot;           \
        int (*fn)(struct name##_served *) = (int (*)(                          \
            struct name##_served *))served->serving.service_->blocking_;       \
                                                                               \
        (void)job;                                                             \
        return fn(served);                                                     \
    }                                                                          \
    ASYNC_UNUSED_ static inline async_status name##_serve_blocking(            \
        struct async_nats_worker *worker, struct async_nats_service *service,  \
        int (*fn)(struct name##_served *), struct async_executor *executor,    \
        struct name##_served *slots, size_t size_of_one, unsigned count,       \
        unsigned max_concurrency)                                              \
    {                                                                          \
        service->job_ = name##_serve_job_;                                     \
        service->blocking_ = (void (*)(void))fn;                               \
        service->executor_ = executor;                                         \
        return name##_serve(worker, service, NULL, slots, size_of_one, count,  \
                            max_concurrency);                                  \
    }

/* ---- run, drain --------------------------------------------------------- */

/* Has async_nats_worker_run end: the worker gets no new calls any more, but
 * finishes those that it has. From any thread or signal handler, after its
 * start. */
static inline void async_nats_worker_drain(struct async_nats_worker *worker)
{
    async_flag_set(worker->nats_->loop, &worker->drain_);
}

/* Leaves all names. The client goes on handing over what the server had sent
 * before it knew. */
static inline void async_nats_worker_leaves_(struct async_nats_worker *worker)
{
    struct async_nats_service *service = worker->services_;
    struct async_nats_actor *actor = worker->actors_;

    if (!worker->takes_)
        return;
    worker->takes_ = 0;
    for (; service; service = service->next_)
        if (!service->actor)
            (void)natsSubscription_Drain(service->inlet_.subscription);
    for (; actor; actor = actor->next_)
        (void)natsSubscription_Drain(actor->inlet_.subscription);
}

/* Nothing that waits starts any more, and what runs is asked to stop. */
static inline void async_nats_worker_stops_(struct async_nats_worker *worker)
{
    struct async_nats_service *service = worker->services_;
    unsigned i;

    for (; service; service = service->next_) {
        for (i = 0; i < service->count_; i++) {
            struct async_nats_serving *serving = async_nats_serving_of_(
                service->slots_ + i * service->size_of_one_);
            struct async_nats_head head;

            if (serving->is_ == ASYNC_NATS_WAITS_) {
                head = async_nats_head_of_(serving);
                async_nats_withdraw_(serving);
                worker->busy++;
                async_nats_say_(worker, &head, ASYNC_NATS_BUSY_, 0,
                                serving->reply_);
            } else if (serving->is_ == ASYNC_NATS_RUNS_) {
                async_cancel(worker->nats_->loop, &serving->task_);
            }
        }
    }
}

static inline void async_nats_unlisten_all_(struct async_nats_worker *worker)
{
    struct async_nats_service *service = worker->services_;
    struct async_nats_actor *actor = worker->actors_;

    for (; service; service = service->next_)
        if (!service->actor)
            async_nats_unlisten_(worker->nats_, &service->inlet_);
    for (; actor; actor = actor->next_)
        async_nats_unlisten_(worker->nats_, &actor->inlet_);
    async_nats_unlisten_(worker->nats_, &worker->inlet_);
}

/* Awaitable, once after each async_nats_worker_start: ends when the worker has
 * been drained and all answers are with the server; ASYNC_DONE. If canceled
 * here: what waits is answered that the worker is busy, what runs is canceled,
 * and awaited; then ASYNC_ECANCELED. */
static inline async_status
async_nats_worker_run(struct async_loop *loop, struct async_nats_worker *worker)
{
    static const struct async_nats_flushing anew = ASYNC_ZERO_;

    async_begin(worker);
    worker->takes_ = 1;
    async_await(async_flag_wait(loop, &worker->drain_));
    async_nats_worker_leaves_(worker);
    async_catch(worker->status_,
                async_nats_flush(loop, worker->nats_, &worker->flush_));
    if (worker->status_ == ASYNC_ECANCELED)
        async_fail(worker->status_);
    while (worker->running)
        async_await(async_line_wait_(loop, &worker->line_));
    async_finally();
    async_nats_worker_leaves_(worker);
    async_nats_worker_stops_(worker);
    while (worker->running)
        async_await(async_line_wait_(loop, &worker->line_));
    async_nats_unlisten_all_(worker);
    worker->flush_ = anew;
    async_catch(worker->status_,
                async_nats_flush(loop, worker->nats_, &worker->flush_));
    async_end();
}

#endif /* ASYNC_NATS_WORKER_H */

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
