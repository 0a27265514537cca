/* explorer.c: every interleaving of a program's threads, up to a bound.
 * SPDX-License-Identifier: MIT
 *
 * A run is made of turns: before each operation that threads can see of each
 * other, one is chosen to go on. Search is depth first, the last choice that
 * has another way is changed next; the run goes on from the state that was kept
 * there, and a failure is repeated from the beginning, from its choices alone.
 * First all runs without a preemption, then with one, and so on (iterative
 * context bounding, Musuvathi and Qadeer 2007), so the first failure is one
 * with the fewest, and the one that is printed is the shortest of those.
 *
 * A state is all that the rest of a run depends on: the program's memory, the
 * stacks and registers of its threads, the explorer's locks and pipes. Who
 * comes to a state that was there before, with no more preemptions left than
 * then, has nothing new to find: that run ends. (States are told apart by 64
 * bits of a hash. Where registers can't be looked at, no run ends early.)
 *
 * A failure is what explorer_check or ASYNC_ASSERT says, a crash, memory used
 * that is gone, a lock misused, a descriptor used that is closed, threads none
 * of which can go on, a loop that sleeps for ever among them.
 *
 * Environment: PREEMPTIONS (4), SCHEDULES: give up after so many (10000000),
 * ONLY: claims with this in their names, STATES=0: no run ends early and each
 * begins anew, LATE=0: no store is late.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum {
    THREADS = 6,
    STACK_BYTES = 1 << 16,
    STEPS = 3000, /* more of them in one run are too many */
    PIPES = 4,
    FIRST_FD = 1000,
    GONE = 24,         /* pieces of memory that are nobody's */
    LOOKS_AT_ONCE = 3, /* the same read again and again: it spins */
    LOOKS_ALONE = 50,  /* for ever, if nobody else can go on */
    SAVED = 48         /* bytes of registers that turn() keeps in its frame */
};

#if defined(__x86_64__)
#define HAVE_STATES 1
#else
#define HAVE_STATES 0
#endif

/* The same as in explorer.h. */
struct explorer_mutex {
    int is_there;
    int owner;
};

struct explorer_cond {
    int is_there;
};

enum condition {
    UNUSED,
    READY,
    LOCKS, /* waits for a mutex */
    WAITS, /* for a condition */
    POLLS, /* for a pipe */
    JOINS, /* for another thread's end */
    PICKS, /* a number below `picks`, for `result` */
    OVER
};

static const char *const waits_for[] = {
    "",         "", "a lock", "a condition", "a descriptor", "a thread's end",
    "a choice", ""};

struct thread {
    uint64_t registers[8]; /* of the last turn, as far as they are known */
    char *low;             /* its stack is used from here on */
    int condition;
    int spins;          /* not before another thread has done something */
    const void *object; /* what it waits for */
    struct explorer_mutex *mutex; /* to lock again after a condition */
    struct pollfd *fds;
    size_t fd_count;
    int result, picks;
    int is_timed, joined;
    int64_t deadline;
    const volatile void *next_object; /* of its next operation; NULL: several */
    int next_writes;
    int sleeps; /* until somebody changes what that operation is on */
    const volatile void *last_word; /* that it has read */
    int last_line, looks;
    void *(*fn)(void *);
    void *arg, *returned;
};

/* What a run's future depends on, beside the program's own memory. */
static struct {
    struct thread threads[THREADS];
    int current;
    int64_t clock_ns;
    int pipes[PIPES]; /* bytes in them; below 0: an end is closed */
    int is_open[2 * PIPES];
    int pipe_count;
    int failing_thread;
    struct late {
        const volatile void *word;
        uint64_t before;
    } late[THREADS]; /* a store of each, that others don't see yet */
    struct {
        char *begin;
        size_t size;
    } gone[GONE];
} now;

/* The same again, but the future does not depend on it. */
static struct beside {
    jmp_buf at;
    char *stack;
    const char *name;
    const char *what, *on, *file; /* who calls an atomic operation */
    int line;
} beside[THREADS];

struct entry { /* of the trace */
    const char *what, *on, *file, *inner;
    const char *name;
    int line, thread, is_switch;
    long saw;
};
enum { SAW_NOTHING = -99 };

static struct trace {
    struct entry entries[STEPS];
    int count, preemptions;
    char reason[400];
} trace, shortest;

static struct {
    void (*body)(void);
    char *world;
    size_t size;
    jmp_buf home;
    struct {
        uint8_t chosen, count;
    } path[STEPS * 2];
    int depth, prefix;
    int bound, left; /* preemptions */
    int is_bounded;  /* there was more to try, with more of them */
    int outcome;
    int is_switch;
    int from_start;
    int failures, has_no_states, is_in_order;
    uint64_t runs, seen;
} search;
enum { RUN_ENDED, RUN_SEEN, RUN_FAILED };

static int instrumented; /* plain reads and writes come here too */

/* ---- states ------------------------------------------------------------- */

struct state {
    uint64_t key;
    uint32_t search;          /* it is of */
    int8_t left[THREADS + 1]; /* when it was seen, by who had the last turn;
                                 the last: one that could not go on */
};
static struct state *states;
static size_t state_places, state_count;
static uint32_t search_number;

static int has_states(void)
{
    return HAVE_STATES && !instrumented && !search.has_no_states;
}

