/* jobs.c: what adapters/async_nats_jobs.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc jobs.c -lcmocka -lnats -pthread
 *
 * Starts a nats-server of its own, on a free port of 127.0.0.1 and in a
 * directory of its own under TMPDIR, and kills it and starts it again; workers
 * that are killed are processes, this program itself. What a job does is a line
 * in a file. It waits for what happens, for LIMIT_MS at the most. SEED and
 * ROUNDS, from the environment, are the last test's.
 */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../adapters/async_nats.h"
#include "../../async_future.h"

static int late_future_set(struct async_loop *loop, struct async_future *future,
                           int status);
static natsStatus noted_say(natsConnection *connection, const char *subject,
                            const char *what);
static natsStatus noted_ask(natsConnection *connection, const char *subject,
                            const char *inbox, const char *how);
static natsStatus noted_tell(natsMsg **answer, natsConnection *connection,
                             const char *subject, const char *what,
                             int64_t wait_ms);
static const char *noted_arrival(const natsMsg *message);
#define async_future_set late_future_set
#define natsMsg_GetReply noted_arrival
#define natsConnection_PublishString noted_say
#define natsConnection_PublishRequestString noted_ask
#define natsConnection_RequestString noted_tell
#include "../../adapters/async_nats_jobs.h"
#undef async_future_set
#undef natsMsg_GetReply
#undef natsConnection_PublishString
#undef natsConnection_PublishRequestString
#undef natsConnection_RequestString

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

ASYNC_NATS_FUNCTION(work, 1, (u32, number, u32, how), ())
ASYNC_NATS_JOB(work)
ASYNC_NATS_FUNCTION(enlarge, 1, (bytes(2000000), picture), ())
ASYNC_NATS_JOB(enlarge)

#ifndef LIMIT_MS
#define LIMIT_MS 30000
#endif
#define PATIENCE_MS (LIMIT_MS / 3) /* with a server that will answer */

enum { DONE, FAILS, HANGS, LASTS, DIES, COUNTS }; /* how a job goes */

/* ---- what comes late, and what is said ---------------------------------- */

static pthread_t main_thread;
static volatile size_t late_ms; /* atomic */
/* Counts of what is said; atomic. */
static volatile size_t asked;    /* questions, for a job */
static volatile size_t arrived;  /* jobs */
static volatile size_t returned; /* jobs that go back at once */
static volatile size_t told;     /* that a job is done; is over */
static volatile size_t heard;    /* of these, by the server */

