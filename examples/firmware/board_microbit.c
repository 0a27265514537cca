/* board_microbit.c: a Cortex-M0 at 16 MHz, the nRF51 of a BBC micro:bit. QEMU
 * calls it microbit.
 * SPDX-License-Identifier: MIT
 *
 * Nothing ticks: a timer counts microseconds, and interrupts when the station
 * or the world is next in need of it. It stands for the ADC and the watchdog
 * too. The world is played by its interrupt, the lowest in priority: it pends
 * the interrupt of the peripheral that it stands for, and that comes in the
 * middle of it.
 *
 * What comes to the UART is heard too; with BOARD_TALKS nobody else types.
 */
#include "cortex_m.h"

#define UART_START_RECEIVING AT(0x40002000)
#define UART_START_SENDING AT(0x40002008)
#define UART_RECEIVED AT(0x40002108)
#define UART_SENT AT(0x4000211C)
#define UART_ENABLE_INTERRUPTS AT(0x40002304)
#define UART_ENABLE AT(0x40002500)
#define UART_PIN_SENDING AT(0x4000250C)
#define UART_PIN_RECEIVING AT(0x40002514)
#define UART_INPUT AT(0x40002518)
#define UART_OUTPUT AT(0x4000251C)
#define UART_BAUD AT(0x40002524)
#define TIMER_START AT(0x40008000)
#define TIMER_CAPTURE(channel) AT(0x40008040 + 4 * (channel))
#define TIMER_COMPARED(channel) AT(0x40008140 + 4 * (channel))
#define TIMER_ENABLE_INTERRUPTS AT(0x40008304)
#define TIMER_WIDTH AT(0x40008508)
#define TIMER_PRESCALER AT(0x40008510)
#define TIMER_AT(channel) AT(0x40008540 + 4 * (channel))
#define CLOCKS_START AT(0x40009000)
#define CLOCKS_CAPTURE AT(0x40009040)
#define CLOCKS_PRESCALER AT(0x40009510)
#define CLOCKS_AT AT(0x40009540)
#define PINS_SET AT(0x50000508)
#define PINS_CLEAR AT(0x5000050C)
#define PINS_ARE_OUTPUTS AT(0x50000518)
#define PRIORITY_OF_TIMER AT(0xE000E408)

enum { ALARM, ADC, WATCHDOG, COUNT }; /* the timer's channels */

enum {
    ROW_1 = 1 << 13,   /* high, and */
    COLUMN_1 = 1 << 4, /* low: a lamp is lit */
    UART_INTERRUPT = 2,
    SENSOR_INTERRUPT = 3, /* on I2C */
    BUTTON_INTERRUPT = 6,
    ADC_INTERRUPT = 7,
    TIMER_INTERRUPT = 8,
    CONVERSION_US = 68
};

/* No alarm is farther away: the timer goes round in 71 minutes. */
#define LONGEST_MS 1000000u

#include "cortex_m_world.h" /* by these numbers */

const char board_name[] = "cortex-m0";

/* ---- time --------------------------------------------------------------- */

static uint32_t counted_ms; /* since the start, when the timer was at */
static uint32_t counted_us;

/* With interrupts off. */
static uint32_t timer_us(void)
{
    TIMER_CAPTURE(COUNT) = 1;
    return TIMER_AT(COUNT);
}

static uint32_t since_start(void)
{
    uint32_t were = interrupts_off();
    uint32_t now, ms = (timer_us() - counted_us) / 1000;

    counted_us += ms * 1000;
    now = counted_ms += ms;
    interrupts_were(were);
    return now;
}

/* Has the timer interrupt at `ms`, or soon if that is over. */
static void set_alarm(uint32_t ms)
{
    uint32_t were = interrupts_off(), us = counted_us;

    if (ms > counted_ms)
        us += 1000 *
              (ms - counted_ms < LONGEST_MS ? ms - counted_ms : LONGEST_MS);
    TIMER_AT(ALARM) = us;
    if ((int32_t)(us - timer_us()) <= 0) /* too late for a comparison */
        interrupt_pend(TIMER_INTERRUPT);
    interrupts_were(were);
}

/* ---- interrupts --------------------------------------------------------- */

static void uart_handler(void)
{
    typed_handler();
    while (UART_RECEIVED) {
        UART_RECEIVED = 0;
        station_received((char)UART_INPUT);
    }
}

