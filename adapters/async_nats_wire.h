/* async_nats_wire.h: functions that are called over a network, and their bytes.
 * SPDX-License-Identifier: MIT
 *
 * One line describes a function to those who call it and to those who serve it:
 * its arguments and its result are plain structs here, and fields of fixed
 * width in one byte order there. Included by async_nats.h, where the program
 * that shows it is: include that.
 */
#ifndef ASYNC_NATS_WIRE_H
#define ASYNC_NATS_WIRE_H

#include "../async.h" /* errors */

#include <stddef.h> /* size_t, offsetof */
#include <stdint.h> /* fields */
#include <string.h> /* memcpy, memset, memchr */

/* ---- errors of a remote call -------------------------------------------- */

#define ASYNC_NATS_ENOBODY (-30101)    /* nobody serves this name */
#define ASYNC_NATS_EDIED (-30102)      /* its worker died, or is out of reach */
#define ASYNC_NATS_EGONE (-30103)      /* the server is gone */
#define ASYNC_NATS_EUNKNOWN (-30104)   /* its actor has no such function */
#define ASYNC_NATS_EVERSION (-30105)   /* served in another version */
#define ASYNC_NATS_EMALFORMED (-30106) /* a message that is none of ours */
#define ASYNC_NATS_ESIZE (-30107)      /* larger than the server takes */
#define ASYNC_NATS_EFAILED (-30108)    /* it has failed: see code and text */
#define ASYNC_NATS_EREFUSED (-30109)   /* the server wants other credentials */

/* What an error means, ours or any other, in a few words. */
static inline const char *async_nats_strerror(async_status status)
{
    static const char *const texts[] = {
        "nobody serves this function",
        "the worker died, or is out of reach",
        "the server is gone",
        "the actor has no such function",
        "the function is served in another version",
        "a message is malformed",
        "a message is larger than the server takes",
        "the function has failed",
        "the server refuses these credentials",
    };

    return status <= ASYNC_NATS_ENOBODY && status >= ASYNC_NATS_EREFUSED
               ? texts[ASYNC_NATS_ENOBODY - status]
               : async_strerror(status);
}

/* ---- the line of a function --------------------------------------------- */

/* At the top of a file, without a semicolon; best in a header that callers and
 * workers include:
 *
 *     ASYNC_NATS_FUNCTION(name, version, (type, argument, type, argument, ...),
 *                         (type, result, type, result, ...))
 *
 * with 0 to 8 arguments and results. `name` is of letters, digits and _.
 * `version` is yours: a worker refuses calls that have another, or other
 * fields. Types:
 *
 *     i8 i16 i32 i64 u8 u16 u32 u64 f32 f64
 *     text(n)     char name[n], which ends in a NUL: n - 1 bytes at the most
 *     bytes(n)    struct { uint32_t length; unsigned char at[n]; } name
 *     handle      struct async_nats_handle name: an actor's
 *
 * The line declares, for calc_pi,
 *
 *     struct calc_pi_arguments, struct calc_pi_result
 *     const struct async_nats_function *calc_pi_function(void)
 *
 * and what async_nats.h says, for those who call it. */
