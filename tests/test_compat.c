/* test_compat.c: programs for protothreads run as they did, with compat/pt.h.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_compat.c -lcmocka
 */
#include "trace.h"

#include "compat/pt.h"

/* ---- a thread's life ---------------------------------------------------- */

static int open_door;

static PT_THREAD(waits(struct pt *pt))
{
    PT_BEGIN(pt);
    trace("begin");
    PT_WAIT_UNTIL(pt, open_door);
    trace("end");
    PT_END(pt);
}

static void the_return_values_are_those_of_protothreads(void **state)
{
    (void)state;
    assert_int_equal(PT_WAITING, 0);
    assert_int_equal(PT_YIELDED, 1);
    assert_int_equal(PT_EXITED, 2);
    assert_int_equal(PT_ENDED, 3);
}

static void a_thread_waits_until_its_condition_is_true(void **state)
{
    struct pt pt;

    (void)state;
    PT_INIT(&pt);
    open_door = 0;
    assert_int_equal(waits(&pt), PT_WAITING);
    assert_int_equal(waits(&pt), PT_WAITING);
    open_door = 1;
    assert_int_equal(waits(&pt), PT_ENDED);
    assert_trace("begin\n"
                 "end\n");
}

static void a_thread_that_has_ended_starts_again_when_called(void **state)
{
    struct pt pt;

    (void)state;
    PT_INIT(&pt);
    open_door = 1;
    assert_int_equal(waits(&pt), PT_ENDED);
    assert_int_equal(waits(&pt), PT_ENDED);
    assert_trace("begin\n"
                 "end\n"
                 "begin\n"
                 "end\n");
}

static void a_thread_that_is_initialized_again_starts_again(void **state)
{
    struct pt pt;

    (void)state;
    PT_INIT(&pt);
    open_door = 0;
    assert_int_equal(waits(&pt), PT_WAITING);
    PT_INIT(&pt);
    assert_int_equal(waits(&pt), PT_WAITING);
    assert_trace("begin\n"
                 "begin\n");
}

static PT_THREAD(empty(struct pt *pt))
{
    PT_BEGIN(pt);
    PT_END(pt);
}

static void an_empty_thread_ends_at_once(void **state)
{
    struct pt pt;

    (void)state;
    PT_INIT(&pt);
    assert_int_equal(empty(&pt), PT_ENDED);
}

static void schedule_is_true_until_the_thread_has_ended(void **state)
{
    struct pt pt;

    (void)state;
    PT_INIT(&pt);
    open_door = 0;
    assert_true(PT_SCHEDULE(waits(&pt)));
    open_door = 1;
    assert_false(PT_SCHEDULE(waits(&pt)));
}

/* ---- the other waits ---------------------------------------------------- */

static PT_THREAD(waits_while(struct pt *pt))
{
    PT_BEGIN(pt);
    PT_WAIT_WHILE(pt, open_door);
    trace("closed");
    PT_END(pt);
}

static void a_thread_waits_while_its_condition_is_true(void **state)
{
    struct pt pt;

    (void)state;
    PT_INIT(&pt);
    open_door = 1;
    assert_int_equal(waits_while(&pt), PT_WAITING);
    open_door = 0;
    assert_int_equal(waits_while(&pt), PT_ENDED);
    assert_trace("closed\n");
}

static PT_THREAD(yields(struct pt *pt))
{
    PT_BEGIN(pt);
    trace("one");
    PT_YIELD(pt);
    trace("two");
    PT_YIELD_UNTIL(pt, open_door);
    trace("three");
    PT_END(pt);
}

static void a_yield_gives_way_once(void **state)
{
    struct pt pt;

    (void)state;
    PT_INIT(&pt);
    assert_int_equal(yields(&pt), PT_YIELDED);
    assert_trace("one\n");
    assert_int_equal(yields(&pt), PT_YIELDED);
    assert_trace("two\n");
}

static void a_yield_until_gives_way_even_if_its_condition_is_true(void **state)
{
    struct pt pt;

    (void)state;
    PT_INIT(&pt);
    open_door = 1;
    (void)yields(&pt);
    assert_int_equal(yields(&pt), PT_YIELDED);
    assert_int_equal(yields(&pt), PT_ENDED);
    assert_trace("one\n"
                 "two\n"
                 "three\n");
}

static void a_yield_until_gives_way_until_its_condition_is_true(void **state)
{
    struct pt pt;

    (void)state;
    PT_INIT(&pt);
    open_door = 0;
    (void)yields(&pt);
    assert_int_equal(yields(&pt), PT_YIELDED);
    assert_int_equal(yields(&pt), PT_YIELDED);
    open_door = 1;
    assert_int_equal(yields(&pt), PT_ENDED);
    assert_trace("one\n"
                 "two\n"
                 "three\n");
}

static PT_THREAD(yields_in_a_loop(struct pt *pt, int *i))
{
    PT_BEGIN(pt);
    for (*i = 0; *i < 3; ++*i)
        PT_YIELD(pt);
    if (*i == 3)
        PT_WAIT_UNTIL(pt, open_door);
    else
        trace("not here");
    PT_END(pt);
}

static void each_macro_is_one_statement(void **state)
{
    struct pt pt;
    int i, calls = 0;

    (void)state;
    PT_INIT(&pt);
    open_door = 1;
    while (yields_in_a_loop(&pt, &i) == PT_YIELDED)
        calls++;
    assert_int_equal(calls, 3);
    assert_trace("");
}

/* ---- threads in threads ------------------------------------------------- */

struct family {
    struct pt parent, child;
    int rounds;
};

static PT_THREAD(child(struct family *family))
{
    PT_BEGIN(&family->child);
    trace("child begins");
    PT_YIELD(&family->child);
    PT_WAIT_UNTIL(&family->child, open_door);
    trace("child ends");
    PT_END(&family->child);
}

