/* test_async.c: what async.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_async.c -lcmocka                      with a switch
 *     cc -DASYNC_USE_LABELS -I.. test_async.c -lcmocka   with labels
 */
#include "trace.h"

#include "async.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>

/* Most functions here wait for `answer`: what a child would return. */
struct waiter {
    struct async_frame async;
    int answer;
};

/* ---- start and end ------------------------------------------------------- */

static async waiting(struct waiter *self)
{
    async_begin(self);
    trace("begin");
    await(self->answer);
    trace("end");
    async_end();
}

static void a_frame_costs_four_bytes(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct async_frame), 4);
}

static void a_zeroed_frame_is_not_started(void **state)
{
    struct waiter frame = {0};

    (void)state;
    assert_int_equal(async_outcome(&frame.async), ASYNC_PENDING);

    frame.answer = ASYNC_DONE;
    assert_int_equal(waiting(&frame), ASYNC_DONE);

    assert_trace("begin\n" /* it began at its beginning */
                 "end\n");
}

static async empty(struct waiter *self)
{
    async_begin(self);
    async_end();
}

static void an_empty_function_is_done_in_one_step(void **state)
{
    struct waiter frame = {0};

    (void)state;
    assert_int_equal(empty(&frame), ASYNC_DONE);
    assert_int_equal(async_outcome(&frame.async), ASYNC_DONE);
}

static async empty_but_for_finally(struct waiter *self)
{
    async_begin(self);
    async_finally();
    async_end();
}

static void an_empty_finally_section_changes_nothing(void **state)
{
    struct waiter frame = {0};

    (void)state;
    assert_int_equal(empty_but_for_finally(&frame), ASYNC_DONE);
    assert_int_equal(empty_but_for_finally(&frame), ASYNC_DONE);
}

static void a_suspended_function_has_no_outcome(void **state)
{
    struct waiter frame = {0};

    (void)state;
    assert_int_equal(waiting(&frame), ASYNC_PENDING);

    assert_int_equal(async_outcome(&frame.async), ASYNC_PENDING);
    trace_clear();
}

static void a_finished_frame_stays_finished_and_returns_done_again(void **state)
{
    struct waiter frame = {.answer = ASYNC_DONE};

    (void)state;
    assert_int_equal(waiting(&frame), ASYNC_DONE);
    trace_clear();

    assert_int_equal(waiting(&frame), ASYNC_DONE);
    assert_int_equal(waiting(&frame), ASYNC_DONE);

    assert_int_equal(async_outcome(&frame.async), ASYNC_DONE);
    assert_trace(""); /* nothing of it ran again */
}

static void a_failed_frame_returns_its_error_again(void **state)
{
    struct waiter frame = {.answer = -ENOENT};

    (void)state;
    assert_int_equal(waiting(&frame), -ENOENT);
    trace_clear();
    frame.answer = ASYNC_DONE;

    assert_int_equal(waiting(&frame), -ENOENT);
    assert_int_equal(waiting(&frame), -ENOENT);

    assert_int_equal(async_outcome(&frame.async), -ENOENT);
    assert_trace("");
}

static void a_frame_assigned_anew_starts_again(void **state)
{
    struct waiter frame = {.answer = -ENOENT};

    (void)state;
    assert_int_equal(waiting(&frame), -ENOENT);

    frame = (struct waiter){.answer = ASYNC_DONE};
    assert_int_equal(waiting(&frame), ASYNC_DONE);

    assert_trace("begin\n" /* the first life, which failed at its await */
                 "begin\n" /* the second */
                 "end\n");
}

static void two_frames_of_one_function_do_not_meet(void **state)
{
    struct waiter one = {0}, two = {0};

    (void)state;
    assert_int_equal(waiting(&one), ASYNC_PENDING);
    assert_int_equal(waiting(&two), ASYNC_PENDING);
    one.answer = ASYNC_DONE;

    assert_int_equal(waiting(&two), ASYNC_PENDING);
    assert_int_equal(waiting(&one), ASYNC_DONE);

    assert_trace("begin\n" /* one */
                 "begin\n" /* two, which still waits */
                 "end\n" /* one */);
}

/* ---- await --------------------------------------------------------------- */

struct asker {
    struct async_frame async;
    int asked;
    int finished_at;
};

static int ask(struct asker *self)
{
    return ++self->asked == self->finished_at ? ASYNC_DONE : ASYNC_PENDING;
}

static async asking(struct asker *self)
{
    async_begin(self);
    trace("before");
    await(ask(self));
    trace("after");
    async_end();
}

static void await_goes_on_at_once_when_its_operand_is_finished(void **state)
{
    struct asker frame = {.finished_at = 1};

    (void)state;
    assert_int_equal(asking(&frame), ASYNC_DONE);

    assert_int_equal(frame.asked, 1);
    trace_clear();
}

static void
await_asks_its_operand_once_a_step_until_it_is_finished(void **state)
{
    struct asker frame = {.finished_at = 3};

    (void)state;
    assert_int_equal(asking(&frame), ASYNC_PENDING);
    assert_int_equal(frame.asked, 1);
    assert_int_equal(asking(&frame), ASYNC_PENDING);
    assert_int_equal(frame.asked, 2);
    assert_int_equal(asking(&frame), ASYNC_DONE);
    assert_int_equal(frame.asked, 3);

    assert_trace("before\n" /* once, though stepped three times */
                 "after\n");
}

static void await_takes_any_positive_status_for_finished(void **state)
{
    struct waiter frame = {.answer = 7};

    (void)state;
    assert_int_equal(waiting(&frame),
                     ASYNC_DONE); /* its own, not the child's */
    trace_clear();
}

static void await_returns_the_error_and_leaves_the_rest_out(void **state)
{
    struct waiter frame = {0};

    (void)state;
    assert_int_equal(waiting(&frame), ASYNC_PENDING);
    frame.answer = ASYNC_ETIMEDOUT;

    assert_int_equal(waiting(&frame), ASYNC_ETIMEDOUT);

    assert_trace("begin\n");
}

static void every_error_of_ours_passes_through(void **state)
{
    static const int errors[] = {
        ASYNC_ECANCELED, ASYNC_ETIMEDOUT, ASYNC_ECLOSED, ASYNC_EBUSY,
        ASYNC_EFULL,     ASYNC_EINVAL,    ASYNC_ENOTSUP, ASYNC_EDEADLK,
        ASYNC_EKILLED,   ASYNC_EEXITED};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof errors / sizeof *errors; i++) {
        struct waiter frame = {.answer = errors[i]};

        assert_int_equal(waiting(&frame), errors[i]);
        assert_int_equal(async_outcome(&frame.async), errors[i]);
    }
    trace_clear();
}

static void a_negated_errno_passes_through(void **state)
{
    struct waiter one = {.answer = -EPERM}, two = {.answer = -ERANGE};

    (void)state;
    assert_int_equal(waiting(&one), -EPERM);
    assert_int_equal(waiting(&two), -ERANGE);
    trace_clear();
}

static void the_lowest_error_of_16_bits_passes_through(void **state)
{
    struct waiter frame = {.answer = -32767};

    (void)state;
    assert_int_equal(waiting(&frame), -32767);
    assert_int_equal(waiting(&frame), -32767);
    trace_clear();
}

static void an_error_too_large_for_16_bits_becomes_einval(void **state)
{
    static const int errors[] = {-32769, -65535, -65536, -65537, INT_MIN};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof errors / sizeof *errors; i++) {
        struct waiter frame = {.answer = errors[i]};

        assert_int_equal(waiting(&frame), ASYNC_EINVAL);
        assert_int_equal(waiting(&frame), ASYNC_EINVAL);
    }
    trace_clear();
}

struct scalars {
    struct async_frame async;
    bool truth;
    int count;
    const char *pointer;
    double number;
    unsigned flags;
    uint64_t wide;
};

static async wants_a_bool(struct scalars *self)
{
    async_begin(self);
    await(self->truth);
    async_end();
}

