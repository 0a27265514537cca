/* board_virt.c: QEMU's RISC-V machine, virt, as a board of 32 bits.
 * SPDX-License-Identifier: MIT
 *
 * No tick: the one timer interrupt comes at the deadline that the station
 * sleeps until, when something happens around it, or when the watchdog bites.
 * It plays world.c in place of what the machine has not, and what it plays
 * arrives by interrupts of their own: a byte through the UART's loop-back mode,
 * the rest as the software interrupt.
 *
 * With -DBOARD_TALKS the bytes are those that somebody types instead.
 */
#include "board.h"
#include "world.h"

#ifdef __cplusplus
extern "C" {
#endif

void stop(int status); /* start_virt.c's; and from there: */
void software_handler(void);
void timer_handler(void);
void external_handler(void);

#ifdef __cplusplus
}
#endif

const char board_name[] = "rv32";

/* ---- the machine -------------------------------------------------------- */

#define WORD(address) (*(volatile uint32_t *)(address))
#define BYTE(address) (*(volatile uint8_t *)(address))

/* The core's own interrupts */
#define MSIP WORD(0x02000000)
#define MTIMECMP WORD(0x02004000)
#define MTIMECMP_HIGH WORD(0x02004004)
#define MTIME WORD(0x0200BFF8)
#define MTIME_HIGH WORD(0x0200BFFC)
enum { TIMES_PER_MS = 10000 }; /* it counts 10 MHz */

/* The interrupt controller, as the first core sees it */
#define PLIC_PRIORITY(source) WORD(0x0C000000 + 4 * (source))
#define PLIC_ENABLE WORD(0x0C002000)
#define PLIC_CLAIM WORD(0x0C200004)
enum { UART_SOURCE = 10 };

/* The UART, a 16550 */
#define UART_DATA BYTE(0x10000000)
#define UART_IER BYTE(0x10000001)
#define UART_FCR BYTE(0x10000002)
#define UART_MCR BYTE(0x10000004)
#define UART_LSR BYTE(0x10000005)
enum { IER_RECEIVED = 1, FCR_ON = 1, MCR_LOOP = 16 };
enum { LSR_RECEIVED = 1, LSR_ROOM = 32 };

enum { MIE_SOFTWARE = 1 << 3, MIE_TIMER = 1 << 7, MIE_EXTERNAL = 1 << 11 };
enum { MSTATUS_MIE = 1 << 3 };

static inline uint32_t interrupts_off(void)
{
    uint32_t were;

    __asm__ volatile("csrrci %0, mstatus, %1"
                     : "=r"(were)
                     : "i"(MSTATUS_MIE)
                     : "memory");
    return were & MSTATUS_MIE;
}

static inline void interrupts_as_they(uint32_t were)
{
    __asm__ volatile("csrs mstatus, %0" : : "r"(were) : "memory");
}

/* ---- shared with interrupts, which are off meanwhile -------------------- */

enum { CHANGED = 1, CONVERTED = 2, ANSWERED = 4 };

static uint8_t pending; /* what the software interrupt is about */
static uint16_t conversion;
static int16_t answer;
static uint64_t deadline = UINT64_MAX; /* the station sleeps until then */
static uint64_t fed;                   /* when the watchdog was */

static void pend(int what)
{
    pending = (uint8_t)(pending | what);
    MSIP = 1;
}

/* ---- time --------------------------------------------------------------- */

static uint64_t asleep;

static uint64_t now(void)
{
    uint32_t high, low;

    do {
        high = MTIME_HIGH;
        low = MTIME;
    } while (high != MTIME_HIGH);
    return (uint64_t)high << 32 | low;
}

static uint32_t ms(void)
{
    return (uint32_t)(now() / TIMES_PER_MS);
}

static uint64_t bite(void)
{
    return fed + (uint64_t)BOARD_WATCHDOG_MS * TIMES_PER_MS;
}

