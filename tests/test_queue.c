/* test_queue.c: what async_queue.h promises, a sentence a test.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. test_queue.c -lcmocka
 */
#include "trace.h"

#include "timeline.h"

#include <stdlib.h>

/* ---- the cast ----------------------------------------------------------- */

struct pair {
    struct async_queue async;
    int items[2];
};

struct five {
    struct async_queue async;
    int items[5];
};

static struct pair queue; /* the one that a test is about */

static int setup(void **state)
{
    static const struct pair zero;

    queue = zero;
    return timeline_setup(state);
}
#define queue_claim(test) cmocka_unit_test_setup(test, setup)

static void note_value(const char *who, const char *what, int value)
{
    trace("%u %s %s %d", (unsigned)async_now(&loop), who, what, value);
}

/* Puts `count` numbers from `value` on, beginning at `ms`, each within
 * `limit_ms` if that is not 0. Cleans up by one more put if it is to. */
struct putter {
    struct async_frame async;
    const char *name;
    int value, count;
    uint32_t ms, limit_ms;
    int cleans_up;
    int i, rc;
    struct async_timer timer;
    struct async_task task;
};

static async putter(struct async_loop *on, void *frame)
{
    struct putter *self = frame;

    async_begin(self);
    if (self->ms)
        await(async_sleep_ms(on, self->ms));
    for (self->i = 0; self->i < self->count; self->i++, self->value++) {
        if (self->limit_ms)
            async_catch(self->rc,
                        async_timeout(on, &self->timer, self->limit_ms,
                                      async_put(on, &queue, &self->value)));
        else
            async_catch(self->rc, async_put(on, &queue, &self->value));
        if (self->rc < 0) {
            note(self->name, async_strerror(self->rc));
            async_fail(self->rc);
        }
        note_value(self->name, "put", self->value);
    }
    async_finally();
    if (self->cleans_up) {
        async_catch(self->rc, async_put(on, &queue, &self->value));
        note(self->name, async_strerror(self->rc));
    }
    async_end();
}

/* Gets `count` numbers, beginning at `ms`, each within `limit_ms`. */
struct getter {
    struct async_frame async;
    const char *name;
    int count;
    uint32_t ms, limit_ms;
    int cleans_up;
    int i, value, rc;
    struct async_timer timer;
    struct async_task task;
};

static async getter(struct async_loop *on, void *frame)
{
    struct getter *self = frame;

    async_begin(self);
    if (self->ms)
        await(async_sleep_ms(on, self->ms));
    for (self->i = 0; self->i < self->count; self->i++) {
        if (self->limit_ms)
            async_catch(self->rc,
                        async_timeout(on, &self->timer, self->limit_ms,
                                      async_get(on, &queue, &self->value)));
        else
            async_catch(self->rc, async_get(on, &queue, &self->value));
        if (self->rc < 0) {
            note(self->name, async_strerror(self->rc));
            async_fail(self->rc);
        }
        note_value(self->name, "got", self->value);
    }
    async_finally();
    if (self->cleans_up) {
        async_catch(self->rc, async_get(on, &queue, &self->value));
        note(self->name, async_strerror(self->rc));
    }
    async_end();
}

static void put(struct putter *self)
{
    spawn(&self->task, putter, self);
}

static void get(struct getter *self)
{
    spawn(&self->task, getter, self);
}

static int try_put(int value)
{
    return async_try_put(&loop, &queue, &value);
}

/* What is taken out, or how it failed. */
static int try_get(void)
{
    int value = 0;
    int status = async_try_get(&loop, &queue, &value);

    return status == ASYNC_DONE ? value : status;
}

static void fill(int first)
{
    assert_int_equal(try_put(first), ASYNC_DONE);
    assert_int_equal(try_put(first + 1), ASYNC_DONE);
}

/* Waits until all items are done. */
struct joiner {
    struct async_frame async;
    const char *name;
    int times;
    int i, rc;
    struct async_task task;
};

static async joiner(struct async_loop *on, void *frame)
{
    struct joiner *self = frame;

    async_begin(self);
    for (self->i = 0; self->i < self->times; self->i++) {
        async_catch(self->rc, async_queue_join(on, &queue));
        note(self->name, async_strerror(self->rc));
    }
    async_end();
}

static void join(struct joiner *self)
{
    self->times = self->times ? self->times : 1;
    spawn(&self->task, joiner, self);
}

static int before(const void *a, const void *b)
{
    return *(const int *)a < *(const int *)b;
}

/* ---- items -------------------------------------------------------------- */

static void items_come_out_in_the_order_they_went_in(void **state)
{
    struct five five = {.items = {0}};
    int values[] = {1, 3, 2}, value;
    size_t i;

    (void)state;
    for (i = 0; i < LENGTH(values); i++)
        assert_int_equal(async_try_put(&loop, &five, &values[i]), ASYNC_DONE);
    for (i = 0; i < LENGTH(values); i++) {
        assert_int_equal(async_try_get(&loop, &five, &value), ASYNC_DONE);
        trace("%d", value);
    }

    assert_trace("1\n3\n2\n");
}

static void a_stack_gives_the_last_in_first(void **state)
{
    struct five five = {.async = {.lifo = 1}};
    int values[] = {1, 3, 2}, value;
    size_t i;

    (void)state;
    for (i = 0; i < LENGTH(values); i++)
        assert_int_equal(async_try_put(&loop, &five, &values[i]), ASYNC_DONE);
    for (i = 0; i < LENGTH(values); i++) {
        assert_int_equal(async_try_get(&loop, &five, &value), ASYNC_DONE);
        trace("%d", value);
    }

    assert_trace("2\n3\n1\n");
}

static void a_priority_queue_gives_the_first_by_its_order_first(void **state)
{
    struct five five = {.async = {.before = before}};
    int values[] = {1, 3, 2}, value;
    size_t i;

    (void)state;
    for (i = 0; i < LENGTH(values); i++)
        assert_int_equal(async_try_put(&loop, &five, &values[i]), ASYNC_DONE);
    for (i = 0; i < LENGTH(values); i++) {
        assert_int_equal(async_try_get(&loop, &five, &value), ASYNC_DONE);
        trace("%d", value);
    }

    assert_trace("1\n2\n3\n");
}

/* Puts and gets at random in a queue of type `type`, beside a plain array. */
static void same_as_an_array(int lifo, int ordered, uint32_t seed)
{
    static struct {
        struct async_queue async;
        int items[13];
    } zero, odd;
    int model[13], n = 0, i, at, steps;

    odd = zero;
    odd.async.lifo = lifo;
    odd.async.before = ordered ? before : NULL;
    for (steps = 0; steps < 2000; steps++) {
        seed = seed * 1664525 + 1013904223;
        if (seed >> 31) {
            int value = (int)(seed >> 20 & 63);
            int status = async_try_put(&loop, &odd, &value);

            assert_int_equal(status, n < 13 ? ASYNC_DONE : ASYNC_PENDING);
            if (n < 13)
                model[n++] = value;
        } else {
            int value = -1, status = async_try_get(&loop, &odd, &value);

            assert_int_equal(status, n ? ASYNC_DONE : ASYNC_PENDING);
            if (!n)
                continue;
            at = lifo ? n - 1 : 0;
            for (i = 0; ordered && i < n; i++)
                if (model[i] < model[at])
                    at = i;
            assert_int_equal(value, model[at]);
            memmove(model + at, model + at + 1,
                    (size_t)(n - at - 1) * sizeof *model);
            n--;
        }
        assert_int_equal(async_queue_count(&odd), n);
    }
}

static void any_mix_of_puts_and_gets_is_that_of_a_plain_array(void **state)
{
    uint32_t seed;

    (void)state;
    for (seed = 0; seed < 20; seed++) {
        same_as_an_array(0, 0, seed);
        same_as_an_array(1, 0, seed);
        same_as_an_array(0, 1, seed);
    }
}

