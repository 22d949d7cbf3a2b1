#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct packet {
	__u8 version;
	struct {
		__u16 source;
		__u16 target;
	};
	union {
		__u32 v4;
		__u8 v6[16];
	};
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct packet);
	__type(value, __u64);
} m SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
