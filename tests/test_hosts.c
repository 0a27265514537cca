/* test_hosts.c: what a host can rely on, and what adapters/poll.h, epoll.h and
 * onefd.h promise, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_hosts.c -lcmocka
 *
 * The rules of embedding are r1 to r7; what a real host adds to r3 (a wake is
 * remembered) and r4 (the deadline does not overwrite it) is in tests/hosts.
 * The clock is the system's where there is a host, so no test asks how long
 * something took; a host that hangs is ended by an alarm.
 */
#include "trace.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/epoll.h>

static int epoll_ctls, epoll_wait_ms;

static int counted_epoll_ctl(int epoll, int op, int fd,
                             struct epoll_event *event)
{
    epoll_ctls++;
    return epoll_ctl(epoll, op, fd, event);
}

static int seen_epoll_wait(int epoll, struct epoll_event *events, int room,
                           int ms)
{
    epoll_wait_ms = ms;
    return epoll_wait(epoll, events, room, ms);
}

#define epoll_ctl counted_epoll_ctl
#define epoll_wait seen_epoll_wait
#include "../adapters/onefd.h"
#undef epoll_ctl
#undef epoll_wait
#endif
#include "../adapters/poll.h"
#include "../async_gather.h"

#include <signal.h>
#include <stdlib.h>

unsigned alarm(unsigned seconds); /* -std=c99 hides it */

enum { HOUR = 3600 * 1000, ROOM = 4, MANY = 200 };

static struct async_loop loop;
static struct async_task tasks[MANY];
static struct async_flag flag;
static int notified;

/* ---- a host that counts -------------------------------------------------- */

static void count_notify(void *arg)
{
    (void)arg;
    notified++;
}

static int wanted; /* of descriptor 7 */

/* Told the same twice is told once. */
static int trace_watch(void *arg, int fd, int events)
{
    (void)arg;
    assert_int_equal(fd, 7);
    if (events != wanted)
        trace("watch %d", events);
    wanted = events;
    return 0;
}

static const struct async_host counter = {count_notify, trace_watch, NULL};

static int setup(void **state)
{
    async_loop_init(&loop);
    memset(tasks, 0, sizeof tasks);
    memset(&flag, 0, sizeof flag);
    (void)alarm(60);
    async_attach(&loop, &counter);
    notified = 0;
    return trace_setup(state);
}

#define host_claim(test) cmocka_unit_test_setup(test, setup)

static void spawn(int which, async_fn *fn, void *frame)
{
    assert_int_equal(async_spawn(&loop, &tasks[which], fn, frame), 0);
}

/* ---- tasks --------------------------------------------------------------- */

struct waiting {
    struct async_frame async;
    const char *name;
    int fd;
    int status;
    int i, rounds;
};

static async sleeper(struct async_loop *on, void *frame)
{
    struct waiting *self = frame;

    async_begin(self);
    async_catch(self->status, async_sleep_ms(on, 10));
    trace("%s: %s", self->name, async_strerror(self->status));
    async_end();
}

static async hour(struct async_loop *on, void *frame)
{
    struct waiting *self = frame;

    async_begin(self);
    async_catch(self->status, async_sleep_ms(on, HOUR));
    async_end();
}

static async waker(struct async_loop *on, void *frame)
{
    struct waiting *self = frame;

    async_begin(self);
    async_wake(on);
    async_wake(on);
    await(async_sleep_ms(on, HOUR));
    async_end();
}

static async flagged(struct async_loop *on, void *frame)
{
    struct waiting *self = frame;

    async_begin(self);
    await(async_flag_wait(on, &flag));
    trace("%s: flag", self->name);
    async_end();
}

static async spawner(struct async_loop *on, void *frame)
{
    struct waiting *self = frame;

    async_begin(self);
    (void)async_spawn(on, &tasks[1], sleeper, self + 1);
    async_cancel(on, &tasks[1]);
    async_end();
}

static async reader(struct async_loop *on, void *frame)
{
    struct waiting *self = frame;

    async_begin(self);
    async_catch(self->status, async_readable(on, self->fd));
    trace("%s: %s", self->name, async_strerror(self->status));
    async_end();
}

static async again(struct async_loop *on, void *frame)
{
    (void)async_poll(on, 0);
    return frame ? ASYNC_DONE : ASYNC_EINVAL;
}

/* ---- the rules ----------------------------------------------------------- */