static uint64_t hash(uint64_t sum, const void *memory, size_t size)
{
    const char *bytes = memory;
    uint64_t word;

    for (; size >= sizeof word; size -= sizeof word, bytes += sizeof word) {
        memcpy(&word, bytes, sizeof word);
        sum = (sum ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        sum ^= sum >> 29;
    }
    for (; size; size--, bytes++)
        sum = (sum ^ (unsigned char)*bytes) * UINT64_C(0x100000001B3);
    return sum ^ sum >> 32;
}

static uint64_t state_now(void)
{
    uint64_t sum = hash(1, search.world, search.size);
    int current = now.current, i;

    now.current = 0;
    sum = hash(sum, &now, sizeof now);
    now.current = current;
    for (i = 0; i < THREADS; i++)
        if (now.threads[i].condition != UNUSED &&
            now.threads[i].condition != OVER)
            sum = hash(
                sum, now.threads[i].low,
                (size_t)(beside[i].stack + STACK_BYTES - now.threads[i].low));
    return sum ? sum : 1;
}

static struct state *place_of(uint64_t key)
{
    size_t i = key & (state_places - 1);

    while (states[i].search == search_number && states[i].key != key)
        i = (i + 1) & (state_places - 1);
    return &states[i];
}

static void make_places(size_t places)
{
    struct state *former = states;
    size_t i, count = state_places;

    states = calloc(places, sizeof *states);
    if (!states)
        abort();
    state_places = places;
    for (i = 0; i < count; i++)
        if (former[i].search == search_number)
            *place_of(former[i].key) = former[i];
    free(former);
}

/* True if nothing new can come of going on from here. To go on with another
 * thread than the one that had the last turn takes a preemption, if that can go
 * on: so whose turn it was is worth one at the most. */
static int is_known(int can_go_on)
{
    struct state *state;
    int current = can_go_on ? now.current : THREADS, known = 0, i;
    uint64_t key;

    if (!has_states())
        return 0;
    key = state_now();
    state = place_of(key);
    if (state->search != search_number) {
        state->key = key;
        state->search = search_number;
        memset(state->left, -1, sizeof state->left);
        if (++state_count * 2 > state_places) {
            make_places(state_places * 2);
            state = place_of(key);
        }
    }
    for (i = 0; i <= THREADS; i++)
        known |= state->left[i] - (i != current && i < THREADS) >= search.left;
    if (!known)
        state->left[current] = (int8_t)search.left;
    return known;
}

/* ---- states to go back to ------------------------------------------------ */

/* One is kept for each choice of the path: the run goes on from there, in place
 * of one from the beginning. Where plain reads and writes are listened to, what
 * is known of them would have to be kept too: there each run begins anew. */
enum { MARGIN = 256 }; /* bytes of a frame below turn()'s */
static const size_t kept_most = (size_t)1 << 30;
static char *kept;
static struct {
    size_t at[STEPS * 2 + 1];
} keeping;

static void copy(char **to, void *memory, size_t size, int back)
{
    if (back)
        memcpy(memory, *to, size);
    else
        memcpy(*to, memory, size);
    *to += (size + 15) & ~(size_t)15;
}

/* All that a run's future depends on, into what is kept for this depth, or
 * back. */
static void keep(int depth, int back)
{
    char *to = kept + keeping.at[depth];
    int i;

    if (kept_most - keeping.at[depth] < search.size + sizeof now +
                                            sizeof beside +
                                            THREADS * (size_t)STACK_BYTES)
        abort();
    copy(&to, &now, sizeof now, back);
    copy(&to, beside, sizeof beside, back);
    copy(&to, search.world, search.size, back);
    copy(&to, &search.left, sizeof search.left, back);
    copy(&to, &search.is_switch, sizeof search.is_switch, back);
    copy(&to, &trace.count, sizeof trace.count, back);
    copy(&to, &trace.preemptions, sizeof trace.preemptions, back);
    for (i = 0; i < THREADS; i++)
        if (now.threads[i].condition != UNUSED &&
            now.threads[i].condition != OVER) {
            char *low = now.threads[i].low - MARGIN;

            if (low < beside[i].stack)
                low = beside[i].stack;
            copy(&to, low, (size_t)(beside[i].stack + STACK_BYTES - low), back);
        }
    keeping.at[depth + 1] = (size_t)(to - kept);
}

/* ---- the end of a run --------------------------------------------------- */

static void end_run(int outcome)
{
    search.outcome = outcome;
    _longjmp(search.home, 2);
}

__attribute__((format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(trace.reason, sizeof trace.reason, format, arguments);
    va_end(arguments);
    end_run(RUN_FAILED);
}

static const char *base(const char *file)
{
    const char *slash = strrchr(file, '/');

    return slash ? slash + 1 : file;
}

void explorer_fail(const char *file, int line, const char *claim)
{
    fail("%s (%s:%d)", claim, base(file), line);
    abort();
}

static void crash(int number)
{
    fail("%s: it crashes", number == SIGSEGV ? "SIGSEGV" : "a signal");
}

/* ---- what happens before what -------------------------------------------- */

typedef uint32_t moment;

struct clocks {
    moment of[THREADS];
};

static struct clocks clocks[THREADS];

static struct sync { /* what a word, a lock, a thread's end hands on */
    const volatile void *object;
    struct clocks clocks;
} syncs[256];
static int sync_count;

struct cell { /* a byte's last uses */
    uint32_t run;
    uint8_t writer, written_atomic, read_atomic;
    moment written, read[THREADS];
};
static struct cell *cells; /* of the world, then of the stacks */
static uint32_t run_number;

static struct cell *cell_of(uintptr_t at)
{
    size_t world = (uintptr_t)at - (uintptr_t)search.world;
    size_t stack = (uintptr_t)at - (uintptr_t)beside[0].stack;

    if (world < search.size)
        return &cells[world];
    return stack < (size_t)STACK_BYTES * THREADS ? &cells[search.size + stack]
                                                 : NULL;
}

static void join_clocks(struct clocks *into, const struct clocks *from)
{
    int i;

    for (i = 0; i < THREADS; i++)
        if (into->of[i] < from->of[i])
            into->of[i] = from->of[i];
}

static struct sync *sync_of(const volatile void *object)
{
    int i;

    for (i = 0; i < sync_count; i++)
        if (syncs[i].object == object)
            return &syncs[i];
    if (sync_count == sizeof syncs / sizeof *syncs)
        abort();
    memset(&syncs[i], 0, sizeof syncs[i]);
    syncs[i].object = object;
    sync_count++;
    return &syncs[i];
}

static void acquire(const volatile void *object)
{
    join_clocks(&clocks[now.current], &sync_of(object)->clocks);
}

static void release(const volatile void *object)
{
    join_clocks(&sync_of(object)->clocks, &clocks[now.current]);
    clocks[now.current].of[now.current]++;
}

static void look_whether_gone(const volatile void *word)
{
    int i;

    for (i = 0; i < GONE; i++)
        if ((uintptr_t)word - (uintptr_t)now.gone[i].begin < now.gone[i].size)
            fail("%s uses memory that is nobody's any more",
                 beside[now.current].name);
}

static void use(const volatile void *word, size_t size, int writes, int atomic)
{
    int me = now.current, i;

    look_whether_gone(word);
    for (; size; size--, word = (const volatile char *)word + 1) {
        struct cell *cell = cell_of((uintptr_t)word);
        int other = -1;

        if (!cell)
            return;
        if (cell->run != run_number) {
            memset(cell, 0, sizeof *cell);
            cell->run = run_number;
        }
        if (cell->written > clocks[me].of[cell->writer] &&
            !(atomic && cell->written_atomic))
            other = cell->writer;
        for (i = 0; writes && i < THREADS; i++)
            if (i != me && cell->read[i] > clocks[me].of[i] &&
                !(atomic && cell->read_atomic & 1 << i))
                other = i;
        if (other >= 0)
            fail("a race: %s %ss, %s has used it, and nothing orders the two",
                 beside[me].name, writes ? "write" : "read",
                 beside[other].name);
        if (writes) {
            cell->writer = (uint8_t)me;
            cell->written = clocks[me].of[me];
            cell->written_atomic = (uint8_t)atomic;
        } else {
            if (cell->read[me] != clocks[me].of[me])
                cell->read_atomic |= (uint8_t)(1 << me);
            if (!atomic)
                cell->read_atomic &= (uint8_t) ~(1 << me);
            cell->read[me] = clocks[me].of[me];
        }
    }
}

/* What the compiler calls for -fsanitize=thread: plain uses of memory, */
void __tsan_init(void);
void __tsan_init(void)
{
    instrumented = 1;
}
void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller)
{
    (void)caller;
}
void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}
#define USES(name, size, writes)                                               \
    void __tsan_##name(void *word);                                            \
    void __tsan_##name(void *word)                                             \
    {                                                                          \
        use(word, size, writes, 0);                                            \
    }