static void pause_ms(long ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

static async_time milliseconds(void)
{
    return async_clock_now() / (ASYNC_TICK_HZ / 1000);
}

/* True if it is so in time. */
static int happens(int (*so)(void))
{
    async_time began = milliseconds();
    int is_so;

    while (!(is_so = so()) && milliseconds() - began < LIMIT_MS)
        pause_ms(2);
    return is_so;
}

/* The client's thread has taken a slot, and its message comes later. */
static int late_future_set(struct async_loop *loop, struct async_future *future,
                           int status)
{
    size_t ms = async_atomic_load_(&late_ms);

    if (ms && !pthread_equal(main_thread, pthread_self()))
        pause_ms((long)ms);
    return async_future_set(loop, future, status);
}

static void one_more(volatile size_t *of)
{
    size_t was = async_atomic_load_(of);

    while (!async_atomic_swap_if_(of, was, was + 1))
        was = async_atomic_load_(of);
}

static natsStatus noted_say(natsConnection *connection, const char *subject,
                            const char *what)
{
    if (strcmp(what, "-NAK") == 0)
        one_more(&returned);
    return natsConnection_PublishString(connection, subject, what);
}

static natsStatus noted_ask(natsConnection *connection, const char *subject,
                            const char *inbox, const char *how)
{
    one_more(&asked);
    return natsConnection_PublishRequestString(connection, subject, inbox, how);
}

static natsStatus noted_tell(natsMsg **answer, natsConnection *connection,
                             const char *subject, const char *what,
                             int64_t wait_ms)
{
    natsStatus status = natsConnection_RequestString(answer, connection,
                                                     subject, what, wait_ms);

    if (status == NATS_OK)
        one_more(&heard);
    one_more(&told);
    return status;
}

static const char *noted_arrival(const natsMsg *message)
{
    const char *reply = natsMsg_GetReply(message);

    if (reply)
        one_more(&arrived);
    return reply;
}

/* ---- the server --------------------------------------------------------- */

static char directory[128], log_path[160], url[64], self_path[256];
static pid_t server;
static int port;

static int connects(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0), error;

    at.sin_port = htons((uint16_t)port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    error = connect(fd, (struct sockaddr *)&at, sizeof at);
    close(fd);
    return error == 0;
}

/* A child that does not outlive us, whatever ends us. */
static pid_t forks(void)
{
    pid_t process = fork();

#ifdef __linux__
    if (process == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    return process;
}

static void server_starts(void)
{
    char number[16];
    int i, quiet;

    snprintf(number, sizeof number, "%d", port);
    server = forks();
    if (server == 0) {
        quiet = open(log_path, O_WRONLY);
        dup2(quiet, 1);
        dup2(quiet, 2);
        execlp("nats-server", "nats-server", "-a", "127.0.0.1", "-p", number,
               "-js", "-sd", directory, (char *)NULL);
        _exit(127);
    }
    for (i = 0; i < LIMIT_MS / 2 && !connects(); i++)
        pause_ms(2);
    assert_true(connects());
}

static void ends(pid_t process)
{
    kill(process, SIGKILL);
    kill(process, SIGCONT);
    waitpid(process, NULL, 0);
}

static void server_is_killed(void)
{
    ends(server);
    server = 0;
}

/* When this returns, none of its threads runs any more. */
static void server_stands_still(void)
{
    kill(server, SIGSTOP);
    waitpid(server, NULL, WUNTRACED);
}

static void server_goes_on(void)
{
    kill(server, SIGCONT);
}

/* A port that is free now. */
static int free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    close(fd);
    return ntohs(at.sin_port);
}

/* ---- what jobs leave ---------------------------------------------------- */

static char marks_path[160]; /* of this test: a line a start, a line an end */

static void mark(char what, unsigned number)
{
    char line[32];
    int length = snprintf(line, sizeof line, "%c %u\n", what, number);
    int fd = open(marks_path, O_WRONLY | O_APPEND | O_CREAT, 0600);

    if (write(fd, line, (size_t)length) != length)
        abort();
    close(fd);
}

/* How often there was `what`, of this job, or UINT_MAX: of all. */
static unsigned marks(char what, unsigned number)
{
    FILE *file = fopen(marks_path, "r");
    unsigned count = 0, of;
    char is;

    if (!file)
        return 0;
    while (fscanf(file, " %c %u", &is, &of) == 2)
        count += is == what && (number == UINT32_MAX || of == number);
    fclose(file);
    return count;
}

/* ---- the function ------------------------------------------------------- */

static unsigned running, most, lasts_ms;
static int released, fails_no_more;
static char last_id[64];    /* of a job that has begun */
static unsigned most_tries; /* of any */
static const char greeting[] = "arg";

enum { STREAM = 600, A_ROUND = 20 };

static volatile size_t ended; /* of a stream of jobs; atomic */
static unsigned ends_of[STREAM];

struct worked {
    struct work_job base;
    unsigned zero; /* at the start of each */
    int rc;
};

static async worked(struct async_loop *loop, void *frame)
{
    struct worked *self = frame;
    struct work_job *base = &self->base;

    async_begin(base);
    assert_int_equal(self->zero, 0);
    self->zero = 1;
    assert_ptr_equal(base->job.arg, greeting);
    snprintf(last_id, sizeof last_id, "%s", base->job.id);
    if (base->job.tries > most_tries)
        most_tries = base->job.tries;
    if (base->arguments.how == COUNTS) {
        ends_of[base->arguments.number]++;
        async_atomic_store_(&ended, ended + 1);
        async_return();
    }
    mark('s', base->arguments.number);
    if (++running > most)
        most = running;
    if (base->arguments.how == DIES)
        raise(SIGKILL);
    while (base->arguments.how == HANGS && !released)
        await(async_sleep_ms(loop, 1));
    if (base->arguments.how == LASTS)
        await(async_sleep_ms(loop, lasts_ms));
    if (base->arguments.how == FAILS && !fails_no_more)
        async_fail(async_nats_job_fail(&base->job, 7, "seven\nis too many"));
    mark('e', base->arguments.number);
    async_finally();
    running -= base->arguments.how != COUNTS;
    async_end();
}

static int worked_blocking(struct work_job *self)
{
    unsigned i;

    mark('s', self->arguments.number);
    for (i = 0; i < lasts_ms && !async_nats_job_canceled(&self->job); i++)
        pause_ms(1);
    if (async_nats_job_canceled(&self->job))
        return ASYNC_ECANCELED;
    if (self->arguments.how == FAILS)
        return async_nats_job_fail(&self->job, 8, "eight");
    mark('e', self->arguments.number);
    return 0;
}

/* ---- what tests do ------------------------------------------------------ */

static struct async_loop loop;
static struct async_executor talks, computes;
static struct async_nats_jobs jobs;
static char queue[64];
static int queues;

/* One thing that is awaited. */
enum { OPEN, CLOSE, SUBMIT, COUNT, NEXT, RETRY, DROP };

struct step {
    struct async_frame async;
    int what;
    void *of;
    struct work_arguments arguments;
    natsOptions *options;
};

static async step(struct async_loop *at, void *frame)
{
    struct step *self = frame;

    async_begin(self);
    if (self->what == OPEN)
        await(async_nats_jobs_open(at, &jobs, self->options, &talks, queue));
    if (self->what == CLOSE)
        await(async_nats_jobs_close(at, &jobs));
    if (self->what == SUBMIT)
        await(work_submit(at, &jobs, self->of, self->arguments));
    if (self->what == COUNT)
        await(async_nats_jobs_count(at, &jobs, self->of));
    if (self->what == NEXT)
        await(async_nats_parked_next(at, &jobs, self->of));
    if (self->what == RETRY)
        await(async_nats_parked_retry(at, &jobs, self->of));
    if (self->what == DROP)
        await(async_nats_parked_drop(at, &jobs, self->of));
    async_end();
}

static async_status does(int what, void *of)
{
    struct step frame = {.what = what, .of = of};

    return async_run(&loop, step, &frame);
}

static async_status submits(struct work_submission *submission, unsigned number,
                            unsigned how)
{
    struct step frame = {.what = SUBMIT,
                         .of = submission,
                         .arguments = {.number = number, .how = how}};

    return async_run(&loop, step, &frame);
}

static void submitted(unsigned number, unsigned how)
{
    struct work_submission submission = {0};

    assert_int_equal(submits(&submission, number, how), ASYNC_DONE);
}

/* A client that tries for ever, of this server. */
static async_status opens(void)
{
    struct step frame = {.what = OPEN};
    async_status status;

    assert_int_equal(natsOptions_Create(&frame.options), NATS_OK);
    natsOptions_SetURL(frame.options, url);
    natsOptions_SetMaxReconnect(frame.options, -1);
    natsOptions_SetReconnectWait(frame.options, 20);
    natsOptions_SetReconnectJitter(frame.options, 10, 10);
    status = async_run(&loop, step, &frame);
    natsOptions_Destroy(frame.options);
    return status;
}

static void reopens(void)
{
    const struct async_nats_jobs was = jobs, zero = {0};

    assert_int_equal(does(CLOSE, NULL), ASYNC_DONE);
    jobs = zero;
    jobs.retry = was.retry;
    jobs.silent_ms = was.silent_ms;
    jobs.wait_ms = PATIENCE_MS;
    assert_int_equal(opens(), ASYNC_DONE);
}

/* From now on, that is: the open was not so impatient. */
static void waits_for(uint32_t wait_ms)
{
    jsOptions options;

    jsOptions_Init(&options);
    options.Wait = jobs.wait_ms = wait_ms;
    jsCtx_Destroy(jobs.js_);
    assert_int_equal(
        natsConnection_JetStream(&jobs.js_, jobs.connection_, &options), 0);
}

static uint64_t waiting(void)
{
    struct async_nats_jobs_counts counts = {0};

    assert_int_equal(does(COUNT, &counts), ASYNC_DONE);
    return counts.waiting;
}

static uint64_t parked(void)
{
    struct async_nats_jobs_counts counts = {0};

    assert_int_equal(does(COUNT, &counts), ASYNC_DONE);
    return counts.parked;
}

/* The same while workers run; UINT64_MAX: the server does not say. */
static uint64_t parked_now(void)
{
    uint64_t count = UINT64_MAX;

    (void)async_nats_jobs_sum_(&jobs, jobs.parked_, &count);
    return count;
}

static uint64_t waiting_now(void)
{
    uint64_t count = UINT64_MAX;

    (void)async_nats_jobs_sum_(&jobs, jobs.stream_, &count);
    return count;
}

/* How many slots ask the server for a job, as it sees it. */
static int64_t questions(void)
{
    jsConsumerInfo *info = NULL;
    int64_t count = -1;

    if (js_GetConsumerInfo(&info, jobs.js_, jobs.stream_, "work_1", NULL,
                           NULL) == NATS_OK)
        count = info->NumWaiting;
    jsConsumerInfo_Destroy(info);
    return count;
}

/* A submission that waits, for tests only. */
static void publishes(unsigned number, unsigned how)
{
    const struct work_arguments arguments = {number, how};
    struct async_nats_submission call = {
        .jobs_ = &jobs, .function_ = work_function(), .arguments_ = &arguments};

    assert_int_equal(async_nats_submission_sends_(NULL, &call), 0);
}

/* Workers, until something is so; then they are drained, or canceled. */
struct play {
    struct async_frame async;
    unsigned workers, slots_each, i;
    int blocks, cancels, late;
    int (*until)(void);
    int (*then)(void); /* after the drain was asked for; or NULL */
    struct async_nats_jobs_worker worker[2];
    struct async_task task[2];
    struct worked slots[2][8];
    struct async_timer timer;
    int rc;
};

static async play(struct async_loop *at, void *frame)
{
    struct play *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < self->workers; self->i++) {
        self->worker[self->i].arg = (void *)(size_t)greeting;
        if (self->blocks)
            work_work_blocking(&self->worker[self->i], &jobs, worked_blocking,
                               &computes, self->slots[self->i],
                               sizeof self->slots[0][0], self->slots_each);
        else
            work_work(&self->worker[self->i], &jobs, worked,
                      self->slots[self->i], sizeof self->slots[0][0],
                      self->slots_each);
        async_spawn(at, &self->task[self->i], async_nats_jobs_work,
                    &self->worker[self->i]);
    }
    async_catch(self->rc, async_timeout(at, &self->timer, LIMIT_MS,
                                        async_until(at, self->until())));
    self->late = self->rc < 0;
    if (self->cancels)
        for (self->i = 0; self->i < self->workers; self->i++)
            async_cancel(at, &self->task[self->i]);
    else
        async_nats_jobs_drain(&jobs);
    if (self->then) {
        async_catch(self->rc, async_timeout(at, &self->timer, LIMIT_MS,
                                            async_until(at, self->then())));
        self->late |= self->rc < 0;
    }
    for (self->i = 0; self->i < self->workers; self->i++) {
        async_catch(self->rc, async_join(at, &self->task[self->i]));
        if (self->rc != (self->cancels ? ASYNC_ECANCELED : ASYNC_DONE))
            async_fail(self->rc < 0 ? self->rc : ASYNC_EINVAL);
    }
    async_end();
}

