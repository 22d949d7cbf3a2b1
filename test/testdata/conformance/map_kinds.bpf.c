// Kinds of maps, declared by types and by sizes; not all of them may be told of types.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define map(name, kind, body) \
	struct { \
		__uint(type, BPF_MAP_TYPE_##kind); \
		body \
	} name SEC(".maps")

struct guarded {
	struct bpf_spin_lock lock;
	__u32 value;
};

struct prefix {
	__u32 length;
	__u8 address[4];
};

map(hash, HASH, __type(key, struct prefix); __type(value, struct guarded); __uint(max_entries, 10););
map(sized, HASH, __uint(key_size, 6); __uint(value_size, 10); __uint(max_entries, 10); __uint(map_flags, BPF_F_NO_PREALLOC););
map(lru, LRU_PERCPU_HASH, __type(key, __u32); __type(value, __u64); __uint(max_entries, 100););
map(percpu, PERCPU_ARRAY, __type(key, __u32); __type(value, __u8); __uint(max_entries, 2););
map(events, PERF_EVENT_ARRAY, __uint(key_size, 4); __uint(value_size, 4););
map(traces, STACK_TRACE, __uint(key_size, 4); __uint(value_size, 127 * 8); __uint(max_entries, 16););
map(groups, CGROUP_ARRAY, __uint(key_size, 4); __uint(value_size, 4); __uint(max_entries, 1););
map(trie, LPM_TRIE, __type(key, struct prefix); __type(value, __u32); __uint(max_entries, 9); __uint(map_flags, BPF_F_NO_PREALLOC););
map(queue, QUEUE, __type(value, __u32); __uint(max_entries, 3););
map(bloom, BLOOM_FILTER, __type(value, __u64); __uint(max_entries, 50); __uint(map_extra, 4););
map(sockets, SOCKHASH, __type(key, __u32); __type(value, __u64); __uint(max_entries, 5););
map(storage, SK_STORAGE, __type(key, int); __type(value, __u64); __uint(map_flags, BPF_F_NO_PREALLOC););
map(devices, DEVMAP_HASH, __uint(key_size, 4); __uint(value_size, 8); __uint(max_entries, 5););
map(cpus, CPUMAP, __uint(key_size, 4); __uint(value_size, 8); __uint(max_entries, 2););
map(xsks, XSKMAP, __uint(key_size, 4); __uint(value_size, 4); __uint(max_entries, 2););

SEC("tc")
int uses(struct __sk_buff *skb)
{
	struct prefix key = { 32, { 10, 0, 0, 1 } };
	struct guarded *found = bpf_map_lookup_elem(&hash, &key);
	__u64 sum = 0;
	__u32 zero = 0;

	if (found) {
		bpf_spin_lock(&found->lock);
		found->value++;
		bpf_spin_unlock(&found->lock);
	}
	if (bpf_map_lookup_elem(&trie, &key))
		sum++;
	bpf_perf_event_output(skb, &events, BPF_F_CURRENT_CPU, &sum, sizeof(sum));
	bpf_map_push_elem(&queue, &zero, 0);
	sum += bpf_map_peek_elem(&bloom, &sum);
	bpf_map_update_elem(&lru, &zero, &sum, 0);
	return bpf_skb_under_cgroup(skb, &groups, 0) + (bpf_map_lookup_elem(&percpu, &zero) != 0);
}

SEC("xdp")
int redirects(struct xdp_md *context)
{
	return bpf_redirect_map(&devices, 1, XDP_PASS) + bpf_redirect_map(&cpus, 0, 0) + bpf_redirect_map(&xsks, 0, 0);
}

char _license[] SEC("license") = "GPL";
