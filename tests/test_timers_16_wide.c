/* test_timers_16_wide.c: times of 16 bits, not evenly divided into levels.
 * SPDX-License-Identifier: MIT
 */
#define ASYNC_TIME_BITS 16
#define ASYNC_RADIX_BITS 6
#include "timers_body.h"