static void timer_handler(void)
{
    TIMER_COMPARED(ALARM) = 0;
    if (TIMER_COMPARED(WATCHDOG))
        bite();
    if (TIMER_COMPARED(ADC)) {
        TIMER_COMPARED(ADC) = 0;
        if (converting) /* and not what another round of the timer has met */
            interrupt_pend(ADC_INTERRUPT);
        converting = 0;
    }
    world_play(since_start());
    set_alarm(world_next());
}

void (*const interrupts[])(void) VECTORS(board) = {
    0,
    0,
    uart_handler, /* 2 */
    sensor_handler,
    0,
    0,
    station_button_changed, /* 6 */
    adc_handler,
    timer_handler,
};

/* ---- for the station ---------------------------------------------------- */

async_time board_now(void)
{
    return BOARD_FIRST_TICK + since_start();
}

static uint32_t asleep_ms, asleep_us;

void board_sleep(async_time ticks)
{
    uint32_t until, before, us;

    (void)interrupts_off();
    if (station_poked() || !ticks) {
        interrupts_on();
        return;
    }
    until = since_start() + (ticks < LONGEST_MS ? ticks : LONGEST_MS);
    set_alarm(world_next() < until ? world_next() : until);
    before = timer_us();
    wait_for_interrupt();
    us = timer_us() - before;
    interrupts_on();
    asleep_us += us;
    if (asleep_us >= LONGEST_MS * 1000) { /* no division here */
        asleep_us -= LONGEST_MS * 1000;
        asleep_ms += LONGEST_MS;
    }
}

uint32_t board_asleep_ms(void)
{
    return asleep_ms + asleep_us / 1000;
}

void board_put(char c)
{
    UART_SENT = 0;
    UART_OUTPUT = (unsigned char)c;
    while (!UART_SENT)
        ;
}

void board_led(int on)
{
    if (on)
        PINS_SET = ROW_1;
    else
        PINS_CLEAR = ROW_1;
}

void board_adc_start(void)
{
    uint32_t were = interrupts_off();

    converted = world_adc(since_start());
    converting = 1;
    TIMER_AT(ADC) = timer_us() + CONVERSION_US;
    interrupts_were(were);
}

void board_sensor_ask(void)
{
    uint32_t were = interrupts_off();

    world_ask(since_start());
    set_alarm(world_next());
    interrupts_were(were);
}

void board_watchdog_feed(void)
{
    uint32_t were = interrupts_off();

    TIMER_AT(WATCHDOG) = timer_us() + BOARD_WATCHDOG_MS * 1000;
    interrupts_were(were);
}

/* By a timer that runs from the first call on. */
uint32_t board_clocks(void)
{
    static int runs;

    if (!runs) {
        CLOCKS_PRESCALER = 0; /* 16 MHz */
        CLOCKS_START = 1;
        runs = 1;
    }
    CLOCKS_CAPTURE = 1;
    return CLOCKS_AT;
}

int main(void)
{
    PINS_CLEAR = ROW_1 | COLUMN_1;
    PINS_ARE_OUTPUTS = ROW_1 | COLUMN_1;
    UART_PIN_SENDING = 24;
    UART_PIN_RECEIVING = 25;
    UART_BAUD = 0x01D7E000; /* 115200 */
    UART_ENABLE = 4;
    UART_START_SENDING = 1;
    UART_ENABLE_INTERRUPTS = 4; /* what has been received */
    UART_START_RECEIVING = 1;
    TIMER_WIDTH = 3;     /* 32 bits */
    TIMER_PRESCALER = 4; /* 1 MHz */
    TIMER_ENABLE_INTERRUPTS =
        1 << (16 + ALARM) | 1 << (16 + ADC) | 1 << (16 + WATCHDOG);
    PRIORITY_OF_TIMER = 0xC0;
    interrupt_enable(UART_INTERRUPT);
    interrupt_enable(SENSOR_INTERRUPT);
    interrupt_enable(BUTTON_INTERRUPT);
    interrupt_enable(ADC_INTERRUPT);
    interrupt_enable(TIMER_INTERRUPT);
    station_start();
    board_watchdog_feed();
    TIMER_START = 1;
    set_alarm(world_next());
    for (;;)
        station_step();
}