#define GOES_ROUND(length)                                                     \
    do {                                                                       \
        struct {                                                               \
            struct async_queue async;                                          \
            short items[length];                                               \
        } ring = {.items = {0}};                                               \
        short in = 0, out = 0, value;                                          \
                                                                               \
        while (in < 3 * length) {                                              \
            while (async_try_put(&loop, &ring, &in) == ASYNC_DONE)             \
                in++;                                                          \
            assert_int_equal(in - out, length);                                \
            assert_int_equal(async_try_get(&loop, &ring, &value), ASYNC_DONE); \
            assert_int_equal(value, out++);                                    \
        }                                                                      \
    } while (0)

static void a_queue_of_any_length_goes_round(void **state)
{
    (void)state;
    GOES_ROUND(1);
    GOES_ROUND(2);
    GOES_ROUND(3);
    GOES_ROUND(4);
    GOES_ROUND(7);
    GOES_ROUND(8);
}

static void an_item_of_any_size_is_copied_whole_and_no_further(void **state)
{
    struct rgb {
        unsigned char red, green, blue;
    };
    struct {
        struct async_queue async;
        struct rgb items[3];
        unsigned char guard;
    } colors = {.guard = 77};
    struct {
        struct async_queue async;
        double items[2][5];
    } rows = {.items = {{0}}};
    struct rgb color[2] = {{1, 2, 3}, {99, 99, 99}};
    double row[5] = {1, 2, 3, 4, 5}, copy[5];
    int i;

    (void)state;
    for (i = 0; i < 3; i++)
        assert_int_equal(async_try_put(&loop, &colors, color), ASYNC_DONE);
    color[0].blue = 0;
    assert_int_equal(async_try_get(&loop, &colors, color), ASYNC_DONE);
    assert_int_equal(color[0].blue, 3);
    assert_int_equal(color[1].red, 99);
    assert_int_equal(colors.guard, 77);
    assert_int_equal(async_try_put(&loop, &rows, &row), ASYNC_DONE);
    assert_int_equal(async_try_get(&loop, &rows, &copy), ASYNC_DONE);
    assert_memory_equal(row, copy, sizeof row);
}

static void count_tells_how_many_items_are_in_it(void **state)
{
    (void)state;
    assert_int_equal(async_queue_count(&queue), 0);
    fill(1);
    assert_int_equal(async_queue_count(&queue), 2);
    (void)try_get();
    assert_int_equal(async_queue_count(&queue), 1);
}

/* ---- try ---------------------------------------------------------------- */

static void try_get_of_an_empty_queue_is_pending(void **state)
{
    int value = 7;

    (void)state;
    assert_int_equal(async_try_get(&loop, &queue, &value), ASYNC_PENDING);
    assert_int_equal(value, 7);
}

static void try_put_into_a_full_queue_is_pending(void **state)
{
    (void)state;
    fill(1);
    assert_int_equal(try_put(3), ASYNC_PENDING);
    assert_int_equal(async_queue_count(&queue), 2);
    assert_int_equal(try_get(), 1);
    assert_int_equal(try_put(3), ASYNC_DONE);
    assert_int_equal(try_get(), 2);
    assert_int_equal(try_get(), 3);
}

static void try_get_lets_a_waiting_putter_go(void **state)
{
    struct putter a = {.name = "a", .value = 1, .count = 3};

    (void)state;
    put(&a);
    (void)run_to(5);
    assert_int_equal(try_get(), 1);
    (void)run_to(10);

    assert_trace("0 a put 1\n"
                 "0 a put 2\n"
                 "5 a put 3\n");
    assert_int_equal(try_get(), 2);
    assert_int_equal(try_get(), 3);
}

static void try_put_lets_a_waiting_getter_go(void **state)
{
    struct getter a = {.name = "a", .count = 1};

    (void)state;
    get(&a);
    (void)run_to(5);
    assert_int_equal(try_put(1), ASYNC_DONE);
    (void)run_to(10);

    assert_trace("5 a got 1\n");
}

static void try_put_takes_no_place_that_is_kept_for_a_putter(void **state)
{
    struct putter a = {.name = "a", .value = 1, .count = 3};

    (void)state;
    put(&a);
    (void)run_to(5);
    assert_int_equal(try_get(), 1);
    assert_int_equal(async_queue_count(&queue), 1);
    assert_int_equal(try_put(9), ASYNC_PENDING); /* a has been let go */
    assert_int_equal(try_get(), 2);
    assert_int_equal(try_put(9), ASYNC_DONE); /* another place */
    assert_int_equal(try_put(9), ASYNC_PENDING);
    (void)run_to(10);

    assert_trace("0 a put 1\n"
                 "0 a put 2\n"
                 "5 a put 3\n");
}

static void try_get_takes_no_item_that_is_kept_for_a_getter(void **state)
{
    struct getter a = {.name = "a", .count = 1};

    (void)state;
    get(&a);
    (void)run_to(5);
    assert_int_equal(try_put(1), ASYNC_DONE);
    assert_int_equal(async_queue_count(&queue), 1);
    assert_int_equal(try_get(), ASYNC_PENDING); /* a has been let go */
    assert_int_equal(try_put(2), ASYNC_DONE);
    assert_int_equal(try_get(), 1); /* one of the two */
    assert_int_equal(try_get(), ASYNC_PENDING);
    (void)run_to(10);

    assert_trace("5 a got 2\n");
}

/* ---- waiting ------------------------------------------------------------ */

static void a_put_waits_while_the_queue_is_full(void **state)
{
    struct putter a = {.name = "a", .value = 1, .count = 3};
    struct getter b = {.name = "b", .count = 3, .ms = 10};

    (void)state;
    put(&a);
    get(&b);
    (void)run_to(5);
    assert_trace("0 a put 1\n"
                 "0 a put 2\n");
    (void)run_to(20);
    assert_trace("10 b got 1\n"
                 "10 b got 2\n"
                 "10 a put 3\n"
                 "10 b got 3\n");
}

static void a_get_waits_while_the_queue_is_empty(void **state)
{
    struct getter a = {.name = "a", .count = 2};
    struct putter b = {.name = "b", .value = 1, .count = 2, .ms = 10};

    (void)state;
    get(&a);
    put(&b);
    (void)run_to(20);

    assert_trace("10 b put 1\n"
                 "10 b put 2\n"
                 "10 a got 1\n"
                 "10 a got 2\n");
}

static void a_queue_of_one_hands_item_after_item_over(void **state)
{
    struct putter a = {.name = "a", .value = 1, .count = 4};
    struct getter b = {.name = "b", .count = 4};

    (void)state;
    assert_int_equal(try_put(0), ASYNC_DONE); /* which leaves one place */
    put(&a);
    get(&b);
    (void)run_to(0);

    assert_trace("0 a put 1\n"
                 "0 b got 0\n"
                 "0 b got 1\n"
                 "0 a put 2\n"
                 "0 a put 3\n"
                 "0 b got 2\n"
                 "0 b got 3\n"
                 "0 a put 4\n");
}

static void putters_put_in_the_order_they_came(void **state)
{
    struct putter p[] = {{.name = "a", .value = 3, .count = 1},
                         {.name = "b", .value = 4, .count = 1},
                         {.name = "c", .value = 5, .count = 1}};
    struct getter g = {.name = "g", .count = 5, .ms = 10};
    size_t i;

    (void)state;
    fill(1);
    for (i = 0; i < LENGTH(p); i++)
        put(&p[i]);
    get(&g);
    (void)run_to(20);

    assert_trace("10 g got 1\n"
                 "10 g got 2\n"
                 "10 a put 3\n"
                 "10 b put 4\n"
                 "10 g got 3\n"
                 "10 g got 4\n"
                 "10 c put 5\n"
                 "10 g got 5\n");
}

static void getters_get_in_the_order_they_came(void **state)
{
    struct getter g[] = {{.name = "a", .count = 1},
                         {.name = "b", .count = 1},
                         {.name = "c", .count = 1}};
    struct putter p = {.name = "p", .value = 1, .count = 3, .ms = 10};
    size_t i;

    (void)state;
    for (i = 0; i < LENGTH(g); i++)
        get(&g[i]);
    put(&p);
    (void)run_to(20);

    assert_trace("10 p put 1\n"
                 "10 p put 2\n"
                 "10 a got 1\n"
                 "10 b got 2\n"
                 "10 p put 3\n"
                 "10 c got 3\n");
}