USES(read1, 1, 0)
USES(read2, 2, 0)
USES(read4, 4, 0)
USES(read8, 8, 0)
USES(read16, 16, 0)
USES(write1, 1, 1)
USES(write2, 2, 1)
USES(write4, 4, 1)
USES(write8, 8, 1)
USES(write16, 16, 1)
USES(unaligned_read2, 2, 0)
USES(unaligned_read4, 4, 0)
USES(unaligned_read8, 8, 0)
USES(unaligned_read16, 16, 0)
USES(unaligned_write2, 2, 1)
USES(unaligned_write4, 4, 1)
USES(unaligned_write8, 8, 1)
USES(unaligned_write16, 16, 1)
void __tsan_read_range(void *word, size_t size);
void __tsan_read_range(void *word, size_t size)
{
    use(word, size, 0, 0);
}
void __tsan_write_range(void *word, size_t size);
void __tsan_write_range(void *word, size_t size)
{
    use(word, size, 1, 0);
}

/* and the atomic ones, with their memory orders. */
static int acquires(int order)
{
    return order != __ATOMIC_RELAXED && order != __ATOMIC_RELEASE;
}

static int releases(int order)
{
    return order >= __ATOMIC_RELEASE;
}

static void read_modify_write(const volatile void *word, size_t size, int order)
{
    use(word, size, 1, 1);
    if (acquires(order))
        acquire(word);
    if (releases(order))
        release(word);
}

#define ATOMIC(bits, type)                                                     \
    type __tsan_atomic##bits##_load(const volatile type *word, int order);     \
    type __tsan_atomic##bits##_load(const volatile type *word, int order)      \
    {                                                                          \
        use(word, sizeof *word, 0, 1);                                         \
        if (acquires(order))                                                   \
            acquire(word);                                                     \
        return *word;                                                          \
    }                                                                          \
    void __tsan_atomic##bits##_store(volatile type *word, type value,          \
                                     int order);                               \
    void __tsan_atomic##bits##_store(volatile type *word, type value,          \
                                     int order)                                \
    {                                                                          \
        use(word, sizeof *word, 1, 1);                                         \
        memset(&sync_of(word)->clocks, 0, sizeof(struct clocks));              \
        if (releases(order))                                                   \
            release(word);                                                     \
        *word = value;                                                         \
    }                                                                          \
    int __tsan_atomic##bits##_compare_exchange_strong(                         \
        volatile type *word, type *from, type to, int order, int else_order);  \
    int __tsan_atomic##bits##_compare_exchange_strong(                         \
        volatile type *word, type *from, type to, int order, int else_order)   \
    {                                                                          \
        if (*word == *from) {                                                  \
            read_modify_write(word, sizeof *word, order);                      \
            *word = to;                                                        \
            return 1;                                                          \
        }                                                                      \
        *from = __tsan_atomic##bits##_load(word, else_order);                  \
        return 0;                                                              \
    }                                                                          \
    int __tsan_atomic##bits##_compare_exchange_weak(                           \
        volatile type *word, type *from, type to, int order, int else_order);  \
    int __tsan_atomic##bits##_compare_exchange_weak(                           \
        volatile type *word, type *from, type to, int order, int else_order)   \
    {                                                                          \
        return __tsan_atomic##bits##_compare_exchange_strong(                  \
            word, from, to, order, else_order);                                \
    }                                                                          \
    type __tsan_atomic##bits##_compare_exchange_val( /* clang's */             \
        volatile type *word, type from, type to, int order, int else_order);   \
    type __tsan_atomic##bits##_compare_exchange_val(                           \
        volatile type *word, type from, type to, int order, int else_order)    \
    {                                                                          \
        (void)__tsan_atomic##bits##_compare_exchange_strong(word, &from, to,   \
                                                            order, else_order);\
        return from;                                                           \
    }                                                                          \
    CHANGE(bits, type, exchange, value)                                        \
    CHANGE(bits, type, fetch_add, (type)(was + value))                         \
    CHANGE(bits, type, fetch_sub, (type)(was - value))                         \
    CHANGE(bits, type, fetch_and, was &value)                                  \
    CHANGE(bits, type, fetch_or, was | value)
