/* wire.c: what adapters/async_nats_wire.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 * Without a server. SEED, from the environment, repeats a run.
 */
#define _POSIX_C_SOURCE 200809L
#include "../trace.h"

#include "../../adapters/async_nats_wire.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

ASYNC_NATS_DESCRIBE_(numbers, 1,
                     (i8, a, i16, b, i32, c, i64, d, u8, e, u16, f, u32, g, u64,
                      h),
                     (f32, x, f64, y))
ASYNC_NATS_DESCRIBE_(texts, 1, (text(8), text, bytes(5), bytes, handle, actor),
                     (u8, last))
ASYNC_NATS_DESCRIBE_(nothing, 7, (), ())

/* In a room of exactly that size, so that a byte too far is seen. */
static unsigned char *room(size_t size)
{
    unsigned char *it = (unsigned char *)malloc(size ? size : 1);

    assert_non_null(it);
    return it;
}

static void assert_bytes(const unsigned char *at, size_t size, const char *hex)
{
    char text[256];
    size_t i;

    for (i = 0; i < size && i < 120; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", (unsigned)at[i]);
    text[2 * i] = '\0';
    assert_string_equal(text, hex);
}

static void assert_encoded(const struct async_nats_fields *fields,
                           const void *from, const char *hex)
{
    size_t size = async_nats_size_(fields, from);
    unsigned char *out = room(size);

    async_nats_encode_(fields, from, out);
    assert_bytes(out, size, hex);
    free(out);
}

/* ---- numbers ------------------------------------------------------------ */

static void numbers_go_with_their_first_byte_first(void **state)
{
    struct numbers_arguments least = {INT8_MIN, INT16_MIN, INT32_MIN, INT64_MIN,
                                      0,        0,         0,         0};
    struct numbers_arguments some = {
        -2,   0x0102, 0x01020304, 0x0102030405060708,
        0xFE, 0xFEDC, 0xFEDCBA98, 0xFEDCBA9876543210};
    struct numbers_result result = {1.5f, -2.0};

    (void)state;
    assert_encoded(&numbers_function()->arguments, &least,
                   "80"
                   "8000"
                   "80000000"
                   "8000000000000000"
                   "00"
                   "0000"
                   "00000000"
                   "0000000000000000");
    assert_encoded(&numbers_function()->arguments, &some,
                   "fe"
                   "0102"
                   "01020304"
                   "0102030405060708"
                   "fe"
                   "fedc"
                   "fedcba98"
                   "fedcba9876543210");
    assert_encoded(&numbers_function()->result, &result,
                   "3fc00000"
                   "c000000000000000");
}

static void numbers_come_back_as_they_were(void **state)
{
    static const struct numbers_arguments sent[] = {
        {INT8_MIN, INT16_MIN, INT32_MIN, INT64_MIN, 0, 0, 0, 0},
        {INT8_MAX, INT16_MAX, INT32_MAX, INT64_MAX, UINT8_MAX, UINT16_MAX,
         UINT32_MAX, UINT64_MAX},
        {-1, -1, -1, -1, 1, 1, 1, 1}};
    static const struct numbers_result results[] = {
        {0.0f, -0.0},
        {INFINITY, -INFINITY},
        {3.40282347e38f, 1.7976931348623157e308},
        {1e-45f, 5e-324}};
    unsigned char out[64];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof sent / sizeof *sent; i++) {
        const struct async_nats_fields *fields = &numbers_function()->arguments;
        struct numbers_arguments got;

        memset(&got, 0x55, sizeof got);
        async_nats_encode_(fields, &sent[i], out);
        assert_int_equal(async_nats_decode_(fields, &got, out, 30), 0);
        assert_true(got.a == sent[i].a && got.b == sent[i].b &&
                    got.c == sent[i].c && got.d == sent[i].d &&
                    got.e == sent[i].e && got.f == sent[i].f &&
                    got.g == sent[i].g && got.h == sent[i].h);
    }
    for (i = 0; i < sizeof results / sizeof *results; i++) {
        const struct async_nats_fields *fields = &numbers_function()->result;
        struct numbers_result got;

        async_nats_encode_(fields, &results[i], out);
        assert_int_equal(async_nats_decode_(fields, &got, out, 12), 0);
        assert_memory_equal(&got.x, &results[i].x, sizeof got.x);
        assert_memory_equal(&got.y, &results[i].y, sizeof got.y);
    }
}

