/* async_nats_jobs_worker.h: jobs are taken, run, and told of.
 * SPDX-License-Identifier: MIT
 *
 * Included by async_nats_jobs.h, where the program that shows it is. A slot is
 * a task, and asks the server for one job after the other. A thread of the
 * client's gets the answers; whatever else is said to the server is said on the
 * executor.
 */
#ifndef ASYNC_NATS_JOBS_WORKER_H
#define ASYNC_NATS_JOBS_WORKER_H

#include "../async_atomic.h"  /* who has an answer */
#include "../async_group.h"   /* a worker's slots */
#include "../async_timeout.h" /* signs of life */
#include "async_nats_jobs_store.h"

/* ---- types -------------------------------------------------------------- */

enum {
    ASYNC_NATS_JOBS_ASK_MS_ = 2000, /* a slot asks for a job for so long */
    ASYNC_NATS_JOBS_PAUSE_MS_ = 250 /* and not again before, if it is refused */
};

/* What a function's jobs are to a worker. */
struct async_nats_job_kind_ {
    const struct async_nats_function *function;
    size_t job, arguments; /* where they are in the frame */
};

/* What a worker's group is around. */
struct async_nats_jobs_body_ {
    struct async_frame async;
};

/* Works on the jobs of a function. Yours; all-zero, but for `arg`, at first. */
struct async_nats_jobs_worker {
    struct async_frame async; /* first */
    void *arg;                /* yours, for the function */

    /* private */
    struct async_nats_jobs *jobs_;
    struct async_nats_job_kind_ kind_;
    async_fn *fn_;
    void (*blocking_)(void);
    struct async_executor *executor_; /* of blocking ones */
    unsigned char *slots_;
    size_t size_;
    unsigned count_, i_;
    uint32_t alive_ms_;
    natsSubscription *subscription_;
    struct async_future closed_; /* nothing arrives there any more */
    struct async_nats_jobs_body_ body_;
    struct async_group group_;
    struct async_job ticket_;
    int rc_, leaves_; /* nobody begins to ask for a job */
    char inbox_[64], consumer_[96], next_[ASYNC_NATS_JOBS_SUBJECT_];
};

/* A slot, and the job in it. */
struct async_nats_job {
    struct async_frame async; /* of the slot */

    /* to read, in the function */
    struct async_nats_jobs *jobs;
    void *arg;      /* the worker's */
    const char *id; /* of the job; "" if it has none */
    unsigned tries; /* this one included */

    /* by async_nats_job_fail */
    int32_t code;
    char text[ASYNC_NATS_TEXT];

    /* private */
    struct async_nats_jobs_worker *worker_;
    void *frame_;
    struct async_member member_;
    struct async_task runner_;
    struct async_job ticket_, thread_;
    struct async_timer timer_;
    struct async_future arrival_;
    volatile size_t asks_; /* whoever sets it to 0 sets arrival_; atomic */
    natsMsg *message_;
    const char *ack_; /* where its fate is told */
    uint64_t number_; /* the message's, in the stream */
    int64_t time_;
    int status_, rc_;
    uint8_t is_asking_, runs_, gives_back_;
};

/* ---- a job's fate, told by a thread ------------------------------------- */

static inline natsStatus async_nats_job_says_(struct async_nats_job *self,
                                              const char *what)
{
    return natsConnection_PublishString(self->jobs->connection_, self->ack_,
                                        what);
}

/* So that the server does not take us for dead. */
static inline int async_nats_job_lives_(struct async_job *job, void *arg)
{
    (void)job;
    (void)async_nats_job_says_((struct async_nats_job *)arg, "+WPI");
    return 0;
}

/* Done with, and the server has said that it knows: what it does not know it
 * gives to somebody again. */
static inline natsStatus async_nats_job_is_done_(struct async_nats_job *self)
{
    natsMsg *known = NULL;
    natsStatus status =
        natsConnection_RequestString(&known, self->jobs->connection_,
                                     self->ack_, "+ACK", self->jobs->wait_ms);

    natsMsg_Destroy(known);
    return status;
}

