/* async_nats_jobs.h: work that outlives whoever asked for it, on NATS.
 * SPDX-License-Identifier: MIT
 *
 * A job is a function's arguments, kept in a file by a NATS server (JetStream)
 * until a worker has done it: it survives the program that submitted it, the
 * worker, and the server. A worker that dies loses no job, another one gets it;
 * a job that fails is tried again, later and later, and after so many tries it
 * is parked with the reason, to be looked at. Results are not sent back: what
 * is to last, the job leaves somewhere.
 *
 *     #include <stdio.h>
 *     #include "adapters/async_nats_jobs.h"
 *
 *     ASYNC_NATS_FUNCTION(greet, 1, (text(32), name), ())
 *     ASYNC_NATS_JOB(greet)
 *
 *     static async greet(struct async_loop *loop, void *frame)
 *     {
 *         struct greet_job *self = frame;
 *
 *         async_begin(self);
 *         await(async_sleep_ms(loop, 10));
 *         printf("hello %s\n", self->arguments.name);
 *         async_nats_jobs_drain(self->job.jobs); // one is enough here
 *         async_end();
 *     }
 *
 *     struct program {
 *         struct async_frame async;
 *         struct async_executor executor;
 *         struct async_nats_jobs jobs;
 *         struct greet_submission submission;
 *         struct async_nats_jobs_worker worker;
 *         struct greet_job slots[4];
 *     };
 *
 *     static async program(struct async_loop *loop, void *frame)
 *     {
 *         static const struct greet_arguments who = {"world"};
 *         struct program *self = frame;
 *
 *         async_begin(self);
 *         await(async_nats_jobs_open(loop, &self->jobs, NULL, &self->executor,
 *                                    "greetings"));
 *         await(greet_submit(loop, &self->jobs, &self->submission, who));
 *         greet_work(&self->worker, &self->jobs, greet, self->slots,
 *                    sizeof self->slots[0], 4);
 *         await(async_nats_jobs_work(loop, &self->worker));
 *     async_finally();
 *         await(async_nats_jobs_close(loop, &self->jobs));
 *         async_end();
 *     }
 *
 *     int main(void)
 *     {
 *         static struct async_loop loop;
 *         static struct program frame;
 *         async_status status = async_executor_start(&frame.executor, 2, 16);
 *
 *         if (status == 0)
 *             status = async_run(&loop, program, &frame);
 *         async_executor_stop(&frame.executor, ASYNC_STOP_DRAIN);
 *         if (status < 0)
 *             printf("%s %s\n", async_nats_strerror(status),
 *                    frame.jobs.reason);
 *         return status < 0;
 *     }
 *
 * prints (cc with -lnats -pthread), if nats-server -js runs,
 *
 *     hello world
 *
 * Rules
 * 1. A job is done at least once, so it must do no harm twice: it runs again if
 *    its worker was killed, or cut off, after it had done it and before the
 *    server knew; and a server of 2.9 that has one on its way to a worker that
 *    leaves may repeat another one, and deliver this one when silent_ms are
 *    over. `id` is the same in each run.
 * 2. A submission is done once the server has the job in its file, and what it
 *    has survives its kill; a cut of power only if that is longer ago than the
 *    server's sync_interval (2 minutes, unless it is configured; or replicas).
 *    If it fails nothing was promised, but the job may be there. The same call
 *    with the same arguments is then the same job, and is kept once, if it
 *    comes within same_ms. After a restart the server knows only the ids of
 *    jobs that are not done.
 * 3. Tries are counted by the server, as deliveries: also those to a worker
 *    that died, was canceled, or was drained in that very moment. A kill of the
 *    server may take one back.
 * 4. The executor is for what is said to the server, which blocks; two threads
 *    do. It is not the one that runs jobs: those would hold up the word that
 *    they are alive (asserted).
 * 5. Jobs of a version that nobody works on wait, without end, and are counted.
 *    Those of a version are of one shape: others are parked.
 * 6. The loop's memory stays until the client's threads are gone: it is static,
 *    or nats_Close is called before it goes.
 *
 * A job's life, in the streams async_jobs_NAME and async_parked_NAME
 *
 *     waiting    NAME_submit is done
 *     running    async_nats_job_slot_; told to be alive each third of silent_ms
 *     waiting    it failed (for the pause that retry says); its worker was
 *                canceled (for none), or has been silent for silent_ms
 *     gone       it is done
 *     parked     it failed in its last try; died in it; was none of ours
 *     waiting    async_nats_parked_retry
 */
