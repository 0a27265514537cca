/* async_wrap.h: blocking functions as awaitables, arguments and results typed.
 * SPDX-License-Identifier: MIT
 *
 * A blocking function goes to a thread by async_offload, which hands it one
 * pointer. Here one line, which repeats the function's prototype, makes the
 * struct that pointer points to and the functions that fill it: the call is
 * awaited with its own arguments, has its own result, and a wrong type does not
 * compile. The function stays as it is, and may be anybody's: strlen, fsync.
 *
 *     #include <stdio.h>
 *     #include "async_wrap.h"
 *
 *     static double calc_pi(long n)
 *     {
 *         double pi = 0;
 *
 *         for (long i = 0; i < n; i++)
 *             pi += (i % 2 ? -4.0 : 4.0) / (double)(2 * i + 1);
 *         return pi;
 *     }
 *
 *     ASYNC_WRAP(double, calc_pi, long, n)
 *
 *     struct program {
 *         struct async_frame async;
 *         struct async_executor executor;
 *         struct calc_pi_call call;
 *     };
 *
 *     static async program(struct async_loop *loop, void *frame)
 *     {
 *         struct program *self = frame;
 *
 *         async_begin(self);
 *         await(calc_pi_async(loop, &self->executor, &self->call, 10000000));
 *         printf("%.6f\n", self->call.result);
 *         async_end();
 *     }
 *
 *     int main(void)
 *     {
 *         struct async_loop loop = {0};
 *         struct program frame = {0};
 *
 *         if (async_executor_start(&frame.executor, 2, 16) < 0 ||
 *             async_run(&loop, program, &frame) < 0)
 *             return 1;
 *         async_executor_stop(&frame.executor, ASYNC_STOP_DRAIN);
 *         return 0;
 *     }
 *
 * prints (cc with -pthread)
 *
 *     3.141593
 *
 * Rules
 * 1. A call stays where it is until its await is over, canceled or not. What
 *    its arguments point to does too.
 * 2. An argument's type stands before its name: a pointer to a function, or an
 *    array, goes by a typedef. No argument is called async, executor, job,
 *    result or error, which every call has; no type is const itself (const
 *    char * is not). What the function calls them does not matter.
 * 3. A function that takes long learns of a cancel from its job, if it is given
 *    that as an argument: ASYNC_WRAP(long, count, const struct async_job *, me)
 *    and count_async(loop, executor, &self->call, &self->call.job). It asks
 *    async_job_canceled(me).
 * 4. That the function has failed, only its result tells: the await is done
 *    when it has returned.
 */
#ifndef ASYNC_WRAP_H
#define ASYNC_WRAP_H

#include "async_thread.h" /* where the functions run */

#include <errno.h> /* what they leave there */

/* ---- what a wrapped function is ----------------------------------------- */

/* At the top of a file, without a semicolon, after the function is declared:
 *
 *     ASYNC_WRAP(result, name, type, argument, type, argument, ...)
 *     ASYNC_WRAP_VOID(name, type, argument, type, argument, ...)
 *
 * with 0 to 6 arguments. `name` is a function with exactly these types. The
 * line declares, for `double calc_pi(long n)`,
 *
 *     struct calc_pi_call
 *         A call. Yours; all-zero before the first, then one call after the
 *         other. Its members: `result`, unless there is none, and `error`,
 *         errno as the function left it, are set when the await is done; `job`
 *         is for rule 3. By async_outcome(&call.async) it tells how it ended.
 *
 *     async_status calc_pi_async(loop, executor, struct calc_pi_call *call,
 *                                long n)
 *         Awaitable: calls calc_pi(n) on one of the executor's threads; the
 *         result is in the call. The first arguments count. Returns what
 *         async_offload does, and ASYNC_DONE whatever calc_pi returned. If
 *         canceled here: as in async_offload, a queued call never runs, one
 *         that runs is waited for; then ASYNC_ECANCELED.
 *
 *     struct calc_pi_call *calc_pi_prepare(call, executor, long n)
 *         The same in two steps, for many at once: this sets the arguments and
 *         returns the call; not while it runs (asserted).
 *
 *     async_status calc_pi_task(loop, void *call)
 *         An async_fn, to be spawned or given to async_map with a call, or an
 *         array of calls, that were prepared. Awaitable, as calc_pi_async.
 */
