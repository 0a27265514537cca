/* simavr.c: runs an image for an ATmega328P at 16 MHz, with world.c on its
 * pins.
 * SPDX-License-Identifier: MIT
 *
 *     cc -Iexamples/firmware examples/firmware/simavr.c \
 *         examples/firmware/world.c -lsimavr -o simavr
 *     ./simavr [-s SECONDS] [-p PIN] IMAGE.elf
 *
 * Prints what the UART sends; of a PIN, called B5 or so, its changes instead.
 * After SECONDS of its own time, 120, it is stopped. The exit status:
 *
 *     GPIOR0  it sleeps with interrupts off, and GPIOR1 is 0xA5
 *     98      it sleeps so without that mark
 *     99      it crashed: no such instruction, no such memory
 *     124     it was stopped
 *
 * On standard error it says how many cycles that took, how many of them
 * asleep, and how much RAM: variables, and the stack where it was deepest. An
 * image that measures itself writes 1 and later 2 to GPIOR2: the least and the
 * most cycles from the first 1 to a 2 are printed too. Which pin is what is
 * told in board_avr.c.
 */
#include "world.h"

#include <simavr/avr_adc.h>
#include <simavr/avr_ioport.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HZ = 16000000, CYCLES_PER_MS = HZ / 1000 };
enum { READY = 3, BUTTON = 4, ASK = 5, CLOCK = 6, DATA = 7 }; /* of port D */
enum { GPIOR0 = 0x3E, GPIOR1 = 0x4A, GPIOR2 = 0x4B, ADCSRA = 0x7A };
enum { RAM = 0x100, MILLIVOLTS = 5000, PAINT = 0xC5 };

static avr_t *avr;

static uint32_t ms(void)
{
    return (uint32_t)(avr->cycle / CYCLES_PER_MS);
}

/* ---- the world ---------------------------------------------------------- */

static avr_irq_t *port_pin(char port, int pin)
{
    return avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ((uint32_t)port), pin);
}

/* Puts a level on a pin of port D, and keeps it there: simavr lets a pull-up
 * win against what was only raised. */
static void drive(int pin, int level)
{
    static avr_ioport_external_t external = {.name = 'D'};

    external.mask |= 1u << pin & 0xFF;
    external.value &= ~(1u << pin) & 0xFF;
    external.value |= (unsigned)level << pin & 0xFF;
    avr_ioctl(avr, AVR_IOCTL_IOPORT_SET_EXTERNAL('D'), &external);
    avr_raise_irq(port_pin('D', pin), (uint32_t)level);
}

void world_typed(char c)
{
    avr_raise_irq(
        avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT),
        (uint8_t)c);
}

void world_pressed(int is)
{
    drive(BUTTON, !is);
}

static uint16_t answer; /* the bits that are still to be read */
/* Until then its pin is left alone: simavr takes a low one for an interrupt,
 * for ever, if the image has not yet asked for another kind. */
static int ready;

void world_answered(int16_t tenths_of_c)
{
    answer = (uint16_t)tenths_of_c;
    ready = 1;
    drive(READY, 1);
}

/* A cycle timer: plays, and says when it wants to again. */
static avr_cycle_count_t play(avr_t *same, avr_cycle_count_t when, void *arg)
{
    (void)same, (void)when, (void)arg;
    world_play(ms());
    return (avr_cycle_count_t)world_next() * CYCLES_PER_MS;
}

/* Has it played when something happens in it next. */
static void play_on(void)
{
    avr_cycle_count_t next = (avr_cycle_count_t)world_next() * CYCLES_PER_MS;

    avr_cycle_timer_cancel(avr, play, NULL);
    avr_cycle_timer_register(avr, next > avr->cycle ? next - avr->cycle : 1,
                             play, NULL);
}

/* ---- what the image does ------------------------------------------------- */

static void sent(struct avr_irq_t *irq, uint32_t c, void *arg)
{
    (void)irq, (void)arg;
    putchar((int)c);
}

static void ask_changed(struct avr_irq_t *irq, uint32_t level, void *arg)
{
    static uint32_t was = 1;

    (void)irq, (void)arg;
    level &= 1;
    if (level && !was && ready) {
        drive(READY, 0);
        ready = 0;
    } else if (!level && was) {
        world_ask(ms());
        play_on();
    }
    was = level;
}

static void clock_changed(struct avr_irq_t *irq, uint32_t level, void *arg)
{
    static uint32_t was;

    (void)irq, (void)arg;
    level &= 1;
    if (level && !was) {
        drive(DATA, answer >> 15);
        answer = (uint16_t)(answer << 1);
    }
    was = level;
}

