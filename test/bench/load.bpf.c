// What a tracing tool asks of a loader: CO-RE relocations over the kernel's common types, constants, a map, a ring
// buffer. It attaches where attaching and detaching wait for nothing.
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct ns_common {
	unsigned int inum;
};
struct pid_namespace {
	struct ns_common ns;
};
struct nsproxy {
	struct pid_namespace *pid_ns_for_children;
};
typedef struct {
	unsigned int val;
} kuid_t;
struct cred {
	kuid_t uid;
};
struct super_block {
	unsigned int s_dev;
};
struct inode {
	unsigned long i_ino;
	struct super_block *i_sb;
};
struct qstr {
	const unsigned char *name;
};
struct dentry {
	struct qstr d_name;
	struct dentry *d_parent;
};
struct path {
	struct dentry *dentry;
};
struct file {
	struct path f_path;
	struct inode *f_inode;
};
struct mm_struct {
	struct file *exe_file;
	unsigned long arg_start;
	unsigned long arg_end;
};
struct task_struct {
	int pid;
	int tgid;
	unsigned long long start_time;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct mm_struct *mm;
	const struct cred *cred;
	struct nsproxy *nsproxy;
};
#pragma clang attribute pop

struct event {
	__u64 start;
	__u64 inode;
	__u64 arguments;
	__u32 pid;
	__u32 parent;
	__u32 uid;
	__u32 device;
	__u32 namespace;
	char comm[16];
	char file[32];
	char folder[32];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u32);
	__type(value, __u64);
} started SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

const volatile __u32 target_uid = -1;
__u64 lost;

SEC("raw_tp/sched_process_exec")
int exec(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	__u32 pid = BPF_CORE_READ(task, group_leader, pid);
	__u32 uid = BPF_CORE_READ(task, cred, uid.val);
	__u64 now = bpf_ktime_get_ns();
	struct event *event;

	bpf_map_update_elem(&started, &pid, &now, BPF_ANY);
	if (target_uid != -1 && uid != target_uid)
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	event->start = BPF_CORE_READ(task, start_time);
	event->inode = BPF_CORE_READ(task, mm, exe_file, f_inode, i_ino);
	event->device = BPF_CORE_READ(task, mm, exe_file, f_inode, i_sb, s_dev);
	event->arguments = BPF_CORE_READ(task, mm, arg_end) - BPF_CORE_READ(task, mm, arg_start);
	event->pid = pid;
	event->parent = BPF_CORE_READ(task, real_parent, tgid);
	event->uid = uid;
	event->namespace = BPF_CORE_READ(task, nsproxy, pid_ns_for_children, ns.inum);
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	BPF_CORE_READ_STR_INTO(&event->file, task, mm, exe_file, f_path.dentry, d_name.name);
	BPF_CORE_READ_STR_INTO(&event->folder, task, mm, exe_file, f_path.dentry, d_parent, d_name.name);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int leave(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	__u32 pid = BPF_CORE_READ(task, pid);

	if (pid == BPF_CORE_READ(task, tgid))
		bpf_map_delete_elem(&started, &pid);
	return 0;
}

char _license[] SEC("license") = "GPL";
