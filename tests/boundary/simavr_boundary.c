/* simavr_boundary.c: an interrupt at every instruction boundary.
 * SPDX-License-Identifier: MIT
 *
 * Runs boundary_avr.c on libsimavr, from the start of its idle loop until it
 * sleeps, and begins anew from each instruction boundary on the way with an
 * interrupt raised there: that is the idle path. From each of these it runs
 * until it sleeps again, and does the same with a second interrupt: the wake
 * path. Whatever the moment, the tasks must have been resumed as often as the
 * interrupts say, once the processor sleeps.
 *
 *     simavr_boundary IMAGE [EVERY]
 *
 * EVERY: of first interrupts that are followed by a second one, only each
 * EVERYth is, and the one that ends the sleep. Default 1, all.
 */
#include "boundary.h"

#include <simavr/sim_avr.h>
#include <simavr/sim_core.h>
#include <simavr/sim_elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GPIOR0 = 0x3E, /* addresses in data space */
    GPIOR1 = 0x4A,
    GPIOR2 = 0x4B,
    DATA_SIZE = 0x900,
    VECTORS = 26, /* the first are numbered as the interrupts of boundary.h */
    CYCLES_MOST = 4000 /* from an interrupt to what must come of it */
};

/* ---- the processor ------------------------------------------------------ */

static avr_t *avr;

/* What has been seen of a run. */
static struct run {
    int shadow;                /* the last instruction has set the I flag */
    int raised[VECTORS];       /* interrupts */
    avr_cycle_count_t last;    /* when the last of them was raised */
    avr_cycle_count_t polled;  /* the last poll begun */
    avr_cycle_count_t resumed; /* the last task resumed */
    struct told told;
} run;

struct snapshot {
    uint8_t data[DATA_SIZE];
    uint8_t sreg[8];
    uint8_t pending[VECTORS];
    int state;
    int8_t interrupt_state;
    avr_flashaddr_t pc;
    avr_cycle_count_t cycle;
    avr_int_table_t interrupts;
    struct run run;
};

static void save(struct snapshot *to)
{
    int i;

    memcpy(to->data, avr->data, DATA_SIZE);
    memcpy(to->sreg, avr->sreg, sizeof to->sreg);
    for (i = 0; i < avr->interrupts.vector_count; i++)
        to->pending[i] = avr->interrupts.vector[i]->pending;
    to->state = avr->state;
    to->interrupt_state = avr->interrupt_state;
    to->pc = avr->pc;
    to->cycle = avr->cycle;
    to->interrupts = avr->interrupts;
    to->run = run;
}

static void restore(const struct snapshot *from)
{
    int i;

    memcpy(avr->data, from->data, DATA_SIZE);
    memcpy(avr->sreg, from->sreg, sizeof from->sreg);
    avr->interrupts = from->interrupts;
    for (i = 0; i < avr->interrupts.vector_count; i++)
        avr->interrupts.vector[i]->pending = from->pending[i] & 1;
    avr->state = from->state;
    avr->interrupt_state = from->interrupt_state;
    avr->pc = from->pc;
    avr->cycle = from->cycle;
    run = from->run;
}

/* The simulator lets one instruction more go by than the processor before it
 * serves an interrupt. Here it is served at once, but for the instruction after
 * one that has set the I flag. */
static void serve(void)
{
    if (run.shadow || !avr->sreg[S_I] || !avr_has_pending_interrupts(avr))
        return;
    avr->interrupt_state = 1;
    avr_service_interrupts(avr);
}

/* One instruction. */
static void step(void)
{
    int on = avr->sreg[S_I];
    const struct told *told;

    avr->run_cycle_limit = avr->run_cycle_count = 1;
    avr_run(avr);
    run.shadow = !on && avr->sreg[S_I];
    serve();
    told = (const struct told *)(avr->data + avr->data[GPIOR1] +
                                 256 * avr->data[GPIOR2]);
    if (told->polls != run.told.polls)
        run.polled = avr->cycle;
    if (memcmp(told->resumed, run.told.resumed, sizeof told->resumed))
        run.resumed = avr->cycle;
    run.told = *told;
}

static void raise_now(int vector)
{
    int i = 0;

    while (avr->interrupts.vector[i]->vector != vector)
        i++;
    run.raised[vector]++;
    run.last = avr->cycle;
    run.polled = run.resumed = 0;
    avr_raise_interrupt(avr, avr->interrupts.vector[i]);
    serve();
}

