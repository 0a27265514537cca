/* Tests of async_lock.h: turns at a semaphore, a mutex, a rw-lock; events,
 * conditions, barriers. The clock is a variable.
 *
 *     cc -I. tests/test_lock.c -lcmocka -o test_lock && ./test_lock
 *     SEED=7 ./test_lock    another random crowd
 */
#include "trace.h"

#include "timeline.h"

#include <stdlib.h>

/* ---- one of each, and guests ----------------------------------------------
 * A guest waits for one of the things, stays in it, and leaves. In the
 * condition's case it holds the mutex, whatever becomes of the wait. */

enum thing { PERMIT, MUTEX, READING, WRITING, EVENT, CONDITION, BARRIER };

enum { GUESTS = 6 };

static struct {
    struct async_semaphore semaphore;
    struct async_mutex mutex;
    struct async_rwlock rwlock;
    struct async_event event;
    struct async_condition condition;
    struct async_barrier barrier;
} room;

static struct guest {
    struct async_frame async;
    const char *name;
    enum thing thing;
    uint32_t limit_ms; /* for the wait; 0: none */
    uint32_t stay_ms;
    uint32_t then_ms; /* sleeps if it did not get in; 0: no */
    int in_finally;   /* waits there */
    struct async_timer timer;
    int inside, status;
} guests[GUESTS];
static struct async_task tasks[GUESTS];

static async_status enter(struct async_loop *on, struct guest *self)
{
    int last = 0;
    async_status status;

    switch (self->thing) {
    case PERMIT:
        return async_acquire(on, &room.semaphore);
    case MUTEX:
        return async_lock(on, &room.mutex);
    case READING:
        return async_read_lock(on, &room.rwlock);
    case WRITING:
        return async_write_lock(on, &room.rwlock);
    case EVENT:
        return async_event_wait(on, &room.event);
    case CONDITION:
        return async_condition_wait(on, &room.condition, &room.mutex);
    default:
        status = async_barrier_wait(on, &room.barrier, &last);
        if (last)
            note(self->name, "is the last");
        return status;
    }
}

static async_status enter_in_time(struct async_loop *on, struct guest *self)
{
    return self->limit_ms ? async_timeout(on, &self->timer, self->limit_ms,
                                          enter(on, self))
                          : enter(on, self);
}

static void leave(struct async_loop *on, enum thing thing)
{
    if (thing == PERMIT)
        async_release(on, &room.semaphore);
    else if (thing == MUTEX || thing == CONDITION)
        async_unlock(on, &room.mutex);
    else if (thing == READING)
        async_read_unlock(on, &room.rwlock);
    else if (thing == WRITING)
        async_write_unlock(on, &room.rwlock);
}

static void entered(struct guest *self)
{
    if (self->thing == CONDITION && room.mutex.owner != async_current(&loop))
        note(self->name, "is without its mutex");
    note(self->name, self->status > 0 ? "in" : async_strerror(self->status));
    self->inside = self->status > 0 || self->thing == CONDITION;
}

static async guest(struct async_loop *on, void *frame)
{
    struct guest *self = frame;

    async_begin(self);
    if (self->in_finally)
        async_return();
    if (self->thing == CONDITION)
        await(async_lock(on, &room.mutex));
    async_catch(self->status, enter_in_time(on, self));
    entered(self);
    if (self->status < 0 && self->then_ms) {
        async_catch(self->status, async_sleep_ms(on, self->then_ms));
        note(self->name, self->status > 0 ? "then slept" : "then canceled");
    }
    if (self->status < 0)
        async_fail(self->status);
    if (self->stay_ms) {
        await(async_sleep_ms(on, self->stay_ms));
        note(self->name, "out");
    }
    async_finally();
    if (self->in_finally) {
        if (self->thing == CONDITION)
            await(async_lock(on, &room.mutex));
        async_catch(self->status, enter_in_time(on, self));
        entered(self);
    }
    if (self->inside) {
        self->inside = 0;
        leave(on, self->thing);
    }
    async_end();
}

/* guests[i], a to f, comes. What else is set in it stays. */
static void come(int i, enum thing thing)
{
    static const char *const names[GUESTS] = {"a", "b", "c", "d", "e", "f"};

    guests[i].async = (struct async_frame){0};
    guests[i].name = names[i];
    guests[i].thing = thing;
    spawn(&tasks[i], guest, &guests[i]);
}

static void come_to_stay(int i, enum thing thing, uint32_t stay_ms)
{
    guests[i].stay_ms = stay_ms;
    come(i, thing);
}

/* One after the other; each has begun to wait before the next one comes. */
static void come_all(const char *who, enum thing thing, uint32_t stay_ms)
{
    for (; *who; who++) {
        come_to_stay(*who - 'a', thing, stay_ms);
        (void)settle();
    }
}

static void cancel(int i)
{
    async_cancel(&loop, &tasks[i]);
}

static int lock_setup(void **state)
{
    memset(&room, 0, sizeof room);
    memset(guests, 0, sizeof guests);
    memset(tasks, 0, sizeof tasks);
    return timeline_setup(state);
}
#define lock_claim(test) cmocka_unit_test_setup(test, lock_setup)

/* Nobody is left, and nobody was lost in a line. */
static void assert_empty(void)
{
    assert_int_equal(async_alive(&loop), 0);
    assert_null(room.semaphore.line_);
    assert_null(room.mutex.line_);
    assert_null(room.mutex.owner);
    assert_null(room.rwlock.line_);
    assert_null(room.rwlock.writer);
    assert_int_equal(room.rwlock.readers, 0);
    assert_null(room.event.line_);
    assert_null(room.condition.line_);
    assert_null(room.barrier.line_);
    assert_int_equal(room.barrier.waiting, 0);
}

/* ---- what is true of every wait -------------------------------------------
 * Each of these is run for each thing. A keeper has it from the beginning, and
 * gives it back when it is told to; guest a waits for it. */

static struct keeper {
    struct async_frame async;
    enum thing thing;
    struct async_event told;
    int cancels_before, cancels_after; /* guest a, in the same step */
} keeper;

static async_status take(struct async_loop *on, enum thing thing)
{
    switch (thing) {
    case PERMIT:
        return async_acquire(on, &room.semaphore);
    case MUTEX:
        return async_lock(on, &room.mutex);
    case READING:
        return async_write_lock(on, &room.rwlock);
    case WRITING:
        return async_read_lock(on, &room.rwlock);
    default:
        return ASYNC_DONE;
    }
}

static async_status give(struct async_loop *on, enum thing thing)
{
    switch (thing) {
    case PERMIT:
    case MUTEX:
        leave(on, thing);
        return ASYNC_DONE;
    case READING:
        async_write_unlock(on, &room.rwlock);
        return ASYNC_DONE;
    case WRITING:
        async_read_unlock(on, &room.rwlock);
        return ASYNC_DONE;
    case EVENT:
        async_event_set(on, &room.event);
        return ASYNC_DONE;
    case CONDITION:
        async_condition_notify(on, &room.condition, 1);
        return ASYNC_DONE;
    default:
        return async_barrier_wait(on, &room.barrier, NULL);
    }
}

static async keep(struct async_loop *on, void *frame)
{
    struct keeper *self = frame;

    async_begin(self);
    await(take(on, self->thing));
    await(async_event_wait(on, &self->told));
    if (self->cancels_before)
        cancel(0);
    if (self->thing != BARRIER)
        (void)give(on, self->thing);
    else
        await(give(on, self->thing));
    if (self->cancels_after)
        cancel(0);
    async_end();
}

static int keeper_setup(void **state)
{
    const enum thing *thing = *state;
    int failed = lock_setup(state);

    room.semaphore.permits = room.semaphore.bound = 1;
    room.barrier.parties = 2;
    keeper = (struct keeper){.thing = *thing};
    spawn(&task, keep, &keeper);
    (void)settle();
    return failed;
}

static void tell_keeper(void)
{
    async_event_set(&loop, &keeper.told);
}

/* What a has given up is there for b, and nothing of it is lost. */
static void assert_b_gets_in(enum thing thing)
{
    tell_keeper();
    (void)settle();
    come(1, thing);
    (void)settle();
    if (thing == CONDITION)
        async_condition_notify(&loop, &room.condition, 1);
    (void)settle();
    assert_string_equal(strchr(trace_text, 'b') ? strchr(trace_text, 'b') : "",
                        thing == BARRIER ? "b is the last\n10 b in\n"
                                         : "b in\n");
    assert_empty();
    assert_true(thing != PERMIT || room.semaphore.permits == 1);
}

static void a_waiter_is_let_in_when_its_turn_has_come(void **state)
{
    const enum thing *thing = *state;

    come_to_stay(0, *thing, 5);
    (void)run_to(10);
    assert_trace("");
    tell_keeper();
    (void)run_to(100);

    assert_trace("10 a in\n"
                 "15 a out\n");
    assert_empty();
    assert_true(*thing != PERMIT || room.semaphore.permits == 1);
}

static void a_canceled_waiter_leaves_and_nothing_is_lost(void **state)
{
    const enum thing *thing = *state;

    come(0, *thing);
    (void)run_to(5);
    cancel(0);
    (void)run_to(10);
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_ECANCELED);
    assert_trace("5 a canceled\n");
    assert_b_gets_in(*thing);
}

static void a_waiter_that_times_out_leaves_and_nothing_is_lost(void **state)
{
    const enum thing *thing = *state;

    guests[0].limit_ms = 5;
    come(0, *thing);
    (void)run_to(10);
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_ETIMEDOUT);
    assert_trace("5 a timed out\n");
    assert_b_gets_in(*thing);
}

