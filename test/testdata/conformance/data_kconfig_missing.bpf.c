// A configuration value that must be there and is not.
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

extern bool CONFIG_NO_SUCH_THING __kconfig;

SEC("socket")
int needs(struct __sk_buff *skb)
{
	return CONFIG_NO_SUCH_THING;
}

char _license[] SEC("license") = "GPL";

