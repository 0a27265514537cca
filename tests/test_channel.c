/* test_channel.c: what async_channel.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_channel.c -lcmocka -pthread
 *
 * First two loops on one thread, polled in the order that a test wants to see:
 * `near` sends, `far` receives. Then the same with threads, where any order may
 * be. Nothing here waits for a time to pass. ROUNDS, from the environment or
 * defined, scales what is repeated.
 */
#define _POSIX_C_SOURCE 200809L
#include "trace.h"

#include "async_atomic.h"

/* In the place of what the ends share: see "after each operation". */
static size_t load_seen(const volatile size_t *word);
static int swap_if_seen(volatile size_t *word, size_t from, size_t to);
#define async_atomic_load_ load_seen
#define async_atomic_swap_if_ swap_if_seen
#include "async_channel.h"
#undef async_atomic_load_
#undef async_atomic_swap_if_

#include "async_timeout.h"

#include "poison.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#ifndef ROUNDS
#define ROUNDS 1000
#endif

static int rounds(void)
{
    const char *given = getenv("ROUNDS");

    return given ? atoi(given) : ROUNDS;
}

/* ---- the cast ----------------------------------------------------------- */

struct numbers {
    struct async_channel async;
    int items[2];
};

static struct async_loop near, far;
static struct numbers numbers;
static struct async_task tasks[8];

/* Sends or receives so many, and then perhaps sleeps. */
struct one {
    struct async_frame async;
    struct numbers *channel;
    const char *name;
    int receives;
    int value; /* the next to send; the one received */
    int times; /* 0: once */
    uint32_t limit_ms;
    int then;
    struct async_timer timer;
    int i, status;
};
static struct one ones[8];

static async_status move(struct async_loop *loop, struct one *self)
{
    return self->receives
               ? async_channel_receive(loop, self->channel, &self->value)
               : async_channel_send(loop, self->channel, &self->value);
}

static async one(struct async_loop *loop, void *frame)
{
    struct one *self = frame;

    async_begin(self);
    for (self->i = 0; self->i == 0 || self->i < self->times; self->i++) {
        if (self->limit_ms)
            async_catch(self->status,
                        async_timeout(loop, &self->timer, self->limit_ms,
                                      move(loop, self)));
        else
            async_catch(self->status, move(loop, self));
        if (self->status < 0) {
            trace("%s %s", self->name, async_strerror(self->status));
            break;
        }
        trace("%s %d", self->name, self->value);
        self->value += !self->receives;
    }
    if (self->then) {
        async_catch(self->status, async_sleep_ms(loop, 0));
        trace("%s then %s", self->name, async_strerror(self->status));
    }
    async_end();
}

static int channel_setup(void **state)
{
    static const struct async_task no_task;
    static const struct numbers no_numbers;
    static const struct one no_one;
    int i;

    async_loop_init(&near);
    async_loop_init(&far);
    numbers = no_numbers;
    for (i = 0; i < 8; i++) {
        tasks[i] = no_task;
        ones[i] = no_one;
        ones[i].channel = &numbers;
    }
    return trace_setup(state);
}
#define channel_claim(test) cmocka_unit_test_setup(test, channel_setup)

static void settle_at(struct async_loop *loop, async_time now)
{
    while (async_poll(loop, now) == 0)
        ;
}

static void run_near(void)
{
    settle_at(&near, 0);
}

static void run_far(void)
{
    settle_at(&far, 0);
}

/* Task i sends value, value + 1 and so on. */
static void send_as(int i, const char *name, int value, int times)
{
    static const struct async_frame zero;
    int status;

    ones[i].async = zero;
    ones[i].name = name;
    ones[i].value = value;
    ones[i].times = times;
    status = async_spawn(&near, &tasks[i], one, &ones[i]);
    assert_int_equal(status, 0);
}

static void receive_as(int i, const char *name, int times)
{
    static const struct async_frame zero;
    int status;

    ones[i].async = zero;
    ones[i].name = name;
    ones[i].receives = 1;
    ones[i].times = times;
    status = async_spawn(&far, &tasks[i], one, &ones[i]);
    assert_int_equal(status, 0);
}

/* Nothing is left on either loop, or on its way to one. */
static void assert_nothing_left(void)
{
    int status = async_loop_end(&near);

    assert_int_equal(status, 0);
    status = async_loop_end(&far);
    assert_int_equal(status, 0);
    assert_int_equal(near.coming_, 0);
    assert_int_equal(near.posted_, 0);
    assert_int_equal(far.coming_, 0);
    assert_int_equal(far.posted_, 0);
}

/* ---- send and receive --------------------------------------------------- */

static void what_is_sent_is_received_in_order(void **state)
{
    (void)state;
    send_as(0, "send", 1, 2);
    run_near();
    receive_as(1, "get", 2);
    run_far();

    assert_trace("send 1\nsend 2\nget 1\nget 2\n");
    assert_nothing_left();
}

static void who_receives_from_an_empty_one_waits_for_an_item(void **state)
{
    (void)state;
    receive_as(1, "get", 1);
    run_far();
    assert_trace("");
    assert_false(async_stuck(&far));
    send_as(0, "send", 7, 1);
    run_near();
    run_far();

    assert_trace("send 7\nget 7\n");
    assert_nothing_left();
}

