// A scheduler as one writes it, without vmlinux.h: first in, first out, from one queue for all processors.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

enum scx_exit_kind {
	SCX_EXIT_NONE = 0,
	SCX_EXIT_UNREG = 64,
	SCX_EXIT_ERROR = 1024,
	SCX_EXIT_ERROR_STALL = 1026,
};

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

struct scx_exit_info {
	enum scx_exit_kind kind;
	__s64 exit_code;
	const char *reason;
	char *msg;
} __attribute__((preserve_access_index));

struct sched_ext_ops {
	__s32 (*select_cpu)(struct task_struct *p, __s32 prev_cpu, __u64 wake_flags);
	void (*enqueue)(struct task_struct *p, __u64 enq_flags);
	__s32 (*init)(void);
	void (*exit)(struct scx_exit_info *info);
	__u32 dispatch_max_batch;
	__u64 flags;
	__u32 timeout_ms;
	__u64 hotplug_seq;
	char name[128];
};

#define SCX_DSQ_GLOBAL ((1ULL << 63) | 1)
#define SLICE_NS 20000000ULL

// Linux 6.13 renamed it.
extern void scx_bpf_dispatch(struct task_struct *p, __u64 dsq, __u64 slice, __u64 enq_flags) __ksym __weak;
extern void scx_bpf_dsq_insert(struct task_struct *p, __u64 dsq, __u64 slice, __u64 enq_flags) __ksym __weak;

const volatile __s32 init_error;

__u64 enqueued;
__u64 queue = SCX_DSQ_GLOBAL;

struct {
	enum scx_exit_kind kind;
	__s64 code;
	char reason[64];
	char msg[256];
} ended;

SEC("struct_ops/select_cpu")
__s32 BPF_PROG(stay, struct task_struct *p, __s32 prev_cpu, __u64 wake_flags)
{
	return prev_cpu;
}

SEC("struct_ops/enqueue")
void BPF_PROG(enqueue, struct task_struct *p, __u64 enq_flags)
{
	__sync_fetch_and_add(&enqueued, 1);
	if (scx_bpf_dsq_insert)
		scx_bpf_dsq_insert(p, queue, SLICE_NS, enq_flags);
	else
		scx_bpf_dispatch(p, queue, SLICE_NS, enq_flags);
}

SEC("struct_ops.s/init")
__s32 BPF_PROG(start)
{
	return init_error;
}

SEC("struct_ops.s/exit")
void BPF_PROG(finish, struct scx_exit_info *info)
{
	ended.code = info->exit_code;
	bpf_probe_read_kernel_str(ended.reason, sizeof(ended.reason), info->reason);
	bpf_probe_read_kernel_str(ended.msg, sizeof(ended.msg), info->msg);
	ended.kind = info->kind;
}

SEC(".struct_ops.link")
struct sched_ext_ops fifo = {
	.select_cpu = (void *)stay,
	.enqueue = (void *)enqueue,
	.init = (void *)start,
	.exit = (void *)finish,
	.name = "bpfskel_fifo",
};

SEC(".struct_ops.link")
struct sched_ext_ops other = {
	.enqueue = (void *)enqueue,
	.name = "bpfskel_other",
};

char LICENSE[] SEC("license") = "GPL";
