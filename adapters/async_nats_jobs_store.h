/* async_nats_jobs_store.h: jobs in a NATS server's files, waiting and parked.
 * SPDX-License-Identifier: MIT
 *
 * Included by async_nats_jobs.h, where the program that shows it is.
 */
#ifndef ASYNC_NATS_JOBS_STORE_H
#define ASYNC_NATS_JOBS_STORE_H

#include "../async_future.h" /* a drain is asked for */
#include "../async_retry.h"  /* pauses */
#include "../async_thread.h" /* what is said to the server */
#include "async_nats.h"      /* functions; nothing of its connection */

/* ---- types -------------------------------------------------------------- */

enum {
    ASYNC_NATS_JOBS_NAME = 32,     /* bytes of a name, its NUL included */
    ASYNC_NATS_JOBS_SUBJECT_ = 256 /* with a function's name in it */
};

/* Jobs that are submitted here, worked on here, or both, and a connection of
 * their own. Yours; all-zero, but for what is yours, before the open. */
struct async_nats_jobs {
    /* yours, before the open; 0 is what is said here. Of same_ms and replicas
     * counts what was said by who made the streams, of silent_ms what was said
     * by the last worker */
    struct async_retry retry; /* 5 tries in all; 1 s before the second, then
                               * twice as long each time, up to 1 minute */
    uint32_t silent_ms; /* 30000; a worker that is silent for so long is dead */
    uint32_t same_ms;   /* 120000; an id within so long is the same job */
    uint32_t wait_ms;   /* 5000; the server answers within, or it is gone */
    uint32_t replicas;  /* 1; servers of a cluster that keep each job */

    /* to read */
    char reason[160]; /* why the open has failed, a sentence */

    /* private */
    char name_[ASYNC_NATS_JOBS_NAME], stream_[48], parked_[48];
    struct async_loop *loop_;
    struct async_executor *executor_;
    natsOptions *options_;
    natsConnection *connection_;
    jsCtx *js_;
    struct async_job ticket_;
    struct async_future drain_;
};

/* A job on its way to the server. Yours, in a struct that ASYNC_NATS_JOB
 * declares; all-zero before its first. */
struct async_nats_submission {
    struct async_frame async; /* first */

    /* yours, while it does not run: the job's id, which has no control
     * characters; the same one is the same job, whoever submits it. NULL: one
     * of its own */
    const char *id;

    /* to read, when it is done */
    int was_there; /* the server had this job already */

    /* private */
    struct async_nats_jobs *jobs_;
    const struct async_nats_function *function_;
    const void *arguments_;
    struct async_job ticket_;
    char own_[40];
    uint64_t print_; /* of the arguments that own_ was made for */
    int failed_;     /* they may be there */
};

/* What there is. */
struct async_nats_jobs_counts {
    uint64_t waiting, parked; /* the first with those that run */

    /* private */
    struct async_nats_jobs *jobs_;
    struct async_job ticket_;
};

/* A parked job. Yours; all-zero before the first. */
struct async_nats_parked {
    uint64_t number; /* which; 0: there is none */
    char function[64], id[64], text[ASYNC_NATS_TEXT];
    uint32_t version;
    int status;   /* how it ended, as an error of async_nats_strerror's */
    int32_t code; /* of ASYNC_NATS_EFAILED */
    unsigned tries;

    /* private */
    struct async_nats_jobs *jobs_;
    struct async_job ticket_;
    int puts_back_;
};

/* ---- what the server says ----------------------------------------------- */

static inline int async_nats_jobs_error_(natsStatus status)
{
    switch (status) {
    case NATS_OK:
        return 0;
    case NATS_MAX_PAYLOAD:
        return ASYNC_NATS_ESIZE;
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
    case NATS_SSL_ERROR:
        return ASYNC_NATS_EREFUSED;
    case NATS_NOT_FOUND:
    case NATS_INVALID_ARG:
        return ASYNC_EINVAL;
    case NATS_ERR: /* it has answered, and would not */
        return ASYNC_EFULL;
    default:
        return ASYNC_NATS_EGONE;
    }
}

/* A name that fits there, and into a subject. */
static inline int async_nats_jobs_name_(const char *name, size_t room)
{
    return async_nats_is_name_(name) && strlen(name) < room;
}

