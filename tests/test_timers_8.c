/* test_timers_8.c: times of 8 bits, as small as timers get.
 * SPDX-License-Identifier: MIT
 */
#define ASYNC_TIME_BITS 8
#define ASYNC_RADIX_BITS 1
#define ASYNC_TASK_LIST 0
#include "timers_body.h"
