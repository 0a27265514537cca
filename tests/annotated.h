/* annotated.h: the operations of async_atomic.h, as helgrind and drd
 * understand them: what one thread stores and another one loads is an edge.
 * SPDX-License-Identifier: MIT
 *
 *     cc -g -I. -Itests -include tests/annotated.h tests/test_thread.c \
 *        -lcmocka -pthread            (-DDRD for drd)
 *     ROUNDS=10 valgrind --tool=helgrind \
 *        --suppressions=tests/annotated.supp ./a.out
 */
#define ASYNC_ATOMIC_H /* in its place */

#include <stddef.h>

#ifdef DRD
#include <valgrind/drd.h>
#define ANNOTATED_ATOMIC(word) ANNOTATE_BENIGN_RACE_SIZED(word, 8, "atomic")
#else
#include <valgrind/helgrind.h>
#define ANNOTATED_ATOMIC(word)                                                 \
    VALGRIND_HG_DISABLE_CHECKING((const void *)(word), sizeof *(word))
#endif

static inline size_t async_atomic_load_(const volatile size_t *word)
{
    size_t value;

    ANNOTATED_ATOMIC(word);
    value = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    ANNOTATE_HAPPENS_AFTER(word);
    return value;
}

static inline void async_atomic_store_(volatile size_t *word, size_t value)
{
    ANNOTATED_ATOMIC(word);
    ANNOTATE_HAPPENS_BEFORE(word);
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline int async_atomic_swap_if_(volatile size_t *word, size_t from,
                                        size_t to)
{
    int swapped;

    ANNOTATED_ATOMIC(word);
    ANNOTATE_HAPPENS_BEFORE(word);
    swapped = __atomic_compare_exchange_n(word, &from, to, 0, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED);
    if (swapped)
        ANNOTATE_HAPPENS_AFTER(word);
    return swapped;
}

static inline size_t async_atomic_add_(volatile size_t *word, size_t value)
{
    size_t before;

    ANNOTATED_ATOMIC(word);
    ANNOTATE_HAPPENS_BEFORE(word);
    before = __atomic_fetch_add(word, value, __ATOMIC_ACQ_REL);
    ANNOTATE_HAPPENS_AFTER(word);
    return before;
}
