// Names that every JavaScript object has already.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum toString { __lookupGetter__, propertyIsEnumerable = 7 };
union isPrototypeOf { __u32 __proto__; __u16 constructor[2]; };
struct constructor {
	__u32 __proto__;
	__u32 constructor;
	char toString[8];
	enum toString valueOf;
	union isPrototypeOf hasOwnProperty;
	__u64 toJSON;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct constructor);
} __proto__ SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
	__type(value, struct constructor);
} constructor SEC(".maps");

struct constructor valueOf;
int hasOwnProperty = 3;
const volatile __u32 toString = 5;
int __defineGetter__ SEC(".data.__proto__") = 9;

SEC("xdp")
int toLocaleString(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp")
int isPrototypeOf(struct xdp_md *ctx)
{
	__u32 key = 0;

	if (bpf_map_lookup_elem(&__proto__, &key))
		bpf_ringbuf_output(&constructor, &valueOf, sizeof(valueOf), 0);
	return hasOwnProperty + toString + __defineGetter__;
}

char LICENSE[] SEC("license") = "GPL";
