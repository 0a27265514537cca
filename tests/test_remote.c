/* test_remote.c: what async_remote.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_remote.c -lcmocka -pthread
 *
 * First two loops on one thread, polled in the order that a test wants to see:
 * `home`, where calls are joined, and `there`, where they run. Then the same
 * with threads, where any order may be. Nothing here waits for a time to pass.
 * ROUNDS, from the environment or defined, scales what is repeated.
 */
#define _POSIX_C_SOURCE 200809L
#include "trace.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

static int yield_seen(void);
static int faulty_pipe(int fds[2]);
static int faulty_poll(struct pollfd *fds, nfds_t count, int timeout);
#define sched_yield yield_seen
#define pipe faulty_pipe
#define poll faulty_poll
#include "async_post.h"
static void overtaken_post(struct async_loop *loop, struct async_post *post,
                           void (*fn)(struct async_loop *loop,
                                      struct async_post *post));
#define async_post_send overtaken_post
#include "async_remote.h"
#undef async_post_send
#undef sched_yield
#undef pipe
#undef poll

#include "async_future.h"
#include "async_thread.h"

#include "poison.h"

#include <pthread.h>
#include <stdlib.h>

#ifndef ROUNDS
#define ROUNDS 1000
#endif

static int rounds(void)
{
    const char *given = getenv("ROUNDS");

    return given ? atoi(given) : ROUNDS;
}

/* ---- faults ------------------------------------------------------------- */

static pthread_t faulty_thread; /* whose calls are counted: the tests' */
static int pipe_fails_at, poll_fails_at, pipes, polls;

static int is_faulty(void)
{
    return pthread_equal(faulty_thread, pthread_self()) != 0;
}

static int faulty_pipe(int fds[2])
{
    if (is_faulty() && ++pipes == pipe_fails_at) {
        errno = EMFILE;
        return -1;
    }
    return pipe(fds);
}

static int faulty_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    if (is_faulty() && ++polls == poll_fails_at) {
        errno = EINTR;
        return -1;
    }
    return poll(fds, count, timeout);
}

/* ---- the cast ----------------------------------------------------------- */

static struct async_loop home, there;
static struct async_task tasks[4]; /* at home */

/* What runs there. */
struct work {
    struct async_frame async;
    const char *name;
    struct async_future *until;        /* waits for it; NULL: does not */
    struct async_future *clean;        /* waits for it in its clean-up */
    void (*during)(struct work *self); /* is called in its last step */
    int heeds_not, result, rc, started, cleaned;
};

static async work(struct async_loop *loop, void *frame)
{
    struct work *self = frame;

    async_begin(self);
    self->started = 1;
    if (self->until)
        async_catch(self->rc, async_future_wait(loop, self->until));
    if (self->during)
        self->during(self);
    if (self->rc < 0 && !self->heeds_not)
        async_fail(self->rc);
    if (self->result < 0)
        async_fail(self->result);
    async_finally();
    if (self->clean)
        await(async_future_wait(loop, self->clean));
    self->cleaned = 1;
    async_end();
}

/* What joins it at home, and then perhaps sleeps. */
struct joiner {
    struct async_frame async;
    const char *name;
    struct async_remote *call;
    uint32_t limit_ms; /* 0: none */
    int then;
    struct async_timer timer;
    int status, is_over;
};

static async joiner(struct async_loop *loop, void *frame)
{
    struct joiner *self = frame;

    async_begin(self);
    if (self->limit_ms)
        async_catch(self->status,
                    async_timeout(loop, &self->timer, self->limit_ms,
                                  async_join_on(loop, self->call)));
    else
        async_catch(self->status, async_join_on(loop, self->call));
    trace("%s %s", self->name, async_strerror(self->status));
    if (self->then) {
        async_catch(self->status, async_sleep_ms(loop, 0));
        trace("%s then %s", self->name, async_strerror(self->status));
    }
    self->is_over = 1;
    async_end();
}

static struct async_remote call;
static struct work job;
static struct joiner joiners[4];
static struct async_future never, gate;

static int remote_setup(void **state)
{
    static const struct async_remote no_call;
    static const struct async_future no_future;
    static const struct async_task no_task;
    static const struct joiner no_joiner;
    static const struct work no_work;
    int i;

    async_loop_init(&home);
    async_loop_init(&there);
    call = no_call;
    job = no_work;
    job.name = "job";
    never = gate = no_future;
    for (i = 0; i < 4; i++) {
        tasks[i] = no_task;
        joiners[i] = no_joiner;
        joiners[i].call = &call;
    }
    joiners[0].name = "a";
    joiners[1].name = "b";
    pipe_fails_at = poll_fails_at = pipes = polls = 0;
    return trace_setup(state);
}
#define remote_claim(test) cmocka_unit_test_setup(test, remote_setup)

