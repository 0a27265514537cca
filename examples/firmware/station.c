/* station.c: a sensor node, six tasks on a board without an operating system.
 * SPDX-License-Identifier: MIT
 *
 * A heartbeat, a button, a sampler, a sensor that does not always answer, a
 * shell on the UART and the feeder of a watchdog. Between events the processor
 * sleeps. No heap, no C library; all memory is in this file. What a board gives
 * it is in board.h. On a computer, with a clock that jumps:
 *
 *     cc -Os -I. examples/firmware/station.c examples/firmware/board_host.c \
 *         examples/firmware/world.c -o station && ./station
 *
 * prints examples/firmware/station.out; the figures of `stats` and the bytes of
 * `ps` are the board's. tests/firmware/run runs it on the other boards.
 */
#ifndef ASYNC_SHORT_NAMES
#define ASYNC_SHORT_NAMES 1 /* in C++ too */
#endif
#include "async_gather.h" /* timeouts, retries */
#include "board.h"        /* and async_loop.h */

enum {
    SECOND_MS = 1000,
    LED_MS = 50,     /* of each second */
    SETTLED_MS = 20, /* a button's level that lasted this long */
    SAMPLE_MS = 2000,
    CONVERSION_MS = 10, /* at the most */
    ANSWER_MS = 50,     /* at the most */
    TRIES = 3,
    BACK_OFF_MS = 100, /* then twice as long */
    WAIT_MS = 1000,    /* who waits for input is seen that often */
    FEED_MS = 500,
    GRACE_MS = 400, /* beyond it a task is late */
    MAX_PERIOD_S = 3600,
    MAX_LINE = 31
};

static struct async_loop loop;

/* ---- what interrupts share with tasks --------------------------------------
 * A flag is set by an interrupt and cleared by its task; each of the others is
 * written by one interrupt or by tasks, not by both. Bytes are read and written
 * at once on every processor: that is why an index is one, and a flag. All are
 * volatile, so what a compiler makes of them keeps its order: a value is there
 * before the flag that tells of it, a byte before the index that covers it. On
 * one processor that is enough, however its interrupts nest. */

static struct async_flag button_changed, converted, answered, received;
static volatile uint16_t conversion, answer;

/* A ring: its interrupt writes at `in`, the shell reads at `out`. One byte less
 * than its size fits in. */
enum { RING_SIZE = 64 }; /* a power of 2, at most 256 */
static volatile char ring[RING_SIZE];
static volatile uint8_t ring_in, ring_out;
static volatile uint16_t ring_lost; /* bytes that found it full */

static volatile uint8_t poked; /* what station_poked tells */

void station_button_changed(void)
{
    async_flag_set(&loop, &button_changed);
}

void station_adc_done(uint16_t value)
{
    conversion = value;
    async_flag_set(&loop, &converted);
}

void station_sensor_answered(int16_t tenths_of_c)
{
    answer = (uint16_t)tenths_of_c;
    async_flag_set(&loop, &answered);
}

void station_received(char c)
{
    uint8_t in = ring_in, next = (uint8_t)((in + 1) % RING_SIZE);

    if (next == ring_out) {
        ring_lost = (uint16_t)(ring_lost + 1);
    } else {
        ring[in] = c;
        ring_in = next;
    }
    async_flag_set(&loop, &received);
}

int station_poked(void)
{
    return poked;
}

/* The loop's host: by wakes, so in interrupts too. */
static void poke(void *arg)
{
    (void)arg;
    poked = 1;
}

/* An 8-bit core reads the halves one after the other, and an interrupt that
 * comes in between may change both: until two in a row are the same. */
static uint16_t read_16(const volatile uint16_t *from)
{
    uint16_t before, after = *from;

    do {
        before = after;
        after = *from;
    } while (before != after);
    return after;
}

/* Before the question is asked: an answer that came too late for the one
 * before does not pass for this one's. */