static void r1_time_is_an_argument_and_may_wrap(void **state)
{
    struct waiting self = {.name = "sleeper"};
    async_time now = (async_time)(ASYNC_FOREVER - 4);

    (void)state;
    spawn(0, sleeper, &self);
    assert_int_equal(async_poll(&loop, now), 10);
    assert_int_equal(async_poll(&loop, (async_time)(now + 9)), 1);
    assert_trace("");
    assert_int_equal(async_poll(&loop, (async_time)(now + 10)), ASYNC_FOREVER);
    assert_trace("sleeper: done\n");
}

static void on_timer(struct async_loop *on, struct async_timer *timer)
{
    (void)on;
    (void)timer;
}

static void r2_a_change_from_outside_notifies(void **state)
{
    struct waiting self = {.name = "sleeper"};
    struct async_timer timer = {.arg = NULL};

    (void)state;
    spawn(0, sleeper, &self);
    assert_int_equal(notified, 1);
    (void)async_poll(&loop, 0);
    async_timer_start(&loop, &timer, 1, on_timer, NULL);
    assert_int_equal(notified, 2);
    assert_int_equal(async_poll(&loop, 0), 1);
    async_cancel(&loop, &tasks[0]);
    assert_int_equal(notified, 3);
    (void)async_poll(&loop, 0);
    assert_trace("sleeper: canceled\n");
    async_timer_stop(&loop, &timer);
}

static void r2_a_change_from_inside_is_in_the_answer(void **state)
{
    struct waiting frames[2] = {{.name = "spawner"}, {.name = "sleeper"}};

    (void)state;
    spawn(0, spawner, frames);
    notified = 0;
    assert_int_equal(async_poll(&loop, 0), ASYNC_FOREVER);
    assert_trace("sleeper: canceled\n");
    assert_int_equal(notified, 0);
}

static void r3_a_wake_before_the_poll_is_remembered(void **state)
{
    struct waiting self = {.name = "flagged"};

    (void)state;
    spawn(0, flagged, &self);
    (void)async_poll(&loop, 0);
    async_flag_set(&loop, &flag);
    assert_int_equal(async_poll(&loop, 0), ASYNC_FOREVER);
    assert_trace("flagged: flag\n");
}

/* The answer is 0 although there is a deadline to be armed. */
static void r4_a_wake_in_a_poll_is_not_lost_to_the_deadline(void **state)
{
    struct waiting self = {.name = "waker"};

    (void)state;
    spawn(0, waker, &self);
    assert_int_equal(async_poll(&loop, 0), 0);
    assert_int_equal(async_poll(&loop, 0), HOUR);
    async_cancel(&loop, &tasks[0]);
    (void)async_poll(&loop, 0);
    assert_int_equal(async_unjoined(&loop), ASYNC_ECANCELED);
}

static void r5_wakes_before_a_poll_notify_once(void **state)
{
    (void)state;
    async_wake(&loop);
    async_wake(&loop);
    assert_int_equal(notified, 1);
    (void)async_poll(&loop, 0);
    async_wake(&loop);
    assert_int_equal(notified, 2);
}

static void poll_again(void *argument)
{
    (void)argument;
    (void)async_poll(&loop, 0);
}

static void r6_a_poll_inside_a_poll_is_a_mistake(void **state)
{
    struct waiting self = {.name = "again"};

    (void)state;
    spawn(0, again, &self);
    assert_stops("async_poll from inside async_poll", poll_again, NULL);
}

static void r7_watch_is_told_what_is_wanted_of_a_descriptor(void **state)
{
    struct waiting one = {.name = "one", .fd = 7}, two = {.name = "two"};

    (void)state;
    two.fd = 7;
    spawn(0, reader, &one);
    spawn(1, reader, &two);
    (void)async_poll(&loop, 0);
    assert_trace("watch 1\n");
    async_cancel(&loop, &tasks[0]);
    (void)async_poll(&loop, 0);
    assert_trace("one: canceled\n");
    async_ready(&loop, 7, ASYNC_READABLE);
    (void)async_poll(&loop, 0);
    assert_trace("watch 0\n"
                 "two: done\n");
}

static int refuses_7(void *arg, int fd, int events)
{
    (void)arg;
    return fd == 7 && events ? ASYNC_EFULL : 0;
}