static void settle_at(struct async_loop *loop, async_time now)
{
    while (async_poll(loop, now) == 0)
        ;
}

static void run_there(void)
{
    settle_at(&there, 0);
}

static void run_home(void)
{
    settle_at(&home, 0);
}

static void join_as(int i)
{
    int status = async_spawn(&home, &tasks[i], joiner, &joiners[i]);

    assert_int_equal(status, 0);
}

static void start(void)
{
    int status = async_spawn_on(&there, &call, work, &job);

    assert_int_equal(status, 0);
}

/* Nothing is left on either loop, or on its way to one. */
static void assert_nothing_left(void)
{
    int status = async_loop_end(&home);

    assert_int_equal(status, 0);
    status = async_loop_end(&there);
    assert_int_equal(status, 0);
    assert_int_equal(home.coming_, 0);
    assert_int_equal(home.posted_, 0);
    assert_int_equal(there.coming_, 0);
    assert_int_equal(there.posted_, 0);
}

/* ---- spawn and join ----------------------------------------------------- */

static void
a_function_runs_on_the_other_loop_and_its_end_comes_home(void **state)
{
    (void)state;
    start();
    join_as(0);
    run_home();
    assert_int_equal(job.started, 0);
    run_there();
    assert_int_equal(job.started, 1);
    assert_trace("");
    run_home();

    assert_trace("a done\n");
    assert_nothing_left();
}

static void its_error_comes_home_and_is_nobody_elses(void **state)
{
    (void)state;
    job.result = -EIO;
    start();
    join_as(0);
    run_home();
    run_there();
    run_home();

    assert_trace("a Input/output error\n");
    assert_int_equal(async_unjoined(&there), 0);
    assert_nothing_left();
}

static void a_call_that_has_ended_is_joined_at_once(void **state)
{
    (void)state;
    job.result = -EIO;
    start();
    run_there();
    join_as(0);
    (void)async_poll(&home, 0);

    assert_trace("a Input/output error\n");
    assert_nothing_left();
}

static void the_outcome_can_be_asked_for_instead(void **state)
{
    (void)state;
    job.until = &gate;
    job.result = -EIO;
    assert_int_equal(async_outcome_on(&call), ASYNC_PENDING);
    start();
    assert_int_equal(async_outcome_on(&call), ASYNC_PENDING);
    run_there();
    assert_int_equal(async_outcome_on(&call), ASYNC_PENDING);
    (void)async_future_set(&there, &gate, ASYNC_DONE);
    run_there();
    assert_int_equal(async_outcome_on(&call), -EIO);

    assert_nothing_left();
}

static void
while_its_end_is_on_its_way_home_the_joiner_is_not_stuck(void **state)
{
    (void)state;
    start();
    join_as(0);
    run_home();
    assert_false(async_stuck(&home));
    run_there();
    assert_false(async_stuck(&home));
    run_home();

    assert_trace("a done\n");
    assert_nothing_left();
}

static void a_call_may_be_spawned_again_when_it_has_ended(void **state)
{
    static const struct async_frame zero;

    (void)state;
    start();
    join_as(0);
    run_home();
    run_there();
    run_home();
    job.async = zero;
    job.result = -EPERM;
    start();
    join_as(1);
    run_home();
    run_there();
    run_home();

    assert_trace("a done\nb Operation not permitted\n");
    assert_nothing_left();
}

static void who_has_joined_may_free_the_call(void **state)
{
    struct async_remote *own = calloc(1, sizeof *own);
    int status;

    (void)state;
    assert_non_null(own);
    joiners[0].call = own;
    status = async_spawn_on(&there, own, work, &job);
    assert_int_equal(status, 0);
    join_as(0);
    run_home();
    run_there();
    run_home();
    assert_int_equal(joiners[0].is_over, 1);
    poison(own, sizeof *own);
    run_there();
    run_home();
    unpoison(own, sizeof *own);
    free(own);

    assert_trace("a done\n");
    assert_nothing_left();
}

static void a_loop_may_call_itself(void **state)
{
    (void)state;
    (void)async_spawn_on(&home, &call, work, &job);
    join_as(0);
    run_home();

    assert_trace("a done\n");
    assert_nothing_left();
}

/* Joins, leaves that for something else, and joins again. */
static int turns;

static async_status joins_twice(struct async_loop *loop, void *frame)
{
    async_status status;

    (void)frame;
    if (turns++ == 1)
        return async_yield_now(loop);
    status = async_join_on(loop, &call);
    if (status != ASYNC_PENDING)
        trace("%s, %d on the way", async_strerror(status), loop->posted_ != 0);
    return status;
}

static async_status ends_it(struct async_loop *loop, void *frame)
{
    (void)loop;
    (void)frame;
    run_there();
    return ASYNC_DONE;
}

