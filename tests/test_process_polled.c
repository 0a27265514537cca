/* test_process_polled.c: the same, where a child's end is looked for by a
 * timer.
 * SPDX-License-Identifier: MIT
 */
#define ASYNC_PROCESS_POLLED
#include "test_process.c"