static void await_takes_a_bool(void **state)
{
    struct scalars frame = {0};

    (void)state;
    assert_int_equal(wants_a_bool(&frame), ASYNC_PENDING);
    frame.truth = true;
    assert_int_equal(wants_a_bool(&frame), ASYNC_DONE);
}

static async wants_a_comparison(struct scalars *self)
{
    async_begin(self);
    await(self->count >= 3 && self->number < 0.5);
    async_end();
}

static void await_takes_a_comparison(void **state)
{
    struct scalars frame = {0};

    (void)state;
    assert_int_equal(wants_a_comparison(&frame), ASYNC_PENDING);
    frame.count = 3;
    assert_int_equal(wants_a_comparison(&frame), ASYNC_DONE);
}

static async wants_a_pointer(struct scalars *self)
{
    async_begin(self);
    await_until(self->pointer);
    async_end();
}

static void await_until_takes_a_pointer(void **state)
{
    struct scalars frame = {0};

    (void)state;
    assert_int_equal(wants_a_pointer(&frame), ASYNC_PENDING);
    frame.pointer = "there";
    assert_int_equal(wants_a_pointer(&frame), ASYNC_DONE);
}

static async wants_a_fraction(struct scalars *self)
{
    async_begin(self);
    await_until(self->number);
    async_end();
}

static void await_until_takes_a_fraction_below_one(void **state)
{
    struct scalars frame = {0};

    (void)state;
    assert_int_equal(wants_a_fraction(&frame), ASYNC_PENDING);
    frame.number = 0.25; /* as an int it would be 0 */
    assert_int_equal(wants_a_fraction(&frame), ASYNC_DONE);
}

static async wants_the_top_bit(struct scalars *self)
{
    async_begin(self);
    await_until(self->flags & 0x80000000u);
    await_until(self->wide & UINT64_C(0x8000000000000000));
    async_end();
}

static void await_until_takes_a_bit_that_would_be_a_sign(void **state)
{
    struct scalars frame = {.wide = UINT64_C(0x8000000000000000)};

    (void)state;
    assert_int_equal(wants_the_top_bit(&frame), ASYNC_PENDING);
    frame.flags = 0x80000000u;
    assert_int_equal(wants_the_top_bit(&frame), ASYNC_DONE);
}

static async wants_a_negative(struct scalars *self)
{
    async_begin(self);
    await_until(self->count);
    async_end();
}

static void await_until_takes_a_negative_number_for_true(void **state)
{
    struct scalars frame = {.count = -1};

    (void)state;
    assert_int_equal(wants_a_negative(&frame), ASYNC_DONE);
}

/* ---- a macro where a statement may stand --------------------------------- */

struct branches {
    struct async_frame async;
    int condition;
    int left, right;
};

static async either(struct branches *self)
{
    async_begin(self);
    if (self->condition)
        await(self->left);
    else
        await(self->right);
    trace("over");
    async_end();
}

static void an_if_chooses_which_await_is_awaited(void **state)
{
    struct branches yes = {.condition = 1, .left = 1};
    struct branches no = {.condition = 0, .right = 1};

    (void)state;
    assert_int_equal(either(&yes), ASYNC_DONE); /* right is pending */
    assert_int_equal(either(&no), ASYNC_DONE);  /* left is pending */
    trace_clear();
}

static void
an_await_in_a_branch_is_resumed_without_asking_the_condition(void **state)
{
    struct branches frame = {.condition = 1, .right = -ENOENT};

    (void)state;
    assert_int_equal(either(&frame), ASYNC_PENDING);
    frame.condition = 0;
    assert_int_equal(either(&frame), ASYNC_PENDING);
    frame.left = ASYNC_DONE;
    assert_int_equal(either(&frame), ASYNC_DONE);

    assert_trace("over\n");
}

static async maybe(struct branches *self)
{
    async_begin(self);
    if (self->condition)
        await(self->left);
    trace("next line");
    async_end();
}

static void an_await_under_a_false_if_is_left_out(void **state)
{
    struct branches frame = {0};

    (void)state;
    assert_int_equal(maybe(&frame), ASYNC_DONE);
    assert_trace("next line\n");
}

static async maybe_until(struct branches *self)
{
    async_begin(self);
    if (self->condition)
        await_until(self->left);
    else
        trace("else");
    async_end();
}

static void an_await_until_under_a_false_if_is_left_out(void **state)
{
    struct branches frame = {0};

    (void)state;
    assert_int_equal(maybe_until(&frame), ASYNC_DONE);
    assert_trace("else\n");
}

static async returns_if(struct branches *self)
{
    async_begin(self);
    if (self->condition)
        async_return();
    else
        trace("else");
    trace("end");
    async_end();
}

static void a_return_under_a_false_if_does_not_return(void **state)
{
    struct branches frame = {0};

    (void)state;
    assert_int_equal(returns_if(&frame), ASYNC_DONE);
    assert_trace("else\n"
                 "end\n");
}

static void a_return_ends_the_function_with_done(void **state)
{
    struct branches frame = {.condition = 1};

    (void)state;
    assert_int_equal(returns_if(&frame), ASYNC_DONE);
    assert_int_equal(async_outcome(&frame.async), ASYNC_DONE);
    assert_trace("");
}

static async fails_if(struct branches *self)
{
    async_begin(self);
    if (self->condition)
        async_fail(self->left);
    else
        trace("else");
    trace("end");
    async_end();
}

static void a_fail_under_a_false_if_does_not_fail(void **state)
{
    struct branches frame = {.left = -EIO};

    (void)state;
    assert_int_equal(fails_if(&frame), ASYNC_DONE);
    assert_trace("else\n"
                 "end\n");
}

static void a_fail_ends_the_function_with_its_error(void **state)
{
    struct branches one = {.condition = 1, .left = -EIO};
    struct branches two = {.condition = 1, .left = ASYNC_ECLOSED};
    struct branches low = {.condition = 1, .left = -32767};

    (void)state;
    assert_int_equal(fails_if(&one), -EIO);
    assert_int_equal(fails_if(&two), ASYNC_ECLOSED);
    assert_int_equal(fails_if(&low), -32767);
    assert_trace("");
}

static void step_fails_if(void *frame)
{
    (void)fails_if(frame);
}

static void a_fail_with_no_error_is_caught(void **state)
{
    struct branches zero = {.condition = 1, .left = 0};
    struct branches done = {.condition = 1, .left = 5};

    (void)state;
    assert_stops("async_fail takes an ASYNC_E", step_fails_if, &zero);
    assert_stops("async_fail takes an ASYNC_E", step_fails_if, &done);
}

static void a_fail_below_16_bits_is_caught(void **state)
{
    struct branches one = {.condition = 1, .left = -32768};
    struct branches two = {.condition = 1, .left = INT_MIN};

    (void)state;
    assert_stops("async_fail takes an ASYNC_E", step_fails_if, &one);
    assert_stops("async_fail takes an ASYNC_E", step_fails_if, &two);
}

static void a_fail_with_no_error_fails_where_nothing_is_asserted(void **state)
{
    struct branches zero = {.condition = 1, .left = 0};
    struct branches done = {.condition = 1, .left = 5};
    struct branches low = {.condition = 1, .left = -32768};

    (void)state;
    stops_are_noted(1);
    assert_int_equal(fails_if(&zero), ASYNC_EINVAL);
    assert_int_equal(fails_if(&done), ASYNC_EINVAL);
    assert_int_equal(fails_if(&low), ASYNC_EINVAL);
    stops_are_noted(0);
}

struct loops {
    struct async_frame async;
    int i, j;
    int answer;
};

static async yields_while(struct loops *self)
{
    async_begin(self);
    while (self->i-- > 0)
        async_yield();
    trace("over");
    async_end();
}

static void a_yield_is_a_whole_loop_body(void **state)
{
    struct loops frame = {.i = 2};

    (void)state;
    assert_int_equal(yields_while(&frame), ASYNC_PENDING);
    assert_int_equal(yields_while(&frame), ASYNC_PENDING);
    assert_int_equal(yields_while(&frame), ASYNC_DONE);
    assert_trace("over\n");
}

