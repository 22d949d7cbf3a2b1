// Reads the counter of the CPU that it runs on.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} counters SEC(".maps");

struct {
	__s64 error;
	struct bpf_perf_event_value value;
} seen;

SEC("raw_tp/sys_enter")
int read_counter(void *ctx)
{
	seen.error = bpf_perf_event_read_value(&counters, BPF_F_CURRENT_CPU, &seen.value, sizeof(seen.value));
	return 0;
}

char _license[] SEC("license") = "GPL";