/* "async.<what>.<jobs>.<function>.<version>". 0; ASYNC_EINVAL. */
static inline int
async_nats_jobs_subject_(char *out, const char *what,
                         const struct async_nats_jobs *jobs,
                         const struct async_nats_function *function)
{
    (void)snprintf(out, ASYNC_NATS_JOBS_SUBJECT_, "async.%s.%s.%.63s.%lu", what,
                   jobs->name_, function->name,
                   (unsigned long)function->version);
    return async_nats_jobs_name_(function->name, 64) ? 0 : ASYNC_EINVAL;
}

/* What is said while the server is away waits, and is sent later: not begun. */
static inline int async_nats_jobs_away_(const struct async_nats_jobs *jobs)
{
    return natsConnection_Status(jobs->connection_) !=
           NATS_CONN_STATUS_CONNECTED;
}

/* ---- open, close -------------------------------------------------------- */

static inline natsStatus async_nats_jobs_stream_(struct async_nats_jobs *jobs,
                                                 const char *stream,
                                                 const char *what, int is_queue)
{
    char subject[64];
    const char *subjects[] = {subject};
    jsStreamConfig config;
    jsErrCode code = (jsErrCode)0;
    natsStatus status;

    (void)snprintf(subject, sizeof subject, "async.%s.%s.>", what, jobs->name_);
    (void)jsStreamConfig_Init(&config);
    config.Name = stream;
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Retention = is_queue ? js_WorkQueuePolicy : js_LimitsPolicy;
    config.Storage = js_FileStorage;
    config.Replicas = jobs->replicas;
    config.Duplicates = (int64_t)jobs->same_ms * 1000000;
    config.AllowDirect = !is_queue; /* to go through it */
    status = js_AddStream(NULL, jobs->js_, &config, NULL, &code);
    return code == JSStreamNameExistErr ? NATS_OK : status;
}

static inline void async_nats_jobs_disconnect_(struct async_nats_jobs *jobs)
{
    jsCtx_Destroy(jobs->js_);
    natsConnection_Close(jobs->connection_);
    natsConnection_Destroy(jobs->connection_);
    jobs->js_ = NULL;
    jobs->connection_ = NULL;
}

static inline int async_nats_jobs_opens_(struct async_job *job, void *arg)
{
    struct async_nats_jobs *jobs = (struct async_nats_jobs *)arg;
    natsOptions *own = NULL;
    natsStatus status = NATS_OK;
    const char *why;
    jsOptions options;

    (void)job;
    if (!jobs->options_) {
        status = natsOptions_Create(&own);
        if (status == NATS_OK)
            status = natsOptions_SetMaxReconnect(own, -1);
        if (status == NATS_OK)
            status = natsOptions_SetReconnectWait(own, 250);
    }
    if (status == NATS_OK)
        status = natsConnection_Connect(&jobs->connection_,
                                        own ? own : jobs->options_);
    natsOptions_Destroy(own);
    (void)jsOptions_Init(&options);
    options.Wait = jobs->wait_ms;
    if (status == NATS_OK)
        status =
            natsConnection_JetStream(&jobs->js_, jobs->connection_, &options);
    if (status == NATS_OK)
        status = async_nats_jobs_stream_(jobs, jobs->stream_, "jobs", 1);
    if (status == NATS_OK)
        status = async_nats_jobs_stream_(jobs, jobs->parked_, "parked", 0);
    if (status == NATS_OK)
        return 0;
    why = nats_GetLastError(NULL);
    (void)snprintf(jobs->reason, sizeof jobs->reason, "%s",
                   why && *why ? why : natsStatus_GetText(status));
    async_nats_jobs_disconnect_(jobs);
    return async_nats_jobs_error_(status);
}

static inline int async_nats_jobs_closes_(struct async_job *job, void *arg)
{
    (void)job;
    async_nats_jobs_disconnect_((struct async_nats_jobs *)arg);
    return 0;
}

static inline uint32_t async_nats_or_(uint32_t value, uint32_t otherwise)
{
    return value ? value : otherwise;
}

/* Awaitable: connects, on a thread, and makes the streams of these jobs if they
 * are not there. `name` is of letters, digits, _ and -, up to 31. `options`,
 * yours until this is over, say where the server is and who we are; NULL:
 * nats://127.0.0.1:4222, and to reconnect for ever. ASYNC_EBUSY: it is open;
 * ASYNC_EINVAL: such a name cannot be; ASYNC_NATS_EGONE: no server, or it has
 * no JetStream; EREFUSED; ASYNC_EFULL: the server would not; what async_offload
 * returns. Then see `reason`. If canceled here: it ends when the thread does,
 * and is to be closed all the same. */
