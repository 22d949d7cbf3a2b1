// Types: sizes and numbers, 0 for those that are missing, and whether they match member by member.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct list_head {
	struct list_head *next, *prev;
};

struct list_head___short {
	struct list_head___short *next;
};

struct list_head___wrong {
	int next;
};

struct task_struct {
	int pid;
};

struct task_struct___wrong {
	char pid[4];
};

struct no_such_type {
	int field;
};

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	long counter;
} atomic_t___wide;

typedef int (*initcall_t)(void);
enum pid_type { PIDTYPE_PID, PIDTYPE_TGID };
enum pid_type___wrong { PIDTYPE_NO_SUCH = 77 };

__u64 seen[32];

SEC("raw_tp")
int sizes(void *context)
{
	seen[0] = bpf_core_type_size(struct list_head);
	seen[1] = bpf_core_type_size(struct task_struct);
	seen[2] = bpf_core_type_size(struct no_such_type);
	seen[3] = bpf_core_type_size(atomic_t);
	seen[4] = bpf_core_type_size(initcall_t);
	seen[5] = bpf_core_type_size(enum pid_type);
	return 0;
}

SEC("raw_tp")
int numbers(void *context)
{
	seen[0] = bpf_core_type_id_local(struct task_struct);
	seen[1] = bpf_core_type_id_kernel(struct task_struct);
	seen[2] = bpf_core_type_id_kernel(struct no_such_type);
	seen[3] = bpf_core_type_id_kernel(atomic_t);
	seen[4] = bpf_core_type_id_kernel(enum pid_type);
	seen[5] = bpf_core_type_id_local(struct no_such_type);
	return 0;
}

SEC("raw_tp")
int matches(void *context)
{
	seen[0] = bpf_core_type_matches(struct list_head);
	seen[1] = bpf_core_type_matches(struct list_head___short);
	seen[2] = bpf_core_type_matches(struct list_head___wrong);
	seen[3] = bpf_core_type_matches(struct task_struct);
	seen[4] = bpf_core_type_matches(struct task_struct___wrong);
	seen[5] = bpf_core_type_matches(struct no_such_type);
	seen[6] = bpf_core_type_matches(atomic_t);
	seen[7] = bpf_core_type_matches(atomic_t___wide);
	seen[8] = bpf_core_type_matches(initcall_t);
	seen[9] = bpf_core_type_matches(enum pid_type);
	seen[10] = bpf_core_type_matches(enum pid_type___wrong);
	return 0;
}

char _license[] SEC("license") = "GPL";