#define ASYNC_WRAP(...)                                                        \
    ASYNC_WRAP_PICK_(__VA_ARGS__, ASYNC_WRAP_ARITIES_)                         \
    (ASYNC_WRAP_DECLARE_, VALUE_, __VA_ARGS__)
#define ASYNC_WRAP_VOID(...)                                                   \
    ASYNC_WRAP_PICK_(void, __VA_ARGS__, ASYNC_WRAP_ARITIES_)                   \
    (ASYNC_WRAP_DECLARE_, VOID_, void, __VA_ARGS__)

/* ---- how many arguments there are --------------------------------------- */

/* The seventeenth: what stands behind a result, a name and pairs of a type and
 * an argument moves what is to be picked there. */
#define ASYNC_WRAP_PICK_(...) ASYNC_WRAP_SEVENTEENTH_(__VA_ARGS__)
#define ASYNC_WRAP_SEVENTEENTH_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o,   \
                                p, q, ...)                                     \
    q
#define ASYNC_WRAP_ARITIES_                                                    \
    ASYNC_WRAP_MANY_, ASYNC_WRAP_MANY_, ASYNC_WRAP_6_, ASYNC_WRAP_ODD_,        \
        ASYNC_WRAP_5_, ASYNC_WRAP_ODD_, ASYNC_WRAP_4_, ASYNC_WRAP_ODD_,        \
        ASYNC_WRAP_3_, ASYNC_WRAP_ODD_, ASYNC_WRAP_2_, ASYNC_WRAP_ODD_,        \
        ASYNC_WRAP_1_, ASYNC_WRAP_ODD_, ASYNC_WRAP_0_, ASYNC_WRAP_ODD_, ~

/* Errors whose text says what is wrong. */
#define ASYNC_WRAP_ODD_(...)                                                   \
    extern char async_wrap_takes_a_type_and_a_name_for_each_argument[-1];
#define ASYNC_WRAP_MANY_(...)                                                  \
    extern char async_wrap_takes_6_arguments_at_the_most[-1];

/* Each hands on, in parentheses: the members, the parameters behind those that
 * every call has, the types, the assignments, the arguments. */
#define ASYNC_WRAP_0_(declare, kind, result, name)                             \
    declare(kind, result, name, (), (), (void), (), ())
#define ASYNC_WRAP_1_(declare, kind, result, name, A, a)                       \
    declare(kind, result, name, (A a;), (, A a), (A), (call_->a = a;),         \
            (call_->a))
#define ASYNC_WRAP_2_(declare, kind, result, name, A, a, B, b)                 \
    declare(kind, result, name, (A a; B b;), (, A a, B b), (A, B),             \
            (call_->a = a; call_->b = b;), (call_->a, call_->b))
#define ASYNC_WRAP_3_(declare, kind, result, name, A, a, B, b, C, c)           \
    declare(kind, result, name, (A a; B b; C c;), (, A a, B b, C c),           \
            (A, B, C), (call_->a = a; call_->b = b; call_->c = c;),            \
            (call_->a, call_->b, call_->c))
#define ASYNC_WRAP_4_(declare, kind, result, name, A, a, B, b, C, c, D, d)     \
    declare(kind, result, name, (A a; B b; C c; D d;), (, A a, B b, C c, D d), \
            (A, B, C, D),                                                      \
            (call_->a = a; call_->b = b; call_->c = c; call_->d = d;),         \
            (call_->a, call_->b, call_->c, call_->d))
#define ASYNC_WRAP_5_(declare, kind, result, name, A, a, B, b, C, c, D, d, E,  \
                      e)                                                       \
    declare(kind, result, name, (A a; B b; C c; D d; E e;),                    \
            (, A a, B b, C c, D d, E e), (A, B, C, D, E),                      \
            (call_->a = a; call_->b = b; call_->c = c; call_->d = d;           \
             call_->e = e;),                                                   \
            (call_->a, call_->b, call_->c, call_->d, call_->e))