/* To be tried again, after a pause. */
static inline natsStatus async_nats_job_again_(struct async_nats_job *self,
                                               uint32_t pause_ms)
{
    char said[64];

    (void)snprintf(said, sizeof said, "-NAK {\"delay\": %llu}",
                   (unsigned long long)pause_ms * 1000000u);
    return async_nats_job_says_(self, pause_ms ? said : "-NAK");
}

static inline uint32_t async_nats_job_pause_(const struct async_nats_job *self)
{
    struct async_retry retry = self->jobs->retry;
    unsigned i;

    if (retry.seed)
        retry.seed = (retry.seed ^ (uint32_t)self->number_ * 2654435761u) | 1;
    async_retry_reset(&retry);
    for (i = 0; i < self->tries && i < 64; i++)
        async_retry_begin_(&retry);
    return retry.sleep_ms_;
}

static inline natsStatus async_nats_job_number_(natsMsg *message,
                                                const char *name, long number)
{
    char value[24];

    (void)snprintf(value, sizeof value, "%ld", number);
    return natsMsgHeader_Set(message, name, value);
}

/* Into the stream of parked ones, as it came, with the reason. Twice is once:
 * a message is told from all others by its number and its time. */
static inline natsStatus async_nats_job_park_(struct async_nats_job *self)
{
    char subject[ASYNC_NATS_JOBS_SUBJECT_], same[48];
    const char *text = self->text;
    jsPubOptions options;
    natsMsg *parked = NULL;
    natsStatus status;

    if (self->status_ != ASYNC_NATS_EFAILED)
        text = async_nats_strerror(self->status_);
    (void)async_nats_jobs_subject_(subject, "parked", self->jobs,
                                   self->worker_->kind_.function);
    (void)snprintf(same, sizeof same, "%llu-%lld",
                   (unsigned long long)self->number_, (long long)self->time_);
    (void)jsPubOptions_Init(&options);
    options.MsgId = same;
    status =
        natsMsg_Create(&parked, subject, NULL, natsMsg_GetData(self->message_),
                       natsMsg_GetDataLength(self->message_));
    if (status == NATS_OK)
        status = async_nats_job_number_(parked, "Async-Status", self->status_);
    if (status == NATS_OK)
        status = async_nats_job_number_(parked, "Async-Code", self->code);
    if (status == NATS_OK)
        status =
            async_nats_job_number_(parked, "Async-Tries", (long)self->tries);
    if (status == NATS_OK && *text) /* the client misreads what is empty */
        status = natsMsgHeader_Set(parked, "Async-Text", text);
    if (status == NATS_OK && *self->id)
        status = natsMsgHeader_Set(parked, "Async-Id", self->id);
    if (status == NATS_OK)
        status = js_PublishMsg(NULL, self->jobs->js_, parked, &options, NULL);
    natsMsg_Destroy(parked);
    return status;
}

/* True for what would be no better the next time, or has had its last. */
static inline int async_nats_job_is_lost_(const struct async_nats_job *self)
{
    return self->status_ == ASYNC_NATS_EMALFORMED ||
           self->status_ == ASYNC_NATS_EVERSION ||
           self->tries >= self->jobs->retry.tries;
}

/* Tells how the job has ended, and its message goes. ASYNC_NATS_EGONE: the
 * server does not hear it. */
