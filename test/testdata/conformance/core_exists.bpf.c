// Existence is 0 or 1, and never an error: of fields, types, values, with and without flavours.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct task_struct {
	int pid;
	int no_such_field;
};

struct task_struct___old {
	long state;
	struct {
		int within;
	} no_such_struct;
};

struct task_struct___new {
	unsigned int __state;
};

struct task_struct___as_pointer {
	void *pid;
};

struct no_such_type {
	int field;
};

union no_such_union {
	int arm;
};

struct bpf_prog_aux___other_kind {
	struct task_struct name;
};
#pragma clang attribute pop

enum bpf_map_type___some { BPF_MAP_TYPE_HASH___some = 99, BPF_MAP_TYPE_NO_SUCH___some = 1 };
enum no_such_enum { NO_SUCH_VALUE };
typedef int no_such_typedef;
typedef __u64 cputime_t;

SEC("raw_tp")
int existence(struct task_struct *task)
{
	return bpf_core_field_exists(task->pid) | bpf_core_field_exists(task->no_such_field) << 1 |
	       bpf_core_field_exists(struct task_struct___old, state) << 2 |
	       bpf_core_field_exists(struct task_struct___old, no_such_struct.within) << 3 |
	       bpf_core_field_exists(struct task_struct___new, __state) << 4 |
	       bpf_core_field_exists(struct task_struct___as_pointer, pid) << 5 |
	       bpf_core_field_exists(struct no_such_type, field) << 6 |
	       bpf_core_field_exists(struct bpf_prog_aux___other_kind, name) << 7 |
	       bpf_core_type_exists(struct task_struct) << 8 | bpf_core_type_exists(struct no_such_type) << 9 |
	       bpf_core_type_exists(union no_such_union) << 10 | bpf_core_type_exists(no_such_typedef) << 11 |
	       bpf_core_enum_value_exists(enum bpf_map_type___some, BPF_MAP_TYPE_HASH___some) << 12 |
	       bpf_core_enum_value_exists(enum bpf_map_type___some, BPF_MAP_TYPE_NO_SUCH___some) << 13 |
	       bpf_core_enum_value_exists(enum no_such_enum, NO_SUCH_VALUE) << 14;
}

SEC("raw_tp")
int either(void *context)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (bpf_core_field_exists(struct task_struct___old, state))
		return BPF_CORE_READ((struct task_struct___old *)task, state);
	return BPF_CORE_READ((struct task_struct___new *)task, __state);
}

char _license[] SEC("license") = "GPL";
