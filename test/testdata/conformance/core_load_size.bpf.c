// A field that has another size in the kernel: loads and stores change theirs where both are unsigned or pointers.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_struct___wide {
	unsigned long long __state;
	unsigned long long flags;
	struct task_struct___wide *group_leader;
};

struct task_struct___narrow {
	unsigned char flags;
	unsigned short start_time;
};

struct task_struct___signed {
	long long pid;
};
#pragma clang attribute pop

SEC("tp_btf/sched_process_exit")
int wide(__u64 *context)
{
	struct task_struct___wide *task = (void *)context[0];

	return task->__state + task->group_leader->flags;
}

SEC("tp_btf/sched_process_exit")
int narrow(__u64 *context)
{
	struct task_struct___narrow *task = (void *)context[0];

	return task->flags + task->start_time;
}

/* With a sign the load cannot be widened: poisoned. */
SEC("tp_btf/sched_process_exit")
int signed_(__u64 *context)
{
	struct task_struct___signed *task = (void *)context[0];

	return task->pid;
}

char _license[] SEC("license") = "GPL";
