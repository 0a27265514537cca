/* worker.c: what async_nats_worker.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     tests/nats/run worker
 *
 * A thread drives the worker's loop. The tests are its callers, and speak to it
 * by the client alone, message by message: what comes next is what they say.
 * Nothing here waits for a time to pass. SEED, from the environment, is the
 * fuzzer's.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../adapters/async_nats_worker.h"

#include "../../async_future.h"

#include "../held.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- functions ---------------------------------------------------------- */

ASYNC_NATS_FUNCTION(twice, 3, (i64, value, text(160), word),
                    (i64, value, text(160), word))
ASYNC_NATS_FUNCTION(held, 1, (i32, gate), (i32, gate))
ASYNC_NATS_FUNCTION(block, 1, (i32, how), (i32, how))
ASYNC_NATS_FUNCTION(huge, 1, (), (bytes(2000000), all))
ASYNC_NATS_FUNCTION(add, 1, (i64, value), (i64, sum))
ASYNC_NATS_FUNCTION(stay, 1, (i32, gate), (i32, gate))

ASYNC_NATS_SERVES(twice)
ASYNC_NATS_SERVES(held)
ASYNC_NATS_SERVES(block)
ASYNC_NATS_SERVES(huge)
ASYNC_NATS_SERVES(add)
ASYNC_NATS_SERVES(stay)

struct twice_slot {
    struct twice_served served;
    int mine; /* 0 at first */
};

enum { GATES = 8, SLOTS = 4, RUN_AT_ONCE = 2, DRAINS = 7 };

static struct world {
    struct async_frame async;
    struct async_loop loop;
    struct async_task *task; /* whose frame this is */
    struct async_post post;
    struct async_nats nats;
    struct async_nats_flushing flush;
    struct async_nats_worker worker;
    struct async_executor executor;
    struct async_nats_service twice, held, block, huge, add, stay;
    struct async_nats_actor actor, other;
    struct twice_slot twices[SLOTS];
    struct held_served helds[SLOTS];
    struct block_served blocks[SLOTS];
    struct huge_served huges[1];
    struct add_served adds[SLOTS];
    struct stay_served stays[SLOTS];
    struct async_future gates[GATES];
    const char *actor_name;
    int64_t sum;
    int actor_status, rc, starts_late, stops_then;
    async_status status;
    pthread_t thread;
} world;

static struct post unwound; /* functions that were canceled */

static async_status open_here(struct async_loop *loop, struct async_nats *nats)
{
    natsOptions *options = NULL;
    async_status status = -ENOMEM;

    if (natsOptions_Create(&options) == NATS_OK &&
        natsOptions_SetURL(options, getenv("NATS_URL")) == NATS_OK)
        status = async_nats_open(loop, nats, options);
    natsOptions_Destroy(options);
    return status;
}

/* Ends in its first step. */
static async twice(struct async_loop *loop, void *frame)
{
    struct twice_slot *slot = frame;
    struct twice_served *self = &slot->served;

    (void)loop;
    async_begin(self);
    enter('t');
    leave();
    if (self->arguments.value == 13)
        async_fail(async_nats_fail(&self->serving, -13, self->arguments.word));
    if (self->arguments.value == 14) {
        (void)async_nats_fail(&self->serving, -13, "not this one");
        async_fail(-EDOM);
    }
    self->result.value += self->arguments.value % 1000 * 2 + slot->mine++;
    memcpy(self->result.word, self->arguments.word, sizeof self->result.word);
    async_end();
}

/* Stays at a gate; at that of DRAINS it drains the worker, and blocks its loop
 * when that has left, before the server knows. */
static async held(struct async_loop *loop, void *frame)
{
    struct held_served *self = frame;

    async_begin(self);
    enter((char)('a' + self->arguments.gate));
    if (self->arguments.gate == DRAINS) {
        async_nats_worker_drain(&world.worker);
        while (world.worker.takes_)
            async_yield();
        post_add(&unwound, 1);
        post_take(&go, 1);
    } else {
        await(async_future_wait(loop, &world.gates[self->arguments.gate]));
    }
    self->result.gate = self->arguments.gate;
    async_finally();
    leave();
    if (self->async.status_ < 0)
        post_add(&unwound, 1);
    async_end();
}

/* The same for an actor. */
static async stay(struct async_loop *loop, void *frame)
{
    struct stay_served *self = frame;

    async_begin(self);
    enter((char)('A' + self->arguments.gate));
    await(async_future_wait(loop, &world.gates[self->arguments.gate]));
    self->result.gate = self->arguments.gate;
    async_finally();
    leave();
    async_end();
}

static async add(struct async_loop *loop, void *frame)
{
    struct add_served *self = frame;

    (void)loop;
    async_begin(self);
    enter('+');
    leave();
    world.sum += self->arguments.value % 1000;
    self->result.sum = world.sum;
    async_end();
}

/* 0: ends once it may. 1: fails. 2: ends when it is canceled. */
static int block(struct block_served *self)
{
    enter('0' + (char)self->arguments.how);
    if (self->arguments.how == 0)
        post_take(&go, 1);
    while (self->arguments.how == 2 && !async_nats_canceled(&self->serving))
        (void)sched_yield();
    leave();
    self->result.how = self->arguments.how;
    if (self->arguments.how == 2)
        post_add(&unwound, 1);
    return self->arguments.how == 1
               ? async_nats_fail(&self->serving, -EIO, "blocked in vain")
               : 0;
}

static async huge(struct async_loop *loop, void *frame)
{
    struct huge_served *self = frame;

    (void)loop;
    async_begin(self);
    self->result.all.length = sizeof self->result.all.at;
    async_end();
}

/* ---- the worker's thread ------------------------------------------------ */

#define SERVE(name, most)                                                      \
    name##_serve(&world.worker, &world.name, name, world.name##s,              \
                 sizeof *world.name##s, SLOTS, most)

