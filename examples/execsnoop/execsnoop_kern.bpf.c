// Reports every execve(2) and execveat(2): who calls it, in which cgroup, with which arguments.
// Skeleton: bpfskel gen execsnoop_kern.o --record events=event > execsnoop.skel.ts
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define ARGS_SIZE 1024 // a power of two
#define ARG_MAX 256
#define ARGS_COUNT 16

// The fields that are read of the kernel's structs; CO-RE finds where they lie in the running kernel.
struct task_struct {
	struct task_struct *real_parent;
	int tgid;
} __attribute__((preserve_access_index));

struct trace_event_raw_sys_enter {
	unsigned long args[6];
} __attribute__((preserve_access_index));

struct event {
	__u64 cgroup;
	__u32 pid;
	__u32 ppid;
	char comm[16];
	// Joined by spaces. An argument may begin anywhere in the first ARGS_SIZE bytes.
	char args[ARGS_SIZE + ARG_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

// Set before load: report only children of this process. 0: report everything.
const volatile __u32 target_ppid = 0;
// Calls that found the ring buffer full.
__u64 lost;

static __noinline int join(struct event *event, const char *const *argv)
{
	__u32 used = 0;

	event->args[0] = '\0';
	for (int i = 0; i < ARGS_COUNT; i++) {
		const char *arg = NULL;
		long length;

		bpf_probe_read_user(&arg, sizeof(arg), &argv[i]);
		if (!arg || used >= ARGS_SIZE)
			break;
		// Keeps clang from dropping the masks, which are how the verifier sees the bound.
		barrier_var(used);
		if (used)
			event->args[(used - 1) & (ARGS_SIZE - 1)] = ' ';
		length = bpf_probe_read_user_str(&event->args[used & (ARGS_SIZE - 1)], ARG_MAX, arg);
		if (length <= 0)
			break;
		used += length;
	}
	return 0;
}

static __always_inline int report(const char *const *argv)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u32 ppid = BPF_CORE_READ(task, real_parent, tgid);
	struct event *event;

	if (target_ppid && target_ppid != ppid)
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	event->cgroup = bpf_get_current_cgroup_id();
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->ppid = ppid;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	join(event, argv);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_execve")
int enter_execve(struct trace_event_raw_sys_enter *ctx)
{
	return report((const char *const *)ctx->args[1]);
}

SEC("tracepoint/syscalls/sys_enter_execveat")
int enter_execveat(struct trace_event_raw_sys_enter *ctx)
{
	return report((const char *const *)ctx->args[2]);
}

char _license[] SEC("license") = "GPL";
