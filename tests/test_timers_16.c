/* test_timers_16.c: times of 16 bits, in levels that divide them evenly.
 * SPDX-License-Identifier: MIT
 */
#define ASYNC_TIME_BITS 16
#define ASYNC_RADIX_BITS 2
#include "timers_body.h"
