// Options: --type record --type line --type wrapped --type marked --type either
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

/* A mark without bytes: whatever ends the struct begins there. */
struct marked {
	__u32 length;
	__u32 words[0];
	char text[];
};

/* What is behind the kind is one of two arrays. */
struct either {
	__u32 kind;
	union {
		__u32 numbers[0];
		char name[0];
	};
};

const struct either *either_type;
const struct marked *marked_type;
const struct record *record_type;
const struct line *line_type;
const struct wrapped *wrapped_type;

char LICENSE[] SEC("license") = "GPL";
