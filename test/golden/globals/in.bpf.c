#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile __u32 target_pid;
const volatile char prefix[8] = "hello";
__u64 seen;
static __u64 hidden_from_skeletons;
int limit = 3;
int custom SEC(".data.custom") = 1;
struct { int x; int y; } point;
volatile __u64 sink;

SEC("xdp")
int count(struct xdp_md *ctx)
{
	hidden_from_skeletons += target_pid + prefix[0];
	sink = hidden_from_skeletons + limit + custom + point.x;
	seen++;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
