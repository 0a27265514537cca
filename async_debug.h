/* async_debug.h: what every task is doing, and what is wrong.
 * SPDX-License-Identifier: MIT
 *
 * A dump of a loop's tasks and where they wait; a check of everything a loop
 * has linked together; a search for wakes that were lost; and a watch on a
 * running loop, which tells of steps that take too long, of tasks that nothing
 * can wake, of frames that were overwritten, and runs what is ready in an order
 * of chance. It writes to a function of yours. What is not called costs
 * nothing, and nothing in here changes the layout of anything.
 *
 *     #define ASYNC_DEBUG
 *     #include <stdio.h>
 *     #include "async_debug.h"
 *
 *     struct waits {
 *         struct async_frame async;
 *         struct async_task *other;
 *     };
 *
 *     static async waits(struct async_loop *loop, void *frame)
 *     {
 *         struct waits *self = frame;
 *
 *         async_begin(self);
 *         await(async_join(loop, self->other));
 *         async_end();
 *     }
 *
 *     static void say(void *file, const char *text) // without addresses
 *     {
 *         fprintf(file, "%.*s\n", (int)strcspn(text, ";"), text);
 *     }
 *
 *     int main(void)
 *     {
 *         struct async_loop loop = {0};
 *         struct async_task one = {0}, two = {0};
 *         struct waits first = {.other = &two}, second = {.other = &one};
 *         struct async_debug debug = {.say = say, .arg = stdout};
 *
 *         async_debug_start(&loop, &debug);
 *         async_spawn(&loop, &one, waits, &first);
 *         async_spawn(&loop, &two, waits, &second);
 *         return async_run(&loop, NULL, NULL) != ASYNC_EDEADLK;
 *     }
 *
 * prints
 *
 *     nothing can wake these 2 tasks:
 *     line 16: joins a task
 *     line 16: joins a task
 *
 * Rules
 * 1. Define ASYNC_DEBUG for a file before it includes any header of ours, as by
 *    a compiler flag: else its functions are shown by state and not by line,
 *    and a watch sees none of what async_poll does there.
 * 2. On the loop's thread. Not from a signal handler: set a flag there, and
 * dump from the task that waits for it.
 */
#ifndef ASYNC_DEBUG_H
#define ASYNC_DEBUG_H

#include "async_loop.h" /* what is looked at */

#include <stddef.h> /* NULL */
#include <stdint.h> /* addresses as numbers, chance */
#include <stdio.h>  /* snprintf */

/* Takes a line of text, without its end. */
typedef void async_say_fn(void *arg, const char *text);

/* ---- where a function is ------------------------------------------------ */

/* The line a function is suspended at; 0: not begun, ended, in a finally
 * section that has not suspended, or built without ASYNC_DEBUG. */
static inline unsigned async_line(const struct async_frame *frame)
{
#if defined(ASYNC_DEBUG) && !defined(ASYNC_USE_LABELS)
    return frame->state_ == ASYNC_AT_END_ ? 0 : frame->state_ / 4u;
#else
    (void)frame;
    return 0;
#endif
}

/* ---- dump --------------------------------------------------------------- */

/* What the task waits for. `on` is the address of it, or NULL. */
static inline const char *async_wait_text_(const struct async_loop *loop,
                                           const struct async_task *task,
                                           const void **on)
{
    const struct async_wait_ *wait = &task->wait_;

    *on = NULL;
    if (task == loop->current_)
        return "runs";
    if (task->next_)
        return "is ready";
    switch (wait->kind) {
    case ASYNC_WAIT_SLEEP_:
        return "sleeps";
    case ASYNC_WAIT_JOIN_:
        *on = wait->on.object;
        return "joins a task";
    case ASYNC_WAIT_LINE_:
        *on = wait->on.object;
        return "stands in line";
    case ASYNC_WAIT_FD_:
        return wait->on.fd & ASYNC_READABLE ? "waits to read"
                                            : "waits to write";
    case ASYNC_WAIT_FLAG_:
        return "waits for a flag";
    default:
        return "looks at a condition";
    }
}

enum { ASYNC_TEXT_ = 240 };

/* "line 42: what; function 0x..", which the caller goes on with. */
static inline size_t async_dump_place_(char *text, const char *what,
                                       async_fn *fn, const void *frame)
{
    const struct async_frame *at = (const struct async_frame *)frame;
    unsigned line = at ? async_line(at) : 0;

    return (size_t)snprintf(text, ASYNC_TEXT_, "%s %u: %s; function 0x%lx",
                            line ? "line" : "state",
                            line ? line : (unsigned)(at ? at->state_ : 0), what,
                            (unsigned long)(uintptr_t)fn);
}

/* Says what the task does, and for each async_call above it one more line.
 * Behind the semicolon: addresses, a sleep's ticks, a descriptor. */
