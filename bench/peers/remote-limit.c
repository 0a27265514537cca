/* remote-limit.c: remote calls by bare libnats, and nothing that they do not
 * need: the yardstick of the workloads remote1 and remote1000.
 * SPDX-License-Identifier: MIT
 *
 * The messages are ours to the byte: 36 of a head, 40 of arguments or result.
 * Both sides check the head, and write and read the fields, by code that knows
 * them. There are no errors, retries, recent results or cancel: whatever goes
 * wrong ends the program.
 *
 * remote1      natsConnection_Request, and a worker by
 *              natsConnection_QueueSubscribe; each publish is a send(2) of its
 *              own (natsOptions_SetSendAsap). Else a thread of libnats sends
 *              what has gathered in a millisecond: so long takes a call then
 * remote1000   published with a reply subject that one subscription reads; a
 *              result is the turn of the next call; without
 *              natsOptions_SetSendAsap, which has less than a third of the rate
 * remote1-loop, remote1000-loop   no thread of libnats: both sides read and
 *              write where they poll (natsOptions_SetEventLoop)
 *
 *     build: cc -O2 -DNDEBUG bench/peers/remote-limit.c -o $OUT -lnats
 *     packages: libnats-dev nats-server
 *     version: echo libnats $(pkg-config --modversion libnats)
 */
#include <nats/nats.h>
#include <poll.h>

#define PEER "remote-limit"
#include "../remote.h"

enum { HEAD = 36, MESSAGE = HEAD + 40, CALL = 1, RESULT = 2 };
enum { PATIENCE_MS = 10000 };
#define SUBJECT "async.call.echo"
static const uint32_t signature = 0x09337344; /* of the line in remote-ours.c */

/* ---- messages ------------------------------------------------------------ */

struct message {
    uint64_t origin, number;
    int64_t a, b;
    char text[TEXT];
};

static void put32(unsigned char *out, uint32_t value)
{
    out[0] = (unsigned char)(value >> 24);
    out[1] = (unsigned char)(value >> 16);
    out[2] = (unsigned char)(value >> 8);
    out[3] = (unsigned char)value;
}

static void put64(unsigned char *out, uint64_t value)
{
    put32(out, (uint32_t)(value >> 32));
    put32(out + 4, (uint32_t)value);
}

static uint32_t get32(const unsigned char *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 |
           (uint32_t)in[2] << 8 | in[3];
}

static uint64_t get64(const unsigned char *in)
{
    return (uint64_t)get32(in) << 32 | get32(in + 4);
}

/* Returns its size. */
static int put(unsigned char *out, unsigned char kind,
               const struct message *message)
{
    uint32_t length = (uint32_t)strlen(message->text);

    memcpy(out, "asyn\1\0\0\0", 8);
    out[5] = kind;
    put32(out + 8, signature);
    put32(out + 12, 20 + length);
    put64(out + 16, message->origin);
    put64(out + 24, message->number);
    put32(out + 32, 0);
    put64(out + HEAD, (uint64_t)message->a);
    put64(out + HEAD + 8, (uint64_t)message->b);
    put32(out + HEAD + 16, length);
    memcpy(out + HEAD + 20, message->text, length);
    return HEAD + 20 + (int)length;
}

static void get(struct message *message, unsigned char kind, natsMsg *from)
{
    const unsigned char *in = (const unsigned char *)natsMsg_GetData(from);
    int size = natsMsg_GetDataLength(from);
    uint32_t length;

    must(size >= HEAD + 20 && memcmp(in, "asyn\1", 5) == 0 && in[5] == kind &&
             get32(in + 8) == signature &&
             get32(in + 12) == (uint32_t)size - HEAD,
         "a wrong head");
    message->origin = get64(in + 16);
    message->number = get64(in + 24);
    message->a = (int64_t)get64(in + HEAD);
    message->b = (int64_t)get64(in + HEAD + 8);
    length = get32(in + HEAD + 16);
    must(length < TEXT && length == (uint32_t)size - HEAD - 20 &&
             !memchr(in + HEAD + 20, 0, length),
         "a wrong text");
    memcpy(message->text, in + HEAD + 20, length);
    message->text[length] = 0;
}

/* ---- connection ---------------------------------------------------------- */

static struct {
    natsConnection *connection;
    int is_polled; /* by us: the ways named loop */
    int fd, wants_to_write;
} nats;

static void check(natsStatus status)
{
    must(status == NATS_OK, natsStatus_GetText(status));
}

static natsStatus attach(void **data, void *loop, natsConnection *connection,
                         natsSock fd)
{
    (void)loop;
    (void)connection;
    *data = &nats;
    nats.fd = (int)fd;
    return NATS_OK;
}

static natsStatus reads(void *data, bool is_on)
{
    (void)data;
    (void)is_on;
    return NATS_OK;
}

static natsStatus writes(void *data, bool is_on)
{
    (void)data;
    nats.wants_to_write = is_on;
    return NATS_OK;
}

static natsStatus detach(void *data)
{
    (void)data;
    return NATS_OK;
}

static void connect_to(const char *workload, const char *url)
{
    natsOptions *options;

    nats.is_polled = strstr(workload, "-loop") != NULL;
    check(natsOptions_Create(&options));
    check(natsOptions_SetURL(options, url));
    check(
        natsOptions_SetSendAsap(options, strcmp(workload, "remote1000") != 0));
    if (nats.is_polled)
        check(natsOptions_SetEventLoop(options, &nats, attach, reads, writes,
                                       detach));
    check(natsConnection_Connect(&nats.connection, options));
    natsOptions_Destroy(options);
}