static void
a_join_that_was_left_and_is_made_again_waits_for_the_message(void **state)
{
    int status;

    (void)state;
    turns = 0;
    start();
    status = async_spawn(&home, &tasks[0], joins_twice, NULL);
    assert_int_equal(status, 0);
    run_home();
    status = async_spawn(&home, &tasks[1], ends_it, NULL);
    assert_int_equal(status, 0);
    async_ready_task_(&home, &tasks[0]);
    run_home();

    assert_trace("done, 0 on the way\n");
    assert_nothing_left();
}

static void spawn_running_call(void *argument)
{
    (void)argument;
    (void)async_spawn_on(&there, &call, work, &job);
}

static void a_call_that_runs_is_not_spawned_again(void **state)
{
    int status;

    (void)state;
    start();
    assert_stops("a call to another loop is spawned while it runs",
                 spawn_running_call, NULL);
    stops_are_noted(1);
    status = async_spawn_on(&there, &call, work, &job);
    assert_int_equal(status, ASYNC_EBUSY);
    stops_are_noted(0);
    join_as(0);
    run_home();
    run_there();
    run_home();

    assert_trace("a done\n");
    assert_nothing_left();
}

static void a_call_that_was_never_spawned_is_not_joined(void **state)
{
    (void)state;
    join_as(0);
    stops_are_noted(1);
    run_home();
    assert_noted("joins a call to another loop that was never spawned");
    stops_are_noted(0);

    assert_trace("a invalid argument\n");
    assert_nothing_left();
}

static void a_second_task_that_joins_is_a_mistake(void **state)
{
    (void)state;
    start();
    join_as(0);
    run_home();
    join_as(1);
    stops_are_noted(1);
    run_home();
    assert_noted("one task joins a call to another loop");
    stops_are_noted(0);
    async_cancel(&home, &tasks[1]);
    run_there();
    run_home();
    async_cancel(&home, &tasks[1]);
    run_home();
}

/* ---- cancel ------------------------------------------------------------- */

static void a_cancel_crosses_over_and_is_waited_for(void **state)
{
    (void)state;
    job.until = &never;
    job.clean = &gate;
    start();
    join_as(0);
    run_home();
    run_there();
    async_cancel(&home, &tasks[0]);
    run_home();
    run_there();
    run_home();
    assert_trace(""); /* it cleans up */
    assert_int_equal(job.rc, ASYNC_ECANCELED);
    (void)async_future_set(&there, &gate, ASYNC_DONE);
    run_there();
    run_home();

    assert_trace("a canceled\n");
    assert_int_equal(job.cleaned, 1);
    assert_nothing_left();
}

static void a_second_cancel_does_not_cut_the_clean_up_short(void **state)
{
    (void)state;
    job.until = &never;
    job.clean = &gate;
    start();
    join_as(0);
    run_home();
    run_there();
    async_cancel(&home, &tasks[0]);
    run_home();
    async_cancel(&home, &tasks[0]);
    run_home();
    run_there();
    run_home();
    async_cancel(&home, &tasks[0]);
    run_home();
    run_there();
    run_home();
    assert_trace("");
    (void)async_future_set(&there, &gate, ASYNC_DONE);
    run_there();
    run_home();

    assert_trace("a canceled\n");
    assert_int_equal(job.cleaned, 1);
    assert_nothing_left();
}

static void a_cancel_before_the_start_arrives_all_the_same(void **state)
{
    (void)state;
    job.until = &never;
    start();
    join_as(0);
    async_cancel(&home, &tasks[0]);
    run_home();
    assert_trace("");
    run_there();
    run_home();

    assert_trace("a canceled\n");
    assert_int_equal(job.rc, ASYNC_ECANCELED);
    assert_nothing_left();
}

/* Who spawns a call may be held up before it is sent: others know it by then,
 * and their cancel is there first. */
static int is_overtaken;

static void overtaken_post(struct async_loop *loop, struct async_post *post,
                           void (*fn)(struct async_loop *loop,
                                      struct async_post *post))
{
    if (is_faulty() && is_overtaken) {
        is_overtaken = 0;
        async_cancel_on(&call);
    }
    async_post_send(loop, post, fn);
}

static void a_cancel_that_overtakes_its_call_is_not_lost(void **state)
{
    (void)state;
    job.until = &never;
    is_overtaken = 1;
    start();
    join_as(0);
    run_home();
    run_there();
    run_home();

    assert_trace("a canceled\n");
    assert_int_equal(job.rc, ASYNC_ECANCELED);
    assert_int_equal(job.cleaned, 1);
    assert_nothing_left();
}

