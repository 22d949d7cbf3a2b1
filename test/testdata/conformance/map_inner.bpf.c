// Static members of maps of maps: some slots filled, inner maps declared inside and outside.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 4);
} one SEC(".maps"), two SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 5);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = { [1] = &one, [4] = &two },
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 3);
	__type(key, __u32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_HASH);
		__type(key, __u64);
		__type(value, __u32);
		__uint(max_entries, 7);
	});
} hashed SEC(".maps");

SEC("socket")
int looks_up(struct __sk_buff *skb)
{
	__u32 key = 1;
	__u64 *value, large = 2;
	void *inner = bpf_map_lookup_elem(&outer, &key);

	if (!inner)
		return 0;
	value = bpf_map_lookup_elem(inner, &key);
	inner = bpf_map_lookup_elem(&hashed, &key);
	if (inner)
		bpf_map_update_elem(inner, &large, &key, 0);
	return value ? *value : 0;
}

char _license[] SEC("license") = "GPL";
