/* test_group.c: what async_gather.h promises of groups and of shield, a
 * sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_group.c -lcmocka
 */
#include "trace.h"

#include "timeline.h"

#include "cast.h"

#include <errno.h>

/* ---- the cast ----------------------------------------------------------- */

/* Spawns its members, and awaits them with a body. */
struct crew {
    struct async_frame async;
    struct async_group group;
    struct async_timer timer;
    struct async_member members[4];
    struct child calls[4];
    struct child body;
    size_t count;
    uint32_t late_ms;    /* awaits them so much after it has spawned */
    uint32_t timeout_ms; /* 0: none */
    uint32_t then_ms;    /* waits for so long afterwards */
    int rc;
};

static int outer_asks; /* at the end of the inner group */

/* A group leaves nothing behind that would ask the task to stop. */
static void note_end(const char *what, int rc)
{
    const struct async_wait_ *wait = &async_current(&loop)->wait_;

    assert_int_equal(wait->asks, outer_asks);
    assert_int_equal(!!(wait->flags & ASYNC_IS_LATE_), outer_asks > 0);
    note(what, async_strerror(rc));
}

static void join_crew(struct crew *crew, size_t i)
{
    int error = async_group_spawn(&loop, &crew->group, &crew->members[i], child,
                                  &crew->calls[i]);

    assert_int_equal(error, 0);
}

static async crew(struct async_loop *on, void *frame)
{
    struct crew *self = frame;
    size_t i;

    async_begin(self);
    for (i = 0; i < self->count; i++)
        join_crew(self, i);
    if (self->late_ms)
        await(async_sleep_ms(on, self->late_ms));
    if (self->timeout_ms)
        async_catch(self->rc,
                    async_timeout(
                        on, &self->timer, self->timeout_ms,
                        async_group(on, &self->group, child(on, &self->body))));
    else if (self->body.name)
        async_catch(self->rc,
                    async_group(on, &self->group, child(on, &self->body)));
    else
        async_catch(self->rc, async_group_wait(on, &self->group));
    note_end("group:", self->rc);
    if (self->then_ms) {
        int rc;

        async_catch(rc, async_sleep_ms(on, self->then_ms));
        note("then:", async_strerror(rc));
    }
    if (self->rc < 0)
        async_fail(self->rc);
    async_end();
}

/* ---- body and members --------------------------------------------------- */

static void a_group_is_over_when_body_and_last_member_have_ended(void **state)
{
    struct crew frame = {
        .count = 2,
        .body = {.name = "body", .ms = 15},
        .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 20}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "15 body done\n"
                 "20 b done\n"
                 "20 group: done\n");
}

