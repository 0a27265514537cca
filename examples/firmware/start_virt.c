/* start_virt.c: what is before main on QEMU's RISC-V machine, and after it.
 * SPDX-License-Identifier: MIT
 *
 * QEMU has put the image where virt.ld says, and jumps to its first byte. What
 * main returns is the status of the run. A fault's is 99, and so is that of an
 * interrupt that has no handler.
 */
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void start(void);
void vectors(void);
void fault_handler(void);
void stop(int status);

/* Ends QEMU. From any context. */
void stop(int status)
{
    volatile uint32_t *sifive_test = (volatile uint32_t *)0x100000;

    *sifive_test = status ? (uint32_t)status << 16 | 0x3333 : 0x5555;
    for (;;)
        continue;
}

__attribute__((naked, section(".start"))) void start(void)
{
    __asm__ volatile(".option push\n\t"
                     ".option norelax\n\t"
                     "la gp, __global_pointer$\n\t"
                     ".option pop\n\t"
                     "la sp, stack_end\n\t"
                     "la t0, vectors + 1\n\t" /* 1: a place for each cause */
                     "csrw mtvec, t0\n\t"
                     "la t0, bss_start\n\t"
                     "la t1, bss_end\n"
                     "1:\n\t"
                     "bgeu t0, t1, 2f\n\t"
                     "sw zero, (t0)\n\t"
                     "addi t0, t0, 4\n\t"
                     "j 1b\n"
                     "2:\n\t"
                     "call main\n\t"
                     "j stop");
}

/* The stack may be what is broken: it begins anew. */
__attribute__((naked)) void fault_handler(void)
{
    __asm__ volatile("la sp, stack_end\n\t"
                     "li a0, 99\n\t"
                     "j stop");
}

/* Faults are cause 0; a board has those of causes 3, 7 and 11 that it needs. */
__attribute__((naked, aligned(64))) void vectors(void)
{
    __asm__ volatile(
        ".weak software_handler, timer_handler, external_handler\n\t"
        ".set software_handler, fault_handler\n\t"
        ".set timer_handler, fault_handler\n\t"
        ".set external_handler, fault_handler\n\t"
        ".option push\n\t"
        ".option norvc\n\t"
        "j fault_handler\n\t"
        "j fault_handler\n\t"
        "j fault_handler\n\t"
        "j software_handler\n\t"
        "j fault_handler\n\t"
        "j fault_handler\n\t"
        "j fault_handler\n\t"
        "j timer_handler\n\t"
        "j fault_handler\n\t"
        "j fault_handler\n\t"
        "j fault_handler\n\t"
        "j external_handler\n\t"
        ".option pop");
}

#ifdef __cplusplus
}
#endif
