/* async_nats_serving.h: a call that a worker serves, from its message to its
 * answer.
 * SPDX-License-Identifier: MIT
 *
 * Included by async_nats_worker.h, where the program that shows it is: include
 * that.
 *
 * The life of a slot
 *
 *     free       nothing is known of a call         until async_nats_arrive_
 *     waiting    its call is in line                until async_nats_start_
 *     running    a task of the loop steps it        until async_nats_over_
 *     over       free too, but remembers its call   until async_nats_arrive_
 *
 * Nothing of a message is believed: a bad one is answered by an error of the
 * call's, if it says where to, or else counted.
 */
#ifndef ASYNC_NATS_SERVING_H
#define ASYNC_NATS_SERVING_H

#include "../async_thread.h" /* blocking functions */
#include "async_nats.h"      /* the connection */

/* What has `member` where `at` points to. */
#define ASYNC_NATS_WITH_(type, member, at)                                     \
    ((type *)(void *)((char *)(at)-offsetof(type, member)))

/* ---- types -------------------------------------------------------------- */

enum { /* what a slot is */
       ASYNC_NATS_FREE_,
       ASYNC_NATS_WAITS_,
       ASYNC_NATS_RUNS_,
       ASYNC_NATS_OVER_
};

enum {                         /* bytes, their NULs included */
       ASYNC_NATS_REPLY_ = 96, /* of the subject of an answer */
       ASYNC_NATS_WORKER_ = 40 /* of a worker's */
};

/* What every slot has: a call that is served. A blocking function's thread
 * touches `text`, `code_` and `job_`, while it runs. */
struct async_nats_serving {
    /* private */
    struct async_nats_service *service_;
    struct async_nats_serving *next_; /* in line; or among the free */
    struct async_nats_serving *same_; /* in its bucket of the table */
    struct async_task task_;
    uint64_t origin_, number_; /* the call's id */
    int code_;                 /* what `text` belongs to */
    int status_;               /* how it ended */
    uint8_t is_;
    uint8_t accepted_; /* the caller knows that it has arrived */
    uint8_t canceled_; /* the caller does not listen any more */

    /* not all-zero when a call begins */
    struct async_job job_; /* of a blocking function */
    char reply_[ASYNC_NATS_REPLY_];

    /* to read: why it has failed, by async_nats_fail */
    char text[ASYNC_NATS_TEXT];
};

/* How the slot of any function begins. */
struct async_nats_slot_ {
    struct async_frame async;
    struct async_nats_serving serving;
};

/* First in, first out. All-zero is empty. */
struct async_nats_line_ {
    struct async_nats_serving *first, *last;
};

/* Calls of which so many may run at once. */
struct async_nats_turns_ {
    struct async_nats_line_ line; /* of those that wait */
    unsigned running;
};

struct async_nats_worker;

/* A name that is taken on the server, and what is called by it: one function
 * after the other is added by its _serve. Yours; all-zero to start with. */
struct async_nats_actor {
    struct async_frame async; /* first */
    unsigned max_concurrency; /* of its functions together; may be changed, and
                               * counts when the next call comes or ends */

    /* private */
    struct async_nats_handle handle_;
    struct async_nats_worker *worker_;
    struct async_nats_actor *next_;
    struct async_nats_turns_ turns_;
    struct async_nats_inlet_ inlet_;
    struct async_nats_call claim_; /* asks who has the name */
    int status_;
};

/* A function that is served. Yours; all-zero to start with. */
struct async_nats_service {
    struct async_nats_actor *actor; /* before it is served; NULL: of none */
    unsigned max_concurrency;       /* as an actor's; not if it is of one */

