// Slots of a program array are filled after the programs are loaded: with one of them left out, nothing loads.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int target(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 3);
	__uint(key_size, 4);
	__array(values, int(struct __sk_buff *));
} jumps SEC(".maps") = {
	.values = { [2] = &target },
};

SEC("tc")
int target(struct __sk_buff *skb)
{
	return 1;
}

SEC("tc")
int jumper(struct __sk_buff *skb)
{
	bpf_tail_call_static(skb, &jumps, 2);
	return 0;
}

char _license[] SEC("license") = "GPL";
