/* test_timers_32_wide.c: times of 32 bits, in wider levels.
 * SPDX-License-Identifier: MIT
 */
#define ASYNC_TIME_BITS 32
#define ASYNC_RADIX_BITS 4
#include "timers_body.h"
