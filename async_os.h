/* async_os.h: threads, locks and conditions, named once.
 * SPDX-License-Identifier: MIT
 *
 * What async_thread.h needs of an operating system, in a dozen functions: to
 * bring it to another one is to write these. First as on POSIX, where it is
 * said what they promise, then as on Windows. Included by async_thread.h;
 * nothing in here is called by a program.
 */
#ifndef ASYNC_OS_H
#define ASYNC_OS_H

#include "async_loop.h" /* whether there is a system; its clock */

#if !ASYNC_HAVE_RUN_
#error                                                                         \
    "async_thread.h needs threads, of POSIX or of Windows: leave it out on this target"
#endif

/* What a thread does that looks again at once. */
static inline void async_os_pause_(void)
{
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
    __builtin_ia32_pause();
#elif defined(__GNUC__) && defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#if ASYNC_HAVE_POSIX_

#include <errno.h>   /* ETIMEDOUT */
#include <pthread.h> /* all of it */
#include <unistd.h>  /* sysconf, getpid */
#ifdef __linux__
#include <sys/prctl.h> /* a thread's name */
#endif

/* Which processor, or process, this is. */

/* How many processors there are; 1 if nobody knows. */
static inline unsigned async_os_processors_(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    return processors < 1        ? 1
           : processors > 0x7FFF ? 0x7FFF
                                 : (unsigned)processors;
}

/* Another one after a fork. */
static inline long async_os_process_(void)
{
    return (long)getpid();
}

/* ---- locks -------------------------------------------------------------- */

typedef pthread_mutex_t async_os_lock_;

/* Returns 0 or a negated errno, as all that can fail here. */
static inline int async_os_lock_make_(async_os_lock_ *lock)
{
    return -pthread_mutex_init(lock, NULL);
}

static inline void async_os_lock_end_(async_os_lock_ *lock)
{
    (void)pthread_mutex_destroy(lock);
}

static inline void async_os_lock_take_(async_os_lock_ *lock)
{
    (void)pthread_mutex_lock(lock);
}

static inline void async_os_lock_give_(async_os_lock_ *lock)
{
    (void)pthread_mutex_unlock(lock);
}

/* ---- conditions ---------------------------------------------------------- */

typedef pthread_cond_t async_os_signal_;

/* A moment of the clock that only goes forward. */
struct async_os_moment_ {
    struct timespec at;
};

static inline struct async_os_moment_ async_os_moment_in_(uint32_t ms)
{
    struct ASYNC_TIMESPEC_ now = {0, 0};
    struct async_os_moment_ moment;
    long nanoseconds;

    (void)async_clock_(ASYNC_CLOCK_ID_, &now);
    nanoseconds = now.tv_nsec + (long)(ms % 1000) * 1000000;
    moment.at.tv_sec =
        now.tv_sec + (time_t)(ms / 1000) + nanoseconds / 1000000000;
    moment.at.tv_nsec = nanoseconds % 1000000000;
    return moment;
}

#if defined(__APPLE__)

static inline int async_os_signal_make_(async_os_signal_ *signal)
{
    return -pthread_cond_init(signal, NULL);
}

#else

#if defined(_POSIX_C_SOURCE) && _POSIX_C_SOURCE >= 200112L
#define async_os_condattr_setclock_ pthread_condattr_setclock
#else /* -std=c99 hides it; it is there all the same */
int async_os_condattr_setclock_(pthread_condattr_t *attributes,
                                int id) __asm__("pthread_condattr_setclock");
#endif

static inline int async_os_signal_make_(async_os_signal_ *signal)
{
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);

    if (error)
        return -error;
    error = async_os_condattr_setclock_(&attributes, ASYNC_CLOCK_ID_);
    if (!error)
        error = pthread_cond_init(signal, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return -error;
}

#endif

static inline void async_os_signal_end_(async_os_signal_ *signal)
{
    (void)pthread_cond_destroy(signal);
}

static inline void async_os_signal_one_(async_os_signal_ *signal)
{
    (void)pthread_cond_signal(signal);
}

/* Waits for a signal, or for nothing: the caller looks again. */
static inline void async_os_wait_(async_os_signal_ *signal,
                                  async_os_lock_ *lock)
{
    (void)pthread_cond_wait(signal, lock);
}

/* The same, until the moment. False: it has come. */
static inline int async_os_wait_until_(async_os_signal_ *signal,
                                       async_os_lock_ *lock,
                                       const struct async_os_moment_ *moment)
{
#if defined(__APPLE__)
    struct async_os_moment_ now = async_os_moment_in_(0);
    struct timespec rest = moment->at;

    rest.tv_sec -= now.at.tv_sec;
    rest.tv_nsec -= now.at.tv_nsec;
    if (rest.tv_nsec < 0) {
        rest.tv_sec--;
        rest.tv_nsec += 1000000000;
    }
    return rest.tv_sec >= 0 &&
           pthread_cond_timedwait_relative_np(signal, lock, &rest) == 0;
#else
    return pthread_cond_timedwait(signal, lock, &moment->at) == 0;
#endif
}

/* ---- threads ------------------------------------------------------------- */

typedef pthread_t async_os_thread_;

/* Starts fn(arg) on a thread with a stack of so many bytes, 0: the system's
 * number. `thread` stays where it is until the thread has been joined. */
static inline int async_os_thread_start_(async_os_thread_ *thread,
                                         size_t stack_bytes,
                                         void *(*fn)(void *), void *arg)
{
    pthread_attr_t attributes;
    int error;

    if (!stack_bytes)
        return -pthread_create(thread, NULL, fn, arg);
    error = pthread_attr_init(&attributes);
    if (error)
        return -error;
    error = pthread_attr_setstacksize(&attributes, stack_bytes);
    if (!error)
        error = pthread_create(thread, &attributes, fn, arg);
    (void)pthread_attr_destroy(&attributes);
    return -error;
}

/* Waits until it has ended. */
static inline void async_os_thread_join_(async_os_thread_ thread)
{
    (void)pthread_join(thread, NULL);
}

static inline int async_os_thread_is_this_(async_os_thread_ thread)
{
    return pthread_equal(thread, pthread_self());
}

/* Names the calling thread, where threads have names: 15 characters of it. */
static inline void async_os_thread_name_(const char *name)
{
#if defined(__linux__)
    (void)prctl(PR_SET_NAME, (unsigned long)(size_t)name, 0ul, 0ul, 0ul);
#elif defined(__APPLE__)
    (void)pthread_setname_np(name);
#else
    (void)name;
#endif
}

#endif /* ASYNC_HAVE_POSIX_ */

/* ---- Windows: the same --------------------------------------------------- */

#if ASYNC_HAVE_WINDOWS_

#include <errno.h>   /* what failed */
#include <process.h> /* threads that may use the C library */

/* Windows without <windows.h>, as in async_loop.h. */
#ifndef _INC_WINDOWS
#ifdef __cplusplus
extern "C" {
#endif
struct _RTL_SRWLOCK;
struct _RTL_CONDITION_VARIABLE;
__declspec(dllimport) unsigned long __stdcall GetActiveProcessorCount(
    unsigned short group);
__declspec(dllimport) void __stdcall AcquireSRWLockExclusive(
    struct _RTL_SRWLOCK *lock);
__declspec(dllimport) void __stdcall ReleaseSRWLockExclusive(
    struct _RTL_SRWLOCK *lock);
__declspec(dllimport) void __stdcall WakeConditionVariable(
    struct _RTL_CONDITION_VARIABLE *condition);
__declspec(dllimport) int __stdcall SleepConditionVariableSRW(
    struct _RTL_CONDITION_VARIABLE *condition, struct _RTL_SRWLOCK *lock,
    unsigned long ms, unsigned long flags);
__declspec(dllimport) unsigned long long __stdcall GetTickCount64(void);
__declspec(dllimport) unsigned long __stdcall GetCurrentThreadId(void);
__declspec(dllimport) unsigned long __stdcall ResumeThread(void *thread);
#ifdef __cplusplus
}
#endif
#endif

static inline unsigned async_os_processors_(void)
{
    unsigned long processors = GetActiveProcessorCount(0xFFFF); /* all groups */

    return processors < 1        ? 1
           : processors > 0x7FFF ? 0x7FFF
                                 : (unsigned)processors;
}

static inline long async_os_process_(void)
{
    return 0; /* there is no fork */
}

/* What Windows keeps in a word of ours, all-zero at first. */
struct async_os_word_ {
    void *is;
};

typedef struct async_os_word_ async_os_lock_; /* slim; writers only */

static inline struct _RTL_SRWLOCK *async_os_srw_(async_os_lock_ *lock)
{
    return (struct _RTL_SRWLOCK *)(void *)lock;
}

static inline int async_os_lock_make_(async_os_lock_ *lock)
{
    lock->is = NULL;
    return 0;
}

static inline void async_os_lock_end_(async_os_lock_ *lock)
{
    (void)lock;
}

static inline void async_os_lock_take_(async_os_lock_ *lock)
{
    AcquireSRWLockExclusive(async_os_srw_(lock));
}

static inline void async_os_lock_give_(async_os_lock_ *lock)
{
    ReleaseSRWLockExclusive(async_os_srw_(lock));
}

typedef struct async_os_word_ async_os_signal_;

static inline struct _RTL_CONDITION_VARIABLE *
async_os_variable_(async_os_signal_ *signal)
{
    return (struct _RTL_CONDITION_VARIABLE *)(void *)signal;
}

struct async_os_moment_ {
    uint64_t ms; /* by the clock that ends waits */
};

static inline struct async_os_moment_ async_os_moment_in_(uint32_t ms)
{
    struct async_os_moment_ moment;

    moment.ms = GetTickCount64() + ms + 1; /* this one is not whole */
    return moment;
}

static inline int async_os_signal_make_(async_os_signal_ *signal)
{
    signal->is = NULL;
    return 0;
}

static inline void async_os_signal_end_(async_os_signal_ *signal)
{
    (void)signal;
}

static inline void async_os_signal_one_(async_os_signal_ *signal)
{
    WakeConditionVariable(async_os_variable_(signal));
}

static inline void async_os_wait_(async_os_signal_ *signal,
                                  async_os_lock_ *lock)
{
    (void)SleepConditionVariableSRW(async_os_variable_(signal),
                                    async_os_srw_(lock), 0xFFFFFFFF, 0);
}

static inline int async_os_wait_until_(async_os_signal_ *signal,
                                       async_os_lock_ *lock,
                                       const struct async_os_moment_ *moment)
{
    uint64_t now = GetTickCount64(), rest = moment->ms - now;

    if (rest > 0xFFFFFFFF) /* 49 days; so many are for ever */
        rest = 0xFFFFFFFF;
    return now < moment->ms && SleepConditionVariableSRW(
                                   async_os_variable_(signal),
                                   async_os_srw_(lock), (unsigned long)rest, 0);
}

struct async_os_begun_ {
    void *handle;
    unsigned id;
    void *(*fn)(void *);
    void *arg;
};

typedef struct async_os_begun_ async_os_thread_;

static inline unsigned __stdcall async_os_thread_run_(void *arg)
{
    const async_os_thread_ *thread = (const async_os_thread_ *)arg;

    (void)thread->fn(thread->arg);
    return 0;
}

static inline int async_os_thread_start_(async_os_thread_ *thread,
                                         size_t stack_bytes,
                                         void *(*fn)(void *), void *arg)
{
    enum { ASYNC_OS_SUSPENDED_ = 0x4, ASYNC_OS_RESERVES_ = 0x10000 };
    unsigned flags =
        ASYNC_OS_SUSPENDED_ | (stack_bytes ? ASYNC_OS_RESERVES_ : 0);

    if ((unsigned)stack_bytes != stack_bytes)
        return -EINVAL;
    thread->fn = fn;
    thread->arg = arg;
    thread->handle = (void *)_beginthreadex(NULL, (unsigned)stack_bytes,
                                            async_os_thread_run_, thread, flags,
                                            &thread->id);
    if (!thread->handle)
        return -errno;
    (void)ResumeThread(thread->handle); /* now that it knows its number */
    return 0;
}

static inline void async_os_thread_join_(async_os_thread_ thread)
{
    (void)WaitForSingleObject(thread.handle, 0xFFFFFFFF);
    (void)CloseHandle(thread.handle);
}

static inline int async_os_thread_is_this_(async_os_thread_ thread)
{
    return thread.id == GetCurrentThreadId();
}

static inline void async_os_thread_name_(const char *name)
{
    (void)name; /* only since some Windows 10 */
}

#endif /* ASYNC_HAVE_WINDOWS_ */

#endif /* ASYNC_OS_H */

/*
 * MIT License
 *
 * Copyright (c) 2026 async.h authors
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy
 * of this software and associated documentation files (the "Software"), to deal
 * in the Software without restriction, including without limitation the rights
 * to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
 * copies of the Software, and to permit persons to whom the Software is
 * furnished to do so, subject to the following conditions:
 *
 * The above copyright notice and this permission notice shall be included in
 * all copies or substantial portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
 * IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
 * FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
 * AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
 * LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
 * SOFTWARE.
 */
