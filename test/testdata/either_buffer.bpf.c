// Sends records through a ring buffer, or on kernels before 5.8 through a perf event array of the same name.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct event {
	__u64 number;
	__u32 cpu;
	char text[12];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
	__type(value, struct event);
} events SEC(".maps");

const volatile _Bool perf;
__u64 sent;

SEC("xdp")
int send(struct xdp_md *ctx)
{
	struct event event = { .number = __sync_fetch_and_add(&sent, 1), .text = "hello" };

	event.cpu = bpf_get_smp_processor_id();
	if (perf)
		bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &event, sizeof(event));
	else
		bpf_ringbuf_output(&events, &event, sizeof(event), 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
