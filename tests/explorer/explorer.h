/* explorer.h: threads whose every interleaving is tried.
 * SPDX-License-Identifier: MIT
 *
 * A program that is explored looks like any other: it starts threads, locks,
 * waits and joins. This header, included before those of the library, puts
 * explorer.c under it: the threads take turns on one, and may change places
 * only at what is named here. explorer.c tries all orders that have at most so
 * many preemptions, a preemption being a switch away from a thread that could
 * have gone on.
 *
 * The seam: the compiler's atomic operations, which async_atomic.h and
 * async_wake.h are made of, tell the explorer and then are themselves; POSIX's
 * threads, locks, conditions, pipes and clock are the explorer's. The headers
 * are compiled as they are.
 *
 * It explores sequential consistency, all threads see one order of what is
 * stored; and of weaker memory what all machines have, x86 included: a store
 * that is not sequentially consistent may be late, so its thread's next loads
 * are done before it; until its next operation of another kind. That costs a
 * preemption.
 *
 * For the rest of weaker memory it is built once more, with -fsanitize=thread
 * and no library of the sanitizer's: then each plain read and write comes to
 * the explorer too, which knows, by the memory orders in the source, which of
 * them are ordered; two that are not are a failure. What no run of either kind
 * shows: atomic operations on several words that are seen in another order than
 * that (loads before loads, stores before stores).
 */
#ifndef EXPLORER_H
#define EXPLORER_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* ---- for programs ------------------------------------------------------- */

/* Runs body() in every way, as thread 0. All that its threads share is in
 * `world`, which is all-zero at the start of each run, or on their stacks.
 * Prints what came of it, and the shortest run that failed. */
void explore(const char *name, void (*body)(void), void *world, size_t size);

/* 0, or 1 if anything failed. */
int explorer_end(void);

/* What the thread is called in what is printed; else by its function. */
void explorer_name(const char *name);

