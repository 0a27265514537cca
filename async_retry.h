/* async_retry.h: trying again, and not too often.
 * SPDX-License-Identifier: MIT
 *
 * Included by async_gather.h, where the program that shows it is: include that.
 */
#ifndef ASYNC_RETRY_H
#define ASYNC_RETRY_H

#include "async_loop.h" /* tasks, timers, waits */

#include <stddef.h> /* NULL */
#include <stdint.h> /* milliseconds, counts */

/* ---- retry -------------------------------------------------------------- */

/* How often to try, and how long to wait before each new try: `first_ms`, then
 * twice as long each time, up to `max_ms`; for one that is less than
 * `first_ms`, that always. Yours; all-zero tries for ever, at once. */
struct async_retry {
    uint16_t tries; /* in all, the first included; 0: for ever */
    uint32_t first_ms;
    uint32_t max_ms;
    /* Not 0: each wait is a random part of what it would be, from its half to
     * its whole, so that those who failed together do not try together. Give
     * each another number; it changes with use. */
    uint32_t seed;

    /* private */
    uint32_t ms_;       /* of the last wait, without chance; 0: none yet */
    uint32_t sleep_ms_; /* of this one */
    uint16_t tried_;
    uint8_t begun_;
};

/* Forgets how often it was tried. Nothing else changes. */
static inline void async_retry_reset(struct async_retry *retry)
{
    retry->ms_ = retry->sleep_ms_ = 0;
    retry->tried_ = 0;
    retry->begun_ = 0;
}

/* Counts a try that failed, and says how long to wait before the next one. */
static inline void async_retry_begin_(struct async_retry *retry)
{
    uint32_t max_ms =
        retry->max_ms < retry->first_ms ? retry->first_ms : retry->max_ms;
    uint32_t ms = retry->ms_ * 2;

    if (retry->ms_ == 0)
        ms = retry->first_ms;
    else if (retry->ms_ > max_ms / 2)
        ms = max_ms;
    retry->tried_++;
    retry->begun_ = 1;
    retry->ms_ = retry->sleep_ms_ = ms;
    if (retry->seed) {
        uint32_t random = retry->seed; /* Marsaglia's xorshift (2003) */

        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        retry->seed = random;
        retry->sleep_ms_ = ms / 2 + random % (ms - ms / 2 + 1);
    }
}

/* Awaitable, between two tries:
 *
 *     do {
 *         self->child = (struct child){.url = self->url};
 *         async_catch(self->rc, child(loop, &self->child));
 *         await(async_retry_wait(loop, &self->retry, self->rc));
 *     } while (self->rc < 0);
 *
 * `status` is how the last one ended. An error waits for the time of the next
 * try, then ASYNC_DONE. It is returned instead, at once, if it was the last
 * try, or is ASYNC_ECANCELED, which is never tried again. A success is returned
 * too. After what is returned at once, and after a cancel, it counts from the
 * beginning. ASYNC_EINVAL: `status` is ASYNC_PENDING. If canceled here: there
 * is no further try. */
static inline async_status async_retry_wait(struct async_loop *loop,
                                            struct async_retry *retry,
                                            async_status status)
{
    if (!retry->begun_) {
        if (status >= 0 || status == ASYNC_ECANCELED ||
            (retry->tries && retry->tried_ + 1u >= retry->tries)) {
            async_retry_reset(retry);
            return status ? status : ASYNC_EINVAL;
        }
        async_retry_begin_(retry);
    }
    status = async_sleep_ms(loop, retry->sleep_ms_);
    if (status == ASYNC_PENDING || status == ASYNC_ASKED_)
        return status;
    retry->begun_ = 0;
    if (status < 0)
        async_retry_reset(retry);
    return status;
}

/* ---- rate ---------------------------------------------------------------
 * A bucket that holds `burst` turns and gets a new one every ms / count. The
 * times of the new ones are exact, with what they differ from a whole tick
 * carried on, so that they don't drift. Between two uses no timer runs. */

