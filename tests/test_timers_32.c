/* test_timers_32.c: times of 32 bits, as on a microcontroller.
 * SPDX-License-Identifier: MIT
 */
#define ASYNC_TIME_BITS 32
#define ASYNC_RADIX_BITS 1
#define ASYNC_TASK_LIST 0
#include "timers_body.h"