/* Sets the timer to what comes first. With interrupts off. */
static void arm(void)
{
    uint64_t first = bite(), next = (uint64_t)world_next() * TIMES_PER_MS;

    if (next < first)
        first = next;
    if (deadline < first)
        first = deadline;
    MTIMECMP_HIGH = UINT32_MAX; /* no time in between is too early */
    MTIMECMP = (uint32_t)first;
    MTIMECMP_HIGH = (uint32_t)(first >> 32);
}

async_time board_now(void)
{
    return (async_time)(ms() + BOARD_FIRST_TICK);
}

void board_sleep(async_time ticks)
{
    uint32_t were = interrupts_off();
    uint64_t begun = now();

    if (!station_poked()) {
        if (ticks != ASYNC_FOREVER)
            deadline = (begun / TIMES_PER_MS + ticks) * TIMES_PER_MS;
        arm();
        __asm__ volatile("wfi" : : : "memory"); /* also ended by those off */
        asleep += now() - begun;
    }
    interrupts_as_they(were);
}

uint32_t board_asleep_ms(void)
{
    return (uint32_t)(asleep / TIMES_PER_MS);
}

void board_watchdog_feed(void)
{
    uint32_t were = interrupts_off();

    fed = now(); /* the timer, set for the old bite, finds none */
    interrupts_as_they(were);
}

/* ---- inputs and outputs ------------------------------------------------- */

static volatile uint8_t led, button; /* there is no lamp: for a debugger */

void board_put(char c)
{
    while (!(UART_LSR & LSR_ROOM))
        continue;
    UART_DATA = (uint8_t)c;
}

void board_led(int on)
{
    led = on != 0;
}

int board_button(void)
{
    return button;
}

/* It takes no time, so the interrupt comes before this returns. */
void board_adc_start(void)
{
    uint32_t were = interrupts_off();

    conversion = world_adc(ms());
    pend(CONVERTED);
    interrupts_as_they(were);
}

void board_sensor_ask(void)
{
    uint32_t were = interrupts_off();

    world_ask(ms());
    arm();
    interrupts_as_they(were);
}

/* What is written in loop-back mode is received. */
void world_typed(char c)
{
#ifdef BOARD_TALKS
    (void)c;
#else
    UART_MCR = MCR_LOOP;
    UART_DATA = (uint8_t)c;
    UART_MCR = 0;
#endif
}

void world_pressed(int is)
{
    button = is != 0;
    pend(CHANGED);
}

void world_answered(int16_t tenths_of_c)
{
    answer = tenths_of_c;
    pend(ANSWERED);
}

/* ---- interrupts --------------------------------------------------------- */

__attribute__((interrupt)) void timer_handler(void)
{
    const char *c;

    world_play(ms());
    if (now() >= bite()) {
        for (c = "reset by the watchdog\n"; *c; c++)
            board_put(*c);
        stop(0);
    }
    deadline = UINT64_MAX; /* who slept is awake, and will say it anew */
    arm();
}

__attribute__((interrupt)) void software_handler(void)
{
    uint8_t happened = pending;

    MSIP = 0;
    pending = 0;
    if (happened & CHANGED)
        station_button_changed();
    if (happened & CONVERTED)
        station_adc_done(conversion);
    if (happened & ANSWERED)
        station_sensor_answered(answer);
}

/* The UART's. */
__attribute__((interrupt)) void external_handler(void)
{
    uint32_t source = PLIC_CLAIM;

    while (UART_LSR & LSR_RECEIVED)
        station_received((char)UART_DATA);
    PLIC_CLAIM = source;
}

int main(void)
{
    UART_FCR = FCR_ON;
    UART_IER = IER_RECEIVED;
    PLIC_PRIORITY(UART_SOURCE) = 1;
    PLIC_ENABLE = 1 << UART_SOURCE;
    arm();
    __asm__ volatile("csrw mie, %0"
                     :
                     : "r"(MIE_SOFTWARE | MIE_TIMER | MIE_EXTERNAL));
    station_start();
    interrupts_as_they(MSTATUS_MIE);
    for (;;)
        station_step();
}
