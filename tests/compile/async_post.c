/* Everything of async_post.h, in C that is C++ too. check_async_post() is 0, or
 * the line of what went wrong. */
#include "async_post.h"

#ifndef CHECK
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)
#endif

struct letter {
    struct async_post post; /* first: a post's address is its letter's */
    int number;
    int *sum;
};

static void open_letter(struct async_loop *loop, struct async_post *post)
{
    struct letter *letter = (struct letter *)(void *)post;

    (void)loop;
    *letter->sum = *letter->sum * 10 + letter->number;
}

static int check_async_post(void)
{
    static struct async_loop loop;
    static struct letter letters[3];
    int i, sum = 0;

    for (i = 0; i < 3; i++) {
        letters[i].number = i + 1;
        letters[i].sum = &sum;
        async_post_send(&loop, &letters[i].post, open_letter);
    }
    CHECK(sum == 0);
    (void)async_poll(&loop, 0);
    CHECK(sum == 123);
    async_post_send(&loop, &letters[1].post, open_letter);
    (void)async_poll(&loop, 0);
    CHECK(sum == 1232);
    return 0;
}