static void a_group_waits_for_a_body_that_outlasts_the_members(void **state)
{
    struct crew frame = {.count = 1,
                         .body = {.name = "body", .ms = 30},
                         .calls = {{.name = "a", .ms = 10}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "30 body done\n"
                 "30 group: done\n");
}

static void a_body_that_does_not_wait_is_over_at_once(void **state)
{
    struct crew frame = {.count = 1,
                         .body = {.name = "body"},
                         .calls = {{.name = "a", .ms = 10}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("0 body done\n"
                 "10 a done\n"
                 "10 group: done\n");
}

static void a_group_without_members_is_its_body(void **state)
{
    struct crew frame = {.body = {.name = "body", .ms = 10, .error = -EIO},
                         .then_ms = 1};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("10 body Input/output error\n"
                 "10 group: Input/output error\n"
                 "11 then: done\n");
}

static void a_group_may_have_no_body(void **state)
{
    struct crew frame = {
        .count = 2,
        .calls = {{.name = "a", .ms = 20}, {.name = "b", .ms = 10}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("10 b done\n"
                 "20 a done\n"
                 "20 group: done\n");
}

static void a_group_without_anything_is_done_at_once(void **state)
{
    struct crew frame = {.count = 0};

    (void)state;
    spawn(&task, crew, &frame);
    (void)async_poll(&loop, 0);

    assert_trace("0 group: done\n");
}

static void a_group_of_members_that_have_all_ended_does_not_wait(void **state)
{
    struct crew frame = {
        .count = 2,
        .late_ms = 30,
        .calls = {{.name = "a", .ms = 20}, {.name = "b", .ms = 10}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("10 b done\n"
                 "20 a done\n"
                 "30 group: done\n");
}

/* A body that spawns one member after the other, 10 ms apart. */
struct recruiter {
    struct async_frame async;
    struct crew *crew;
    size_t i;
};

static async recruiter(struct async_loop *on, void *frame)
{
    struct recruiter *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < 3; self->i++) {
        join_crew(self->crew, self->i);
        await(async_sleep_ms(on, 10));
    }
    note("body", "is done");
    async_end();
}

struct recruiting {
    struct async_frame async;
    struct crew crew;
    struct recruiter recruiter;
    int rc;
};

static async recruiting(struct async_loop *on, void *frame)
{
    struct recruiting *self = frame;

    async_begin(self);
    self->recruiter.crew = &self->crew;
    async_catch(self->rc, async_group(on, &self->crew.group,
                                      recruiter(on, &self->recruiter)));
    note_end("group:", self->rc);
    async_end();
}

static void members_may_be_spawned_while_the_body_runs(void **state)
{
    struct recruiting frame = {.crew = {.calls = {{.name = "a", .ms = 15},
                                                  {.name = "b", .ms = 5},
                                                  {.name = "c", .ms = 40}}}};

    (void)state;
    spawn(&task, recruiting, &frame);
    (void)run_to(100);

    assert_trace("15 a done\n"
                 "15 b done\n"
                 "30 body is done\n"
                 "60 c done\n"
                 "60 group: done\n");
}

/* A member that spawns the next one before it ends. */
struct breeder {
    struct async_frame async;
    struct async_group *group;
    struct async_member *next;
    struct breeder *next_frame;
    const char *name;
};

static async breeder(struct async_loop *on, void *frame)
{
    struct breeder *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, 10));
    note(self->name, "is done");
    if (self->next)
        assert_int_equal(async_group_spawn(on, self->group, self->next, breeder,
                                           self->next_frame),
                         0);
    async_end();
}

struct breed {
    struct async_frame async;
    struct async_group group;
    struct async_member members[3];
    struct breeder breeders[3];
};

static async breed(struct async_loop *on, void *frame)
{
    static const char *const names[] = {"a", "b", "c"};
    struct breed *self = frame;
    int i;

    async_begin(self);
    for (i = 0; i < 3; i++) {
        self->breeders[i].group = &self->group;
        self->breeders[i].name = names[i];
        if (i < 2) {
            self->breeders[i].next = &self->members[i + 1];
            self->breeders[i].next_frame = &self->breeders[i + 1];
        }
    }
    (void)async_group_spawn(on, &self->group, &self->members[0], breeder,
                            &self->breeders[0]);
    await(async_group_wait(on, &self->group));
    note("group", "is over");
    async_end();
}

static void members_may_spawn_members_after_the_bodys_end(void **state)
{
    struct breed frame = {.group = {.collect = 0}};

    (void)state;
    spawn(&task, breed, &frame);
    (void)run_to(100);

    assert_trace("10 a is done\n"
                 "20 b is done\n"
                 "30 c is done\n"
                 "30 group is over\n");
}

static int evaluated;

static async_status counted(async_status x)
{
    evaluated++;
    return x;
}

struct counting {
    struct async_frame async;
    struct async_group group;
    struct async_member member;
    struct child call;
};

static async counting(struct async_loop *on, void *frame)
{
    struct counting *self = frame;

    async_begin(self);
    (void)async_group_spawn(on, &self->group, &self->member, child,
                            &self->call);
    await(async_group(on, &self->group, counted(ASYNC_DONE)));
    async_end();
}

static void a_body_that_is_over_is_not_evaluated_again(void **state)
{
    struct counting frame = {.call = {.name = "a", .ms = 10}};

    (void)state;
    evaluated = 0;
    spawn(&task, counting, &frame);
    (void)run_to(100);

    assert_trace("10 a done\n");
    assert_int_equal(evaluated, 1);
    assert_int_equal(async_task_outcome(&task), ASYNC_DONE);
}

/* ---- errors ------------------------------------------------------------- */

static void a_members_error_cancels_the_others_and_the_body(void **state)
{
    struct crew frame = {.count = 3,
                         .then_ms = 1,
                         .body = {.name = "body", .ms = 90, .clean_ms = 5},
                         .calls = {{.name = "a", .ms = 50, .clean_ms = 2},
                                   {.name = "b", .ms = 10, .error = -EIO},
                                   {.name = "c", .ms = 60, .clean_ms = 8}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(200);

    assert_trace("10 b Input/output error\n"
                 "12 a canceled\n"
                 "15 body canceled\n"
                 "18 c canceled\n"
                 "18 group: Input/output error\n"
                 "19 then: done\n");
    assert_int_equal(async_unjoined(&loop), -EIO); /* the crew's own */
    assert_int_equal(async_unjoined(&loop), 0);
}

static void members_are_canceled_in_the_order_they_were_spawned_in(void **state)
{
    struct crew frame = {.count = 4,
                         .calls = {{.name = "a", .ms = 50},
                                   {.name = "b", .ms = 10, .error = -EIO},
                                   {.name = "c", .ms = 60},
                                   {.name = "d", .ms = 40}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("10 b Input/output error\n"
                 "10 a canceled\n"
                 "10 c canceled\n"
                 "10 d canceled\n"
                 "10 group: Input/output error\n");
}

static void a_members_error_after_the_bodys_end_cancels_the_others(void **state)
{
    struct crew frame = {.count = 2,
                         .body = {.name = "body", .ms = 5},
                         .calls = {{.name = "a", .ms = 50, .clean_ms = 2},
                                   {.name = "b", .ms = 10, .error = -EIO}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("5 body done\n"
                 "10 b Input/output error\n"
                 "12 a canceled\n"
                 "12 group: Input/output error\n");
}

static void of_several_errors_the_first_is_returned(void **state)
{
    struct crew frame = {
        .count = 3,
        .body = {.name = "body", .ms = 90, .late_error = -EBADF},
        .calls = {{.name = "a", .ms = 20, .error = -EPERM},
                  {.name = "b", .ms = 10, .error = -EIO},
                  {.name = "c", .ms = 60, .late_error = -ENOENT}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("10 b Input/output error\n"
                 "10 a canceled\n"
                 "10 c No such file or directory\n"
                 "10 body Bad file descriptor\n"
                 "10 group: Input/output error\n");
}

static void of_two_errors_on_one_tick_the_one_that_ran_first_is_it(void **state)
{
    struct crew frame = {.count = 2,
                         .calls = {{.name = "a", .ms = 20, .error = -EPERM},
                                   {.name = "b", .ms = 10, .error = -EIO}}};

    (void)state;
    spawn(&task, crew, &frame);
    leap_to(0);
    leap_to(20);

    assert_trace("20 b Input/output error\n"
                 "20 a Operation not permitted\n"
                 "20 group: Input/output error\n");
}

static void an_error_from_before_the_group_is_awaited_counts(void **state)
{
    struct crew frame = {.count = 2,
                         .late_ms = 15,
                         .then_ms = 1,
                         .body = {.name = "body", .ms = 90},
                         .calls = {{.name = "a", .ms = 50},
                                   {.name = "b", .ms = 10, .error = -EIO}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("10 b Input/output error\n"
                 "10 a canceled\n"
                 "15 body canceled\n" /* at its first wait */
                 "15 group: Input/output error\n"
                 "16 then: done\n");
}

static void the_bodys_error_cancels_the_members(void **state)
{
    struct crew frame = {.count = 2,
                         .body = {.name = "body", .ms = 10, .error = -EIO},
                         .calls = {{.name = "a", .ms = 50, .clean_ms = 3},
                                   {.name = "b", .ms = 60}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("10 body Input/output error\n"
                 "10 b canceled\n"
                 "13 a canceled\n"
                 "13 group: Input/output error\n");
}

static void a_body_that_fails_without_a_wait_cancels_the_members(void **state)
{
    struct crew frame = {.count = 1,
                         .body = {.name = "body", .error = -EIO},
                         .calls = {{.name = "a", .ms = 50}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("0 body Input/output error\n"
                 "0 a canceled\n"
                 "0 group: Input/output error\n");
}

static void an_error_is_out_when_its_function_has_ended(void **state)
{
    struct crew frame = {
        .count = 1,
        .body = {.name = "body", .ms = 10, .error = -EIO, .clean_ms = 9},
        .calls = {{.name = "a", .ms = 15, .error = -EPERM}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("15 a Operation not permitted\n"
                 "19 body Input/output error\n" /* not cut short */
                 "19 group: Operation not permitted\n");
}

static void
a_body_that_ends_well_all_the_same_does_not_hide_the_error(void **state)
{
    struct crew frame = {.count = 1,
                         .then_ms = 1,
                         .body = {.name = "body", .ms = 90, .stubborn = 5},
                         .calls = {{.name = "a", .ms = 10, .error = -EIO}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "10 body does not mind\n" /* and is not asked twice */
                 "15 body done\n"
                 "15 group: Input/output error\n"
                 "16 then: done\n");
}

static void a_body_that_ends_on_the_tick_of_an_error_has_ended(void **state)
{
    struct crew frame = {.count = 1,
                         .then_ms = 1,
                         .body = {.name = "body", .ms = 10},
                         .calls = {{.name = "a", .ms = 10, .error = -EIO}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("10 body done\n"
                 "10 a Input/output error\n"
                 "10 group: Input/output error\n"
                 "11 then: done\n");
}

static void a_body_whose_wait_is_over_ends_well_after_an_error(void **state)
{
    struct crew frame = {.count = 1,
                         .then_ms = 1,
                         .body = {.name = "body", .ms = 20},
                         .calls = {{.name = "a", .ms = 10, .error = -EIO}}};

    (void)state;
    spawn(&task, crew, &frame);
    leap_to(0);
    leap_to(20); /* a fails before the body runs, whose sleep is over too */
    (void)run_to(100);

    assert_trace("20 a Input/output error\n"
                 "20 body done\n"
                 "20 group: Input/output error\n"
                 "21 then: done\n"); /* nothing is asked of it any more */
}

static void a_member_that_somebody_cancels_is_not_an_error(void **state)
{
    struct crew frame = {
        .count = 2,
        .body = {.name = "body", .ms = 15},
        .calls = {{.name = "a", .ms = 50}, {.name = "b", .ms = 20}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_cancel(&loop, &frame.members[0].task);
    (void)run_to(100);

    assert_trace("10 a canceled\n"
                 "15 body done\n"
                 "20 b done\n"
                 "20 group: done\n");
    assert_int_equal(async_task_outcome(&frame.members[0].task),
                     ASYNC_ECANCELED);
    assert_int_equal(async_unjoined(&loop), 0);
}

static void a_collecting_group_lets_members_run_to_their_ends(void **state)
{
    struct crew frame = {.count = 2,
                         .group = {.collect = 1},
                         .body = {.name = "body", .ms = 15},
                         .calls = {{.name = "a", .ms = 10, .error = -EIO},
                                   {.name = "b", .ms = 20}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "15 body done\n"
                 "20 b done\n"
                 "20 group: done\n");
    assert_int_equal(async_task_outcome(&frame.members[0].task), -EIO);
    assert_int_equal(async_unjoined(&loop), 0);
}

static void the_body_of_a_collecting_group_cancels_by_its_error(void **state)
{
    struct crew frame = {.count = 2,
                         .group = {.collect = 1},
                         .body = {.name = "body", .ms = 15, .error = -EPERM},
                         .calls = {{.name = "a", .ms = 10, .error = -EIO},
                                   {.name = "b", .ms = 20}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "15 body Operation not permitted\n"
                 "15 b canceled\n"
                 "15 group: Operation not permitted\n");
}

static void a_body_in_its_finally_section_is_not_cut_short(void **state)
{
    struct crew frame = {.count = 1,
                         .body = {.name = "body", .ms = 5, .clean_ms = 20},
                         .calls = {{.name = "a", .ms = 10, .error = -EIO}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "25 body done\n"
                 "25 group: Input/output error\n");
}

/* Changes its mind: what is asked lands in a wait that it has given up. */
struct fickle {
    struct async_frame async;
    struct async_semaphore semaphore; /* without a permit */
    int times;
};

static async_status fickle_wait(struct fickle *self)
{
    return ++self->times == 3 ? async_acquire(&loop, &self->semaphore)
                              : async_sleep_ms(&loop, 50);
}

static async fickle(struct async_loop *on, void *frame)
{
    struct fickle *self = frame;

    (void)on;
    async_begin(self);
    await(fickle_wait(self));
    async_finally();
    note("body", async_strerror(self->async.status_));
    async_end();
}

struct fickle_crew {
    struct async_frame async;
    struct async_group group;
    struct async_member member;
    struct child call;
    struct fickle body;
};

static async fickle_crew(struct async_loop *on, void *frame)
{
    struct fickle_crew *self = frame;
    int rc;

    async_begin(self);
    (void)async_group_spawn(on, &self->group, &self->member, child,
                            &self->call);
    async_catch(rc, async_group(on, &self->group, fickle(on, &self->body)));
    note_end("group:", rc);
    async_catch(rc, async_sleep_ms(on, 1));
    note("then:", async_strerror(rc));
    async_end();
}

static void a_body_is_asked_again_if_nothing_took_the_cancel(void **state)
{
    struct fickle_crew frame = {.call = {.name = "a", .ms = 10, .error = -EIO}};

    (void)state;
    spawn(&task, fickle_crew, &frame);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "10 body canceled\n"
                 "10 group: Input/output error\n"
                 "11 then: done\n");
}

/* ---- a cancel from outside ---------------------------------------------- */

static void a_canceled_group_cancels_its_members_and_awaits_them(void **state)
{
    struct crew frame = {.count = 2,
                         .calls = {{.name = "a", .ms = 50, .clean_ms = 7},
                                   {.name = "b", .ms = 60, .clean_ms = 3}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("13 b canceled\n"
                 "17 a canceled\n"
                 "17 group: canceled\n");
    assert_int_equal(async_task_outcome(&task), ASYNC_ECANCELED);
}

static void a_cancel_reaches_the_body_and_by_its_end_the_members(void **state)
{
    struct crew frame = {.count = 2,
                         .body = {.name = "body", .ms = 90, .clean_ms = 5},
                         .calls = {{.name = "a", .ms = 50, .clean_ms = 7},
                                   {.name = "b", .ms = 12}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("12 b done\n"
                 "15 body canceled\n"
                 "22 a canceled\n"
                 "22 group: canceled\n");
}

static void a_cancel_reaches_a_body_without_members(void **state)
{
    struct crew frame = {.body = {.name = "body", .ms = 90}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 body canceled\n"
                 "10 group: canceled\n");
}

static void a_cancel_that_the_body_swallows_is_over(void **state)
{
    struct crew frame = {.count = 1,
                         .then_ms = 1,
                         .body = {.name = "body", .ms = 90, .stubborn = 5},
                         .calls = {{.name = "a", .ms = 50}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 body does not mind\n"
                 "15 body done\n"
                 "50 a done\n"
                 "50 group: done\n"
                 "51 then: done\n");
}

static void a_body_that_makes_an_error_of_a_cancel_fails_with_it(void **state)
{
    struct crew frame = {.count = 1,
                         .body = {.name = "body", .ms = 90, .late_error = -EIO},
                         .calls = {{.name = "a", .ms = 50}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 body Input/output error\n"
                 "10 a canceled\n"
                 "10 group: Input/output error\n");
}

static void a_group_canceled_before_its_first_step_ends_at_once(void **state)
{
    struct crew frame = {.count = 1,
                         .body = {.name = "body", .ms = 90},
                         .calls = {{.name = "a", .ms = 50}}};

    (void)state;
    spawn(&task, crew, &frame);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("0 body canceled\n"
                 "0 a canceled\n"
                 "0 group: canceled\n");
}

static void a_second_cancel_of_a_group_waits_for_the_wait_after_it(void **state)
{
    struct crew frame = {.count = 1,
                         .then_ms = 5,
                         .calls = {{.name = "a", .ms = 50, .clean_ms = 7}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(12);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("17 a canceled\n"
                 "17 group: canceled\n"
                 "17 then: canceled\n");
}

static void an_error_in_a_canceled_groups_clean_up_came_second(void **state)
{
    struct crew frame = {.count = 2,
                         .body = {.name = "body", .ms = 90},
                         .calls = {{.name = "a", .ms = 50, .late_error = -EIO},
                                   {.name = "b", .ms = 60}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 body canceled\n"
                 "10 a Input/output error\n"
                 "10 b canceled\n"
                 "10 group: canceled\n");
    assert_int_equal(async_task_outcome(&frame.members[0].task), -EIO);
}

static void an_error_while_a_canceled_body_cleans_up_came_first(void **state)
{
    struct crew frame = {.count = 1,
                         .then_ms = 1,
                         .body = {.name = "body", .ms = 90, .minds = 50},
                         .calls = {{.name = "a", .ms = 30, .error = -EIO}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 body minds\n"
                 "30 a Input/output error\n"
                 "30 body canceled\n" /* by the group, in its next wait */
                 "30 group: Input/output error\n"
                 "31 then: done\n");
}

static void an_error_and_a_cancel_on_one_tick_are_the_error_first(void **state)
{
    struct crew frame = {.count = 2,
                         .then_ms = 5,
                         .body = {.name = "body", .ms = 90},
                         .calls = {{.name = "a", .ms = 10, .error = -EIO},
                                   {.name = "b", .ms = 50}}};
    struct meddler meddling = {
        .joined = &frame.members[0].task, .act = cancel_task, .arg = NULL};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(9);
    spawn(&meddling.task, meddler, &meddling);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "10 b canceled\n"
                 "10 body canceled\n"
                 "10 group: Input/output error\n"
                 "10 then: canceled\n");
}

static void a_cancel_and_an_error_on_one_tick_are_the_cancel_first(void **state)
{
    struct crew frame = {.count = 2,
                         .then_ms = 5,
                         .body = {.name = "body", .ms = 90},
                         .calls = {{.name = "a", .ms = 10, .error = -EIO},
                                   {.name = "b", .ms = 50}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(9);
    async_cancel(&loop, &task); /* runs before a, in the poll that follows */
    leap_to(10);
    (void)run_to(100);

    assert_trace("10 body canceled\n"
                 "10 a Input/output error\n"
                 "10 b canceled\n"
                 "10 group: canceled\n"
                 "15 then: done\n");
}

static void a_cancel_while_a_failed_group_cleans_up_is_not_lost(void **state)
{
    struct crew frame = {
        .count = 2,
        .then_ms = 5,
        .body = {.name = "body", .ms = 90, .minds = 4, .clean_ms = 4},
        .calls = {{.name = "a", .ms = 10, .error = -EIO},
                  {.name = "b", .ms = 50, .clean_ms = 20}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(12);
    async_cancel(&loop, &task); /* neither what the body does about it */
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "10 body minds\n"
                 "18 body canceled\n"
                 "30 b canceled\n"
                 "30 group: Input/output error\n"
                 "30 then: canceled\n");
}

static void a_group_that_ends_on_the_tick_of_a_cancel_has_ended(void **state)
{
    struct crew frame = {.count = 1,
                         .then_ms = 5,
                         .body = {.name = "body", .ms = 5},
                         .calls = {{.name = "a", .ms = 10}}};
    struct meddler meddling = {
        .joined = &frame.members[0].task, .act = cancel_task, .arg = NULL};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(9);
    spawn(&meddling.task, meddler, &meddling);
    (void)run_to(100);

    assert_trace("5 body done\n"
                 "10 a done\n"
                 "10 group: done\n"
                 "10 then: canceled\n");
}

static void a_cancel_on_the_tick_of_the_bodys_end_lands_behind_it(void **state)
{
    struct crew frame = {.count = 1,
                         .body = {.name = "body", .ms = 10},
                         .calls = {{.name = "a", .ms = 50}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(9);
    async_cancel(&loop, &task);
    leap_to(10); /* the body's sleep is over: that keeps its result */
    (void)run_to(100);

    assert_trace("10 body done\n"
                 "10 a canceled\n"
                 "10 group: canceled\n");
}

struct cleaner {
    struct async_frame async;
    struct crew crew;
};

static async cleaner(struct async_loop *on, void *frame)
{
    struct cleaner *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, 5));
    async_finally();
    await(crew(on, &self->crew));
    async_end();
}

static void a_group_in_a_finally_section_is_not_cut_short(void **state)
{
    struct cleaner frame = {.crew = {.count = 1,
                                     .body = {.name = "body", .ms = 10},
                                     .calls = {{.name = "a", .ms = 20}}}};

    (void)state;
    spawn(&task, cleaner, &frame);
    (void)run_to(7);
    async_cancel(&loop, &task);
    (void)run_to(12);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("15 body done\n"
                 "25 a done\n"
                 "25 group: done\n");
}

static void
an_error_cancels_a_body_in_a_finally_section_all_the_same(void **state)
{
    struct cleaner frame = {
        .crew = {.count = 1,
                 .body = {.name = "body", .ms = 50},
                 .calls = {{.name = "a", .ms = 10, .error = -EIO}}}};

    (void)state;
    spawn(&task, cleaner, &frame);
    (void)run_to(7);
    async_cancel(&loop, &task); /* asked for till the end */
    (void)run_to(100);

    assert_trace("15 a Input/output error\n"
                 "15 body canceled\n"
                 "15 group: Input/output error\n");
}

/* ---- a cancel of the group's own ---------------------------------------- */

static void a_group_that_is_canceled_ends_early_without_an_error(void **state)
{
    struct crew frame = {.count = 2,
                         .then_ms = 5,
                         .body = {.name = "body", .ms = 90, .clean_ms = 3},
                         .calls = {{.name = "a", .ms = 50, .clean_ms = 7},
                                   {.name = "b", .ms = 60}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_group_cancel(&loop, &frame.group);
    (void)run_to(12);
    async_group_cancel(&loop, &frame.group); /* changes nothing */
    (void)run_to(100);
    async_group_cancel(&loop, &frame.group); /* nor this */

    assert_trace("10 b canceled\n"
                 "13 body canceled\n"
                 "17 a canceled\n"
                 "17 group: done\n"
                 "22 then: done\n");
}

static void a_group_may_be_canceled_after_its_bodys_end(void **state)
{
    struct crew frame = {.count = 1,
                         .body = {.name = "body", .ms = 5},
                         .calls = {{.name = "a", .ms = 50}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_group_cancel(&loop, &frame.group);
    (void)run_to(100);

    assert_trace("5 body done\n"
                 "10 a canceled\n"
                 "10 group: done\n");
}

static void an_error_in_the_clean_up_of_a_canceled_group_is_one(void **state)
{
    struct crew frame = {
        .count = 1,
        .body = {.name = "body", .ms = 90},
        .calls = {{.name = "a", .ms = 50, .late_error = -EIO}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_group_cancel(&loop, &frame.group);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "10 body canceled\n"
                 "10 group: Input/output error\n");
}

static void a_group_canceled_before_it_is_awaited_ends_when_it_is(void **state)
{
    struct crew frame = {.count = 1,
                         .late_ms = 15,
                         .then_ms = 5,
                         .body = {.name = "body", .ms = 90},
                         .calls = {{.name = "a", .ms = 50}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_group_cancel(&loop, &frame.group);
    (void)run_to(100);

    assert_trace("10 a canceled\n"
                 "15 body canceled\n"
                 "15 group: done\n"
                 "20 then: done\n");
}

/* Cancels a group, as its body or as a member, and then waits or ends. */
struct quitter {
    struct async_frame async;
    const char *name;
    struct async_group *group;
    uint32_t ms, then_ms;
};

static async quitter(struct async_loop *on, void *frame)
{
    struct quitter *self = frame;

    async_begin(self);
    await(async_sleep_ms(on, self->ms));
    async_group_cancel(on, self->group);
    note(self->name, "quits");
    if (self->then_ms)
        await(async_sleep_ms(on, self->then_ms));
    async_finally();
    note(self->name, async_strerror(self->async.status_));
    async_end();
}

struct quitting {
    struct async_frame async;
    struct async_group group;
    struct async_member members[2];
    struct child call;
    struct quitter body, member;
};

static async quitting(struct async_loop *on, void *frame)
{
    struct quitting *self = frame;
    int rc;

    async_begin(self);
    self->body.group = self->member.group = &self->group;
    (void)async_group_spawn(on, &self->group, &self->members[0], child,
                            &self->call);
    (void)async_group_spawn(on, &self->group, &self->members[1], quitter,
                            &self->member);
    async_catch(rc, async_group(on, &self->group, quitter(on, &self->body)));
    note_end("group:", rc);
    async_catch(rc, async_sleep_ms(on, 1));
    note("then:", async_strerror(rc));
    async_end();
}

static void
a_body_may_cancel_its_group_and_is_cut_in_its_next_wait(void **state)
{
    struct quitting frame = {.call = {.name = "a", .ms = 50},
                             .body = {.name = "body", .ms = 10, .then_ms = 50},
                             .member = {.name = "b", .ms = 60}};

    (void)state;
    spawn(&task, quitting, &frame);
    (void)run_to(100);

    assert_trace("10 body quits\n"
                 "10 body canceled\n"
                 "10 a canceled\n"
                 "10 b canceled\n"
                 "10 group: done\n"
                 "11 then: done\n");
}

static void a_body_may_cancel_its_group_and_end(void **state)
{
    struct quitting frame = {.call = {.name = "a", .ms = 50},
                             .body = {.name = "body", .ms = 10},
                             .member = {.name = "b", .ms = 60}};

    (void)state;
    spawn(&task, quitting, &frame);
    (void)run_to(100);

    assert_trace("10 body quits\n"
                 "10 body done\n"
                 "10 a canceled\n"
                 "10 b canceled\n"
                 "10 group: done\n"
                 "11 then: done\n"); /* nothing is asked of it any more */
}

static void a_member_may_cancel_its_group(void **state)
{
    struct quitting frame = {.call = {.name = "a", .ms = 50},
                             .body = {.name = "body", .ms = 60},
                             .member = {.name = "b", .ms = 10, .then_ms = 5}};

    (void)state;
    spawn(&task, quitting, &frame);
    (void)run_to(100);

    assert_trace("10 b quits\n"
                 "10 b canceled\n"
                 "10 a canceled\n"
                 "10 body canceled\n"
                 "10 group: done\n"
                 "11 then: done\n");
}

/* A body that joins a task. */
struct joining_crew {
    struct async_frame async;
    struct async_group group;
    struct async_member member;
    struct child call;
    struct async_task *joined;
    int rc;
};

static async joining_crew(struct async_loop *on, void *frame)
{
    struct joining_crew *self = frame;

    async_begin(self);
    (void)async_group_spawn(on, &self->group, &self->member, child,
                            &self->call);
    async_catch(self->rc,
                async_group(on, &self->group, async_join(on, self->joined)));
    note_end("group:", self->rc);
    async_end();
}

static void cancel_group(void *arg)
{
    async_group_cancel(&loop, arg);
}

static void a_body_that_gives_a_cancel_on_fails_with_it(void **state)
{
    struct child other = {.name = "other", .ms = 50};
    struct async_task other_task = {.fn = NULL};
    struct joining_crew frame = {.call = {.name = "a", .ms = 50},
                                 .joined = &other_task};

    (void)state;
    spawn(&other_task, child, &other);
    spawn(&task, joining_crew, &frame);
    (void)run_to(10);
    async_cancel(&loop, &other_task);
    (void)run_to(100);

    assert_trace("10 other canceled\n"
                 "10 a canceled\n"
                 "10 group: canceled\n");
}

static void
a_body_that_gives_a_cancel_on_has_not_failed_in_a_canceled_group(void **state)
{
    struct child other = {.name = "other", .ms = 50};
    struct async_task other_task = {.fn = NULL};
    struct joining_crew frame = {.call = {.name = "a", .ms = 50},
                                 .joined = &other_task};
    struct meddler meddling = {
        .joined = &other_task, .act = cancel_group, .arg = &frame.group};

    (void)state;
    spawn(&other_task, child, &other);
    spawn(&meddling.task, meddler, &meddling);
    spawn(&task, joining_crew, &frame);
    (void)run_to(10);
    async_cancel(&loop, &other_task);
    (void)run_to(100);

    assert_trace("10 other canceled\n"
                 "10 a canceled\n"
                 "10 group: done\n");
}

static void canceled_by_itself_and_from_outside_loses_no_cancel(void **state)
{
    struct crew frame = {.count = 1,
                         .then_ms = 5,
                         .body = {.name = "body", .ms = 90},
                         .calls = {{.name = "a", .ms = 50}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_group_cancel(&loop, &frame.group);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 a canceled\n"
                 "10 body canceled\n"
                 "10 group: done\n"
                 "10 then: canceled\n");
}

static void canceled_from_outside_and_by_itself_loses_no_cancel(void **state)
{
    struct crew frame = {.count = 1,
                         .then_ms = 5,
                         .body = {.name = "body", .ms = 90},
                         .calls = {{.name = "a", .ms = 50}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    async_group_cancel(&loop, &frame.group);
    (void)run_to(100);

    assert_trace("10 body canceled\n"
                 "10 a canceled\n"
                 "10 group: done\n"
                 "10 then: canceled\n");
}

static void a_cancel_while_a_canceled_group_unwinds_is_not_lost(void **state)
{
    struct crew frame = {.count = 1,
                         .then_ms = 5,
                         .body = {.name = "body", .ms = 90, .minds = 6},
                         .calls = {{.name = "a", .ms = 50, .clean_ms = 9}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_group_cancel(&loop, &frame.group);
    (void)run_to(12);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 body minds\n"
                 "16 body canceled\n"
                 "19 a canceled\n"
                 "19 group: done\n"
                 "19 then: canceled\n");
}

static void
a_group_canceled_while_a_cancel_unwinds_its_body_is_canceled(void **state)
{
    struct crew frame = {.count = 1,
                         .then_ms = 5,
                         .body = {.name = "body", .ms = 90, .minds = 6},
                         .calls = {{.name = "a", .ms = 50, .clean_ms = 9}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task); /* the body has taken it, */
    (void)run_to(12);
    async_group_cancel(&loop, &frame.group); /* and then this one */
    (void)run_to(100);

    assert_trace("10 body minds\n"
                 "12 body canceled\n"
                 "21 a canceled\n"
                 "21 group: canceled\n"
                 "26 then: done\n");
}

static void
a_group_canceled_while_a_canceled_body_cleans_up_is_canceled(void **state)
{
    struct crew frame = {.count = 1,
                         .body = {.name = "body", .ms = 90, .clean_ms = 6},
                         .calls = {{.name = "a", .ms = 50}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(12);
    async_group_cancel(&loop, &frame.group);
    (void)run_to(100);

    assert_trace("12 a canceled\n"
                 "16 body canceled\n"
                 "16 group: canceled\n");
}

/* A body that is three calls deep. */
struct deep {
    struct async_frame async;
    struct async_call_frame call;
    struct deep *below;
    struct child *last;
};

static async deep(struct async_loop *on, void *frame)
{
    struct deep *self = frame;

    async_begin(self);
    if (self->below)
        await(async_call(on, &self->call, deep, self->below));
    else
        await(async_call(on, &self->call, child, self->last));
    async_end();
}

struct deep_crew {
    struct async_frame async;
    struct async_group group;
    struct async_timer timer;
    uint32_t timeout_ms; /* 0: none */
    struct async_member member;
    struct child call, last;
    struct deep levels[3];
};

static async deep_crew(struct async_loop *on, void *frame)
{
    struct deep_crew *self = frame;
    int rc;

    async_begin(self);
    self->levels[0].below = &self->levels[1];
    self->levels[1].below = &self->levels[2];
    self->levels[2].last = &self->last;
    (void)async_group_spawn(on, &self->group, &self->member, child,
                            &self->call);
    if (self->timeout_ms)
        async_catch(rc, async_timeout(on, &self->timer, self->timeout_ms,
                                      async_group(on, &self->group,
                                                  deep(on, &self->levels[0]))));
    else
        async_catch(rc,
                    async_group(on, &self->group, deep(on, &self->levels[0])));
    note_end("group:", rc);
    async_catch(rc, async_sleep_ms(on, 5));
    note("then:", async_strerror(rc));
    async_end();
}

static void an_error_reaches_a_body_through_calls(void **state)
{
    struct deep_crew frame = {.call = {.name = "a", .ms = 10, .error = -EIO},
                              .last = {.name = "body", .ms = 90, .minds = 3}};

    (void)state;
    spawn(&task, deep_crew, &frame);
    (void)run_to(11);
    async_cancel(&loop, &task); /* is held off */
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "10 body minds\n"
                 "13 body canceled\n"
                 "13 group: Input/output error\n"
                 "13 then: canceled\n");
}

static void a_cancel_that_a_body_took_through_calls_is_not_lost(void **state)
{
    struct deep_crew frame = {.call = {.name = "a", .ms = 50},
                              .last = {.name = "body", .ms = 90, .minds = 6}};

    (void)state;
    spawn(&task, deep_crew, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(12);
    async_group_cancel(&loop, &frame.group);
    (void)run_to(100);

    assert_trace("10 body minds\n"
                 "12 a canceled\n"
                 "12 body canceled\n"
                 "12 group: canceled\n"
                 "17 then: done\n");
}

static void a_timeout_that_a_body_took_through_calls_is_not_lost(void **state)
{
    struct deep_crew frame = {.timeout_ms = 10,
                              .call = {.name = "a", .ms = 50},
                              .last = {.name = "body", .ms = 90, .minds = 6}};

    (void)state;
    spawn(&task, deep_crew, &frame);
    (void)run_to(12);
    async_group_cancel(&loop, &frame.group);
    (void)run_to(100);

    assert_trace("10 body minds\n"
                 "12 a canceled\n"
                 "12 body canceled\n"
                 "12 group: timed out\n"
                 "17 then: done\n");
}

/* A group with a group for a body, by a call. */
struct called_crew {
    struct async_frame async;
    struct async_group group;
    struct async_call_frame call;
    struct crew inner;
    int rc;
};

static async called_crew(struct async_loop *on, void *frame)
{
    struct called_crew *self = frame;

    async_begin(self);
    async_catch(self->rc,
                async_group(on, &self->group,
                            async_call(on, &self->call, crew, &self->inner)));
    outer_asks = 0;
    note_end("outer group:", self->rc);
    async_end();
}

static void a_cancel_taken_before_an_inner_group_asked_is_not_lost(void **state)
{
    struct called_crew frame = {
        .inner = {.count = 1,
                  .body = {.name = "body", .ms = 90, .minds = 9},
                  .calls = {{.name = "a", .ms = 50, .clean_ms = 10}}}};

    (void)state;
    outer_asks = 1;
    spawn(&task, called_crew, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task); /* the body has taken it */
    (void)run_to(12);
    async_group_cancel(&loop, &frame.inner.group);
    (void)run_to(14);
    async_group_cancel(&loop, &frame.group);
    (void)run_to(100);

    assert_trace("10 body minds\n"
                 "12 body canceled\n"
                 "22 a canceled\n"
                 "22 group: canceled\n"
                 "22 outer group: canceled\n");
}

/* ---- timeouts ----------------------------------------------------------- */

static void a_group_that_times_out_awaits_body_and_members(void **state)
{
    struct crew frame = {.count = 1,
                         .timeout_ms = 10,
                         .then_ms = 1,
                         .body = {.name = "body", .ms = 90, .clean_ms = 3},
                         .calls = {{.name = "a", .ms = 50, .clean_ms = 4}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("13 body canceled\n"
                 "17 a canceled\n"
                 "17 group: timed out\n"
                 "18 then: done\n");
}

static void a_group_that_times_out_after_its_bodys_end_does_so_too(void **state)
{
    struct crew frame = {.count = 1,
                         .timeout_ms = 10,
                         .body = {.name = "body", .ms = 5},
                         .calls = {{.name = "a", .ms = 50, .clean_ms = 4}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("5 body done\n"
                 "14 a canceled\n"
                 "14 group: timed out\n");
}

static void an_error_and_a_timeout_on_one_tick_are_the_error(void **state)
{
    struct crew frame = {.count = 1,
                         .timeout_ms = 11,
                         .then_ms = 1,
                         .body = {.name = "body", .ms = 90},
                         .calls = {{.name = "a", .ms = 10, .error = -EIO}}};

    (void)state;
    spawn(&task, crew, &frame);
    leap_to(0);
    leap_to(11);
    (void)run_to(100);

    assert_trace("11 a Input/output error\n"
                 "11 body canceled\n"
                 "11 group: Input/output error\n"
                 "12 then: done\n");
}

static void
a_timeout_while_a_failed_group_cleans_up_changes_nothing(void **state)
{
    struct crew frame = {.count = 1,
                         .timeout_ms = 12,
                         .then_ms = 1,
                         .body = {.name = "body", .ms = 90, .minds = 5},
                         .calls = {{.name = "a", .ms = 10, .error = -EIO}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "10 body minds\n"
                 "15 body canceled\n"
                 "15 group: Input/output error\n"
                 "16 then: done\n");
}

/* A body with a limit in time of its own. */
struct limited {
    struct async_frame async;
    struct async_group group;
    struct async_timer timer;
    struct async_member member;
    struct child call, body;
    uint32_t limit_ms;
};

static async limited_body(struct async_loop *on, struct limited *self)
{
    return async_timeout(on, &self->timer, self->limit_ms,
                         child(on, &self->body));
}

static async limited(struct async_loop *on, void *frame)
{
    struct limited *self = frame;
    int rc;

    async_begin(self);
    (void)async_group_spawn(on, &self->group, &self->member, child,
                            &self->call);
    async_catch(rc, async_group(on, &self->group, limited_body(on, self)));
    note_end("group:", rc);
    async_catch(rc, async_sleep_ms(on, 1));
    note("then:", async_strerror(rc));
    async_end();
}

static void a_body_that_times_out_fails_with_that(void **state)
{
    struct limited frame = {.limit_ms = 10,
                            .call = {.name = "a", .ms = 50},
                            .body = {.name = "body", .ms = 90}};

    (void)state;
    spawn(&task, limited, &frame);
    (void)run_to(100);

    assert_trace("10 body canceled\n"
                 "10 a canceled\n"
                 "10 group: timed out\n"
                 "11 then: done\n");
}

static void
a_bodys_timeout_and_an_error_on_one_tick_unwind_it_once(void **state)
{
    struct limited frame = {.limit_ms = 11,
                            .call = {.name = "a", .ms = 10, .error = -EIO},
                            .body = {.name = "body", .ms = 90}};

    (void)state;
    spawn(&task, limited, &frame);
    leap_to(0);
    leap_to(11);
    (void)run_to(100);

    assert_trace("11 a Input/output error\n"
                 "11 body canceled\n" /* by its timeout: the inner one */
                 "11 group: Input/output error\n"
                 "12 then: done\n");
}

/* ---- groups in groups --------------------------------------------------- */

struct nest {
    struct async_frame async;
    struct async_group group;
    struct async_member member;
    struct child call;
    struct crew inner; /* the body */
    uint32_t then_ms;
    int rc;
};

static async nest(struct async_loop *on, void *frame)
{
    struct nest *self = frame;

    async_begin(self);
    (void)async_group_spawn(on, &self->group, &self->member, child,
                            &self->call);
    async_catch(self->rc,
                async_group(on, &self->group, crew(on, &self->inner)));
    outer_asks = 0;
    note_end("outer group:", self->rc);
    if (self->then_ms) {
        int rc;

        async_catch(rc, async_sleep_ms(on, self->then_ms));
        note("then:", async_strerror(rc));
    }
    async_end();
}

static void an_error_in_the_outer_group_cancels_the_inner_one(void **state)
{
    struct nest frame = {
        .then_ms = 1,
        .call = {.name = "a", .ms = 10, .error = -EIO},
        .inner = {.count = 1,
                  .body = {.name = "body", .ms = 90},
                  .calls = {{.name = "b", .ms = 50, .clean_ms = 3}}}};

    (void)state;
    spawn(&task, nest, &frame);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "10 body canceled\n"
                 "13 b canceled\n"
                 "13 group: canceled\n"
                 "13 outer group: Input/output error\n"
                 "14 then: done\n");
}

static void
an_error_in_the_outer_group_cancels_an_inner_one_that_waits(void **state)
{
    struct nest frame = {
        .then_ms = 1,
        .call = {.name = "a", .ms = 10, .error = -EIO},
        .inner = {.count = 1,
                  .calls = {{.name = "b", .ms = 50, .clean_ms = 3}}}};

    (void)state;
    spawn(&task, nest, &frame);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "13 b canceled\n"
                 "13 group: canceled\n"
                 "13 outer group: Input/output error\n"
                 "14 then: done\n");
}

static void an_error_in_the_inner_group_is_the_outer_bodys(void **state)
{
    struct nest frame = {
        .call = {.name = "a", .ms = 50},
        .inner = {.count = 1,
                  .body = {.name = "body", .ms = 90},
                  .calls = {{.name = "b", .ms = 10, .error = -EIO}}}};

    (void)state;
    spawn(&task, nest, &frame);
    (void)run_to(100);

    assert_trace("10 b Input/output error\n"
                 "10 body canceled\n"
                 "10 group: Input/output error\n"
                 "10 a canceled\n"
                 "10 outer group: Input/output error\n");
}

static void a_cancel_reaches_groups_from_the_inside_out(void **state)
{
    struct nest frame = {
        .call = {.name = "a", .ms = 50, .late_error = -EPERM},
        .inner = {.count = 1,
                  .body = {.name = "body", .ms = 90},
                  .calls = {{.name = "b", .ms = 50, .late_error = -EIO}}}};

    (void)state;
    spawn(&task, nest, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 body canceled\n"
                 "10 b Input/output error\n"
                 "10 group: canceled\n"
                 "10 a Operation not permitted\n"
                 "10 outer group: canceled\n");
}

static void
two_groups_that_fail_on_one_tick_unwind_the_inner_one_first(void **state)
{
    struct nest frame = {
        .then_ms = 1,
        .call = {.name = "a", .ms = 10, .error = -EIO},
        .inner = {.count = 1,
                  .then_ms = 20,
                  .body = {.name = "body", .ms = 90},
                  .calls = {{.name = "b", .ms = 10, .error = -EPERM}}}};

    (void)state;
    outer_asks = 1;
    spawn(&task, nest, &frame);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "10 b Operation not permitted\n"
                 "10 body canceled\n"
                 "10 group: Operation not permitted\n"
                 "10 then: canceled\n" /* now the outer one's has landed */
                 "10 outer group: Input/output error\n"
                 "11 then: done\n");
}

static void a_group_may_be_a_member(void **state)
{
    struct crew inner = {.count = 1,
                         .calls = {{.name = "b", .ms = 50, .clean_ms = 3}}};
    struct crew frame = {.count = 1,
                         .calls = {{.name = "a", .ms = 10, .error = -EIO}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)settle();
    assert_int_equal(
        async_group_spawn(&loop, &frame.group, &frame.members[1], crew, &inner),
        0);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "13 b canceled\n"
                 "13 group: canceled\n"
                 "13 group: Input/output error\n");
}

/* ---- spawning ----------------------------------------------------------- */

/* Tries to spawn into its group when it is canceled. */
struct latecomer {
    struct async_frame async;
    struct async_group *group;
    struct async_member *member;
    struct child *call;
    int rc;
};

static async latecomer(struct async_loop *on, void *frame)
{
    struct latecomer *self = frame;

    async_begin(self);
    async_catch(self->rc, async_sleep_ms(on, 50));
    self->rc =
        async_group_spawn(on, self->group, self->member, child, self->call);
    note("spawn:", self->rc ? async_strerror(self->rc) : "started");
    async_end();
}

static void nothing_is_spawned_into_a_group_that_unwinds(void **state)
{
    struct crew frame = {.count = 1,
                         .calls = {{.name = "a", .ms = 10, .error = -EIO},
                                   {.name = "b", .ms = 1}}};
    struct latecomer late = {.group = &frame.group,
                             .member = &frame.members[1],
                             .call = &frame.calls[1]};

    (void)state;
    spawn(&task, crew, &frame);
    (void)settle();
    assert_int_equal(async_group_spawn(&loop, &frame.group, &frame.members[2],
                                       latecomer, &late),
                     0);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "10 spawn: closed\n"
                 "10 group: Input/output error\n");
    assert_int_equal(async_task_outcome(&frame.members[1].task), 0);
    assert_int_equal(frame.calls[1].async.state_, 0);
}

static void nothing_is_spawned_into_a_canceled_group(void **state)
{
    struct crew frame = {.count = 1,
                         .calls = {{.name = "a", .ms = 50, .clean_ms = 9},
                                   {.name = "b", .ms = 1}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(10);
    async_group_cancel(&loop, &frame.group);

    assert_int_equal(async_group_spawn(&loop, &frame.group, &frame.members[1],
                                       child, &frame.calls[1]),
                     ASYNC_ECLOSED);
    (void)run_to(100);
    assert_trace("19 a canceled\n"
                 "19 group: done\n");
}

static void spawn_second(void *arg)
{
    struct crew *frame = arg;

    assert_int_equal(async_group_spawn(&loop, &frame->group, &frame->members[1],
                                       child, &frame->calls[1]),
                     ASYNC_ECLOSED);
    note("spawn", "is refused");
}

static void nothing_is_spawned_into_a_group_that_is_over(void **state)
{
    struct crew frame = {
        .count = 1, .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 1}}};
    struct meddler meddling = {
        .joined = &frame.members[0].task, .act = spawn_second, .arg = &frame};

    (void)state;
    spawn(&task, crew, &frame);
    (void)run_to(9);
    spawn(&meddling.task, meddler, &meddling);
    (void)run_to(20);
    spawn_second(&frame);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "10 spawn is refused\n" /* the group does not know it yet */
                 "10 group: done\n"
                 "20 spawn is refused\n");
    assert_int_equal(async_alive(&loop), 0);
}

static void
a_member_may_be_spawned_while_nobody_awaits_the_group_yet(void **state)
{
    struct crew frame = {.late_ms = 15, .calls = {{.name = "a", .ms = 20}}};

    (void)state;
    join_crew(&frame, 0);
    spawn(&task, crew, &frame);
    (void)run_to(100);

    assert_trace("20 a done\n"
                 "20 group: done\n");
}

static void spawn_running(void *arg)
{
    struct crew *frame = arg;

    (void)async_group_spawn(&loop, &frame->group, &frame->members[0], child,
                            &frame->calls[1]);
}

static void a_member_that_has_not_ended_is_not_spawned_again(void **state)
{
    struct crew frame = {
        .count = 1,
        .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 10}}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)settle();
    assert_stops("spawned while it runs", spawn_running, &frame);
    stops_are_noted(1);
    assert_int_equal(async_group_spawn(&loop, &frame.group, &frame.members[0],
                                       child, &frame.calls[1]),
                     ASYNC_EBUSY);
    stops_are_noted(0);
    (void)run_to(100);

    assert_trace("10 a done\n"
                 "10 group: done\n");
}

/* A body that starts its only member again whenever it has failed. */
struct supervisor {
    struct async_frame async;
    struct crew *crew;
    int rc, times;
};

static async supervisor(struct async_loop *on, void *frame)
{
    struct supervisor *self = frame;

    async_begin(self);
    for (self->times = 0; self->times < 3; self->times++) {
        self->crew->calls[0] = (struct child){
            .name = "a", .ms = 10, .error = self->times < 2 ? -EIO : 0};
        join_crew(self->crew, 0);
        async_catch(self->rc, async_join(on, &self->crew->members[0].task));
        note("joined:", async_strerror(self->rc));
    }
    async_end();
}

struct supervised {
    struct async_frame async;
    struct crew crew;
    struct supervisor body;
};

static async supervised(struct async_loop *on, void *frame)
{
    struct supervised *self = frame;

    async_begin(self);
    self->crew.group.collect = 1;
    self->body.crew = &self->crew;
    await(async_group(on, &self->crew.group, supervisor(on, &self->body)));
    note("group", "is over");
    async_end();
}

static void a_member_that_has_ended_may_be_spawned_again(void **state)
{
    struct supervised frame = {.body = {.times = 0}};

    (void)state;
    spawn(&task, supervised, &frame);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "10 joined: Input/output error\n"
                 "20 a Input/output error\n"
                 "20 joined: Input/output error\n"
                 "30 a done\n"
                 "30 joined: done\n"
                 "30 group is over\n");
    assert_int_equal(async_unjoined(&loop), 0);
}

/* Members that each spawn two more, until there is no room; one fails. */
struct hydra {
    struct async_frame async;
    struct hydras *all;
};

struct hydras {
    struct async_frame async;
    struct async_group group;
    struct async_member members[32], hero;
    struct hydra heads[32];
    struct child hero_frame;
    size_t count, refused;
    int rc;
};

static async hydra(struct async_loop *on, void *frame)
{
    struct hydra *self = frame;
    struct hydras *all = self->all;
    int i;

    async_begin(self);
    await(async_sleep_ms(on, 10));
    for (i = 0; i < 2 && all->count < LENGTH(all->members); i++) {
        all->heads[all->count] = (struct hydra){.all = all};
        if (async_group_spawn(on, &all->group, &all->members[all->count], hydra,
                              &all->heads[all->count]) == 0)
            all->count++;
        else
            all->refused++;
    }
    async_end();
}

static async hydras(struct async_loop *on, void *frame)
{
    struct hydras *self = frame;

    async_begin(self);
    self->count = 1;
    self->heads[0].all = self;
    (void)async_group_spawn(on, &self->group, &self->members[0], hydra,
                            &self->heads[0]);
    (void)async_group_spawn(on, &self->group, &self->hero, child,
                            &self->hero_frame);
    async_catch(self->rc, async_group_wait(on, &self->group));
    note_end("group:", self->rc);
    async_end();
}

static void members_that_multiply_end_with_the_first_error(void **state)
{
    static struct hydras frame;

    (void)state;
    frame = (struct hydras){
        .hero_frame = {.name = "hero", .ms = 30, .error = -EIO}};
    spawn(&task, hydras, &frame);
    (void)run_to(100);

    /* At 30 it runs before those it was spawned before: 1 + 2 + 4 by then. */
    assert_trace("30 hero Input/output error\n"
                 "30 group: Input/output error\n");
    assert_int_equal(frame.count, 7);
    assert_int_equal(frame.refused, 8); /* their sleep was over, too */
    assert_int_equal(async_alive(&loop), 0);
}

/* Runs a group with a body twice; the first time its member fails with
 * `error`. `then` follows each time. */
struct twice {
    struct async_frame async;
    struct async_group group;
    struct async_member members[1];
    struct child call, body;
    uint32_t body_ms;
    int error;
    int round, rc;
};

static async twice_body(struct async_loop *on, struct twice *self)
{
    if (!self->body.async.state_)
        assert_int_equal(async_group_spawn(on, &self->group, &self->members[0],
                                           child, &self->call),
                         0);
    return child(on, &self->body);
}

static async twice(struct async_loop *on, void *frame)
{
    struct twice *self = frame;

    async_begin(self);
    for (self->round = 0; self->round < 2; self->round++) {
        self->call = (struct child){.name = "a", .ms = 10};
        if (self->round == 0)
            self->call.error = self->error;
        self->body = (struct child){.name = "body", .ms = self->body_ms};
        async_catch(self->rc,
                    async_group(on, &self->group, twice_body(on, self)));
        note_end("group:", self->rc);
        async_group_cancel(on, &self->group); /* nothing: it is over */
    }
    async_catch(self->rc, async_group_wait(on, &self->group));
    note("waited:", async_strerror(self->rc)); /* at once */
    async_end();
}

static void a_group_that_is_over_may_be_run_again(void **state)
{
    struct twice frame = {.body_ms = 20, .error = -EIO};

    (void)state;
    spawn(&task, twice, &frame);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "10 body canceled\n"
                 "10 group: Input/output error\n"
                 "20 a done\n"
                 "30 body done\n"
                 "30 group: done\n"
                 "30 waited: done\n");
}

static void a_group_may_be_run_again_before_any_other_wait(void **state)
{
    struct twice frame = {.body_ms = 0};

    (void)state;
    spawn(&task, twice, &frame);
    (void)run_to(100);

    assert_trace("0 body done\n"
                 "10 a done\n"
                 "10 group: done\n"
                 "10 body done\n"
                 "20 a done\n"
                 "20 group: done\n"
                 "20 waited: done\n");
}

static void a_group_that_failed_can_be_canceled_when_it_runs_again(void **state)
{
    struct twice frame = {.body_ms = 20, .error = -EIO};

    (void)state;
    spawn(&task, twice, &frame);
    (void)run_to(15);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "10 body canceled\n"
                 "10 group: Input/output error\n"
                 "15 body canceled\n"
                 "15 a canceled\n"
                 "15 group: canceled\n"
                 "15 waited: done\n");
}

static void
a_group_that_was_canceled_can_end_early_when_it_runs_again(void **state)
{
    struct twice frame = {.body_ms = 20};

    (void)state;
    spawn(&task, twice, &frame);
    (void)run_to(5);
    async_cancel(&loop, &task);
    (void)run_to(12);
    async_group_cancel(&loop, &frame.group);
    (void)run_to(100);

    assert_trace("5 body canceled\n"
                 "5 a canceled\n"
                 "5 group: canceled\n"
                 "12 a canceled\n"
                 "12 body canceled\n"
                 "12 group: done\n"
                 "12 waited: done\n");
}

/* ---- who awaits it ------------------------------------------------------ */

struct rival {
    struct async_frame async;
    struct async_group *group;
    int rc;
};

static async rival(struct async_loop *on, void *frame)
{
    struct rival *self = frame;

    async_begin(self);
    async_catch(self->rc, async_group(on, self->group, counted(ASYNC_DONE)));
    note("rival:", async_strerror(self->rc));
    async_catch(self->rc, async_group_wait(on, self->group));
    note("rival:", async_strerror(self->rc));
    async_end();
}

static void a_group_that_another_task_awaits_is_refused(void **state)
{
    struct crew frame = {.count = 1,
                         .body = {.name = "body", .ms = 5},
                         .calls = {{.name = "a", .ms = 10}}};
    struct rival other = {.group = &frame.group};
    struct async_task other_task = {.fn = NULL};

    (void)state;
    spawn(&task, crew, &frame);
    (void)settle();
    spawn(&other_task, rival, &other);

    assert_stops("a group that another task awaits", settle_loop, NULL);
}

static void without_assertions_a_rival_is_refused_and_harms_nobody(void **state)
{
    struct crew frame = {.count = 1,
                         .body = {.name = "body", .ms = 5},
                         .calls = {{.name = "a", .ms = 10}}};
    struct rival other = {.group = &frame.group};
    struct async_task other_task = {.fn = NULL};

    (void)state;
    evaluated = 0;
    spawn(&task, crew, &frame);
    (void)settle();
    spawn(&other_task, rival, &other);
    stops_are_noted(1);
    (void)run_to(100);
    stops_are_noted(0);

    assert_noted("a group that another task awaits");
    assert_trace("0 rival: busy: already started\n"
                 "0 rival: busy: already started\n"
                 "5 body done\n"
                 "10 a done\n"
                 "10 group: done\n");
    assert_int_equal(evaluated, 0);
}

static void await_outside(void *arg)
{
    struct async_group *group = arg;

    (void)async_group_wait(&loop, group);
}

static void a_group_awaited_outside_a_task_is_caught(void **state)
{
    struct async_group group = {.collect = 0};

    (void)state;

    assert_stops("a wait outside a running task", await_outside, &group);
}

struct joiner {
    struct async_frame async;
    const char *name;
    struct async_task *joined;
    int rc;
};

static async joiner(struct async_loop *on, void *frame)
{
    struct joiner *self = frame;

    async_begin(self);
    async_catch(self->rc, async_join(on, self->joined));
    note(self->name, async_strerror(self->rc));
    async_end();
}

static void joiners_hear_of_members_and_leave_them_alone(void **state)
{
    struct crew frame = {
        .count = 2,
        .calls = {{.name = "a", .ms = 10}, {.name = "b", .ms = 20}}};
    struct joiner of_a = {.name = "of a:", .joined = &frame.members[0].task};
    struct joiner of_b = {.name = "of b:", .joined = &frame.members[1].task};
    struct async_task joiners[2] = {{.fn = NULL}};

    (void)state;
    spawn(&task, crew, &frame);
    (void)settle();
    spawn(&joiners[0], joiner, &of_b);
    spawn(&joiners[1], joiner, &of_a);
    (void)run_to(5);
    async_cancel(&loop, &joiners[0]);
    (void)run_to(100);

    assert_trace("5 of b: canceled\n"
                 "10 a done\n"
                 "10 of a: done\n"
                 "20 b done\n"
                 "20 group: done\n");
}

/* ---- shield ------------------------------------------------------------- */

struct shielded {
    struct async_frame async;
    struct async_timer outer, inner;
    struct child call;
    uint32_t outer_ms, inner_ms;
    int rc;
};

/* The call, with a timeout in the shield and one around it. */
static async_status shielded_call(struct async_loop *on, struct shielded *self)
{
    return async_timeout(
        on, &self->outer, self->outer_ms,
        async_shield(on, async_timeout(on, &self->inner, self->inner_ms,
                                       child(on, &self->call))));
}

static async shielded(struct async_loop *on, void *frame)
{
    struct shielded *self = frame;

    async_begin(self);
    if (!self->outer_ms)
        self->outer_ms = 1000;
    if (!self->inner_ms)
        self->inner_ms = 1000;
    async_catch(self->rc, shielded_call(on, self));
    note("shield:", async_strerror(self->rc));
    async_catch(self->rc, async_sleep_ms(on, 5));
    note("then:", async_strerror(self->rc));
    async_end();
}

static void a_shield_lets_results_and_errors_through(void **state)
{
    struct shielded done = {.call = {.name = "a", .ms = 10}};
    struct shielded at_once = {.call = {.name = "b"}};
    struct shielded fails = {.call = {.name = "c", .ms = 20, .error = -EIO}};
    struct async_task tasks[2] = {{.fn = NULL}};

    (void)state;
    spawn(&task, shielded, &done);
    spawn(&tasks[0], shielded, &at_once);
    spawn(&tasks[1], shielded, &fails);
    (void)run_to(100);

    assert_trace("0 b done\n"
                 "0 shield: done\n"
                 "5 then: done\n"
                 "10 a done\n"
                 "10 shield: done\n"
                 "15 then: done\n"
                 "20 c Input/output error\n"
                 "20 shield: Input/output error\n"
                 "25 then: done\n");
}

static void a_cancel_lands_in_the_wait_after_a_shield(void **state)
{
    struct shielded frame = {.call = {.name = "a", .ms = 20, .clean_ms = 3}};

    (void)state;
    spawn(&task, shielded, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(12);
    async_cancel(&loop, &task); /* the same cancel still */
    (void)run_to(100);

    assert_trace("23 a done\n"
                 "23 shield: done\n"
                 "23 then: canceled\n");
}

static void a_cancel_before_the_shield_is_held_off_too(void **state)
{
    struct shielded frame = {.call = {.name = "a", .ms = 20}};

    (void)state;
    spawn(&task, shielded, &frame);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("20 a done\n"
                 "20 shield: done\n"
                 "20 then: canceled\n");
}

static void a_timeout_around_a_shield_comes_too_late(void **state)
{
    struct shielded frame = {.outer_ms = 10, .call = {.name = "a", .ms = 20}};

    (void)state;
    spawn(&task, shielded, &frame);
    (void)run_to(100);

    assert_trace("20 a done\n"
                 "20 shield: done\n" /* it has finished: that counts */
                 "25 then: done\n");
}

static void a_timeout_inside_a_shield_is_not_held_off(void **state)
{
    struct shielded frame = {.inner_ms = 10,
                             .call = {.name = "a", .ms = 20, .clean_ms = 3}};

    (void)state;
    spawn(&task, shielded, &frame);
    (void)run_to(100);

    assert_trace("13 a canceled\n"
                 "13 shield: timed out\n"
                 "18 then: done\n");
}

static void with_a_cancel_asked_a_timeout_inside_a_shield_lands(void **state)
{
    struct shielded frame = {.inner_ms = 10, .call = {.name = "a", .ms = 20}};

    (void)state;
    spawn(&task, shielded, &frame);
    (void)run_to(5);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 a canceled\n"
                 "10 shield: timed out\n"
                 "10 then: canceled\n");
}

static void shielded_finished_and_canceled_on_one_tick_is_finished(void **state)
{
    struct shielded frame = {.call = {.name = "a", .ms = 10}};

    (void)state;
    spawn(&task, shielded, &frame);
    (void)run_to(9);
    async_cancel(&loop, &task);
    leap_to(10);

    assert_trace("10 a done\n"
                 "10 shield: done\n"
                 "10 then: canceled\n");
}

/* A body of a group, shielded. */
struct shielded_crew {
    struct async_frame async;
    struct async_group group;
    struct async_member member;
    struct child call, body, after;
    int rc;
};

static async shielded_body(struct async_loop *on, struct shielded_crew *self)
{
    async_status status = async_shield(on, child(on, &self->body));

    return status > 0 ? child(on, &self->after) : status;
}

static async shielded_crew(struct async_loop *on, void *frame)
{
    struct shielded_crew *self = frame;

    async_begin(self);
    (void)async_group_spawn(on, &self->group, &self->member, child,
                            &self->call);
    async_catch(self->rc,
                async_group(on, &self->group, shielded_body(on, self)));
    note_end("group:", self->rc);
    async_end();
}

static void a_groups_cancel_lands_in_the_wait_after_a_shield(void **state)
{
    struct shielded_crew frame = {
        .call = {.name = "a", .ms = 10, .error = -EIO},
        .body = {.name = "shielded", .ms = 30},
        .after = {.name = "after", .ms = 90}};

    (void)state;
    spawn(&task, shielded_crew, &frame);
    (void)run_to(100);

    assert_trace("10 a Input/output error\n"
                 "30 shielded done\n"
                 "30 after canceled\n"
                 "30 group: Input/output error\n");
}

/* A group in a shield. */
struct sheltered {
    struct async_frame async;
    struct crew crew;
    int rc;
};

static async sheltered(struct async_loop *on, void *frame)
{
    struct sheltered *self = frame;

    async_begin(self);
    await(async_shield(on, crew(on, &self->crew)));
    async_catch(self->rc, async_sleep_ms(on, 5));
    note("after the shield:", async_strerror(self->rc));
    async_end();
}

static void
a_shielded_groups_members_are_not_canceled_from_outside(void **state)
{
    struct sheltered frame = {
        .crew = {.count = 2,
                 .body = {.name = "body", .ms = 20},
                 .calls = {{.name = "a", .ms = 30}, {.name = "b", .ms = 25}}}};

    (void)state;
    spawn(&task, sheltered, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("20 body done\n"
                 "25 b done\n"
                 "30 a done\n"
                 "30 group: done\n"
                 "30 after the shield: canceled\n");
}

static void a_shielded_group_may_cancel_itself(void **state)
{
    struct sheltered frame = {.crew = {.count = 1,
                                       .body = {.name = "body", .ms = 90},
                                       .calls = {{.name = "a", .ms = 50}}}};

    (void)state;
    spawn(&task, sheltered, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(12);
    async_group_cancel(&loop, &frame.crew.group);
    (void)run_to(100);

    assert_trace("12 a canceled\n"
                 "12 body canceled\n"
                 "12 group: done\n"
                 "12 after the shield: canceled\n");
}

/* Children in a gather: one of them shielded, or the gather. */
struct shelter {
    struct async_frame async;
    struct child *call;
};

static async shelter(struct async_loop *on, void *frame)
{
    struct shelter *self = frame;

    async_begin(self);
    await(async_shield(on, child(on, self->call)));
    note("shelter", "is left");
    await(async_sleep_ms(on, 5));
    async_end();
}

struct gatherer {
    struct async_frame async;
    struct async_batch batch;
    struct async_task tasks[2];
    struct child calls[2];
    struct shelter shelter;
    int is_shielded;
    int rc;
};

static async_status gather_both(struct async_loop *on, struct gatherer *self)
{
    async_status status = async_gather(on, &self->batch, self->tasks, 2);

    return self->is_shielded ? async_shield(on, status) : status;
}

static async gatherer(struct async_loop *on, void *frame)
{
    struct gatherer *self = frame;

    async_begin(self);
    self->shelter.call = &self->calls[0];
    if (self->is_shielded)
        spawn(&self->tasks[0], child, &self->calls[0]);
    else
        spawn(&self->tasks[0], shelter, &self->shelter);
    spawn(&self->tasks[1], child, &self->calls[1]);
    async_catch(self->rc, gather_both(on, self));
    note("gather:", async_strerror(self->rc));
    async_catch(self->rc, async_sleep_ms(on, 5));
    note("then:", async_strerror(self->rc));
    async_end();
}

static void a_shielded_gathers_tasks_are_not_canceled_from_outside(void **state)
{
    struct gatherer frame = {
        .is_shielded = 1,
        .calls = {{.name = "a", .ms = 20}, {.name = "b", .ms = 30}}};

    (void)state;
    spawn(&task, gatherer, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("20 a done\n"
                 "30 b done\n"
                 "30 gather: done\n"
                 "30 then: canceled\n");
}

static void a_gathered_task_in_a_shield_is_awaited_to_its_end(void **state)
{
    struct gatherer frame = {
        .calls = {{.name = "a", .ms = 20}, {.name = "b", .ms = 30}}};

    (void)state;
    spawn(&task, gatherer, &frame);
    (void)run_to(10);
    async_cancel(&loop, &task);
    (void)run_to(100);

    assert_trace("10 b canceled\n"
                 "20 a done\n"
                 "20 shelter is left\n"
                 "20 gather: canceled\n"
                 "25 then: done\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        timeline_claim(a_group_is_over_when_body_and_last_member_have_ended),
        timeline_claim(a_group_waits_for_a_body_that_outlasts_the_members),
        timeline_claim(a_body_that_does_not_wait_is_over_at_once),
        timeline_claim(a_group_without_members_is_its_body),
        timeline_claim(a_group_may_have_no_body),
        timeline_claim(a_group_without_anything_is_done_at_once),
        timeline_claim(a_group_of_members_that_have_all_ended_does_not_wait),
        timeline_claim(members_may_be_spawned_while_the_body_runs),
        timeline_claim(members_may_spawn_members_after_the_bodys_end),
        timeline_claim(a_body_that_is_over_is_not_evaluated_again),
        timeline_claim(a_members_error_cancels_the_others_and_the_body),
        timeline_claim(members_are_canceled_in_the_order_they_were_spawned_in),
        timeline_claim(a_members_error_after_the_bodys_end_cancels_the_others),
        timeline_claim(of_several_errors_the_first_is_returned),
        timeline_claim(of_two_errors_on_one_tick_the_one_that_ran_first_is_it),
        timeline_claim(an_error_from_before_the_group_is_awaited_counts),
        timeline_claim(the_bodys_error_cancels_the_members),
        timeline_claim(a_body_that_fails_without_a_wait_cancels_the_members),
        timeline_claim(an_error_is_out_when_its_function_has_ended),
        timeline_claim(
            a_body_that_ends_well_all_the_same_does_not_hide_the_error),
        timeline_claim(a_body_that_ends_on_the_tick_of_an_error_has_ended),
        timeline_claim(a_body_whose_wait_is_over_ends_well_after_an_error),
        timeline_claim(a_member_that_somebody_cancels_is_not_an_error),
        timeline_claim(a_collecting_group_lets_members_run_to_their_ends),
        timeline_claim(the_body_of_a_collecting_group_cancels_by_its_error),
        timeline_claim(a_body_in_its_finally_section_is_not_cut_short),
        timeline_claim(a_body_is_asked_again_if_nothing_took_the_cancel),
        timeline_claim(a_canceled_group_cancels_its_members_and_awaits_them),
        timeline_claim(a_cancel_reaches_the_body_and_by_its_end_the_members),
        timeline_claim(a_cancel_reaches_a_body_without_members),
        timeline_claim(a_cancel_that_the_body_swallows_is_over),
        timeline_claim(a_body_that_makes_an_error_of_a_cancel_fails_with_it),
        timeline_claim(a_group_canceled_before_its_first_step_ends_at_once),
        timeline_claim(a_second_cancel_of_a_group_waits_for_the_wait_after_it),
        timeline_claim(an_error_in_a_canceled_groups_clean_up_came_second),
        timeline_claim(an_error_while_a_canceled_body_cleans_up_came_first),
        timeline_claim(an_error_and_a_cancel_on_one_tick_are_the_error_first),
        timeline_claim(a_cancel_and_an_error_on_one_tick_are_the_cancel_first),
        timeline_claim(a_cancel_while_a_failed_group_cleans_up_is_not_lost),
        timeline_claim(a_group_that_ends_on_the_tick_of_a_cancel_has_ended),
        timeline_claim(a_cancel_on_the_tick_of_the_bodys_end_lands_behind_it),
        timeline_claim(a_group_in_a_finally_section_is_not_cut_short),
        timeline_claim(
            an_error_cancels_a_body_in_a_finally_section_all_the_same),
        timeline_claim(a_group_that_is_canceled_ends_early_without_an_error),
        timeline_claim(a_group_may_be_canceled_after_its_bodys_end),
        timeline_claim(an_error_in_the_clean_up_of_a_canceled_group_is_one),
        timeline_claim(a_group_canceled_before_it_is_awaited_ends_when_it_is),
        timeline_claim(a_body_may_cancel_its_group_and_is_cut_in_its_next_wait),
        timeline_claim(a_body_may_cancel_its_group_and_end),
        timeline_claim(a_member_may_cancel_its_group),
        timeline_claim(a_body_that_gives_a_cancel_on_fails_with_it),
        timeline_claim(
            a_body_that_gives_a_cancel_on_has_not_failed_in_a_canceled_group),
        timeline_claim(canceled_by_itself_and_from_outside_loses_no_cancel),
        timeline_claim(canceled_from_outside_and_by_itself_loses_no_cancel),
        timeline_claim(a_cancel_while_a_canceled_group_unwinds_is_not_lost),
        timeline_claim(
            a_group_canceled_while_a_cancel_unwinds_its_body_is_canceled),
        timeline_claim(
            a_group_canceled_while_a_canceled_body_cleans_up_is_canceled),
        timeline_claim(an_error_reaches_a_body_through_calls),
        timeline_claim(a_cancel_that_a_body_took_through_calls_is_not_lost),
        timeline_claim(a_timeout_that_a_body_took_through_calls_is_not_lost),
        timeline_claim(a_cancel_taken_before_an_inner_group_asked_is_not_lost),
        timeline_claim(a_group_that_times_out_awaits_body_and_members),
        timeline_claim(a_group_that_times_out_after_its_bodys_end_does_so_too),
        timeline_claim(an_error_and_a_timeout_on_one_tick_are_the_error),
        timeline_claim(
            a_timeout_while_a_failed_group_cleans_up_changes_nothing),
        timeline_claim(a_body_that_times_out_fails_with_that),
        timeline_claim(a_bodys_timeout_and_an_error_on_one_tick_unwind_it_once),
        timeline_claim(an_error_in_the_outer_group_cancels_the_inner_one),
        timeline_claim(
            an_error_in_the_outer_group_cancels_an_inner_one_that_waits),
        timeline_claim(an_error_in_the_inner_group_is_the_outer_bodys),
        timeline_claim(a_cancel_reaches_groups_from_the_inside_out),
        timeline_claim(
            two_groups_that_fail_on_one_tick_unwind_the_inner_one_first),
        timeline_claim(a_group_may_be_a_member),
        timeline_claim(nothing_is_spawned_into_a_group_that_unwinds),
        timeline_claim(nothing_is_spawned_into_a_canceled_group),
        timeline_claim(nothing_is_spawned_into_a_group_that_is_over),
        timeline_claim(
            a_member_may_be_spawned_while_nobody_awaits_the_group_yet),
        timeline_claim(a_member_that_has_not_ended_is_not_spawned_again),
        timeline_claim(a_member_that_has_ended_may_be_spawned_again),
        timeline_claim(members_that_multiply_end_with_the_first_error),
        timeline_claim(a_group_that_is_over_may_be_run_again),
        timeline_claim(a_group_may_be_run_again_before_any_other_wait),
        timeline_claim(a_group_that_failed_can_be_canceled_when_it_runs_again),
        timeline_claim(
            a_group_that_was_canceled_can_end_early_when_it_runs_again),
        timeline_claim(a_group_that_another_task_awaits_is_refused),
        timeline_claim(without_assertions_a_rival_is_refused_and_harms_nobody),
        timeline_claim(a_group_awaited_outside_a_task_is_caught),
        timeline_claim(joiners_hear_of_members_and_leave_them_alone),
        timeline_claim(a_shield_lets_results_and_errors_through),
        timeline_claim(a_cancel_lands_in_the_wait_after_a_shield),
        timeline_claim(a_cancel_before_the_shield_is_held_off_too),
        timeline_claim(a_timeout_around_a_shield_comes_too_late),
        timeline_claim(a_timeout_inside_a_shield_is_not_held_off),
        timeline_claim(with_a_cancel_asked_a_timeout_inside_a_shield_lands),
        timeline_claim(shielded_finished_and_canceled_on_one_tick_is_finished),
        timeline_claim(a_groups_cancel_lands_in_the_wait_after_a_shield),
        timeline_claim(a_shielded_groups_members_are_not_canceled_from_outside),
        timeline_claim(a_shielded_group_may_cancel_itself),
        timeline_claim(a_shielded_gathers_tasks_are_not_canceled_from_outside),
        timeline_claim(a_gathered_task_in_a_shield_is_awaited_to_its_end),
    };

    return cmocka_run_group_tests_name("async_group.h", tests, NULL, NULL);
}
