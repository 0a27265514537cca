/* async_nats_connection.h: a connection to a NATS server, on a loop.
 * SPDX-License-Identifier: MIT
 *
 * libnats, the server's C client, reads and writes its socket where it is told
 * to: here, on the loop's thread, when the host says so; and the messages of
 * its subscriptions are taken out of it there. So nothing of ours is shared.
 * Its own threads reconnect, and tell us by a post. What a turn of the loop
 * sends is one write. Included by async_nats.h, where the program that shows it
 * is: include that.
 *
 * Tested with libnats 3.4.1. From 3.10 on it leaves to adapters to close its
 * socket: this one shuts the connection, but a descriptor stays open until the
 * program ends, at each reconnection.
 *
 * libnats' functions that wait for the server (natsConnection_Flush,
 * natsConnection_Request, js_...) wait for ever on such a connection's loop.
 */
#ifndef ASYNC_NATS_CONNECTION_H
#define ASYNC_NATS_CONNECTION_H

#include "../async_lock.h"  /* events */
#include "../async_post.h"  /* what the client's own threads tell */
#include "../async_retry.h" /* how often to try */
#include "async_nats_wire.h"

#include <nats/nats.h>
#include <stdio.h>  /* snprintf */
#include <stdlib.h> /* realloc */
#include <sys/socket.h>

/* ---- types -------------------------------------------------------------- */

enum { ASYNC_NATS_SUBJECT_ = 256, ASYNC_NATS_BUCKETS_ = 256 };

enum { /* bits of what the client has told */
       ASYNC_NATS_TO_WRITE_ = 1,
       ASYNC_NATS_SOCKET_ = 2, /* there is a new one, or none any more */
       ASYNC_NATS_ENDED_ = 4,  /* it calls back no more */
       ASYNC_NATS_POSTED_ = 8
};

struct async_nats;

/* A subscription that the loop's thread reads. */
struct async_nats_inlet_ {
    natsSubscription *subscription;
    void (*receive)(struct async_nats *nats, struct async_nats_inlet_ *inlet,
                    natsMsg *message); /* which is not its to destroy */
    struct async_nats_inlet_ *next_;
};

/* A task of the connection's. */
struct async_nats_task_ {
    struct async_frame async; /* first */
    struct async_nats *nats;
    struct async_task task;
    int error, fd;
};

/* Waits until the server has seen what was sent before. Yours; all-zero. */
struct async_nats_flushing {
    struct async_frame async; /* first */
    uint64_t number_;
    uint32_t turns_;
};

/* A connection to a server, or to a cluster of them. Yours; all-zero before
 * async_nats_open. */
struct async_nats {
    /* yours, after async_nats_open */
    struct async_retry retry; /* what calls are prepared with: one try */
    uint32_t lost_ms; /* 2000; nobody has begun with it by then: EDIED */
    uint32_t ping_ms; /* 500; so often a call's worker is asked */

    /* to read */
    char reason[160]; /* why async_nats_open has failed, a sentence */

    /* private */
    struct async_loop *loop;
    natsConnection *connection_;
    void (*lost_)(struct async_nats *nats, async_status status);
    uint64_t origin_, numbers_; /* of its calls */

    /* whoever calls back, atomic */
    volatile size_t told_;   /* ASYNC_NATS_... */
    volatile size_t socket_; /* 2 and the new one; 1: there is none any more;
                              * 0: no news */
    struct async_post post_;

    /* the loop's thread only */
    int fd_;                                  /* -1: not connected */
    uint32_t turns_;                          /* how often it has changed */
    uint8_t opened_, closed_, ending_;        /* no more calls; its tasks end */
    struct async_event turned_, full_, over_; /* fd_ has changed; the socket
                                               * takes no more; it has ended */
    struct async_nats_task_ reader_, writer_, closer_;
    struct async_nats_inlet_ *inlets_, *cursor_, inbox_;
    natsSubscription *nobody_;
    struct async_nats_call *calls_[ASYNC_NATS_BUCKETS_];
    struct async_event flushed_;
    struct async_nats_flushing flush_;
    struct async_timer timer_;
    uint64_t flushes_, seen_;
    unsigned char *buffer_;
    size_t room_;
    char address_[64]; /* where answers come to */
};

