/* async_debug.h: what every task is doing, and what is wrong.
 * SPDX-License-Identifier: MIT
 *
 * A dump of a loop's tasks and where they wait; a check of everything a loop
 * has linked together; a search for wakes that were lost; and a watch on a
 * running loop, which tells of steps that take too long, of tasks that nothing
 * can wake, of frames that were overwritten, and runs what is ready in an order
 * of chance. All of it is told to a function of yours, a line of text at a
 * time, so it needs no stdio. What is not called costs nothing, and nothing in
 * here changes the layout of anything.
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
 *     static void say(void *file, const char *text)
 *     {
 *         int length = (int)strcspn(text, ";"); // addresses follow
 *
 *         fprintf(file, "%.*s\n", length, text);
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
 *     nothing can ever wake these tasks: 2
 *     line 15: joins a task
 *     line 15: joins a task
 *
 * Rules
 * 1. Define ASYNC_DEBUG for all of a program, as by a compiler flag. A file
 *    without it runs unwatched, and its functions are shown at wrong lines; in
 *    a program without it they are shown by state: docs/debugging.md.
 * 2. On the loop's thread. Not from a signal handler or an interrupt: set a
 *    flag there, and dump from a task that waits for it.
 * 3. async_dump, async_loop_check and async_sweep need ASYNC_TASK_LIST, which
 *    is 0 on microcontrollers unless you say otherwise.
 * 4. With ASYNC_USE_LABELS there are no lines, only states.
 */
#ifndef ASYNC_DEBUG_H
#define ASYNC_DEBUG_H

#include "async_loop.h" /* what is looked at */

#include <stddef.h> /* NULL */
#include <stdint.h> /* addresses as numbers, chance */

/* Takes a line of text, without its end. The text is gone afterwards. */
typedef void async_say_fn(void *arg, const char *text);

/* ---- text --------------------------------------------------------------- */

/* A line while it is written. What does not fit is left out. */
struct async_text_ {
    size_t length;
    char text[128];
};

static inline void async_text_add_(struct async_text_ *text, const char *more)
{
    while (*more && text->length < sizeof text->text - 1)
        text->text[text->length++] = *more++;
    text->text[text->length] = '\0';
}

static inline void async_text_number_(struct async_text_ *text,
                                      unsigned long number)
{
    char digits[24];
    char *first = digits + sizeof digits - 1;

    *first = '\0';
    do
        *--first = (char)('0' + number % 10);
    while (number /= 10);
    async_text_add_(text, first);
}

static inline void async_text_address_(struct async_text_ *text,
                                       const char *before, uintptr_t address)
{
    unsigned shift = sizeof address * 8;
    char digit[2] = {0, 0};

    async_text_add_(text, before);
    async_text_add_(text, "0x");
    while (shift > 4 && !(address >> (shift - 4)))
        shift -= 4;
    for (; shift; shift -= 4) {
        digit[0] = "0123456789abcdef"[address >> (shift - 4) & 15];
        async_text_add_(text, digit);
    }
}

/* ---- where a function is ------------------------------------------------ */

/* The line a function is suspended at. 0: it has not begun, or has ended, or
 * there are no lines. */
static inline unsigned async_frame_line(const struct async_frame *frame)
{
#if defined(ASYNC_DEBUG) && !defined(ASYNC_USE_LABELS)
    return frame->state_ == ASYNC_AT_END_ ? 0 : frame->state_ / 4u;
#else
    (void)frame;
    return 0;
#endif
}

static inline void async_text_place_(struct async_text_ *text,
                                     const struct async_frame *frame)
{
    unsigned line = frame ? async_frame_line(frame) : 0;

    if (!frame) {
        async_text_add_(text, "no frame");
    } else if (frame->state_ == ASYNC_AT_START_) {
        async_text_add_(text, "start");
    } else if (frame->state_ == ASYNC_AT_END_) {
        async_text_add_(text, "end");
    } else {
        async_text_add_(text, line ? "line " : "state ");
        async_text_number_(text, line ? line : frame->state_);
    }
}

/* A function and its frame. */
struct async_place_ {
    async_fn *fn;
    const struct async_frame *frame;
};

