/* async_group.h: tasks that come and go while one waits for them, and what no
 * cancel reaches.
 * SPDX-License-Identifier: MIT
 *
 * Included by async_gather.h, where the program that shows it is: include that.
 */
#ifndef ASYNC_GROUP_H
#define ASYNC_GROUP_H

#include "async_loop.h" /* tasks, waits */

#include <stddef.h> /* offsetof */

/* ---- groups ----------------------------------------------------------------
 * A group runs a body and its members, which it takes while it runs, and is
 * over when the body and the last member have ended:
 *
 *     await(async_group(loop, &self->group, serve(loop, &self->serve)));
 *
 * Or the members only: spawn them, then
 *
 *     await(async_group_wait(loop, &self->group));
 */

/* Yours, in the frame of whoever awaits it; all-zero to start with. */
struct async_group {
    /* 0: the first error of the body or a member cancels the rest, the body
     * too; they are awaited, and it is returned. 1: members run to their own
     * ends, and each one's outcome tells how; the body's error cancels them
     * all the same. A member that ends with ASYNC_ECANCELED, because somebody
     * has canceled it, is not an error of the group. */
    int collect;

    /* private */
    struct async_owner_ owner_;
    struct async_wait_ *line_;   /* whoever awaits it, after the body's end */
    struct async_task *body_;    /* whoever awaits it */
    struct async_member *first_; /* of those that run; a circle */
    int error_;
    uint8_t stage_;
    uint8_t stops_;   /* the members have been canceled */
    uint8_t ask_;     /* whether the body has been */
    uint8_t passed_;  /* it answered ASYNC_ASKED_, for others; to these flags */
    uint8_t outside_; /* and somebody else's cancel landed in it */
};

/* A task of a group. Yours; all-zero before its first spawn, and where it is
 * until it has ended. */
struct async_member {
    struct async_task task; /* first: a task's address is its member's */
    struct async_member *next_;
    struct async_member *prev_;
};

enum {                      /* how far a group is */
       ASYNC_GROUP_OPEN_,   /* takes members, is not awaited yet */
       ASYNC_GROUP_RUNS_,   /* the body does */
       ASYNC_GROUP_WAITS_,  /* the body has ended; without members it is over */
       ASYNC_GROUP_IS_OVER_ /* and its end has been told */
};

enum { /* how far the cancel of its body is */
       ASYNC_BODY_IS_FREE_,
       ASYNC_BODY_IS_ASKED_, /* whether it may land */
       ASYNC_BODY_LANDS_,    /* in this step */
       ASYNC_BODY_UNWINDS_
};

/* The body answered ASYNC_ASKED_, and what asked has landed in it since, be it
 * in a call, which is stepped without the group: then it asks no more. */
static inline void async_group_notes_(struct async_group *group)
{
    unsigned flags = group->body_->wait_.flags;

    if (group->passed_ &&
        (flags & ASYNC_IS_LANDING_ || group->passed_ & ~flags & ASYNC_ASKS_))
        group->outside_ = 1;
    group->passed_ = 0;
}

static inline void async_group_ask_(struct async_loop *loop,
                                    struct async_group *group)
{
    struct async_task *task = group->body_;

    async_group_notes_(group);
    ASYNC_ASSERT(task->wait_.asks < 255, "groups nested too deep");
    group->ask_ = ASYNC_BODY_IS_ASKED_;
    async_ask_(loop, task);
}

/* Ends early, without an error: asks the body and all members to stop; then no
 * more can be spawned. An ASYNC_ECANCELED that comes of it is no error, others
 * are. A group that is not awaited yet ends as soon as it is. Nothing if it is
 * over. */
static inline void async_group_cancel(struct async_loop *loop,
                                      struct async_group *group)
{
    struct async_member *member = group->first_;

    if (group->stops_ || group->stage_ == ASYNC_GROUP_IS_OVER_)
        return;
    group->stops_ = 1;
    if (member) {
        do {
            async_cancel(loop, &member->task);
            member = member->next_;
        } while (member != group->first_);
    }
    if (group->stage_ == ASYNC_GROUP_RUNS_)
        async_group_ask_(loop, group);
}

static inline void async_group_fail_(struct async_loop *loop,
                                     struct async_group *group, int error)
{
    if (!group->error_)
        group->error_ = error;
    async_group_cancel(loop, group);
}

static inline void async_group_ended_(struct async_loop *loop,
                                      struct async_owner_ *owner,
                                      struct async_task *task)
{
    struct async_group *group =
        (struct async_group *)(void *)((char *)owner -
                                       offsetof(struct async_group, owner_));
    struct async_member *member = (struct async_member *)(void *)task;
    int outcome = task->wait_.status;

    if (member->next_ == member) {
        group->first_ = NULL;
    } else {
        member->next_->prev_ = member->prev_;
        member->prev_->next_ = member->next_;
        if (group->first_ == member)
            group->first_ = member->next_;
    }
    if (outcome < 0 && outcome != ASYNC_ECANCELED && !group->collect)
        async_group_fail_(loop, group, outcome);
    if (!group->first_)
        (void)async_line_wake_(loop, &group->line_, ASYNC_DONE);
}

/* Starts fn(loop, frame) as a member: before the group is awaited, or from its
 * body, its members, and whoever else runs on the loop. A member that has ended
 * may be spawned again. Returns 0; ASYNC_ECLOSED: the group has been canceled,
 * by an error too, or is over: nothing was started. (It takes members again in
 * the body of its next async_group, or when it is assigned anew, to all-zero.)
 * ASYNC_EBUSY: this member has not ended (a mistake of the program's:
 * asserted). */