static void
granted_and_canceled_is_granted_and_the_next_wait_canceled(void **state)
{
    const enum thing *thing = *state;

    keeper.cancels_after = 1;
    come_to_stay(0, *thing, 5);
    (void)run_to(10);
    tell_keeper();
    (void)run_to(100);

    assert_trace("10 a in\n"); /* and does not stay */
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_ECANCELED);
    assert_empty();
    assert_true(*thing != PERMIT || room.semaphore.permits == 1);
}

static void canceled_and_granted_before_it_ran_is_granted_too(void **state)
{
    const enum thing *thing = *state;

    keeper.cancels_before = 1;
    come_to_stay(0, *thing, 5);
    (void)run_to(10);
    tell_keeper();
    (void)run_to(100);

    assert_trace("10 a in\n");
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_ECANCELED);
    assert_empty();
}

static void timed_out_and_granted_on_one_tick_is_granted(void **state)
{
    const enum thing *thing = *state;

    guests[0].limit_ms = 10;
    come_to_stay(0, *thing, 5);
    (void)run_to(9);
    tell_keeper(); /* who will have run before a does */
    leap_to(10);
    (void)run_to(100);

    assert_trace("10 a in\n"
                 "15 a out\n");
    assert_empty();
}

static void a_cancel_before_the_first_step_is_taken_by_the_wait(void **state)
{
    const enum thing *thing = *state;

    come(0, *thing);
    cancel(0);
    (void)run_to(10);

    assert_trace("0 a canceled\n");
    assert_b_gets_in(*thing);
}

static void two_cancels_before_it_ran_are_one(void **state)
{
    const enum thing *thing = *state;

    guests[0].then_ms = 3;
    come(0, *thing);
    (void)run_to(5);
    cancel(0);
    cancel(0);
    (void)run_to(10);

    assert_trace("5 a canceled\n"
                 "8 a then slept\n");
    assert_b_gets_in(*thing);
}

static void a_second_cancel_is_taken_by_the_next_wait(void **state)
{
    const enum thing *thing = *state;

    guests[0].then_ms = 3;
    come(0, *thing);
    (void)run_to(5);
    cancel(0);
    (void)run_to(6);
    cancel(0);
    (void)run_to(10);

    assert_trace("5 a canceled\n"
                 "6 a then canceled\n");
    assert_b_gets_in(*thing);
}

static void timed_out_and_canceled_is_timed_out_and_then_canceled(void **state)
{
    const enum thing *thing = *state;

    guests[0].limit_ms = 5;
    guests[0].then_ms = 3;
    come(0, *thing);
    (void)run_to(4);
    cancel(0);
    leap_to(5);
    (void)run_to(10);

    assert_trace("5 a timed out\n"
                 "5 a then canceled\n");
    assert_b_gets_in(*thing);
}

static void in_a_finally_section_a_cancel_does_not_cut_the_wait(void **state)
{
    const enum thing *thing = *state;

    guests[0].in_finally = 1;
    come(0, *thing);
    (void)run_to(5);
    cancel(0);
    (void)run_to(6);
    cancel(0);
    (void)run_to(10);
    tell_keeper();
    (void)run_to(100);

    assert_trace("10 a in\n");
    assert_empty();
}

static void in_a_finally_section_its_own_timeout_cuts_the_wait(void **state)
{
    const enum thing *thing = *state;

    guests[0].in_finally = 1;
    guests[0].limit_ms = 5;
    come(0, *thing);
    (void)run_to(10);

    assert_trace("5 a timed out\n");
    assert_b_gets_in(*thing);
}

static struct hurry {
    struct async_frame async;
    struct async_timer timer;
    int status;
} hurry;

static async hurry_a(struct async_loop *on, void *frame)
{
    struct hurry *self = frame;

    async_begin(self);
    async_catch(self->status,
                async_timeout(on, &self->timer, 5, guest(on, &guests[0])));
    note("all of a", async_strerror(self->status));
    async_end();
}

static void
a_timeout_around_a_finally_section_does_not_cut_its_wait(void **state)
{
    const enum thing *thing = *state;

    hurry = (struct hurry){0};
    guests[0] = (struct guest){.name = "a", .thing = *thing, .in_finally = 1};
    spawn(&tasks[0], hurry_a, &hurry);
    (void)run_to(10);
    tell_keeper();
    (void)run_to(100);

    assert_trace("10 a in\n"
                 "10 all of a done\n");
    assert_empty();
}

/* Not the condition: there is nothing to be had without waiting. */
static void what_is_free_is_had_at_once_by_a_canceled_task_too(void **state)
{
    const enum thing *thing = *state;

    tell_keeper();
    (void)run_to(10);
    guests[0].then_ms = 1;
    come_to_stay(0, *thing, 5);
    cancel(0);
    (void)run_to(100);

    assert_trace(*thing == BARRIER ? "10 a is the last\n"
                                     "10 a in\n"
                                   : "10 a in\n");
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_ECANCELED);
    assert_empty();
}

/* ---- a task that does what a test says ---------------------------------- */

static struct script {
    struct async_frame async;
    void (*at_once)(void);
    void (*later)(void); /* 5 ms, if there is such a thing to do */
} script;

/* A task that does these. */
static async act(struct async_loop *on, void *frame)
{
    struct script *self = frame;

    async_begin(self);
    self->at_once();
    if (self->later) {
        await(async_sleep_ms(on, 5));
        self->later();
    }
    async_end();
}

static void as_a_task(void (*at_once)(void), void (*later)(void))
{
    script = (struct script){.at_once = at_once, .later = later};
    spawn(&task, act, &script);
    (void)settle();
}

/* ---- semaphore ---------------------------------------------------------- */

static void as_many_get_in_as_there_are_permits(void **state)
{
    (void)state;
    room.semaphore.permits = 3;
    come_all("abcde", PERMIT, 10);
    (void)run_to(100);

    assert_trace("0 a in\n"
                 "0 b in\n"
                 "0 c in\n"
                 "10 a out\n"
                 "10 b out\n"
                 "10 c out\n"
                 "10 d in\n"
                 "10 e in\n"
                 "20 d out\n"
                 "20 e out\n");
    assert_int_equal(room.semaphore.permits, 3);
    assert_empty();
}

static void
a_released_permit_is_the_first_waiters_and_nobody_elses(void **state)
{
    (void)state;
    come_all("a", PERMIT, 10);
    come(1, PERMIT); /* will run before a */
    async_release(&loop, &room.semaphore);
    assert_int_equal(room.semaphore.permits, 0);
    assert_int_equal(async_try_acquire(&loop, &room.semaphore), ASYNC_PENDING);
    (void)run_to(100);

    assert_trace("0 a in\n"
                 "10 a out\n"
                 "10 b in\n");
    assert_int_equal(room.semaphore.permits, 1);
}

static void a_waiter_that_was_granted_a_permit_takes_no_second_one(void **state)
{
    (void)state;
    come_all("a", PERMIT, 10);
    async_release(&loop, &room.semaphore);
    async_release(&loop, &room.semaphore);
    assert_int_equal(room.semaphore.permits, 1);
    (void)run_to(5);

    assert_trace("0 a in\n");
    assert_int_equal(room.semaphore.permits, 1);
    (void)run_to(100);
    assert_int_equal(room.semaphore.permits, 2);
}

static void canceled_waiters_let_the_next_one_be_the_first(void **state)
{
    (void)state;
    come_all("abcd", PERMIT, 0);
    cancel(0);
    cancel(1);
    (void)settle();
    async_release(&loop, &room.semaphore);
    (void)settle();

    assert_trace("0 a canceled\n"
                 "0 b canceled\n"
                 "0 c in\n" /* and gives it to d at once */
                 "0 d in\n");
    assert_int_equal(room.semaphore.permits, 1);
    assert_empty();
}

static void
a_canceled_waiter_in_the_middle_leaves_the_others_in_order(void **state)
{
    (void)state;
    come_all("abcde", PERMIT, 1);
    cancel(2);
    (void)run_to(5);
    async_release(&loop, &room.semaphore);
    (void)run_to(100);

    assert_trace("0 c canceled\n"
                 "5 a in\n"
                 "6 a out\n"
                 "6 b in\n"
                 "7 b out\n"
                 "7 d in\n"
                 "8 d out\n"
                 "8 e in\n"
                 "9 e out\n");
    assert_int_equal(room.semaphore.permits, 1);
}

static void one_who_comes_again_stands_at_the_end_of_the_line(void **state)
{
    (void)state;
    come_all("abc", PERMIT, 1);
    async_release(&loop, &room.semaphore);
    (void)run_to(1);
    come_all("a", PERMIT, 1);
    (void)run_to(100);

    assert_trace("0 a in\n"
                 "1 a out\n"
                 "1 b in\n"
                 "2 b out\n"
                 "2 c in\n"
                 "3 c out\n"
                 "3 a in\n"
                 "4 a out\n");
}

static struct again {
    struct async_frame async;
    int i;
} again;

/* Two turns, without a wait between them. */
static async come_again(struct async_loop *on, void *frame)
{
    struct again *self = frame;

    async_begin(self);
    for (self->i = 1; self->i <= 2; self->i++) {
        await(async_acquire(on, &room.semaphore));
        note("again", self->i == 1 ? "first" : "second");
        async_release(on, &room.semaphore);
    }
    async_end();
}

