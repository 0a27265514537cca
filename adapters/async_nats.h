/* async_nats.h: functions in other processes, on other machines, awaited as if
 * they were here.
 * SPDX-License-Identifier: MIT
 *
 * A NATS server carries the calls, its C client (libnats) talks to it, and this
 * runs that client on your loop. One line describes a function to both sides: a
 * worker serves it (async_nats_worker.h), a caller awaits it. Timeouts,
 * cancels, gather, race and limits work on it as on anything.
 *
 *     #include <stdio.h>
 *     #include "adapters/async_nats.h"
 *
 *     ASYNC_NATS_FUNCTION(calc_pi, 1, (i64, begin, i64, end), (f64, sum))
 *
 *     struct program {
 *         struct async_frame async;
 *         struct async_nats nats;
 *         struct calc_pi_remote call;
 *     };
 *
 *     static async program(struct async_loop *loop, void *frame)
 *     {
 *         static const struct calc_pi_arguments all = {0, 10000000};
 *         struct program *self = frame;
 *
 *         async_begin(self);
 *         await(async_nats_open(loop, &self->nats, NULL));
 *         await(calc_pi_remote_call(loop, &self->nats, &self->call, all));
 *         printf("%.6f\n", 4 * self->call.result.sum);
 *     async_finally();
 *         await(async_nats_close(loop, &self->nats));
 *         async_end();
 *     }
 *
 *     int main(void)
 *     {
 *         static struct async_loop loop;
 *         static struct program frame;
 *         async_status status = async_run(&loop, program, &frame);
 *
 *         if (status < 0)
 *             printf("%s\n", async_nats_strerror(status));
 *         return status < 0;
 *     }
 *
 * prints (cc with -lnats -pthread), if examples/remote/worker.c runs,
 *
 *     3.141593
 *
 * and at once, if nobody serves calc_pi,
 *
 *     nobody serves this function
 *
 * Rules
 * 1. A call stays where it is until its await is over; the connection, until
 *    async_nats_close is, without which the loop does not end: in a finally
 *    section, as above.
 * 2. All of it is the loop's thread's. Code that blocks uses the blocking
 *    forms: another thread may drive the loop, or nobody.
 * 3. A call that is not tried again runs once, or fails and may have run. One
 *    that is (see `retry`) keeps its id: the worker that has it, or has had it
 *    a moment ago, answers without running it twice; another worker runs it
 *    again. Its caller gets one answer, the first.
 * 4. The host watches descriptors (all of adapters/ but a superloop). What is
 *    allocated is the client's: its messages, its buffers, and one buffer here
 *    that grows to the largest message.
 *
 * How a call ends
 *
 *     nobody serves it           ASYNC_NATS_ENOBODY, at once: the server knows
 *     its worker dies            ASYNC_NATS_EDIED, within ping_ms; within
 *                                lost_ms if that had not yet begun with it
 *     its worker hangs           ASYNC_NATS_EDIED after four times ping_ms
 *     the server goes            ASYNC_NATS_EGONE, at once. Tried again, it is
 *                                asked for when the server is back: its worker
 *                                has four times ping_ms to be back too
 *     its worker is busy         it is offered again, until one is not
 *     it fails                   ASYNC_NATS_EFAILED, with `code` and `text`
 *     it is canceled here        it is canceled there, and not waited for
 */
#ifndef ASYNC_NATS_H
#define ASYNC_NATS_H

#include "../async_remote.h"  /* the blocking form, for another thread */
#include "../async_timeout.h" /* pings */
#include "async_nats_connection.h"
#include "poll.h" /* the blocking form, when nobody drives the loop */

/* ---- types -------------------------------------------------------------- */

#ifndef ASYNC_NATS_TEXT
#define ASYNC_NATS_TEXT 120 /* bytes of a failure's text, its NUL included */
#endif

enum {                          /* what a call is */
       ASYNC_NATS_IS_SENT_ = 1, /* it is in the table */
       ASYNC_NATS_IS_ACCEPTED_ = 2,
       ASYNC_NATS_IS_RESUMED_ = 4 /* its worker may not be back yet */
};

/* A call. Yours, in a struct that the function's line declares; all-zero before
 * its first. */