#define ASYNC_NATS_DESCRIBE_(name, version, arguments, result)                 \
    ASYNC_NATS_STRUCT_(name##_arguments, arguments)                            \
    ASYNC_NATS_STRUCT_(name##_result, result)                                  \
    ASYNC_UNUSED_ static inline const struct async_nats_function               \
        *name##_function(void)                                                 \
    {                                                                          \
        static const struct async_nats_field takes[] = {ASYNC_NATS_EACH_(      \
            ROW_, name##_arguments, ASYNC_NATS_OPEN_ arguments){0, 0, 0}};     \
        static const struct async_nats_field gives[] = {ASYNC_NATS_EACH_(      \
            ROW_, name##_result, ASYNC_NATS_OPEN_ result){0, 0, 0}};           \
        static const struct async_nats_function function = {                   \
            #name,                                                             \
            version,                                                           \
            {takes, sizeof takes / sizeof *takes - 1},                         \
            {gives, sizeof gives / sizeof *gives - 1}};                        \
                                                                               \
        return &function;                                                      \
    }

#define ASYNC_NATS_STRUCT_(tag, fields)                                        \
    struct tag {                                                               \
        ASYNC_NATS_EACH_(MEMBER_, tag, ASYNC_NATS_OPEN_ fields)                \
    };

#define ASYNC_NATS_MEMBER_(tag, type, name)                                    \
    ASYNC_NATS_TYPE_##type name ASYNC_NATS_DIMENSION_##type;
#define ASYNC_NATS_NO_MEMBER_(tag) char nothing_;
#define ASYNC_NATS_ROW_(tag, type, name)                                       \
    {ASYNC_NATS_KIND_##type, offsetof(struct tag, name),                       \
     ASYNC_NATS_SIZE_##type},
#define ASYNC_NATS_NO_ROW_(tag)

/* A field's type, what stands behind its name, its kind, and its size: for text
 * and bytes the most there is room for. */
#define ASYNC_NATS_TYPE_i8 int8_t
#define ASYNC_NATS_TYPE_i16 int16_t
#define ASYNC_NATS_TYPE_i32 int32_t
#define ASYNC_NATS_TYPE_i64 int64_t
#define ASYNC_NATS_TYPE_u8 uint8_t
#define ASYNC_NATS_TYPE_u16 uint16_t
#define ASYNC_NATS_TYPE_u32 uint32_t
#define ASYNC_NATS_TYPE_u64 uint64_t
#define ASYNC_NATS_TYPE_f32 float
#define ASYNC_NATS_TYPE_f64 double
#define ASYNC_NATS_TYPE_text(n) char
#define ASYNC_NATS_TYPE_bytes(n)                                               \
    struct {                                                                   \
        uint32_t length;                                                       \
        unsigned char at[n];                                                   \
    }
#define ASYNC_NATS_TYPE_handle struct async_nats_handle

#define ASYNC_NATS_DIMENSION_i8
#define ASYNC_NATS_DIMENSION_i16
#define ASYNC_NATS_DIMENSION_i32
#define ASYNC_NATS_DIMENSION_i64
#define ASYNC_NATS_DIMENSION_u8
#define ASYNC_NATS_DIMENSION_u16
#define ASYNC_NATS_DIMENSION_u32
#define ASYNC_NATS_DIMENSION_u64
#define ASYNC_NATS_DIMENSION_f32
#define ASYNC_NATS_DIMENSION_f64
#define ASYNC_NATS_DIMENSION_text(n) [n]
#define ASYNC_NATS_DIMENSION_bytes(n)
#define ASYNC_NATS_DIMENSION_handle

#define ASYNC_NATS_KIND_i8 ASYNC_NATS_I8_
#define ASYNC_NATS_KIND_i16 ASYNC_NATS_I16_
#define ASYNC_NATS_KIND_i32 ASYNC_NATS_I32_
#define ASYNC_NATS_KIND_i64 ASYNC_NATS_I64_
#define ASYNC_NATS_KIND_u8 ASYNC_NATS_U8_
#define ASYNC_NATS_KIND_u16 ASYNC_NATS_U16_
#define ASYNC_NATS_KIND_u32 ASYNC_NATS_U32_
#define ASYNC_NATS_KIND_u64 ASYNC_NATS_U64_
#define ASYNC_NATS_KIND_f32 ASYNC_NATS_F32_
#define ASYNC_NATS_KIND_f64 ASYNC_NATS_F64_
#define ASYNC_NATS_KIND_text(n) ASYNC_NATS_TEXT_
#define ASYNC_NATS_KIND_bytes(n) ASYNC_NATS_BYTES_
#define ASYNC_NATS_KIND_handle ASYNC_NATS_TEXT_

#define ASYNC_NATS_SIZE_i8 1
#define ASYNC_NATS_SIZE_i16 2
#define ASYNC_NATS_SIZE_i32 4
#define ASYNC_NATS_SIZE_i64 8
#define ASYNC_NATS_SIZE_u8 1
#define ASYNC_NATS_SIZE_u16 2
#define ASYNC_NATS_SIZE_u32 4
#define ASYNC_NATS_SIZE_u64 8
#define ASYNC_NATS_SIZE_f32 4
#define ASYNC_NATS_SIZE_f64 8
#define ASYNC_NATS_SIZE_text(n) n
#define ASYNC_NATS_SIZE_bytes(n) n
#define ASYNC_NATS_SIZE_handle ASYNC_NATS_HANDLE

/* For each pair of a type and a name: ASYNC_NATS_<what>(tag, type, name); for
 * none: ASYNC_NATS_NO_<what>(tag). The eighteenth: what stands behind the pairs
 * moves what is to be picked there. */
#define ASYNC_NATS_OPEN_(...) __VA_ARGS__
#define ASYNC_NATS_EACH_(what, tag, ...)                                       \
    ASYNC_NATS_PICK_(__VA_ARGS__, MANY_, 8_, ODD_, 7_, ODD_, 6_, ODD_, 5_,     \
                     ODD_, 4_, ODD_, 3_, ODD_, 2_, ODD_, 1_, 0_, ~)            \
    (what, tag, __VA_ARGS__)
#define ASYNC_NATS_PICK_(...) ASYNC_NATS_EIGHTEENTH_(__VA_ARGS__)
#define ASYNC_NATS_EIGHTEENTH_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, \
                               q, count, ...)                                  \
    ASYNC_NATS_##count
#define ASYNC_NATS_0_(what, tag, ...) ASYNC_NATS_NO_##what(tag)
#define ASYNC_NATS_1_(what, tag, A, a) ASYNC_NATS_##what(tag, A, a)
#define ASYNC_NATS_2_(what, tag, A, a, ...)                                    \
    ASYNC_NATS_##what(tag, A, a) ASYNC_NATS_1_(what, tag, __VA_ARGS__)
#define ASYNC_NATS_3_(what, tag, A, a, ...)                                    \
    ASYNC_NATS_##what(tag, A, a) ASYNC_NATS_2_(what, tag, __VA_ARGS__)
#define ASYNC_NATS_4_(what, tag, A, a, ...)                                    \
    ASYNC_NATS_##what(tag, A, a) ASYNC_NATS_3_(what, tag, __VA_ARGS__)
#define ASYNC_NATS_5_(what, tag, A, a, ...)                                    \
    ASYNC_NATS_##what(tag, A, a) ASYNC_NATS_4_(what, tag, __VA_ARGS__)
#define ASYNC_NATS_6_(what, tag, A, a, ...)                                    \
    ASYNC_NATS_##what(tag, A, a) ASYNC_NATS_5_(what, tag, __VA_ARGS__)
#define ASYNC_NATS_7_(what, tag, A, a, ...)                                    \
    ASYNC_NATS_##what(tag, A, a) ASYNC_NATS_6_(what, tag, __VA_ARGS__)
#define ASYNC_NATS_8_(what, tag, A, a, ...)                                    \
    ASYNC_NATS_##what(tag, A, a) ASYNC_NATS_7_(what, tag, __VA_ARGS__)

/* Errors whose text says what is wrong. */
#define ASYNC_NATS_ODD_(what, tag, ...)                                        \
    ASYNC_NATS_WRONG_##what(async_nats_takes_a_type_and_a_name_for_each_field)
#define ASYNC_NATS_MANY_(what, tag, ...)                                       \
    ASYNC_NATS_WRONG_##what(async_nats_takes_8_fields_at_the_most)
#define ASYNC_NATS_WRONG_MEMBER_(why) char why[-1];
#define ASYNC_NATS_WRONG_ROW_(why)

/* ---- types -------------------------------------------------------------- */

#define ASYNC_NATS_HANDLE 48 /* bytes of an actor's name, its NUL included */

/* An actor, by name: to call its functions, to pass on, to keep. */
struct async_nats_handle {
    char name[ASYNC_NATS_HANDLE];
};

enum { /* what a field is */
       ASYNC_NATS_I8_ = 1,
       ASYNC_NATS_I16_,
       ASYNC_NATS_I32_,
       ASYNC_NATS_I64_,
       ASYNC_NATS_U8_,
       ASYNC_NATS_U16_,
       ASYNC_NATS_U32_,
       ASYNC_NATS_U64_,
       ASYNC_NATS_F32_,
       ASYNC_NATS_F64_,
       ASYNC_NATS_TEXT_,
       ASYNC_NATS_BYTES_
};

struct async_nats_field {
    uint8_t kind;
    uint32_t offset, size;
};

/* Of one struct. */
struct async_nats_fields {
    const struct async_nats_field *at;
    size_t count;
};

struct async_nats_function {
    const char *name;
    uint32_t version;
    struct async_nats_fields arguments, result;
};

enum { /* what a message is */
       ASYNC_NATS_CALL_ = 1,
       ASYNC_NATS_RESULT_,
       ASYNC_NATS_FAILED_,
       ASYNC_NATS_ACCEPTED_,
       ASYNC_NATS_BUSY_,
       ASYNC_NATS_REFUSED_,
       ASYNC_NATS_CANCEL_,
       ASYNC_NATS_PING_,
       ASYNC_NATS_RUNNING_,
       ASYNC_NATS_FORGOTTEN_,
       /* of the caller's own making: */
       ASYNC_NATS_NOBODY_, /* the server knows of nobody */
       ASYNC_NATS_GARBAGE_ /* who answers does not speak as we do */
};

enum { ASYNC_NATS_HEAD_ = 36 }; /* bytes that each message begins with */

struct async_nats_head {
    uint8_t kind;
    uint32_t signature;      /* of the function */
    uint32_t length;         /* bytes behind the head */
    uint64_t origin, number; /* the call's id: who calls, its which call */
    int32_t code;            /* FAILED, REFUSED: the error */
};

/* ---- integers ----------------------------------------------------------- */

/* The most significant byte first. Byte by byte: compilers make one swap and
 * one store, or load, of this. */
static inline void async_nats_put_32_(unsigned char *out, uint32_t value)
{
    out[0] = (unsigned char)(value >> 24);
    out[1] = (unsigned char)(value >> 16);
    out[2] = (unsigned char)(value >> 8);
    out[3] = (unsigned char)value;
}

static inline uint32_t async_nats_get_32_(const unsigned char *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 |
           (uint32_t)in[2] << 8 | in[3];
}

static inline void async_nats_put_64_(unsigned char *out, uint64_t value)
{
    async_nats_put_32_(out, (uint32_t)(value >> 32));
    async_nats_put_32_(out + 4, (uint32_t)value);
}

static inline uint64_t async_nats_get_64_(const unsigned char *in)
{
    return (uint64_t)async_nats_get_32_(in) << 32 | async_nats_get_32_(in + 4);
}

/* FNV-1a (Fowler, Noll, Vo), 64 bits. */
static inline uint64_t async_nats_hash_(const void *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *)bytes;
    uint64_t hash = 14695981039346656037u;

    while (length--)
        hash = (hash ^ *at++) * 1099511628211u;
    return hash;
}

/* ---- fields ------------------------------------------------------------- */

/* A number from our own byte order to the wire's, or back. */
static inline void async_nats_turn_(unsigned char *to,
                                    const unsigned char *from, size_t size)
{
    const uint16_t one = 1;
    int is_little = *(const unsigned char *)&one;
    size_t i;

    for (i = 0; i < size; i++)
        to[i] = from[is_little ? size - 1 - i : i];
}

/* What there is in a field of text or bytes: how many, and where. A text that
 * does not end, or a length that cannot be, is cut to what there is room for.
 */
static inline uint32_t async_nats_length_(const struct async_nats_field *field,
                                          const unsigned char *at)
{
    uint32_t length;

    if (field->kind == ASYNC_NATS_TEXT_) {
        const void *end = memchr(at, 0, field->size);

        return end ? (uint32_t)((const unsigned char *)end - at)
                   : field->size - 1;
    }
    memcpy(&length, at, sizeof length);
    return length < field->size ? length : field->size;
}

static inline size_t async_nats_skip_(const struct async_nats_field *field)
{
    return field->kind == ASYNC_NATS_BYTES_ ? sizeof(uint32_t) : 0;
}

/* How many bytes a struct takes on the wire. */
static inline size_t async_nats_size_(const struct async_nats_fields *fields,
                                      const void *from)
{
    const struct async_nats_field *field = fields->at;
    size_t size = 0;

    for (; field < fields->at + fields->count; field++)
        size +=
            field->kind < ASYNC_NATS_TEXT_
                ? field->size
                : 4 + async_nats_length_(field, (const unsigned char *)from +
                                                    field->offset);
    return size;
}

/* Writes them; `out` has room for so many. */
static inline void async_nats_encode_(const struct async_nats_fields *fields,
                                      const void *from, unsigned char *out)
{
    const struct async_nats_field *field = fields->at;

    for (; field < fields->at + fields->count; field++) {
        const unsigned char *at = (const unsigned char *)from + field->offset;

        if (field->kind < ASYNC_NATS_TEXT_) {
            async_nats_turn_(out, at, field->size);
            out += field->size;
        } else {
            uint32_t length = async_nats_length_(field, at);

            async_nats_put_32_(out, length);
            memcpy(out + 4, at + async_nats_skip_(field), length);
            out += 4 + length;
        }
    }
}

/* Reads them; trusts nothing. Returns 0; ASYNC_NATS_EMALFORMED: there are too
 * few or too many bytes, a text or bytes that there is no room for, or a NUL
 * within a text. */
static inline int async_nats_decode_(const struct async_nats_fields *fields,
                                     void *to, const unsigned char *in,
                                     size_t length)
{
    const struct async_nats_field *field = fields->at;

    for (; field < fields->at + fields->count; field++) {
        unsigned char *at = (unsigned char *)to + field->offset;
        int is_text = field->kind == ASYNC_NATS_TEXT_;
        size_t size = field->size;

        if (field->kind >= ASYNC_NATS_TEXT_) {
            uint32_t count;

            if (length < 4)
                return ASYNC_NATS_EMALFORMED;
            count = async_nats_get_32_(in);
            in += 4;
            length -= 4;
            if (count > size - (size_t)is_text || count > length ||
                (is_text && memchr(in, 0, count)))
                return ASYNC_NATS_EMALFORMED;
            if (is_text)
                at[count] = 0;
            else
                memcpy(at, &count, sizeof count);
            memcpy(at + async_nats_skip_(field), in, count);
            size = count;
        } else if (length < size) {
            return ASYNC_NATS_EMALFORMED;
        } else {
            async_nats_turn_(at, in, size);
        }
        in += size;
        length -= size;
    }
    return length ? ASYNC_NATS_EMALFORMED : 0;
}

/* Of a function's version and fields: the same, 32 bits. */
static inline uint32_t async_nats_mix_(uint32_t hash, uint32_t value)
{
    int i;

    for (i = 0; i < 4; i++, value >>= 8)
        hash = (hash ^ (value & 0xff)) * 16777619u;
    return hash;
}

static inline uint32_t
async_nats_signature_(const struct async_nats_function *function)
{
    const struct async_nats_fields *fields = &function->arguments;
    uint32_t hash = async_nats_mix_(2166136261u, function->version);
    size_t i;

    for (;; fields = &function->result) {
        hash = async_nats_mix_(hash, (uint32_t)fields->count);
        for (i = 0; i < fields->count; i++)
            hash = async_nats_mix_(async_nats_mix_(hash, fields->at[i].kind),
                                   fields->at[i].size);
        if (fields == &function->result)
            return hash;
    }
}

/* ---- addresses ---------------------------------------------------------- */

/* A caller has two: INBOX.n.TRY.NUMBER, the reply subject of what it sends,
 * where the server says that there is nobody; and INBOX.a.TRY, where answers
 * go: their heads tell the number, and a server that sees the same few subjects
 * again looks them up in its cache. Makes the one the other; a reply subject of
 * another shape stays as it is. */
static inline void async_nats_turn_address_(char *subject)
{
    char *number = strrchr(subject, '.');

    if (number && number - subject >= 5 && number[-3] == '.' &&
        number[-4] == 'n' && number[-5] == '.') {
        number[-4] = 'a';
        *number = 0;
    }
}

/* ---- heads -------------------------------------------------------------- */

enum { ASYNC_NATS_WIRE_ = 1 }; /* the version of what is described here */

static inline void async_nats_put_head_(const struct async_nats_head *head,
                                        unsigned char *out)
{
    memcpy(out, "asyn", 4);
    out[4] = ASYNC_NATS_WIRE_;
    out[5] = head->kind;
    out[6] = out[7] = 0;
    async_nats_put_32_(out + 8, head->signature);
    async_nats_put_32_(out + 12, head->length);
    async_nats_put_64_(out + 16, head->origin);
    async_nats_put_64_(out + 24, head->number);
    async_nats_put_32_(out + 32, (uint32_t)head->code);
}

/* Returns 0; ASYNC_NATS_EMALFORMED: these `length` bytes are no message of
 * ours, or not a whole one; ASYNC_NATS_EVERSION: of another version, and no
 * more than its id is known of it, which stands there in all versions. */
static inline int async_nats_get_head_(struct async_nats_head *head,
                                       const void *data, size_t length)
{
    const unsigned char *in = (const unsigned char *)data;

    memset(head, 0, sizeof *head);
    if (length < ASYNC_NATS_HEAD_ || memcmp(in, "asyn", 4) != 0)
        return ASYNC_NATS_EMALFORMED;
    head->origin = async_nats_get_64_(in + 16);
    head->number = async_nats_get_64_(in + 24);
    if (in[4] != ASYNC_NATS_WIRE_)
        return ASYNC_NATS_EVERSION;
    head->kind = in[5];
    head->signature = async_nats_get_32_(in + 8);
    head->length = async_nats_get_32_(in + 12);
    head->code = (int32_t)async_nats_get_32_(in + 32);
    return head->length == length - ASYNC_NATS_HEAD_ ? 0
                                                     : ASYNC_NATS_EMALFORMED;
}

#endif /* ASYNC_NATS_WIRE_H */

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
