/* test_timers_64.c: times of 64 bits, with the smallest radix.
 * SPDX-License-Identifier: MIT
 */
#define ASYNC_TIME_BITS 64
#define ASYNC_RADIX_BITS 1
#include "timers_body.h"
