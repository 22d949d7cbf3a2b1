// Reports every file that is opened: by which process, which path, with what result. Seen either in the kernel (the
// system call openat) or in libc (open and openat, before and whether or not they become a system call).
// Skeleton: bpfskel gen opensnoop.o --record events=event > opensnoop.skel.ts
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define PATH_SIZE 256

// The fields that are read of the kernel's structs; CO-RE finds where they lie in the running kernel.
struct trace_event_raw_sys_enter {
	unsigned long args[6];
} __attribute__((preserve_access_index));

struct trace_event_raw_sys_exit {
	long ret;
} __attribute__((preserve_access_index));

struct event {
	__u32 pid;
	// A descriptor, or below zero: an error of the system call (-errno), of libc just -1.
	int result;
	char comm[16];
	char path[PATH_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

// Paths of threads that are in the midst of opening. They are read at the end: by then they are in memory for sure.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u32);
	__type(value, const char *);
} opening SEC(".maps");

// Set before load: report only this process. 0: report every one.
const volatile __u32 target_pid = 0;
// Files that found the ring buffer full.
__u64 lost;

static __always_inline int enter(const char *path)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 thread = id;

	if (!target_pid || target_pid == id >> 32)
		bpf_map_update_elem(&opening, &thread, &path, BPF_ANY);
	return 0;
}

static __noinline int describe(struct event *event, int result, const char *path)
{
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->result = result;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	if (bpf_probe_read_user_str(event->path, sizeof(event->path), path) < 0)
		event->path[0] = '\0';
	return 0;
}

static __always_inline int leave(int result)
{
	__u32 thread = bpf_get_current_pid_tgid();
	const char **path = bpf_map_lookup_elem(&opening, &thread);
	struct event *event;

	if (!path)
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (event) {
		describe(event, result, *path);
		bpf_ringbuf_submit(event, 0);
	} else {
		__sync_fetch_and_add(&lost, 1);
	}
	bpf_map_delete_elem(&opening, &thread);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_openat")
int enter_openat(struct trace_event_raw_sys_enter *ctx)
{
	return enter((const char *)ctx->args[1]);
}

SEC("tracepoint/syscalls/sys_exit_openat")
int exit_openat(struct trace_event_raw_sys_exit *ctx)
{
	return leave(ctx->ret);
}

SEC("uprobe/libc.so.6:open")
int BPF_KPROBE(libc_open, const char *path)
{
	return enter(path);
}

SEC("uretprobe/libc.so.6:open")
int BPF_KRETPROBE(libc_open_done, int result)
{
	return leave(result);
}

SEC("uprobe/libc.so.6:openat")
int BPF_KPROBE(libc_openat, int directory, const char *path)
{
	return enter(path);
}

SEC("uretprobe/libc.so.6:openat")
int BPF_KRETPROBE(libc_openat_done, int result)
{
	return leave(result);
}

char _license[] SEC("license") = "GPL";
