// Names a function of a module that no kernel has.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("fentry/no_such_module:anything")
int never(void *ctx)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