static void a_late_put_does_not_overtake_one_that_was_let_go(void **state)
{
    struct putter a = {.name = "a", .value = 3, .count = 1};
    struct putter b = {.name = "b", .value = 4, .count = 1};
    struct getter g = {.name = "g", .count = 2};

    (void)state;
    fill(1);
    put(&a);
    (void)run_to(5);
    put(&b); /* runs before a, which is let go by then */
    assert_int_equal(try_get(), 1);
    assert_int_equal(try_get(), 2);
    (void)run_to(10);
    get(&g);
    (void)run_to(20);

    assert_trace("5 a put 3\n"
                 "5 b put 4\n"
                 "10 g got 3\n"
                 "10 g got 4\n");
}

static void a_late_get_does_not_overtake_one_that_was_let_go(void **state)
{
    struct getter a = {.name = "a", .count = 1};
    struct getter b = {.name = "b", .count = 1};

    (void)state;
    get(&a);
    (void)run_to(5);
    get(&b); /* runs before a, which is let go by then */
    fill(1);
    (void)run_to(10);

    assert_trace("5 a got 1\n"
                 "5 b got 2\n");
    assert_int_equal(try_put(3), ASYNC_DONE); /* nothing is kept any more */
    assert_int_equal(try_get(), 3);
}

/* Tries to put and to get, once. */
static async trier(struct async_loop *on, void *frame)
{
    (void)on;
    (void)frame;
    trace("try_put: %d, try_get: %d", try_put(9), try_get());
    return ASYNC_DONE;
}

static void a_try_does_not_overtake_a_putter_in_line(void **state)
{
    struct putter a = {.name = "a", .value = 3, .count = 1};
    struct putter b = {.name = "b", .value = 4, .count = 1};

    (void)state;
    fill(1);
    put(&a);
    (void)run_to(5);
    put(&b);                   /* first: behind a, though there is a place */
    spawn(&task, trier, NULL); /* then: that is b's */
    assert_int_equal(try_get(), 1);
    assert_int_equal(try_get(), 2); /* and then a, which is let go here */
    (void)run_to(10);

    assert_trace("try_put: 0, try_get: 0\n"
                 "5 a put 3\n"
                 "5 b put 4\n");
}

static void a_try_does_not_overtake_a_getter_in_line(void **state)
{
    struct getter a = {.name = "a", .count = 1};
    struct getter b = {.name = "b", .count = 1};

    (void)state;
    get(&a);
    (void)run_to(5);
    get(&b);
    spawn(&task, trier, NULL);
    fill(1);
    (void)run_to(10);

    assert_trace("try_put: 0, try_get: 0\n"
                 "5 a got 1\n"
                 "5 b got 2\n");
}

/* Puts what it makes anew each time it is asked. */
static async composer(struct async_loop *on, void *frame)
{
    struct putter *self = frame;

    async_begin(self);
    for (; self->i < self->count; self->i++)
        await(async_put(on, &queue, &(int){self->i * 10}));
    async_end();
}

static void a_put_may_be_handed_a_value_made_on_the_spot(void **state)
{
    struct putter a = {.count = 4};
    struct getter g = {.name = "g", .count = 4, .ms = 10};

    (void)state;
    spawn(&a.task, composer, &a);
    get(&g);
    (void)run_to(20);

    assert_trace("10 g got 0\n"
                 "10 g got 10\n"
                 "10 g got 20\n"
                 "10 g got 30\n");
}

static int pokes;

static void poke(void *arg)
{
    (void)arg;
    pokes++;
}

static void a_put_from_outside_a_task_tells_the_host(void **state)
{
    static const struct async_host host = {.notify = poke};
    struct getter a = {.name = "a", .count = 1}, b = {.name = "b", .count = 1};

    (void)state;
    get(&a);
    get(&b);
    (void)run_to(5);
    async_attach(&loop, &host);
    pokes = 0;
    assert_int_equal(try_put(1), ASYNC_DONE);
    assert_int_equal(pokes, 1);
    (void)run_to(10);
    async_queue_close(&loop, &queue);
    assert_int_equal(pokes, 2);
    (void)run_to(15);
    async_attach(&loop, NULL);

    assert_trace("5 a got 1\n"
                 "10 b closed\n");
}

/* ---- cancel, timeout ---------------------------------------------------- */

static void a_canceled_getter_leaves_the_others_in_order(void **state)
{
    struct getter g[] = {{.name = "a", .count = 1},
                         {.name = "b", .count = 1},
                         {.name = "c", .count = 1}};

    (void)state;
    get(&g[0]);
    get(&g[1]);
    get(&g[2]);
    (void)run_to(5);
    async_cancel(&loop, &g[1].task);
    (void)run_to(10);
    fill(1);
    (void)run_to(20);

    assert_trace("5 b canceled\n"
                 "10 a got 1\n"
                 "10 c got 2\n");
}

static void a_canceled_putter_leaves_the_others_in_order(void **state)
{
    struct putter p[] = {{.name = "a", .value = 3, .count = 1},
                         {.name = "b", .value = 4, .count = 1},
                         {.name = "c", .value = 5, .count = 1}};

    (void)state;
    fill(1);
    put(&p[0]);
    put(&p[1]);
    put(&p[2]);
    (void)run_to(5);
    async_cancel(&loop, &p[1].task);
    (void)run_to(10);
    assert_int_equal(try_get(), 1);
    assert_int_equal(try_get(), 2);
    (void)run_to(20);

    assert_trace("5 b canceled\n"
                 "10 a put 3\n"
                 "10 c put 5\n");
    assert_int_equal(try_get(), 3);
    assert_int_equal(try_get(), 5);
    assert_int_equal(try_get(), ASYNC_PENDING);
}

static void a_cancel_and_a_put_in_one_moment_lose_no_item(void **state)
{
    struct getter a = {.name = "a", .count = 1}, b = {.name = "b", .count = 1};

    (void)state;
    get(&a);
    get(&b);
    (void)run_to(5);
    async_cancel(&loop, &a.task); /* first: a is still in line */
    assert_int_equal(try_put(1), ASYNC_DONE);
    (void)run_to(10);
    assert_int_equal(try_put(2), ASYNC_DONE);
    (void)run_to(20);

    assert_trace("5 a got 1\n"
                 "10 b got 2\n");
}

static void an_item_granted_before_a_cancel_is_got(void **state)
{
    struct getter a = {.name = "a", .count = 3};

    (void)state;
    get(&a);
    (void)run_to(5);
    fill(1);
    async_cancel(&loop, &a.task);
    (void)run_to(10);

    assert_trace("5 a got 1\n"
                 "5 a got 2\n"      /* that is no wait */
                 "5 a canceled\n"); /* that is one */
}

static void a_place_granted_before_a_cancel_is_put_into(void **state)
{
    struct putter a = {.name = "a", .value = 3, .count = 2};

    (void)state;
    fill(1);
    put(&a);
    (void)run_to(5);
    assert_int_equal(try_get(), 1);
    async_cancel(&loop, &a.task);
    (void)run_to(10);

    assert_trace("5 a put 3\n"
                 "5 a canceled\n");
    assert_int_equal(try_get(), 2);
    assert_int_equal(try_get(), 3);
    assert_int_equal(try_get(), ASYNC_PENDING);
}

static void a_place_granted_after_a_cancel_is_put_into(void **state)
{
    struct putter a = {.name = "a", .value = 3, .count = 2};

    (void)state;
    fill(1);
    put(&a);
    (void)run_to(5);
    async_cancel(&loop, &a.task);
    assert_int_equal(try_get(), 1);
    (void)run_to(10);

    assert_trace("5 a put 3\n"
                 "5 a canceled\n");
}

static void a_cancel_before_its_first_step_lands_in_a_wait(void **state)
{
    struct getter a = {.name = "a", .count = 1};
    struct putter b = {.name = "b", .value = 3, .count = 1};

    (void)state;
    get(&a);
    async_cancel(&loop, &a.task);
    (void)run_to(5);
    fill(1);
    put(&b);
    async_cancel(&loop, &b.task);
    (void)run_to(10);

    assert_trace("0 a canceled\n"
                 "5 b canceled\n");
    assert_int_equal(try_get(), 1);
    assert_int_equal(try_get(), 2);
    assert_int_equal(try_get(), ASYNC_PENDING);
}