static void who_sends_into_a_full_one_waits_for_a_place(void **state)
{
    (void)state;
    send_as(0, "send", 1, 4);
    run_near();
    assert_trace("send 1\nsend 2\n");
    assert_false(async_stuck(&near));
    receive_as(1, "get", 1);
    run_far();
    run_near();
    assert_trace("get 1\nsend 3\n");
    receive_as(2, "get", 3);
    run_far();
    run_near();
    run_far();

    assert_trace("get 2\nget 3\nsend 4\nget 4\n");
    assert_nothing_left();
}

static void tasks_receive_in_the_order_in_which_they_came(void **state)
{
    (void)state;
    receive_as(1, "a", 1);
    receive_as(2, "b", 1);
    run_far();
    receive_as(3, "c", 1);
    run_far();
    send_as(0, "send", 1, 2);
    run_near();
    run_far();
    assert_trace("send 1\nsend 2\na 1\nb 2\n");
    send_as(0, "send", 3, 1);
    run_near();
    run_far();

    assert_trace("send 3\nc 3\n");
    assert_nothing_left();
}

static void tasks_send_in_the_order_in_which_they_came(void **state)
{
    (void)state;
    send_as(0, "a", 1, 2);
    send_as(1, "b", 10, 1);
    run_near();
    send_as(2, "c", 20, 1);
    run_near();
    assert_trace("a 1\na 2\n");
    receive_as(3, "get", 4);
    run_far();
    run_near();
    run_far();

    assert_trace("get 1\nget 2\nb 10\nc 20\nget 10\nget 20\n");
    assert_nothing_left();
}

static void a_newcomer_does_not_overtake_who_has_been_let_go(void **state)
{
    (void)state;
    receive_as(1, "a", 1);
    run_far();
    receive_as(2, "b", 1); /* will be ahead in the ready queue */
    send_as(0, "send", 1, 1);
    run_near();
    run_far();
    assert_trace("send 1\na 1\n");
    send_as(0, "send", 2, 1);
    run_near();
    run_far();

    assert_trace("send 2\nb 2\n");
    assert_nothing_left();
}

static void
a_newcomer_does_not_overtake_who_waits_for_what_is_sent(void **state)
{
    int got = 0, status;

    (void)state;
    receive_as(1, "a", 1);
    run_far();
    send_as(0, "send", 1, 2);
    run_near(); /* far has not been polled: it has not been told */
    status = async_channel_try_receive(&numbers, &got);
    assert_int_equal(status, ASYNC_PENDING);
    run_far();
    status = async_channel_try_receive(&numbers, &got);
    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(got, 2);

    assert_trace("send 1\nsend 2\na 1\n");
    assert_nothing_left();
}

/* Has the near loop run in a step on the far one: what it sends there is not
 * told before the next poll. */
static async_status runs_near(struct async_loop *loop, void *frame)
{
    (void)loop;
    (void)frame;
    run_near();
    return ASYNC_DONE;
}

static void a_newcomer_stands_behind_who_has_not_been_told_yet(void **state)
{
    int status;

    (void)state;
    receive_as(1, "a", 1);
    run_far();
    send_as(0, "send", 1, 2);
    status = async_spawn(&far, &tasks[5], runs_near, NULL);
    assert_int_equal(status, 0);
    receive_as(2, "b", 1);
    run_far();

    assert_trace("send 1\nsend 2\na 1\nb 2\n");
    assert_nothing_left();
}

static void a_channel_goes_on_and_on(void **state)
{
    int i, value, status;

    (void)state;
    for (i = 0; i < 1000; i++) {
        value = i;
        status = async_channel_try_send(&numbers, &value);
        assert_int_equal(status, ASYNC_DONE);
        assert_int_equal(async_channel_count(&numbers), 1);
        value = -1;
        status = async_channel_try_receive(&numbers, &value);
        assert_int_equal(status, ASYNC_DONE);
        assert_int_equal(value, i);
        assert_int_equal(async_channel_count(&numbers), 0);
    }
}

static void the_counts_may_wrap(void **state)
{
    size_t last = ~(size_t)ASYNC_CHANNEL_FLAGS_;

    (void)state;
    numbers.async.sent_ = numbers.async.received_ = last;
    receive_as(1, "get", 5);
    run_far();
    send_as(0, "send", 1, 5);
    run_near();
    run_far();
    run_near();
    run_far();
    run_near();
    run_far();

    assert_int_equal(async_channel_count(&numbers), 0);
    assert_trace("send 1\nsend 2\nget 1\nget 2\nsend 3\nsend 4\nget 3\nget 4\n"
                 "send 5\nget 5\n");
    assert_nothing_left();
}

static void what_would_wait_says_so_to_who_tries(void **state)
{
    int value = 1, status;

    (void)state;
    status = async_channel_try_receive(&numbers, &value);
    assert_int_equal(status, ASYNC_PENDING);
    (void)async_channel_try_send(&numbers, &value);
    (void)async_channel_try_send(&numbers, &value);
    status = async_channel_try_send(&numbers, &value);
    assert_int_equal(status, ASYNC_PENDING);
    assert_int_equal(async_channel_count(&numbers), 2);
}