static void r7_a_new_host_is_told_what_is_waited_for(void **state)
{
    static const struct async_host refuses = {count_notify, refuses_7, NULL};
    struct waiting one = {.name = "one", .fd = 7}, two = {.name = "two"};
    struct waiting far = {.name = "far"};

    (void)state;
    two.fd = 7;
    spawn(0, reader, &one);
    spawn(1, reader, &two);
    (void)async_poll(&loop, 0);
    async_attach(&loop, NULL);
    wanted = 0; /* another one, or the same that has begun anew */
    async_attach(&loop, &counter);
    assert_trace("watch 1\n"
                 "watch 1\n");

    far.fd = 7 + ASYNC_FD_LINES_; /* waits in their line */
    async_attach(&loop, &refuses);
    spawn(2, reader, &far);
    (void)async_poll(&loop, 0);
    assert_trace("one: full: no place left\n"
                 "two: full: no place left\n");
    async_ready(&loop, far.fd, ASYNC_READABLE);
    (void)async_poll(&loop, 0);
    assert_trace("far: done\n");
    assert_int_equal(loop.coming_, 0);
}

/* ---- on poll, epoll, one descriptor -------------------------------------- */

struct kind {
    const char *name;
    int (*start)(void);
    void (*turn)(void);
    void (*stop)(void);
};

static struct async_pollset pollset;
static struct pollfd places[ROOM];

static int pollset_start(void)
{
    return async_pollset_start(&pollset, places, ROOM, &loop);
}

static void pollset_turn(void)
{
    int ms = async_pollset_before(&pollset);

    (void)poll(places, pollset.count, ms);
    async_pollset_after(&pollset);
}

static void pollset_stop(void)
{
    async_pollset_stop(&pollset);
}

#ifdef __linux__
static struct async_epoll epoll_host;
static struct async_onefd onefd;

static int epoll_start(void)
{
    return async_epoll_start(&epoll_host, &loop);
}

static void epoll_turn(void)
{
    async_epoll_turn(&epoll_host);
}

static void epoll_stop(void)
{
    async_epoll_stop(&epoll_host);
}

static int onefd_start(void)
{
    return async_onefd_start(&onefd, &loop);
}

static void onefd_turn(void)
{
    struct pollfd one = {0, POLLIN, 0};

    one.fd = onefd.fd;
    (void)poll(&one, 1, -1);
    async_onefd_turn(&onefd);
}

static void onefd_stop(void)
{
    async_onefd_stop(&onefd);
}
#endif

static const struct kind kinds[] = {
    {"poll", pollset_start, pollset_turn, pollset_stop},
#ifdef __linux__
    {"epoll", epoll_start, epoll_turn, epoll_stop},
    {"onefd", onefd_start, onefd_turn, onefd_stop},
#endif
};

#define on_each_kind(kind)                                                     \
    for ((kind) = kinds; (kind) < kinds + sizeof kinds / sizeof *kinds;        \
         (kind)++)

static void run(const struct kind *kind)
{
    while (async_alive(&loop))
        kind->turn();
}

static void open_pair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
}

