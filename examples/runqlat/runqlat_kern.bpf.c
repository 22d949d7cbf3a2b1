// Counts how long tasks wait for a CPU once they can run, in powers of two of microseconds.
// Skeleton: bpfskel gen runqlat_kern.o > runqlat.skel.ts
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define TASK_RUNNING 0
#define SLOTS 32

// The fields that are read of the kernel's structs; CO-RE finds where they lie in the running kernel.
struct task_struct {
	unsigned int __state;
	int pid;
	int tgid;
} __attribute__((preserve_access_index));

// Its name before Linux 5.14.
struct task_struct___before_5_14 {
	long state;
} __attribute__((preserve_access_index));

// Set before load: only tasks of this process. 0: all.
const volatile __u32 target_tgid = 0;

// When each waiting task began to wait.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u64);
} waiting SEC(".maps");

// Waits of 0 to 1, 2 to 3, 4 to 7, ... microseconds.
__u64 slots[SLOTS];

static __always_inline int begin(struct task_struct *task)
{
	__u32 pid = task->pid;
	__u64 now = bpf_ktime_get_ns();

	// 0 is a CPU's idle task.
	if (!pid || (target_tgid && target_tgid != (__u32)task->tgid))
		return 0;
	bpf_map_update_elem(&waiting, &pid, &now, BPF_ANY);
	return 0;
}

static __always_inline int is_running(struct task_struct *task)
{
	struct task_struct___before_5_14 *old = (void *)task;

	if (bpf_core_field_exists(task->__state))
		return task->__state == TASK_RUNNING;
	return old->state == TASK_RUNNING;
}

static __always_inline __u32 log2_of(__u64 value)
{
	__u32 log = 0;

	for (int bit = 16; bit; bit >>= 1) {
		if (value >> bit) {
			value >>= bit;
			log += bit;
		}
	}
	return log;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(woken, struct task_struct *task)
{
	return begin(task);
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(woken_new, struct task_struct *task)
{
	return begin(task);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(switched, _Bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 pid = next->pid;
	__u64 *since;

	// It could go on, but another task was given the CPU.
	if (is_running(prev))
		begin(prev);
	since = bpf_map_lookup_elem(&waiting, &pid);
	if (since) {
		__u64 waited = (bpf_ktime_get_ns() - *since) / 1000;

		__sync_fetch_and_add(&slots[log2_of(waited) & (SLOTS - 1)], 1);
		bpf_map_delete_elem(&waiting, &pid);
	}
	return 0;
}

char _license[] SEC("license") = "GPL";
