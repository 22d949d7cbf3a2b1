// An access that finds nothing is poisoned: refused where it is reached, gone where a check rules it out.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_struct {
	int no_such_field;
};

struct no_such_type {
	int field;
};
#pragma clang attribute pop

enum pid_type___mine { PIDTYPE_NO_SUCH___mine = 7 };

SEC("tp_btf/sched_process_exit")
int dead_field(__u64 *context)
{
	struct task_struct *task = (void *)context[0];

	return bpf_core_field_exists(task->no_such_field) ? task->no_such_field : 0;
}

SEC("raw_tp")
int dead_value(void *context)
{
	return bpf_core_enum_value_exists(enum pid_type___mine, PIDTYPE_NO_SUCH___mine) ?
	       bpf_core_enum_value(enum pid_type___mine, PIDTYPE_NO_SUCH___mine) : 0;
}

SEC("raw_tp")
int dead_type(struct no_such_type *what)
{
	return bpf_core_type_exists(struct no_such_type) ? BPF_CORE_READ(what, field) : 1;
}

SEC("tp_btf/sched_process_exit")
int live_field(__u64 *context)
{
	struct task_struct *task = (void *)context[0];

	return task->no_such_field;
}

SEC("raw_tp")
int live_value(void *context)
{
	return bpf_core_enum_value(enum pid_type___mine, PIDTYPE_NO_SUCH___mine);
}

SEC("raw_tp")
int live_type(struct no_such_type *what)
{
	return BPF_CORE_READ(what, field);
}

char _license[] SEC("license") = "GPL";