static void plays(struct play *with)
{
    static struct play frame;

    frame = *with;
    if (!frame.workers)
        frame.workers = 1;
    if (!frame.slots_each)
        frame.slots_each = 1;
    assert_int_equal(async_run(&loop, play, &frame), ASYNC_DONE);
    assert_false(frame.late);
}

/* A worker in a process of its own. */
static pid_t worker_starts(unsigned tries, unsigned silent_ms, unsigned slots)
{
    char a[16], b[16], c[16];
    pid_t process = forks();

    if (process)
        return process;
    snprintf(a, sizeof a, "%u", tries);
    snprintf(b, sizeof b, "%u", silent_ms);
    snprintf(c, sizeof c, "%u", slots);
    execl(self_path, self_path, "worker", url, queue, marks_path, a, b, c,
          (char *)NULL);
    _exit(127);
}

static int worker_main(char **args)
{
    static struct async_nats_jobs_worker worker;
    static struct worked slots[8];
    async_status status;

    snprintf(url, sizeof url, "%s", args[0]);
    snprintf(queue, sizeof queue, "%s", args[1]);
    snprintf(marks_path, sizeof marks_path, "%s", args[2]);
    jobs.retry.tries = (uint16_t)atoi(args[3]);
    jobs.retry.first_ms = jobs.retry.max_ms = 50;
    jobs.silent_ms = (uint32_t)atoi(args[4]);
    jobs.wait_ms = 1000;
    lasts_ms = 20;
    status = async_executor_start(&talks, 2, 16);
    if (status == 0)
        status = ASYNC_NATS_EGONE;
    while (status == ASYNC_NATS_EGONE) { /* the server may be away */
        pause_ms(20);
        status = opens();
    }
    worker.arg = (void *)(size_t)greeting;
    do {
        work_work(&worker, &jobs, worked, slots, sizeof slots[0],
                  (unsigned)atoi(args[5]));
        status = async_run(&loop, async_nats_jobs_work, &worker);
        pause_ms(20);
    } while (status == ASYNC_NATS_EGONE);
    return 1;
}

