// Arrays that have other bounds or other elements in the kernel; one past the end; flexible ones.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_struct {
	char comm[64];
};

struct linux_binprm {
	char buf[4];
};

struct bpf_prog {
	unsigned char tag[8];
	struct bpf_insn insnsi[];
};

struct bpf_prog___bounded {
	struct bpf_insn insnsi[1];
};
#pragma clang attribute pop

SEC("raw_tp")
int inside(void *context)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct linux_binprm *binary = context;

	return BPF_CORE_READ(task, comm[15]) + BPF_CORE_READ(binary, buf[3]);
}

SEC("raw_tp")
int past_the_end(void *context)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return bpf_core_field_exists(task->comm[40]) ? BPF_CORE_READ(task, comm[40]) : -1;
}

/* Not even its own type has that element. */
SEC("raw_tp")
int out_of_bounds(struct bpf_prog___bounded *prog)
{
	return BPF_CORE_READ(prog, insnsi[3].imm);
}

SEC("raw_tp")
int flexible(struct bpf_prog *prog)
{
	return BPF_CORE_READ(prog, insnsi[3].imm) + BPF_CORE_READ(prog, tag[6]);
}

char _license[] SEC("license") = "GPL";