static async serve(struct async_loop *loop, void *frame)
{
    (void)frame;
    async_begin(&world);
    world.task = async_current(loop);
    await(open_here(loop, &world.nats));
    await(async_nats_worker_start(&world.worker, &world.nats));
    await(twice_serve(&world.worker, &world.twice, twice,
                      &world.twices[0].served, sizeof *world.twices, SLOTS, 1));
    await(SERVE(held, RUN_AT_ONCE));
    await(block_serve_blocking(&world.worker, &world.block, block,
                               &world.executor, world.blocks,
                               sizeof *world.blocks, SLOTS, 1));
    await(huge_serve(&world.worker, &world.huge, huge, world.huges,
                     sizeof *world.huges, 1, 1));
    async_catch(world.actor_status,
                async_nats_actor_start(loop, &world.worker, &world.actor,
                                       world.actor_name, RUN_AT_ONCE));
    world.add.actor = world.stay.actor = &world.actor;
    await(SERVE(add, 1));
    await(SERVE(stay, 1));
    async_catch(world.rc, async_nats_flush(loop, &world.nats, &world.flush));
    post_add(&entered, 1);
    if (world.starts_late)
        await(async_future_wait(loop, &world.gates[0]));
    await(async_nats_worker_run(loop, &world.worker));
    if (world.stops_then)
        post_take(&go, 1);
    async_finally();
    if (!world.worker.subject_[0])
        post_add(&entered, 1);
    await(async_nats_close(loop, &world.nats));
    async_end();
}

static void *drive(void *arg)
{
    (void)arg;
    world.status = async_run(&world.loop, serve, &world);
    return NULL;
}

static void cancel_here(struct async_loop *loop, struct async_post *post)
{
    (void)post;
    async_cancel(loop, world.task);
}

static void raise_limit(struct async_loop *loop, struct async_post *post)
{
    (void)loop;
    (void)post;
    world.held.max_concurrency = SLOTS;
}

static void open_gate(int gate)
{
    (void)async_future_set(&world.loop, &world.gates[gate], ASYNC_DONE);
}

static int is_up;

/* Waits until its run has ended. */
static void worker_ends(void)
{
    (void)pthread_join(world.thread, NULL);
    is_up = 0;
    async_executor_stop(&world.executor, ASYNC_STOP_DRAIN);
    assert_int_equal(async_loop_end(&world.loop), 0);
    assert_int_equal(world.worker.running, 0);
    assert_int_equal(world.worker.waiting, 0);
}

static void worker_drains(void)
{
    async_nats_worker_drain(&world.worker);
    worker_ends();
    assert_int_equal(world.status, ASYNC_DONE);
}

/* ---- the caller --------------------------------------------------------- */

enum { PATIENCE = 20000 }; /* ms; a safety net */

static natsConnection *client;
static natsSubscription *inbox;
static char reply_to[64]; /* and what is asked to come there */
static uint64_t numbers;

static struct {
    struct async_nats_head head;
    char subject[64]; /* it came to; behind reply_to */
    char from[64];    /* where to ask */
    unsigned char body[512];
} got;

static void ok(natsStatus status)
{
    if (status != NATS_OK)
        fail_msg("the client: %s", natsStatus_GetText(status));
}

static int world_setup(void **state)
{
    static const struct world zero;
    natsInbox *unique;
    char subject[80];

    world = zero;
    world.starts_late = *state != NULL;
    held_reset();
    unwound.count = 0;
    world.actor_name = "counter";
    ok(natsConnection_ConnectTo(&client, getenv("NATS_URL")));
    ok(natsInbox_Create(&unique));
    (void)snprintf(reply_to, sizeof reply_to, "%s", unique);
    natsInbox_Destroy(unique);
    (void)snprintf(subject, sizeof subject, "%s.>", reply_to);
    ok(natsConnection_SubscribeSync(&inbox, client, subject));
    if (async_executor_start(&world.executor, 2, 8) < 0 ||
        pthread_create(&world.thread, NULL, drive, NULL))
        return -1;
    is_up = 1;
    post_take(&entered, 1);
    return world.actor_status > 0 ? 0 : -1;
}

static int world_teardown(void **state)
{
    int i;

    (void)state;
    if (is_up) { /* the test has failed */
        async_post_send(&world.loop, &world.post, cancel_here);
        for (i = 0; i < GATES; i++)
            open_gate(i);
        post_add(&go, 100);
        (void)pthread_join(world.thread, NULL);
        is_up = 0;
        async_executor_stop(&world.executor, ASYNC_STOP_DRAIN);
    }
    natsSubscription_Destroy(inbox);
    natsConnection_Destroy(client);
    return 0;
}
#define worker_claim(test)                                                     \
    cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
#define late_claim(test) /* the worker runs when gate 0 is open */             \
    cmocka_unit_test_prestate_setup_teardown(test, world_setup,                \
                                             world_teardown, &world)

/* Sends bytes; the answer comes to reply_to.TAIL, if that is not NULL. */
static void send_bytes(const char *subject, const char *tail, const void *bytes,
                       size_t length)
{
    char reply[256];

    (void)snprintf(reply, sizeof reply, "%s.%s", reply_to, tail ? tail : "");
    ok(tail ? natsConnection_PublishRequest(client, subject, reply, bytes,
                                            (int)length)
            : natsConnection_Publish(client, subject, bytes, (int)length));
}

static struct async_nats_head head_of(unsigned kind, uint32_t signature,
                                      uint64_t number)
{
    struct async_nats_head head;

    memset(&head, 0, sizeof head);
    head.kind = (uint8_t)kind;
    head.signature = signature;
    head.origin = 77;
    head.number = number;
    return head;
}

/* A message with the arguments of a function; its length. */
static size_t message_of(unsigned char *out, struct async_nats_head head,
                         const struct async_nats_function *function,
                         const void *arguments)
{
    size_t length = async_nats_size_(&function->arguments, arguments);

    head.length = (uint32_t)length;
    async_nats_put_head_(&head, out);
    async_nats_encode_(&function->arguments, arguments, out + ASYNC_NATS_HEAD_);
    return ASYNC_NATS_HEAD_ + length;
}

static void call_as(uint64_t number, const char *tail, const char *subject,
                    const struct async_nats_function *function,
                    const void *arguments)
{
    unsigned char message[512];
    size_t length = message_of(
        message,
        head_of(ASYNC_NATS_CALL_, async_nats_signature_(function), number),
        function, arguments);

    send_bytes(subject, tail, message, length);
}

/* Each returns the call's number. */
static uint64_t call_twice(int64_t value, const char *word)
{
    struct twice_arguments arguments = {0};

    arguments.value = value;
    (void)snprintf(arguments.word, sizeof arguments.word, "%s", word);
    call_as(++numbers, "a", "async.call.twice", twice_function(), &arguments);
    return numbers;
}

static uint64_t call_held(int gate)
{
    struct held_arguments arguments = {0};

    arguments.gate = gate;
    call_as(++numbers, "a", "async.call.held", held_function(), &arguments);
    return numbers;
}

