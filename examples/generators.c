/* generators.c: functions that hand out values one by one. A value lies in the
 * frame while the generator is suspended at async_yield(); a value to send in
 * is put there before the next step. Generators consume each other.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. generators.c -o generators
 *
 * prints
 *
 *     integers   1 2 3 4 5 6 7 8 9 10
 *     even       2 4 6 8 10
 *     fibonacci  1 1 2 3 5 8 13 21 34 55
 *     001 Mercury
 *     002 Venus
 *     003 Earth
 *     ticks      1 2 3
 */
#include <stdio.h>

#include "async_loop.h"

/* ---- values out --------------------------------------------------------- */

struct integers {
    struct async_frame async;
    int value;
};

static async integers(struct integers *self)
{
    async_begin(self);
    for (self->value = 1;; self->value++)
        async_yield();
    async_end();
}

struct fibonacci {
    struct async_frame async;
    int value, next;
};

static async fibonacci(struct fibonacci *self)
{
    async_begin(self);
    self->value = self->next = 1;
    for (;;) {
        async_yield();
        self->next += self->value;
        self->value = self->next - self->value;
    }
    async_end();
}

/* ---- composed: integers -> even -> take --------------------------------- */

struct even {
    struct async_frame async;
    struct integers integers;
    int value;
};

static async even(struct even *self)
{
    async_begin(self);
    async_for(&self->integers, integers(&self->integers)) {
        if (self->integers.value % 2 == 0) {
            self->value = self->integers.value;
            async_yield();
        }
    }
    async_end();
}

struct take {
    struct async_frame async;
    struct even even;
    int left; /* one at the least */
    int value;
};

static async take(struct take *self)
{
    async_begin(self);
    async_for(&self->even, even(&self->even)) {
        self->value = self->even.value;
        async_yield();
        if (--self->left == 0)
            async_return();
    }
    async_end();
}

/* ---- values in ---------------------------------------------------------- */

struct printer {
    struct async_frame async;
    int line;
    const char *text; /* what it is sent */
};

static async printer(struct printer *self)
{
    async_begin(self);
    for (self->line = 1;; self->line++) {
        async_yield();
        printf("%03d %s\n", self->line, self->text);
    }
    async_end();
}

static void printer_send(struct printer *self, const char *text)
{
    self->text = text;
    printer(self);
}

/* ---- a generator that waits between its values -------------------------- */

struct ticks {
    struct async_frame async;
    int value;
};

static async ticks(struct async_loop *loop, struct ticks *self)
{
    async_begin(self);
    for (self->value = 1; self->value <= 3; self->value++) {
        await(async_sleep_ms(loop, 50));
        async_yield();
    }
    async_end();
}

struct clock {
    struct async_frame async;
    struct ticks ticks;
};

static async clock_task(struct async_loop *loop, void *frame)
{
    struct clock *self = frame;

    async_begin(self);
    printf("ticks     ");
    async_for(&self->ticks, ticks(loop, &self->ticks))
        printf(" %d", self->ticks.value);
    printf("\n");
    async_end();
}

int main(void)
{
    struct integers i = {0};
    struct take t = {.left = 5};
    struct fibonacci f = {0};
    struct printer p = {0};
    struct async_loop loop = {0};
    struct clock c = {0};

    printf("integers  ");
    async_each(&i, integers(&i)) {
        printf(" %d", i.value);
        if (i.value == 10)
            break;
    }

    printf("\neven      ");
    async_each(&t, take(&t))
        printf(" %d", t.value);

    printf("\nfibonacci ");
    async_each(&f, fibonacci(&f)) {
        printf(" %d", f.value);
        if (f.value == 55)
            break;
    }
    printf("\n");

    printer(&p); /* up to its first yield, where it can be sent to */
    printer_send(&p, "Mercury");
    printer_send(&p, "Venus");
    printer_send(&p, "Earth");

    return async_run(&loop, clock_task, &c) < 0;
}
