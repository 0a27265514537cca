/* cmocka.h: what these tests use of cmocka, for machines it is not built for.
 * SPDX-License-Identifier: MIT
 *
 * The same names do the same: a test that fails is left, its teardown runs, the
 * next one begins. Its lines are TAP. A test whose name stands in the variable
 * TESTS_LEFT_OUT, or that calls skip(), is counted as skipped. Included by
 * trace.h, after setjmp.h and the like; on the main thread.
 */
#ifndef ASYNC_TESTS_CMOCKA_H
#define ASYNC_TESTS_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*test_func)(void **state);
    int (*setup_func)(void **state);
    int (*teardown_func)(void **state);
    void *initial_state;
};

#define cmocka_unit_test_setup_teardown(test, setup, teardown)                 \
    {                                                                          \
#test, test, setup, teardown, NULL                                     \
    }
#define cmocka_unit_test_setup(test, setup)                                    \
    cmocka_unit_test_setup_teardown(test, setup, NULL)
#define cmocka_unit_test(test) cmocka_unit_test_setup_teardown(test, NULL, NULL)

static jmp_buf cmocka_target;

#define print_message(...) ((void)printf(__VA_ARGS__), (void)fflush(stdout))
#define print_error print_message

static inline void _fail(const char *file, int line)
{
    print_message("%s:%d: failed\n", file, line);
    longjmp(cmocka_target, 1);
}

#define fail() _fail(__FILE__, __LINE__)
#define fail_msg(...) (print_message(__VA_ARGS__), print_message("\n"), fail())
#define skip() longjmp(cmocka_target, 2)

/* As in cmocka, all numbers are this long. */
static inline void cmocka_compare(unsigned long long a, unsigned long long b,
                                  int equal, const char *what, const char *file,
                                  int line)
{
    if ((a == b) == equal)
        return;
    print_message("%s: %#llx, %#llx\n", what, a, b);
    _fail(file, line);
}
#define cmocka_number(value) ((unsigned long long)(value))

#define assert_int_equal(a, b)                                                 \
    cmocka_compare(cmocka_number(a), cmocka_number(b), 1, #a " is " #b,        \
                   __FILE__, __LINE__)
#define assert_int_not_equal(a, b)                                             \
    cmocka_compare(cmocka_number(a), cmocka_number(b), 0, #a " is not " #b,    \
                   __FILE__, __LINE__)
#define assert_true(a) cmocka_compare(!!(a), 1, 1, #a, __FILE__, __LINE__)
#define assert_false(a) cmocka_compare(!!(a), 0, 1, #a, __FILE__, __LINE__)
#define assert_ptr_equal(a, b) assert_int_equal((size_t)(a), (size_t)(b))
#define assert_ptr_not_equal(a, b)                                             \
    assert_int_not_equal((size_t)(a), (size_t)(b))
#define assert_null(a) assert_ptr_equal(a, NULL)
#define assert_non_null(a) assert_ptr_not_equal(a, NULL)

static inline void cmocka_range(unsigned long long a, unsigned long long least,
                                unsigned long long most, const char *file,
                                int line)
{
    if (a >= least && a <= most)
        return;
    print_message("%llu is not in %llu to %llu\n", a, least, most);
    _fail(file, line);
}
#define assert_in_range(a, least, most)                                        \
    cmocka_range(cmocka_number(a), cmocka_number(least), cmocka_number(most),  \
                 __FILE__, __LINE__)

static inline void cmocka_strings(const char *a, const char *b, int equal,
                                  const char *file, int line)
{
    if ((strcmp(a, b) == 0) == equal)
        return;
    print_message("\"%s\"\n\"%s\"\n", a, b);
    _fail(file, line);
}
#define assert_string_equal(a, b) cmocka_strings(a, b, 1, __FILE__, __LINE__)
#define assert_string_not_equal(a, b)                                          \
    cmocka_strings(a, b, 0, __FILE__, __LINE__)
#define assert_memory_equal(a, b, size)                                        \
    assert_true(memcmp((const void *)(a), (const void *)(b), size) == 0)
#define assert_memory_not_equal(a, b, size)                                    \
    assert_true(memcmp((const void *)(a), (const void *)(b), size) != 0)

/* True if the name is one of the words in `names`. */
static inline int cmocka_names(const char *names, const char *name)
{
    size_t length = strlen(name);
    const char *at = names;

    while (at && (at = strstr(at, name)) != NULL) {
        if ((at == names || at[-1] == ' ') &&
            (at[length] == ' ' || !at[length]))
            return 1;
        at += length;
    }
    return 0;
}

/* Its outcome: 0, 1 failed, 2 skipped. */
static inline int cmocka_run_one(const struct CMUnitTest *test)
{
    void *state = test->initial_state;
    int outcome;

    if (cmocka_names(getenv("TESTS_LEFT_OUT"), test->name))
        return 2;
    if (test->setup_func && test->setup_func(&state))
        return 1;
    outcome = setjmp(cmocka_target);
    if (outcome == 0)
        test->test_func(&state);
    if (test->teardown_func && test->teardown_func(&state))
        outcome = 1;
    return outcome;
}

static inline int _cmocka_run_group_tests(const char *name,
                                          const struct CMUnitTest *tests,
                                          size_t count,
                                          int (*before)(void **state),
                                          int (*after)(void **state))
{
    static const char *const said[] = {"ok", "not ok", "ok"};
    int counts[3] = {0, 0, 0};
    void *state = NULL;
    size_t i;

    if (before && before(&state))
        return -1;
    print_message("1..%u\n", (unsigned)count);
    for (i = 0; i < count; i++) {
        int outcome = cmocka_run_one(&tests[i]);

        counts[outcome]++;
        print_message("%s %u - %s%s\n", said[outcome], (unsigned)i + 1,
                      tests[i].name, outcome == 2 ? " # SKIP" : "");
    }
    if (after && after(&state))
        counts[1]++;
    print_message("# %s: %d passed, %d failed, %d skipped\n", name, counts[0],
                  counts[1], counts[2]);
    return counts[1];
}
#define cmocka_run_group_tests_name(name, tests, before, after)                \
    _cmocka_run_group_tests(name, tests, sizeof(tests) / sizeof *(tests),      \
                            before, after)
#define cmocka_run_group_tests(tests, before, after)                           \
    cmocka_run_group_tests_name(#tests, tests, before, after)

#endif /* ASYNC_TESTS_CMOCKA_H */
