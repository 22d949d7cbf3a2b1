#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define MAP(name, kind, keys, values)                \
	struct {                                     \
		__uint(type, BPF_MAP_TYPE_##kind);   \
		__uint(max_entries, 64);             \
		__type(key, keys);                   \
		__type(value, values);               \
	} name SEC(".maps")

struct stats {
	__u64 packets;
};

MAP(plain, HASH, __u32, struct stats);
MAP(recent, LRU_HASH, __u64, __u64);
MAP(per_cpu, PERCPU_HASH, __u32, struct stats);
MAP(recent_per_cpu, LRU_PERCPU_HASH, __u32, struct stats);
MAP(slots, ARRAY, __u32, struct stats);
MAP(slots_per_cpu, PERCPU_ARRAY, __u32, struct stats);
MAP(routes, LPM_TRIE, __u64, __u32);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 4);
} jumps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, 8);
	__uint(value_size, 24);
} sizes_only SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