/* Writes what there is, and reads what comes. */
static void turn(void)
{
    struct pollfd wait = {.fd = nats.fd, .events = POLLIN};

    if (nats.wants_to_write)
        natsConnection_ProcessWriteEvent(nats.connection);
    if (nats.wants_to_write)
        wait.events |= POLLOUT;
    must(poll(&wait, 1, -1) == 1, "poll fails");
    if (wait.revents & ~POLLOUT)
        natsConnection_ProcessReadEvent(nats.connection);
}

static natsMsg *next(natsSubscription *from)
{
    int count = !nats.is_polled, bytes;
    natsMsg *received;

    while (count == 0) {
        check(natsSubscription_GetPending(from, &count, &bytes));
        if (count == 0)
            turn();
    }
    check(natsSubscription_NextMsg(&received, from,
                                   nats.is_polled ? 0 : PATIENCE_MS));
    return received;
}

/* ---- worker -------------------------------------------------------------- */

static void answer(natsMsg *received)
{
    unsigned char out[MESSAGE + TEXT];
    struct message message;

    get(&message, CALL, received);
    message.a++;
    check(natsConnection_Publish(nats.connection, natsMsg_GetReply(received),
                                 out, put(out, RESULT, &message)));
    natsMsg_Destroy(received);
}

static void on_call(natsConnection *connection, natsSubscription *subscription,
                    natsMsg *received, void *closure)
{
    (void)connection;
    (void)subscription;
    (void)closure;
    answer(received);
}

static void serve(const char *workload, const char *url)
{
    natsSubscription *calls;

    connect_to(workload, url);
    if (nats.is_polled) {
        check(natsConnection_QueueSubscribeSync(&calls, nats.connection,
                                                SUBJECT, "workers"));
        check(natsConnection_PublishString(nats.connection, SUBJECT, "me"));
        natsMsg_Destroy(next(calls)); /* so the server knows it */
    } else {
        check(natsConnection_QueueSubscribe(&calls, nats.connection, SUBJECT,
                                            "workers", on_call, NULL));
        check(natsConnection_Flush(nats.connection));
    }
    is_ready();
    while (nats.is_polled)
        answer(next(calls));
    for (;;)
        pause();
}

/* ---- caller -------------------------------------------------------------- */

static struct {
    natsSubscription *results;
    natsInbox *inbox;
    uint64_t origin, number;
    uint64_t in_flight[IN_FLIGHT]; /* their numbers */
} caller;

/* The call `number`; returns its size. */
static int make(unsigned char *out, uint64_t number)
{
    struct message message = {.origin = caller.origin, .number = number};

    ask(number, &message.a, &message.b, message.text);
    return put(out, CALL, &message);
}

/* Which call this is the result of. */
static uint64_t take(natsMsg *received)
{
    struct message message;

    get(&message, RESULT, received);
    natsMsg_Destroy(received);
    must(message.origin == caller.origin &&
             is_answer(message.number, message.a, message.b, message.text),
         "a wrong result");
    return message.number;
}

static void request(long count)
{
    unsigned char out[MESSAGE + TEXT];
    natsMsg *received;

    for (; count > 0; count--) {
        int size = make(out, ++caller.number);

        check(natsConnection_Request(&received, nats.connection, SUBJECT, out,
                                     size, PATIENCE_MS));
        must(take(received) == caller.number, "the result of another call");
    }
}

static void send_call(uint64_t number)
{
    unsigned char out[MESSAGE + TEXT];

    caller.in_flight[number % IN_FLIGHT] = number;
    check(natsConnection_PublishRequest(nats.connection, SUBJECT, caller.inbox,
                                        out, make(out, number)));
}

/* `at_once` in flight, a divisor of IN_FLIGHT: so a call's number modulo that
 * is its place, and a result frees the place for the call that takes it. */
static void publish(long count, uint64_t at_once)
{
    uint64_t number, first = caller.number + 1;
    uint64_t end = first + (uint64_t)count;

    for (number = first; number < first + at_once && number < end; number++)
        send_call(number);
    for (; count > 0; count--) {
        number = take(next(caller.results));
        must(caller.in_flight[number % IN_FLIGHT] == number,
             "the result of no call");
        caller.in_flight[number % IN_FLIGHT] = 0;
        number += at_once;
        if (number < end)
            send_call(number);
    }
    caller.number = end - 1;
}

static void calls(const char *workload, long count)
{
    if (strcmp(workload, "remote1") == 0)
        request(count);
    else
        publish(count, strstr(workload, "remote1000") ? IN_FLIGHT : 1);
}

static void call(const char *workload, const char *url, long count,
                 const struct processes *of)
{
    struct cost cost;

    connect_to(workload, url);
    caller.origin = (uint64_t)nats_NowInNanoSeconds();
    check(natsInbox_Create(&caller.inbox));
    check(natsConnection_SubscribeSync(&caller.results, nats.connection,
                                       caller.inbox));
    calls(workload, count / 10);
    cost = cost_start(of);
    calls(workload, count);
    cost_stop(cost, of, workload, count);
}

int main(int argc, char **argv)
{
    static const char *const ways[] = {"remote1", "remote1-loop", "remote1000",
                                       "remote1000-loop", NULL};

    return remote(argc, argv, ways, serve, call);
}
