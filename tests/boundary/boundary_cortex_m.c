/* boundary_cortex_m.c: an interrupt at every instruction boundary, of SysTick.
 * SPDX-License-Identifier: MIT
 *
 * For an emulator that counts instructions, and whose SysTick counts faster:
 * delayed by 1, 2, 3... of its clocks it comes at each boundary, from the start
 * of the idle loop until it sleeps. From each of these a second one does the
 * same, until it sleeps again. A third, long after, asks what has become of
 * them: it would also end a sleep that lost its wake. The idle loop is that of
 * docs/embedding.md; time jumps to the next deadline instead of being waited
 * for.
 *
 * The first interrupt does its work in one of a lower priority, which the
 * second may interrupt. EVERY: only each EVERYth first interrupt is followed by
 * second ones, and the one that ends the sleep.
 */
#include "boundary_tasks.h"
#include "cortex_m.h"

#define SYSTICK_CONTROL AT(0xE000E010)
#define SYSTICK_RELOAD AT(0xE000E014)
#define SYSTICK_COUNT AT(0xE000E018)
#define PENDING AT(0xE000ED04)
#define PRIORITIES AT(0xE000E400) /* of interrupts 0 to 3 */

enum {
    LATER = 4000, /* clocks, in which everything must have happened */
    MARGIN = 10   /* clocks that are asleep for certain */
};

#ifndef EVERY
#define EVERY 23
#endif

/* ---- the host's console ------------------------------------------------- */

static void say(const char *text)
{
    register uint32_t request __asm__("r0") = 4; /* SYS_WRITE0 */
    register const char *argument __asm__("r1") = text;

    __asm__ volatile("bkpt 0xab" : "+r"(request) : "r"(argument) : "memory");
}

static void say_number(uint32_t number)
{
    char digits[11], *digit = &digits[10];

    *digit = '\0';
    do {
        *--digit = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    say(digit);
}

/* ---- interrupts --------------------------------------------------------- */

static const struct scenario *scenario;
static uint32_t second; /* its delay; 0: there is none */

/* Of this run. */
static int came[INTERRUPTS];
static volatile uint32_t slept;   /* SysTick's count then, 0: not yet */
static volatile uint32_t resumed; /* the same when a task was */
static volatile int phase;        /* interrupts so far; from 3 on it is over */

/* One interrupt, so many clocks from now. */
static void arm(uint32_t clocks)
{
    slept = 0;
    resumed = 0;
    SYSTICK_CONTROL = 0;
    PENDING = (uint32_t)1 << 25; /* it is not: a short one repeats itself */
    SYSTICK_RELOAD = clocks;
    SYSTICK_COUNT = 0;
    SYSTICK_CONTROL = 7; /* the processor's clock, with an interrupt */
}

static void act(int what)
{
    came[what]++;
    switch (what) {
    case SETS_FIRST_FLAG:
    case SETS_SECOND_FLAG:
        set_flag((uint8_t)(what - SETS_FIRST_FLAG));
        break;
    case WAKES:
        async_wake(&all.loop);
        break;
    default:
        set_future((uint8_t)(what - SETS_FUTURE));
        break;
    }
}

void systick_handler(void)
{
    switch (++phase) {
    case 1:
        if (!second)
            phase = 2;
        arm(second ? second : (uint32_t)LATER);
        interrupt_pend(0);
        break;
    case 2:
        arm(LATER);
        act(scenario->raise[1]);
        break;
    default: /* and again, should the loop be about to sleep */
        break;
    }
}

static void low_handler(void)
{
    uint32_t were = interrupts_off();

    /* Who sets a flag counts it. */
    if (scenario->raise[0] != scenario->raise[1])
        interrupts_were(were);
    act(scenario->raise[0]);
    interrupts_were(were);
}

void (*const interrupts[])(void) VECTORS(board) = {low_handler};

/* ---- one run ------------------------------------------------------------ */

static void idle_loop(void)
{
    async_time now = 0;

    while (phase < 3) {
        uint8_t before = (uint8_t)(told.resumed[0] + told.resumed[1]);
        async_time ticks;

        poked = 0;
        ticks = async_poll(&all.loop, now);
        (void)interrupts_off();
        if (before != (uint8_t)(told.resumed[0] + told.resumed[1]))
            resumed = SYSTICK_COUNT;
        if (!poked && ticks) {
            if (ticks == ASYNC_FOREVER) {
                slept = SYSTICK_COUNT;
                wait_for_interrupt();
            } else {
                now += ticks;
            }
        }
        interrupts_on();
    }
    SYSTICK_CONTROL = 0;
}

static uint32_t tried, lost, longest;

static void zero(volatile void *object, size_t size)
{
    volatile char *byte = (volatile char *)object;

    while (size--)
        *byte++ = 0;
}

/* Returns how many clocks after its last interrupt it slept. Of one that comes
 * `first` clocks from now, and perhaps the second. */
static uint32_t run(uint32_t first)
{
    const char *why;

    zero(&all, sizeof all);
    zero(&told, sizeof told);
    zero(came, sizeof came);
    phase = 0;
    start(scenario->tasks);
    arm(first);
    idle_loop();

    tried++;
    why = wrong(scenario->tasks, (const struct told *)&told, came);
    if (async_byte_(&all.loop.woken_) & ASYNC_WOKEN_)
        why = "a wake is not followed by a poll";
    if (!slept)
        why = "it does not go to sleep";
    if (resumed && LATER - resumed > longest)
        longest = LATER - resumed;
    if (why && !lost++) {
        say("    ");
        say(scenario->name);
        say(": interrupted after ");
        say_number(first);
        say(" and ");
        say_number(second);
        say(" clocks: ");
        say(why);
        say("\n");
    }
    return slept ? LATER - slept : 0;
}

/* ---- all runs ----------------------------------------------------------- */

/* SysTick's clocks for 200 instructions. */
static uint32_t clocks_of_200(void)
{
    uint32_t before;

    arm(LATER);
    do
        before = SYSTICK_COUNT;
    while (!before); /* it begins with its next clock */
    __asm__ volatile(".rept 200\n\tnop\n\t.endr");
    before -= SYSTICK_COUNT;
    SYSTICK_CONTROL = 0;
    return before;
}

/* Returns at how many clocks first interrupts came. */
static uint32_t sweep(void)
{
    uint32_t first, asleep;

    phase = 2; /* the third interrupt comes alone */
    second = 0;
    zero(&all, sizeof all);
    zero(&told, sizeof told);
    start(scenario->tasks);
    arm(LATER);
    idle_loop();
    asleep = LATER - slept + MARGIN;
    for (first = 1; first <= asleep; first++) {
        uint32_t end;

        second = 0;
        end = run(first);
        if (first % EVERY && first != asleep)
            continue;
        for (second = 1; second <= end + MARGIN; second++)
            (void)run(first);
    }
    return asleep;
}

int main(void)
{
    uint32_t per_200 = clocks_of_200(), all_lost = 0;

    if (per_200 < 200) {
        say("SysTick is slower than instructions\n");
        return 2;
    }
    PRIORITIES = 0xC0;
    interrupt_enable(0);
    for (scenario = scenarios; scenario < scenarios + SCENARIOS; scenario++) {
        uint32_t clocks;

        tried = lost = longest = 0;
        clocks = sweep();
        say(scenario->name);
        say(": ");
        say_number(clocks * 200 / per_200);
        say(" boundaries, ");
        say_number(tried);
        say(" runs, ");
        say_number(lost);
        say(" lost, longest ");
        say_number(longest * 200 / per_200);
        say(" instructions\n");
        all_lost += lost;
    }
    return all_lost != 0;
}
