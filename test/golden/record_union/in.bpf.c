// Options: --record numbered=request:1|reply:2,3 --record sized=small|large
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum event_type { EVENT_EXEC, EVENT_EXIT, EVENT_TCP_CLOSE, EVENT_MAX };

struct exec_event {
	enum event_type type;
	__u32 pid;
	char filename[];
};

struct exit_event {
	enum event_type type;
	__u32 pid;
	int code;
};

struct closed {
	enum event_type type;
	__u64 bytes;
} __attribute__((btf_decl_tag("bpfskel:tag=EVENT_TCP_CLOSE")));

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} named SEC(".maps") __attribute__((btf_decl_tag("bpfskel:record=exec_event|exit_event|closed")));

struct request {
	__u64 id;
	__u16 opcode;
};

struct reply {
	__u64 id;
	__u8 status;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} numbered SEC(".maps");

struct small {
	__u32 value;
};

struct large {
	__u32 value;
	__u32 values[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} sized SEC(".maps");

// Puts the types into BTF.
const struct exec_event *exec_type __attribute__((unused));
const struct exit_event *exit_type __attribute__((unused));
const struct closed *closed_type __attribute__((unused));
const struct request *request_type __attribute__((unused));
const struct reply *reply_type __attribute__((unused));
const struct small *small_type __attribute__((unused));
const struct large *large_type __attribute__((unused));

char LICENSE[] SEC("license") = "GPL";