static async yields_if(struct branches *self)
{
    async_begin(self);
    if (self->condition)
        async_yield();
    else
        trace("else");
    async_end();
}

static void a_yield_under_a_false_if_is_left_out(void **state)
{
    struct branches frame = {0};

    (void)state;
    assert_int_equal(yields_if(&frame), ASYNC_DONE);
    assert_trace("else\n");
}

static async catches_if(struct branches *self)
{
    async_begin(self);
    if (self->condition)
        async_catch(self->right, self->left);
    else
        trace("else");
    async_end();
}

static void a_catch_under_a_false_if_is_left_out(void **state)
{
    struct branches frame = {0};

    (void)state;
    assert_int_equal(catches_if(&frame), ASYNC_DONE);
    assert_trace("else\n");
}

static async on_one_line(struct waiter *self)
{
    async_begin(self);
    /* clang-format off */
    await(self->answer == 1); await(self->answer == 2); async_yield(); async_yield(); await(self->answer == 3);
    /* clang-format on */
    trace("over");
    async_end();
}

static void several_awaits_on_one_line_are_several(void **state)
{
    struct waiter frame = {0};

    (void)state;
    assert_int_equal(on_one_line(&frame), ASYNC_PENDING);
    frame.answer = 1;
    assert_int_equal(on_one_line(&frame), ASYNC_PENDING); /* at the second */
    frame.answer = 2;
    assert_int_equal(on_one_line(&frame), ASYNC_PENDING); /* first yield */
    assert_int_equal(on_one_line(&frame), ASYNC_PENDING); /* second yield */
    assert_int_equal(on_one_line(&frame), ASYNC_PENDING); /* last await */
    frame.answer = 3;
    assert_int_equal(on_one_line(&frame), ASYNC_DONE);
    assert_trace("over\n");
}

#define UP_AND_DOWN(level)                                                     \
    do {                                                                       \
        await((level) > 0);                                                    \
        trace("up");                                                           \
        await((level) == 0);                                                   \
        trace("down");                                                         \
    } while (0)

static async in_a_macro(struct waiter *self)
{
    async_begin(self);
    UP_AND_DOWN(self->answer);
    UP_AND_DOWN(self->answer);
    async_end();
}

static void a_macro_of_the_user_may_hold_awaits(void **state)
{
    struct waiter frame = {0};
    int i;

    (void)state;
    for (i = 0; i < 2; i++) {
        frame.answer = 1;
        assert_int_equal(in_a_macro(&frame), ASYNC_PENDING);
        frame.answer = 0;
        assert_int_equal(in_a_macro(&frame), i ? ASYNC_DONE : ASYNC_PENDING);
    }
    assert_trace("up\n"
                 "down\n"
                 "up\n" /* the second use has its own resume points */
                 "down\n");
}

static void an_outcome_may_be_negated_and_compared(void **state)
{
    struct waiter frame = {0};

    (void)state;
    assert_true(!async_outcome(&frame.async));
    assert_true(async_outcome(&frame.async) == ASYNC_PENDING);
    assert_true(!async_yielded(&frame.async) && !async_yielded(&frame.async));
}

static void the_errors_are_expressions_of_their_own(void **state)
{
    (void)state;
    assert_int_equal(0 - ASYNC_ECANCELED, 30001);
    assert_int_equal(-ASYNC_EDEADLK, 30008);
}

/* ---- loops, large and deep functions ------------------------------------- */

static async in_a_for(struct loops *self)
{
    async_begin(self);
    for (self->i = 0; self->i < 2; self->i++)
        for (self->j = 0; self->j < 2; self->j++) {
            await(self->answer == self->i * 2 + self->j);
            trace("%d%d", self->i, self->j);
        }
    async_end();
}

static void an_await_in_nested_for_loops_goes_on_in_its_round(void **state)
{
    struct loops frame = {0};
    int i;

    (void)state;
    for (i = 0; i < 3; i++) {
        frame.answer = i;
        assert_int_equal(in_a_for(&frame), ASYNC_PENDING);
    }
    frame.answer = 3;
    assert_int_equal(in_a_for(&frame), ASYNC_DONE);
    assert_trace("00\n"
                 "01\n"
                 "10\n"
                 "11\n");
}

static async in_while_and_do(struct loops *self)
{
    async_begin(self);
    while (self->i < 2) {
        async_yield();
        if (self->i == 1)
            break;
        trace("while");
        self->i++;
    }
    do {
        async_yield();
        trace("do");
        if (self->j++ == 0)
            continue;
        break;
    } while (1);
    async_end();
}

static void break_and_continue_are_those_of_the_loop_around(void **state)
{
    struct loops frame = {0};
    int steps = 1;

    (void)state;
    while (in_while_and_do(&frame) == ASYNC_PENDING && steps < 99)
        steps++;
    assert_int_equal(steps, 5);
    assert_trace("while\n"
                 "do\n"
                 "do\n");
}

#define FIVE_AWAITS                                                            \
    await(ask(self));                                                          \
    await(ask(self));                                                          \
    await(ask(self));                                                          \
    await(ask(self));                                                          \
    await(ask(self));
#define FORTY_AWAITS                                                           \
    FIVE_AWAITS FIVE_AWAITS FIVE_AWAITS FIVE_AWAITS FIVE_AWAITS FIVE_AWAITS    \
        FIVE_AWAITS FIVE_AWAITS

static async with_320_awaits(struct asker *self)
{
    async_begin(self);
    FORTY_AWAITS FORTY_AWAITS FORTY_AWAITS FORTY_AWAITS;
    FORTY_AWAITS FORTY_AWAITS FORTY_AWAITS FORTY_AWAITS;
    async_end();
}

static int ask_every_second_time(struct asker *self)
{
    self->finished_at = (self->asked | 1) + 1;
    return with_320_awaits(self);
}

static void a_function_may_have_more_than_300_awaits(void **state)
{
    struct asker frame = {0};
    int steps = 0;

    (void)state;
    while (ask_every_second_time(&frame) == ASYNC_PENDING && steps < 999) {
        steps++;
        frame.finished_at = frame.asked + 1;
    }
    assert_int_equal(async_outcome(&frame.async), ASYNC_DONE);
    assert_int_equal(steps, 320);       /* each was suspended at once */
    assert_int_equal(frame.asked, 640); /* and each asked twice */
}

struct fetch {
    struct async_frame async;
    const char *url;
    int answer;
    int length;
};

static async fetch(struct fetch *self)
{
    async_begin(self);
    trace("fetch %s", self->url);
    await(self->answer);
    self->length = (int)strlen(self->url);
    async_end();
}

struct parent {
    struct async_frame async;
    struct fetch child;
    int total;
};

static async parent(struct parent *self)
{
    async_begin(self);
    self->child = (struct fetch){.url = "a"};
    await(fetch(&self->child));
    self->total += self->child.length;
    self->child = (struct fetch){.url = "bcd"};
    await(fetch(&self->child));
    self->total += self->child.length;
    trace("total %d", self->total);
    async_end();
}

static void a_child_takes_its_arguments_once_and_leaves_its_result(void **state)
{
    struct parent frame = {0};

    (void)state;
    assert_int_equal(parent(&frame), ASYNC_PENDING);
    assert_int_equal(parent(&frame), ASYNC_PENDING);
    frame.child.answer = ASYNC_DONE;
    assert_int_equal(parent(&frame), ASYNC_PENDING);
    frame.child.answer = ASYNC_DONE;
    assert_int_equal(parent(&frame), ASYNC_DONE);

    assert_trace("fetch a\n"
                 "fetch bcd\n" /* the same storage, started again */
                 "total 4\n");
}

struct depth {
    struct async_frame async;
    int n;
    int result;
};

static async factorial(struct depth *self)
{
    async_begin(self);
    async_yield();
    self->result = 1;
    if (self->n > 1) {
        self[1] = (struct depth){.n = self->n - 1};
        await(factorial(&self[1]));
        self->result = self->n * self[1].result;
    }
    async_end();
}

