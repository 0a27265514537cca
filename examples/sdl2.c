/* sdl2.c: tasks in SDL's event loop; an event of SDL's wakes one.
 * SPDX-License-Identifier: MIT
 *
 *     cc -I.. sdl2.c -o sdl2 $(pkg-config --cflags --libs sdl2)
 *
 * prints, also where there is no screen
 *
 *     task: waits for a key
 *     event: key a
 *     task: blinks
 *     task: blinks
 */
#include <stdio.h>

#define SDL_MAIN_HANDLED /* main is ours */
#include "adapters/sdl2.h"

static struct async_flag pressed;

struct blinker {
    struct async_frame async;
    int i;
};

static async blinker(struct async_loop *loop, void *frame)
{
    struct blinker *self = frame;

    async_begin(self);
    printf("task: waits for a key\n");
    await(async_flag_wait(loop, &pressed));
    for (self->i = 0; self->i < 2; self->i++) {
        printf("task: blinks\n");
        await(async_sleep_ms(loop, 50));
    }
    async_end();
}

static void press(SDL_Keycode key)
{
    SDL_Event event;

    SDL_zero(event);
    event.type = SDL_KEYDOWN;
    event.key.keysym.sym = key;
    SDL_PushEvent(&event);
}

int main(void)
{
    static struct async_sdl host;
    static struct async_loop loop;
    static struct async_task task;
    static struct blinker frame;
    SDL_Event event;

    if (SDL_Init(SDL_INIT_EVENTS) < 0 || async_sdl_start(&host, &loop) < 0)
        return 1;
    async_spawn(&loop, &task, blinker, &frame);
    press(SDLK_a);

    while (async_alive(&loop)) /* a program with a window: till it is closed */
        if (async_sdl_wait(&host, &event) && event.type == SDL_KEYDOWN) {
            printf("event: key %c\n", (char)event.key.keysym.sym);
            async_flag_set(&loop, &pressed);
        }

    async_sdl_stop(&host);
    SDL_Quit();
    return async_unjoined(&loop) < 0;
}