static void
who_releases_and_acquires_at_once_lets_the_others_go_first(void **state)
{
    (void)state;
    again = (struct again){0};
    come_all("a", PERMIT, 1);
    spawn(&task, come_again, &again);
    (void)settle();
    come_all("b", PERMIT, 1);
    async_release(&loop, &room.semaphore);
    (void)run_to(100);

    assert_trace("0 a in\n"
                 "1 a out\n"
                 "1 again first\n"
                 "1 b in\n"
                 "2 b out\n"
                 "2 again second\n");
    assert_int_equal(room.semaphore.permits, 1);
}

static void
several_releases_let_as_many_in_before_those_who_come_then(void **state)
{
    (void)state;
    come_all("abc", PERMIT, 1);
    come(3, PERMIT);
    async_release(&loop, &room.semaphore);
    async_release(&loop, &room.semaphore);
    async_release(&loop, &room.semaphore);
    (void)run_to(0);

    assert_trace("0 a in\n"
                 "0 b in\n"
                 "0 c in\n");
    (void)run_to(100);
    assert_trace("1 a out\n"
                 "1 b out\n"
                 "1 c out\n"
                 "1 d in\n");
    assert_int_equal(room.semaphore.permits, 3);
}

static void release_three_and_take_one(void)
{
    async_release(&loop, &room.semaphore);
    async_release(&loop, &room.semaphore);
    async_release(&loop, &room.semaphore);
    assert_int_equal(async_acquire(&loop, &room.semaphore), ASYNC_DONE);
    note("it", "in");
}

static void who_releases_enough_for_all_need_not_wait_itself(void **state)
{
    (void)state;
    come_all("a", PERMIT, 1);
    come(1, PERMIT);
    as_a_task(release_three_and_take_one, NULL);

    assert_trace("0 it in\n" /* b was in line when it released, a too */
                 "0 a in\n"  /* they have theirs from then on */
                 "0 b in\n");
    assert_int_equal(room.semaphore.permits, 1); /* b's, who has left */
    (void)run_to(100);
    assert_int_equal(room.semaphore.permits, 2);
}

static void try_acquire_takes_a_free_permit_and_never_waits(void **state)
{
    (void)state;
    room.semaphore.permits = 2;
    assert_int_equal(async_try_acquire(&loop, &room.semaphore), ASYNC_DONE);
    assert_int_equal(async_try_acquire(&loop, &room.semaphore), ASYNC_DONE);
    assert_int_equal(async_try_acquire(&loop, &room.semaphore), ASYNC_PENDING);
    assert_int_equal(room.semaphore.permits, 0);
    async_release(&loop, &room.semaphore);
    assert_int_equal(room.semaphore.permits, 1);
}

static void release_room(void *argument)
{
    (void)argument;
    async_release(&loop, &room.semaphore);
}

static void a_release_beyond_the_bound_is_caught(void **state)
{
    (void)state;
    room.semaphore.permits = 1;
    room.semaphore.bound = 2;
    async_release(&loop, &room.semaphore);
    assert_stops("releases a permit that nobody has taken", release_room, NULL);
    stops_are_noted(1);
    async_release(&loop, &room.semaphore);
    assert_noted("releases a permit that nobody has taken");
    stops_are_noted(0);
    assert_int_equal(room.semaphore.permits, 2);
}

static void without_a_bound_permits_can_be_added(void **state)
{
    (void)state;
    async_release(&loop, &room.semaphore);
    async_release(&loop, &room.semaphore);
    assert_int_equal(room.semaphore.permits, 2);
}

/* ---- mutex -------------------------------------------------------------- */

static void
a_mutex_goes_from_one_to_the_next_in_the_order_they_came(void **state)
{
    (void)state;
    come_all("abc", MUTEX, 10);
    assert_ptr_equal(room.mutex.owner, &tasks[0]);
    (void)run_to(100);

    assert_trace("0 a in\n"
                 "10 a out\n"
                 "10 b in\n"
                 "20 b out\n"
                 "20 c in\n"
                 "30 c out\n");
    assert_empty();
}

static void lock_it(void)
{
    int status = async_lock(&loop, &room.mutex);

    note("lock", async_strerror(status));
}

static void unlock_it(void)
{
    async_unlock(&loop, &room.mutex);
}

static void try_it(void)
{
    int status = async_try_lock(&loop, &room.mutex);

    note("try_lock", async_strerror(status));
}

static void unlock_and_try(void)
{
    unlock_it();
    try_it();
}

static void a_mutex_is_the_first_waiters_from_the_unlock_on(void **state)
{
    (void)state;
    as_a_task(lock_it, unlock_and_try);
    come_all("ab", MUTEX, 1);
    (void)run_to(100);

    assert_trace("0 lock done\n"
                 "5 try_lock pending\n"
                 "5 a in\n"
                 "6 a out\n"
                 "6 b in\n"
                 "7 b out\n");
    assert_empty();
}

static void try_lock_locks_what_is_free_and_nothing_else(void **state)
{
    (void)state;
    as_a_task(try_it, unlock_and_try);
    assert_ptr_equal(room.mutex.owner, &task);
    (void)run_to(100);
    assert_trace("0 try_lock done\n"
                 "5 try_lock done\n");
    as_a_task(try_it, NULL);
    assert_trace("100 try_lock pending\n"); /* held, if only by itself */
}

static void lock_again(void)
{
    lock_it();
    lock_it();
}

/* As with NDEBUG: nothing has happened. */
static void noted(void (*at_once)(void), const char *sentence)
{
    stops_are_noted(1);
    as_a_task(at_once, NULL);
    assert_noted(sentence);
    stops_are_noted(0);
}

static void locking_what_one_holds_is_caught(void **state)
{
    (void)state;
    noted(lock_again, "locks a mutex that it holds");
    assert_trace("0 lock done\n"
                 "0 lock would wait for itself\n");
    assert_ptr_equal(room.mutex.owner, &task);
    assert_null(room.mutex.line_);
}

static void unlocking_what_another_task_holds_is_caught(void **state)
{
    (void)state;
    come_all("ab", MUTEX, 10);
    noted(unlock_it, "unlocks a mutex that the running task does not hold");
    assert_ptr_equal(room.mutex.owner, &tasks[0]);
    (void)run_to(5);
    assert_trace("0 a in\n");
    (void)run_to(100);
    assert_trace("10 a out\n"
                 "10 b in\n"
                 "20 b out\n");
}

static void unlock_argument(void *argument)
{
    (void)argument;
    unlock_it();
}

static void unlocking_what_nobody_holds_is_caught(void **state)
{
    (void)state;
    noted(unlock_it, "unlocks a mutex that the running task does not hold");
    assert_stops("unlocks a mutex that the running task", unlock_argument,
                 NULL); /* nor does it outside a task */
    assert_empty();
}

static void lock_argument(void *argument)
{
    (void)argument;
    lock_it();
}

static void locking_outside_a_task_is_caught(void **state)
{
    (void)state;
    assert_stops("a wait outside a running task", lock_argument, NULL);
    come_all("a", MUTEX, 10);
    assert_stops("a wait outside a running task", lock_argument, NULL);
}

static void a_canceled_waiter_and_an_unlock_let_the_second_in(void **state)
{
    (void)state;
    come_all("abc", MUTEX, 10);
    (void)run_to(9);
    cancel(1); /* runs before a's sleep ends */
    leap_to(10);
    (void)run_to(100);

    assert_trace("0 a in\n"
                 "10 b canceled\n"
                 "10 a out\n"
                 "10 c in\n"
                 "20 c out\n");
    assert_empty();
}

static void unlock_then_cancel_a(void)
{
    unlock_it();
    cancel(0);
}

static void
only_one_of_three_gets_the_mutex_of_a_canceled_new_owner(void **state)
{
    (void)state;
    as_a_task(lock_it, unlock_then_cancel_a);
    come_all("abc", MUTEX, 10);
    (void)run_to(5);
    assert_ptr_equal(room.mutex.owner, &tasks[1]); /* a was, and gave it on */
    (void)run_to(100);

    assert_trace("0 lock done\n"
                 "5 a in\n"
                 "5 b in\n"
                 "15 b out\n"
                 "15 c in\n"
                 "25 c out\n");
}

static void a_child_function_unlocks_what_its_task_holds(void **state)
{
    (void)state;
    hurry = (struct hurry){0};
    guests[0] = (struct guest){.name = "a", .thing = MUTEX, .stay_ms = 1};
    spawn(&tasks[0], hurry_a, &hurry);
    (void)run_to(100);

    assert_trace("0 a in\n"
                 "1 a out\n"
                 "1 all of a done\n");
    assert_empty();
}

/* ---- rw-lock ------------------------------------------------------------ */

static void readers_share_and_a_writer_is_alone(void **state)
{
    (void)state;
    come_all("ab", READING, 10);
    come_all("cd", WRITING, 10);
    assert_int_equal(room.rwlock.readers, 2);
    (void)run_to(15);
    assert_ptr_equal(room.rwlock.writer, &tasks[2]);
    (void)run_to(100);

    assert_trace("0 a in\n"
                 "0 b in\n"
                 "10 a out\n"
                 "10 b out\n"
                 "10 c in\n"
                 "20 c out\n"
                 "20 d in\n"
                 "30 d out\n");
    assert_empty();
}

static void a_writer_waits_for_the_last_reader(void **state)
{
    (void)state;
    come_all("a", READING, 5);
    come_all("b", READING, 10);
    come_all("c", WRITING, 1);
    (void)run_to(100);

    assert_trace("0 a in\n"
                 "0 b in\n"
                 "5 a out\n"
                 "10 b out\n"
                 "10 c in\n"
                 "11 c out\n");
}

