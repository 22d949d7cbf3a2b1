// Variables that live in an arena.
// build: -mcpu=v3
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define __ulong(name, val) enum { arena_##name = val } name
#define __arena __attribute__((address_space(1)))

struct {
	__uint(type, 33 /* BPF_MAP_TYPE_ARENA */);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 10);
	__ulong(map_extra, 0x100000000000ull);
} arena SEC(".maps");

__u64 __arena total SEC(".addr_space.1") = 5;
__u32 __arena last SEC(".addr_space.1") = 6;

SEC("syscall")
int touch(void *ctx)
{
	total += last;
	return (long)&arena != 0;
}

char _license[] SEC("license") = "GPL";
