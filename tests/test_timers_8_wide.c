/* test_timers_8_wide.c: times of 8 bits, with more slots than they have values.
 * SPDX-License-Identifier: MIT
 */
#define ASYNC_TIME_BITS 8
#define ASYNC_RADIX_BITS 6
#include "timers_body.h"
