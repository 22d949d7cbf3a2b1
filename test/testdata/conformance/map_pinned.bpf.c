// A map that is pinned by name where the object is loaded to stay.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 2);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} bpfskel_test_pinned SEC(".maps");

SEC("socket")
int reads(struct __sk_buff *skb)
{
	__u32 key = 1, *value = bpf_map_lookup_elem(&bpfskel_test_pinned, &key);

	return value ? *value : 0;
}

char _license[] SEC("license") = "GPL";
