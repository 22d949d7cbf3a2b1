// Takes commands from user space and sends back what it saw of each.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum operation { ADD, SUBTRACT };

struct command {
	__u32 number;
	enum operation operation;
	__s64 operand;
	char why[12];
};

struct result {
	__u32 number;
	__u32 size;
	__s64 sum;
	char why[12];
};

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
	__type(value, struct command);
} commands SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
	__type(value, struct result);
} results SEC(".maps");

__u64 drain_flags;
__s64 drained;
__s64 sum;

static long take(struct bpf_dynptr *dynptr, void *context)
{
	struct command command = {};
	struct result *result;

	if (bpf_dynptr_read(&command, sizeof(command), dynptr, 0, 0))
		return 0;
	sum += command.operation == ADD ? command.operand : -command.operand;
	result = bpf_ringbuf_reserve(&results, sizeof(*result), 0);
	if (!result)
		return 1;
	result->number = command.number;
	result->size = sizeof(command);
	result->sum = sum;
	__builtin_memcpy(result->why, command.why, sizeof(result->why));
	bpf_ringbuf_submit(result, 0);
	return 0;
}

SEC("syscall")
int drain(void *ctx)
{
	drained = bpf_user_ringbuf_drain(&commands, take, NULL, drain_flags);
	return 0;
}

char _license[] SEC("license") = "GPL";
