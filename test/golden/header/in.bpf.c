// Options: --bytes exec.environment
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "../../../include/bpfskel.h"

enum event_type { EVENT_EXEC, EVENT_EXIT, EVENT_PACKET };

struct exec {
	char arguments[32] bpfskel_bytes;
	char environment[8];
	char comm[16];
};

struct end {
	int code;
};

struct event {
	enum event_type type;
	union {
		struct exec exec;
		struct end end bpfskel_tag(EVENT_EXIT);
	};
} bpfskel_union(type);

struct packet {
	enum event_type type;
	__u16 length;
	__u8 data[] bpfskel_bytes;
} bpfskel_tag(EVENT_PACKET);

bpfskel_type(struct packet);
bpfskel_type(struct event);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps") bpfskel_record(event);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} packets SEC(".maps") bpfskel_record(packet);

char LICENSE[] SEC("license") = "GPL";