static void a_function_may_call_itself_through_child_frames(void **state)
{
    struct depth frames[7] = {{.n = 7}};
    int steps = 1;

    (void)state;
    while (factorial(frames) == ASYNC_PENDING && steps < 99)
        steps++;
    assert_int_equal(frames[0].result, 5040);
    assert_int_equal(steps, 8); /* each of the seven yields once */
}

struct sharing {
    struct async_frame async;
    union {
        struct fetch fetch;
        struct depth depth[4];
    } child;
    int length;
};

static async sharing(struct sharing *self)
{
    async_begin(self);
    self->child.fetch = (struct fetch){.url = "abc", .answer = ASYNC_DONE};
    await(fetch(&self->child.fetch));
    self->length = self->child.fetch.length;
    self->child.depth[0] = (struct depth){.n = 4};
    await(factorial(self->child.depth));
    trace("%d %d", self->length, self->child.depth[0].result);
    async_end();
}

static void children_that_do_not_overlap_may_share_a_union(void **state)
{
    struct sharing frame = {0};
    int steps = 1;

    (void)state;
    while (sharing(&frame) == ASYNC_PENDING && steps < 99)
        steps++;
    assert_trace("fetch abc\n"
                 "3 24\n");
}

static async past_line_65535(struct waiter *self);

static void an_await_past_line_65535_is_resumed(void **state)
{
    struct waiter frame = {0};

    (void)state;
    assert_int_equal(past_line_65535(&frame), ASYNC_PENDING);
    assert_int_equal(past_line_65535(&frame), ASYNC_PENDING);
    assert_trace("begin\n");
    frame.answer = ASYNC_DONE;
    assert_int_equal(past_line_65535(&frame), ASYNC_DONE);
    assert_trace("end\n");
}

/* ---- finally ------------------------------------------------------------- */

enum how { TO_THE_END, BY_RETURN, BY_FAIL };

struct leaver {
    struct async_frame async;
    enum how body;     /* how it leaves its body */
    int body_answer;   /* what it awaits there */
    enum how clean_up; /* and its clean-up */
    int clean_up_answer;
};

static async leaver(struct leaver *self)
{
    async_begin(self);
    trace("body");
    await(self->body_answer);
    if (self->body == BY_RETURN)
        async_return();
    if (self->body == BY_FAIL)
        async_fail(-EIO);
    trace("end of body");

    async_finally();
    trace("finally");
    await(self->clean_up_answer);
    if (self->clean_up == BY_RETURN)
        async_return();
    if (self->clean_up == BY_FAIL)
        async_fail(-EPIPE);
    trace("end of finally");
    async_end();
}

static void finally_runs_once_after_the_end_of_the_body(void **state)
{
    struct leaver frame = {.body_answer = 1, .clean_up_answer = 1};

    (void)state;
    assert_int_equal(leaver(&frame), ASYNC_DONE);
    assert_int_equal(leaver(&frame), ASYNC_DONE);
    assert_trace("body\n"
                 "end of body\n"
                 "finally\n"
                 "end of finally\n");
}

static void finally_runs_once_after_a_return(void **state)
{
    struct leaver frame = {
        .body = BY_RETURN, .body_answer = 1, .clean_up_answer = 1};

    (void)state;
    assert_int_equal(leaver(&frame), ASYNC_DONE);
    assert_int_equal(leaver(&frame), ASYNC_DONE);
    assert_trace("body\n"
                 "finally\n"
                 "end of finally\n");
}

static void finally_runs_once_after_a_fail(void **state)
{
    struct leaver frame = {
        .body = BY_FAIL, .body_answer = 1, .clean_up_answer = 1};

    (void)state;
    assert_int_equal(leaver(&frame), -EIO);
    assert_int_equal(leaver(&frame), -EIO);
    assert_trace("body\n"
                 "finally\n"
                 "end of finally\n");
}

static void finally_runs_once_after_a_childs_error(void **state)
{
    struct leaver frame = {.clean_up_answer = 1};

    (void)state;
    assert_int_equal(leaver(&frame), ASYNC_PENDING);
    frame.body_answer = ASYNC_ECANCELED;
    assert_int_equal(leaver(&frame), ASYNC_ECANCELED);
    assert_int_equal(leaver(&frame), ASYNC_ECANCELED);
    assert_trace("body\n"
                 "finally\n"
                 "end of finally\n");
}

static void finally_may_be_pending_many_times(void **state)
{
    struct leaver frame = {.body = BY_FAIL, .body_answer = 1};

    (void)state;
    assert_int_equal(leaver(&frame), ASYNC_PENDING);
    assert_int_equal(leaver(&frame), ASYNC_PENDING);
    assert_int_equal(leaver(&frame), ASYNC_PENDING);
    assert_int_equal(async_outcome(&frame.async), ASYNC_PENDING);
    frame.clean_up_answer = 1;
    assert_int_equal(leaver(&frame), -EIO);
    assert_trace("body\n"
                 "finally\n" /* once */
                 "end of finally\n");
}

static void a_return_in_finally_ends_it_and_keeps_done(void **state)
{
    struct leaver frame = {
        .body_answer = 1, .clean_up = BY_RETURN, .clean_up_answer = 1};

    (void)state;
    assert_int_equal(leaver(&frame), ASYNC_DONE);
    assert_int_equal(leaver(&frame), ASYNC_DONE);
    assert_trace("body\n"
                 "end of body\n"
                 "finally\n");
}

static void a_return_in_finally_does_not_hide_the_bodys_error(void **state)
{
    struct leaver frame = {.body = BY_FAIL,
                           .body_answer = 1,
                           .clean_up = BY_RETURN,
                           .clean_up_answer = 1};

    (void)state;
    assert_int_equal(leaver(&frame), -EIO);
    assert_int_equal(leaver(&frame), -EIO);
    assert_trace("body\n"
                 "finally\n");
}

static void a_fail_in_finally_after_success_is_the_functions_error(void **state)
{
    struct leaver frame = {
        .body_answer = 1, .clean_up = BY_FAIL, .clean_up_answer = 1};

    (void)state;
    assert_int_equal(leaver(&frame), -EPIPE);
    assert_int_equal(leaver(&frame), -EPIPE);
    assert_trace("body\n"
                 "end of body\n"
                 "finally\n");
}

static void
a_fail_in_finally_after_an_error_leaves_the_first_error(void **state)
{
    struct leaver frame = {.body = BY_FAIL,
                           .body_answer = 1,
                           .clean_up = BY_FAIL,
                           .clean_up_answer = 1};

    (void)state;
    assert_int_equal(leaver(&frame), -EIO);
    assert_int_equal(leaver(&frame), -EIO);
    assert_trace("body\n"
                 "finally\n");
}

static void a_childs_error_in_finally_ends_it_and_is_returned(void **state)
{
    struct leaver frame = {.body_answer = 1, .clean_up_answer = -EBADF};

    (void)state;
    assert_int_equal(leaver(&frame), -EBADF);
    assert_int_equal(leaver(&frame), -EBADF);
    assert_trace("body\n"
                 "end of body\n"
                 "finally\n");
}

static void
a_childs_error_in_finally_after_an_error_leaves_the_first(void **state)
{
    struct leaver frame = {
        .body = BY_FAIL, .body_answer = 1, .clean_up_answer = 0};

    (void)state;
    assert_int_equal(leaver(&frame), ASYNC_PENDING);
    frame.clean_up_answer = -EBADF;
    assert_int_equal(leaver(&frame), -EIO);
    assert_trace("body\n"
                 "finally\n");
}

static async loops_in_finally(struct loops *self)
{
    async_begin(self);
    async_return();

    async_finally();
    for (self->i = 0; self->i < 3; self->i++) {
        async_catch(self->j, self->answer);
        trace("closed %d: %d", self->i, self->j);
        self->answer = ASYNC_PENDING;
    }
    async_end();
}

static void finally_may_loop_and_catch(void **state)
{
    struct loops frame = {.answer = -EIO};

    (void)state;
    assert_int_equal(loops_in_finally(&frame), ASYNC_PENDING);
    frame.answer = ASYNC_DONE;
    assert_int_equal(loops_in_finally(&frame), ASYNC_PENDING);
    frame.answer = ASYNC_ECLOSED;
    assert_int_equal(loops_in_finally(&frame), ASYNC_DONE);
    assert_trace("closed 0: -5\n"
                 "closed 1: 1\n"
                 "closed 2: -30003\n");
}