#define CHANGE(bits, type, name, result)                                       \
    type __tsan_atomic##bits##_##name(volatile type *word, type value,         \
                                      int order);                              \
    type __tsan_atomic##bits##_##name(volatile type *word, type value,         \
                                      int order)                               \
    {                                                                          \
        type was = *word;                                                      \
                                                                               \
        read_modify_write(word, sizeof *word, order);                          \
        *word = result;                                                        \
        return was;                                                            \
    }
ATOMIC(8, uint8_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

/* ---- who goes on -------------------------------------------------------- */

static struct thread *self(void)
{
    return &now.threads[now.current];
}

/* Takes one of `count` ways: the one of the path, or the first. */
static int pick(int count)
{
    if (count == 1)
        return 0;
    if (search.depth == sizeof search.path / sizeof *search.path)
        fail("it takes too many choices");
    if (search.depth >= search.prefix) {
        if (has_states())
            keep(search.depth, 0);
        search.path[search.depth].chosen = 0;
        search.path[search.depth].count = (uint8_t)count;
    } else if (search.path[search.depth].count != count) {
        printf("explorer: a run repeated took another way: what does the "
               "program depend on, beside its world?\n");
        exit(2);
    }
    return search.path[search.depth++].chosen;
}

static int *pipe_of(int fd)
{
    int end = fd - FIRST_FD;

    if (end < 0 || end >= 2 * now.pipe_count || !now.is_open[end])
        fail("%s uses a descriptor that is closed", beside[now.current].name);
    return &now.pipes[end / 2];
}

static int is_readable(const struct thread *thread)
{
    size_t i;

    for (i = 0; i < thread->fd_count; i++)
        if (now.pipes[(thread->fds[i].fd - FIRST_FD) / 2])
            return 1;
    return 0;
}

static int others_can(int but);

static int can_go_on(int i)
{
    const struct thread *thread = &now.threads[i];

    switch (thread->condition) {
    case READY:
        return !thread->spins || !others_can(i);
    case LOCKS:
        return !((const struct explorer_mutex *)thread->object)->owner;
    case POLLS:
        return is_readable(thread);
    case PICKS:
        return 1;
    case JOINS:
        return ((const struct thread *)thread->object)->condition == OVER;
    default:
        return 0;
    }
}

static int others_can(int but)
{
    int i;

    for (i = 0; i < THREADS; i++)
        if (i != but && !now.threads[i].spins && can_go_on(i))
            return 1;
    return 0;
}

static struct entry *note(const char *what, const char *on, const char *file,
                          int line)
{
    struct entry *entry = &trace.entries[trace.count];

    if (trace.count == STEPS)
        fail("it goes on for ever, or for more than %d steps", STEPS);
    trace.count++;
    memset(entry, 0, sizeof *entry);
    entry->what = what;
    entry->on = on;
    entry->file = file;
    entry->line = line;
    entry->thread = now.current;
    entry->name = beside[now.current].name;
    entry->is_switch = search.is_switch;
    entry->saw = SAW_NOTHING;
    search.is_switch = 0;
    return entry;
}

static int nobody_can(void)
{
    size_t used = 0;
    char *text = trace.reason;
    int i;

    for (i = 0; i < THREADS; i++) {
        int condition = now.threads[i].condition;

        if (condition == UNUSED || condition == OVER)
            continue;
        used += (size_t)snprintf(
            text + used, sizeof trace.reason - used, "%s%s waits for %s",
            used ? ", " : "nobody can go on: ", beside[i].name,
            waits_for[condition]);
        if (used >= sizeof trace.reason)
            break;
    }
    return used ? RUN_FAILED : RUN_ENDED;
}

/* Who had to leave the turn to another although it could have gone on sleeps
 * until the order of its operation and of one of the others' matters: without
 * that it might as well have done it first (sleep sets, Godefroid 1996; at no
 * more preemptions, so the bound stays what it is). */
static void wake_all(void)
{
    int i;

    for (i = 0; i < THREADS; i++)
        now.threads[i].sleeps = 0;
}

static void wake_dependent(void)
{
    const struct thread *me = self();
    int i;

    for (i = 0; i < THREADS; i++) {
        struct thread *other = &now.threads[i];

        if (!me->next_object || !other->next_object ||
            (me->next_object == other->next_object &&
             (me->next_writes || other->next_writes)))
            other->sleeps = 0;
    }
}

enum { GOES_ON, TIMES_OUT, WAKES_FOR_NOTHING };

/* Chooses who has the next turn, and gives it to him; or returns why the run is
 * over. Not on a thread's own stack. */
static int schedule(void)
{
    struct {
        int thread, how, cost;
    } ways[3 * THREADS];
    int was = now.current, i;

    if (self()->condition == PICKS) {
        self()->result = pick(self()->picks);
        _longjmp(beside[was].at, 1);
    }
    for (;;) {
        int count = 0, self_can = can_go_on(was), can = 0, timed = 0, way;
        int more = 0; /* for who has a preemption left */
        struct thread *thread;

        for (i = 0; i < THREADS; i++) {
            can |= can_go_on(i);
            timed |= now.threads[i].is_timed;
        }
        if (!can && !timed)
            return nobody_can();
        for (i = 0; i < THREADS; i++) {
            int other = (was + i) % THREADS;

            if (!can_go_on(other) || now.threads[other].sleeps)
                continue;
            more |= self_can && i;
            if (!self_can || i == 0 || search.left) {
                ways[count].thread = other;
                ways[count].how = GOES_ON;
                ways[count++].cost = self_can && i;
            }
        }
        for (i = 0; i < THREADS; i++) {
            if (now.threads[i].is_timed && (!can || search.left)) {
                ways[count].thread = i;
                ways[count].how = TIMES_OUT;
                ways[count++].cost = can;
            }
            more |= (now.threads[i].is_timed && can) ||
                    now.threads[i].condition == WAITS;
            if (now.threads[i].condition == WAITS && search.left) {
                ways[count].thread = i;
                ways[count].how = WAKES_FOR_NOTHING;
                ways[count++].cost = 1;
            }
        }
        search.is_bounded |= more && !search.left;
        if (!count || /* all there is to do was tried before */
            (count > 1 && search.depth >= search.prefix && is_known(self_can)))
            return RUN_SEEN;
        way = pick(count);
        search.left -= ways[way].cost;
        trace.preemptions += ways[way].cost;
        thread = &now.threads[ways[way].thread];
        if (ways[way].how == GOES_ON) {
            search.is_switch |= ways[way].cost;
            now.current = ways[way].thread;
            now.threads[was].sleeps = ways[way].cost;
            _longjmp(beside[now.current].at, 1);
        }
        if (ways[way].how == TIMES_OUT && now.clock_ns < thread->deadline)
            now.clock_ns = thread->deadline;
        now.current = ways[way].thread;
        note(ways[way].how == TIMES_OUT ? "(its time is over)"
                                        : "(it wakes for nothing)",
             "", "", 0);
        now.current = was;
        wake_all();
        thread->result = ways[way].how == TIMES_OUT ? ETIMEDOUT : 0;
        thread->is_timed = 0;
        thread->condition = thread->mutex ? LOCKS : READY;
        thread->object = thread->mutex;
    }
}

/* A turn ends here, and the thread's next one begins. Its registers are where
 * state_now() looks: in this frame, and in what setjmp keeps. */
__attribute__((noinline)) static void turn(void)
{
    struct thread *thread = self();

#if HAVE_STATES
    __builtin_unwind_init();
    thread->low = (char *)__builtin_frame_address(0) - SAVED;
#endif
    if (_setjmp(beside[now.current].at) == 0) {
        memcpy(thread->registers, beside[now.current].at,
               sizeof thread->registers);
        _longjmp(search.home, 1);
    }
}

/* What is left of former calls where the next ones will have their frames would
 * make one state look like two. */
__attribute__((noinline)) static void wipe(void)
{
    char frames[1024];

    memset(frames, 0, sizeof frames);
    __asm__ volatile("" : : "r"(frames) : "memory");
}

/* A store of the thread that is late, if there is one, arrives. */
static void arrive(int thread)
{
    struct late *late = &now.late[thread];

    if (!late->word)
        return;
    memset(late, 0, sizeof *late);
    wake_all();
    note("(a late store arrives)", "", "", 0);
}

/* Who changes a word has the last value of it. */
static void arrive_on(const volatile void *word)
{
    int i;

    for (i = 0; i < THREADS; i++)
        if (word && now.late[i].word == word)
            arrive(i);
}

static int pick_one_of(int count)
{
    self()->condition = PICKS;
    self()->picks = count;
    turn();
    self()->condition = READY;
    return self()->result;
}

/* Before a store: it may be late. Then its word is as it should be for its own
 * thread, whose plain reads nobody sees; the atomic loads of others find what
 * it was before. */
void explorer_stores(const volatile void *word, size_t size, int order)
{
    struct late *late = &now.late[now.current];

    if (instrumented || order == __ATOMIC_SEQ_CST || search.is_in_order)
        return;
    search.is_bounded |= !search.left;
    if (!search.left || !pick_one_of(2))
        return;
    search.left--;
    trace.preemptions++;
    late->word = word;
    late->before = 0;
    memcpy(&late->before, (const void *)(uintptr_t)word, size);
    note("(that is late)", "", "", 0);
}

/* Where an atomic load finds its word. */
uintptr_t explorer_where(const volatile void *word)
{
    int i;

    for (i = 0; i < THREADS; i++)
        if (i != now.current && word && now.late[i].word == word)
            return (uintptr_t)&now.late[i].before;
    return (uintptr_t)word;
}

static void step(const char *what, const char *on, const volatile void *object,
                 int writes, const char *file, int line)
{
    int i;

    if (now.late[now.current].word &&
        (writes || self()->spins || !pick_one_of(2)))
        arrive(now.current);
    self()->next_object = object;
    self()->next_writes = writes;
    turn();
    if (writes)
        arrive_on(object);
    wake_dependent();
    for (i = 0; i < THREADS; i++)
        if (i != now.current)
            now.threads[i].spins = 0;
    self()->spins = 0;
    note(what, on, file, line);
    wipe();
}

void explorer_from(const char *what, const char *on, const char *file, int line)
{
    struct beside *me = &beside[now.current];

    me->what = what;
    me->on = on;
    me->file = file;
    me->line = line;
}

static int is_of_an_operation(const char *file)
{
    return strcmp(base(file), "async_atomic.h") == 0 ||
           strcmp(base(file), "async_wake.h") == 0;
}

void explorer_step(const char *what, const char *on, const volatile void *word,
                   const char *file, int line)
{
    struct thread *thread = self();
    struct beside *me = &beside[now.current];
    int looks =
        *what == 'l' && thread->last_word == word && thread->last_line == line
            ? thread->looks + 1
            : 0;

    look_whether_gone(word);
    thread->spins = looks >= LOOKS_AT_ONCE;
    if (looks > LOOKS_ALONE)
        fail("%s looks at %s for ever", me->name, on);
    if (me->file && is_of_an_operation(file)) {
        step(me->what, me->on, word, *what != 'l', me->file, me->line);
        if (*me->what != *what)
            trace.entries[trace.count - 1].inner = what;
    } else {
        step(what, on, word, *what != 'l', file, line);
    }
    thread->last_word = *what == 'l' ? word : NULL;
    thread->last_line = line;
    thread->looks = looks < LOOKS_AT_ONCE || !others_can(now.current)
                        ? looks
                        : LOOKS_AT_ONCE;
    look_whether_gone(word);
}

long explorer_saw(long value)
{
    trace.entries[trace.count - 1].saw = value;
    return value;
}

/* ---- the system --------------------------------------------------------- */

static void check_mutex(const struct explorer_mutex *mutex)
{
    look_whether_gone(mutex);
    if (!mutex->is_there)
        fail("%s uses a lock that is not there", beside[now.current].name);
}

int explorer_mutex_init(struct explorer_mutex *mutex, const void *attributes)
{
    (void)attributes;
    mutex->is_there = 1;
    mutex->owner = 0;
    return 0;
}

int explorer_mutex_destroy(struct explorer_mutex *mutex)
{
    int i;

    check_mutex(mutex);
    if (mutex->owner)
        fail("a lock is destroyed that is held");
    for (i = 0; i < THREADS; i++)
        if (now.threads[i].condition == LOCKS && now.threads[i].object == mutex)
            fail("a lock is destroyed that is waited for");
    mutex->is_there = 0;
    return 0;
}

static void take(struct explorer_mutex *mutex)
{
    check_mutex(mutex);
    if (mutex->owner)
        fail("a lock is held twice");
    mutex->owner = 1 + now.current;
    acquire(mutex);
}

int explorer_mutex_lock(struct explorer_mutex *mutex, const char *file,
                        int line)
{
    check_mutex(mutex);
    if (mutex->owner == 1 + now.current)
        fail("%s takes a lock that it holds", beside[now.current].name);
    self()->condition = LOCKS;
    self()->object = mutex;
    step("lock", "", mutex, 1, file, line);
    self()->condition = READY;
    take(mutex);
    return 0;
}

int explorer_mutex_trylock(struct explorer_mutex *mutex, const char *file,
                           int line)
{
    check_mutex(mutex);
    step("try to lock", "", mutex, 1, file, line);
    explorer_saw(!mutex->owner);
    if (mutex->owner)
        return EBUSY;
    take(mutex);
    return 0;
}

int explorer_mutex_unlock(struct explorer_mutex *mutex, const char *file,
                          int line)
{
    step("unlock", "", mutex, 1, file, line);
    check_mutex(mutex);
    if (mutex->owner != 1 + now.current)
        fail("%s gives a lock back that it does not hold",
             beside[now.current].name);
    release(mutex);
    mutex->owner = 0;
    return 0;
}

int explorer_cond_init(struct explorer_cond *cond, const void *attributes)
{
    (void)attributes;
    cond->is_there = 1;
    return 0;
}

static void check_cond(const struct explorer_cond *cond)
{
    look_whether_gone(cond);
    if (!cond->is_there)
        fail("%s uses a condition that is not there", beside[now.current].name);
}

int explorer_cond_destroy(struct explorer_cond *cond)
{
    int i;

    check_cond(cond);
    for (i = 0; i < THREADS; i++)
        if (now.threads[i].condition == WAITS && now.threads[i].object == cond)
            fail("a condition is destroyed that is waited for");
    cond->is_there = 0;
    return 0;
}

int explorer_cond_wait(struct explorer_cond *cond, struct explorer_mutex *mutex,
                       const struct timespec *until, const char *file, int line)
{
    struct thread *thread = self();

    check_cond(cond);
    step(until ? "wait for some time" : "wait", "", NULL, 1, file, line);
    if (mutex->owner != 1 + now.current)
        fail("%s waits without the lock", beside[now.current].name);
    release(mutex);
    mutex->owner = 0;
    thread->condition = WAITS;
    thread->object = cond;
    thread->mutex = mutex;
    thread->is_timed = until != NULL;
    if (until)
        thread->deadline = until->tv_sec * INT64_C(1000000000) + until->tv_nsec;
    turn();
    thread->condition = READY;
    thread->mutex = NULL;
    thread->is_timed = 0;
    thread->deadline = 0;
    note("locks again", "", file, line);
    take(mutex);
    wipe();
    return thread->result;
}

int explorer_cond_signal(struct explorer_cond *cond, int all, const char *file,
                         int line)
{
    int waiting[THREADS], count = 0, i;

    check_cond(cond);
    step(all ? "broadcast" : "signal", "", cond, 1, file, line);
    check_cond(cond);
    for (i = 0; i < THREADS; i++)
        if (now.threads[i].condition == WAITS && now.threads[i].object == cond)
            waiting[count++] = i;
    explorer_saw(count);
    if (!all && count) {
        waiting[0] = waiting[pick_one_of(count)];
        count = 1;
    }
    while (count) {
        struct thread *thread = &now.threads[waiting[--count]];

        thread->condition = LOCKS;
        thread->object = thread->mutex;
        thread->is_timed = 0;
        thread->result = 0;
    }
    return 0;
}

static jmp_buf starter;
static int starting;

/* A thread's life. Its first turn ends before it has begun. */
static void live(void)
{
    struct thread *thread;

    if (_setjmp(beside[starting].at) == 0)
        _longjmp(starter, 1);
    thread = self();
    thread->returned = thread->fn(thread->arg);
    arrive(now.current);
    thread->condition = OVER;
    release(thread);
    wake_all();
    _longjmp(search.home, 1);
}

static void start(int i, void *(*fn)(void *), void *arg, const char *name)
{
    struct thread *thread = &now.threads[i];
    static ucontext_t context;

    memset(thread, 0, sizeof *thread);
    memset(beside[i].stack, 0, STACK_BYTES);
    thread->fn = fn;
    thread->arg = arg;
    thread->condition = READY;
    thread->low = beside[i].stack + STACK_BYTES;
    beside[i].name = name;
    beside[i].file = NULL;
    (void)getcontext(&context);
    context.uc_stack.ss_sp = beside[i].stack;
    context.uc_stack.ss_size = STACK_BYTES;
    context.uc_link = NULL;
    makecontext(&context, live, 0);
    starting = i;
    if (_setjmp(starter) == 0)
        (void)setcontext(&context);
}

int explorer_create(int *thread, const void *attributes, void *(*fn)(void *),
                    void *arg, const char *name, const char *file, int line)
{
    int i = 0;

    (void)attributes;
    step("start a thread", name, NULL, 1, file, line);
    if (now.failing_thread && --now.failing_thread == 0)
        return EAGAIN;
    while (now.threads[i].condition != UNUSED)
        if (++i == THREADS)
            fail("more than %d threads", THREADS);
    look_whether_gone(thread);
    *thread = i;
    start(i, fn, arg, name);
    join_clocks(&clocks[i], &clocks[now.current]);
    clocks[i].of[i]++;
    clocks[now.current].of[now.current]++;
    return 0;
}

static void forget(struct thread *thread)
{
    int i = (int)(thread - now.threads);

    acquire(thread);
    join_clocks(&clocks[now.current], &clocks[i]);
    memset(thread, 0, sizeof *thread);
}

int explorer_join(int thread, void **result, const char *file, int line)
{
    struct thread *other = &now.threads[thread];

    if (other->condition == UNUSED || other->joined)
        fail("%s joins a thread that is not there", beside[now.current].name);
    other->joined = 1;
    self()->condition = JOINS;
    self()->object = other;
    step("join", beside[thread].name, other, 1, file, line);
    self()->condition = READY;
    if (result)
        *result = other->returned;
    forget(other);
    return 0;
}

int explorer_detach(int thread)
{
    now.threads[thread].joined = 1;
    return 0;
}

int explorer_self(void)
{
    return now.current;
}

void explorer_yield(const char *file, int line)
{
    self()->spins = 1;
    step("yield", "", NULL, 1, file, line);
}

int explorer_pipe(int ends[2])
{
    int i = now.pipe_count;

    if (i == PIPES)
        return errno = EMFILE, -1;
    now.pipe_count++;
    ends[0] = FIRST_FD + 2 * i;
    ends[1] = FIRST_FD + 2 * i + 1;
    now.is_open[2 * i] = now.is_open[2 * i + 1] = 1;
    return 0;
}

int explorer_close(int fd, const char *file, int line)
{
    step("close", "", pipe_of(fd), 1, file, line);
    (void)pipe_of(fd);
    now.is_open[fd - FIRST_FD] = 0;
    return 0;
}

ssize_t explorer_read(int fd, void *bytes, size_t count, const char *file,
                      int line)
{
    int *held;
    size_t got;

    step("read", "", pipe_of(fd), 1, file, line);
    held = pipe_of(fd);
    explorer_saw(*held);
    if (*held == 0)
        return errno = EAGAIN, -1;
    got = (size_t)*held < count ? (size_t)*held : count;
    *held -= (int)got;
    memset(bytes, 0, got);
    return (ssize_t)got;
}

ssize_t explorer_write(int fd, const void *bytes, size_t count,
                       const char *file, int line)
{
    (void)bytes;
    step("write", "", pipe_of(fd), 1, file, line);
    *pipe_of(fd) += (int)count;
    return (ssize_t)count;
}

int explorer_poll(struct pollfd *fds, size_t count, int ms, const char *file,
                  int line)
{
    struct thread *thread = self();
    size_t i;
    int ready = 0;

    for (i = 0; i < count; i++)
        (void)pipe_of(fds[i].fd);
    thread->fds = fds;
    thread->fd_count = count;
    if (ms) {
        thread->condition = POLLS;
        thread->is_timed = ms > 0;
        if (ms > 0)
            thread->deadline = now.clock_ns + ms * INT64_C(1000000);
    }
    step("poll", "", count == 1 ? pipe_of(fds->fd) : NULL, 1, file, line);
    thread->condition = READY;
    thread->is_timed = 0;
    thread->deadline = 0;
    thread->fds = NULL;
    thread->fd_count = 0;
    for (i = 0; i < count; i++) {
        fds[i].revents = *pipe_of(fds[i].fd) ? POLLIN : 0;
        ready += fds[i].revents != 0;
    }
    explorer_saw(ready);
    return ready;
}

int explorer_clock(struct timespec *time)
{
    time->tv_sec = (time_t)(1000 + now.clock_ns / 1000000000);
    time->tv_nsec = (long)(now.clock_ns % 1000000000);
    return 0;
}

/* ---- programs ----------------------------------------------------------- */

void explorer_name(const char *name)
{
    beside[now.current].name = name;
}

void explorer_gone(void *memory, size_t size)
{
    int i = 0;

    wake_all();
    use(memory, size, 1, 0);
    memset(memory, 0xA5, size);
    while (now.gone[i].size)
        if (++i == GONE)
            fail("more than %d pieces of memory are gone", GONE);
    now.gone[i].begin = memory;
    now.gone[i].size = size;
}

void explorer_back(void *memory, size_t size)
{
    int i;

    for (i = 0; i < GONE; i++)
        if ((uintptr_t)now.gone[i].begin - (uintptr_t)memory < size) {
            now.gone[i].begin = NULL;
            now.gone[i].size = 0;
        }
    wake_all();
    use(memory, size, 1, 0);
    memset(memory, 0, size);
}

void explorer_fail_thread(int n)
{
    now.failing_thread = n;
}

static void *run_body(void *arg)
{
    (void)arg;
    search.body();
    return NULL;
}

/* A run, with the choices of the path as far as that goes. */
static void run(void)
{
    int i;

    search.prefix = search.depth;
    if (search.prefix && has_states() && !search.from_start) {
        search.depth = search.prefix - 1;
        keep(search.depth, 1);
    } else {
        memset(search.world, 0, search.size);
        memset(&now, 0, sizeof now);
        memset(clocks, 0, sizeof clocks);
        for (i = 0; i < THREADS; i++)
            clocks[i].of[i] = 1;
        sync_count = 0;
        run_number++;
        trace.count = trace.preemptions = 0;
        search.is_switch = 0;
        search.depth = 0;
        search.left = search.bound;
        start(0, run_body, NULL, "main");
    }
    if (_setjmp(search.home) < 2) /* here each turn ends */
        search.outcome = schedule();
    search.runs++;
    search.seen += search.outcome == RUN_SEEN;
}

/* The path of the next run. False: there is none. */
static int next_path(void)
{
    while (search.depth && search.path[search.depth - 1].chosen + 1 ==
                               search.path[search.depth - 1].count)
        search.depth--;
    if (!search.depth)
        return 0;
    search.path[search.depth - 1].chosen++;
    return 1;
}

/* A failure is one if it comes again, by its choices alone. */
static void repeat(void)
{
    int count = trace.count;

    search.from_start = 1;
    run();
    search.runs--;
    search.from_start = 0;
    if (search.outcome != RUN_FAILED || trace.count != count) {
        printf("explorer: a failure did not come again: what does the program "
               "depend on, beside its world?\n");
        exit(2);
    }
}

static void print_trace(const struct trace *failed)
{
    int i;

    printf("    %s\n    after %d steps, %d preemptions (>)\n", failed->reason,
           failed->count, failed->preemptions);
    for (i = 0; i < failed->count; i++) {
        const struct entry *entry = &failed->entries[i];
        char operation[120], saw[24] = "";

        if (entry->saw != SAW_NOTHING)
            (void)snprintf(saw, sizeof saw, ": %ld", entry->saw);
        (void)snprintf(operation, sizeof operation, "%s %s%s%s%s", entry->what,
                       entry->on, entry->inner ? ": " : "",
                       entry->inner ? entry->inner : "", saw);
        printf("    %3d %c %d %-12s %-44s %s:%d\n", i + 1,
               entry->is_switch ? '>' : ' ', entry->thread, entry->name,
               operation, base(entry->file), entry->line);
    }
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *given = getenv(name);

    return given ? strtoull(given, NULL, 0) : otherwise;
}

static double seconds(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Stacks with a page below each that must not be touched; signals that say so
 * have another one. */
static void make_stacks(void)
{
    static char signal_stack[1 << 15];
    stack_t other = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
    struct sigaction action = {.sa_handler = crash};
    char *stacks =
        mmap(NULL, (size_t)STACK_BYTES * THREADS, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int i;

    kept = mmap(NULL, kept_most, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED || kept == MAP_FAILED)
        abort();
    for (i = 0; i < THREADS; i++)
        beside[i].stack = stacks + (size_t)STACK_BYTES * (size_t)i;
    (void)sigaltstack(&other, NULL);
    action.sa_flags = SA_ONSTACK | SA_NODEFER;
    (void)sigaction(SIGSEGV, &action, NULL);
    (void)sigaction(SIGBUS, &action, NULL);
    (void)sigaction(SIGILL, &action, NULL);
    (void)sigaction(SIGFPE, &action, NULL);
}

void explore(const char *name, void (*body)(void), void *world, size_t size)
{
    int most = (int)from_environment("PREEMPTIONS", 4);
    uint64_t limit = from_environment("SCHEDULES", 10000000), failed_at = 0;
    const char *only = getenv("ONLY");
    double begin = seconds();
    int longest = 0;

    if (only && !strstr(name, only))
        return;
    if (!beside[0].stack)
        make_stacks();
    search.is_in_order = !from_environment("LATE", 1);
    search.has_no_states = !from_environment("STATES", 1);
    free(cells);
    cells = calloc(size + (size_t)STACK_BYTES * THREADS, sizeof *cells);
    if (!cells)
        abort();
    search.body = body;
    search.world = world;
    search.size = size;
    search.runs = search.seen = 0;
    shortest.count = STEPS + 1;
    for (search.bound = 0; search.bound <= most; search.bound++) {
        if (!state_places)
            make_places(1 << 16);
        search_number++;
        state_count = 0;
        search.depth = 0;
        search.is_bounded = 0;
        do {
            run();
            if (trace.count > longest)
                longest = trace.count;
            if (search.outcome == RUN_FAILED) {
                if (!failed_at)
                    failed_at = search.runs;
                if (trace.count < shortest.count) {
                    repeat();
                    shortest = trace;
                }
            }
        } while (search.runs < limit &&
                 (!failed_at || search.runs < failed_at + 20000) &&
                 next_path());
        if (failed_at || search.runs >= limit || !search.is_bounded)
            break;
    }
    if (failed_at || search.runs >= limit) {
        printf("FAILED  %s\n", name);
        if (failed_at)
            print_trace(&shortest);
        printf(failed_at ? "    the first to fail was schedule %llu\n"
                         : "    not finished after %llu schedules\n",
               (unsigned long long)(failed_at ? failed_at : search.runs));
        search.failures++;
    } else {
        printf("ok      %s: %llu schedules, %llu of them cut short, with up "
               "to %d steps and %s%d preemptions; %.1f s\n",
               name, (unsigned long long)search.runs,
               (unsigned long long)search.seen, longest,
               search.is_bounded ? "" : "any number of preemptions, here ",
               search.is_bounded ? most : search.bound, seconds() - begin);
    }
    (void)fflush(stdout);
}

int explorer_end(void)
{
    return search.failures > 0;
}
