// Programs to be run on given data, of each kind that takes some.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

int cpu = -1;
long runs;

SEC("xdp")
int xdp_edit(struct xdp_md *ctx)
{
	unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	unsigned int *meta = (void *)(long)ctx->data_meta;

	runs++;
	if (ctx->ingress_ifindex != 1)
		return XDP_ABORTED;
	/* Metadata of one word goes up by one and stays. */
	if ((void *)(meta + 1) <= (void *)data) {
		*meta += 1;
		return XDP_PASS;
	}
	if (data + 14 > end)
		return XDP_ABORTED;
	switch (data[0]) {
	case 0:
		return XDP_DROP;
	case 1:
		/* Four bytes more in front. */
		return bpf_xdp_adjust_head(ctx, -4) ? XDP_ABORTED : XDP_TX;
	case 2:
		return 77;
	default:
		return XDP_PASS;
	}
}

SEC("socket")
int socket_mark(struct __sk_buff *skb)
{
	skb->cb[0] = skb->cb[1] + skb->priority;
	return skb->mark ? skb->mark : -1;
}

SEC("cgroup_skb/egress")
int cgroup_mark(struct __sk_buff *skb)
{
	return skb->mark == 5;
}

SEC("raw_tp/sched_switch")
int raw_sum(struct bpf_raw_tracepoint_args *ctx)
{
	cpu = bpf_get_smp_processor_id();
	return ctx->args[0] + ctx->args[1];
}

SEC("xdp")
int xdp_count(struct xdp_md *ctx)
{
	runs++;
	return XDP_PASS;
}

int target_pid;

// Makes runs of this process fail: the tracepoint gives what they are about to answer.
SEC("?raw_tp.w/bpf_test_finish")
int fail_runs(struct bpf_raw_tracepoint_args *ctx)
{
	int *err = (void *)ctx->args[0];

	if (bpf_get_current_pid_tgid() >> 32 == target_pid)
		*err = -74;
	return 0;
}

SEC("kprobe/do_nanosleep")
int never(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
