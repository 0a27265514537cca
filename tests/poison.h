/* poison.h: memory that is nobody's any more, for tests.
 * SPDX-License-Identifier: MIT
 *
 * It is filled with rubbish, so that who follows a link in it goes astray; and
 * where the address sanitizer or valgrind watches, a look at it is an error.
 */
#ifndef ASYNC_TESTS_POISON_H
#define ASYNC_TESTS_POISON_H

#include <stddef.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISON_ASAN_ 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISON_ASAN_ 1
#endif
#endif
#if defined(POISON_ASAN_)
#include <sanitizer/asan_interface.h>
#elif defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define POISON_VALGRIND_ 1
#endif
#endif

static inline void poison(void *memory, size_t size)
{
    memset(memory, 0xA5, size);
#if defined(POISON_ASAN_)
    ASAN_POISON_MEMORY_REGION(memory, size);
#elif defined(POISON_VALGRIND_)
    (void)VALGRIND_MAKE_MEM_NOACCESS(memory, size);
#endif
}

/* It may be used again; it still holds rubbish. */
static inline void unpoison(void *memory, size_t size)
{
#if defined(POISON_ASAN_)
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
#elif defined(POISON_VALGRIND_)
    (void)VALGRIND_MAKE_MEM_DEFINED(memory, size);
#endif
    (void)memory; /* where none of them is, or its macros do nothing */
    (void)size;
}

#endif /* ASYNC_TESTS_POISON_H */
