/* cortex_m.h: what boards with a Cortex-M have in common.
 * SPDX-License-Identifier: MIT
 */
#ifndef CORTEX_M_H
#define CORTEX_M_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A register. */
#define AT(address) (*(volatile uint32_t *)(address))

/* Called when memory is as it should be. Where nothing is hosted it is a
 * function like others, also in C++. */
int main(void);

/* Ends the run: the emulator, or a debugger, is told `status`. In any context.
 * start_cortex_m.c. */
void stop(int status) __attribute__((noreturn));

/* Handlers that a board may have. Without one, the exception is a fault. */
void nmi_handler(void);
void systick_handler(void);

/* Those of a board's interrupts, from number 0 on:
 *
 *     void (*const interrupts[])(void) VECTORS(board) = {uart_handler, ...};
 *
 * A hole is 0: if that interrupt comes, it is a fault. */
extern void (*const interrupts[])(void);
#define VECTORS(whose) __attribute__((section(".vectors." #whose), used))

/* ---- interrupts off and on ---------------------------------------------- */

/* Off; returns what they were, for interrupts_were. */
static inline uint32_t interrupts_off(void)
{
    uint32_t were;

    __asm__ volatile("mrs %0, primask\n\tcpsid i" : "=r"(were)::"memory");
    return were;
}

static inline void interrupts_were(uint32_t were)
{
    __asm__ volatile("msr primask, %0" ::"r"(were) : "memory");
}

/* On: what is pending is handled before this returns. */
static inline void interrupts_on(void)
{
    __asm__ volatile("cpsie i\n\tisb" ::: "memory");
}

/* Sleeps until an interrupt is pending, also while they are off; but then it
 * is not handled. */
static inline void wait_for_interrupt(void)
{
    __asm__ volatile("dsb\n\twfi" ::: "memory");
}

/* ---- the interrupt controller ------------------------------------------- */

static inline void interrupt_enable(unsigned number)
{
    AT(0xE000E100) = (uint32_t)1 << number;
}

/* As its peripheral would. If its priority is higher than the caller's, it is
 * handled before this returns. */
static inline void interrupt_pend(unsigned number)
{
    __asm__ volatile("" ::: "memory"); /* what the handler reads is written */
    AT(0xE000E200) = (uint32_t)1 << number;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}

#ifdef __cplusplus
}
#endif

#endif /* CORTEX_M_H */