/* ---- text and bytes ----------------------------------------------------- */

static void text_goes_without_its_NUL_and_behind_its_length(void **state)
{
    struct texts_arguments sent = {"ab", {2, {0, 255, 9, 9, 9}}, {"counter"}};

    (void)state;
    assert_encoded(&texts_function()->arguments, &sent,
                   "00000002"
                   "6162"
                   "00000002"
                   "00ff"
                   "00000007"
                   "636f756e746572");
}

static void empty_text_and_full_text_come_back(void **state)
{
    static const struct texts_arguments sent[] = {
        {"", {0, {0}}, {""}},
        {"1234567",
         {5, {1, 2, 3, 4, 5}},
         {"01234567890123456789012345678901234567890123456"}}};
    const struct async_nats_fields *fields = &texts_function()->arguments;
    size_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        size_t size = async_nats_size_(fields, &sent[i]);
        unsigned char *out = room(size);
        struct texts_arguments got;

        memset(&got, 0x55, sizeof got);
        async_nats_encode_(fields, &sent[i], out);
        assert_int_equal(async_nats_decode_(fields, &got, out, size), 0);
        assert_string_equal(got.text, sent[i].text);
        assert_int_equal(got.bytes.length, sent[i].bytes.length);
        assert_memory_equal(got.bytes.at, sent[i].bytes.at,
                            sent[i].bytes.length);
        assert_string_equal(got.actor.name, sent[i].actor.name);
        free(out);
    }
}

static void what_the_sender_has_left_open_is_cut_to_its_room(void **state)
{
    struct texts_arguments sent = {
        {'1', '2', '3', '4', '5', '6', '7', '8'}, {77, {1, 2, 3, 4, 5}}, {""}};

    (void)state;
    assert_encoded(&texts_function()->arguments, &sent,
                   "00000007"
                   "31323334353637"
                   "00000005"
                   "0102030405"
                   "00000000");
}

/* ---- what comes is not trusted ------------------------------------------ */

static int decoded(const struct async_nats_fields *fields, const void *bytes,
                   size_t size)
{
    struct texts_arguments to; /* the largest */
    unsigned char *in = room(size);
    int status;

    memcpy(in, bytes, size);
    memset(&to, 0x55, sizeof to);
    status = async_nats_decode_(fields, &to, in, size);
    free(in);
    return status;
}

static void a_body_too_short_or_too_long_is_malformed(void **state)
{
    struct texts_arguments sent = {"1234567", {5, {1, 2, 3, 4, 5}}, {"name"}};
    const struct async_nats_fields *fields = &texts_function()->arguments;
    unsigned char out[128] = {0};
    size_t size = async_nats_size_(fields, &sent), i;

    (void)state;
    async_nats_encode_(fields, &sent, out);
    for (i = 0; i <= size + 8; i++)
        assert_int_equal(decoded(fields, out, i),
                         i == size ? 0 : ASYNC_NATS_EMALFORMED);
    for (i = 0; i <= 31; i++)
        assert_int_equal(decoded(&numbers_function()->arguments, out, i),
                         i == 30 ? 0 : ASYNC_NATS_EMALFORMED);
    assert_int_equal(decoded(&nothing_function()->arguments, out, 0), 0);
    assert_int_equal(decoded(&nothing_function()->arguments, out, 1),
                     ASYNC_NATS_EMALFORMED);
}