static void ended_there_before_the_cancel_at_home_it_has_ended(void **state)
{
    (void)state;
    joiners[0].then = 1;
    start();
    join_as(0);
    run_home();
    run_there(); /* it has ended; that is on its way */
    async_cancel(&home, &tasks[0]);
    run_home();

    assert_trace("a done\na then canceled\n");
    assert_nothing_left();
}

/* Its joiner is canceled while its last step runs. */
static void cancel_the_joiner(struct work *self)
{
    (void)self;
    async_cancel(&home, &tasks[0]);
    run_home();
}

/* A host that cancels the call when home is told of its end. */
static int cancels_when_told;

static void cancel_when_told(void *arg)
{
    (void)arg;
    if (cancels_when_told)
        async_cancel_on(&call);
}

static void a_cancel_while_the_end_is_on_its_way_home_is_nothing(void **state)
{
    static const struct async_host host = {cancel_when_told, NULL, NULL};

    (void)state;
    cancels_when_told = 0;
    async_attach(&home, &host);
    start();
    join_as(0);
    run_home();
    cancels_when_told = 1;
    (void)async_poll(&there, 0); /* starts, and ends */
    cancels_when_told = 0;
    assert_int_equal(there.posted_, 0);
    run_home();
    async_attach(&home, NULL);

    assert_trace("a done\n");
    assert_nothing_left();
}

static void it_ends_while_the_cancel_is_on_its_way_there(void **state)
{
    (void)state;
    joiners[0].then = 1;
    job.until = &gate;
    job.during = cancel_the_joiner;
    start();
    join_as(0);
    run_home();
    run_there();
    (void)async_future_set(&there, &gate, ASYNC_DONE);
    (void)async_poll(&there, 0); /* it ends; the cancel has not been taken */
    assert_int_equal(job.cleaned, 1);
    assert_int_equal(async_outcome_on(&call), ASYNC_PENDING);
    run_home();
    assert_trace("");
    run_there();
    run_home();

    /* It has finished, so the cancel is taken by what follows. */
    assert_trace("a done\na then canceled\n");
    assert_nothing_left();
}

static void a_call_that_is_spawned_again_remembers_nothing(void **state)
{
    (void)state;
    it_ends_while_the_cancel_is_on_its_way_there(state);
    job = (struct work){.until = &never, .clean = &gate};
    gate = (struct async_future){.cancel = NULL};
    joiners[1].then = 1;
    start();
    join_as(1);
    run_home();
    run_there();
    async_cancel(&home, &tasks[1]);
    run_home();
    run_there();
    run_home();
    assert_trace(""); /* it cleans up */
    (void)async_future_set(&there, &gate, ASYNC_DONE);
    run_there();
    run_home();

    assert_trace("b canceled\nb then done\n");
    assert_nothing_left();
}

static void a_cancel_that_is_not_heeded_is_taken_by_what_follows(void **state)
{
    (void)state;
    joiners[0].then = 1;
    job.until = &never;
    job.heeds_not = 1;
    start();
    join_as(0);
    run_home();
    run_there();
    async_cancel(&home, &tasks[0]);
    run_home();
    run_there();
    run_home();

    assert_trace("a done\na then canceled\n");
    assert_nothing_left();
}

static void a_timeout_crosses_over_too(void **state)
{
    (void)state;
    joiners[0].limit_ms = 10;
    joiners[0].then = 1;
    job.until = &never;
    start();
    join_as(0);
    run_home();
    run_there();
    settle_at(&home, 10);
    run_there();
    assert_trace("");
    settle_at(&home, 11);

    assert_trace("a timed out\na then done\n");
    assert_int_equal(job.rc, ASYNC_ECANCELED);
    assert_nothing_left();
}

static void timed_out_but_finished_it_is_the_result(void **state)
{
    (void)state;
    joiners[0].limit_ms = 10;
    joiners[0].then = 1;
    job.until = &never;
    job.heeds_not = 1;
    start();
    join_as(0);
    run_home();
    run_there();
    settle_at(&home, 10);
    run_there();
    settle_at(&home, 11);

    assert_trace("a done\na then done\n"); /* nothing is left of the timeout */
    assert_nothing_left();
}

static void timed_out_and_canceled_the_next_wait_takes_the_cancel(void **state)
{
    (void)state;
    joiners[0].limit_ms = 10;
    joiners[0].then = 1;
    job.until = &never;
    start();
    join_as(0);
    run_home();
    run_there();
    settle_at(&home, 10);
    async_cancel(&home, &tasks[0]);
    settle_at(&home, 10);
    run_there();
    settle_at(&home, 11);

    assert_trace("a timed out\na then canceled\n");
    assert_nothing_left();
}

