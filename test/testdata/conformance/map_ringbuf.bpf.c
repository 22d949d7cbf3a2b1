// Sizes of ring buffers are rounded up to a power of two of pages.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define ring(name, size) \
	struct { \
		__uint(type, BPF_MAP_TYPE_RINGBUF); \
		__uint(max_entries, size); \
	} name SEC(".maps")

ring(odd, 1000);
ring(page, 4096);
ring(above, 4097);
ring(three, 12288);
ring(large, 300000);

SEC("socket")
int sends(struct __sk_buff *skb)
{
	__u64 now = bpf_ktime_get_ns();

	return bpf_ringbuf_output(&odd, &now, 8, 0) + bpf_ringbuf_output(&page, &now, 8, 0) +
	       bpf_ringbuf_output(&above, &now, 8, 0) + bpf_ringbuf_output(&three, &now, 8, 0) +
	       bpf_ringbuf_output(&large, &now, 8, 0);
}

char _license[] SEC("license") = "GPL";
