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
 *    server knew. `id` is the same in each run.
 * 2. A submission is done once the server has the job in its file, and what it
 *    has survives its kill; a cut of power only if that is longer ago than the
 *    server's sync_interval (2 minutes, unless it is configured; or replicas).
 *    If it fails nothing was promised, but the job may be there. The same call
 *    with the same arguments is then the same job, and is kept once, if it
 *    comes within same_ms. After a restart the server knows only the ids of
 *    jobs that are not done.
 * 3. Tries are counted by the server, as deliveries: also those to a worker
 *    that died. A kill of the server may take one back.
 * 4. The executor is for what is said to the server, which blocks; two threads
 *    do. It is not the one that runs jobs: those would hold up the word that
 *    they are alive (asserted).
 * 5. Jobs of a version that nobody works on wait, without end, and are counted.
 *    Those of a version are of one shape: others are parked.
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

#include "../async_atomic.h"
#include "../async_future.h"  /* a message has arrived, a drain is asked for */
#include "../async_group.h"   /* a worker's slots */
#include "../async_retry.h"   /* pauses */
#include "../async_thread.h"  /* what is said to the server */
#include "../async_timeout.h" /* signs of life */
#include "async_nats_wire.h"

#include <nats/nats.h>
#include <stdio.h>  /* snprintf */
#include <stdlib.h> /* a submission's bytes; strtol */

/* ---- types -------------------------------------------------------------- */

#ifndef ASYNC_NATS_TEXT
#define ASYNC_NATS_TEXT 120 /* bytes of a failure's text, its NUL included */
#endif

enum {
    ASYNC_NATS_JOBS_NAME = 32,      /* bytes of a name, its NUL included */
    ASYNC_NATS_JOBS_SUBJECT_ = 256, /* with a function's name in it */
    ASYNC_NATS_JOBS_ASK_MS_ = 2000, /* a slot asks for a job for so long */
    ASYNC_NATS_JOBS_PAUSE_MS_ = 250 /* and not again before, if it is refused */
};

/* Jobs that are submitted here, worked on here, or both, and a connection of
 * their own. Yours; all-zero, but for what is yours, before the open. */
struct async_nats_jobs {
    /* yours, before the open; 0 is what is said here. Of streams that are there
     * already, only what their maker has said counts */
    struct async_retry retry; /* 5 tries in all; 1 s before the second, then
                               * twice as long each time, up to 1 minute */
    uint32_t silent_ms; /* 30000; a worker that is silent for so long is dead */
    uint32_t same_ms;   /* 120000; an id within so long is the same job */
    uint32_t wait_ms;   /* 5000; the server answers within, or it is gone */
    int replicas;       /* 1; servers of a cluster that keep each job */

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
    int left_; /* the subscription ends */
    char inbox_[64], next_[ASYNC_NATS_JOBS_SUBJECT_];
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

/* A name that may be part of a subject. */
static inline int async_nats_jobs_name_(const char *name, size_t most)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz_-0123456789"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    return length > 0 && length < most && name[length] == 0;
}

/* "async.<what>.<jobs>.<function>.<version>". 0; ASYNC_EINVAL: too long. */
static inline int
async_nats_jobs_subject_(char *out, const char *what,
                         const struct async_nats_jobs *jobs,
                         const struct async_nats_function *function)
{
    int length = snprintf(out, ASYNC_NATS_JOBS_SUBJECT_, "async.%s.%s.%s.%lu",
                          what, jobs->name_, function->name,
                          (unsigned long)function->version);

    return length < ASYNC_NATS_JOBS_SUBJECT_ &&
                   async_nats_jobs_name_(function->name, 64)
               ? 0
               : ASYNC_EINVAL;
}

/* What is to be said has no end while the server is away; so it is not begun.
 */
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

