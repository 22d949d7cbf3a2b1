// Sections of somebody's own, which no kind of program claims.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

long runs;

SEC("mine")
int drop(struct xdp_md *ctx)
{
	__sync_fetch_and_add(&runs, 1);
	return XDP_DROP;
}

SEC("ours/sys_enter")
int count(void *ctx)
{
	__sync_fetch_and_add(&runs, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
