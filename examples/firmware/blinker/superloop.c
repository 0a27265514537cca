/* The blinker by hand: ifs and timestamps.
 * SPDX-License-Identifier: MIT
 */
#include "blinker.h"

static unsigned char pace, red_is_on, green_is_on;
static unsigned red_due, green_due;
static unsigned char is_down, is_counted, may_bounce;
static unsigned button_due;

static void blink_red(void)
{
    if (!reached(red_due))
        return;
    red_is_on = !red_is_on;
    if (red_is_on)
        set(RED);
    else
        clear(RED);
    red_due = now() + (RED_TICKS >> pace);
}

static void blink_green(void)
{
    if (!reached(green_due))
        return;
    green_is_on = !green_is_on;
    if (green_is_on) {
        set(GREEN);
        green_due = now() + ON_TICKS;
    } else {
        clear(GREEN);
        green_due = now() + (OFF_TICKS >> pace);
    }
}

static void watch_button(void)
{
    if (may_bounce) {
        if (!reached(button_due))
            return;
        may_bounce = 0;
        if (is_down && !pressed())
            is_down = 0; /* noise */
        button_due = now() + LONG_TICKS;
    }
    if (!is_down && pressed()) {
        is_down = may_bounce = 1;
        is_counted = 0;
        button_due = now() + BOUNCE_TICKS;
        return;
    }
    if (is_down && !is_counted && (!pressed() || reached(button_due))) {
        pace = pressed() || pace == QUICKEST ? 0 : pace + 1;
        is_counted = 1;
    }
    if (is_down && is_counted && !pressed()) {
        is_down = 0;
        may_bounce = 1;
        button_due = now() + BOUNCE_TICKS;
    }
}

int main(void)
{
    red_due = green_due = now();
    for (;;) {
        blink_red();
        blink_green();
        watch_button();
        sleep_for(1);
    }
}
