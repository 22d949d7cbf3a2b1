// Counts the packets of a network device by IP protocol, and drops those of one protocol when told to.
// Skeleton: bpfskel gen xdp_kern.o > xdp.skel.ts
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

struct traffic {
	__u64 packets;
	__u64 bytes;
};

// One row per IP protocol number; what is not IP is counted under 0.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct traffic);
} by_protocol SEC(".maps");

// Set before load: with `drop`, packets of `drop_protocol` go no further than this program.
const volatile bool drop = false;
const volatile __u8 drop_protocol = 0;

static __always_inline __u32 protocol_of(void *data, void *end)
{
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > end)
		return 0;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = (void *)(eth + 1);

		return (void *)(ip + 1) > end ? 0 : ip->protocol;
	}
	if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip6 = (void *)(eth + 1);

		return (void *)(ip6 + 1) > end ? 0 : ip6->nexthdr;
	}
	return 0;
}

SEC("xdp")
int count_packets(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u32 protocol = protocol_of(data, end);
	struct traffic *row = bpf_map_lookup_elem(&by_protocol, &protocol);

	if (row) {
		row->packets++;
		row->bytes += end - data;
	}
	return drop && protocol == drop_protocol ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