struct nested {
    struct async_frame async;
    struct nested *child;
    const char *name;
    int answer;
    int closing;
};

static async nested(struct nested *self)
{
    async_begin(self);
    trace("%s begins", self->name);
    if (self->child)
        await(nested(self->child));
    else
        await(self->answer);
    trace("%s ends", self->name);

    async_finally();
    trace("%s closes", self->name);
    await(self->closing);
    trace("%s is closed", self->name);
    async_end();
}

static void an_error_unwinds_from_the_inside_out(void **state)
{
    struct nested leaf = {.name = "leaf", .answer = -EIO, .closing = 1};
    struct nested middle = {.name = "middle", .child = &leaf, .closing = 1};
    struct nested root = {.name = "root", .child = &middle, .closing = 1};

    (void)state;
    assert_int_equal(nested(&root), -EIO);
    assert_trace("root begins\n"
                 "middle begins\n"
                 "leaf begins\n"
                 "leaf closes\n" /* where the error was */
                 "leaf is closed\n"
                 "middle closes\n"
                 "middle is closed\n"
                 "root closes\n"
                 "root is closed\n");
}

static void an_outer_function_waits_for_the_inner_ones_clean_up(void **state)
{
    struct nested leaf = {.name = "leaf", .answer = -EIO};
    struct nested root = {.name = "root", .child = &leaf, .closing = 1};

    (void)state;
    assert_int_equal(nested(&root), ASYNC_PENDING);
    assert_int_equal(nested(&root), ASYNC_PENDING);
    assert_trace("root begins\n"
                 "leaf begins\n"
                 "leaf closes\n"); /* and root does not, yet */
    leaf.closing = 1;
    assert_int_equal(nested(&root), -EIO);
    assert_trace("leaf is closed\n"
                 "root closes\n"
                 "root is closed\n");
}

/* ---- catch --------------------------------------------------------------- */

struct catcher {
    struct async_frame async;
    int answer;
    int status;
    int asked;
};

static async catcher(struct catcher *self)
{
    async_begin(self);
    async_catch(self->status, (self->asked++, self->answer));
    trace("caught %d", self->status);
    async_finally();
    trace("finally");
    async_end();
}

static void catch_hands_over_done(void **state)
{
    struct catcher frame = {.answer = ASYNC_DONE};

    (void)state;
    assert_int_equal(catcher(&frame), ASYNC_DONE);
    assert_trace("caught 1\n"
                 "finally\n");
}

static void catch_hands_over_an_error_and_the_body_goes_on(void **state)
{
    struct catcher frame = {.answer = ASYNC_ECANCELED};

    (void)state;
    assert_int_equal(catcher(&frame), ASYNC_DONE);
    assert_trace("caught -30001\n"
                 "finally\n");
}

static void catch_waits_while_its_operand_is_pending(void **state)
{
    struct catcher frame = {.status = 77};

    (void)state;
    assert_int_equal(catcher(&frame), ASYNC_PENDING);
    assert_int_equal(catcher(&frame), ASYNC_PENDING);
    assert_int_equal(frame.status, 77); /* not written before it is known */
    assert_int_equal(frame.asked, 2);
    frame.answer = -EIO;
    assert_int_equal(catcher(&frame), ASYNC_DONE);
    assert_trace("caught -5\n"
                 "finally\n");
}

/* ---- the question whether a cancel may land ------------------------------ */

static void the_question_passes_through_a_body(void **state)
{
    struct nested leaf = {.name = "leaf", .answer = ASYNC_ASKED_};
    struct nested root = {.name = "root", .child = &leaf};

    (void)state;
    assert_int_equal(nested(&root), ASYNC_ASKED_);
    assert_int_equal(nested(&root), ASYNC_ASKED_);
    assert_trace("root begins\n"
                 "leaf begins\n");
}

static void the_question_is_no_outcome(void **state)
{
    struct waiter frame = {.answer = ASYNC_ASKED_};

    (void)state;
    assert_int_equal(waiting(&frame), ASYNC_ASKED_);
    assert_int_equal(async_outcome(&frame.async), ASYNC_PENDING);
    frame.answer = ASYNC_DONE;
    assert_int_equal(waiting(&frame), ASYNC_DONE);
    trace_clear();
}

static void the_question_is_not_caught(void **state)
{
    struct catcher frame = {.answer = ASYNC_ASKED_};

    (void)state;
    assert_int_equal(catcher(&frame), ASYNC_ASKED_);
    assert_trace("");
}

static void finally_answers_the_question_with_pending(void **state)
{
    struct leaver frame = {.body_answer = 1, .clean_up_answer = ASYNC_ASKED_};

    (void)state;
    assert_int_equal(leaver(&frame), ASYNC_PENDING);
    assert_int_equal(leaver(&frame), ASYNC_PENDING);
    frame.clean_up_answer = 1;
    assert_int_equal(leaver(&frame), ASYNC_DONE);
    trace_clear();
}

static void a_childs_finally_answers_for_the_body_that_awaits_it(void **state)
{
    struct nested leaf = {.name = "leaf", .answer = 1, .closing = ASYNC_ASKED_};
    struct nested root = {.name = "root", .child = &leaf};

    (void)state;
    assert_int_equal(nested(&root), ASYNC_PENDING);
    trace_clear();
}

static async closes_with_a_child(struct parent *self)
{
    async_begin(self);
    async_finally();
    await(fetch(&self->child));
    async_end();
}

static void finally_answers_for_the_body_of_a_child_it_awaits(void **state)
{
    struct parent frame = {.child = {.url = "x", .answer = ASYNC_ASKED_}};

    (void)state;
    assert_int_equal(closes_with_a_child(&frame), ASYNC_PENDING);
    trace_clear();
}

/* ---- yield --------------------------------------------------------------- */

static async yields_twice(struct waiter *self)
{
    async_begin(self);
    trace("one");
    async_yield();
    trace("two");
    async_yield();
    trace("three");
    async_end();
}

static void a_yield_gives_the_processor_back_once(void **state)
{
    struct waiter frame = {0};

    (void)state;
    assert_int_equal(yields_twice(&frame), ASYNC_PENDING);
    trace("-");
    assert_int_equal(yields_twice(&frame), ASYNC_PENDING);
    trace("-");
    assert_int_equal(yields_twice(&frame), ASYNC_DONE);
    assert_trace("one\n"
                 "-\n"
                 "two\n"
                 "-\n"
                 "three\n");
}

static async yields_then_waits(struct waiter *self)
{
    async_begin(self);
    async_yield();
    await(self->answer);
    async_end();
}

static void yielded_is_true_only_while_suspended_at_a_yield(void **state)
{
    struct waiter frame = {0};

    (void)state;
    assert_false(async_yielded(&frame.async)); /* not started */
    (void)yields_then_waits(&frame);
    assert_true(async_yielded(&frame.async));
    (void)yields_then_waits(&frame);
    assert_false(async_yielded(&frame.async)); /* at the await */
    frame.answer = ASYNC_DONE;
    (void)yields_then_waits(&frame);
    assert_false(async_yielded(&frame.async)); /* ended */
}

static async yields_in_finally(struct waiter *self)
{
    async_begin(self);
    async_finally();
    trace("before");
    async_yield();
    trace("after");
    async_end();
}

static void
a_yield_in_finally_gives_back_the_processor_but_no_value(void **state)
{
    struct waiter frame = {0};

    (void)state;
    assert_int_equal(yields_in_finally(&frame), ASYNC_PENDING);
    assert_false(async_yielded(&frame.async));
    assert_int_equal(yields_in_finally(&frame), ASYNC_DONE);
    assert_trace("before\n"
                 "after\n");
}

static async fails_after_a_yield(struct waiter *self)
{
    async_begin(self);
    async_yield();
    async_fail(-EIO);
    async_end();
}