static inline int async_nats_job_settles_(struct async_job *job, void *arg)
{
    struct async_nats_job *self = (struct async_nats_job *)arg;
    int is_lost = self->status_ < 0 && !self->gives_back_ &&
                  async_nats_job_is_lost_(self);
    natsStatus status = NATS_OK;

    (void)job;
    if (async_nats_jobs_away_(self->jobs))
        return ASYNC_NATS_EGONE;
    if (is_lost)
        status = async_nats_job_park_(self);
    if (status == NATS_OK) {
        if (is_lost || self->status_ > 0)
            status = async_nats_job_is_done_(self);
        else if (self->gives_back_)
            status = async_nats_job_again_(self, 0);
        else
            status = async_nats_job_again_(self, async_nats_job_pause_(self));
    }
    if (status != NATS_OK)
        return ASYNC_NATS_EGONE;
    natsMsg_Destroy(self->message_);
    self->message_ = NULL;
    return 0;
}

/* ---- slots -------------------------------------------------------------- */

static inline struct async_nats_job *
async_nats_jobs_slot_(const struct async_nats_jobs_worker *worker, unsigned i)
{
    return (struct async_nats_job *)(void *)(worker->slots_ +
                                             i * worker->size_ +
                                             worker->kind_.job);
}

/* The subscription's thread: an answer to any slot that asks is one to the
 * first of them. It is a job, or the server's word that there was none. */
static inline void async_nats_jobs_arrive_(natsConnection *connection,
                                           natsSubscription *subscription,
                                           natsMsg *message, void *arg)
{
    struct async_nats_jobs_worker *worker =
        (struct async_nats_jobs_worker *)arg;
    const char *ack = natsMsg_GetReply(message), *said = NULL;
    int status = ASYNC_DONE;
    unsigned i;

    (void)subscription;
    for (i = 0; i < worker->count_; i++) {
        struct async_nats_job *slot = async_nats_jobs_slot_(worker, i);

        if (!async_atomic_swap_if_(&slot->asks_, 1, 0))
            continue;
        if (ack) {
            slot->message_ = message;
            slot->ack_ = ack;
        } else {
            if (natsMsgHeader_Get(message, "Status", &said) == NATS_OK &&
                strcmp(said, "408") != 0)
                status = ASYNC_NATS_EREFUSED; /* not: there was none in time */
            natsMsg_Destroy(message);
        }
        (void)async_future_set(worker->jobs_->loop_, &slot->arrival_, status);
        return;
    }
    if (ack) /* to a request that was given up */
        (void)natsConnection_PublishString(connection, ack, "-NAK");
    natsMsg_Destroy(message);
}

static inline int async_nats_job_asks_(struct async_job *job, void *arg)
{
    struct async_nats_job *self = (struct async_nats_job *)arg;
    char how[64];

    (void)job;
    (void)snprintf(how, sizeof how, "{\"batch\":1,\"expires\":%ld}",
                   ASYNC_NATS_JOBS_ASK_MS_ * 1000000L);
    if (async_nats_jobs_away_(self->jobs))
        return 0; /* it is asked again */
    (void)natsConnection_PublishRequestString(self->jobs->connection_,
                                              self->worker_->next_,
                                              self->worker_->inbox_, how);
    return 0;
}

/* From a message to a frame that can run. 0; or how it has ended already. */
static inline int async_nats_job_open_(struct async_nats_job *self)
{
    const struct async_nats_job_kind_ *kind = &self->worker_->kind_;
    unsigned char *frame = (unsigned char *)self->frame_;
    const unsigned char *data =
        (const unsigned char *)natsMsg_GetData(self->message_);
    size_t length = (size_t)natsMsg_GetDataLength(self->message_);
    jsMsgMetaData *meta = NULL;
    struct async_nats_head head;
    int error;

    self->gives_back_ = 0;
    self->code = 0;
    self->text[0] = 0;
    if (natsMsgHeader_Get(self->message_, "Async-Id", &self->id) != NATS_OK &&
        natsMsgHeader_Get(self->message_, "Nats-Msg-Id", &self->id) != NATS_OK)
        self->id = "";
    self->tries = 1;
    if (natsMsg_GetMetaData(&meta, self->message_) == NATS_OK) {
        self->tries = (unsigned)meta->NumDelivered;
        self->number_ = meta->Sequence.Stream;
        self->time_ = meta->Timestamp;
    }
    jsMsgMetaData_Destroy(meta);
    memset(frame, 0, sizeof(struct async_frame));
    memset(frame + kind->arguments, 0, self->worker_->size_ - kind->arguments);
    error = async_nats_get_head_(&head, data, length);
    if (error < 0)
        return error;
    if (head.kind != ASYNC_NATS_CALL_)
        return ASYNC_NATS_EMALFORMED;
    if (head.signature != async_nats_signature_(kind->function))
        return ASYNC_NATS_EVERSION;
    error =
        async_nats_decode_(&kind->function->arguments, frame + kind->arguments,
                           data + ASYNC_NATS_HEAD_, head.length);
    if (error < 0)
        return error;
    return self->tries > self->jobs->retry.tries ? ASYNC_NATS_EDIED : 0;
}