static int setup(void **state)
{
    static const struct async_nats_jobs zero;

    (void)state;
    if (!server)
        server_starts();
    server_goes_on(); /* whatever the last one has left */
    jobs = zero;
    jobs.retry.first_ms = jobs.retry.max_ms = 20;
    jobs.wait_ms = PATIENCE_MS;
    running = most = most_tries = 0;
    async_atomic_store_(&late_ms, 0);
    async_atomic_store_(&asked, 0);
    async_atomic_store_(&returned, 0);
    async_atomic_store_(&told, 0);
    async_atomic_store_(&heard, 0);
    async_atomic_store_(&arrived, 0);
    lasts_ms = 1;
    released = fails_no_more = 0;
    snprintf(queue, sizeof queue, "test_%d", queues++);
    unlink(marks_path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(does(CLOSE, NULL), ASYNC_DONE);
    return 0;
}

/* ---- once --------------------------------------------------------------- */

static int one_is_done(void)
{
    return marks('e', 1) >= 1;
}

static void a_job_is_done_once_and_gone(void **state)
{
    (void)state;
    assert_int_equal(opens(), ASYNC_DONE);
    assert_int_equal(opens(), ASYNC_EBUSY);
    submitted(1, DONE);
    assert_int_equal(waiting(), 1);
    plays(&(struct play){.until = one_is_done});
    assert_int_equal(marks('s', 1), 1);
    assert_int_equal(waiting(), 0);
    assert_int_equal(parked(), 0);
}

static void a_blocking_job_runs_on_the_executor(void **state)
{
    (void)state;
    assert_int_equal(opens(), ASYNC_DONE);
    submitted(1, DONE);
    plays(&(struct play){.until = one_is_done, .blocks = 1});
    assert_int_equal(marks('s', 1), 1);
    assert_int_equal(waiting(), 0);
}

static int twenty_are_done(void)
{
    return marks('e', UINT32_MAX) == 20;
}

static void frames_are_new_for_each_job(void **state)
{
    unsigned i;

    (void)state;
    assert_int_equal(opens(), ASYNC_DONE);
    for (i = 0; i < 20; i++)
        submitted(i, DONE);
    plays(&(struct play){.until = twenty_are_done, .slots_each = 2});
    for (i = 0; i < 20; i++)
        assert_int_equal(marks('e', i), 1);
    assert_int_equal(waiting(), 0);
}

/* ---- the same job ------------------------------------------------------- */

static void an_id_submitted_twice_is_one_job(void **state)
{
    struct work_submission first = {0}, second = {0};

    (void)state;
    assert_int_equal(opens(), ASYNC_DONE);
    first.submission.id = second.submission.id = "invoice 4711";
    assert_int_equal(submits(&first, 1, DONE), ASYNC_DONE);
    assert_int_equal(submits(&second, 1, DONE), ASYNC_DONE);
    assert_false(first.submission.was_there);
    assert_true(second.submission.was_there);
    assert_int_equal(waiting(), 1);
    plays(&(struct play){.until = one_is_done});
    assert_string_equal(last_id, "invoice 4711");
    assert_int_equal(marks('s', 1), 1);
}

static void an_id_is_known_when_its_job_is_done(void **state)
{
    struct work_submission first = {0}, second = {0};

    (void)state;
    assert_int_equal(opens(), ASYNC_DONE);
    first.submission.id = second.submission.id = "invoice 4712";
    assert_int_equal(submits(&first, 1, DONE), ASYNC_DONE);
    plays(&(struct play){.until = one_is_done});
    assert_int_equal(waiting(), 0);
    assert_int_equal(submits(&second, 1, DONE), ASYNC_DONE);
    assert_true(second.submission.was_there);
    assert_int_equal(waiting(), 0);
}

static void a_submission_that_is_done_is_another_job_the_next_time(void **state)
{
    struct work_submission call = {0};

    (void)state;
    assert_int_equal(opens(), ASYNC_DONE);
    assert_int_equal(submits(&call, 1, DONE), ASYNC_DONE);
    assert_int_equal(submits(&call, 1, DONE), ASYNC_DONE);
    assert_int_equal(waiting(), 2);
}

static int two_wait(void)
{
    return waiting_now() == 2;
}

static void a_submission_without_an_answer_is_the_same_job_again(void **state)
{
    struct work_submission call = {0}, other = {0};

    (void)state;
    assert_int_equal(opens(), ASYNC_DONE);
    waits_for(200);
    server_stands_still();
    assert_int_equal(submits(&call, 1, DONE), ASYNC_NATS_EGONE);
    assert_int_equal(submits(&other, 2, DONE), ASYNC_NATS_EGONE);
    server_goes_on();
    assert_true(happens(two_wait));
    reopens();
    assert_int_equal(submits(&call, 1, DONE), ASYNC_DONE);
    assert_true(call.submission.was_there);
    assert_int_equal(submits(&other, 3, DONE), ASYNC_DONE);
    assert_false(other.submission.was_there);
    assert_int_equal(waiting(), 3);
}

struct enlarging {
    struct async_frame async;
    struct enlarge_submission submission;
};

static struct enlarge_arguments huge;

static async enlarging(struct async_loop *at, void *frame)
{
    struct enlarging *self = frame;

    async_begin(self);
    await(enlarge_submit(at, &jobs, &self->submission, huge));
    async_end();
}

static void what_is_too_large_is_refused(void **state)
{
    static struct enlarging frame;

    (void)state;
    huge.picture.length = sizeof huge.picture.at;
    assert_int_equal(opens(), ASYNC_DONE);
    assert_int_equal(async_run(&loop, enlarging, &frame), ASYNC_NATS_ESIZE);
    assert_int_equal(waiting(), 0);
}

/* ---- what is killed ----------------------------------------------------- */

static void a_job_outlives_a_server_that_is_killed(void **state)
{
    (void)state;
    assert_int_equal(opens(), ASYNC_DONE);
    submitted(1, DONE);
    server_is_killed();
    server_starts();
    reopens();
    assert_int_equal(waiting(), 1);
    plays(&(struct play){.until = one_is_done});
    assert_int_equal(marks('s', 1), 1);
    assert_int_equal(waiting(), 0);
}

static int it_is_away(void)
{
    return async_nats_jobs_away_(&jobs);
}

static int it_counts(void)
{
    struct async_nats_jobs_counts counts = {0};

    return does(COUNT, &counts) == ASYNC_DONE;
}

static void without_a_server_nothing_is_promised(void **state)
{
    struct work_submission call = {0};
    struct async_nats_jobs_counts counts = {0};
    struct async_nats_parked first = {0};

    (void)state;
    assert_int_equal(opens(), ASYNC_DONE);
    server_is_killed();
    assert_true(happens(it_is_away));
    assert_int_equal(submits(&call, 1, DONE), ASYNC_NATS_EGONE);
    assert_int_equal(does(COUNT, &counts), ASYNC_NATS_EGONE);
    assert_int_equal(does(NEXT, &first), ASYNC_NATS_EGONE);
    server_starts();
    assert_true(happens(it_counts));
    assert_int_equal(waiting(), 0); /* nor was it sent later */
    assert_int_equal(submits(&call, 1, DONE), ASYNC_DONE);
    assert_int_equal(waiting(), 1);
}

static void an_open_without_a_server_says_why(void **state)
{
    (void)state;
    server_is_killed();
    assert_int_equal(opens(), ASYNC_NATS_EGONE);
    assert_true(strlen(jobs.reason) > 10);
    server_starts();
    assert_int_equal(opens(), ASYNC_DONE);
}

static int it_has_begun(void)
{
    return marks('s', 1) >= 1;
}

static void a_job_whose_worker_is_killed_goes_to_another(void **state)
{
    pid_t process;

    (void)state;
    jobs.silent_ms = 300;
    assert_int_equal(opens(), ASYNC_DONE);
    submitted(1, HANGS);
    process = worker_starts(5, 300, 1);
    assert_true(happens(it_has_begun));
    ends(process);
    assert_int_equal(marks('e', 1), 0);
    released = 1;
    plays(&(struct play){.until = one_is_done});
    assert_int_equal(marks('s', 1), 2);
    assert_int_equal(waiting(), 0);
}

static int job_two_is_done(void)
{
    return marks('e', 2) == 1;
}

static void a_worker_goes_on_when_the_server_is_there_again(void **state)
{
    struct work_submission call = {0};
    pid_t process;

    (void)state;
    assert_int_equal(opens(), ASYNC_DONE);
    submitted(2, DONE);
    process = worker_starts(5, 30000, 2);
    assert_true(happens(job_two_is_done));
    server_is_killed();
    server_starts();
    reopens();
    assert_int_equal(submits(&call, 1, DONE), ASYNC_DONE);
    assert_true(happens(one_is_done));
    ends(process);
}

static int has_heard_nothing;

/* It is told to a server that stands still, and is killed when it was. */
static int it_ends_without_a_server(void)
{
    if (!it_has_begun())
        return 0;
    if (!released)
        server_stands_still();
    released = 1;
    if (async_atomic_load_(&told) == 0)
        return 0;
    if (!has_heard_nothing) {
        has_heard_nothing = 1;
        server_is_killed();
        server_starts();
    }
    return waiting_now() == 0;
}

static void a_job_that_ends_while_the_server_is_away_is_done(void **state)
{
    (void)state;
    jobs.silent_ms = 3 * LIMIT_MS;
    assert_int_equal(opens(), ASYNC_DONE);
    submitted(1, HANGS);
    jobs.wait_ms = 200; /* for what is told */
    has_heard_nothing = 0;
    plays(&(struct play){.until = it_ends_without_a_server, .slots_each = 2});
    assert_int_equal(marks('s', 1), 1);
}

/* ---- what fails --------------------------------------------------------- */

static int one_is_parked(void)
{
    return marks('s', 1) == jobs.retry.tries;
}

static void
a_job_that_fails_is_parked_after_its_tries_with_the_reason(void **state)
{
    struct async_nats_parked it = {0};

    (void)state;
    jobs.retry.tries = 3;
    assert_int_equal(opens(), ASYNC_DONE);
    submitted(1, FAILS);
    plays(&(struct play){.until = one_is_parked});
    assert_int_equal(marks('s', 1), 3);
    assert_int_equal(waiting(), 0);
    assert_int_equal(parked(), 1);
    assert_int_equal(does(NEXT, &it), ASYNC_DONE);
    assert_true(it.number > 0);
    assert_string_equal(it.function, "work");
    assert_int_equal(it.version, 1);
    assert_int_equal(it.status, ASYNC_NATS_EFAILED);
    assert_int_equal(it.code, 7);
    assert_string_equal(it.text, "seven is too many");
    assert_int_equal(it.tries, 3);
    assert_true(strlen(it.id) > 10);
    assert_int_equal(does(NEXT, &it), ASYNC_DONE);
    assert_int_equal(it.number, 0);
}

static int a_second_try(void)
{
    return marks('s', 1) >= 2;
}

static void a_parked_job_can_be_taken_back_or_thrown_away(void **state)
{
    struct async_nats_parked first = {0}, second = {0};

    (void)state;
    jobs.retry.tries = 1;
    assert_int_equal(opens(), ASYNC_DONE);
    submitted(1, FAILS);
    plays(&(struct play){.until = one_is_parked});
    reopens();
    submitted(1, FAILS);
    plays(&(struct play){.until = a_second_try});
    reopens();
    assert_int_equal(parked(), 2);
    assert_int_equal(does(NEXT, &first), ASYNC_DONE);
    second = first;
    assert_int_equal(does(NEXT, &second), ASYNC_DONE);
    assert_int_equal(does(DROP, &second), ASYNC_DONE);
    assert_int_equal(parked(), 1);
    assert_int_equal(does(RETRY, &first), ASYNC_DONE);
    assert_int_equal(parked(), 0);
    assert_int_equal(waiting(), 1);
    assert_int_equal(does(RETRY, &first), ASYNC_EINVAL);
    fails_no_more = 1;
    last_id[0] = 0;
    plays(&(struct play){.until = one_is_done});
    assert_string_equal(last_id, first.id);
    assert_int_equal(marks('e', 1), 1);
    assert_int_equal(waiting(), 0);
}

static void a_blocking_job_fails_with_its_text(void **state)
{
    struct async_nats_parked it = {0};

    (void)state;
    jobs.retry.tries = 2;
    assert_int_equal(opens(), ASYNC_DONE);
    submitted(1, FAILS);
    plays(&(struct play){.until = a_second_try, .blocks = 1});
    assert_int_equal(does(NEXT, &it), ASYNC_DONE);
    assert_int_equal(it.code, 8);
    assert_string_equal(it.text, "eight");
}

static int it_is_parked(void)
{
    return parked_now() == 1;
}

static void a_job_that_kills_its_workers_is_parked(void **state)
{
    struct async_nats_parked it = {0};
    unsigned i;

    (void)state;
    jobs.silent_ms = 300;
    jobs.retry.tries = 2;
    assert_int_equal(opens(), ASYNC_DONE);
    submitted(1, DIES);
    for (i = 0; i < 2; i++)
        waitpid(worker_starts(2, 300, 1), NULL, 0);
    plays(&(struct play){.until = it_is_parked});
    assert_int_equal(marks('s', 1), 2);
    assert_int_equal(does(NEXT, &it), ASYNC_DONE);
    assert_int_equal(it.status, ASYNC_NATS_EDIED);
    assert_int_equal(waiting(), 0);
}

static int four_are_parked(void)
{
    return parked_now() == 4 && marks('e', 1) == 1;
}

static void garbage_is_parked_and_never_run(void **state)
{
    static const int why[] = {ASYNC_NATS_EMALFORMED, ASYNC_NATS_EMALFORMED,
                              ASYNC_NATS_EVERSION, ASYNC_NATS_EMALFORMED};
    struct async_nats_head head = {.kind = ASYNC_NATS_CALL_, .length = 8};
    struct async_nats_parked it = {0};
    unsigned char bytes[ASYNC_NATS_HEAD_ + 8] = {0};
    char subject[96];
    unsigned i;

    (void)state;
    jobs.retry.tries = 2;
    assert_int_equal(opens(), ASYNC_DONE);
    snprintf(subject, sizeof subject, "async.jobs.%s.work.1", queue);
    js_Publish(NULL, jobs.js_, subject, "what?", 5, NULL, NULL);
    head.signature = async_nats_signature_(work_function());
    async_nats_put_head_(&head, bytes);
    js_Publish(NULL, jobs.js_, subject, bytes, sizeof bytes - 1, NULL, NULL);
    head.signature++;
    async_nats_put_head_(&head, bytes);
    js_Publish(NULL, jobs.js_, subject, bytes, sizeof bytes, NULL, NULL);
    head.signature--;
    head.kind = ASYNC_NATS_PING_;
    async_nats_put_head_(&head, bytes);
    js_Publish(NULL, jobs.js_, subject, bytes, sizeof bytes, NULL, NULL);
    submitted(1, DONE);
    plays(&(struct play){.until = four_are_parked});
    assert_int_equal(marks('s', UINT32_MAX), 1);
    assert_int_equal(waiting(), 0);
    for (i = 0; i < 4; i++) {
        assert_int_equal(does(NEXT, &it), ASYNC_DONE);
        assert_int_equal(it.status, why[i]);
        assert_int_equal(it.tries, 1);
    }
}

/* ---- slots -------------------------------------------------------------- */

static int four_run(void)
{
    if (running == 4)
        released = 1;
    return running == 4;
}

static int six_are_done(void)
{
    return marks('e', UINT32_MAX) == 6;
}

static void a_worker_takes_no_more_than_it_has_slots_for(void **state)
{
    unsigned i;

    (void)state;
    assert_int_equal(opens(), ASYNC_DONE);
    for (i = 0; i < 6; i++)
        submitted(i, HANGS);
    /* what one of them held back would be missing at the other */
    plays(&(struct play){.until = four_run, .workers = 2, .slots_each = 2});
    assert_int_equal(most, 4);
    assert_int_equal(marks('s', UINT32_MAX), 4);
    assert_int_equal(marks('e', UINT32_MAX), 4);
    assert_int_equal(waiting(), 2);
    reopens();
    plays(&(struct play){.until = six_are_done});
    assert_int_equal(most_tries, 1); /* nor were they refused */
}

static size_t asked_before;

/* The server stands still until the slot has given up its question, and asks
 * again: then it answers both. */
static int both_are_done(void)
{
    if (asked_before == 0) {
        if (questions() != 1)
            return 0;
        server_stands_still();
        asked_before = async_atomic_load_(&asked);
    } else if (!released && async_atomic_load_(&asked) > asked_before) {
        server_goes_on();
        if (questions() != 2)
            return 0;
        released = 1;
        publishes(1, LASTS);
        publishes(2, LASTS);
    }
    return marks('e', UINT32_MAX) == 2;
}

static void a_question_that_was_given_up_swallows_no_job(void **state)
{
    (void)state;
    lasts_ms = 100;
    asked_before = 0;
    jobs.silent_ms = 3 * LIMIT_MS;
    assert_int_equal(opens(), ASYNC_DONE);
    plays(&(struct play){.until = both_are_done});
    assert_int_equal(marks('s', UINT32_MAX), 2);
    assert_int_equal(waiting(), 0);
}

/* A busy machine may keep a worker silent for too long, but not each time. */
static void a_long_job_is_not_given_to_another(void **state)
{
    int blocks, tries;

    (void)state;
    jobs.silent_ms = 300;
    lasts_ms = 800;
    for (blocks = 0; blocks < 2; blocks++) {
        for (tries = 0; tries < 10; tries++) {
            reopens();
            unlink(marks_path);
            submitted(1, LASTS);
            plays(&(struct play){
                .until = one_is_done, .slots_each = 2, .blocks = blocks});
            assert_int_equal(waiting(), 0);
            if (marks('s', 1) == 1)
                break;
        }
        assert_true(tries < 10);
    }
}

/* ---- the end ------------------------------------------------------------ */

static int two_run(void)
{
    return running == 2;
}

static int they_go_on(void)
{
    released = 1;
    return 1;
}

static int four_are_done(void)
{
    return marks('e', UINT32_MAX) == 4;
}

static void a_drain_finishes_what_runs_and_takes_no_more(void **state)
{
    unsigned i;

    (void)state;
    assert_int_equal(opens(), ASYNC_DONE);
    for (i = 0; i < 4; i++)
        submitted(i, HANGS);
    plays(
        &(struct play){.until = two_run, .slots_each = 2, .then = they_go_on});
    assert_int_equal(marks('s', UINT32_MAX), 2);
    assert_int_equal(marks('e', UINT32_MAX), 2);
    assert_int_equal(waiting(), 2);
    reopens();
    plays(&(struct play){.until = four_are_done});
    assert_int_equal(marks('s', UINT32_MAX), 4);
    assert_int_equal(most_tries, 1);
    assert_int_equal(waiting(), 0);
}

static int eight_ask(void)
{
    return questions() == 8;
}

static void an_idle_worker_that_was_drained_has_swallowed_nothing(void **state)
{
    async_time began = milliseconds();
    int i;

    (void)state;
    assert_int_equal(opens(), ASYNC_DONE);
    for (i = 0; i < 10; i++) {
        plays(&(struct play){.until = eight_ask, .slots_each = 8});
        reopens();
    }
    /* nor did it wait until nobody asks any more */
    assert_true(milliseconds() - began < 5 * ASYNC_NATS_JOBS_ASK_MS_);
    submitted(1, DONE);
    plays(&(struct play){.until = one_is_done});
    assert_int_equal(marks('s', 1), 1);
}

/* Submits them, on a thread, a few ahead. */
static void *streams(void *arg)
{
    struct async_nats_head head = {.kind = ASYNC_NATS_CALL_, .length = 8};
    unsigned char bytes[ASYNC_NATS_HEAD_ + 8];
    struct work_arguments arguments = {.how = COUNTS};
    natsConnection *connection = NULL;
    jsCtx *js = NULL;
    jsOptions options;
    char subject[96];

    snprintf(subject, sizeof subject, "async.jobs.%s.work.1", queue);
    head.signature = async_nats_signature_(work_function());
    async_nats_put_head_(&head, bytes);
    jsOptions_Init(&options);
    options.Wait = PATIENCE_MS;
    if (natsConnection_ConnectTo(&connection, url) != NATS_OK ||
        natsConnection_JetStream(&js, connection, &options) != NATS_OK)
        abort();
    for (; arguments.number < STREAM; arguments.number++) {
        while (arguments.number > async_atomic_load_(&ended) + 6)
            sched_yield();
        async_nats_encode_(&work_function()->arguments, &arguments,
                           bytes + ASYNC_NATS_HEAD_);
        if (js_Publish(NULL, js, subject, bytes, sizeof bytes, NULL, NULL) !=
            NATS_OK)
            abort();
    }
    jsCtx_Destroy(js);
    natsConnection_Destroy(connection);
    return arg;
}

static size_t enough;

static int enough_have_ended(void)
{
    return ended >= enough;
}

static int all_have_ended(void)
{
    unsigned i;

    for (i = 0; i < STREAM; i++)
        if (ends_of[i] == 0)
            return 0;
    return 1;
}

/* Workers come and go in a stream of jobs; whatever arrives is done once, and
 * told, or goes back. (A server of 2.9 may deliver a job twice, and another
 * one late, when it meets an unsubscribe on its way: each is done at least
 * once.) */
static void stream(int cancels)
{
    pthread_t thread;

    jobs.silent_ms = 1000;
    jobs.retry.tries = 1000;
    ended = 0;
    memset(ends_of, 0, sizeof ends_of);
    assert_int_equal(opens(), ASYNC_DONE);
    assert_int_equal(pthread_create(&thread, NULL, streams, NULL), 0);
    for (enough = A_ROUND; enough <= STREAM; enough += A_ROUND) {
        plays(&(struct play){
            .until = enough_have_ended, .slots_each = 8, .cancels = cancels});
        reopens();
    }
    plays(&(struct play){.until = all_have_ended});
    pthread_join(thread, NULL);
    assert_int_equal(async_atomic_load_(&heard), ended);
    assert_int_equal(async_atomic_load_(&arrived),
                     ended + async_atomic_load_(&returned));
    assert_int_equal(waiting(), 0);
}

static void a_drain_in_a_stream_of_jobs_loses_and_repeats_none(void **state)
{
    (void)state;
    stream(0);
    assert_int_equal(async_atomic_load_(&returned), 0);
}

static void a_cancel_in_a_stream_of_jobs_loses_none(void **state)
{
    (void)state;
    async_atomic_store_(&late_ms, 2);
    stream(1);
}

static int three_run(void)
{
    return running == 3;
}

/* Also when those that ask are gone, with their questions still there. */
static void a_canceled_worker_gives_its_jobs_back_at_once(void **state)
{
    unsigned i;

    (void)state;
    jobs.silent_ms = 3 * LIMIT_MS;
    jobs.retry.tries = 1000;
    assert_int_equal(opens(), ASYNC_DONE);
    for (i = 1; i <= 3; i++)
        submitted(i, HANGS);
    for (i = 0; i < 10; i++) {
        plays(
            &(struct play){.until = three_run, .slots_each = 8, .cancels = 1});
        assert_int_equal(running, 0);
    }
    assert_int_equal(marks('e', UINT32_MAX), 0);
    released = 1;
    submitted(4, DONE);
    plays(&(struct play){.until = four_are_done});
    assert_int_equal(marks('s', UINT32_MAX), 34);
    assert_int_equal(waiting(), 0);
}

static void a_blocking_job_is_told_of_a_cancel(void **state)
{
    (void)state;
    jobs.silent_ms = 3 * LIMIT_MS;
    assert_int_equal(opens(), ASYNC_DONE);
    submitted(1, DONE);
    lasts_ms = LIMIT_MS;
    plays(&(struct play){.until = it_has_begun, .blocks = 1, .cancels = 1});
    assert_int_equal(marks('e', 1), 0);
    lasts_ms = 1;
    plays(&(struct play){.until = one_is_done, .blocks = 1});
    assert_int_equal(waiting(), 0);
}

static int stands_still(void)
{
    waits_for(200);
    server_stands_still();
    return 1;
}

static int is_killed(void)
{
    waits_for(200);
    server_is_killed();
    return happens(it_is_away);
}

static void a_drain_ends_also_without_a_server(void **state)
{
    int (*const goes[])(void) = {stands_still, is_killed};
    unsigned i;

    (void)state;
    for (i = 0; i < 2; i++) {
        assert_int_equal(opens(), ASYNC_DONE);
        submitted(1, HANGS);
        plays(&(struct play){.until = it_has_begun,
                             .slots_each = 2,
                             .cancels = 1,
                             .then = goes[i]});
        if (server)
            server_is_killed();
        server_starts();
        assert_int_equal(does(CLOSE, NULL), ASYNC_DONE);
        setup(NULL);
    }
}

/* ---- open -------------------------------------------------------------- */

static void an_id_that_cannot_be_is_refused(void **state)
{
    struct work_submission call = {0};

    (void)state;
    assert_int_equal(opens(), ASYNC_DONE);
    call.submission.id = "a\r\nb";
    assert_int_equal(submits(&call, 1, DONE), ASYNC_EINVAL);
    call.submission.id = "";
    assert_int_equal(submits(&call, 1, DONE), ASYNC_EINVAL);
    assert_int_equal(waiting(), 0);
}

static void a_name_that_cannot_be_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "a.b", "a b", "*", ">", "a\n", "thirty_two_letters______________"};
    unsigned i;

    (void)state;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(queue, sizeof queue, "%s", bad[i]);
        assert_int_equal(opens(), ASYNC_EINVAL);
    }
}