/* Awaitable: connects, on a thread, and makes the streams of these jobs if they
 * are not there. `name` is of letters, digits, _ and -, up to 31. `options`,
 * yours until this is over, say where the server is and who we are; NULL:
 * nats://127.0.0.1:4222, and to reconnect for ever. ASYNC_EBUSY: it is open;
 * ASYNC_EINVAL: such a name cannot be; ASYNC_NATS_EGONE: no server, or it has no JetStream; EREFUSED;
 * ASYNC_EFULL: the server would not; what async_offload returns. Then see
 * `reason`. If canceled here: it ends when the thread does, and is to be
 * closed all the same. */
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
        (void)snprintf(jobs->name_, sizeof jobs->name_, "%s", name);
        (void)snprintf(jobs->stream_, sizeof jobs->stream_, "async_jobs_%s",
                       name);
        (void)snprintf(jobs->parked_, sizeof jobs->parked_, "async_parked_%s",
                       name);
        if (!jobs->retry.tries)
            jobs->retry.tries = 5;
        if (!jobs->retry.first_ms)
            jobs->retry.first_ms = 1000;
        if (!jobs->retry.max_ms)
            jobs->retry.max_ms = 60000;
        if (!jobs->silent_ms)
            jobs->silent_ms = 30000;
        if (!jobs->same_ms)
            jobs->same_ms = 120000;
        if (!jobs->wait_ms)
            jobs->wait_ms = 5000;
        if (!jobs->replicas)
            jobs->replicas = 1;
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

/* FNV-1a, 64 bits. */
static inline uint64_t async_nats_jobs_print_(const unsigned char *at,
                                              size_t length)
{
    uint64_t hash = 14695981039346656037u;

    while (length--)
        hash = (hash ^ *at++) * 1099511628211u;
    return hash;
}