static void who_tries_does_not_take_what_is_kept(void **state)
{
    int value = 9, status;

    (void)state;
    send_as(0, "a", 1, 3);
    run_near();
    assert_trace("a 1\na 2\n");
    receive_as(1, "get", 1);
    run_far();
    status = async_channel_try_send(&numbers, &value); /* a waits */
    assert_int_equal(status, ASYNC_PENDING);
    near.take_posted_(&near); /* a has been let go, and has not run */
    status = async_channel_try_send(&numbers, &value);
    assert_int_equal(status, ASYNC_PENDING);
    run_near();

    assert_trace("get 1\na 3\n");
    assert_nothing_left();
}

static void items_of_any_size_are_copied_whole(void **state)
{
    static struct {
        struct async_channel async;
        struct {
            char text[11];
        } items[3];
    } texts;
    static const char *const words[] = {"ten bytes.", "more", "", "another"};
    int i, status;

    (void)state;
    memset(&texts, 0, sizeof texts);
    for (i = 0; i < 4; i++) {
        struct async_channel *channel = &texts.async;
        char in[11] = "", out[11] = "";

        strcpy(in, words[i]);
        status = async_channel_try_send_(channel, texts.items, in, 11, 3);
        assert_int_equal(status, ASYNC_DONE);
        status = async_channel_try_receive_(channel, texts.items, out, 11, 3);
        assert_int_equal(status, ASYNC_DONE);
        assert_memory_equal(in, out, 11);
    }
}

static void a_second_loop_at_an_end_is_a_mistake(void **state)
{
    int status;

    (void)state;
    receive_as(1, "get", 1);
    run_far();
    async_cancel(&far, &tasks[1]);
    run_far();
    assert_trace("get canceled\n");
    ones[2].name = "other";
    ones[2].receives = 1;
    status = async_spawn(&near, &tasks[2], one, &ones[2]);
    assert_int_equal(status, 0);
    stops_are_noted(1);
    run_near();
    assert_noted("one loop at each end of a channel");
    stops_are_noted(0);
}

/* ---- close -------------------------------------------------------------- */

static void a_closed_channel_drains_and_then_says_so(void **state)
{
    int value = 5, status;

    (void)state;
    send_as(0, "send", 1, 2);
    run_near();
    async_channel_close(&numbers);
    status = async_channel_try_send(&numbers, &value);
    assert_int_equal(status, ASYNC_ECLOSED);
    send_as(0, "send", 3, 1);
    run_near();
    receive_as(1, "get", 9);
    run_far();
    status = async_channel_try_receive(&numbers, &value);
    assert_int_equal(status, ASYNC_ECLOSED);

    assert_trace("send 1\nsend 2\nsend closed\nget 1\nget 2\nget closed\n");
    assert_nothing_left();
}

static void those_who_wait_are_told_that_it_is_closed(void **state)
{
    (void)state;
    receive_as(1, "a", 1);
    receive_as(2, "b", 1);
    run_far();
    async_channel_close(&numbers);
    async_channel_close(&numbers);
    run_far();
    assert_trace("a closed\nb closed\n");
    assert_nothing_left();

    (void)channel_setup(state);
    send_as(0, "c", 1, 3);
    send_as(1, "d", 4, 1);
    run_near();
    async_channel_close(&numbers);
    run_near();
    assert_trace("c 1\nc 2\nc closed\nd closed\n");
    assert_nothing_left();
}

static void an_item_before_the_close_is_received_by_who_waits(void **state)
{
    (void)state;
    receive_as(1, "a", 1);
    receive_as(2, "b", 1);
    run_far();
    send_as(0, "send", 1, 1);
    run_near();
    async_channel_close(&numbers);
    receive_as(3, "c", 1); /* behind who waits, who has not been told yet */
    run_far();

    assert_trace("send 1\na 1\nb closed\nc closed\n");
    assert_nothing_left();
}

static void who_came_behind_one_who_waits_gets_the_second_item(void **state)
{
    (void)state;
    receive_as(1, "a", 1);
    run_far();
    send_as(0, "send", 1, 2);
    run_near();
    async_channel_close(&numbers);
    receive_as(2, "b", 1);
    (void)run_far();

    assert_trace("send 1\nsend 2\na 1\nb 2\n");
    assert_nothing_left();
}

static void a_place_that_was_granted_before_the_close_is_not_used(void **state)
{
    (void)state;
    send_as(0, "send", 1, 3);
    run_near();
    receive_as(1, "get", 1);
    run_far();
    near.take_posted_(&near); /* let go, and not run yet */
    async_channel_close(&numbers);
    run_near();
    assert_int_equal(async_channel_count(&numbers), 1);

    assert_trace("send 1\nsend 2\nget 1\nsend closed\n");
    assert_nothing_left();
}

/* ---- cancel and timeout ------------------------------------------------- */

