/* async.h: async functions for C, in macros you copy into your project.
 * SPDX-License-Identifier: MIT
 *
 * An async function can stop in the middle, give the processor back and go on
 * later where it stopped. It needs no stack of its own: what has to survive
 * lives in a plain struct, its frame. This header is the language: begin, end,
 * await, yield, return, fail, catch, finally. It is freestanding C99, holds no
 * state, allocates nothing, and a frame costs 4 bytes beyond your own fields.
 *
 *     #include <stdio.h>
 *     #include "async.h"
 *
 *     struct squares {
 *         struct async_frame async;
 *         int i, value;
 *     };
 *
 *     static async squares(struct squares *self)
 *     {
 *         async_begin(self);
 *         for (self->i = 1; self->i <= 3; self->i++) {
 *             self->value = self->i * self->i;
 *             async_yield();
 *         }
 *         async_end();
 *     }
 *
 *     int main(void)
 *     {
 *         struct squares s = {0};
 *         async_each(&s, squares(&s))
 *             printf("%d ", s.value);
 *         return 0;
 *     }
 *
 * prints
 *
 *     1 4 9
 *
 * Rules
 * 1. What must survive an await or a yield lives in the frame; a local variable
 *    does not. Compilers catch most slips: clang -Wall
 *    -Wconditional-uninitialized scalars; gcc -Wall with -O1 or more most
 *    locals, but not constants and loop counters; gcc -Wjump-misses-init
 *    locals with an initializer, which C++ refuses outright. With
 *    ASYNC_USE_LABELS the last two see nothing in gcc. Nobody catches a local
 *    set before async_begin, or a parameter.
 * 2. await(x) evaluates x again each time the function is resumed, so x has no
 *    side effects of its own.
 * 3. An await inside a switch of yours needs ASYNC_USE_LABELS; without it the
 *    program stops with a message when it is resumed there.
 * 4. Give a child frame its arguments by assigning the whole struct:
 *    self->child = (struct child){ .url = url }. All-zero means not started. A
 *    finished frame stays finished until it is assigned again.
 * 5. Inside async_begin .. async_end leave by async_return() or async_fail(),
 *    never by return.
 *
 * Configuration (define before the first include, the same everywhere)
 *
 *     ASYNC_SHORT_NAMES   1: async, await, await_until. Default: 1 in C, 0 in
 *                         C++ and SDCC. The long names are always there.
 *     ASYNC_USE_LABELS    Resume by label addresses (gcc, clang) instead of a
 *                         switch. The frame keeps its 4 bytes.
 *     ASYNC_DEBUG         A state is the line it stands for: async_debug.h. At
 *                         most 4 awaits on a line, and 16382 lines a file.
 *     ASYNC_ASSERT(c, m)  Called with a condition and a sentence. Default: the
 *                         C library's assert where there is an operating
 *                         system, else a trap. NDEBUG turns it off.
 */
#ifndef ASYNC_H
#define ASYNC_H

#include <stdint.h> /* the 16-bit halves of a frame */

#define ASYNC_VERSION "0.1.0"
#define ASYNC_VERSION_NUMBER 100 /* major * 10000 + minor * 100 + patch */
#define ASYNC_VERSION_AT_LEAST(major, minor, patch)                            \
    (ASYNC_VERSION_NUMBER >= (major)*10000 + (minor)*100 + (patch))

/* ---- platform: the only place that names a compiler or a system --------- */

#if defined(__STDC_HOSTED__) && __STDC_HOSTED__ &&                             \
    (defined(__unix__) || defined(__APPLE__) || defined(_WIN32))
#define ASYNC_HOSTED_ 1
#include <assert.h> /* ASYNC_ASSERT's default */
#include <string.h> /* strerror, for async_strerror */
#else
#define ASYNC_HOSTED_ 0
#endif

#if defined(__GNUC__) || defined(__clang__)
#define ASYNC_COLD_ static __attribute__((noinline, cold, unused))
#define ASYNC_UNUSED_ __attribute__((unused)) /* a line declares more */
#else
#define ASYNC_COLD_ static inline
#define ASYNC_UNUSED_
#endif

/* To stop: a trap is smaller than a call, but AVR has none. */
#if (defined(__GNUC__) || defined(__clang__)) && !defined(__AVR__)
#define ASYNC_STOPPING_ static inline
#define ASYNC_TRAP_() __builtin_trap()
#else
#define ASYNC_STOPPING_ ASYNC_COLD_
#define ASYNC_TRAP_() ((void)0)
#endif