#define ASYNC_WRAP_6_(declare, kind, result, name, A, a, B, b, C, c, D, d, E,  \
                      e, F, f)                                                 \
    declare(kind, result, name, (A a; B b; C c; D d; E e; F f;),               \
            (, A a, B b, C c, D d, E e, F f), (A, B, C, D, E, F),              \
            (call_->a = a; call_->b = b; call_->c = c; call_->d = d;           \
             call_->e = e; call_->f = f;),                                     \
            (call_->a, call_->b, call_->c, call_->d, call_->e, call_->f))

#define ASYNC_WRAP_OPEN_(...) __VA_ARGS__

/* ---- what a line declares ----------------------------------------------- */

/* The call begins anew. */
static inline void async_wrap_prepare_(struct async_frame *frame)
{
    static const struct async_frame zero = ASYNC_ZERO_;

    ASYNC_ASSERT(!async_frame_runs_(frame),
                 "a wrapped call is prepared while it runs: await it first, or "
                 "use another call; or its storage was not all-zero");
    *frame = zero;
}

#define ASYNC_WRAP_MEMBER_VALUE_(type) type result;
#define ASYNC_WRAP_MEMBER_VOID_(type)
#define ASYNC_WRAP_STORE_VALUE_ call_->result =
#define ASYNC_WRAP_STORE_VOID_

/* On a thread: the call itself. A pointer to the function has to have these
 * types exactly; a call would convert what it can. */
#define ASYNC_WRAP_JOB_(kind, result_type, name, types, arguments)             \
    static inline int name##_job_(struct async_job *job_, void *arg_)          \
    {                                                                          \
        result_type(*const fn_) types = name;                                  \
        struct name##_call *call_ = (struct name##_call *)arg_;                \
                                                                               \
        (void)job_;                                                            \
        ASYNC_WRAP_STORE_##kind fn_ arguments;                                 \
        call_->error = errno;                                                  \
        return 0;                                                              \
    }

#define ASYNC_WRAP_DECLARE_(kind, result_type, name, members, parameters,      \
                            types, assignments, arguments)                     \
    struct name##_call {                                                       \
        struct async_frame async;                                              \
        struct async_executor *executor;                                       \
        struct async_job job;                                                  \
        ASYNC_WRAP_MEMBER_##kind(result_type) int error;                       \
        ASYNC_WRAP_OPEN_ members                                               \
    };                                                                         \
    ASYNC_WRAP_JOB_(kind, result_type, name, types, arguments)                 \
    ASYNC_UNUSED_ static inline struct name##_call *name##_prepare(       \
        struct name##_call *call_,                                             \
        struct async_executor *executor_ ASYNC_WRAP_OPEN_ parameters)          \
    {                                                                          \
        async_wrap_prepare_(&call_->async);                                    \
        call_->executor = executor_;                                           \
        ASYNC_WRAP_OPEN_ assignments return call_;                             \
    }                                                                          \
    ASYNC_UNUSED_ static inline async_status name##_task(                 \
        struct async_loop *loop_, void *frame_)                                \
    {                                                                          \
        struct name##_call *call_ = (struct name##_call *)frame_;              \
                                                                               \
        async_begin(call_);                                                    \
        async_await(async_offload(loop_, call_->executor, &call_->job,         \
                                  name##_job_, call_));                        \
        async_end();                                                           \
    }                                                                          \
    ASYNC_UNUSED_ static inline async_status name##_async(                \
        struct async_loop *loop_, struct async_executor *executor_,            \
        struct name##_call *call_ ASYNC_WRAP_OPEN_ parameters)                 \
    {                                                                          \
        if (!async_frame_runs_(&call_->async)) {                               \
            async_wrap_prepare_(&call_->async);                                \
            call_->executor = executor_;                                       \
            ASYNC_WRAP_OPEN_ assignments                                       \
        }                                                                      \
        return name##_task(loop_, call_);                                      \
    }

#endif /* ASYNC_WRAP_H */

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