static void anybody_may_cancel_a_call(void **state)
{
    (void)state;
    async_cancel_on(&call); /* never spawned: nothing */
    job.until = &never;
    start();
    join_as(0);
    run_home();
    async_cancel_on(&call);
    async_cancel_on(&call);
    run_there();
    run_home();
    async_cancel_on(&call); /* it has ended: nothing */
    assert_int_equal(there.posted_, 0);
    joiners[1].then = 1;
    join_as(1);
    run_home();

    assert_trace("a canceled\nb canceled\nb then done\n");
    assert_nothing_left();
}

static void two_cancels_one_after_the_other_both_arrive(void **state)
{
    static struct async_future other;
    static const struct async_future zero;

    (void)state;
    other = zero;
    job.until = &never;
    job.heeds_not = 1;
    start();
    run_there();
    async_cancel_on(&call);
    run_there();
    assert_int_equal(async_outcome_on(&call), ASYNC_DONE);

    remote_setup(state);
    job.until = &other;
    job.clean = &gate;
    start();
    run_there();
    async_cancel_on(&call);
    run_there();
    async_cancel_on(&call);
    run_there();
    assert_int_equal(async_outcome_on(&call), ASYNC_PENDING);
    (void)async_future_set(&there, &gate, ASYNC_DONE);
    run_there();
    assert_int_equal(async_outcome_on(&call), ASYNC_ECANCELED);
    assert_nothing_left();
}

static void it_is_canceled_by_nobody_who_joins_and_ends_meanwhile(void **state)
{
    (void)state;
    start();
    async_cancel_on(&call); /* before it starts; it has no wait to be cut */
    run_there();

    assert_int_equal(async_outcome_on(&call), ASYNC_DONE);
    assert_int_equal(job.cleaned, 1);
    assert_nothing_left();
}

/* ---- from other threads ------------------------------------------------- */

/* A loop on a thread of its own, until it is stopped. */
struct server {
    struct async_loop loop;
    struct async_frame async;
    struct async_future stop;
    pthread_t thread;
    int status;
};
static struct server servers[4];

static async serve(struct async_loop *loop, void *frame)
{
    struct server *self = frame;

    async_begin(self);
    await(async_future_wait(loop, &self->stop));
    async_end();
}

struct serving {
    struct async_frame async; /* first */
    struct server *server;
};

static async serving(struct async_loop *loop, void *frame)
{
    struct serving *self = frame;

    return serve(loop, self->server);
}

static void *server_thread(void *arg)
{
    struct server *server = arg;
    struct serving frame = {.server = server};

    server->status = async_run(&server->loop, serving, &frame);
    return NULL;
}

static void start_server(struct server *server)
{
    static const struct server zero;
    int error;

    *server = zero;
    error = pthread_create(&server->thread, NULL, server_thread, server);
    assert_int_equal(error, 0);
}

static void stop_server(struct server *server)
{
    (void)async_future_set(&server->loop, &server->stop, ASYNC_DONE);
    (void)pthread_join(server->thread, NULL);
    assert_int_equal(server->status, ASYNC_DONE);
    assert_int_equal(server->loop.coming_, 0);
}

static int server_setup(void **state)
{
    int status = remote_setup(state);

    start_server(&servers[0]);
    return status;
}

static int server_teardown(void **state)
{
    (void)state;
    stop_server(&servers[0]);
    return 0;
}
#define server_claim(test)                                                     \
    cmocka_unit_test_setup_teardown(test, server_setup, server_teardown)

static void
a_thread_runs_a_function_on_the_loop_and_gets_its_result(void **state)
{
    int status;

    (void)state;
    job.result = -EIO;
    status = async_run_on(&servers[0].loop, &call, work, &job, 60000);
    assert_int_equal(status, -EIO);
    assert_int_equal(job.cleaned, 1);

    job = (struct work){.name = "job"};
    status =
        async_run_on(&servers[0].loop, &call, work, &job, ASYNC_NO_TIMEOUT);
    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(job.cleaned, 1);
}

static void a_run_that_times_out_has_cleaned_up_when_it_returns(void **state)
{
    static const uint32_t limits[] = {0, 1};
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        struct work *frame = calloc(1, sizeof *frame);
        int status;

        assert_non_null(frame);
        frame->until = &never;
        status = async_run_on(&servers[0].loop, &call, work, frame, limits[i]);
        assert_int_equal(status, ASYNC_ETIMEDOUT);
        assert_int_equal(frame->rc, ASYNC_ECANCELED);
        assert_int_equal(frame->cleaned, 1);
        free(frame); /* nobody touches it any more */
    }
}

static void a_run_that_times_out_and_finishes_all_the_same_is_done(void **state)
{
    int status;

    (void)state;
    job.until = &never;
    job.heeds_not = 1;
    status = async_run_on(&servers[0].loop, &call, work, &job, 1);

    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(job.rc, ASYNC_ECANCELED);
}

