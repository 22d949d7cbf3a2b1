// A map the kernel does not take keeps every program out.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(key_size, 8);
	__uint(value_size, 8);
	__uint(max_entries, 1);
} keys_are_too_long SEC(".maps");

SEC("socket")
int does_not_use_it(struct __sk_buff *skb)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
