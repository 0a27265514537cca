/* boundary_avr.c: a loop that sleeps, on an ATmega328P.
 * SPDX-License-Identifier: MIT
 *
 * Its idle loop is that of docs/embedding.md. No timer ticks: a wake that is
 * lost stays lost. Time jumps to the next deadline instead of being waited for.
 * simavr_boundary.c writes which tasks there are to GPIOR0, before the start,
 * and raises the interrupts. It finds `told` at the address in GPIOR2 and
 * GPIOR1; once it is there, and the idle loop begins, GPIOR0 is 0xA5.
 */
#include "boundary_tasks.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>

ISR(INT0_vect) /* SETS_FIRST_FLAG */
{
    set_flag(0);
}

ISR(INT1_vect) /* SETS_SECOND_FLAG */
{
    set_flag(1);
}

ISR(PCINT0_vect, ISR_NOBLOCK) /* WAKES */
{
    async_wake(&all.loop);
}

ISR(PCINT1_vect, ISR_NOBLOCK) /* SETS_FUTURE */
{
    set_future(0);
}

ISR(PCINT2_vect, ISR_NOBLOCK) /* SETS_FUTURE_TOO */
{
    set_future(1);
}

int main(void)
{
    async_time now = 0;

    start(GPIOR0);
    EIMSK = 1 << INT0 | 1 << INT1;
    PCICR = 1 << PCIE0 | 1 << PCIE1 | 1 << PCIE2;
    sleep_enable();
    GPIOR1 = (uint8_t)(uintptr_t)&told;
    GPIOR2 = (uint8_t)((uintptr_t)&told >> 8);
    GPIOR0 = 0xA5;
    sei();
    for (;;) {
        async_time ticks;

        poked = 0;
        told.polls++;
        ticks = async_poll(&all.loop, now);
        cli();
        if (!poked && ticks) {
            if (ticks == ASYNC_FOREVER) {
                sei(); /* takes effect after the next instruction */
                sleep_cpu();
            } else {
                now += ticks;
            }
        }
        sei();
    }
}
