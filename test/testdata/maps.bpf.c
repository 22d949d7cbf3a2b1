// Every way to declare a map or a global variable.
// build: -mcpu=v3
// build-eb
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct key {
	__u32 pid;
	__u32 cpu;
};

struct stats {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct key);
	__type(value, struct stats);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} typed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 16);
	__uint(max_entries, 8);
	__uint(numa_node, 1);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} sized SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__type(value, __u32);
	__uint(max_entries, 100);
	__uint(map_extra, 3);
} bloom SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 4);
} first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__type(key, __u32);
	__uint(max_entries, 5);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = { [1] = &first, [4] = &second },
};

int tail(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, 4);
	__uint(max_entries, 3);
	__array(values, int(struct __sk_buff *));
} calls SEC(".maps") = {
	.values = { [2] = &tail },
};

const volatile __u32 target_pid = 7;
const volatile struct key target = { .pid = 1, .cpu = 2 };
__u64 seen;
static volatile __u64 secret;
__u32 hidden_count __attribute__((visibility("hidden")));
__u32 level = 3;
__u64 custom SEC(".data.custom") = 0x1122334455667788;
__u32 shy SEC(".data.shy") __attribute__((visibility("hidden"))) = 1;
char scratch[5] SEC(".bss.scratch");
const char greeting[] SEC(".rodata.text") = "hi";

SEC("tc")
int tail(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&seen, 1);
	return level + secret++;
}

SEC("tc")
int entry(struct __sk_buff *skb)
{
	struct key key = { target_pid, target.cpu };
	struct stats *stats = bpf_map_lookup_elem(&typed, &key);
	__u32 slot = 1, *sized_value = bpf_map_lookup_elem(&sized, &slot);
	__u64 *inner = bpf_map_lookup_elem(&outer, &slot);

	if (stats)
		stats->packets += custom + shy;
	if (sized_value)
		*sized_value += hidden_count++;
	if (inner && bpf_map_peek_elem(&bloom, &slot))
		scratch[slot & 3] = greeting[slot & 1];
	bpf_printk("saw %d", slot);
	bpf_tail_call(skb, &calls, 2);
	return 0;
}

char _license[] SEC("license") = "Dual MIT/GPL";
__u32 _version SEC("version") = 0x060c00;