/* A label that says: hardly ever here. */
#if defined(__GNUC__) && !defined(__clang__)
#define ASYNC_RARELY_(label) label : __attribute__((cold, unused));
#else
#define ASYNC_RARELY_(label)
#endif

#ifdef __cplusplus
#define ASYNC_ZERO_                                                            \
    {                                                                          \
    }
#else
#define ASYNC_ZERO_                                                            \
    {                                                                          \
        0                                                                      \
    }
#endif

#ifndef ASYNC_SHORT_NAMES
#if defined(__cplusplus) || defined(__SDCC)
#define ASYNC_SHORT_NAMES 0
#else
#define ASYNC_SHORT_NAMES 1
#endif
#endif

#if defined(ASYNC_USE_LABELS) && !defined(__GNUC__)
#error "ASYNC_USE_LABELS needs gcc or clang: leave it undefined here"
#endif

/* SDCC 4.2 for the STM8 keeps an address from before an await and has lost it
 * after that. This is for the rest of the file. */
#ifdef __SDCC
#pragma nogcse
#endif

/* A number for each resume point: dense where the compiler can count. With
 * line numbers instead, two awaits on one line are a compile error. */
#if defined(__COUNTER__) && !defined(ASYNC_NO_COUNTER_)
#define ASYNC_UNIQUE_ __COUNTER__
#define ASYNC_BEFORE_FIRST_ 1
#else
#define ASYNC_UNIQUE_ __LINE__
#define ASYNC_BEFORE_FIRST_ 2
#endif

/* ---- when the program is wrong ------------------------------------------ */

/* Stops for good. A debugger finds the sentence there, or one frame up. */
ASYNC_STOPPING_ void async_stop_(void)
{
    for (;;)
        ASYNC_TRAP_();
}

#ifndef ASYNC_ASSERT
#if defined(NDEBUG)
#define ASYNC_ASSERT(condition, message)                                       \
    ((void)sizeof((condition) ? 1 : 0), (void)sizeof(message))
#elif ASYNC_HOSTED_
#define ASYNC_ASSERT(condition, message) assert((condition) && (message))
#else
#define ASYNC_ASSERT(condition, message)                                       \
    ((condition) ? (void)0 : ((void)(message), async_stop_()))
#endif
#endif

/* For what must stop even under NDEBUG. */
#define ASYNC_CHECK_(condition, message)                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            ASYNC_ASSERT(0, message);                                          \
            async_stop_();                                                     \
        }                                                                      \
    } while (0)

/* ---- status ------------------------------------------------------------- */

/* What every step and every awaitable returns: > 0 finished, 0 pending, < 0 an
 * error. Errors are these, the same on every target, or a negated errno. An
 * error has to fit 16 bits. */
typedef int async_status;

#define ASYNC_PENDING 0
#define ASYNC_DONE 1

#define ASYNC_ECANCELED (-30001) /* a cancel was asked for and has arrived */
#define ASYNC_ETIMEDOUT (-30002) /* the deadline came first */
#define ASYNC_ECLOSED (-30003)   /* closed or shut down, nothing was started */
#define ASYNC_EBUSY (-30004)     /* already started, or running */
#define ASYNC_EFULL (-30005)     /* no place left in fixed storage */
#define ASYNC_EINVAL (-30006)    /* an argument that can't be */
#define ASYNC_ENOTSUP (-30007)   /* not to be had on this target or host */
#define ASYNC_EDEADLK (-30008)   /* would wait for itself, for ever */
#define ASYNC_EKILLED (-30009)   /* a child process was killed by a signal */
#define ASYNC_EEXITED (-30010)   /* a child process has exited before its end */

/* Not an outcome: a step answers it while a cancel is asking whether it may
 * land, and await hands it on. A function in its finally section says no by
 * answering "pending" instead. Seen only by code that steps a task's
 * functions by hand: hand it on too. */
#define ASYNC_ASKED_ (-32767 - 1)

/* A frame's status while it is suspended at a yield with a value to take. */
#define ASYNC_YIELDED_ 2

/* A sentence for a status. Never NULL, never to be freed. A negated errno is
 * named where there is an operating system. */
static inline const char *async_strerror(int status)
{
    switch (status) {
    case ASYNC_PENDING:
        return "pending";
    case ASYNC_ECANCELED:
        return "canceled";
    case ASYNC_ETIMEDOUT:
        return "timed out";
    case ASYNC_ECLOSED:
        return "closed";
    case ASYNC_EBUSY:
        return "busy: already started";
    case ASYNC_EFULL:
        return "full: no place left";
    case ASYNC_EINVAL:
        return "invalid argument";
    case ASYNC_ENOTSUP:
        return "not supported here";
    case ASYNC_EDEADLK:
        return "would wait for itself";
    case ASYNC_EKILLED:
        return "killed by a signal";
    case ASYNC_EEXITED:
        return "exited without a result";
    default:
        break;
    }
    if (status > 0)
        return "done";
#if ASYNC_HOSTED_
    if (status > -30000)
        return strerror(-status);
#endif
    return "unknown error";
}

