/* test_timers.c: the timers as a host has them by default.
 * SPDX-License-Identifier: MIT
 */
#include "timers_body.h"
