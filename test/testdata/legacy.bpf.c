// Maps as they were declared before BTF.
// build: -mcpu=v1
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_map_def {
	unsigned int type;
	unsigned int key_size;
	unsigned int value_size;
	unsigned int max_entries;
	unsigned int map_flags;
	unsigned int more[2];
};

struct bpf_map_def SEC("maps") plain = {
	.type = BPF_MAP_TYPE_HASH,
	.key_size = 4,
	.value_size = 8,
	.max_entries = 16,
	.map_flags = BPF_F_NO_PREALLOC,
};

struct bpf_map_def SEC("maps") annotated = {
	.type = BPF_MAP_TYPE_ARRAY,
	.key_size = 4,
	.value_size = 8,
	.max_entries = 2,
};

struct ____btf_map_annotated {
	__u32 key;
	__u64 value;
};
struct ____btf_map_annotated __attribute__((section(".maps.annotated"), used)) ____btf_map_annotated;

SEC("socket")
int count(struct __sk_buff *skb)
{
	__u32 key = 1;

	return bpf_map_lookup_elem(&plain, &key) != bpf_map_lookup_elem(&annotated, &key);
}

char _license[] SEC("license") = "GPL";
