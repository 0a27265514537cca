/* fake.h: a worker that does what it is told, and no more.
 * SPDX-License-Identifier: MIT
 *
 * Of bare libnats, and it knows the bytes by itself: so what the caller does
 * with right answers, wrong ones and none is seen without a worker of ours.
 * Its functions are those that it is asked for: it answers any. Include behind
 * server.h.
 */
#ifndef ASYNC_TESTS_NATS_FAKE_H
#define ASYNC_TESTS_NATS_FAKE_H

#include <nats/nats.h>
#include <pthread.h>
#include <stdint.h>

enum fake_answer {                /* what it does with a call */
                   FAKE_END,      /* of a script: the last one, again */
                   FAKE_ECHO,     /* the result is the arguments */
                   FAKE_YES,      /* the result is one byte, 1 */
                   FAKE_NOTHING,  /* not a word */
                   FAKE_ACCEPTED, /* and see `pinged` */
                   FAKE_LATER,    /* accepted, and then the echo */
                   FAKE_BUSY,
                   FAKE_FAILED,    /* code 7, "no such file" */
                   FAKE_LONG_TEXT, /* failed, with 10000 letters */
                   FAKE_UNKNOWN,   /* refused, with these four errors */
                   FAKE_VERSION,
                   FAKE_MALFORMED,
                   FAKE_SIZE,
                   FAKE_REFUSED, /* for a reason that nobody knows */
                   /* what is no answer, and then the echo */
                   FAKE_OTHER_NUMBER,
                   FAKE_OTHER_ORIGIN,
                   FAKE_TWICE, /* the echo, and another one after it */
                   /* what is none, and that is all; the first from one who
                    * does not know us, and answers as others do */
                   FAKE_EMPTY,
                   FAKE_SHORT_HEAD,
                   FAKE_WRONG_MAGIC,
                   FAKE_JUNK,         /* a megabyte of it */
                   FAKE_WRONG_LENGTH, /* of the body, in the head */
                   FAKE_WRONG_KIND,
                   FAKE_CALL_BACK, /* a kind that only callers send */
                   FAKE_WIRE_2,
                   FAKE_OTHER_SIGNATURE,
                   FAKE_SHORT_BODY, /* a byte less than the result has */
                   FAKE_LONG_BODY,
                   FAKE_NO_REPLY /* accepted, and not where it can be asked */
};

enum fake_pinged { /* what it does when it is asked how a call goes on */
                   FAKE_RUNS,
                   FAKE_SAYS_NOTHING,
                   FAKE_IS_GONE, /* nobody listens there any more */
                   FAKE_HAS_FORGOTTEN,
                   FAKE_HAS_A_RESULT,
                   FAKE_HAS_FAILED
};

enum { FAKE_HEAD = 36, FAKE_MOST = 4096 };

/* Yours; all-zero to start with, but for the first members. */
struct fake {
    /* set before fake_start */
    enum fake_answer
        script[8]; /* one a call, in the order in which they come */
    enum fake_pinged pinged[8]; /* one a ping; the last of the array, again */
    int pinged_count;
    const char *subject;                      /* NULL: async.call.> */
    void (*called)(struct fake *, int calls); /* before it answers, if not NULL;
                                               * on a thread of libnats */
    void (*canceled)(struct fake *);

    /* Under the lock, but once it has stopped. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int calls, pings, cancels;
    uint64_t origins[FAKE_MOST], numbers[FAKE_MOST]; /* of the first calls */
    double at[FAKE_MOST];                            /* when, in ms */
    char replies[8][80];
    uint64_t canceled_number;
    unsigned char body[512]; /* of the last call */
    uint32_t length, signature;
    char name[80];

    /* private */
    natsConnection *connection;
    natsSubscription *asked, *told;
    int ended;    /* subscriptions whose last callback has returned */
    char own[40]; /* where it can be asked: async.worker.ID */
    unsigned char last[65536]; /* the last call, to be answered later */
    int last_length;
    char last_reply[80];
};