static inline void async_dump_task(const struct async_loop *loop,
                                   const struct async_task *task,
                                   async_say_fn *say, void *arg)
{
    const struct async_wait_ *wait = &task->wait_;
    async_fn *fn = task->fn;
    const void *frame = task->frame, *on;
    const char *what = async_wait_text_(loop, task, &on);
    char text[ASYNC_TEXT_];
    size_t end;

    for (;;) {
        const struct async_call_frame *call =
            (const struct async_call_frame *)frame;
        int called = fn == async_call_step_;

        end = called ? async_dump_place_(text, what, call->fn_, call->frame_)
                     : async_dump_place_(text, what, fn, frame);
        if (!called)
            end +=
                (size_t)snprintf(text + end, ASYNC_TEXT_ - end, ", task 0x%lx",
                                 (unsigned long)(uintptr_t)task);
        if (on)
            end += (size_t)snprintf(text + end, ASYNC_TEXT_ - end, ", on 0x%lx",
                                    (unsigned long)(uintptr_t)on);
        else if (!strcmp(what, "sleeps"))
            end += (size_t)snprintf(
                text + end, ASYNC_TEXT_ - end, ", %lu ticks",
                (unsigned long)(async_time)(wait->on.deadline - loop->now_));
        else if (!strncmp(what, "waits to", 8))
            end += (size_t)snprintf(text + end, ASYNC_TEXT_ - end,
                                    ", descriptor %d", wait->on.fd / 4);
        say(arg, text);
        if (!called)
            return;
        fn = call->up_fn_;
        frame = call->up_frame_;
        what = "  calls that";
        on = NULL;
    }
}

#if ASYNC_TASK_LIST

/* Says what each live task does, the newest first. */
static inline void async_dump(const struct async_loop *loop, async_say_fn *say,
                              void *arg)
{
    const struct async_task *task;

    for (task = loop->newest_; task; task = task->older_)
        async_dump_task(loop, task, say, arg);
}

/* ---- check -------------------------------------------------------------- */

/* True if the line's links fit together, and at most `most` wait there. */
static inline int async_check_line_(const struct async_wait_ *first,
                                    size_t most)
{
    const struct async_wait_ *wait = first;

    if (!first)
        return 1;
    do {
        if (!wait->next || wait->next->prev != wait || most-- == 0)
            return 0;
        wait = wait->next;
    } while (wait != first);
    return 1;
}

/* Looks at everything that the loop has linked together. NULL: it is as it
 * should be; else a sentence that tells what is not. For tests: it takes time
 * in proportion to all there is. Not from within async_poll. */
static inline const char *async_loop_check(struct async_loop *loop)
{
    const struct async_task *task, *newer = NULL;
    size_t count = 0, ready = 0;

    for (task = loop->newest_; task; newer = task, task = task->older_) {
        if (task->newer_ != newer || count++ == loop->alive_)
            return "the list of live tasks is broken: a live task was "
                   "overwritten, or given back";
        if (!(task->wait_.flags & ASYNC_IS_ALIVE_))
            return "a task on the list of live tasks is not alive: it was "
                   "overwritten";
        if (task->next_)
            ready++;
        else if (task->wait_.kind == ASYNC_WAIT_NONE_)
            return "a task is neither ready nor waiting: it was overwritten";
        if (!task->next_ &&
            (!task->wait_.next || task->wait_.next->prev != &task->wait_))
            return "a waiting task is in no line: it was overwritten";
    }
    if (count != loop->alive_)
        return "the list of live tasks lacks some: a live task was "
               "overwritten, or given back";
    if (loop->ready_) {
        task = loop->ready_;
        do {
            task = task->next_;
            if (!task || ready-- == 0)
                return "the queue of ready tasks is broken: a ready task was "
                       "overwritten, or given back";
        } while (task != loop->ready_);
    }
    if (ready)
        return "a task says that it is ready, and is not in the queue";
    if (!async_check_line_(loop->lookers_, count))
        return "the line of those who look at conditions is broken";
#if ASYNC_HOSTED_
    {
        size_t i;

        for (i = 0; i < ASYNC_FD_LINES_; i++)
            if (!async_check_line_(loop->fds_[i], count))
                return "the line of those who wait for descriptors is broken";
    }
#endif
    if (!async_deadlines_check_(&loop->deadlines_))
        return "the timers are broken: a running timer or a sleeping task was "
               "overwritten, or given back";
    return NULL;
}

/* ---- lost wakes --------------------------------------------------------- */

/* Steps every task that waits, and says which ones went on: what they wait for
 * had come, and nobody had told this loop. (A flag that was set on another one,
 * for example.) Returns how many. They go on for good. Not from a task. */
