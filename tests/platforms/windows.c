/* windows.c: what the headers ask of Windows, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     x86_64-w64-mingw32-gcc -std=gnu11 -I. -Itests/platforms windows.c
 *
 * Stands between the headers and Windows: each call that can fail fails when a
 * test says so, and clocks say what it says. No test waits for a time to pass.
 */
#include "trace.h"

#include <windows.h> /* before the names are ours */

#include <process.h>

static struct {
    int no_event, no_thread;
    uint64_t count, hz, tick; /* 0: as it is */
    DWORD waited_ms;
    unsigned stack_bytes, flags;
    int is_manual, is_set; /* the event */
    int opened, closed;    /* handles */
    int waits, joins;      /* for events, for threads */
    HANDLE thread;         /* the last */
} system_;

static BOOL counter(uint64_t *count)
{
    LARGE_INTEGER is;

    (void)QueryPerformanceCounter(&is);
    *count = system_.hz ? system_.count : (uint64_t)is.QuadPart;
    return TRUE;
}
#define QueryPerformanceCounter(to) counter((uint64_t *)(void *)(to))

static BOOL frequency(uint64_t *hz)
{
    LARGE_INTEGER is;

    (void)QueryPerformanceFrequency(&is);
    *hz = system_.hz ? system_.hz : (uint64_t)is.QuadPart;
    return TRUE;
}
#define QueryPerformanceFrequency(to) frequency((uint64_t *)(void *)(to))

static HANDLE create_event(int is_manual, int is_set)
{
    system_.is_manual = is_manual;
    system_.is_set = is_set;
    if (system_.no_event)
        return NULL;
    system_.opened++;
    return CreateEventA(NULL, FALSE, FALSE, NULL);
}
#define CreateEventA(security, is_manual, is_set, name)                        \
    create_event(is_manual, is_set)

static uint64_t tick_count(void)
{
    return system_.tick ? system_.tick : GetTickCount64();
}
#define GetTickCount64() tick_count()

static BOOL sleep_condition(CONDITION_VARIABLE *condition, SRWLOCK *lock,
                            DWORD ms)
{
    system_.waited_ms = ms;
    return system_.tick ? FALSE
                        : SleepConditionVariableSRW(condition, lock, ms, 0);
}
#define SleepConditionVariableSRW(condition, lock, ms, flags)                  \
    sleep_condition(condition, lock, ms)

static uintptr_t begin_thread(unsigned stack_bytes,
                              unsigned(__stdcall *fn)(void *), void *arg,
                              unsigned flags, unsigned *id)
{
    system_.stack_bytes = stack_bytes;
    system_.flags = flags;
    errno = system_.no_thread;
    if (errno)
        return 0;
    system_.opened++;
    system_.thread =
        (HANDLE)_beginthreadex(NULL, stack_bytes, fn, arg, flags, id);
    return (uintptr_t)system_.thread;
}
#define _beginthreadex(security, stack_bytes, fn, arg, flags, id)              \
    begin_thread(stack_bytes, fn, arg, flags, id)

static DWORD wait_for(HANDLE object, DWORD ms)
{
    if (object == system_.thread)
        system_.joins++;
    else
        system_.waits++;
    return WaitForSingleObject(object, ms);
}
#define WaitForSingleObject(object, ms) wait_for(object, ms)

static BOOL close_handle(HANDLE object)
{
    system_.closed++;
    return CloseHandle(object);
}
#define CloseHandle(object) close_handle(object)

#include "async_thread.h"

static struct async_loop loop;
static struct async_executor executor;

static int setup(void **state)
{
    memset(&system_, 0, sizeof system_);
    memset(&executor, 0, sizeof executor);
    async_loop_init(&loop);
    return trace_setup(state);
}
#define windows_claim(test) cmocka_unit_test_setup(test, setup)

/* ---- async_run ------------------------------------------------------------
 */

static async_status sleeps(struct async_loop *on, void *frame)
{
    (void)frame;
    return async_sleep_ms(on, 1);
}

static void a_run_without_an_event_runs_nothing(void **state)
{
    (void)state;
    system_.no_event = 1;
    assert_int_equal(async_run(&loop, sleeps, NULL), -ENOMEM);
    assert_int_equal(async_alive(&loop), 0);

    system_.no_event = 0;
    assert_int_equal(async_run(&loop, sleeps, NULL), ASYNC_DONE);
}

static void a_wake_ends_one_sleep(void **state)
{
    (void)state;
    system_.is_manual = system_.is_set = -1;
    assert_int_equal(async_run(&loop, sleeps, NULL), ASYNC_DONE);
    assert_int_equal(system_.is_manual, 0);
    assert_int_equal(system_.is_set, 0);
}

static async_status yields(struct async_loop *on, void *frame)
{
    int *steps = (int *)frame;

    for (; *steps < 1000; ++*steps)
        if (async_sleep_ms(on, 0) == ASYNC_PENDING)
            return ASYNC_PENDING;
    return ASYNC_DONE;
}

static void a_loop_that_has_work_does_not_look_at_the_event(void **state)
{
    int steps = 0;

    (void)state;
    assert_int_equal(async_run(&loop, yields, &steps), ASYNC_DONE);
    assert_int_equal(steps, 1000);
    assert_int_equal(system_.waits, 0);
}

static async_status reads(struct async_loop *on, void *frame)
{
    (void)frame;
    return async_readable(on, 3);
}

static void a_run_watches_no_descriptors(void **state)
{
    (void)state;
    assert_int_equal(async_run(&loop, reads, NULL), ASYNC_ENOTSUP);
}

