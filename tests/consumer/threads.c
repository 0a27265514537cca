/* Compiles and links all headers, and starts a thread. Prints "a thread". */

#include <pthread.h>
#include <stdio.h>
#ifdef INSTALLED_STYLE
#include <async_h/async_gather.h>
#include <async_h/async_thread.h>
#else
#include "async_gather.h"
#include "async_thread.h"
#endif

static void *greet(void *arg)
{
    puts(arg);
    return NULL;
}

int main(void)
{
    pthread_t thread;
    static char text[] = "a thread";

    if (pthread_create(&thread, NULL, greet, text) != 0)
        return 1;
    pthread_join(thread, NULL);
    return 0;
}
