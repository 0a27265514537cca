/* cortex_m_world.h: the world's peripherals, where a board with a Cortex-M has
 * none: what one holds when its interrupt comes, and that interrupt.
 * SPDX-License-Identifier: MIT
 *
 * For one file a board, which has named UART_INTERRUPT, BUTTON_INTERRUPT,
 * SENSOR_INTERRUPT and ADC_INTERRUPT before. It puts the handlers into its
 * vectors, and pends the ADC's when a conversion is over.
 */
#ifndef CORTEX_M_WORLD_H
#define CORTEX_M_WORLD_H

#include "board.h"
#include "cortex_m.h"
#include "world.h"

static char typed;
static volatile int pressed;
static int16_t answered;
static uint16_t converted;
static int converting;

void world_typed(char c)
{
#ifdef BOARD_TALKS
    c = 0;
#endif
    typed = c;
    interrupt_pend(UART_INTERRUPT);
}

void world_pressed(int is)
{
    pressed = is;
    interrupt_pend(BUTTON_INTERRUPT);
}

int board_button(void)
{
    return pressed;
}

void world_answered(int16_t tenths_of_c)
{
    answered = tenths_of_c;
    interrupt_pend(SENSOR_INTERRUPT);
}

/* A part of the UART's, which may have received something itself. */
static void typed_handler(void)
{
    if (typed)
        station_received(typed);
    typed = 0;
}

static void sensor_handler(void)
{
    station_sensor_answered(answered);
}

static void adc_handler(void)
{
    station_adc_done(converted);
}

/* What the watchdog does. In any context. */
static void bite(void)
{
    const char *text = "reset by the watchdog\n";

    while (*text)
        board_put(*text++);
    stop(0);
}

#endif /* CORTEX_M_WORLD_H */
