// A map that two programs use, for one of them alone (Linux 6.18).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} ours SEC(".maps");

int step = 1;
const volatile int start = 5;

static __noinline int add(__u32 key, __u64 value)
{
	__u64 *there = bpf_map_lookup_elem(&ours, &key);

	if (there)
		value += *there;
	return bpf_map_update_elem(&ours, &key, &value, BPF_ANY);
}

SEC("syscall")
int owner(void *ctx)
{
	return add(start, step);
}

SEC("?syscall")
int stranger(void *ctx)
{
	return add(start + 1, step);
}

char LICENSE[] SEC("license") = "GPL";
