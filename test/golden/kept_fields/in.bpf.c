#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct;

struct counter {
	struct bpf_spin_lock lock;
	__u32 hits;
	struct bpf_timer timer;
	struct task_struct __kptr *task;
	__u64 last;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct counter);
} counters SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