static void a_reader_does_not_overtake_a_writer_that_waits(void **state)
{
    (void)state;
    come_all("a", READING, 10);
    come_all("b", WRITING, 10);
    come_all("c", READING, 10);
    assert_int_equal(async_try_read_lock(&loop, &room.rwlock), ASYNC_PENDING);
    (void)run_to(100);

    assert_trace("0 a in\n"
                 "10 a out\n"
                 "10 b in\n"
                 "20 b out\n"
                 "20 c in\n"
                 "30 c out\n");
    assert_empty();
}

static void readers_next_to_each_other_go_in_together(void **state)
{
    (void)state;
    come_all("a", WRITING, 10);
    come_all("bc", READING, 10);
    come_all("d", WRITING, 10);
    come_all("e", READING, 10);
    (void)run_to(100);

    assert_trace("0 a in\n"
                 "10 a out\n"
                 "10 b in\n"
                 "10 c in\n"
                 "20 b out\n"
                 "20 c out\n"
                 "20 d in\n"
                 "30 d out\n"
                 "30 e in\n"
                 "40 e out\n");
    assert_empty();
}

static void writers_without_end_do_not_keep_a_reader_out(void **state)
{
    (void)state;
    come_all("ab", WRITING, 10);
    come_all("c", READING, 10);
    come_all("d", WRITING, 10);
    (void)run_to(100);

    assert_trace("0 a in\n"
                 "10 a out\n"
                 "10 b in\n"
                 "20 b out\n"
                 "20 c in\n"
                 "30 c out\n"
                 "30 d in\n"
                 "40 d out\n");
}

static void a_canceled_writer_lets_the_readers_behind_it_in(void **state)
{
    (void)state;
    come_all("a", READING, 10);
    come_all("b", WRITING, 10);
    come_all("cd", READING, 10);
    come_all("e", WRITING, 10);
    (void)run_to(5);
    cancel(1);
    (void)run_to(100);

    assert_trace("0 a in\n"
                 "5 b canceled\n"
                 "5 c in\n"
                 "5 d in\n"
                 "10 a out\n"
                 "15 c out\n"
                 "15 d out\n"
                 "15 e in\n"
                 "25 e out\n");
    assert_empty();
}

static void a_writer_that_times_out_lets_the_readers_behind_it_in(void **state)
{
    (void)state;
    come_all("a", READING, 10);
    guests[1].limit_ms = 5;
    come_all("b", WRITING, 10);
    come_all("c", READING, 10);
    (void)run_to(100);

    assert_trace("0 a in\n"
                 "5 b timed out\n"
                 "5 c in\n"
                 "10 a out\n"
                 "15 c out\n");
    assert_empty();
}

static void a_canceled_second_writer_lets_nobody_in(void **state)
{
    (void)state;
    come_all("a", READING, 10);
    come_all("bc", WRITING, 10);
    come_all("d", READING, 10);
    (void)run_to(5);
    cancel(2);
    (void)run_to(100);

    assert_trace("0 a in\n"
                 "5 c canceled\n"
                 "10 a out\n"
                 "10 b in\n"
                 "20 b out\n"
                 "20 d in\n"
                 "30 d out\n");
}

static void a_canceled_writer_behind_a_writer_lets_nobody_in(void **state)
{
    (void)state;
    come_all("ab", WRITING, 10);
    come_all("c", READING, 10);
    (void)run_to(5);
    cancel(1);
    (void)run_to(100);

    assert_trace("0 a in\n"
                 "5 b canceled\n"
                 "10 a out\n"
                 "10 c in\n"
                 "20 c out\n");
}

static void a_canceled_reader_leaves_the_others_in_order(void **state)
{
    (void)state;
    come_all("a", WRITING, 10);
    come_all("bc", READING, 10);
    come_all("d", WRITING, 10);
    (void)run_to(5);
    cancel(1);
    (void)run_to(100);

    assert_trace("0 a in\n"
                 "5 b canceled\n"
                 "10 a out\n"
                 "10 c in\n"
                 "20 c out\n"
                 "20 d in\n"
                 "30 d out\n");
    assert_empty();
}

static void a_reader_that_was_let_in_is_counted_once(void **state)
{
    (void)state;
    come_all("a", WRITING, 10);
    come_all("b", READING, 10);
    (void)run_to(15);
    assert_int_equal(room.rwlock.readers, 1);
    (void)run_to(100);
    assert_empty();
}

static void try_rw(void)
{
    int read = async_try_read_lock(&loop, &room.rwlock);
    int write = async_try_write_lock(&loop, &room.rwlock);

    note("try to read:", async_strerror(read));
    note("try to write:", async_strerror(write));
}

static void try_rw_the_other_way_round(void)
{
    int write = async_try_write_lock(&loop, &room.rwlock);
    int read = async_try_read_lock(&loop, &room.rwlock);

    note("try to write:", async_strerror(write));
    note("try to read:", async_strerror(read));
}

static void try_forms_take_what_is_free_and_never_wait(void **state)
{
    (void)state;
    as_a_task(try_rw, NULL);
    assert_int_equal(room.rwlock.readers, 1);
    async_read_unlock(&loop, &room.rwlock);
    as_a_task(try_rw_the_other_way_round, NULL);
    assert_ptr_equal(room.rwlock.writer, &task);

    assert_trace("0 try to read: done\n"
                 "0 try to write: pending\n"
                 "0 try to write: done\n"
                 "0 try to read: pending\n");
}

static void write_then_read(void)
{
    int status = async_write_lock(&loop, &room.rwlock);

    note("write", async_strerror(status));
    status = async_read_lock(&loop, &room.rwlock);
    note("read", async_strerror(status));
}

static void write_then_write(void)
{
    int status = async_write_lock(&loop, &room.rwlock);

    note("write", async_strerror(status));
    status = async_write_lock(&loop, &room.rwlock);
    note("write", async_strerror(status));
}

static void a_writer_that_locks_again_is_caught(void **state)
{
    (void)state;
    noted(write_then_read, "locks a rw-lock that it writes under");
    memset(&room, 0, sizeof room);
    noted(write_then_write, "locks a rw-lock that it writes under");
    assert_trace("0 write done\n"
                 "0 read would wait for itself\n"
                 "0 write done\n"
                 "0 write would wait for itself\n");
    assert_null(room.rwlock.line_);
}

static void read_unlock(void)
{
    async_read_unlock(&loop, &room.rwlock);
}

static void write_unlock(void)
{
    async_write_unlock(&loop, &room.rwlock);
}

static void unlocking_what_one_has_not_locked_is_caught(void **state)
{
    (void)state;
    noted(read_unlock, "unlocks a rw-lock that nobody reads under");
    noted(write_unlock, "unlocks a rw-lock that the running task does not");
    assert_empty();
    come_all("ab", WRITING, 10);
    noted(write_unlock, "unlocks a rw-lock that the running task does not");
    assert_ptr_equal(room.rwlock.writer, &tasks[0]);
    noted(read_unlock, "unlocks a rw-lock that nobody reads under");
    (void)run_to(5);
    assert_trace("0 a in\n");
    (void)run_to(100);
}

/* ---- event -------------------------------------------------------------- */

static void
an_event_lets_all_go_in_order_and_those_who_come_then_at_once(void **state)
{
    (void)state;
    come_all("ab", EVENT, 0);
    come(2, EVENT); /* has not begun to wait: it does not have to */
    async_event_set(&loop, &room.event);
    (void)settle();
    come_all("d", EVENT, 0);

    assert_trace("0 c in\n"
                 "0 a in\n"
                 "0 b in\n"
                 "0 d in\n");
    assert_empty();
}

static void an_event_is_set_until_it_is_cleared(void **state)
{
    (void)state;
    assert_false(async_event_is_set(&room.event));
    async_event_set(&loop, &room.event);
    assert_true(async_event_is_set(&room.event));
    come_all("a", EVENT, 0);
    assert_true(async_event_is_set(&room.event));
    async_event_clear(&loop, &room.event);
    assert_false(async_event_is_set(&room.event));
    come_all("b", EVENT, 0);
    assert_trace("0 a in\n");
    async_event_set(&loop, &room.event);
    (void)settle();
    assert_trace("0 b in\n");
}

static void
an_event_set_and_cleared_at_once_lets_those_go_who_waited(void **state)
{
    (void)state;
    come_all("ab", EVENT, 0);
    async_event_set(&loop, &room.event);
    async_event_clear(&loop, &room.event);
    assert_false(async_event_is_set(&room.event));
    (void)settle();
    come_all("c", EVENT, 0);

    assert_trace("0 a in\n"
                 "0 b in\n");
    async_event_set(&loop, &room.event);
    async_event_set(&loop, &room.event);
    (void)settle();
    assert_trace("0 c in\n");
}

static void set_clear_and_cancel_on_one_tick_is_set(void **state)
{
    (void)state;
    come_all("a", EVENT, 5);
    cancel(0);
    async_event_set(&loop, &room.event);
    async_event_clear(&loop, &room.event);
    (void)run_to(100);

    assert_trace("0 a in\n");
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_ECANCELED);
}

static int notified;

static void count_notify(void *arg)
{
    (void)arg;
    notified++;
}