/* In a file with calls of its own async_call_step_ is another function: so it
 * is the frame that tells. */
static inline int async_is_call_(const void *frame)
{
    return frame &&
           ((const struct async_frame *)frame)->state_ == ASYNC_AT_CALL_;
}

/* What is stepped by stepping this: itself, or what it calls. */
static inline struct async_place_ async_inner_(async_fn *fn, const void *frame)
{
    const struct async_call_frame *call =
        (const struct async_call_frame *)frame;
    int calls = async_is_call_(frame);
    struct async_place_ place;

    place.fn = calls ? call->fn_ : fn;
    place.frame = (const struct async_frame *)(calls ? call->frame_ : frame);
    return place;
}

/* ---- dump --------------------------------------------------------------- */

/* What the task waits for. Returns the address of it, or NULL. */
static inline const void *async_text_wait_(struct async_text_ *text,
                                           const struct async_loop *loop,
                                           const struct async_task *task)
{
    const struct async_wait_ *wait = &task->wait_;

    if (task == loop->current_) {
        async_text_add_(text, "runs");
        return NULL;
    }
    if (task->next_) {
        async_text_add_(text, "is ready");
        return NULL;
    }
    switch (wait->kind) {
    case ASYNC_WAIT_SLEEP_:
        async_text_add_(text, "sleeps for another ");
        async_text_number_(
            text, (unsigned long)(async_time)(wait->on.deadline - loop->now_));
        async_text_add_(text, " ticks");
        return NULL;
    case ASYNC_WAIT_JOIN_:
        async_text_add_(text, "joins a task");
        return wait->on.object;
    case ASYNC_WAIT_LINE_:
        async_text_add_(text, "waits in a line");
        return wait->on.object;
    case ASYNC_WAIT_FD_:
        async_text_add_(text, wait->on.fd & ASYNC_READABLE
                                  ? "waits to read descriptor "
                                  : "waits to write descriptor ");
        async_text_number_(text, (unsigned long)wait->on.fd / 4);
        return NULL;
    case ASYNC_WAIT_FLAG_:
        async_text_add_(text, "waits for a flag");
        return NULL;
    default:
        async_text_add_(text, "polls a condition");
        return NULL;
    }
}

/* "line 42: sleeps for another 7 ticks; function 0x.., task 0x.." */
static inline void async_text_task_(struct async_text_ *text,
                                    const struct async_loop *loop,
                                    const struct async_task *task)
{
    struct async_place_ at = async_inner_(task->fn, task->frame);
    const void *on;

    text->length = 0;
    async_text_place_(text, at.frame);
    async_text_add_(text, ": ");
    on = async_text_wait_(text, loop, task);
    async_text_address_(text, "; function ", (uintptr_t)at.fn);
    async_text_address_(text, ", task ", (uintptr_t)task);
    if (on)
        async_text_address_(text, ", on ", (uintptr_t)on);
}

/* "  called from line 7; function 0x.." */
static inline void async_say_place_(async_say_fn *say, void *arg,
                                    const char *before, async_fn *fn,
                                    const struct async_frame *frame)
{
    struct async_text_ text;

    text.length = 0;
    async_text_add_(&text, before);
    async_text_place_(&text, frame);
    async_text_address_(&text, "; function ", (uintptr_t)fn);
    say(arg, text.text);
}

/* Says what the task, which is alive, does, and for each async_call around
 * that one more line. Behind the semicolon are addresses only. */
