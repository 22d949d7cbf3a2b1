#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

typedef __u32 pid_type;
typedef struct {
	pid_type pid;
} task_t;
typedef const task_t fixed_task_t;
typedef char name_t[8];

struct holder {
	task_t task;
	const volatile fixed_task_t fixed;
	name_t name;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, pid_type);
	__type(value, struct holder);
} m SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