/* Takes a job, runs it, and tells how it has ended; then the next. In
 * status_: ASYNC_PENDING while its function runs. */
static inline async_status async_nats_job_slot_(struct async_loop *loop,
                                                void *frame)
{
    static const struct async_future unset = ASYNC_ZERO_;
    struct async_nats_job *self = (struct async_nats_job *)frame;
    struct async_executor *executor = self->jobs->executor_;

    async_begin(self);
    while (!self->worker_->leaves_) {
        self->arrival_ = unset;
        self->status_ = ASYNC_PENDING;
        self->is_asking_ = 1;
        async_atomic_store_(&self->asks_, 1);
        async_await(async_offload(loop, executor, &self->ticket_,
                                  async_nats_job_asks_, self));
        async_catch(self->rc_,
                    async_timeout(loop, &self->timer_,
                                  ASYNC_NATS_JOBS_ASK_MS_ + 1000,
                                  async_future_wait(loop, &self->arrival_)));
        if (self->rc_ == ASYNC_ETIMEDOUT &&
            !async_atomic_swap_if_(&self->asks_, 1, 0))
            async_catch(self->rc_, async_future_wait(loop, &self->arrival_));
        if (self->rc_ == ASYNC_ECANCELED)
            async_fail(ASYNC_ECANCELED);
        self->is_asking_ = 0;
        if (self->rc_ == ASYNC_NATS_EREFUSED)
            async_await(async_sleep_ms(loop, ASYNC_NATS_JOBS_PAUSE_MS_));
        if (!self->message_)
            continue;
        self->status_ = async_nats_job_open_(self);
        self->runs_ = self->status_ == ASYNC_PENDING;
        if (self->runs_)
            (void)async_spawn(loop, &self->runner_, self->worker_->fn_,
                              self->frame_);
        while (self->runs_) {
            async_catch(self->rc_,
                        async_timeout(loop, &self->timer_,
                                      self->worker_->alive_ms_,
                                      async_join(loop, &self->runner_)));
            self->status_ = async_task_outcome(&self->runner_);
            self->runs_ = self->status_ == ASYNC_PENDING;
            if (!self->runs_)
                break;
            if (self->rc_ == ASYNC_ECANCELED)
                async_fail(ASYNC_ECANCELED);
            async_await(async_offload(loop, executor, &self->ticket_,
                                      async_nats_job_lives_, self));
        }
        for (;;) { /* what is done is told, however long the server is away */
            async_catch(self->rc_,
                        async_offload(loop, executor, &self->ticket_,
                                      async_nats_job_settles_, self));
            if (self->rc_ < 0 && self->rc_ != ASYNC_NATS_EGONE)
                async_fail(self->rc_);
            if (!self->message_ || self->worker_->leaves_)
                break;
            async_await(async_sleep_ms(loop, ASYNC_NATS_JOBS_PAUSE_MS_));
        }
    }
    async_finally();
    if (self->is_asking_ && !async_atomic_swap_if_(&self->asks_, 1, 0))
        async_catch(self->rc_, async_future_wait(loop, &self->arrival_));
    if (self->runs_) {
        async_cancel(loop, &self->runner_);
        async_catch(self->status_, async_join(loop, &self->runner_));
    }
    if (self->message_) {
        self->gives_back_ = self->runs_ || self->status_ == ASYNC_PENDING;
        async_catch(self->rc_, async_offload(loop, executor, &self->ticket_,
                                             async_nats_job_settles_, self));
    }
    natsMsg_Destroy(self->message_); /* untold */
    self->message_ = NULL;
    async_end();
}

