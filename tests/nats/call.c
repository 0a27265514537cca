/* call.c: what adapters/async_nats.h promises its callers, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     tests/nats/run call             ONLY=pattern: those tests
 *
 * Against a real server, and fake workers (fake.h) that answer as a test wants:
 * rightly, wrongly, late, not at all. A limit in time that must not count is an
 * hour; one that must, a few milliseconds. What is waited for is what happens,
 * and timeout(1) ends a test that hangs.
 */
#define _POSIX_C_SOURCE 200809L
#include "../trace.h"

#include "server.h"

#include "fake.h"

#include "../../adapters/async_nats.h"
#include "../../async_future.h"
#include "../../async_gather.h"

#include <dirent.h>
#include <sched.h>

#define HOUR 3600000u

ASYNC_NATS_FUNCTION(echo, 1, (i64, value), (i64, value))
ASYNC_NATS_FUNCTION(
    numbers, 3, (i8, a, i16, b, i32, c, i64, d, u8, e, u16, f, u32, g, u64, h),
    (i8, a, i16, b, i32, c, i64, d, u8, e, u16, f, u32, g, u64, h))
ASYNC_NATS_FUNCTION(
    others, 1, (f32, x, f64, y, text(8), text, bytes(5), bytes, handle, actor),
    (f32, x, f64, y, text(8), text, bytes(5), bytes, handle, actor))
ASYNC_NATS_FUNCTION(nothing, 1, (), ())
ASYNC_NATS_FUNCTION(flood, 1, (bytes(100000), data), (u8, is_good))
ASYNC_NATS_FUNCTION(large, 1, (bytes(2000000), data), (u8, is_good))

/* ---- the scene ---------------------------------------------------------- */

static struct async_loop loop;
static struct server server; /* a test's own, that it may kill */
static struct fake the_fake, *const fake = &the_fake;

enum { MANY = 1000 };

/* ---- workers that are processes of their own ---------------------------- */

/* This program as a worker that answers so; `said` reads a byte at its start,
 * and one a call. */
struct process {
    pid_t pid;
    int said;
};
static struct process processes[2];

static void say(struct fake *of_it, int calls)
{
    (void)of_it;
    (void)calls;
    if (write(1, "c", 1) != 1)
        _exit(1);
}

/* argv: serve URL ANSWER */
static void serve(char **argv)
{
    fake->script[0] = (enum fake_answer)atoi(argv[3]);
    fake->called = say;
    fake_start(fake, argv[2]);
    say(fake, 0);
    for (;;)
        (void)pause();
}

static void start_process(struct process *process, const char *to,
                          enum fake_answer answer)
{
    char number[16], byte;
    int ends[2], error = pipe(ends);

