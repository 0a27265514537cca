/* functions.h: what worker.c serves and caller.c calls, a line each: name,
 * version, arguments, result. Whoever changes one counts its version up; calls
 * of the other version are refused, not misread.
 * SPDX-License-Identifier: MIT
 */
#ifndef REMOTE_FUNCTIONS_H
#define REMOTE_FUNCTIONS_H

#include <stdio.h>

#include "adapters/async_nats.h"

/* The sum of 1 - 1/3 + 1/5 - ..., which is pi / 4, from term `begin` to before
 * `end`. It blocks. */
ASYNC_NATS_FUNCTION(calc_pi, 1, (i64, begin, i64, end), (f64, sum))

/* Waits for `ms` milliseconds, and says so. It is async. */
ASYNC_NATS_FUNCTION(nap, 1, (u32, ms), (u32, ms))

/* Of actor.c: what its counter does; `die` waits until so many wait. And what
 * somebody does who is handed the counter. */
ASYNC_NATS_FUNCTION(add, 1, (i64, n), (i64, value))
ASYNC_NATS_FUNCTION(wait_for, 1, (i64, value), ())
ASYNC_NATS_FUNCTION(die, 1, (u32, waiters), ())
ASYNC_NATS_FUNCTION(add_twice, 1, (handle, counter, i64, n), (i64, value))

/* ---- how all of them connect -------------------------------------------- */

/* As async_nats_open, to the server at `url`; what there is to say about a
 * failure goes to the standard error. */
static inline async_status open_url(struct async_loop *loop,
                                    struct async_nats *nats, const char *url)
{
    natsOptions *options = NULL;
    async_status status = ASYNC_EINVAL;

    if (natsOptions_Create(&options) == NATS_OK &&
        natsOptions_SetURL(options, url) == NATS_OK &&
        natsOptions_SetMaxReconnect(options, -1) == NATS_OK && /* for ever */
        natsOptions_SetReconnectWait(options, 200) == NATS_OK)
        status = async_nats_open(loop, nats, options);
    natsOptions_Destroy(options);
    if (status < 0)
        fprintf(stderr, "%s: %s\n", url, nats->reason);
    return status;
}

#endif /* REMOTE_FUNCTIONS_H */
