// Several programs in one section, optional ones, and the forms of a section's name.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("socket")
int first(struct __sk_buff *skb)
{
	return skb->len;
}

SEC("socket")
int second(struct __sk_buff *skb)
{
	return skb->mark + 1;
}

SEC("?tc")
int optional(struct __sk_buff *skb)
{
	return skb->len + 2;
}

SEC("xdp.frags")
int fragments(struct xdp_md *context)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