static uint64_t call_block(int how)
{
    struct block_arguments arguments = {0};

    arguments.how = how;
    call_as(++numbers, "a", "async.call.block", block_function(), &arguments);
    return numbers;
}

static uint64_t call_add(int64_t value)
{
    struct add_arguments arguments = {0};

    arguments.value = value;
    call_as(++numbers, "a", "async.actor.counter.add", add_function(),
            &arguments);
    return numbers;
}

static uint64_t call_stay(int gate)
{
    struct stay_arguments arguments = {0};

    arguments.gate = gate;
    call_as(++numbers, "a", "async.actor.counter.stay", stay_function(),
            &arguments);
    return numbers;
}

/* To the worker that was heard of last. */
static void ask(unsigned kind, uint64_t number)
{
    struct async_nats_head head = head_of(kind, 0, number);
    unsigned char message[ASYNC_NATS_HEAD_];

    async_nats_put_head_(&head, message);
    send_bytes(world.worker.subject_, "p", message, sizeof message);
}

static natsMsg *next_message(void)
{
    natsMsg *message = NULL;

    ok(natsSubscription_NextMsg(&message, inbox, PATIENCE));
    return message;
}

/* The next message is of this kind, and of this call. */
static void expect(unsigned kind, uint64_t number)
{
    natsMsg *message = next_message();
    size_t length = (size_t)natsMsg_GetDataLength(message);
    const char *from = natsMsg_GetReply(message);
    int error =
        async_nats_get_head_(&got.head, natsMsg_GetData(message), length);

    assert_int_equal(error, 0);
    (void)snprintf(got.subject, sizeof got.subject, "%s",
                   natsMsg_GetSubject(message) + strlen(reply_to) + 1);
    (void)snprintf(got.from, sizeof got.from, "%s", from ? from : "");
    assert_true(got.head.length < sizeof got.body);
    memcpy(got.body, natsMsg_GetData(message) + ASYNC_NATS_HEAD_,
           got.head.length);
    got.body[got.head.length] = 0;
    natsMsg_Destroy(message);
    if (got.head.kind != kind || got.head.number != number)
        fail_msg("kind %u of call %u, in place of kind %u of call %u",
                 got.head.kind, (unsigned)got.head.number, kind,
                 (unsigned)number);
}

static void expect_refused(int error, uint64_t number)
{
    expect(ASYNC_NATS_REFUSED_, number);
    assert_int_equal(got.head.code, error);
}

/* The next message is the server's: nobody listens. The client keeps it. */
static int is_nobody(void)
{
    natsMsg *message = NULL;
    natsStatus status = natsSubscription_NextMsg(&message, inbox, PATIENCE);

    natsMsg_Destroy(message);
    if (status != NATS_NO_RESPONDERS)
        ok(status);
    return status == NATS_NO_RESPONDERS;
}

static void expect_nobody(void)
{
    assert_true(is_nobody());
}

static void expect_twice(uint64_t number, int64_t value, const char *word)
{
    struct twice_result result;

    expect(ASYNC_NATS_RESULT_, number);
    assert_int_equal(got.head.signature,
                     async_nats_signature_(twice_function()));
    assert_int_equal(got.head.origin, 77);
    assert_int_equal(async_nats_decode_(&twice_function()->result, &result,
                                        got.body, got.head.length),
                     0);
    assert_int_equal(result.value, value);
    assert_string_equal(result.word, word);
}

static void expect_failed(uint64_t number, int code, const char *text)
{
    expect(ASYNC_NATS_FAILED_, number);
    assert_int_equal(got.head.code, code);
    assert_string_equal((const char *)got.body, text);
}

/* Who has begun, so far. */
static void assert_ran(const char *names)
{
    char copy[sizeof ran];

    (void)pthread_mutex_lock(&lock);
    memcpy(copy, ran, sizeof ran);
    (void)pthread_mutex_unlock(&lock);
    assert_string_equal(copy, names);
}

/* How many were there at once. */
static void assert_most(int count)
{
    int copy;

    (void)pthread_mutex_lock(&lock);
    copy = most;
    (void)pthread_mutex_unlock(&lock);
    assert_int_equal(copy, count);
}

/* It still serves; and nothing else was on its way. */
static void expect_all_is_well(void)
{
    expect_twice(call_twice(21, "well"), 42, "well");
}

/* ---- results ------------------------------------------------------------ */

static void a_call_that_ends_at_once_is_answered_by_its_result_alone(void **s)
{
    (void)s;
    expect_twice(call_twice(4, "eight"), 8, "eight");
    assert_string_equal(got.from, "");
    expect_all_is_well();
    worker_drains();
    assert_int_equal(world.worker.done, 2);
}

static void a_call_that_waits_is_accepted_and_then_answered(void **state)
{
    uint64_t number = call_held(0);

    (void)state;
    expect(ASYNC_NATS_ACCEPTED_, number);
    assert_string_equal(got.from, world.worker.subject_);
    open_gate(0);
    expect(ASYNC_NATS_RESULT_, number);
    expect_all_is_well();
    worker_drains();
}

static void a_blocking_call_is_accepted_and_then_answered(void **state)
{
    uint64_t number = call_block(0);

    (void)state;
    expect(ASYNC_NATS_ACCEPTED_, number);
    expect_all_is_well();
    post_add(&go, 1);
    expect(ASYNC_NATS_RESULT_, number);
    worker_drains();
}

static void a_call_goes_to_one_of_those_who_serve_it(void **state)
{
    natsSubscription *other; /* us */
    int i;

    (void)state;
    ok(natsConnection_QueueSubscribeSync(&other, client, "async.call.twice",
                                         "workers"));
    for (i = 0; i < 32; i++) {
        uint64_t number = call_twice(1, "one");
        natsMsg *message = NULL;
        int count, bytes;

        ok(natsConnection_Flush(client)); /* what is for us has come */
        ok(natsSubscription_GetPending(other, &count, &bytes));
        if (count)
            ok(natsSubscription_NextMsg(&message, other, PATIENCE));
        else
            expect_twice(number, 2, "one");
        natsMsg_Destroy(message);
    }
    natsSubscription_Destroy(other);
    expect_all_is_well();
    worker_drains();
}

static void a_slot_is_all_zero_before_each_call(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 2 * SLOTS; i++)
        expect_twice(call_twice(i, "same"), 2 * i, "same");
    worker_drains();
}

/* ---- failures ----------------------------------------------------------- */

