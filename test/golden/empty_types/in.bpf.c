#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct nothing {};
union none {};
struct holder {
	struct nothing nothing;
	__u32 value;
	union none none;
};

struct holder holder;

char LICENSE[] SEC("license") = "GPL";