static void *cancels_call(void *arg)
{
    (void)arg;
    while (async_atomic_load_(&call.is_) == 0)
        (void)sched_yield(); /* until it is spawned */
    async_cancel_on(&call);
    return NULL;
}

static void a_third_thread_cancels_a_run(void **state)
{
    pthread_t thread;
    int status, error;

    (void)state;
    job.until = &never;
    error = pthread_create(&thread, NULL, cancels_call, NULL);
    assert_int_equal(error, 0);
    status =
        async_run_on(&servers[0].loop, &call, work, &job, ASYNC_NO_TIMEOUT);
    (void)pthread_join(thread, NULL);

    assert_int_equal(status, ASYNC_ECANCELED);
    assert_int_equal(job.cleaned, 1);
}

static void without_a_pipe_nothing_runs_and_the_error_is_told(void **state)
{
    int n, status = 0;

    (void)state;
    for (n = 1; status != ASYNC_DONE; n++) {
        pipes = 0;
        pipe_fails_at = n;
        status = async_run_on(&servers[0].loop, &call, work, &job, 60000);
        if (status != ASYNC_DONE) {
            assert_int_equal(status, -EMFILE);
            assert_int_equal(job.started, 0);
        }
    }
    pipe_fails_at = 0;

    assert_int_equal(n, 3);
    assert_int_equal(job.cleaned, 1);
}

static void a_poll_that_fails_is_done_again(void **state)
{
    int n, met = 1;

    (void)state;
    for (n = 1; met && n < 100; n++) {
        int status;

        job = (struct work){.name = "job"};
        polls = 0;
        poll_fails_at = n;
        status = async_run_on(&servers[0].loop, &call, work, &job, 60000);
        met = polls >= n;
        assert_int_equal(status, ASYNC_DONE);
        assert_int_equal(job.cleaned, 1);
    }
    poll_fails_at = 0;
    assert_in_range(n, 2, 99);
}

/* A host that keeps who notifies it from elsewhere, until somebody yields. */
static size_t is_held, may_return; /* atomic */

static void hold_others(void *arg)
{
    (void)arg;
    if (is_faulty()) /* the tests' own thread */
        return;
    async_atomic_store_(&is_held, 1);
    while (!async_atomic_load_(&may_return))
        (void)sched_yield();
}

static int yield_seen(void)
{
    async_atomic_store_(&may_return, 1);
    return sched_yield();
}

static void
a_join_is_over_when_nobody_there_touches_its_loop_any_more(void **state)
{
    static const struct async_host host = {hold_others, NULL, NULL};
    size_t might_return;

    (void)state;
    async_atomic_store_(&is_held, 0);
    async_atomic_store_(&may_return, 0);
    async_attach(&home, &host);
    job.until = &gate;
    (void)async_spawn_on(&servers[0].loop, &call, work, &job);
    join_as(0);
    run_home();
    (void)async_future_set(&servers[0].loop, &gate, ASYNC_DONE);
    while (!async_atomic_load_(&is_held))
        (void)sched_yield();
    run_home(); /* it has been told, but is still being so */
    might_return = async_atomic_load_(&may_return);
    async_atomic_store_(&may_return, 1);
    async_attach(&home, NULL);

    assert_int_equal(might_return, 1);
    assert_trace("a done\n");
}

/* Blocks its own loop, or would. */
static async blocks_itself(struct async_loop *loop, void *frame)
{
    async_begin((struct work *)frame);
    job.rc = async_run_on(loop, &call, work, &job, 1000);
    async_end();
}

static void a_run_on_the_loops_own_thread_is_refused(void **state)
{
    struct work frame = {.name = "itself"};
    int status;

    (void)state;
    stops_are_noted(1);
    status = async_run(&home, blocks_itself, &frame);
    assert_noted("async_run_on on the thread that drives the loop");
    stops_are_noted(0);

    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(job.rc, ASYNC_EDEADLK);
    assert_int_equal(job.started, 0);
    assert_nothing_left();
}

static void pokes(void *arg)
{
    (void)arg;
}

static void between_polls_too_and_not_when_the_host_has_gone(void **state)
{
    static const struct async_host host = {pokes, NULL, NULL};
    int status;

    (void)state;
    async_attach(&home, &host);
    stops_are_noted(1);
    status = async_run_on(&home, &call, work, &job, 1000);
    assert_noted("async_run_on on the thread that drives the loop");
    stops_are_noted(0);
    async_attach(&home, NULL);

    assert_int_equal(status, ASYNC_EDEADLK);
    assert_int_equal(home.owner_, 0);
    assert_nothing_left();
}

/* A job on a thread that runs an async function on the loop that waits for
 * the job. */
struct there_and_back {
    struct async_frame async;
    struct async_executor executor;
    struct async_job job;
    struct async_loop *loop;
    struct async_remote call;
    struct work work;
};

