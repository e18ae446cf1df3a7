/* A plugin for QEMU's user emulation of aarch64: at each call of getpgid it writes, as a line on
 * standard output, how many instructions the program has executed so far on all its threads.
 *
 *   cc -shared -fPIC -o insns.so insns.c -I QEMU/include/qemu $(pkg-config --cflags glib-2.0)
 *   qemu-aarch64 -plugin ./insns.so PROGRAM
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include <qemu-plugin.h>

enum { GETPGID = 155 };

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static qemu_plugin_u64 executed;

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(
        block, QEMU_PLUGIN_INLINE_ADD_U64, executed, qemu_plugin_tb_n_insns(block));
}

static void called(qemu_plugin_id_t id, unsigned int vcpu, int64_t number,
                   uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                   uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    (void)id, (void)vcpu, (void)a1, (void)a2, (void)a3, (void)a4;
    (void)a5, (void)a6, (void)a7, (void)a8;
    if (number == GETPGID)
        dprintf(STDOUT_FILENO, "%" PRIu64 "\n", qemu_plugin_u64_sum(executed));
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info,
                                           int argc, char **argv)
{
    (void)info, (void)argc, (void)argv;
    executed = qemu_plugin_scoreboard_u64(qemu_plugin_scoreboard_new(sizeof(uint64_t)));
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    return 0;
}
