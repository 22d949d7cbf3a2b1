// A hidden function is verified where it is called, not alone: this one would be refused alone, for want of a check.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct pair {
	int a;
	int b;
};

__hidden __attribute__((noinline)) int sum(struct pair *pair)
{
	return pair->a + pair->b + bpf_get_prandom_u32();
}

SEC("socket")
int asks_for_sum(struct __sk_buff *skb)
{
	struct pair pair = { skb->len, skb->mark };

	return sum(&pair);
}

char _license[] SEC("license") = "GPL";
