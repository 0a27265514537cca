/* held.h: blocking calls that a test holds, so it is certain of a state.
 * SPDX-License-Identifier: MIT
 *
 * A held function posts that it was entered, and then waits for its go. Include
 * behind the headers under test.
 */
#ifndef ASYNC_TESTS_HELD_H
#define ASYNC_TESTS_HELD_H

#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* So many times something happened that nobody has taken yet; under the lock.
 * All-zero is none. */
struct post {
    int count;
};

static void post_add(struct post *post, int count)
{
    (void)pthread_mutex_lock(&lock);
    post->count += count;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
}

static void post_take(struct post *post, int count)
{
    (void)pthread_mutex_lock(&lock);
    while (post->count < count)
        (void)pthread_cond_wait(&changed, &lock);
    post->count -= count;
    (void)pthread_mutex_unlock(&lock);
}

static struct post entered;
static struct post go;

/* Under the lock. */
static char ran[256];  /* who was entered */
static int busy, most; /* at once, and the most there were */

static void enter(char name)
{
    char text[2] = {0, 0};

    text[0] = name;
    (void)pthread_mutex_lock(&lock);
    strcat(ran, text);
    busy++;
    most = busy > most ? busy : most;
    (void)pthread_mutex_unlock(&lock);
    post_add(&entered, 1);
}

static void leave(void)
{
    (void)pthread_mutex_lock(&lock);
    busy--;
    (void)pthread_mutex_unlock(&lock);
}

static void held_reset(void)
{
    entered.count = go.count = busy = most = 0;
    ran[0] = '\0';
}

#endif /* ASYNC_TESTS_HELD_H */