    /* private; the first group is set before the first call */
    const struct async_nats_function *function_;
    async_fn *fn_;
    async_job_fn *job_;      /* a blocking function's; else NULL */
    void (*blocking_)(void); /* which: of another type, known to job_ */
    struct async_executor *executor_;
    struct async_nats_worker *worker_;
    struct async_nats_service *next_;
    size_t arguments_, result_; /* where they are in a slot */
    char *slots_;
    size_t size_of_one_;
    unsigned count_;
    uint32_t signature_;
    struct async_nats_line_ free_;
    struct async_nats_turns_ turns_;
    struct async_nats_inlet_ inlet_;
};

/* Yours; async_nats_worker_start fills it. */
struct async_nats_worker {
    struct async_frame async; /* first */

    /* to read: calls, or messages, */
    unsigned running;       /* that run now */
    unsigned waiting;       /* that wait now for their turn */
    unsigned long done;     /* that have ended with a result */
    unsigned long failed;   /* with an error */
    unsigned long canceled; /* that ended after their caller's cancel */
    unsigned long repeated; /* that came again, and did not run again */
    unsigned long busy; /* that were sent away: no slot, or it does not run */
    unsigned long refused; /* that were answered by an error of the call's */
    unsigned long dropped; /* that could not be answered */

    /* private */
    struct async_nats *nats_;
    struct async_nats_service *services_; /* of no actor */
    struct async_nats_actor *actors_;
    struct async_nats_serving *table_[256]; /* by number */
    struct async_owner_ owner_;
    struct async_wait_ *line_; /* run, until nothing runs */
    struct async_nats_flushing flush_;
    struct async_flag drain_;
    uint8_t takes_; /* calls: while it runs, and is not drained */
    struct async_nats_inlet_ inlet_;
    char subject_[ASYNC_NATS_WORKER_]; /* inlet_'s: what is asked of this one */
    int status_;
};

/* ---- for the functions -------------------------------------------------- */

/* Says why a function fails, in a text that its caller gets (cut where there is
 * no room). Returns `code`, which is the error to end with, at once:
 *
 *     async_fail(async_nats_fail(&self->serving, -EDOM, "no such number"));
 *
 * or in a blocking function `return async_nats_fail(...)`. `code` is as
 * async_fail's. An error without a text travels too, as async_strerror's. */
static inline int async_nats_fail(struct async_nats_serving *serving, int code,
                                  const char *text)
{
    size_t length = strlen(text);

    if (length >= sizeof serving->text)
        length = sizeof serving->text - 1;
    memcpy(serving->text, text, length);
    serving->text[length] = 0;
    serving->code_ = async_error_(code);
    return serving->code_;
}

/* True once a blocking function should stop: its caller has canceled it, or the
 * worker ends. On its thread. (In an async function a wait takes the cancel.)
 */
static inline int async_nats_canceled(const struct async_nats_serving *serving)
{
    return serving->job_.executor_ ? async_job_canceled(&serving->job_)
                                   : serving->canceled_;
}

/* ---- slots -------------------------------------------------------------- */

static inline void async_nats_line_put_(struct async_nats_line_ *line,
                                        struct async_nats_serving *serving)
{
    serving->next_ = NULL;
    if (line->first)
        line->last->next_ = serving;
    else
        line->first = serving;
    line->last = serving;
}

static inline void
async_nats_line_put_first_(struct async_nats_line_ *line,
                           struct async_nats_serving *serving)
{
    serving->next_ = line->first;
    if (!line->first)
        line->last = serving;
    line->first = serving;
}

static inline void async_nats_line_remove_(struct async_nats_line_ *line,
                                           struct async_nats_serving *serving)
{
    struct async_nats_serving **link = &line->first, *before = NULL;

    for (; *link != serving; link = &before->next_)
        before = *link;
    *link = serving->next_;
    if (line->last == serving)
        line->last = before;
}

static inline struct async_nats_slot_ *
async_nats_slot_of_(struct async_nats_serving *serving)
{
    return ASYNC_NATS_WITH_(struct async_nats_slot_, serving, serving);
}

static inline struct async_nats_serving *async_nats_serving_of_(void *slot)
{
    size_t offset = offsetof(struct async_nats_slot_, serving);

    return (struct async_nats_serving *)(void *)((char *)slot + offset);
}

