#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct scalars {
	_Bool flag;
	char letter;
	signed char s8;
	__u8 u8;
	__s16 s16;
	__u16 u16;
	__s32 s32;
	__u32 u32;
	__s64 s64;
	__u64 u64;
	__int128 s128;
	unsigned __int128 u128;
	void *pointer;
	int (*function)(void *ctx, char *name);
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct scalars);
} m SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