static inline async_status async_nats_jobs_open(struct async_loop *loop,
                                                struct async_nats_jobs *jobs,
                                                natsOptions *options,
                                                struct async_executor *executor,
                                                const char *name)
{
    static const struct async_future zero = ASYNC_ZERO_;

    if (jobs->ticket_.is_ == ASYNC_JOB_IS_NEW_) {
        if (jobs->connection_)
            return ASYNC_EBUSY;
        if (!async_nats_jobs_name_(name, ASYNC_NATS_JOBS_NAME))
            return ASYNC_EINVAL;
        (void)snprintf(jobs->name_, sizeof jobs->name_, "%.31s", name);
        (void)snprintf(jobs->stream_, sizeof jobs->stream_, "async_jobs_%.31s",
                       name);
        (void)snprintf(jobs->parked_, sizeof jobs->parked_,
                       "async_parked_%.31s", name);
        jobs->retry.tries = (uint16_t)async_nats_or_(jobs->retry.tries, 5);
        jobs->retry.first_ms = async_nats_or_(jobs->retry.first_ms, 1000);
        jobs->retry.max_ms = async_nats_or_(jobs->retry.max_ms, 60000);
        jobs->silent_ms = async_nats_or_(jobs->silent_ms, 30000);
        jobs->same_ms = async_nats_or_(jobs->same_ms, 120000);
        jobs->wait_ms = async_nats_or_(jobs->wait_ms, 5000);
        jobs->replicas = async_nats_or_(jobs->replicas, 1);
        jobs->reason[0] = 0;
        jobs->loop_ = loop;
        jobs->executor_ = executor;
        jobs->options_ = options;
        jobs->drain_ = zero;
    }
    return async_offload(loop, executor, &jobs->ticket_, async_nats_jobs_opens_,
                         jobs);
}

/* Awaitable: disconnects, when no worker works and no submission is on its way.
 * Nothing if it is not open. */
static inline async_status async_nats_jobs_close(struct async_loop *loop,
                                                 struct async_nats_jobs *jobs)
{
    if (jobs->ticket_.is_ == ASYNC_JOB_IS_NEW_ && !jobs->connection_)
        return ASYNC_DONE;
    return async_offload(loop, jobs->executor_, &jobs->ticket_,
                         async_nats_jobs_closes_, jobs);
}

/* All workers of these jobs take no more, finish what they have, and end. From
 * any thread or signal handler, once it is open; once. */
static inline void async_nats_jobs_drain(struct async_nats_jobs *jobs)
{
    (void)async_future_set(jobs->loop_, &jobs->drain_, ASYNC_DONE);
}

/* ---- submit ------------------------------------------------------------- */

/* The job's id: that of the last submission, if this is the same again. */
static inline natsStatus
async_nats_submission_id_(struct async_nats_submission *self, uint64_t print)
{
    natsInbox *unique = NULL;
    natsStatus status;

    if (self->id && (!*self->id || strpbrk(self->id, "\r\n")))
        return NATS_INVALID_ARG;
    if (self->id || (self->failed_ && self->print_ == print))
        return NATS_OK;
    status = natsInbox_Create(&unique);
    if (status == NATS_OK)
        (void)snprintf(self->own_, sizeof self->own_, "%.39s",
                       strrchr(unique, '.') + 1);
    self->print_ = print;
    natsInbox_Destroy(unique);
    return status;
}

static inline int async_nats_submission_sends_(struct async_job *job, void *arg)
{
    struct async_nats_submission *self = (struct async_nats_submission *)arg;
    const struct async_nats_fields *fields = &self->function_->arguments;
    struct async_nats_head head = ASYNC_ZERO_;
    char subject[ASYNC_NATS_JOBS_SUBJECT_];
    unsigned char *bytes;
    jsPubOptions options;
    jsPubAck *ack = NULL;
    natsStatus status;
    size_t size;
    int error =
        async_nats_jobs_subject_(subject, "jobs", self->jobs_, self->function_);

    (void)job;
    if (error < 0)
        return error;
    if (async_nats_jobs_away_(self->jobs_))
        return ASYNC_NATS_EGONE;
    head.kind = ASYNC_NATS_CALL_;
    head.signature = async_nats_signature_(self->function_);
    head.length = (uint32_t)async_nats_size_(fields, self->arguments_);
    size = ASYNC_NATS_HEAD_ + (size_t)head.length;
    bytes = (unsigned char *)malloc(size);
    if (!bytes)
        return -ENOMEM;
    async_nats_put_head_(&head, bytes);
    async_nats_encode_(fields, self->arguments_, bytes + ASYNC_NATS_HEAD_);
    status = async_nats_submission_id_(self, async_nats_hash_(bytes, size));
    (void)jsPubOptions_Init(&options);
    options.MsgId = self->id ? self->id : self->own_;
    if (status == NATS_OK)
        status = js_Publish(&ack, self->jobs_->js_, subject, bytes, (int)size,
                            &options, NULL);
    self->failed_ = status != NATS_OK;
    self->was_there = ack && ack->Duplicate;
    jsPubAck_Destroy(ack);
    free(bytes);
    return async_nats_jobs_error_(status);
}