    assert_int_equal(error, 0);
    (void)snprintf(number, sizeof number, "%d", (int)answer);
    process->pid = fork();
    assert_true(process->pid >= 0);
    if (process->pid == 0) {
#ifdef __linux__
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
        (void)dup2(ends[1], 1);
        (void)close(ends[0]);
        (void)close(ends[1]);
        (void)execl("/proc/self/exe", "call", "serve", to, number, NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    process->said = ends[0];
    assert_int_equal(read(process->said, &byte, 1), 1);
}

static void end_process(struct process *process)
{
    int status;

    if (process->pid <= 0)
        return;
    (void)kill(process->pid, SIGKILL);
    (void)waitpid(process->pid, &status, 0);
    (void)close(process->said);
    process->pid = 0;
}

/* ---- what is played ---------------------------------------------------- */

/* All of a test: it opens a connection, acts, and closes it. */
struct scene {
    struct async_frame async;

    /* set by a test */
    async_fn *act, *after; /* once connected; once closed; NULL: nothing */
    natsOptions *options;  /* NULL: of NATS_URL */
    uint32_t lost_ms, ping_ms;
    uint16_t tries;
    uint32_t first_ms, max_ms;

    struct async_nats nats;
    int opened, rc;
    double began;
};
static struct scene scene;

/* A call, and what became of it. */
struct once {
    struct async_frame async;
    const char *name;
    uint32_t limit_ms; /* 0: none */
    struct async_timer timer;
    struct echo_remote call;
    int rc;
};

/* What acts use. */
static struct acts {
    struct async_frame async;
    int rc, i;
    int calls_come, pings_come; /* so many, before calls_once is over */
    struct once once, more[3];
    struct async_task task, tasks[MANY];
    struct async_batch batch;
    struct echo_remote calls[MANY];
} acts;

static async play(struct async_loop *on, void *frame)
{
    struct scene *self = frame;

    async_begin(self);
    self->opened = async_nats_open(on, &self->nats, self->options);
    if (self->opened < 0) {
        trace("open: %s", async_nats_strerror(self->opened));
        async_return();
    }
    self->nats.lost_ms = self->lost_ms;
    self->nats.ping_ms = self->ping_ms;
    self->nats.retry.tries = self->tries;
    self->nats.retry.first_ms = self->first_ms;
    self->nats.retry.max_ms = self->max_ms;
    self->began = fake_now_ms();
    if (self->act)
        async_catch(self->rc, self->act(on, &acts));
    if (self->rc < 0)
        trace("act: %s", async_nats_strerror(self->rc));
    await(async_nats_close(on, &self->nats));
    if (self->after)
        await(self->after(on, &acts));
    async_end();
}

static async closes(struct async_loop *on, void *frame)
{
    return async_nats_close(on, (struct async_nats *)frame);
}

static natsOptions *options_of(const char *url)
{
    natsOptions *options = NULL;

    FAKE_CHECK_(natsOptions_Create(&options));
    FAKE_CHECK_(natsOptions_SetURL(options, url));
    FAKE_CHECK_(natsOptions_SetMaxReconnect(options, -1));
    FAKE_CHECK_(natsOptions_SetReconnectWait(options, 5));
    FAKE_CHECK_(natsOptions_SetReconnectJitter(options, 1, 1));
    return options;
}

static const char *url(void)
{
    const char *it = getenv("NATS_URL");

    return it ? it : "nats://127.0.0.1:4222";
}

static int scene_setup(void **state)
{
    static const struct scene no_scene;
    static const struct fake no_fake;
    static const struct acts no_acts;
    static const struct server no_server;

    scene = no_scene;
    acts = no_acts;
    the_fake = no_fake;
    server = no_server;
    scene.lost_ms = scene.ping_ms = HOUR;
    scene.tries = 1;
    async_loop_init(&loop);
    return trace_setup(state);
}

static int scene_teardown(void **state)
{
    (void)state;
    fake_stop(fake);
    end_process(&processes[0]);
    end_process(&processes[1]);
    natsOptions_Destroy(scene.options);
    scene.options = NULL;
    server_kill(&server);
    return 0;
}
#define scene_claim(test)                                                      \
    cmocka_unit_test_setup_teardown(test, scene_setup, scene_teardown)

/* Plays it; nothing is left when it is over, and the fake worker has stopped.
 */
static void run(async_fn *act)
{
    async_status status;

    scene.act = act;
    if (!scene.options)
        scene.options = options_of(url());
    status = async_run(&loop, play, &scene);
    fake_stop(fake);
    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(async_loop_end(&loop), 0);
    assert_int_equal(loop.coming_, 0);
    assert_int_equal(loop.posted_, 0);
}

/* It says what to do. */
static void assert_reason(const char *word)
{
    if (!strstr(scene.nats.reason, word))
        fail_msg("the reason has no \"%s\": %s", word, scene.nats.reason);
}

static void own_server(const char *const *arguments)
{
    server_start(&server, arguments);
    scene.options = options_of(server.url);
}

static struct echo_arguments of(int64_t value)
{
    struct echo_arguments arguments;

    arguments.value = value;
    return arguments;
}

/* An async_fn, of a struct once. */
static async calls(struct async_loop *on, void *frame)
{
    struct once *self = frame;

    async_begin(self);
    if (!self->name)
        self->name = "call";
    self->call.result.value = -1;
    if (self->limit_ms)
        async_catch(self->rc,
                    async_timeout(on, &self->timer, self->limit_ms,
                                  echo_remote_call(on, &scene.nats, &self->call,
                                                   of(42))));
    else
        async_catch(self->rc,
                    echo_remote_call(on, &scene.nats, &self->call, of(42)));
    if (self->rc > 0)
        trace("%s: %d", self->name, (int)self->call.result.value);
    else
        trace("%s: %s", self->name, async_nats_strerror(self->rc));
    if (self->rc < 0)
        async_fail(self->rc);
    async_end();
}

static async calls_once(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    async_catch(self->rc, calls(on, &self->once));
    await(
        async_until(on, fake_seen(fake, &fake->calls) >= self->calls_come &&
                            fake_seen(fake, &fake->pings) >= self->pings_come));
    async_end();
}

/* `script`, up to 8 answers one after the other, of one call. */
#define answer_with(...)                                                       \
    do {                                                                       \
        static const enum fake_answer script_[8] = {__VA_ARGS__};              \
        memcpy(fake->script, script_, sizeof script_);                         \
    } while (0)
#define ping_with(...)                                                         \
    do {                                                                       \
        static const enum fake_pinged pinged_[] = {__VA_ARGS__};               \
        memcpy(fake->pinged, pinged_, sizeof pinged_);                         \
        fake->pinged_count = sizeof pinged_ / sizeof *pinged_;                 \
    } while (0)

/* One call of a function that is answered so. */
static void ask_once(void)
{
    fake_start(fake, url());
    run(calls_once);
}

/* ---- arguments and results ---------------------------------------------- */

static struct numbers_remote numbers_call;
static struct others_remote others_call;
static struct nothing_remote nothing_call;
static const struct numbers_arguments extremes[] = {
    {INT8_MIN, INT16_MIN, INT32_MIN, INT64_MIN, 0, 0, 0, 0},
    {INT8_MAX, INT16_MAX, INT32_MAX, INT64_MAX, UINT8_MAX, UINT16_MAX,
     UINT32_MAX, UINT64_MAX},
    {-1, 2, -3, 4, 5, 6, 7, 8}};

static async calls_numbers(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < 3; self->i++) {
        const struct numbers_arguments *sent = &extremes[self->i];
        const struct numbers_result *got = &numbers_call.result;

        memset(&numbers_call.result, 0x55, sizeof numbers_call.result);
        await(numbers_remote_call(on, &scene.nats, &numbers_call,
                                  extremes[self->i]));
        sent = &extremes[self->i];
        got = &numbers_call.result;
        trace("%d", sent->a == got->a && sent->b == got->b &&
                        sent->c == got->c && sent->d == got->d &&
                        sent->e == got->e && sent->f == got->f &&
                        sent->g == got->g && sent->h == got->h);
    }
    async_end();
}

static void numbers_at_their_limits_come_back_as_they_were(void **state)
{
    (void)state;
    answer_with(FAKE_ECHO);
    fake_start(fake, url());
    run(calls_numbers);

    assert_trace("1\n1\n1\n");
}

static void a_call_is_these_bytes(void **state)
{
    static const unsigned char body[30] = {
        0xFF, 0, 2, 0xFF, 0xFF, 0xFF, 0xFD, 0, 0, 0, 0, 0, 0, 0, 4,
        5,    0, 6, 0,    0,    0,    7,    0, 0, 0, 0, 0, 0, 0, 8};

    (void)state;
    answer_with(FAKE_ECHO);
    fake_start(fake, url());
    run(calls_numbers);

    assert_string_equal(fake->name, "async.call.numbers");
    assert_int_equal(fake->length, sizeof body);
    assert_memory_equal(fake->body, body, sizeof body);
    assert_int_equal(fake->signature,
                     async_nats_signature_(numbers_function()));
    assert_true(fake->numbers[0] != fake->numbers[1]);
    assert_true(fake->origins[0] == fake->origins[1]);
    trace_clear();
}

static const struct others_arguments some[] = {
    {0.0f, 0.0, "", {0, {0}}, {""}},
    {-1.5f,
     1.7976931348623157e308,
     "1234567",
     {5, {0, 255, 10, 13, 0}},
     {"01234567890123456789012345678901234567890123456"}}};

static async calls_others(struct async_loop *on, void *frame)
{
    struct acts *self = frame;
    const struct others_result *got = &others_call.result;
    const struct others_arguments *sent;

    async_begin(self);
    for (self->i = 0; self->i < 2; self->i++) {
        memset(&others_call.result, 0x55, sizeof others_call.result);
        await(others_remote_call(on, &scene.nats, &others_call, some[self->i]));
        sent = &some[self->i];
        trace("%g %g \"%s\" %d", (double)got->x, got->y, got->text,
              got->bytes.length == sent->bytes.length &&
                  memcmp(got->bytes.at, sent->bytes.at, sent->bytes.length) ==
                      0 &&
                  strcmp(got->actor.name, sent->actor.name) == 0);
    }
    async_end();
}

static void empty_and_full_text_and_bytes_come_back_as_they_were(void **state)
{
    (void)state;
    answer_with(FAKE_ECHO);
    fake_start(fake, url());
    run(calls_others);

    assert_trace("0 0 \"\" 1\n"
                 "-1.5 1.79769e+308 \"1234567\" 1\n");
}

static async calls_nothing(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    await(nothing_remote_call(on, &scene.nats, &nothing_call,
                              nothing_call.arguments));
    trace("done");
    async_end();
}

static void a_function_may_have_neither_arguments_nor_result(void **state)
{
    (void)state;
    answer_with(FAKE_ECHO);
    fake_start(fake, url());
    run(calls_nothing);

    assert_trace("done\n");
    assert_int_equal(fake->length, 0);
}

static struct large_remote large_call;

/* The most that the server takes, and one byte more; then it goes on. */
static async calls_large(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < 3; self->i++) {
        static const uint32_t sizes[] = {1048576 - 40, 1048576 - 39, 2000000};

        large_call.arguments.data.length = sizes[self->i];
        (void)large_remote_prepare(&large_call, &scene.nats,
                                   large_call.arguments);
        async_catch(self->rc, large_remote_task(on, &large_call));
        trace("%s", async_nats_strerror(self->rc));
    }
    async_end();
}

static void what_is_larger_than_the_server_takes_is_not_sent(void **state)
{
    (void)state;
    answer_with(FAKE_YES);
    fake_start(fake, url());
    run(calls_large);

    assert_trace("done\n"
                 "a message is larger than the server takes\n"
                 "a message is larger than the server takes\n");
    assert_int_equal(large_call.result.is_good, 1);
    assert_int_equal(fake->calls, 1);
}

/* ---- nobody ------------------------------------------------------------- */

static void nobody_serves_it_is_told_at_once(void **state)
{
    (void)state;
    run(calls_once); /* in less than an hour */

    assert_trace("call: nobody serves this function\n");
}