static void a_failure_travels_with_its_code_and_text(void **state)
{
    (void)state;
    expect_failed(call_twice(13, "an odd number"), -13, "an odd number");
    worker_drains();
    assert_int_equal(world.worker.failed, 1);
    assert_int_equal(world.worker.done, 0);
}

static void a_blocking_functions_failure_travels_too(void **state)
{
    uint64_t number = call_block(1);

    (void)state;
    expect(ASYNC_NATS_ACCEPTED_, number);
    expect_failed(number, -EIO, "blocked in vain");
    worker_drains();
}

static void an_error_without_a_text_gets_one(void **state)
{
    (void)state;
    expect_failed(call_twice(14, ""), -EDOM, strerror(EDOM));
    worker_drains();
}

static void a_text_that_is_too_long_is_cut(void **state)
{
    char text[160], cut[ASYNC_NATS_TEXT];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    memset(cut, 'x', sizeof cut - 1);
    cut[sizeof cut - 1] = 0;
    expect_failed(call_twice(13, text), -13, cut);
    worker_drains();
}

static void a_result_that_the_server_does_not_take_is_an_error(void **state)
{
    struct huge_arguments none = {0};

    (void)state;
    call_as(++numbers, "a", "async.call.huge", huge_function(), &none);
    expect_refused(ASYNC_NATS_ESIZE, numbers);
    expect_all_is_well();
    worker_drains();
}

/* ---- messages that are none --------------------------------------------- */

static void another_version_is_refused(void **state)
{
    struct twice_arguments arguments = {0};
    struct async_nats_function newer = *twice_function();

    (void)state;
    newer.version++;
    call_as(++numbers, "a", "async.call.twice", &newer, &arguments);
    expect_refused(ASYNC_NATS_EVERSION, numbers);
    expect_all_is_well();
    worker_drains();
    assert_int_equal(world.worker.refused, 1);
}

static void other_fields_are_refused(void **state)
{
    struct add_arguments arguments = {0};

    (void)state;
    call_as(++numbers, "a", "async.call.twice", add_function(), &arguments);
    expect_refused(ASYNC_NATS_EVERSION, numbers);
    expect_all_is_well();
    worker_drains();
}

/* As it should be, but for what a test does to it. */
static size_t good_call(unsigned char *out)
{
    struct twice_arguments arguments = {0};

    arguments.word[0] = 'w';
    return message_of(out,
                      head_of(ASYNC_NATS_CALL_,
                              async_nats_signature_(twice_function()),
                              ++numbers),
                      twice_function(), &arguments);
}

static void another_wire_version_is_refused(void **state)
{
    unsigned char message[512];
    size_t length = good_call(message);

    (void)state;
    message[4]++;
    send_bytes("async.call.twice", "a", message, length);
    expect_refused(ASYNC_NATS_EVERSION, numbers);
    expect_all_is_well();
    worker_drains();
}

static void garbage_is_refused(void **state)
{
    unsigned char message[512];
    size_t length = good_call(message);

    (void)state;
    message[0] ^= 1;
    send_bytes("async.call.twice", "a", message, length);
    expect_refused(ASYNC_NATS_EMALFORMED, 0);
    expect_all_is_well();
    worker_drains();
    assert_int_equal(world.worker.refused, 1);
}

static void what_is_shorter_than_a_head_is_dropped(void **state)
{
    unsigned char message[512];

    (void)state;
    (void)good_call(message);
    send_bytes("async.call.twice", "a", message, ASYNC_NATS_HEAD_ - 1);
    send_bytes("async.call.twice", "a", "", 0);
    send_bytes(world.worker.subject_, "a", "", 0);
    send_bytes("async.actor.counter.add", "a", "", 0);
    expect_all_is_well();
    worker_drains();
    assert_int_equal(world.worker.dropped, 4);
}

static void a_body_that_is_too_short_or_too_long_is_refused(void **state)
{
    unsigned char message[512];
    size_t length = good_call(message);

    (void)state;
    send_bytes("async.call.twice", "a", message, length - 1);
    expect_refused(ASYNC_NATS_EMALFORMED, numbers);
    message[length] = 0;
    send_bytes("async.call.twice", "a", message, length + 1);
    expect_refused(ASYNC_NATS_EMALFORMED, numbers);
    message[15]++; /* says so itself */
    send_bytes("async.call.twice", "a", message, length + 1);
    expect_refused(ASYNC_NATS_EMALFORMED, numbers);
    message[15]--;
    message[ASYNC_NATS_HEAD_ + 8] = 0xff; /* the text's own length */
    send_bytes("async.call.twice", "a", message, length);
    expect_refused(ASYNC_NATS_EMALFORMED, numbers);
    expect_all_is_well();
    worker_drains();
    assert_int_equal(world.worker.refused, 4);
}

static void a_malformed_call_costs_one_recent_result_at_the_most(void **state)
{
    unsigned char message[512];
    uint64_t numbers_of[SLOTS];
    size_t length;
    int i;

    (void)state;
    for (i = 0; i < SLOTS; i++) {
        numbers_of[i] = call_twice(i, "kept");
        expect_twice(numbers_of[i], 2 * i, "kept");
    }
    for (i = 0; i < 2 * SLOTS; i++) {
        length = good_call(message);
        message[ASYNC_NATS_HEAD_ + 8] = 0xff;
        send_bytes("async.call.twice", "a", message, length);
        expect_refused(ASYNC_NATS_EMALFORMED, numbers);
    }
    for (i = 1; i < SLOTS; i++) {
        ask(ASYNC_NATS_PING_, numbers_of[i]);
        expect(ASYNC_NATS_RESULT_, numbers_of[i]);
    }
    worker_drains();
}

static void a_message_that_is_no_call_is_refused(void **state)
{
    unsigned char message[512];
    size_t length = good_call(message);
    unsigned kind;

    (void)state;
    for (kind = 0; kind < 256; kind += kind == 11 ? 244 : 1) {
        if (kind == ASYNC_NATS_CALL_)
            continue;
        message[5] = (unsigned char)kind;
        send_bytes("async.call.twice", "a", message, length);
        expect_refused(ASYNC_NATS_EMALFORMED, numbers);
        if (kind == ASYNC_NATS_PING_ || kind == ASYNC_NATS_CANCEL_)
            continue;
        send_bytes(world.worker.subject_, "a", message, length);
        expect_refused(ASYNC_NATS_EMALFORMED, numbers);
    }
    expect_all_is_well();
    worker_drains();
    assert_int_equal(world.worker.done, 1);
}