static void a_cancel_meets_no_put_or_get_that_need_not_wait(void **state)
{
    struct putter a = {.name = "a", .value = 1, .count = 3};

    (void)state;
    put(&a);
    async_cancel(&loop, &a.task);
    (void)run_to(5);

    assert_trace("0 a put 1\n"
                 "0 a put 2\n"
                 "0 a canceled\n");
}

/* The first of them is let go, and then the one that comes is canceled. */
static void a_cancel_of_one_who_came_behind_another_leaves_its_item(void **s)
{
    struct getter a = {.name = "a", .count = 1};
    struct getter b = {.name = "b", .count = 2};

    (void)s;
    get(&a);
    (void)run_to(5);
    get(&b);
    async_cancel(&loop, &b.task);
    fill(1); /* b comes with a cancel, finds an item, and a before it */
    (void)run_to(10);

    assert_trace("5 b canceled\n"
                 "5 a got 1\n");
    assert_int_equal(try_get(), 2);
    fill(3);
    assert_int_equal(try_get(), 3);
    assert_int_equal(try_get(), 4);
}

static void a_cancel_that_lands_where_a_turn_begins_leaves_the_item(void **s)
{
    struct getter a = {.name = "a", .count = 2};
    struct getter b = {.name = "b", .count = 1};

    (void)s;
    get(&a);
    get(&b);
    (void)run_to(5);
    async_cancel(&loop, &a.task); /* lands, as a gets, in its next get */
    fill(1);
    (void)run_to(10);

    assert_trace("5 a got 1\n"
                 "5 a canceled\n"
                 "5 b got 2\n");
    assert_int_equal(try_get(), ASYNC_PENDING);
    fill(3);
    assert_int_equal(try_get(), 3);
    assert_int_equal(try_get(), 4);
}

static void a_get_that_takes_too_long_is_timed_out(void **state)
{
    struct getter a = {.name = "a", .count = 1, .limit_ms = 10};
    struct getter b = {.name = "b", .count = 1};

    (void)state;
    get(&a);
    get(&b);
    (void)run_to(20);
    fill(1);
    (void)run_to(30);

    assert_trace("10 a timed out\n"
                 "20 b got 1\n");
    assert_int_equal(try_get(), 2);
}

static void a_put_that_takes_too_long_is_timed_out(void **state)
{
    struct putter a = {.name = "a", .value = 3, .count = 1, .limit_ms = 10};
    struct putter b = {.name = "b", .value = 4, .count = 1};

    (void)state;
    fill(1);
    put(&a);
    put(&b);
    (void)run_to(20);
    assert_int_equal(try_get(), 1);
    (void)run_to(30);

    assert_trace("10 a timed out\n"
                 "20 b put 4\n");
    assert_int_equal(try_get(), 2);
    assert_int_equal(try_get(), 4);
    assert_int_equal(try_get(), ASYNC_PENDING);
}

static void an_item_granted_on_the_tick_of_the_timeout_is_got(void **state)
{
    struct getter a = {.name = "a", .count = 1, .limit_ms = 10};
    struct putter b = {.name = "b", .value = 1, .count = 1, .ms = 10};

    (void)state;
    put(&b); /* its time comes first, then that of a */
    get(&a);
    leap_to(0);
    leap_to(10);

    assert_trace("10 b put 1\n"
                 "10 a got 1\n");
    assert_int_equal(try_get(), ASYNC_PENDING);
}

static void a_timeout_on_the_tick_of_the_put_leaves_the_item(void **state)
{
    struct getter a = {.name = "a", .count = 1, .limit_ms = 10};
    struct putter b = {.name = "b", .value = 1, .count = 1, .ms = 10};

    (void)state;
    get(&a); /* its time comes first, then that of b */
    put(&b);
    leap_to(0);
    leap_to(10);

    assert_trace("10 a timed out\n"
                 "10 b put 1\n");
    assert_int_equal(try_get(), 1);
}

static void a_place_granted_on_the_tick_of_the_timeout_is_put_into(void **state)
{
    struct getter b = {.name = "b", .count = 1, .ms = 10};
    struct putter a = {.name = "a", .value = 3, .count = 1, .limit_ms = 10};

    (void)state;
    fill(1);
    get(&b);
    put(&a);
    leap_to(0);
    leap_to(10);

    assert_trace("10 b got 1\n"
                 "10 a put 3\n");
}

static void a_get_in_a_finally_section_is_not_cut_short(void **state)
{
    struct getter a = {.name = "a", .count = 1, .cleans_up = 1};

    (void)state;
    get(&a);
    (void)run_to(5);
    async_cancel(&loop, &a.task);
    (void)run_to(10);
    async_cancel(&loop, &a.task); /* in its clean-up */
    (void)run_to(15);
    fill(1);
    (void)run_to(20);

    assert_trace("5 a canceled\n"
                 "15 a done\n");
    assert_int_equal(try_get(), 2);
}

static void a_put_in_a_finally_section_is_not_cut_short(void **state)
{
    struct putter a = {.name = "a", .value = 3, .count = 1, .cleans_up = 1};

    (void)state;
    fill(1);
    put(&a);
    (void)run_to(5);
    async_cancel(&loop, &a.task);
    (void)run_to(10);
    async_cancel(&loop, &a.task);
    (void)run_to(15);
    assert_int_equal(try_get(), 1);
    (void)run_to(20);

    assert_trace("5 a canceled\n"
                 "15 a done\n");
    assert_int_equal(try_get(), 2);
    assert_int_equal(try_get(), 3);
}

static void two_cancels_are_one(void **state)
{
    struct getter a = {.name = "a", .count = 1};

    (void)state;
    get(&a);
    (void)run_to(5);
    async_cancel(&loop, &a.task);
    async_cancel(&loop, &a.task);
    (void)run_to(10);

    assert_trace("5 a canceled\n");
    assert_int_equal(async_alive(&loop), 0);
}

/* ---- close -------------------------------------------------------------- */

static void a_closed_queue_takes_nothing(void **state)
{
    struct putter p[] = {{.name = "a", .value = 2, .count = 1},
                         {.name = "b", .value = 3, .count = 1}};

    (void)state;
    assert_int_equal(try_put(1), ASYNC_DONE);
    async_queue_close(&loop, &queue); /* half full */
    assert_int_equal(try_put(4), ASYNC_ECLOSED);
    put(&p[0]);
    (void)run_to(5);
    assert_int_equal(try_get(), 1);
    put(&p[1]); /* empty */
    (void)run_to(10);

    assert_trace("0 a closed\n"
                 "5 b closed\n");
    assert_int_equal(async_queue_count(&queue), 0);
}

static void a_closed_queue_drains(void **state)
{
    struct getter a = {.name = "a", .count = 3};

    (void)state;
    fill(1);
    async_queue_close(&loop, &queue);
    get(&a);
    (void)run_to(5);

    assert_trace("0 a got 1\n"
                 "0 a got 2\n"
                 "0 a closed\n");
    assert_int_equal(try_get(), ASYNC_ECLOSED);
}

static void close_lets_those_go_who_wait_to_get(void **state)
{
    struct getter g[] = {{.name = "a", .count = 1}, {.name = "b", .count = 1}};

    (void)state;
    get(&g[0]);
    get(&g[1]);
    (void)run_to(5);
    async_queue_close(&loop, &queue);
    (void)run_to(10);

    assert_trace("5 a closed\n"
                 "5 b closed\n");
}

static void close_lets_those_go_who_wait_to_put_and_drops_their_items(void **s)
{
    struct putter p[] = {{.name = "a", .value = 3, .count = 1},
                         {.name = "b", .value = 4, .count = 1}};

    (void)s;
    fill(1);
    put(&p[0]);
    put(&p[1]);
    (void)run_to(5);
    async_queue_close(&loop, &queue);
    (void)run_to(10);

    assert_trace("5 a closed\n"
                 "5 b closed\n");
    assert_int_equal(try_get(), 1);
    assert_int_equal(try_get(), 2);
    assert_int_equal(try_get(), ASYNC_ECLOSED);
}

