// A program that holds a record of a ring buffer, reserved and not submitted, until it is told to let go.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} control SEC(".maps");

enum { HELD, LET_GO };

struct wait {
	volatile __u32 *let_go;
	__u64 deadline;
};

static long wait_little(__u32 index, struct wait *wait)
{
	return *wait->let_go || bpf_ktime_get_ns() > wait->deadline;
}

static long wait_long(__u32 index, struct wait *wait)
{
	bpf_loop(1024, wait_little, wait, 0);
	return *wait->let_go || bpf_ktime_get_ns() > wait->deadline;
}

SEC("syscall")
int hold(__u64 *nanoseconds)
{
	__u32 held_key = HELD, let_go_key = LET_GO;
	__u32 *held = bpf_map_lookup_elem(&control, &held_key);
	__u32 *let_go = bpf_map_lookup_elem(&control, &let_go_key);
	struct wait wait = { .let_go = let_go, .deadline = bpf_ktime_get_ns() + *nanoseconds };
	__u64 *record;

	if (!held || !let_go)
		return 1;
	wait.let_go = let_go;
	record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
	if (!record)
		return 2;
	*record = 1;
	*held = 1;
	bpf_loop(1 << 23, wait_long, &wait, 0);
	bpf_ringbuf_submit(record, 0);
	return *let_go ? 0 : 3;
}

SEC("syscall")
int send(void *ctx)
{
	__u64 number = 2;

	return bpf_ringbuf_output(&events, &number, sizeof(number), 0);
}

char LICENSE[] SEC("license") = "GPL";