struct async_nats_call {
    struct async_frame async; /* first */

    /* yours, after it was prepared */
    const struct async_nats_handle *to; /* an actor; NULL: whoever serves it */
    struct async_retry retry;

    /* to read */
    uint16_t tries; /* how often it was tried; not who was busy */

    /* of one that failed with ASYNC_NATS_EFAILED */
    int32_t code; /* the function's error, a number of the worker's system */
    char text[ASYNC_NATS_TEXT];

    /* private */
    struct async_nats *nats_;
    const struct async_nats_function *function_;
    uint32_t signature_; /* its */
    const void *arguments_;
    void *result_;
    uint64_t number_;
    struct async_nats_call *next_;
    struct async_event told_; /* there is news */
    struct async_timer timer_;
    struct async_retry busy_;
    int status_, caught_;
    uint8_t is_, tried_, pings_; /* pings that were not answered */
    char worker_[40];            /* the one that has accepted it */
};

/* ---- the line of a function --------------------------------------------- */

/* What async_nats_wire.h describes, and to call it, for calc_pi:
 *
 *     struct calc_pi_remote
 *         A call. Yours; all-zero before the first, then one call after the
 *         other. Its members: `call`, `arguments`, `result`, which is set when
 *         the await is done. By async_outcome(&self->call.call.async) it tells
 *         how it ended.
 *
 *     async_status calc_pi_remote_call(loop, nats, struct calc_pi_remote *call,
 *                                      struct calc_pi_arguments arguments)
 *     async_status calc_pi_remote_call_on(loop, nats, const struct
 *                     async_nats_handle *actor, call, arguments)
 *         Awaitables: call it where it is served; the second, of an actor. The
 *         first arguments count. Done when there is a result; else an
 *         ASYNC_NATS_E..., or ASYNC_ECLOSED: the connection was closed. If
 *         canceled here: it is canceled there; then ASYNC_ECANCELED, at once.
 *
 *     struct calc_pi_remote *calc_pi_remote_prepare(call, nats, arguments)
 *         The same in two steps, for many at once: gives the call its arguments
 *         and an id, and returns it; not while it runs (asserted).
 *
 *     async_status calc_pi_remote_task(loop, void *call)
 *         An async_fn, to be spawned or given to async_map with a call, or an
 *         array of calls, that were prepared. Awaitable, as
 * calc_pi_remote_call.
 *
 *     async_status calc_pi_remote_blocking(nats, call, arguments, timeout_ms)
 *         Calls it, and blocks this thread until that is over, as
 *         async_nats_block does.
 */
#define ASYNC_NATS_FUNCTION(name, version, arguments, result)                  \
    ASYNC_NATS_DESCRIBE_(name, version, arguments, result)                     \
    ASYNC_NATS_REMOTE_(name)

