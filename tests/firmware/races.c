/* races.c: an interrupt after any one instruction of a station's step is not
 * lost.
 * SPDX-License-Identifier: MIT
 *
 * The processor's trap flag lets it stop after each instruction. Each time the
 * LED goes off and a byte has just come, the interrupt comes one instruction
 * later: in a first part of the step, until the LED, and then in the second.
 * When the station goes to sleep, it must have done all that interrupts told.
 */
#define _GNU_SOURCE 1
#include "examples/firmware/station.c"

#include <stdio.h>

#if defined(__linux__) && defined(__x86_64__)
#include <signal.h>
#include <ucontext.h>

enum { TRAP_FLAG = 0x100 };

const char board_name[] = "races";

static uint32_t now;
static long left_undone;
static int is_stepped, part;

/* ---- one instruction after the other ------------------------------------- */

static volatile long steps, interrupt_at, interrupts;

static void after_an_instruction(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    if (++steps < interrupt_at)
        return;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    interrupts = interrupts + 1;
    station_received(' ');
    station_button_changed();
}

__attribute__((noinline)) static void step_from_here(void)
{
    __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "cc", "memory");
}

__attribute__((noinline)) static void step_no_more(void)
{
    __asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "cc", "memory");
}

/* ---- the board ----------------------------------------------------------- */

async_time board_now(void)
{
    return (async_time)(BOARD_FIRST_TICK + now);
}

void board_sleep(async_time ticks)
{
    step_no_more(); /* interrupts are off */
    if (station_poked())
        return;
    if (ring_in != ring_out || received.set_ || button_changed.set_)
        left_undone++;
    now += (uint32_t)ticks;
}

uint32_t board_asleep_ms(void)
{
    return 0;
}

void board_put(char c)
{
    (void)c;
}

void board_led(int on)
{
    if (!is_stepped || on)
        return;
    if (part == 0)
        step_no_more();
    else
        step_from_here();
}

int board_button(void)
{
    return 0;
}

void board_adc_start(void)
{
    station_adc_done(0);
}

void board_sensor_ask(void)
{
}

void board_watchdog_feed(void)
{
}

int main(void)
{
    struct sigaction trap = {.sa_flags = SA_SIGINFO};
    long all = 0;

    trap.sa_sigaction = after_an_instruction;
    (void)sigaction(SIGTRAP, &trap, NULL);
    period_s = MAX_PERIOD_S;
    station_start();
    for (part = 0; part < 2; part++) {
        interrupts = interrupt_at = 0;
        do {
            while (now % 1000 != LED_MS)
                station_step();
            station_received(' ');
            is_stepped = 1;
            steps = 0;
            interrupt_at = interrupt_at + 1;
            if (part == 0)
                step_from_here();
            station_step();
            step_no_more();
            is_stepped = 0;
            while (now % 1000 == LED_MS) /* until it sleeps */
                station_step();
        } while (interrupts == interrupt_at);
        all += interrupts;
    }

    printf("%ld instructions, %ld times something was left undone\n", all,
           left_undone);
    return left_undone > 0 || all < 500;
}
#else
int main(void)
{
    puts("left out: not Linux on x86-64");
    return 0;
}
#endif
