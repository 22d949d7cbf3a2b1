#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct inner {
	__u32 a;
	__u8 b;
};

struct outer {
	struct inner one;
	struct inner many[2];
	struct {
		__u16 x;
		__u16 y;
	} point;
	typeof(struct inner *) link;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct inner);
	__type(value, struct outer);
} m SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
