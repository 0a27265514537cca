/* start_avr.c: how an image for an AVR ends, which avr-libc, that starts it,
 * leaves open.
 * SPDX-License-Identifier: MIT
 *
 * main's status is where a simulator finds it: in GPIOR0, with GPIOR1 0xA5 to
 * show that it is one, and the processor asleep for ever. 99 is an interrupt
 * that has no handler.
 */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>

#ifdef __cplusplus
extern "C" {
#endif

void exit(int status) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

void exit(int status)
{
    cli();
    GPIOR0 = (uint8_t)status;
    GPIOR1 = 0xA5;
    sleep_enable();
    for (;;)
        sleep_cpu();
}

ISR(BADISR_vect)
{
    exit(99);
}
