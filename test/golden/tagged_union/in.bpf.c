// Options: --union numbered=kind|open:1|close:2,3 --union chosen.payload=kind|ip:4|ip6:6 --union address=is_v6|v4:false|v6:true
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum event_type { EVENT_EXEC, EVENT_EXIT, EVENT_MAX };

struct exec {
	__u32 ppid;
	char filename[16];
};

struct event {
	enum event_type type;
	__u32 pid;
	union {
		struct exec exec;
		struct {
			int code;
			__u64 runtime;
		} exit;
	};
} __attribute__((btf_decl_tag("bpfskel:union=type")));

enum shape_kind { SHAPE_CIRCLE = 1, SHAPE_SQUARE };

// The union has a name, and every value of the tag an arm.
struct shape {
	union {
		__u32 radius __attribute__((btf_decl_tag("bpfskel:tag=SHAPE_CIRCLE")));
		__u16 sides[2] __attribute__((btf_decl_tag("bpfskel:tag=SHAPE_SQUARE")));
	} is;
	enum shape_kind kind;
} __attribute__((btf_decl_tag("bpfskel:union=kind")));

// An integer says what it is; structs without names are arms; the last arm takes the rest of a record.
struct numbered {
	__u16 kind;
	union {
		struct {
			__u32 flags;
			char path[];
		} open;
		struct {
			int fd;
			int error;
		} close;
		__u8 room[12];
	};
};

struct chosen {
	__u64 kind;
	union {
		__u32 number;
		float real;
	} other;
	union {
		__u32 ip;
		__u8 ip6[16];
	} payload;
};

struct address {
	_Bool is_v6;
	union {
		__u8 v4[4];
		__u8 v6[16];
	};
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps") __attribute__((btf_decl_tag("bpfskel:record=event")));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct shape);
} shapes SEC(".maps");

// Puts the types into BTF.
const struct event *event_type __attribute__((unused));
const struct numbered *numbered_type __attribute__((unused));
const struct chosen *chosen_type __attribute__((unused));
const struct address *address_type __attribute__((unused));

char LICENSE[] SEC("license") = "GPL";
