/* wake.pml: posts, the wake of a loop, and its sleep, as a model.
 * SPDX-License-Identifier: MIT
 *
 * async_post of async_post.h, async_wake of async_task.h, async_attach and
 * async_poll of async_loop.h, one statement for each of their atomic
 * operations. POSTERS threads post CALLS calls each; a loop sleeps until it has
 * made all, then detaches its host, whose pipe is gone after that. Memory is
 * sequentially consistent.
 *
 * Planted: -DCLEARS_LATE  the byte is cleared after the posts are taken
 *          -DNO_RETRY     a post stores the top of the stack, come what may
 *          -DNO_LATCH     the host is notified before the wake is latched
 *          -DNO_WAIT      who detaches does not wait for those in notify
 */
#define POSTERS 2
#define CALLS 2
#define ALL (POSTERS * CALLS)

bool woken;           /* the byte's ASYNC_WOKEN_ */
byte notifying;       /* and the rest of it */
bool takes;           /* loop->take_posted_ is set */
byte top;             /* of the stack loop->posted_: a call, 0: none */
byte below[ALL + 1];  /* each call's next_ */
bool attached = true; /* loop->host_ */
bool is_open = true;  /* the pipe */
bool poked;           /* something is in it */

byte made;                /* calls */
bool was_made[ALL + 1];
byte last[POSTERS];       /* of each poster, how many were made */

proctype poster(byte me)
{
    byte i, call, old;
    bool was, host;

    do
    :: i == CALLS -> break
    :: i < CALLS ->
        call = me * CALLS + i + 1;
        takes = true;
        do
        :: true ->
            old = top;
            below[call] = old;
#ifdef NO_RETRY
            top = call; break
#else
            atomic {
                if
                :: top == old -> top = call; break
                :: else
                fi
            }
#endif
        od;
#ifdef NO_LATCH
        was = woken;
        if
        :: was
        :: else ->
            atomic { notifying++; host = attached };
            if
            :: host -> assert(is_open); poked = true
            :: else
            fi;
            woken = true;
            notifying--
        fi;
#else
        atomic {
            was = woken;
            if
            :: !was -> woken = true; notifying++
            :: else
            fi
        };
        if
        :: was
        :: else ->
            host = attached;
            if
            :: host -> assert(is_open); poked = true
            :: else
            fi;
            notifying--
        fi;
#endif
        i++
    od
}

proctype loop()
{
    byte taken, order, next;
    bool was, may_take;

    do
    :: made == ALL -> break
    :: else ->
#ifdef CLEARS_LATE
        was = woken;
#else
        d_step { was = woken; woken = false };
#endif
        may_take = takes;
        if
        :: was && may_take ->
            atomic { taken = top; top = 0 };
            d_step { /* turned round: the loop's own now */
                order = 0;
                do
                :: taken ->
                    next = below[taken];
                    below[taken] = order;
                    order = taken;
                    taken = next
                :: else -> break
                od;
                next = 0
            };
            do
            :: order ->
                d_step {
                    assert(!was_made[order]);
                    was_made[order] = true;
                    /* in its poster's order */
                    assert(last[(order - 1) / CALLS] == (order - 1) % CALLS);
                    last[(order - 1) / CALLS]++;
                    made++;
                    order = below[order]
                }
            :: else -> break
            od
        :: else
        fi;
#ifdef CLEARS_LATE
        woken = false;
#endif
        if
        :: made == ALL
        :: made < ALL && woken /* async_poll returns 0 */
        :: made < ALL && !woken -> atomic { poked -> poked = false } /* sleeps */
        fi
    od;
    attached = false;
#ifndef NO_WAIT
    (notifying == 0);
#endif
    is_open = false
}

init {
    byte i;

    atomic {
        run loop();
        for (i : 0 .. POSTERS - 1) {
            run poster(i)
        }
    }
}

/* Whoever can go on does so in the end: then all calls are made, and the host
 * is let go. */
ltl all_is_done { <> (made == ALL && !is_open) }
