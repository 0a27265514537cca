/* sdl2.c: the conformance program on adapters/sdl2.h, on the dummy driver.
 * SPDX-License-Identifier: MIT
 *
 *     cc sdl2.c -pthread $(pkg-config --cflags --libs sdl2)
 */
#define SDL_MAIN_HANDLED
#include "../../adapters/sdl2.h"
#include "conformance.h"

static void (*later)(void);

static Uint32 on_timer(Uint32 ms, void *arg) /* on a thread of SDL's */
{
    SDL_Event event;

    (void)ms;
    (void)arg;
    SDL_zero(event);
    event.type = SDL_USEREVENT;
    (void)SDL_PushEvent(&event);
    return 0;
}

static void host_later(void (*fn)(void))
{
    later = fn;
    (void)SDL_AddTimer(10, on_timer, NULL);
}

int main(void)
{
    struct async_sdl host;
    SDL_Event event;

    (void)SDL_SetHint(SDL_HINT_VIDEODRIVER, "dummy");
    if (SDL_Init(SDL_INIT_VIDEO | SDL_INIT_TIMER) < 0 ||
        async_sdl_start(&host, &loop) < 0)
        return 1;
    conformance_begin(0);
    do {
        while (conformance_lasts()) {
            turns++;
            if (async_sdl_wait(&host, &event) && event.type == SDL_USEREVENT)
                later();
        }
    } while (conformance_again());
    conformance_stops();
    async_sdl_stop(&host);
    SDL_Quit();
    return conformance_end("sdl2");
}