static inline void async_nats_submission_prepare_(
    struct async_nats_submission *self, struct async_nats_jobs *jobs,
    const struct async_nats_function *function, const void *arguments)
{
    static const struct async_frame zero = ASYNC_ZERO_;

    ASYNC_ASSERT(!async_frame_runs_(&self->async),
                 "a submission is prepared while it runs: await it first, or "
                 "use another one; or its storage was not all-zero");
    self->async = zero;
    self->jobs_ = jobs;
    self->function_ = function;
    self->arguments_ = arguments;
}

static inline async_status
async_nats_submission_(struct async_loop *loop,
                       struct async_nats_submission *self)
{
    async_begin(self);
    async_await(async_offload(loop, self->jobs_->executor_, &self->ticket_,
                              async_nats_submission_sends_, self));
    async_end();
}

/* ---- counts, and parked jobs -------------------------------------------- */

static inline natsStatus async_nats_jobs_sum_(struct async_nats_jobs *jobs,
                                              const char *stream,
                                              uint64_t *count)
{
    jsStreamInfo *info = NULL;
    natsStatus status = js_GetStreamInfo(&info, jobs->js_, stream, NULL, NULL);

    if (status == NATS_OK)
        *count = info->State.Msgs;
    jsStreamInfo_Destroy(info);
    return status;
}

static inline int async_nats_jobs_counts_(struct async_job *job, void *arg)
{
    struct async_nats_jobs_counts *self = (struct async_nats_jobs_counts *)arg;
    struct async_nats_jobs *jobs = self->jobs_;
    natsStatus status = NATS_CONNECTION_DISCONNECTED;

    (void)job;
    if (!async_nats_jobs_away_(jobs))
        status = async_nats_jobs_sum_(jobs, jobs->stream_, &self->waiting);
    if (status == NATS_OK)
        status = async_nats_jobs_sum_(jobs, jobs->parked_, &self->parked);
    return async_nats_jobs_error_(status);
}

/* Awaitable: how many jobs there are. Errors as in NAME_submit. If canceled
 * here: when the server has answered. */
static inline async_status
async_nats_jobs_count(struct async_loop *loop, struct async_nats_jobs *jobs,
                      struct async_nats_jobs_counts *counts)
{
    counts->jobs_ = jobs;
    return async_offload(loop, jobs->executor_, &counts->ticket_,
                         async_nats_jobs_counts_, counts);
}

static inline long async_nats_parked_number_(natsMsg *message, const char *name)
{
    const char *value = NULL;

    return natsMsgHeader_Get(message, name, &value) == NATS_OK
               ? strtol(value, NULL, 10)
               : 0;
}

static inline void async_nats_parked_text_(natsMsg *message, const char *name,
                                           char *out, size_t size)
{
    const char *value = "";

    (void)natsMsgHeader_Get(message, name, &value);
    (void)snprintf(out, size, "%s", value);
}

static inline void async_nats_parked_fill_(struct async_nats_parked *self,
                                           natsMsg *message)
{
    const char *subject = natsMsg_GetSubject(message);
    const char *version = strrchr(subject, '.'), *name = version;

    self->number = natsMsg_GetSequence(message);
    self->status = (int)async_nats_parked_number_(message, "Async-Status");
    self->code = (int32_t)async_nats_parked_number_(message, "Async-Code");
    self->tries = (unsigned)async_nats_parked_number_(message, "Async-Tries");
    async_nats_parked_text_(message, "Async-Text", self->text,
                            sizeof self->text);
    async_nats_parked_text_(message, "Async-Id", self->id, sizeof self->id);
    while (name > subject && name[-1] != '.')
        name--;
    (void)snprintf(self->function, sizeof self->function, "%.*s",
                   (int)(version - name), name);
    self->version = (uint32_t)strtoul(version + 1, NULL, 10);
}