/* The job's id: that of the last submission, if this is the same again. */
static inline natsStatus
async_nats_submission_id_(struct async_nats_submission *self, uint64_t print)
{
    natsInbox *unique = NULL;
    natsStatus status;

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
    int error = async_nats_jobs_subject_(subject, "jobs", self->jobs_,
                                         self->function_);

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
    status =
        async_nats_submission_id_(self, async_nats_jobs_print_(bytes, size));
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

static inline int async_nats_runs_job_(const struct async_frame *frame)
{
    return frame->state_ != ASYNC_AT_START_ && frame->state_ != ASYNC_AT_END_;
}

static inline void
async_nats_submission_prepare_(struct async_nats_submission *self,
                               struct async_nats_jobs *jobs,
                               const struct async_nats_function *function,
                               const void *arguments)
{
    static const struct async_frame zero = ASYNC_ZERO_;

    ASYNC_ASSERT(!async_nats_runs_job_(&self->async),
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

/* ---- a job's fate, told by a thread ------------------------------------- */

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

/* Done with, and the server has said that it knows. It tries for a while: what
 * it does not know it gives to somebody again. */
static inline void async_nats_job_is_done_(struct async_job *job,
                                           struct async_nats_job *self)
{
    natsMsg *known = NULL;
    int tries = 0;

    while (natsConnection_RequestString(
               &known, self->jobs->connection_, self->ack_, "+ACK",
               self->jobs->wait_ms) != NATS_OK &&
           ++tries < 3 && !async_job_canceled(job))
        ;
    natsMsg_Destroy(known);
}

/* To be tried again, after a pause. */
static inline void async_nats_job_again_(struct async_nats_job *self,
                                         uint32_t pause_ms)
{
    char said[64];

    (void)snprintf(said, sizeof said, "-NAK {\"delay\": %llu}",
                   (unsigned long long)pause_ms * 1000000u);
    (void)async_nats_job_says_(self, pause_ms ? said : "-NAK");
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
    status = natsMsg_Create(&parked, subject, NULL,
                            natsMsg_GetData(self->message_),
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

/* How the job has ended is told, and its message goes. */
static inline int async_nats_job_settles_(struct async_job *job, void *arg)
{
    struct async_nats_job *self = (struct async_nats_job *)arg;

    if (self->status_ > 0)
        async_nats_job_is_done_(job, self);
    else if (self->gives_back_)
        async_nats_job_again_(self, 0);
    else if (!async_nats_job_is_lost_(self))
        async_nats_job_again_(self, async_nats_job_pause_(self));
    else if (async_nats_job_park_(self) == NATS_OK)
        async_nats_job_is_done_(job, self);
    else
        async_nats_job_again_(self, self->jobs->retry.first_ms);
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

    self->ack_ = natsMsg_GetReply(self->message_);
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
    error = async_nats_decode_(&kind->function->arguments,
                               frame + kind->arguments,
                               data + ASYNC_NATS_HEAD_, head.length);
    if (error < 0)
        return error;
    return self->tries > self->jobs->retry.tries ? ASYNC_NATS_EDIED : 0;
}

static inline int async_nats_jobs_drains_(const struct async_nats_jobs *jobs)
{
    return async_future_outcome(&jobs->drain_) != ASYNC_PENDING;
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
    while (!async_nats_jobs_drains_(self->jobs)) {
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
        if (self->rc_ == ASYNC_ECANCELED)
            async_fail(ASYNC_ECANCELED);
        if (self->rc_ == ASYNC_ETIMEDOUT &&
            !async_atomic_swap_if_(&self->asks_, 1, 0))
            async_catch(self->rc_, async_future_wait(loop, &self->arrival_));
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
        async_await(async_offload(loop, executor, &self->ticket_,
                                  async_nats_job_settles_, self));
    }
    async_finally();
    if (self->is_asking_ && !async_atomic_swap_if_(&self->asks_, 1, 0))
        async_catch(self->rc_, async_future_wait(loop, &self->arrival_));
    if (self->runs_) {
        async_cancel(loop, &self->runner_);
        async_catch(self->status_, async_join(loop, &self->runner_));
    }
    if (self->message_) {
        self->ack_ = natsMsg_GetReply(self->message_);
        self->gives_back_ = self->runs_ || self->status_ == ASYNC_PENDING;
        async_catch(self->rc_, async_offload(loop, executor, &self->ticket_,
                                             async_nats_job_settles_, self));
    }
    natsMsg_Destroy(self->message_); /* if there are no threads any more */
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
    char subject[ASYNC_NATS_JOBS_SUBJECT_], consumer[96];
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
    (void)snprintf(consumer, sizeof consumer, "%s_%lu", function->name,
                   (unsigned long)function->version);
    (void)snprintf(self->next_, sizeof self->next_,
                   "$JS.API.CONSUMER.MSG.NEXT.%s.%s", jobs->stream_, consumer);
    (void)jsConsumerConfig_Init(&config);
    config.Durable = consumer;
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
    return async_nats_jobs_error_(status);
}

/* The server sends us nothing more, and async_nats_jobs_left_ tells when all
 * that it has sent has arrived. */
static inline int async_nats_jobs_leaves_(struct async_job *job, void *arg)
{
    struct async_nats_jobs_worker *self = (struct async_nats_jobs_worker *)arg;

    (void)job;
    self->left_ = 1;
    if (natsSubscription_DrainTimeout(self->subscription_,
                                      self->jobs_->wait_ms) != NATS_OK)
        (void)natsSubscription_Unsubscribe(self->subscription_);
    return 0;
}

/* Until a drain, and then until nothing can arrive any more; who still asks for
 * a job gets none. */
static inline async_status
async_nats_jobs_until_(struct async_loop *loop,
                       struct async_nats_jobs_worker *worker)
{
    struct async_nats_jobs_body_ *self = &worker->body_;

    async_begin(self);
    async_await(async_future_wait(loop, &worker->jobs_->drain_));
    async_await(async_offload(loop, worker->jobs_->executor_, &worker->ticket_,
                              async_nats_jobs_leaves_, worker));
    async_await(async_future_wait(loop, &worker->closed_));
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
    async_await(async_group(loop, &self->group_,
                            async_nats_jobs_until_(loop, self)));
    async_finally();
    if (self->subscription_ && !self->left_)
        async_catch(self->left_, async_offload(loop, executor, &self->ticket_,
                                               async_nats_jobs_leaves_, self));
    if (self->left_ < 0) /* there are no threads any more */
        (void)natsSubscription_Unsubscribe(self->subscription_);
    if (self->subscription_)
        async_await(async_future_wait(loop, &self->closed_));
    natsSubscription_Destroy(self->subscription_);
    self->subscription_ = NULL;
    async_end();
}

/* ---- the line of a job -------------------------------------------------- */

static inline void async_nats_jobs_prepare_(
    struct async_nats_jobs_worker *self, struct async_nats_jobs *jobs,
    const struct async_nats_job_kind_ *kind, async_fn *fn, void *slots,
    size_t size, unsigned count)
{
    static const struct async_nats_jobs_worker zero = ASYNC_ZERO_;
    void *arg = self->arg;
    unsigned i;

    ASYNC_ASSERT(!async_nats_runs_job_(&self->async),
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
 *         many run at a time; it is made all-zero, and stays until that is over.
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
        if (!async_nats_runs_job_(&call->submission.async))                    \
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
            status = natsMsg_Create(&message, subject, NULL,
                                    natsMsg_GetData(parked),
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
 * retry that has failed may be repeated. Errors as in NAME_submit; ASYNC_EINVAL:
 * it is not there any more. If canceled here: when the server has answered. */
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
