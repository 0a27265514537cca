/* async_atomic.h: what threads read and write at once, named once.
 * SPDX-License-Identifier: MIT
 *
 * Included by async_post.h; nothing in here is called by a program.
 *
 * Configuration
 *
 *     ASYNC_ATOMICS      ASYNC_ATOMICS_AO: libatomic_ops (the default where
 *                        <atomic_ops.h> is found), ASYNC_ATOMICS_BUILTIN: the
 *                        compiler's, ASYNC_ATOMICS_C11: <stdatomic.h>
 */
#ifndef ASYNC_ATOMIC_H
#define ASYNC_ATOMIC_H

#include <stddef.h> /* size_t, the word */

#define ASYNC_ATOMICS_AO 1
#define ASYNC_ATOMICS_BUILTIN 2
#define ASYNC_ATOMICS_C11 3

#ifndef ASYNC_ATOMICS
#if defined(__has_include)
#if __has_include(<atomic_ops.h>)
#define ASYNC_ATOMICS ASYNC_ATOMICS_AO
#endif
#endif
#endif
#ifndef ASYNC_ATOMICS
#if defined(__GNUC__)
#define ASYNC_ATOMICS ASYNC_ATOMICS_BUILTIN
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L &&              \
    !defined(__STDC_NO_ATOMICS__)
#define ASYNC_ATOMICS ASYNC_ATOMICS_C11
#elif defined(AO_USE_PTHREAD_DEFS)
#define ASYNC_ATOMICS ASYNC_ATOMICS_AO
#else
#error                                                                         \
    "no atomics here: install libatomic_ops; with tcc, define AO_USE_PTHREAD_DEFS and link with -latomic_ops -pthread"
#endif
#endif

#if ASYNC_ATOMICS == ASYNC_ATOMICS_AO

#include <atomic_ops.h> /* libatomic_ops: AO_t is a size_t */

static inline size_t async_atomic_load_(const volatile size_t *word)
{
    return AO_load_acquire((const volatile AO_t *)word);
}

static inline void async_atomic_store_(volatile size_t *word, size_t value)
{
    AO_store_release((volatile AO_t *)word, value);
}

static inline int async_atomic_swap_if_(volatile size_t *word, size_t from,
                                        size_t to)
{
    return AO_compare_and_swap_full((volatile AO_t *)word, from, to);
}

/* Adds, and returns what it was before. Negative by wrapping around. */
static inline size_t async_atomic_add_(volatile size_t *word, size_t value)
{
    return AO_fetch_and_add_full((volatile AO_t *)word, value);
}

#elif ASYNC_ATOMICS == ASYNC_ATOMICS_BUILTIN

static inline size_t async_atomic_load_(const volatile size_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void async_atomic_store_(volatile size_t *word, size_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline int async_atomic_swap_if_(volatile size_t *word, size_t from,
                                        size_t to)
{
    return __atomic_compare_exchange_n(word, &from, to, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

static inline size_t async_atomic_add_(volatile size_t *word, size_t value)
{
    return __atomic_fetch_add(word, value, __ATOMIC_ACQ_REL);
}

#else

#include <stdatomic.h> /* C11 */

static inline size_t async_atomic_load_(const volatile size_t *word)
{
    return atomic_load_explicit((const volatile _Atomic size_t *)word,
                                memory_order_acquire);
}

static inline void async_atomic_store_(volatile size_t *word, size_t value)
{
    atomic_store_explicit((volatile _Atomic size_t *)word, value,
                          memory_order_release);
}

static inline int async_atomic_swap_if_(volatile size_t *word, size_t from,
                                        size_t to)
{
    return atomic_compare_exchange_strong_explicit(
        (volatile _Atomic size_t *)word, &from, to, memory_order_acq_rel,
        memory_order_relaxed);
}

static inline size_t async_atomic_add_(volatile size_t *word, size_t value)
{
    return atomic_fetch_add_explicit((volatile _Atomic size_t *)word, value,
                                     memory_order_acq_rel);
}

#endif

#endif /* ASYNC_ATOMIC_H */

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
