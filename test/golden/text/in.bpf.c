#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct names {
	char comm[16];
	char lines[2][8];
	unsigned char bytes[4];
	char one;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct names);
	__type(value, struct names);
} m SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
