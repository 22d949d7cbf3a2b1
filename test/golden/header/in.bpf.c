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

// The last one that was sent.
struct event last;

static __always_inline void send(const struct event *event)
{
	bpf_ringbuf_output(&events, (void *)event, sizeof(*event), 0);
	last = *event;
}

SEC("syscall")
int emit(void *ctx)
{
	struct event event = { .type = EVENT_EXEC, .exec = { .arguments = "ls\0-l\0/", .environment = "A=1\0B=2" } };

	bpf_get_current_comm(event.exec.comm, sizeof(event.exec.comm));
	send(&event);
	__builtin_memset(&event, 0, sizeof(event));
	event.type = EVENT_EXIT;
	event.end.code = -2;
	send(&event);
	event.type = EVENT_PACKET;
	send(&event);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
