// Maps of the newest kernels.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define INSN_ARRAY 34
#define RHASH 35

struct stats {
	__u64 packets;
};

// struct bpf_insn_array_value
struct place {
	__u32 orig_off;
	__u32 xlated_off;
	__u32 jitted_off;
	__u32 : 32;
};

struct {
	__uint(type, INSN_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct place);
} targets SEC(".maps");

struct {
	__uint(type, RHASH);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct stats);
} growing SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
