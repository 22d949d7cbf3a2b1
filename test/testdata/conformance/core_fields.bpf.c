// Offsets, sizes and existence of fields, by ways through structs, pointers, arrays and anonymous members.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct nsproxy {
	void *net_ns;
};

struct list_head {
	struct list_head *next, *prev;
};

struct signal_struct {
	struct list_head thread_head;
};

struct task_struct {
	char comm[16];
	int pid;
	struct task_struct *group_leader;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
};

struct sock_common {
	struct {
		unsigned int skc_daddr;
		unsigned int skc_rcv_saddr;
	};
	unsigned short skc_family;
};

struct sock {
	struct sock_common __sk_common;
};

struct iov_iter {
	union {
		unsigned long nr_segs;
	};
	unsigned long count;
};
#pragma clang attribute pop

SEC("raw_tp")
int offsets(__u64 *context)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	char comm[16];

	BPF_CORE_READ_STR_INTO(&comm, task, group_leader, comm);
	return BPF_CORE_READ(task, group_leader, pid) + comm[0] +
	       (BPF_CORE_READ(task, nsproxy, net_ns) == BPF_CORE_READ(task, signal, thread_head.prev));
}

SEC("raw_tp")
int through_anonymous(__u64 *context)
{
	struct sock *sock = (void *)context[0];
	struct iov_iter *iterator = (void *)context[1];

	return BPF_CORE_READ(sock, __sk_common.skc_rcv_saddr) + BPF_CORE_READ(sock, __sk_common.skc_family) +
	       BPF_CORE_READ(iterator, nr_segs) + BPF_CORE_READ(iterator, count);
}

SEC("raw_tp")
int elements(__u64 *context)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, comm[5]) + bpf_core_field_offset(task->comm[7]) +
	       bpf_core_field_size(task->comm) + bpf_core_field_size(task->comm[1]);
}

SEC("tp_btf/sched_process_exit")
int directly(__u64 *context)
{
	struct task_struct *task = (void *)context[0];

	return task->group_leader->pid + task->comm[3];
}

char _license[] SEC("license") = "GPL";