static void a_function_may_fail_after_a_yield(void **state)
{
    struct waiter frame = {0};

    (void)state;
    assert_int_equal(fails_after_a_yield(&frame), ASYNC_PENDING);
    assert_int_equal(fails_after_a_yield(&frame), -EIO);
    assert_false(async_yielded(&frame.async));
}

/* ---- generators ---------------------------------------------------------- */

/* 1, 2, ... to `last`; after `fails_at` it fails; each value waits for
 * `ready`, which -1 leaves out. */
struct count {
    struct async_frame async;
    int last;
    int fails_at;
    int *gate;
    int value;
};

static async count(struct count *self)
{
    async_begin(self);
    while (self->value < self->last) {
        if (self->gate) {
            await(*self->gate);
            *self->gate = 0;
        }
        self->value++;
        async_yield();
        if (self->value == self->fails_at)
            async_fail(-EIO);
    }
    async_end();
}

static void each_hands_over_every_value(void **state)
{
    struct count one = {.last = 3};

    (void)state;
    async_each (&one, count(&one))
        trace("%d", one.value);
    assert_trace("1\n"
                 "2\n"
                 "3\n");
    assert_int_equal(async_outcome(&one.async), ASYNC_DONE);
}

static void each_over_a_generator_with_no_values_does_nothing(void **state)
{
    struct count none = {0};

    (void)state;
    async_each (&none, count(&none))
        trace("%d", none.value);
    assert_trace("");
    assert_int_equal(async_outcome(&none.async), ASYNC_DONE);
}

static void each_may_break_and_continue(void **state)
{
    struct count one = {.last = 9};

    (void)state;
    async_each (&one, count(&one)) {
        if (one.value == 2)
            continue;
        if (one.value == 4)
            break;
        trace("%d", one.value);
    }
    assert_trace("1\n"
                 "3\n");
    assert_true(async_yielded(&one.async)); /* it has not been run to its end */
}

static void each_takes_up_a_generator_where_it_was_left(void **state)
{
    struct count one = {.last = 3};

    (void)state;
    async_each (&one, count(&one))
        break;
    async_each (&one, count(&one))
        trace("%d", one.value);
    assert_trace("2\n"
                 "3\n");
}

static void each_nests(void **state)
{
    struct count outer = {.last = 2};

    (void)state;
    async_each (&outer, count(&outer)) {
        struct count inner = {.last = 2};

        async_each (&inner, count(&inner))
            trace("%d%d", outer.value, inner.value);
    }
    assert_trace("11\n"
                 "12\n"
                 "21\n"
                 "22\n");
}

static void each_is_one_statement_under_an_if(void **state)
{
    struct count one = {.last = 1};

    (void)state;
    if (one.last > 5)
        async_each (&one, count(&one))
            trace("%d", one.value);
    else
        trace("else");
    assert_trace("else\n");
}

static void each_stops_at_an_error_and_the_outcome_tells(void **state)
{
    struct count one = {.last = 5, .fails_at = 2};

    (void)state;
    async_each (&one, count(&one))
        trace("%d", one.value);
    assert_trace("1\n"
                 "2\n");
    assert_int_equal(async_outcome(&one.async), -EIO);
}

static void consume_by_each(void *generator)
{
    struct count *one = generator;

    async_each (one, count(one))
        trace("%d", one->value);
}

static void each_over_a_generator_that_awaits_is_caught(void **state)
{
    int gate = 1;
    struct count one = {.last = 3, .gate = &gate};

    (void)state;
    assert_stops("this generator awaits", consume_by_each, &one);
    assert_trace("1\n");
}

struct sum {
    struct async_frame async;
    int in;
    int total;
};

static async sum(struct sum *self)
{
    async_begin(self);
    for (;;) {
        self->total += self->in;
        async_yield();
        if (self->in < 0)
            async_return();
    }
    async_end();
}

static void a_generator_takes_what_is_sent_from_its_frame(void **state)
{
    struct sum frame = {.in = 3};

    (void)state;
    assert_int_equal(sum(&frame), ASYNC_PENDING);
    assert_int_equal(frame.total, 3);
    frame.in = 4;
    assert_int_equal(sum(&frame), ASYNC_PENDING);
    assert_int_equal(frame.total, 7);
    frame.in = -1;
    assert_int_equal(sum(&frame), ASYNC_DONE);
}

struct stage {
    struct async_frame async;
    struct count source;
    struct count more;
    int limit;
    int value;
};

static async take(struct stage *self)
{
    async_begin(self);
    async_for (&self->source, count(&self->source)) {
        self->value = self->source.value;
        async_yield();
        if (--self->limit == 0)
            break;
    }
    async_end();
}

static void a_generator_may_take_the_first_of_another(void **state)
{
    struct stage frame = {.source = {.last = 100}, .limit = 2};

    (void)state;
    async_each (&frame, take(&frame))
        trace("%d", frame.value);
    assert_trace("1\n"
                 "2\n");
    assert_int_equal(frame.source.value, 2); /* and asks for no more */
}

static async even(struct stage *self)
{
    async_begin(self);
    async_for (&self->source, count(&self->source)) {
        if (self->source.value % 2)
            continue;
        self->value = self->source.value;
        async_yield();
    }
    async_end();
}

static void a_generator_may_filter_another(void **state)
{
    struct stage frame = {.source = {.last = 5}};

    (void)state;
    async_each (&frame, even(&frame))
        trace("%d", frame.value);
    assert_trace("2\n"
                 "4\n");
}

static async chain(struct stage *self)
{
    async_begin(self);
    async_for (&self->source, count(&self->source)) {
        self->value = self->source.value;
        async_yield();
    }
    async_for (&self->more, count(&self->more)) {
        self->value = self->more.value * 10;
        async_yield();
    }
    async_end();
}

static void a_generator_may_chain_two(void **state)
{
    struct stage frame = {.source = {.last = 2}, .more = {.last = 2}};

    (void)state;
    async_each (&frame, chain(&frame))
        trace("%d", frame.value);
    assert_trace("1\n"
                 "2\n"
                 "10\n"
                 "20\n");
}

struct consumer {
    struct async_frame async;
    struct count outer, inner;
    int answer;
};

static async consumer(struct consumer *self)
{
    async_begin(self);
    async_for (&self->outer, count(&self->outer))
        trace("%d", self->outer.value);
    trace("over");
    async_finally();
    trace("finally");
    async_end();
}

static void for_waits_while_the_generator_waits(void **state)
{
    int gate = 0;
    struct consumer frame = {.outer = {.last = 2, .gate = &gate}};

    (void)state;
    assert_int_equal(consumer(&frame), ASYNC_PENDING);
    assert_int_equal(consumer(&frame), ASYNC_PENDING);
    assert_trace("");
    gate = 1;
    assert_int_equal(consumer(&frame), ASYNC_PENDING);
    assert_trace("1\n");
    gate = 1;
    assert_int_equal(consumer(&frame), ASYNC_DONE);
    assert_trace("2\n"
                 "over\n"
                 "finally\n");
}

static void for_over_a_generator_with_no_values_goes_on(void **state)
{
    struct consumer frame = {0};

    (void)state;
    assert_int_equal(consumer(&frame), ASYNC_DONE);
    assert_trace("over\n"
                 "finally\n");
}

static void for_leaves_by_the_generators_error(void **state)
{
    struct consumer frame = {.outer = {.last = 5, .fails_at = 2}};

    (void)state;
    assert_int_equal(consumer(&frame), -EIO);
    assert_trace("1\n"
                 "2\n"
                 "finally\n"); /* "over" is left out */
}

static void for_passes_the_question_on(void **state)
{
    int gate = ASYNC_ASKED_;
    struct consumer frame = {.outer = {.last = 2, .gate = &gate}};

    (void)state;
    assert_int_equal(consumer(&frame), ASYNC_ASKED_);
    assert_trace("");
}

static async nests_for(struct consumer *self)
{
    async_begin(self);
    async_for (&self->outer, count(&self->outer)) {
        self->inner = (struct count){.last = self->outer.value};
        async_for (&self->inner, count(&self->inner)) {
            await(self->answer);
            self->answer = 0;
            trace("%d%d", self->outer.value, self->inner.value);
        }
    }
    async_end();
}

