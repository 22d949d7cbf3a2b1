// Values with fields that the kernel manages: it finds them by the types of the map.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct timed {
	__u64 count;
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct timed);
	__uint(max_entries, 2);
} timers SEC(".maps");

static int ticks(void *map, __u32 *key, struct timed *value)
{
	value->count++;
	return 0;
}

SEC("tc")
int starts(struct __sk_buff *skb)
{
	__u32 key = 1;
	struct timed *value = bpf_map_lookup_elem(&timers, &key);

	if (!value)
		return 0;
	bpf_timer_init(&value->timer, &timers, 1);
	bpf_timer_set_callback(&value->timer, ticks);
	return bpf_timer_start(&value->timer, 1000, 0);
}

char _license[] SEC("license") = "GPL";