/* A failure, unless it holds. */
#define explorer_check(condition)                                              \
    ((condition)                                                               \
         ? (void)0                                                             \
         : explorer_fail(__FILE__, __LINE__, "does not hold: " #condition))
_Noreturn void explorer_fail(const char *file, int line, const char *claim);

/* That memory is nobody's any more: filled with rubbish, and who uses it fails;
 * until it is used again. */
void explorer_gone(void *memory, size_t size);
void explorer_back(void *memory, size_t size);

/* The n-th pthread_create of a run from here on fails, 1 the next; 0 none. */
void explorer_fail_thread(int n);

/* ---- the seam: where threads may change places -------------------------- */

void explorer_step(const char *what, const char *on, const volatile void *word,
                   const char *file, int line);
void explorer_from(const char *what, const char *on, const char *file,
                   int line);
long explorer_saw(long value);
void explorer_stores(const volatile void *word, size_t size, int order);
uintptr_t explorer_where(const volatile void *word);

#define EXPLORER_STEP_(what, word)                                             \
    explorer_step(what, #word, word, __FILE__, __LINE__)
#define EXPLORER_FROM_(what, word)                                             \
    explorer_from(what, #word, __FILE__, __LINE__)

/* A macro's own name in its body is the operation that it names. */
#define __atomic_load_n(word, order)                                           \
    (EXPLORER_STEP_("load", word),                                             \
     __atomic_load_n((__typeof__(word))explorer_where(word), order))
#define __atomic_store_n(word, value, order)                                   \
    (EXPLORER_STEP_("store", word),                                            \
     explorer_stores(word, sizeof *(word), order),                             \
     __atomic_store_n(word, value, order))
#define __atomic_exchange_n(word, value, order)                                \
    (EXPLORER_STEP_("exchange", word), __atomic_exchange_n(word, value, order))
#define __atomic_compare_exchange_n(word, from, to, weak, order, else_order)   \
    (EXPLORER_STEP_("compare and swap", word),                                 \
     explorer_saw(__atomic_compare_exchange_n(word, from, to, weak, order,     \
                                              else_order)))
#define __atomic_fetch_add(word, value, order)                                 \
    (EXPLORER_STEP_("add", word), __atomic_fetch_add(word, value, order))
#define __atomic_fetch_sub(word, value, order)                                 \
    (EXPLORER_STEP_("subtract", word), __atomic_fetch_sub(word, value, order))
#define __atomic_fetch_and(word, value, order)                                 \
    (EXPLORER_STEP_("and", word), __atomic_fetch_and(word, value, order))
#define __atomic_fetch_or(word, value, order)                                  \
    (EXPLORER_STEP_("or", word), __atomic_fetch_or(word, value, order))
#define __atomic_add_fetch(word, value, order)                                 \
    (EXPLORER_STEP_("add", word), __atomic_add_fetch(word, value, order))
#define __atomic_sub_fetch(word, value, order)                                 \
    (EXPLORER_STEP_("subtract", word), __atomic_sub_fetch(word, value, order))

#define ASYNC_ATOMICS 2 /* the compiler's */
#include "async_atomic.h"
#include "async_wake.h"

/* Who has called the functions of these two. */
#define async_atomic_load_(word)                                               \
    (EXPLORER_FROM_("load", word), async_atomic_load_(word))
#define async_atomic_store_(word, value)                                       \
    (EXPLORER_FROM_("store", word), async_atomic_store_(word, value))
#define async_atomic_swap_if_(word, from, to)                                  \
    (EXPLORER_FROM_("swap if", word), async_atomic_swap_if_(word, from, to))
#define async_atomic_add_(word, value)                                         \
    (EXPLORER_FROM_("add", word), async_atomic_add_(word, value))
#define async_byte_(byte) (EXPLORER_FROM_("load", byte), async_byte_(byte))
#define async_byte_wake_(byte)                                                 \
    (EXPLORER_FROM_("wake", byte), async_byte_wake_(byte))
#define async_byte_told_(byte)                                                 \
    (EXPLORER_FROM_("told", byte), async_byte_told_(byte))
#define async_byte_set_(byte)                                                  \
    (EXPLORER_FROM_("set", byte), async_byte_set_(byte))
#define async_byte_clear_(byte)                                                \
    (EXPLORER_FROM_("clear", byte), async_byte_clear_(byte))

/* ---- the seam: the system ----------------------------------------------- */

struct explorer_mutex {
    int is_there;
    int owner; /* 1 + a thread; 0: free */
};

struct explorer_cond {
    int is_there;
};

int explorer_mutex_init(struct explorer_mutex *mutex, const void *attributes);
int explorer_mutex_destroy(struct explorer_mutex *mutex);
int explorer_mutex_lock(struct explorer_mutex *mutex, const char *file,
                        int line);
int explorer_mutex_trylock(struct explorer_mutex *mutex, const char *file,
                           int line);
int explorer_mutex_unlock(struct explorer_mutex *mutex, const char *file,
                          int line);
int explorer_cond_init(struct explorer_cond *cond, const void *attributes);
int explorer_cond_destroy(struct explorer_cond *cond);
int explorer_cond_wait(struct explorer_cond *cond, struct explorer_mutex *mutex,
                       const struct timespec *until, const char *file,
                       int line);
int explorer_cond_signal(struct explorer_cond *cond, int all, const char *file,
                         int line);
int explorer_create(int *thread, const void *attributes, void *(*fn)(void *),
                    void *arg, const char *name, const char *file, int line);
int explorer_join(int thread, void **result, const char *file, int line);
int explorer_detach(int thread);
int explorer_self(void);
void explorer_yield(const char *file, int line);
int explorer_pipe(int ends[2]);
int explorer_close(int fd, const char *file, int line);
ssize_t explorer_read(int fd, void *bytes, size_t count, const char *file,
                      int line);
ssize_t explorer_write(int fd, const void *bytes, size_t count,
                       const char *file, int line);
int explorer_poll(struct pollfd *fds, size_t count, int ms, const char *file,
                  int line);
int explorer_clock(struct timespec *time);

#define pthread_mutex_t struct explorer_mutex
#define pthread_cond_t struct explorer_cond
#define pthread_t int
#define pthread_mutex_init explorer_mutex_init
#define pthread_mutex_destroy explorer_mutex_destroy
#define pthread_mutex_lock(mutex) explorer_mutex_lock(mutex, __FILE__, __LINE__)
#define pthread_mutex_trylock(mutex)                                           \
    explorer_mutex_trylock(mutex, __FILE__, __LINE__)
#define pthread_mutex_unlock(mutex)                                            \
    explorer_mutex_unlock(mutex, __FILE__, __LINE__)
#define pthread_cond_init explorer_cond_init
#define pthread_cond_destroy explorer_cond_destroy
#define pthread_cond_wait(cond, mutex)                                         \
    explorer_cond_wait(cond, mutex, NULL, __FILE__, __LINE__)
#define pthread_cond_timedwait(cond, mutex, until)                             \
    explorer_cond_wait(cond, mutex, until, __FILE__, __LINE__)
#define pthread_cond_signal(cond)                                              \
    explorer_cond_signal(cond, 0, __FILE__, __LINE__)
#define pthread_cond_broadcast(cond)                                           \
    explorer_cond_signal(cond, 1, __FILE__, __LINE__)
#define pthread_create(thread, attributes, fn, arg)                            \
    explorer_create(thread, attributes, fn, arg, #fn, __FILE__, __LINE__)
#define pthread_join(thread, result)                                           \
    explorer_join(thread, result, __FILE__, __LINE__)
#define pthread_detach explorer_detach
#define pthread_self explorer_self
#define pthread_equal(one, other) ((one) == (other))
#define pthread_sigmask(how, set, former) 0
#define prctl(what, name, ...) ((void)(name), 0)
#define sched_yield() explorer_yield(__FILE__, __LINE__)
#define pipe explorer_pipe
#define fcntl(...) 0
#define close(fd) explorer_close(fd, __FILE__, __LINE__)
#define read(fd, bytes, count)                                                 \
    explorer_read(fd, bytes, count, __FILE__, __LINE__)
#define write(fd, bytes, count)                                                \
    explorer_write(fd, bytes, count, __FILE__, __LINE__)
#define poll(fds, count, ms) explorer_poll(fds, count, ms, __FILE__, __LINE__)
#define clock_gettime(id, time) explorer_clock(time)

/* What a program asserts is checked here too; a small loop is quickly told
 * from others. */
#define ASYNC_ASSERT(condition, message)                                       \
    ((condition) ? (void)0 : explorer_fail(__FILE__, __LINE__, message))
#define ASYNC_RADIX_BITS 1
#define ASYNC_RUN_FDS 1
#define ASYNC_MAX_WORKERS 3
#define ASYNC_RING 2

#endif /* EXPLORER_H */