static void what_is_given_from_outside_a_task_tells_the_host(void **state)
{
    static const struct async_host host = {count_notify, NULL, NULL};

    (void)state;
    room.barrier.parties = 2;
    async_attach(&loop, &host);
    come_all("a", PERMIT, 0);
    come_all("b", EVENT, 0);
    come_all("c", CONDITION, 0);
    come_all("d", BARRIER, 0);
    notified = 0;
    async_release(&loop, &room.semaphore);
    assert_true(notified == 1);
    (void)settle();
    async_event_set(&loop, &room.event);
    assert_true(notified == 2);
    (void)settle();
    async_condition_notify(&loop, &room.condition, 1);
    assert_true(notified == 3);
    (void)settle();
    async_barrier_reset(&loop, &room.barrier);
    assert_true(notified == 4);
    (void)settle();
    async_attach(&loop, NULL);
    assert_trace("0 a in\n"
                 "0 b in\n"
                 "0 c in\n"
                 "0 d closed\n");
}

/* ---- condition ---------------------------------------------------------- */

static void notify(size_t count)
{
    async_condition_notify(&loop, &room.condition, count);
}

static void a_wait_for_a_condition_unlocks_its_mutex_meanwhile(void **state)
{
    (void)state;
    come_all("a", CONDITION, 5);
    assert_null(room.mutex.owner);
    notify(1);
    (void)settle();
    assert_ptr_equal(room.mutex.owner, &tasks[0]);
    (void)run_to(100);
    assert_trace("0 a in\n"
                 "5 a out\n");
    assert_empty();
}

static void a_wait_hands_the_mutex_to_the_first_who_waits_for_it(void **state)
{
    (void)state;
    come_all("c", MUTEX, 5);
    come_all("a", CONDITION, 0);
    come_all("b", MUTEX, 5);
    come_all("d", MUTEX, 0);
    (void)run_to(6); /* a has had it, and waits */
    assert_ptr_equal(room.mutex.owner, &tasks[1]);
    notify(1);
    (void)run_to(100);

    assert_trace("0 c in\n"
                 "5 c out\n"
                 "5 b in\n"
                 "10 b out\n"
                 "10 d in\n"
                 "10 a in\n"); /* was notified after d had come */
    assert_empty();
}

static void
as_many_are_let_go_as_were_notified_in_the_order_they_came(void **state)
{
    (void)state;
    come_all("abcde", CONDITION, 1);
    notify(0);
    (void)run_to(5);
    assert_trace("");
    notify(1);
    (void)run_to(10);
    assert_trace("5 a in\n"
                 "6 a out\n");
    notify(2);
    (void)run_to(20);
    assert_trace("10 b in\n"
                 "11 b out\n" /* each has the mutex while it stays */
                 "11 c in\n"
                 "12 c out\n");
    notify(1);
    notify(2048);
    (void)run_to(30);
    assert_trace("20 d in\n"
                 "21 d out\n"
                 "21 e in\n"
                 "22 e out\n");
    assert_empty();
}

static void notify_all_lets_all_go(void **state)
{
    (void)state;
    come_all("abc", CONDITION, 0);
    async_condition_notify_all(&loop, &room.condition);
    (void)settle();

    assert_trace("0 a in\n"
                 "0 b in\n"
                 "0 c in\n");
    assert_empty();
}

static void a_notification_is_not_kept_for_those_who_come_later(void **state)
{
    (void)state;
    notify(1);
    async_condition_notify_all(&loop, &room.condition);
    come_all("a", CONDITION, 0);
    (void)run_to(5);
    assert_trace("");
    notify(1);
    (void)run_to(10);
    assert_trace("5 a in\n");
}

static void notify_and_unlock(void)
{
    notify(1);
    unlock_it();
}

static void
who_is_notified_by_the_mutexs_owner_goes_on_when_it_unlocks(void **state)
{
    (void)state;
    come_all("a", CONDITION, 5);
    as_a_task(lock_it, notify_and_unlock);
    (void)run_to(4);
    assert_trace("0 lock done\n");
    (void)run_to(100);
    assert_trace("5 a in\n"
                 "10 a out\n");
    assert_empty();
}

static void notify_one(void)
{
    notify(1);
}

static void notify_needs_no_mutex(void **state)
{
    (void)state;
    come_all("ab", CONDITION, 0);
    as_a_task(notify_one, NULL); /* a task that does not hold it */
    assert_trace("0 a in\n");
    notify(1); /* no task at all */
    (void)settle();
    assert_trace("0 b in\n");
    come_all("c", CONDITION, 0);
    come_all("d", MUTEX, 5);
    as_a_task(notify_one, NULL); /* and somebody else does */
    assert_trace("0 d in\n");
    (void)run_to(100);
    assert_trace("5 d out\n"
                 "5 c in\n");
    assert_empty();
}

static void a_canceled_wait_returns_with_the_mutex_when_it_gets_it(void **state)
{
    (void)state;
    come_all("a", CONDITION, 0);
    come_all("b", MUTEX, 10);
    (void)run_to(5);
    cancel(0);
    (void)run_to(9);
    assert_trace("0 b in\n");
    (void)run_to(100);
    assert_trace("10 b out\n"
                 "10 a canceled\n"); /* entered() has seen that it holds it */
    assert_empty();
}

static void the_wait_for_the_mutex_takes_no_further_cancel(void **state)
{
    (void)state;
    guests[0].then_ms = 3;
    come_all("a", CONDITION, 0);
    come_all("b", MUTEX, 10);
    (void)run_to(5);
    cancel(0);
    (void)run_to(6);
    cancel(0);
    (void)run_to(7);
    cancel(0);
    cancel(0);
    (void)run_to(100);

    assert_trace(
        "0 b in\n"
        "10 b out\n"
        "10 a canceled\n"
        "10 a then canceled\n"); /* those that came meanwhile, as one */
    assert_empty();
}

static void
a_wait_that_times_out_returns_with_the_mutex_when_it_gets_it(void **state)
{
    (void)state;
    guests[0].limit_ms = 5;
    come_all("a", CONDITION, 0);
    come_all("b", MUTEX, 10);
    (void)run_to(100);

    assert_trace("0 b in\n"
                 "10 b out\n"
                 "10 a timed out\n");
    assert_empty();
}

static void
timed_out_it_takes_no_cancel_while_it_waits_for_the_mutex(void **state)
{
    (void)state;
    guests[0].limit_ms = 5;
    guests[0].then_ms = 3;
    come_all("a", CONDITION, 0);
    come_all("b", MUTEX, 10);
    (void)run_to(7);
    cancel(0);
    (void)run_to(100);

    assert_trace("0 b in\n"
                 "10 b out\n"
                 "10 a timed out\n"
                 "10 a then canceled\n");
    assert_empty();
}

static void the_canceled_one_keeps_its_place_in_the_mutexs_line(void **state)
{
    (void)state;
    come_all("a", CONDITION, 0);
    come_all("b", MUTEX, 10);
    cancel(0);
    (void)run_to(1);
    come_all("c", MUTEX, 10);
    cancel(0);
    (void)run_to(100);

    assert_trace("0 b in\n"
                 "10 b out\n"
                 "10 a canceled\n"
                 "10 c in\n"
                 "20 c out\n");
}

static void
notified_and_canceled_while_the_mutex_is_held_passes_it_on(void **state)
{
    (void)state;
    come_all("ab", CONDITION, 0);
    come_all("c", MUTEX, 10);
    notify(1);
    cancel(0);
    (void)run_to(100);

    assert_trace("0 c in\n"
                 "10 c out\n"
                 "10 b in\n"
                 "10 a canceled\n");
    assert_empty();
}

static void
canceled_and_notified_while_the_mutex_is_held_passes_it_on(void **state)
{
    (void)state;
    come_all("ab", CONDITION, 0);
    come_all("c", MUTEX, 10);
    cancel(0);
    notify(1);
    (void)run_to(100);

    assert_trace("0 c in\n"
                 "10 c out\n"
                 "10 b in\n"
                 "10 a canceled\n");
    assert_empty();
}

static void a_cancel_long_after_the_notification_passes_it_on_too(void **state)
{
    (void)state;
    come_all("ab", CONDITION, 0);
    come_all("c", MUTEX, 10);
    notify(1);
    (void)run_to(5);
    cancel(0);
    (void)run_to(7);
    cancel(0); /* passed on once */
    come_all("d", CONDITION, 0);
    (void)run_to(20);

    assert_trace("0 c in\n"
                 "10 c out\n"
                 "10 b in\n"
                 "10 a canceled\n");
    notify(1);
    (void)run_to(100);
    assert_trace("20 d in\n");
    assert_empty();
}

static void a_timeout_after_the_notification_passes_it_on_too(void **state)
{
    (void)state;
    guests[0].limit_ms = 5;
    come_all("ab", CONDITION, 0);
    come_all("c", MUTEX, 10);
    notify(1);
    (void)run_to(100);

    assert_trace("0 c in\n"
                 "10 c out\n"
                 "10 b in\n"
                 "10 a timed out\n");
    assert_empty();
}

static void a_notification_that_nobody_can_take_over_is_gone(void **state)
{
    (void)state;
    come_all("a", CONDITION, 0);
    come_all("c", MUTEX, 10);
    notify(1);
    cancel(0);
    (void)run_to(5);
    come_all("b", CONDITION, 0);
    (void)run_to(20);

    assert_trace("0 c in\n"
                 "10 c out\n"
                 "10 a canceled\n");
    notify(1);
    (void)run_to(100);
    assert_trace("20 b in\n");
    assert_empty();
}

static void
who_took_a_notification_over_and_is_canceled_passes_it_on(void **state)
{
    (void)state;
    come_all("abd", CONDITION, 0);
    come_all("c", MUTEX, 10);
    notify(1);
    cancel(0);
    (void)run_to(5);
    cancel(1);
    (void)run_to(100);

    assert_trace("0 c in\n"
                 "10 c out\n"
                 "10 a canceled\n"
                 "10 d in\n"
                 "10 b canceled\n");
    assert_empty();
}