static void for_nests_and_its_body_may_await(void **state)
{
    struct consumer frame = {.outer = {.last = 2}};
    int i;

    (void)state;
    for (i = 0; i < 3; i++) {
        assert_int_equal(nests_for(&frame), ASYNC_PENDING);
        frame.answer = ASYNC_DONE;
    }
    assert_int_equal(nests_for(&frame), ASYNC_DONE);
    assert_trace("11\n"
                 "21\n"
                 "22\n");
}

static async breaks_for(struct consumer *self)
{
    async_begin(self);
    async_for (&self->outer, count(&self->outer)) {
        if (self->outer.value == 2)
            continue;
        if (self->outer.value == 4)
            break;
        trace("%d", self->outer.value);
    }
    trace("over");
    async_end();
}

static void for_may_break_and_continue(void **state)
{
    struct consumer frame = {.outer = {.last = 9}};

    (void)state;
    assert_int_equal(breaks_for(&frame), ASYNC_DONE);
    assert_trace("1\n"
                 "3\n"
                 "over\n");
}

/* Compilers ask for braces around a loop here, as around any inner if. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdangling-else"
static async for_under_if(struct consumer *self)
{
    async_begin(self);
    if (self->answer)
        async_for (&self->outer, count(&self->outer))
            trace("%d", self->outer.value);
    else
        trace("else");
    async_end();
}
#pragma GCC diagnostic pop

static void for_is_one_statement_under_an_if(void **state)
{
    struct consumer no = {.outer = {.last = 2}};
    struct consumer yes = {.outer = {.last = 2}, .answer = 1};

    (void)state;
    assert_int_equal(for_under_if(&no), ASYNC_DONE);
    assert_trace("else\n");
    assert_int_equal(for_under_if(&yes), ASYNC_DONE);
    assert_trace("1\n"
                 "2\n");
}

static async returns_from_for(struct consumer *self)
{
    async_begin(self);
    async_for (&self->outer, count(&self->outer))
        if (self->outer.value == 2)
            async_return();
    trace("over");
    async_end();
}

static void for_may_be_left_by_return(void **state)
{
    struct consumer frame = {.outer = {.last = 9}};

    (void)state;
    assert_int_equal(returns_from_for(&frame), ASYNC_DONE);
    assert_trace("");
}

/* ---- an await inside a switch of the user's ------------------------------ */

struct chooser {
    struct async_frame async;
    int choice;
    int answer;
};

static async chooser(struct chooser *self)
{
    async_begin(self);
    trace("begin");
    switch (self->choice) {
    case 1000:
        await(self->answer);
        trace("1000");
        break;
    default:
        trace("default");
        break;
    }
    trace("end");
    async_end();
}

static void an_await_in_a_switch_that_need_not_wait_works(void **state)
{
    struct chooser frame = {.choice = 1000, .answer = ASYNC_DONE};

    (void)state;
    assert_int_equal(chooser(&frame), ASYNC_DONE);
    assert_trace("begin\n"
                 "1000\n"
                 "end\n");
}

#ifdef ASYNC_USE_LABELS

static void with_labels_an_await_in_a_switch_is_resumed(void **state)
{
    struct chooser frame = {.choice = 1000};

    (void)state;
    assert_int_equal(chooser(&frame), ASYNC_PENDING);
    assert_int_equal(chooser(&frame), ASYNC_PENDING);
    frame.answer = ASYNC_DONE;
    assert_int_equal(chooser(&frame), ASYNC_DONE);
    assert_trace("begin\n"
                 "1000\n"
                 "end\n");
}

static void with_labels_no_value_of_a_switch_jumps_to_an_await(void **state)
{
    int choice;

    (void)state;
    for (choice = -1; choice < 100; choice++) {
        struct chooser frame = {.choice = choice};

        assert_int_equal(chooser(&frame), ASYNC_DONE);
        assert_trace("begin\n"
                     "default\n"
                     "end\n");
    }
}

#else

static void step_chooser(void *frame)
{
    (void)chooser(frame);
}

static void with_a_switch_an_await_in_a_switch_stops_when_resumed(void **state)
{
    struct chooser frame = {.choice = 1000};

    (void)state;
    assert_int_equal(chooser(&frame), ASYNC_PENDING);
    frame.answer = ASYNC_DONE;
    assert_stops("resumed at no await of this function", step_chooser, &frame);
    assert_trace("begin\n"); /* neither restarted nor skipped */
}

static void
with_a_switch_no_value_of_a_switch_takes_an_awaits_branch(void **state)
{
    struct chooser probe = {.choice = 1000}, frame = {0};

    (void)state;
    assert_int_equal(chooser(&probe), ASYNC_PENDING);
    trace_clear();
    frame.choice = probe.async.state_; /* the await's own number */
    frame.answer = ASYNC_DONE;

    assert_stops("an await inside a switch", step_chooser, &frame);
    assert_trace("begin\n"); /* "1000" is not reached */
}

static void step_waiting(void *frame)
{
    (void)waiting(frame);
}

static void an_overwritten_frame_stops(void **state)
{
    struct waiter one = {0}, two = {0};

    (void)state;
    one.async.state_ = 0x7777;
    assert_stops("resumed at no await of this function", step_waiting, &one);
    memset(&two, 0xA5, sizeof two);
    assert_stops("resumed at no await of this function", step_waiting, &two);
    assert_trace("");
}

static void a_frame_of_another_function_stops(void **state)
{
    struct asker frame = {0};
    int i;

    (void)state;
    for (i = 0; i < 5; i++) {
        frame.finished_at = frame.asked + 1;
        (void)ask_every_second_time(&frame);
    }
    assert_int_equal(async_outcome(&frame.async), ASYNC_PENDING);
    assert_stops("resumed at no await of this function", step_waiting, &frame);
}

#endif

/* ---- names --------------------------------------------------------------- */

static void every_error_of_ours_has_its_own_sentence(void **state)
{
    static const int errors[] = {
        ASYNC_PENDING, ASYNC_DONE,   ASYNC_ECANCELED, ASYNC_ETIMEDOUT,
        ASYNC_ECLOSED, ASYNC_EBUSY,  ASYNC_EFULL,     ASYNC_EINVAL,
        ASYNC_ENOTSUP, ASYNC_EDEADLK, ASYNC_EKILLED,  ASYNC_EEXITED};
    size_t i, j;

    (void)state;
    for (i = 0; i < sizeof errors / sizeof *errors; i++) {
        const char *sentence = async_strerror(errors[i]);

        assert_non_null(sentence);
        assert_string_not_equal(sentence, "");
        assert_string_not_equal(sentence, "unknown error");
        for (j = 0; j < i; j++)
            assert_string_not_equal(sentence, async_strerror(errors[j]));
    }
}

static void the_errors_have_fixed_numbers(void **state)
{
    (void)state;
    assert_int_equal(ASYNC_ECANCELED, -30001);
    assert_int_equal(ASYNC_ETIMEDOUT, -30002);
    assert_int_equal(ASYNC_ECLOSED, -30003);
    assert_int_equal(ASYNC_EBUSY, -30004);
    assert_int_equal(ASYNC_EFULL, -30005);
    assert_int_equal(ASYNC_EINVAL, -30006);
    assert_int_equal(ASYNC_ENOTSUP, -30007);
    assert_int_equal(ASYNC_EDEADLK, -30008);
    assert_int_equal(ASYNC_EKILLED, -30009);
    assert_int_equal(ASYNC_EEXITED, -30010);
}

static void an_errno_is_named_by_the_system(void **state)
{
    char name[256];

    (void)state;
    snprintf(name, sizeof name, "%s", strerror(ENOENT));
    assert_string_equal(async_strerror(-ENOENT), name);
}

static void a_number_of_nobodys_is_an_unknown_error(void **state)
{
    (void)state;
    assert_string_equal(async_strerror(-30999), "unknown error");
    assert_string_equal(async_strerror(INT_MIN), "unknown error");
}

