/* annotated.h: tells valgrind's helgrind and drd what the atomics order.
 * SPDX-License-Identifier: MIT
 *
 * They watch locks and threads, not memory orders: without this each word that
 * is handed over by an atomic operation is a race to them. Included before
 * everything, by cc -include; with ASYNC_ATOMICS=ASYNC_ATOMICS_BUILTIN all
 * atomic operations of the headers come by here. An operation that stores may
 * happen before each one that loads the same word later.
 */
#ifndef ASYNC_TESTS_ANNOTATED_H
#define ASYNC_TESTS_ANNOTATED_H

#include <sched.h>
#include <valgrind/helgrind.h>

/* The words themselves are no races. */
#define ANNOTATED_BEFORE_(word)                                                \
    ANNOTATE_HAPPENS_BEFORE((void *)(word));                                   \
    VALGRIND_HG_DISABLE_CHECKING((void *)(word), sizeof *(word))
#define ANNOTATED_AFTER_(word) ANNOTATE_HAPPENS_AFTER((void *)(word))

/* A macro's own name in its body is the operation that it names. */
#define __atomic_load_n(word, order)                                           \
    __extension__({                                                            \
        __typeof__(__atomic_load_n(word, order)) value_;                       \
                                                                               \
        VALGRIND_HG_DISABLE_CHECKING((void *)(word), sizeof *(word));          \
        value_ = __atomic_load_n(word, order);                                 \
        ANNOTATED_AFTER_(word);                                                \
        (void)sched_yield(); /* who looks again and again is slow here */      \
        value_;                                                                \
    })
#define __atomic_store_n(word, value, order)                                   \
    __extension__({                                                            \
        ANNOTATED_BEFORE_(word);                                               \
        __atomic_store_n(word, value, order);                                  \
    })
#define ANNOTATED_(word, operation)                                            \
    __extension__({                                                            \
        __typeof__(operation) result_;                                         \
                                                                               \
        ANNOTATED_BEFORE_(word);                                               \
        result_ = operation;                                                   \
        ANNOTATED_AFTER_(word);                                                \
        result_;                                                               \
    })
#define __atomic_compare_exchange_n(word, from, to, weak, order, else_order)   \
    ANNOTATED_(word, __atomic_compare_exchange_n(word, from, to, weak, order,  \
                                                 else_order))
#define __atomic_exchange_n(word, value, order)                                \
    ANNOTATED_(word, __atomic_exchange_n(word, value, order))
#define __atomic_fetch_add(word, value, order)                                 \
    ANNOTATED_(word, __atomic_fetch_add(word, value, order))
#define __atomic_fetch_sub(word, value, order)                                 \
    ANNOTATED_(word, __atomic_fetch_sub(word, value, order))
#define __atomic_fetch_and(word, value, order)                                 \
    ANNOTATED_(word, __atomic_fetch_and(word, value, order))
#define __atomic_fetch_or(word, value, order)                                  \
    ANNOTATED_(word, __atomic_fetch_or(word, value, order))

#endif /* ASYNC_TESTS_ANNOTATED_H */
