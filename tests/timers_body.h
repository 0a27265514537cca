/* timers_body.h: the loop's timers, for the width and the radix that the
 * including test_timers*.c has chosen.
 * SPDX-License-Identifier: MIT
 */
#include "trace.h"

#include <poll.h> /* before the name is ours */

static int poll_instead(struct pollfd *fds, nfds_t count, int timeout);
#define poll poll_instead
#include "async_loop.h"
#undef poll

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

static struct async_loop loop;

static int loop_setup(void **state)
{
    async_loop_init(&loop);
    return trace_setup(state);
}
#define timers_claim(test) cmocka_unit_test_setup(test, loop_setup)

static void fired(struct async_loop *on, struct async_timer *timer)
{
    (void)on;
    trace("%s", (const char *)timer->arg);
}

/* ---- against an oracle --------------------------------------------------- */

/* The oracle: a sorted array, and a time that never wraps. */
enum { TIMERS = 40, ROUNDS = 4000 };
#define FAR_ENOUGH                                                             \
    (UINT64_C(1) << 48) /* the oracle's own time must not wrap                 \
                         */

static struct async_timer timers[TIMERS];
static struct {
    uint64_t now;
    async_time origin; /* what the loop calls 0 */
    int count;
    struct {
        uint64_t deadline;
        int id;
    } sorted[TIMERS];
    int may_act; /* callbacks start and stop others */
    uint64_t seed, state;
} oracle;

static uint64_t random_bits(void)
{
    oracle.state ^= oracle.state >> 12; /* xorshift64*, Vigna 2016 */
    oracle.state ^= oracle.state << 25;
    oracle.state ^= oracle.state >> 27;
    return oracle.state * UINT64_C(2685821657736338717);
}

static int random_below(int limit)
{
    return (int)(random_bits() >> 33) % limit;
}

/* As often short as long, and often at an edge. */
static async_time random_ticks(void)
{
    uint64_t ticks = random_bits() >> (64 - ASYNC_TIME_BITS) >>
                     random_below(ASYNC_TIME_BITS);

    if (random_below(16) == 0)
        ticks = ASYNC_MAX_TICKS;
    if (ticks > ASYNC_MAX_TICKS)
        ticks = ASYNC_MAX_TICKS;
    return (async_time)(ticks < FAR_ENOUGH ? ticks : FAR_ENOUGH);
}

#define oracle_check(condition, what)                                          \
    do {                                                                       \
        int holds_ = (condition);                                              \
                                                                               \
        if (!holds_)                                                           \
            fail_msg("%s; seed %" PRIu64 ", now %" PRIu64, what, oracle.seed,  \
                     oracle.now);                                              \
    } while (0)

static void oracle_remove(int id)
{
    int i = 0;

    while (i < oracle.count && oracle.sorted[i].id != id)
        i++;
    if (i == oracle.count)
        return;
    oracle.count--;
    for (; i < oracle.count; i++)
        oracle.sorted[i] = oracle.sorted[i + 1];
}

static void oracle_add(int id, uint64_t deadline)
{
    int i = oracle.count++;

    for (; i > 0 && oracle.sorted[i - 1].deadline > deadline; i--)
        oracle.sorted[i] = oracle.sorted[i - 1];
    oracle.sorted[i].deadline = deadline;
    oracle.sorted[i].id = id;
}

static void random_start_or_stop(void);

static void oracle_fired(struct async_loop *on, struct async_timer *timer)
{
    int id = (int)(timer - timers);

    oracle_check(on == &loop && timer->arg == &timers[id], "wrong arguments");
    oracle_check(oracle.count > 0, "fired, and none was running");
    oracle_check(oracle.sorted[0].id == id, "fired out of order");
    oracle_check(oracle.sorted[0].deadline <= oracle.now, "fired too early");
    oracle_remove(id);
    oracle_check(async_deadlines_check_(&on->deadlines_),
                 "is corrupt in a callback");
    while (oracle.may_act && random_below(2))
        random_start_or_stop();
}

static void random_start_or_stop(void)
{
    int id = random_below(TIMERS);

    oracle_remove(id);
    if (random_below(3) == 0) {
        async_timer_stop(&loop, &timers[id]);
    } else {
        async_time ticks = random_ticks();

        async_timer_start(&loop, &timers[id], ticks, oracle_fired, &timers[id]);
        oracle_add(id, oracle.now + (ticks ? ticks : 1));
    }
}

static async_time oracle_poll(void)
{
    async_time answer =
        async_poll(&loop, (async_time)(oracle.origin + oracle.now));

    oracle_check(async_deadlines_check_(&loop.deadlines_), "is corrupt");
    return answer;
}