static void a_canceled_receiver_leaves_the_others_in_order(void **state)
{
    (void)state;
    receive_as(1, "a", 1);
    receive_as(2, "b", 1);
    receive_as(3, "c", 1);
    run_far();
    async_cancel(&far, &tasks[2]);
    run_far();
    assert_trace("b canceled\n");
    send_as(0, "send", 1, 2);
    run_near();
    run_far();

    assert_trace("send 1\nsend 2\na 1\nc 2\n");
    assert_nothing_left();
}

static void a_canceled_sender_has_not_sent(void **state)
{
    (void)state;
    send_as(0, "a", 1, 3);
    send_as(1, "b", 10, 1);
    run_near();
    async_cancel(&near, &tasks[0]);
    run_near();
    receive_as(2, "get", 3);
    run_far();
    run_near();
    run_far();

    assert_trace("a 1\na 2\na canceled\nget 1\nget 2\nb 10\nget 10\n");
    assert_nothing_left();
}

static void when_the_last_who_waits_has_left_nobody_is_told(void **state)
{
    (void)state;
    receive_as(1, "a", 1);
    run_far();
    async_cancel(&far, &tasks[1]);
    run_far();
    assert_int_equal(far.coming_, 0);
    send_as(0, "send", 1, 1);
    run_near();
    assert_int_equal(far.posted_, 0);
    receive_as(1, "a", 1);
    run_far();

    assert_trace("a canceled\nsend 1\na 1\n");
    assert_nothing_left();
}

static void sent_and_its_receiver_canceled_it_is_received(void **state)
{
    (void)state;
    ones[1].then = 1;
    receive_as(1, "a", 1);
    run_far();
    send_as(0, "send", 1, 1);
    run_near();
    async_cancel(&far, &tasks[1]);
    run_far();

    assert_trace("send 1\na 1\na then canceled\n");
    assert_nothing_left();
}

/* Sends from within a step on the far loop: its own post is not taken before
 * the next poll. */
static async sends_and_cancels(struct async_loop *loop, void *frame)
{
    struct one *self = frame;

    async_begin(self);
    run_near();
    async_cancel(loop, &tasks[1]);
    async_end();
}

static void an_item_that_is_on_its_way_wins_over_a_cancel(void **state)
{
    int status;

    (void)state;
    ones[1].then = 1;
    receive_as(1, "a", 1);
    run_far();
    send_as(0, "send", 1, 1);
    status = async_spawn(&far, &tasks[5], sends_and_cancels, &ones[5]);
    assert_int_equal(status, 0);
    run_far();

    assert_trace("send 1\na 1\na then canceled\n");
    assert_nothing_left();
}

static int receive_steps;

static async_status receives_counted(struct async_loop *loop, void *frame)
{
    receive_steps++;
    return one(loop, frame);
}

static void a_cancel_that_comes_too_late_costs_no_steps(void **state)
{
    int status;

    (void)state;
    receive_steps = 0;
    ones[1].name = "a";
    ones[1].receives = 1;
    status = async_spawn(&far, &tasks[1], receives_counted, &ones[1]);
    assert_int_equal(status, 0);
    run_far();
    send_as(0, "send", 1, 1);
    status = async_spawn(&far, &tasks[5], sends_and_cancels, &ones[5]);
    assert_int_equal(status, 0);
    run_far();

    assert_trace("send 1\na 1\n");
    assert_int_equal(receive_steps, 3); /* begins, is asked, has it */
    assert_nothing_left();
}

/* The item comes between a cancel's question and its landing. */
static int asked, received;

static async_status receives_late(struct async_loop *loop, void *frame)
{
    async_status status = async_channel_receive(loop, &numbers, &received);

    (void)frame;
    if (status == ASYNC_ASKED_ && asked++ == 0)
        run_near();
    else if (status != ASYNC_PENDING && status != ASYNC_ASKED_)
        trace("late %s %d", async_strerror(status), received);
    return status;
}

static void an_item_between_a_cancels_question_and_its_landing(void **state)
{
    int status;

    (void)state;
    asked = received = 0;
    status = async_spawn(&far, &tasks[1], receives_late, NULL);
    assert_int_equal(status, 0);
    run_far();
    send_as(0, "send", 1, 1);
    async_cancel(&far, &tasks[1]);
    run_far();

    assert_trace("send 1\nlate done 1\n");
    assert_nothing_left();
}

static void a_timed_out_receiver_may_come_back(void **state)
{
    (void)state;
    ones[1].limit_ms = 10;
    ones[1].then = 1;
    receive_as(1, "a", 1);
    settle_at(&far, 0);
    settle_at(&far, 10);
    assert_trace("a timed out\na then done\n");
    assert_int_equal(far.coming_, 0);
    receive_as(2, "b", 1);
    settle_at(&far, 11);
    send_as(0, "send", 1, 1);
    run_near();
    settle_at(&far, 12);

    assert_trace("send 1\nb 1\n");
    assert_nothing_left();
}

static void sent_and_timed_out_on_one_tick_it_is_received(void **state)
{
    (void)state;
    ones[1].limit_ms = 10;
    receive_as(1, "a", 1);
    settle_at(&far, 0);
    send_as(0, "send", 1, 1);
    run_near();
    settle_at(&far, 10);

    assert_trace("send 1\na 1\n");
    assert_nothing_left();
}