static void close_twice_is_close_once(void **state)
{
    struct getter a = {.name = "a", .count = 1};

    (void)state;
    async_queue_close(&loop, &queue);
    async_queue_close(&loop, &queue);
    get(&a);
    (void)run_to(5);

    assert_trace("0 a closed\n");
}

static void a_place_granted_before_the_close_is_not_put_into(void **state)
{
    struct putter a = {.name = "a", .value = 3, .count = 1};

    (void)state;
    fill(1);
    put(&a);
    (void)run_to(5);
    assert_int_equal(try_get(), 1);
    async_queue_close(&loop, &queue);
    (void)run_to(10);

    assert_trace("5 a closed\n");
    assert_int_equal(try_get(), 2);
    assert_int_equal(try_get(), ASYNC_ECLOSED);
}

static void an_item_granted_before_the_close_is_got(void **state)
{
    struct getter a = {.name = "a", .count = 2};

    (void)state;
    get(&a);
    (void)run_to(5);
    assert_int_equal(try_put(1), ASYNC_DONE);
    async_queue_close(&loop, &queue);
    assert_int_equal(try_get(), ASYNC_ECLOSED); /* it is kept for a */
    (void)run_to(10);

    assert_trace("5 a got 1\n"
                 "5 a closed\n");
}

static void a_late_get_of_a_closed_queue_takes_what_is_kept_for_nobody(void **s)
{
    struct getter a = {.name = "a", .count = 1};
    struct getter b = {.name = "b", .count = 1};
    struct getter c = {.name = "c", .count = 1};

    (void)s;
    get(&a);
    (void)run_to(5);
    get(&b);
    get(&c);
    fill(1);
    async_queue_close(&loop, &queue); /* one is kept for a, b can have one */
    (void)run_to(10);

    assert_trace("5 a got 1\n"
                 "5 b got 2\n"
                 "5 c closed\n");
}

/* Closes the queue, or a longer one, after `ms`. */
struct closer {
    struct async_frame async;
    uint32_t ms;
    struct five *five;
    struct async_task task;
};

static async closer(struct async_loop *on, void *frame)
{
    struct closer *self = frame;

    async_begin(self);
    if (self->ms)
        await(async_sleep_ms(on, self->ms));
    if (self->five)
        async_queue_close(on, self->five);
    else
        async_queue_close(on, &queue);
    async_end();
}

/* Gets one from a longer queue. */
struct taker {
    struct async_frame async;
    const char *name;
    struct five *from;
    int value, rc;
    struct async_task task;
};

static async taker(struct async_loop *on, void *frame)
{
    struct taker *self = frame;

    async_begin(self);
    async_catch(self->rc, async_get(on, self->from, &self->value));
    if (self->rc < 0)
        note(self->name, async_strerror(self->rc));
    else
        note_value(self->name, "got", self->value);
    async_end();
}

static void close_leaves_all_that_is_left_to_those_in_line(void **state)
{
    struct five five = {.items = {0}};
    struct taker t[] = {{.name = "a", .from = &five},
                        {.name = "b", .from = &five},
                        {.name = "c", .from = &five},
                        {.name = "d", .from = &five},
                        {.name = "e", .from = &five}};
    struct closer c = {.ms = 0};
    size_t i;
    int value;

    (void)state;
    spawn(&t[0].task, taker, &t[0]);
    (void)run_to(5);
    for (i = 1; i < LENGTH(t); i++)
        spawn(&t[i].task, taker, &t[i]);
    c.five = &five;
    spawn(&c.task, closer, &c); /* when they are in line, and before a runs */
    for (value = 1; value <= 4; value++)
        assert_int_equal(async_try_put(&loop, &five, &value), ASYNC_DONE);
    (void)run_to(10);

    assert_trace("5 a got 1\n"
                 "5 b got 2\n"
                 "5 c got 3\n"
                 "5 d got 4\n"
                 "5 e closed\n");
}

static void close_and_cancel_in_one_moment_is_closed(void **state)
{
    struct getter g[] = {{.name = "a", .count = 1}, {.name = "b", .count = 1}};

    (void)state;
    get(&g[0]);
    get(&g[1]);
    (void)run_to(5);
    async_cancel(&loop, &g[0].task);
    async_queue_close(&loop, &queue);
    async_cancel(&loop, &g[1].task);
    (void)run_to(10);

    assert_trace("5 a closed\n"
                 "5 b closed\n");
}

static void close_of_those_who_put_and_are_canceled_is_closed(void **state)
{
    struct putter p[] = {{.name = "a", .value = 3, .count = 1},
                         {.name = "b", .value = 4, .count = 1}};

    (void)state;
    fill(1);
    put(&p[0]);
    put(&p[1]);
    (void)run_to(5);
    async_cancel(&loop, &p[0].task);
    async_queue_close(&loop, &queue);
    async_cancel(&loop, &p[1].task);
    (void)run_to(10);

    assert_trace("5 a closed\n"
                 "5 b closed\n");
}

static void close_on_the_tick_of_the_timeout_is_closed(void **state)
{
    struct getter a = {.name = "a", .count = 1, .limit_ms = 10};
    struct closer c = {.ms = 10};

    (void)state;
    spawn(&c.task, closer, &c); /* runs before a is asked */
    get(&a);
    leap_to(0);
    leap_to(10);

    assert_trace("10 a closed\n");
}

static void close_now_drops_what_is_left(void **state)
{
    struct getter a = {.name = "a", .count = 1};

    (void)state;
    fill(1);
    async_queue_close_now(&loop, &queue);
    assert_int_equal(async_queue_count(&queue), 0);
    assert_int_equal(try_get(), ASYNC_ECLOSED);
    assert_int_equal(try_put(3), ASYNC_ECLOSED);
    get(&a);
    (void)run_to(5);

    assert_trace("0 a closed\n");
}

static void close_now_leaves_a_getter_what_it_was_granted(void **state)
{
    struct getter a = {.name = "a", .count = 2};
    struct getter b = {.name = "b", .count = 1};

    (void)state;
    get(&a);
    (void)run_to(5);
    fill(1);
    async_queue_close_now(&loop, &queue);
    assert_int_equal(async_queue_count(&queue), 1);
    get(&b);
    (void)run_to(10);

    assert_trace("5 a got 1\n"
                 "5 a closed\n"
                 "5 b closed\n");
    assert_int_equal(async_queue_count(&queue), 0);
}

static void close_now_after_close_drops_the_rest(void **state)
{
    (void)state;
    fill(1);
    async_queue_close(&loop, &queue);
    assert_int_equal(try_get(), 1);
    async_queue_close_now(&loop, &queue);
    assert_int_equal(try_get(), ASYNC_ECLOSED);
}

/* ---- done --------------------------------------------------------------- */

static void join_of_a_new_queue_is_done_at_once(void **state)
{
    struct joiner j = {.name = "j", .times = 2};

    (void)state;
    join(&j);
    (void)async_poll(&loop, 0);

    assert_trace("0 j done\n"
                 "0 j done\n");
}

static void join_ends_when_the_last_item_is_done_not_when_it_is_got(void **s)
{
    struct joiner j[] = {{.name = "j"}, {.name = "k"}};

    (void)s;
    fill(1);
    join(&j[0]);
    join(&j[1]);
    (void)run_to(5);
    assert_int_equal(try_get(), 1);
    assert_int_equal(try_get(), 2);
    async_queue_task_done(&loop, &queue);
    (void)run_to(10);
    assert_trace("");
    async_queue_task_done(&loop, &queue);
    (void)run_to(15);

    assert_trace("10 j done\n"
                 "10 k done\n");
}

static void a_joiner_let_go_is_done_though_more_is_put(void **state)
{
    struct joiner j = {.name = "j", .times = 2};

    (void)state;
    assert_int_equal(try_put(1), ASYNC_DONE);
    join(&j);
    (void)run_to(5);
    assert_int_equal(try_get(), 1);
    async_queue_task_done(&loop, &queue);
    assert_int_equal(try_put(2), ASYNC_DONE);
    (void)run_to(10);
    assert_trace("5 j done\n"); /* and joins again */
    async_queue_task_done(&loop, &queue);
    (void)run_to(15);
    assert_trace("10 j done\n");
}