static void run_against_the_oracle(uint64_t seed, int may_act)
{
    async_time answer;
    int round;

    async_loop_init(&loop);
    memset(timers, 0, sizeof timers);
    memset(&oracle, 0, sizeof oracle);
    oracle.seed = oracle.state = seed;
    oracle.may_act = may_act;
    /* the first wrap is never far */
    oracle.origin = (async_time)(0 - random_ticks());
    answer = oracle_poll();
    for (round = 0; round < ROUNDS; round++) {
        int actions = random_below(4);

        while (actions-- > 0)
            random_start_or_stop();
        answer = oracle_poll();
        if (random_below(2) && answer <= ASYNC_MAX_TICKS)
            oracle.now += answer; /* as a host does */
        else if (random_below(2))
            oracle.now += (uint64_t)random_below(3);
        else
            oracle.now += random_ticks();
        answer = oracle_poll();
        if (oracle.count == 0) {
            oracle_check(answer == ASYNC_FOREVER, "waits for nothing");
        } else {
            oracle_check(oracle.sorted[0].deadline > oracle.now,
                         "did not fire");
            oracle_check(answer == oracle.sorted[0].deadline - oracle.now,
                         "asks to be called at another time");
        }
    }
}

static void timers_fire_as_a_sorted_array_of_them_would(void **state)
{
    uint64_t seed;

    (void)state;
    for (seed = 1; seed <= 20; seed++)
        run_against_the_oracle(seed, 0);
}

static void
timers_that_start_and_stop_others_fire_as_a_sorted_array_would(void **state)
{
    uint64_t seed;

    (void)state;
    for (seed = 1; seed <= 20; seed++)
        run_against_the_oracle(seed, 1);
}

static void timers_fire_as_a_sorted_array_would_for_a_new_seed(void **state)
{
    uint64_t seed = (uint64_t)time(NULL) * 2654435761u | 1;

    (void)state;
    print_message("seed %" PRIu64 "\n", seed);
    run_against_the_oracle(seed, 1);
}

/* ---- the self-check ------------------------------------------------------ */

/* Due at 200, 201 and 200; at 100 they share a slot, whatever the radix. */
static struct async_deadlines_ *three_in_a_slot(struct async_timer timer[3])
{
    const async_time ticks[3] = {100, 101, 100};
    int i;

    async_loop_init(&loop);
    memset(timer, 0, 3 * sizeof *timer);
    (void)async_poll(&loop, 100);
    for (i = 0; i < 3; i++)
        async_timer_start(&loop, &timer[i], ticks[i], fired, "fired");
    (void)async_poll(&loop, 100);
    assert_true(async_deadlines_check_(&loop.deadlines_));
    return &loop.deadlines_;
}

#define assert_found(corruption)                                               \
    do {                                                                       \
        deadlines = three_in_a_slot(timer);                                    \
        corruption;                                                            \
        assert_false(async_deadlines_check_(deadlines));                       \
    } while (0)

static void the_check_finds_each_corruption(void **state)
{
    static struct async_timer timer[3];
    struct async_deadlines_ *deadlines;

    (void)state;
    assert_found(timer[1].wait_.next = NULL);
    assert_found(timer[1].wait_.next = &timer[1].wait_);
    assert_found(timer[2].wait_.prev = &timer[2].wait_);
    assert_found(timer[1].wait_.on.deadline = 101); /* in another slot */
    assert_found(timer[1].wait_.on.deadline = 100); /* not ahead */
    assert_found(deadlines->base = 200);            /* the same */
    assert_found(deadlines->base = 199);            /* nearer, not dealt */
    assert_found(deadlines->next++);                /* later than the first */
    assert_found(deadlines->next--);                /* earlier */
    assert_found(deadlines->next_is = ASYNC_NEXT_IS_NONE_);
    assert_found(deadlines->next_is = 3); /* no such thing */
    assert_found(memset(deadlines->slots, 0, sizeof deadlines->slots));
#if ASYNC_RADIX_BITS > 1
    assert_found(timer[2].wait_.status = 1); /* not the first */
    assert_found(memset(deadlines->used, 0, sizeof deadlines->used));
    assert_found(timer[0].wait_.on.deadline +=
                 2); /* marked, and not the least */
#endif

    deadlines = three_in_a_slot(timer);
    async_timer_start(&loop, &timer[0], 5, fired, "between polls");
    async_timer_start(&loop, &timer[1], 5, fired, "between polls");
    assert_true(async_deadlines_check_(deadlines));
    timer[1].wait_.prev = &timer[1].wait_;
    assert_false(async_deadlines_check_(deadlines)); /* in the line of due */
}

