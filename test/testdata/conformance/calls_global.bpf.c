// Global and weak functions beside static ones: the call's target is the symbol, not an offset from .text.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define noinline __attribute__((noinline))

static noinline int in_text(int x)
{
	return x + bpf_get_prandom_u32();
}

noinline int global_one(int x)
{
	return in_text(x) + 1;
}

__weak noinline int weak_one(int x)
{
	return global_one(x) * 2;
}

noinline int global_with_context(struct __sk_buff *skb)
{
	return skb->len + weak_one(3);
}

SEC("tc")
int main_program(struct __sk_buff *skb)
{
	return weak_one(1) + global_with_context(skb) + in_text(2);
}

char _license[] SEC("license") = "GPL";
