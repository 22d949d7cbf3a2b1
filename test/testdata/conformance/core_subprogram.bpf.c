// Relocations inside subprograms, of which each program has its own copy.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct task_struct {
	int pid;
	int tgid;
	struct task_struct *real_parent;
} __attribute__((preserve_access_index));

static __attribute__((noinline)) int parent_of(struct task_struct *task)
{
	return BPF_CORE_READ(task, real_parent, tgid);
}

__attribute__((noinline)) int grandparent(int unused)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return parent_of(BPF_CORE_READ(task, real_parent)) + unused;
}

SEC("raw_tp")
int one(void *context)
{
	return parent_of((void *)bpf_get_current_task());
}

SEC("raw_tp")
int other(void *context)
{
	return grandparent(1) + parent_of((void *)bpf_get_current_task());
}

char _license[] SEC("license") = "GPL";