static void any_positive_status_is_named_done(void **state)
{
    (void)state;
    assert_string_equal(async_strerror(42), async_strerror(ASYNC_DONE));
}

#if !ASYNC_VERSION_AT_LEAST(0, 0, 0) || ASYNC_VERSION_AT_LEAST(99, 0, 0)
#error "ASYNC_VERSION_AT_LEAST can't be asked by the preprocessor"
#endif

static void the_version_is_at_least_itself_and_not_the_next(void **state)
{
    const int major = ASYNC_VERSION_NUMBER / 10000;
    const int minor = ASYNC_VERSION_NUMBER / 100 % 100;
    const int patch = ASYNC_VERSION_NUMBER % 100;

    (void)state;
    assert_true(ASYNC_VERSION_AT_LEAST(major, minor, patch));
    assert_false(ASYNC_VERSION_AT_LEAST(major, minor, patch + 1));
    assert_false(ASYNC_VERSION_AT_LEAST(major, minor + 1, 0));
    assert_false(ASYNC_VERSION_AT_LEAST(major + 1, 0, 0));
}

static void the_version_is_the_same_in_words_and_in_numbers(void **state)
{
    char words[32];

    (void)state;
    snprintf(words, sizeof words, "%d.%d.%d", ASYNC_VERSION_NUMBER / 10000,
             ASYNC_VERSION_NUMBER / 100 % 100, ASYNC_VERSION_NUMBER % 100);
    assert_string_equal(ASYNC_VERSION, words);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        claim(a_frame_costs_four_bytes),
        claim(a_zeroed_frame_is_not_started),
        claim(an_empty_function_is_done_in_one_step),
        claim(an_empty_finally_section_changes_nothing),
        claim(a_suspended_function_has_no_outcome),
        claim(a_finished_frame_stays_finished_and_returns_done_again),
        claim(a_failed_frame_returns_its_error_again),
        claim(a_frame_assigned_anew_starts_again),
        claim(two_frames_of_one_function_do_not_meet),

        claim(await_goes_on_at_once_when_its_operand_is_finished),
        claim(await_asks_its_operand_once_a_step_until_it_is_finished),
        claim(await_takes_any_positive_status_for_finished),
        claim(await_returns_the_error_and_leaves_the_rest_out),
        claim(every_error_of_ours_passes_through),
        claim(a_negated_errno_passes_through),
        claim(the_lowest_error_of_16_bits_passes_through),
        claim(an_error_too_large_for_16_bits_becomes_einval),
        claim(await_takes_a_bool),
        claim(await_takes_a_comparison),
        claim(await_until_takes_a_pointer),
        claim(await_until_takes_a_fraction_below_one),
        claim(await_until_takes_a_bit_that_would_be_a_sign),
        claim(await_until_takes_a_negative_number_for_true),

        claim(an_if_chooses_which_await_is_awaited),
        claim(an_await_in_a_branch_is_resumed_without_asking_the_condition),
        claim(an_await_under_a_false_if_is_left_out),
        claim(an_await_until_under_a_false_if_is_left_out),
        claim(a_return_under_a_false_if_does_not_return),
        claim(a_return_ends_the_function_with_done),
        claim(a_fail_under_a_false_if_does_not_fail),
        claim(a_fail_ends_the_function_with_its_error),
        claim(a_fail_with_no_error_is_caught),
        claim(a_fail_below_16_bits_is_caught),
        claim(a_fail_with_no_error_fails_where_nothing_is_asserted),
        claim(a_yield_is_a_whole_loop_body),
        claim(a_yield_under_a_false_if_is_left_out),
        claim(a_catch_under_a_false_if_is_left_out),
        claim(several_awaits_on_one_line_are_several),
        claim(a_macro_of_the_user_may_hold_awaits),
        claim(an_outcome_may_be_negated_and_compared),
        claim(the_errors_are_expressions_of_their_own),

        claim(an_await_in_nested_for_loops_goes_on_in_its_round),
        claim(break_and_continue_are_those_of_the_loop_around),
        claim(a_function_may_have_more_than_300_awaits),
        claim(a_child_takes_its_arguments_once_and_leaves_its_result),
        claim(a_function_may_call_itself_through_child_frames),
        claim(children_that_do_not_overlap_may_share_a_union),
        claim(an_await_past_line_65535_is_resumed),

        claim(finally_runs_once_after_the_end_of_the_body),
        claim(finally_runs_once_after_a_return),
        claim(finally_runs_once_after_a_fail),
        claim(finally_runs_once_after_a_childs_error),
        claim(finally_may_be_pending_many_times),
        claim(a_return_in_finally_ends_it_and_keeps_done),
        claim(a_return_in_finally_does_not_hide_the_bodys_error),
        claim(a_fail_in_finally_after_success_is_the_functions_error),
        claim(a_fail_in_finally_after_an_error_leaves_the_first_error),
        claim(a_childs_error_in_finally_ends_it_and_is_returned),
        claim(a_childs_error_in_finally_after_an_error_leaves_the_first),
        claim(finally_may_loop_and_catch),
        claim(an_error_unwinds_from_the_inside_out),
        claim(an_outer_function_waits_for_the_inner_ones_clean_up),

        claim(catch_hands_over_done),
        claim(catch_hands_over_an_error_and_the_body_goes_on),
        claim(catch_waits_while_its_operand_is_pending),

        claim(the_question_passes_through_a_body),
        claim(the_question_is_no_outcome),
        claim(the_question_is_not_caught),
        claim(finally_answers_the_question_with_pending),
        claim(a_childs_finally_answers_for_the_body_that_awaits_it),
        claim(finally_answers_for_the_body_of_a_child_it_awaits),

        claim(a_yield_gives_the_processor_back_once),
        claim(yielded_is_true_only_while_suspended_at_a_yield),
        claim(a_yield_in_finally_gives_back_the_processor_but_no_value),
        claim(a_function_may_fail_after_a_yield),

        claim(each_hands_over_every_value),
        claim(each_over_a_generator_with_no_values_does_nothing),
        claim(each_may_break_and_continue),
        claim(each_takes_up_a_generator_where_it_was_left),
        claim(each_nests),
        claim(each_is_one_statement_under_an_if),
        claim(each_stops_at_an_error_and_the_outcome_tells),
        claim(each_over_a_generator_that_awaits_is_caught),
        claim(a_generator_takes_what_is_sent_from_its_frame),
        claim(a_generator_may_take_the_first_of_another),
        claim(a_generator_may_filter_another),
        claim(a_generator_may_chain_two),
        claim(for_waits_while_the_generator_waits),
        claim(for_over_a_generator_with_no_values_goes_on),
        claim(for_leaves_by_the_generators_error),
        claim(for_passes_the_question_on),
        claim(for_nests_and_its_body_may_await),
        claim(for_may_break_and_continue),
        claim(for_is_one_statement_under_an_if),
        claim(for_may_be_left_by_return),

        claim(an_await_in_a_switch_that_need_not_wait_works),
#ifdef ASYNC_USE_LABELS
        claim(with_labels_an_await_in_a_switch_is_resumed),
        claim(with_labels_no_value_of_a_switch_jumps_to_an_await),
#else
        claim(with_a_switch_an_await_in_a_switch_stops_when_resumed),
        claim(with_a_switch_no_value_of_a_switch_takes_an_awaits_branch),
        claim(an_overwritten_frame_stops),
        claim(a_frame_of_another_function_stops),
#endif

        claim(every_error_of_ours_has_its_own_sentence),
        claim(the_errors_have_fixed_numbers),
        claim(an_errno_is_named_by_the_system),
        claim(a_number_of_nobodys_is_an_unknown_error),
        claim(any_positive_status_is_named_done),
        claim(the_version_is_at_least_itself_and_not_the_next),
        claim(the_version_is_the_same_in_words_and_in_numbers),
    };

    return cmocka_run_group_tests_name("async.h", tests, NULL, NULL);
}

/* Last in the file, where a number of its own does no harm. */
#line 70000
static async past_line_65535(struct waiter *self)
{
    async_begin(self);
    trace("begin");
    await(self->answer);
    trace("end");
    async_end();
}
