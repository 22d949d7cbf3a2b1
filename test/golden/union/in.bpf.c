#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

union value {
	__u64 number;
	char text[8];
	struct {
		__u32 low;
		__u32 high;
	} halves;
	float real;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, union value);
} m SEC(".maps");

// Names say which arm is meant, but nobody else does: the comment tells of --union.
enum kind { KIND_NUMBER, KIND_TEXT };

struct either {
	enum kind kind;
	union {
		__u32 number;
		char text[4];
	};
};

struct either either;

char LICENSE[] SEC("license") = "GPL";