/* ---- workers ------------------------------------------------------------ */

static inline void async_nats_jobs_left_(void *arg)
{
    struct async_nats_jobs_worker *worker =
        (struct async_nats_jobs_worker *)arg;

    (void)async_future_set(worker->jobs_->loop_, &worker->closed_, ASYNC_DONE);
}

/* The consumer that all workers of a function share, and where ours is to be
 * answered. The server is to deliver for ever: it is we who count. */
static inline int async_nats_jobs_begins_(struct async_job *job, void *arg)
{
    struct async_nats_jobs_worker *self = (struct async_nats_jobs_worker *)arg;
    struct async_nats_jobs *jobs = self->jobs_;
    const struct async_nats_function *function = self->kind_.function;
    char subject[ASYNC_NATS_JOBS_SUBJECT_];
    jsConsumerConfig config;
    jsConsumerInfo *info = NULL;
    natsInbox *inbox = NULL;
    natsStatus status;
    int error = async_nats_jobs_subject_(subject, "jobs", jobs, function);

    (void)job;
    if (error < 0)
        return error;
    if (async_nats_jobs_away_(jobs))
        return ASYNC_NATS_EGONE;
    (void)snprintf(self->consumer_, sizeof self->consumer_, "%s_%lu",
                   function->name, (unsigned long)function->version);
    (void)snprintf(self->next_, sizeof self->next_,
                   "$JS.API.CONSUMER.MSG.NEXT.%s.%s", jobs->stream_,
                   self->consumer_);
    (void)jsConsumerConfig_Init(&config);
    config.Durable = self->consumer_;
    config.FilterSubject = subject;
    config.AckPolicy = js_AckExplicit;
    config.AckWait = (int64_t)jobs->silent_ms * 1000000;
    config.MaxDeliver = -1;
    config.MaxAckPending = -1; /* those that pause hold up nobody */
    config.MaxWaiting = 8192;
    status =
        js_AddConsumer(&info, jobs->js_, jobs->stream_, &config, NULL, NULL);
    if (status == NATS_OK)
        self->alive_ms_ = (uint32_t)(info->Config->AckWait / 3000000);
    jsConsumerInfo_Destroy(info);
    if (status == NATS_OK)
        status = natsInbox_Create(&inbox);
    if (status == NATS_OK)
        (void)snprintf(self->inbox_, sizeof self->inbox_, "%s", inbox);
    natsInbox_Destroy(inbox);
    if (status == NATS_OK)
        status = natsConnection_Subscribe(&self->subscription_,
                                          jobs->connection_, self->inbox_,
                                          async_nats_jobs_arrive_, self);
    if (status == NATS_OK)
        status = natsSubscription_SetOnCompleteCB(self->subscription_,
                                                  async_nats_jobs_left_, self);
    if (status != NATS_OK) {
        natsSubscription_Destroy(self->subscription_);
        self->subscription_ = NULL;
    }
    return async_nats_jobs_error_(status);
}

/* The server sends us nothing more, and async_nats_jobs_left_ tells when all
 * that it has sent has arrived. */
static inline int async_nats_jobs_leaves_(struct async_job *job, void *arg)
{
    struct async_nats_jobs_worker *self = (struct async_nats_jobs_worker *)arg;

    (void)job;
    if (natsSubscription_DrainTimeout(self->subscription_,
                                      self->jobs_->wait_ms) != NATS_OK)
        (void)natsSubscription_Unsubscribe(self->subscription_);
    return 0;
}

