// A map and a ring buffer to read from, and a program that fills the ring buffer.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct stats {
	__u64 packets;
	__u64 bytes;
	__u32 last;
	__u32 flags;
};

struct event {
	__u64 time;
	__u32 pid;
	__s32 result;
	__u64 bytes;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, struct stats);
} stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1024 * 1024);
} events SEC(".maps");

// Seven scalars and a text, for the codec alone.
struct task {
	__u64 time;
	__u64 bytes;
	__u32 pid;
	__u32 parent;
	__s32 result;
	__u16 port;
	__u8 state;
	char comm[16];
};

// Puts the types into BTF: bpfskel gen --record events=event --type task
const struct event *record_type __attribute__((unused));
const struct task *task_type __attribute__((unused));
const volatile __u32 records = 20000;

static long emit_one(__u32 i, void *context)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return 1;
	event->time = i;
	event->pid = i;
	event->result = -2;
	event->bytes = i;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("syscall")
int emit(void *ctx)
{
	bpf_loop(records, emit_one, NULL, 0);
	return 0;
}

// One record that says when it was sent, and wakes who waits.
SEC("syscall")
int ping(void *ctx)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return 1;
	event->time = bpf_ktime_get_ns();
	bpf_ringbuf_submit(event, 0);
	return 0;
}

char _license[] SEC("license") = "GPL";
