/* rtos_stand_in.h: as much of FreeRTOS as a loop in a task meets, on POSIX.
 * SPDX-License-Identifier: MIT
 *
 * A task is a thread, its notification a pipe, and an interrupt a signal that
 * preempts a task. A tick is 1 ms, and their count soon wraps around. What is
 * wrong in an interrupt, or outside one, ends the program. To be included
 * first.
 */
#ifndef ASYNC_TESTS_RTOS_STAND_IN_H
#define ASYNC_TESTS_RTOS_STAND_IN_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

typedef uint32_t TickType_t;
typedef int BaseType_t;
typedef unsigned UBaseType_t;
typedef struct stand_in_task *TaskHandle_t;

enum { pdFALSE, pdTRUE, pdPASS = pdTRUE };
enum { configMINIMAL_STACK_SIZE = 128, tskIDLE_PRIORITY = 0 };
#define portMAX_DELAY ((TickType_t)-1)
#define pdMS_TO_TICKS(ms) ((TickType_t)(ms))
#define portYIELD_FROM_ISR(higher) ((void)(higher))

enum { STAND_IN_TASKS = 4 };

struct stand_in_task {
    pthread_t thread;
    int given[2]; /* there is a byte in the pipe: it is notified */
    void (*code)(void *arg);
    void *arg;
};

static struct {
    struct stand_in_task tasks[STAND_IN_TASKS];
    int count;
    int ended[2]; /* there is a byte in the pipe: the scheduler ends */
    TickType_t begun;
    pthread_key_t self;
    void (*handler)(void);
    struct stand_in_task *interrupted; /* while the handler runs */
} stand_in;

static inline void stand_in_check(int is, const char *sentence)
{
    if (is)
        return;
    fprintf(stderr, "rtos_stand_in.h: %s\n", sentence);
    abort();
}

static inline TaskHandle_t xTaskGetCurrentTaskHandle(void)
{
    return (TaskHandle_t)pthread_getspecific(stand_in.self);
}

static inline BaseType_t xPortIsInsideInterrupt(void)
{
    struct stand_in_task *task =
        __atomic_load_n(&stand_in.interrupted, __ATOMIC_ACQUIRE);

    return task && task == xTaskGetCurrentTaskHandle();
}

/* ---- ticks -------------------------------------------------------------- */

static inline TickType_t stand_in_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (TickType_t)now.tv_sec * 1000u + (TickType_t)(now.tv_nsec / 1000000);
}

/* It wraps around 0.1 s after the start. */
static inline TickType_t xTaskGetTickCount(void)
{
    return stand_in_ms() - stand_in.begun - 100u;
}

static inline void vTaskDelay(TickType_t ticks)
{
    struct timespec time;

    time.tv_sec = (time_t)(ticks / 1000);
    time.tv_nsec = (long)(ticks % 1000) * 1000000;
    while (nanosleep(&time, &time) < 0)
        continue;
}

/* ---- notifications ------------------------------------------------------ */

static inline void stand_in_give(struct stand_in_task *task)
{
    int error = errno;

    if (write(task->given[1], "", 1) < 0)
        stand_in_check(errno == EAGAIN, "cannot notify"); /* it is full */
    errno = error;
}

static inline BaseType_t xTaskNotifyGive(TaskHandle_t task)
{
    stand_in_check(!xPortIsInsideInterrupt(),
                   "xTaskNotifyGive in an interrupt");
    stand_in_give(task);
    return pdPASS;
}

static inline void vTaskNotifyGiveFromISR(TaskHandle_t task, BaseType_t *higher)
{
    stand_in_check(xPortIsInsideInterrupt(), "FromISR, but in a task");
    stand_in_give(task);
    *higher = pdTRUE;
}

/* Returns whether it was notified. */
static inline uint32_t ulTaskNotifyTake(BaseType_t clear, TickType_t ticks)
{
    TickType_t begun = xTaskGetTickCount();
    struct pollfd given = {0, POLLIN, 0};
    char bytes[64];

    given.fd = xTaskGetCurrentTaskHandle()->given[0];
    stand_in_check(clear, "a notification here is not counted");
    for (;;) {
        TickType_t passed = xTaskGetTickCount() - begun;
        TickType_t left = passed < ticks ? ticks - passed : 0;
        int ms = left > 1000000 ? 1000000 : (int)left;

        if (poll(&given, 1, ms) > 0) {
            while (read(given.fd, bytes, sizeof bytes) > 0)
                continue;
            return 1;
        }
        if (!left)
            return 0;
    }
}

/* ---- tasks and interrupts ----------------------------------------------- */

static inline void *stand_in_run(void *arg)
{
    struct stand_in_task *task = (struct stand_in_task *)arg;

    (void)pthread_setspecific(stand_in.self, task);
    task->code(task->arg);
    stand_in_check(0, "a task has returned");
    return arg;
}

static inline BaseType_t xTaskCreate(void (*code)(void *), const char *name,
                                     int stack, void *arg, UBaseType_t priority,
                                     TaskHandle_t *handle)
{
    struct stand_in_task *task = &stand_in.tasks[stand_in.count++];

    (void)name;
    (void)stack;
    (void)priority;
    stand_in_check(stand_in.count <= STAND_IN_TASKS, "too many tasks");
    if (stand_in.count == 1) {
        stand_in.begun = stand_in_ms();
        stand_in_check(!pthread_key_create(&stand_in.self, NULL) &&
                           !pipe(stand_in.ended),
                       "cannot start");
    }
    task->code = code;
    task->arg = arg;
    if (handle)
        *handle = task;
    stand_in_check(!pipe(task->given) &&
                       !fcntl(task->given[0], F_SETFL, O_NONBLOCK) &&
                       !fcntl(task->given[1], F_SETFL, O_NONBLOCK) &&
                       !pthread_create(&task->thread, NULL, stand_in_run, task),
                   "cannot create a task");
    return pdPASS;
}

/* Returns after vTaskEndScheduler. */
static inline void vTaskStartScheduler(void)
{
    char byte;

    stand_in_check(read(stand_in.ended[0], &byte, 1) == 1, "cannot run");
}

static inline void vTaskEndScheduler(void)
{
    stand_in_check(write(stand_in.ended[1], "", 1) == 1, "cannot end");
    for (;;)
        (void)pause();
}

static inline void stand_in_signal(int number)
{
    void (*handler)(void) = stand_in.handler;

    (void)number;
    __atomic_store_n(&stand_in.interrupted, xTaskGetCurrentTaskHandle(),
                     __ATOMIC_RELEASE);
    handler();
    __atomic_store_n(&stand_in.interrupted, NULL, __ATOMIC_RELEASE);
}

/* The handler soon runs as an interrupt of the task. Not another one before it
 * has. */
static inline void stand_in_interrupt(TaskHandle_t task, void (*handler)(void))
{
    struct sigaction action = {0};

    stand_in.handler = handler;
    action.sa_handler = stand_in_signal;
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)pthread_kill(task->thread, SIGUSR1);
}

#endif /* ASYNC_TESTS_RTOS_STAND_IN_H */
