#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct packed {
	__u8 a;
	__u32 b;
	__u64 c;
} __attribute__((packed));

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct packed);
	__type(value, __u8);
} m SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
