/* posix.h: what these tests call of POSIX, for mingw-w64, which lacks it.
 * SPDX-License-Identifier: MIT
 *
 * For the test files only. Threads are winpthreads'; what cannot be done says
 * so, and tests/platforms/run leaves out the tests that need it. Included
 * before all else, and by the names of the headers that are not here.
 *
 * Where a test has put a function of its own between a header and POSIX, by a
 * macro of the same name, it stands between that header and Windows too: what
 * the header calls is, while the macro is there, handed to the test's function.
 */
#ifndef ASYNC_TESTS_POSIX_H
#define ASYNC_TESTS_POSIX_H

#define SHORT posix_SHORT /* what tests have, too */
#include <windows.h>
#undef SHORT
#undef far
#undef max
#undef min
#undef near
#undef small

#include <errno.h>
#include <process.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* ---- poll: one handle, or a sleep ------------------------------------------
 */

#define POLLIN 1
#define POLLOUT 4

typedef unsigned long nfds_t;

struct pollfd {
    int fd;
    short events, revents;
};

static inline int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    if (count && fds->fd > 0) /* a handle has 32 bits */
        return WaitForSingleObject((HANDLE)(intptr_t)fds->fd, (DWORD)timeout) ==
               WAIT_OBJECT_0;
    Sleep((DWORD)timeout);
    return 0;
}

static inline DWORD posix_wait(int (*poll_it)(struct pollfd *fds, nfds_t count,
                                              int timeout),
                               HANDLE object, DWORD ms)
{
    struct pollfd fd = {(int)(intptr_t)object, POLLIN, 0};

    return poll_it(&fd, 1, (int)ms) > 0 ? WAIT_OBJECT_0 : WAIT_TIMEOUT;
}
#define WaitForSingleObject(object, ms) posix_wait(poll, object, ms)

static inline int pipe(int *fds)
{
    fds[0] = fds[1] = -1;
    return 0;
}

/* ---- threads
 * ----------------------------------------------------------------- */

struct posix_start {
    unsigned(__stdcall *fn)(void *arg);
    void *arg;
    unsigned *id;
};

static inline void *posix_run(void *arg)
{
    struct posix_start start = *(struct posix_start *)arg;

    free(arg);
    *start.id = GetCurrentThreadId();
    (void)start.fn(start.arg);
    return NULL;
}

static inline uintptr_t
posix_begin(int (*create)(pthread_t *thread, const pthread_attr_t *with,
                          void *(*fn)(void *), void *arg),
            unsigned stack, unsigned(__stdcall *fn)(void *), void *arg,
            unsigned flags, unsigned *id)
{
    struct posix_start *start = malloc(sizeof *start);
    HANDLE process = GetCurrentProcess(), handle = NULL;
    pthread_attr_t with;
    pthread_t thread;

    (void)flags; /* that is to be resumed: it knows its number all the same */
    if (!start)
        abort();
    start->fn = fn;
    start->arg = arg;
    start->id = id;
    (void)pthread_attr_init(&with);
    (void)pthread_attr_setstacksize(&with, stack);
    errno = create(&thread, stack ? &with : NULL, posix_run, start);
    if (errno) {
        free(start);
        return 0;
    }
    (void)DuplicateHandle(process, pthread_gethandle(thread), process, &handle,
                          0, FALSE, DUPLICATE_SAME_ACCESS);
    (void)pthread_detach(thread);
    return (uintptr_t)handle;
}
#define _beginthreadex(security, stack, fn, arg, flags, id)                    \
    posix_begin(pthread_create, stack, fn, arg, flags, id)

/* ---- conditions that are waited for until a time
 * ------------------------------ */

struct posix_pair { /* what the header waits for, as a pthread_cond_t */
    CONDITION_VARIABLE *condition;
    SRWLOCK *lock;
};

/* Without a mutex it is such a pair. */
static inline int posix_cond_wait(pthread_cond_t *condition,
                                  pthread_mutex_t *mutex)
{
    struct posix_pair *pair = (struct posix_pair *)(void *)condition;

    if (mutex)
        return pthread_cond_wait(condition, mutex);
    (void)SleepConditionVariableSRW(pair->condition, pair->lock, INFINITE, 0);
    return 0;
}
#define pthread_cond_wait posix_cond_wait

static inline BOOL
posix_sleep(int (*wait_until)(pthread_cond_t *condition, pthread_mutex_t *mutex,
                              const struct timespec *until),
            CONDITION_VARIABLE *condition, SRWLOCK *lock, DWORD ms)
{
    struct posix_pair pair = {condition, lock};
    struct timespec until = {0, 0};

    if (ms == INFINITE || wait_until == pthread_cond_timedwait)
        return SleepConditionVariableSRW(condition, lock, ms, 0);
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += (time_t)(ms / 1000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return wait_until((pthread_cond_t *)(void *)&pair, NULL, &until) == 0;
}
#define SleepConditionVariableSRW(condition, lock, ms, flags)                  \
    posix_sleep(pthread_cond_timedwait, condition, lock, ms)

/* ---- processors ------------------------------------------------------------
 */

#define _SC_NPROCESSORS_ONLN 1

static inline long sysconf(int name)
{
    (void)name;
    return pthread_num_processors_np();
}

/* ---- processes: one ---------------------------------------------------------
 */

#define WIFEXITED(status) ((status) == 0)
#define WEXITSTATUS(status) 1

static inline int fork(void)
{
    return -1;
}

static inline pid_t waitpid(pid_t child, int *status, int options)
{
    (void)child;
    (void)options;
    *status = 0;
    return -1;
}

static inline unsigned alarm(unsigned seconds)
{
    (void)seconds;
    return 0;
}

/* ---- signals: none comes ----------------------------------------------------
 */

#define SIGALRM 14
#define SIG_BLOCK 0
#define SIG_SETMASK 2
#define ITIMER_REAL 0

typedef _sigset_t sigset_t;

struct sigaction {
    void (*sa_handler)(int number);
    unsigned sa_mask;
    int sa_flags;
};

struct itimerval {
    struct timeval it_interval, it_value;
};

static inline int sigaction(int number, const struct sigaction *action,
                            struct sigaction *former)
{
    (void)number;
    (void)action;
    (void)former;
    return 0;
}

static inline int setitimer(int which, const struct itimerval *timer,
                            struct itimerval *former)
{
    (void)which;
    (void)timer;
    (void)former;
    return 0;
}

#define sigemptyset(set) ((void)(set), 0)
#define sigaddset(set, number) ((void)(set), 0)
#define sigprocmask(how, set, former) ((void)(set), (void)(former), 0)
#define sigsuspend(set) ((void)(set), -1)

#endif /* ASYNC_TESTS_POSIX_H */
