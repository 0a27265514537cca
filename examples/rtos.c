/* rtos.c: tasks in one task of FreeRTOS; another one and an interrupt wake
 * them.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. rtos.c -o rtos -pthread
 *
 * prints
 *
 *     pump: waits for the button
 *     button: pressed
 *     pump: on
 *     meter: 3 litres
 *     pump: off
 *
 * FreeRTOS is a stand-in here, made of threads and signals. On a board
 * FreeRTOS.h and task.h take the place of its header, and a vector in the table
 * that of stand_in_interrupt.
 */
#include "tests/rtos_stand_in.h"

#define ASYNC_TIME_BITS 32 /* those of TickType_t */
#include "adapters/rtos.h"

static struct async_loop loop;
static struct async_flag button, litres;

/* ---- what the loop needs of FreeRTOS ------------------------------------ */

static async_time now(void)
{
    return xTaskGetTickCount();
}

static void take(void *task, async_time ticks)
{
    (void)task; /* it is the one that calls */
    (void)ulTaskNotifyTake(pdTRUE, ticks);
}

static void give(void *task)
{
    BaseType_t higher = pdFALSE;

    if (!xPortIsInsideInterrupt()) {
        (void)xTaskNotifyGive((TaskHandle_t)task);
        return;
    }
    vTaskNotifyGiveFromISR((TaskHandle_t)task, &higher);
    portYIELD_FROM_ISR(higher);
}

static struct async_rtos host = {.now = now, .take = take, .give = give};

/* ---- the program -------------------------------------------------------- */

struct pump {
    struct async_frame async;
};

static async pump(struct async_loop *loop, void *frame)
{
    struct pump *self = frame;

    async_begin(self);
    printf("pump: waits for the button\n");
    await(async_flag_wait(loop, &button));
    printf("pump: on\n");
    await(async_flag_wait(loop, &litres));
    await(async_sleep_ms(loop, 20));
    printf("pump: off\n");
    async_end();
}

static void button_interrupt(void)
{
    async_flag_set(&loop, &button);
}

/* A task of FreeRTOS as it always was. Here it presses the button, too. */
static void meter_task(void *arg)
{
    vTaskDelay(pdMS_TO_TICKS(50));
    printf("button: pressed\n");
    stand_in_interrupt((TaskHandle_t)arg, button_interrupt);
    vTaskDelay(pdMS_TO_TICKS(200));
    printf("meter: 3 litres\n");
    async_flag_set(&loop, &litres);
    for (;;)
        vTaskDelay(portMAX_DELAY);
}

static void loop_task(void *arg)
{
    static struct async_task task;
    static struct pump frame;

    host.arg = xTaskGetCurrentTaskHandle();
    async_rtos_start(&host, &loop);
    async_spawn(&loop, &task, pump, &frame);
    (void)xTaskCreate(meter_task, "meter", configMINIMAL_STACK_SIZE, host.arg,
                      tskIDLE_PRIORITY + 1, NULL);
    while (async_alive(&loop)) /* on a board: for ever */
        async_rtos_turn(&host);
    async_rtos_stop(&host);
    (void)arg;
    vTaskEndScheduler();
}

int main(void)
{
    (void)xTaskCreate(loop_task, "loop", configMINIMAL_STACK_SIZE, NULL,
                      tskIDLE_PRIORITY + 1, NULL);
    vTaskStartScheduler();
    return async_unjoined(&loop) < 0;
}
