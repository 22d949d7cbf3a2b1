// A program with a function that another program may replace.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) int verdict(struct xdp_md *ctx)
{
	volatile int pass = XDP_PASS; // keeps the call

	return ctx ? pass : XDP_DROP;
}

SEC("xdp")
int decide(struct xdp_md *ctx)
{
	return verdict(ctx);
}

char _license[] SEC("license") = "GPL";