static inline void async_dump_task(const struct async_loop *loop,
                                   const struct async_task *task,
                                   async_say_fn *say, void *arg)
{
    struct async_text_ text;
    const void *frame = task->frame;

    async_text_task_(&text, loop, task);
    say(arg, text.text);
    while (async_is_call_(frame)) {
        const struct async_call_frame *call =
            (const struct async_call_frame *)frame;
        struct async_place_ from = async_inner_(call->up_fn_, call->up_frame_);

        async_say_place_(say, arg, "  called from ", from.fn, from.frame);
        frame = call->up_frame_;
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

/* How many wait in the line, all of the kinds `from` to `to`; or more than
 * there can be: it is broken. */
static inline size_t async_line_length_(const struct async_wait_ *first,
                                        unsigned from, unsigned to)
{
    const struct async_wait_ *wait = first;
    size_t length = 0;

    if (!first)
        return 0;
    do { /* links that agree lead back to the first */
        if (wait->kind < from || wait->kind > to || !wait->next ||
            wait->next->prev != wait)
            return (size_t)-1;
        wait = wait->next;
        length++;
    } while (wait != first);
    return length;
}

/* How many tasks stand in the ready queue, not more than `most` + 1. */
static inline size_t async_ready_length_(const struct async_loop *loop,
                                         size_t most)
{
    const struct async_task *task = loop->ready_;
    size_t length = 0;

    if (!task)
        return 0;
    do {
        task = task->next_;
        length++;
    } while (task && task != loop->ready_ && length <= most);
    return task == loop->ready_ ? length : most + 1;
}

/* Looks at everything that the loop has linked together. NULL: it is as it
 * should be; else a sentence that tells what is not. For tests: it takes time
 * in proportion to all there is. Between polls, or from a task. */
static inline const char *async_loop_check(struct async_loop *loop)
{
    const struct async_task *task, *newer = NULL;
    size_t alive = 0, ready = 0, looking = 0, reading = 0, lines = 0;

    for (task = loop->newest_; task; newer = task, task = task->older_)
        if (task->newer_ != newer || !(task->wait_.flags & ASYNC_IS_ALIVE_) ||
            alive++ == loop->alive_)
            break;
    if (task || alive != loop->alive_)
        return "the list of live tasks is broken: one was overwritten, or "
               "given back";
    for (task = loop->newest_; task; task = task->older_) {
        const struct async_wait_ *wait = &task->wait_;

        if (task->next_)
            ready++;
        else if (wait->kind <= ASYNC_WAIT_YIELD_)
            return "a live task is neither ready nor waiting: it was "
                   "overwritten";
        else if (!wait->next)
            return "a live task waits in no line: it was overwritten";
        if (!wait->next)
            continue;
        if (wait->next->prev != wait || wait->prev->next != wait)
            return "a line is broken: a task that waits there was overwritten, "
                   "or given back";
        if (wait->kind >= ASYNC_WAIT_FLAG_)
            looking++;
        if (wait->kind == ASYNC_WAIT_FD_)
            reading++;
    }
    if (async_ready_length_(loop, ready) != ready)
        return "the queue of ready tasks is broken: one was overwritten, or "
               "given back";
#if ASYNC_HOSTED_
    {
        size_t i;

        for (i = 0; i < ASYNC_FD_LINES_; i++) {
            size_t length = async_line_length_(loop->fds_[i], ASYNC_WAIT_FD_,
                                               ASYNC_WAIT_FD_);

            if (length > reading)
                return "a line is broken: a task that waits there was "
                       "overwritten, or given back";
            lines += length;
        }
    }
#endif
    if (lines != reading || async_line_length_(loop->lookers_, ASYNC_WAIT_FLAG_,
                                               ASYNC_WAIT_BARE_) != looking)
        return "a line is broken: a task that waits there was overwritten, or "
               "given back";
    if (async_line_length_(loop->unjoined_, ASYNC_WAIT_NONE_,
                           ASYNC_WAIT_NONE_) == (size_t)-1)
        return "a failed task that nobody has joined was overwritten, or given "
               "back";
    if (!async_deadlines_check_(&loop->deadlines_))
        return "the timers are broken: a running timer or a sleeping task was "
               "overwritten, or given back";
    return NULL;
}

/* ---- lost wakes --------------------------------------------------------- */

enum { ASYNC_SWEEPING_ = 2 }; /* in place of 1, for polling */

/* Steps a task that waits. True: it went on, though nothing had let it go. */
static inline int async_sweep_task_(struct async_loop *loop,
                                    struct async_task *task)
{
    struct async_wait_ was = task->wait_;
    const struct async_wait_ *is = &task->wait_;

    if (loop->ready_) { /* as the first */
        task->next_ = loop->ready_->next_;
        loop->ready_->next_ = task;
    } else {
        loop->ready_ = task->next_ = task;
    }
    async_step_(loop, task);
    return !(is->flags & ASYNC_IS_ALIVE_) || task->next_ ||
           is->kind != was.kind || is->next != was.next || is->prev != was.prev;
}

/* Steps every task that waits, and says of those that went on where they have
 * waited: what they waited for had come, and nobody had told this loop. (A flag
 * that was set on another one, for example.) They have gone on for good.
 * Returns how many; 0 from within a sweep. Plain conditions are looked at
 * anyway, and left out. Between polls, or from a task. */
static inline size_t async_sweep(struct async_loop *loop, async_say_fn *say,
                                 void *arg)
{
    struct async_task *running = loop->current_, *task, *older;
    uint8_t step = loop->step_, polling = loop->polling_;
    struct async_wait_ first = ASYNC_ZERO_, last = ASYNC_ZERO_;
    struct async_text_ text;
    size_t lost = 0;

    if (polling == ASYNC_SWEEPING_)
        return 0;
    loop->polling_ = ASYNC_SWEEPING_;
    loop->step_ = 0;
    /* Between these two nobody can leave the line, join it again, and be where
     * it was. */
    first.kind = last.kind = ASYNC_WAIT_FLAG_;
    async_line_join_(&loop->lookers_, &first);
    loop->lookers_ = &first;
    for (task = loop->newest_; task; task = older) {
        unsigned kind = task->wait_.kind;

        older = task->older_;
        if (task->next_ || kind == ASYNC_WAIT_UNTIL_ ||
            kind == ASYNC_WAIT_BARE_)
            continue;
        loop->current_ = NULL; /* none runs: the text tells of waits */
        async_text_task_(&text, loop, task);
        async_line_join_(&loop->lookers_, &last);
        if (async_sweep_task_(loop, task)) {
            if (!lost++)
                say(arg, "wakes were lost, these tasks went on only now:");
            say(arg, text.text);
        }
        async_line_leave_(&loop->lookers_, &last);
    }
    async_line_leave_(&loop->lookers_, &first);
    loop->current_ = running;
    loop->step_ = step;
    loop->polling_ = polling;
    async_changed_(loop);
    return lost;
}

#endif /* ASYNC_TASK_LIST */

/* ---- watch -------------------------------------------------------------- */

/* Watches a loop, one each, in the files that are built with ASYNC_DEBUG.
 * Yours; set `say`, and of the rest what you want. */
struct async_debug {
    struct async_probe probe_; /* first: the loop knows this */
    async_say_fn *say;
    void *arg;

    /* The time, in ticks, as async_clock_now. NULL: steps are not timed. */
    async_time (*clock)(void);
    async_time slow; /* a step of as many ticks is told of; 0: of 100 ms */

    /* A seed: what is ready runs in an order of chance, the same for the same
     * seed, and the seed is said. Each runs once before any runs twice. For
     * tests: what breaks has relied on more than that. 0: first come, first
     * served. */
    uint32_t shuffle;

    size_t steps; /* so far */

    /* the step that runs */
    struct async_place_ from_;
    struct async_frame was_; /* its frame */
    uint8_t waited_;
    async_time began_;

    uint32_t chance_;
};

/* Marsaglia's xorshift (2003): a bit. */
static inline int async_debug_chance_(struct async_debug *debug)
{
    debug->chance_ ^= debug->chance_ << 13;
    debug->chance_ ^= debug->chance_ >> 17;
    debug->chance_ ^= debug->chance_ << 5;
    return (debug->chance_ & 0x80000000u) != 0;
}

/* Shuffles what is ready as a deck of cards, backwards: dealt to two piles by
 * chance, and again. Eight times mix 64 tasks well. */
static inline void async_debug_shuffle_(struct async_debug *debug,
                                        struct async_loop *loop)
{
    unsigned times;

    for (times = 0; loop->ready_ && times < 8; times++) {
        struct async_task *piles[2] = {NULL, NULL}; /* the last in each */
        struct async_task *rest = loop->ready_->next_;

        loop->ready_->next_ = NULL;
        while (rest) {
            struct async_task *task = rest, **pile;

            rest = rest->next_;
            pile = &piles[async_debug_chance_(debug)];
            if (*pile) {
                task->next_ = (*pile)->next_;
                (*pile)->next_ = task;
            } else {
                task->next_ = task;
            }
            *pile = task;
        }
        loop->ready_ = piles[1] ? piles[1] : piles[0];
        if (piles[0] && piles[1]) {
            rest = piles[0]->next_;
            piles[0]->next_ = piles[1]->next_;
            piles[1]->next_ = rest;
        }
    }
}

static inline void async_debug_step_(struct async_debug *debug,
                                     const struct async_task *task)
{
    debug->steps++;
    debug->from_ = async_inner_(task->fn, task->frame);
    debug->was_.state_ = ASYNC_AT_START_;
    if (debug->from_.frame)
        debug->was_ = *debug->from_.frame;
    debug->waited_ = debug->from_.frame && task->wait_.kind;
    if (debug->clock)
        debug->began_ = debug->clock();
}

static inline void async_debug_stepped_(struct async_debug *debug,
                                        const struct async_loop *loop,
                                        const struct async_task *task)
{
    const struct async_place_ *from = &debug->from_;
    struct async_place_ to = async_inner_(task->fn, task->frame);
    async_time took = 0;
    struct async_text_ text;

    if (debug->clock)
        took = (async_time)(debug->clock() - debug->began_);
    if (took && took >= (debug->slow ? debug->slow : async_ticks_(100))) {
        text.length = 0;
        async_text_add_(&text, "a step took ");
        async_text_number_(&text, (unsigned long)took);
        async_text_add_(&text, " ticks, in which nothing else ran:");
        debug->say(debug->arg, text.text);
        async_say_place_(debug->say, debug->arg, "  from ", from->fn,
                         from->frame ? &debug->was_ : NULL);
        async_say_place_(debug->say, debug->arg, "  to ", to.fn, to.frame);
    }
    if (debug->waited_ && debug->was_.state_ == ASYNC_AT_START_ &&
        from->frame->state_ != ASYNC_AT_START_) {
        debug->say(debug->arg, "a frame was overwritten while its function "
                               "waited, and this one began anew:");
        async_dump_task(loop, task, debug->say, debug->arg);
    }
}

static inline void async_debug_tell_(struct async_probe *probe,
                                     struct async_loop *loop,
                                     struct async_task *task, int what)
{
    struct async_debug *debug = (struct async_debug *)(void *)probe;
    struct async_text_ text;

    switch (what) {
    case ASYNC_ON_ROUND:
        if (debug->chance_)
            async_debug_shuffle_(debug, loop);
        break;
    case ASYNC_ON_STEP:
        async_debug_step_(debug, task);
        break;
    case ASYNC_ON_STEPPED:
        async_debug_stepped_(debug, loop, task);
        break;
    case ASYNC_ON_STUCK:
        text.length = 0;
        async_text_add_(&text, "nothing can ever wake these tasks: ");
        async_text_number_(&text, (unsigned long)loop->alive_);
        debug->say(debug->arg, text.text);
#if ASYNC_TASK_LIST
        async_dump(loop, debug->say, debug->arg);
#endif
        break;
    default:
        break;
    }
}

/* Watches the loop from here on, until async_debug_stop. Between polls. */
static inline void async_debug_start(struct async_loop *loop,
                                     struct async_debug *debug)
{
    struct async_text_ text;

    ASYNC_ASSERT(debug->say, "async_debug_start without a say function");
    debug->probe_.tell = async_debug_tell_;
    debug->chance_ = debug->shuffle;
    loop->probe = &debug->probe_;
#ifndef ASYNC_DEBUG
    debug->say(debug->arg, "this file is built without ASYNC_DEBUG, and what "
                           "runs from here is not watched");
#endif
    if (debug->shuffle) {
        text.length = 0;
        async_text_add_(&text,
                        "what is ready runs in an order of chance, seed ");
        async_text_number_(&text, debug->shuffle);
        debug->say(debug->arg, text.text);
    }
}

/* It is not looked at any more, and may go. */
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
