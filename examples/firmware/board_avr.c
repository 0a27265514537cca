/* board_avr.c: the station's board, an ATmega328P at 16 MHz, as on an Arduino
 * Uno.
 * SPDX-License-Identifier: MIT
 *
 *     PD0, PD1  the UART, 115200 baud
 *     PB5       the LED
 *     PD4       the button, to ground
 *     PC0       what the ADC measures, 0 to 5 V
 *     PD5       asks the sensor while it is low
 *     PD3       the sensor's answer is ready when it rises
 *     PD6, PD7  its clock and its data: 16 bits, the highest first, each valid
 *               after the clock has risen
 *
 * Timer 0 interrupts once a tick and counts 250 steps of 4 us in between. To
 * run it without a board: simavr.c.
 */
#include "board.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <avr/wdt.h>

enum { LED = _BV(PB5) };
enum { READY = _BV(PD3), BUTTON = _BV(PD4), ASK = _BV(PD5) };
enum { CLOCK = _BV(PD6), DATA = _BV(PD7) };
enum { STEPS = 250 };

const char board_name[] = "ATmega328P";

/* ---- time --------------------------------------------------------------- */

static volatile async_time ticks = BOARD_FIRST_TICK;
static uint32_t asleep_ms;
static uint8_t asleep_steps; /* on top of that, less than STEPS */

ISR(TIMER0_COMPA_vect)
{
    ticks++;
}

async_time board_now(void)
{
    uint8_t interrupts = SREG;
    async_time now;

    cli(); /* it is read in two halves */
    now = ticks;
    SREG = interrupts;
    return now;
}

/* Until the next interrupt. They are off, and off again when it returns. What
 * its handler takes counts as sleep, but for the tick's. */
static void sleep_once(void)
{
    async_time before = ticks;
    uint8_t from = TCNT0 + 1, to; /* the step that has begun does not count */
    uint16_t steps;

    sei();
    sleep_cpu(); /* no interrupt comes between sei and the next instruction */
    to = TCNT0 + 1; /* simavr lets an interrupt in here, and not before */
    cli();
    if (ticks != before || to < from)
        to = STEPS; /* a tick ended it */
    steps = (uint16_t)(asleep_steps + to - from);
    if (steps >= STEPS) {
        steps = (uint16_t)(steps - STEPS);
        asleep_ms++;
    }
    asleep_steps = (uint8_t)steps;
}

void board_sleep(async_time for_ticks)
{
    async_time start;

    cli();
    start = ticks;
    while (!station_poked() && (async_time)(ticks - start) < for_ticks)
        sleep_once();
    sei();
}

uint32_t board_asleep_ms(void)
{
    return asleep_ms;
}

void board_watchdog_feed(void)
{
    wdt_reset();
}

/* ---- peripherals -------------------------------------------------------- */

void board_put(char c)
{
    while (!(UCSR0A & _BV(UDRE0)))
        continue;
    UDR0 = (uint8_t)c;
}

void board_led(int on)
{
    if (on)
        PORTB |= LED;
    else
        PORTB &= (uint8_t)~LED;
}

int board_button(void)
{
    return !(PIND & BUTTON);
}

void board_adc_start(void)
{
    ADCSRA |= _BV(ADSC);
}

void board_sensor_ask(void)
{
    PORTD |= ASK; /* no longer for what it has not answered */
    PORTD &= (uint8_t)~ASK;
}

ISR(USART_RX_vect)
{
    station_received((char)UDR0);
}

ISR(PCINT2_vect)
{
    station_button_changed();
}

ISR(ADC_vect)
{
    station_adc_done(ADC);
}

ISR(INT1_vect)
{
    uint16_t value = 0;
    uint8_t i;

    for (i = 0; i < 16; i++) {
        PORTD |= CLOCK;
        value = (uint16_t)(value << 1 | (PIND & DATA ? 1 : 0));
        PORTD &= (uint8_t)~CLOCK;
    }
    PORTD |= ASK;
    station_sensor_answered((int16_t)value);
}

/* ---- start -------------------------------------------------------------- */

static void uart_start(void)
{
    UCSR0A = _BV(U2X0);
    UBRR0 = 16; /* 16 MHz / 8 / 17 is 2 % more than 115200 */
    UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
    UCSR0B = _BV(RXCIE0) | _BV(RXEN0) | _BV(TXEN0);
}

static void tell_of_reset(void)
{
    const char *c;

    for (c = "reset by the watchdog\n"; *c; c++)
        board_put(*c);
    while (!(UCSR0A & _BV(TXC0)))
        continue;
}

int main(void)
{
    uint8_t reset = MCUSR;

    MCUSR = 0;
    wdt_disable(); /* it goes on biting, every 16 ms */
    uart_start();
    if (reset & _BV(WDRF)) {
        tell_of_reset();
        return 0;
    }

    DDRB = LED;
    PORTD = BUTTON | ASK;
    DDRD = ASK | CLOCK;
    PCMSK2 = BUTTON; /* its bits are PD's */
    PCICR = _BV(PCIE2);
    EICRA = _BV(ISC11) | _BV(ISC10);
    EIFR = _BV(INTF1); /* the change itself may be one */
    EIMSK = _BV(INT1);
    ADMUX = _BV(REFS0);
    ADCSRA = _BV(ADEN) | _BV(ADIE) | _BV(ADPS2) | _BV(ADPS1) | _BV(ADPS0);
    OCR0A = STEPS - 1;
    TCCR0A = _BV(WGM01);
    TCCR0B = _BV(CS01) | _BV(CS00);
    TIMSK0 = _BV(OCIE0A);
    set_sleep_mode(SLEEP_MODE_IDLE);
    sleep_enable();
    wdt_enable(WDTO_2S);

    station_start();
    sei();
    for (;;)
        station_step();
}
