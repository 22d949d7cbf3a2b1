// Options: --type record --type line --type wrapped
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct record {
	__u32 length;
	__u8 data[];
};

struct line {
	__u64 time;
	char text[];
};

struct wrapped {
	__u16 kind;
	struct record record;
};

const struct record *record_type;
const struct line *line_type;
const struct wrapped *wrapped_type;

char LICENSE[] SEC("license") = "GPL";