static inline void *async_nats_part_(struct async_nats_serving *serving,
                                     size_t offset)
{
    return (char *)async_nats_slot_of_(serving) + offset;
}

/* Whose turns those of the service are, and how many may run. */
static inline struct async_nats_turns_ *
async_nats_turns_of_(struct async_nats_service *service)
{
    return service->actor ? &service->actor->turns_ : &service->turns_;
}

static inline unsigned
async_nats_limit_(const struct async_nats_service *service)
{
    return service->actor ? service->actor->max_concurrency
                          : service->max_concurrency;
}

/* Where the table links the call of this id; there NULL: it is not known. */
static inline struct async_nats_serving **
async_nats_known_(struct async_nats_worker *worker, uint64_t origin,
                  uint64_t number)
{
    struct async_nats_serving **link = &worker->table_[number % 256];

    while (*link && ((*link)->origin_ != origin || (*link)->number_ != number))
        link = &(*link)->same_;
    return link;
}

/* The worker knows its call no more. Nothing if it did not. */
static inline void async_nats_forget_(struct async_nats_worker *worker,
                                      struct async_nats_serving *serving)
{
    struct async_nats_serving **link =
        async_nats_known_(worker, serving->origin_, serving->number_);

    if (*link == serving)
        *link = serving->same_;
    serving->is_ = ASYNC_NATS_FREE_;
}

/* Its slot is free, and the first to be used: that costs no recent result. */
static inline void async_nats_drop_(struct async_nats_serving *serving)
{
    async_nats_forget_(serving->service_->worker_, serving);
    async_nats_line_put_first_(&serving->service_->free_, serving);
}

/* ---- answers ------------------------------------------------------------ */

/* Where the answers to a message go; NULL: nowhere. */
static inline const char *async_nats_reply_to_(natsMsg *message)
{
    char *reply = (char *)natsMsg_GetReply(message); /* ours, as all of it */

    if (reply)
        async_nats_turn_address_(reply);
    return reply;
}

/* An answer without a body. */
static inline void async_nats_say_(struct async_nats_worker *worker,
                                   const struct async_nats_head *head,
                                   unsigned kind, int code, const char *to)
{
    struct async_nats_head answer = *head;

    answer.kind = (uint8_t)kind;
    answer.code = code;
    (void)async_nats_send_(worker->nats_, to,
                           kind == ASYNC_NATS_ACCEPTED_ ? worker->subject_
                                                        : NULL,
                           &answer, NULL, NULL);
}

/* A message is answered by an error of the call's, if anybody can be. */
static inline void async_nats_refuse_(struct async_nats_worker *worker,
                                      const struct async_nats_head *head,
                                      int error, const char *to)
{
    if (!to || !*to) {
        worker->dropped++;
        return;
    }
    worker->refused++;
    async_nats_say_(worker, head, ASYNC_NATS_REFUSED_, error, to);
}

static inline struct async_nats_head
async_nats_head_of_(const struct async_nats_serving *serving)
{
    struct async_nats_head head;

    memset(&head, 0, sizeof head);
    head.signature = serving->service_->signature_;
    head.origin = serving->origin_;
    head.number = serving->number_;
    return head;
}

/* Tells `to` how far the call is. */
static inline void
async_nats_serving_answer_(struct async_nats_serving *serving, const char *to)
{
    struct async_nats_service *service = serving->service_;
    struct async_nats_worker *worker = service->worker_;
    struct async_nats_head head = async_nats_head_of_(serving);

    if (serving->is_ != ASYNC_NATS_OVER_) {
        serving->accepted_ = 1;
        async_nats_say_(worker, &head, ASYNC_NATS_ACCEPTED_, 0, to);
    } else if (serving->status_ < 0) {
        head.kind = ASYNC_NATS_FAILED_;
        head.code = serving->status_;
        (void)async_nats_send_text_(worker->nats_, to, NULL, &head,
                                    serving->text);
    } else {
        head.kind = ASYNC_NATS_RESULT_;
        if (async_nats_send_(worker->nats_, to, NULL, &head,
                             &service->function_->result,
                             async_nats_part_(serving, service->result_)) ==
            ASYNC_NATS_ESIZE)
            async_nats_refuse_(worker, &head, ASYNC_NATS_ESIZE, to);
    }
}