/* ---- kills -------------------------------------------------------------- */

static uint32_t seed = 1;

static unsigned chance(unsigned count)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % count;
}

enum { WORKERS = 3, JOBS_EACH = 10 };

static unsigned all_jobs;

static int all_are_done(void)
{
    unsigned i;

    for (i = 0; i < all_jobs; i++)
        if (!marks('e', i))
            return 0;
    return 1;
}

/* A job that the server says it has is done, whoever is killed meanwhile. */
static void no_job_is_lost_when_workers_and_server_are_killed(void **state)
{
    const char *given = getenv("ROUNDS");
    unsigned rounds = given ? (unsigned)atoi(given) : 20, round, i;
    unsigned servers = 0, workers = 0, refused = 0;
    pid_t process[WORKERS];

    (void)state;
    given = getenv("SEED");
    seed = given ? (uint32_t)strtoul(given, NULL, 10) : 20261120u;
    print_message("SEED=%lu\n", (unsigned long)seed);
    jobs.silent_ms = 500;
    jobs.retry.tries = 1000;
    assert_int_equal(opens(), ASYNC_DONE);
    waits_for(200);
    for (i = 0; i < WORKERS; i++)
        process[i] = worker_starts(1000, 500, 4);
    all_jobs = 0;
    for (round = 0; round < rounds; round++) {
        unsigned until = all_jobs + JOBS_EACH;

        while (all_jobs < until) {
            struct work_submission call = {0};

            while (submits(&call, all_jobs, LASTS) != ASYNC_DONE) {
                refused++;
                pause_ms(10);
            }
            all_jobs++;
            if (chance(JOBS_EACH) == 0) {
                i = chance(WORKERS);
                ends(process[i]);
                process[i] = worker_starts(1000, 500, 4);
                workers++;
            }
            if (chance(2 * JOBS_EACH) == 0) {
                server_is_killed();
                if (chance(2))
                    pause_ms((long)chance(300));
                server_starts();
                servers++;
            }
            pause_ms((long)chance(10));
        }
    }
    print_message("%u jobs, %u workers and %u servers killed, %u submissions "
                  "again\n",
                  all_jobs, workers, servers, refused);
    assert_true(happens(all_are_done));
    for (i = 0; i < WORKERS; i++)
        ends(process[i]);
    print_message("%u starts, %u ends\n", marks('s', UINT32_MAX),
                  marks('e', UINT32_MAX));
    reopens();
    assert_int_equal(parked(), 0);
}