/* ---- what the client tells ---------------------------------------------- */

/* The client may have another socket, or none any more. */
static inline void async_nats_turn_socket_(struct async_nats *nats)
{
    size_t socket;

    do {
        socket = async_atomic_load_(&nats->socket_);
    } while (!async_atomic_swap_if_(&nats->socket_, socket, 0));
    if (!socket)
        return;
    if (nats->fd_ >= 0) {
        async_cancel(nats->loop, &nats->reader_.task);
        async_cancel(nats->loop, &nats->writer_.task);
        (void)shutdown(nats->fd_, SHUT_RDWR); /* whoever else has it open */
        (void)close(nats->fd_);
    }
    nats->fd_ = (int)socket - 2;
    nats->turns_++;
    async_event_clear(nats->loop, &nats->full_);
    async_event_clear(nats->loop, &nats->turned_);
    nats->lost_(nats, ASYNC_NATS_EGONE);
    if (nats->fd_ >= 0)
        async_event_set(nats->loop, &nats->turned_);
    async_event_set(nats->loop, &nats->flushed_); /* in vain */
}

/* Sends what there is to send, as much as the socket takes. */
static inline void async_nats_write_(struct async_nats *nats)
{
    /* With nothing to send libnats takes the connection for closed. */
    if (natsConnection_Buffered(nats->connection_) > 0)
        natsConnection_ProcessWriteEvent(nats->connection_);
    if (nats->fd_ >= 0 && natsConnection_Buffered(nats->connection_) > 0)
        async_event_set(nats->loop, &nats->full_);
}

static inline void async_nats_hear_(struct async_loop *loop,
                                    struct async_post *post)
{
    struct async_nats *nats =
        (struct async_nats *)(void *)((char *)post -
                                      offsetof(struct async_nats, post_));
    size_t told;

    do {
        told = async_atomic_load_(&nats->told_);
    } while (!async_atomic_swap_if_(&nats->told_, told, 0));
    if (told & ASYNC_NATS_SOCKET_)
        async_nats_turn_socket_(nats);
    if (told & ASYNC_NATS_TO_WRITE_ && nats->connection_)
        async_nats_write_(nats);
    if (told & ASYNC_NATS_ENDED_) {
        loop->coming_--;
        async_event_set(loop, &nats->over_);
    }
}

/* From any thread: at most one post is on its way. */
static inline void async_nats_tell_(struct async_nats *nats, size_t bit)
{
    size_t told;

    do {
        told = async_atomic_load_(&nats->told_);
    } while (!async_atomic_swap_if_(&nats->told_, told,
                                    told | bit | ASYNC_NATS_POSTED_));
    if (!(told & ASYNC_NATS_POSTED_))
        async_post_send(nats->loop, &nats->post_, async_nats_hear_);
}

/* As in socket_. A descriptor of our own, which is closed here: the client may
 * close its own one on another thread, while a task waits. */
static inline void async_nats_put_socket_(struct async_nats *nats,
                                          size_t socket)
{
    size_t last;

    do {
        last = async_atomic_load_(&nats->socket_);
    } while (!async_atomic_swap_if_(&nats->socket_, last, socket));
    if (last > 1)
        (void)close((int)last - 2);
    async_nats_tell_(nats, ASYNC_NATS_SOCKET_);
}

static inline natsStatus async_nats_attach_(void **data, void *loop,
                                            natsConnection *connection,
                                            natsSock socket)
{
    int own = fcntl((int)socket, F_DUPFD, 0);

    (void)connection;
    *data = loop;
    if (own < 0)
        return NATS_SYS_ERROR;
    (void)fcntl(own, F_SETFD, FD_CLOEXEC);
    async_nats_put_socket_((struct async_nats *)loop, (size_t)own + 2);
    return NATS_OK;
}

