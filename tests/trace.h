/* trace.h: what a test saw happen, and what stopped it.
 * SPDX-License-Identifier: MIT
 *
 * Events are lines in one string, compared as a whole. A programmer error that
 * a header asserts does not end the test: its sentence is kept and the call
 * that made it is left. Include before the headers under test.
 */
#ifndef ASYNC_TESTS_TRACE_H
#define ASYNC_TESTS_TRACE_H

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

/* ---- how it is built ----------------------------------------------------- */

#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#define THREAD_SANITIZER __has_feature(thread_sanitizer)
#else
#define THREAD_SANITIZER 0
#endif

/* ---- events -------------------------------------------------------------- */

static char trace_text[16384];
static size_t trace_length;

static inline void trace_clear(void)
{
    trace_length = 0;
    trace_text[0] = '\0';
}

#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
static inline void
trace(const char *format, ...)
{
    size_t room = sizeof trace_text - trace_length;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(trace_text + trace_length, room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length + 2 > room)
        fail_msg("the trace is full:\n%s", trace_text);
    trace_length += (size_t)length;
    trace_text[trace_length++] = '\n';
    trace_text[trace_length] = '\0';
}

/* Everything since the test began, or since the last comparison. */
static inline void trace_compare_(const char *expected, const char *file,
                                  int line)
{
    int same = strcmp(trace_text, expected) == 0;

    if (!same) {
        print_error("expected:\n%s\nhappened:\n%s\n", expected, trace_text);
        _fail(file, line);
    }
    trace_clear();
}
#define assert_trace(expected) trace_compare_(expected, __FILE__, __LINE__)

/* ---- stops --------------------------------------------------------------- */

static jmp_buf stop_target;
static int stop_is_expected; /* 1: leave by stop_target; 2: note, and go on */
static const char *stop_sentence;

static inline void stop(const char *sentence)
{
    int expected = stop_is_expected;

    stop_sentence = sentence;
    if (!expected)
        fail_msg("stopped: %s", sentence);
    if (expected == 1) {
        stop_is_expected = 0;
        longjmp(stop_target, 1);
    }
}

#define ASYNC_ASSERT(condition, message) ((condition) ? (void)0 : stop(message))

/* The sentence that act(argument) stopped with, "" if it went through. */
static inline const char *stop_of(void (*act)(void *argument), void *argument)
{
    stop_sentence = "";
    stop_is_expected = 1;
    if (setjmp(stop_target) == 0)
        act(argument);
    stop_is_expected = 0;
    return stop_sentence;
}

static inline void stop_compare_(const char *begins, const char *sentence,
                                 const char *file, int line)
{
    int same = strncmp(sentence, begins, strlen(begins)) == 0;

    if (!same) {
        print_error("expected to stop with: %s\nhappened: %s\n", begins,
                    *sentence ? sentence : "it went through");
        _fail(file, line);
    }
}
#define assert_stops(begins, act, argument)                                    \
    stop_compare_(begins, stop_of(act, argument), __FILE__, __LINE__)

/* As with NDEBUG: what asserts goes on. The sentence is kept all the same. */
static inline void stops_are_noted(int noted)
{
    stop_is_expected = noted ? 2 : 0;
    if (noted)
        stop_sentence = "";
}
#define assert_noted(begins)                                                   \
    stop_compare_(begins, stop_sentence, __FILE__, __LINE__)

/* Before each test. */
static inline int trace_setup(void **state)
{
    (void)state;
    trace_clear();
    stop_is_expected = 0;
    return 0;
}

#define claim(test) cmocka_unit_test_setup(test, trace_setup)

#endif /* ASYNC_TESTS_TRACE_H */