static void a_call_that_cannot_be_answered_is_dropped(void **state)
{
    struct twice_arguments arguments = {0};
    char tail[128];

    (void)state;
    memset(tail, 'x', sizeof tail - 1);
    tail[sizeof tail - 1] = 0;
    call_as(++numbers, NULL, "async.call.twice", twice_function(), &arguments);
    call_as(++numbers, tail, "async.call.twice", twice_function(), &arguments);
    expect_all_is_well();
    worker_drains();
    assert_int_equal(world.worker.dropped, 2);
    assert_int_equal(world.worker.done, 1);
}

static void an_id_that_another_function_has_is_refused(void **state)
{
    struct held_arguments arguments = {0};
    uint64_t number = call_twice(1, "first");

    (void)state;
    expect_twice(number, 2, "first");
    call_as(number, "a", "async.call.held", held_function(), &arguments);
    expect_refused(ASYNC_NATS_EMALFORMED, number);
    expect_all_is_well();
    worker_drains();
}

/* Skips what comes elsewhere. Returns the kind of what comes there. */
static int next_answer(const char *tail)
{
    int kind = 0;

    while (!kind) {
        natsMsg *message = next_message();

        if (!strcmp(natsMsg_GetSubject(message) + strlen(reply_to) + 1, tail))
            kind = natsMsg_GetData(message)[5];
        natsMsg_Destroy(message);
    }
    return kind;
}

/* A call that has a result: then those before it are over too. */
static void until_it_ends(const char *subject,
                          const struct async_nats_function *function)
{
    static const struct twice_arguments arguments; /* or shorter ones */
    int kind;

    do {
        call_as(++numbers, "last", subject, function, &arguments);
        do
            kind = next_answer("last");
        while (kind == ASYNC_NATS_ACCEPTED_);
        assert_true(kind == ASYNC_NATS_RESULT_ || kind == ASYNC_NATS_BUSY_);
    } while (kind == ASYNC_NATS_BUSY_);
}

static void no_garbage_does_harm(void **state)
{
    static const char *const subjects[] = {"async.call.twice",
                                           "async.actor.counter.add", ""};
    const char *given = getenv("SEED");
    uint32_t seed = given ? (uint32_t)strtoul(given, NULL, 0) : 1;
    unsigned char message[512];
    int i, changes;

    (void)state;
    printf("SEED=%u\n", (unsigned)seed);
    for (i = 0; i < 3000; i++) {
        size_t length = good_call(message);
        const char *subject;

        seed = seed * 1664525u + 1013904223u;
        subject = subjects[(seed >> 8) % 3];
        for (changes = (int)(seed >> 16) % 4; changes; changes--) {
            seed = seed * 1664525u + 1013904223u;
            message[(seed >> 8) % length] = (unsigned char)(seed >> 24);
        }
        seed = seed * 1664525u + 1013904223u;
        if (seed >> 30 == 0)
            length = (seed >> 8) % (length + 1);
        send_bytes(*subject ? subject : world.worker.subject_, "g", message,
                   length);
    }
    until_it_ends("async.call.twice", twice_function());
    until_it_ends("async.actor.counter.add", add_function());
    ask(ASYNC_NATS_PING_, 0);
    while (next_answer("p") != ASYNC_NATS_FORGOTTEN_)
        ;
    expect_all_is_well();
    worker_drains();
}

/* ---- ids ---------------------------------------------------------------- */

static void a_repeated_call_gets_the_same_answer_and_runs_once(void **state)
{
    struct twice_arguments arguments = {0};
    uint64_t number = call_twice(4, "once");

    (void)state;
    expect_twice(number, 8, "once");
    call_as(number, "b", "async.call.twice", twice_function(), &arguments);
    expect_twice(number, 8, "once");
    assert_string_equal(got.subject, "b");
    number = call_twice(13, "in vain");
    expect_failed(number, -13, "in vain");
    call_as(number, "b", "async.call.twice", twice_function(), &arguments);
    expect_failed(number, -13, "in vain");
    assert_ran("tt");
    worker_drains();
    assert_int_equal(world.worker.repeated, 2);
    assert_int_equal(world.worker.done, 1);
}

static void
a_call_repeated_while_it_runs_is_answered_where_it_came_from_last(void **state)
{
    struct held_arguments arguments = {0};
    uint64_t number = call_held(0);

    (void)state;
    expect(ASYNC_NATS_ACCEPTED_, number);
    call_as(number, "b", "async.call.held", held_function(), &arguments);
    expect(ASYNC_NATS_ACCEPTED_, number);
    assert_string_equal(got.subject, "b");
    assert_string_equal(got.from, world.worker.subject_);
    open_gate(0);
    expect(ASYNC_NATS_RESULT_, number);
    assert_string_equal(got.subject, "b");
    expect_all_is_well();
    assert_ran("at");
    worker_drains();
}

static void a_call_repeated_while_it_waits_keeps_its_place(void **state)
{
    struct held_arguments arguments = {2};
    uint64_t first = call_held(0), second = call_held(1), third = call_held(2);

    (void)state;
    expect(ASYNC_NATS_ACCEPTED_, third); /* it waits: it is told at once */
    expect(ASYNC_NATS_ACCEPTED_, first);
    expect(ASYNC_NATS_ACCEPTED_, second);
    call_as(third, "b", "async.call.held", held_function(), &arguments);
    expect(ASYNC_NATS_ACCEPTED_, third);
    open_gate(0);
    expect(ASYNC_NATS_RESULT_, first);
    open_gate(2);
    expect(ASYNC_NATS_RESULT_, third);
    assert_string_equal(got.subject, "b");
    assert_ran("abc");
    open_gate(1);
    expect(ASYNC_NATS_RESULT_, second);
    worker_drains();
    assert_int_equal(world.worker.repeated, 1);
    assert_int_equal(world.worker.done, 3);
}

static void the_oldest_result_is_forgotten_first(void **state)
{
    uint64_t number[SLOTS + 1];
    int i;

    (void)state;
    for (i = 0; i <= SLOTS; i++) {
        number[i] = call_twice(i, "");
        expect_twice(number[i], 2 * i, "");
    }
    for (i = 0; i <= SLOTS; i++) {
        ask(ASYNC_NATS_PING_, number[i]);
        expect(i == 0 ? ASYNC_NATS_FORGOTTEN_ : ASYNC_NATS_RESULT_, number[i]);
        assert_string_equal(got.subject, "p");
    }
    worker_drains();
}