static int calls_back(struct async_job *in, void *arg)
{
    struct there_and_back *self = arg;

    (void)in;
    return async_run_on(self->loop, &self->call, work, &self->work, 60000);
}

static async there_and_back(struct async_loop *loop, void *frame)
{
    struct there_and_back *self = frame;

    async_begin(self);
    self->loop = loop;
    await(async_offload(loop, &self->executor, &self->job, calls_back, self));
    async_end();
}

static void
a_blocking_call_runs_async_code_on_the_loop_that_awaits_it(void **state)
{
    static struct there_and_back frame;
    int status;

    (void)state;
    status = async_executor_start(&frame.executor, 1, 1);
    assert_int_equal(status, 0);
    frame.work.result = -EIO;
    status = async_run(&home, there_and_back, &frame);
    async_executor_stop(&frame.executor, ASYNC_STOP_DRAIN);

    assert_int_equal(status, -EIO);
    assert_int_equal(frame.work.cleaned, 1);
}

/* Threads that call, some to be canceled, some to time out. */
struct client {
    pthread_t thread;
    unsigned chance;
    int wrong, done, stopped;
};

static unsigned draw(unsigned *chance, unsigned below)
{
    *chance = *chance * 1103515245 + 12345;
    return (*chance >> 16) % below;
}

static void *client_thread(void *arg)
{
    struct client *self = arg;
    int round;

    for (round = 0; round < rounds() / 5; round++) {
        struct async_remote one = {0};
        struct work frame = {.name = "client"};
        unsigned kind = draw(&self->chance, 3);
        int status;

        frame.until = kind ? &never : NULL;
        frame.heeds_not = kind == 2;
        frame.result = kind == 2 ? -EIO : 0;
        status = async_run_on(&servers[0].loop, &one, work, &frame,
                              kind ? draw(&self->chance, 2) : 60000);
        if (status != (kind == 0   ? ASYNC_DONE
                       : kind == 1 ? ASYNC_ETIMEDOUT
                                   : -EIO) ||
            !frame.cleaned)
            self->wrong = status ? status : 1;
        if (kind)
            self->stopped++;
        else
            self->done++;
    }
    return NULL;
}

static void threads_call_at_once_and_each_gets_its_own(void **state)
{
    enum { CLIENTS = 3 };
    struct client clients[CLIENTS] = {{.chance = 1}};
    int i, error = 0;

    (void)state;
    for (i = 0; i < CLIENTS; i++) {
        clients[i].chance = (unsigned)i + 1;
        error |= pthread_create(&clients[i].thread, NULL, client_thread,
                                &clients[i]);
    }
    assert_int_equal(error, 0);
    for (i = 0; i < CLIENTS; i++) {
        (void)pthread_join(clients[i].thread, NULL);
        assert_int_equal(clients[i].wrong, 0);
    }
}

/* ---- from loop to loop -------------------------------------------------- */

/* Goes around: each loop has the next one do the rest. */
struct hop {
    struct async_frame async;
    struct async_remote next;
    struct hop *hops;
    int left, sum, at;
};

static async hop(struct async_loop *loop, void *frame)
{
    struct hop *self = frame;

    async_begin(self);
    if (self->left) {
        struct hop *next = self + 1;

        next->left = self->left - 1;
        next->at = (self->at + 1) % 4;
        if (async_spawn_on(&servers[next->at].loop, &self->next, hop, next) < 0)
            async_fail(ASYNC_EBUSY);
    }
    if (self->left)
        await(async_join_on(loop, &self->next));
    self->sum = self->left + (self->left ? self[1].sum : 0);
    async_end();
}

static void a_call_goes_around_a_ring_of_four_loops(void **state)
{
    enum { HOPS = 40 };
    static struct hop hops[HOPS + 1];
    int i, round, status;

    (void)state;
    for (i = 1; i < 4; i++)
        start_server(&servers[i]);
    for (round = 0; round < 1 + rounds() / 50; round++) {
        struct async_remote first = {0};

        memset(hops, 0, sizeof hops);
        hops[0].left = HOPS;
        status = async_run_on(&servers[0].loop, &first, hop, &hops[0],
                              ASYNC_NO_TIMEOUT);
        assert_int_equal(status, ASYNC_DONE);
        assert_int_equal(hops[0].sum, HOPS * (HOPS + 1) / 2);
    }
    for (i = 1; i < 4; i++)
        stop_server(&servers[i]);
}

/* A task here that is canceled by another one here, while what it joins may
 * just be ending there. */
struct pair {
    struct async_frame async;
    struct work work;
    struct async_remote call;
    struct joiner joiner;
    struct async_task task;
    unsigned chance;
    int round, wrong, finished, canceled;
};

