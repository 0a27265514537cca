/* start_cortex_m.c: what is before main on a Cortex-M, and after it.
 * SPDX-License-Identifier: MIT
 *
 * What main returns is the status of the run. A fault's is 99. They are told by
 * semihosting, a request to the emulator or the debugger; where there is
 * neither, the processor stops. For cortex_m.ld.
 */
#include "cortex_m.h"

#ifdef __cplusplus
extern "C" {
#endif

extern uint32_t stack_top[], data_start[], data_end[], data_in_flash[],
    bss_start[], bss_end[];

void reset_handler(void);
void fault_handler(void);

void stop(int status)
{
    uint32_t block[2] = {0x20026, (uint32_t)status}; /* the program's own end */
    register uint32_t request __asm__("r0") = 0x20;  /* SYS_EXIT_EXTENDED */
    register uint32_t *argument __asm__("r1") = block;

    __asm__ volatile("bkpt 0xab" : "+r"(request) : "r"(argument) : "memory");
    for (;;)
        wait_for_interrupt();
}

/* The stack may be what is broken: it begins anew. */
__attribute__((naked)) void fault_handler(void)
{
    __asm__("ldr r0, =stack_top\n\t"
            "mov sp, r0\n\t"
            "movs r0, #99\n\t"
            "bl stop\n\t"
            ".pool");
}

void reset_handler(void)
{
    const uint32_t *from = data_in_flash;
    volatile uint32_t *to;

    for (to = data_start; to < data_end; to++)
        *to = *from++;
    for (to = bss_start; to < bss_end; to++)
        *to = 0;
    stop(main());
}

__attribute__((weak)) void nmi_handler(void)
{
    fault_handler();
}

__attribute__((weak)) void systick_handler(void)
{
    fault_handler();
}

/* The first word is the linker script's: the stack. A board's interrupts
 * follow. What is not used is a fault. */
extern void (*const exceptions[15])(void);
void (*const exceptions[15])(void) VECTORS(core) = {
    reset_handler, nmi_handler,   fault_handler, fault_handler, fault_handler,
    fault_handler, fault_handler, fault_handler, fault_handler, fault_handler,
    fault_handler, fault_handler, fault_handler, fault_handler, systick_handler,
};

#ifdef __cplusplus
}
#endif