static async starts_a_worker_later(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    (void)async_spawn(on, &self->task, calls, &self->once);
    await(async_sleep_ms(on, 20)); /* it is tried in vain meanwhile */
    trace("now");
    fake_start(fake, url());
    async_catch(self->rc, async_join(on, &self->task));
    async_end();
}

static void with_retry_it_is_answered_when_somebody_comes(void **state)
{
    (void)state;
    answer_with(FAKE_ECHO);
    scene.tries = 0;
    scene.first_ms = 2;
    run(starts_a_worker_later);

    assert_trace("now\ncall: 42\n");
    assert_int_equal(fake->calls, 1);
}

static void tries_that_find_nobody_are_counted(void **state)
{
    (void)state;
    scene.tries = 4;
    scene.first_ms = 10;
    scene.max_ms = 20;
    run(calls_once);

    assert_trace("call: nobody serves this function\n");
    assert_true(fake_now_ms() - scene.began >= 10 + 20 + 20 - 3);
}

/* ---- its worker has died ------------------------------------------------ */

static void nobody_begins_with_it_in_lost_ms(void **state)
{
    (void)state;
    answer_with(FAKE_NOTHING);
    scene.lost_ms = 10;
    acts.calls_come = 1;
    ask_once();

    assert_trace("call: the worker died, or is out of reach\n");
    assert_int_equal(fake->calls, 1);
}

static void its_worker_has_gone_away_since_it_was_accepted(void **state)
{
    (void)state;
    answer_with(FAKE_ACCEPTED);
    ping_with(FAKE_IS_GONE);
    scene.ping_ms = 5;
    ask_once(); /* at the first ping: the server knows */

    assert_trace("call: the worker died, or is out of reach\n");
}

static void its_worker_does_not_answer_three_pings(void **state)
{
    (void)state;
    answer_with(FAKE_ACCEPTED);
    ping_with(FAKE_SAYS_NOTHING);
    scene.ping_ms = 5;
    acts.pings_come = 3;
    ask_once();

    assert_trace("call: the worker died, or is out of reach\n");
    assert_int_equal(fake->pings, 3);
}

static void pings_count_from_the_last_that_was_answered(void **state)
{
    (void)state;
    answer_with(FAKE_ACCEPTED);
    ping_with(FAKE_SAYS_NOTHING, FAKE_SAYS_NOTHING, FAKE_RUNS,
              FAKE_SAYS_NOTHING);
    scene.ping_ms = 100;
    acts.pings_come = 5;
    ask_once();

    assert_trace("call: the worker died, or is out of reach\n");
    assert_in_range(fake->pings, 5, 7); /* if answers come as soon */
}

static void its_worker_has_forgotten_it(void **state)
{
    (void)state;
    answer_with(FAKE_ACCEPTED);
    ping_with(FAKE_HAS_FORGOTTEN);
    scene.ping_ms = 100;
    ask_once();

    assert_trace("call: the worker died, or is out of reach\n");
    assert_in_range(fake->pings, 1, 2); /* told, not guessed */
}

static void accepted_without_an_address_is_malformed(void **state)
{
    (void)state;
    answer_with(FAKE_NO_REPLY);
    ask_once();

    assert_trace("call: a message is malformed\n");
}

static void a_retry_keeps_its_id_and_waits_longer_each_time(void **state)
{
    int i;

    (void)state;
    answer_with(FAKE_NOTHING, FAKE_NOTHING, FAKE_NOTHING, FAKE_ECHO);
    scene.lost_ms = 10;
    scene.tries = 0;
    scene.first_ms = 20;
    scene.max_ms = 40;
    ask_once();

    assert_trace("call: 42\n");
    /* Each of the times is rounded to a millisecond. */
    assert_true(fake_now_ms() - scene.began >= 3 * 10 + 20 + 40 + 40 - 6);
    assert_true(fake->calls >= 4);
    for (i = 1; i < 4; i++) {
        assert_true(fake->origins[i] == fake->origins[0]);
        assert_true(fake->numbers[i] == fake->numbers[0]);
        assert_string_not_equal(fake->replies[i], fake->replies[i - 1]);
        assert_memory_equal(fake->replies[i], fake->replies[0],
                            strlen(fake->replies[0]) - 2);
    }
}

static void the_last_try_tells_its_error(void **state)
{
    (void)state;
    answer_with(FAKE_NOTHING);
    scene.lost_ms = 2;
    scene.tries = 3;
    acts.calls_come = 3;
    ask_once();

    assert_trace("call: the worker died, or is out of reach\n");
    assert_int_equal(fake->calls, 3);
}

static void a_worker_that_forgot_it_is_tried_again(void **state)
{
    (void)state;
    answer_with(FAKE_ACCEPTED, FAKE_ECHO);
    ping_with(FAKE_HAS_FORGOTTEN);
    scene.ping_ms = 5;
    scene.tries = 2;
    ask_once();

    assert_trace("call: 42\n");
    assert_int_equal(fake->calls, 2);
}

/* The first try's answer comes after the second try was sent. */
static void answer_the_first(struct fake *of_it, int count)
{
    if (count == 2)
        fake_answer_(of_it, FAKE_ECHO, of_it->replies[0], of_it->last,
                     of_it->last_length);
}

static async is_answered_late(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    (void)async_spawn(on, &self->task, calls, &self->once);
    await(async_yield_now(on));
    scene.nats.lost_ms = HOUR; /* from the second try on */
    async_catch(self->rc, async_join(on, &self->task));
    async_end();
}

static void the_answer_to_an_earlier_try_is_as_good(void **state)
{
    (void)state;
    answer_with(FAKE_NOTHING);
    fake->called = answer_the_first;
    scene.lost_ms = 20;
    scene.tries = 2;
    fake_start(fake, url());
    run(is_answered_late);

    assert_trace("call: 42\n");
}

/* ---- right answers ------------------------------------------------------ */

static void accepted_and_then_answered(void **state)
{
    (void)state;
    answer_with(FAKE_LATER);
    ask_once();

    assert_trace("call: 42\n");
    assert_int_equal(fake->pings, 0);
}

/* Is asked for longer than lost_ms, and then it is answered. */
static async is_pinged(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    (void)async_spawn(on, &self->task, calls, &self->once);
    await(async_until(on, fake_seen(fake, &fake->pings) >= 5 ||
                              async_task_outcome(&self->task)));
    trace("answer");
    fake_answer_last(fake, FAKE_ECHO);
    async_catch(self->rc, async_join(on, &self->task));
    async_end();
}

static void while_pings_are_answered_it_may_take_any_time(void **state)
{
    (void)state;
    answer_with(FAKE_ACCEPTED);
    ping_with(FAKE_RUNS);
    scene.lost_ms = 1000; /* counts no more once it is accepted */
    scene.ping_ms = 250;
    fake_start(fake, url());
    run(is_pinged);

    assert_trace("answer\ncall: 42\n");
}

static void a_result_that_got_lost_comes_with_the_next_ping(void **state)
{
    (void)state;
    answer_with(FAKE_ACCEPTED);
    ping_with(FAKE_HAS_A_RESULT);
    scene.ping_ms = 100;
    ask_once();

    assert_trace("call: 42\n");
}

static void a_failure_that_got_lost_comes_with_the_next_ping(void **state)
{
    (void)state;
    answer_with(FAKE_ACCEPTED);
    ping_with(FAKE_RUNS, FAKE_HAS_FAILED);
    scene.ping_ms = 100;
    ask_once();

    assert_trace("call: the function has failed\n");
    assert_int_equal(acts.once.call.call.code, 3);
}

