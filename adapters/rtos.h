/* rtos.h: a loop as one task of an RTOS.
 * SPDX-License-Identifier: MIT
 *
 * The RTOS's task sleeps until the next deadline, or until another task or an
 * interrupt wakes the loop. Three functions of yours say what the RTOS calls
 * that, and its ticks are the loop's time; examples/rtos.c has those for
 * FreeRTOS.
 *
 *     static struct async_rtos host = {.now = now, .take = take, .give = give};
 *
 *     host.arg = xTaskGetCurrentTaskHandle();
 *     async_rtos_start(&host, &loop);
 *     for (;;)
 *         async_rtos_turn(&host);
 *
 *                      now()                 take(arg, ticks)
 *     FreeRTOS,        xTaskGetTickCount()   ulTaskNotifyTake(pdTRUE, ticks)
 *     ESP-IDF
 *     Zephyr           k_uptime_ticks()      k_sem_take(arg, K_TICKS(ticks))
 *     ThreadX          tx_time_get()         tx_semaphore_get(arg, ticks)
 *
 *                      give(arg)
 *     FreeRTOS,        xTaskNotifyGive(arg)
 *     ESP-IDF          in an interrupt vTaskNotifyGiveFromISR(arg, &higher)
 *     Zephyr           k_sem_give(arg)
 *     ThreadX          tx_semaphore_ceiling_put(arg, 1)
 *
 * ASYNC_TICK_HZ is the RTOS's ticks a second, and ASYNC_TIME_BITS not more than
 * the bits that they are counted in. No descriptors: a wait for one fails with
 * ASYNC_ENOTSUP.
 */
#ifndef ASYNC_ADAPTERS_RTOS_H
#define ASYNC_ADAPTERS_RTOS_H

#include "../async_loop.h"

/* Yours: you fill in the first part, async_rtos_start the rest. */
struct async_rtos {
    /* The RTOS's tick count, which wraps around. */
    async_time (*now)(void);

    /* The task sleeps until it is given or `ticks` have passed; sooner does no
     * harm. Given before, it does not sleep. ASYNC_FOREVER, which is the
     * greatest of the times: until it is given. */
    void (*take)(void *arg, async_time ticks);

    /* What take waits for, remembered once. From any task, and from interrupts
     * that may call the RTOS. */
    void (*give)(void *arg);
    void *arg; /* the task's handle, the semaphore */

    struct async_host host_;
    struct async_loop *loop_;
};

static inline void async_rtos_notify_(void *arg)
{
    const struct async_rtos *host = (const struct async_rtos *)arg;

    host->give(host->arg);
}

/* Hosts `loop` on the calling task, until async_rtos_stop. */
static inline void async_rtos_start(struct async_rtos *host,
                                    struct async_loop *loop)
{
    host->loop_ = loop;
    host->host_.notify = async_rtos_notify_;
    host->host_.watch = NULL;
    host->host_.arg = host;
    async_attach(loop, &host->host_);
}

/* Runs what is ready, then sleeps, unless the last task has just ended. Not
 * from a task of the loop's. */
static inline void async_rtos_turn(struct async_rtos *host)
{
    size_t alive = async_alive(host->loop_);
    async_time begun = host->now(), ticks = async_poll(host->loop_, begun);
    async_time took = (async_time)(host->now() - begun);

    if (alive && !async_alive(host->loop_))
        return;
    if (ticks == ASYNC_FOREVER)
        host->take(host->arg, ticks);
    else if (ticks > took)
        host->take(host->arg, (async_time)(ticks - took));
}

/* Not from a task of the loop's. Others may go on waking the loop. */
static inline void async_rtos_stop(struct async_rtos *host)
{
    /* The caller may have preempted who is in notify, and has to let it end. */
    while (async_byte_(&host->loop_->woken_) >= ASYNC_NOTIFYING_)
        host->take(host->arg, 1);
    async_attach(host->loop_, NULL);
}

#endif /* ASYNC_ADAPTERS_RTOS_H */

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
