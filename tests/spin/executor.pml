/* executor.pml: jobs from a loop to its threads and back, as a model.
 * SPDX-License-Identifier: MIT
 *
 * async_worker.h's ring, the sleep of its workers, and the stack of what is
 * finished; one statement for each atomic operation. A loop has JOBS jobs done
 * by WORKERS threads through a ring of RING slots, and sleeps while it can do
 * nothing; then it closes the executor and waits for the threads. Memory is
 * sequentially consistent.
 *
 * Planted: -DLOOKS_FIRST  a worker looks, and then counts as idle
 *          -DASKS_FIRST   the loop asks who is idle, and then queues
 *          -DTAKES_BLIND  a job is taken by a store, not by compare and swap
 *          -DPOSTS_FIRST  a worker posts before the job is on the stack
 *          -DNO_ROOM      the loop does not look whether a slot is free
 */
#ifndef JOBS
#define JOBS 3
#endif
#ifndef WORKERS
#define WORKERS 2
#endif
#define RING 2

byte ring[RING]; /* a job, 0: free */
byte head, tail;
byte idle;       /* of crew_ */
bool closed;     /* and who is told to come to the lock */
bool locked;
bool sleeps[WORKERS], called[WORKERS]; /* under the lock */
byte gone;       /* workers, under the lock */
byte top, below[JOBS + 1]; /* the stack finished_ */
bool posted;     /* and the loop woken */
bool ran[JOBS + 1], back[JOBS + 1];
byte all_back;

#define LOCK atomic { !locked -> locked = true }
#define UNLOCK locked = false

/* The first who sleeps is called; it does not count as idle any more. */
inline rouse()
{
    d_step {
        w = 0;
        do
        :: w < WORKERS && !sleeps[w] -> w++
        :: w == WORKERS -> break
        :: w < WORKERS && sleeps[w] ->
            sleeps[w] = false; called[w] = true; idle--; break
        od;
        w = 0
    }
}

/* async_executor_call_ */
inline call_one()
{
    if
    :: idle == 0
    :: else -> LOCK; rouse(); UNLOCK
    fi
}

/* async_executor_take_, into job */
inline take()
{
    d_step { from = head; i = from };
    to = tail;
    do
    :: i >= to -> break
    :: i < to ->
        d_step {
            job = ring[i % RING];
            if
            :: !job -> i++
            :: else
            fi
        };
        if
        :: job ->
#ifdef TAKES_BLIND
            ring[i % RING] = 0;
            head = i + 1;
            break
#else
            d_step {
                if
                :: ring[i % RING] == job -> ring[i % RING] = 0
                :: else -> job = 0
                fi;
                i++
            };
            if
            :: job -> head = i; break
            :: else
            fi
#endif
        :: else
        fi
    od;
    if
    :: !job && i != from -> head = i
    :: else
    fi;
    d_step { from = 0; i = 0; to = 0 }
}

proctype worker(byte me)
{
    byte job, from, i, to, old, w;
    bool fresh = true;

again:
    job = 0;
    if
    :: closed
    :: else -> take()
    fi;
    if
    :: job -> goto has_one
    :: else
    fi;
    LOCK;
    do
    :: true ->
#ifdef LOOKS_FIRST
        take();
        idle++;
#else
        idle++;
        take();
#endif
        if
        :: !job && !closed ->
            called[me] = false;
            sleeps[me] = true;
            UNLOCK;
            atomic { called[me] && !locked -> locked = true }
        :: else ->
            idle--;
            break
        fi
    od;
    UNLOCK;
    fresh = true;
has_one:
    if
    :: fresh && head != tail -> call_one()
    :: else
    fi;
    fresh = false;
    if
    :: !job -> goto over
    :: else
    fi;
    d_step { assert(!ran[job]); ran[job] = true };
#ifdef POSTS_FIRST
    if
    :: top == 0 -> posted = true
    :: else
    fi;
#endif
    do
    :: true ->
        d_step { old = top; below[job] = old };
        atomic {
            if
            :: top == old -> top = job; job = 0; break
            :: else
            fi
        }
    od;
#ifndef POSTS_FIRST
    if
    :: old == 0 -> posted = true
    :: else -> old = 0
    fi;
#endif
    goto again;
over:
    LOCK;
    gone++;
    UNLOCK
}

proctype loop()
{
    byte next = 1, job, w;
    bool filled;

    do
    :: all_back == JOBS -> break
    :: else ->
        filled = false;
#ifdef ASKS_FIRST
        call_one();
#endif
        do
        :: next > JOBS -> break
        :: next <= JOBS ->
#ifndef NO_ROOM
            if
            :: ring[tail % RING] -> break /* it waits outside */
            :: else
            fi;
#endif
            assert(ring[tail % RING] == 0); /* no job is lost */
            ring[tail % RING] = next;
            tail++;
            next++;
            filled = true
        od;
#ifndef ASKS_FIRST
        if
        :: filled -> call_one()
        :: else
        fi;
#endif
        atomic { posted -> posted = false }; /* sleeps until then */
        atomic { job = top; top = 0 };
        do
        :: job ->
            d_step {
                assert(ran[job] && !back[job]);
                back[job] = true;
                all_back++;
                job = below[job]
            }
        :: else -> break
        od
    od;
    LOCK;
    closed = true;
    do
    :: sleeps[0] || sleeps[WORKERS - 1] -> rouse()
    :: else -> break
    od;
    UNLOCK;
    (gone == WORKERS && !locked)
}

init {
    byte i;

    atomic {
        run loop();
        for (i : 0 .. WORKERS - 1) {
            run worker(i)
        }
    }
}

ltl all_is_done { <> (all_back == JOBS && gone == WORKERS) }