static inline double fake_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static inline uint64_t fake_get_(const unsigned char *at, int size)
{
    uint64_t value = 0;

    while (size--)
        value = value << 8 | *at++;
    return value;
}

static inline void fake_put_(unsigned char *at, uint64_t value, int size)
{
    while (size--) {
        at[size] = (unsigned char)value;
        value >>= 8;
    }
}

enum { /* kinds of messages */
       FAKE_IS_CALL = 1,
       FAKE_IS_RESULT,
       FAKE_IS_FAILED,
       FAKE_IS_ACCEPTED,
       FAKE_IS_BUSY,
       FAKE_IS_REFUSED,
       FAKE_IS_CANCEL,
       FAKE_IS_PING,
       FAKE_IS_RUNNING,
       FAKE_IS_FORGOTTEN
};

/* Where the answer goes to what has INBOX.n.TRY.NUMBER as its reply subject:
 * INBOX.a.TRY. */
static inline void fake_address_(char *to, size_t size, const char *reply)
{
    char *dot;

    (void)snprintf(to, size, "%s", reply ? reply : "");
    dot = strrchr(to, '.');
    if (dot && dot - to > 5 && dot[-5] == '.' && dot[-4] == 'n') {
        dot[-4] = 'a';
        *dot = 0;
    }
}

/* `message` has the head of a call, and room for a body. */
static inline void fake_send_(struct fake *fake, const char *to,
                              unsigned char *message, int kind, int code,
                              uint32_t length)
{
    message[5] = (unsigned char)kind;
    fake_put_(message + 12, length, 4);
    fake_put_(message + 32, (uint32_t)code, 4);
    (void)natsConnection_PublishRequest(fake->connection, to, fake->own,
                                        message, FAKE_HEAD + (int)length);
}