static void forget(struct async_flag *flag)
{
    static const struct async_flag not_set = {0};

    *flag = not_set;
}

/* ---- time, text ---------------------------------------------------------- */

/* Ticks wrap; this does not. The heartbeat keeps it. */
static uint32_t seconds;        /* since the start */
static async_time second_began; /* the last of them */
static async_time drift;        /* how late that was seen */

static void put_text(const char *text)
{
    while (*text)
        board_put(*text++);
}

/* At least `width` characters, from the right. */
static void put_number(uint32_t number, int width, char fill)
{
    char digits[10];
    int count = 0;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    for (; width > count; width--)
        board_put(fill);
    while (count)
        board_put(digits[--count]);
}

static void put_count(const char *name, uint32_t count, const char *unit)
{
    put_text(name);
    put_number(count, 0, ' ');
    put_text(unit);
}

static void put_tenths(const char *name, int32_t tenths, const char *unit)
{
    put_text(name);
    if (tenths < 0)
        board_put('-');
    tenths = tenths < 0 ? -tenths : tenths;
    put_count("", (uint32_t)tenths / 10, ".");
    put_count("", (uint32_t)tenths % 10, unit);
}

/* "[hours:minutes:seconds.tenths] " of this poll. */
static void put_time(void)
{
    async_time past = (async_time)(async_now(&loop) - second_began);
    uint32_t now = seconds + (uint32_t)(past / SECOND_MS);

    board_put('[');
    put_number(now / 3600, 2, '0');
    board_put(':');
    put_number(now / 60 % 60, 2, '0');
    board_put(':');
    put_number(now % 60, 2, '0');
    put_count(".", (uint32_t)(past % SECOND_MS) / 100, "] ");
}

/* ---- averages ------------------------------------------------------------ */

enum { AVERAGE_OF = 8 };

/* Of the last few values. All-zero: none yet. */
struct average {
    int16_t values[AVERAGE_OF];
    uint8_t next, count;
};

static void average_add(struct average *average, int16_t value)
{
    average->values[average->next] = value;
    average->next = (uint8_t)((average->next + 1) % AVERAGE_OF);
    if (average->count < AVERAGE_OF)
        average->count++;
}

static int16_t average_of(const struct average *average)
{
    int32_t sum = 0;
    int i;

    for (i = 0; i < average->count; i++)
        sum += average->values[i];
    return (int16_t)(average->count ? sum / average->count : 0);
}

/* ---- the tasks' signs of life -------------------------------------------- */

enum { HEARTBEAT, BUTTON, SAMPLER, SENSOR, SHELL, FEEDER, TASKS };

static const struct {
    const char *name;
    uint16_t limit_ms; /* between two rounds */
} tasks[TASKS] = {
    {"heartbeat", SECOND_MS + GRACE_MS}, {"button", WAIT_MS + GRACE_MS},
    {"sampler", SAMPLE_MS + GRACE_MS},   {"sensor", SECOND_MS + GRACE_MS},
    {"shell", WAIT_MS + GRACE_MS},       {"feeder", FEED_MS + GRACE_MS},
};

static struct life {
    struct async_task task;
    uint16_t bytes; /* task and frame */
    uint32_t rounds;
    async_time seen; /* in its last round */
    async_time late; /* the most it was beyond its limit */
    uint8_t told_late;
} lives[TASKS];

/* How far it is beyond its limit now, in ms. */
static async_time late_by(int task)
{
    async_time since = (async_time)(async_now(&loop) - lives[task].seen);
    uint16_t limit_ms = tasks[task].limit_ms;

    return since > limit_ms ? (async_time)(since - limit_ms) : 0;
}

/* How far it was at the worst. */
static async_time latest(int task)
{
    async_time late = late_by(task);

    return late > lives[task].late ? late : lives[task].late;
}

/* By each task, in each round. */
static void round_of(int task)
{
    lives[task].late = latest(task);
    lives[task].seen = async_now(&loop);
    lives[task].rounds++;
}