static void busy_is_offered_again_and_is_no_try(void **state)
{
    (void)state;
    answer_with(FAKE_BUSY, FAKE_BUSY, FAKE_BUSY, FAKE_BUSY, FAKE_ECHO);
    ask_once();

    assert_trace("call: 42\n");
    assert_int_equal(fake->calls, 5);
    /* 5, 10, 20, 40 ms, each of which may be half as long by chance. */
    assert_true(fake_now_ms() - scene.began >= (5 + 10 + 20 + 40) / 2 - 4);
    assert_true(fake->numbers[4] == fake->numbers[0]);
}

static void a_function_that_failed_tells_its_code_and_text(void **state)
{
    (void)state;
    answer_with(FAKE_FAILED);
    scene.tries = 3; /* it is the function's error: no reason to try again */
    ask_once();

    assert_trace("call: the function has failed\n");
    assert_int_equal(acts.once.call.call.code, 7);
    assert_string_equal(acts.once.call.call.text, "no such file");
    assert_int_equal(fake->calls, 1);
}

static void a_longer_text_than_there_is_room_for_is_cut(void **state)
{
    size_t i;

    (void)state;
    answer_with(FAKE_LONG_TEXT);
    ask_once();

    assert_trace("call: the function has failed\n");
    assert_int_equal(acts.once.call.call.code, -7);
    assert_int_equal(strlen(acts.once.call.call.text), ASYNC_NATS_TEXT - 1);
    for (i = 0; i < ASYNC_NATS_TEXT - 1; i++)
        assert_int_equal(acts.once.call.call.text[i], 'x');
}

static async fails_and_calls_again(struct async_loop *on, void *frame)
{
    struct acts *self = frame;
    struct echo_remote *call = &self->once.call;

    async_begin(self);
    async_catch(self->rc, calls(on, &self->once));
    trace("%d \"%s\"", (int)call->call.code, call->call.text);
    self->more[0].call = *call;
    async_catch(self->rc, calls(on, &self->more[0]));
    call = &self->more[0].call;
    trace("%d \"%s\"", (int)call->call.code, call->call.text);
    async_end();
}

static void a_call_that_failed_is_made_again_as_if_new(void **state)
{
    (void)state;
    answer_with(FAKE_FAILED, FAKE_ECHO);
    fake_start(fake, url());
    run(fails_and_calls_again);

    assert_trace("call: the function has failed\n7 \"no such file\"\n"
                 "call: 42\n0 \"\"\n");
    assert_true(fake->numbers[0] != fake->numbers[1]);
}

static void refused(enum fake_answer answer, const char *expected)
{
    char text[100];

    fake->script[0] = answer;
    scene.tries = 3; /* another try would find the same */
    ask_once();
    (void)snprintf(text, sizeof text, "call: %s\n", expected);
    assert_trace(text);
    assert_int_equal(fake->calls, 1);
}

static void an_actor_without_that_function_is_its_own_error(void **state)
{
    (void)state;
    refused(FAKE_UNKNOWN, "the actor has no such function");
}

static void another_version_is_its_own_error(void **state)
{
    (void)state;
    refused(FAKE_VERSION, "the function is served in another version");
}

static void arguments_that_the_worker_cannot_read_are_malformed(void **state)
{
    (void)state;
    refused(FAKE_MALFORMED, "a message is malformed");
}

static void a_result_larger_than_the_server_takes_is_its_own_error(void **state)
{
    (void)state;
    refused(FAKE_SIZE, "a message is larger than the server takes");
}

static void refused_for_a_reason_that_nobody_knows_is_malformed(void **state)
{
    (void)state;
    refused(FAKE_REFUSED, "a message is malformed");
}

/* ---- wrong answers ------------------------------------------------------ */

/* An answer that is none ends the call, or is dropped and the call is lost;
 * never a result, and what follows it is as ever. */
static async calls_twice(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    async_catch(self->rc, calls(on, &self->once));
    await(async_until(on, fake_seen(fake, &fake->calls) >= 1));
    async_catch(self->rc, calls(on, &self->more[0]));
    async_end();
}

static void no_answer(enum fake_answer answer, const char *expected)
{
    char text[100];

    fake->script[0] = answer;
    fake->script[1] = FAKE_ECHO;
    fake_start(fake, url());
    run(calls_twice);
    (void)snprintf(text, sizeof text, "call: %s\ncall: 42\n", expected);
    assert_trace(text);
}

static void an_empty_answer_is_malformed(void **state)
{
    (void)state;
    no_answer(FAKE_EMPTY, "a message is malformed");
}

static void an_answer_shorter_than_a_head_is_malformed(void **state)
{
    (void)state;
    no_answer(FAKE_SHORT_HEAD, "a message is malformed");
}

static void an_answer_with_another_magic_is_malformed(void **state)
{
    (void)state;
    no_answer(FAKE_WRONG_MAGIC, "a message is malformed");
}

static void an_answer_with_a_wrong_length_is_malformed(void **state)
{
    (void)state;
    no_answer(FAKE_WRONG_LENGTH, "a message is malformed");
}

static void an_answer_of_no_kind_is_malformed(void **state)
{
    (void)state;
    no_answer(FAKE_WRONG_KIND, "a message is malformed");
}

static void an_answer_that_is_a_call_is_malformed(void **state)
{
    (void)state;
    no_answer(FAKE_CALL_BACK, "a message is malformed");
}

static void an_answer_with_another_number_is_not_its_own(void **state)
{
    (void)state;
    no_answer(FAKE_OTHER_NUMBER, "42");
}

static void an_answer_with_another_origin_is_not_its_own(void **state)
{
    (void)state;
    no_answer(FAKE_OTHER_ORIGIN, "42");
}

static void an_answer_with_other_fields_is_malformed(void **state)
{
    (void)state;
    no_answer(FAKE_OTHER_SIGNATURE, "a message is malformed");
}

static void a_result_with_a_byte_too_few_is_malformed(void **state)
{
    (void)state;
    no_answer(FAKE_SHORT_BODY, "a message is malformed");
}

static void a_result_with_a_byte_too_many_is_malformed(void **state)
{
    (void)state;
    no_answer(FAKE_LONG_BODY, "a message is malformed");
}

static void a_megabyte_of_junk_is_malformed(void **state)
{
    (void)state;
    no_answer(FAKE_JUNK, "a message is malformed");
}

static void an_answer_of_another_wire_version_is_told(void **state)
{
    (void)state;
    no_answer(FAKE_WIRE_2, "the function is served in another version");
}

static void an_answer_after_the_first_is_dropped(void **state)
{
    (void)state;
    no_answer(FAKE_TWICE, "42");
}

/* ---- cancel -------------------------------------------------------------
 */

static async is_canceled(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    (void)async_spawn(on, &self->task, calls, &self->once);
    await(async_until(on, fake_seen(fake, &fake->calls) >= 1));
    await(async_until(on, self->once.call.call.is_ & ASYNC_NATS_IS_ACCEPTED_));
    async_cancel(on, &self->task);
    async_catch(self->rc, async_join(on, &self->task));
    await(async_until(on, fake_seen(fake, &fake->cancels) >= 1));
    async_end();
}

static void a_cancel_reaches_the_worker(void **state)
{
    (void)state;
    answer_with(FAKE_ACCEPTED);
    fake_start(fake, url());
    run(is_canceled);

    assert_trace("call: canceled\n");
    assert_true(fake->canceled_number == fake->numbers[0]);
    assert_int_equal(fake->cancels, 1);
}

