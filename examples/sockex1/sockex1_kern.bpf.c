// Sums the bytes that leave through a device by IP protocol, as a socket filter on a raw socket.
// Written the old way on purpose: a SEC("maps") definition without BTF types, and load_byte (BPF_LD_ABS).
// Skeleton: bpfskel gen sockex1_kern.o > sockex1.skel.ts
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <bpf/bpf_helpers.h>

// Compiles to BPF_LD_ABS: one byte of the packet, or the end of the program when the packet is shorter.
unsigned long long load_byte(void *skb, unsigned long long offset) asm("llvm.bpf.load.byte");

struct bpf_map_def {
	unsigned int type;
	unsigned int key_size;
	unsigned int value_size;
	unsigned int max_entries;
	unsigned int map_flags;
};

struct bpf_map_def SEC("maps") my_map = {
	.type = BPF_MAP_TYPE_ARRAY,
	.key_size = sizeof(__u32),
	.value_size = sizeof(long),
	.max_entries = 256,
};

SEC("socket")
int bpf_prog1(struct __sk_buff *skb)
{
	__u32 index = load_byte(skb, ETH_HLEN + offsetof(struct iphdr, protocol));
	long *value;

	if (skb->pkt_type != PACKET_OUTGOING)
		return 0;
	value = bpf_map_lookup_elem(&my_map, &index);
	if (value)
		__sync_fetch_and_add(value, skb->len);
	return 0;
}

char _license[] SEC("license") = "GPL";