/* ---- heartbeat ----------------------------------------------------------- */

static struct heartbeat {
    struct async_frame async;
    struct async_ticker ticker;
} heartbeat_frame;

static async heartbeat(struct async_loop *loop, void *frame)
{
    struct heartbeat *self = (struct heartbeat *)frame;

    async_begin(self);
    self->ticker.late = ASYNC_BURST; /* no second is left out */
    second_began = async_now(loop);
    put_text("station on ");
    put_text(board_name);
    board_put('\n');
    for (;;) {
        await(async_every(loop, &self->ticker, SECOND_MS));
        seconds++;
        second_began = (async_time)(second_began + SECOND_MS);
        drift = (async_time)(async_now(loop) - second_began);
        round_of(HEARTBEAT);
        board_led(1);
        await(async_sleep_ms(loop, LED_MS));
        board_led(0);
    }
    async_end();
}

/* ---- button -------------------------------------------------------------- */

static struct button {
    struct async_frame async;
    struct async_timer timer;
    async_status status;
    uint16_t presses;
    uint8_t moves, level;
} button_frame;

static async button(struct async_loop *loop, void *frame)
{
    struct button *self = (struct button *)frame;

    async_begin(self);
    for (;;) {
        async_catch(self->status,
                    async_timeout(loop, &self->timer,
                                  self->moves ? SETTLED_MS : WAIT_MS,
                                  async_flag_wait(loop, &button_changed)));
        round_of(BUTTON);
        if (self->status > 0) {
            self->moves = 1;
        } else if (self->moves) {
            self->moves = 0;
            if (board_button() == self->level)
                continue;
            self->level = !self->level;
            if (self->level) {
                self->presses++;
                put_time();
                put_count("button pressed, ", self->presses, "\n");
            }
        }
    }
    async_end();
}

/* ---- sampler ------------------------------------------------------------- */

static struct average light;
static struct async_flag goes_on; /* after a hang: nobody sets it */
static uint8_t hangs;

static struct sampler {
    struct async_frame async;
    struct async_ticker ticker;
    struct async_timer timer;
    async_status status;
} sampler_frame;

static async sampler(struct async_loop *loop, void *frame)
{
    struct sampler *self = (struct sampler *)frame;

    async_begin(self);
    for (;;) {
        await(async_every(loop, &self->ticker, SAMPLE_MS));
        if (hangs)
            await(async_flag_wait(loop, &goes_on));
        forget(&converted);
        board_adc_start();
        async_catch(self->status,
                    async_timeout(loop, &self->timer, CONVERSION_MS,
                                  async_flag_wait(loop, &converted)));
        if (self->status > 0) {
            average_add(&light, (int16_t)read_16(&conversion));
        } else {
            put_time();
            put_text("the adc does not answer\n");
        }
        round_of(SAMPLER);
    }
    async_end();
}

/* ---- sensor -------------------------------------------------------------- */

static uint16_t period_s = 10; /* a setting */

static struct sensor {
    struct async_frame async;
    struct async_ticker ticker;
    struct async_timer timer;
    struct async_retry retry;
    struct average average;
    async_status status, goes_on;
    uint16_t waited_s, errors;
    uint8_t tries;
} sensor_frame;

static void sensor_report(struct sensor *self)
{
    int16_t temperature = (int16_t)read_16(&answer);

    put_time();
    if (self->status > 0) {
        average_add(&self->average, temperature);
        put_tenths("temp ", temperature, " C");
        put_tenths("  average ", average_of(&self->average), " C");
        put_count("  adc ", (uint16_t)average_of(&light), "");
    } else {
        self->errors++;
        put_text("the sensor does not answer");
    }
    put_count("  retries ", self->tries - 1u, "");
    put_count("  errors ", self->errors, "\n");
}

/* Waits second by second: the period may change meanwhile, and be longer than
 * a time of 16 bits. */
