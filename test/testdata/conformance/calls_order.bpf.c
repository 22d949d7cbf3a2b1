// Subprograms are appended in the order in which calls meet them, each once, callees after their caller's whole body.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define noinline __attribute__((noinline))

static noinline int last(int x)
{
	return x + bpf_get_prandom_u32();
}

static noinline int middle(int x)
{
	return last(x) * 3 + last(x + 1);
}

static noinline int unused_by_second(int x)
{
	return x ^ bpf_get_prandom_u32();
}

static noinline int outer(int x)
{
	return middle(x) - unused_by_second(x);
}

SEC("socket")
int first(struct __sk_buff *skb)
{
	return last(1) + outer(skb->len) + middle(2);
}

SEC("socket")
int second(struct __sk_buff *skb)
{
	return middle(skb->len) + last(4);
}

char _license[] SEC("license") = "GPL";