static void close_pair(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static void put(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

static void on_signal(int number)
{
    (void)number;
    async_flag_set(&loop, &flag);
}

static void a_signal_handler_wakes_and_leaves_errno_alone(void **state)
{
    const struct kind *kind;

    (void)state;
    on_each_kind(kind)
    {
        struct waiting self = {.name = "flagged"}, other = {.name = "other"};
        int i;

        assert_int_equal(kind->start(), 0);
        spawn(0, flagged, &self);
        spawn(1, hour, &other);
        for (i = 0; i < 3; i++) { /* ready; then told of the start */
            async_wake(&loop);
            kind->turn();
        }
        assert_trace("");
        for (i = 0; i < 100000; i++) { /* more than a pipe holds */
            (void)async_byte_clear_(&loop.woken_);
            async_wake(&loop);
        }
        (void)async_byte_clear_(&loop.woken_);
        (void)signal(SIGUSR1, on_signal);
        errno = 0;
        (void)raise(SIGUSR1);
        assert_int_equal(errno, 0);
        while (async_alive(&loop) == 2)
            kind->turn();
        assert_trace("flagged: flag\n");
        async_cancel(&loop, &tasks[1]);
        run(kind);
        kind->stop();
        async_wake(&loop);
    }
    (void)signal(SIGUSR1, SIG_DFL);
}

static void a_turn_in_which_the_last_task_ends_does_not_sleep(void **state)
{
    const struct kind *kind;

    (void)state;
    on_each_kind(kind)
    {
        struct waiting self = {.name = kind->name};

        assert_int_equal(kind->start(), 0);
        spawn(0, sleeper, &self);
        run(kind);
        kind->stop();
    }
    assert_trace(sizeof kinds > sizeof *kinds ? "poll: done\n"
                                                "epoll: done\n"
                                                "onefd: done\n"
                                              : "poll: done\n");
}

static void what_is_told_twice_is_reported_once(void **state)
{
    const struct kind *kind;

    (void)state;
    on_each_kind(kind)
    {
        struct waiting self = {.name = "reader"};
        int fds[2];

        assert_int_equal(kind->start(), 0);
        open_pair(fds);
        put(fds[1]);
        self.fd = fds[0];
        spawn(0, reader, &self);
        (void)async_poll(&loop, async_clock_now());
        assert_int_equal(loop.host_->watch(loop.host_->arg, fds[0], 1), 0);
        assert_int_equal(loop.host_->watch(loop.host_->arg, fds[0], 1), 0);
        run(kind);
        assert_trace("reader: done\n");
        assert_int_equal(loop.host_->watch(loop.host_->arg, fds[0], 0), 0);
        assert_int_equal(loop.host_->watch(loop.host_->arg, fds[0], 0), 0);
        self.async = (struct async_frame)ASYNC_ZERO_;
        spawn(0, reader, &self); /* still to be read: reported again */
        run(kind);
        assert_trace("reader: done\n");
        kind->stop();
        close_pair(fds);
    }
}

static int lowest_free_fd(void)
{
    int fd = dup(0);

    close(fd);
    return fd;
}

static int open_fds(void)
{
    int fd, count = 0;

    for (fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* One more number may be had each time, until it works. */
static void a_start_that_fails_has_done_nothing(void **state)
{
    const struct kind *kind;
    struct rlimit limit, less;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    on_each_kind(kind)
    {
        int free_fd = lowest_free_fd(), open = open_fds(), more = 0, error;

        for (;;) {
            less = limit;
            less.rlim_cur = (rlim_t)(free_fd + more);
            assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
            error = kind->start();
            assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
            if (error == 0)
                break;
            assert_int_equal(error, -EMFILE);
            assert_int_equal(open_fds(), open);
            more++;
        }
        assert_true(more >= 2);
        kind->stop();
        assert_int_equal(open_fds(), open);
        assert_null(loop.host_);
    }
}

static void one_descriptor_too_many_for_poll_is_refused(void **state)
{
    struct waiting frames[ROOM] = {
        {.name = "a"}, {.name = "b"}, {.name = "c"}, {.name = "d"}};
    int fds[ROOM][2], i;

    (void)state;
    assert_int_equal(pollset_start(), 0);
    for (i = 0; i < ROOM; i++) {
        open_pair(fds[i]);
        frames[i].fd = fds[i][0];
        spawn(i, reader, &frames[i]);
    }
    (void)async_pollset_before(&pollset);
    assert_trace("d: full: no place left\n");
    assert_int_equal(frames[ROOM - 1].status, ASYNC_EFULL);
    for (i = 0; i < ROOM - 1; i++)
        put(fds[i][1]);
    run(kinds);
    assert_int_equal(pollset.count, 1);
    trace_clear();
    pollset_stop();
    for (i = 0; i < ROOM; i++)
        close_pair(fds[i]);
}

#ifdef __linux__
static void what_epoll_refuses_is_the_result_of_the_wait(void **state)
{
    struct waiting self = {.name = "reader"};

    (void)state;
    assert_int_equal(epoll_start(), 0);
    self.fd = open(__FILE__, O_RDONLY);
    if (self.fd < 0)
        self.fd = open("/etc/passwd", O_RDONLY);
    spawn(0, reader, &self);
    run(kinds + 1);
    assert_int_equal(self.status, -EPERM);
    close(self.fd);
    self.async = (struct async_frame)ASYNC_ZERO_;
    spawn(0, reader, &self);
    run(kinds + 1);
    assert_int_equal(self.status, -EBADF);
    trace_clear();
    epoll_stop();
}

static async rounds_reader(struct async_loop *on, void *frame)
{
    struct waiting *self = frame;
    char byte;

    async_begin(self);
    for (self->i = 0; self->i < self->rounds; self->i++) {
        await(async_readable(on, self->fd));
        if (read(self->fd, &byte, 1) != 1)
            async_fail(-errno);
    }
    async_end();
}

static void a_wait_costs_one_epoll_ctl(void **state)
{
    struct waiting self = {.name = "reader", .rounds = 100};
    int fds[2];

    (void)state;
    assert_int_equal(epoll_start(), 0);
    open_pair(fds);
    self.fd = fds[0];
    epoll_ctls = 0;
    spawn(0, rounds_reader, &self);
    while (async_alive(&loop)) {
        if (self.i < self.rounds)
            put(fds[1]);
        epoll_turn();
    }
    assert_int_equal(async_task_outcome(&tasks[0]), ASYNC_DONE);
    assert_int_equal(epoll_ctls, 100 + 1); /* the first is told twice */
    epoll_stop();
    close_pair(fds);
}

static void
more_descriptors_than_one_report_holds_are_all_reported(void **state)
{
    static struct waiting frames[MANY];
    static int fds[MANY][2];
    int which, i;

    (void)state;
    for (which = 1; which <= 2; which++) {
        assert_int_equal(kinds[which].start(), 0);
        for (i = 0; i < MANY; i++) {
            memset(&frames[i], 0, sizeof frames[i]);
            open_pair(fds[i]);
            put(fds[i][1]);
            frames[i].fd = fds[i][0];
            frames[i].rounds = 1;
            spawn(i, rounds_reader, &frames[i]);
        }
        run(&kinds[which]);
        for (i = 0; i < MANY; i++) {
            assert_int_equal(async_task_outcome(&tasks[i]), ASYNC_DONE);
            close_pair(fds[i]);
        }
        kinds[which].stop();
    }
}

static void one_descriptor_is_readable_only_when_there_is_work(void **state)
{
    struct waiting self = {.name = "sleeper"};
    struct pollfd one = {0, POLLIN, 0};

    (void)state;
    assert_int_equal(onefd_start(), 0);
    one.fd = onefd.fd;
    async_onefd_turn(&onefd);
    assert_int_equal(epoll_wait_ms, 0);
    assert_int_equal(poll(&one, 1, 0), 0);
    async_wake(&loop);
    assert_int_equal(poll(&one, 1, 0), 1);
    async_onefd_turn(&onefd);
    assert_int_equal(poll(&one, 1, 0), 0);
    spawn(0, sleeper, &self);
    assert_int_equal(poll(&one, 1, 0), 1);
    async_onefd_turn(&onefd);
    assert_int_equal(poll(&one, 1, -1), 1); /* the deadline */
    run(kinds + 2);
    assert_trace("sleeper: done\n");
    onefd_stop();
}

static time_t seconds_left(void)
{
    struct itimerspec left;

    assert_int_equal(timerfd_gettime(onefd.deadline_, &left), 0);
    return left.it_value.tv_sec;
}

static void one_descriptor_has_the_deadline_of_now(void **state)
{
    struct waiting self = {.name = "hour"};

    (void)state;
    assert_int_equal(onefd_start(), 0);
    spawn(0, hour, &self);
    async_onefd_turn(&onefd);
    assert_in_range(seconds_left(), HOUR / 1000 - 1000, HOUR / 1000);
    async_cancel(&loop, &tasks[0]);
    run(kinds + 2);
    async_onefd_turn(&onefd);
    assert_int_equal(seconds_left(), 0);
    onefd_stop();
}
#endif

int main(void)
{
    const struct CMUnitTest claims[] = {
        host_claim(r1_time_is_an_argument_and_may_wrap),
        host_claim(r2_a_change_from_outside_notifies),
        host_claim(r2_a_change_from_inside_is_in_the_answer),
        host_claim(r3_a_wake_before_the_poll_is_remembered),
        host_claim(r4_a_wake_in_a_poll_is_not_lost_to_the_deadline),
        host_claim(r5_wakes_before_a_poll_notify_once),
        host_claim(r6_a_poll_inside_a_poll_is_a_mistake),
        host_claim(r7_watch_is_told_what_is_wanted_of_a_descriptor),
        host_claim(r7_a_new_host_is_told_what_is_waited_for),
        host_claim(a_signal_handler_wakes_and_leaves_errno_alone),
        host_claim(a_turn_in_which_the_last_task_ends_does_not_sleep),
        host_claim(what_is_told_twice_is_reported_once),
        host_claim(a_start_that_fails_has_done_nothing),
        host_claim(one_descriptor_too_many_for_poll_is_refused),
#ifdef __linux__
        host_claim(what_epoll_refuses_is_the_result_of_the_wait),
        host_claim(a_wait_costs_one_epoll_ctl),
        host_claim(more_descriptors_than_one_report_holds_are_all_reported),
        host_claim(one_descriptor_is_readable_only_when_there_is_work),
        host_claim(one_descriptor_has_the_deadline_of_now),
#endif
    };

    return cmocka_run_group_tests(claims, NULL, NULL);
}
