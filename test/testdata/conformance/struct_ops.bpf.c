// Operations of the kernel as a map: fields are matched by name, functions by the member they stand in.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct sock;

struct tcp_congestion_ops {
	unsigned int (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, unsigned int ack, unsigned int acked);
	unsigned int (*undo_cwnd)(struct sock *sk);
	char name[16];
	unsigned int flags;
};

SEC("struct_ops/ssthresh")
unsigned int ssthresh(__u64 *context)
{
	return 10;
}

SEC("struct_ops/undo_cwnd")
unsigned int undo_cwnd(__u64 *context)
{
	return context[0] != 0;
}

SEC("struct_ops/cong_avoid")
void cong_avoid(__u64 *context)
{
}

SEC(".struct_ops")
struct tcp_congestion_ops bpfskel_test = {
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)cong_avoid,
	.undo_cwnd = (void *)undo_cwnd,
	.name = "bpfskel_test",
};

char _license[] SEC("license") = "GPL";