static PT_THREAD(parent(struct family *family))
{
    PT_BEGIN(&family->parent);
    for (family->rounds = 0; family->rounds < 2; family->rounds++)
        PT_SPAWN(&family->parent, &family->child, child(family));
    PT_WAIT_THREAD(&family->parent, child(family));
    trace("parent ends");
    PT_END(&family->parent);
}

static void a_parent_waits_while_its_child_waits_or_yields(void **state)
{
    struct family family;

    (void)state;
    PT_INIT(&family.parent);
    open_door = 0;
    assert_int_equal(parent(&family), PT_WAITING);
    assert_int_equal(parent(&family), PT_WAITING);
    assert_trace("child begins\n");
    open_door = 1;
    assert_int_equal(parent(&family), PT_WAITING);
    assert_trace("child ends\n"
                 "child begins\n"); /* the second round has begun */
    assert_int_equal(parent(&family), PT_WAITING);
    assert_trace("child ends\n"
                 "child begins\n"); /* an ended child starts again */
    assert_int_equal(parent(&family), PT_ENDED);
    assert_trace("child ends\n"
                 "parent ends\n");
}

/* ---- leaving ------------------------------------------------------------ */

static PT_THREAD(exits(struct pt *pt))
{
    PT_BEGIN(pt);
    trace("begin");
    PT_YIELD(pt);
    if (!open_door)
        PT_EXIT(pt);
    trace("end");
    PT_END(pt);
}

static void a_thread_that_has_exited_starts_again_when_called(void **state)
{
    struct pt pt;

    (void)state;
    PT_INIT(&pt);
    open_door = 0;
    (void)exits(&pt);
    assert_int_equal(exits(&pt), PT_EXITED);
    assert_int_equal(exits(&pt), PT_YIELDED);
    open_door = 1;
    assert_int_equal(exits(&pt), PT_ENDED);
    assert_trace("begin\n"
                 "begin\n"
                 "end\n");
}

static PT_THREAD(restarts(struct pt *pt, int *starts))
{
    PT_BEGIN(pt);
    trace("start %d", ++*starts);
    PT_YIELD(pt);
    if (*starts < 2)
        PT_RESTART(pt);
    trace("end");
    PT_END(pt);
}

static void a_restarted_thread_waits_and_then_begins_again(void **state)
{
    struct pt pt;
    int starts = 0;

    (void)state;
    PT_INIT(&pt);
    assert_int_equal(restarts(&pt, &starts), PT_YIELDED);
    assert_int_equal(restarts(&pt, &starts), PT_WAITING);
    assert_int_equal(restarts(&pt, &starts), PT_YIELDED);
    assert_int_equal(restarts(&pt, &starts), PT_ENDED);
    assert_trace("start 1\n"
                 "start 2\n"
                 "end\n");
}

/* ---- what used to go wrong ---------------------------------------------- */

/* clang-format off */
static PT_THREAD(two_on_a_line(struct pt *pt))
{
    PT_BEGIN(pt);
    PT_YIELD(pt); PT_YIELD(pt);
    PT_END(pt);
}
/* clang-format on */

static void two_waits_may_stand_on_a_line(void **state)
{
    struct pt pt;

    (void)state;
    PT_INIT(&pt);
    assert_int_equal(two_on_a_line(&pt), PT_YIELDED);
    assert_int_equal(two_on_a_line(&pt), PT_YIELDED);
    assert_int_equal(two_on_a_line(&pt), PT_ENDED);
}

static PT_THREAD(waits_in_a_switch(struct pt *pt))
{
    PT_BEGIN(pt);
    switch (open_door) {
    case 0:
        PT_YIELD(pt);
        trace("behind the wait");
        break;
    default:
        break;
    }
    PT_END(pt);
}

#ifdef ASYNC_USE_LABELS

static void with_labels_a_wait_inside_a_switch_works(void **state)
{
    struct pt pt;

    (void)state;
    PT_INIT(&pt);
    open_door = 0;
    assert_int_equal(waits_in_a_switch(&pt), PT_YIELDED);
    assert_int_equal(waits_in_a_switch(&pt), PT_ENDED);
    assert_trace("behind the wait\n");
}

#else

static void call_it(void *pt)
{
    (void)waits_in_a_switch((struct pt *)pt);
}

static void a_wait_inside_a_switch_stops_when_resumed(void **state)
{
    struct pt pt;

    (void)state;
    PT_INIT(&pt);
    open_door = 0;
    assert_int_equal(waits_in_a_switch(&pt), PT_YIELDED);
    assert_stops("resumed at no wait of this thread", call_it, &pt);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        claim(the_return_values_are_those_of_protothreads),
        claim(a_thread_waits_until_its_condition_is_true),
        claim(a_thread_that_has_ended_starts_again_when_called),
        claim(a_thread_that_is_initialized_again_starts_again),
        claim(an_empty_thread_ends_at_once),
        claim(schedule_is_true_until_the_thread_has_ended),
        claim(a_thread_waits_while_its_condition_is_true),
        claim(a_yield_gives_way_once),
        claim(a_yield_until_gives_way_even_if_its_condition_is_true),
        claim(a_yield_until_gives_way_until_its_condition_is_true),
        claim(each_macro_is_one_statement),
        claim(a_parent_waits_while_its_child_waits_or_yields),
        claim(a_thread_that_has_exited_starts_again_when_called),
        claim(a_restarted_thread_waits_and_then_begins_again),
        claim(two_waits_may_stand_on_a_line),
#ifdef ASYNC_USE_LABELS
        claim(with_labels_a_wait_inside_a_switch_works),
#else
        claim(a_wait_inside_a_switch_stops_when_resumed),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
