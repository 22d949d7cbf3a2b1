// Programs to be run on given data, of each kind that takes some.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define NF_INET_LOCAL_IN 1
#define NFPROTO_IPV6 10

struct sk_buff {
	unsigned int len;
} __attribute__((preserve_access_index));

struct nf_hook_state {
	unsigned char hook, pf;
} __attribute__((preserve_access_index));

struct bpf_nf_ctx {
	const struct nf_hook_state *state;
	struct sk_buff *skb;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} servers SEC(".maps");

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

// 7.7.7.7 and 7::7 get the server, other packets of UDP from port 53 none at all.
SEC("sk_lookup")
int steer(struct bpf_sk_lookup *ctx)
{
	__u32 first = 0;
	struct bpf_sock *sk;
	long err;

	if (ctx->family == 2 ? ctx->local_ip4 == bpf_htonl(0x07070707) :
	    ctx->local_ip6[0] == bpf_htonl(0x70000) && ctx->local_ip6[3] == bpf_htonl(7)) {
		if (ctx->remote_port != bpf_htons(40000) || ctx->local_port != 443)
			return SK_DROP;
		sk = bpf_map_lookup_elem(&servers, &first);
		if (!sk)
			return SK_PASS;
		err = bpf_sk_assign(ctx, sk, 0);
		bpf_sk_release(sk);
		return err ? SK_DROP : SK_PASS;
	}
	return ctx->protocol == 17 && ctx->remote_port == bpf_htons(53) ? SK_DROP : SK_PASS;
}

SEC("flow_dissector")
int dissect(struct __sk_buff *skb)
{
	struct bpf_flow_keys *keys = skb->flow_keys;
	unsigned char *end = (void *)(long)skb->data_end;
	unsigned char *ip = (void *)(long)skb->data + 14, *transport;
	__be16 *ports;

	if (keys->nhoff != 14)
		return BPF_FLOW_DISSECTOR_CONTINUE;
	if (keys->n_proto == bpf_htons(ETH_P_IPV6)) {
		transport = ip + 40;
		if (transport + 4 > end)
			return BPF_DROP;
		keys->addr_proto = ETH_P_IPV6;
		keys->ip_proto = ip[6];
		__builtin_memcpy(keys->ipv6_src, ip + 8, 16);
		__builtin_memcpy(keys->ipv6_dst, ip + 24, 16);
		keys->flow_label = *(__be32 *)ip & bpf_htonl(0xfffff);
	} else {
		transport = ip + 20;
		if (transport + 4 > end)
			return BPF_DROP;
		keys->addr_proto = ETH_P_IP;
		keys->ip_proto = ip[9];
		keys->is_frag = ip[6] & 0x20 ? 1 : 0;
		keys->ipv4_src = *(__be32 *)(ip + 12);
		keys->ipv4_dst = *(__be32 *)(ip + 16);
	}
	keys->thoff = 14 + (transport - ip);
	ports = (__be16 *)transport;
	keys->sport = ports[0];
	keys->dport = ports[1];
	return BPF_OK;
}

// Drops short packets to this host, and those of IPv6 anywhere.
SEC("?netfilter")
int check(struct bpf_nf_ctx *ctx)
{
	if (ctx->state->pf == NFPROTO_IPV6)
		return 0;
	return ctx->state->hook != NF_INET_LOCAL_IN || ctx->skb->len >= 30;
}

char LICENSE[] SEC("license") = "GPL";
