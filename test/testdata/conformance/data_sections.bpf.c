// Custom data sections, hidden variables, and a section that only static variables are in.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 custom SEC(".data.custom") = 5;
__u32 other SEC(".data.custom") = 6;
const volatile __u32 constant SEC(".rodata.custom") = 7;
__u32 zeroed[3] SEC(".bss.custom");
__hidden __u32 shy = 8;
__hidden __u32 alone SEC(".data.shy") = 9;
static volatile __u32 internal SEC(".data.internal") = 10;

SEC("socket")
int uses(struct __sk_buff *skb)
{
	zeroed[1] = custom + other + constant;
	shy += alone++;
	return zeroed[2] + internal;
}

char _license[] SEC("license") = "GPL";
