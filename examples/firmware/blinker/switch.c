/* The blinker by hand: a state machine a task.
 * SPDX-License-Identifier: MIT
 */
#include "blinker.h"

struct task {
    unsigned char state;
    unsigned due;
};

static unsigned char pace;

/* A state that cannot be: until the watchdog bites. */
static void stop(void)
{
    for (;;)
        continue;
}

static void blink_red(void)
{
    enum { START, ON, OFF };
    static struct task red;

    switch (red.state) {
    case OFF:
        if (!reached(red.due))
            break;
        /* fall through */
    case START:
        set(RED);
        red.due = now() + (RED_TICKS >> pace);
        red.state = ON;
        break;
    case ON:
        if (!reached(red.due))
            break;
        clear(RED);
        red.due = now() + (RED_TICKS >> pace);
        red.state = OFF;
        break;
    default:
        stop();
    }
}

static void blink_green(void)
{
    enum { START, ON, OFF };
    static struct task green;

    switch (green.state) {
    case OFF:
        if (!reached(green.due))
            break;
        /* fall through */
    case START:
        set(GREEN);
        green.due = now() + ON_TICKS;
        green.state = ON;
        break;
    case ON:
        if (!reached(green.due))
            break;
        clear(GREEN);
        green.due = now() + (OFF_TICKS >> pace);
        green.state = OFF;
        break;
    default:
        stop();
    }
}

static void watch_button(void)
{
    enum { UP, GOES_DOWN, DOWN, COUNTED, GOES_UP };
    static struct task button;

    switch (button.state) {
    case GOES_UP:
        if (!reached(button.due))
            break;
        button.state = UP;
        /* fall through */
    case UP:
        if (!pressed())
            break;
        button.due = now() + BOUNCE_TICKS;
        button.state = GOES_DOWN;
        break;
    case GOES_DOWN:
        if (!reached(button.due))
            break;
        button.due = now() + LONG_TICKS;
        button.state = pressed() ? DOWN : UP; /* or it was noise */
        break;
    case DOWN:
        if (pressed() && !reached(button.due))
            break;
        pace = pressed() || pace == QUICKEST ? 0 : pace + 1;
        button.state = COUNTED;
        /* fall through */
    case COUNTED:
        if (pressed())
            break;
        button.due = now() + BOUNCE_TICKS;
        button.state = GOES_UP;
        break;
    default:
        stop();
    }
}

int main(void)
{
    for (;;) {
        blink_red();
        blink_green();
        watch_button();
        sleep_for(1);
    }
}