static void ticks_are_counted_at_any_frequency(void **state)
{
    static const uint64_t hz[] = {1, 1000, 3579545, 10000000, 3000000000u};
    const uint64_t seconds = 100 * 365 * 86400ull;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof hz / sizeof *hz; i++) {
        system_.hz = hz[i];
        system_.count = seconds * hz[i] + hz[i] / 2;
        assert_int_equal(async_clock_now(),
                         (async_time)(seconds * ASYNC_TICK_HZ +
                                      hz[i] / 2 * ASYNC_TICK_HZ / hz[i]));
    }
}

/* ---- conditions -----------------------------------------------------------
 */

static DWORD waits_ms(uint32_t ms, uint64_t later)
{
    async_os_lock_ lock;
    async_os_signal_ signal;
    struct async_os_moment_ moment;
    int in_time;

    system_.tick = 1000;
    system_.waited_ms = 0;
    (void)async_os_lock_make_(&lock);
    (void)async_os_signal_make_(&signal);
    moment = async_os_moment_in_(ms);
    system_.tick += later;
    async_os_lock_take_(&lock);
    in_time = async_os_wait_until_(&signal, &lock, &moment);
    async_os_lock_give_(&lock);
    assert_int_equal(in_time, 0);
    return system_.waited_ms;
}

static void a_wait_is_never_too_short(void **state)
{
    (void)state;
    assert_int_equal(waits_ms(0, 0), 1);
    assert_int_equal(waits_ms(10, 0), 11);
    assert_int_equal(waits_ms(10, 4), 7);
    assert_int_equal(waits_ms(10, 11), 0);
    assert_int_equal(waits_ms(10, 12), 0);
    assert_int_equal(waits_ms(UINT32_MAX - 1, 0), INFINITE);
    assert_int_equal(waits_ms(UINT32_MAX, 0), INFINITE);
    assert_int_equal(waits_ms(UINT32_MAX, 2), INFINITE - 1);
}

/* ---- threads --------------------------------------------------------------
 */

struct call {
    struct async_job job;
    DWORD thread;
};

static int names_its_thread(struct async_job *job, void *arg)
{
    (void)job;
    ((struct call *)arg)->thread = GetCurrentThreadId();
    return 0;
}

static async_status calls(struct async_loop *on, void *frame)
{
    struct call *self = (struct call *)frame;

    return async_offload(on, &executor, &self->job, names_its_thread, self);
}

static async_status call_once(struct call *call)
{
    async_status status;

    memset(call, 0, sizeof *call);
    status = async_executor_start(&executor, 1, 1);
    if (status == 0)
        status = async_run(&loop, calls, call);
    async_executor_stop(&executor, ASYNC_STOP_DRAIN);
    return status;
}

static void a_job_runs_on_a_thread_of_its_own(void **state)
{
    struct call call;

    (void)state;
    assert_int_equal(call_once(&call), ASYNC_DONE);
    assert_int_not_equal(call.thread, 0);
    assert_int_not_equal(call.thread, GetCurrentThreadId());
}

static void a_thread_begins_when_its_number_is_known(void **state)
{
    struct call call;

    (void)state;
    (void)call_once(&call);
    assert_int_equal(system_.flags, CREATE_SUSPENDED);
}

static void a_stacks_size_is_what_it_may_grow_to(void **state)
{
    struct call call;

    (void)state;
    executor.stack_bytes = 1 << 20;
    assert_int_equal(call_once(&call), ASYNC_DONE);
    assert_int_equal(system_.stack_bytes, 1 << 20);
    assert_int_equal(system_.flags,
                     CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION);
}

static void a_stack_of_4_gigabytes_is_refused(void **state)
{
    struct call call;

    (void)state;
    executor.stack_bytes = (size_t)1 << 32;
    assert_int_equal(call_once(&call), -EINVAL);
}

static void a_thread_that_is_not_to_be_had_is_the_jobs_error(void **state)
{
    static const int errors[] = {EAGAIN, EACCES, ENOMEM};
    struct call call;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof errors / sizeof *errors; i++) {
        system_.no_thread = errors[i];
        assert_int_equal(call_once(&call), -errors[i]);
        assert_int_equal(call.thread, 0);
    }
    system_.no_thread = 0;
    assert_int_equal(call_once(&call), ASYNC_DONE);
}

static void handles_are_given_back_and_threads_have_ended_then(void **state)
{
    struct call call;

    (void)state;
    assert_int_equal(call_once(&call), ASYNC_DONE);
    assert_int_equal(system_.opened, 2); /* an event, a thread */
    assert_int_equal(system_.closed, 2);
    assert_int_equal(system_.joins, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        windows_claim(a_run_without_an_event_runs_nothing),
        windows_claim(a_wake_ends_one_sleep),
        windows_claim(a_loop_that_has_work_does_not_look_at_the_event),
        windows_claim(a_run_watches_no_descriptors),
        windows_claim(ticks_are_counted_at_any_frequency),
        windows_claim(a_wait_is_never_too_short),
        windows_claim(a_job_runs_on_a_thread_of_its_own),
        windows_claim(a_thread_begins_when_its_number_is_known),
        windows_claim(a_stacks_size_is_what_it_may_grow_to),
        windows_claim(a_stack_of_4_gigabytes_is_refused),
        windows_claim(a_thread_that_is_not_to_be_had_is_the_jobs_error),
        windows_claim(handles_are_given_back_and_threads_have_ended_then),
    };

    return cmocka_run_group_tests_name("Windows", tests, NULL, NULL);
}