static inline void fake_answer_(struct fake *fake, enum fake_answer answer,
                                const char *to, const unsigned char *call,
                                int size)
{
    uint32_t length = (uint32_t)size - FAKE_HEAD;
    unsigned char *message = (unsigned char *)calloc(1, 1 << 20);

    if (!message)
        abort();
    memcpy(message, call, (size_t)size);
    switch (answer) {
    case FAKE_END:
    case FAKE_NOTHING:
        break;
    case FAKE_OTHER_NUMBER:
        message[31] ^= 0x80;
        fake_send_(fake, to, message, FAKE_IS_FAILED, 1, 0);
        message[31] ^= 0x80;
        fake_send_(fake, to, message, FAKE_IS_RESULT, 0, length);
        break;
    case FAKE_OTHER_ORIGIN:
        message[16] ^= 1;
        fake_send_(fake, to, message, FAKE_IS_FAILED, 1, 0);
        message[16] ^= 1;
        fake_send_(fake, to, message, FAKE_IS_RESULT, 0, length);
        break;
    case FAKE_ECHO:
        fake_send_(fake, to, message, FAKE_IS_RESULT, 0, length);
        break;
    case FAKE_YES:
        message[FAKE_HEAD] = 1;
        fake_send_(fake, to, message, FAKE_IS_RESULT, 0, 1);
        break;
    case FAKE_TWICE:
        fake_send_(fake, to, message, FAKE_IS_RESULT, 0, length);
        fake_send_(fake, to, message, FAKE_IS_FAILED, 1, 0);
        break;
    case FAKE_ACCEPTED:
        fake_send_(fake, to, message, FAKE_IS_ACCEPTED, 0, 0);
        break;
    case FAKE_LATER:
        fake_send_(fake, to, message, FAKE_IS_ACCEPTED, 0, 0);
        fake_send_(fake, to, message, FAKE_IS_RESULT, 0, length);
        break;
    case FAKE_BUSY:
        fake_send_(fake, to, message, FAKE_IS_BUSY, 0, 0);
        break;
    case FAKE_FAILED:
        memcpy(message + FAKE_HEAD, "no such file", 12);
        fake_send_(fake, to, message, FAKE_IS_FAILED, 7, 12);
        break;
    case FAKE_LONG_TEXT:
        memset(message + FAKE_HEAD, 'x', 10000);
        fake_send_(fake, to, message, FAKE_IS_FAILED, -7, 10000);
        break;
    case FAKE_UNKNOWN:
    case FAKE_VERSION:
    case FAKE_MALFORMED:
    case FAKE_SIZE:
        fake_send_(fake, to, message, FAKE_IS_REFUSED,
                   -30104 - (int)(answer - FAKE_UNKNOWN), 0);
        break;
    case FAKE_REFUSED:
        fake_send_(fake, to, message, FAKE_IS_REFUSED, -30108, 0);
        break;
    case FAKE_EMPTY:
        (void)natsConnection_Publish(fake->connection, to, message, 0);
        break;
    case FAKE_SHORT_HEAD:
        message[5] = FAKE_IS_RESULT;
        (void)natsConnection_Publish(fake->connection, to, message,
                                     FAKE_HEAD - 1);
        break;
    case FAKE_WRONG_MAGIC:
        message[0] = 'A';
        fake_send_(fake, to, message, FAKE_IS_RESULT, 0, length);
        break;
    case FAKE_WRONG_LENGTH:
        message[5] = FAKE_IS_RESULT;
        fake_put_(message + 12, 0xFFFFFFFF, 4);
        (void)natsConnection_Publish(fake->connection, to, message, size);
        break;
    case FAKE_WRONG_KIND:
        fake_send_(fake, to, message, 200, 0, length);
        break;
    case FAKE_CALL_BACK:
        fake_send_(fake, to, message, FAKE_IS_CALL, 0, length);
        break;
    case FAKE_WIRE_2:
        message[4] = 2;
        fake_send_(fake, to, message, FAKE_IS_RESULT, 0, length);
        break;
    case FAKE_OTHER_SIGNATURE:
        message[11] ^= 1;
        fake_send_(fake, to, message, FAKE_IS_RESULT, 0, length);
        break;
    case FAKE_SHORT_BODY:
        fake_send_(fake, to, message, FAKE_IS_RESULT, 0, length - 1);
        break;
    case FAKE_LONG_BODY:
        fake_send_(fake, to, message, FAKE_IS_RESULT, 0, length + 1);
        break;
    case FAKE_JUNK:
        for (size = 0; size < 1 << 20; size++)
            message[size] = (unsigned char)((unsigned)size * 7919 >> 3);
        (void)natsConnection_Publish(fake->connection, to, message, 1 << 20);
        break;
    case FAKE_NO_REPLY:
        message[5] = FAKE_IS_ACCEPTED;
        fake_put_(message + 12, 0, 4);
        (void)natsConnection_Publish(fake->connection, to, message, FAKE_HEAD);
        break;
    }
    free(message);
}

static inline void fake_called_(natsConnection *connection,
                                natsSubscription *subscription, natsMsg *msg,
                                void *arg)
{
    struct fake *fake = (struct fake *)arg;
    const unsigned char *call = (const unsigned char *)natsMsg_GetData(msg);
    int size = natsMsg_GetDataLength(msg), n, i = 0;
    char to[80];

    (void)connection;
    (void)subscription;
    fake_address_(to, sizeof to, natsMsg_GetReply(msg));
    (void)pthread_mutex_lock(&fake->lock);
    n = fake->calls;
    if (n < FAKE_MOST) {
        fake->origins[n] = fake_get_(call + 16, 8);
        fake->numbers[n] = fake_get_(call + 24, 8);
        fake->at[n] = fake_now_ms();
    }
    if (n < 8)
        (void)snprintf(fake->replies[n], sizeof fake->replies[n], "%s", to);
    fake->signature = (uint32_t)fake_get_(call + 8, 4);
    fake->length = (uint32_t)size - FAKE_HEAD;
    memcpy(fake->body, call + FAKE_HEAD,
           fake->length < sizeof fake->body ? fake->length : sizeof fake->body);
    (void)snprintf(fake->name, sizeof fake->name, "%s",
                   natsMsg_GetSubject(msg));
    if (size < (int)sizeof fake->last) {
        memcpy(fake->last, call, (size_t)size);
        fake->last_length = size;
        (void)snprintf(fake->last_reply, sizeof fake->last_reply, "%s", to);
    }
    (void)pthread_mutex_unlock(&fake->lock);
    if (fake->called)
        fake->called(fake, n + 1);
    for (i = 0; i < n && i < 7 && fake->script[i + 1] != FAKE_END; i++)
        ;
    if (fake->script[i] >= FAKE_EMPTY && fake->script[i] <= FAKE_JUNK)
        (void)snprintf(to, sizeof to, "%s", natsMsg_GetReply(msg));
    fake_answer_(fake, fake->script[i], to, call, size);
    (void)pthread_mutex_lock(&fake->lock);
    fake->calls++;
    (void)pthread_cond_broadcast(&fake->changed);
    (void)pthread_mutex_unlock(&fake->lock);
    natsMsg_Destroy(msg);
}