static void calls_of_one_bucket_are_told_apart(void **state)
{
    struct twice_arguments arguments = {0};
    uint64_t base = numbers + 1000;
    int i;

    (void)state;
    for (i = 0; i < SLOTS; i++) {
        arguments.value = i;
        call_as(base + 256 * (uint64_t)i, "a", "async.call.twice",
                twice_function(), &arguments);
        expect_twice(base + 256 * (uint64_t)i, 2 * i, "");
    }
    for (i = SLOTS; i--;) {
        ask(ASYNC_NATS_PING_, base + 256 * (uint64_t)i);
        expect_twice(base + 256 * (uint64_t)i, 2 * i, "");
    }
    worker_drains();
}

static void the_same_number_of_another_caller_is_another_call(void **state)
{
    struct twice_arguments arguments = {0};
    unsigned char message[512];
    struct async_nats_head head;
    uint64_t number = call_twice(1, "mine");

    (void)state;
    expect_twice(number, 2, "mine");
    head = head_of(ASYNC_NATS_CALL_, async_nats_signature_(twice_function()),
                   number);
    head.origin++;
    arguments.value = 2;
    send_bytes("async.call.twice", "a", message,
               message_of(message, head, twice_function(), &arguments));
    expect(ASYNC_NATS_RESULT_, number);
    assert_int_equal(got.head.origin, head.origin);
    assert_int_equal(got.body[7], 4);
    worker_drains();
    assert_int_equal(world.worker.repeated, 0);
}

static void a_ping_tells_how_far_a_call_is(void **state)
{
    uint64_t number = call_held(0);

    (void)state;
    expect(ASYNC_NATS_ACCEPTED_, number);
    ask(ASYNC_NATS_PING_, number);
    expect(ASYNC_NATS_RUNNING_, number);
    ask(ASYNC_NATS_PING_, number + 1);
    expect(ASYNC_NATS_FORGOTTEN_, number + 1);
    open_gate(0);
    expect(ASYNC_NATS_RESULT_, number);
    assert_string_equal(got.subject, "a");
    ask(ASYNC_NATS_PING_, number);
    expect(ASYNC_NATS_RESULT_, number);
    assert_string_equal(got.subject, "p");
    worker_drains();
}

/* ---- limits ------------------------------------------------------------- */

/* Those that wait are accepted when they come, those that run after a step. */
static void expect_accepted(int count)
{
    while (count--) {
        natsMsg *message = next_message();
        int kind = natsMsg_GetData(message)[5];

        natsMsg_Destroy(message);
        assert_int_equal(kind, ASYNC_NATS_ACCEPTED_);
    }
}

static void no_more_run_than_may_and_others_wait_in_line(void **state)
{
    uint64_t number[SLOTS];
    int i;

    (void)state;
    for (i = 0; i < SLOTS; i++)
        number[i] = call_held(i);
    expect_accepted(SLOTS);
    assert_ran("ab");
    open_gate(1);
    expect(ASYNC_NATS_RESULT_, number[1]);
    open_gate(3); /* it is the fourth all the same */
    open_gate(0);
    expect(ASYNC_NATS_RESULT_, number[0]);
    expect(ASYNC_NATS_RESULT_, number[3]);
    assert_ran("abcd");
    open_gate(2);
    expect(ASYNC_NATS_RESULT_, number[2]);
    assert_most(RUN_AT_ONCE);
    worker_drains();
}

static void without_a_free_slot_a_call_is_sent_away(void **state)
{
    uint64_t number[SLOTS], late;
    int i;

    (void)state;
    for (i = 0; i < SLOTS; i++)
        number[i] = call_held(i);
    expect_accepted(SLOTS);
    late = call_held(4);
    expect(ASYNC_NATS_BUSY_, late);
    expect_all_is_well(); /* other functions have slots of their own */
    open_gate(0);
    expect(ASYNC_NATS_RESULT_, number[0]);
    call_as(late, "a", "async.call.held", held_function(),
            &(struct held_arguments){4});
    expect(ASYNC_NATS_ACCEPTED_, late);
    for (i = 1; i <= SLOTS; i++)
        open_gate(i);
    for (i = 1; i <= SLOTS; i++)
        natsMsg_Destroy(next_message());
    worker_drains();
    assert_int_equal(world.worker.busy, 1);
    assert_int_equal(world.worker.done, SLOTS + 2);
}

static void a_limit_may_be_changed_while_calls_run(void **state)
{
    uint64_t number[SLOTS];
    int i;

    (void)state;
    for (i = 0; i < 3; i++)
        number[i] = call_held(i);
    expect_accepted(3);
    assert_ran("ab");
    async_post_send(&world.loop, &world.post, raise_limit);
    number[3] = call_held(3);
    expect_accepted(1);
    assert_ran("abcd");
    for (i = 0; i < SLOTS; i++) {
        open_gate(i);
        expect(ASYNC_NATS_RESULT_, number[i]);
    }
    worker_drains();
}

static void a_blocking_functions_limit_holds(void **state)
{
    uint64_t first = call_block(0), second = call_block(0);

    (void)state;
    expect_accepted(2);
    post_take(&entered, 1);
    expect_all_is_well();
    assert_most(2); /* this one, and twice */
    post_add(&go, 1);
    expect(ASYNC_NATS_RESULT_, first);
    post_add(&go, 1);
    expect(ASYNC_NATS_RESULT_, second);
    worker_drains();
    assert_most(2);
}

/* ---- cancel ------------------------------------------------------------- */

static void a_canceled_call_unwinds_and_is_not_answered(void **state)
{
    uint64_t number = call_held(0);

    (void)state;
    expect(ASYNC_NATS_ACCEPTED_, number);
    ask(ASYNC_NATS_CANCEL_, number);
    post_take(&unwound, 1);
    ask(ASYNC_NATS_PING_, number);
    expect(ASYNC_NATS_FORGOTTEN_, number);
    worker_drains();
    assert_int_equal(world.worker.canceled, 1);
    assert_int_equal(world.worker.failed, 0);
}