static void canceled_before_its_first_step_nothing_is_moved(void **state)
{
    (void)state;
    receive_as(1, "a", 1);
    async_cancel(&far, &tasks[1]);
    run_far();
    send_as(0, "send", 1, 3);
    async_cancel(&near, &tasks[0]);
    run_near();

    assert_trace("a canceled\nsend 1\nsend 2\nsend canceled\n");
    assert_nothing_left();
}

static void a_channel_may_go_when_both_ends_are_through(void **state)
{
    struct numbers *own = calloc(1, sizeof *own);

    (void)state;
    assert_non_null(own);
    ones[0].channel = ones[1].channel = own;
    receive_as(1, "get", 9);
    run_far();
    send_as(0, "send", 1, 1);
    run_near();
    run_far();
    async_cancel(&far, &tasks[1]);
    run_far();
    poison(own, sizeof *own);
    run_near();
    run_far();
    unpoison(own, sizeof *own);
    free(own);

    assert_trace("send 1\nget 1\nget canceled\n");
    assert_nothing_left();
}

/* ---- after each operation -----------------------------------------------
 * What one end does is interrupted before each operation on what both share, by
 * all that the other does. */

static void (*interrupt)(void); /* NULL: nobody does */
static int operations, interrupt_at;

static void operation(void)
{
    void (*act)(void) = interrupt;

    if (!act || ++operations != interrupt_at)
        return;
    interrupt = NULL;
    act();
    interrupt = act;
}

static size_t load_seen(const volatile size_t *word)
{
    operation();
    return async_atomic_load_(word);
}

static int swap_if_seen(volatile size_t *word, size_t from, size_t to)
{
    operation();
    return async_atomic_swap_if_(word, from, to);
}

static int drained; /* by tries */

static void the_other_sends(void)
{
    send_as(0, "send", 1, 1);
    run_near();
}

static void the_other_sends_and_closes(void)
{
    the_other_sends();
    async_channel_close(&numbers);
}

static void the_other_closes(void)
{
    async_channel_close(&numbers);
}

static void the_other_receives(void)
{
    int value;

    (void)async_channel_try_receive(&numbers, &value);
}

static void fill(void)
{
    int value = 8;

    while (async_channel_try_send(&numbers, &value) == ASYNC_DONE)
        ;
}

static void let_one_wait(void)
{
    receive_as(1, "a", 1);
    run_far();
}

static void receive_one(void)
{
    let_one_wait();
}

static void receive_two(void)
{
    receive_as(1, "a", 2);
    run_far();
}

static void send_one(void)
{
    send_as(2, "s", 3, 1);
    run_near();
}

static void cancel_the_one(void)
{
    async_cancel(&far, &tasks[1]);
    run_far();
}

static void drain(void)
{
    int value, i;

    for (i = 0; i < 3; i++) {
        int status = async_channel_try_receive(&numbers, &value);

        drained += status == ASYNC_DONE;
        if (status == ASYNC_ECLOSED)
            break;
    }
}

/* scene() after before(), interrupted by act() everywhere: the trace is one of
 * two. */
static void explore(void (*before)(void), void (*scene)(void),
                    void (*act)(void), const char *one_end,
                    const char *other_end)
{
    void *state = NULL;
    int reached;

    interrupt_at = 0;
    do {
        (void)channel_setup(&state);
        drained = 0;
        if (before)
            before();
        operations = 0;
        interrupt_at++;
        interrupt = act;
        scene();
        interrupt = NULL;
        reached = operations >= interrupt_at;
        if (!reached)
            act();
        run_far();
        run_near();
        run_far();
        run_near();
        if (scene == drain)
            drain();
        trace("%d in it, %d out", (int)async_channel_count(&numbers), drained);
        if (strcmp(trace_text, one_end) != 0 &&
            strcmp(trace_text, other_end) != 0)
            fail_msg("before operation %d:\n%s", interrupt_at, trace_text);
        assert_nothing_left();
    } while (reached);
    assert_in_range(interrupt_at, 3, 100);
}

static void an_item_comes_while_somebody_begins_to_wait(void **state)
{
    (void)state;
    explore(NULL, receive_one, the_other_sends, "send 1\na 1\n0 in it, 0 out\n",
            "");
    explore(NULL, receive_two, the_other_sends_and_closes,
            "send 1\na 1\na closed\n0 in it, 0 out\n", "");
    explore(NULL, receive_one, the_other_closes, "a closed\n0 in it, 0 out\n",
            "");
}

static void a_place_comes_while_somebody_begins_to_wait(void **state)
{
    (void)state;
    explore(fill, send_one, the_other_receives, "s 3\n2 in it, 0 out\n", "");
    explore(fill, send_one, the_other_closes, "s closed\n2 in it, 0 out\n", "");
    explore(NULL, send_one, the_other_closes, "s closed\n0 in it, 0 out\n",
            "s 3\n1 in it, 0 out\n");
}

