#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct entry {
	__u32 hits;
};

struct inner {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct entry);
} first SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { &first } };

struct task {
	__u32 pid;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 16);
	__type(key, struct task);
	__type(value, __u32);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
		__uint(max_entries, 1);
		__type(key, __u32);
		__type(value, struct entry);
	});
} by_task SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