static void a_call_canceled_while_it_waits_never_runs(void **state)
{
    uint64_t first = call_held(0), second = call_held(1);
    uint64_t third = call_held(2), fourth = call_held(3);

    (void)state;
    expect_accepted(4);
    ask(ASYNC_NATS_CANCEL_, fourth); /* the last in line */
    ask(ASYNC_NATS_PING_, fourth);
    expect(ASYNC_NATS_FORGOTTEN_, fourth);
    fourth = call_held(4);
    expect(ASYNC_NATS_ACCEPTED_, fourth);
    ask(ASYNC_NATS_CANCEL_, third); /* the first */
    ask(ASYNC_NATS_PING_, third);
    expect(ASYNC_NATS_FORGOTTEN_, third);
    open_gate(0);
    expect(ASYNC_NATS_RESULT_, first);
    open_gate(4);
    expect(ASYNC_NATS_RESULT_, fourth);
    open_gate(1);
    expect(ASYNC_NATS_RESULT_, second);
    assert_ran("abe");
    worker_drains();
    assert_int_equal(world.worker.canceled, 2);
}

static void a_canceled_blocking_call_is_told_and_awaited(void **state)
{
    uint64_t number = call_block(2);

    (void)state;
    expect(ASYNC_NATS_ACCEPTED_, number);
    post_take(&entered, 1);
    ask(ASYNC_NATS_CANCEL_, number);
    post_take(&unwound, 1);
    expect_all_is_well();
    worker_drains();
    assert_int_equal(world.worker.canceled, 1);
}

static void a_canceled_calls_slot_is_free_and_costs_no_result(void **state)
{
    uint64_t number[SLOTS], other;
    int i;

    (void)state;
    for (i = 0; i < SLOTS - 1; i++) {
        open_gate(i);
        number[i] = call_held(i);
        expect(ASYNC_NATS_RESULT_, number[i]);
    }
    for (i = 0; i < SLOTS; i++) {
        other = call_held(5);
        expect(ASYNC_NATS_ACCEPTED_, other);
        ask(ASYNC_NATS_CANCEL_, other);
        post_take(&unwound, 1);
        ask(ASYNC_NATS_PING_, other);
        expect(ASYNC_NATS_FORGOTTEN_, other);
    }
    for (i = 0; i < SLOTS - 1; i++) {
        ask(ASYNC_NATS_PING_, number[i]);
        expect(ASYNC_NATS_RESULT_, number[i]);
    }
    worker_drains();
}

static void a_cancel_of_what_is_over_or_unknown_is_nothing(void **state)
{
    uint64_t number = call_twice(1, "over");

    (void)state;
    expect_twice(number, 2, "over");
    ask(ASYNC_NATS_CANCEL_, number);
    ask(ASYNC_NATS_CANCEL_, number + 100);
    ask(ASYNC_NATS_PING_, number);
    expect_twice(number, 2, "over");
    worker_drains();
    assert_int_equal(world.worker.canceled, 0);
}

/* ---- actors ------------------------------------------------------------- */

static void an_actor_keeps_its_state(void **state)
{
    (void)state;
    (void)call_add(4);
    expect(ASYNC_NATS_RESULT_, numbers);
    assert_int_equal(got.body[7], 4);
    (void)call_add(5);
    expect(ASYNC_NATS_RESULT_, numbers);
    assert_int_equal(got.body[7], 9);
    worker_drains();
}

static void an_actor_refuses_what_it_does_not_serve(void **state)
{
    struct twice_arguments arguments = {0};

    (void)state;
    call_as(++numbers, "a", "async.actor.counter.twice", twice_function(),
            &arguments);
    expect_refused(ASYNC_NATS_EUNKNOWN, numbers);
    expect_all_is_well();
    call_as(++numbers, "a", "async.call.add", add_function(),
            &(struct add_arguments){1});
    expect_nobody();
    worker_drains();
    assert_int_equal(world.worker.refused, 1);
}

static void
an_actors_functions_share_its_limit_in_the_order_they_came(void **state)
{
    uint64_t first = call_stay(0), second = call_stay(1), third = call_add(7);
    uint64_t fourth = call_stay(2);

    (void)state;
    expect_accepted(4);
    assert_ran("AB");
    open_gate(2);
    open_gate(1);
    expect(ASYNC_NATS_RESULT_, second);
    expect(ASYNC_NATS_RESULT_, third);
    expect(ASYNC_NATS_RESULT_, fourth);
    open_gate(0);
    expect(ASYNC_NATS_RESULT_, first);
    assert_ran("AB+C");
    assert_most(RUN_AT_ONCE);
    worker_drains();
}

/* Another worker on another connection wants the actor's name. */
struct rival {
    struct async_frame async;
    const char *name;
    struct async_nats nats;
    struct async_nats_worker worker;
    struct async_nats_actor actor;
    int status;
};

static async rival(struct async_loop *loop, void *frame)
{
    struct rival *self = frame;

    async_begin(self);
    await(open_here(loop, &self->nats));
    await(async_nats_worker_start(&self->worker, &self->nats));
    async_catch(self->status,
                async_nats_actor_start(loop, &self->worker, &self->actor,
                                       self->name, 1));
    async_nats_worker_drain(&self->worker);
    await(async_nats_worker_run(loop, &self->worker));
    async_finally();
    await(async_nats_close(loop, &self->nats));
    async_end();
}

static int rival_for(const char *name)
{
    static const struct rival zero;
    static struct rival frame;
    struct async_loop loop;

    frame = zero;
    frame.name = name;
    async_loop_init(&loop);
    assert_int_equal(async_run(&loop, rival, &frame), ASYNC_DONE);
    return frame.status;
}

static void a_name_is_taken_once(void **state)
{
    (void)state;
    assert_int_equal(rival_for("counter"), ASYNC_EBUSY);
    assert_int_equal(rival_for("other"), ASYNC_DONE);
    expect_all_is_well();
    (void)call_add(4);
    expect(ASYNC_NATS_RESULT_, numbers);
    worker_drains();
    assert_int_equal(rival_for("counter"), ASYNC_DONE);
}