static async is_canceled_early(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    (void)async_spawn(on, &self->task, calls, &self->once);
    await(async_until(on, fake_seen(fake, &fake->calls) >= 1));
    async_cancel(on, &self->task);
    async_catch(self->rc, async_join(on, &self->task));
    fake_answer_last(fake, FAKE_ACCEPTED);
    await(async_until(on, fake_seen(fake, &fake->cancels) >= 1));
    async_end();
}

static void canceled_before_it_was_accepted_it_reaches_the_worker(void **state)
{
    (void)state;
    answer_with(FAKE_NOTHING);
    fake_start(fake, url());
    run(is_canceled_early);

    assert_trace("call: canceled\n");
    assert_true(fake->canceled_number == fake->numbers[0]);
}

static async times_out(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    self->once.limit_ms = 10;
    async_catch(self->rc, calls(on, &self->once));
    await(async_until(on, fake_seen(fake, &fake->cancels) >= 1));
    async_end();
}

static void a_timeout_reaches_the_worker(void **state)
{
    (void)state;
    answer_with(FAKE_ACCEPTED);
    fake_start(fake, url());
    run(times_out);

    assert_trace("call: timed out\n");
    assert_true(fake->canceled_number == fake->numbers[0]);
}

static async is_canceled_while_busy(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    (void)async_spawn(on, &self->task, calls, &self->once);
    await(async_until(on, fake_seen(fake, &fake->calls) >= 3));
    async_cancel(on, &self->task);
    async_catch(self->rc, async_join(on, &self->task));
    async_end();
}

static void canceled_between_two_tries_it_is_not_tried_again(void **state)
{
    (void)state;
    answer_with(FAKE_BUSY);
    fake_start(fake, url());
    run(is_canceled_while_busy);

    assert_trace("call: canceled\n");
}

/* ---- several ------------------------------------------------------------ */

static async maps(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < MANY; self->i++)
        (void)echo_remote_prepare(&self->calls[self->i], &scene.nats,
                                  of(self->i));
    await(async_map(on, &self->batch, echo_remote_task, self->calls,
                    self->tasks));
    for (self->i = 0; self->i < MANY; self->i++)
        if (self->calls[self->i].result.value != self->i)
            trace("%d: %d", self->i, (int)self->calls[self->i].result.value);
    async_end();
}

static void a_thousand_in_flight_are_answered_each_with_its_own(void **state)
{
    int i, j;

    (void)state;
    answer_with(FAKE_ECHO);
    fake_start(fake, url());
    run(maps);

    assert_trace("");
    assert_int_equal(fake->calls, MANY);
    for (i = 0; i < MANY; i++)
        for (j = 0; j < i; j++)
            if (fake->numbers[i] == fake->numbers[j])
                fail_msg("calls %d and %d have one id", i, j);
}

static async maps_few(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < 10; self->i++)
        (void)echo_remote_prepare(&self->calls[self->i], &scene.nats,
                                  of(self->i));
    async_catch(self->rc,
                async_map_n(on, &self->batch, echo_remote_task, self->calls,
                            sizeof *self->calls, 10, self->tasks, 4));
    trace("map: %s", async_nats_strerror(self->rc));
    await(async_until(on, fake_seen(fake, &fake->cancels) >= 3));
    async_end();
}

static void the_first_error_of_several_cancels_the_rest_there(void **state)
{
    (void)state;
    answer_with(FAKE_ACCEPTED, FAKE_ACCEPTED, FAKE_ACCEPTED, FAKE_FAILED);
    fake_start(fake, url());
    run(maps_few);

    assert_trace("map: the function has failed\n");
    assert_int_equal(fake->calls, 4); /* of 10: so many at once */
    assert_int_equal(fake->cancels, 3);
}

static async races(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    self->more[0].name = "a";
    self->more[1].name = "b";
    for (self->i = 0; self->i < 2; self->i++)
        (void)async_spawn(on, &self->tasks[self->i], calls,
                          &self->more[self->i]);
    await(async_race(on, &self->batch, self->tasks, 2));
    trace("%d has won", (int)self->batch.winner);
    await(async_until(on, fake_seen(fake, &fake->cancels) >= 1));
    async_end();
}

static void the_loser_of_a_race_is_canceled_there(void **state)
{
    (void)state;
    answer_with(FAKE_ACCEPTED, FAKE_ECHO);
    fake_start(fake, url());
    run(races);

    assert_trace("b: 42\na: canceled\n1 has won\n");
    assert_true(fake->canceled_number == fake->numbers[0]);
}

/* ---- from threads that block -------------------------------------------- */

/* A thread that calls, and what came of it. */
struct blocker {
    pthread_t thread;
    struct echo_remote call;
    uint32_t timeout_ms;
    int count, good;
    volatile size_t is_over; /* atomic */
    async_status status;
};
static struct blocker blockers[4];

static void *blocks(void *arg)
{
    struct blocker *self = arg;
    int i;

    for (i = 0; i < self->count; i++) {
        self->status = echo_remote_blocking(&scene.nats, &self->call, of(i),
                                            self->timeout_ms);
        self->good += self->status > 0 && self->call.result.value == i;
    }
    async_atomic_store_(&self->is_over, 1);
    return NULL;
}

static void start_blocker(struct blocker *self, int count, uint32_t timeout_ms)
{
    static const struct blocker zero;
    int error;

    *self = zero;
    self->count = count;
    self->timeout_ms = timeout_ms;
    error = pthread_create(&self->thread, NULL, blocks, self);
    assert_int_equal(error, 0);
}

static async has_blockers(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < 4; self->i++)
        start_blocker(&blockers[self->i], 50, HOUR);
    for (self->i = 0; self->i < 4; self->i++) {
        await(async_until(on, async_atomic_load_(&blockers[self->i].is_over)));
        (void)pthread_join(blockers[self->i].thread, NULL);
        trace("%d", blockers[self->i].good);
    }
    async_end();
}

static void threads_block_while_the_loop_runs_here(void **state)
{
    (void)state;
    answer_with(FAKE_ECHO);
    fake_start(fake, url());
    run(has_blockers);

    assert_trace("50\n50\n50\n50\n");
}

static async has_a_blocker(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    start_blocker(&blockers[0], 1, 10);
    await(async_until(on, async_atomic_load_(&blockers[0].is_over)));
    (void)pthread_join(blockers[0].thread, NULL);
    trace("%s", async_nats_strerror(blockers[0].status));
    await(async_until(on, fake_seen(fake, &fake->cancels) >= 1));
    async_end();
}

static void a_thread_that_blocks_too_long_cancels_its_call(void **state)
{
    (void)state;
    answer_with(FAKE_ACCEPTED);
    fake_start(fake, url());
    run(has_a_blocker);

    assert_trace("timed out\n");
    assert_true(fake->canceled_number == fake->numbers[0]);
}

static void a_program_without_a_loop_drives_it_while_it_blocks(void **state)
{
    struct echo_remote call = {.arguments = {0}};
    async_status status;
    int i;

    (void)state;
    answer_with(FAKE_ECHO, FAKE_ECHO, FAKE_ECHO, FAKE_ACCEPTED);
    fake_start(fake, url());
    scene.options = options_of(url());
    status = async_nats_open(&loop, &scene.nats, scene.options);
    assert_int_equal(status, ASYNC_DONE);
    for (i = 0; i < 3; i++) {
        status = echo_remote_blocking(&scene.nats, &call, of(i), HOUR);
        assert_int_equal(status, ASYNC_DONE);
        assert_int_equal(call.result.value, i);
    }
    status = echo_remote_blocking(&scene.nats, &call, of(0), 10);
    assert_int_equal(status, ASYNC_ETIMEDOUT);
    status = async_run(&loop, closes, &scene.nats);
    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(async_loop_end(&loop), 0);
}