#ifndef ASYNC_NATS_JOBS_H
#define ASYNC_NATS_JOBS_H

#include "async_nats_jobs_worker.h" /* all of it but the line of a job */

/* ---- in a job's function ------------------------------------------------ */

/* Ends this job's function: async_fail(async_nats_job_fail(&self->job, code,
 * "text")), or by return of a blocking one. Both are kept if it is parked. */
static inline int async_nats_job_fail(struct async_nats_job *job, int32_t code,
                                      const char *text)
{
    size_t i;

    job->code = code;
    (void)snprintf(job->text, sizeof job->text, "%s", text);
    for (i = 0; job->text[i]; i++)
        if ((unsigned char)job->text[i] < ' ')
            job->text[i] = ' '; /* it goes into a header's line */
    return ASYNC_NATS_EFAILED;
}

/* True once a blocking job's function should stop: then it will be somebody
 * else's. On its thread. */
static inline int async_nats_job_canceled(const struct async_nats_job *job)
{
    return async_job_canceled(&job->thread_);
}

/* ---- the line of a job -------------------------------------------------- */

static inline void
async_nats_jobs_prepare_(struct async_nats_jobs_worker *self,
                         struct async_nats_jobs *jobs,
                         const struct async_nats_job_kind_ *kind, async_fn *fn,
                         void *slots, size_t size, unsigned count)
{
    static const struct async_nats_jobs_worker zero = ASYNC_ZERO_;
    void *arg = self->arg;
    unsigned i;

    ASYNC_ASSERT(!async_frame_runs_(&self->async),
                 "a worker is prepared while it works: drain it first, or use "
                 "another one; or its storage was not all-zero");
    *self = zero;
    self->arg = arg;
    self->jobs_ = jobs;
    self->kind_ = *kind;
    self->fn_ = fn;
    self->slots_ = (unsigned char *)slots;
    self->size_ = size;
    self->count_ = count;
    memset(slots, 0, size * count);
    for (i = 0; i < count; i++) {
        struct async_nats_job *slot = async_nats_jobs_slot_(self, i);

        slot->jobs = jobs;
        slot->arg = arg;
        slot->worker_ = self;
        slot->frame_ = self->slots_ + i * size;
    }
}

/* At the top of a file, without a semicolon, after the function's line:
 *
 *     ASYNC_NATS_JOB(calc_pi)
 *
 * declares
 *
 *     struct calc_pi_submission
 *         Yours; all-zero before the first, then one after the other. Its
 *         members: `submission`, `arguments`.
 *
 *     async_status calc_pi_submit(loop, jobs, struct calc_pi_submission *call,
 *                                 struct calc_pi_arguments arguments)
 *         Awaitable: gives the server a job; done when it has it. The first
 *         arguments count. If it fails nothing was promised; begun again, with
 *         the same arguments, it is the same job. ASYNC_NATS_EGONE: no server,
 *         or no answer; ASYNC_NATS_ESIZE; ASYNC_EFULL: it would not keep it;
 *         ASYNC_EINVAL; what async_offload returns. If canceled here: it ends
 *         when its thread does, and the job may be there.
 *
 *     struct calc_pi_submission *calc_pi_submit_prepare(call, jobs, arguments)
 *     async_status calc_pi_submit_task(loop, void *call)
 *         The same in two steps, for async_spawn, async_map, gather.
 *
 *     struct calc_pi_job
 *         A job in a slot, and the frame of the function that does it: its
 *         first member, or all of it. Its members: `async`, `job`, `arguments`,
 *         `result`, which nobody is sent. What follows in a larger frame is
 *         all-zero at the start of each job.
 *
 *     void calc_pi_work(worker, jobs, async_fn *fn, slots, size_t size_of_one,
 *                       unsigned count)
 *     void calc_pi_work_blocking(worker, jobs, int (*fn)(struct calc_pi_job *),
 *                                executor, slots, size_of_one, count)
 *         What async_nats_jobs_work is to work on, and how: on the loop, or on
 *         threads of an executor. `slots` is an array of `count` frames, and so
 *         many run at a time; it is made all-zero, and stays until the end.
 */
