/* regions.c: tells callgrind where the measured part of a program is.
 * SPDX-License-Identifier: MIT
 *
 * Each program of bench/peers reads its own CPU clock right before and right
 * after what it measures, and nowhere else. Preloaded into it, this makes each
 * of these readings write out what was counted since the one before: the parts
 * with even numbers are what the program measured; what it warmed up and made
 * ready is in the others.
 *
 *     build: cc -O2 -shared -fPIC bench/regions.c -o $OUT
 *     packages: valgrind
 */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

int clock_gettime(clockid_t id, struct timespec *at)
{
    if (id == CLOCK_PROCESS_CPUTIME_ID)
        CALLGRIND_DUMP_STATS;
    return (int)syscall(SYS_clock_gettime, id, at);
}