/* ---- calls -------------------------------------------------------------- */

/* The task of a call. What ends in its first step is answered by how it ended;
 * else the caller learns that it is here. */
static inline async_status async_nats_step_(struct async_loop *loop,
                                            void *frame)
{
    struct async_nats_serving *serving = async_nats_serving_of_(frame);
    const struct async_nats_service *service = serving->service_;
    async_status status =
        service->job_ ? async_offload(loop, service->executor_, &serving->job_,
                                      service->job_, frame)
                      : service->fn_(loop, frame);

    if (status == ASYNC_PENDING && !serving->accepted_)
        async_nats_serving_answer_(serving, serving->reply_);
    return status;
}

/* Starts those whose turn it is. */
static inline void async_nats_start_(struct async_nats_worker *worker,
                                     struct async_nats_turns_ *turns)
{
    struct async_nats_serving *serving;

    while ((serving = turns->line.first) != NULL &&
           turns->running < async_nats_limit_(serving->service_)) {
        turns->line.first = serving->next_;
        turns->running++;
        worker->waiting--;
        worker->running++;
        serving->is_ = ASYNC_NATS_RUNS_;
        (void)async_spawn(worker->nats_->loop, &serving->task_,
                          async_nats_step_, async_nats_slot_of_(serving));
        async_own_(&serving->task_, &worker->owner_);
    }
}

/* A call has ended. */
static inline void async_nats_over_(struct async_loop *loop,
                                    struct async_owner_ *owner,
                                    struct async_task *task)
{
    struct async_nats_serving *serving =
        ASYNC_NATS_WITH_(struct async_nats_serving, task_, task);
    struct async_nats_service *service = serving->service_;
    struct async_nats_worker *worker = service->worker_;
    struct async_nats_turns_ *turns = async_nats_turns_of_(service);

    (void)owner;
    turns->running--;
    worker->running--;
    serving->is_ = ASYNC_NATS_OVER_;
    serving->status_ = async_task_outcome(task);
    if (serving->canceled_) {
        worker->canceled++;
        async_nats_drop_(serving);
    } else {
        if (serving->status_ > 0)
            worker->done++;
        else
            worker->failed++;
        if (serving->status_ < 0 && serving->status_ != serving->code_)
            (void)async_nats_fail(serving, serving->status_,
                                  async_nats_strerror(serving->status_));
        async_nats_line_put_(&service->free_, serving);
        async_nats_serving_answer_(serving, serving->reply_);
    }
    async_nats_start_(worker, turns);
    if (!worker->running)
        (void)async_line_wake_(loop, &worker->line_, ASYNC_DONE);
}

/* It will not be waited for, nor remembered. */
static inline void async_nats_withdraw_(struct async_nats_serving *serving)
{
    struct async_nats_service *service = serving->service_;

    async_nats_line_remove_(&async_nats_turns_of_(service)->line, serving);
    service->worker_->waiting--;
    async_nats_drop_(serving);
}

/* The caller wants it no more. */
static inline void async_nats_cancel_(struct async_nats_serving *serving)
{
    struct async_nats_worker *worker = serving->service_->worker_;

    if (serving->is_ == ASYNC_NATS_WAITS_) {
        worker->canceled++;
        async_nats_withdraw_(serving);
    } else if (serving->is_ == ASYNC_NATS_RUNS_) {
        serving->canceled_ = 1;
        async_cancel(worker->nats_->loop, &serving->task_);
    }
}

/* ---- messages ----------------------------------------------------------- */