/* Has the server forget what we have asked for, which it does when it is asked
 * about its consumer. Else 2.9 may mislay a job that goes back: when it finds
 * only questions of who is gone, it takes the job for a new one, delivers
 * another one twice, and this one when silent_ms are over. */
static inline int async_nats_jobs_withdraws_(struct async_job *job, void *arg)
{
    struct async_nats_jobs_worker *self = (struct async_nats_jobs_worker *)arg;
    jsConsumerInfo *info = NULL;

    (void)job;
    if (!async_nats_jobs_away_(self->jobs_))
        (void)js_GetConsumerInfo(&info, self->jobs_->js_, self->jobs_->stream_,
                                 self->consumer_, NULL, NULL);
    jsConsumerInfo_Destroy(info);
    return 0;
}

/* Until a drain, or a cancel, and then until nothing can arrive any more; who
 * still asks for a job gets none. Only then do jobs go back. */
static inline async_status
async_nats_jobs_until_(struct async_loop *loop,
                       struct async_nats_jobs_worker *worker)
{
    struct async_nats_jobs_body_ *self = &worker->body_;
    struct async_executor *executor = worker->jobs_->executor_;

    async_begin(self);
    async_await(async_future_wait(loop, &worker->jobs_->drain_));
    async_finally();
    worker->leaves_ = 1;
    async_catch(worker->rc_, async_offload(loop, executor, &worker->ticket_,
                                           async_nats_jobs_leaves_, worker));
    if (worker->rc_ < 0) /* there are no threads any more */
        (void)natsSubscription_Unsubscribe(worker->subscription_);
    async_await(async_future_wait(loop, &worker->closed_));
    async_catch(worker->rc_, async_offload(loop, executor, &worker->ticket_,
                                           async_nats_jobs_withdraws_, worker));
    for (worker->i_ = 0; worker->i_ < worker->count_; worker->i_++) {
        struct async_nats_job *slot = async_nats_jobs_slot_(worker, worker->i_);

        if (async_atomic_swap_if_(&slot->asks_, 1, 0))
            (void)async_future_set(loop, &slot->arrival_, ASYNC_ECLOSED);
    }
    async_end();
}

/* Awaitable, an async_fn: works on the jobs of the function that NAME_work has
 * given the worker, as many at a time as there are slots, until
 * async_nats_jobs_drain; then it finishes those that run, and is done. While
 * the server is away it waits for it. Errors, before it has begun:
 * ASYNC_NATS_EGONE, EREFUSED, ASYNC_EFULL: the server would not; ASYNC_EINVAL;
 * what async_offload returns. If canceled here: the jobs' functions are, and
 * awaited; those that have not finished all the same go back, to be tried again
 * at once. */
static inline async_status async_nats_jobs_work(struct async_loop *loop,
                                                void *worker)
{
    struct async_nats_jobs_worker *self =
        (struct async_nats_jobs_worker *)worker;
    struct async_executor *executor = self->jobs_->executor_;

    async_begin(self);
    async_await(async_offload(loop, executor, &self->ticket_,
                              async_nats_jobs_begins_, self));
    for (self->i_ = 0; self->i_ < self->count_; self->i_++) {
        struct async_nats_job *slot = async_nats_jobs_slot_(self, self->i_);

        (void)async_group_spawn(loop, &self->group_, &slot->member_,
                                async_nats_job_slot_, slot);
    }
    async_await(
        async_group(loop, &self->group_, async_nats_jobs_until_(loop, self)));
    async_finally();
    if (self->subscription_ && !self->leaves_) /* canceled before it began */
        (void)natsSubscription_Unsubscribe(self->subscription_);
    if (self->subscription_)
        async_await(async_future_wait(loop, &self->closed_));
    natsSubscription_Destroy(self->subscription_);
    self->subscription_ = NULL;
    async_end();
}

#endif /* ASYNC_NATS_JOBS_WORKER_H */

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