static inline int async_group_spawn(struct async_loop *loop,
                                    struct async_group *group,
                                    struct async_member *member, async_fn *fn,
                                    void *frame)
{
    struct async_member *first = group->first_;
    int error;

    if (group->stops_ || group->stage_ == ASYNC_GROUP_IS_OVER_ ||
        (group->stage_ == ASYNC_GROUP_WAITS_ && !first))
        return ASYNC_ECLOSED;
    error = async_spawn(loop, &member->task, fn, frame);
    if (error)
        return error;
    group->owner_.ended = async_group_ended_;
    async_own_(&member->task, &group->owner_);
    if (!first) {
        group->first_ = member->next_ = member->prev_ = member;
        return 0;
    }
    member->next_ = first;
    member->prev_ = first->prev_;
    first->prev_->next_ = member;
    first->prev_ = member;
    return 0;
}

/* True while the body is to be evaluated. */
static inline int async_group_runs_(struct async_loop *loop,
                                    struct async_group *group)
{
    struct async_task *task = async_running_(loop);

    if (group->stage_ == ASYNC_GROUP_OPEN_ ||
        group->stage_ == ASYNC_GROUP_IS_OVER_) {
        group->stage_ = ASYNC_GROUP_RUNS_;
        group->body_ = task;
        if (group->stops_)
            async_group_ask_(loop, group);
    } else if (group->body_ != task) {
        return 0;
    } else {
        async_group_notes_(group);
    }
    return group->stage_ == ASYNC_GROUP_RUNS_;
}

/* The body waits, with the answer `x`. An ASYNC_ASKED_ is an occasion to let
 * the group's own cancel land, as a timeout does. */
static inline async_status async_group_pends_(struct async_loop *loop,
                                              struct async_group *group,
                                              async_status x)
{
    if (group->ask_ == ASYNC_BODY_LANDS_) {
        group->ask_ = ASYNC_BODY_UNWINDS_;
        if (loop->current_->wait_.flags & ASYNC_IS_LANDING_)
            async_group_ask_(loop, group); /* nothing took it */
    }
    if (x == ASYNC_ASKED_ && group->ask_ == ASYNC_BODY_IS_ASKED_) {
        group->ask_ = ASYNC_BODY_LANDS_;
        async_ask_no_more_(group->body_);
        loop->step_ |= ASYNC_STEP_LAND_;
        return ASYNC_PENDING;
    }
    if (group->ask_ == ASYNC_BODY_UNWINDS_)
        return ASYNC_PENDING; /* one cancel at a time */
    group->passed_ = x == ASYNC_ASKED_ ? group->body_->wait_.flags : 0;
    return x;
}

static inline async_status
async_group_(struct async_loop *loop, struct async_group *group, async_status x)
{
    async_status status = ASYNC_DONE;

    ASYNC_ASSERT(group->body_ == loop->current_,
                 "a group that another task awaits: one group for each");
    if (group->body_ != loop->current_)
        return ASYNC_EBUSY;
    if (group->stage_ == ASYNC_GROUP_RUNS_) {
        if (x == ASYNC_PENDING || x == ASYNC_ASKED_)
            return async_group_pends_(loop, group, x);
        group->stage_ = ASYNC_GROUP_WAITS_;
        if (group->ask_ == ASYNC_BODY_IS_ASKED_)
            async_ask_no_more_(group->body_);
        if (x < 0 &&
            (x != ASYNC_ECANCELED || group->outside_ || !group->stops_))
            async_group_fail_(loop, group, x);
    }
    if (group->first_ || async_waits_in_(loop, &group->line_))
        status = async_line_wait_(loop, &group->line_);
    if (status == ASYNC_ECANCELED) {
        async_group_fail_(loop, group, ASYNC_ECANCELED);
        status = async_line_wait_(loop, &group->line_);
    }
    if (status == ASYNC_ASKED_ && group->stops_)
        return ASYNC_PENDING; /* it unwinds: one cancel at a time */
    if (status != ASYNC_DONE)
        return status;
    status = group->error_ ? group->error_ : ASYNC_DONE;
    group->stage_ = ASYNC_GROUP_IS_OVER_;
    group->body_ = NULL;
    group->error_ = 0;
    group->stops_ = group->ask_ = group->passed_ = group->outside_ = 0;
    return status;
}

/* Awaitable, around another: await(async_group(loop, &group, x)) is x, the
 * body, and then waits until every member has ended. x is not evaluated any
 * more once it is over. Returns ASYNC_DONE, or the first error of body or
 * members: that cancels the others, and they are awaited before. ASYNC_EBUSY:
 * another task awaits this group (a mistake of the program's: asserted). If
 * canceled here: x is, and if that ends it, or it has ended, all members; they
 * are awaited, then ASYNC_ECANCELED. */
#define async_group(loop, group, x)                                            \
    async_group_(loop, group, async_group_runs_(loop, group) ? (x) : ASYNC_DONE)

/* Awaitable: the same without a body. Done at once if nothing runs. */
static inline async_status async_group_wait(struct async_loop *loop,
                                            struct async_group *group)
{
    return async_group(loop, group, ASYNC_DONE);
}

/* ---- shield ------------------------------------------------------------- */

/* Awaitable, around another: await(async_shield(loop, x)) is x, but no cancel,
 * no timeout and no group's end from outside lands in it, however long it
 * takes. They stay asked for: the next wait after it takes them. Timeouts
 * inside of x are not held off. (A task that is to go on though its joiner is
 * canceled needs no shield: async_join leaves it alone.) If canceled here: not
 * before x has ended. */
static inline async_status async_shield(struct async_loop *loop, async_status x)
{
    (void)loop;
    return x == ASYNC_ASKED_ ? ASYNC_PENDING : x;
}

#endif /* ASYNC_GROUP_H */

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
