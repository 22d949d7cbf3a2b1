// A configuration value in a type that cannot hold it.
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

extern bool LINUX_KERNEL_VERSION __kconfig;

SEC("socket")
int narrows(struct __sk_buff *skb)
{
	return LINUX_KERNEL_VERSION;
}

char _license[] SEC("license") = "GPL";

