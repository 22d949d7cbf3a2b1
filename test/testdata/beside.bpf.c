// Subprograms outside .text: a static one beside its caller, a global program that another one calls, and a section
// that holds nothing but subprograms.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static SEC("tc") __attribute__((noinline)) int beside(int x)
{
	return x + bpf_get_prandom_u32();
}

static SEC("subprograms") __attribute__((noinline)) int apart(int x)
{
	return x * bpf_get_prandom_u32();
}

SEC("tc") __attribute__((noinline)) int called(struct __sk_buff *skb)
{
	return beside(skb->len);
}

SEC("tc")
int caller(struct __sk_buff *skb)
{
	return called(skb) + beside(1) + apart(2);
}

char _license[] SEC("license") = "GPL";