static void a_canceled_joiner_leaves_the_others(void **state)
{
    struct joiner j[] = {{.name = "j"}, {.name = "k"}};

    (void)state;
    assert_int_equal(try_put(1), ASYNC_DONE);
    join(&j[0]);
    join(&j[1]);
    (void)run_to(5);
    async_cancel(&loop, &j[0].task);
    (void)run_to(10);
    async_queue_task_done(&loop, &queue);
    (void)run_to(15);

    assert_trace("5 j canceled\n"
                 "10 k done\n");
}

static void join_counts_the_items_of_a_priority_queue_and_a_stack(void **state)
{
    struct joiner j = {.name = "j"};
    int kind;

    (void)state;
    for (kind = 0; kind < 2; kind++) {
        static const struct pair zero;

        queue = zero;
        queue.async.before = kind ? before : NULL;
        queue.async.lifo = !kind;
        fill(1);
        j = (struct joiner){.name = "j"};
        join(&j);
        (void)run_to(now + 1);
        assert_int_equal(try_get(), kind ? 1 : 2);
        assert_int_equal(try_get(), kind ? 2 : 1);
        async_queue_task_done(&loop, &queue);
        (void)run_to(now + 1);
        assert_trace("");
        async_queue_task_done(&loop, &queue);
        (void)run_to(now + 1);
        assert_trace(kind ? "5 j done\n" : "2 j done\n");
    }
}

static void one_done_too_many(void *argument)
{
    async_queue_task_done(&loop, (struct pair *)argument);
}

static void more_done_than_were_put_is_a_mistake(void **state)
{
    struct joiner j = {.name = "j"};

    (void)state;
    assert_stops("more items of a queue are done than were put",
                 one_done_too_many, &queue);
    fill(1);
    async_queue_task_done(&loop, &queue);
    async_queue_task_done(&loop, &queue);
    assert_stops("more items of a queue are done than were put",
                 one_done_too_many, &queue);
    stops_are_noted(1);
    async_queue_task_done(&loop, &queue);
    assert_noted("more items of a queue are done than were put");
    stops_are_noted(0);
    join(&j);
    (void)run_to(5);
    assert_trace("0 j done\n"); /* nothing has happened */
}

static void close_leaves_joiners_until_the_rest_is_done(void **state)
{
    struct joiner j = {.name = "j"};

    (void)state;
    assert_int_equal(try_put(1), ASYNC_DONE);
    join(&j);
    (void)run_to(5);
    async_queue_close(&loop, &queue);
    assert_int_equal(try_get(), 1);
    (void)run_to(10);
    assert_trace("");
    async_queue_task_done(&loop, &queue);
    (void)run_to(15);
    assert_trace("10 j done\n");
}

static void close_now_counts_what_it_drops_as_done(void **state)
{
    struct joiner j = {.name = "j"};

    (void)state;
    fill(1);
    join(&j);
    (void)run_to(5);
    async_queue_close_now(&loop, &queue);
    (void)run_to(10);

    assert_trace("5 j done\n");
    assert_stops("more items of a queue are done than were put",
                 one_done_too_many, &queue);
}

static void close_now_leaves_joiners_until_what_was_got_is_done(void **state)
{
    struct joiner j = {.name = "j"};

    (void)state;
    fill(1);
    join(&j);
    assert_int_equal(try_get(), 1);
    async_queue_close_now(&loop, &queue);
    (void)run_to(5);
    assert_trace("");
    async_queue_task_done(&loop, &queue);
    (void)run_to(10);
    assert_trace("5 j done\n");
    assert_stops("more items of a queue are done than were put",
                 one_done_too_many, &queue);
}

static void close_now_drops_items_that_were_done_before_they_were_got(void **s)
{
    struct joiner j = {.name = "j"};

    (void)s;
    fill(1);
    async_queue_task_done(&loop, &queue);
    async_queue_task_done(&loop, &queue);
    async_queue_close_now(&loop, &queue);
    join(&j);
    (void)run_to(5);

    assert_trace("0 j done\n");
}

/* Takes numbers, a millisecond each, until the queue is closed. */
static async worker(struct async_loop *on, void *frame)
{
    struct getter *self = frame;

    async_begin(self);
    for (;;) {
        await(async_get(on, &queue, &self->value));
        await(async_sleep_ms(on, 1));
        self->i += self->value;
        async_queue_task_done(on, &queue);
    }
    async_end();
}

static void workers_share_the_items_until_the_queue_is_closed(void **state)
{
    struct getter w[] = {{.name = "v"}, {.name = "w"}};
    struct putter p = {.name = "p", .value = 0, .count = 100};
    struct joiner j = {.name = "j"};

    (void)state;
    spawn(&w[0].task, worker, &w[0]);
    spawn(&w[1].task, worker, &w[1]);
    put(&p);
    (void)run_to(1);
    join(&j);
    (void)run_to(100);
    assert_non_null(strstr(trace_text, "50 j done\n"));
    trace_clear();
    async_queue_close(&loop, &queue);
    (void)run_to(200);

    assert_int_equal(w[0].i + w[1].i, 99 * 100 / 2);
    assert_int_equal(async_task_outcome(&w[0].task), ASYNC_ECLOSED);
    assert_int_equal(async_task_outcome(&w[1].task), ASYNC_ECLOSED);
    assert_int_equal(async_alive(&loop), 0);
}

/* ---- other orders, with waits ---------------------------------------------
 */

static void a_stack_makes_putters_and_getters_wait_the_same_way(void **state)
{
    struct putter p = {.name = "p", .value = 1, .count = 4};
    struct getter g = {.name = "g", .count = 5, .ms = 10};

    (void)state;
    queue.async.lifo = 1;
    put(&p);
    get(&g);
    (void)run_to(20);
    assert_trace("0 p put 1\n"
                 "0 p put 2\n"
                 "10 g got 2\n"
                 "10 g got 1\n"
                 "10 p put 3\n"
                 "10 p put 4\n"
                 "10 g got 4\n"
                 "10 g got 3\n");
    assert_int_equal(try_put(5), ASYNC_DONE);
    (void)run_to(30);
    assert_trace("20 g got 5\n");
}

static void a_priority_queue_makes_them_wait_the_same_way(void **state)
{
    struct putter p = {.name = "p", .value = 4, .count = 1};
    struct putter o = {.name = "o", .value = 1, .count = 1};
    struct getter g = {.name = "g", .count = 5, .ms = 10};

    (void)state;
    queue.async.before = before;
    fill(6);
    put(&p);
    put(&o);
    get(&g);
    (void)run_to(20);
    assert_trace("10 g got 6\n"
                 "10 g got 7\n"
                 "10 p put 4\n"
                 "10 o put 1\n"
                 "10 g got 1\n"
                 "10 g got 4\n");
    assert_int_equal(try_put(5), ASYNC_DONE);
    (void)run_to(30);
    assert_trace("20 g got 5\n");
}

/* ---- at random ------------------------------------------------------------
 */

enum { ACTORS = 6, TURNS = 12 };

/* One who puts or gets at random, and is canceled at random. */
struct actor {
    struct async_frame async;
    int puts, turn, value, rc;
    size_t place; /* in the order in which puts, or gets, began */
    uint32_t ms, limit_ms;
    struct async_timer timer;
    struct async_task task;
};

static struct {
    uint32_t seed;
    int calm;                   /* nobody is canceled or timed out */
    size_t began[2], landed[2]; /* gets, puts; the place of the last */
    int values[ACTORS * TURNS]; /* put, in their order */
    size_t in, out;
} play;

static uint32_t dice(uint32_t sides)
{
    play.seed = play.seed * 1664525 + 1013904223;
    return (play.seed >> 16) % sides;
}