static void adc_written(struct avr_irq_t *irq, uint32_t value, void *arg)
{
    uint32_t result = world_adc(ms());

    (void)irq, (void)arg;
    if (value & 0x40) /* it starts: the least that is converted to this */
        avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_ADC0),
                      (result * MILLIVOLTS + 1022) / 1023);
}

static void pin_changed(struct avr_irq_t *irq, uint32_t level, void *arg)
{
    static uint32_t was;

    (void)irq, (void)arg;
    level &= 1;
    if (level != was)
        printf("%u ms: %u\n", (unsigned)ms(), (unsigned)level);
    was = level;
}

static avr_cycle_count_t begun, least = UINT32_MAX, most;

static void mark_written(struct avr_irq_t *irq, uint32_t value, void *arg)
{
    avr_cycle_count_t took = avr->cycle - begun;

    (void)irq, (void)arg;
    if (value == 1 && !begun) {
        begun = avr->cycle;
    } else if (value == 2 && begun) {
        least = took < least ? took : least;
        most = took > most ? took : most;
        begun = 0;
    }
}

/* ---- running ------------------------------------------------------------ */

static avr_cycle_count_t asleep;

/* In no time. */
static void sleep_not(avr_t *same, avr_cycle_count_t cycles)
{
    (void)same;
    asleep += cycles + 1; /* as avr->cycle does */
}

static void complain(avr_t *same, const int level, const char *format,
                     va_list args)
{
    (void)same;
    if (level <= LOG_ERROR)
        vfprintf(stderr, format, args);
}

static void watch(avr_irq_t *irq, avr_irq_notify_t notify)
{
    avr_irq_register_notify(irq, notify, NULL);
}

static void connect(const char *pin)
{
    uint32_t no_flags = 0; /* prints nothing itself, never naps */

    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &no_flags);
    if (pin)
        watch(port_pin(pin[0], pin[1] - '0'), pin_changed);
    else
        watch(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT),
              sent);
    watch(port_pin('D', ASK), ask_changed);
    watch(port_pin('D', CLOCK), clock_changed);
    watch(avr_iomem_getirq(avr, ADCSRA, NULL, AVR_IOMEM_IRQ_ALL), adc_written);
    watch(avr_iomem_getirq(avr, GPIOR2, NULL, AVR_IOMEM_IRQ_ALL), mark_written);
    drive(BUTTON, 1);
    play_on();
}

static int status(avr_cycle_count_t cycles)
{
    while (avr->cycle < cycles)
        switch (avr_run(avr)) {
        case cpu_Done:
            return avr->data[GPIOR1] == 0xA5 ? avr->data[GPIOR0] : 98;
        case cpu_Crashed:
            return 99;
        }
    return 124;
}

int main(int argc, char **argv)
{
    elf_firmware_t image;
    const char *pin = NULL;
    unsigned seconds = 120, variables, free_ram;
    int option, result;

    while ((option = getopt(argc, argv, "s:p:")) != -1)
        if (option == 's')
            seconds = (unsigned)atoi(optarg);
        else if (option == 'p' && strlen(optarg) == 2 &&
                 strchr("BCD", optarg[0]))
            pin = optarg;
        else
            return 2;
    memset(&image, 0, sizeof image);
    avr_global_logger_set(complain);
    avr = avr_make_mcu_by_name("atmega328p");
    if (optind + 1 != argc || elf_read_firmware(argv[optind], &image) || !avr) {
        fprintf(stderr, "usage: simavr [-s SECONDS] [-p PIN] IMAGE.elf\n");
        return 2;
    }
    avr_init(avr);
    avr->log = LOG_ERROR;
    avr->sleep = sleep_not;
    avr->frequency = image.frequency = HZ;
    avr->vcc = avr->avcc = avr->aref = MILLIVOLTS;
    avr_load_firmware(avr, &image);
    variables = RAM + image.datasize + image.bsssize;
    memset(avr->data + variables, PAINT, avr->ramend + 1 - variables);
    connect(pin);

    result = status((avr_cycle_count_t)seconds * HZ);
    fflush(stdout);
    free_ram = variables;
    while (free_ram <= avr->ramend && avr->data[free_ram] == PAINT)
        free_ram++;
    fprintf(stderr, "%llu cycles, %llu of them asleep, RAM %u, stack %u\n",
            (unsigned long long)avr->cycle, (unsigned long long)asleep,
            variables - RAM, avr->ramend + 1 - free_ram);
    if (most)
        fprintf(stderr, "from mark to mark %u to %u cycles\n", (unsigned)least,
                (unsigned)most);
    return result;
}