/* ---- the edges by hand --------------------------------------------------- */

static void a_timer_across_the_wrap_fires_on_its_tick(void **state)
{
    struct async_timer timer = {0};
    const async_time before = (async_time)-3;

    (void)state;
    (void)async_poll(&loop, before);
    async_timer_start(&loop, &timer, 5, fired, "fired");

    assert_int_equal(async_poll(&loop, before), 5);
    assert_int_equal(async_poll(&loop, (async_time)-1), 3);
    assert_int_equal(async_poll(&loop, 0), 2);
    assert_int_equal(async_poll(&loop, 1), 1);
    assert_trace("");
    assert_true(async_poll(&loop, 2) == ASYNC_FOREVER);
    assert_trace("fired\n");
}

static void a_timer_started_before_the_first_poll_counts_from_it(void **state)
{
    struct async_timer timer = {0};
    const async_time first = (async_time)(ASYNC_MAX_TICKS + 100);

    (void)state;
    async_timer_start(&loop, &timer, 10, fired, "fired");
    assert_int_equal(async_poll(&loop, first), 10);
    (void)async_poll(&loop, (async_time)(first + 9));
    assert_trace("");
    (void)async_poll(&loop, (async_time)(first + 10));
    assert_trace("fired\n");
}

static void timers_started_before_the_first_poll_keep_their_order(void **state)
{
    static struct async_timer timer[4];
    int i;

    (void)state;
    for (i = 0; i < 4; i++)
        async_timer_stop(&loop, &timer[i]);
    async_timer_start(&loop, &timer[0], 70, fired, "70");
    async_timer_start(&loop, &timer[1], 5, fired, "5");
    async_timer_start(&loop, &timer[2], 70, fired, "70 again");
    async_timer_start(&loop, &timer[3], 6, fired, "6");
    async_timer_stop(&loop, &timer[3]);
    assert_int_equal(async_poll(&loop, 60), 5);
    (void)async_poll(&loop, 65);
    assert_trace("5\n");
    (void)async_poll(&loop, (async_time)(60 + 70));
    assert_trace("70\n"
                 "70 again\n");
}

static void a_timer_started_between_polls_counts_from_the_next(void **state)
{
    struct async_timer timer = {0};

    (void)state;
    (void)async_poll(&loop, 0);
    async_timer_start(&loop, &timer, 10, fired, "fired");
    assert_int_equal(async_poll(&loop, 100), 10);
    (void)async_poll(&loop, 109);
    assert_trace("");
    (void)async_poll(&loop, 110);
    assert_trace("fired\n");
}

static void the_longest_wait_ends_on_its_tick(void **state)
{
    struct async_timer timer = {0};
    const async_time start = ASYNC_MAX_TICKS / 3;

    (void)state;
    (void)async_poll(&loop, start);
    async_timer_start(&loop, &timer, ASYNC_MAX_TICKS, fired, "fired");

    assert_true(async_poll(&loop, start) == ASYNC_MAX_TICKS);
    (void)async_poll(&loop, (async_time)(start + ASYNC_MAX_TICKS - 1));
    assert_trace("");
    (void)async_poll(&loop, (async_time)(start + ASYNC_MAX_TICKS));
    assert_trace("fired\n");
}

static void start_beyond_the_longest_wait(void *timer)
{
    async_timer_start(&loop, timer, (async_time)(ASYNC_MAX_TICKS + 1), fired,
                      "fired");
}

static void a_wait_beyond_the_longest_is_caught(void **state)
{
    struct async_timer timer = {0};

    (void)state;
    assert_stops("longer than ASYNC_MAX_TICKS", start_beyond_the_longest_wait,
                 &timer);
}

static void
timers_of_one_deadline_fire_in_the_order_of_their_starts(void **state)
{
    static struct async_timer timer[4];

    (void)state;
    (void)async_poll(&loop, 0);
    async_timer_start(&loop, &timer[0], 100, fired, "started at 0");
    (void)async_poll(&loop, 0);
    (void)async_poll(&loop, 37);
    async_timer_start(&loop, &timer[1], 63, fired, "started at 37");
    (void)async_poll(&loop, 37);
    (void)async_poll(&loop, 98);
    async_timer_start(&loop, &timer[2], 2, fired, "started at 98");
    (void)async_poll(&loop, 98);
    (void)async_poll(&loop, 99);
    async_timer_start(&loop, &timer[3], 1, fired, "started at 99");
    (void)async_poll(&loop, 99);

    (void)async_poll(&loop, 100);

    assert_trace("started at 0\n" /* from far to near it kept its place */
                 "started at 37\n"
                 "started at 98\n"
                 "started at 99\n");
}

