/* async_wake.h: a byte that any context may write.
 * SPDX-License-Identifier: MIT
 *
 * What a thread, a signal handler or an interrupt tells a loop goes through one
 * byte: set, and remembered until it is taken. The operations on it are named
 * here, once. Included by async_task.h; nothing in here is called by a program.
 */
#ifndef ASYNC_WAKE_H
#define ASYNC_WAKE_H

#include <stdint.h> /* the byte */

/* The byte, and an exchange of it: inline, or not at all (it would not link).
 * Some processors exchange words only: gcc 12 for RISC-V. */
#if defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_1)
#define ASYNC_HAVE_EXCHANGE_ 1
typedef uint8_t async_shared_;
#elif defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_4)
#define ASYNC_HAVE_EXCHANGE_ 1
typedef uint32_t async_shared_;
#else
#define ASYNC_HAVE_EXCHANGE_ 0
typedef uint8_t async_shared_;
#endif

enum {
    ASYNC_WOKEN_ = 1,    /* latched until the next poll */
    ASYNC_NOTIFYING_ = 2 /* times those who are in the host's notify */
};

/* The operations on the bytes that threads, handlers and interrupts share.
 * Where a byte can be compared and swapped inline they are atomic; elsewhere
 * there is one core, and a store is. */
#if ASYNC_HAVE_EXCHANGE_

static inline unsigned async_byte_(const volatile async_shared_ *byte)
{
    return __atomic_load_n(byte, __ATOMIC_SEQ_CST);
}

/* Latches the wake. True: nobody had, so the host must be told, and
 * async_byte_told_ called after it. */
static inline int async_byte_wake_(volatile async_shared_ *byte)
{
    async_shared_ was = __atomic_load_n(byte, __ATOMIC_RELAXED), is;

    do {
        while (was == 0xFE) /* 127 threads in notify: one will be out soon */
            was = __atomic_load_n(byte, __ATOMIC_RELAXED);
        is = (async_shared_)(was & ASYNC_WOKEN_
                                 ? was
                                 : was + ASYNC_NOTIFYING_ + ASYNC_WOKEN_);
    } while (!__atomic_compare_exchange_n(byte, &was, is, 1, __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED));
    return was != is;
}

static inline void async_byte_told_(volatile async_shared_ *byte)
{
    (void)__atomic_fetch_sub(byte, ASYNC_NOTIFYING_, __ATOMIC_SEQ_CST);
}

static inline void async_byte_set_(volatile async_shared_ *byte)
{
    __atomic_store_n(byte, ASYNC_WOKEN_, __ATOMIC_RELEASE);
}

/* Clears it. True if it was set. Called before looking at what it stands for:
 * what is set in between is found now, or found set the next time. */
static inline int async_byte_clear_(volatile async_shared_ *byte)
{
    if (!(__atomic_load_n(byte, __ATOMIC_RELAXED) & ASYNC_WOKEN_))
        return 0;
    (void)__atomic_fetch_and(byte, (async_shared_)~ASYNC_WOKEN_,
                             __ATOMIC_ACQ_REL);
    return 1;
}

/* The same for a pointer. */
#define ASYNC_LOAD_(from) __atomic_load_n(from, __ATOMIC_SEQ_CST)
#define ASYNC_STORE_(to, value) __atomic_store_n(to, value, __ATOMIC_SEQ_CST)

#else

static inline unsigned async_byte_(const volatile async_shared_ *byte)
{
    return *byte;
}

static inline void async_byte_set_(volatile async_shared_ *byte)
{
    *byte = ASYNC_WOKEN_;
}

static inline int async_byte_wake_(volatile async_shared_ *byte)
{
    async_byte_set_(byte);
    return 1; /* once too often rather than never */
}

static inline void async_byte_told_(volatile async_shared_ *byte)
{
    (void)byte;
}

static inline int async_byte_clear_(volatile async_shared_ *byte)
{
    if (!*byte)
        return 0;
    *byte = 0;
    return 1;
}

#define ASYNC_LOAD_(from) (*(from))
#define ASYNC_STORE_(to, value) ((void)(*(to) = (value)))

#endif

#endif /* ASYNC_WAKE_H */

/*
 * MIT License
 *
 * Copyright (c) 2026 async.h authors
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy
 * of this software and associated documentation files (the "Software"), to deal
 * in the Software without restriction, including without limitation the rights
 * to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
 * copies of the Software, and to permit persons to whom the Software is
 * furnished to do so, subject to the following conditions:
 *
 * The above copyright notice and this permission notice shall be included in
 * all copies or substantial portions of the Software.
 *
 * THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
 * IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
 * FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
 * AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
 * LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
 * OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
 * SOFTWARE.
 */
