#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct mixed {
	__u8 a;
	__u16 b;
	__u32 c : 5;
	__u32 d : 27;
	__u64 e;
	__u32 f[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct mixed);
} m SEC(".maps");

__u32 global;

char LICENSE[] SEC("license") = "GPL";
