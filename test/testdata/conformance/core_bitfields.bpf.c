// Bitfields: where to load, how much, how far to shift, and whether the sign counts.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_struct {
	unsigned int sched_reset_on_fork : 1;
	unsigned int in_execve : 1;
	unsigned int in_iowait : 1;
	unsigned int no_such_bit : 1;
};

struct tcphdr {
	unsigned short source;
	unsigned short doff : 4;
	unsigned short fin : 1;
	unsigned short syn : 1;
};

struct iphdr {
	unsigned char ihl : 4;
	unsigned char version : 4;
	unsigned char tos;
};

struct sk_buff {
	unsigned char pkt_type : 3;
	unsigned char ip_summed : 2;
	unsigned short protocol;
};
#pragma clang attribute pop

SEC("raw_tp")
int probed(__u64 *context)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct tcphdr *tcp = (void *)context[0];
	struct iphdr *ip = (void *)context[1];
	struct sk_buff *skb = (void *)context[2];

	return BPF_CORE_READ_BITFIELD_PROBED(task, in_execve) + BPF_CORE_READ_BITFIELD_PROBED(task, in_iowait) +
	       BPF_CORE_READ_BITFIELD_PROBED(tcp, doff) + BPF_CORE_READ_BITFIELD_PROBED(tcp, syn) +
	       BPF_CORE_READ_BITFIELD_PROBED(ip, version) + BPF_CORE_READ_BITFIELD_PROBED(skb, pkt_type) +
	       BPF_CORE_READ_BITFIELD_PROBED(skb, protocol);
}

SEC("tp_btf/sched_process_exit")
int direct(__u64 *context)
{
	struct task_struct *task = (void *)context[0];

	return BPF_CORE_READ_BITFIELD(task, sched_reset_on_fork) + BPF_CORE_READ_BITFIELD(task, in_execve);
}

SEC("raw_tp")
int facts(struct task_struct *task)
{
	return __builtin_preserve_field_info(task->in_execve, BPF_FIELD_SIGNED) +
	       __builtin_preserve_field_info(task->in_execve, BPF_FIELD_BYTE_SIZE) +
	       bpf_core_field_exists(task->no_such_bit);
}

char _license[] SEC("license") = "GPL";
