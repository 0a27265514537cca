/* board.h: what a station needs of a board, and what it does for a board.
 * SPDX-License-Identifier: MIT
 *
 * station.c is the same everywhere. Each board_NAME.c has the functions of the
 * first part, a main that calls the second, and interrupt handlers that call
 * the third.
 */
#ifndef BOARD_H
#define BOARD_H

#include "async_loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the board's: called by the station, not from interrupts ------------- */

extern const char board_name[];

/* Ticks of 1 ms. The first one is so near the end of their width that they wrap
 * around 20 s later, whatever the width is. */
#define BOARD_FIRST_TICK ((async_time)-20000)
async_time board_now(void);

/* The processor sleeps until `ticks` have passed or an interrupt comes; it may
 * wake up for nothing. Not at all if station_poked() is true, which is looked
 * at with interrupts off, in such a way that one that comes after the look
 * still ends the sleep. */
void board_sleep(async_time ticks);

/* How long it slept since the start, in ms. */
uint32_t board_asleep_ms(void);

void board_put(char c); /* waits for room in the UART */
void board_led(int on);
int board_button(void); /* 1: it is pressed, or bounces */

/* Starts a conversion. Its interrupt calls station_adc_done. */
void board_adc_start(void);

/* Asks the sensor. If it answers, an interrupt calls station_sensor_answered.
 */
void board_sensor_ask(void);

/* Counts at a steady pace, as fast as the board can; at least 16 bits are
 * right. For measurements; not every board has it. */
uint32_t board_clocks(void);

/* To be called at least every BOARD_WATCHDOG_MS, from the start on, or else the
 * watchdog bites: the board puts "reset by the watchdog" and a line's end, and
 * its run is over, with success. */
enum { BOARD_WATCHDOG_MS = 2000 };
void board_watchdog_feed(void);

/* ---- the station's: called by the board's main --------------------------- */

/* Everything is set up, and interrupts are on or will be. Once. */
void station_start(void);

/* Does what there is to do, and sleeps by board_sleep. For ever. */
void station_step(void);

/* ---- the station's: called by interrupts -------------------------------- */

void station_received(char c); /* from the UART */
void station_button_changed(void);
void station_adc_done(uint16_t value);             /* 0 to 1023 */
void station_sensor_answered(int16_t tenths_of_c); /* temperature */

/* By any, with interrupts off: something has happened since the last poll began
 * that the loop must see before it sleeps. */
int station_poked(void);

#ifdef __cplusplus
}
#endif

#endif /* BOARD_H */
