// Functions of the kernel are called by their type's number.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;

SEC("tp_btf/task_newtask")
int holds(__u64 *context)
{
	struct task_struct *task = bpf_task_acquire((struct task_struct *)context[0]);

	if (task)
		bpf_task_release(task);
	return 0;
}

char _license[] SEC("license") = "GPL";
