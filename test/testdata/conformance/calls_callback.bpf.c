// Addresses of functions: static callbacks of helpers, one that calls another subprogram, one used by two programs.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 4);
} numbers SEC(".maps");

static __attribute__((noinline)) __u64 weigh(__u64 x)
{
	return x * bpf_get_prandom_u32();
}

struct bpf_map;

static long add(struct bpf_map *map, const void *key, void *value, void *context)
{
	*(__u64 *)context += weigh(*(__u64 *)value);
	return 0;
}

static long count(__u32 index, void *context)
{
	*(__u64 *)context += index;
	return 0;
}

SEC("socket")
int over_elements(void *skb)
{
	__u64 sum = 0;

	bpf_for_each_map_elem(&numbers, add, &sum, 0);
	return sum + weigh(1);
}

SEC("socket")
int in_a_loop(void *skb)
{
	__u64 sum = 0;

	bpf_loop(10, count, &sum, 0);
	bpf_for_each_map_elem(&numbers, add, &sum, 0);
	return sum;
}

char _license[] SEC("license") = "GPL";