static inline void fake_told_(natsConnection *connection,
                              natsSubscription *subscription, natsMsg *msg,
                              void *arg)
{
    struct fake *fake = (struct fake *)arg;
    const unsigned char *data = (const unsigned char *)natsMsg_GetData(msg);
    unsigned char message[FAKE_HEAD + 512];
    char to[80];
    int is_cancel, n;

    (void)connection;
    (void)subscription;
    if (natsMsg_GetDataLength(msg) < FAKE_HEAD) { /* our caller has gone */
        natsMsg_Destroy(msg);
        return;
    }
    is_cancel = data[5] == FAKE_IS_CANCEL;
    fake_address_(to, sizeof to, natsMsg_GetReply(msg));
    memcpy(message, data, FAKE_HEAD);
    (void)pthread_mutex_lock(&fake->lock);
    n = fake->pings;
    if (is_cancel)
        fake->canceled_number = fake_get_(data + 24, 8);
    else if (n >= fake->pinged_count)
        n = fake->pinged_count ? fake->pinged_count - 1 : 0;
    (void)pthread_mutex_unlock(&fake->lock);
    if (!is_cancel) {
        switch (fake->pinged[n]) {
        case FAKE_RUNS:
            fake_send_(fake, to, message, FAKE_IS_RUNNING, 0, 0);
            break;
        case FAKE_HAS_FORGOTTEN:
            fake_send_(fake, to, message, FAKE_IS_FORGOTTEN, 0, 0);
            break;
        case FAKE_HAS_A_RESULT:
            fake_put_(message + 8, fake->signature, 4);
            memcpy(message + FAKE_HEAD, fake->body, fake->length);
            fake_send_(fake, to, message, FAKE_IS_RESULT, 0, fake->length);
            break;
        case FAKE_HAS_FAILED:
            fake_send_(fake, to, message, FAKE_IS_FAILED, 3, 0);
            break;
        case FAKE_SAYS_NOTHING:
        case FAKE_IS_GONE:
            break;
        }
    }
    (void)pthread_mutex_lock(&fake->lock);
    if (is_cancel)
        fake->cancels++;
    else
        fake->pings++;
    (void)pthread_cond_broadcast(&fake->changed);
    (void)pthread_mutex_unlock(&fake->lock);
    if (is_cancel && fake->canceled)
        fake->canceled(fake);
    natsMsg_Destroy(msg);
}

static inline void fake_ended_(void *arg)
{
    struct fake *fake = (struct fake *)arg;

    (void)pthread_mutex_lock(&fake->lock);
    fake->ended++;
    (void)pthread_cond_broadcast(&fake->changed);
    (void)pthread_mutex_unlock(&fake->lock);
}