static async sensor(struct async_loop *loop, void *frame)
{
    struct sensor *self = (struct sensor *)frame;

    async_begin(self);
    self->retry.tries = TRIES;
    self->retry.first_ms = BACK_OFF_MS;
    self->retry.max_ms = 2 * BACK_OFF_MS;
    for (;;) {
        for (self->waited_s = 0; self->waited_s < period_s; self->waited_s++) {
            await(async_every(loop, &self->ticker, SECOND_MS));
            round_of(SENSOR);
        }
        self->tries = 0;
        do {
            self->tries++;
            forget(&answered);
            board_sensor_ask();
            async_catch(self->status,
                        async_timeout(loop, &self->timer, ANSWER_MS,
                                      async_flag_wait(loop, &answered)));
            async_catch(self->goes_on,
                        async_retry_wait(loop, &self->retry, self->status));
        } while (self->status < 0 && self->goes_on > 0);
        sensor_report(self);
    }
    async_end();
}

/* ---- shell --------------------------------------------------------------- */

static uint32_t polls;

static struct shell {
    struct async_frame async;
    struct async_timer timer;
    async_status status;
    uint16_t told_lost;
    uint8_t length;
    char line[MAX_LINE + 1];
} shell_frame;

static void do_ps(void)
{
    int task;
    const char *name;

    put_text("task        rounds  late ms  bytes\n");
    for (task = 0; task < TASKS; task++) {
        int width = 10;

        for (name = tasks[task].name; *name; width--)
            board_put(*name++);
        put_number(lives[task].rounds, width + 8, ' ');
        put_number((uint32_t)latest(task), 9, ' ');
        put_number(lives[task].bytes, 7, ' ');
        board_put('\n');
    }
}

/* part * scale / whole, in 32 bits. */
static uint32_t ratio(uint32_t part, uint32_t scale, uint32_t whole)
{
    while (part > UINT32_MAX / scale) {
        part /= 2;
        whole /= 2;
    }
    return whole ? part * scale / whole : 0;
}

/* The first two are right for 49 days. */
static void do_stats(void)
{
    uint32_t ms = seconds * SECOND_MS +
                  (uint32_t)(async_time)(async_now(&loop) - second_began);
    uint32_t bytes = 0;
    int task;

    for (task = 0; task < TASKS; task++)
        bytes += lives[task].bytes;
    put_time();
    put_tenths("asleep ", (int32_t)ratio(board_asleep_ms(), 1000, ms), " %");
    put_tenths("  wakes ", (int32_t)ratio(polls, 10000, ms), "/s");
    put_count("  drift ", (uint32_t)drift, " ms");
    put_count("  tasks ", bytes, " bytes");
    put_count("  lost ", read_16(&ring_lost), " bytes\n");
}

/* True if `*text` goes on with this word, which is then skipped. */
static int next_word(const char **text, const char *word)
{
    const char *at = *text;

    while (*at == ' ')
        at++;
    while (*word && *at == *word) {
        at++;
        word++;
    }
    if (*word || (*at && *at != ' '))
        return 0;
    *text = at;
    return 1;
}

/* The number that is the rest of `text`, 1 to `max`; 0: it is not one. */
static uint16_t last_number(const char *text, uint16_t max)
{
    uint32_t number = 0;

    while (*text == ' ')
        text++;
    for (; *text >= '0' && *text <= '9' && number <= max; text++)
        number = number * 10 + (uint32_t)(*text - '0');
    return !next_word(&text, "") || number > max ? 0 : (uint16_t)number;
}

static void do_set(const char *text)
{
    uint16_t number;

    if (next_word(&text, "period")) {
        number = last_number(text, MAX_PERIOD_S);
        if (number == 0) {
            put_count("period is a number of seconds, 1 to ", MAX_PERIOD_S,
                      "\n");
            return;
        }
        period_s = number;
    } else if (!next_word(&text, "")) {
        put_text("no such setting; there is: period\n");
        return;
    }
    put_count("period ", period_s, " s\n");
}

