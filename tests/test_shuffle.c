/* test_shuffle.c: test_loop.c once more, what is ready in an order of chance.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_shuffle.c -lcmocka
 *
 * What promises no order holds in every order.
 */
#define ASYNC_DEBUG
#include "trace.h"

#include <poll.h> /* before the name is ours, as in test_loop.c */

static int poll_watched(struct pollfd *fds, nfds_t count, int timeout);
#define poll poll_watched
#define ASYNC_RUN_FDS 2
#include "async_debug.h"
#undef poll

#undef cmocka_run_group_tests_name
#define cmocka_run_group_tests_name(name, tests, before, after)                \
    run_shuffled(tests, sizeof(tests) / sizeof *(tests))
static int run_shuffled(const struct CMUnitTest *tests, size_t count);

#include "test_loop.c"

/* Left out: what promises an order, */
static const char *const ordered[] = {
    "tasks_run_in_the_order_of_their_spawns", "tasks_that_yield_take_turns",
    "tasks_that_await_yield_now_take_turns",
    "sleepers_wake_in_the_order_of_their_deadlines",
    "sleepers_with_one_deadline_wake_in_the_order_they_slept",
    "many_joiners_are_let_go_in_the_order_they_came",
    "async_run_returns_the_first_error_nobody_joined",
    /* what arranges or compares something in the order of the spawns, */
    "a_descriptor_too_many_is_refused_and_the_others_go_on",
    "a_flag_is_cleared_by_the_one_who_takes_it",
    "a_join_after_the_end_is_over_at_once",
    "a_poll_inside_a_poll_does_nothing_where_nothing_is_asserted",
    "a_sleep_of_0_lets_the_others_run_and_takes_no_tick",
    "a_sleep_until_a_time_that_is_past_lets_the_others_run",
    "a_task_may_cancel_another_without_being_interrupted",
    "a_wait_that_is_over_in_the_same_tick_keeps_its_result",
    "all_who_wait_for_an_event_are_let_go_by_it",
    "async_run_hands_errors_to_the_hook_if_there_is_one",
    "async_run_waits_for_everything_that_was_spawned",
    "the_error_of_a_task_nobody_joins_is_handed_out_once",
    "the_first_of_two_joiners_may_fill_the_tasks_storage",
    "the_first_of_two_joiners_may_poison_the_tasks_storage",
    "the_first_of_two_joiners_may_zero_the_tasks_storage",
    "two_tasks_may_wait_for_one_descriptor", NULL};

static struct async_debug shuffler;

static void quiet(void *arg, const char *text)
{
    (void)arg;
    (void)text;
}

static int setup_shuffled(void **state)
{
    int failed = setup(state);

    async_debug_start(&loop, &shuffler);
    return failed;
}

static int run_shuffled(const struct CMUnitTest *tests, size_t count)
{
    static struct CMUnitTest chosen[999];
    size_t i, j, n = 0;
    int failed = 0;

    for (i = 0; i < count; i++) {
        for (j = 0; ordered[j] && strcmp(ordered[j], tests[i].name); j++)
            ;
        if (ordered[j])
            continue;
        assert_true(n < sizeof chosen / sizeof *chosen);
        chosen[n] = tests[i];
        if (chosen[n].setup_func == setup)
            chosen[n].setup_func = setup_shuffled;
        n++;
    }
    shuffler.say = quiet;
    for (shuffler.shuffle = 1; shuffler.shuffle <= 4; shuffler.shuffle++) {
        print_message("# seed %u\n", (unsigned)shuffler.shuffle);
        failed += _cmocka_run_group_tests("test_loop, shuffled", chosen, n,
                                          NULL, NULL);
    }
    return failed;
}