static void a_canceled_wait_that_was_not_notified_notifies_nobody(void **state)
{
    (void)state;
    come_all("ab", CONDITION, 0);
    cancel(0);
    (void)run_to(5);

    assert_trace("0 a canceled\n");
    notify(1);
    (void)run_to(100);
    assert_trace("5 b in\n");
    assert_empty();
}

static void
in_a_finally_section_a_cancel_takes_no_notification_away(void **state)
{
    (void)state;
    guests[0].in_finally = 1;
    come_all("ab", CONDITION, 0);
    come_all("c", MUTEX, 10);
    notify(1);
    cancel(0);
    (void)run_to(20);

    assert_trace("0 c in\n"
                 "10 c out\n"
                 "10 a in\n");
    notify(1);
    (void)run_to(100);
    assert_trace("20 b in\n");
    assert_empty();
}

static struct async_mutex other;

static void wait_unlocked(void)
{
    int status = async_condition_wait(&loop, &room.condition, &room.mutex);

    note("wait", async_strerror(status));
}

static void wait_with_the_other(void)
{
    assert_int_equal(async_lock(&loop, &other), ASYNC_DONE);
    note("wait",
         async_strerror(async_condition_wait(&loop, &room.condition, &other)));
}

static void waiting_without_the_mutex_is_caught(void **state)
{
    (void)state;
    noted(wait_unlocked, "waits for a condition without holding its mutex");
    assert_trace("0 wait invalid argument\n");
    assert_empty();
    come_all("a", MUTEX, 5);
    noted(wait_unlocked, "waits for a condition without holding its mutex");
    assert_trace("0 a in\n"
                 "0 wait invalid argument\n");
    assert_ptr_equal(room.mutex.owner, &tasks[0]);
    (void)run_to(100);
    assert_trace("5 a out\n");
    assert_empty();
}

static void waiting_with_another_mutex_than_the_others_is_caught(void **state)
{
    (void)state;
    other = (struct async_mutex){0};
    come_all("a", CONDITION, 0);
    noted(wait_with_the_other, "waits for a condition with another mutex");
    assert_trace("0 wait invalid argument\n");
    assert_ptr_equal(other.owner, &task); /* it was not unlocked */
    notify(1);
    (void)settle();
    assert_trace("0 a in\n");
    assert_empty();
}

static void when_nobody_waits_a_condition_serves_another_mutex(void **state)
{
    (void)state;
    come_all("a", CONDITION, 0);
    notify(1);
    (void)settle();
    other = (struct async_mutex){0};
    as_a_task(wait_with_the_other, NULL);
    assert_trace("0 a in\n"
                 "0 wait pending\n");
    assert_null(other.owner);
}

static int ready;

/* As the header's example has it. */
static async wait_until_ready(struct async_loop *on, void *frame)
{
    struct script *self = frame;

    async_begin(self);
    await(async_lock(on, &room.mutex));
    while (!ready) {
        note("it", "waits");
        await(async_condition_wait(on, &room.condition, &room.mutex));
    }
    note("it", "is ready");
    async_unlock(on, &room.mutex);
    async_end();
}

static void who_finds_nothing_changed_waits_again(void **state)
{
    (void)state;
    ready = 0;
    script = (struct script){.at_once = NULL};
    spawn(&task, wait_until_ready, &script);
    (void)run_to(1);
    notify(1);
    (void)run_to(2);
    ready = 1;
    notify(1);
    (void)run_to(3);

    assert_trace("0 it waits\n"
                 "1 it waits\n"
                 "2 it is ready\n");
    script = (struct script){.at_once = NULL}; /* and need not wait at all */
    spawn(&task, wait_until_ready, &script);
    (void)run_to(4);
    assert_trace("3 it is ready\n");
    assert_empty();
}

/* Puts an item in and lets one consumer go, then cancels that one. */
static int items;

static async consume(struct async_loop *on, void *frame)
{
    struct guest *self = frame;

    async_begin(self);
    await(async_lock(on, &room.mutex));
    while (!items)
        await(async_condition_wait(on, &room.condition, &room.mutex));
    items--;
    note(self->name, "consumes");
    async_finally();
    if (room.mutex.owner == async_current(on))
        async_unlock(on, &room.mutex);
    async_end();
}

static void spawn_consumers(void)
{
    guests[0] = (struct guest){.name = "a"};
    guests[1] = (struct guest){.name = "b"};
    items = 0;
    spawn(&tasks[0], consume, &guests[0]);
    spawn(&tasks[1], consume, &guests[1]);
    (void)settle();
}

static void produce_and_cancel_a(void)
{
    items++;
    notify(1);
    cancel(0);
}

static void an_item_is_consumed_whoever_is_canceled_on_the_way(void **state)
{
    (void)state;
    spawn_consumers();
    produce_and_cancel_a(); /* the mutex is free: a has it, and the item */
    (void)settle();
    assert_trace("0 a consumes\n");
    produce_and_cancel_a(); /* a has ended */
    (void)settle();
    assert_trace("0 b consumes\n");

    spawn_consumers();
    as_a_task(lock_it, unlock_it);
    produce_and_cancel_a(); /* the mutex is held: it is b's */
    (void)run_to(100);
    assert_trace("0 lock done\n"
                 "5 b consumes\n");
    assert_int_equal(items, 0);
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_ECANCELED);
    assert_empty();
}

/* ---- barrier ------------------------------------------------------------ */

static void a_barrier_opens_when_all_have_come_and_one_is_the_last(void **state)
{
    (void)state;
    room.barrier.parties = 3;
    come_all("a", BARRIER, 5);
    assert_int_equal(room.barrier.waiting, 1);
    come_all("b", BARRIER, 5);
    assert_int_equal(room.barrier.waiting, 2);
    (void)run_to(10);
    assert_trace("");
    come_all("c", BARRIER, 5);
    assert_int_equal(room.barrier.waiting, 0);
    (void)run_to(100);

    assert_trace("10 c is the last\n"
                 "10 c in\n"
                 "10 a in\n"
                 "10 b in\n"
                 "15 c out\n"
                 "15 a out\n"
                 "15 b out\n");
    assert_empty();
}

static void a_barrier_serves_one_round_after_the_other(void **state)
{
    (void)state;
    room.barrier.parties = 2;
    come_all("abcde", BARRIER, 0);

    assert_trace("0 b is the last\n"
                 "0 b in\n"
                 "0 a in\n"
                 "0 d is the last\n"
                 "0 d in\n"
                 "0 c in\n");
    assert_int_equal(room.barrier.waiting, 1);
    assert_int_equal(async_alive(&loop), 1);
}

static struct laps {
    struct async_frame async;
    const char *name;
    int lap;
} laps[3];

/* Comes again in the step in which it went through. */
static async run_laps(struct async_loop *on, void *frame)
{
    struct laps *self = frame;

    async_begin(self);
    for (self->lap = 1; self->lap <= 3; self->lap++) {
        await(async_barrier_wait(on, &room.barrier, NULL));
        trace("%s %d", self->name, self->lap);
    }
    async_end();
}

static void nobody_laps_those_who_have_not_gone_on_yet(void **state)
{
    static const char *const names[] = {"a", "b", "c"};
    int i;

    (void)state;
    room.barrier.parties = 3;
    for (i = 0; i < 3; i++) {
        laps[i] = (struct laps){.name = names[i]};
        spawn(&tasks[i], run_laps, &laps[i]);
    }
    (void)run_to(100);

    assert_trace("c 1\n"
                 "a 1\n"
                 "b 1\n"
                 "b 2\n"
                 "c 2\n"
                 "a 2\n"
                 "a 3\n"
                 "b 3\n"
                 "c 3\n");
    assert_empty();
}

static void a_barrier_of_one_or_none_holds_nobody_back(void **state)
{
    (void)state;
    come_all("a", BARRIER, 0);
    room.barrier.parties = 1;
    come_all("bc", BARRIER, 0);

    assert_trace("0 a is the last\n"
                 "0 a in\n"
                 "0 b is the last\n"
                 "0 b in\n"
                 "0 c is the last\n"
                 "0 c in\n");
    assert_empty();
}

static void one_who_is_canceled_at_a_barrier_has_not_come(void **state)
{
    (void)state;
    room.barrier.parties = 3;
    come_all("ab", BARRIER, 0);
    cancel(0);
    (void)settle();
    assert_int_equal(room.barrier.waiting, 1);
    come_all("c", BARRIER, 0);
    assert_int_equal(room.barrier.waiting, 2);
    assert_trace("0 a canceled\n");
    come_all("d", BARRIER, 0);

    assert_trace("0 d is the last\n"
                 "0 d in\n"
                 "0 b in\n"
                 "0 c in\n");
    assert_empty();
}

static void a_reset_sends_those_away_who_wait_and_begins_anew(void **state)
{
    (void)state;
    room.barrier.parties = 3;
    come_all("ab", BARRIER, 0);
    async_barrier_reset(&loop, &room.barrier);
    assert_int_equal(room.barrier.waiting, 0);
    (void)settle();
    assert_trace("0 a closed\n"
                 "0 b closed\n");
    come_all("cd", BARRIER, 0);
    assert_trace("");
    come_all("e", BARRIER, 0);
    assert_trace("0 e is the last\n"
                 "0 e in\n"
                 "0 c in\n"
                 "0 d in\n");
    assert_empty();
}

static void a_reset_while_nobody_waits_changes_nothing(void **state)
{
    (void)state;
    room.barrier.parties = 2;
    async_barrier_reset(&loop, &room.barrier);
    come_all("ab", BARRIER, 0);
    assert_trace("0 b is the last\n"
                 "0 b in\n"
                 "0 a in\n");
}