static async blocks_its_own_loop(struct async_loop *on, void *frame)
{
    struct acts *self = frame;
    async_status status;

    (void)on;
    stops_are_noted(1);
    status = echo_remote_blocking(&scene.nats, &self->once.call, of(1), HOUR);
    stops_are_noted(0);
    trace("%d", status == ASYNC_EDEADLK);
    return ASYNC_DONE;
}

static void the_thread_of_the_loop_may_not_block_for_a_call(void **state)
{
    (void)state;
    run(blocks_its_own_loop);

    assert_trace("1\n");
    assert_noted("async_run_on on the thread that drives the loop");
}

/* ---- workers that are processes ----------------------------------------- */

/* Its worker is killed when it has it; `more[0]` finds nobody. */
static async loses_its_worker(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    (void)async_spawn(on, &self->task, calls, &self->once);
    await(async_until(on, self->once.call.call.is_ & ASYNC_NATS_IS_ACCEPTED_));
    end_process(&processes[0]);
    async_catch(self->rc, async_join(on, &self->task));
    async_catch(self->rc, calls(on, &self->more[0]));
    async_end();
}

static void a_worker_that_is_killed_in_mid_call_has_died(void **state)
{
    (void)state;
    start_process(&processes[0], url(), FAKE_ACCEPTED);
    scene.ping_ms = 20;
    run(loses_its_worker);

    assert_trace("call: the worker died, or is out of reach\n"
                 "call: nobody serves this function\n");
}

static async loses_its_worker_and_finds_another(struct async_loop *on,
                                                void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    (void)async_spawn(on, &self->task, calls, &self->once);
    await(async_until(on, self->once.call.call.is_ & ASYNC_NATS_IS_ACCEPTED_));
    end_process(&processes[0]);
    start_process(&processes[0], url(), FAKE_ECHO);
    async_catch(self->rc, async_join(on, &self->task));
    async_end();
}

static void with_retry_another_worker_answers_for_the_killed_one(void **state)
{
    (void)state;
    start_process(&processes[0], url(), FAKE_ACCEPTED);
    scene.ping_ms = 20;
    scene.tries = 0;
    scene.first_ms = 5;
    run(loses_its_worker_and_finds_another);

    assert_trace("call: 42\n");
}

/* A flood, while one of two workers stands still: 30 MB, so that the server
 * finds it too slow, and cuts it off. */
enum { FLOOD = 300 };
static struct flood_remote floods[FLOOD];

static async floods_them(struct async_loop *on, void *frame)
{
    struct acts *self = frame;
    struct flood_remote *call;
    int good = 0, died = 0;

    async_begin(self);
    for (self->i = 0; self->i < FLOOD; self->i++) {
        call = &floods[self->i];
        call->arguments.data.length = sizeof call->arguments.data.at;
        async_nats_prepare_(&call->call, &scene.nats, flood_function(),
                            &call->arguments, &call->result);
    }
    self->batch.collect = 1;
    await(async_map_n(on, &self->batch, flood_remote_task, floods,
                      sizeof *floods, FLOOD, self->tasks, FLOOD));
    for (self->i = 0; self->i < FLOOD; self->i++) {
        async_status status = async_outcome(&floods[self->i].call.async);

        good += status == ASYNC_DONE && floods[self->i].result.is_good;
        died += status == ASYNC_NATS_EDIED;
    }
    trace("%d, all: %d, some died: %d", good == FLOOD, good + died == FLOOD,
          died > 0);
    async_end();
}

static void stand_still_in_a_flood(void)
{
    const char *path = server_file("slow.conf");
    const char *const arguments[] = {"-c", path, NULL};
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    (void)fprintf(file, "write_deadline: \"100ms\"\n");
    (void)fclose(file);
    own_server(arguments);
    start_process(&processes[0], server.url, FAKE_YES);
    start_process(&processes[1], server.url, FAKE_YES);
    (void)kill(processes[0].pid, SIGSTOP);
    memset(floods, 0, sizeof floods);
    scene.lost_ms = 700;
    run(floods_them);
}

static void one_worker_stands_still_and_only_its_calls_are_lost(void **state)
{
    (void)state;
    stand_still_in_a_flood();

    assert_trace("0, all: 1, some died: 1\n");
}

static void with_retry_the_others_answer_for_the_one_that_stands(void **state)
{
    (void)state;
    scene.tries = 0;
    stand_still_in_a_flood();

    assert_trace("1, all: 1, some died: 0\n");
}

/* ---- actors ------------------------------------------------------------- */

static async calls_an_actor(struct async_loop *on, void *frame)
{
    static const struct async_nats_handle counter = {"counter"};
    struct acts *self = frame;
    struct echo_remote *call = &self->once.call;

    async_begin(self);
    await(echo_remote_call_on(on, &scene.nats, &counter, call, of(7)));
    trace("%d", (int)call->result.value);
    echo_remote_prepare(&self->once.call, &scene.nats, of(8))->call.to =
        &counter;
    await(echo_remote_task(on, &self->once.call));
    call = &self->once.call;
    trace("%d", (int)call->result.value);
    async_catch(self->rc,
                echo_remote_call(on, &scene.nats, &self->once.call, of(9)));
    trace("%s", async_nats_strerror(self->rc));
    async_end();
}

static void a_call_on_a_handle_goes_to_that_actor_only(void **state)
{
    (void)state;
    answer_with(FAKE_ECHO);
    fake->subject = "async.actor.counter.echo";
    fake_start(fake, url());
    run(calls_an_actor);

    assert_trace("7\n8\nnobody serves this function\n");
}

/* ---- the server goes ---------------------------------------------------- */

static async loses_the_server(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    (void)async_spawn(on, &self->task, calls, &self->once);
    await(async_until(on, fake_seen(fake, &fake->calls) >= 1));
    trace("%d", async_nats_connected(&scene.nats));
    server_kill(&server);
    async_catch(self->rc, async_join(on, &self->task));
    trace("%d", async_nats_connected(&scene.nats));
    self->more[0].name = "meanwhile";
    async_catch(self->rc, calls(on, &self->more[0]));
    async_end();
}

static void the_server_goes_and_calls_in_flight_are_told_at_once(void **state)
{
    (void)state;
    own_server(NULL);
    answer_with(FAKE_ACCEPTED);
    fake_start(fake, server.url);
    run(loses_the_server);

    assert_trace("1\ncall: the server is gone\n"
                 "0\nmeanwhile: the server is gone\n");
}

static async gets_the_server_back(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    (void)async_spawn(on, &self->task, calls, &self->once);
    await(async_until(on, fake_seen(fake, &fake->calls) >= 1));
    server_kill(&server);
    await(async_until(on, !async_nats_connected(&scene.nats)));
    self->more[0].name = "meanwhile";
    (void)async_spawn(on, &self->tasks[0], calls, &self->more[0]);
    await(async_yield_now(on));
    server_start(&server, NULL);
    async_catch(self->rc, async_join(on, &self->task));
    async_catch(self->rc, async_join(on, &self->tasks[0]));
    async_end();
}

