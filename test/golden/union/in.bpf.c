#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

union value {
	__u64 number;
	char text[8];
	struct {
		__u32 low;
		__u32 high;
	} halves;
	float real;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, union value);
} m SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
