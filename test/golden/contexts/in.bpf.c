#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

// What callers give a program is typed where its parameter points to a struct.

struct sum {
	long a;
	int b;
	long result;
};

SEC("syscall")
int add(struct sum *sum)
{
	sum->result = sum->a + sum->b;
	return sum->b < 0 ? -22 : 0;
}

SEC("syscall")
int untyped(void *ctx)
{
	return 7;
}

// Only kinds that are given their context have it typed.
SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