/* ---- frames ------------------------------------------------------------- */

/* The first member, named `async`, of every frame. The function it belongs to
 * owns it; all-zero means not started. `status` is 0 while the body runs; from
 * the finally section on it is how the function ends. */
struct async_frame {
    uint16_t state_;
    int16_t status_;
};

#define ASYNC_AT_START_ 0u
#define ASYNC_AT_END_ 1u /* awaits count from 2 */
#define ASYNC_AT_CALL_ 0xFFFEu /* not a function's: see async_call */
#define ASYNC_AT_FINALLY_ 0xFFFFu

/* How a function has ended: ASYNC_DONE or its error; ASYNC_PENDING before. */
static inline async_status async_outcome(const struct async_frame *frame)
{
    return frame->state_ == ASYNC_AT_END_ ? frame->status_ : ASYNC_PENDING;
}

/* True while a generator is suspended at a yield, its value in the frame. */
static inline int async_yielded(const struct async_frame *frame)
{
    return frame->status_ == ASYNC_YIELDED_;
}

/* ---- a function's start and end ----------------------------------------- */

/* The first and the last thing in an async function. Between them stands the
 * body, and behind async_finally() the clean-up. A missing end is a compile
 * error. `self` points to the frame. */
#define async_begin(self)                                                      \
    {                                                                          \
        enum { async_base_ = ASYNC_UNIQUE_ - ASYNC_BEFORE_FIRST_ };            \
        struct async_frame *async_frame_;                                      \
        unsigned async_at_;                                                    \
        int async_rc_;                                                         \
        ASYNC_ANCHOR_                                                          \
        async_frame_ = &(self)->async;                                         \
        async_at_ = async_frame_->state_;                                      \
    async_dispatch_:                                                           \
        switch (async_at_) {                                                   \
        case ASYNC_AT_START_: {                                                \
            enum { async_has_finally_ = 0 };                                   \
            {

/* What follows runs exactly once, however the body ended: at its end, by
 * async_return, by an error, by a cancel. It may await; a cancel that comes
 * meanwhile stays asked for and does not cut it short. The first error is the
 * one that is returned: one raised in here counts only if there was none. It
 * ends the section: what has to follow all the same awaits by async_catch. */
#define async_finally()                                                        \
    }                                                                          \
    async_rc_ = ASYNC_DONE;                                                    \
    goto async_leave_;                                                         \
    }                                                                          \
    case ASYNC_AT_FINALLY_: {                                                  \
        enum { async_has_finally_ = 1 };                                       \
        {

#define async_end()                                                            \
    }                                                                          \
    async_rc_ = ASYNC_DONE;                                                    \
    async_leave_:                                                              \
    if (async_has_finally_ &&                                                  \
        async_enter_finally_(async_frame_, async_rc_)) {                       \
        async_at_ = ASYNC_AT_FINALLY_;                                         \
        goto async_dispatch_;                                                  \
    }                                                                          \
    return async_finish_(async_frame_, async_rc_, async_has_finally_);         \
    async_suspend_:                                                            \
    if (async_rc_ < 0 && async_rc_ != ASYNC_ASKED_)                            \
        goto async_leave_;                                                     \
    if (0)                                                                     \
        goto async_suspend_;                                                   \
    async_frame_->state_ = (uint16_t)async_at_;                                \
    return async_has_finally_ && async_frame_->status_ ? ASYNC_PENDING         \
                                                       : async_rc_;            \
    }                                                                          \
    default:                                                                   \
    ASYNC_RESUME_(ASYNC_UNIQUE_)                                               \
    ASYNC_RARELY_(async_ended_)                                                \
    ASYNC_CHECK_(async_at_ == ASYNC_AT_END_,                                   \
                 "resumed at no await of this function: it awaits inside "     \
                 "a switch (use ASYNC_USE_LABELS, or if and else), or "        \
                 "its frame was overwritten");                                 \
    return async_frame_->status_;                                              \
    }                                                                          \
    }

/* A body that has a finally section is over with `rc`: true, go there. False:
 * it was that section which is over. */
static inline int async_enter_finally_(struct async_frame *frame, int rc)
{
    if (frame->status_ != 0)
        return 0;
    if (rc <= ASYNC_ASKED_)
        rc = ASYNC_EINVAL; /* did not fit */
    frame->status_ = (int16_t)rc;
    return 1;
}