static void an_item_comes_while_the_one_who_waits_is_canceled(void **state)
{
    (void)state;
    explore(let_one_wait, cancel_the_one, the_other_sends,
            "send 1\na 1\n0 in it, 0 out\n",
            "a canceled\nsend 1\n1 in it, 0 out\n");
    explore(let_one_wait, cancel_the_one, the_other_closes,
            "a closed\n0 in it, 0 out\n", "a canceled\n0 in it, 0 out\n");
}

static void an_item_and_the_close_come_while_somebody_tries(void **state)
{
    (void)state;
    explore(NULL, drain, the_other_sends_and_closes, "send 1\n0 in it, 1 out\n",
            "");
}

/* ---- between threads ---------------------------------------------------- */

/* A stream that several tasks at each end share, canceled now and then. */
enum { WORKERS = 3 };

struct stream {
    struct async_channel async;
    long items[5];
};

struct side {
    struct async_loop loop;
    struct async_frame async; /* of whoever disturbs them */
    struct stream *stream;
    struct side_task {
        struct async_frame async;
        struct side *side;
        struct async_task task;
        long value;
        int rc;
    } workers[WORKERS];
    int receives;
    long limit, next, count, sum, last; /* of what is moved */
    int wrong, running, i;
    unsigned chance;
    pthread_t thread;
    int status;
};

static unsigned draw(unsigned *chance, unsigned below)
{
    *chance = *chance * 1103515245 + 12345;
    return (*chance >> 16) % below;
}

static async sends(struct async_loop *loop, void *frame)
{
    struct side_task *self = frame;
    struct side *side = self->side;

    async_begin(self);
    while (side->next < side->limit) {
        self->value = ++side->next;
        async_catch(self->rc,
                    async_channel_send(loop, side->stream, &self->value));
        while (self->rc == ASYNC_ECANCELED) /* not sent: once more */
            async_catch(self->rc,
                        async_channel_send(loop, side->stream, &self->value));
        if (self->rc != ASYNC_DONE)
            side->wrong = self->rc;
        side->count++;
        side->sum += self->value;
    }
    if (--side->running == 0)
        async_channel_close(side->stream);
    async_end();
}

static async receives(struct async_loop *loop, void *frame)
{
    struct side_task *self = frame;
    struct side *side = self->side;

    async_begin(self);
    for (;;) {
        async_catch(self->rc,
                    async_channel_receive(loop, side->stream, &self->value));
        if (self->rc == ASYNC_ECLOSED)
            break;
        if (self->rc == ASYNC_ECANCELED)
            continue;
        side->count++;
        side->sum += self->value;
        side->last = self->value;
        if (draw(&side->chance, 8) == 0)
            async_catch(self->rc, async_sleep_ms(loop, 0));
    }
    --side->running;
    async_end();
}

struct disturber {
    struct async_frame async;
    struct side *side;
};

/* Cancels one of them each turn. */
static async disturber(struct async_loop *loop, void *frame)
{
    struct disturber *self = frame;
    struct side *side = self->side;

    async_begin(self);
    for (side->i = 0; side->i < WORKERS; side->i++) {
        side->workers[side->i].side = side;
        async_spawn(loop, &side->workers[side->i].task,
                    side->receives ? receives : sends, &side->workers[side->i]);
    }
    while (side->running) {
        if (draw(&side->chance, 4) == 0)
            async_cancel(loop,
                         &side->workers[draw(&side->chance, WORKERS)].task);
        if (draw(&side->chance, 64) == 0)
            (void)sched_yield();
        await(async_sleep_ms(loop, 0));
    }
    async_end();
}

static void *side_thread(void *arg)
{
    struct side *side = arg;
    struct disturber frame = {.side = side};

    side->status = async_run(&side->loop, disturber, &frame);
    return NULL;
}

static void nothing_is_lost_or_doubled_whoever_is_canceled(void **state)
{
    static struct stream stream;
    static struct side sides[2];
    long limit = rounds() * 4;
    int i, error = 0;

    (void)state;
    memset(&stream, 0, sizeof stream);
    memset(sides, 0, sizeof sides);
    for (i = 0; i < 2; i++) {
        sides[i].stream = &stream;
        sides[i].receives = i;
        sides[i].limit = limit;
        sides[i].running = WORKERS;
        sides[i].chance = (unsigned)i + 1;
        error |= pthread_create(&sides[i].thread, NULL, side_thread, &sides[i]);
    }
    assert_int_equal(error, 0);
    for (i = 0; i < 2; i++) {
        (void)pthread_join(sides[i].thread, NULL);
        assert_int_equal(sides[i].wrong, 0);
        assert_int_equal(sides[i].status, ASYNC_DONE);
        assert_int_equal(sides[i].loop.coming_, 0);
    }
    assert_int_equal(sides[0].count, limit);
    assert_int_equal(sides[1].count, limit);
    assert_int_equal(sides[1].sum, limit * (limit + 1) / 2);
}

/* One task at each end: a stream of numbers, in order. */
struct stream_end {
    struct async_frame async;
    struct async_loop loop;
    struct stream *stream;
    long limit, value, wrong;
    int rc, status;
    pthread_t thread;
};