/* ---- main --------------------------------------------------------------- */

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static int removes(const char *path, const struct stat *is, int kind,
                   struct FTW *where)
{
    (void)is;
    (void)kind;
    (void)where;
    return remove(path);
}

int main(int count, char **args)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_is_done_once_and_gone),
        TEST(a_blocking_job_runs_on_the_executor),
        TEST(frames_are_new_for_each_job),
        TEST(an_id_submitted_twice_is_one_job),
        TEST(an_id_is_known_when_its_job_is_done),
        TEST(a_submission_that_is_done_is_another_job_the_next_time),
        TEST(a_submission_without_an_answer_is_the_same_job_again),
        TEST(what_is_too_large_is_refused),
        TEST(a_job_outlives_a_server_that_is_killed),
        TEST(without_a_server_nothing_is_promised),
        TEST(an_open_without_a_server_says_why),
        TEST(a_job_whose_worker_is_killed_goes_to_another),
        TEST(a_worker_goes_on_when_the_server_is_there_again),
        TEST(a_job_that_ends_while_the_server_is_away_is_done),
        TEST(a_job_that_fails_is_parked_after_its_tries_with_the_reason),
        TEST(a_parked_job_can_be_taken_back_or_thrown_away),
        TEST(a_blocking_job_fails_with_its_text),
        TEST(a_job_that_kills_its_workers_is_parked),
        TEST(garbage_is_parked_and_never_run),
        TEST(a_worker_takes_no_more_than_it_has_slots_for),
        TEST(a_question_that_was_given_up_swallows_no_job),
        TEST(a_long_job_is_not_given_to_another),
        TEST(a_drain_finishes_what_runs_and_takes_no_more),
        TEST(an_idle_worker_that_was_drained_has_swallowed_nothing),
        TEST(a_drain_in_a_stream_of_jobs_loses_and_repeats_none),
        TEST(a_cancel_in_a_stream_of_jobs_loses_none),
        TEST(a_canceled_worker_gives_its_jobs_back_at_once),
        TEST(a_blocking_job_is_told_of_a_cancel),
        TEST(a_drain_ends_also_without_a_server),
        TEST(an_id_that_cannot_be_is_refused),
        TEST(a_name_that_cannot_be_is_refused),
        TEST(no_job_is_lost_when_workers_and_server_are_killed),
    };
    const char *temporary = getenv("TMPDIR");
    int failed;

    main_thread = pthread_self();
    snprintf(self_path, sizeof self_path, "%s", args[0]);
    if (count == 8 && strcmp(args[1], "worker") == 0)
        return worker_main(args + 2);
    snprintf(directory, sizeof directory, "%.100s/async_jobs_XXXXXX",
             temporary ? temporary : "/tmp");
    if (!mkdtemp(directory))
        return 1;
    snprintf(marks_path, sizeof marks_path, "%s/marks", directory);
    snprintf(log_path, sizeof log_path, "%s/log", directory);
    fclose(fopen(log_path, "w"));
    port = free_port();
    snprintf(url, sizeof url, "nats://127.0.0.1:%d", port);
    if (async_executor_start(&talks, 2, 16) < 0 ||
        async_executor_start(&computes, 2, 16) < 0)
        return 1;
    if (count > 1)
        cmocka_set_test_filter(args[1]);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (server)
        server_is_killed();
    async_executor_stop(&talks, ASYNC_STOP_DRAIN);
    async_executor_stop(&computes, ASYNC_STOP_DRAIN);
    nats_Close();
    nftw(directory, removes, 16, FTW_DEPTH | FTW_PHYS);
    return failed;
}
