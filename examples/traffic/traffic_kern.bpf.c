// Counts what a network device receives and sends, by IP protocol, and can hold what it sends to a rate.
// Skeleton: bpfskel gen traffic_kern.o --u64 number > traffic.skel.ts
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define SECOND 1000000000ULL

struct traffic {
	__u64 packets;
	__u64 bytes;
	__u64 dropped;
};

// One row per IP protocol number; what is not IP is counted under 0.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct traffic);
} received SEC(".maps"), sent SEC(".maps");

// What may be sent now: fills by `limit` bytes a second up to `burst`, and every packet takes its length out.
struct bucket {
	struct bpf_spin_lock lock;
	__u64 bytes;
	__u64 filled_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bucket);
} buckets SEC(".maps");

// Set before load. Bytes a second that the device may send; 0 for no limit.
const volatile __u64 limit = 0;
const volatile __u64 burst = 64 << 10;

static __always_inline __u32 protocol_of(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = data + sizeof(struct ethhdr);

		return (void *)(ip + 1) > end ? 0 : ip->protocol;
	}
	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip6 = data + sizeof(struct ethhdr);

		return (void *)(ip6 + 1) > end ? 0 : ip6->nexthdr;
	}
	return 0;
}

static __always_inline int may_send(__u64 length)
{
	__u32 first = 0;
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, &first);
	__u64 now = bpf_ktime_get_ns();
	int may = 1;

	if (!bucket)
		return 1;
	bpf_spin_lock(&bucket->lock);
	if (now > bucket->filled_ns) {
		__u64 passed = now - bucket->filled_ns;

		// After a second it is full in any case, and the product could overflow.
		bucket->bytes += passed < SECOND ? passed * limit / SECOND : limit;
		if (bucket->bytes > burst || passed >= SECOND)
			bucket->bytes = burst;
		bucket->filled_ns = now;
	}
	if (bucket->bytes >= length)
		bucket->bytes -= length;
	else
		may = 0;
	bpf_spin_unlock(&bucket->lock);
	return may;
}

SEC("tc/ingress")
int count_received(struct __sk_buff *skb)
{
	__u32 protocol = protocol_of(skb);
	struct traffic *row = bpf_map_lookup_elem(&received, &protocol);

	if (row) {
		row->packets++;
		row->bytes += skb->len;
	}
	return TC_ACT_UNSPEC;
}

SEC("tc/egress")
int count_sent(struct __sk_buff *skb)
{
	__u32 protocol = protocol_of(skb);
	struct traffic *row = bpf_map_lookup_elem(&sent, &protocol);

	if (limit && !may_send(skb->len)) {
		if (row)
			row->dropped++;
		return TC_ACT_SHOT;
	}
	if (row) {
		row->packets++;
		row->bytes += skb->len;
	}
	return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "GPL";