static async actor(struct async_loop *on, void *frame)
{
    struct actor *self = frame;

    async_begin(self);
    for (self->turn = 0; self->turn < TURNS; self->turn++) {
        self->ms = dice(3);
        if (self->ms < 2) {
            async_catch(self->rc, async_sleep_ms(on, self->ms));
        }
        self->place = ++play.began[self->puts];
        self->value = 1 + (int)dice(1000);
        self->limit_ms = play.calm ? 1000 : dice(4);
        if (self->puts)
            async_catch(self->rc,
                        async_timeout(on, &self->timer, self->limit_ms,
                                      async_put(on, &queue, &self->value)));
        else
            async_catch(self->rc,
                        async_timeout(on, &self->timer, self->limit_ms,
                                      async_get(on, &queue, &self->value)));
        if (self->rc != ASYNC_DONE)
            continue;
        if (play.calm)
            assert_true(self->place > play.landed[self->puts]);
        play.landed[self->puts] = self->place;
        if (self->puts) {
            play.values[play.in++] = self->value;
        } else {
            assert_true(play.out < play.in);
            assert_int_equal(self->value, play.values[play.out++]);
            async_queue_task_done(on, &queue);
        }
    }
    async_end();
}

static void whatever_is_canceled_no_item_is_lost_doubled_or_overtaken(void **s)
{
    static struct actor zero, actors[ACTORS];
    uint32_t seed, cancels;
    int i;

    (void)s;
    for (seed = 1; seed <= 3000; seed++) {
        (void)setup(s);
        memset(&play, 0, sizeof play);
        play.seed = seed;
        play.calm = seed % 4 == 0;
        for (i = 0; i < ACTORS; i++) {
            actors[i] = zero;
            actors[i].puts = i % 2;
            spawn(&actors[i].task, actor, &actors[i]);
        }
        for (cancels = 0; async_alive(&loop) && cancels < 1000; cancels++) {
            if (seed % 3 == 0 && dice(30) == 0)
                async_queue_close(&loop, &queue);
            if (dice(2) && !play.calm)
                async_cancel(&loop, &actors[dice(ACTORS)].task);
            if (dice(8) == 0)
                (void)async_poll(&loop, now);
            else
                (void)run_to(now + 1);
        }
        for (i = try_get(); i > 0; i = try_get())
            assert_int_equal(i, play.values[play.out++]);
        if (async_alive(&loop) || play.in != play.out ||
            async_queue_kept_(queue.async.putting_) || queue.async.getting_ ||
            queue.async.putters_ || queue.async.getters_)
            fail_msg("seed %u: %u in, %u out", (unsigned)seed,
                     (unsigned)play.in, (unsigned)play.out);
        while (async_unjoined(&loop) != 0)
            ;
    }
}

/* ---- broadcast ------------------------------------------------------------
 */

struct news {
    struct async_broadcast async;
    int items[3];
};

static struct news news;

struct listener {
    struct async_frame async;
    const char *name;
    int count;
    uint32_t ms, limit_ms; /* before each; the limit */
    int i, value, rc;
    struct async_subscriber subscriber, *shared;
    struct async_timer timer;
    struct async_task task;
};

static async listener(struct async_loop *on, void *frame)
{
    struct listener *self = frame;

    async_begin(self);
    if (!self->shared) {
        self->shared = &self->subscriber;
        async_subscribe(on, &news, self->shared);
    }
    for (self->i = 0; self->i < self->count; self->i++) {
        if (self->ms)
            await(async_sleep_ms(on, self->ms));
        if (self->limit_ms)
            async_catch(self->rc,
                        async_timeout(on, &self->timer, self->limit_ms,
                                      async_receive(on, &news, self->shared,
                                                    &self->value)));
        else
            async_catch(self->rc,
                        async_receive(on, &news, self->shared, &self->value));
        if (self->rc < 0) {
            note(self->name, async_strerror(self->rc));
            async_fail(self->rc);
        }
        note_value(self->name, "hears", self->value);
    }
    async_end();
}

static void hear(struct listener *self)
{
    spawn(&self->task, listener, self);
}

static int publish(int value)
{
    return async_publish(&loop, &news, &value);
}

static int news_setup(void **state)
{
    static const struct news zero;

    news = zero;
    return timeline_setup(state);
}
#define news_claim(test) cmocka_unit_test_setup(test, news_setup)

static void every_subscriber_receives_every_item(void **state)
{
    struct listener l[] = {{.name = "a", .count = 2},
                           {.name = "b", .count = 2}};

    (void)state;
    hear(&l[0]);
    hear(&l[1]);
    (void)run_to(5);
    assert_int_equal(publish(1), ASYNC_DONE);
    (void)run_to(10);
    assert_int_equal(publish(2), ASYNC_DONE);
    (void)run_to(15);

    assert_trace("5 a hears 1\n"
                 "5 b hears 1\n"
                 "10 a hears 2\n"
                 "10 b hears 2\n");
}

static void a_subscriber_begins_with_the_next_item(void **state)
{
    struct listener l = {.name = "a", .count = 1};

    (void)state;
    publish(1);
    hear(&l);
    (void)run_to(5);
    publish(2);
    (void)run_to(10);

    assert_trace("5 a hears 2\n");
    assert_int_equal(l.subscriber.missed, 0);
}

static void items_published_in_a_row_are_received_in_a_row(void **state)
{
    struct listener l = {.name = "a", .count = 4};

    (void)state;
    hear(&l);
    (void)run_to(5);
    publish(1);
    publish(2);
    publish(3);
    (void)run_to(10);
    publish(4);
    (void)run_to(15);

    assert_trace("5 a hears 1\n"
                 "5 a hears 2\n"
                 "5 a hears 3\n"
                 "10 a hears 4\n");
    assert_int_equal(l.subscriber.missed, 0);
}

static void a_slow_subscriber_goes_on_with_the_oldest_that_is_left(void **state)
{
    struct listener l = {.name = "a", .count = 4, .ms = 10};
    int i;

    (void)state;
    hear(&l);
    (void)run_to(5);
    for (i = 1; i <= 5; i++)
        publish(i);
    (void)run_to(15);
    assert_trace("10 a hears 3\n");
    assert_int_equal(l.subscriber.missed, 2);
    publish(6);
    publish(7); /* 4 is gone */
    (void)run_to(50);

    assert_trace("20 a hears 5\n"
                 "30 a hears 6\n"
                 "40 a hears 7\n");
    assert_int_equal(l.subscriber.missed, 3);
}

static void a_broadcast_of_a_length_that_is_a_power_of_two_goes_round(void **s)
{
    struct {
        struct async_broadcast async;
        int items[4];
    } four = {.items = {0}};
    struct async_subscriber subscriber = {.missed = 0};
    int i, value = 0, status;

    (void)s;
    async_subscribe(&loop, &four, &subscriber);
    for (i = 1; i <= 11; i++) {
        async_publish(&loop, &four, &i);
        if (i % 5 == 0) {
            status = async_receive(&loop, &four, &subscriber, &value);
            assert_int_equal(status, ASYNC_DONE);
            trace("%d", value);
        }
    }

    assert_trace("2\n7\n");
    assert_int_equal(subscriber.missed, 1 + 4);
}

static void counts_of_a_broadcast_may_wrap(void **state)
{
    struct listener l = {.name = "a", .count = 4};

    (void)state;
    news.async.count_ = UINT32_MAX - 1;
    hear(&l);
    (void)run_to(5);
    publish(1);
    publish(2);
    publish(3);
    publish(4);
    publish(5);
    (void)run_to(10);

    assert_trace("5 a hears 3\n"
                 "5 a hears 4\n"
                 "5 a hears 5\n");
    assert_int_equal(l.subscriber.missed, 2);
    async_broadcast_close(&loop, &news);
    (void)run_to(15);
    assert_trace("10 a closed\n");
}

static void publishing_with_nobody_there_is_done(void **state)
{
    (void)state;
    assert_int_equal(publish(1), ASYNC_DONE);
}

static void a_closed_broadcast_is_received_to_its_end(void **state)
{
    struct listener l[] = {{.name = "a", .count = 3, .ms = 10},
                           {.name = "b", .count = 3}};

    (void)state;
    hear(&l[0]);
    hear(&l[1]);
    (void)run_to(5);
    publish(1);
    async_broadcast_close(&loop, &news);
    assert_int_equal(publish(2), ASYNC_ECLOSED);
    (void)run_to(50);

    assert_trace("5 b hears 1\n"
                 "5 b closed\n"
                 "10 a hears 1\n"
                 "20 a closed\n");
}

