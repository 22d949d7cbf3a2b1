// A section nobody knows keeps its program out, and no other.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int known(struct __sk_buff *skb)
{
	return skb->len;
}

SEC("nonsense/socket")
int unknown(struct __sk_buff *skb)
{
	return skb->len;
}

SEC("xdp/nonsense")
int exact_names_take_no_more(struct xdp_md *context)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
