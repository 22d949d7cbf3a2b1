// Lets the processes that it guards open files only in folders that are allowed to them, and reports what it denied.
//
// Guarded are the children of one process, the guard, and all of theirs; nobody else notices anything, so a wrong list of
// folders cannot lock the machine out. It is a seat belt, not a jail: names can still be moved and removed, and a command
// with the rights of root can end the guard.
// Skeleton: bpfskel gen openguard_kern.o --record denials=denial > openguard.skel.ts
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define DEPTH 64 // folders above a file; what lies deeper is denied
#define FMODE_WRITE 2
#define O_TRUNC 01000
#define CLONE_THREAD 0x00010000
#define MAX_ERRNO 4095

// The fields that are read of the kernel's structs; CO-RE finds where they lie in the running kernel.
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct super_block {
	__u32 s_dev;
};
struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
};
struct qstr {
	const unsigned char *name;
};
struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};
struct vfsmount {
	int mnt_flags;
};
struct mount {
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
};
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};
struct file {
	struct path f_path;
	unsigned int f_flags;
	unsigned int f_mode;
};
#pragma clang attribute pop

// A folder, or a file of one file system that lies on no other, whatever paths lead there.
struct place {
	__u64 device;
	__u64 inode;
};

enum right { READ = 1, WRITE = 2, CREATE = 4 };

// What may be done in a place and below it, of `enum right`. Other file systems that are mounted below have places of their own.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct place);
	__type(value, __u32);
} allowed SEC(".maps");

enum role { NONE, GUARD, GUARDED };

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, enum role);
} roles SEC(".maps");

struct denial {
	__u32 pid;
	enum right right;
	char comm[16];
	// Of a file that was to be created, only the name.
	char path[256];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} denials SEC(".maps");

// Denials that found the ring buffer full.
__u64 lost;

static __always_inline enum role role_of_current(void)
{
	enum role *role = bpf_task_storage_get(&roles, bpf_get_current_task_btf(), NULL, 0);

	return role ? *role : NONE;
}

static __always_inline bool may(enum right right, struct dentry *dentry)
{
	for (int i = 0; i < DEPTH; i++) {
		struct place place = {};
		struct dentry *parent = dentry->d_parent;
		struct inode *inode = dentry->d_inode;
		__u32 *rights;

		if (inode) {
			place.device = inode->i_sb->s_dev;
			place.inode = inode->i_ino;
			rights = bpf_map_lookup_elem(&allowed, &place);
			if (rights && *rights & right)
				return true;
		}
		if (parent == dentry)
			break;
		dentry = parent;
	}
	return false;
}

static __noinline int describe(struct denial *denial, enum right right)
{
	denial->pid = bpf_get_current_pid_tgid() >> 32;
	denial->right = right;
	bpf_get_current_comm(denial->comm, sizeof(denial->comm));
	return 0;
}

static __always_inline struct denial *reserve(enum right right)
{
	struct denial *denial = bpf_ringbuf_reserve(&denials, sizeof(*denial), 0);

	if (denial)
		describe(denial, right);
	else
		__sync_fetch_and_add(&lost, 1);
	return denial;
}

// Files of mounts that are in no namespace have no path that anyone could open: pipes, memory, and what file systems that
// lie on others (overlayfs) open below themselves after the file on top was judged.
static __always_inline bool is_internal(struct file *file)
{
	void *mount = (void *)file->f_path.mnt - bpf_core_field_offset(struct mount, mnt);
	void *namespace = NULL;

	bpf_probe_read_kernel(&namespace, sizeof(namespace), mount + bpf_core_field_offset(struct mount, mnt_ns));
	return (unsigned long)namespace >= (unsigned long)-MAX_ERRNO;
}

SEC("lsm/task_alloc")
int BPF_PROG(inherit, struct task_struct *task, unsigned long clone_flags)
{
	enum role role = role_of_current(), guarded = GUARDED;

	// Threads of the guard itself are free.
	if (role == NONE || (role == GUARD && clone_flags & CLONE_THREAD))
		return 0;
	return bpf_task_storage_get(&roles, task, &guarded, BPF_LOCAL_STORAGE_GET_F_CREATE) ? 0 : -ENOMEM;
}

SEC("lsm/file_open")
int BPF_PROG(judge, struct file *file)
{
	enum right right = file->f_mode & FMODE_WRITE || file->f_flags & O_TRUNC ? WRITE : READ;
	struct denial *denial;

	if (role_of_current() != GUARDED || is_internal(file) || may(right, file->f_path.dentry))
		return 0;
	denial = reserve(right);
	if (denial) {
		if (bpf_d_path(&file->f_path, denial->path, sizeof(denial->path)) < 0)
			denial->path[0] = '\0';
		bpf_ringbuf_submit(denial, 0);
	}
	return -EACCES;
}

// Comes before the file is made; when it is opened, it would be there already.
SEC("lsm/path_mknod")
int BPF_PROG(judge_new, const struct path *folder, struct dentry *dentry)
{
	struct denial *denial;

	if (role_of_current() != GUARDED || may(WRITE, folder->dentry))
		return 0;
	denial = reserve(CREATE);
	if (denial) {
		bpf_probe_read_kernel_str(denial->path, sizeof(denial->path), dentry->d_name.name);
		bpf_ringbuf_submit(denial, 0);
	}
	return -EACCES;
}

char _license[] SEC("license") = "GPL";
