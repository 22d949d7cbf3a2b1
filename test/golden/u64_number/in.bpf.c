// Options: --u64 number
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum far { NEAR, FAR = 1ULL << 60 };

struct counters {
	__u64 packets;
	__s64 drift;
	__u64 part : 40;
	void *pointer;
	enum far far;
	enum far far_bits : 62;
};

__u64 total;
enum big { HUGE = 0x100000000ULL } big;
enum far far, fars[2];

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u64);
	__type(value, struct counters);
} m SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
