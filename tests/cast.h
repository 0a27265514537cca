/* cast.h: who appears in tests of what waits for several.
 * SPDX-License-Identifier: MIT
 *
 * Include after timeline.h.
 */
#ifndef ASYNC_TESTS_CAST_H
#define ASYNC_TESTS_CAST_H

/* Works for `ms`, then ends or fails with `error`; cleans up for `clean_ms`,
 * and fails with `late_error` there. Does not mind a cancel if it is
 * `stubborn`: works on for so long. If it `minds`, it waits for so long, and
 * then gives up. */
struct child {
    struct async_frame async;
    const char *name;
    uint32_t ms;
    int error;
    uint32_t clean_ms;
    int late_error;
    uint32_t stubborn;
    uint32_t minds;
    int rc;
};

static inline async child(struct async_loop *on, void *frame)
{
    struct child *self = frame;

    async_begin(self);
    if (self->ms)
        async_catch(self->rc, async_sleep_ms(on, self->ms));
    if (self->rc < 0 && self->stubborn) {
        note(self->name, "does not mind");
        await(async_sleep_ms(on, self->stubborn));
    } else if (self->rc < 0 && self->minds) {
        note(self->name, "minds");
        await(async_sleep_ms(on, self->minds));
        async_fail(self->rc);
    } else if (self->rc < 0) {
        async_fail(self->rc);
    }
    if (self->error)
        async_fail(self->error);
    async_finally();
    if (self->clean_ms)
        await(async_sleep_ms(on, self->clean_ms));
    if (self->late_error)
        self->async.status_ = (int16_t)self->late_error;
    note(self->name, async_strerror(self->async.status_));
    async_end();
}

/* Does something at the very moment at which a task has ended, before those
 * run that wait for it otherwise. */
struct meddler {
    struct async_frame async;
    struct async_task *joined;
    void (*act)(void *arg);
    void *arg;
    struct async_task task;
    int rc;
};

static inline async meddler(struct async_loop *on, void *frame)
{
    struct meddler *self = frame;

    async_begin(self);
    async_catch(self->rc, async_join(on, self->joined));
    self->act(self->arg);
    async_end();
}

static inline void cancel_task(void *arg)
{
    (void)arg;
    async_cancel(&loop, &task);
}

#endif
