/* timeout.c: a limit in time around any await. What is too late unwinds through
 * its clean-up first; a deadline bounds several steps; and what makes progress
 * can be given more time.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. timeout.c -o timeout
 *
 * prints
 *
 *     a quick answer: closed, done
 *     a slow answer: closed, timed out
 *     three answers by one deadline: closed, closed, closed, timed out
 *     a slow download that goes on: 5 parts, done
 *     a download that hangs: 2 parts, timed out
 */
#include <stdio.h>

#include "async_gather.h"

/* Answers after so long. */
struct answer {
    struct async_frame async;
    unsigned ms;
};

static async answer(struct async_loop *loop, struct answer *self)
{
    async_begin(self);
    await(async_sleep_ms(loop, self->ms));
    async_finally();
    printf("closed, "); /* whether it was in time or not */
    async_end();
}

struct answers {
    struct async_frame async;
    struct answer answer;
    int i;
};

static async answers(struct async_loop *loop, struct answers *self)
{
    async_begin(self);
    for (self->i = 0; self->i < 10; self->i++) {
        self->answer = (struct answer){.ms = 80};
        await(answer(loop, &self->answer));
    }
    async_end();
}

/* Gets a part, and with each has 100 ms for the next one. */
struct download {
    struct async_frame async;
    struct async_timer *limit;
    int parts, hangs_after;
};

static async download(struct async_loop *loop, struct download *self)
{
    async_begin(self);
    while (self->parts < 5) {
        await(async_sleep_ms(loop,
                             self->parts == self->hangs_after ? 10000 : 40));
        self->parts++;
        async_timeout_reset(loop, self->limit, 100);
    }
    async_finally();
    printf("%d parts, ", self->parts);
    async_end();
}

struct program {
    struct async_frame async;
    struct async_timer limit; /* one for all, one after the other */
    async_time deadline;
    struct answer answer;
    struct answers answers;
    struct download download;
    int rc;
};

static async program(struct async_loop *loop, void *frame)
{
    struct program *self = frame;

    async_begin(self);
    printf("a quick answer: ");
    self->answer = (struct answer){.ms = 5};
    async_catch(self->rc, async_timeout(loop, &self->limit, 100,
                                        answer(loop, &self->answer)));
    printf("%s\n", async_strerror(self->rc));

    printf("a slow answer: ");
    self->answer = (struct answer){.ms = 5000};
    async_catch(self->rc, async_timeout(loop, &self->limit, 100,
                                        answer(loop, &self->answer)));
    printf("%s\n", async_strerror(self->rc));

    printf("three answers by one deadline: ");
    self->answers = (struct answers){.i = 0};
    self->deadline = async_now(loop) + 200; /* in ticks: of a millisecond */
    async_catch(self->rc, async_deadline(loop, &self->limit, self->deadline,
                                         answers(loop, &self->answers)));
    printf("%s\n", async_strerror(self->rc));

    printf("a slow download that goes on: ");
    self->download = (struct download){.limit = &self->limit, .hangs_after = 9};
    async_catch(self->rc, async_timeout(loop, &self->limit, 100,
                                        download(loop, &self->download)));
    printf("%s\n", async_strerror(self->rc));

    printf("a download that hangs: ");
    self->download = (struct download){.limit = &self->limit, .hangs_after = 2};
    async_catch(self->rc, async_timeout(loop, &self->limit, 100,
                                        download(loop, &self->download)));
    printf("%s\n", async_strerror(self->rc));
    async_end();
}

int main(void)
{
    static struct async_loop loop;
    static struct async_task task;
    static struct program frame;

    /* On a clock that jumps; async_run(&loop, program, &frame) waits. */
    async_spawn(&loop, &task, program, &frame);
    (void)async_simulate(&loop, 0, 60000);
    return async_task_outcome(&task) < 0;
}