static void stops_and_starts(struct async_loop *on, struct async_timer *timer)
{
    struct async_timer *all = timer->arg;

    async_timer_stop(on, &all[0]);
    async_timer_start(on, &all[4], 100, fired, "201 again");
}

static void equals_keep_their_order_when_the_least_was_stopped(void **state)
{
    static struct async_timer timer[5];

    (void)state;
    (void)async_poll(&loop, 100);
    async_timer_start(&loop, &timer[0], 100, fired, "200");
    async_timer_start(&loop, &timer[1], 102, fired, "202");
    async_timer_start(&loop, &timer[2], 101, fired, "201");
    async_timer_start(&loop, &timer[3], 1, stops_and_starts, timer);
    assert_int_equal(async_poll(&loop, 100), 1);

    assert_int_equal(async_poll(&loop, 101), 100);
    (void)async_poll(&loop, 202);

    assert_trace("201\n" /* it was behind 202, which 200 had been before */
                 "201 again\n"
                 "202\n");
}

static void timers_are_due_after_the_longest_jump(void **state)
{
    static struct async_timer far_one, near_one;
    int i;

    (void)state;
    for (i = 0; i < 64; i++) { /* from all around the clock */
        const async_time start =
            (async_time)(ASYNC_MAX_TICKS / 32 * (unsigned)i);
        const async_time later = (async_time)(start + ASYNC_MAX_TICKS / 3);

        async_loop_init(&loop);
        (void)async_poll(&loop, start);
        async_timer_start(&loop, &far_one, ASYNC_MAX_TICKS, fired, "far");
        (void)async_poll(&loop, start);
        (void)async_poll(&loop, later);
        async_timer_start(&loop, &near_one, ASYNC_MAX_TICKS / 20, fired,
                          "near");
        (void)async_poll(&loop, later);

        assert_true(async_poll(&loop, (async_time)(later + ASYNC_MAX_TICKS)) ==
                    ASYNC_FOREVER);

        assert_trace("near\n"
                     "far\n");
    }
}

static struct async_timer restarted;

static void starts_a_long_one(struct async_loop *on, struct async_timer *timer)
{
    trace("%s", (const char *)timer->arg);
    async_timer_start(on, &restarted, ASYNC_MAX_TICKS, fired, "long one");
}

static void
a_long_timer_started_after_a_long_jump_does_not_overtake(void **state)
{
    struct async_timer first = {0}, second = {0};
    async_time now, start;

    (void)state;
    for (start = 0; start < 100; start++) {
        async_loop_init(&loop);
        memset(&restarted, 0, sizeof restarted);
        (void)async_poll(&loop, start);
        async_timer_start(&loop, &first, 1, starts_a_long_one, "first");
        async_timer_start(&loop, &second, ASYNC_MAX_TICKS, fired, "second");
        (void)async_poll(&loop, start);
        now = (async_time)(start + ASYNC_MAX_TICKS);
        (void)async_poll(&loop, now); /* both are due */
        assert_trace("first\n"
                     "second\n");
        (void)async_poll(&loop, (async_time)(now + ASYNC_MAX_TICKS));
        assert_trace("long one\n");
    }
}

struct sleeper {
    struct async_frame async;
    const char *name;
    uint32_t ms;
    async_time deadline;
};

static async sleeper(struct async_loop *on, void *frame)
{
    struct sleeper *self = frame;

    async_begin(self);
    if (self->ms)
        await(async_sleep_ms(on, self->ms));
    else
        await(async_sleep_until(on, self->deadline));
    trace("%s", self->name);
    async_end();
}

static void sleepers_and_timers_of_one_deadline_go_by_their_starts(void **state)
{
    struct sleeper one = {.name = "one", .ms = 50};
    struct sleeper two = {.name = "two", .deadline = 50};
    static struct async_task tasks[2];

    (void)state;
    (void)async_spawn(&loop, &tasks[0], sleeper, &one);
    (void)async_poll(&loop, 0);
    (void)async_spawn(&loop, &tasks[1], sleeper, &two);
    (void)async_poll(&loop, 20);

    assert_true(async_poll(&loop, 50) == ASYNC_FOREVER);

    assert_trace("one\n"
                 "two\n");
}

static void a_sleep_across_the_wrap_ends_on_its_tick(void **state)
{
    struct sleeper frame = {.name = "over", .ms = 10};
    struct async_task task = {0};

    (void)state;
    (void)async_poll(&loop, (async_time)-4);
    (void)async_spawn(&loop, &task, sleeper, &frame);
    assert_int_equal(async_poll(&loop, (async_time)-4), 10);
    assert_int_equal(async_poll(&loop, 5), 1);
    assert_trace("");
    (void)async_poll(&loop, 6);
    assert_trace("over\n");
}