static inline natsStatus async_nats_reads_(void *data, bool more)
{
    if (!more)
        async_nats_put_socket_((struct async_nats *)data, 1);
    return NATS_OK;
}

static inline natsStatus async_nats_writes_(void *data, bool more)
{
    if (more)
        async_nats_tell_((struct async_nats *)data, ASYNC_NATS_TO_WRITE_);
    return NATS_OK;
}

static inline natsStatus async_nats_detach_(void *data)
{
    (void)data;
    return NATS_OK;
}

static inline void async_nats_closed_(natsConnection *connection, void *data)
{
    (void)connection;
    async_nats_tell_((struct async_nats *)data, ASYNC_NATS_ENDED_);
}

/* ---- subscriptions ------------------------------------------------------ */

static inline int async_nats_error_(natsStatus status)
{
    switch (status) {
    case NATS_OK:
        return ASYNC_DONE;
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
    case NATS_SECURE_CONNECTION_REQUIRED:
    case NATS_SECURE_CONNECTION_WANTED:
    case NATS_SSL_ERROR:
        return ASYNC_NATS_EREFUSED;
    case NATS_MAX_PAYLOAD:
        return ASYNC_NATS_ESIZE;
    case NATS_NO_MEMORY:
        return -ENOMEM;
    case NATS_ADDRESS_MISSING:
    case NATS_INVALID_ARG:
    case NATS_INVALID_SUBJECT:
    case NATS_INVALID_QUEUE_NAME:
        return ASYNC_EINVAL;
    default:
        return ASYNC_NATS_EGONE;
    }
}

/* The loop's thread reads `subject`, alone or as one of a queue group; the
 * inlet stays until async_nats_unlisten_. Returns ASYNC_DONE or an error. */
static inline int async_nats_listen_(
    struct async_nats *nats, struct async_nats_inlet_ *inlet,
    const char *subject, const char *queue,
    void (*receive)(struct async_nats *nats, struct async_nats_inlet_ *inlet,
                    natsMsg *message))
{
    natsSubscription **to = &inlet->subscription;
    natsStatus status =
        queue ? natsConnection_QueueSubscribeSync(to, nats->connection_,
                                                  subject, queue)
              : natsConnection_SubscribeSync(to, nats->connection_, subject);

    if (status != NATS_OK)
        return async_nats_error_(status);
    inlet->receive = receive;
    inlet->next_ = nats->inlets_;
    nats->inlets_ = inlet;
    return ASYNC_DONE;
}

/* From a receive too: then the inlet stays until that returns. */
static inline void async_nats_unlisten_(struct async_nats *nats,
                                        struct async_nats_inlet_ *inlet)
{
    struct async_nats_inlet_ **link = &nats->inlets_;

    while (*link && *link != inlet)
        link = &(*link)->next_;
    if (!*link)
        return;
    *link = inlet->next_;
    if (nats->cursor_ == inlet)
        nats->cursor_ = inlet->next_;
    natsSubscription_Destroy(inlet->subscription);
    inlet->subscription = NULL;
}

/* Passes on all that has come. */
static inline void async_nats_receive_all_(struct async_nats *nats)
{
    for (nats->cursor_ = nats->inlets_; nats->cursor_;) {
        struct async_nats_inlet_ *inlet = nats->cursor_;
        int count = 0, bytes;

        (void)natsSubscription_GetPending(inlet->subscription, &count, &bytes);
        while (nats->cursor_ == inlet && count--) {
            natsMsg *message = NULL; /* it keeps one that says "nobody" */

            (void)natsSubscription_NextMsg(&message, inlet->subscription, 0);
            if (message)
                inlet->receive(nats, inlet, message);
            natsMsg_Destroy(message);
        }
        if (nats->cursor_ == inlet)
            nats->cursor_ = inlet->next_;
    }
}