/* Reads a message's head. False: it was none of ours, and has been seen to. */
static inline int async_nats_reads_head_(struct async_nats_worker *worker,
                                         natsMsg *message,
                                         struct async_nats_head *head)
{
    size_t length = (size_t)natsMsg_GetDataLength(message);
    int error = async_nats_get_head_(head, natsMsg_GetData(message), length);

    if (!error)
        return 1;
    async_nats_refuse_(
        worker, head, error,
        length < ASYNC_NATS_HEAD_ ? NULL : async_nats_reply_to_(message));
    return 0;
}

/* All-zero, but for what takes time and is not looked at. */
static inline void async_nats_clear_(const struct async_nats_service *service,
                                     struct async_nats_serving *serving)
{
    const size_t begin = offsetof(struct async_nats_slot_, serving.job_);
    const size_t end = sizeof(struct async_nats_slot_);
    char *slot = (char *)async_nats_slot_of_(serving);

    memset(slot, 0, begin);
    memset(slot + end, 0, service->size_of_one_ - end);
    if (service->job_)
        memset(&serving->job_, 0, sizeof serving->job_);
    serving->text[0] = 0;
}

/* A call that is not known: into a slot, if there is one. */
static inline void async_nats_arrive_(struct async_nats_service *service,
                                      const struct async_nats_head *head,
                                      natsMsg *message)
{
    struct async_nats_worker *worker = service->worker_;
    struct async_nats_turns_ *turns = async_nats_turns_of_(service);
    struct async_nats_serving *serving = service->free_.first;
    const char *reply = async_nats_reply_to_(message);

    if (!worker->takes_ || !serving) {
        worker->busy++;
        async_nats_say_(worker, head, ASYNC_NATS_BUSY_, 0, reply);
        return;
    }
    service->free_.first = serving->next_;
    if (serving->is_ == ASYNC_NATS_OVER_)
        async_nats_forget_(worker, serving);
    async_nats_clear_(service, serving);
    if (async_nats_decode_(&service->function_->arguments,
                           async_nats_part_(serving, service->arguments_),
                           (const unsigned char *)natsMsg_GetData(message) +
                               ASYNC_NATS_HEAD_,
                           head->length)) {
        async_nats_line_put_first_(&service->free_, serving);
        async_nats_refuse_(worker, head, ASYNC_NATS_EMALFORMED, reply);
        return;
    }
    serving->service_ = service;
    serving->is_ = ASYNC_NATS_WAITS_;
    serving->origin_ = head->origin;
    serving->number_ = head->number;
    serving->same_ = worker->table_[head->number % 256];
    worker->table_[head->number % 256] = serving;
    strcpy(serving->reply_, reply);
    async_nats_line_put_(&turns->line, serving);
    worker->waiting++;
    async_nats_start_(worker, turns);
    if (serving->is_ == ASYNC_NATS_WAITS_)
        async_nats_serving_answer_(serving, reply);
}

/* A message to a function. */
static inline void async_nats_take_(struct async_nats_service *service,
                                    const struct async_nats_head *head,
                                    natsMsg *message)
{
    struct async_nats_worker *worker = service->worker_;
    const char *reply = async_nats_reply_to_(message);
    struct async_nats_serving *known =
        *async_nats_known_(worker, head->origin, head->number);

    if (head->kind != ASYNC_NATS_CALL_ || (known && known->service_ != service))
        async_nats_refuse_(worker, head, ASYNC_NATS_EMALFORMED, reply);
    else if (head->signature != service->signature_)
        async_nats_refuse_(worker, head, ASYNC_NATS_EVERSION, reply);
    else if (!reply || !*reply || strlen(reply) >= ASYNC_NATS_REPLY_)
        worker->dropped++;
    else if (!known)
        async_nats_arrive_(service, head, message);
    else {
        worker->repeated++;
        strcpy(known->reply_, reply);
        async_nats_serving_answer_(known, reply);
    }
}

#endif /* ASYNC_NATS_SERVING_H */

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