static void a_sleep_until_a_tick_before_the_wrap_is_over_at_once(void **state)
{
    struct sleeper frame = {.name = "over", .deadline = (async_time)-2};
    struct async_task task = {0};

    (void)state;
    (void)async_spawn(&loop, &task, sleeper, &frame);
    assert_true(async_poll(&loop, 3) == ASYNC_FOREVER);
    assert_trace("over\n");
}

static void a_time_that_went_back_counts_as_none_passed(void **state)
{
    struct async_timer timer = {0};

    (void)state;
    (void)async_poll(&loop, 40);
    async_timer_start(&loop, &timer, 10, fired, "fired");
    assert_int_equal(async_poll(&loop, 40), 10);

    assert_int_equal(async_poll(&loop, 39), 10);
    assert_int_equal(async_now(&loop), 40);
    assert_int_equal(async_poll(&loop, 45), 5);
    assert_trace("");
}

#if ASYNC_TIME_BITS < 32

static void sleep_too_long(void *task)
{
    static struct sleeper frame;

    frame = (struct sleeper){.name = "over", .ms = 0x10000};
    (void)async_spawn(&loop, task, sleeper, &frame);
    (void)async_poll(&loop, 0);
}

static void a_sleep_too_long_for_the_width_is_caught(void **state)
{
    struct async_task task = {0};

    (void)state;
    assert_stops("too long for ASYNC_TIME_BITS", sleep_too_long, &task);
}

#endif

/* ---- async_run ----------------------------------------------------------- */

static int poll_timeout, poll_calls;
static struct async_task *poll_cancels;

/* In place of the system's: nothing here takes real time. */
static int poll_instead(struct pollfd *fds, nfds_t count, int timeout)
{
    (void)fds;
    (void)count;
    if (poll_calls++ == 0)
        poll_timeout = timeout;
    async_cancel(&loop, poll_cancels);
    return 0;
}

static async asleep(struct async_loop *on, void *frame)
{
    struct sleeper *self = frame;

    async_begin(self);
    poll_cancels = async_current(on);
    await(async_sleep_ms(on, self->ms));
    async_end();
}

static void async_run_sleeps_until_the_next_deadline_and_no_longer(void **state)
{
    static const uint32_t lengths[] = {120, 10000, 20000000};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct sleeper frame = {.ms = lengths[i]};

#if ASYNC_TIME_BITS < 32
        if (frame.ms > ASYNC_MAX_TICKS)
            break;
#endif
        poll_calls = 0;
        assert_int_equal(async_run(&loop, asleep, &frame), ASYNC_ECANCELED);
        assert_int_equal(poll_calls, 1);
        assert_true(poll_timeout > 0);
        assert_true((uint32_t)poll_timeout <= frame.ms);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        timers_claim(timers_fire_as_a_sorted_array_of_them_would),
        timers_claim(
            timers_that_start_and_stop_others_fire_as_a_sorted_array_would),
        timers_claim(timers_fire_as_a_sorted_array_would_for_a_new_seed),
        timers_claim(the_check_finds_each_corruption),
        timers_claim(equals_keep_their_order_when_the_least_was_stopped),
        timers_claim(a_timer_across_the_wrap_fires_on_its_tick),
        timers_claim(a_timer_started_before_the_first_poll_counts_from_it),
        timers_claim(timers_started_before_the_first_poll_keep_their_order),
        timers_claim(a_timer_started_between_polls_counts_from_the_next),
        timers_claim(the_longest_wait_ends_on_its_tick),
        timers_claim(a_wait_beyond_the_longest_is_caught),
        timers_claim(timers_of_one_deadline_fire_in_the_order_of_their_starts),
        timers_claim(timers_are_due_after_the_longest_jump),
        timers_claim(a_long_timer_started_after_a_long_jump_does_not_overtake),
        timers_claim(sleepers_and_timers_of_one_deadline_go_by_their_starts),
        timers_claim(a_sleep_across_the_wrap_ends_on_its_tick),
        timers_claim(a_sleep_until_a_tick_before_the_wrap_is_over_at_once),
        timers_claim(a_time_that_went_back_counts_as_none_passed),
#if ASYNC_TIME_BITS < 32
        timers_claim(a_sleep_too_long_for_the_width_is_caught),
#endif
        timers_claim(async_run_sleeps_until_the_next_deadline_and_no_longer),
    };

    return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
