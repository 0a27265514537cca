/* The sizes we promise, checked by the compiler for the target it compiles
 * for. One too large is an array of -1 elements. */
#include "async_lock.h"

#define HOLDS(name, condition) typedef char name[(condition) ? 1 : -1]

HOLDS(a_frame_is_4_bytes, sizeof(struct async_frame) == 4);
HOLDS(a_frame_needs_no_padding_behind_it, sizeof(struct {
                                              struct async_frame async;
                                              short s;
                                          }) == 6);

HOLDS(a_task_is_small, sizeof(struct async_task) <=
                           (sizeof(void *) == 8   ? ASYNC_TASK_LIST ? 80 : 64
                            : sizeof(void *) == 4 ? ASYNC_TASK_LIST ? 44 : 36
                                                  : 24));

/* The smallest configuration of the loop, as it is where there is no
 * operating system. */
#if ASYNC_RADIX_BITS == 1 && !ASYNC_TASK_LIST && !ASYNC_HOSTED_
HOLDS(a_small_loop_is_small,
      sizeof(struct async_loop) <= (sizeof(void *) == 2   ? 96
                                    : sizeof(void *) == 4 ? 200
                                                          : 700));
#endif

HOLDS(a_mutex_is_two_pointers,
      sizeof(struct async_mutex) == 2 * sizeof(void *));
HOLDS(an_event_is_two_pointers_at_most,
      sizeof(struct async_event) <= 2 * sizeof(void *));