static void a_name_that_cannot_be_is_refused(void **state)
{
    static const char *const names[] = {
        "",
        "a.b",
        "*",
        ">",
        "a b",
        "a\n",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(rival_for(names[i]), ASYNC_EINVAL);
    assert_int_equal(rival_for(names[6] + 1), ASYNC_DONE);
    worker_drains();
}

/* ---- the end ------------------------------------------------------------ */

static void before_it_runs_a_worker_takes_no_calls(void **state)
{
    uint64_t number = call_twice(1, "early");

    (void)state;
    expect(ASYNC_NATS_BUSY_, number);
    open_gate(0);
    do
        number = call_twice(1, "now");
    while (next_answer("a") != ASYNC_NATS_RESULT_);
    worker_drains();
}

static void until_it_has_left(void)
{
    do
        (void)call_twice(1, "late");
    while (!is_nobody());
}

static void a_drained_workers_last_answer_has_left(void **state)
{
    uint64_t number = call_held(0);

    (void)state;
    expect(ASYNC_NATS_ACCEPTED_, number);
    world.stops_then = 1; /* its loop does, when it has run */
    async_nats_worker_drain(&world.worker);
    until_it_has_left();
    ask(ASYNC_NATS_PING_, number);
    expect(ASYNC_NATS_RUNNING_, number);
    open_gate(0);
    expect(ASYNC_NATS_RESULT_, number);
    ask(ASYNC_NATS_PING_, number);
    expect_nobody();
    post_add(&go, 1);
    worker_ends();
}

static void a_drained_worker_finishes_what_it_has(void **state)
{
    uint64_t number[3];
    int i;

    (void)state;
    for (i = 0; i < 3; i++)
        number[i] = call_held(i);
    expect_accepted(3);
    async_nats_worker_drain(&world.worker);
    until_it_has_left();
    ask(ASYNC_NATS_PING_, number[2]); /* it is still asked */
    expect(ASYNC_NATS_RUNNING_, number[2]);
    (void)call_add(1);
    expect_nobody();
    for (i = 0; i < 3; i++) {
        open_gate(i);
        expect(ASYNC_NATS_RESULT_, number[i]);
    }
    worker_ends();
    assert_int_equal(world.status, ASYNC_DONE);
    ask(ASYNC_NATS_PING_, number[2]);
    expect_nobody();
}

static void what_comes_while_it_leaves_is_sent_away(void **state)
{
    uint64_t last = call_held(DRAINS), late, other;

    /* Its loop is blocked before the server learns that it leaves. */

    (void)state;
    post_take(&unwound, 1);
    late = call_twice(1, "late");
    other = call_add(1);
    ok(natsConnection_Flush(client));
    post_add(&go, 1);
    expect(ASYNC_NATS_ACCEPTED_, last);
    expect(ASYNC_NATS_RESULT_, last);
    expect(ASYNC_NATS_BUSY_, other);
    expect(ASYNC_NATS_BUSY_, late);
    worker_ends();
    assert_int_equal(world.worker.busy, 2);
}

static void a_worker_that_is_canceled_cancels_what_runs(void **state)
{
    uint64_t number[3], blocked = call_block(2);
    int i;

    (void)state;
    expect(ASYNC_NATS_ACCEPTED_, blocked);
    post_take(&entered, 1);
    for (i = 0; i < 3; i++)
        number[i] = call_held(i);
    expect_accepted(3);
    async_post_send(&world.loop, &world.post, cancel_here);
    worker_ends();
    assert_int_equal(world.status, ASYNC_ECANCELED);
    expect(ASYNC_NATS_BUSY_, number[2]); /* it has not begun */
    expect_failed(number[0], ASYNC_ECANCELED, async_strerror(ASYNC_ECANCELED));
    expect_failed(number[1], ASYNC_ECANCELED, async_strerror(ASYNC_ECANCELED));
    expect_failed(blocked, ASYNC_ECANCELED, async_strerror(ASYNC_ECANCELED));
    assert_int_equal(unwound.count, 3);
    assert_int_equal(world.worker.busy, 1);
    assert_int_equal(world.worker.failed, 3);
    (void)call_twice(1, "late");
    expect_nobody();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        worker_claim(a_call_that_ends_at_once_is_answered_by_its_result_alone),
        worker_claim(a_call_that_waits_is_accepted_and_then_answered),
        worker_claim(a_blocking_call_is_accepted_and_then_answered),
        worker_claim(a_call_goes_to_one_of_those_who_serve_it),
        worker_claim(a_slot_is_all_zero_before_each_call),
        worker_claim(a_failure_travels_with_its_code_and_text),
        worker_claim(a_blocking_functions_failure_travels_too),
        worker_claim(an_error_without_a_text_gets_one),
        worker_claim(a_text_that_is_too_long_is_cut),
        worker_claim(a_result_that_the_server_does_not_take_is_an_error),
        worker_claim(another_version_is_refused),
        worker_claim(other_fields_are_refused),
        worker_claim(another_wire_version_is_refused),
        worker_claim(garbage_is_refused),
        worker_claim(what_is_shorter_than_a_head_is_dropped),
        worker_claim(a_body_that_is_too_short_or_too_long_is_refused),
        worker_claim(a_malformed_call_costs_one_recent_result_at_the_most),
        worker_claim(a_message_that_is_no_call_is_refused),
        worker_claim(a_call_that_cannot_be_answered_is_dropped),
        worker_claim(an_id_that_another_function_has_is_refused),
        worker_claim(no_garbage_does_harm),
        worker_claim(a_repeated_call_gets_the_same_answer_and_runs_once),
        worker_claim(
            a_call_repeated_while_it_runs_is_answered_where_it_came_from_last),
        worker_claim(a_call_repeated_while_it_waits_keeps_its_place),
        worker_claim(the_oldest_result_is_forgotten_first),
        worker_claim(calls_of_one_bucket_are_told_apart),
        worker_claim(the_same_number_of_another_caller_is_another_call),
        worker_claim(a_ping_tells_how_far_a_call_is),
        worker_claim(no_more_run_than_may_and_others_wait_in_line),
        worker_claim(without_a_free_slot_a_call_is_sent_away),
        worker_claim(a_limit_may_be_changed_while_calls_run),
        worker_claim(a_blocking_functions_limit_holds),
        worker_claim(a_canceled_call_unwinds_and_is_not_answered),
        worker_claim(a_call_canceled_while_it_waits_never_runs),
        worker_claim(a_canceled_blocking_call_is_told_and_awaited),
        worker_claim(a_canceled_calls_slot_is_free_and_costs_no_result),
        worker_claim(a_cancel_of_what_is_over_or_unknown_is_nothing),
        worker_claim(an_actor_keeps_its_state),
        worker_claim(an_actor_refuses_what_it_does_not_serve),
        worker_claim(
            an_actors_functions_share_its_limit_in_the_order_they_came),
        worker_claim(a_name_is_taken_once),
        worker_claim(a_name_that_cannot_be_is_refused),
        late_claim(before_it_runs_a_worker_takes_no_calls),
        worker_claim(a_drained_workers_last_answer_has_left),
        worker_claim(a_drained_worker_finishes_what_it_has),
        worker_claim(what_comes_while_it_leaves_is_sent_away),
        worker_claim(a_worker_that_is_canceled_cancels_what_runs),
    };

    if (!getenv("NATS_URL"))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
