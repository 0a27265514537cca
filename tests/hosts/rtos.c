/* rtos.c: the conformance program on adapters/rtos.h, as a task of FreeRTOS's
 * stand-in.
 * SPDX-License-Identifier: MIT
 *
 *     cc rtos.c -pthread
 */
#include "../rtos_stand_in.h"

#define ASYNC_TIME_BITS 32 /* those of TickType_t */
#include "../../adapters/rtos.h"
#include "conformance.h"

static TaskHandle_t timer;
static void (*later)(void);
static int due; /* set in an interrupt */

static async_time now(void)
{
    return xTaskGetTickCount();
}

static void take(void *task, async_time ticks)
{
    (void)task;
    (void)ulTaskNotifyTake(pdTRUE, ticks);
}

static void give(void *task)
{
    BaseType_t higher = pdFALSE;

    if (xPortIsInsideInterrupt())
        vTaskNotifyGiveFromISR((TaskHandle_t)task, &higher);
    else
        (void)xTaskNotifyGive((TaskHandle_t)task);
}

static struct async_rtos host = {.now = now, .take = take, .give = give};

/* It notifies the task, of which the loop knows nothing. */
static void interrupt(void)
{
    __atomic_store_n(&due, 1, __ATOMIC_RELEASE);
    give(host.arg);
}

static void timer_task(void *arg)
{
    for (;;) {
        (void)ulTaskNotifyTake(pdTRUE, portMAX_DELAY);
        vTaskDelay(PAUSE_US / 1000);
        stand_in_interrupt((TaskHandle_t)arg, interrupt);
    }
}

static void host_later(void (*fn)(void))
{
    later = fn;
    (void)xTaskNotifyGive(timer);
}

static void loop_task(void *arg)
{
    (void)arg;
    host.arg = xTaskGetCurrentTaskHandle();
    (void)xTaskCreate(timer_task, "timer", configMINIMAL_STACK_SIZE, host.arg,
                      tskIDLE_PRIORITY + 1, &timer);
    async_rtos_start(&host, &loop);
    conformance_begin(0);
    do {
        while (conformance_lasts()) {
            turns++;
            async_rtos_turn(&host);
            if (__atomic_exchange_n(&due, 0, __ATOMIC_ACQUIRE))
                later();
        }
    } while (conformance_again());
    conformance_stops();
    async_rtos_stop(&host);
    vTaskEndScheduler();
}

int main(void)
{
    (void)xTaskCreate(loop_task, "loop", configMINIMAL_STACK_SIZE, NULL,
                      tskIDLE_PRIORITY + 1, NULL);
    vTaskStartScheduler();
    return conformance_end("rtos");
}