static void
those_who_were_let_through_are_not_called_back_by_a_reset(void **state)
{
    (void)state;
    room.barrier.parties = 3;
    come_all("ab", BARRIER, 0);
    come(2, BARRIER);
    async_barrier_reset(&loop, &room.barrier); /* c has not come yet */
    (void)settle();
    assert_trace("0 a closed\n" /* were let go before c has run */
                 "0 b closed\n");
    assert_int_equal(room.barrier.waiting, 1);
    cancel(2);
    (void)settle();
    assert_trace("0 c canceled\n");
}

static void reset_after_it_has_opened(void)
{
    assert_int_equal(async_barrier_wait(&loop, &room.barrier, NULL),
                     ASYNC_DONE);
    async_barrier_reset(&loop, &room.barrier);
}

static void abort_after_it_has_opened(void)
{
    assert_int_equal(async_barrier_wait(&loop, &room.barrier, NULL),
                     ASYNC_DONE);
    async_barrier_abort(&loop, &room.barrier);
}

static void who_was_let_through_is_through_whatever_follows(void **state)
{
    (void)state;
    room.barrier.parties = 3;
    come_all("ab", BARRIER, 0);
    as_a_task(reset_after_it_has_opened, NULL);
    assert_trace("0 a in\n"
                 "0 b in\n");
    come_all("ab", BARRIER, 0);
    as_a_task(abort_after_it_has_opened, NULL);
    assert_trace("0 a in\n"
                 "0 b in\n");
    come_all("c", BARRIER, 0);
    assert_trace("0 c closed\n");
}

static void an_aborted_barrier_is_closed_until_it_is_reset(void **state)
{
    (void)state;
    room.barrier.parties = 3;
    come_all("ab", BARRIER, 0);
    async_barrier_abort(&loop, &room.barrier);
    (void)settle();
    come_all("cde", BARRIER, 0);
    assert_trace("0 a closed\n"
                 "0 b closed\n"
                 "0 c closed\n"
                 "0 d closed\n"
                 "0 e closed\n");
    assert_int_equal(room.barrier.waiting, 0);
    async_barrier_reset(&loop, &room.barrier);
    come_all("abc", BARRIER, 0);
    assert_trace("0 c is the last\n"
                 "0 c in\n"
                 "0 a in\n"
                 "0 b in\n");
    assert_empty();
}

static void an_abort_while_nobody_waits_counts_for_those_who_come(void **state)
{
    (void)state;
    room.barrier.parties = 1;
    async_barrier_abort(&loop, &room.barrier);
    come_all("a", BARRIER, 0);
    assert_trace("0 a closed\n");
}

static void broken_and_canceled_is_closed(void **state)
{
    (void)state;
    room.barrier.parties = 3;
    guests[0].then_ms = guests[1].then_ms = 1;
    come_all("ab", BARRIER, 0);
    cancel(0);
    async_barrier_abort(&loop, &room.barrier);
    cancel(1);
    (void)run_to(100);

    assert_trace("0 a closed\n"
                 "0 a then canceled\n"
                 "0 b closed\n"
                 "0 b then canceled\n");
    assert_int_equal(room.barrier.waiting, 0);
}

/* ---- a random crowd, against a model ------------------------------------ */

enum { CLIENTS = 10, PARTIES = 3, TURNS = 20000 };
enum { READ, WRITE, PRODUCE, CONSUME, MEET, ERRANDS };

/* The model of the rw-lock: who stands in line, who was let in. What else must
 * be true is counted. */
static struct {
    int line[CLIENTS], length;
    int granted[CLIENTS], writes[CLIENTS];
    size_t readers;
    int writer;
    size_t waiting; /* at the barrier */
    int met, lasts;
    int items;
    int done[ERRANDS], canceled[ERRANDS], timed_out[ERRANDS];
    const char *wrong; /* the first thing that was */
} model;

static struct client {
    struct async_frame async;
    struct async_timer timer;
    int id, errand, status, last;
    uint32_t limit_ms, stay_ms;
    int inside;
} clients[CLIENTS];
static struct async_task client_tasks[CLIENTS];

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state >> 12; /* xorshift64*, Vigna 2016 */
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * UINT64_C(2685821657736338717)) >> 33) %
           limit;
}

static void model_check(int holds, const char *what)
{
    if (!holds && !model.wrong)
        model.wrong = what;
}

static void model_remove(int at)
{
    for (model.length--; at < model.length; at++)
        model.line[at] = model.line[at + 1];
}

static void model_admit(void)
{
    while (model.length && !model.writer) {
        int id = model.line[0];

        if (model.writes[id] && model.readers)
            return;
        if (model.writes[id])
            model.writer = 1;
        else
            model.readers++;
        model.granted[id] = 1;
        model_remove(0);
    }
}

static void model_begin(int id, int writes)
{
    model.writes[id] = writes;
    model.line[model.length++] = id;
    model_admit();
}

static void model_end(int id, int status)
{
    int at = 0;

    model_check(model.granted[id] == (status == ASYNC_DONE),
                status > 0 ? "went in out of turn" : "lost its place inside");
    model.granted[id] = 0;
    if (status == ASYNC_DONE)
        return;
    while (at < model.length && model.line[at] != id)
        at++;
    model_check(at < model.length, "gave up, and was not in line");
    if (at < model.length)
        model_remove(at);
    model_admit();
}

static void model_leave(int writes)
{
    if (writes)
        model.writer = 0;
    else
        model.readers--;
    model_admit();
}

static void client_begins(struct client *self)
{
    if (self->errand <= WRITE)
        model_begin(self->id, self->errand == WRITE);
    else if (self->errand == MEET)
        model.waiting = (model.waiting + 1) % PARTIES;
}

static async_status client_waits(struct async_loop *on, struct client *self)
{
    switch (self->errand) {
    case READ:
        return async_read_lock(on, &room.rwlock);
    case WRITE:
        return async_write_lock(on, &room.rwlock);
    case CONSUME:
        return async_condition_wait(on, &room.condition, &room.mutex);
    case MEET:
        return async_barrier_wait(on, &room.barrier, &self->last);
    default:
        return ASYNC_DONE;
    }
}

static void client_got(struct client *self)
{
    int status = self->status;

    model.done[self->errand] += status == ASYNC_DONE;
    model.canceled[self->errand] += status == ASYNC_ECANCELED;
    model.timed_out[self->errand] += status == ASYNC_ETIMEDOUT;
    if (self->errand <= WRITE)
        model_end(self->id, status);
    if (self->errand == PRODUCE || self->errand == CONSUME)
        model_check(room.mutex.owner == async_current(&loop),
                    "is without its mutex");
    if (self->errand == MEET && status == ASYNC_DONE) {
        model.met++;
        model.lasts += self->last;
    } else if (self->errand == MEET) {
        model.waiting--;
    }
    if (self->errand == PRODUCE) {
        model.items++;
        async_condition_notify(&loop, &room.condition, 1);
    }
    if (self->errand == CONSUME && status == ASYNC_DONE)
        model.items--;
    self->inside = status == ASYNC_DONE || self->errand == CONSUME;
}

static void client_leaves(struct async_loop *on, const struct client *self)
{
    if (self->errand <= WRITE)
        model_leave(self->errand == WRITE);
    if (self->errand == READ)
        async_read_unlock(on, &room.rwlock);
    else if (self->errand == WRITE)
        async_write_unlock(on, &room.rwlock);
    else if (self->errand != MEET)
        async_unlock(on, &room.mutex);
}

static async client(struct async_loop *on, void *frame)
{
    struct client *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, random_below(4)));
    self->limit_ms = random_below(4);
    self->stay_ms = random_below(8);
    if (self->errand == PRODUCE || self->errand == CONSUME)
        await(async_lock(on, &room.mutex));
    client_begins(self);
    self->status = ASYNC_DONE;
    while (self->status > 0 && (self->errand != CONSUME || !model.items)) {
        if (self->limit_ms)
            async_catch(self->status,
                        async_timeout(on, &self->timer, self->limit_ms,
                                      client_waits(on, self)));
        else
            async_catch(self->status, client_waits(on, self));
        if (self->errand != CONSUME)
            break;
    }
    client_got(self);
    if (self->status < 0)
        async_fail(self->status);
    if (self->stay_ms)
        await(async_sleep_ms(on, self->stay_ms));
    async_finally();
    if (self->inside) {
        self->inside = 0;
        client_leaves(on, self);
    }
    async_end();
}

static void crowd_act(int stopping)
{
    int i = (int)random_below(CLIENTS), errand;

    if (async_task_outcome(&client_tasks[i]) != ASYNC_PENDING ||
        !client_tasks[i].fn) {
        if (stopping)
            return;
        errand = (int)random_below(ERRANDS + 2); /* more consume */
        clients[i] = (struct client){
            .id = i, .errand = errand < ERRANDS ? errand : CONSUME};
        (void)async_spawn(&loop, &client_tasks[i], client, &clients[i]);
    } else if (random_below(5) == 0 || stopping) {
        async_cancel(&loop, &client_tasks[i]);
    }
}

static void crowd_check(void)
{
    model_check(room.rwlock.readers == model.readers, "other readers");
    model_check((room.rwlock.writer != NULL) == model.writer, "other writer");
    model_check(room.barrier.waiting == model.waiting, "others at the barrier");
    if (loop.ready_)
        return;
    model_check(model.met == PARTIES * model.lasts, "not one last a round");
    model_check(room.mutex.owner || !room.mutex.line_, "a mutex that is lost");
    model_check(room.mutex.owner || !room.condition.line_ || !model.items,
                "a notification that is lost");
}

