// Uses of global data: fields, elements, static variables, which are reached over the section's symbol and an offset.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct point {
	__u64 x;
	__u32 y[6];
};

const volatile struct point limit = { .x = 1, .y = { 1, 2, 3, 4, 5, 6 } };
static const volatile __u32 step[4] = { 7, 8, 9, 10 };
struct point origin = { .x = 3 };
static volatile __u64 first = 1, second = 2;
struct point place;
static volatile __u32 hits[16];

SEC("socket")
int uses(struct __sk_buff *skb)
{
	place.y[3] = limit.y[5] + step[2] + origin.y[1];
	hits[7] += second;
	first = hits[9];
	place.x = (__u64)&origin.y[2] != (__u64)&place.y[2];
	return origin.x + limit.x + step[skb->len & 3];
}

char _license[] SEC("license") = "GPL";