#define ASYNC_NATS_REMOTE_(name)                                               \
    struct name##_remote {                                                     \
        struct async_nats_call call;                                           \
        struct name##_arguments arguments;                                     \
        struct name##_result result;                                           \
    };                                                                         \
    ASYNC_UNUSED_ static inline struct name##_remote *name##_remote_prepare(   \
        struct name##_remote *call, struct async_nats *nats,                   \
        struct name##_arguments arguments)                                     \
    {                                                                          \
        async_nats_prepare_(&call->call, nats, name##_function(),              \
                            &call->arguments, &call->result);                  \
        call->arguments = arguments;                                           \
        return call;                                                           \
    }                                                                          \
    ASYNC_UNUSED_ static inline async_status name##_remote_task(               \
        struct async_loop *loop, void *frame)                                  \
    {                                                                          \
        return async_nats_call_(loop, (struct async_nats_call *)frame);        \
    }                                                                          \
    ASYNC_UNUSED_ static inline async_status name##_remote_call_on(            \
        struct async_loop *loop, struct async_nats *nats,                      \
        const struct async_nats_handle *actor, struct name##_remote *call,     \
        struct name##_arguments arguments)                                     \
    {                                                                          \
        if (!async_frame_runs_(&call->call.async))                             \
            name##_remote_prepare(call, nats, arguments)->call.to = actor;     \
        return async_nats_call_(loop, &call->call);                            \
    }                                                                          \
    ASYNC_UNUSED_ static inline async_status name##_remote_call(               \
        struct async_loop *loop, struct async_nats *nats,                      \
        struct name##_remote *call, struct name##_arguments arguments)         \
    {                                                                          \
        return name##_remote_call_on(loop, nats, NULL, call, arguments);       \
    }                                                                          \
    ASYNC_UNUSED_ static inline async_status name##_remote_blocking(           \
        struct async_nats *nats, struct name##_remote *call,                   \
        struct name##_arguments arguments, uint32_t timeout_ms)                \
    {                                                                          \
        (void)name##_remote_prepare(call, nats, arguments);                    \
        return async_nats_block(nats, name##_remote_task, call, timeout_ms);   \
    }

/* ---- calls in flight ---------------------------------------------------- */

static inline struct async_nats_call **async_nats_find_(struct async_nats *nats,
                                                        uint64_t number)
{
    struct async_nats_call **link = &nats->calls_[number % ASYNC_NATS_BUCKETS_];

    while (*link && (*link)->number_ != number)
        link = &(*link)->next_;
    return link;
}

/* No answer finds it any more. */
static inline void async_nats_leave_(struct async_nats_call *call)
{
    struct async_nats_call **link =
        async_nats_find_(call->nats_, call->number_);

    if (call->is_ & ASYNC_NATS_IS_SENT_)
        *link = call->next_;
    call->is_ &= (uint8_t)~ASYNC_NATS_IS_SENT_;
}

/* This try is over. */
static inline void async_nats_settle_(struct async_nats_call *call,
                                      async_status status)
{
    async_nats_leave_(call);
    call->status_ = status;
    async_event_set(call->nats_->loop, &call->told_);
}

static inline void async_nats_calls_end_(struct async_nats *nats,
                                         async_status status)
{
    size_t i;

    for (i = 0; i < ASYNC_NATS_BUCKETS_; i++)
        while (nats->calls_[i])
            async_nats_settle_(nats->calls_[i], status);
}

static inline struct async_nats_head
async_nats_head_(const struct async_nats *nats, uint8_t kind, uint64_t number)
{
    struct async_nats_head head = ASYNC_ZERO_;

    head.kind = kind;
    head.origin = nats->origin_;
    head.number = number;
    return head;
}

static inline unsigned async_nats_digits_(uint64_t number)
{
    unsigned digits = 1;

    while (number >>= 4)
        digits++;
    return digits;
}

/* The reply subject of this try. */
static inline void async_nats_address_(const struct async_nats_call *call,
                                       char *subject)
{
    char *at = async_nats_append_(subject, subject, call->nats_->address_);

    at = async_nats_append_(subject, at, ".n.");
    at = async_nats_append_hex_(subject, at, call->tried_, 2);
    at = async_nats_append_(subject, at, ".");
    (void)async_nats_append_hex_(subject, at, call->number_,
                                 async_nats_digits_(call->number_));
}

/* To the worker that has accepted it. */
static inline void async_nats_tell_worker_(const struct async_nats_call *call,
                                           uint8_t kind)
{
    struct async_nats_head head =
        async_nats_head_(call->nats_, kind, call->number_);
    char reply[ASYNC_NATS_SUBJECT_];

    async_nats_address_(call, reply);
    (void)async_nats_send_(call->nats_, call->worker_,
                           kind == ASYNC_NATS_PING_ ? reply : NULL, &head, NULL,
                           NULL);
}

/* Answers find it from now on. */
static inline void async_nats_enter_(struct async_nats_call *call, uint8_t is)
{
    struct async_nats_call **link =
        &call->nats_->calls_[call->number_ % ASYNC_NATS_BUCKETS_];

    call->is_ = (uint8_t)(ASYNC_NATS_IS_SENT_ | is);
    call->next_ = *link;
    *link = call;
}

/* Where it is served. Returns ASYNC_DONE, ASYNC_EINVAL. */
static inline int async_nats_subject_(const struct async_nats_call *call,
                                      char *subject)
{
    char *at = async_nats_append_(subject, subject, "async.call.");

    if (call->to) {
        if (!async_nats_is_name_(call->to->name))
            return ASYNC_EINVAL;
        at = async_nats_append_(subject, subject, "async.actor.");
        at = async_nats_append_(subject, at, call->to->name);
        at = async_nats_append_(subject, at, ".");
    }
    (void)async_nats_append_(subject, at, call->function_->name);
    return ASYNC_DONE;
}

/* Sends it; or asks for it, if only the server was lost, and not the worker
 * that had accepted it. Returns ASYNC_PENDING, or an error. */
static inline async_status async_nats_try_(struct async_nats_call *call)
{
    struct async_nats *nats = call->nats_;
    struct async_nats_head head =
        async_nats_head_(nats, ASYNC_NATS_CALL_, call->number_);
    char subject[ASYNC_NATS_SUBJECT_], reply[ASYNC_NATS_SUBJECT_];
    int error;

    if (nats->closed_)
        return ASYNC_ECLOSED;
    if (nats->fd_ < 0)
        return ASYNC_NATS_EGONE;
    call->tried_++;
    if (call->worker_[0]) {
        call->pings_ = 1;
        async_nats_tell_worker_(call, ASYNC_NATS_PING_);
        async_nats_enter_(call,
                          ASYNC_NATS_IS_ACCEPTED_ | ASYNC_NATS_IS_RESUMED_);
        return ASYNC_PENDING;
    }
    call->pings_ = 0;
    async_nats_address_(call, reply);
    head.signature = call->signature_;
    error = async_nats_subject_(call, subject);
    if (error > 0)
        error = async_nats_send_(nats, subject, reply, &head,
                                 &call->function_->arguments, call->arguments_);
    if (error < 0)
        return error;
    async_nats_enter_(call, 0);
    return ASYNC_PENDING;
}

/* How long may pass without a word, in milliseconds. A worker that comes back
 * should be asked before it forgets. */
static inline uint32_t async_nats_patience_(const struct async_nats_call *call)
{
    if (call->is_ & ASYNC_NATS_IS_RESUMED_)
        return call->nats_->ping_ms / 8 + 1;
    return call->is_ & ASYNC_NATS_IS_ACCEPTED_ ? call->nats_->ping_ms
                                               : call->nats_->lost_ms;
}

/* It has passed. */
static inline void async_nats_doubt_(struct async_nats_call *call)
{
    unsigned most = call->is_ & ASYNC_NATS_IS_RESUMED_ ? 31 : 3;

    if (!(call->is_ & ASYNC_NATS_IS_ACCEPTED_) || call->pings_ == most) {
        async_nats_settle_(call, ASYNC_NATS_EDIED);
        return;
    }
    call->pings_++;
    async_nats_tell_worker_(call, ASYNC_NATS_PING_);
}

/* ---- answers ------------------------------------------------------------ */

/* What is named there is a worker's own subject. */
static inline int async_nats_is_worker_(const char *subject)
{
    static const char prefix[] = "async.worker.";

    return subject && strncmp(subject, prefix, sizeof prefix - 1) == 0 &&
           async_nats_is_name_(subject + sizeof prefix - 1);
}

static inline void async_nats_accepted_(struct async_nats_call *call,
                                        const char *worker)
{
    if (!async_nats_is_worker_(worker) ||
        strlen(worker) >= sizeof call->worker_) {
        async_nats_settle_(call, ASYNC_NATS_EMALFORMED);
        return;
    }
    memcpy(call->worker_, worker, strlen(worker) + 1);
    call->is_ |= ASYNC_NATS_IS_ACCEPTED_;
    async_event_set(call->nats_->loop, &call->told_);
}

static inline async_status
async_nats_result_(struct async_nats_call *call,
                   const struct async_nats_head *head,
                   const unsigned char *body)
{
    if (head->signature != call->signature_ ||
        async_nats_decode_(&call->function_->result, call->result_, body,
                           head->length) < 0)
        return ASYNC_NATS_EMALFORMED;
    return ASYNC_DONE;
}

static inline async_status
async_nats_failed_(struct async_nats_call *call,
                   const struct async_nats_head *head,
                   const unsigned char *body)
{
    size_t length =
        head->length < ASYNC_NATS_TEXT ? head->length : ASYNC_NATS_TEXT - 1;

    call->code = head->code;
    memcpy(call->text, body, length);
    call->text[length] = 0;
    return ASYNC_NATS_EFAILED;
}

static inline async_status
async_nats_refused_(const struct async_nats_head *head)
{
    return head->code > ASYNC_NATS_EUNKNOWN || head->code < ASYNC_NATS_ESIZE
               ? ASYNC_NATS_EMALFORMED
               : head->code;
}

/* What has come for a call; `is_late`: to an earlier try. */
static inline void async_nats_answer_(struct async_nats_call *call,
                                      const struct async_nats_head *head,
                                      const unsigned char *body,
                                      const char *from, int is_late)
{
    switch (head->kind) {
    case ASYNC_NATS_RESULT_:
        async_nats_settle_(call, async_nats_result_(call, head, body));
        return;
    case ASYNC_NATS_FAILED_:
        async_nats_settle_(call, async_nats_failed_(call, head, body));
        return;
    case ASYNC_NATS_REFUSED_:
        async_nats_settle_(call, async_nats_refused_(head));
        return;
    case ASYNC_NATS_ACCEPTED_:
        if (!is_late)
            async_nats_accepted_(call, from);
        return;
    case ASYNC_NATS_BUSY_:
        if (!is_late)
            async_nats_settle_(call, ASYNC_EFULL);
        return;
    case ASYNC_NATS_RUNNING_:
        if (!is_late) {
            call->pings_ = 0;
            call->is_ &= (uint8_t)~ASYNC_NATS_IS_RESUMED_;
        }
        return;
    case ASYNC_NATS_FORGOTTEN_:
        if (!is_late)
            async_nats_settle_(call, ASYNC_NATS_EDIED);
        return;
    case ASYNC_NATS_NOBODY_:
        if (!is_late && !(call->is_ & ASYNC_NATS_IS_RESUMED_))
            async_nats_settle_(call, call->is_ & ASYNC_NATS_IS_ACCEPTED_
                                         ? ASYNC_NATS_EDIED
                                         : ASYNC_NATS_ENOBODY);
        return;
    default:
        if (!is_late)
            async_nats_settle_(call, ASYNC_NATS_EMALFORMED);
    }
}

/* The server says that there is nobody; or somebody has answered who does not
 * speak as we do. libnats does not tell the loop's thread for which message the
 * first is: this is one of its own threads, and sends it on as an answer. */
static inline void async_nats_nobody_(natsConnection *connection,
                                      natsSubscription *subscription,
                                      natsMsg *message, void *arg)
{
    const char *number = strrchr(natsMsg_GetSubject(message), '.') + 1;
    struct async_nats_head head = ASYNC_ZERO_;
    unsigned char bytes[ASYNC_NATS_HEAD_];
    char subject[ASYNC_NATS_SUBJECT_];

    (void)subscription;
    (void)arg;
    if (async_nats_read_hex_(number, 16, &head.number)) {
        head.kind = natsMsg_IsNoResponders(message) ? ASYNC_NATS_NOBODY_
                                                    : ASYNC_NATS_GARBAGE_;
        async_nats_put_head_(&head, bytes);
        (void)async_nats_append_(subject, subject, natsMsg_GetSubject(message));
        async_nats_turn_address_(subject);
        (void)natsConnection_Publish(connection, subject, bytes, sizeof bytes);
    }
    natsMsg_Destroy(message);
}

/* Something has come to our address. */
static inline void async_nats_receive_(struct async_nats *nats,
                                       struct async_nats_inlet_ *inlet,
                                       natsMsg *message)
{
    const char *token = strrchr(natsMsg_GetSubject(message), '.') + 1;
    const unsigned char *data = (const unsigned char *)natsMsg_GetData(message);
    const char *from = natsMsg_GetReply(message);
    struct async_nats_head head;
    struct async_nats_call *call;
    uint64_t number, tried;
    int error;

    (void)inlet;
    if (*token == 's') {
        if (async_nats_read_hex_(token + 1, 16, &number) == 16) {
            nats->seen_ = number;
            async_event_set(nats->loop, &nats->flushed_);
        }
        return;
    }
    error = async_nats_get_head_(&head, data,
                                 (size_t)natsMsg_GetDataLength(message));
    if (async_nats_read_hex_(token, 2, &tried) < 2 ||
        (head.origin != nats->origin_ && head.kind < ASYNC_NATS_NOBODY_))
        return; /* nobody knows whose answer it is */
    call = *async_nats_find_(nats, head.number);
    if (call && error < 0) {
        async_nats_settle_(call, error);
    } else if (call) {
        async_nats_answer_(call, &head, data + ASYNC_NATS_HEAD_, from,
                           tried != call->tried_);
    } else if (!error && head.kind == ASYNC_NATS_ACCEPTED_ &&
               async_nats_is_worker_(from)) {
        head = async_nats_head_(nats, ASYNC_NATS_CANCEL_, head.number);
        (void)async_nats_send_(nats, from, NULL, &head, NULL, NULL);
    }
}

/* ---- a call ------------------------------------------------------------- */

static inline void
async_nats_prepare_(struct async_nats_call *call, struct async_nats *nats,
                    const struct async_nats_function *function,
                    const void *arguments, void *result)
{
    uint32_t signature = call->signature_;

    ASYNC_ASSERT(!async_frame_runs_(&call->async),
                 "a remote call is prepared while it runs: await it first, or "
                 "use another call; or its storage was not all-zero");
    if (call->function_ != function) /* it takes a while to count */
        signature = async_nats_signature_(function);
    memset(call, 0, sizeof *call);
    call->retry = nats->retry;
    call->nats_ = nats;
    call->function_ = function;
    call->signature_ = signature;
    call->arguments_ = arguments;
    call->result_ = result;
}

/* True if a new try may help. */
static inline int async_nats_may_help_(async_status status)
{
    return status == ASYNC_NATS_ENOBODY || status == ASYNC_NATS_EDIED ||
           status == ASYNC_NATS_EGONE;
}

static inline async_status async_nats_call_(struct async_loop *loop,
                                            struct async_nats_call *call)
{
    struct async_nats *nats = call->nats_;

    async_begin(call);
    call->number_ = ++nats->numbers_;
    call->tries = 1;
    call->busy_.first_ms = 5;
    call->busy_.max_ms = 100;
    call->busy_.seed = (uint32_t)(nats->origin_ + call->number_) | 1;
    do {
        if (nats->fd_ < 0 && !nats->closed_ && call->retry.tries != 1)
            async_await(async_event_wait(loop, &nats->turned_));
        call->status_ = async_nats_try_(call);
        while (call->status_ == ASYNC_PENDING) {
            async_event_clear(loop, &call->told_);
            async_catch(call->caught_,
                        async_timeout(loop, &call->timer_,
                                      async_nats_patience_(call),
                                      async_event_wait(loop, &call->told_)));
            if (call->caught_ == ASYNC_ETIMEDOUT)
                async_nats_doubt_(call);
            else if (call->caught_ < 0)
                async_fail(call->caught_);
        }
        if (call->status_ != ASYNC_NATS_EGONE)
            call->worker_[0] = 0;
        if (call->status_ == ASYNC_EFULL) {
            async_await(async_retry_wait(loop, &call->busy_, call->status_));
        } else if (async_nats_may_help_(call->status_)) {
            async_await(async_retry_wait(loop, &call->retry, call->status_));
            call->tries++;
        } else if (call->status_ < 0) {
            async_fail(call->status_);
        }
    } while (call->status_ < 0);
    async_finally();
    if (call->is_ & ASYNC_NATS_IS_SENT_ && call->worker_[0])
        async_nats_tell_worker_(call, ASYNC_NATS_CANCEL_);
    async_nats_leave_(call);
    async_end();
}

/* ---- open, flush, close ------------------------------------------------- */

/* To what comes to our two addresses. */
static inline natsStatus async_nats_listen_here_(struct async_nats *nats)
{
    char subject[ASYNC_NATS_SUBJECT_], *end;

    end = async_nats_append_(subject, subject, nats->address_);
    (void)async_nats_append_(subject, end, ".a.*");
    if (async_nats_listen_(nats, &nats->inbox_, subject, NULL,
                           async_nats_receive_) < 0)
        return NATS_NO_MEMORY;
    (void)async_nats_append_(subject, end, ".n.*.*");
    return natsConnection_Subscribe(&nats->nobody_, nats->connection_, subject,
                                    async_nats_nobody_, NULL);
}

/* Connects, on the loop's thread, which it blocks until that is done or
 * refused. `options` is yours, with whatever libnats offers: URLs, user, TLS,
 * how often and how long to reconnect; it is copied, and of it the event loop,
 * sending at once and the closed callback are ours. NULL:
 * nats://127.0.0.1:4222, reconnecting for ever. Returns ASYNC_DONE;
 * ASYNC_NATS_EGONE: there is no server; ASYNC_NATS_EREFUSED: it wants another
 * user, or TLS; or another error. Then nats->reason says more, and nothing is
 * open. It is open, and its loop lives, until async_nats_close. */
static inline async_status async_nats_open(struct async_loop *loop,
                                           struct async_nats *nats,
                                           natsOptions *options)
{
    natsOptions *own = NULL;
    natsStatus status = NATS_OK;

    memset(nats, 0, sizeof *nats);
    nats->loop = loop;
    nats->lost_ = async_nats_calls_end_;
    nats->fd_ = -1;
    nats->retry.tries = 1;
    nats->lost_ms = 2000;
    nats->ping_ms = 500;
    if (!options) {
        status = natsOptions_Create(&own);
        if (status == NATS_OK)
            status = natsOptions_SetMaxReconnect(own, -1);
        options = own;
    }
    if (status == NATS_OK)
        status = async_nats_name_(nats);
    if (status == NATS_OK)
        status = async_nats_connect_(nats, options);
    natsOptions_Destroy(own);
    if (status != NATS_OK)
        return async_nats_explain_(nats, status);
    status = async_nats_listen_here_(nats);
    if (status != NATS_OK) {
        natsConnection_Destroy(nats->connection_);
        return async_nats_explain_(nats, status);
    }
    nats->opened_ = 1;
    loop->coming_++; /* until the client has ended it may wake us */
    async_nats_turn_socket_(nats);
    async_nats_start_task_(nats, &nats->reader_, async_nats_read_);
    async_nats_start_task_(nats, &nats->writer_, async_nats_flow_);
    return ASYNC_DONE;
}

/* True while there is a server. */
static inline int async_nats_connected(const struct async_nats *nats)
{
    return nats->fd_ >= 0;
}

/* Awaitable: waits until the server has seen all that was sent before: that a
 * worker listens, that an answer has left. ASYNC_NATS_EGONE: the server has
 * gone. If canceled here: nothing is lost. */
static inline async_status async_nats_flush(struct async_loop *loop,
                                            struct async_nats *nats,
                                            struct async_nats_flushing *flush)
{
    char subject[ASYNC_NATS_SUBJECT_], *at;

    async_begin(flush);
    if (nats->fd_ < 0)
        async_fail(ASYNC_NATS_EGONE);
    flush->number_ = ++nats->flushes_;
    flush->turns_ = nats->turns_;
    at = async_nats_append_(subject, subject, nats->address_);
    at = async_nats_append_(subject, at, ".a.s");
    (void)async_nats_append_hex_(subject, at, flush->number_, 16);
    (void)natsConnection_Publish(nats->connection_, subject, NULL, 0);
    while (nats->seen_ < flush->number_) {
        async_event_clear(loop, &nats->flushed_);
        async_await(async_event_wait(loop, &nats->flushed_));
        if (flush->turns_ != nats->turns_)
            async_fail(ASYNC_NATS_EGONE);
    }
    async_end();
}

/* Awaitable: closes it, once. Calls in flight end with ASYNC_ECLOSED; what was
 * sent has left, if the server takes it within a second. Done at once if it is
 * not open. If canceled here: it is closed all the same. */
static inline async_status async_nats_close(struct async_loop *loop,
                                            struct async_nats *nats)
{
    struct async_nats_task_ *self = &nats->closer_;

    async_begin(self);
    if (!nats->opened_)
        async_return();
    nats->closed_ = 1;
    async_nats_calls_end_(nats, ASYNC_ECLOSED);
    async_catch(self->error,
                async_timeout(loop, &nats->timer_, 1000,
                              async_nats_flush(loop, nats, &nats->flush_)));
    async_finally();
    if (nats->opened_) {
        nats->ending_ = 1;
        async_event_set(loop, &nats->turned_);
        async_cancel(loop, &nats->reader_.task);
        async_cancel(loop, &nats->writer_.task);
        async_catch(self->error, async_join(loop, &nats->reader_.task));
        async_catch(self->error, async_join(loop, &nats->writer_.task));
        natsConnection_Close(nats->connection_);
        async_catch(self->error, async_event_wait(loop, &nats->over_));
        async_nats_turn_socket_(nats);
        while (nats->inlets_)
            async_nats_unlisten_(nats, nats->inlets_);
        natsSubscription_Destroy(nats->nobody_);
        natsConnection_Destroy(nats->connection_);
        free(nats->buffer_);
        nats->buffer_ = NULL;
        nats->opened_ = 0;
    }
    async_end();
}

/* ---- from code that blocks ---------------------------------------------- */

struct async_nats_blocking_ {
    struct async_frame async;
    async_fn *fn;
    void *frame;
    uint32_t ms;
    struct async_timer timer;
};

static inline async_status async_nats_limited_(struct async_loop *loop,
                                               void *frame)
{
    struct async_nats_blocking_ *self = (struct async_nats_blocking_ *)frame;

    return async_timeout(loop, &self->timer, self->ms,
                         self->fn(loop, self->frame));
}

/* Drives the loop until a task of it has ended. */
static inline async_status async_nats_drive_(struct async_loop *loop,
                                             async_fn *fn, void *frame)
{
    struct pollfd fds[1 + ASYNC_RUN_FDS];
    struct async_pollset host;
    struct async_task task;
    int status = async_pollset_start(&host, fds, 1 + ASYNC_RUN_FDS, loop);

    if (status < 0)
        return status;
    memset(&task, 0, sizeof task);
    (void)async_spawn(loop, &task, fn, frame);
    for (;;) {
        int ms = async_pollset_before(&host);

        if (async_task_outcome(&task) != ASYNC_PENDING)
            break;
        (void)poll(fds, host.count, ms);
        async_pollset_after(&host);
    }
    async_pollset_stop(&host);
    async_claim_(loop, &task);
    return async_task_outcome(&task);
}

/* Runs fn(loop, frame) as a task of the connection's loop, and blocks this
 * thread until it has ended: there, if another thread drives the loop; if
 * nobody does, this thread does so meanwhile. After `timeout_ms` milliseconds
 * it is canceled: ASYNC_ETIMEDOUT; ASYNC_NO_TIMEOUT is no limit. ASYNC_EDEADLK:
 * this is the thread that drives the loop (a mistake of the program's:
 * asserted). Else as fn. */
static inline async_status async_nats_block(struct async_nats *nats,
                                            async_fn *fn, void *frame,
                                            uint32_t timeout_ms)
{
    static const struct async_nats_blocking_ zero = ASYNC_ZERO_;
    struct async_nats_blocking_ self = zero;

    self.fn = fn;
    self.frame = frame;
    self.ms = timeout_ms;
    if (ASYNC_LOAD_(&nats->loop->host_)) {
        struct async_remote call;

        memset(&call, 0, sizeof call);
        return async_run_on(nats->loop, &call, async_nats_limited_, &self,
                            ASYNC_NO_TIMEOUT);
    }
    return async_nats_drive_(nats->loop, async_nats_limited_, &self);
}

static inline async_status async_nats_close_task_(struct async_loop *loop,
                                                  void *frame)
{
    return async_nats_close(loop, (struct async_nats *)frame);
}

/* async_nats_close, from code that blocks. */
static inline async_status async_nats_close_blocking(struct async_nats *nats)
{
    return async_nats_block(nats, async_nats_close_task_, nats,
                            ASYNC_NO_TIMEOUT);
}

#endif /* ASYNC_NATS_H */

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
