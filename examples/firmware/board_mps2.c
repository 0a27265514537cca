/* board_mps2.c: a Cortex-M3 at 25 MHz, as on ARM's MPS2 with application note
 * 385. QEMU calls it mps2-an385.
 * SPDX-License-Identifier: MIT
 *
 * SysTick ticks every ms, also while the processor sleeps; the UART, the
 * watchdog and the lamp are the board's. The world is played by the tick's
 * interrupt, the lowest in priority: it pends the interrupt of the peripheral
 * that it stands for, and that comes in the middle of it.
 *
 * In QEMU a periodic timer that expires while the processor sleeps is wound up
 * again before its interrupt is seen; with -icount sleep=off the clock then
 * jumps to the next expiry at once, and every other tick is lost. So a second
 * timer, without an interrupt, expires right after each tick.
 *
 * What comes to the UART is heard too; with BOARD_TALKS nobody else types.
 */
#include "cortex_m.h"

#define TIMER_CONTROL AT(0x40000000)
#define TIMER_COUNT AT(0x40000004)
#define TIMER_RELOAD AT(0x40000008)
#define UART_DATA AT(0x40004000)
#define UART_STATE AT(0x40004004)
#define UART_CONTROL AT(0x40004008)
#define UART_CLEAR AT(0x4000400C)
#define UART_DIVIDER AT(0x40004010)
#define WATCHDOG_LOAD AT(0x40008000)
#define WATCHDOG_CONTROL AT(0x40008008)
#define WATCHDOG_CLEAR AT(0x4000800C)
#define LAMPS AT(0x40028000)
#define SYSTICK_CONTROL AT(0xE000E010)
#define SYSTICK_RELOAD AT(0xE000E014)
#define SYSTICK_COUNT AT(0xE000E018) /* down to 0, once a clock */
#define SYSTICK_PRIORITY AT(0xE000ED20)

enum {
    CLOCKS_PER_MS = 25000,
    UART_IS_FULL = 1,
    UART_HAS_RECEIVED = 2,
    UART_INTERRUPT = 0,
    BUTTON_INTERRUPT = 6, /* on port 0 */
    SENSOR_INTERRUPT = 7, /* on port 1 */
    ADC_INTERRUPT = 11    /* on SPI */
};

#include "cortex_m_world.h" /* by these numbers */

const char board_name[] = "cortex-m3";

/* ---- interrupts --------------------------------------------------------- */

static void uart_handler(void)
{
    typed_handler();
    UART_CLEAR = UART_HAS_RECEIVED;
    while (UART_STATE & UART_HAS_RECEIVED)
        station_received((char)UART_DATA);
}

void (*const interrupts[])(void) VECTORS(board) = {
    uart_handler, /* 0 */
    0,
    0,
    0,
    0,
    0,
    station_button_changed, /* 6 */
    sensor_handler,
    0,
    0,
    0,
    adc_handler, /* 11 */
};

static volatile async_time now = BOARD_FIRST_TICK;

static uint32_t since_start(void)
{
    return now - BOARD_FIRST_TICK;
}

void systick_handler(void)
{
    now++;
    world_play(since_start());
    if (converting) { /* it takes up to a tick */
        converting = 0;
        interrupt_pend(ADC_INTERRUPT);
    }
}

/* The watchdog's first bite is an interrupt that nothing holds off. */
void nmi_handler(void)
{
    bite();
}

/* ---- for the station ---------------------------------------------------- */

async_time board_now(void)
{
    return now;
}

static uint32_t asleep_ms, asleep_clocks;

void board_sleep(async_time ticks)
{
    async_time start = now;

    while (now - start < ticks) {
        uint32_t before;

        (void)interrupts_off();
        if (station_poked()) {
            interrupts_on();
            return;
        }
        before = SYSTICK_COUNT;
        wait_for_interrupt();
        asleep_clocks +=
            (before + CLOCKS_PER_MS - SYSTICK_COUNT) % CLOCKS_PER_MS;
        interrupts_on();
        if (asleep_clocks >= CLOCKS_PER_MS) {
            asleep_clocks -= CLOCKS_PER_MS;
            asleep_ms++;
        }
    }
}

uint32_t board_asleep_ms(void)
{
    return asleep_ms;
}

void board_put(char c)
{
    while (UART_STATE & UART_IS_FULL)
        ;
    UART_DATA = (unsigned char)c;
}

void board_led(int on)
{
    LAMPS = on ? 1 : 0;
}

void board_adc_start(void)
{
    uint32_t were = interrupts_off();

    converted = world_adc(since_start());
    converting = 1;
    interrupts_were(were);
}

void board_sensor_ask(void)
{
    uint32_t were = interrupts_off();

    world_ask(since_start());
    interrupts_were(were);
}

void board_watchdog_feed(void)
{
    WATCHDOG_CLEAR = 1;
}

/* Right in a task; in an interrupt, up to a tick too few. */
uint32_t board_clocks(void)
{
    uint32_t ms, count;

    do {
        ms = since_start();
        count = SYSTICK_COUNT;
    } while (ms != since_start());
    return ms * CLOCKS_PER_MS + (CLOCKS_PER_MS - 1) - count;
}

int main(void)
{
    UART_DIVIDER = 217;       /* 115200 baud */
    UART_CONTROL = 1 | 2 | 8; /* sends, receives, with an interrupt */
    WATCHDOG_LOAD = BOARD_WATCHDOG_MS * CLOCKS_PER_MS;
    WATCHDOG_CONTROL = 1; /* bites */
    SYSTICK_RELOAD = CLOCKS_PER_MS - 1;
    SYSTICK_COUNT = 0;
    SYSTICK_PRIORITY = 0xFF000000;
    interrupt_enable(UART_INTERRUPT);
    interrupt_enable(BUTTON_INTERRUPT);
    interrupt_enable(SENSOR_INTERRUPT);
    interrupt_enable(ADC_INTERRUPT);
    station_start();
    TIMER_RELOAD = CLOCKS_PER_MS - 1;
    TIMER_COUNT = CLOCKS_PER_MS - 1;
    SYSTICK_CONTROL = 7; /* counts the processor's clock, with an interrupt */
    TIMER_CONTROL = 1;   /* counts too: for QEMU, see above */
    for (;;)
        station_step();
}
