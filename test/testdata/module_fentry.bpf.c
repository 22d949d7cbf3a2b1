// Counts calls of functions of the veth module: one found by name alone, one with the module named.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 opened, closed;

SEC("fentry/veth_open")
int on_open(void *ctx)
{
	__sync_fetch_and_add(&opened, 1);
	return 0;
}

SEC("fentry/veth:veth_close")
int on_close(void *ctx)
{
	__sync_fetch_and_add(&closed, 1);
	return 0;
}

char _license[] SEC("license") = "GPL";