/* The function has ended with `rc`. The first error counts. */
static inline async_status async_finish_(struct async_frame *frame, int rc,
                                         int has_finally)
{
    if (rc <= ASYNC_ASKED_)
        rc = ASYNC_EINVAL; /* did not fit */
    frame->state_ = ASYNC_AT_END_;
    if (!has_finally || (rc < 0 && frame->status_ > 0))
        frame->status_ = (int16_t)rc;
    return frame->status_;
}

/* ---- resume points ---------------------------------------------------------
 * ASYNC_POINT_(n, line) is where a suspended function goes on, and
 * ASYNC_HERE_(n, line) the number that is stored for it. The enumerator puts
 * the line into the debug information, so a debugger can show where a state is.
 * With ASYNC_DEBUG the number itself tells the line, for async_debug.h. */

#if defined(ASYNC_DEBUG) && !defined(ASYNC_USE_LABELS)
#define ASYNC_NUMBER_(n, line)                                                 \
    ((line)*4 + (n) % 4 + 0 * (int)sizeof(char[(line) < 0x3FFF ? 1 : -1]))
#else
#define ASYNC_NUMBER_(n, line) ((n)-async_base_)
#endif
#define ASYNC_NAME_(n, line) async_state_##n##_is_line_##line##_

#ifdef ASYNC_USE_LABELS

#define ASYNC_LABEL_(n) async_label_##n##_
#define ASYNC_ADDRESS_(label) ((const char *)__extension__ && label)
/* A static that holds a label's address keeps the compiler from copying the
 * function, so that distances between labels mean the same in every call. */
#define ASYNC_ANCHOR_                                                          \
    static const char *const volatile async_anchor_ =                          \
        ASYNC_ADDRESS_(async_resume_);
/* Without an await in the function there is no label to go to. But the static
 * is read all the same, or compilers forget which labels it needs. */
#define ASYNC_RESUME_(n)                                                       \
    async_resume_:                                                             \
    if (async_at_ != ASYNC_AT_END_) {                                          \
        const void *async_target_ = async_anchor_ + (int16_t)async_at_;        \
        _Pragma("GCC diagnostic push")                                         \
        _Pragma("GCC diagnostic ignored \"-Wpedantic\"")                       \
        if ((n)-async_base_ > 2)                                               \
            goto *async_target_;                                               \
        _Pragma("GCC diagnostic pop")                                          \
    }
#define ASYNC_POINT_(n, line)                                                  \
    enum { ASYNC_NAME_(n, line) = ASYNC_NUMBER_(n, line) };                    \
    ASYNC_LABEL_(n) :
#define ASYNC_HERE_(n, line)                                                   \
    async_distance_(ASYNC_ADDRESS_(ASYNC_LABEL_(n)) - async_anchor_)

static inline unsigned async_distance_(intptr_t distance)
{
    ASYNC_CHECK_(distance >= -0x7FFF && distance <= 0x7FFF &&
                     (distance < -2 || distance > 1),
                 "this function is too large for 16-bit label distances: "
                 "split it, or drop ASYNC_USE_LABELS");
    return (unsigned)distance & 0xFFFFu;
}

#else /* switch */

#define ASYNC_ANCHOR_
#define ASYNC_RESUME_(n) (void)sizeof(char[(n)-async_base_ < 0xFFFE ? 1 : -1]);
/* The check asks whether it was this function's own switch that jumped here. It
 * is optimized away where no other one can have. */
#define ASYNC_POINT_(n, line)                                                  \
    enum { ASYNC_NAME_(n, line) = ASYNC_NUMBER_(n, line) };                    \
    case ASYNC_NAME_(n, line):                                                 \
    ASYNC_CHECK_(async_at_ == ASYNC_NAME_(n, line),                            \
                 "an await inside a switch: that switch jumped into it; use "  \
                 "ASYNC_USE_LABELS, or if and else")
#define ASYNC_HERE_(n, line) ASYNC_NUMBER_(n, line)

#endif

/* ---- await -----------------------------------------------------------------
 * Each is one statement. In a finished function's place it goes on; in a
 * pending one's place this function is suspended too. */

/* Waits until `x`, a status, is finished. An error leaves this function through
 * its finally section and is returned to whoever awaits it. A bool or a
 * comparison will do as well. */
#define async_await(x) ASYNC_AWAIT_(ASYNC_UNIQUE_, __LINE__, x)
#define ASYNC_AWAIT_(n, line, x)                                               \
    do {                                                                       \
        if (0) {                                                               \
            ASYNC_POINT_(n, line);                                             \
        }                                                                      \
        async_rc_ = (x);                                                       \
        if (async_rc_ <= 0) {                                                  \
            async_at_ = ASYNC_HERE_(n, line);                                  \
            goto async_suspend_;                                               \
        }                                                                      \
    } while (0)

