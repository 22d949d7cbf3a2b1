#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sock;
struct module;
struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	void (*init)(struct sock *sk);
	struct module *owner;
	char name[16];
	__u32 flags;
};

SEC("struct_ops/ssthresh")
__u32 BPF_PROG(ssthresh, struct sock *sk)
{
	return 2;
}

SEC("?struct_ops/ssthresh")
__u32 BPF_PROG(ssthresh_high, struct sock *sk)
{
	return 200;
}

SEC("struct_ops/cong_avoid")
void BPF_PROG(cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
}

SEC("struct_ops/undo_cwnd")
__u32 BPF_PROG(undo_cwnd, struct sock *sk)
{
	return 10;
}

SEC("?struct_ops/init")
void BPF_PROG(init, struct sock *sk)
{
}

SEC("xdp")
int no_member(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC(".struct_ops.link")
struct tcp_congestion_ops calm = {
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)cong_avoid,
	.undo_cwnd = (void *)undo_cwnd,
	.name = "bpfskel_calm",
};

SEC(".struct_ops")
struct tcp_congestion_ops by_value = {
	.ssthresh = (void *)ssthresh,
	.cong_avoid = (void *)cong_avoid,
	.undo_cwnd = (void *)undo_cwnd,
	.name = "bpfskel_old",
};

char LICENSE[] SEC("license") = "GPL";