static void
text_with_a_NUL_in_it_or_without_room_for_its_own_is_malformed(void **state)
{
    const struct async_nats_fields *fields = &texts_function()->arguments;

    (void)state;
    assert_int_equal(decoded(fields, "\0\0\0\2a\0\0\0\0\0\0\0\0\0", 14),
                     ASYNC_NATS_EMALFORMED);
    assert_int_equal(decoded(fields, "\0\0\0\10abcdefgh\0\0\0\0\0\0\0\0", 20),
                     ASYNC_NATS_EMALFORMED);
    assert_int_equal(decoded(fields, "\0\0\0\7abcdefg\0\0\0\0\0\0\0\0", 19), 0);
    assert_int_equal(decoded(fields, "\0\0\0\0\0\0\0\6abcdef\0\0\0\0", 18),
                     ASYNC_NATS_EMALFORMED);
    assert_int_equal(decoded(fields, "\377\377\377\377\0\0\0\0\0\0\0\0", 12),
                     ASYNC_NATS_EMALFORMED);
    assert_int_equal(decoded(fields, "\0\0\0\0\377\377\377\377\0\0\0\0", 12),
                     ASYNC_NATS_EMALFORMED);
}

static uint32_t seed;

static unsigned chance(unsigned below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void any_bytes_are_a_message_or_malformed_and_harm_nothing(void **state)
{
    const struct async_nats_function *const functions[] = {
        numbers_function(), texts_function(), nothing_function()};
    struct texts_arguments sent = {"1234567", {5, {1, 2, 3, 4, 5}}, {"name"}};
    const char *given = getenv("SEED");
    uint32_t from =
        given ? (uint32_t)strtoul(given, NULL, 10) : (uint32_t)time(NULL);
    int i, good = 0;

    (void)state;
    seed = from;
    for (i = 0; i < 20000; i++) {
        const struct async_nats_function *function = functions[chance(3)];
        unsigned char bytes[128];
        size_t size = 0, j;
        int status;

        if (chance(2)) { /* a good one, in which some bytes are others */
            function = texts_function();
            size = async_nats_size_(&function->arguments, &sent);
            async_nats_encode_(&function->arguments, &sent, bytes);
            for (j = chance(3); j--;)
                bytes[chance((unsigned)size)] = (unsigned char)chance(256);
        } else {
            size = chance(sizeof bytes);
            for (j = 0; j < size; j++)
                bytes[j] = (unsigned char)chance(chance(2) ? 256 : 3);
        }
        status = decoded(&function->arguments, bytes, size);
        if (status != 0 && status != ASYNC_NATS_EMALFORMED)
            fail_msg("SEED=%u: %d", (unsigned)from, status);
        good += status == 0;
    }
    assert_in_range(good, 1, 19999); /* of both there were some */
}

/* ---- heads -------------------------------------------------------------- */

static void a_head_is_36_bytes_in_this_order(void **state)
{
    const struct async_nats_head head = {
        ASYNC_NATS_RESULT_, 0x01020304,         3,
        0x1112131415161718, 0x2122232425262728, -2};
    unsigned char out[39] = {0};
    struct async_nats_head got;
    int status;

    (void)state;
    async_nats_put_head_(&head, out);
    assert_bytes(out, 36,
                 "6173796e"
                 "01"
                 "02"
                 "0000"
                 "01020304"
                 "00000003"
                 "1112131415161718"
                 "2122232425262728"
                 "fffffffe");
    status = async_nats_get_head_(&got, out, sizeof out);
    assert_int_equal(status, 0);
    assert_int_equal(got.kind, head.kind);
    assert_int_equal(got.signature, head.signature);
    assert_int_equal(got.length, head.length);
    assert_true(got.origin == head.origin);
    assert_true(got.number == head.number);
    assert_int_equal(got.code, head.code);
}

static int headed(unsigned at, unsigned byte, size_t size)
{
    const struct async_nats_head head = {ASYNC_NATS_CALL_, 1, 2, 3, 4, 5};
    struct async_nats_head got;
    unsigned char out[64] = {0}, *in = room(size);
    int status;

    async_nats_put_head_(&head, out);
    out[at] = (unsigned char)byte;
    memcpy(in, out, size);
    status = async_nats_get_head_(&got, in, size);
    free(in);
    return status;
}

static void a_head_of_somebody_else_is_malformed(void **state)
{
    size_t size;

    (void)state;
    for (size = 0; size < 64; size++) /* whole, it has two bytes behind it */
        assert_int_equal(headed(0, 'a', size),
                         size == 38 ? 0 : ASYNC_NATS_EMALFORMED);
    assert_int_equal(headed(0, 'A', 38), ASYNC_NATS_EMALFORMED);
    assert_int_equal(headed(3, 0, 38), ASYNC_NATS_EMALFORMED);
    assert_int_equal(headed(12, 0xFF, 38), ASYNC_NATS_EMALFORMED);
    assert_int_equal(headed(4, 2, 38), ASYNC_NATS_EVERSION);
    assert_int_equal(headed(4, 0, 38), ASYNC_NATS_EVERSION);
}

/* ---- signatures --------------------------------------------------------- */

#define sign(name, version, arguments, result)                                 \
    ASYNC_NATS_DESCRIBE_(name, version, arguments, result)
sign(base, 1, (i32, a, text(8), b), (u8, c)) sign(same_other_names, 1,
                                                  (i32, x, text(8), y), (u8, z))
    sign(other_version, 2, (i32, a, text(8), b),
         (u8, c)) sign(other_kind, 1, (u32, a, text(8), b), (u8, c))
        sign(other_size, 1, (i32, a, text(9), b),
             (u8, c)) sign(other_order, 1, (text(8), b, i32, a),
                           (u8, c)) sign(other_result, 1, (i32, a, text(8), b),
                                         (i8, c)) sign(moved, 1, (i32, a),
                                                       (text(8), b, u8, c))
            sign(more, 1, (i32, a, text(8), b),
                 (u8, c, u8,
                  d)) sign(bytes_for_text, 1, (i32, a, bytes(8), b), (u8, c))

                static void a_signature_is_of_version_kinds_and_sizes_in_order(
                    void **state)
{
    const struct async_nats_function *const others[] = {
        other_version_function(), other_kind_function(),
        other_size_function(),    other_order_function(),
        other_result_function(),  moved_function(),
        more_function(),          bytes_for_text_function()};
    uint32_t signature = async_nats_signature_(base_function());
    size_t i;

    (void)state;
    assert_int_equal(async_nats_signature_(same_other_names_function()),
                     signature);
    for (i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_not_equal(async_nats_signature_(others[i]), signature);
}

static void every_error_has_a_text_of_its_own(void **state)
{
    int i, j;

    (void)state;
    for (i = 0; i < 9; i++) {
        const char *text = async_nats_strerror(ASYNC_NATS_ENOBODY - i);

        assert_string_not_equal(text, async_strerror(ASYNC_NATS_ENOBODY - i));
        for (j = 0; j < i; j++)
            assert_string_not_equal(
                text, async_nats_strerror(ASYNC_NATS_ENOBODY - j));
    }
    assert_string_equal(async_nats_strerror(ASYNC_ECANCELED), "canceled");
    assert_string_equal(async_nats_strerror(ASYNC_NATS_EREFUSED - 1),
                        async_strerror(ASYNC_NATS_EREFUSED - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        claim(numbers_go_with_their_first_byte_first),
        claim(numbers_come_back_as_they_were),
        claim(text_goes_without_its_NUL_and_behind_its_length),
        claim(empty_text_and_full_text_come_back),
        claim(what_the_sender_has_left_open_is_cut_to_its_room),
        claim(a_body_too_short_or_too_long_is_malformed),
        claim(text_with_a_NUL_in_it_or_without_room_for_its_own_is_malformed),
        claim(any_bytes_are_a_message_or_malformed_and_harm_nothing),
        claim(a_head_is_36_bytes_in_this_order),
        claim(a_head_of_somebody_else_is_malformed),
        claim(a_signature_is_of_version_kinds_and_sizes_in_order),
        claim(every_error_has_a_text_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