static inline size_t async_sweep(struct async_loop *loop, async_say_fn *say,
                                 void *arg)
{
    struct async_task *task, *older;
    size_t lost = 0;

    loop->polling_ = 1;
    for (task = loop->newest_; task; task = older) {
        unsigned kind = task->wait_.kind;

        older = task->older_;
        if (task->next_ || kind == ASYNC_WAIT_UNTIL_ ||
            kind == ASYNC_WAIT_BARE_) /* they are looked at anyway */
            continue;
        if (loop->ready_) { /* as the first */
            task->next_ = loop->ready_->next_;
            loop->ready_->next_ = task;
        } else {
            loop->ready_ = task->next_ = task;
        }
        async_step_(loop, task);
        if (task->wait_.flags & ASYNC_IS_ALIVE_ && !task->next_ &&
            task->wait_.kind == kind)
            continue;
        lost++;
        say(arg, "a wake was lost; this task goes on now:");
        async_dump_task(loop, task, say, arg);
    }
    loop->current_ = NULL;
    loop->polling_ = 0;
    async_changed_(loop);
    return lost;
}

#endif

/* ---- watch -------------------------------------------------------------- */

/* Watches a loop in the files that are built with ASYNC_DEBUG. Yours; set
 * `say`, and of the rest what you want. */
struct async_debug {
    struct async_probe probe_; /* first: the loop knows this */
    async_say_fn *say;
    void *arg;

    /* The time, in ticks, as async_clock_now. NULL: steps are not timed. */
    async_time (*clock)(void);
    async_time slow; /* a step of as many ticks is told of; 0: of 100 ms */

    /* A seed: what is ready runs in an order of chance, the same for the same
     * seed, and the seed is said. For tests: what breaks has relied on an order
     * that nobody had promised to it. 0: first come, first served. */
    uint32_t shuffle;

    size_t steps; /* so far */

    async_time began_;
    uint32_t chance_;
};

/* Moves one of the first 64 that are ready to the front. */
static inline void async_debug_shuffle_(struct async_debug *debug,
                                        struct async_loop *loop)
{
    struct async_task *last = loop->ready_, *before = last, *task;
    unsigned count = 1, chosen;

    for (task = last->next_; task != last && count < 64; task = task->next_)
        count++;
    debug->chance_ ^= debug->chance_ << 13; /* Marsaglia's xorshift, 2003 */
    debug->chance_ ^= debug->chance_ >> 17;
    debug->chance_ ^= debug->chance_ << 5;
    for (chosen = debug->chance_ % count; chosen; chosen--)
        before = before->next_;
    task = before->next_;
    if (before == last)
        return;
    before->next_ = task->next_;
    if (task == last)
        last = loop->ready_ = before;
    task->next_ = last->next_;
    last->next_ = task;
}

static inline void async_debug_tell_(struct async_probe *probe,
                                     struct async_loop *loop,
                                     struct async_task *task, int what)
{
    struct async_debug *debug = (struct async_debug *)(void *)probe;
    char text[80];

    switch (what) {
    case ASYNC_ON_CHOICE:
        if (debug->chance_)
            async_debug_shuffle_(debug, loop);
        break;
    case ASYNC_ON_STEP:
        debug->steps++;
        if (debug->clock)
            debug->began_ = debug->clock();
        if (task->wait_.kind != ASYNC_WAIT_NONE_ && task->frame &&
            task->fn != async_call_step_ &&
            ((const struct async_frame *)task->frame)->state_ == 0) {
            debug->say(debug->arg, "this task's frame was overwritten while it "
                                   "waited, and begins anew:");
            async_dump_task(loop, task, debug->say, debug->arg);
        }
        break;
    case ASYNC_ON_STEPPED:
        if (!debug->clock)
            break;
        debug->began_ = (async_time)(debug->clock() - debug->began_);
        if (debug->began_ < (debug->slow ? debug->slow : async_ticks_(100)))
            break;
        (void)snprintf(text, sizeof text,
                       "a step took %lu ticks, in which nothing else ran:",
                       (unsigned long)debug->began_);
        debug->say(debug->arg, text);
        async_dump_task(loop, task, debug->say, debug->arg);
        break;
    case ASYNC_ON_STUCK:
        (void)snprintf(text, sizeof text, "nothing can wake these %lu tasks:",
                       (unsigned long)loop->alive_);
        debug->say(debug->arg, text);
#if ASYNC_TASK_LIST
        async_dump(loop, debug->say, debug->arg);
#endif
        break;
    default:
        break;
    }
}

/* Watches the loop from here on, until async_debug_stop. */
static inline void async_debug_start(struct async_loop *loop,
                                     struct async_debug *debug)
{
    char text[80];

    debug->probe_.tell = async_debug_tell_;
    debug->chance_ = debug->shuffle;
    loop->probe = &debug->probe_;
    if (debug->shuffle) {
        (void)snprintf(text, sizeof text, "what is ready is shuffled, seed %lu",
                       (unsigned long)debug->shuffle);
        debug->say(debug->arg, text);
    }
}

static inline void async_debug_stop(struct async_loop *loop)
{
    loop->probe = NULL;
}

#endif /* ASYNC_DEBUG_H */

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
 * The above copyright notice and this permission notice shall be included in all
 * copies or substantial portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
 * IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
 * FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
 * AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
 * LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
 * SOFTWARE.
 */