static void in_a_crowd_nothing_is_lost_doubled_or_out_of_turn(void **state)
{
    const char *given = getenv("SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : 20261120;
    int turn, i;

    (void)state;
    print_message("# SEED=%llu\n", (unsigned long long)seed);
    random_state = seed | 1;
    memset(&model, 0, sizeof model);
    memset(clients, 0, sizeof clients);
    memset(client_tasks, 0, sizeof client_tasks);
    room.barrier.parties = PARTIES;

    for (turn = 0; turn < TURNS && !model.wrong; turn++) {
        uint32_t acts = random_below(5);

        while (acts--)
            crowd_act(0);
        now += random_below(3);
        (void)async_poll(&loop, now);
        crowd_check();
    }
    for (turn = 0; async_alive(&loop) && turn < 1000; turn++) {
        crowd_act(1);
        (void)async_poll(&loop, ++now);
    }

    assert_string_equal(model.wrong ? model.wrong : "nothing", "nothing");
    assert_empty();
    for (i = 0; i < ERRANDS; i++) { /* and it did happen */
        assert_true(model.done[i] > TURNS / 200);
        if (i != PRODUCE) {
            assert_true(model.canceled[i] > TURNS / 1000);
            assert_true(model.timed_out[i] > TURNS / 1000);
        }
    }
    while (async_unjoined(&loop) != 0)
        ;
}

/* ---- all ---------------------------------------------------------------- */

#define one_claim(test, what, thing)                                           \
    {                                                                          \
#test " (" what ")", test, keeper_setup, NULL, &things[thing]          \
    }
#define waits_claim(test)                                                      \
    one_claim(test, "permit", PERMIT), one_claim(test, "mutex", MUTEX),        \
        one_claim(test, "reading", READING),                                   \
        one_claim(test, "writing", WRITING), one_claim(test, "event", EVENT),  \
        one_claim(test, "barrier", BARRIER)
#define each_claim(test)                                                       \
    waits_claim(test), one_claim(test, "condition", CONDITION)

int main(void)
{
    static enum thing things[] = {PERMIT, MUTEX,     READING, WRITING,
                                  EVENT,  CONDITION, BARRIER};
    const struct CMUnitTest tests[] = {
        each_claim(a_waiter_is_let_in_when_its_turn_has_come),
        each_claim(a_canceled_waiter_leaves_and_nothing_is_lost),
        each_claim(a_waiter_that_times_out_leaves_and_nothing_is_lost),
        each_claim(granted_and_canceled_is_granted_and_the_next_wait_canceled),
        each_claim(canceled_and_granted_before_it_ran_is_granted_too),
        each_claim(timed_out_and_granted_on_one_tick_is_granted),
        each_claim(a_cancel_before_the_first_step_is_taken_by_the_wait),
        each_claim(two_cancels_before_it_ran_are_one),
        each_claim(a_second_cancel_is_taken_by_the_next_wait),
        each_claim(timed_out_and_canceled_is_timed_out_and_then_canceled),
        each_claim(in_a_finally_section_a_cancel_does_not_cut_the_wait),
        each_claim(in_a_finally_section_its_own_timeout_cuts_the_wait),
        each_claim(a_timeout_around_a_finally_section_does_not_cut_its_wait),
        waits_claim(what_is_free_is_had_at_once_by_a_canceled_task_too),
        lock_claim(as_many_get_in_as_there_are_permits),
        lock_claim(a_released_permit_is_the_first_waiters_and_nobody_elses),
        lock_claim(a_waiter_that_was_granted_a_permit_takes_no_second_one),
        lock_claim(canceled_waiters_let_the_next_one_be_the_first),
        lock_claim(a_canceled_waiter_in_the_middle_leaves_the_others_in_order),
        lock_claim(one_who_comes_again_stands_at_the_end_of_the_line),
        lock_claim(who_releases_and_acquires_at_once_lets_the_others_go_first),
        lock_claim(several_releases_let_as_many_in_before_those_who_come_then),
        lock_claim(who_releases_enough_for_all_need_not_wait_itself),
        lock_claim(try_acquire_takes_a_free_permit_and_never_waits),
        lock_claim(a_release_beyond_the_bound_is_caught),
        lock_claim(without_a_bound_permits_can_be_added),
        lock_claim(a_mutex_goes_from_one_to_the_next_in_the_order_they_came),
        lock_claim(a_mutex_is_the_first_waiters_from_the_unlock_on),
        lock_claim(try_lock_locks_what_is_free_and_nothing_else),
        lock_claim(locking_what_one_holds_is_caught),
        lock_claim(unlocking_what_another_task_holds_is_caught),
        lock_claim(unlocking_what_nobody_holds_is_caught),
        lock_claim(locking_outside_a_task_is_caught),
        lock_claim(a_canceled_waiter_and_an_unlock_let_the_second_in),
        lock_claim(only_one_of_three_gets_the_mutex_of_a_canceled_new_owner),
        lock_claim(a_child_function_unlocks_what_its_task_holds),
        lock_claim(readers_share_and_a_writer_is_alone),
        lock_claim(a_writer_waits_for_the_last_reader),
        lock_claim(a_reader_does_not_overtake_a_writer_that_waits),
        lock_claim(readers_next_to_each_other_go_in_together),
        lock_claim(writers_without_end_do_not_keep_a_reader_out),
        lock_claim(a_canceled_writer_lets_the_readers_behind_it_in),
        lock_claim(a_writer_that_times_out_lets_the_readers_behind_it_in),
        lock_claim(a_canceled_second_writer_lets_nobody_in),
        lock_claim(a_canceled_writer_behind_a_writer_lets_nobody_in),
        lock_claim(a_canceled_reader_leaves_the_others_in_order),
        lock_claim(a_reader_that_was_let_in_is_counted_once),
        lock_claim(try_forms_take_what_is_free_and_never_wait),
        lock_claim(a_writer_that_locks_again_is_caught),
        lock_claim(unlocking_what_one_has_not_locked_is_caught),
        lock_claim(
            an_event_lets_all_go_in_order_and_those_who_come_then_at_once),
        lock_claim(an_event_is_set_until_it_is_cleared),
        lock_claim(an_event_set_and_cleared_at_once_lets_those_go_who_waited),
        lock_claim(set_clear_and_cancel_on_one_tick_is_set),
        lock_claim(what_is_given_from_outside_a_task_tells_the_host),
        lock_claim(a_wait_for_a_condition_unlocks_its_mutex_meanwhile),
        lock_claim(a_wait_hands_the_mutex_to_the_first_who_waits_for_it),
        lock_claim(as_many_are_let_go_as_were_notified_in_the_order_they_came),
        lock_claim(notify_all_lets_all_go),
        lock_claim(a_notification_is_not_kept_for_those_who_come_later),
        lock_claim(who_is_notified_by_the_mutexs_owner_goes_on_when_it_unlocks),
        lock_claim(notify_needs_no_mutex),
        lock_claim(a_canceled_wait_returns_with_the_mutex_when_it_gets_it),
        lock_claim(the_wait_for_the_mutex_takes_no_further_cancel),
        lock_claim(
            a_wait_that_times_out_returns_with_the_mutex_when_it_gets_it),
        lock_claim(timed_out_it_takes_no_cancel_while_it_waits_for_the_mutex),
        lock_claim(the_canceled_one_keeps_its_place_in_the_mutexs_line),
        lock_claim(notified_and_canceled_while_the_mutex_is_held_passes_it_on),
        lock_claim(canceled_and_notified_while_the_mutex_is_held_passes_it_on),
        lock_claim(a_cancel_long_after_the_notification_passes_it_on_too),
        lock_claim(a_timeout_after_the_notification_passes_it_on_too),
        lock_claim(a_notification_that_nobody_can_take_over_is_gone),
        lock_claim(who_took_a_notification_over_and_is_canceled_passes_it_on),
        lock_claim(a_canceled_wait_that_was_not_notified_notifies_nobody),
        lock_claim(in_a_finally_section_a_cancel_takes_no_notification_away),
        lock_claim(waiting_without_the_mutex_is_caught),
        lock_claim(waiting_with_another_mutex_than_the_others_is_caught),
        lock_claim(when_nobody_waits_a_condition_serves_another_mutex),
        lock_claim(who_finds_nothing_changed_waits_again),
        lock_claim(an_item_is_consumed_whoever_is_canceled_on_the_way),
        lock_claim(a_barrier_opens_when_all_have_come_and_one_is_the_last),
        lock_claim(a_barrier_serves_one_round_after_the_other),
        lock_claim(nobody_laps_those_who_have_not_gone_on_yet),
        lock_claim(a_barrier_of_one_or_none_holds_nobody_back),
        lock_claim(one_who_is_canceled_at_a_barrier_has_not_come),
        lock_claim(a_reset_sends_those_away_who_wait_and_begins_anew),
        lock_claim(a_reset_while_nobody_waits_changes_nothing),
        lock_claim(those_who_were_let_through_are_not_called_back_by_a_reset),
        lock_claim(who_was_let_through_is_through_whatever_follows),
        lock_claim(an_aborted_barrier_is_closed_until_it_is_reset),
        lock_claim(an_abort_while_nobody_waits_counts_for_those_who_come),
        lock_claim(broken_and_canceled_is_closed),
        lock_claim(in_a_crowd_nothing_is_lost_doubled_or_out_of_turn),
    };

    return cmocka_run_group_tests_name("async_lock.h", tests, NULL, NULL);
}