static inline int async_nats_parked_looks_(struct async_job *job, void *arg)
{
    struct async_nats_parked *self = (struct async_nats_parked *)arg;
    char any[64];
    natsMsg *message = NULL;
    jsDirectGetMsgOptions which;
    natsStatus status;

    (void)job;
    if (async_nats_jobs_away_(self->jobs_))
        return ASYNC_NATS_EGONE;
    (void)snprintf(any, sizeof any, "async.parked.%s.>", self->jobs_->name_);
    (void)jsDirectGetMsgOptions_Init(&which);
    which.Sequence = self->number + 1;
    which.NextBySubject = any;
    status = js_DirectGetMsg(&message, self->jobs_->js_, self->jobs_->parked_,
                             NULL, &which);
    if (status == NATS_OK)
        async_nats_parked_fill_(self, message);
    else if (status == NATS_NOT_FOUND)
        self->number = 0;
    natsMsg_Destroy(message);
    return status == NATS_NOT_FOUND ? 0 : async_nats_jobs_error_(status);
}

/* Awaitable: the parked job that comes after this one, the first if it is
 * all-zero. Done; `number` is 0 if there is none. Errors as in NAME_submit. If
 * canceled here: when the server has answered. */
static inline async_status
async_nats_parked_next(struct async_loop *loop, struct async_nats_jobs *jobs,
                       struct async_nats_parked *parked)
{
    parked->jobs_ = jobs;
    return async_offload(loop, jobs->executor_, &parked->ticket_,
                         async_nats_parked_looks_, parked);
}

/* In this order: what is killed in between has it twice, not never. */
static inline int async_nats_parked_ends_(struct async_job *job, void *arg)
{
    struct async_nats_parked *self = (struct async_nats_parked *)arg;
    struct async_nats_jobs *jobs = self->jobs_;
    char subject[ASYNC_NATS_JOBS_SUBJECT_], same[32];
    struct async_nats_function function = ASYNC_ZERO_;
    natsMsg *parked = NULL, *message = NULL;
    jsDirectGetMsgOptions which;
    jsPubOptions options;
    natsStatus status = NATS_OK;

    (void)job;
    if (async_nats_jobs_away_(jobs))
        return ASYNC_NATS_EGONE;
    function.name = self->function;
    function.version = self->version;
    if (async_nats_jobs_subject_(subject, "jobs", jobs, &function) < 0)
        return ASYNC_EINVAL;
    (void)jsDirectGetMsgOptions_Init(&which);
    which.Sequence = self->number;
    (void)snprintf(same, sizeof same, "parked-%llu",
                   (unsigned long long)self->number);
    (void)jsPubOptions_Init(&options);
    options.MsgId = same;
    if (self->puts_back_) {
        status =
            js_DirectGetMsg(&parked, jobs->js_, jobs->parked_, NULL, &which);
        if (status == NATS_OK)
            status =
                natsMsg_Create(&message, subject, NULL, natsMsg_GetData(parked),
                               natsMsg_GetDataLength(parked));
        if (status == NATS_OK && *self->id)
            status = natsMsgHeader_Set(message, "Async-Id", self->id);
        if (status == NATS_OK)
            status = js_PublishMsg(NULL, jobs->js_, message, &options, NULL);
    }
    if (status == NATS_OK)
        status =
            js_DeleteMsg(jobs->js_, jobs->parked_, self->number, NULL, NULL);
    natsMsg_Destroy(message);
    natsMsg_Destroy(parked);
    return async_nats_jobs_error_(status);
}

/* Awaitable: the parked job waits for a worker again, with all its tries. A
 * retry that has failed may be repeated. Errors as in NAME_submit;
 * ASYNC_EINVAL: it is gone. If canceled here: when the server has answered. */
static inline async_status
async_nats_parked_retry(struct async_loop *loop, struct async_nats_jobs *jobs,
                        struct async_nats_parked *parked)
{
    parked->jobs_ = jobs;
    parked->puts_back_ = 1;
    return async_offload(loop, jobs->executor_, &parked->ticket_,
                         async_nats_parked_ends_, parked);
}

/* Awaitable: the parked job is thrown away. Otherwise the same. */
static inline async_status
async_nats_parked_drop(struct async_loop *loop, struct async_nats_jobs *jobs,
                       struct async_nats_parked *parked)
{
    parked->jobs_ = jobs;
    parked->puts_back_ = 0;
    return async_offload(loop, jobs->executor_, &parked->ticket_,
                         async_nats_parked_ends_, parked);
}

#endif /* ASYNC_NATS_JOBS_STORE_H */

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
