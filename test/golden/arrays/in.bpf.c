#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct arrays {
	__u32 row[4];
	__u16 grid[2][3];
	__u64 none[0];
	void *pointers[2];
	__u8 last;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct arrays);
} m SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