struct stream_frame {
    struct async_frame async;
    struct stream_end *end;
};

static async counts(struct async_loop *loop, void *frame)
{
    struct stream_end *self = ((struct stream_frame *)frame)->end;

    async_begin(self);
    for (self->value = 1; self->value <= self->limit; self->value++)
        await(async_channel_send(loop, self->stream, &self->value));
    async_channel_close(self->stream);
    async_end();
}

static async checks(struct async_loop *loop, void *frame)
{
    struct stream_end *self = ((struct stream_frame *)frame)->end;

    async_begin(self);
    for (;;) {
        async_catch(self->rc,
                    async_channel_receive(loop, self->stream, &self->value));
        if (self->rc < 0)
            break;
        if (self->value != ++self->limit)
            self->wrong = self->value;
    }
    async_end();
}

static void *count_thread(void *arg)
{
    struct stream_end *end = arg;
    struct stream_frame frame = {.end = end};

    end->status = async_run(&end->loop, counts, &frame);
    return NULL;
}

static void *check_thread(void *arg)
{
    struct stream_end *end = arg;
    struct stream_frame frame = {.end = end};

    end->status = async_run(&end->loop, checks, &frame);
    return NULL;
}

static void a_stream_keeps_its_order_from_thread_to_thread(void **state)
{
    static struct stream stream;
    static struct stream_end ends[2];
    int error;

    (void)state;
    memset(&stream, 0, sizeof stream);
    memset(ends, 0, sizeof ends);
    ends[0].stream = ends[1].stream = &stream;
    ends[0].limit = rounds() * 20;
    error = pthread_create(&ends[0].thread, NULL, count_thread, &ends[0]);
    error |= pthread_create(&ends[1].thread, NULL, check_thread, &ends[1]);
    assert_int_equal(error, 0);
    (void)pthread_join(ends[0].thread, NULL);
    (void)pthread_join(ends[1].thread, NULL);

    assert_int_equal(ends[0].status, ASYNC_DONE);
    assert_int_equal(ends[1].status, ASYNC_DONE);
    assert_int_equal(ends[1].wrong, 0);
    assert_int_equal(ends[1].limit, ends[0].limit);
    assert_int_equal(ends[1].rc, ASYNC_ECLOSED);
}

/* A thread without a loop. */
static void *tries_to_send(void *arg)
{
    struct stream *stream = arg;
    long value, limit = rounds() * 20;

    for (value = 1; value <= limit; value++)
        while (async_channel_try_send(stream, &value) == ASYNC_PENDING)
            (void)sched_yield();
    async_channel_close(stream);
    return NULL;
}

static void *tries_to_receive(void *arg)
{
    struct stream_end *end = arg;
    int status;

    for (;;) {
        status = async_channel_try_receive(end->stream, &end->value);
        if (status == ASYNC_ECLOSED)
            return NULL;
        if (status == ASYNC_PENDING)
            (void)sched_yield();
        else if (end->value != ++end->limit)
            end->wrong = end->value;
    }
}

static void a_thread_without_a_loop_tries_at_either_end(void **state)
{
    static struct stream stream;
    static struct stream_end end;
    pthread_t threads[2];
    int receiver, error;

    (void)state;
    for (receiver = 0; receiver < 2; receiver++) {
        memset(&stream, 0, sizeof stream);
        memset(&end, 0, sizeof end);
        end.stream = &stream;
        error = pthread_create(&threads[0], NULL, tries_to_send, &stream);
        error |=
            pthread_create(&threads[1], NULL,
                           receiver ? tries_to_receive : check_thread, &end);
        assert_int_equal(error, 0);
        (void)pthread_join(threads[0], NULL);
        (void)pthread_join(threads[1], NULL);
        assert_int_equal(end.wrong, 0);
        assert_int_equal(end.limit, rounds() * 20);
    }
}

/* Many channels, one item each, closed at once behind it. */
enum { SHORT = 4000 };
static struct numbers shorts[SHORT];

static void *sends_and_closes(void *arg)
{
    int i, value = 1;

    (void)arg;
    for (i = 0; i < SHORT; i++) {
        (void)async_channel_try_send(&shorts[i], &value);
        async_channel_close(&shorts[i]);
    }
    return NULL;
}

struct emptier {
    struct async_frame async;
    int i, rc, value, sum;
};

static async empties(struct async_loop *loop, void *frame)
{
    struct emptier *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < SHORT; self->i++) {
        async_catch(self->rc, async_channel_receive(loop, &shorts[self->i],
                                                    &self->value));
        self->sum += self->rc == ASYNC_DONE;
    }
    async_end();
}

static void what_was_sent_before_the_close_is_never_missed(void **state)
{
    int round, i, value, error, status, sum;
    pthread_t thread;

    (void)state;
    for (round = 0; round < 2 + rounds() / 50; round++) {
        struct emptier frame = {.sum = 0};

        memset(shorts, 0, sizeof shorts);
        error = pthread_create(&thread, NULL, sends_and_closes, NULL);
        assert_int_equal(error, 0);
        if (round % 2) {
            (void)async_run(&far, empties, &frame);
            sum = frame.sum;
        } else {
            for (i = sum = 0; i < SHORT; i++) {
                do {
                    status = async_channel_try_receive(&shorts[i], &value);
                } while (status == ASYNC_PENDING);
                sum += status == ASYNC_DONE;
            }
        }
        (void)pthread_join(thread, NULL);
        assert_int_equal(sum, SHORT);
    }
}