/* ---- sending ------------------------------------------------------------ */

/* A name that can be a part of a subject, and of nothing else. */
static inline int async_nats_is_name_(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return length && !name[length];
}

/* Appends to a subject, which has ASYNC_NATS_SUBJECT_ bytes; cuts it. */
static inline char *async_nats_append_(char *subject, char *at,
                                       const char *text)
{
    size_t room = (size_t)(subject + ASYNC_NATS_SUBJECT_ - 1 - at);
    size_t length = strlen(text);

    if (length > room)
        length = room;
    memcpy(at, text, length);
    at[length] = 0;
    return at + length;
}

static inline char *async_nats_append_hex_(char *subject, char *at,
                                           uint64_t value, unsigned digits)
{
    char text[17];

    text[digits] = 0;
    while (digits--) {
        text[digits] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
    return async_nats_append_(subject, at, text);
}

/* Returns how many hexadecimal digits there are, `digits` at the most. */
static inline unsigned async_nats_read_hex_(const char *text, unsigned digits,
                                            uint64_t *value)
{
    unsigned i;

    *value = 0;
    for (i = 0; i < digits; i++) {
        char c = text[i];

        if (c >= '0' && c <= '9')
            *value = *value << 4 | (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            *value = *value << 4 | (unsigned)(c - 'a' + 10);
        else
            break;
    }
    return i;
}

/* Publishes a head and `length` bytes, which `fields` encode or which are
 * `text`. */
static inline int async_nats_publish_(struct async_nats *nats,
                                      const char *subject, const char *reply,
                                      struct async_nats_head *head,
                                      const struct async_nats_fields *fields,
                                      const void *from, size_t length)
{
    size_t size = ASYNC_NATS_HEAD_ + length;
    natsStatus status;

    if (length > INT32_MAX - ASYNC_NATS_HEAD_)
        return ASYNC_NATS_ESIZE;
    if (size > nats->room_) {
        void *more = realloc(nats->buffer_, 2 * size);

        if (!more)
            return -ENOMEM;
        nats->buffer_ = (unsigned char *)more;
        nats->room_ = 2 * size;
    }
    head->length = (uint32_t)length;
    async_nats_put_head_(head, nats->buffer_);
    if (fields)
        async_nats_encode_(fields, from, nats->buffer_ + ASYNC_NATS_HEAD_);
    else if (length)
        memcpy(nats->buffer_ + ASYNC_NATS_HEAD_, from, length);
    status =
        reply ? natsConnection_PublishRequest(nats->connection_, subject, reply,
                                              nats->buffer_, (int)size)
              : natsConnection_Publish(nats->connection_, subject,
                                       nats->buffer_, (int)size);
    return async_nats_error_(status);
}

/* Sends a message, its body a struct; NULL: it has none. `reply` may be NULL.
 * Returns ASYNC_DONE or an error. */
static inline int async_nats_send_(struct async_nats *nats, const char *subject,
                                   const char *reply,
                                   struct async_nats_head *head,
                                   const struct async_nats_fields *fields,
                                   const void *from)
{
    return async_nats_publish_(nats, subject, reply, head, fields, from,
                               fields ? async_nats_size_(fields, from) : 0);
}

/* The same, its body a text. */
static inline int async_nats_send_text_(struct async_nats *nats,
                                        const char *subject, const char *reply,
                                        struct async_nats_head *head,
                                        const char *text)
{
    return async_nats_publish_(nats, subject, reply, head, NULL, text,
                               strlen(text));
}

/* ---- the connection's tasks --------------------------------------------- */

/* The host does not watch our socket. */
static inline void async_nats_unwatched_(struct async_nats *nats, int error)
{
    snprintf(nats->reason, sizeof nats->reason,
             "the loop's host does not watch its socket: %s",
             async_strerror(error));
    (void)close(nats->fd_);
    nats->fd_ = -1;
    async_event_clear(nats->loop, &nats->turned_);
    nats->lost_(nats, error);
}

static inline async_status async_nats_read_(struct async_loop *loop,
                                            void *frame)
{
    struct async_nats_task_ *self = (struct async_nats_task_ *)frame;
    struct async_nats *nats = self->nats;

    async_begin(self);
    for (;;) {
        async_catch(self->error, async_event_wait(loop, &nats->turned_));
        self->fd = nats->fd_;
        if (self->fd >= 0 && self->error > 0)
            async_catch(self->error, async_readable(loop, self->fd));
        if (nats->ending_)
            async_return();
        if (self->error > 0) {
            natsConnection_ProcessReadEvent(nats->connection_);
            async_nats_receive_all_(nats);
        } else if (self->error != ASYNC_ECANCELED) {
            async_nats_unwatched_(nats, self->error);
        }
    }
    async_end();
}

static inline async_status async_nats_flow_(struct async_loop *loop,
                                            void *frame)
{
    struct async_nats_task_ *self = (struct async_nats_task_ *)frame;
    struct async_nats *nats = self->nats;

    async_begin(self);
    for (;;) {
        async_catch(self->error, async_event_wait(loop, &nats->full_));
        self->fd = nats->fd_;
        if (self->fd >= 0 && self->error > 0)
            async_catch(self->error, async_writable(loop, self->fd));
        if (nats->ending_)
            async_return();
        async_event_clear(loop, &nats->full_);
        if (self->error > 0)
            async_nats_write_(nats);
    }
    async_end();
}

static inline void async_nats_start_task_(struct async_nats *nats,
                                          struct async_nats_task_ *task,
                                          async_fn *fn)
{
    task->nats = nats;
    (void)async_spawn(nats->loop, &task->task, fn, task);
}

/* ---- connecting --------------------------------------------------------- */

/* Of what libnats knows of it. Returns the error. */
static inline int async_nats_explain_(struct async_nats *nats,
                                      natsStatus status)
{
    int error = async_nats_error_(status);
    const char *advice = "is there a server at that URL?";

    if (status == NATS_CONNECTION_AUTH_FAILED || status == NATS_NOT_PERMITTED)
        advice = "set another user by natsOptions_SetUserInfo, or in the URL";
    else if (error == ASYNC_NATS_EREFUSED)
        advice = "see natsOptions_SetSecure, natsOptions_LoadCATrusted"
                 "Certificates";
    snprintf(nats->reason, sizeof nats->reason, "%s: %s",
             natsStatus_GetText(status), advice);
    return error;
}

static inline natsStatus async_nats_connect_(struct async_nats *nats,
                                             natsOptions *options)
{
    natsStatus status = natsOptions_SetSendAsap(options, true);

    if (status == NATS_OK)
        status = natsOptions_SetEventLoop(options, nats, async_nats_attach_,
                                          async_nats_reads_, async_nats_writes_,
                                          async_nats_detach_);
    if (status == NATS_OK)
        status = natsOptions_SetClosedCB(options, async_nats_closed_, nats);
    if (status == NATS_OK)
        status = natsConnection_Connect(&nats->connection_, options);
    return status == NATS_NOT_YET_CONNECTED ? NATS_OK : status;
}

/* An address that nobody else has, which also tells who calls. */
static inline natsStatus async_nats_name_(struct async_nats *nats)
{
    natsInbox *inbox = NULL;
    natsStatus status = natsInbox_Create(&inbox);

    if (status != NATS_OK)
        return status;
    snprintf(nats->address_, sizeof nats->address_, "%s", inbox);
    nats->origin_ = async_nats_hash_(inbox, strlen(inbox));
    natsInbox_Destroy(inbox);
    return NATS_OK;
}

#endif /* ASYNC_NATS_CONNECTION_H */

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
