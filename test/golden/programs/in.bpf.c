#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("kprobe/do_unlinkat")
int enter(void *ctx)
{
	return 0;
}

SEC("?tracepoint/syscalls/sys_enter_openat")
int optional(void *ctx)
{
	return 0;
}

SEC("xdp")
int drop(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("no_such_section/x")
int unknown(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
