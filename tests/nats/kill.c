/* kill.c: workers and the server are killed while calls are in flight.
 * SPDX-License-Identifier: MIT
 *
 *     tests/nats/run kill        KILL_ROUNDS=n; SEED=n: from that round on
 *
 * Three workers, which are this program again, serve an async function and a
 * blocking one; a caller has hundreds of calls in flight, with retry. At random
 * moments workers are killed, drained, or stand still for a while, and the
 * server is killed; each comes back. Every call has an argument of its own, and
 * its answer is a function of that: each must be answered, once, and rightly.
 * What a worker begins it writes down, so what ran twice is known too.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void give_up(const char *format, ...);
#define SERVER_FAILS_(...) give_up(__VA_ARGS__)
#include "server.h"

#include "../../adapters/async_nats_worker.h"
#include "../../async_gather.h"

ASYNC_NATS_FUNCTION(mix, 1, (u64, argument), (u64, answer))
ASYNC_NATS_FUNCTION(stir, 1, (u64, argument), (u64, answer))
ASYNC_NATS_SERVES(mix)
ASYNC_NATS_SERVES(stir)

enum { CALLS = 300, WORKERS = 3, SLOTS = 64, AT_ONCE = 8 };

/* ---- by chance ---------------------------------------------------------- */

static uint64_t chance_state;

static unsigned chance(unsigned below)
{
    chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(chance_state >> 33) % below;
}

/* What the functions answer. */
static uint64_t answer_to(uint64_t argument)
{
    argument ^= argument >> 29;
    return argument * 0xBF58476D1CE4E5B9u;
}

/* ---- a worker ----------------------------------------------------------- */

static struct worker {
    struct async_frame async;
    struct async_loop loop;
    struct async_nats nats;
    struct async_nats_worker worker;
    struct async_nats_service mix, stir;
    struct async_executor executor;
    struct mix_served mixes[SLOTS];
    struct stir_served stirs[SLOTS];
    natsOptions *options;
    int log;
    async_status status;
} worker;

/* One write is one record, whatever becomes of the writer. */
static void write_down(uint64_t argument)
{
    if (write(worker.log, &argument, sizeof argument) != sizeof argument)
        _exit(3);
}

static async mix(struct async_loop *loop, void *frame)
{
    struct mix_served *self = frame;

    async_begin(self);
    write_down(self->arguments.argument);
    if (self->arguments.argument % 4)
        await(async_sleep_ms(loop, self->arguments.argument % 8));
    self->result.answer = answer_to(self->arguments.argument);
    async_end();
}

static int stir(struct stir_served *self)
{
    struct timespec while_it_works = {0, 0};

    write_down(self->arguments.argument);
    while_it_works.tv_nsec = (long)(self->arguments.argument % 4) * 1000000;
    (void)nanosleep(&while_it_works, NULL);
    self->result.answer = answer_to(self->arguments.argument);
    return ASYNC_DONE;
}

static void drain(int signal)
{
    (void)signal;
    async_nats_worker_drain(&worker.worker);
}

static async works(struct async_loop *loop, void *frame)
{
    struct worker *self = frame;

    async_begin(self);
    /* The server may be away. */
    while ((self->status = async_nats_open(loop, &self->nats, self->options)) ==
           ASYNC_NATS_EGONE)
        await(async_sleep_ms(loop, 2));
    await(self->status);
    await(async_nats_worker_start(&self->worker, &self->nats));
    (void)signal(SIGTERM, drain);
    await(mix_serve(&self->worker, &self->mix, mix, self->mixes,
                    sizeof *self->mixes, SLOTS, AT_ONCE));
    await(stir_serve_blocking(&self->worker, &self->stir, stir, &self->executor,
                              self->stirs, sizeof *self->stirs, SLOTS,
                              AT_ONCE));
    await(async_nats_worker_run(loop, &self->worker));
    async_finally();
    await(async_nats_close(loop, &self->nats));
    async_end();
}

static natsOptions *options_of(const char *url)
{
    natsOptions *options = NULL;

    if (natsOptions_Create(&options) != NATS_OK ||
        natsOptions_SetURL(options, url) != NATS_OK ||
        natsOptions_SetMaxReconnect(options, -1) != NATS_OK ||
        natsOptions_SetReconnectWait(options, 5) != NATS_OK ||
        natsOptions_SetReconnectJitter(options, 2, 2) != NATS_OK)
        give_up("natsOptions");
    return options;
}