#define ASYNC_NATS_JOB(name)                                                   \
    struct name##_submission {                                                 \
        struct async_nats_submission submission;                               \
        struct name##_arguments arguments;                                     \
    };                                                                         \
    struct name##_job {                                                        \
        struct async_frame async;                                              \
        struct async_nats_job job;                                             \
        struct name##_arguments arguments;                                     \
        struct name##_result result;                                           \
    };                                                                         \
    ASYNC_UNUSED_ static inline struct name##_submission                       \
        *name##_submit_prepare(struct name##_submission *call,                 \
                               struct async_nats_jobs *jobs,                   \
                               struct name##_arguments arguments)              \
    {                                                                          \
        async_nats_submission_prepare_(&call->submission, jobs,                \
                                       name##_function(), &call->arguments);   \
        call->arguments = arguments;                                           \
        return call;                                                           \
    }                                                                          \
    ASYNC_UNUSED_ static inline async_status name##_submit_task(               \
        struct async_loop *loop, void *call)                                   \
    {                                                                          \
        return async_nats_submission_(loop,                                    \
                                      (struct async_nats_submission *)call);   \
    }                                                                          \
    ASYNC_UNUSED_ static inline async_status name##_submit(                    \
        struct async_loop *loop, struct async_nats_jobs *jobs,                 \
        struct name##_submission *call, struct name##_arguments arguments)     \
    {                                                                          \
        if (!async_frame_runs_(&call->submission.async))                       \
            (void)name##_submit_prepare(call, jobs, arguments);                \
        return name##_submit_task(loop, call);                                 \
    }                                                                          \
    ASYNC_UNUSED_ static inline int name##_job_thread_(struct async_job *job,  \
                                                       void *arg)              \
    {                                                                          \
        struct name##_job *self = (struct name##_job *)arg;                    \
                                                                               \
        (void)job;                                                             \
        return ((int (*)(struct name##_job *))self->job.worker_->blocking_)(   \
            self);                                                             \
    }                                                                          \
    ASYNC_UNUSED_ static inline async_status name##_job_blocks_(               \
        struct async_loop *loop, void *frame)                                  \
    {                                                                          \
        struct name##_job *self = (struct name##_job *)frame;                  \
                                                                               \
        async_begin(self);                                                     \
        async_await(async_offload(loop, self->job.worker_->executor_,          \
                                  &self->job.thread_, name##_job_thread_,      \
                                  self));                                      \
        async_end();                                                           \
    }                                                                          \
    ASYNC_UNUSED_ static inline void name##_work(                              \
        struct async_nats_jobs_worker *worker, struct async_nats_jobs *jobs,   \
        async_fn *fn, void *slots, size_t size_of_one, unsigned count)         \
    {                                                                          \
        const struct async_nats_job_kind_ kind = {                             \
            name##_function(), offsetof(struct name##_job, job),               \
            offsetof(struct name##_job, arguments)};                           \
                                                                               \
        async_nats_jobs_prepare_(worker, jobs, &kind, fn, slots, size_of_one,  \
                                 count);                                       \
    }                                                                          \
    ASYNC_UNUSED_ static inline void name##_work_blocking(                     \
        struct async_nats_jobs_worker *worker, struct async_nats_jobs *jobs,   \
        int (*fn)(struct name##_job *), struct async_executor *executor,       \
        void *slots, size_t size_of_one, unsigned count)                       \
    {                                                                          \
        name##_work(worker, jobs, name##_job_blocks_, slots, size_of_one,      \
                    count);                                                    \
        ASYNC_ASSERT(executor != jobs->executor_,                              \
                     "blocking jobs on the executor by which the server is "   \
                     "told that they live: give them another one");            \
        worker->blocking_ = (void (*)(void))fn;                                \
        worker->executor_ = executor;                                          \
    }

#endif /* ASYNC_NATS_JOBS_H */

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