static void closing_lets_those_go_who_wait_for_news(void **state)
{
    struct listener l[] = {{.name = "a", .count = 1},
                           {.name = "b", .count = 1}};

    (void)state;
    hear(&l[0]);
    hear(&l[1]);
    (void)run_to(5);
    async_broadcast_close(&loop, &news);
    async_cancel(&loop, &l[1].task);
    (void)run_to(10);

    assert_trace("5 a closed\n"
                 "5 b closed\n");
}

static void a_canceled_listener_leaves_the_others(void **state)
{
    struct listener l[] = {{.name = "a", .count = 2},
                           {.name = "b", .count = 2}};

    (void)state;
    hear(&l[0]);
    hear(&l[1]);
    (void)run_to(5);
    async_cancel(&loop, &l[0].task);
    (void)run_to(10);
    publish(1);
    async_cancel(&loop, &l[1].task); /* has it: the next wait is canceled */
    (void)run_to(15);

    assert_trace("5 a canceled\n"
                 "10 b hears 1\n"
                 "10 b canceled\n");
}

static void a_subscriber_that_was_timed_out_misses_nothing(void **state)
{
    struct listener l = {.name = "a", .count = 1, .limit_ms = 10};

    (void)state;
    hear(&l);
    (void)run_to(15);
    assert_trace("10 a timed out\n");
    publish(1);
    l.async = (struct async_frame){0};
    l.shared = &l.subscriber;
    hear(&l);
    (void)run_to(20);
    assert_trace("15 a hears 1\n");
}

static void tasks_that_share_a_subscriber_share_the_items(void **state)
{
    struct async_subscriber shared = {.missed = 0};
    struct listener l[] = {{.name = "a", .count = 1, .shared = &shared},
                           {.name = "b", .count = 1, .shared = &shared}};

    (void)state;
    async_subscribe(&loop, &news, &shared);
    hear(&l[0]);
    hear(&l[1]);
    (void)run_to(5);
    publish(1);
    (void)run_to(10);
    assert_trace("5 a hears 1\n"); /* b has looked, and waits again */
    publish(2);
    (void)run_to(15);
    assert_trace("10 b hears 2\n");
    assert_int_equal(shared.missed, 0);
}

/* ---- all ------------------------------------------------------------------
 */

int main(void)
{
    const struct CMUnitTest tests[] = {
        queue_claim(items_come_out_in_the_order_they_went_in),
        queue_claim(a_stack_gives_the_last_in_first),
        queue_claim(a_priority_queue_gives_the_first_by_its_order_first),
        queue_claim(any_mix_of_puts_and_gets_is_that_of_a_plain_array),
        queue_claim(a_queue_of_any_length_goes_round),
        queue_claim(an_item_of_any_size_is_copied_whole_and_no_further),
        queue_claim(count_tells_how_many_items_are_in_it),
        queue_claim(try_get_of_an_empty_queue_is_pending),
        queue_claim(try_put_into_a_full_queue_is_pending),
        queue_claim(try_get_lets_a_waiting_putter_go),
        queue_claim(try_put_lets_a_waiting_getter_go),
        queue_claim(try_put_takes_no_place_that_is_kept_for_a_putter),
        queue_claim(try_get_takes_no_item_that_is_kept_for_a_getter),
        queue_claim(a_put_waits_while_the_queue_is_full),
        queue_claim(a_get_waits_while_the_queue_is_empty),
        queue_claim(a_queue_of_one_hands_item_after_item_over),
        queue_claim(putters_put_in_the_order_they_came),
        queue_claim(getters_get_in_the_order_they_came),
        queue_claim(a_late_put_does_not_overtake_one_that_was_let_go),
        queue_claim(a_late_get_does_not_overtake_one_that_was_let_go),
        queue_claim(a_try_does_not_overtake_a_putter_in_line),
        queue_claim(a_try_does_not_overtake_a_getter_in_line),
        queue_claim(a_put_may_be_handed_a_value_made_on_the_spot),
        queue_claim(a_put_from_outside_a_task_tells_the_host),
        queue_claim(a_canceled_getter_leaves_the_others_in_order),
        queue_claim(a_canceled_putter_leaves_the_others_in_order),
        queue_claim(a_cancel_and_a_put_in_one_moment_lose_no_item),
        queue_claim(an_item_granted_before_a_cancel_is_got),
        queue_claim(a_place_granted_before_a_cancel_is_put_into),
        queue_claim(a_place_granted_after_a_cancel_is_put_into),
        queue_claim(a_cancel_before_its_first_step_lands_in_a_wait),
        queue_claim(a_cancel_meets_no_put_or_get_that_need_not_wait),
        queue_claim(a_cancel_of_one_who_came_behind_another_leaves_its_item),
        queue_claim(a_cancel_that_lands_where_a_turn_begins_leaves_the_item),
        queue_claim(a_get_that_takes_too_long_is_timed_out),
        queue_claim(a_put_that_takes_too_long_is_timed_out),
        queue_claim(an_item_granted_on_the_tick_of_the_timeout_is_got),
        queue_claim(a_timeout_on_the_tick_of_the_put_leaves_the_item),
        queue_claim(a_place_granted_on_the_tick_of_the_timeout_is_put_into),
        queue_claim(a_get_in_a_finally_section_is_not_cut_short),
        queue_claim(a_put_in_a_finally_section_is_not_cut_short),
        queue_claim(two_cancels_are_one),
        queue_claim(a_closed_queue_takes_nothing),
        queue_claim(a_closed_queue_drains),
        queue_claim(close_lets_those_go_who_wait_to_get),
        queue_claim(close_lets_those_go_who_wait_to_put_and_drops_their_items),
        queue_claim(close_twice_is_close_once),
        queue_claim(a_place_granted_before_the_close_is_not_put_into),
        queue_claim(an_item_granted_before_the_close_is_got),
        queue_claim(a_late_get_of_a_closed_queue_takes_what_is_kept_for_nobody),
        queue_claim(close_leaves_all_that_is_left_to_those_in_line),
        queue_claim(close_and_cancel_in_one_moment_is_closed),
        queue_claim(close_of_those_who_put_and_are_canceled_is_closed),
        queue_claim(close_on_the_tick_of_the_timeout_is_closed),
        queue_claim(close_now_drops_what_is_left),
        queue_claim(close_now_leaves_a_getter_what_it_was_granted),
        queue_claim(close_now_after_close_drops_the_rest),
        queue_claim(join_of_a_new_queue_is_done_at_once),
        queue_claim(join_ends_when_the_last_item_is_done_not_when_it_is_got),
        queue_claim(a_joiner_let_go_is_done_though_more_is_put),
        queue_claim(a_canceled_joiner_leaves_the_others),
        queue_claim(join_counts_the_items_of_a_priority_queue_and_a_stack),
        queue_claim(more_done_than_were_put_is_a_mistake),
        queue_claim(close_leaves_joiners_until_the_rest_is_done),
        queue_claim(close_now_counts_what_it_drops_as_done),
        queue_claim(close_now_leaves_joiners_until_what_was_got_is_done),
        queue_claim(close_now_drops_items_that_were_done_before_they_were_got),
        queue_claim(workers_share_the_items_until_the_queue_is_closed),
        queue_claim(a_stack_makes_putters_and_getters_wait_the_same_way),
        queue_claim(a_priority_queue_makes_them_wait_the_same_way),
        queue_claim(whatever_is_canceled_no_item_is_lost_doubled_or_overtaken),
        news_claim(every_subscriber_receives_every_item),
        news_claim(a_subscriber_begins_with_the_next_item),
        news_claim(items_published_in_a_row_are_received_in_a_row),
        news_claim(a_slow_subscriber_goes_on_with_the_oldest_that_is_left),
        news_claim(a_broadcast_of_a_length_that_is_a_power_of_two_goes_round),
        news_claim(counts_of_a_broadcast_may_wrap),
        news_claim(publishing_with_nobody_there_is_done),
        news_claim(a_closed_broadcast_is_received_to_its_end),
        news_claim(closing_lets_those_go_who_wait_for_news),
        news_claim(a_canceled_listener_leaves_the_others),
        news_claim(a_subscriber_that_was_timed_out_misses_nothing),
        news_claim(tasks_that_share_a_subscriber_share_the_items),
    };

    return cmocka_run_group_tests_name("async_queue.h", tests, NULL, NULL);
}