static void with_retry_they_are_answered_when_it_is_back(void **state)
{
    uint64_t number;
    int i, found = 0;

    (void)state;
    own_server(NULL);
    answer_with(FAKE_NOTHING, FAKE_ECHO);
    fake_start(fake, server.url);
    scene.tries = 0;
    scene.first_ms = 5;
    run(gets_the_server_back);

    if (strcmp(trace_text, "meanwhile: 42\ncall: 42\n") != 0)
        assert_trace("call: 42\nmeanwhile: 42\n");
    trace_clear();
    number = fake->numbers[0];
    for (i = 1; i < fake->calls; i++)
        found += fake->numbers[i] == number;
    assert_int_equal(found, 1); /* again, by the same id */
    assert_int_equal(fake->calls, 3);
}

static async is_asked_for(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    (void)async_spawn(on, &self->task, calls, &self->once);
    await(async_until(on, self->once.call.call.is_ & ASYNC_NATS_IS_ACCEPTED_));
    server_kill(&server);
    await(async_until(on, !async_nats_connected(&scene.nats)));
    server_start(&server, NULL);
    async_catch(self->rc, async_join(on, &self->task));
    async_end();
}

static void
a_worker_that_had_accepted_it_is_asked_when_both_are_back(void **state)
{
    (void)state;
    own_server(NULL);
    answer_with(FAKE_ACCEPTED, FAKE_FAILED);
    ping_with(FAKE_HAS_A_RESULT);
    fake_start(fake, server.url);
    scene.tries = 2;
    scene.ping_ms = 200;
    run(is_asked_for);

    assert_trace("call: 42\n");
    assert_int_equal(fake->calls, 1); /* it did not run again */
}

static async stays_away(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    server_kill(&server);
    await(async_until(on, !async_nats_connected(&scene.nats)));
    async_end();
}

static void a_connection_is_closed_while_its_server_is_away(void **state)
{
    (void)state;
    own_server(NULL);
    run(stays_away);

    assert_trace("");
}

static async comes_and_goes(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < 5; self->i++) {
        server_kill(&server);
        await(async_until(on, !async_nats_connected(&scene.nats)));
        server_start(&server, NULL);
        await(async_until(on, async_nats_connected(&scene.nats)));
    }
    async_catch(self->rc, calls(on, &self->once));
    async_end();
}

static void the_server_may_go_again_and_again(void **state)
{
    (void)state;
    own_server(NULL);
    answer_with(FAKE_ECHO);
    fake_start(fake, server.url);
    scene.tries = 0;
    scene.first_ms = 2;
    run(comes_and_goes);

    assert_trace("call: 42\n");
}

/* ---- open and close ----------------------------------------------------- */

static void count_descriptors(int *count)
{
    DIR *dir = opendir("/proc/self/fd");

    for (*count = 0; dir && readdir(dir);)
        ++*count;
    if (dir)
        (void)closedir(dir);
}

static void open_says_why_when_no_server_is_there(void **state)
{
    (void)state;
    server.port = server_port_();
    (void)snprintf(server.url, sizeof server.url, "nats://127.0.0.1:%d",
                   server.port);
    scene.options = options_of(server.url);
    run(NULL);

    assert_trace("open: the server is gone\n");
    assert_reason("is there a server at that URL?");
}

static void a_connection_is_opened_and_closed_and_leaves_nothing(void **state)
{
    static const struct scene no_scene;
    int before, after, i;

    (void)state;
    run(NULL); /* libnats keeps some of its own */
    count_descriptors(&before);
    for (i = 0; i < 20; i++) {
        natsOptions *options = scene.options;

        scene = no_scene;
        scene.options = options;
        run(NULL);
    }
    count_descriptors(&after);
    assert_int_equal(after, before);
    assert_trace("");
}

enum { FLIGHT = 10 };

static async leaves_one_waiting(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    server_kill(&server);
    await(async_until(on, !async_nats_connected(&scene.nats)));
    (void)async_spawn(on, &self->task, calls, &self->once);
    await(async_sleep_ms(on, 30));
    trace("%d", (int)async_task_outcome(&self->task)); /* no try was used up */
    async_end();
}

static async joins_it(struct async_loop *on, void *frame)
{
    static struct once after; /* the frame is the act's, which is over */
    struct once *self = &after;

    (void)frame;
    async_begin(self);
    async_catch(self->rc, async_join(on, &acts.task));
    async_end();
}

static void a_close_ends_a_call_that_waits_for_the_server(void **state)
{
    (void)state;
    own_server(NULL);
    scene.tries = 3;
    scene.first_ms = 1;
    scene.after = joins_it;
    run(leaves_one_waiting);

    assert_trace("0\ncall: closed\n");
}

static async leaves_calls(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < FLIGHT; self->i++)
        (void)async_spawn(on, &self->tasks[self->i], echo_remote_task,
                          echo_remote_prepare(&self->calls[self->i],
                                              &scene.nats, of(self->i)));
    await(async_until(on, fake_seen(fake, &fake->calls) >= FLIGHT));
    async_end();
}

static async finds_them_ended(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    (void)on;
    for (self->i = 0; self->i < FLIGHT; self->i++)
        trace("%s",
              async_nats_strerror(async_task_outcome(&self->tasks[self->i])));
    self->batch.collect = 1;
    return ASYNC_DONE;
}

static async joins_them(struct async_loop *on, void *frame)
{
    struct acts *self = frame;

    self->batch.collect = 1;
    return async_gather(on, &self->batch, self->tasks, FLIGHT);
}

static void a_close_ends_the_calls_in_flight(void **state)
{
    char expected[512] = "";
    int i;

    (void)state;
    answer_with(FAKE_ACCEPTED, FAKE_NOTHING);
    scene.after = joins_them;
    fake_start(fake, url());
    run(leaves_calls);
    (void)finds_them_ended(&loop, &acts);

    for (i = 0; i < FLIGHT; i++)
        (void)strcat(strcat(expected, async_strerror(ASYNC_ECLOSED)), "\n");
    assert_trace(expected);
}

/* ---- who may connect ---------------------------------------------------- */

static void tls_server(void)
{
    const char *arguments[] = {"--tls",
                               "--tlscert",
                               server_file("server.pem"),
                               "--tlskey",
                               server_file("server.key"),
                               NULL};

    server_start(&server, arguments);
    scene.options = options_of(server.url);
}

static void trusted(const char *file)
{
    FAKE_CHECK_(natsOptions_SetSecure(scene.options, true));
    FAKE_CHECK_(natsOptions_LoadCATrustedCertificates(scene.options,
                                                      server_file(file)));
}

static void by_TLS_a_server_that_is_trusted_is_accepted(void **state)
{
    (void)state;
    tls_server();
    trusted("ca.pem");
    run(calls_once);

    assert_trace("call: nobody serves this function\n");
}

static void a_server_that_is_not_trusted_is_refused(void **state)
{
    (void)state;
    tls_server();
    trusted("other_ca.pem");
    run(NULL);

    assert_trace("open: the server refuses these credentials\n");
    assert_reason("natsOptions_LoadCATrustedCertificates");
}

static void a_server_that_wants_TLS_refuses_who_does_not(void **state)
{
    (void)state;
    tls_server();
    run(NULL);

    assert_trace("open: the server refuses these credentials\n");
    assert_reason("natsOptions_SetSecure");
}

static void who_wants_TLS_refuses_a_server_without(void **state)
{
    (void)state;
    own_server(NULL);
    trusted("ca.pem");
    run(NULL);

    assert_trace("open: the server refuses these credentials\n");
    assert_reason("natsOptions_SetSecure");
}

static const char *const password[] = {"--user", "ann", "--pass", "secret",
                                       NULL};

static void the_right_user_and_password_are_accepted(void **state)
{
    (void)state;
    own_server(password);
    FAKE_CHECK_(natsOptions_SetUserInfo(scene.options, "ann", "secret"));
    run(calls_once);

    assert_trace("call: nobody serves this function\n");
}