/* argv: worker URL LOG. 0: it has drained, and nothing was left. */
static int be_a_worker(char **argv)
{
    worker.options = options_of(argv[2]);
    worker.log = open(argv[3], O_WRONLY | O_APPEND);
    if (worker.log < 0 ||
        async_executor_start(&worker.executor, AT_ONCE, SLOTS) < 0)
        return 4;
    worker.status = async_run(&worker.loop, works, &worker);
    async_executor_stop(&worker.executor, ASYNC_STOP_DRAIN);
    natsOptions_Destroy(worker.options);
    if (worker.status < 0)
        return 5;
    return worker.worker.running || worker.worker.waiting ? 6 : 0;
}

/* ---- the caller --------------------------------------------------------- */

/* What stays in a result when its answer was taken. */
#define UNTOUCHED 0x5A5A5A5A5A5A5A5Au

/* A call, and how often it was answered. */
struct one {
    struct async_frame async; /* first */
    uint64_t argument, answer;
    int is_blocking, rc, answered, runs;
    struct mix_remote mix;
    struct stir_remote stir;
};

static struct caller {
    struct async_frame async;
    struct async_loop loop;
    struct async_nats nats;
    natsOptions *options;
    struct one calls[CALLS];
    struct async_task tasks[CALLS], chaos;
    struct async_batch batch;
    unsigned long round, rounds, seed;
    unsigned long lost, twice, retried, again, killed, drained, stopped,
        restarted; /* totals */
    int rc;
} caller;

static struct server server;
static pid_t workers[WORKERS];
static const char *program, *log_path;

static void give_up(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fprintf(stderr, "SEED=%lu: ", caller.seed);
    (void)vfprintf(stderr, format, arguments);
    (void)fprintf(stderr, "\n");
    va_end(arguments);
    exit(1);
}

static async calls_one(struct async_loop *loop, void *frame)
{
    struct mix_arguments mixes;
    struct stir_arguments stirs;
    struct one *self = frame;

    mixes.argument = stirs.argument = self->argument;
    async_begin(self);
    if (self->is_blocking)
        async_catch(self->rc,
                    stir_remote_call(loop, &caller.nats, &self->stir, stirs));
    else
        async_catch(self->rc,
                    mix_remote_call(loop, &caller.nats, &self->mix, mixes));
    self->answer =
        self->is_blocking ? self->stir.result.answer : self->mix.result.answer;
    self->stir.result.answer = self->mix.result.answer = UNTOUCHED;
    self->answered++;
    async_end();
}

/* ---- what happens to them ----------------------------------------------- */

static void start_worker(int which)
{
    workers[which] = fork();
    if (workers[which] < 0)
        give_up("fork: %s", strerror(errno));
    if (workers[which] == 0) {
#ifdef __linux__
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
        (void)execl(program, program, "worker", server.url, log_path, NULL);
        _exit(127);
    }
}

/* It must have been killed, also by a SIGTERM before it served, or have ended
 * well after a drain. */
static int has_ended(int which)
{
    int status;
    pid_t pid = waitpid(workers[which], &status, WNOHANG);

    if (pid == 0)
        return 0;
    if (pid != workers[which] ||
        !(WIFSIGNALED(status)
              ? WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM
              : WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 5))
        give_up("worker %d ends with 0x%x", which, (unsigned)status);
    workers[which] = 0;
    return 1;
}

static struct chaos {
    struct async_frame async;
    unsigned event;
    int left, which;
} chaos;

static async makes_chaos(struct async_loop *loop, void *frame)
{
    struct chaos *self = frame;

    async_begin(self);
    for (self->left = 1 + (int)chance(3); self->left; self->left--) {
        await(async_sleep_ms(loop, chance(20)));
        self->which = (int)chance(WORKERS);
        self->event = chance(8);
        if (self->event == 0) {
            caller.restarted++;
            server_kill(&server);
            await(async_sleep_ms(loop, chance(10)));
            server_start(&server, NULL);
        } else if (self->event == 1) {
            caller.stopped++;
            (void)kill(workers[self->which], SIGSTOP);
            await(async_sleep_ms(loop, chance(60)));
            (void)kill(workers[self->which], SIGCONT);
        } else {
            if (self->event <= 3) {
                caller.drained++;
                (void)kill(workers[self->which], SIGTERM);
            } else {
                caller.killed++;
                (void)kill(workers[self->which], SIGKILL);
            }
            await(async_until(loop, has_ended(self->which)));
            start_worker(self->which);
        }
    }
    async_end();
}

/* ---- rounds ------------------------------------------------------------- */

