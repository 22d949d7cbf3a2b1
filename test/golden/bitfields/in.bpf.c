#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum color { RED, GREEN = 5 };

struct bits {
	__u32 a : 3;
	__u32 b : 29;
	__s32 c : 7;
	_Bool flag : 1;
	enum color color : 4;
	__u64 wide : 40;
	__u64 rest : 24;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct bits);
} m SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
