/* async_thread.h where there is no operating system.
 * rejects gcc -std=c99 -ffreestanding => needs threads, of POSIX or of Windows
 * rejects arm-none-eabi-gcc -mcpu=cortex-m0 -mthumb => needs threads, of POSIX or of Windows
 */
#ifdef FIXED
#include "async_loop.h"
#else
#include "async_thread.h"
#endif

typedef async_time used;