static void begin_round(void)
{
    static const struct one zero;
    int log = open(log_path, O_WRONLY | O_CREAT | O_TRUNC, 0600), i;

    (void)close(log);
    chance_state = caller.seed;
    for (i = 0; i < CALLS; i++) {
        caller.calls[i] = zero;
        caller.calls[i].argument =
            (uint64_t)caller.round << 32 | (uint64_t)i << 16 | chance(65536);
        caller.calls[i].is_blocking = chance(2) != 0;
    }
}

static void count_run(uint64_t argument)
{
    unsigned i = (unsigned)(argument >> 16) & 0xFFFF;

    if (argument >> 32 != caller.round) /* of an earlier round, late */
        return;
    if (i >= CALLS || caller.calls[i].argument != argument)
        give_up("a worker was given %llx", (unsigned long long)argument);
    caller.calls[i].runs++;
}

static void end_round(void)
{
    FILE *log = fopen(log_path, "r");
    uint64_t argument;
    int i;

    while (log && fread(&argument, sizeof argument, 1, log) == 1)
        count_run(argument);
    if (log)
        (void)fclose(log);
    for (i = 0; i < CALLS; i++) {
        const struct one *one = &caller.calls[i];
        int seen_again = one->stir.result.answer != UNTOUCHED ||
                         one->mix.result.answer != UNTOUCHED;
        int is_right = one->answer == answer_to(one->argument);
        int tried =
            one->is_blocking ? one->stir.call.tried_ : one->mix.call.tried_;

        caller.lost +=
            one->rc < 0 || one->answered == 0 || one->runs == 0 || !is_right;
        caller.twice += seen_again || one->answered > 1;
        caller.retried += tried > 1;
        caller.again += one->runs > 1;
        if (one->rc < 0 || !is_right || seen_again || one->answered != 1 ||
            one->runs == 0)
            (void)fprintf(stderr,
                          "SEED=%lu: call %d: %s, %d times%s, ran %d times, "
                          "%s value\n",
                          caller.seed, i, async_nats_strerror(one->rc),
                          one->answered, seen_again ? " and once more" : "",
                          one->runs, is_right ? "the right" : "a wrong");
    }
}

static async calls_in_rounds(struct async_loop *loop, void *frame)
{
    struct caller *self = frame;

    async_begin(self);
    await(async_nats_open(loop, &self->nats, self->options));
    self->nats.lost_ms = 100;
    self->nats.ping_ms = 30;
    self->nats.retry.tries = 0;
    self->nats.retry.first_ms = 2;
    self->nats.retry.max_ms = 20;
    self->nats.retry.seed = 1;
    for (self->round = 1; self->round <= self->rounds; self->round++) {
        begin_round();
        memset(&chaos, 0, sizeof chaos);
        (void)async_spawn(loop, &self->chaos, makes_chaos, &chaos);
        self->batch.collect = 1;
        await(
            async_map(loop, &self->batch, calls_one, self->calls, self->tasks));
        await(async_join(loop, &self->chaos));
        end_round();
        self->seed++;
    }
    async_finally();
    await(async_nats_close(loop, &self->nats));
    async_end();
}

int main(int argc, char **argv)
{
    const char *seed = getenv("SEED"), *rounds = getenv("KILL_ROUNDS");
    async_status status;
    int i;

    if (argc == 4 && strcmp(argv[1], "worker") == 0)
        return be_a_worker(argv);
    program = argv[0];
    log_path = server_file("log");
    caller.seed = seed ? strtoul(seed, NULL, 10) : (unsigned long)time(NULL);
    caller.rounds = rounds ? strtoul(rounds, NULL, 10) : 100;
    server_start(&server, NULL);
    i = open(log_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    (void)close(i);
    for (i = 0; i < WORKERS; i++)
        start_worker(i);
    caller.options = options_of(server.url);
    status = async_run(&caller.loop, calls_in_rounds, &caller);
    natsOptions_Destroy(caller.options);
    for (i = 0; i < WORKERS; i++) {
        (void)kill(workers[i], SIGKILL);
        (void)waitpid(workers[i], NULL, 0);
    }
    server_kill(&server);
    if (status < 0)
        give_up("%s", async_nats_strerror(status));
    printf("%lu rounds, %lu calls, %lu lost, %lu seen twice, %lu retried, "
           "%lu ran twice (workers: %lu killed, %lu drained, %lu stood still; "
           "server: %lu killed)\n",
           caller.rounds, caller.rounds * CALLS, caller.lost, caller.twice,
           caller.retried, caller.again, caller.killed, caller.drained,
           caller.stopped, caller.restarted);
    return caller.lost || caller.twice;
}