/* Four loops in a ring: each passes on what it gets, and adds one. */
struct ring {
    struct async_frame async;
    struct async_loop loop;
    struct stream stream; /* what it gets */
    struct ring *to;
    long value, laps;
    int rc, begins, status;
    pthread_t thread;
};
static struct ring ring[4];

static async passes_on(struct async_loop *loop, void *frame)
{
    struct ring *self = ((struct ring **)frame)[1];

    async_begin(self);
    if (self->begins)
        await(async_channel_send(loop, &self->to->stream, &self->value));
    for (;;) {
        async_catch(self->rc,
                    async_channel_receive(loop, &self->stream, &self->value));
        if (self->rc < 0)
            break;
        self->value++;
        if (self->begins && --self->laps == 0)
            break;
        await(async_channel_send(loop, &self->to->stream, &self->value));
    }
    async_channel_close(&self->to->stream);
    async_end();
}

static void *ring_thread(void *arg)
{
    struct ring *self = arg;
    void *frame[2] = {NULL, self}; /* a frame that is never yielded in */

    self->status = async_run(&self->loop, passes_on, frame);
    return NULL;
}

static void messages_go_around_a_ring_of_four_loops(void **state)
{
    int i, error = 0;

    (void)state;
    memset(ring, 0, sizeof ring);
    for (i = 0; i < 4; i++)
        ring[i].to = &ring[(i + 1) % 4];
    ring[0].begins = 1;
    ring[0].laps = rounds();
    for (i = 0; i < 4; i++)
        error |= pthread_create(&ring[i].thread, NULL, ring_thread, &ring[i]);
    assert_int_equal(error, 0);
    for (i = 0; i < 4; i++) {
        (void)pthread_join(ring[i].thread, NULL);
        assert_int_equal(ring[i].status, ASYNC_DONE);
        assert_int_equal(ring[i].loop.coming_, 0);
    }
    assert_int_equal(ring[0].value, 4L * rounds());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        channel_claim(what_is_sent_is_received_in_order),
        channel_claim(who_receives_from_an_empty_one_waits_for_an_item),
        channel_claim(who_sends_into_a_full_one_waits_for_a_place),
        channel_claim(tasks_receive_in_the_order_in_which_they_came),
        channel_claim(tasks_send_in_the_order_in_which_they_came),
        channel_claim(a_newcomer_does_not_overtake_who_has_been_let_go),
        channel_claim(a_newcomer_does_not_overtake_who_waits_for_what_is_sent),
        channel_claim(a_newcomer_stands_behind_who_has_not_been_told_yet),
        channel_claim(a_channel_goes_on_and_on),
        channel_claim(the_counts_may_wrap),
        channel_claim(what_would_wait_says_so_to_who_tries),
        channel_claim(who_tries_does_not_take_what_is_kept),
        channel_claim(items_of_any_size_are_copied_whole),
        channel_claim(a_second_loop_at_an_end_is_a_mistake),

        channel_claim(a_closed_channel_drains_and_then_says_so),
        channel_claim(those_who_wait_are_told_that_it_is_closed),
        channel_claim(an_item_before_the_close_is_received_by_who_waits),
        channel_claim(who_came_behind_one_who_waits_gets_the_second_item),
        channel_claim(a_place_that_was_granted_before_the_close_is_not_used),

        channel_claim(a_canceled_receiver_leaves_the_others_in_order),
        channel_claim(a_canceled_sender_has_not_sent),
        channel_claim(when_the_last_who_waits_has_left_nobody_is_told),
        channel_claim(sent_and_its_receiver_canceled_it_is_received),
        channel_claim(an_item_that_is_on_its_way_wins_over_a_cancel),
        channel_claim(a_cancel_that_comes_too_late_costs_no_steps),
        channel_claim(an_item_between_a_cancels_question_and_its_landing),
        channel_claim(a_timed_out_receiver_may_come_back),
        channel_claim(sent_and_timed_out_on_one_tick_it_is_received),
        channel_claim(canceled_before_its_first_step_nothing_is_moved),
        channel_claim(a_channel_may_go_when_both_ends_are_through),

        channel_claim(an_item_comes_while_somebody_begins_to_wait),
        channel_claim(a_place_comes_while_somebody_begins_to_wait),
        channel_claim(an_item_comes_while_the_one_who_waits_is_canceled),
        channel_claim(an_item_and_the_close_come_while_somebody_tries),

        channel_claim(a_stream_keeps_its_order_from_thread_to_thread),
        channel_claim(nothing_is_lost_or_doubled_whoever_is_canceled),
        channel_claim(a_thread_without_a_loop_tries_at_either_end),
        channel_claim(what_was_sent_before_the_close_is_never_missed),
        channel_claim(messages_go_around_a_ring_of_four_loops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