/* Waits until `condition`, any scalar, is true. It is asked again each time
 * the function is stepped. */
#define async_await_until(condition)                                           \
    async_await((condition) != 0 ? ASYNC_DONE : ASYNC_PENDING)

/* Waits for `x` and stores how it ended in `status`, error or not. */
#define async_catch(status, x) ASYNC_CATCH_(ASYNC_UNIQUE_, __LINE__, status, x)
#define ASYNC_CATCH_(n, line, status, x)                                       \
    do {                                                                       \
        if (0) {                                                               \
            ASYNC_POINT_(n, line);                                             \
        }                                                                      \
        async_rc_ = (x);                                                       \
        if (async_rc_ == ASYNC_PENDING || async_rc_ == ASYNC_ASKED_) {         \
            async_at_ = ASYNC_HERE_(n, line);                                  \
            goto async_suspend_;                                               \
        }                                                                      \
        (status) = async_rc_;                                                  \
    } while (0)

/* Gives the processor back once: the step returns ASYNC_PENDING, and the next
 * step goes on behind it. In a generator: the value is in the frame. */
#define async_yield() ASYNC_YIELD_(ASYNC_UNIQUE_, __LINE__)
#define ASYNC_YIELD_(n, line)                                                  \
    do {                                                                       \
        if (!async_has_finally_ || async_frame_->status_ == 0)                 \
            async_frame_->status_ = ASYNC_YIELDED_;                            \
        async_rc_ = ASYNC_PENDING;                                             \
        async_at_ = ASYNC_HERE_(n, line);                                      \
        goto async_suspend_;                                                   \
        ASYNC_POINT_(n, line);                                                 \
        if (!async_has_finally_ || async_yielded(async_frame_))                \
            async_frame_->status_ = 0;                                         \
    } while (0)

/* Ends the body with ASYNC_DONE, or with `error`: < 0 and within 16 bits. In
 * the finally section they end that. */
#define async_return()                                                         \
    do {                                                                       \
        async_rc_ = ASYNC_DONE;                                                \
        goto async_leave_;                                                     \
    } while (0)
#define async_fail(error)                                                      \
    do {                                                                       \
        async_rc_ = async_error_(error);                                       \
        goto async_leave_;                                                     \
    } while (0)

static inline int async_error_(int error)
{
    ASYNC_ASSERT(error < 0 && error > ASYNC_ASKED_,
                 "async_fail takes an ASYNC_E... or a negated errno");
    return error < 0 ? error : ASYNC_EINVAL;
}

/* ---- generators ------------------------------------------------------------
 * A generator hands out values by leaving them in its frame and yielding. What
 * it is sent is put in its frame before the next step. Generators take each
 * other as children: take, filter and chain are functions like any other.
 *
 * Both loops run the statement behind them once a value. `generator` points to
 * the frame, `step` is the call that steps it. break and continue work. */

/* For plain C. After it async_outcome tells how the generator ended. A
 * generator that awaits can't be consumed here: there is nobody to wait. */
#define async_each(generator, step)                                            \
    while (async_next_((step), &(generator)->async))

static inline int async_next_(int status, const struct async_frame *frame)
{
    ASYNC_ASSERT(status != ASYNC_PENDING || async_yielded(frame),
                 "this generator awaits: consume it with async_for, in an "
                 "async function");
    return status == ASYNC_PENDING && async_yielded(frame);
}

/* For async functions: waits while the generator waits, and leaves by its
 * error as await does. Under an `if` put it in braces: compilers warn of its
 * else otherwise. */
#define async_for(generator, step)                                             \
    ASYNC_FOR_(ASYNC_UNIQUE_, __LINE__, generator, step)
#define ASYNC_FOR_(n, line, generator, step)                                   \
    for (;;)                                                                   \
        if (0) {                                                               \
            ASYNC_POINT_(n, line);                                             \
        } else if (async_rc_ = (step), !async_yielded(&(generator)->async)) {  \
            if (async_rc_ > 0)                                                 \
                break;                                                         \
            async_at_ = ASYNC_HERE_(n, line);                                  \
            goto async_suspend_;                                               \
        } else

/* ---- short names -------------------------------------------------------- */

#if ASYNC_SHORT_NAMES
typedef async_status async;
#define await(x) async_await(x)
#define await_until(condition) async_await_until(condition)
#endif

#endif /* ASYNC_H */

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
