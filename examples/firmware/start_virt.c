/* start_virt.c: what comes before main on QEMU's RISC-V machine, and after it.
 * SPDX-License-Identifier: MIT
 *
 * QEMU has loaded the image where virt.ld says, and jumps to its first byte.
 * What main returns is the run's exit status; a fault's is 99.
 */
#include <stdint.h>

void virt_start(void); /* the first instruction */
void virt_exit(unsigned status);

int main(void);

extern char virt_bss[], virt_bss_end[]; /* virt.ld's */

#define SIFIVE_TEST (*(volatile uint32_t *)0x100000)

/* Ends QEMU. From any context. */
void virt_exit(unsigned status)
{
    SIFIVE_TEST = status ? status << 16 | 0x3333 : 0x5555;
    for (;;)
        continue;
}

/* Each trap comes here, until main has set mtvec to what knows interrupts. */
__attribute__((interrupt, aligned(4))) static void fault(void)
{
    virt_exit(99);
}

__attribute__((noreturn, used)) static void prepare(void)
{
    char *byte;

    __asm__ volatile("csrw mtvec, %0" : : "r"(fault));
    for (byte = virt_bss; byte < virt_bss_end; byte++)
        *(volatile char *)byte = 0; /* volatile: not a call of memset */
    virt_exit((unsigned)main());
    for (;;)
        continue;
}

__attribute__((naked, section(".virt_start"))) void virt_start(void)
{
    __asm__ volatile(".option push\n"
                     ".option norelax\n"
                     "la gp, __global_pointer$\n"
                     ".option pop\n"
                     "la sp, virt_stack_end\n"
                     "j prepare\n");
}