#define FAKE_CHECK_(x)                                                         \
    do {                                                                       \
        natsStatus status_ = (x);                                              \
        if (status_ != NATS_OK)                                                \
            fail_msg("%s: %s", #x, natsStatus_GetText(status_));               \
    } while (0)

/* A connection that comes back by itself, and soon. */
static inline natsConnection *fake_connect(const char *url)
{
    natsConnection *connection = NULL;
    natsStatus status = NATS_PROTOCOL_ERROR;
    natsOptions *options = NULL;
    int i;

    FAKE_CHECK_(natsOptions_Create(&options));
    FAKE_CHECK_(natsOptions_SetURL(options, url));
    FAKE_CHECK_(natsOptions_SetMaxReconnect(options, -1));
    FAKE_CHECK_(natsOptions_SetReconnectWait(options, 5));
    FAKE_CHECK_(natsOptions_SetReconnectJitter(options, 1, 1));
    /* On a busy machine the server may ask before it answers, and libnats
     * takes that for a mistake. */
    for (i = 0; i < 10 && status == NATS_PROTOCOL_ERROR; i++)
        status = natsConnection_Connect(&connection, options);
    FAKE_CHECK_(status);
    natsOptions_Destroy(options);
    return connection;
}

/* Serves; the server knows it when this returns. */
static inline void fake_start(struct fake *fake, const char *url)
{
    static unsigned count;

    (void)pthread_mutex_init(&fake->lock, NULL);
    (void)pthread_cond_init(&fake->changed, NULL);
    (void)snprintf(fake->own, sizeof fake->own, "async.worker.fake%ld_%u",
                   (long)getpid(), ++count);
    fake->connection = fake_connect(url);
    FAKE_CHECK_(natsConnection_QueueSubscribe(&fake->asked, fake->connection,
                                              fake->subject ? fake->subject
                                                            : "async.call.>",
                                              "workers", fake_called_, fake));
    FAKE_CHECK_(
        natsSubscription_SetOnCompleteCB(fake->asked, fake_ended_, fake));
    if (fake->pinged[0] != FAKE_IS_GONE) {
        FAKE_CHECK_(natsConnection_Subscribe(&fake->told, fake->connection,
                                             fake->own, fake_told_, fake));
        FAKE_CHECK_(
            natsSubscription_SetOnCompleteCB(fake->told, fake_ended_, fake));
    }
    FAKE_CHECK_(natsConnection_FlushTimeout(fake->connection, 10000));
}

/* Answers the last call, again or only now. From any thread. */
static inline void fake_answer_last(struct fake *fake, enum fake_answer answer)
{
    (void)pthread_mutex_lock(&fake->lock);
    fake_answer_(fake, answer, fake->last_reply, fake->last, fake->last_length);
    (void)pthread_mutex_unlock(&fake->lock);
}

/* How many calls, pings or cancels there were. From any thread. */
static inline int fake_seen(struct fake *fake, const int *count)
{
    int seen;

    (void)pthread_mutex_lock(&fake->lock);
    seen = *count;
    (void)pthread_mutex_unlock(&fake->lock);
    return seen;
}

/* Waits until *count, of calls, pings or cancels, is that many: 0. It is
 * 10 s: -1. */
static inline int fake_wait(struct fake *fake, const int *count, int many)
{
    struct timespec until;
    int error = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    (void)pthread_mutex_lock(&fake->lock);
    while (*count < many && !error)
        error = pthread_cond_timedwait(&fake->changed, &fake->lock, &until);
    (void)pthread_mutex_unlock(&fake->lock);
    return error ? -1 : 0;
}

/* Nothing of it runs any more when this returns. Nothing if it does not. */
static inline void fake_stop(struct fake *fake)
{
    int subscriptions = fake->told ? 2 : 1;

    if (!fake->connection)
        return;
    natsSubscription_Destroy(fake->asked);
    natsSubscription_Destroy(fake->told);
    (void)fake_wait(fake, &fake->ended, subscriptions);
    natsConnection_Destroy(fake->connection);
    fake->connection = NULL;
}

#endif /* ASYNC_TESTS_NATS_FAKE_H */