static void a_wrong_password_is_refused_with_a_reason(void **state)
{
    (void)state;
    own_server(password);
    FAKE_CHECK_(natsOptions_SetUserInfo(scene.options, "ann", "guessed"));
    run(NULL);

    assert_trace("open: the server refuses these credentials\n");
    assert_reason("natsOptions_SetUserInfo");
}

static void no_password_is_refused_with_a_reason(void **state)
{
    (void)state;
    own_server(password);
    run(NULL);

    assert_trace("open: the server refuses these credentials\n");
    assert_reason("natsOptions_SetUserInfo");
}

/* How many listen on the port, and not on 127.0.0.1 only. */
static void listeners(const char *path, int port, int *all, int *others)
{
    char line[512], address[64];
    unsigned at, state;
    FILE *file = fopen(path, "r");

    if (!file)
        return; /* without IPv6 there is none of its table */
    while (fgets(line, sizeof line, file))
        if (sscanf(line, " %*d: %63[0-9A-F]:%x %*[0-9A-F:] %x", address, &at,
                   &state) == 3 &&
            state == 0x0A && (int)at == port) {
            ++*all;
            *others += strcmp(address, "0100007F") != 0;
        }
    (void)fclose(file);
}

static void the_tests_servers_listen_on_loopback_only(void **state)
{
    const char *colon = strrchr(url(), ':');
    int ports[2], i;

    (void)state;
    own_server(NULL);
    ports[0] = server.port;
    ports[1] = atoi(colon + 1);
    for (i = 0; i < 2; i++) {
        int all = 0, others = 0;

        listeners("/proc/net/tcp", ports[i], &all, &others);
        listeners("/proc/net/tcp6", ports[i], &all, &others);
        assert_int_equal(all, 1);
        assert_int_equal(others, 0);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        scene_claim(numbers_at_their_limits_come_back_as_they_were),
        scene_claim(a_call_is_these_bytes),
        scene_claim(empty_and_full_text_and_bytes_come_back_as_they_were),
        scene_claim(a_function_may_have_neither_arguments_nor_result),
        scene_claim(what_is_larger_than_the_server_takes_is_not_sent),
        scene_claim(nobody_serves_it_is_told_at_once),
        scene_claim(with_retry_it_is_answered_when_somebody_comes),
        scene_claim(tries_that_find_nobody_are_counted),
        scene_claim(nobody_begins_with_it_in_lost_ms),
        scene_claim(its_worker_has_gone_away_since_it_was_accepted),
        scene_claim(its_worker_does_not_answer_three_pings),
        scene_claim(pings_count_from_the_last_that_was_answered),
        scene_claim(its_worker_has_forgotten_it),
        scene_claim(accepted_without_an_address_is_malformed),
        scene_claim(a_retry_keeps_its_id_and_waits_longer_each_time),
        scene_claim(the_last_try_tells_its_error),
        scene_claim(a_worker_that_forgot_it_is_tried_again),
        scene_claim(the_answer_to_an_earlier_try_is_as_good),
        scene_claim(accepted_and_then_answered),
        scene_claim(while_pings_are_answered_it_may_take_any_time),
        scene_claim(a_result_that_got_lost_comes_with_the_next_ping),
        scene_claim(a_failure_that_got_lost_comes_with_the_next_ping),
        scene_claim(busy_is_offered_again_and_is_no_try),
        scene_claim(a_function_that_failed_tells_its_code_and_text),
        scene_claim(a_longer_text_than_there_is_room_for_is_cut),
        scene_claim(a_call_that_failed_is_made_again_as_if_new),
        scene_claim(an_actor_without_that_function_is_its_own_error),
        scene_claim(another_version_is_its_own_error),
        scene_claim(arguments_that_the_worker_cannot_read_are_malformed),
        scene_claim(a_result_larger_than_the_server_takes_is_its_own_error),
        scene_claim(refused_for_a_reason_that_nobody_knows_is_malformed),
        scene_claim(an_empty_answer_is_malformed),
        scene_claim(an_answer_shorter_than_a_head_is_malformed),
        scene_claim(an_answer_with_another_magic_is_malformed),
        scene_claim(an_answer_with_a_wrong_length_is_malformed),
        scene_claim(an_answer_of_no_kind_is_malformed),
        scene_claim(an_answer_that_is_a_call_is_malformed),
        scene_claim(an_answer_with_another_number_is_not_its_own),
        scene_claim(an_answer_with_another_origin_is_not_its_own),
        scene_claim(an_answer_with_other_fields_is_malformed),
        scene_claim(a_result_with_a_byte_too_few_is_malformed),
        scene_claim(a_result_with_a_byte_too_many_is_malformed),
        scene_claim(a_megabyte_of_junk_is_malformed),
        scene_claim(an_answer_of_another_wire_version_is_told),
        scene_claim(an_answer_after_the_first_is_dropped),
        scene_claim(a_cancel_reaches_the_worker),
        scene_claim(canceled_before_it_was_accepted_it_reaches_the_worker),
        scene_claim(a_timeout_reaches_the_worker),
        scene_claim(canceled_between_two_tries_it_is_not_tried_again),
        scene_claim(a_thousand_in_flight_are_answered_each_with_its_own),
        scene_claim(the_first_error_of_several_cancels_the_rest_there),
        scene_claim(the_loser_of_a_race_is_canceled_there),
        scene_claim(threads_block_while_the_loop_runs_here),
        scene_claim(a_thread_that_blocks_too_long_cancels_its_call),
        scene_claim(a_program_without_a_loop_drives_it_while_it_blocks),
        scene_claim(the_thread_of_the_loop_may_not_block_for_a_call),
        scene_claim(a_worker_that_is_killed_in_mid_call_has_died),
        scene_claim(with_retry_another_worker_answers_for_the_killed_one),
        scene_claim(one_worker_stands_still_and_only_its_calls_are_lost),
        scene_claim(with_retry_the_others_answer_for_the_one_that_stands),
        scene_claim(a_call_on_a_handle_goes_to_that_actor_only),
        scene_claim(the_server_goes_and_calls_in_flight_are_told_at_once),
        scene_claim(with_retry_they_are_answered_when_it_is_back),
        scene_claim(a_worker_that_had_accepted_it_is_asked_when_both_are_back),
        scene_claim(a_connection_is_closed_while_its_server_is_away),
        scene_claim(the_server_may_go_again_and_again),
        scene_claim(open_says_why_when_no_server_is_there),
        scene_claim(a_connection_is_opened_and_closed_and_leaves_nothing),
        scene_claim(a_close_ends_the_calls_in_flight),
        scene_claim(a_close_ends_a_call_that_waits_for_the_server),
        scene_claim(by_TLS_a_server_that_is_trusted_is_accepted),
        scene_claim(a_server_that_is_not_trusted_is_refused),
        scene_claim(a_server_that_wants_TLS_refuses_who_does_not),
        scene_claim(who_wants_TLS_refuses_a_server_without),
        scene_claim(the_right_user_and_password_are_accepted),
        scene_claim(a_wrong_password_is_refused_with_a_reason),
        scene_claim(no_password_is_refused_with_a_reason),
        scene_claim(the_tests_servers_listen_on_loopback_only),
    };

    if (argc == 4 && strcmp(argv[1], "serve") == 0)
        serve(argv);
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* who hangs is known */
    if (getenv("ONLY"))
        cmocka_set_test_filter(getenv("ONLY"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
