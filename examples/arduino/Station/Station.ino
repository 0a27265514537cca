/* Station: a sensor node that sleeps between events, on an Arduino Uno.
 * SPDX-License-Identifier: MIT
 *
 * Six tasks, the same as on every board: examples/firmware/station.c. This is
 * what they need of a board, by the Arduino core where that has it. Open the
 * serial monitor at 115200 baud and type: help.
 *
 *     13     the LED
 *     4      the button, to ground
 *     A0     what the ADC measures
 *     5      asks the sensor while it is low
 *     3      the sensor's answer is ready when it rises
 *     6, 7   its clock and its data: 16 bits, the highest first
 */
#include <async_loop.h>

#include <avr/sleep.h>
#include <avr/wdt.h>
#include <examples/firmware/board.h>
#include <examples/firmware/start_avr.c> /* how the run ends */

enum { READY = 3, BUTTON = 4, ASK = 5, CLOCK = 6, DATA = 7 };

const char board_name[] = "Arduino Uno";

/* ---- time --------------------------------------------------------------- */

static uint32_t asleep_ms, asleep_us; /* with the handlers that ended it */

async_time board_now()
{
    return (async_time)(BOARD_FIRST_TICK + millis());
}

/* The core's timer interrupts the sleep once a ms. */
void board_sleep(async_time ticks)
{
    async_time start = board_now();

    for (;;) {
        uint32_t from;

        cli();
        while (Serial.available()) /* the core has taken that interrupt */
            station_received((char)Serial.read());
        if (station_poked() || (async_time)(board_now() - start) >= ticks)
            break;
        from = micros();
        sei();
        sleep_cpu(); /* no interrupt comes in between */
        asleep_us += micros() - from;
    }
    sei();
    asleep_ms += asleep_us / 1000;
    asleep_us %= 1000;
}

uint32_t board_asleep_ms()
{
    return asleep_ms;
}

void board_watchdog_feed()
{
    wdt_reset();
}

/* ---- peripherals -------------------------------------------------------- */

void board_put(char c)
{
    Serial.write(c);
}

void board_led(int on)
{
    digitalWrite(LED_BUILTIN, on);
}

int board_button()
{
    return !digitalRead(BUTTON);
}

ISR(PCINT2_vect)
{
    station_button_changed();
}

/* analogRead() would wait for it. */
void board_adc_start()
{
    ADMUX = _BV(REFS0);
    ADCSRA |= _BV(ADSC) | _BV(ADIE);
}

ISR(ADC_vect)
{
    station_adc_done(ADC);
}

void board_sensor_ask()
{
    digitalWrite(ASK, HIGH); /* no longer for what it has not answered */
    digitalWrite(ASK, LOW);
}

static void sensor_ready()
{
    uint8_t high = shiftIn(DATA, CLOCK, MSBFIRST);
    uint8_t low = shiftIn(DATA, CLOCK, MSBFIRST);

    digitalWrite(ASK, HIGH);
    station_sensor_answered((int16_t)((uint16_t)high << 8 | low));
}

/* ---- the sketch --------------------------------------------------------- */

void setup()
{
    uint8_t reset = MCUSR;

    MCUSR = 0;
    wdt_disable(); /* it goes on biting, every 16 ms */
    Serial.begin(115200);
    if (reset & _BV(WDRF)) { /* a bootloader may have cleared it */
        Serial.print("reset by the watchdog\n");
        Serial.flush();
        exit(0);
    }

    pinMode(LED_BUILTIN, OUTPUT);
    pinMode(BUTTON, INPUT_PULLUP);
    *digitalPinToPCMSK(BUTTON) |= bit(digitalPinToPCMSKbit(BUTTON));
    *digitalPinToPCICR(BUTTON) |= bit(digitalPinToPCICRbit(BUTTON));
    digitalWrite(ASK, HIGH);
    pinMode(ASK, OUTPUT);
    pinMode(CLOCK, OUTPUT);
    attachInterrupt(digitalPinToInterrupt(READY), sensor_ready, RISING);
    set_sleep_mode(SLEEP_MODE_IDLE);
    sleep_enable();
    wdt_enable(WDTO_2S);
    station_start();
}

void loop()
{
    station_step();
}