static int asleep(void)
{
    return avr->state == cpu_Sleeping;
}

static void sleep_not(avr_t *avr, avr_cycle_count_t how_long)
{
    (void)avr;
    (void)how_long;
}

static void log_not(avr_t *avr, const int level, const char *format, va_list ap)
{
    (void)avr;
    (void)level;
    (void)format;
    (void)ap;
}

/* ---- the verdict -------------------------------------------------------- */

static const struct scenario *scenario;
static unsigned long tried, lost;
static unsigned longest; /* cycles */
static int awake; /* one run did not sleep: there is no end of boundaries */

/* Why the run is wrong; NULL: it is right. Its last interrupt was `vector`. */
static const char *wrong_run(int vector)
{
    const char *why = wrong(scenario->tasks, &run.told, run.raised);
    avr_cycle_count_t until = vector == WAKES ? run.polled : run.resumed;

    awake |= !asleep();
    if (!asleep() || !avr->sreg[S_I])
        return "it does not go to sleep";
    if (why)
        return why;
    if (!until) /* a future is over by then, and refuses what comes */
        return scenario->tasks >= FUTURE
                   ? NULL
                   : "nothing comes of the last interrupt";
    if (until - run.last > CYCLES_MOST)
        return "it takes too long";
    if (until - run.last > longest)
        longest = (unsigned)(until - run.last);
    return NULL;
}

static void judge(int vector, avr_flashaddr_t first, avr_flashaddr_t second)
{
    const char *why = wrong_run(vector);

    tried++;
    if (!why)
        return;
    if (!lost++) {
        printf("    %s: interrupted at 0x%x", scenario->name, (unsigned)first);
        if (second)
            printf(" and 0x%x", (unsigned)second);
        printf(": %s\n", why);
    }
}

/* ---- the boundaries ----------------------------------------------------- */

/* A second interrupt at each boundary from here on until it sleeps, and there.
 * With none of these it is judged too. */
static void after_first(int again, avr_flashaddr_t first)
{
    avr_cycle_count_t end = avr->cycle + 10 * CYCLES_MOST;

    for (;;) {
        static struct snapshot here;
        avr_flashaddr_t second = avr->pc;

        if (again) {
            save(&here);
            raise_now(scenario->raise[1]);
            while (avr->cycle < end && !asleep())
                step();
            judge(scenario->raise[1], first, second);
            restore(&here);
        }
        if (awake || avr->cycle >= end || asleep())
            break;
        step();
    }
    judge(scenario->raise[0], first, 0);
}

/* Both at every boundary from the start of the idle loop until it sleeps, and
 * there. Returns how many these are. */
static unsigned sweep(unsigned every)
{
    unsigned boundaries = 0;

    for (;;) {
        static struct snapshot here;
        avr_flashaddr_t first = avr->pc;
        int ends = asleep();

        save(&here);
        raise_now(scenario->raise[0]);
        after_first(ends || boundaries % every == 0, first);
        restore(&here);
        boundaries++;
        if (ends || awake)
            return boundaries;
        step();
    }
}

int main(int argc, char **argv)
{
    static elf_firmware_t firmware;
    static struct snapshot reset;
    unsigned every = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
    unsigned long all_lost = 0;
    int i;

    avr_global_logger_set(log_not);
    if (argc < 2 || elf_read_firmware(argv[1], &firmware) < 0 ||
        !(avr = avr_make_mcu_by_name("atmega328p")))
        return 2;
    avr_init(avr);
    avr_load_firmware(avr, &firmware);
    avr->sleep = sleep_not;
    save(&reset);
    for (i = 0; i < SCENARIOS; i++) {
        unsigned boundaries;

        scenario = &scenarios[i];
        restore(&reset);
        avr->data[GPIOR0] = (uint8_t)scenario->tasks;
        while (avr->data[GPIOR0] != 0xA5)
            step();
        tried = lost = longest = 0;
        boundaries = sweep(every);
        printf("%s: %u boundaries, %lu runs, %lu lost, longest %u cycles\n",
               scenario->name, boundaries, tried, lost, longest);
        all_lost += lost;
    }
    return all_lost != 0;
}
