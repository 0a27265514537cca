/* world.h: what is around a board: who types, who presses the button, what the
 * sensor answers and when it does not.
 * SPDX-License-Identifier: MIT
 *
 * A script of some 90 s in world.c, the same for every board, so that what a
 * station prints is the same everywhere. Where the peripherals are simulated,
 * the simulator's own program plays it on their pins (ATmega328P); elsewhere
 * the board's timer interrupt does, in place of the peripherals'.
 * Times are ms since the start.
 */
#ifndef WORLD_H
#define WORLD_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the world's -------------------------------------------------------- */

/* Not 0: instead of making the station hang it goes on for so many hours. To be
 * set, if at all, before anything else. */
extern uint32_t world_hours;

/* When something happens next; UINT32_MAX: never again. */
uint32_t world_next(void);

/* Plays what has become due by `ms`, which does not decrease. */
void world_play(uint32_t ms);

/* The sensor is asked. It answers some ms later, or not at all. */
void world_ask(uint32_t ms);

/* What a conversion started now yields, 0 to 1023. */
uint16_t world_adc(uint32_t ms);

/* ---- the board's, called by world_play ----------------------------------- */

void world_typed(char c);                 /* a byte arrives at the UART */
void world_pressed(int is);               /* the button's level has changed */
void world_answered(int16_t tenths_of_c); /* by the sensor */

#ifdef __cplusplus
}
#endif

#endif /* WORLD_H */
