// Counts the call stacks that run when the clock of a CPU ticks.
// Skeleton: bpfskel gen profile_kern.o > profile.skel.ts
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>

struct sample {
	__u32 pid;
	// Of the map stacks; negative when there is none.
	__s32 kernel_stack;
	__s32 user_stack;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct sample);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 16384);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 127 * sizeof(__u64));
} stacks SEC(".maps");

// Samples for which a map had no room.
__u64 lost;

SEC("perf_event")
int tick(struct bpf_perf_event_data *ctx)
{
	struct sample sample = {};
	__u64 zero = 0, *count;

	sample.pid = bpf_get_current_pid_tgid() >> 32;
	if (!sample.pid)
		return 0; // The CPU is idle.
	bpf_get_current_comm(sample.comm, sizeof(sample.comm));
	sample.kernel_stack = bpf_get_stackid(ctx, &stacks, 0);
	sample.user_stack = bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
	count = bpf_map_lookup_elem(&counts, &sample);
	if (!count) {
		bpf_map_update_elem(&counts, &sample, &zero, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&counts, &sample);
	}
	__sync_fetch_and_add(count ?: &lost, 1);
	return 0;
}

char _license[] SEC("license") = "GPL";