static async pair(struct async_loop *loop, void *frame)
{
    struct pair *self = frame;

    async_begin(self);
    for (self->round = 0; self->round < rounds(); self->round++) {
        self->work = (struct work){.name = "work"};
        self->joiner = (struct joiner){.name = "pair", .call = &self->call};
        if (draw(&self->chance, 4) == 0)
            self->work.until = &never; /* ends by the cancel only */
        (void)async_spawn_on(&servers[0].loop, &self->call, work, &self->work);
        trace_clear();
        async_spawn(loop, &self->task, joiner, &self->joiner);
        while (draw(&self->chance, 4))
            await(async_sleep_ms(loop, 0));
        async_cancel(loop, &self->task);
        await(async_join(loop, &self->task));
        if (self->joiner.status == ASYNC_DONE)
            self->finished++;
        else
            self->canceled++;
        if (!self->work.started || !self->work.cleaned ||
            (self->joiner.status != ASYNC_DONE &&
             self->joiner.status != ASYNC_ECANCELED) ||
            (self->work.until && self->joiner.status == ASYNC_DONE))
            self->wrong = 1;
    }
    async_end();
}

static void cancels_and_ends_that_cross_leave_nothing_behind(void **state)
{
    static struct pair frame;
    int status;

    (void)state;
    memset(&frame, 0, sizeof frame);
    frame.chance = 7;
    status = async_run(&home, pair, &frame);

    assert_int_equal(status, ASYNC_DONE);
    assert_int_equal(frame.wrong, 0);
    assert_int_equal(home.coming_, 0);
    print_message("# %d finished, %d canceled\n", frame.finished,
                  frame.canceled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        remote_claim(a_function_runs_on_the_other_loop_and_its_end_comes_home),
        remote_claim(its_error_comes_home_and_is_nobody_elses),
        remote_claim(a_call_that_has_ended_is_joined_at_once),
        remote_claim(the_outcome_can_be_asked_for_instead),
        remote_claim(while_its_end_is_on_its_way_home_the_joiner_is_not_stuck),
        remote_claim(a_call_may_be_spawned_again_when_it_has_ended),
        remote_claim(who_has_joined_may_free_the_call),
        remote_claim(a_loop_may_call_itself),
        remote_claim(
            a_join_that_was_left_and_is_made_again_waits_for_the_message),
        remote_claim(a_call_that_runs_is_not_spawned_again),
        remote_claim(a_call_that_was_never_spawned_is_not_joined),
        remote_claim(a_second_task_that_joins_is_a_mistake),

        remote_claim(a_cancel_crosses_over_and_is_waited_for),
        remote_claim(a_second_cancel_does_not_cut_the_clean_up_short),
        remote_claim(a_cancel_before_the_start_arrives_all_the_same),
        remote_claim(a_cancel_that_overtakes_its_call_is_not_lost),
        remote_claim(ended_there_before_the_cancel_at_home_it_has_ended),
        remote_claim(a_cancel_while_the_end_is_on_its_way_home_is_nothing),
        remote_claim(it_ends_while_the_cancel_is_on_its_way_there),
        remote_claim(a_call_that_is_spawned_again_remembers_nothing),
        remote_claim(a_cancel_that_is_not_heeded_is_taken_by_what_follows),
        remote_claim(a_timeout_crosses_over_too),
        remote_claim(timed_out_but_finished_it_is_the_result),
        remote_claim(timed_out_and_canceled_the_next_wait_takes_the_cancel),
        remote_claim(anybody_may_cancel_a_call),
        remote_claim(two_cancels_one_after_the_other_both_arrive),
        remote_claim(it_is_canceled_by_nobody_who_joins_and_ends_meanwhile),

        server_claim(a_thread_runs_a_function_on_the_loop_and_gets_its_result),
        server_claim(a_run_that_times_out_has_cleaned_up_when_it_returns),
        server_claim(a_run_that_times_out_and_finishes_all_the_same_is_done),
        server_claim(a_third_thread_cancels_a_run),
        server_claim(without_a_pipe_nothing_runs_and_the_error_is_told),
        server_claim(a_poll_that_fails_is_done_again),
        server_claim(
            a_join_is_over_when_nobody_there_touches_its_loop_any_more),
        remote_claim(a_run_on_the_loops_own_thread_is_refused),
        remote_claim(between_polls_too_and_not_when_the_host_has_gone),
        server_claim(
            a_blocking_call_runs_async_code_on_the_loop_that_awaits_it),
        server_claim(threads_call_at_once_and_each_gets_its_own),
        server_claim(a_call_goes_around_a_ring_of_four_loops),
        server_claim(cancels_and_ends_that_cross_leave_nothing_behind),
    };

    faulty_thread = pthread_self();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