static void do_line(const char *text)
{
    put_text("> ");
    put_text(text);
    board_put('\n');
    if (next_word(&text, "ps"))
        do_ps();
    else if (next_word(&text, "stats"))
        do_stats();
    else if (next_word(&text, "set"))
        do_set(text);
    else if (next_word(&text, "hang"))
        hangs = 1;
    else
        put_text("there are: ps, stats, set, set period N, hang\n");
}

static void shell_byte(struct shell *self, char c)
{
    if (c == '\r' || c == '\n') {
        if (self->length > MAX_LINE) {
            put_count("a line has at most ", MAX_LINE, " characters\n");
        } else if (self->length) {
            self->line[self->length] = '\0';
            do_line(self->line);
        }
        self->length = 0;
    } else if (c == '\b' || c == 127) {
        if (self->length && self->length <= MAX_LINE)
            self->length--;
    } else if (c >= ' ' && self->length <= MAX_LINE) {
        if (self->length < MAX_LINE)
            self->line[self->length] = c;
        self->length++;
    }
}

static async shell(struct async_loop *loop, void *frame)
{
    struct shell *self = (struct shell *)frame;

    async_begin(self);
    for (;;) {
        async_catch(self->status,
                    async_timeout(loop, &self->timer, WAIT_MS,
                                  async_flag_wait(loop, &received)));
        round_of(SHELL);
        while (ring_out != ring_in) {
            char c = ring[ring_out];

            ring_out = (uint8_t)((ring_out + 1) % RING_SIZE);
            shell_byte(self, c);
        }
        if (self->told_lost != read_16(&ring_lost)) {
            self->told_lost = read_16(&ring_lost);
            put_count("bytes lost: ", self->told_lost, "\n");
        }
    }
    async_end();
}

/* ---- the watchdog's feeder ----------------------------------------------- */

static struct feeder {
    struct async_frame async;
    struct async_ticker ticker;
} feeder_frame;

static int all_in_time(void)
{
    int task, late = 0;

    for (task = 0; task < TASKS; task++) {
        if (!late_by(task))
            continue;
        late = 1;
        if (!lives[task].told_late) {
            lives[task].told_late = 1;
            put_time();
            put_text(tasks[task].name);
            put_text(" is late: the watchdog is not fed\n");
        }
    }
    return !late;
}

static async feeder(struct async_loop *loop, void *frame)
{
    struct feeder *self = (struct feeder *)frame;

    async_begin(self);
    for (;;) {
        round_of(FEEDER);
        if (all_in_time())
            board_watchdog_feed();
        await(async_every(loop, &self->ticker, FEED_MS));
    }
    async_end();
}

/* ---- the station --------------------------------------------------------- */

static void start(int task, async_fn *fn, void *frame, size_t bytes)
{
    lives[task].bytes = (uint16_t)(sizeof lives[task].task + bytes);
    lives[task].seen = board_now();
    async_spawn(&loop, &lives[task].task, fn, frame);
}

void station_start(void)
{
    static const struct async_host host = {poke, NULL, NULL};

    async_attach(&loop, &host);
    start(HEARTBEAT, heartbeat, &heartbeat_frame, sizeof heartbeat_frame);
    start(BUTTON, button, &button_frame, sizeof button_frame);
    start(SAMPLER, sampler, &sampler_frame, sizeof sampler_frame);
    start(SENSOR, sensor, &sensor_frame, sizeof sensor_frame);
    start(SHELL, shell, &shell_frame, sizeof shell_frame);
    start(FEEDER, feeder, &feeder_frame, sizeof feeder_frame);
}

void station_step(void)
{
    async_time began, ticks, took;

    poked = 0; /* before the poll, which sees what came till then */
    began = board_now();
    ticks = async_poll(&loop, began); /* counted from there */
    polls++;
    took = (async_time)(board_now() - began);
    if (ticks > took)
        board_sleep((async_time)(ticks - took));
}