/* So many turns in so much time. Yours; set `count` and `ms` before use. */
struct async_rate {
    uint32_t count; /* so many turns */
    uint32_t ms;    /* in so many milliseconds, evenly; 0: no limit */
    uint32_t burst; /* how many may come at once after a pause; 0: 1 */

    /* private */
    uint32_t taken_;  /* turns that are not in the bucket */
    uint32_t early_;  /* the next one is due that much before next_, in parts
                       * of a tick, of which there are `count` */
    async_time next_; /* when the next one is put into it, if any is taken */
    struct async_timer timer_; /* runs while anybody waits */
    struct async_wait_ *line_;
};

/* From one new turn to the next. */
static inline void async_rate_step_(struct async_rate *rate)
{
    async_time ticks = async_ticks_(rate->ms);
    uint32_t rest = (uint32_t)(ticks % rate->count);

    rate->next_ = (async_time)(rate->next_ + ticks / rate->count);
    if (rest > rate->early_) {
        rate->next_++;
        rate->early_ = rate->count - (rest - rate->early_);
    } else {
        rate->early_ -= rest;
    }
}

/* True if the next turn is due. It is at most one step ahead, so one that seems
 * to be further has been due for long: the time has wrapped since. */
static inline int async_rate_due_(const struct async_loop *loop,
                                  const struct async_rate *rate)
{
    async_time ahead = (async_time)(rate->next_ - loop->now_);
    async_time ticks = async_ticks_(rate->ms);

    return ahead == 0 ||
           ahead > ticks / rate->count + (ticks % rate->count != 0);
}

/* The steps are counted from now. */
static inline void async_rate_start_(const struct async_loop *loop,
                                     struct async_rate *rate)
{
    rate->next_ = loop->now_;
    rate->early_ = 0;
    async_rate_step_(rate);
}

/* Puts the turns that are due into the bucket. */
static inline void async_rate_fill_(const struct async_loop *loop,
                                    struct async_rate *rate)
{
    while (rate->taken_ && async_rate_due_(loop, rate)) {
        rate->taken_--;
        async_rate_step_(rate);
    }
}

/* True if there is a turn in it. */
static inline int async_rate_can_(const struct async_rate *rate)
{
    return rate->taken_ < (rate->burst ? rate->burst : 1);
}

static inline void async_rate_expire_(struct async_loop *loop,
                                      struct async_timer *timer)
{
    struct async_rate *rate = (struct async_rate *)timer->arg;

    async_rate_fill_(loop, rate);
    if (!rate->taken_ && async_rate_due_(loop, rate))
        async_rate_start_(loop, rate); /* so late that turns were lost */
    while (rate->line_ && async_rate_can_(rate)) {
        rate->taken_++;
        (void)async_line_wake_(loop, &rate->line_, ASYNC_DONE);
    }
    if (rate->line_)
        async_timer_start(loop, timer, (async_time)(rate->next_ - loop->now_),
                          async_rate_expire_, rate);
}

/* Awaitable: waits for a turn, first come first served. In no span of `ms` are
 * there more than `count` turns, and `burst` - 1 if they were saved up; a late
 * poll, whose turns come late, may move some closer to the next ones.
 * ASYNC_EINVAL: `count` is 0. If canceled here: the place in line is lost, the
 * turn goes to the next one. */
static inline async_status async_rate_wait(struct async_loop *loop,
                                           struct async_rate *rate)
{
    async_status status;

    if (rate->count == 0)
        return ASYNC_EINVAL;
    if (!rate->line_ && !async_waits_in_(loop, &rate->line_)) {
        async_rate_fill_(loop, rate);
        if (async_rate_can_(rate)) {
            if (rate->taken_++ == 0)
                async_rate_start_(loop, rate);
            return ASYNC_DONE;
        }
    }
    status = async_line_wait_(loop, &rate->line_);
    if (!rate->line_)
        async_timer_stop(loop, &rate->timer_);
    else if (!rate->timer_.wait_.next)
        async_timer_start(loop, &rate->timer_,
                          (async_time)(rate->next_ - loop->now_),
                          async_rate_expire_, rate);
    return status;
}

#endif /* ASYNC_RETRY_H */

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
